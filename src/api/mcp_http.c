/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP requests of AI clients → calls on a server's session, and the messages of that session →
 * answers and event streams. Payloads are not looked into: the envelope scan is all. Sessions are
 * mcp_sessions.c's, events mcp_stream.c's. */
#include "api/mcp_http.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/api_internal.h"
#include "api/mcp_http_internal.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/siphash.h"

static const double KEEPALIVE_S = 15;
/* Thousands of streams in one turn would be a long one: a part of the sessions each time. */
enum { KEEPALIVE_SLICES = 16 };

/* ---- answers ---- */

/* An error of the transport: clients look into its body for JSON-RPC. */
void mcp_http_refuse(struct request *r, int status, int code, const char *fmt, ...)
{
    AUTO_BUF struct buf why = BUF_INIT, out = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&why, fmt, ap);
    va_end(ap);
    envelope_error(&out, (struct span){0}, code, buf_str(&why));
    request_reply(r, status, "application/json", NULL, &(struct iovec){out.data, out.len}, 1);
}

/* The header that tells a client its session, where this answers its initialize. */
static const struct reply_header *session_header(const struct waiting *w,
                                                 struct reply_header out[2])
{
    if (!w->initialize || !w->session->id[0])
        return NULL;
    out[0] = (struct reply_header){"Mcp-Session-Id", w->session->id};
    out[1] = (struct reply_header){NULL, NULL};
    return out;
}

static void answer_plain(struct waiting *w, const struct iovec *iov, int count)
{
    struct reply_header headers[2];

    request_reply(w->request, 200, "application/json", session_header(w, headers), iov, count);
}

/* ---- requests that wait ---- */

/* Also for who comes while the timer runs, when his part of this round is over: the next one is for
 * him. */
static void keepalive_start(struct mcp_http *m)
{
    m->keepalive_any = true;
    if (!ev_is_active(&m->keepalive))
        ev_timer_again(m->api->loop, &m->keepalive);
}

struct waiting *waiting_new(struct request *r, const struct envelope *e)
{
    struct waiting *w = xcalloc(1, sizeof *w + e->id.n);

    w->request = r;
    w->begun_ms = clock_coarse_ms();
    w->id = (struct span){memcpy(w + 1, e->id.p, e->id.n), e->id.n};
    return w;
}

void waiting_join(struct mcp_http *m, struct waiting *w, struct waiting **list)
{
    w->list = list;
    w->next = *list;
    if (w->next)
        w->next->prev = w;
    *list = w;
    keepalive_start(m);
}

static void waiting_free(struct waiting *w)
{
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else if (w->list)
        *w->list = w->next;
    client_close(w->own_client);
    aggregate_close(w->own_aggregate);
    if (!w->session)
        mcp_stream_free(w->stream);
    free(w);
}

/* A session whose initialize failed never was one. */
void waiting_end(struct waiting *w)
{
    struct http_session *hs = w->session;

    waiting_free(w);
    if (hs && !hs->id[0])
        http_session_close(hs);
}

/* From now on its answer is an event stream. */
static void open_stream(struct waiting *w)
{
    struct reply_header headers[2];

    if (w->initialize)
        http_session_name(w->session);
    w->stream = http_session_stream(w->session, w->id);
    mcp_stream_attach(w->stream, TAKE(w->request), session_header(w, headers), 0);
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct waiting *w = ctx;

    if (w->initialize && !is_error)
        http_session_name(w->session);
    if (w->of) {
        mcp_api_answer(w, iov, count, is_error);
    } else if (w->stream) {
        mcp_stream_send(w->stream, iov, count);
        mcp_stream_end(w->stream);
    } else if (w->modern) {
        mcp_modern_answer(w, iov, count, is_error);
    } else {
        answer_plain(w, iov, count);
    }
    w->answered = true;
    if (w->begun)        /* later, from the loop: nobody else will free it */
        waiting_end(w);
}

void waiting_drop_call(struct waiting *w)
{
    struct aggregate *all = w->own_aggregate  ? w->own_aggregate
                            : w->session      ? w->session->aggregate
                                              : NULL;

    if (all)
        aggregate_forget(all, w, w->modern);
    else if (w->modern || w->of)
        call_cancel(w->call);
    else
        call_abandon(w->call);
}

/* Before anything was said to it: an answer could not be asked for again, so nobody waits for it
 * any more. In the legacy era the server goes on; in the modern one and of the API this cancels. */
static void on_request_gone(void *ctx, struct request *r)
{
    struct waiting *w = ctx;

    (void)r;
    waiting_drop_call(w);
    waiting_end(w);
}

/* Sends and waits. Frees w here when the answer came at once. */
void waiting_begin(struct waiting *w, struct client *client, struct aggregate *all,
                   const struct envelope *e)
{
    if (all)
        aggregate_send(all, e, on_reply, w);
    else
        w->call = client_send(client, e, on_reply, w);
    w->begun = true;
    if (w->answered)
        waiting_end(w);
    else if (w->request)
        request_set_gone(w->request, on_request_gone, w);
}

