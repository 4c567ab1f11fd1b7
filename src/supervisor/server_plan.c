/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server and its configuration: the plan made anew, and what a changed one leads to: nothing, a
 * change of limits while it runs, or a restart. Writes no state. */
#include "supervisor/server_private.h"

#include <stdio.h>
#include <string.h>
#include "supervisor/fleet_private.h"

enum plan_change server_replan(struct server *s)
{
    s->fleet->config->client = fleet_client_defaults(s->fleet);
    struct plan *fresh = plan_make(s->fleet->config, s->config, s->runner, NULL);
    if (s->runner != RUNNER_UNKNOWN && (!fresh->image || !s->plan || !s->plan->image ||
                                        strcmp(fresh->image, s->plan->image) != 0)) {
        s->runner = RUNNER_UNKNOWN;    /* what was learned is about another image */
        plan_free(fresh);
        fresh = plan_make(s->fleet->config, s->config, s->runner, NULL);
    }
    enum plan_change change = s->plan ? plan_change(s->plan, fresh) : PLAN_RESTARTS;
    /* A run goes on by the plan it was begun with. */
    if (s->p->run_plan != s->plan || !s->backend)
        plan_free(s->plan);
    s->plan = fresh;
    return change;
}

static void on_updated(void *ctx, const struct fault *f)
{
    struct server *s = ctx;
    bool putting_back = s->p->putting_back;
    s->p->updating = s->p->putting_back = false;
    usage_probe_refresh(s->p->probe);
    if (!f && !putting_back) {
        char pids[24] = "no limit";
        if (s->plan->pids_limit)
            snprintf(pids, sizeof pids, "%lld", (long long)s->plan->pids_limit);
        logstore_say(s->log, "limits changed while it runs: memory %s, cpus %s, pids %s",
                     s->plan->memory_text ? s->plan->memory_text : "none",
                     s->plan->cpu_text ? s->plan->cpu_text : "none", pids);
    } else if (f) {
        logstore_say(s->log, "limits could not be changed while it runs: %s", f->text);
    }
    if (fleet_change_settled(s->fleet, s, f) || putting_back || !f)
        return;
    if (!server_is_leaving(s))
        server_restart(s, "limits changed", DRAINED);
}

static void update_live(struct server *s)
{
    if (!s->backend || s->state == SERVER_STOPPING)
        return;
    if (!s->backend->ops->update) {
        server_set_cause(s, "configuration changed");
        server_fire_gently(s, EV_RESTART);
        return;
    }
    /* Before it runs there is nothing to be refused: it is made with the new ones. */
    s->p->updating = s->p->feeding;
    s->backend->ops->update(s->backend, s->plan, on_updated);
    server_run_drop_plan(s);
    s->p->run_plan = s->plan;
}

static void follow_enabled(struct server *s)
{
    s->by_user = false;
    s->p->begun = true;
    if (s->config->enabled != TRI_NO) {
        s->wanted = WANTED_UP;
        server_set_cause(s, "enabled in the configuration");
        session_refuse(s->session, NULL);
        if (s->state == SERVER_STOPPED && server_starts_lazily(s))
            server_lie_down_lazily(s);
        else
            server_fire(s, EV_START);
    } else {
        s->wanted = WANTED_DOWN;
        server_set_cause(s, "disabled in the configuration");
        server_fire_gently(s, EV_STOP);
    }
}

/* Asleep because it was lazy, and now it is not. A session's own waits for that session's call,
 * whatever the others do. */
static void follow_start(struct server *s, const struct config_server *before)
{
    if (s->row)
        return;
    bool was_lazy = before->start == START_LAZY || before->sharing == SHARING_PER_SESSION;
    if (was_lazy && !server_starts_lazily(s) && !s->config->idle_stop_ms &&
        server_is_asleep(s)) {
        server_set_cause(s, "configuration changed");
        server_fire(s, EV_START);
    }
}

bool server_is_waiting(const struct server *s)
{
    return s->wanted == WANTED_UP &&
        (s->state == SERVER_BACKING_OFF || s->state == SERVER_FAILED);
}

void server_reconfigure(struct server *s, const struct config_server *config, bool enabled_changed)
{
    const struct config_server *before = s->config;
    uint64_t hash = s->plan->hash;
    enum pull_policy pull = s->plan->pull_policy;
    bool was_idle = s->state == SERVER_STOPPED;
    s->config = config;
    s->p->moved = false;
    enum plan_change change = server_replan(s);
    /* The limits that are taken away here are those that the engine did not set. */
    if (change == PLAN_RESTARTS && s->plan->hash == hash && s->p->putting_back)
        change = PLAN_LIVE;
    server_session_configure(s);
    members_reconfigure(s, enabled_changed);
    if (before && (before->idle_stop_ms != config->idle_stop_ms ||
                   before->sharing != config->sharing))
        server_sleep_watch(s);
    if (enabled_changed)
        follow_enabled(s);
    else if (before)
        follow_start(s, before);
    bool other_start = server_is_waiting(s) &&
        (change != PLAN_SAME || s->plan->pull_policy != pull);
    if ((change == PLAN_RESTARTS || other_start) && s->wanted == WANTED_UP && s->p->begun &&
        !was_idle) {
        s->failures = 0;
        s->p->ever_ready = false;
        server_set_cause(s, "configuration changed");
        server_fire_gently(s, EV_RESTART);
    } else if (change == PLAN_LIVE) {
        update_live(s);
    }
    fleet_server_changed(s->fleet, s);
}
