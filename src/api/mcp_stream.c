/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Events, kept and sent: see mcp_stream.h. It does not know what is in a message. */
#include "api/mcp_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { RETRY_MS = 1000, CALL_ID_MAX = 64 };

struct kept_event {
    struct kept_event *next;
    uint64_t seq;
    size_t n;
    char text[];
};

/* ---- event ids ---- */

/* A header's value: visible ASCII. Longer or other ids are simply not told. */
static bool can_tell(struct span call)
{
    if (!call.n || call.n > CALL_ID_MAX)
        return false;
    for (size_t i = 0; i < call.n; i++) {
        if (call.p[i] <= ' ' || call.p[i] > '~')
            return false;
    }
    return true;
}

static void add_id(struct buf *out, const struct mcp_stream *st, uint64_t seq)
{
    buf_printf(out, "id: %08x-%u-%llu", st->life, st->number, (unsigned long long)seq);
    if (st->call_id)
        buf_printf(out, "-%s", st->call_id);
    buf_add_char(out, '\n');
}

/* Digits up to `end`; false when there are none or too many. */
static bool number(const char **p, int base, char end, uint64_t *ret)
{
    char *after;

    if (**p < '0' || (**p > '9' && (base == 10 || **p < 'a' || **p > 'f')))
        return false;
    errno = 0;
    *ret = strtoull(*p, &after, base);
    if (errno || (*after != end && *after))
        return false;
    *p = *after ? after + 1 : after;
    return true;
}

bool event_id_parse(const char *text, struct event_id *ret)
{
    uint64_t life, stream, seq;

    *ret = (struct event_id){0};
    if (!number(&text, 16, '-', &life) || !number(&text, 10, '-', &stream) ||
        !number(&text, 10, '-', &seq) || life > UINT32_MAX || stream > UINT32_MAX)
        return false;
    *ret = (struct event_id){(uint32_t)life, (unsigned)stream, seq, span_of(text)};
    return !ret->call.n || can_tell(ret->call);
}

/* ---- life ---- */

struct mcp_stream *mcp_stream_new(uint32_t life, unsigned number_, struct span call, bool primes)
{
    struct mcp_stream *st = xcalloc(1, sizeof(*st));

    st->numbered = true;
    st->life = life;
    st->number = number_;
    st->call_id = can_tell(call) ? xstrndup(call.p, call.n) : NULL;
    st->primes = primes;
    st->idle_ms = clock_mono_ms();
    return st;
}

struct mcp_stream *mcp_stream_new_plain(void (*gone)(void *ctx), void *ctx)
{
    struct mcp_stream *st = xcalloc(1, sizeof(*st));

    st->gone = gone;
    st->gone_ctx = ctx;
    return st;
}

static void let_go(struct mcp_stream *st)
{
    if (st->http)
        http_stream_close(TAKE(st->http));
    st->idle_ms = clock_mono_ms();
}

static void forget_first(struct mcp_stream *st)
{
    struct kept_event *e = st->first;

    st->first = e->next;
    if (!st->first)
        st->last = NULL;
    st->kept -= e->n;
    st->forgotten = e->seq;
    free(e);
}

void mcp_stream_free(struct mcp_stream *st)
{
    if (!st)
        return;
    let_go(st);
    while (st->first)
        forget_first(st);
    free(st->call_id);
    free(st);
}

/* ---- writing ---- */

/* Who does not read is cut, not buffered without end: it may come back for what is kept. */
static void write_out(struct mcp_stream *st, const struct iovec *iov, int count)
{
    if (!st->http)
        return;
    if (http_stream_queued(st->http) > STREAM_SLOW_BYTES) {
        log_info("mcp", "a client that does not read its event stream was cut");
        http_stream_drop(TAKE(st->http));
        st->slow = true;
        st->idle_ms = clock_mono_ms();
        return;
    }
    http_stream_writev(st->http, iov, count);
}

