/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration and the servers made from it: read at the start, when the file was written
 * or touched, and when asked. A broken file changes nothing but the problems that are shown; at the
 * start, when there is nothing to keep, the servers without an error are taken. */
#include "supervisor/fleet_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/server_private.h"

static void log_problems(const struct fleet *fl)
{
    for (size_t i = 0; i < fl->problems.n; i++) {
        const struct problem *p = &fl->problems.v[i];
        log_write(p->severity == PROBLEM_ERROR ? LOG_ERROR_ : LOG_WARN_, "config", NULL,
                  "%s:%d: %s%s%s", fl->config_path, p->line,
                  p->key, *p->key ? ": " : "", p->text);
    }
}

/* What the plans find wrong (extra_args, volumes) is a problem of the file too. Where they found
 * nothing before, they find nothing in the same bytes. */
static void add_plan_problems(struct fleet *fl, struct config *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        struct config_server *s = &c->servers[i];
        size_t told = fl->problems.n;
        if (s->same_as)
            continue;
        plan_free(plan_make(c, s, RUNNER_UNKNOWN, &fl->problems));
        s->has_problems = s->has_problems || fl->problems.n > told;
    }
}

struct log_name { char *file; const struct config_server *of; };

static int compare_log_names(const void *a, const void *b)
{
    return strcmp(((const struct log_name *)a)->file, ((const struct log_name *)b)->file);
}

/* "a b" and "a/b" have one file name. */
static void add_shared_logs(struct fleet *fl, const struct config *c)
{
    struct log_name *v = xcalloc(c->server_count + 1, sizeof *v);
    for (size_t i = 0; i < c->server_count; i++)
        v[i] = (struct log_name){ logstore_file_name(c->servers[i].name), &c->servers[i] };
    qsort(v, c->server_count, sizeof *v, compare_log_names);
    for (size_t i = 1; i < c->server_count; i++)
        if (compare_log_names(&v[i - 1], &v[i]) == 0)
            problems_add(&fl->problems, PROBLEM_WARNING, v[i].of->line, v[i].of->key,
                         "writes the same log file as server \"%s\", %s: give one of them another "
                         "name", v[i - 1].of->name, v[i].file);
    for (size_t i = 0; i < c->server_count; i++)
        free(v[i].file);
    free(v);
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What was opened at the start stays as it is. c NULL: there was no good file, so defaults. */
static void warn_of_fixed(struct fleet *fl, const struct config *c)
{
    const struct { const char *key, *value; } fixed[FLEET_FIXED_MAX] = {
        { "listen", c ? c->listen : NULL }, { "data_dir", c ? c->data_dir : NULL },
        { "logging.log_dir", c ? c->log_dir : NULL },
    };
    for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
        if (!fl->started)
            fl->at_start[i] = fixed[i].value ? xstrdup(fixed[i].value) : NULL;
        else if (c && !same_text(fl->at_start[i], fixed[i].value))
            problems_add(&fl->problems, PROBLEM_WARNING, 0, fixed[i].key, "%s",
                         "was changed and counts from the next start: mcptop shutdown, then "
                         "mcptop");
    }
    fl->started = true;
}

static bool same_enabled(const struct config_server *a, const struct config_server *b)
{
    return (a->enabled == TRI_NO) == (b->enabled == TRI_NO);
}

static void retire_missing(struct fleet *fl, const struct config *c)
{
    for (size_t i = fl->count; i-- > 0;)
        if (!config_find(c, fl->servers[i]->name))
            fleet_retire(fl, fl->servers[i], "it is not in the configuration any more");
}

static void set_log_level(const struct config *c)
{
    enum log_level level = LOG_INFO_;
    if (c->log_level)
        log_level_parse(c->log_level, &level);
    log_set_level(level);
}

/* What plans and findings say of lines is said anew, turn by turn: nothing else waits for it. */
static void on_moved(struct ev_loop *loop, ev_timer *w, int revents)
{
    enum { IN_ONE_TURN = 20 };
    struct fleet *fl = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    size_t todo = IN_ONE_TURN;
    for (size_t i = 0; i < fl->count && todo; i++)
        if (fl->servers[i]->p->moved) {
            server_reconfigure(fl->servers[i], fl->servers[i]->config, false);
            todo--;
        }
    if (!todo)
        ev_timer_start(loop, w);
}

/* Its bytes are what they were, and so are those of what it inherits. */
static void stay(struct server *s, const struct config_server *config, bool lines_moved)
{
    s->p->moved = s->p->moved || lines_moved || s->config->line != config->line;
    if (s->p->moved && !ev_is_active(&s->fleet->moved))
        ev_timer_start(s->fleet->loop, &s->fleet->moved);
    s->config = config;
    for (size_t i = 0; i < s->member_count; i++)
        if (s->members[i]->config)
            s->members[i]->config = config;
}

static bool same_lines(const struct config *a, const struct config *b)
{
    return memcmp(a->docker_isolation.line, b->docker_isolation.line,
                  sizeof a->docker_isolation.line) == 0;
}

/* Makes the list of servers that of c, in its order; those that stay keep running unless their
 * plan changed. */
