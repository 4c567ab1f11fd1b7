/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers that run when they are needed: `start: lazy` is started by its first call, `idle_stop`
 * ends a run that nobody uses. Then it is STOPPED though it is wanted, and `asleep`; its session
 * says when a client has to wait for it.
 *
 *   idle     armed in READY where idle_stop is set */
#include "supervisor/server_private.h"

#include <assert.h>
#include <stdio.h>
#include "base/clock.h"
#include "io/timer.h"
#include "supervisor/fleet_private.h"
#include "supervisor/tool_store.h"

enum { SESSION_IDLE_MS = 30 * 60 * 1000, LEARNT_MS = 100 };

static int64_t idle_ms(const struct server *s)
{
    if (s->p->learning)
        return LEARNT_MS;
    if (!s->config || s->config->idle_stop_ms)
        return s->config ? s->config->idle_stop_ms : 0;
    return (s->row || server_is_per_session(s)) && !s->p->lasting ? SESSION_IDLE_MS : 0;
}

/* One that runs for whoever needs it is not wanted before somebody does. */
static const char *sleeps_because(const struct server *s)
{
    return s->row                    ? "per-session: the first call of its session starts it"
           : server_is_per_session(s) ? "per-session: the first call of a session starts a process"
                                      : "lazy: its first call starts it";
}

static void arm(struct server *s, int64_t ms)
{
    timer_arm(s->fleet->loop, &s->p->idle, (double)ms / 1e3);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct server *s = w->data;
    if (session_is_used(s->session))
        s->p->learning = false;
    int64_t limit = idle_ms(s), used = session_get_used_ms(s->session), now = clock_mono_ms();
    char text[32];

    assert(s->state == SERVER_READY);
    if (limit <= 0)
        return;
    if (used < s->state_since_ms)
        used = s->state_since_ms;
    if (session_is_used(s->session) || now - used < limit) {
        arm(s, session_is_used(s->session) ? limit : limit - (now - used));
        return;
    }
    if (s->p->learning)
        server_set_cause(s, "%s", sleeps_because(s));
    else
        server_set_cause(s, "idle for %s: a call starts it", clock_span(limit, text, sizeof text));
    s->p->learning = false;
    s->p->asleep = true;
    server_fire(s, EV_DOZE);
}

void server_sleep_init(struct server *s)
{
    ev_timer_init(&s->p->idle, on_idle, 0., 0.);
    s->p->idle.data = s;
}

void server_sleep_watch(struct server *s)
{
    if (s->state == SERVER_READY && idle_ms(s) > 0)
        arm(s, idle_ms(s));
    else
        ev_timer_stop(s->fleet->loop, &s->p->idle);
}

bool server_starts_lazily(const struct server *s)
{
    return s->config && (s->config->start == START_LAZY || server_is_per_session(s));
}

void server_lie_down(struct server *s)
{
    s->p->asleep = true;
    tool_store_restore(s);
    server_tools_configure(s);
    session_refuse(s->session, NULL);
    server_set_state(s, SERVER_STOPPED, s->p->cause);
    session_sleep(s->session, true);
}

void server_lie_down_lazily(struct server *s)
{
    server_set_cause(s, "%s", sleeps_because(s));
    server_lie_down(s);
}

bool server_is_asleep(const struct server *s)
{
    return s->p->asleep && s->state == SERVER_STOPPED;
}
