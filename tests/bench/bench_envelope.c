/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What our own part of a tool call costs: the scan of its envelope, and the whole way through a session (scan, rewrite,
 * write, reply, rewrite back) with a server that is a memcpy. Prints nanoseconds a call and bytes a nanosecond.
 * Arguments: repetitions of the 200-byte case (others are scaled down); default 1000000. */
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session.h"

static struct buf reply;      /* what the server answers, once the id is filled in */
static size_t reply_id;       /* where its id goes */
static uint64_t next_id;
static struct session *session;

/* ---- messages ---- */

enum kind { PLAIN, ESCAPED, NUMBERS, UNICODE, KINDS };
static const char *const kind_names[] = {"plain string", "escapes", "numbers", "unicode"};

static void fill(struct buf *b, enum kind kind, size_t n)
{
    static const char *const pieces[] = {
        "the quick brown fox jumps over the lazy dog and goes on ",
        "line one\\n\\t\\\"quoted\\\" C:\\\\dir\\n",
        "12345,-0.5,7,1e10,",
        "gr\xC3\xBC\xC3\x9F \xE4\xB8\x96\xE7\x95\x8C \xF0\x9F\x98\x80 ",
    };

    buf_add_str(b, kind == NUMBERS ? "[" : "\"");
    while (b->len < n)
        buf_add_str(b, pieces[kind]);
    buf_add_str(b, kind == NUMBERS ? "0]" : "\"");
}

static void call_message(struct buf *b, enum kind kind, size_t n)
{
    buf_add_str(b, "{\"jsonrpc\":\"2.0\",\"id\":41,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\","
                   "\"_meta\":{\"progressToken\":41},\"arguments\":{\"text\":");
    fill(b, kind, n - 3);
    buf_add_str(b, "}}}");
}

/* ---- the scan alone ---- */

static void bench_scan(enum kind kind, size_t n, long rounds)
{
    AUTO_BUF struct buf msg = BUF_INIT;
    struct envelope e;

    call_message(&msg, kind, n);
    int64_t begun = clock_mono_ns();
    for (long i = 0; i < rounds; i++) {
        if (envelope_scan(msg.data, msg.len, &e, NULL))
            abort();
    }
    double ns = (double)(clock_mono_ns() - begun) / (double)rounds;
    printf("scan     %-14s %8zu bytes %12.0f ns %8.2f GB/s\n", kind_names[kind], msg.len, ns, (double)msg.len / ns);
}

/* ---- through a session ---- */

static int on_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    (void)ctx, (void)iov, (void)count, (void)f;
    return 0;
}

static void on_phase(void *ctx, enum session_phase phase, const char *why)
{
    (void)ctx, (void)phase, (void)why;
}

static void on_failed(void *ctx, const struct fault *why)
{
    (void)ctx;
    fprintf(stderr, "%s\n", why->text);
    exit(1);
}

static void on_stray(void *ctx, const char *p, size_t n, unsigned flags, const char *why)
{
    (void)ctx, (void)flags;
    fprintf(stderr, "%s: %.*s\n", why, (int)(n < 200 ? n : 200), p);
    exit(1);
}

static void on_catalogue(void *ctx)
{
    (void)ctx;
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    (void)iov, (void)count;
    ++*(long *)ctx;
    if (is_error)
        abort();
}

/* The id in a fixed width, so that the reply needs no composing. */
static void answer(void)
{
    char id[24];

    snprintf(id, sizeof(id), "%8llu", (unsigned long long)next_id++);
    memcpy(reply.data + reply_id, id, 8);
    session_feed(session, reply.data, reply.len);
}

static void bench_session(enum kind kind, size_t n, long rounds)
{
    AUTO_BUF struct buf msg = BUF_INIT;
    struct client *c = client_open(session, "bench", NULL, NULL);
    struct envelope e;
    long done = 0;

    call_message(&msg, kind, n);
    buf_clear(&reply);
    buf_add_str(&reply, "{\"result\":{\"content\":[{\"type\":\"text\",\"text\":");
    fill(&reply, kind, n - 40);
    buf_add_str(&reply, "}]},\"jsonrpc\":\"2.0\",\"id\":");
    reply_id = reply.len;
    buf_add_str(&reply, "        }\n");
    int64_t begun = clock_mono_ns();
    for (long i = 0; i < rounds; i++) {
        if (envelope_scan(msg.data, msg.len, &e, NULL))
            abort();
        client_send(c, &e, on_reply, &done);
        answer();
    }
    double ns = (double)(clock_mono_ns() - begun) / (double)rounds;
    if (done != rounds)
        abort();
    printf("session  %-14s %8zu bytes %12.0f ns %8.2f GB/s (both ways)\n", kind_names[kind], msg.len, ns,
           (double)(msg.len + reply.len) / ns);
    client_close(c);
}

static void open_session(struct ev_loop *loop)
{
    static const struct session_events events = {
        .write = on_write, .phase = on_phase, .handshake_failed = on_failed, .stray = on_stray,
        .catalogue = on_catalogue,
    };
    static const char hello[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}\n";
    struct session_config cfg = {.server = "bench"};

    session = session_new(loop, &cfg, &events, NULL);
    session_up(session);
    session_feed(session, hello, sizeof(hello) - 1);
    next_id = 2;
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {200, 4096, 1 << 20};
    long rounds = argc > 1 ? atol(argv[1]) : 1000000;
    struct ev_loop *loop = ev_loop_new(0);

    open_session(loop);
    for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
        long scaled = rounds * 200 / (long)sizes[s] + 1;
        for (int kind = 0; kind < KINDS; kind++)
            bench_scan((enum kind)kind, sizes[s], scaled);
        bench_session(PLAIN, sizes[s], scaled);
    }
    session_free(session);
    buf_fini(&reply);
    ev_loop_destroy(loop);
    return 0;
}
