/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes asked for by key or verb: tried (fleet_edit.c), written to the file, then applied as any
 * other change of the file is. What the engine refuses on a running container is put back, or
 * restarts the server, as who waits for it wants. */
#include "supervisor/fleet_edit.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/server_private.h"

enum change_applied fleet_change_follows(const struct server *s, const struct plan *p,
                                         bool enabled_changes)
{
    if (enabled_changes)
        return CHANGE_RESTART;
    if (s->wanted != WANTED_UP)
        return CHANGE_NONE;
    if (server_is_asleep(s) && !fleet_edit_is_running(s))
        return CHANGE_NONE;
    enum plan_change change = plan_change(s->plan, p);
    if (change == PLAN_RESTARTS)
        return CHANGE_RESTART;
    if (server_is_waiting(s) && (p->pull_policy != s->plan->pull_policy || change != PLAN_SAME))
        return CHANGE_RESTART;
    return change == PLAN_LIVE && fleet_edit_is_running(s) ? CHANGE_LIVE : CHANGE_NONE;
}

void fleet_change_result_fini(struct fleet_change_result *r)
{
    buf_fini(&r->diff);
    strvec_fini(&r->sentences);
    free(r->no_effect);
    strvec_fini(&r->live);
    strvec_fini(&r->restarts);
    plan_free(r->plan);
    *r = (struct fleet_change_result){ 0 };
}

/* When the other plan comes into force; nothing where it is the same one. */
static void say_when(const struct server *s, const struct plan *p, enum change_applied applied,
                     struct strvec *out)
{
    enum plan_change change = plan_change(s->plan, p);
    bool engine_down = p->mode == PLAN_DOCKER &&
        containers_get_state(s->fleet->containers) == CONTAINERS_DOWN;
    if (change == PLAN_SAME || p->mode == PLAN_UNSUPPORTED)
        return;                      /* that it will not be started is told already */
    if (applied == CHANGE_RESTART && server_is_waiting(s))
        strvec_addf(out, "It is not running; it will be started this way %s.",
                    engine_down ? "once the engine answers" : "now");
    else if (applied == CHANGE_RESTART && p->hash == s->plan->hash)
        strvec_add(out, "The server restarts: the engine takes no limit away from a running "
                        "container.");
    else if (applied == CHANGE_RESTART)
        strvec_add(out, "The server restarts.");
    else if (applied == CHANGE_LIVE && s->state == SERVER_PULLING)
        strvec_add(out, "Its container is made this way once the image is here.");
    else if (applied == CHANGE_LIVE)
        strvec_add(out, "The running container is changed without a restart.");
    else if (server_is_asleep(s))
        strvec_add(out, "It counts when its next call starts it.");
    else
        strvec_add(out, s->wanted == WANTED_DOWN ? "It is stopped: this counts once it is started."
                                                 : "It counts at its next start.");
}

/* On the host nothing is there but what is installed: what a container's image brought may be
 * missing. */
static void say_missing(const struct server *s, const struct plan *p, struct strvec *out)
{
    struct fault f = FAULT_NONE;
    if (p->mode == PLAN_HOST && s->plan->mode == PLAN_DOCKER && p->argv.n &&
        backend_host_look(p->argv.v[0], &p->env, p->working_dir, &f) < 0)
        strvec_addf(out, "Careful: it would not start on the host: %s.", f.text);
}

/* Where nothing else can be said of a change: why not. */
static void say_no_effect(const struct plan *p, struct fleet_change_result *ret)
{
    if (p->client) {
        ret->no_effect = xasprintf("no effect, as it runs %s itself", p->client);
        strvec_addf(&ret->sentences, "No effect, as it runs %s itself: limits and network of its "
                    "container are the flags of that command.", p->client);
    } else if (p->mode == PLAN_HOST) {
        ret->no_effect = xstrdup("no effect while it runs on the host");
        strvec_add(&ret->sentences, "No effect while it runs on the host: "
                                    "limits and network are a container's.");
    }
}

