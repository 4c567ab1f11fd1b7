/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What every isolated server inherits (docker_isolation), changed as one server's limits are; and
 * the budget: what the memory limits of all together may come to. The budget warns and never
 * refuses: limits are a bound, not a use. */
#include "supervisor/fleet_edit.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "supervisor/containers.h"

/* ---- the budget ------------------------------------------------------------------------------ */

static bool counts(const struct server *s, const struct plan *p)
{
    return s->wanted == WANTED_UP && p->mode == PLAN_DOCKER;
}

static void add_to_budget(const struct server *s, const struct plan *p, struct fleet_budget *b)
{
    if (!counts(s, p))
        return;
    size_t processes = server_process_count(s);
    b->servers++;
    b->limits_bytes += p->memory_bytes * (int64_t)(processes ? processes : 1);
    b->unlimited += p->memory_bytes == 0;
}

/* With plans[i] in the place of the plan of the i-th server, where it is not NULL. */
static void budget_with(const struct fleet *fl, struct plan *const *plans, struct fleet_budget *b)
{
    *b = (struct fleet_budget){
        .total_bytes = fl->config ? fl->config->docker_isolation.total_memory_bytes : 0
    };
    for (size_t i = 0; i < fl->count; i++)
        add_to_budget(fl->servers[i], plans && plans[i] ? plans[i] : fl->servers[i]->plan, b);
}

void fleet_get_budget(const struct fleet *fl, struct fleet_budget *ret)
{
    budget_with(fl, NULL, ret);
}

static char *sentence(const struct fleet_budget *b, const char *come)
{
    char sum[16], total[16];
    if (!b->total_bytes || (b->limits_bytes <= b->total_bytes && !b->unlimited))
        return NULL;
    if (b->limits_bytes <= b->total_bytes)
        return xasprintf("%zu of %zu isolated servers %s no memory limit: "
                         "docker_isolation.total_memory (%s) cannot hold for them", b->unlimited,
                         b->servers, b->unlimited == 1 ? "has" : "have",
                         text_size(b->total_bytes, total, sizeof total));
    return xasprintf("the memory limits of %zu isolated servers %s to %s, and "
                     "docker_isolation.total_memory is %s", b->servers, come,
                     text_size(b->limits_bytes, sum, sizeof sum),
                     text_size(b->total_bytes, total, sizeof total));
}

char *fleet_budget_warning(const struct fleet *fl)
{
    struct fleet_budget b;
    /* Asked for after every change of a server: without a bound nothing is added up. */
    if (!fl->config || !fl->config->docker_isolation.total_memory_bytes)
        return NULL;
    fleet_get_budget(fl, &b);
    return sentence(&b, "come");
}

static void warn(const struct fleet_budget *now, const struct fleet_budget *then,
                 struct strvec *ret_sentences)
{
    AUTO_FREE char *text = sentence(then, "would come");
    if (text && (then->limits_bytes > now->limits_bytes || then->unlimited > now->unlimited ||
                 then->total_bytes != now->total_bytes))
        strvec_addf(ret_sentences, "Careful: %s.", text);
}

void fleet_budget_warn(const struct fleet *fl, const struct server *s, const struct plan *p,
                       struct strvec *ret_sentences)
{
    struct fleet_budget now, then;
    AUTO_FREE struct plan **plans = xcalloc(fl->count + 1, sizeof *plans);
    fleet_get_budget(fl, &now);
    for (size_t i = 0; i < fl->count; i++)
        plans[i] = fl->servers[i] == s ? (struct plan *)p : NULL;
    budget_with(fl, plans, &then);
    warn(&now, &then, ret_sentences);
}

void fleet_budget_watch(struct fleet *fl)
{
    AUTO_FREE char *text = fl->stopping ? NULL : fleet_budget_warning(fl);
    if (!text == !fl->over_budget)
        return;
    fl->over_budget = text != NULL;
    if (text) {
        log_warn("config", "%s", text);
        fleet_add_event(fl, false, "config", "over budget", "", fl->config_path, text);
    }
    fleet_status_changed(fl);
}

/* ---- a change of what all inherit ------------------------------------------------------------ */

/* The plans that all would have by this text, in the order of the fleet; NULL: the server is not
 * in it any more. */
static struct plan **plans_by(const struct fleet *fl, const struct config *c)
{
    struct plan **plans = xcalloc(fl->count + 1, sizeof *plans);
    for (size_t i = 0; i < fl->count; i++) {
        const struct config_server *cs = config_find(c, fl->servers[i]->name);
        plans[i] = cs ? plan_make(c, cs, fl->servers[i]->runner, NULL) : NULL;
    }
    return plans;
}

static void plans_free(struct plan **plans, size_t n)
{
    for (size_t i = 0; plans && i < n; i++)
        plan_free(plans[i]);
    free(plans);
}

static int check_all(const struct fleet *fl, struct plan *const *plans, struct fault *f)
{
    for (size_t i = 0; i < fl->count; i++)
        if (plans[i] && plan_change(fl->servers[i]->plan, plans[i]) != PLAN_SAME &&
            fleet_edit_check_limits(fl->servers[i], plans[i], f) < 0)
            return -1;
    return 0;
}

