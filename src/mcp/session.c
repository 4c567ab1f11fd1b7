/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a session: its runs, its phase (session_set_phase is the only writer), the way of the
 * server's bytes to relay.c or to the operator's log, and the ping. It knows nothing of ids,
 * clients or tools. */
#include "mcp/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

/* ---- entries and the phase ---- */

static void destroy(struct session *s)
{
    frame_fini(&s->frame);
    large_leave(&s->large);
    catalogue_fini(s);
    subscriptions_fini(s);
    tasks_fini(s);
    free(s->table.slots);
    free(s->latencies);
    tool_filter_fini(&s->filter);
    seen_fini(s);
    free(s->cause);
    free(s->last_end);
    free(s->refused);
    free(s->run_first_stray);
    free(s->init);
    free(s->server_name);
    free(s->server_version);
    free((char *)s->cfg.server);
    free(s);
}

void session_enter(struct session *s)
{
    s->entered++;
}

static void look_drained(struct session *s)
{
    if (s->flight.n > s->abandoned)
        return;
    s->drain = DRAIN_DONE;
    if (s->events.drained)
        s->events.drained(s->ctx);
}

void session_drain(struct session *s)
{
    session_enter(s);
    if (s->running && !s->drain)
        s->drain = DRAIN_WAITS;
    session_leave(s);
}

static void tell_left(struct session *s)
{
    s->left = false;
    if (!s->client_count && s->events.left)
        s->events.left(s->ctx);
}

void session_leave(struct session *s)
{
    assert(s->entered > 0);
    if (s->entered == 1 && s->queued.n && !s->doomed && !s->drain)
        router_next_turn(s);
    if (s->entered == 1 && s->drain == DRAIN_WAITS && !s->doomed)
        look_drained(s);
    if (s->entered == 1 && s->nap == NAP_ASLEEP && !s->doomed)
        asleep_look(s);
    if (s->entered == 1 && s->left && !s->doomed)
        tell_left(s);
    if (!--s->entered && s->doomed)
        destroy(s);
}

void session_set_phase(struct session *s, enum session_phase phase, const char *why)
{
    if (s->phase == phase || s->doomed)
        return;
    s->phase = phase;
    s->events.phase(s->ctx, phase, why);
}

static void replace(char **at, char *text)
{
    free(*at);
    *at = text;
}

const char *session_waits_for(const struct session *s, struct buf *out)
{
    if (s->drain)
        buf_add_str(out, s->cause ? s->cause : "it is being restarted");
    else if (s->open)
        buf_add_str(out, "it does not take input");
    else if (s->phase == SESSION_HANDSHAKE && s->last_end)
        buf_printf(out, "it is starting again after: %s", s->last_end);
    else if (s->phase == SESSION_HANDSHAKE)
        buf_add_str(out, "it is starting");
    else
        buf_add_str(out, s->cause ? s->cause : s->nap ? "it is being woken" : "it is not running");
    return buf_str(out);
}

/* ---- creation ---- */

static void fill_config(struct session *s, const struct session_config *cfg)
{
    char *was = (char *)s->cfg.server;

    s->cfg = *cfg;
    s->cfg.server = xstrdup(cfg->server);
    free(was);
    if (!s->cfg.init_timeout_ms)
        s->cfg.init_timeout_ms = 30000;
    if (!s->cfg.ping_interval_ms)
        s->cfg.ping_interval_ms = 30000;
    if (!s->cfg.call_timeout_ms)
        s->cfg.call_timeout_ms = 120000;
    if (!s->cfg.hold_timeout_ms)
        s->cfg.hold_timeout_ms = 30000;
    if (!s->cfg.park_grace_ms)
        s->cfg.park_grace_ms = 200;
    if (!s->cfg.max_message_bytes)
        s->cfg.max_message_bytes = (size_t)64 << 20;
    s->frame.max_bytes = s->cfg.max_message_bytes;
}

static void on_ping_timer(struct ev_loop *loop, ev_timer *w, int revents);

