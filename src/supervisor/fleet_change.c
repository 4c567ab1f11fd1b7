/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes asked for by key or verb: tried on a copy of the text first (does it parse, does the
 * plan become what was asked for, does the memory suffice for what runs), then written to the
 * file, then applied as any other change of the file is. Undo puts back the values of exactly
 * the keys that a change touched. */
#include "supervisor/fleet_private.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/diff.h"
#include "config/edit.h"
#include "config/units.h"

enum { KEYS_MAX = 8, UNDO_MAX = 64, DIFF_CONTEXT = 2 };

/* One key and the value it gets; json NULL = it is removed. */
struct key_change { char *path, *json; };
struct change_list { struct key_change v[KEYS_MAX]; size_t n; };

struct undo {
    char *server;
    char *text;                  /* "memory_limit 512m → 1g" */
    struct change_list back;
    /* the change made the server's isolation object: it goes when it is empty again */
    bool made_isolation;
    struct undo *next;
};

static void list_add(struct change_list *l, const char *path, const char *json)
{
    l->v[l->n++] = (struct key_change){ xstrdup(path), xstrdup(json) };
}

static void list_add_text(struct change_list *l, const char *path, const char *value)
{
    struct buf json = BUF_INIT;
    buf_add_json(&json, value, strlen(value));
    list_add(l, path, buf_str(&json));
    buf_fini(&json);
}

static void list_fini(struct change_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->v[i].path);
        free(l->v[i].json);
    }
    l->n = 0;
}

/* ---- from what is asked for to keys -------------------------------------------------------- */

static int check_values(const struct fleet_change *c, struct fault *f)
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
    if (c->network && (!*c->network || strlen(c->network) > 128 || strpbrk(c->network, " \t\r\n/")))
        return fault_set(f, FAULT_INVALID,
                         "\"%.80s\" is no network: use bridge, none, host or a network's name",
                         c->network);
    return 0;
}

static void list_keys(struct fleet *fl, const struct server *s, const struct fleet_change *c,
                      struct change_list *l)
{
    if (c->isolation) {
        const char *path, *json;
        plan_isolation_key(fl->config, s->config, strcmp(c->isolation, "docker") == 0, &path,
                           &json);
        list_add(l, path, json);
    }
    if (c->memory)
        list_add_text(l, "isolation.memory_limit", c->memory);
    if (c->cpus)
        list_add_text(l, "isolation.cpu_limit", c->cpus);
    int64_t pids;
    if (c->pids && units_pids(c->pids, &pids, NULL) == 0) {
        AUTO_FREE char *number = xasprintf("%lld", (long long)pids);
        list_add(l, "isolation.pids_limit", number);
    }
    if (c->network)
        list_add_text(l, "isolation.network_mode", c->network);
    if (c->enabled != TRI_UNSET)
        list_add(l, "enabled", c->enabled == TRI_YES ? "true" : "false");
}

/* ---- trying it ------------------------------------------------------------------------------- */

static int apply_keys(const char *text, size_t len, const char *server,
                      const struct change_list *l, struct buf *out, struct fault *f)
{
    buf_clear(out);
    buf_add(out, text, len);
    for (size_t i = 0; i < l->n; i++) {
        AUTO_BUF struct buf next = BUF_INIT;
        if (edit_text(buf_str(out), out->len, server, l->v[i].path, l->v[i].json, &next, f) < 0)
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
            return fault_set(f, FAULT_CONFIG, "%s:%d: %s: %s", fl->config_path, p->v[i].line,
                             p->v[i].key, p->v[i].text);
    return fault_set(f, FAULT_CONFIG, "%s cannot be read", fl->config_path);
}

/* The plan that the server would have by this text. NULL with *f set. */
static struct plan *plan_by_text(const struct fleet *fl, const struct server *s,
                                 const struct buf *text, struct fault *f)
{
    struct problems problems = { 0 };
    struct plan *plan = NULL;
    struct config *c = config_parse(fl->config_path, buf_str(text), text->len, NULL, NULL,
                                    &problems);
    const struct config_server *cs = c ? config_find(c, s->name) : NULL;
    if (!c)
        first_error(fl, &problems, f);
    else if (!cs)
        fault_set(f, FAULT_NOT_FOUND, "%s has no server \"%s\" any more", fl->config_path, s->name);
    else
        plan = plan_make(c, cs, s->runner, NULL);
    config_free(c);
    problems_fini(&problems);
    return plan;
}

static const char *why_of(const struct plan *p, const char *what)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].what, what) == 0)
            return p->notes[i].why;
    return "another key of the configuration decides it";
}

