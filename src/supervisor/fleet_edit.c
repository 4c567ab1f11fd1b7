/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From what is asked for to keys of the file, tried on a copy of the text: does it parse, does the
 * plan become what was asked for, does the memory suffice for what runs. Writes only in
 * fleet_edit_write. */
#include "supervisor/fleet_edit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"
#include "config/conceal.h"
#include "config/edit.h"
#include "config/units.h"

void change_list_add(struct change_list *l, const char *path, const char *json)
{
    assert(l->n < CHANGE_KEYS_MAX);
    l->v[l->n++] = (struct key_change){ xstrdup(path), xstrdup(json) };
}

static void change_list_add_text(struct change_list *l, const char *path, const char *value)
{
    AUTO_BUF struct buf json = BUF_INIT;
    buf_add_json(&json, value, strlen(value));
    change_list_add(l, path, buf_str(&json));
}

void change_list_fini(struct change_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].path);
        free(l->v[i].json);
    }
    l->n = 0;
}

/* ---- from what is asked for to keys -------------------------------------------------------- */

int fleet_edit_check_values(const struct fleet_change *c, struct fault *f)
{
    int64_t ignored;
    if (c->isolation && strcmp(c->isolation, "docker") != 0 && strcmp(c->isolation, "none") != 0)
        return fault_set(f, FAULT_INVALID, "isolation is \"docker\" or \"none\", not \"%.80s\"",
                         c->isolation);
    if (c->memory && units_memory(c->memory, &ignored, f) < 0)
        return fault_wrap(f, "memory");
    if (c->cpus && units_cpus(c->cpus, &ignored, f) < 0)
        return fault_wrap(f, "cpus");
    if (c->pids && units_pids(c->pids, &ignored, f) < 0)
        return fault_wrap(f, "pids");
    if (c->total_memory && units_memory(c->total_memory, &ignored, f) < 0)
        return fault_wrap(f, "total_memory");
    if (c->network && (!*c->network || strlen(c->network) > 128 || strpbrk(c->network, " \t\r\n/")))
        return fault_set(f, FAULT_INVALID,
                         "\"%.80s\" is no network: use bridge, none, host or a network's name",
                         c->network);
    return 0;
}

static void list_limits(const struct fleet_change *c, const char *object, struct change_list *l)
{
    const struct { const char *key, *value;
    } texts[] = { { "memory_limit", c->memory }, { "cpu_limit", c->cpus },
                  { "network_mode", c->network }, { "total_memory", c->total_memory } };
    int64_t pids;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_FREE char *path = xasprintf("%s.%s", object, texts[i].key);
        if (texts[i].value)
            change_list_add_text(l, path, texts[i].value);
    }
    if (c->pids && units_pids(c->pids, &pids, NULL) == 0) {
        AUTO_FREE char *path = xasprintf("%s.pids_limit", object);
        AUTO_FREE char *number = xasprintf("%lld", (long long)pids);
        change_list_add(l, path, number);
    }
}

/* Keys that were named one by one. */
static int list_single_keys(const struct fleet *fl, const struct server *s,
                            const struct fleet_change *c, struct change_list *l, struct fault *f)
{
    struct kvvec keys = { 0 };
    int rc = fleet_keys_resolve(fl->text, fl->text_len, s->name, c->keys, c->key_count, &keys, f);
    for (size_t i = 0; rc == 0 && i < keys.n; i++)
        change_list_add(l, keys.v[i].key, keys.v[i].value);
    kvvec_fini(&keys);
    return rc;
}

int fleet_edit_list_keys(const struct fleet *fl, const struct server *s,
                         const struct fleet_change *c, struct change_list *l, struct fault *f)
{
    if (s && c->isolation) {
        const char *path, *json;
        plan_isolation_key(fl->config, s->config, strcmp(c->isolation, "docker") == 0, &path,
                           &json);
        change_list_add(l, path, json);
    }
    list_limits(c, s ? "isolation" : "docker_isolation", l);
    if (s && c->enabled != TRI_UNSET)
        change_list_add(l, "enabled", c->enabled == TRI_YES ? "true" : "false");
    l->single_keys = s && c->key_count;
    return l->single_keys ? list_single_keys(fl, s, c, l, f) : 0;
}

/* ---- trying it ------------------------------------------------------------------------------- */