static void join_ledger(struct session *s, struct session *ledger)
{
    s->ledger = ledger ? ledger : s;
    if (!ledger)
        return;
    s->next_sharer = ledger->sharers;
    ledger->sharers = s;
}

/* What it has counted of its own stays there. */
static void leave_ledger(struct session *s)
{
    struct session *ledger = s->ledger;
    struct session **at = &ledger->sharers;

    if (ledger == s)
        return;
    while (*at != s)
        at = &(*at)->next_sharer;
    *at = s->next_sharer;
    ledger->stats.bytes_in += s->stats.bytes_in;
    ledger->stats.bytes_out += s->stats.bytes_out;
    ledger->stats.stray_lines += s->stats.stray_lines;
    ledger->stats.oversize += s->stats.oversize;
    s->ledger = s;
}

struct session *session_new(struct ev_loop *loop, const struct session_config *cfg,
                            const struct session_events *events, void *ctx)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->loop = loop;
    s->events = *events;
    s->ctx = ctx;
    join_ledger(s, cfg->ledger);
    s->next_id = 1;
    s->first_ask = s->next_ask = cfg->ask_base;
    s->stats.last_ping_us = -1;
    fill_config(s, cfg);
    frame_init(&s->frame, s->cfg.max_message_bytes);
    while (getrandom(s->park_key, sizeof(s->park_key), 0) != (ssize_t)sizeof(s->park_key))
        ;
    ev_timer_init(&s->handshake_timer, on_handshake_timeout, 0., 0.);
    ev_timer_init(&s->ping_timer, on_ping_timer, 0., 0.);
    ev_timer_init(&s->deadline, on_calls_deadline, 0., 0.);
    ev_timer_init(&s->gather, on_rounds_gathered, 0., 0.);
    s->handshake_timer.data = s->ping_timer.data = s->deadline.data = s->gather.data = s;
    catalogue_init(s);
    return s;
}

void session_configure(struct session *s, const struct session_config *cfg)
{
    fill_config(s, cfg);
    if (ev_is_active(&s->ping_timer))
        session_ping_start(s);
    calls_arm(s);
}

/* Everything that belongs to the run; what belongs to the session stays. */
static void end_run(struct session *s)
{
    s->running = s->open = false;
    s->drain = DRAIN_NOT;
    s->epoch++;
    handshake_end(s);
    catalogue_stop(s);
    session_ping_stop(s);
    calls_forget_own(s);
    asks_forget(s);
    s->log_level = 0;
    s->listen_id = 0;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    session_enter(s);
    s->doomed = true;
    end_run(s);
    replace(&s->refused, xasprintf("server \"%s\" was removed", s->cfg.server));
    calls_fail_held(s, s->refused);
    calls_fail_flight(s, "removed");
    listen_end(s);
    while (s->clients) {
        struct client *c = s->clients;
        if (c->events && c->events->gone)
            c->events->gone(c->ctx);
        if (c == s->clients)
            client_close(c);
    }
    ev_timer_stop(s->loop, &s->deadline);
    ev_timer_stop(s->loop, &s->gather);
    leave_ledger(s);
    session_leave(s);
}

/* ---- runs ---- */

void session_up(struct session *s)
{
    assert(!s->running);
    session_enter(s);
    s->running = true;
    s->epoch++;
    s->run_stray = 0;
    replace(&s->run_first_stray, NULL);
    replace(&s->cause, NULL);
    unsigned epoch = s->epoch;
    session_set_phase(s, SESSION_HANDSHAKE, NULL);
    if (s->epoch == epoch)
        handshake_begin(s);
    session_leave(s);
}

static void take_item(struct session *s, const struct frame_item *item, bool live);

void session_undelivered(struct session *s, size_t bytes)
{
    s->undelivered = bytes;
}

void session_down(struct session *s, const char *cause)
{
    struct frame_item item;

    session_enter(s);
    if (s->running && !s->feeding) {
        frame_end(&s->frame, &item);
        take_item(s, &item, true);
    }
    size_t undelivered = s->undelivered;
    s->undelivered = 0;
    if (s->running) {
        AUTO_FREE char *why = s->phase == SESSION_HANDSHAKE
                                  ? xasprintf("the server ended (%s) before its handshake was done",
                                              cause)
                                  : NULL;
        end_run(s);
        calls_take_back(s, undelivered);
        replace(&s->last_end, xstrdup(cause));
        replace(&s->cause, xstrdup(cause));
        calls_fail_flight(s, cause);
        if (!s->running)
            session_set_phase(s, SESSION_DOWN, why);
    }
    session_leave(s);
}