static bool asks_isolation(const struct fleet_change *c)
{
    return c->isolation || c->memory || c->cpus || c->pids || c->network;
}

/* Another key may win (extra_args), or nothing may help (a command that is docker itself): say
 * so instead of writing in vain. */
static int check_effect(const struct fleet_change *c, const struct plan *p, struct fault *f)
{
    int64_t value;
    if (p->mode == PLAN_UNSUPPORTED && asks_isolation(c))
        return fault_set(f, FAULT_CONFLICT, "%s", p->unsupported);
    if (c->isolation && (p->mode == PLAN_DOCKER) != (strcmp(c->isolation, "docker") == 0))
        return fault_set(f, FAULT_CONFLICT, "it would still run %s: %s",
                         p->mode == PLAN_DOCKER ? "in docker" : "on the host", why_of(p, "mode"));
    if (p->mode != PLAN_DOCKER)
        return 0;
    if (c->memory && units_memory(c->memory, &value, NULL) == 0 && value != p->memory_bytes)
        return fault_set(f, FAULT_CONFLICT, "the memory limit would still be %s: %s",
                         p->memory_text ? p->memory_text : "none", why_of(p, "memory_limit"));
    if (c->cpus && units_cpus(c->cpus, &value, NULL) == 0 && value != p->nano_cpus)
        return fault_set(f, FAULT_CONFLICT, "the CPU limit would still be %s: %s",
                         p->cpu_text ? p->cpu_text : "none", why_of(p, "cpu_limit"));
    if (c->pids && units_pids(c->pids, &value, NULL) == 0 && value != p->pids_limit)
        return fault_set(f, FAULT_CONFLICT, "the limit of processes would still be %lld: %s",
                         (long long)p->pids_limit, why_of(p, "pids_limit"));
    if (c->network && p->network_mode && strcmp(c->network, p->network_mode) != 0)
        return fault_set(f, FAULT_CONFLICT, "the network would still be %s: %s", p->network_mode,
                         why_of(p, "network_mode"));
    return 0;
}

static bool is_running(const struct server *s)
{
    return s->backend && s->state != SERVER_STOPPING;
}

/* Below what is in use cgroup v1 refuses the change and v2 may kill: refuse it before the file
 * is written. */
static int check_memory(const struct server *s, const struct plan *p, struct fault *f)
{
    char want[16], used[16];
    if (!is_running(s) || s->plan->mode != PLAN_DOCKER || p->hash != s->plan->hash ||
        !s->usage.known || !p->memory_bytes ||
        p->memory_bytes == s->plan->memory_bytes || p->memory_bytes >= s->usage.memory_bytes)
        return 0;
    return fault_set(f, FAULT_CONFLICT,
                     "memory %s is below what %s uses now (%s): choose more, or stop it first",
                     text_size(p->memory_bytes, want, sizeof want), s->name,
                     text_size(s->usage.memory_bytes, used, sizeof used));
}