/* ---- messages of the server ---- */

static struct mcp_stream *own_stream(struct http_session *hs)
{
    if (!hs->own)
        hs->own = http_session_stream(hs, (struct span){0});
    return hs->own;
}

bool mcp_http_on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct http_session *hs = ctx;
    struct waiting *w = call_ctx;
    struct iovec iov = {(void *)(uintptr_t)msg, n};

    if (w && !w->stream && w->accepts_stream)
        open_stream(w);
    if (w && w->stream) {
        mcp_stream_send(w->stream, &iov, 1);
        return true;
    }
    struct mcp_stream *own = own_stream(hs);
    if (asks && !own->http)
        return false;
    mcp_stream_send(own, &iov, 1);
    return true;
}

/* Who has waited long is answered by a stream, which can be kept alive. */
static void keep_alive(struct http_session *hs, int64_t now, bool *ret_any)
{
    for (struct waiting *w = hs->waits; w; w = w->next) {
        *ret_any = true;
        if (!w->stream && w->accepts_stream && now - w->begun_ms > 1000 * (int64_t)KEEPALIVE_S)
            open_stream(w);
    }
    for (struct mcp_stream *st = hs->streams; st; st = st->next) {
        *ret_any |= st->http || st->ended;
        mcp_stream_comment(st, "");
    }
    http_session_sweep(hs, now);
}

static void keep_alone_alive(struct mcp_http *m, int64_t now)
{
    for (struct waiting *w = m->alone; w; w = w->next) {
        if (!w->stream && now - w->begun_ms > 1000 * (int64_t)KEEPALIVE_S)
            mcp_modern_open_stream(w);
        if (w->stream)
            mcp_stream_comment(w->stream, "");
    }
}

static void on_keepalive(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct mcp_http *m = timer->data;
    int64_t now = clock_mono_ms();

    (void)revents;
    for (size_t i = m->keepalive_slice; i < SESSION_BUCKETS; i += KEEPALIVE_SLICES)
        for (struct http_session *hs = m->bucket[i]; hs; hs = hs->next)
            keep_alive(hs, now, &m->keepalive_any);
    m->keepalive_slice = (m->keepalive_slice + 1) % KEEPALIVE_SLICES;
    if (m->keepalive_slice)
        return;
    keep_alone_alive(m, now);
    if (!m->keepalive_any && !m->alone)
        ev_timer_stop(loop, timer);
    m->keepalive_any = false;
}

/* ---- methods ---- */

/* Clients have to accept both. One that names only JSON gets no stream; one that names nothing
 * takes what comes. */
static bool accepts_stream(const struct request *r)
{
    const char *accept = request_get_header(r, "Accept");

    return !accept || strstr(accept, "text/event-stream") || strstr(accept, "*/*");
}

static bool check_version(struct request *r)
{
    const char *version = request_get_header(r, "MCP-Protocol-Version");

    if (!version || protocol_is_known(version))
        return true;
    mcp_http_refuse(r, 400, -32600,
                    "MCP-Protocol-Version %.40s is not supported: use " PROTOCOL_LATEST
                    " or earlier", version);
    return false;
}

static void handle_post(struct mcp_http *m, struct request *r, struct server *s)
{
    struct envelope e;
    struct fault f = FAULT_NONE;
    size_t n;
    const char *msg = request_get_body(r, &n);

    if (envelope_scan(msg, n, &e, &f) < 0) {
        AUTO_BUF struct buf b = BUF_INIT;
        envelope_error(&b, e.id, -32700, f.text);
        request_reply(r, 400, "application/json", NULL, &(struct iovec){b.data, b.len}, 1);
        return;
    }
    if (mcp_is_modern(r, &e)) {
        mcp_modern_post(m, r, s, &e);
        return;
    }
    if (!check_version(r))
        return;
    bool initialize = e.kind == ENVELOPE_REQUEST && span_is(e.method, "initialize");
    struct http_session *hs = initialize ? http_session_begin(m, s) : http_session_of(m, r, s);
    if (!hs)
        return;
    if (e.kind != ENVELOPE_REQUEST) {
        if (hs->aggregate)
            aggregate_send(hs->aggregate, &e, NULL, NULL);
        else
            client_send(hs->client, &e, NULL, NULL);
        request_reply(r, 202, NULL, NULL, NULL, 0);
        return;
    }
    struct waiting *w = waiting_new(r, &e);
    w->initialize = initialize;
    w->accepts_stream = accepts_stream(r);
    w->session = hs;
    waiting_join(m, w, &hs->waits);
    waiting_begin(w, hs->client, hs->aggregate, &e);
}

/* The stream of a call that an earlier supervisor had, or that was kept no longer. */
static void answer_lost_call(struct http_session *hs, struct request *r, struct span call)
{
    AUTO_BUF struct buf out = BUF_INIT;
    struct mcp_stream *st = http_session_stream(hs, call);

    envelope_error(&out, call, -32000,
                   "the stream of this call is not kept any more (mcptop was restarted, or it was "
                   "long ago): whether the call took effect is not known");
    mcp_stream_attach(st, r, NULL, 0);
    mcp_stream_send(st, &(struct iovec){out.data, out.len}, 1);
    mcp_stream_end(st);
}