/* of_plan: it was to change limits or the place where it runs. */
static void fill_result(const struct server *s, struct plan *p, bool enabled_changes, bool of_plan,
                        const struct buf *from, const struct buf *to,
                        struct fleet_change_result *ret)
{
    ret->applied = fleet_change_follows(s, p, enabled_changes);
    if (ret->applied != CHANGE_NONE)
        strvec_add(ret->applied == CHANGE_LIVE ? &ret->live : &ret->restarts, s->name);
    fleet_edit_diff(from, to, &ret->diff);
    plan_compare(s->plan, p, &ret->sentences);
    say_missing(s, p, &ret->sentences);
    if (!enabled_changes)
        say_when(s, p, ret->applied, &ret->sentences);
    if (p->mode == PLAN_DOCKER && s->plan->mode != PLAN_DOCKER &&
        containers_get_state(s->fleet->containers) == CONTAINERS_DOWN)
        strvec_addf(&ret->sentences, "It would wait for an engine, because none answers now: %s.",
                    containers_get_error(s->fleet->containers));
    if (!ret->sentences.n && of_plan && !enabled_changes)
        say_no_effect(p, ret);
    fleet_budget_warn(s->fleet, s, p, &ret->sentences);
    ret->plan = p;
}

static void read_text(struct fleet *fl, struct buf *text)
{
    buf_add(text, fl->text, fl->text_len);
}

static bool has_key(const struct change_list *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i].path, path) == 0)
            return true;
    return false;
}

/* Limits, network, or where it runs: what `enabled` or an argument changes has nothing of that. */
static bool is_of_plan(const struct change_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (strncmp(l->v[i].path, "isolation", sizeof "isolation" - 1) == 0)
            return true;
    return false;
}

int fleet_undo(struct fleet *fl, struct server *s, bool dry_run, struct fleet_change_result *ret,
               struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct undo *u = fleet_undo_find(fl, s->name);
    if (!u)
        return fault_set(f, FAULT_CONFLICT, "nothing to undo: there is no change of %s by mcptop "
                         "that was not taken back", s->name);
    fleet_config_catch_up(fl);
    read_text(fl, &from);
    struct plan *p = NULL;
    if (fleet_undo_try(u, &from, &l, &to, f) == 0)
        p = fleet_edit_plan(fl, s, &to, f);
    if (!p || fleet_edit_check_limits(s, p, f) < 0 ||
        (!dry_run && fleet_edit_write(fl, s->name, &l, &from, &to, f) < 0)) {
        plan_free(p);
        change_list_fini(&l);
        return -1;
    }
    fill_result(s, p, has_key(&l, "enabled"), is_of_plan(&l), &from, &to, ret);
    change_list_fini(&l);
    if (dry_run)
        return 0;
    log_info("config", "%s: taken back through the API: %s", s->name, u->back_text);
    fleet_add_event(fl, false, "config", "taken back", s->name, fl->config_path, u->back_text);
    fleet_undo_drop(fl, u);
    fleet_config_written(fl);
    return 0;
}

/* A start or stop by hand may stand against what the file says all along. */
static void follow_wish(struct fleet *fl, const char *name, enum tri enabled)
{
    struct server *s = fleet_find(fl, name);
    if (s && enabled == TRI_YES && s->wanted == WANTED_DOWN)
        server_start(s);
    if (s && enabled == TRI_NO && s->wanted == WANTED_UP)
        server_stop(s, "disabled in the configuration", DRAINED);
}

/* What was written is remembered, told, and applied. */
static void follow_through(struct fleet *fl, struct server *s, const struct fleet_change *c,
                           const struct change_list *l, const struct buf *from,
                           const struct buf *to)
{
    AUTO_FREE char *name = xstrdup(s->name);
    const struct plan_defaults before = { s->plan->memory_text, s->plan->cpu_text,
                                          s->plan->network_mode, s->plan->pids_limit };
    if (from->len != to->len || memcmp(buf_str(from), buf_str(to), from->len) != 0) {
        fleet_undo_remember(fl, name, &before, s->plan->mode == PLAN_DOCKER, l, from);
        log_info("config", "%s changed through the API: %s", name, fl->undos->text);
        fleet_add_event(fl, false, "config", "changed", name, fl->config_path, fl->undos->text);
        fleet_config_written(fl);
    } else {
        fleet_config_catch_up(fl);
    }
    follow_wish(fl, name, c->enabled);
}