/* The engine would create no container with it, so a server that runs would not come back. */
static int check_cpus(const struct server *s, const struct plan *p, struct fault *f)
{
    int cpus = containers_get_cpus(s->fleet->containers);
    if (p->mode != PLAN_DOCKER || cpus == 0 || p->nano_cpus <= cpus * INT64_C(1000000000))
        return 0;
    return fault_set(f, FAULT_INVALID, "cpus %s is more than the engine's machine has (%d): choose at most that",
                     p->cpu_text, cpus);
}

/* Nothing would be killed, but nothing could be started in it any more either. */
static int check_pids(const struct server *s, const struct plan *p, struct fault *f)
{
    if (!is_running(s) || s->plan->mode != PLAN_DOCKER || p->hash != s->plan->hash ||
        !s->usage.known || !p->pids_limit ||
        p->pids_limit == s->plan->pids_limit || p->pids_limit >= s->usage.pids)
        return 0;
    return fault_set(f, FAULT_CONFLICT,
                     "pids %lld is below what %s has now (%d processes and threads): choose more, "
                     "or stop it first", (long long)p->pids_limit, s->name, (int)s->usage.pids);
}

static int check_limits(const struct server *s, const struct plan *p, struct fault *f)
{
    return check_memory(s, p, f) < 0 || check_pids(s, p, f) < 0 || check_cpus(s, p, f) < 0 ? -1 : 0;
}

static enum change_applied what_follows(const struct server *s, const struct plan *p,
                                        bool enabled_changes)
{
    if (enabled_changes)
        return CHANGE_RESTART;
    if (s->wanted != WANTED_UP)
        return CHANGE_NONE;
    if (p->hash != s->plan->hash)
        return CHANGE_RESTART;
    return p->live_hash != s->plan->live_hash && is_running(s) ? CHANGE_LIVE : CHANGE_NONE;
}

void fleet_change_result_fini(struct fleet_change_result *r)
{
    buf_fini(&r->diff);
    strvec_fini(&r->sentences);
    plan_free(r->plan);
    *r = (struct fleet_change_result){ 0 };
}

static void fill_result(const struct server *s, struct plan *p, bool enabled_changes,
                        const struct buf *from, const struct buf *to,
                        struct fleet_change_result *ret)
{
    ret->applied = what_follows(s, p, enabled_changes);
    diff_text(buf_str(from), from->len, buf_str(to), to->len, DIFF_CONTEXT, &ret->diff);
    plan_compare(s->plan, p, &ret->sentences);
    if (p->mode == PLAN_DOCKER && s->plan->mode != PLAN_DOCKER &&
        containers_get_state(s->fleet->containers) == CONTAINERS_DOWN)
        strvec_addf(&ret->sentences, "It would wait for an engine, because none answers now: %s.",
                    containers_get_error(s->fleet->containers));
    if (!ret->sentences.n && !enabled_changes && p->mode == PLAN_HOST)
        strvec_add(&ret->sentences, "No effect while it runs on the host: "
                                    "limits and network are a container's.");
    ret->plan = p;
}

/* ---- writing it ------------------------------------------------------------------------------ */

static int write_keys(struct fleet *fl, const char *server, const struct change_list *l,
                      struct buf *from, struct buf *to, struct fault *f)
{
    struct edit_change changes[KEYS_MAX];
    for (size_t i = 0; i < l->n; i++)
        changes[i] = (struct edit_change){ l->v[i].path, l->v[i].json };
    return edit_file(fl->config_path, server, changes, l->n, from, to, f);
}

/* ---- undo ------------------------------------------------------------------------------------ */

static void undo_free(struct undo *u)
{
    list_fini(&u->back);
    free(u->server);
    free(u->text);
    free(u);
}

void fleet_undo_free(struct fleet *fl)
{
    while (fl->undos) {
        struct undo *u = fl->undos;
        fl->undos = u->next;
        undo_free(u);
    }
}

static struct undo *find_undo(const struct fleet *fl, const char *server)
{
    for (struct undo *u = fl->undos; u; u = u->next)
        if (strcmp(u->server, server) == 0)
            return u;
    return NULL;
}