int fleet_edit_apply(const char *text, size_t len, const char *server,
                      const struct change_list *l, struct buf *out, struct fault *f)
{
    buf_clear(out);
    if (!l->n)
        buf_add(out, text, len);
    for (size_t i = 0; i < l->n; i++) {
        AUTO_BUF struct buf next = BUF_INIT;
        if (edit_text(i ? buf_str(out) : text, i ? out->len : len, server, l->v[i].path,
                      l->v[i].json, &next, f) < 0)
            return -1;
        struct buf swap = *out;
        *out = next;
        next = swap;
    }
    return 0;
}

static int first_error(const struct fleet *fl, const struct problems *p, struct fault *f)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->v[i].severity == PROBLEM_ERROR)
            return fault_set(f, FAULT_CONFIG, "%s:%d: %s%s%s", fl->config_path, p->v[i].line,
                             p->v[i].key, *p->v[i].key ? ": " : "", p->v[i].text);
    return fault_set(f, FAULT_CONFIG, "%s cannot be read", fl->config_path);
}

int fleet_edit_check_file(const struct fleet *fl, struct fault *f)
{
    if (fleet_config_is_missing(fl))
        return fault_set(f, FAULT_CONFLICT,
                         "nothing is changed: %s does not exist any more, put it back first",
                         fl->config_path);
    if (!fl->problems.errors)
        return 0;
    first_error(fl, &fl->problems, f);
    f->code = FAULT_CONFLICT;
    return fault_wrap(f, "nothing is changed in a configuration with errors, repair it first");
}

struct config *fleet_edit_parse(const struct fleet *fl, const struct buf *text, struct fault *f)
{
    struct problems problems = { 0 };
    const struct config_before before = fleet_config_before(fl);
    struct config *c = config_parse_after(&before, fl->config_path, buf_str(text), text->len,
                                          &problems);
    if (!c) {
        first_error(fl, &problems, f);
    } else {
        c->engine = fleet_engine_kind(fl);
        c->client = fl->config ? fl->config->client : NULL;
    }
    problems_fini(&problems);
    return c;
}

struct plan *fleet_edit_plan(const struct fleet *fl, const struct server *s, const struct buf *text,
                             struct fault *f)
{
    struct plan *plan = NULL;
    struct config *c = fleet_edit_parse(fl, text, f);
    const struct config_server *cs = c ? config_find(c, s->name) : NULL;
    if (c && !cs)
        fault_set(f, FAULT_NOT_FOUND, "%s has no server \"%s\" any more", fl->config_path, s->name);
    else if (c)
        plan = plan_make(c, cs, s->runner, NULL);
    config_free(c);
    return plan;
}

static bool asks_isolation(const struct fleet_change *c)
{
    return c->isolation || c->memory || c->cpus || c->pids || c->network;
}

/* Another key may win (extra_args), or nothing may help (a command that is docker itself): say
 * so instead of writing in vain. */
int fleet_edit_check_effect(const struct fleet_change *c, const struct plan *p, struct fault *f)
{
    int64_t value;
    if (p->mode == PLAN_UNSUPPORTED && asks_isolation(c))
        return fault_set(f, FAULT_CONFLICT, "%s", p->unsupported);
    if (c->isolation && (p->mode == PLAN_DOCKER) != (strcmp(c->isolation, "docker") == 0))
        return fault_set(f, FAULT_CONFLICT, "it would still run %s: %s",
                         p->mode == PLAN_DOCKER ? "in docker" : "on the host", plan_why(p, "mode"));
    if (p->mode != PLAN_DOCKER)
        return 0;
    if (c->memory && units_memory(c->memory, &value, NULL) == 0 && value != p->memory_bytes)
        return fault_set(f, FAULT_CONFLICT, "the memory limit would still be %s: %s",
                         p->memory_text ? p->memory_text : "none", plan_why(p, "memory_limit"));
    if (c->cpus && units_cpus(c->cpus, &value, NULL) == 0 && value != p->nano_cpus)
        return fault_set(f, FAULT_CONFLICT, "the CPU limit would still be %s: %s",
                         p->cpu_text ? p->cpu_text : "none", plan_why(p, "cpu_limit"));
    if (c->pids && units_pids(c->pids, &value, NULL) == 0 && value != p->pids_limit)
        return fault_set(f, FAULT_CONFLICT, "the limit of processes would still be %lld: %s",
                         (long long)p->pids_limit, plan_why(p, "pids_limit"));
    if (c->network && p->network_mode && strcmp(c->network, p->network_mode) != 0)
        return fault_set(f, FAULT_CONFLICT, "the network would still be %s: %s", p->network_mode,
                         plan_why(p, "network_mode"));
    return 0;
}

