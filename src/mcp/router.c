/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clients and what they send: requests become calls, are held or written under an id of ours, or
 * are answered here. What comes back from the server is relay.c's. */
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

/* ---- clients ---- */

struct client *client_open(struct session *s, const char *label, const struct client_events *events,
                           void *ctx)
{
    struct client *c = xcalloc(1, sizeof(*c));

    c->session = s;
    c->events = events;
    c->ctx = ctx;
    c->label = xstrdup(label ? label : "");
    c->number = ++s->next_client;
    c->next = s->clients;
    if (c->next)
        c->next->prev = c;
    s->clients = c;
    s->client_count++;
    return c;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    struct session *s = c->session;
    session_enter(s);
    while (c->calls)
        call_abandon(c->calls);
    asks_client_gone(c);
    subscriptions_unwatch(s, c->number);
    *(c->prev ? &c->prev->next : &c->session->clients) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    s->left = !--s->client_count;
    logging_update(s);
    free(c->label);
    free(c->info);
    free(c);
    session_leave(s);
}

const char *client_get_label(const struct client *c)
{
    return c->label;
}

struct session *client_get_session(const struct client *c)
{
    return c->session;
}

enum session_phase client_get_phase(const struct client *c)
{
    return c->session->phase;
}

void client_set_label(struct client *c, const char *label)
{
    free(c->label);
    c->label = xstrdup(label);
}

const char *client_get_protocol(const struct client *c)
{
    return c->protocol;
}

unsigned client_get_features(const struct client *c)
{
    return c->features;
}

void client_restore(struct client *c, unsigned version, unsigned features)
{
    c->protocol = protocol_at(version);
    c->features = features;
}

void client_set_modern(struct client *c)
{
    c->modern = true;
}

unsigned client_get_version(const struct client *c)
{
    return protocol_index(c->protocol ? c->protocol : c->wanted);
}

bool call_is(const struct call *k, struct span id)
{
    return span_equal(k->token, id);
}

void call_abandon(struct call *k)
{
    struct session *s = k->client->session;

    if (k->list == &s->flight) {
        s->abandoned++;
        call_detach(k);
    } else {
        call_drop(s, k);
    }
}

void call_cancel(struct call *k)
{
    struct session *s = k->client->session;

    session_enter(s);
    if (k->list == &s->flight || (k->list == &s->parked && !k->late)) {
        AUTO_FREE char *text = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":"
            "{\"requestId\":%llu,\"reason\":\"the client has gone\"}}",
            (unsigned long long)k->id);
        session_write_text(s, text, strlen(text), NULL);
        k->cancelled_ms = clock_mono_ms();
        rounds_unpark(s, k);
    }
    call_abandon(k);
    session_leave(s);
}

/* ---- answers of our own ---- */

void router_refuse(struct session *s, struct span id, int code, call_reply_fn fn, void *ctx,
                   const char *fmt, ...)
{
    AUTO_BUF struct buf why = BUF_INIT, out = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&why, fmt, ap);
    va_end(ap);
    envelope_error(&out, id, code, buf_str(&why));
    struct iovec iov = {out.data, out.len};
    s->ledger->stats.calls++;
    s->ledger->stats.errors++;
    fn(ctx, &iov, 1, true);
}

void router_answer_empty(struct session *s, struct span id, call_reply_fn fn, void *ctx)
{
    struct iovec iov[] = {
        iov_text("{\"jsonrpc\":\"2.0\",\"id\":"), iov_of(id.p, id.n), iov_text(",\"result\":{}}"),
    };

    s->ledger->stats.calls++;
    fn(ctx, iov, ARRAY_LEN(iov), false);
}

/* ---- to the server ---- */

/* Writes a message with our id for the client's and for its progress token, on one line. c: its
 * client, where it is a request. */