static void drop_undo(struct fleet *fl, struct undo *gone)
{
    for (struct undo **p = &fl->undos; *p; p = &(*p)->next)
        if (*p == gone) {
            *p = gone->next;
            undo_free(gone);
            return;
        }
}

/* What a key meant before, for people: its own value, or what was in force without it. */
static const char *value_before(const struct plan *p, const char *path, const char *raw)
{
    if (strcmp(path, "isolation.enabled") == 0 || strcmp(path, "isolation.mode") == 0)
        return plan_mode_name(p->mode);
    if (raw)
        return raw;
    if (strcmp(path, "isolation.memory_limit") == 0)
        return p->memory_text ? p->memory_text : "none";
    if (strcmp(path, "isolation.cpu_limit") == 0)
        return p->cpu_text ? p->cpu_text : "none";
    if (strcmp(path, "isolation.pids_limit") == 0)
        return "none";
    if (strcmp(path, "isolation.network_mode") == 0)
        return p->network_mode ? p->network_mode : "none";
    return "true";
}

static const char *value_after(const char *path, const char *json)
{
    if (strcmp(path, "isolation.enabled") == 0)
        return strcmp(json, "true") == 0 ? "docker" : "host";
    if (strcmp(path, "isolation.mode") == 0)
        return strcmp(json, "\"docker\"") == 0 ? "docker" : "host";
    return json;
}

