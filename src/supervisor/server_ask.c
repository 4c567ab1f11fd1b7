/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of a server by key, verb or change: what is wanted from now on, and the event that
 * follows. */
#include "supervisor/server_private.h"

static void fire(struct server *s, enum server_event e, enum server_haste haste)
{
    if (haste == DRAINED)
        server_fire_gently(s, e);
    else
        server_fire(s, e);
}

void server_start(struct server *s)
{
    members_start(s);
    s->p->asleep = false;
    s->wanted = WANTED_UP;
    s->by_user = s->p->begun = true;
    server_set_cause(s, "started by user");
    session_refuse(s->session, NULL);
    server_fire(s, EV_START);
}

void server_stop(struct server *s, const char *reason, enum server_haste haste)
{
    members_stop(s, reason, haste);
    s->p->asleep = false;
    s->wanted = WANTED_DOWN;
    s->by_user = s->p->begun = true;
    server_set_cause(s, "%s", reason);
    fire(s, EV_STOP, haste);
}

void server_restart(struct server *s, const char *reason, enum server_haste haste)
{
    if (!members_restart(s, reason, haste))
        server_restart_alone(s, reason, haste);
}

void server_restart_alone(struct server *s, const char *reason, enum server_haste haste)
{
    s->p->asleep = false;
    s->wanted = WANTED_UP;
    s->p->begun = true;
    s->failures = 0;
    server_set_cause(s, "%s", reason);
    session_refuse(s->session, NULL);
    fire(s, EV_RESTART, haste);
}

void server_kill(struct server *s)
{
    members_kill(s);
    server_set_cause(s, "killed by user");
    server_fire(s, EV_KILL);
}