static int write_rewritten(struct session *s, const struct client *c, const struct envelope *e,
                           uint64_t id, struct fault *f)
{
    AUTO_FREE char *flat = NULL;
    AUTO_BUF struct buf meta = BUF_INIT;
    struct envelope copy;
    struct iovec iov[ENVELOPE_IOV];
    char text[ID_DIGITS];
    struct span token = span_from_id(id, text);

    if (envelope_has_newline(e)) {
        copy = *e;
        flat = xmalloc(e->body.n);
        envelope_flatten(&copy, flat);
        e = &copy;
    }
    struct span second = token;
    if (!s->modern && c && c->modern) {
        /* The whole _meta in place of the token in it. */
        if (e != &copy)
            copy = *e;
        modern_strip_meta(e, token, &meta);
        copy.progress_token = e->meta;
        second = (struct span){meta.data, meta.len};
        e = &copy;
    }
    int n = envelope_rewrite(e, token, second, true, iov);
    if (s->modern && c && !c->modern) {
        const char *at = modern_meta_place(c, e, &meta);
        /* It would end the message, and what follows it would be one of the client's making. */
        assert(!memchr(meta.data, '\n', meta.len) && !memchr(meta.data, '\r', meta.len));
        n = envelope_insert(iov, n, at, (struct span){meta.data, meta.len});
    }
    return session_write(s, iov, n, f);
}

static int write_call(struct session *s, struct call *k, const struct envelope *e, struct fault *f)
{
    k->written_ns = clock_mono_ns();
    k->active_ms = k->written_ns / 1000000;
    k->written_at = s->stats.bytes_out;
    if (write_rewritten(s, k->client, e, s->next_id, f))
        return -1;
    call_keep(s, k, e);
    call_number(s, k);
    call_move(k, &s->flight);
    calls_arm(s);
    return 0;
}

static void fail_unwritten(struct session *s, struct call *k, const struct fault *f)
{
    call_fail(s, k, SESSION_ERROR, "server \"%s\" does not take input: %s", s->cfg.server, f->text);
}

/* Had it been known what the server is, it would not have been held. A subscription is among those
 * that a modern server was told of when it became open; it knows no such request. */
static bool is_ours(struct session *s, const struct call *k, const struct envelope *e)
{
    if (span_is(e->method, "logging/setLevel"))
        return logging_held(k->client, e);
    return s->modern && !k->client->modern &&
           (k->subscription || span_is(e->method, "resources/unsubscribe"));
}

static void answer_empty(struct session *s, struct call *k)
{
    const struct iovec iov[] = {
        iov_text("{\"jsonrpc\":\"2.0\",\"id\":"), iov_of(k->token.p, k->token.n),
        iov_text(",\"result\":{}}"),
    };

    call_answer(s, k, iov, ARRAY_LEN(iov), false);
}

/* Whether it was written, or answered. False: the run is ending, and it waits for the next one. */
static bool write_waiting(struct session *s, struct call *k)
{
    struct fault f = FAULT_NONE;
    struct envelope e;

    if (envelope_scan(k->copy, k->copy_n, &e, &f)) {
        call_fail(s, k, SESSION_INVALID, "%s", f.text);
    } else if (k->client->modern && span_is(e.method, "subscriptions/listen")) {
        listen_begin(s, k, &e);
    } else if (is_ours(s, k, &e)) {
        answer_empty(s, k);
    } else if (write_call(s, k, &e, &f)) {
        if (f.code == EPIPE)
            return false;
        fail_unwritten(s, k, &f);
    }
    return true;
}

/* The same of a large one, whose memory goes out as it is. */
static bool write_waiting_large(struct session *s, struct call *k)
{
    struct buf memory = k->memory;
    struct large *l = TAKE(k->large);

    k->memory = BUF_INIT;
    large_enter(l, &memory);
    bool done = write_waiting(s, k);
    if (!done) {
        k->large = large_keep(memory.data, &k->memory);
        assert(k->large);       /* what was not written is nobody else's */
    }
    large_leave(&l);
    buf_fini(&memory);
    return done;
}

static bool go_out(struct session *s, struct call *k)
{
    return k->large && call_is_spent(s, k) ? write_waiting_large(s, k) : write_waiting(s, k);
}

void router_flush(struct session *s)
{
    unsigned epoch = s->epoch;

    while (s->held.head && s->open && s->epoch == epoch) {
        struct call *k = s->held.head;
        if (s->one_at_a_time && asks_must_wait(k->client, k->may_ask)) {
            call_move(k, &s->queued);
            calls_arm(s);
        } else if (!go_out(s, k)) {
            return;
        }
    }
}