static const char *short_key(const char *path)
{
    if (strcmp(path, "isolation.enabled") == 0 || strcmp(path, "isolation.mode") == 0)
        return "isolation";
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

static void add_unquoted(struct buf *b, const char *json)
{
    size_t n = strlen(json);
    bool quoted = n >= 2 && *json == '"';
    buf_add(b, json + quoted, n - 2 * quoted);
}

static void remember(struct fleet *fl, const struct server *s, const struct plan *before,
                     const struct change_list *l,
                     const struct buf *from)
{
    struct undo *u = xcalloc(1, sizeof *u);
    struct buf text = BUF_INIT, old = BUF_INIT;
    for (size_t i = 0; i < l->n; i++) {
        bool had = edit_get(buf_str(from), from->len, s->name, l->v[i].path, &old, NULL) == 1;
        list_add(&u->back, l->v[i].path, had ? buf_str(&old) : NULL);
        buf_printf(&text, "%s%s ", i ? ", " : "", short_key(l->v[i].path));
        add_unquoted(&text, value_before(before, l->v[i].path, had ? buf_str(&old) : NULL));
        buf_add_str(&text, " → ");
        add_unquoted(&text, value_after(l->v[i].path, l->v[i].json));
    }
    u->server = xstrdup(s->name);
    u->text = buf_take(&text);
    u->made_isolation = edit_get(buf_str(from), from->len, s->name, "isolation", &old, NULL) == 0;
    buf_fini(&old);
    u->next = fl->undos;
    fl->undos = u;
    size_t n = 0;
    for (struct undo *p = fl->undos; p; p = p->next)
        if (++n > UNDO_MAX) {
            drop_undo(fl, p);
            break;
        }
}

const char *fleet_undo_text(const struct fleet *fl, const struct server *s)
{
    const struct undo *u = find_undo(fl, s->name);
    return u ? u->text : "";
}

static bool is_empty_object(const char *json)
{
    return *json == '{' && json[1 + strspn(json + 1, " \t\r\n")] == '}';
}

/* The keys back to what they were, on the text as it is now; the isolation object too if the
 * change had made it and it is empty then. */
static int try_back(const struct undo *u, struct buf *text, struct change_list *l, struct buf *out,
                    struct fault *f)
{
    AUTO_BUF struct buf left = BUF_INIT;
    for (size_t i = 0; i < u->back.n; i++)
        list_add(l, u->back.v[i].path, u->back.v[i].json);
    if (apply_keys(buf_str(text), text->len, u->server, l, out, f) < 0)
        return -1;
    if (!u->made_isolation ||
        edit_get(buf_str(out), out->len, u->server, "isolation", &left, NULL) != 1 ||
        !is_empty_object(buf_str(&left)))
        return 0;
    list_add(l, "isolation", NULL);
    return apply_keys(buf_str(text), text->len, u->server, l, out, f);
}

static void read_text(struct fleet *fl, struct buf *text)
{
    buf_add(text, fl->text, fl->text_len);
}

int fleet_undo(struct fleet *fl, struct server *s, struct fleet_change_result *ret, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct undo *u = find_undo(fl, s->name);
    if (!u)
        return fault_set(f, FAULT_CONFLICT, "nothing to undo: %s was not changed through the API "
                         "since the supervisor started", s->name);
    fleet_reload(fl);
    read_text(fl, &from);
    struct plan *p = NULL;
    if (try_back(u, &from, &l, &to, f) == 0)
        p = plan_by_text(fl, s, &to, f);
    if (!p || check_limits(s, p, f) < 0 || write_keys(fl, s->name, &l, &from, &to, f) < 0) {
        plan_free(p);
        list_fini(&l);
        return -1;
    }
    bool enabled = false;
    for (size_t i = 0; i < l.n; i++)
        enabled = enabled || strcmp(l.v[i].path, "enabled") == 0;
    list_fini(&l);
    fill_result(s, p, enabled, &from, &to, ret);
    fleet_add_event(fl, false, "config", "undo", s->name, fl->config_path, u->text);
    drop_undo(fl, u);
    fleet_reload(fl);
    return 0;
}

/* A start or stop by hand may stand against what the file says all along. */
static void follow_wish(struct fleet *fl, const char *name, enum tri enabled)
{
    struct server *s = fleet_find(fl, name);
    if (s && enabled == TRI_YES && s->wanted == WANTED_DOWN)
        server_start(s);
    if (s && enabled == TRI_NO && s->wanted == WANTED_UP)
        server_stop(s, "disabled in the configuration");
}

int fleet_change(struct fleet *fl, struct server *s, const struct fleet_change *c,
                 struct fleet_change_result *ret, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    struct change_list l = { 0 };
    struct plan *p = NULL;
    if (fl->problems.errors)
        return fault_set(f, FAULT_CONFLICT, "%s has errors: repair it first", fl->config_path);
    if (check_values(c, f) < 0)
        return -1;
    list_keys(fl, s, c, &l);
    read_text(fl, &from);
    bool enabled_changes = c->enabled != TRI_UNSET &&
        (c->enabled == TRI_YES) != (s->wanted == WANTED_UP);
    int rc = apply_keys(buf_str(&from), from.len, s->name, &l, &to, f);
    if (rc == 0)
        rc = (p = plan_by_text(fl, s, &to, f)) ? 0 : -1;
    if (rc == 0)
        rc = check_effect(c, p, f) < 0 || check_limits(s, p, f) < 0 ? -1 : 0;
    if (rc == 0 && !c->dry_run && l.n)
        rc = write_keys(fl, s->name, &l, &from, &to, f);
    if (rc == 0) {
        bool same = from.len == to.len && memcmp(buf_str(&from), buf_str(&to), from.len) == 0;
        fill_result(s, p, enabled_changes, &from, &to, ret);
        if (!same && !c->dry_run) {
            remember(fl, s, s->plan, &l, &from);
            log_info("config", "%s changed through the API: %s", s->name, fl->undos->text);
            fleet_add_event(fl, false, "config", "changed", s->name, fl->config_path,
                            fl->undos->text);
        }
        if (!c->dry_run) {
            AUTO_FREE char *name = xstrdup(s->name);
            fleet_reload(fl);
            follow_wish(fl, name, c->enabled);
        }
    } else {
        plan_free(p);
    }
    list_fini(&l);
    return rc;
}
