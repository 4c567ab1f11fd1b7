/* SPDX-License-Identifier: GPL-3.0-or-later */
/* initialize, on both sides of a session of the legacy era: ours with the server, once a run, and
 * that of each client, which is answered from the result of ours with the version that client can
 * have. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

/* ---- towards the server ---- */

void handshake_expect(struct session *s, const char *step)
{
    s->handshake_step = step;
    ev_timer_stop(s->loop, &s->handshake_timer);
    ev_timer_set(&s->handshake_timer, (double)s->cfg.init_timeout_ms / 1e3, 0.);
    ev_timer_start(s->loop, &s->handshake_timer);
}

void handshake_end(struct session *s)
{
    ev_timer_stop(s->loop, &s->handshake_timer);
}

void handshake_fail(struct session *s, int code, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault why = FAULT_NONE;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    fault_set(&why, code, "%s", buf_str(&text));
    s->open = false;
    handshake_end(s);
    catalogue_stop(s);
    session_ping_stop(s);
    free(s->cause);
    s->cause = xstrdup(why.text);
    unsigned epoch = s->epoch;
    session_set_phase(s, SESSION_DOWN, why.text);
    if (s->epoch == epoch)
        s->events.handshake_failed(s->ctx, &why);
}

void on_handshake_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;
    AUTO_BUF struct buf hint = BUF_INIT;

    (void)loop;
    (void)revents;
    session_enter(s);
    if (s->run_stray)
        buf_printf(&hint, "; its stdout has %llu lines that are no MCP message, the first: %s",
                   (unsigned long long)s->run_stray, s->run_first_stray);
    handshake_fail(s, FAULT_TIMEOUT, "no answer to %s within %lld s%s", s->handshake_step,
                   (long long)(s->cfg.init_timeout_ms + 999) / 1000, buf_str(&hint));
    session_leave(s);
}

void handshake_done(struct session *s)
{
    handshake_end(s);
    session_ping_start(s);
    session_set_phase(s, SESSION_READY, NULL);
}

void handshake_cache(struct session *s, const char *protocol, struct span result)
{
    bool modern = protocol == modern_version;

    free(s->init);
    s->init = xstrndup(result.p, result.n);
    s->init_n = result.n;
    s->protocol = protocol;
    s->modern = modern;
    s->init_version = modern ? (struct span){0}
                             : span_member((struct span){s->init, s->init_n}, "protocolVersion");
    struct span info = modern_server_info(s);
    struct span can = span_member(result, "capabilities");
    s->has_tasks = span_member(can, "tasks").n ||
                   span_member(span_member(can, "extensions"), TASKS_EXTENSION).n;
    free(s->server_name);
    free(s->server_version);
    s->server_name = span_decode(span_member(info, "name"), 200);
    s->server_version = span_decode(span_member(info, "version"), 200);
}

static void answer_held(struct session *s);