static void say_names(const char *what, const struct strvec *names, struct strvec *out)
{
    struct buf b = BUF_INIT;
    for (size_t i = 0; i < names->n; i++)
        buf_printf(&b, "%s%s", i ? ", " : "", names->v[i]);
    if (names->n)
        strvec_addf(out, "%s: %s.", what, buf_str(&b));
    buf_fini(&b);
}

/* Anything but the budget. */
static bool has_limits(const struct change_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i].path, "docker_isolation.total_memory") != 0)
            return true;
    return false;
}

/* Which servers it reaches, and how. */
static void fill_all(struct fleet *fl, struct plan *const *plans, const struct config *c,
                     bool limits, struct fleet_change_result *ret)
{
    AUTO_STRVEC struct strvec later = { 0 }, own = { 0 };
    struct fleet_budget now, then;
    for (size_t i = 0; i < fl->count; i++) {
        const struct server *s = fl->servers[i];
        enum change_applied how = plans[i] ? fleet_change_follows(s, plans[i], false) : CHANGE_NONE;
        if (how != CHANGE_NONE)
            strvec_add(how == CHANGE_LIVE ? &ret->live : &ret->restarts, s->name);
        else if (plans[i] && plan_change(s->plan, plans[i]) != PLAN_SAME)
            strvec_add(&later, s->name);
        else if (limits && plans[i] && plans[i]->mode == PLAN_DOCKER)
            strvec_add(&own, s->name);
    }
    ret->applied = ret->restarts.n ? CHANGE_RESTART : ret->live.n ? CHANGE_LIVE : CHANGE_NONE;
    say_names("Changed while they run", &ret->live, &ret->sentences);
    say_names("They restart", &ret->restarts, &ret->sentences);
    say_names("At their next start", &later, &ret->sentences);
    say_names("Not changed, they have their own", &own, &ret->sentences);
    if (limits && !ret->live.n && !ret->restarts.n && !later.n && !own.n)
        strvec_add(&ret->sentences, "No server runs isolated now.");
    fleet_get_budget(fl, &now);
    budget_with(fl, plans, &then);
    then.total_bytes = c->docker_isolation.total_memory_bytes;
    warn(&now, &then, &ret->sentences);
}

/* l is tried on `from`; what would follow is put into ret, `to` is the new text. */
static int try_all(struct fleet *fl, const struct change_list *l, const struct buf *from,
                   struct buf *to, struct fleet_change_result *ret, struct fault *f)
{
    if (fleet_edit_apply(buf_str(from), from->len, NULL, l, to, f) < 0)
        return -1;
    struct config *c = fleet_edit_parse(fl, to, f);
    if (!c)
        return -1;
    struct plan **plans = plans_by(fl, c);
    int rc = check_all(fl, plans, f);
    if (rc == 0) {
        fill_all(fl, plans, c, has_limits(l), ret);
        fleet_edit_diff(from, to, &ret->diff);
    }
    plans_free(plans, fl->count);
    config_free(c);
    return rc;
}

int fleet_change_all(struct fleet *fl, const struct fleet_change *c,
                     struct fleet_change_result *ret, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct plan_defaults before;
    if (c->isolation || c->enabled != TRI_UNSET)
        return fault_set(f, FAULT_INVALID, "isolation and enabled are changed server by server");
    if (fleet_edit_check_file(fl, f) < 0)
        return -1;
    if (fleet_edit_check_values(c, f) < 0)
        return -1;
    fleet_edit_list_keys(fl, NULL, c, &l, NULL);
    buf_add(&from, fl->text, fl->text_len);
    int rc = try_all(fl, &l, &from, &to, ret, f);
    if (rc == 0 && !c->dry_run && l.n)
        rc = fleet_edit_write(fl, NULL, &l, &from, &to, f);
    if (rc == 0 && !c->dry_run) {
        plan_get_defaults(fl->config, &before);
        if (from.len != to.len || memcmp(buf_str(&from), buf_str(&to), from.len) != 0) {
            fleet_undo_remember(fl, NULL, &before, false, &l, &from);
            log_info("config", "docker_isolation changed through the API: %s", fl->undos->text);
            fleet_add_event(fl, false, "config", "changed", "", fl->config_path, fl->undos->text);
            fleet_config_written(fl);
        }
    }
    change_list_fini(&l);
    return rc;
}

int fleet_undo_all(struct fleet *fl, bool dry_run, struct fleet_change_result *ret, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct undo *u = fleet_undo_find(fl, "");
    if (!u)
        return fault_set(f, FAULT_CONFLICT, "nothing to undo: there is no change of "
                         "docker_isolation by mcptop that was not taken back");
    fleet_config_catch_up(fl);
    buf_add(&from, fl->text, fl->text_len);
    int rc = fleet_undo_try(u, &from, &l, &to, f);
    if (rc == 0)
        rc = try_all(fl, &l, &from, &to, ret, f);
    if (rc == 0 && !dry_run)
        rc = fleet_edit_write(fl, NULL, &l, &from, &to, f);
    change_list_fini(&l);
    if (rc < 0 || dry_run)
        return rc;
    log_info("config", "docker_isolation: taken back through the API: %s", u->back_text);
    fleet_add_event(fl, false, "config", "taken back", "", fl->config_path, u->back_text);
    fleet_undo_drop(fl, u);
    fleet_config_written(fl);
    return 0;
}