void session_set_cause(struct session *s, const char *cause)
{
    replace(&s->cause, cause && *cause ? xstrdup(cause) : NULL);
}

void session_refuse(struct session *s, const char *why)
{
    session_enter(s);
    replace(&s->refused, xstrdup(why));
    if (why) {
        AUTO_FREE char *text = xstrdup(why);
        calls_fail_held(s, text);
    }
    session_leave(s);
}

/* ---- bytes from the server ---- */

uint64_t session_get_run_stray(const struct session *s)
{
    return s->run_stray;
}

static void keep_first_stray(struct session *s, const char *p, size_t n)
{
    if (!s->run_first_stray)
        s->run_first_stray = xstrndup(p, n < 160 ? n : 160);
}

void session_stray(struct session *s, const char *p, size_t n, unsigned flags, const char *why)
{
    if (!(flags & LINE_CONT)) {
        s->stats.stray_lines++;
        s->run_stray++;
        keep_first_stray(s, p, n);
    }
    s->stray_bytes += n;
    while (n > FRAME_PIECE && !s->doomed) {
        s->events.stray(s->ctx, p, FRAME_PIECE, (flags & ~(unsigned)LINE_NO_NEWLINE) | LINE_PARTIAL,
                        why);
        flags |= LINE_CONT;
        p += FRAME_PIECE;
        n -= FRAME_PIECE;
    }
    if (!s->doomed)
        s->events.stray(s->ctx, p, n, flags, why);
}

void session_note(struct session *s, const char *p, size_t n, const char *why)
{
    bool cut = n > SESSION_NOTE_HEAD;

    if (!s->doomed && s->events.note)
        s->events.note(s->ctx, p, cut ? SESSION_NOTE_HEAD : n, cut, why);
}

/* live: it belongs to the run that goes on. */
static void take_item(struct session *s, const struct frame_item *item, bool live)
{
    switch (item->kind) {
    case FRAME_NONE:
        break;
    case FRAME_STRAY:
        session_stray(s, item->p, item->n, item->flags, "not JSON");
        break;
    case FRAME_MESSAGE:
        if (live && s->running) {
            large_enter(s->large, &s->frame.held);
            relay_message(s, item->p, item->n, item->flags & LINE_NO_NEWLINE);
        } else {
            session_stray(s, item->p, item->n, item->flags, "came after the run had ended");
        }
        break;
    case FRAME_OVERSIZE:
        relay_oversize(s, item);
        break;
    }
    if (item->kind != FRAME_NONE)
        large_leave(&s->large);
}

void session_feed(struct session *s, const char *p, size_t n)
{
    struct frame_item item;
    unsigned epoch = s->epoch;

    session_enter(s);
    s->feeding = true;
    s->stats.bytes_in += n;
    while (n && !s->doomed) {
        size_t used = frame_next(&s->frame, p, n, &item);
        p += used;
        n -= used;
        take_item(s, &item, s->epoch == epoch);
        if (s->frame.held.len >= LARGE_BYTES && s->frame.state == FRAME_IN_MESSAGE)
            large_look(&s->large, s->frame.held.data, s->frame.held.len);
    }
    /* The run ended inside: what is left of it must not run into the next one. */
    if (s->epoch != epoch && !s->doomed) {
        frame_end(&s->frame, &item);
        take_item(s, &item, false);
    }
    frame_relax(&s->frame);
    s->feeding = false;
    session_leave(s);
}

/* ---- bytes to the server ---- */

int session_write(struct session *s, const struct iovec *iov, int count, struct fault *f)
{
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    if (s->events.write(s->ctx, iov, count, f))
        return -1;
    s->stats.bytes_out += n;
    return 0;
}

