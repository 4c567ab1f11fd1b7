/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All servers together: the list, look-ups, observers, the last events, the 1 Hz tick, and the
 * end. Where servers come from stands in fleet_config.c, changes by key in fleet_change.c,
 * containers in containers.c.
 *
 *   begin        starts waiting servers, one a turn of the loop (a spawn costs a millisecond or
 *                two), and frees retired ones
 *   tick         once a second: figures of all
 *   stop_next    while stopping: ends the next container
 *   stop_limit   bounds the orderly end */
#include "supervisor/fleet_edit.h"
#include "supervisor/fleet_private.h"
#include "supervisor/server_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/child.h"
#include "supervisor/instance.h"
#include "supervisor/trial.h"

enum { STOP_LIMIT_S = 20, STOP_LAST_S = 3, STOP_GAP_MS = 100, STOP_ROW_MS = 5000 };

/* ---- observers --------------------------------------------------------------------- */

/* Calls `field` of every observer that has it; an observer may leave from inside. */
#define TELL(fl, field, ...)                                                    \
    for (struct fleet_observer *o_ = (fl)->observers, *next_; o_; o_ = next_) { \
        next_ = o_->next;                                                       \
        if (o_->field)                                                          \
            o_->field(o_->ctx __VA_OPT__(,) __VA_ARGS__);                       \
    }

void fleet_observe(struct fleet *fl, struct fleet_observer *o)
{
    o->next = fl->observers;
    fl->observers = o;
}

void fleet_unobserve(struct fleet *fl, struct fleet_observer *o)
{
    for (struct fleet_observer **p = &fl->observers; *p; p = &(*p)->next)
        if (*p == o) {
            *p = o->next;
            return;
        }
}

static bool is_listed(const struct fleet *fl, const struct server *s)
{
    for (size_t i = 0; i < fl->count; i++)
        if (fl->servers[i] == s)
            return true;
    return false;
}

void fleet_server_changed(struct fleet *fl, struct server *s)
{
    s = server_row(s);
    if (!is_listed(fl, s))
        return;
    s->revision = ++fl->revision;
    TELL(fl, server_changed, s);
    fleet_budget_watch(fl);
}

void fleet_log_more(struct fleet *fl, struct server *s)
{
    if (is_listed(fl, s))
        TELL(fl, log_more, s);
}

void fleet_status_changed(struct fleet *fl)
{
    TELL(fl, status_changed);
}

/* Its successor is well: the post-mortem of the last failed container is not needed any more. */
void fleet_server_ready(struct fleet *fl, struct server *s)
{
    containers_release(fl->containers, server_row_name(s));
}

uint32_t fleet_random(struct fleet *fl)
{
    /* splitmix64 */
    uint64_t z = fl->random += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)(z >> 32);
}

/* ---- events ------------------------------------------------------------------------- */

static void put(char *to, size_t n, const char *from)
{
    snprintf(to, n, "%s", from ? from : "");
}

void fleet_add_event(struct fleet *fl, bool docker, const char *type, const char *action,
                     const char *server, const char *name,
                     const char *detail)
{
    size_t at = (fl->event_first + fl->event_count) % FLEET_EVENTS;
    if (!fl->events[at])
        fl->events[at] = xcalloc(1, sizeof *fl->events[at]);
    if (fl->event_count < FLEET_EVENTS)
        fl->event_count++;
    else
        fl->event_first = (fl->event_first + 1) % FLEET_EVENTS;
    struct fleet_event *e = fl->events[at];
    e->wall_ms = clock_wall_ms();
    e->docker = docker;
    put(e->type, sizeof e->type, type);
    put(e->action, sizeof e->action, action);
    put(e->server, sizeof e->server, server);
    put(e->name, sizeof e->name, name);
    put(e->detail, sizeof e->detail, detail);
    TELL(fl, event, e);
}

size_t fleet_event_count(const struct fleet *fl)
{
    return fl->event_count;
}

const struct fleet_event *fleet_event_at(const struct fleet *fl, size_t i)
{
    assert(i < fl->event_count);
    return fl->events[(fl->event_first + i) % FLEET_EVENTS];
}

static void on_pull_changed(void *ctx, const char *image)
{
    struct fleet *fl = ctx;
    TELL(fl, pull_changed, image);
}

/* ---- containers ----------------------------------------------------------------------- */

static bool on_in_use(void *ctx, const char *id, const char *name)
{
    return fleet_server_of_container(ctx, id, name) != NULL || trial_uses(ctx, id, name);
}

static void on_engine_state(void *ctx)
{
    struct fleet *fl = ctx;
    bool other = fl->config && fl->config->engine != fleet_engine_kind(fl);
    if (other)
        fl->config->engine = fleet_engine_kind(fl);
    for (size_t i = 0; i < fl->count; i++)
        server_engine_changed(fl->servers[i]);
    /* What a plan is depends on whose engine it is. */
    for (size_t i = 0; i < fl->count && other; i++)
        server_reconfigure(fl->servers[i], fl->servers[i]->config, false);
    fleet_status_changed(fl);
}

