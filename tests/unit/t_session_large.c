/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Large calls that have to wait: their memory is taken over, and goes out as it came. */
#include <stdio.h>
#include "base/large.h"
#include "base/outbuf.h"
#include "session_rig.h"

enum { SIZE = 3 << 20 };
static const char *written_from;        /* the largest piece that was written */
static size_t written_n;
static struct outbuf queue;             /* as that to a process: it takes what it can have */
static struct buf recorded;

static int on_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    if (rig_write(ctx, iov, count, f))
        return -1;
    outbuf_add(&queue, iov, count, 0);
    for (; count--; iov++) {
        if (iov->iov_len > written_n) {
            written_from = iov->iov_base;
            written_n = iov->iov_len;
        }
    }
    return 0;
}

static void on_ended(void *ctx, const struct call_ended *c)
{
    (void)ctx;
    buf_clear(&recorded);
    buf_add(&recorded, c->request.n ? c->request.p : "", c->request.n);
}

static void wanted_and_refused(void *ctx)
{
    session_refuse(((struct rig *)ctx)->s, "server \"x\" cannot be started");
}

static void large_open(struct rig *r, const struct session_config *cfg)
{
    struct session_config c = cfg ? *cfg : (struct session_config){0};
    struct session_events events = rig_events;

    c.server = "x";
    events.write = on_write;
    events.wanted = wanted_and_refused;
    events.ended = on_ended;
    *r = (struct rig){.loop = ev_loop_new(0)};
    r->s = session_new(r->loop, &c, &events, r);
}

static void large_close(struct rig *r, struct client *c, struct reply *p)
{
    client_close(c);
    buf_fini(&p->text);
    rig_close(r);
    outbuf_fini(&queue);
    buf_fini(&recorded);
}

/* A call of a tool with so many x, as what reads from a client hands it on. *ret_from: where its
 * bytes lay. */
static void sends_large(struct client *c, struct reply *p, const char *space, size_t n,
                        const char **ret_from)
{
    AUTO_BUF struct buf b = BUF_INIT;
    struct large *l = NULL;
    struct envelope e;

    buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":7,%s\"method\":\"tools/call\",\"params\":{"
                   "\"name\":\"t\",\"arguments\":{\"a\":\"", space);
    buf_reserve(&b, n + 8);
    memset(b.data + b.len, 'x', n);
    b.len += n;
    buf_add_str(&b, "\"}}}");
    written_n = 0;
    large_look(&l, b.data, b.len);
    large_enter(l, &b);
    *ret_from = b.data;
    ok(!envelope_scan(b.data, b.len, &e, NULL), "a large call");
    client_send(c, &e, on_reply, p);
    ok(span_is(e.method, "tools/call"), "its sender may look at it afterwards");
    large_leave(&l);
}

static bool was_written(struct rig *r, size_t n)
{
    const char *line = next_line(r);
    size_t len = line ? strlen(line) : 0;
    struct envelope e;

    return line && len > n && !envelope_scan(line, len, &e, NULL) &&
           span_is(e.method, "tools/call") &&
           span_member(span_member(e.params, "arguments"), "a").n == n + 2;
}

static void test_memory(void)
{
    struct reply p = {0};
    const char *from;
    struct rig r;

    large_open(&r, NULL);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends_large(c, &p, "", SIZE, &from);
    start(&r);
    ok(was_written(&r, SIZE), "what has waited is written, whole");
    ok(written_from > from && written_from < from + SIZE, "from the memory that it came in");
    says_result(&r, next_id(&r), "{\"tools\":[]}");
    session_drain(r.s);
    sends_large(c, &p, " \n\r ", SIZE, &from);
    session_down(r.s, "test");
    start(&r);
    ok(was_written(&r, SIZE), "a message of several lines is written on one");
    ok(written_from < from || written_from >= from + SIZE, "as a copy");
    large_close(&r, c, &p);
}

static void test_ends(void)
{
    struct reply p = {0};
    const char *from;
    struct rig r;

    large_open(&r, NULL);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends_large(c, &p, "", SIZE, &from);
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                 "\"params\":{\"requestId\":7}}");
    ok(p.errors == 1 && has(&p.text, "cancelled"), "one that waits can be cancelled");
    sends_large(c, &p, "", SIZE, &from);
    client_close(c);
    c = client_open(r.s, "", NULL, NULL);
    session_sleep(r.s, true);
    sends_large(c, &p, "", SIZE, &from);
    ok(p.errors == 2 && has(&p.text, "cannot be started"),
       "and refused before its sender has it back");
    large_close(&r, c, &p);
}

/* The run ends before it can be written: it waits for the next one. */
static void test_broken_run(void)
{
    struct reply p = {0};
    const char *from;
    struct rig r;

    large_open(&r, NULL);
    start_ready(&r);
    session_drain(r.s);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends_large(c, &p, "", SIZE, &from);
    session_down(r.s, "test");
    up(&r);
    AUTO_FREE char *id = xstrdup(next_id(&r));
    r.write_errno = EPIPE;
    says_initialized(&r, id);
    r.write_errno = 0;
    session_down(r.s, "test");
    is_int(p.count, 0, "a call that could not be written still waits");
    start(&r);
    ok(was_written(&r, SIZE), "and is written to the next process");
    ok(written_from > from && written_from < from + SIZE, "from the same memory");
    large_close(&r, c, &p);
}

/* What is kept until the answer comes must not go out by its memory. */
static void test_kept(void)
{
    struct session_config cfg = {.record = true};
    struct reply p = {0};
    const char *from;
    struct rig r;

    large_open(&r, &cfg);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends_large(c, &p, "", LARGE_BYTES, &from);
    start(&r);
    outbuf_fini(&queue);        /* it has gone out */
    says_result(&r, next_id(&r), "{}");
    is_int(p.count, 1, "a call that is recorded is answered");
    ok(recorded.len > LARGE_BYTES && !memcmp(recorded.data + recorded.len - 6, "xx\"}}}", 6),
       "and its text still there");
    large_close(&r, c, &p);
}

int main(void)
{
    test_memory();
    test_ends();
    test_broken_run();
    test_kept();
    return done_testing();
}