int session_write_text(struct session *s, const char *text, size_t n, struct fault *f)
{
    struct iovec iov[2] = {iov_of(text, n), iov_text("\n")};

    return session_write(s, iov, 2, f);
}

/* ---- ping ---- */

static uint64_t heard(const struct session *s)
{
    return s->stats.bytes_in - s->stray_bytes;
}

static int64_t ping_patience_ms(const struct session *s)
{
    return s->cfg.ping_interval_ms < 10000 ? s->cfg.ping_interval_ms : 10000;
}

static void ping_after(struct session *s, int64_t ms)
{
    ev_timer_stop(s->loop, &s->ping_timer);
    ev_timer_set(&s->ping_timer, (double)(ms > 1 ? ms : 1) / 1e3, 0.);
    ev_timer_start(s->loop, &s->ping_timer);
}

static void on_ping_reply(struct session *s, struct call *k, const struct envelope *e)
{
    s->pings--;
    if (!e)
        return;
    s->stats.last_ping_us = (clock_mono_ns() - k->written_ns) / 1000;
    if (s->ping_due) {
        s->ping_due = false;
        ping_after(s, s->cfg.ping_interval_ms);
    }
}

/* A server that never answers pings must not collect them. */
static void ping_forget_oldest(struct session *s)
{
    for (struct call *k = s->own.head; k; k = k->next) {
        if (k->own == on_ping_reply) {
            call_drop(s, k);
            s->pings--;
            return;
        }
    }
}

static void ping_send(struct session *s)
{
    if (s->pings >= SESSION_MAX_PINGS)
        ping_forget_oldest(s);
    s->heard_at_ping = heard(s);
    s->ping_due = true;
    s->pings++;
    /* The modern era has no ping, but every server answers this one at once. */
    if (session_request(s, s->modern ? "server/discover" : "ping", NULL, on_ping_reply, NULL))
        s->pings--;
    ping_after(s, ping_patience_ms(s));
}

static void on_ping_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;
    bool quiet = heard(s) == s->heard_at_ping;

    (void)loop;
    (void)revents;
    session_enter(s);
    if (s->ping_due) {
        s->ping_due = false;
        ping_after(s, s->cfg.ping_interval_ms - ping_patience_ms(s));
        if (quiet) {
            AUTO_FREE char *why = xasprintf("no answer to a ping within %lld s",
                                            (long long)(ping_patience_ms(s) + 999) / 1000);
            session_set_phase(s, SESSION_SILENT, why);
        }
    } else if (s->flight.n && !quiet) {
        /* At work, and it shows: no need to disturb it. */
        s->heard_at_ping = heard(s);
        ping_after(s, s->cfg.ping_interval_ms);
    } else {
        ping_send(s);
    }
    session_leave(s);
}

void session_ping_start(struct session *s)
{
    session_ping_stop(s);
    if (s->cfg.ping_interval_ms < 0)
        return;
    s->heard_at_ping = heard(s);
    ping_after(s, s->cfg.ping_interval_ms);
}

void session_ping_stop(struct session *s)
{
    ev_timer_stop(s->loop, &s->ping_timer);
    s->ping_due = false;
}

void session_alive(struct session *s)
{
    if (s->phase == SESSION_SILENT)
        session_set_phase(s, SESSION_READY, NULL);
}

/* ---- what is known ---- */

bool session_has_asked(const struct session *s, uint64_t id)
{
    return id > s->first_ask && id <= s->next_ask;
}

bool session_has_tasks(const struct session *s)
{
    return s->has_tasks;
}

enum session_phase session_get_phase(const struct session *s)
{
    return s->phase;
}

const char *session_get_server_name(const struct session *s)
{
    return s->server_name ? s->server_name : "";
}

const char *session_get_server_version(const struct session *s)
{
    return s->server_version ? s->server_version : "";
}

bool session_has_capability(const struct session *s, const char *name)
{
    struct span result = {s->init, s->init_n};

    return span_member(span_member(result, "capabilities"), name).n;
}

const char *session_get_protocol(const struct session *s)
{
    return s->protocol ? s->protocol : "";
}