static void on_container_changed(void *ctx, const struct fleet_container *c)
{
    struct fleet *fl = ctx;
    TELL(fl, container_changed, c);
}

static void on_container_removed(void *ctx, const char *id)
{
    struct fleet *fl = ctx;
    TELL(fl, container_removed, id);
}

/* Execs and health checks of strangers' containers come by the hundred; they say nothing about
 * ours. */
static bool is_worth_showing(const struct engine_event *e)
{
    return strncmp(e->action, "exec_", 5) != 0 && strcmp(e->action, "top") != 0 &&
        strcmp(e->action, "archive-path") != 0 &&
           strcmp(e->action, "attach") != 0 && strcmp(e->action, "resize") != 0;
}

static void on_engine_event(void *ctx, const struct engine_event *e)
{
    struct fleet *fl = ctx;
    struct server *s = strcmp(e->type, "container") == 0
        ? fleet_server_of_container(fl, e->id, e->name) : NULL;
    if (is_worth_showing(e)) {
        char detail[64] = "";
        if (e->exit_code >= 0)
            snprintf(detail, sizeof detail, "exit %d", e->exit_code);
        fleet_add_event(fl, true, e->type, e->action, e->server, e->name, detail);
    }
    if (strcmp(e->type, "image") == 0)
        fleet_image_came(fl, e);
    if (s && strcmp(e->action, "update") == 0)
        usage_probe_refresh(s->p->probe);      /* also where somebody else changed its limits */
    if (s && s->backend->ops->engine_event)
        s->backend->ops->engine_event(s->backend, e);
    else if (!s)
        trial_engine_event(fl, e);
}

/* ---- look-ups -------------------------------------------------------------------------- */

size_t fleet_count(const struct fleet *fl)
{
    return fl->count;
}

struct server *fleet_at(const struct fleet *fl, size_t i)
{
    assert(i < fl->count);
    return fl->servers[i];
}

uint64_t fleet_get_generation(const struct fleet *fl)
{
    return fl->generation;
}

struct server *fleet_find(const struct fleet *fl, const char *name)
{
    for (size_t i = 0; i < fl->count; i++)
        if (strcmp(fl->servers[i]->name, name) == 0)
            return fl->servers[i];
    return NULL;
}

const struct config *fleet_get_config(const struct fleet *fl)
{
    return fl->config;
}

const struct problems *fleet_get_problems(const struct fleet *fl)
{
    return &fl->problems;
}

size_t fleet_get_max_message(const struct fleet *fl)
{
    size_t n = fl->config ? fl->config->max_message_bytes : 0;
    return n ? n : MESSAGE_DEFAULT_BYTES;
}

int64_t fleet_get_loaded_wall_ms(const struct fleet *fl)
{
    return fl->loaded_wall_ms;
}

bool fleet_config_is_broken(const struct fleet *fl)
{
    return fl->broken;
}

bool fleet_config_is_missing(const struct fleet *fl)
{
    return fl->broken && !fl->problems.errors;
}

const char *fleet_get_config_path(const struct fleet *fl)
{
    return fl->config_path;
}

const char *fleet_get_record_dir(const struct fleet *fl)
{
    return fl->record_dir;
}

const struct traffic *fleet_get_traffic(const struct fleet *fl)
{
    return fl->traffic;
}

const char *fleet_get_log_dir(const struct fleet *fl)
{
    return fl->log_dir;
}

const char *fleet_get_instance(const struct fleet *fl)
{
    return fl->instance;
}

static void read_figures(struct fleet_figures *fi)
{
    enum { LEAST_MS = 900 };
    int64_t now_ms = clock_mono_ms();
    if (fi->read_ms && now_ms - fi->read_ms < LEAST_MS)
        return;
    fi->read_ms = now_ms;
    usage_host(&fi->host);
    usage_self(&fi->self);
}

const struct host_usage *fleet_get_host_usage(const struct fleet *fl)
{
    read_figures(fl->figures);
    return &fl->figures->host;
}

const struct self_usage *fleet_get_self_usage(const struct fleet *fl)
{
    read_figures(fl->figures);
    return &fl->figures->self;
}

/* ---- beginning and ending ----------------------------------------------------------------- */

bool fleet_is_stopping(const struct fleet *fl)
{
    return fl->stopping;
}

static bool is_stopped(const struct fleet *fl)
{
    return fl->stopping && !fl->count && !fl->retired_count && containers_is_idle(fl->containers);
}

