/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session under an arbitrary server and arbitrary clients. An input is a run of actions, one byte
 * each with what it needs behind it. Whatever happens: every call that was not abandoned is
 * answered exactly once, and nothing is left. */
#include "fuzz.h"

#include <errno.h>
#include <ev.h>
#include <string.h>
#include "mcp/session.h"

/* u up, d down, h handshake, r reply to id, p progress of id, q request of the server, l
 * list_changed, s raw bytes, c call, t call with a token, x cancel, a abandon, o client opens, k
 * client closes, w writing breaks, z refusal */
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("uhoc\1c\1r\3r\4r\4d"),
    FUZZ_SEED("oc\1uht\2p\3p\4r\3r\4x\1dt\1uhr\5"),
    FUZZ_SEED("uhooc\1c\2k\1r\4a\1r\3wc\3dwuhz"),
    FUZZ_SEED("us\12garbage\n{}s\30{\"jsonrpc\":\"2.0\",\"id\":1s\20,\"result\":{}}\nxxqlhl"),
    FUZZ_SEED("uhoc\1c\1x\1r\3dc\2zuh"),
    { NULL, 0 },
};

enum { CALLS = 64, CLIENTS = 4 };

struct ask { struct call *call; int client, replies; bool abandoned; };
struct world {
    struct session *s;
    struct client *clients[CLIENTS];
    struct ask asks[CALLS];
    int count;
    bool up, broken;
};

static int on_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    struct world *w = ctx;
    struct buf line = BUF_INIT;
    struct envelope e;

    MUST(w->up);
    if (w->broken)
        return fault_set(f, EPIPE, "write");
    for (int i = 0; i < count; i++)
        buf_add(&line, iov[i].iov_base, iov[i].iov_len);
    MUST(line.len && line.data[line.len - 1] == '\n' && !memchr(line.data, '\n', line.len - 1));
    MUST(!envelope_scan(line.data, line.len, &e, NULL));
    buf_fini(&line);
    return 0;
}

static void on_phase(void *ctx, enum session_phase phase, const char *why)
{
    (void)ctx, (void)phase, (void)why;
}

static void on_failed(void *ctx, const struct fault *why)
{
    (void)ctx;
    MUST(why->text[0]);
}

static void on_stray(void *ctx, const char *p, size_t n, unsigned flags, const char *why)
{
    (void)ctx, (void)flags;
    MUST(why && (p || !n));
}

static void on_catalogue(void *ctx)
{
    (void)ctx;
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct ask *k = ctx;
    struct buf text = BUF_INIT;
    struct envelope e;

    MUST(!k->abandoned && ++k->replies == 1);
    for (int i = 0; i < count; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    MUST(!envelope_scan(buf_str(&text), text.len, &e, NULL));
    MUST(e.kind == (is_error ? ENVELOPE_ERROR : ENVELOPE_RESULT) &&
         span_equal(e.id, span_of("\"one\"")));
    buf_fini(&text);
    k->call = NULL;
}

static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct envelope e;

    (void)ctx, (void)call_ctx;
    MUST(!envelope_scan(msg, n, &e, NULL));
    MUST(e.kind == (asks ? ENVELOPE_REQUEST : ENVELOPE_NOTIFICATION));
    return true;
}

static void feed_text(struct world *w, const char *text)
{
    if (w->up)
        session_feed(w->s, text, strlen(text));
}

static void client_says(struct world *w, unsigned which, const char *text, bool is_call)
{
    struct client *c = w->clients[which % CLIENTS];
    struct envelope e;

    if (!c || (is_call && w->count == CALLS))
        return;
    MUST(!envelope_scan(text, strlen(text), &e, NULL));
    struct ask *k = is_call ? &w->asks[w->count++] : NULL;
    if (k)
        k->client = (int)(which % CLIENTS);
    struct call *call = client_send(c, &e, on_reply, k);
    MUST(is_call || !call);
    if (k && call) {
        MUST(!k->replies);
        k->call = call;
    } else if (k) {
        MUST(k->replies == 1);
    }
}

