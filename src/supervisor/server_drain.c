/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A stop or restart that somebody asked for lets calls in flight end first, for ten seconds at
 * most. Meanwhile the server is STOPPING, its run goes on, and new calls wait (before a restart) or
 * are refused (before a stop).
 *
 *   drain     armed while it waits: what has not ended then fails with the cause */
#include "supervisor/server_private.h"

#include <assert.h>
#include <stdio.h>
#include "supervisor/fleet_private.h"

enum { DRAIN_S = 10 };

static void on_drain(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct server *s = w->data;
    assert(s->state == SERVER_STOPPING && s->p->draining);
    char text[128];
    uint32_t n = session_get_in_flight(s->session);
    snprintf(text, sizeof text, "%u call%s did not end within %d s: %s with the server", n,
             n == 1 ? "" : "s", DRAIN_S, n == 1 ? "it ends" : "they end");
    logstore_say(s->log, "%s", text);
    fleet_add_event(s->fleet, false, "server", "not drained", s->name, "", text);
    server_fire(s, EV_DRAINED);
}

void server_drain_init(struct server *s)
{
    ev_timer_init(&s->p->drain, on_drain, 0., 0.);
    s->p->drain.data = s;
}

bool server_drain_begin(struct server *s)
{
    uint32_t n = s->state == SERVER_READY && s->p->gently ? session_get_in_flight(s->session) : 0;
    char text[640];

    if (!n)
        return false;
    s->p->draining = true;
    if (s->wanted == WANTED_DOWN) {
        snprintf(text, sizeof text, "server %s is being stopped: %s", s->name, s->p->cause);
        session_refuse(s->session, text);
    }
    ev_timer_set(&s->p->drain, DRAIN_S, 0.);
    ev_timer_start(s->fleet->loop, &s->p->drain);
    snprintf(text, sizeof text, "%s: waits for %u call%s in flight, %d s at most", s->p->cause, n,
             n == 1 ? "" : "s", DRAIN_S);
    logstore_say(s->log, "%s", text);
    server_set_state(s, SERVER_STOPPING, text);
    session_set_cause(s->session, s->p->cause);
    session_drain(s->session);
    return true;
}

void server_drain_for_restart(struct server *s)
{
    session_refuse(s->session, NULL);
    session_set_cause(s->session, s->p->cause);
}

bool server_is_leaving(const struct server *s)
{
    return s->wanted != WANTED_UP || s->state == SERVER_STOPPING;
}

void server_drain_end(struct server *s)
{
    s->p->draining = false;
    ev_timer_stop(s->fleet->loop, &s->p->drain);
}
