/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers come and go: made from the configuration, or as a member of another for one session
 * (server_members.c); begun, retired, freed. */
#include "supervisor/server_private.h"

#include "base/mem.h"
#include "supervisor/fleet_private.h"
#include "supervisor/tool_store.h"
#include "supervisor/tool_watch.h"

static void on_log_more(void *ctx)
{
    struct server *s = ctx;
    fleet_log_more(s->fleet, s);
}

/* name: taken over. */
static struct server *make(struct fleet *fleet, const struct config_server *config, char *name)
{
    struct server *s = xcalloc(1, sizeof *s);
    s->fleet = fleet;
    s->name = name;
    s->config = config;
    s->p = xcalloc(1, sizeof *s->p);
    s->wanted = config->enabled != TRI_NO ? WANTED_UP : WANTED_DOWN;
    s->usage = USAGE_UNKNOWN;
    server_machine_init(s);
    server_drain_init(s);
    server_sleep_init(s);
    return s;
}

struct server *server_new(struct fleet *fleet, const struct config_server *config)
{
    struct server *s = make(fleet, config, xstrdup(config->name));
    s->log = logstore_new(fleet->loop, fleet->log_dir, s->name, on_log_more, s);
    s->tools = tool_watch_new();
    server_run_init(s);
    server_replan(s);
    return s;
}

struct server *server_new_member(struct server *row, unsigned number)
{
    AUTO_FREE char *mark = xasprintf("#%u", number);
    struct server *s = make(row->fleet, row->config, xasprintf("%s%s", row->name, mark));
    s->row = row;
    s->number = number;
    s->wanted = row->wanted;
    s->runner = row->runner;
    s->log = logstore_new_member(row->log, mark);
    server_run_init(s);
    session_learn(s->session, row->session);
    server_replan(s);
    return s;
}

/* A server that is not run for itself is, once: to know its tools before anybody can use them. */
static bool has_to_learn(const struct server *s)
{
    size_t n;
    return !s->row && server_is_per_session(s) && s->config->start != START_LAZY &&
        !session_get_tools(s->session, &n);
}

void server_begin(struct server *s)
{
    if (s->p->begun)
        return;
    s->p->begun = true;
    if (s->wanted == WANTED_DOWN) {
        server_set_cause(s, "disabled in the configuration");
        server_fire(s, EV_STOP);
        return;
    }
    if (server_starts_lazily(s)) {
        server_lie_down_lazily(s);
        if (!has_to_learn(s))
            return;
        s->p->learning = true;
    }
    s->p->cause[0] = '\0';
    server_fire(s, EV_START);
}

bool server_has_begun(const struct server *s)
{
    return s->p->begun;
}

void server_retire(struct server *s, const char *reason)
{
    members_retire(s, reason);
    s->config = NULL;
    s->p->retired = s->p->begun = true;
    s->wanted = WANTED_DOWN;
    server_set_cause(s, "%s", reason);
    server_fire(s, EV_STOP);
}

bool server_is_gone(const struct server *s)
{
    return s->p->gone && !s->member_count;
}

void server_free(struct server *s)
{
    if (!s)
        return;
    members_free(s);
    if (s->diagnosis)
        s->diagnosis_free(s->diagnosis);
    server_machine_fini(s);
    server_drain_end(s);
    ev_timer_stop(s->fleet->loop, &s->p->idle);
    server_usage_reset(s);
    if (s->backend)
        s->backend->ops->free(s->backend);
    server_run_fini(s);
    recorder_free(s->recorder);      /* the session's end is told to it */
    tool_watch_free(s->tools);
    logstore_free(s->log);
    server_run_drop_plan(s);
    plan_free(s->plan);
    free(s->name);
    free(s->p);
    free(s);
}