static void close_client(struct world *w, unsigned which)
{
    which %= CLIENTS;
    for (int i = 0; i < w->count; i++) {
        if (w->asks[i].client == (int)which && !w->asks[i].replies)
            w->asks[i] = (struct ask){.client = (int)which, .abandoned = true};
    }
    client_close(w->clients[which]);
    w->clients[which] = NULL;
}

static void open_client(struct world *w)
{
    static const struct client_events events = {.message = on_message};

    for (int i = 0; i < CLIENTS; i++) {
        if (!w->clients[i]) {
            w->clients[i] = client_open(w->s, "fuzz", &events, w);
            client_says(
                w, (unsigned)i,
                "{\"jsonrpc\":\"2.0\",\"id\":\"one\",\"method\":\"initialize\",\"params\":{}}",
                true);
            return;
        }
    }
}

static void server_acts(struct world *w, char action, unsigned arg)
{
    char text[300];

    if (action == 'h') {
        feed_text(
            w,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{}}}}\n"
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"tools\":[]}}\n");
        return;
    }
    if (action == 'r')
        snprintf(text, sizeof(text), "{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":%u}\n", arg);
    else if (action == 'p')
        snprintf(
            text, sizeof(text),
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%u}}\n",
            arg);
    else if (action == 'q')
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"roots/list\"}\n",
                 arg);
    else
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
    feed_text(w, text);
}

static void run_acts(struct world *w, char action)
{
    if (action == 'u' && !w->up) {
        w->up = true;
        session_up(w->s);
    } else if (action == 'd' && w->up) {
        session_undelivered(w->s, (size_t)w->count * 40);     /* some of the calls */
        session_down(w->s, "exited 1");
        w->up = false;
    } else if (action == 'w') {
        w->broken = !w->broken;
    } else if (action == 'z') {
        session_refuse(w->s, "disabled");
        session_refuse(w->s, NULL);
    } else if (action == 'g') {
        session_drain(w->s);
    }
}

static void client_acts(struct world *w, char action, unsigned arg)
{
    if (action == 'c')
        client_says(
            w, arg,
            "{\"jsonrpc\":\"2.0\",\"id\":\"one\",\"method\":\"tools/call\",\n\"params\":{\"name\":\"n\"}}",
            true);
    else if (action == 't')
        client_says(
            w, arg,
            "{\"params\":{\"_meta\":{\"progressToken\":0}},\"id\":\"one\",\"method\":\"x\",\"jsonrpc\":\"2.0\"}",
            true);
    else if (action == 'x')
        client_says(
            w, arg,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"one\"}}",
            false);
    else if (action == 'k')
        close_client(w, arg);
    else if (action == 'o')
        open_client(w);
    else if (action == 'a' && w->asks[arg % CALLS].call) {
        struct ask *k = &w->asks[arg % CALLS];
        k->abandoned = true;
        call_abandon(k->call);
        k->call = NULL;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct session_events events = {
        .write = on_write, .phase = on_phase, .handshake_failed = on_failed, .stray = on_stray,
        .catalogue = on_catalogue,
    };
    struct session_config cfg = {.server = "f", .max_message_bytes = 200};
    static struct ev_loop *loop;
    struct world w = {0};

    if (!loop)
        loop = ev_loop_new(0);
    w.s = session_new(loop, &cfg, &events, &w);
    for (size_t i = 0; i < size; i++) {
        char action = (char)data[i];
        if (strchr("udwzg", action)) {
            run_acts(&w, action);
        } else if (strchr("hl", action)) {
            server_acts(&w, action, 0);
        } else if (action == 'o') {
            client_acts(&w, action, 0);
        } else if (i + 1 < size && strchr("rpq", action)) {
            server_acts(&w, action, data[++i]);
        } else if (i + 1 < size && strchr("ctxka", action)) {
            client_acts(&w, action, data[++i]);
        } else if (i + 1 < size && action == 's') {
            size_t n = data[++i];
            n = n < size - i - 1 ? n : size - i - 1;
            if (w.up)
                session_feed(w.s, (const char *)data + i + 1, n);
            i += n;
        }
    }
    session_free(w.s);
    for (int i = 0; i < w.count; i++)
        MUST(w.asks[i].replies == !w.asks[i].abandoned);
    return 0;
}
