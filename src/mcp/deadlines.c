/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When an open request has waited for long enough, in each of the lists of call.c, and what it is
 * told then. One timer a session serves them all. */
#include <stdio.h>
#include "base/clock.h"
#include "mcp/session_internal.h"

/* When those that wait for their turn need not wait any longer for one that was cancelled: most
 * servers answer it no more. */
static int64_t next_silence(const struct session *s)
{
    int64_t at = INT64_MAX, now = clock_mono_ms();

    for (const struct call *k = s->flight.head; k; k = k->next) {
        if (!k->client && k->cancelled_ms && call_may_speak(k, now) &&
            k->cancelled_ms + SESSION_CANCELLED_MS + 1 < at)
            at = k->cancelled_ms + SESSION_CANCELLED_MS + 1;
    }
    return at;
}

static int64_t next_deadline(const struct session *s)
{
    int64_t at = INT64_MAX;

    if (s->held.head)
        at = s->held.head->held_ms + s->cfg.hold_timeout_ms;
    if (s->queued.head && s->queued.head->held_ms + s->cfg.call_timeout_ms < at)
        at = s->queued.head->held_ms + s->cfg.call_timeout_ms;
    if (s->parked.head && s->parked.head->active_ms + s->cfg.call_timeout_ms < at)
        at = s->parked.head->active_ms + s->cfg.call_timeout_ms;
    if (s->queued.n && rounds_may_ask_more(s) &&
        s->parked.tail->active_ms + s->cfg.park_grace_ms < at)
        at = s->parked.tail->active_ms + s->cfg.park_grace_ms;
    if (s->queued.n && s->abandoned && next_silence(s) < at)
        at = next_silence(s);
    if (s->asking.head && s->asking.head->active_ms + 10 * s->cfg.call_timeout_ms < at)
        at = s->asking.head->active_ms + 10 * s->cfg.call_timeout_ms;
    if (s->flight.head && s->flight.head->active_ms + s->cfg.call_timeout_ms < at)
        at = s->flight.head->active_ms + s->cfg.call_timeout_ms;
    return at;
}

/* A running timer is left alone: it fires too early at worst, and then is set to what is next. So a
 * call costs no timer. But a deadline before it (a hold, shorter than the timeout of a call) must
 * move it. */
void calls_arm(struct session *s)
{
    int64_t at = next_deadline(s);

    if (at == INT64_MAX)
        return;
    if (ev_is_active(&s->deadline)) {
        if (s->deadline_ms <= at)
            return;
        ev_timer_stop(s->loop, &s->deadline);
    }
    double after = (double)(at - clock_mono_ms()) / 1e3;
    if (after < 0.001)
        after = 0.001;
    s->deadline_ms = at;
    ev_timer_set(&s->deadline, after, 0.);
    ev_timer_start(s->loop, &s->deadline);
}

static void expire_held(struct session *s, struct call *k)
{
    AUTO_BUF struct buf cause = BUF_INIT;

    session_waits_for(s, &cause);
    call_fail(s, k, SESSION_ERROR, "server \"%s\" is not ready: %s; waited %lld s", s->cfg.server,
              buf_str(&cause), (long long)(s->cfg.hold_timeout_ms + 999) / 1000);
}

static void expire_queued(struct session *s, struct call *k)
{
    call_fail(s, k, SESSION_ERROR,
              "server \"%s\" asks its clients for input, so it works for one client at a time: "
              "waited %lld s for another client's calls",
              s->cfg.server, (long long)(s->cfg.call_timeout_ms + 999) / 1000);
}

/* A person may have to answer first. Ten timeouts at most. */
static bool asks_its_client(struct session *s, struct call *k, int64_t now)
{
    if (!asks_pending(s, k) || now - k->written_ns / 1000000 > 9 * s->cfg.call_timeout_ms)
        return false;
    k->active_ms = now;
    call_move(k, &s->flight);
    return true;
}

/* The server is told, so that it can stop working on it. */
static void expire_written(struct session *s, struct call *k)
{
    char text[160];
    int n = snprintf(text, sizeof(text),
                     "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                     "\"params\":{\"requestId\":%llu,\"reason\":\"timed out\"}}",
                     (unsigned long long)k->id);

    session_write_text(s, text, (size_t)n, NULL);
    if (!k->client) {
        call_drop(s, k);
        return;
    }
    int64_t waited_ms = (clock_mono_ns() - k->written_ns) / 1000000;
    int64_t waited_s = (waited_ms + 500) / 1000;        /* 1999 ms are the 2 s that were set */
    call_fail(s, k, SESSION_ERROR, "server \"%s\" did not answer %.*s within %lld s", s->cfg.server,
              (int)k->method.n, k->method.p, (long long)(waited_s ? waited_s : 1));
}

void on_calls_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;
    int64_t now = clock_mono_ms();

    (void)loop;
    (void)revents;
    session_enter(s);
    while (s->held.head && s->held.head->held_ms + s->cfg.hold_timeout_ms <= now)
        expire_held(s, s->held.head);
    while (s->queued.head && s->queued.head->held_ms + s->cfg.call_timeout_ms <= now)
        expire_queued(s, s->queued.head);
    while (s->parked.head && s->parked.head->active_ms + s->cfg.call_timeout_ms <= now)
        expire_written(s, s->parked.head);
    while (s->asking.head && s->asking.head->active_ms + 10 * s->cfg.call_timeout_ms <= now)
        call_fail(s, s->asking.head, SESSION_ERROR, "the client did not answer what server \"%s\" "
                  "asked for", s->cfg.server);
    while (s->flight.head && s->flight.head->active_ms + s->cfg.call_timeout_ms <= now) {
        if (!asks_its_client(s, s->flight.head, now))
            expire_written(s, s->flight.head);
    }
    if (!s->doomed)
        calls_arm(s);
    session_leave(s);
}