static void resume(struct http_session *hs, struct request *r, const char *last)
{
    struct event_id id;
    bool ours = event_id_parse(last, &id);
    struct mcp_stream *st = ours && id.life == hs->m->life ? hs->streams : NULL;

    while (st && st->number != id.stream)
        st = st->next;
    if (st) {
        mcp_stream_attach(st, r, NULL, id.seq);
    } else if (ours && id.call.n) {
        answer_lost_call(hs, r, id.call);
    } else {
        mcp_stream_attach(own_stream(hs), r, NULL, 0);
        mcp_stream_comment(hs->own, "the stream of Last-Event-ID is not kept any more: "
                                    "this is a new one");
    }
}

static void handle_get(struct mcp_http *m, struct request *r, struct server *s)
{
    const char *accept = request_get_header(r, "Accept");
    const char *last = request_get_header(r, "Last-Event-ID");

    if (!accept || !strstr(accept, "text/event-stream")) {
        static const struct reply_header allow[] = {{"Allow", "GET, POST, DELETE"}, {NULL, NULL}};
        AUTO_BUF struct buf b = BUF_INIT;
        envelope_error(&b, (struct span){0}, -32600,
                       "GET opens an event stream: send Accept: text/event-stream");
        request_reply(r, 405, "application/json", allow, &(struct iovec){b.data, b.len}, 1);
        return;
    }
    struct http_session *hs = check_version(r) ? http_session_of(m, r, s) : NULL;
    if (!hs)
        return;
    keepalive_start(m);
    if (last)
        resume(hs, r, last);
    else
        mcp_stream_attach(own_stream(hs), r, NULL, 0);
}

/* Every request names its server, and looking through a thousand would cost it more than all the
 * rest. */
static struct server *find_server(struct mcp_http *m, const char *name)
{
    unsigned h = 0;

    if (m->found_generation != fleet_get_generation(m->api->fleet)) {
        memset(m->found, 0, sizeof m->found);
        m->found_generation = fleet_get_generation(m->api->fleet);
    }
    for (const char *p = name; *p; p++)
        h = h * 31 + (unsigned char)*p;
    struct server **at = &m->found[h % FOUND_SLOTS];
    if (!*at || strcmp((*at)->name, name) != 0)
        *at = fleet_find(m->api->fleet, name);
    return *at;
}

/* That era has POST alone; its clients have no sessions. */
static bool is_of_modern_client(const struct request *r)
{
    const char *version = request_get_header(r, "MCP-Protocol-Version");

    return version && strcmp(version, PROTOCOL_MODERN) == 0 &&
           !request_get_header(r, "Mcp-Session-Id");
}

void mcp_http_handle(struct mcp_http *m, struct request *r, const char *server)
{
    static const struct reply_header allow_post[] = {{"Allow", "POST"}, {NULL, NULL}};
    static const struct reply_header allow[] = {{"Allow", "GET, POST, DELETE"}, {NULL, NULL}};
    const char *method = request_get_method(r);
    struct server *s = server ? find_server(m, server) : NULL;

    if (server && !s)
        reply_no_server(r, m->api->fleet, server);
    else if (strcmp(method, "POST") != 0 && is_of_modern_client(r))
        request_reply(r, 405, NULL, allow_post, NULL, 0);
    else if (strcmp(method, "POST") == 0)
        handle_post(m, r, s);
    else if (strcmp(method, "GET") == 0)
        handle_get(m, r, s);
    else if (strcmp(method, "DELETE") == 0)
        http_session_delete(m, r);
    else
        request_reply(r, 405, NULL, allow, NULL, 0);
}

size_t mcp_http_get_sessions(const struct mcp_http *m)
{
    return m->count;
}

struct mcp_http *mcp_http_new(struct api_server *a)
{
    struct mcp_http *m = xcalloc(1, sizeof *m);
    const char *instance = fleet_get_instance(a->fleet);
    const uint8_t zero[16] = {0};

    m->api = a;
    while (getrandom(&m->life, sizeof m->life, 0) != (ssize_t)sizeof m->life)
        ;
    for (int half = 0; half < 2; half++) {
        uint64_t h =
            siphash24(zero, instance, strlen(instance)) + (uint64_t)half * 0x9e3779b97f4a7c15;
        memcpy(m->key + 8 * half, &h, 8);
    }
    http_sessions_restore(m);
    ev_init(&m->keepalive, on_keepalive);
    m->keepalive.repeat = KEEPALIVE_S / KEEPALIVE_SLICES;
    m->keepalive.data = m;
    return m;
}

void mcp_http_free(struct mcp_http *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        while (m->bucket[i])
            http_session_close(m->bucket[i]);
    ev_timer_stop(m->api->loop, &m->keepalive);
    free(m);
}