void router_again(struct session *s, struct call *k, const struct envelope *e)
{
    struct fault f = FAULT_NONE;

    call_forget_copy(s, k);
    if (s->open && !write_call(s, k, e, &f))
        return;
    if (!s->open || f.code == EPIPE)
        call_hold(s, k, e);
    else
        fail_unwritten(s, k, &f);
}

/* Those at the head go first, so that nobody waits for ever. */
void router_next_turn(struct session *s)
{
    while (s->queued.head && s->open) {
        struct call *k = s->queued.head;
        if (asks_must_wait(k->client, k->may_ask) || !go_out(s, k))
            return;
    }
}

/* ---- requests ---- */

/* For one more call that waits, of so many bytes. */
static bool has_room(const struct session *s, size_t n)
{
    return s->held.n + s->queued.n < SESSION_MAX_HELD_CALLS &&
           s->copied_bytes + n <= calls_max_copied(s);
}

struct call *router_hold(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;

    if (!has_room(s, e->body.n)) {
        AUTO_BUF struct buf cause = BUF_INIT;
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx,
                      "server \"%s\" is not ready: %s; and too many calls wait for it already",
                      s->cfg.server, session_waits_for(s, &cause));
        return NULL;
    }
    struct call *k = call_new(c, e, fn, ctx);
    call_hold(s, k, e);
    return k;
}

/* Until those of other clients are answered. */
static struct call *wait_turn(struct client *c, const struct envelope *e, call_reply_fn fn,
                              void *ctx)
{
    struct session *s = c->session;

    if (!has_room(s, e->body.n)) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx,
                      "server \"%s\" asks its clients for input, so it works for one client at a "
                      "time; too many calls wait for their turn already: try again later",
                      s->cfg.server);
        return NULL;
    }
    struct call *k = call_new(c, e, fn, ctx);
    call_wait_turn(s, k, e);
    return k;
}

static struct call *forward(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    struct fault f = FAULT_NONE;

    if (!s->open || s->drain)
        return router_hold(c, e, fn, ctx);
    if (s->flight.n >= SESSION_MAX_IN_FLIGHT) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx,
                      "server \"%s\" has %d calls to answer already", s->cfg.server,
                      SESSION_MAX_IN_FLIGHT);
        return NULL;
    }
    if (s->one_at_a_time && asks_must_wait(c, asks_may_follow(e->method)))
        return wait_turn(c, e, fn, ctx);
    struct call *k = call_new(c, e, fn, ctx);
    if (!write_call(s, k, e, &f))
        return k;
    if (f.code == EPIPE) {
        /* It has ended, only the news of it is not here yet: nothing was written, so this call can
         * wait for the next run. */
        call_drop(s, k);
        return router_hold(c, e, fn, ctx);
    }
    fail_unwritten(s, k, &f);
    return NULL;
}

/* What is no answer of ours. task: see struct call. */
static struct call *go_on(struct client *c, const struct envelope *e, uint64_t task,
                          call_reply_fn fn, void *ctx)
{
    uint32_t subscription = 0;

    if (span_is(e->method, "resources/subscribe") &&
        subscriptions_take(c, e, fn, ctx, &subscription))
        return NULL;
    struct call *k = forward(c, e, fn, ctx);
    if (k) {
        k->subscription = subscription;
        k->task = task;
    } else if (subscription) {
        subscriptions_failed(c->session, subscription, c->number);
    }
    return k;
}