static void tell_stopped(struct fleet *fl)
{
    if (!fl->stopped)
        return;
    void (*done)(void *ctx) = fl->stopped;
    fl->stopped = NULL;
    ev_timer_stop(fl->loop, &fl->stop_limit);
    done(fl->stopped_ctx);
}

static void free_gone(struct fleet *fl)
{
    size_t kept = 0;
    for (size_t i = 0; i < fl->count; i++)
        members_free_gone(fl->servers[i]);
    for (size_t i = 0; i < fl->retired_count; i++) {
        members_free_gone(fl->retired[i]);
        if (server_is_gone(fl->retired[i]))
            server_free(fl->retired[i]);
        else
            fl->retired[kept++] = fl->retired[i];
    }
    fl->retired_count = kept;
}

/* A server that left the configuration and came back: the old one has to end first. */
static bool is_ending(const struct fleet *fl, const char *name)
{
    for (size_t i = 0; i < fl->retired_count; i++)
        if (strcmp(fl->retired[i]->name, name) == 0)
            return true;
    return false;
}

static struct server *next_to_begin(struct fleet *fl)
{
    for (size_t i = 0; i < fl->count; i++)
        if (!server_has_begun(fl->servers[i]) && !is_ending(fl, fl->servers[i]->name))
            return fl->servers[i];
    return NULL;
}

static void on_begin(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct fleet *fl = w->data;
    ev_timer_stop(loop, w);
    free_gone(fl);
    struct server *s = next_to_begin(fl);
    if (s)
        server_begin(s);
    if (next_to_begin(fl))
        fleet_begin_soon(fl);
    if (is_stopped(fl))
        tell_stopped(fl);
}

void fleet_begin_soon(struct fleet *fl)
{
    if (ev_is_active(&fl->begin))
        return;
    ev_timer_set(&fl->begin, 0., 0.);
    ev_timer_start(fl->loop, &fl->begin);
}

void fleet_server_gone(struct fleet *fl)
{
    fleet_begin_soon(fl);
}

static void on_containers_idle(void *ctx)
{
    struct fleet *fl = ctx;
    if (fl->stopping)
        fleet_begin_soon(fl);
}

void fleet_retire(struct fleet *fl, struct server *s, const char *reason)
{
    size_t i = 0;
    while (fl->servers[i] != s)
        i++;
    fl->count--;
    fl->generation++;
    memmove(fl->servers + i, fl->servers + i + 1, (fl->count - i) * sizeof *fl->servers);
    fl->retired = xrealloc(fl->retired, (fl->retired_count + 1) * sizeof *fl->retired);
    fl->retired[fl->retired_count++] = s;
    containers_release(fl->containers, s->name);
    server_retire(s, reason);
    TELL(fl, server_removed, s->name);
    fleet_begin_soon(fl);
}

static void on_stop_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct fleet *fl = w->data;
    ev_timer_stop(loop, w);
    while (fl->count)
        fleet_retire(fl, fl->servers[fl->count - 1], "the supervisor stops");
    if (fl->retired_count && !fl->killed) {
        fl->killed = true;
        log_warn("supervisor", "%zu servers did not end in time: killed", fl->retired_count);
        for (size_t i = 0; i < fl->retired_count; i++)
            server_kill(fl->retired[i]);
        child_sweep_all();
        ev_timer_set(w, STOP_LAST_S, 0.);
        ev_timer_start(loop, w);
        return;
    }
    /* Only an engine that answers nothing lets it come to this. */
    log_warn("supervisor",
             "the engine did not remove all containers in time: the next start sweeps them");
    tell_stopped(fl);
}

static bool is_in_container(const struct server *s)
{
    bool any = s->backend && *s->backend->container_id;
    for (size_t i = 0; i < s->member_count && !any; i++)
        any = is_in_container(s->members[i]);
    return any;
}

/* Twenty containers that end in one moment can lock an engine up for good (20.10: endpoints that
 * leave a network wait for each other), so they end in a row; all of them within STOP_ROW_MS. */
static void on_stop_next(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct fleet *fl = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    if (!fl->count)
        return;
    struct server *last = fl->servers[fl->count - 1];
    if (!members_retire_one(last, "the supervisor stops"))
        fleet_retire(fl, last, "the supervisor stops");
    if (fl->count) {
        ev_timer_set(w, fl->stop_gap_s, 0.);
        ev_timer_start(loop, w);
    }
}

static void retire_all(struct fleet *fl)
{
    for (size_t i = fl->count; i-- > 0;)
        if (!is_in_container(fl->servers[i]))
            fleet_retire(fl, fl->servers[i], "the supervisor stops");
    size_t processes = 0;
    for (size_t i = 0; i < fl->count; i++)
        processes += server_process_count(fl->servers[i]);
    double share_s = STOP_ROW_MS / 1e3 / (double)(processes ? processes : 1);
    fl->stop_gap_s = share_s < STOP_GAP_MS / 1e3 ? share_s : STOP_GAP_MS / 1e3;
    on_stop_next(fl->loop, &fl->stop_next, 0);
}