bool fleet_edit_is_running(const struct server *s)
{
    bool any = s->backend && s->state != SERVER_STOPPING;
    for (size_t i = 0; i < s->member_count && !any; i++)
        any = fleet_edit_is_running(s->members[i]);
    return any;
}

/* Below what is in use cgroup v1 refuses the change and v2 may kill: refuse it before the file
 * is written. */
static int check_memory(const struct server *s, const struct plan *p, struct fault *f)
{
    char want[16], used[16];
    if (!fleet_edit_is_running(s) || s->plan->mode != PLAN_DOCKER ||
        plan_change(s->plan, p) != PLAN_LIVE || !s->usage.known || !p->memory_bytes ||
        p->memory_bytes == s->plan->memory_bytes || p->memory_bytes >= s->usage.memory_bytes)
        return 0;
    return fault_set(f, FAULT_CONFLICT,
                     "memory %s is below what %s uses now (%s): more, or stop it first",
                     text_size(p->memory_bytes, want, sizeof want), s->name,
                     text_size(s->usage.memory_bytes, used, sizeof used));
}

/* The engine would create no container with it, so a server that runs would not come back. */
static int check_cpus(const struct server *s, const struct plan *p, struct fault *f)
{
    int cpus = containers_get_cpus(s->fleet->containers);
    if (p->mode != PLAN_DOCKER || cpus == 0 || p->nano_cpus == s->plan->nano_cpus ||
        p->nano_cpus <= cpus * INT64_C(1000000000))
        return 0;
    return fault_set(f, FAULT_INVALID,
                     "cpus %s is more than the engine's machine has (%d): choose at most that",
                     p->cpu_text, cpus);
}

/* Between these two of its flags a memory limit has to be: as with cpus, no container would be
 * created otherwise, whatever the engine says of the one that runs. */
static int check_memory_flags(const struct server *s, const struct plan *p, struct fault *f)
{
    char want[16], bound[16];
    const char *reserved = plan_option(p, "memory-reservation");
    int64_t least = reserved ? text_parse_size(reserved) : 0, most = p->memory_swap_bytes;
    bool above = most > 0 && p->memory_bytes > most;
    if (p->mode != PLAN_DOCKER || !p->memory_bytes || p->memory_bytes == s->plan->memory_bytes ||
        (!above && p->memory_bytes >= least))
        return 0;
    return fault_set(f, FAULT_CONFLICT, "memory %s is %s its %s (%s): the engine would make no "
                     "container, change that flag first",
                     text_size(p->memory_bytes, want, sizeof want), above ? "above" : "below",
                     above ? "--memory-swap" : "--memory-reservation",
                     text_size(above ? most : least, bound, sizeof bound));
}

/* Nothing would be killed, but nothing could be started in it any more either. */
static int check_pids(const struct server *s, const struct plan *p, struct fault *f)
{
    if (!fleet_edit_is_running(s) || s->plan->mode != PLAN_DOCKER ||
        plan_change(s->plan, p) != PLAN_LIVE || !s->usage.known || !p->pids_limit ||
        p->pids_limit == s->plan->pids_limit || p->pids_limit >= s->usage.pids)
        return 0;
    return fault_set(f, FAULT_CONFLICT,
                     "pids %lld is below what %s has now (%d processes and threads): choose more, "
                     "or stop it first", (long long)p->pids_limit, s->name, (int)s->usage.pids);
}

int fleet_edit_check_limits(const struct server *s, const struct plan *p, struct fault *f)
{
    for (size_t i = 0; i < s->member_count; i++)
        if (fleet_edit_check_limits(s->members[i], p, f) < 0)
            return -1;
    return check_memory(s, p, f) < 0 || check_memory_flags(s, p, f) < 0 ||
           check_pids(s, p, f) < 0 || check_cpus(s, p, f) < 0 ? -1 : 0;
}

int fleet_edit_write(struct fleet *fl, const char *server, const struct change_list *l,
                      struct buf *from, struct buf *to, struct fault *f)
{
    struct edit_change changes[CHANGE_KEYS_MAX];
    for (size_t i = 0; i < l->n; i++)
        changes[i] = (struct edit_change){ l->v[i].path, l->v[i].json };
    return edit_file_tried(fl->config_path, server, changes, l->n, from, to, f);
}

void fleet_edit_diff(const struct buf *from, const struct buf *to, struct buf *ret)
{
    enum { CONTEXT = 2 };
    conceal_diff(from, to, CONTEXT, ret);
}