static void apply(struct fleet *fl, struct config *c)
{
    struct config *old = fl->config;
    bool lines_moved = old && !same_lines(old, c);
    retire_missing(fl, c);
    c->client = fleet_client_defaults(fl);
    fl->config = c;
    set_log_level(c);
    struct server **list = xcalloc(c->server_count + 1, sizeof *list);
    bool *kept = xcalloc(c->server_count + 1, sizeof *kept);
    for (size_t i = 0; i < fl->count; i++)
        list[config_find(c, fl->servers[i]->name) - c->servers] = fl->servers[i];
    free(fl->servers);
    fl->servers = list;
    fl->count = c->server_count;
    fl->generation++;
    for (size_t i = 0; i < c->server_count; i++) {
        kept[i] = list[i] != NULL;
        if (!kept[i])
            list[i] = server_new(fl, &c->servers[i]);
    }
    /* Only now, with the list whole, may anything be told to anybody. */
    for (size_t i = 0; i < c->server_count; i++) {
        struct server *s = fl->servers[i];
        if (kept[i] && c->servers[i].same_as)
            stay(s, &c->servers[i], lines_moved);
        else if (kept[i])
            server_reconfigure(s, &c->servers[i], !same_enabled(s->config, &c->servers[i]));
        else
            fleet_server_changed(fl, s);
    }
    free(kept);
    if (old)
        config_take_over(c, old);
    config_free(old);
    fleet_begin_soon(fl);
}

static struct file_seen look(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct file_seen){ 0 };
    return (struct file_seen){ true, st.st_dev, st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct file_seen *a, const struct file_seen *b)
{
    return a->there && b->there && a->device == b->device && a->inode == b->inode &&
        a->size == b->size && same_time(&a->changed, &b->changed) &&
        same_time(&a->touched, &b->touched);
}

/* The file could not be used: what was read before stays, if anything was. */
static void keep(struct fleet *fl)
{
    const char *then = fl->config ? "what was read before stays in force" : NULL;
    const struct problems *p = &fl->problems;
    log_problems(fl);
    if (fleet_config_is_missing(fl))
        log_warn("config", "%s does not exist: %s", fl->config_path, then ? then
                 : "no servers until it is written");
    else
        log_error("config", "%s has %zu errors: %s", fl->config_path, p->errors, then ? then
                  : "no servers until they are repaired");
    fleet_add_event(fl, false, "config", fleet_config_is_missing(fl) ? "missing" : "broken", "",
                    fl->config_path, p->n ? p->v[0].text : "");
    fleet_status_changed(fl);
}

struct config_before fleet_config_before(const struct fleet *fl)
{
    /* An error of a key that all inherit is told once, with the first server that has it. */
    bool usable = !fl->broken && !fl->problems.errors && fl->read_for == fleet_engine_kind(fl);
    return (struct config_before){ usable ? fl->config : NULL, fl->text, fl->text_len };
}

/* whole: what did not change in the file is planned again, too. */
static void reload(struct fleet *fl, bool whole)
{
    char *text = NULL;
    size_t len = 0;
    if (fl->stopping)
        return;
    struct config_before before = fleet_config_before(fl);
    if (whole)
        before.config = NULL;
    problems_fini(&fl->problems);
    fl->seen = look(fl->config_path);     /* before it is read: what comes later is another one */
    struct config *c = config_load(fl->config_path, !fl->config, &before, &fl->problems, &text,
                                   &len);
    warn_of_fixed(fl, c);
    fl->broken = !c;
    if (c) {
        c->engine = fl->read_for = fleet_engine_kind(fl);
        add_plan_problems(fl, c);
        add_shared_logs(fl, c);
    }
    if (!c) {
        free(text);
        keep(fl);
        return;
    }
    bool same = fl->config && len == fl->text_len && memcmp(text, fl->text, len) == 0;
    free(fl->text);
    fl->text = text;
    fl->text_len = len;
    fl->loaded_wall_ms = clock_wall_ms();
    log_info("config", "%s read: %zu servers, %zu warnings%s", fl->config_path, c->server_count,
             fl->problems.n - fl->problems.errors, same ? ", nothing changed" : "");
    if (!same)
        log_problems(fl);
    /* Also when it reads the same: ${env:X} and what stands outside the file are as they were,
     * and what has not changed is not touched. */
    apply(fl, c);
    if (!same)
        fleet_add_event(fl, false, "config", "read", "", fl->config_path, "");
    fleet_status_changed(fl);
}

void fleet_reload(struct fleet *fl)
{
    reload(fl, true);
}

void fleet_config_written(struct fleet *fl)
{
    reload(fl, false);
}

void fleet_config_catch_up(struct fleet *fl)
{
    struct file_seen now = look(fl->config_path);
    if (!same_file(&fl->seen, &now))
        reload(fl, false);
}

/* What was written through the API has been read by then. */
static void on_file_changed(void *ctx)
{
    fleet_config_catch_up(ctx);
}

void fleet_config_start(struct fleet *fl)
{
    ev_timer_init(&fl->moved, on_moved, 0., 0.);
    fl->moved.data = fl;
    struct fault f = FAULT_NONE;
    fl->watch = watch_new(fl->loop, fl->config_path, on_file_changed, fl, &f);
    if (!fl->watch)
        log_warn("config", "%s is not watched, send SIGHUP after a change: %s", fl->config_path,
                 f.text);
    fleet_reload(fl);
}

void fleet_config_stop(struct fleet *fl)
{
    ev_timer_stop(fl->loop, &fl->moved);
    watch_free(fl->watch);
    fl->watch = NULL;
    for (size_t i = 0; i < FLEET_FIXED_MAX; i++)
        free(TAKE(fl->at_start[i]));     /* stopped twice: by a shutdown, and at the end */
}