void fleet_shutdown(struct fleet *fl, void (*done)(void *ctx), void *ctx)
{
    fl->stopping = true;
    fl->stopped = done;
    fl->stopped_ctx = ctx;
    fleet_change_abandon(fl);
    trial_end_all(fl);
    fleet_config_stop(fl);
    ev_timer_stop(fl->loop, &fl->tick);
    retire_all(fl);
    containers_release(fl->containers, NULL);
    ev_timer_set(&fl->stop_limit, STOP_LIMIT_S, 0.);
    ev_timer_start(fl->loop, &fl->stop_limit);
    fleet_begin_soon(fl);
}

/* ---- 1 Hz ----------------------------------------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct fleet *fl = w->data;
    int64_t began_ns = clock_mono_ns(), now_ms = began_ns / 1000000;
    fl->stats_asked = 0;
    for (size_t i = 0; i < fl->count; i++) {
        server_sample(fl->servers[i], now_ms);
        server_watch_wait(fl->servers[i], now_ms);
        for (size_t k = 0; k < fl->servers[i]->member_count; k++) {
            server_sample(fl->servers[i]->members[k], now_ms);
            server_watch_wait(fl->servers[i]->members[k], now_ms);
        }
    }
    fl->stats_count = fl->stats_asked;
    fl->figures->self.sampling_us = (clock_mono_ns() - began_ns) / 1000;
    TELL(fl, sampled);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct fleet *fleet_new(struct ev_loop *loop, const struct fleet_options *options, struct fault *f)
{
    static const struct containers_events events = {
        .in_use = on_in_use, .state = on_engine_state, .changed = on_container_changed,
        .removed = on_container_removed, .event = on_engine_event, .idle = on_containers_idle,
    };
    if (instance_make_dirs(options->log_dir, 0700, f) < 0)
        return NULL;
    struct fleet *fl = xcalloc(1, sizeof *fl);
    fl->loop = loop;
    fl->config_path = xstrdup(options->config);
    fl->log_dir = xstrdup(options->log_dir);
    fl->record_dir = options->record_dir ? xstrdup(options->record_dir) : NULL;
    fl->instance = xstrdup(options->instance);
    fl->state_dir = options->state_dir ? xstrdup(options->state_dir) : NULL;
    fl->undo_path = options->undo_file ? xstrdup(options->undo_file) : NULL;
    fl->backend = options->backend ? options->backend : backend_new;
    fl->random = (uint64_t)clock_mono_ns() ^ (uint64_t)clock_wall_ms() << 20;
    fl->traffic = traffic_new(fleet_random(fl));
    ev_timer_init(&fl->begin, on_begin, 0., 0.);
    ev_timer_init(&fl->tick, on_tick, 1., 1.);
    ev_timer_init(&fl->stop_limit, on_stop_limit, 0., 0.);
    ev_timer_init(&fl->stop_next, on_stop_next, 0., 0.);
    fl->begin.data = fl->tick.data = fl->stop_limit.data = fl->stop_next.data = fl;
    fl->figures = xcalloc(1, sizeof *fl->figures);
    read_figures(fl->figures);
    fl->containers = containers_new(loop, fl->instance, &events, fl);
    fl->images = images_new(loop, containers_get_engine(fl->containers), fl->instance,
                            on_pull_changed, fl);
    undo_store_restore(fl);
    fleet_config_start(fl);
    ev_timer_start(loop, &fl->tick);
    return fl;
}

void fleet_free(struct fleet *fl)
{
    if (!fl)
        return;
    fleet_config_stop(fl);
    ev_timer_stop(fl->loop, &fl->begin);
    ev_timer_stop(fl->loop, &fl->tick);
    ev_timer_stop(fl->loop, &fl->stop_limit);
    ev_timer_stop(fl->loop, &fl->stop_next);
    trial_end_all(fl);
    for (size_t i = 0; i < fl->count; i++)
        server_free(fl->servers[i]);
    for (size_t i = 0; i < fl->retired_count; i++)
        server_free(fl->retired[i]);
    images_free(fl->images);
    containers_free(fl->containers);
    fleet_client_free(fl->client);
    for (size_t i = 0; i < FLEET_EVENTS; i++)
        free(fl->events[i]);
    fleet_change_abandon(fl);
    fleet_undo_free(fl);
    problems_fini(&fl->problems);
    config_free(fl->config);
    free(fl->text);
    free(fl->servers);
    free(fl->retired);
    free(fl->figures);
    free(fl->config_path);
    traffic_free(fl->traffic);
    free(fl->log_dir);
    free(fl->record_dir);
    free(fl->instance);
    free(fl->state_dir);
    free(fl->undo_path);
    free(fl);
}