void handshake_go_on(struct session *s)
{
    static const char done[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
    unsigned epoch = s->epoch;

    /* A failed write means that the server is ending; session_down will say so. */
    if (!s->modern)
        session_write_text(s, done, sizeof(done) - 1, NULL);
    s->open = true;
    s->nap = NAP_NOT;
    handshake_expect(s, "tools/list");
    logging_update(s);
    subscriptions_again(s);
    answer_held(s);
    /* Those who have waited through a restart need not wait for the tool list too. */
    if (s->epoch == epoch && s->open)
        router_flush(s);
    if (s->epoch == epoch && s->open)
        catalogue_read(s);
}

void handshake_refused(struct session *s, const char *what, const struct envelope *e)
{
    AUTO_FREE char *message = span_decode(span_member(e->error, "message"), 400);
    struct span code = span_member(e->error, "code");

    handshake_fail(s, FAULT_DENIED, "%s refused: %s (code %.*s)", what, message, (int)code.n,
                   code.p);
}

static void on_initialized(struct session *s, struct call *k, const struct envelope *e)
{
    (void)k;
    if (!e || s->phase != SESSION_HANDSHAKE)
        return;
    if (e->kind == ENVELOPE_ERROR) {
        if (s->cfg.era == ERA_AUTO) {
            session_note(s, e->body.p, e->body.n,
                         "initialize was refused: the modern protocol is tried");
            modern_discover(s);
            return;
        }
        handshake_refused(s, "initialize was", e);
        return;
    }
    struct span version = span_member(e->result, "protocolVersion");
    const char *known = protocol_known(version);
    if (!known && version.n) {
        AUTO_FREE char *text = span_decode(version, 64);
        handshake_fail(s, FAULT_UNSUPPORTED,
                       "the server speaks protocol \"%s\"; known are %s to %s", text,
                       protocol_at(0), PROTOCOL_LATEST);
        return;
    }
    if (!known) {
        handshake_fail(s, FAULT_INVALID, "the answer to initialize has no protocolVersion");
        return;
    }
    handshake_cache(s, known, e->result);
    handshake_go_on(s);
}

/* What clients can be asked for is announced for all of them: which ones can is looked at when the
 * server asks (server_requests.c). */
void handshake_begin(struct session *s)
{
    static const char params[] =
        "{\"protocolVersion\":\"" PROTOCOL_LATEST "\",\"capabilities\":{\"sampling\":{},"
        "\"elicitation\":{\"form\":{},\"url\":{}},\"roots\":{\"listChanged\":true}},"
        "\"clientInfo\":{\"name\":\"mcptop\",\"version\":\"" PACKAGE_VERSION "\"}}";

    if (s->cfg.era == ERA_MODERN || (s->cfg.era == ERA_AUTO && s->found_modern)) {
        modern_discover(s);
        return;
    }
    handshake_expect(s, "initialize");
    /* When it cannot be written the process is about to be reported as ended; if it is not, the
     * timeout reports it. */
    session_request_as(s, false, "initialize", params, on_initialized, NULL);
}

/* ---- towards clients ---- */

/* The server's own result with another version in it. */
static int compose_legacy(struct session *s, struct span id, const char *version,
                          struct iovec iov[ENVELOPE_IOV])
{
    assert(s->init_version.n && s->init_version.p > s->init);
    const char *after = s->init_version.p + s->init_version.n;
    const struct iovec pieces[] = {
        iov_text("{\"jsonrpc\":\"2.0\",\"id\":"),
        iov_of(id.p, id.n),
        iov_text(",\"result\":"),
        iov_of(s->init, (size_t)(s->init_version.p - s->init) + 1),
        iov_text(version),
        iov_of(after - 1, (size_t)(s->init + s->init_n - after) + 1),
        iov_text("}"),
    };

    _Static_assert(ARRAY_LEN(pieces) <= ENVELOPE_IOV, "owners have room for so many");
    memcpy(iov, pieces, sizeof(pieces));
    return ARRAY_LEN(pieces);
}

/* What a client is welcomed with, in either era. text holds what is composed. */
static int compose(struct session *s, struct span id, const char *version, struct buf *text,
                   struct iovec iov[ENVELOPE_IOV])
{
    if (version != modern_version && !s->modern && !s->filter.quarantined)
        return compose_legacy(s, id, version, iov);
    if (version == modern_version)
        modern_compose_discover(s, id, text);
    else
        modern_compose_initialize(s, id, version, text);
    iov[0] = iov_of(text->data, text->len);
    return 1;
}

void handshake_name_client(struct client *c, struct span info)
{
    enum { MAX_INFO = 1024 };
    AUTO_FREE char *name = span_decode(span_member(info, "name"), 80);
    AUTO_FREE char *version = span_decode(span_member(info, "version"), 40);

    free(TAKE(c->info));
    if (info.n <= MAX_INFO && info.n && *info.p == '{')
        c->info = span_line(info);
    if (!*name)
        return;
    AUTO_FREE char *label = xasprintf("%s%s%s", name, *version ? " " : "", version);
    client_set_label(c, label);
}

/* Answers at once, or holds the request until the server has said what it is. */
static struct call *welcome(struct client *c, const struct envelope *e, const char *version,
                            call_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct session *s = c->session;
    struct iovec iov[ENVELOPE_IOV];

    if (!s->init) {
        struct call *k = router_hold(c, e, fn, ctx);
        if (k)
            k->initialize = version;
        return k;
    }
    int n = compose(s, e->id, version, &text, iov);
    c->protocol = version;
    s->ledger->stats.calls++;
    fn(ctx, iov, n, false);
    return NULL;
}

struct call *handshake_client(struct client *c, const struct envelope *e, call_reply_fn fn,
                              void *ctx)
{
    const char *version = protocol_known(span_member(e->params, "protocolVersion"));

    if (!version)
        version = protocol_latest;
    c->wanted = version;
    handshake_name_client(c, span_member(e->params, "clientInfo"));
    c->features = protocol_features(span_member(e->params, "capabilities"));
    return welcome(c, e, version, fn, ctx);
}

struct call *handshake_discover(struct client *c, const struct envelope *e, call_reply_fn fn,
                                void *ctx)
{
    return welcome(c, e, modern_version, fn, ctx);
}

static void answer_held(struct session *s)
{
    struct call_list waiting = {0};

    for (struct call *k = s->held.head, *next; k; k = next) {
        next = k->next;
        if (k->initialize)
            call_move(k, &waiting);
    }
    while (waiting.head) {
        AUTO_BUF struct buf text = BUF_INIT;
        struct call *k = waiting.head;
        struct iovec iov[ENVELOPE_IOV];
        k->client->protocol = k->initialize;
        call_answer(s, k, iov, compose(s, k->token, k->initialize, &text, iov), false);
    }
}