static void write_text(struct mcp_stream *st, const char *p, size_t n)
{
    write_out(st, &(struct iovec){(void *)(uintptr_t)p, n}, 1);
}

/* What is too large is forgotten at once, with all before it: what is kept has no holes. */
static void keep(struct mcp_stream *st, const struct iovec *iov, int count)
{
    size_t max = st->was_read ? STREAM_KEPT_BYTES : STREAM_UNREAD_BYTES, n = 0;

    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    if (n > max) {
        while (st->first)
            forget_first(st);
        st->forgotten = st->seq;
        return;
    }
    struct kept_event *e = xmalloc(sizeof(*e) + n);
    e->next = NULL;
    e->seq = st->seq;
    e->n = n;
    char *at = e->text;
    for (int i = 0; i < count; at += iov[i++].iov_len)
        memcpy(at, iov[i].iov_base, iov[i].iov_len);
    *(st->last ? &st->last->next : &st->first) = e;
    st->last = e;
    st->kept += e->n;
    while (st->first && st->kept > max)
        forget_first(st);
}

void mcp_stream_send(struct mcp_stream *st, const struct iovec *iov, int count)
{
    AUTO_BUF struct buf head = BUF_INIT;
    struct iovec event[ENVELOPE_IOV + 2];

    st->seq++;
    if (st->numbered)
        add_id(&head, st, st->seq);
    buf_add_str(&head, "data: ");
    event[0] = (struct iovec){head.data, head.len};
    memcpy(event + 1, iov, (size_t)count * sizeof *iov);
    event[count + 1] = (struct iovec){(char[]){"\n\n"}, 2};
    /* Writing may take a large message over. */
    if (st->numbered)
        keep(st, event, count + 2);
    write_out(st, event, count + 2);
}

void mcp_stream_comment(struct mcp_stream *st, const char *text)
{
    AUTO_FREE char *line = xasprintf(":%s%s\n\n", *text ? " " : "", text);

    write_text(st, line, strlen(line));
}

void mcp_stream_end(struct mcp_stream *st)
{
    st->ended = true;
    let_go(st);
}

/* ---- reading ---- */

static void on_closed(void *ctx)
{
    struct mcp_stream *st = ctx;

    st->http = NULL;
    st->idle_ms = clock_mono_ms();
    if (st->gone)
        st->gone(st->gone_ctx);
}

/* The answer was in what is not kept: without this its client would wait for ever. */
static void tell_lost_answer(struct mcp_stream *st)
{
    AUTO_BUF struct buf out = BUF_INIT;

    envelope_error(&out, span_of(st->call_id), -32000,
                   "the answer came while the connection was lost, and was too large to be kept");
    mcp_stream_send(st, &(struct iovec){out.data, out.len}, 1);
}

static void replay(struct mcp_stream *st, uint64_t after)
{
    bool lost = after < st->forgotten;

    if (lost) {
        AUTO_FREE char *text = xasprintf("%llu events are not kept any more",
                                         (unsigned long long)(st->forgotten - after));
        mcp_stream_comment(st, text);
    }
    for (const struct kept_event *e = st->first; e; e = e->next) {
        if (e->seq > after && st->http)
            http_stream_write(st->http, e->text, e->n);
    }
    if (lost && st->ended && st->forgotten == st->seq && st->call_id)
        tell_lost_answer(st);
}

void mcp_stream_attach(struct mcp_stream *st, struct request *r, const struct reply_header *headers,
                       uint64_t after)
{
    static const struct http_stream_events events = {.drained = NULL, .closed = on_closed};

    let_go(st);
    st->http = request_stream(r, "text/event-stream", headers, &events, st);
    st->was_read = true;
    if (st->primes) {
        AUTO_BUF struct buf text = BUF_INIT;
        add_id(&text, st, after);
        buf_printf(&text, "retry: %d\ndata: \n\n", RETRY_MS);
        write_text(st, text.data, text.len);
    }
    replay(st, after);
    if (st->ended)
        let_go(st);
}