int fleet_change(struct fleet *fl, struct server *s, const struct fleet_change *c,
                 struct fleet_change_result *ret, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct plan *p = NULL;
    if (fleet_edit_check_file(fl, f) < 0)
        return -1;
    if (fleet_edit_check_values(c, f) < 0)
        return -1;
    if (fleet_edit_list_keys(fl, s, c, &l, f) < 0)
        return -1;
    read_text(fl, &from);
    bool enabled_changes = c->enabled != TRI_UNSET &&
        (c->enabled == TRI_YES) != (s->wanted == WANTED_UP);
    int rc = fleet_edit_apply(buf_str(&from), from.len, s->name, &l, &to, f);
    if (rc == 0)
        rc = (p = fleet_edit_plan(fl, s, &to, f)) ? 0 : -1;
    if (rc == 0)
        rc = fleet_edit_check_effect(c, p, f) < 0 || fleet_edit_check_limits(s, p, f) < 0 ? -1 : 0;
    if (rc == 0 && !c->dry_run && l.n)
        rc = fleet_edit_write(fl, s->name, &l, &from, &to, f);
    if (rc == 0) {
        fill_result(s, p, enabled_changes, is_of_plan(&l), &from, &to, ret);
        if (!c->dry_run)
            follow_through(fl, s, c, &l, &from, &to);
    } else {
        plan_free(p);
    }
    change_list_fini(&l);
    return rc;
}

/* ---- what the engine says to it ------------------------------------------------------------- */

/* A row with a process for every session is changed when all its processes are: the first refusal
 * is that of all. */
struct change_wait {
    char *server;
    struct fault refusal;            /* code 0: none so far */
    enum change_refused on_refusal;
    fleet_settled_fn fn;
    void *ctx;
    struct change_wait *next;
};

static bool is_updating(const struct server *s)
{
    bool any = s->p->updating;
    for (size_t i = 0; i < s->member_count && !any; i++)
        any = s->members[i]->p->updating;
    return any;
}

bool fleet_change_wait(struct fleet *fl, const char *server, enum change_refused on_refusal,
                       fleet_settled_fn fn, void *ctx)
{
    const struct server *s = fleet_find(fl, server);
    if (!s || !is_updating(s))
        return false;
    struct change_wait *w = xmalloc(sizeof *w);
    *w = (struct change_wait){ .server = xstrdup(server), .on_refusal = on_refusal, .fn = fn,
                               .ctx = ctx, .next = fl->waits };
    fl->waits = w;
    return true;
}

static struct change_wait *find_wait(const struct fleet *fl, const char *server)
{
    struct change_wait *w = fl->waits;
    while (w && strcmp(w->server, server) != 0)
        w = w->next;
    return w;
}

static struct change_wait *take_wait(struct fleet *fl, const char *server)
{
    for (struct change_wait **p = &fl->waits; *p; p = &(*p)->next)
        if (!server || strcmp((*p)->server, server) == 0) {
            struct change_wait *w = *p;
            *p = w->next;
            return w;
        }
    return NULL;
}

static void tell(struct change_wait *w, enum change_applied applied, const struct fault *f)
{
    w->fn(w->ctx, w->server, applied, f);
    free(w->server);
    free(w);
}

/* A process that took the new limits gets the old ones as it would any others. */
static void mark_putting_back(struct server *s, bool begins)
{
    s->p->putting_back = begins ? s->p->refused : s->p->putting_back && s->p->updating;
    for (size_t i = 0; i < s->member_count; i++)
        mark_putting_back(s->members[i], begins);
}