static struct call *take_request(struct client *c, const struct envelope *e, call_reply_fn fn,
                                 void *ctx)
{
    struct session *s = c->session;
    bool discovers = span_is(e->method, "server/discover");

    bool initializes = span_is(e->method, "initialize");

    /* Each message says its era; what says nothing is of the one before it, but for initialize. */
    if (initializes && !e->version.n)
        c->modern = false;
    if ((e->version.n || discovers || c->modern) && !modern_admit(c, e, fn, ctx))
        return NULL;
    if (span_is(e->method, "ping")) {
        router_answer_empty(s, e->id, fn, ctx);
        return NULL;
    }
    if (span_is(e->method, "resources/unsubscribe") && subscriptions_leave(c, e, fn, ctx))
        return NULL;
    if (s->refused) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx, "%s", s->refused);
        return NULL;
    }
    if (initializes)
        return handshake_client(c, e, fn, ctx);
    if (discovers)
        return handshake_discover(c, e, fn, ctx);
    if (c->modern && span_is(e->method, "subscriptions/listen"))
        return listen_take(c, e, fn, ctx);
    uint64_t task = 0;
    if (quarantine_answers(c, e, fn, ctx) || tools_refuse(c, e, fn, ctx) ||
        tasks_refuse(c, e, fn, ctx, &task) || (s->nap && asleep_answers(c, e, fn, ctx)))
        return NULL;
    if (span_is(e->method, "logging/setLevel") && logging_take(c, e, fn, ctx))
        return NULL;
    if (c->modern && !s->modern && s->parked.n) {
        bool refused;
        struct call *resumed = rounds_resume(c, e, fn, ctx, &refused);
        if (resumed || refused)
            return resumed;
    }
    return go_on(c, e, task, fn, ctx);
}

/* ---- notifications ---- */

/* Only the owner can cancel, because only his calls are looked through; and never his initialize.
 * A parked call that still has its client waits a moment for more questions: its client has heard
 * nothing of it yet. */
static void take_cancel(struct client *c, const struct envelope *e)
{
    struct session *s = c->session;
    struct call *k = c->calls;

    while (k && !span_equal(k->token, e->cancels))
        k = k->sibling_next;
    if (!k || !e->cancels.n || k->initialize)
        return;
    if (k->list == &s->held || k->list == &s->queued || k->list == &s->asking || k->late) {
        call_fail(s, k, SESSION_ERROR, "cancelled by the client");
        return;
    }
    if (k->list == &s->listening) {
        listen_over(s, k);
        return;
    }
    if (k->list != &s->flight && k->list != &s->parked)
        return;
    write_rewritten(s, NULL, e, k->id, NULL);
    rounds_unpark(s, k);
    call_give_up(s, k, "cancelled by the client");
}

static void take_notification(struct client *c, const struct envelope *e)
{
    if (span_is(e->method, "notifications/cancelled"))
        take_cancel(c, e);
    else if (span_is(e->method, "notifications/progress"))
        asks_progress(c, e);
    else if (span_is(e->method, "notifications/initialized"))
        return;     /* the handshake of the client was with us */
    /* One client's roots are none of the server's business while it serves another. */
    else if (span_is(e->method, "notifications/roots/list_changed") &&
             (c->session->client_count > 1 || !(c->features & CLIENT_ROOTS)))
        return;
    else if (c->session->open)
        write_rewritten(c->session, NULL, e, 0, NULL);
}

struct call *client_send(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    struct call *k = NULL;

    session_enter(s);
    if (e->kind == ENVELOPE_REQUEST)
        k = take_request(c, e, fn, ctx);
    else if (e->kind == ENVELOPE_NOTIFICATION)
        take_notification(c, e);
    else
        asks_answer(c, e);
    session_leave(s);
    return k;
}

/* ---- for people ---- */

static void tell(const struct call_list *list, int64_t now, bool held, call_info_fn fn, void *ctx)
{
    for (const struct call *k = list->head; k; k = k->next) {
        if (!k->client)
            continue;
        struct call_info info = {
            .method = k->method,
            .name = k->name,
            .client = k->client->label,
            .age_ms = now - k->begun_ms,
            .held = held,
        };
        fn(ctx, &info);
    }
}

static void each_call(const struct session *s, int64_t now, call_info_fn fn, void *ctx)
{
    tell(&s->flight, now, false, fn, ctx);
    tell(&s->held, now, true, fn, ctx);
    tell(&s->queued, now, true, fn, ctx);
    tell(&s->listening, now, false, fn, ctx);
    tell(&s->asking, now, false, fn, ctx);
}

void session_each_call(const struct session *s, call_info_fn fn, void *ctx)
{
    int64_t now = clock_mono_ms();

    each_call(s, now, fn, ctx);
    for (const struct session *m = s->sharers; m; m = m->next_sharer)
        each_call(m, now, fn, ctx);
}