/* The keys of the last change back to what they were. What holds then is said in `why`. */
static void put_back(struct fleet *fl, struct server *s, struct fault *why)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    AUTO_FREE char *refusal = xstrdup(why->text);
    struct change_list l = { 0 };
    struct undo *u = fleet_undo_find(fl, s->name);
    struct fault f = FAULT_NONE;
    fleet_config_catch_up(fl);
    read_text(fl, &from);
    struct plan *p = NULL;
    bool back = u && fleet_undo_try(u, &from, &l, &to, &f) == 0 &&
        (p = fleet_edit_plan(fl, s, &to, &f)) &&
        fleet_edit_write(fl, s->name, &l, &from, &to, &f) == 0;
    plan_free(p);
    change_list_fini(&l);
    if (!back) {
        fault_set(why, FAULT_HTTP,
                  "the engine refuses it while %s runs: %s. It runs by its old limits until it "
                  "restarts, but %s has the new ones and could not be put back: %s",
                  s->name, refusal, fl->config_path, *f.text ? f.text : "it was changed meanwhile");
        return;
    }
    fleet_add_event(fl, false, "config", "put back", s->name, fl->config_path, refusal);
    fleet_undo_drop(fl, u);
    mark_putting_back(s, true);
    fleet_config_written(fl);
    mark_putting_back(s, false);
    fault_set(why, FAULT_HTTP, "the engine refuses it while %s runs: %s. Nothing was changed; "
              "a restart would bring it into force", s->name, refusal);
}

/* Those that run by the old limits. */
static void restart_refused(struct server *s)
{
    if (s->p->refused && !server_is_leaving(s))
        server_restart_alone(s, "limits changed", DRAINED);
    for (size_t i = 0; i < s->member_count; i++)
        restart_refused(s->members[i]);
}

static void forget_refused(struct server *s)
{
    s->p->refused = false;
    for (size_t i = 0; i < s->member_count; i++)
        forget_refused(s->members[i]);
}

/* What follows from a refusal. */
static enum change_applied refused(struct fleet *fl, struct server *s, enum change_refused wanted,
                                   struct fault *why)
{
    AUTO_FREE char *words = xstrdup(why->text);
    if (server_is_leaving(s)) {
        fault_wrap(why, "it is being stopped, and its next start is by the new limits");
    } else if (why->code == FAULT_ENGINE_DOWN) {
        fault_wrap(why, "the configuration is changed and counts once the engine is back");
    } else if (wanted == REFUSED_RESTARTS) {
        restart_refused(s);
        *why = FAULT_NONE;
        return CHANGE_RESTART;
    } else if (wanted == REFUSED_PUT_BACK) {
        put_back(fl, s, why);
    } else {
        fault_set(why, FAULT_HTTP, "the engine refuses it while %s runs: %s. It runs by its old "
                  "limits until it restarts", s->name, words);
    }
    return CHANGE_NONE;
}

bool fleet_change_settled(struct fleet *fl, struct server *s, const struct fault *f)
{
    struct server *row = server_row(s);
    struct change_wait *w = find_wait(fl, row->name);
    enum change_applied applied = CHANGE_LIVE;
    if (!w)
        return false;
    /* A session's process that is on its way out refuses nothing for the others. */
    if (f && (s == row || !server_is_leaving(s))) {
        s->p->refused = true;
        if (!w->refusal.code)
            w->refusal = *f;
    }
    if (is_updating(row))
        return true;
    struct fault why = w->refusal;
    w = take_wait(fl, row->name);
    if (why.code)
        applied = refused(fl, row, w->on_refusal, &why);
    forget_refused(row);
    /* An earlier change that this one has overtaken shares its fate. */
    for (; w; w = take_wait(fl, row->name))
        tell(w, applied, why.code ? &why : NULL);
    return true;
}

void fleet_change_abandon(struct fleet *fl)
{
    struct fault f = FAULT_NONE;
    fault_set(&f, FAULT_ENGINE_DOWN, "mcptop is stopping");
    for (struct change_wait *w; (w = take_wait(fl, NULL));)
        tell(w, CHANGE_NONE, &f);
}
