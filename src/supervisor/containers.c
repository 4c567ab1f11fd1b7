/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mirror of labelled containers, the sweep and removals. Must not know servers: who uses a
 * container is asked through in_use.
 *
 * Whenever the engine has come (back) the list is read anew and what carries our instance's
 * exact label and is used by nobody is removed, before anything may be started there: a
 * container from before the engine went, or from a supervisor that was killed. */
#include "supervisor/containers_private.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "docker/json_text.h"
#include "io/timer.h"

enum { REMOVE_AGAIN_MS = 500, REMOVE_TRIES = 20, SWEEP_LIMIT_S = 20, LIST_AGAIN_S = 2,
       STRAY_S = 10,
       STARTS_AT_ONCE = 16 };    /* more keep every core of the engine's machine busy no better */

/* ---- the mirror ------------------------------------------------------------------------ */

/* Cut to what fits, on purpose. */
static void put(char *to, size_t n, const char *from)
{
    size_t len = from ? strnlen(from, n - 1) : 0;

    if (len > 0) {
        memcpy(to, from, len);
    }
    to[len] = '\0';
}

struct fleet_container *containers_mirrored(const struct containers *cs, const char *id)
{
    for (size_t i = 0; i < cs->n; i++)
        if (strcmp(cs->v[i].id, id) == 0)
            return &cs->v[i];
    return NULL;
}

struct fleet_container *containers_mirror(struct containers *cs, const char *id)
{
    if (cs->n == cs->cap) {
        cs->cap = cs->cap ? cs->cap * 2 : 4;
        cs->v = xrealloc(cs->v, cs->cap * sizeof *cs->v);
    }
    struct fleet_container *c = &cs->v[cs->n++];
    *c = (struct fleet_container){ .exit_code = -1, .cpu_percent = -1, .memory_bytes = -1 };
    put(c->id, sizeof c->id, id);
    return c;
}

/* What depends on now, and on who uses it. */
static void refresh(const struct containers *cs, struct fleet_container *c)
{
    char span[32];
    c->ours = strcmp(c->instance, cs->instance) == 0;
    c->kept = containers_is_kept(cs, c->id);
    c->in_use = c->kept || cs->events.in_use(cs->ctx, c->id, c->name);
    if (c->ours)
        c->orphan = !c->in_use;
    if (!c->state_wall_ms)
        return;
    clock_span(clock_wall_ms() - c->state_wall_ms, span, sizeof span);
    if (strcmp(c->state, "running") == 0)
        snprintf(c->status, sizeof c->status, "Up %s", span);
    else if (strcmp(c->state, "exited") == 0)
        snprintf(c->status, sizeof c->status, "Exited (%d) %s ago", c->exit_code, span);
}

void containers_tell_changed(struct containers *cs, struct fleet_container *c)
{
    refresh(cs, c);
    cs->events.changed(cs->ctx, c);
}

void containers_forget(struct containers *cs, struct fleet_container *c)
{
    char id[65];
    put(id, sizeof id, c->id);
    free(c->evidence);
    cs->n--;
    memmove(c, c + 1, (size_t)(cs->v + cs->n - c) * sizeof *c);
    cs->events.removed(cs->ctx, id);
}

size_t containers_count(const struct containers *cs)
{
    return cs->n;
}

const struct fleet_container *containers_at(struct containers *cs, size_t i)
{
    refresh(cs, &cs->v[i]);
    return &cs->v[i];
}

const struct fleet_container *containers_find(const struct containers *cs, const char *id)
{
    enum { SHORT_ID = 12 };
    size_t n = strlen(id);
    const struct fleet_container *found = NULL;
    for (size_t i = 0; n >= SHORT_ID && i < cs->n; i++) {
        if (strncmp(cs->v[i].id, id, n) != 0)
            continue;
        if (found)
            return NULL;
        found = &cs->v[i];
    }
    return found;
}

/* ---- removal ----------------------------------------------------------------------------- */

static void set_state(struct containers *cs, enum containers_state state)
{
    if (cs->state == state)
        return;
    cs->state = state;
    cs->events.state(cs->ctx);
}

/* One that may yet be made is waited for by nobody but him who stops. */
static bool is_swept(const struct containers *cs)
{
    const struct removal *r = cs->removals;
    while (r && r->may_come)
        r = r->next;
    return !r;
}

static void check_swept(struct containers *cs)
{
    if (!cs->sweeping || !is_swept(cs))
        return;
    cs->sweeping = false;
    ev_timer_stop(cs->loop, &cs->sweep_limit);
    set_state(cs, CONTAINERS_READY);
}

static void removal_free(struct removal *r)
{
    struct containers *cs = r->cs;
    for (struct removal **p = &cs->removals; *p; p = &(*p)->next)
        if (*p == r) {
            *p = r->next;
            break;
        }
    ev_timer_stop(cs->loop, &r->again);
    engine_cancel(r->request);
    free(r);
}

static void removal_done(struct removal *r)
{
    struct containers *cs = r->cs;
    removal_free(r);
    check_swept(cs);
    if (!cs->removals)
        cs->events.idle(cs->ctx);
}

static void on_removed(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    struct removal *r = ctx;
    r->request = NULL;
    /* An engine that is down is swept when it comes back; one that restarts in a moment may
     * never be seen as down. */
    bool missing = f && f->code == FAULT_NOT_FOUND;
    if (!f || (missing && !r->may_come) || (f->code == FAULT_ENGINE_DOWN &&
                                            r->cs->state == CONTAINERS_DOWN)) {
        removal_done(r);
        return;
    }
    if (++r->tries >= REMOVE_TRIES) {
        if (!missing)
            log_warn("docker", "container %.40s could not be removed: %s", r->id, f->text);
        removal_done(r);
        return;
    }
    timer_arm(r->cs->loop, &r->again, REMOVE_AGAIN_MS / 1e3);
}

static void on_remove_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct removal *r = w->data;
    ev_timer_stop(loop, w);
    r->request = engine_remove(r->cs->engine, r->id, true, on_removed, r);
}

static struct removal *removal_of(const struct containers *cs, const char *id)
{
    struct removal *r = cs->removals;
    while (r && strcmp(r->id, id) != 0)
        r = r->next;
    return r;
}

static void begin_removal(struct containers *cs, const char *id, bool may_come)
{
    if (!cs->engine || !*id || removal_of(cs, id))
        return;
    struct removal *r = xcalloc(1, sizeof *r);
    r->cs = cs;
    r->may_come = may_come;
    put(r->id, sizeof r->id, id);
    ev_timer_init(&r->again, on_remove_again, 0., 0.);
    r->again.data = r;
    r->next = cs->removals;
    cs->removals = r;
    r->request = engine_remove(cs->engine, id, true, on_removed, r);
}

void containers_remove(struct containers *cs, const char *id)
{
    begin_removal(cs, id, false);
}

/* It is removed by its name, which is tried for ten seconds as it may not be there yet (nobody may
 * hear the engine's events any more), and by its id when the engine tells of it, however late. An
 * engine that hangs for long may owe many: then the oldest is left to the next sweep. */
void containers_abandon(struct containers *cs, const char *name)
{
    enum { ABANDONED_MAX = 256 };
    if (cs->abandoned.n == ABANDONED_MAX)
        strvec_remove(&cs->abandoned, 0);
    strvec_add(&cs->abandoned, name);
    begin_removal(cs, name, true);
}

/* The engine tells of a new container: one that nobody waits for any more? */
static void check_abandoned(struct containers *cs, const char *name, const char *id)
{
    for (size_t i = 0; i < cs->abandoned.n; i++) {
        if (strcmp(cs->abandoned.v[i], name) != 0)
            continue;
        log_info("docker", "container %s came too late: it is removed", name);
        strvec_remove(&cs->abandoned, i);
        containers_remove(cs, id);
        struct removal *by_name = removal_of(cs, name);
        if (by_name)
            by_name->may_come = false;
        return;
    }
}

static void check_created(struct containers *cs, struct fleet_container *c)
{
    check_abandoned(cs, c->name, c->id);
    refresh(cs, c);
    if (c->ours && !c->in_use && !ev_is_active(&cs->strays))
        timer_arm(cs->loop, &cs->strays, STRAY_S);
}

bool containers_is_idle(const struct containers *cs)
{
    return !cs->removals;
}

/* ---- the list and the sweep ------------------------------------------------------------------ */

static void read_listed(struct containers *cs, json_t *item)
{
    const char *id = json_text_at(item, "Id");
    if (!*id)
        return;
    struct fleet_container *c = containers_mirrored(cs, id);
    if (!c)
        c = containers_mirror(cs, id);
    const char *name = json_string_value(json_array_get(json_object_get(item, "Names"), 0));
    json_t *labels = json_object_get(item, "Labels");
    put(c->name, sizeof c->name, name && *name == '/' ? name + 1 : name);
    put(c->image, sizeof c->image, json_text_at(item, "Image"));
    put(c->state, sizeof c->state, json_text_at(item, "State"));
    put(c->status, sizeof c->status, json_text_at(item, "Status"));
    put(c->server, sizeof c->server, json_text_at(labels, "com.mcpproxy.server"));
    put(c->instance, sizeof c->instance, json_text_at(labels, "com.mcpproxy.instance"));
    c->created_wall_ms = json_integer_value(json_object_get(item, "Created")) * 1000;
    sscanf(c->status, "Exited (%d)", &c->exit_code);
    containers_tell_changed(cs, c);
}

static bool is_in_list(json_t *list, const char *id)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_text_at(item, "Id"), id) == 0)
            return true;
    return false;
}

static void sweep(struct containers *cs)
{
    cs->sweeping = true;
    for (size_t i = 0; i < cs->n; i++) {
        refresh(cs, &cs->v[i]);
        if (!cs->v[i].ours || cs->v[i].in_use)
            continue;
        log_info("docker", "container %s of an earlier run of ours is removed", cs->v[i].name);
        containers_remove(cs, cs->v[i].id);
    }
    timer_arm(cs->loop, &cs->sweep_limit, SWEEP_LIMIT_S);
    check_swept(cs);
}

static void on_sweep_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct containers *cs = w->data;
    ev_timer_stop(loop, w);
    log_warn("docker", "some containers of an earlier run could not be removed yet: going on");
    cs->sweeping = false;
    set_state(cs, CONTAINERS_READY);
}

static void on_list(void *ctx, json_t *reply, const struct fault *f)
{
    struct containers *cs = ctx;
    cs->list = NULL;
    if (f) {
        /* Unlisted, nothing can be swept or started safely. An engine that is down tells when it
         * is back; of one that goes on living we have to ask again. */
        if (f->code != FAULT_ENGINE_DOWN && cs->state != CONTAINERS_DOWN)
            log_error("docker", "the containers could not be listed: %s", f->text);
        put(cs->error, sizeof cs->error, f->text);
        timer_arm(cs->loop, &cs->list_again, LIST_AGAIN_S);
        set_state(cs, CONTAINERS_DOWN);
        return;
    }
    for (size_t i = cs->n; i-- > 0;)
        if (!is_in_list(reply, cs->v[i].id))
            containers_forget(cs, &cs->v[i]);
    size_t i;
    json_t *item;
    json_array_foreach(reply, i, item)
        read_listed(cs, item);
    sweep(cs);
}

static void on_list_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct containers *cs = w->data;
    ev_timer_stop(loop, w);
    if (!cs->list && engine_get_state(cs->engine) == ENGINE_UP)
        cs->list = engine_list(cs->engine, on_list, cs);
}

/* A supervisor that was killed may have asked for a container that the engine makes after the
 * sweep of its successor: nobody will ever start it. One that somebody else made with our labels
 * (a line of main.log, pasted) is started by its client at once, so it is told apart by time. */
static void on_strays(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct containers *cs = w->data;
    bool young = false;
    ev_timer_stop(loop, w);
    for (size_t i = 0; i < cs->n; i++) {
        struct fleet_container *c = &cs->v[i];
        refresh(cs, c);
        if (!c->ours || c->in_use || strcmp(c->state, "created") != 0 || removal_of(cs, c->id))
            continue;
        if (clock_wall_ms() - c->state_wall_ms < STRAY_S * 1000) {
            young = true;
            continue;
        }
        log_info("docker", "container %s, asked for by an earlier run of ours, came late: it is "
                           "removed", c->name);
        containers_remove(cs, c->id);
    }
    if (young)
        timer_arm(loop, w, STRAY_S);
}

/* ---- the engine's news ----------------------------------------------------------------------- */

static void on_info(void *ctx, json_t *reply, const struct fault *f)
{
    struct containers *cs = ctx;
    cs->info = NULL;
    cs->cpus = f ? 0 : (int)json_integer_value(json_object_get(reply, "NCPU"));
}

static void on_engine_state(void *ctx, enum engine_state state, const struct fault *why)
{
    struct containers *cs = ctx;
    engine_cancel(cs->list);
    engine_cancel(cs->info);
    cs->list = cs->info = NULL;
    cs->sweeping = false;
    ev_timer_stop(cs->loop, &cs->sweep_limit);
    ev_timer_stop(cs->loop, &cs->list_again);
    if (state == ENGINE_UP) {
        cs->error[0] = '\0';
        cs->list = engine_list(cs->engine, on_list, cs);
        cs->info = engine_info(cs->engine, on_info, cs);
        set_state(cs, CONTAINERS_CONNECTING);
        return;
    }
    put(cs->error, sizeof cs->error, why ? why->text : "it does not answer");
    containers_orphans_stop(cs, why);
    if (state == ENGINE_DOWN)
        set_state(cs, CONTAINERS_DOWN);
}

/* "die" → "exited"; NULL: the state stays. */
static const char *state_after(const char *action)
{
    static const char *const table[][2] = {
        { "create", "created" }, { "start", "running" }, { "restart", "running" },
            { "unpause", "running" },
        { "pause", "paused" }, { "die", "exited" },
    };
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (strcmp(action, table[i][0]) == 0)
            return table[i][1];
    return NULL;
}

static void follow_event(struct containers *cs, const struct engine_event *e)
{
    struct fleet_container *c = containers_mirrored(cs, e->id);
    if (strcmp(e->action, "destroy") == 0) {
        if (c)
            containers_forget(cs, c);
        return;
    }
    const char *state = state_after(e->action);
    if (!c && strcmp(e->action, "create") != 0)
        return;
    if (!c) {
        c = containers_mirror(cs, e->id);
        put(c->server, sizeof c->server, e->server);
        put(c->instance, sizeof c->instance, e->instance);
        put(c->image, sizeof c->image, json_text_at(e->attributes, "image"));
        put(c->status, sizeof c->status, "Created");
        c->created_wall_ms = e->wall_ms;
    }
    put(c->name, sizeof c->name, e->name);
    if (state) {
        put(c->state, sizeof c->state, state);
        c->state_wall_ms = e->wall_ms;
    }
    if (strcmp(e->action, "create") == 0)
        check_created(cs, c);
    if (strcmp(e->action, "start") == 0)
        c->oom = false;
    if (strcmp(e->action, "die") == 0)
        c->orphan = false;
    if (strcmp(e->action, "oom") == 0)
        c->oom = true;
    if (e->exit_code >= 0)
        c->exit_code = e->exit_code;
    if (state || strcmp(e->action, "oom") == 0 || strcmp(e->action, "rename") == 0)
        containers_tell_changed(cs, c);
}

static void on_engine_event(void *ctx, const struct engine_event *e)
{
    struct containers *cs = ctx;
    bool container = strcmp(e->type, "container") == 0;
    bool managed = container &&
        strcmp(json_text_at(e->attributes, "com.mcpproxy.managed"), "true") == 0;
    if (managed || (container && containers_mirrored(cs, e->id)))
        follow_event(cs, e);
    if (managed || strcmp(e->type, "image") == 0)
        cs->events.event(cs->ctx, e);
}

/* ---- life ------------------------------------------------------------------------------------ */

struct containers *containers_new(struct ev_loop *loop, const char *instance,
                                  const struct containers_events *events, void *ctx)
{
    static const struct engine_events engine_events = { .state = on_engine_state,
                                                        .event = on_engine_event };
    struct containers *cs = xcalloc(1, sizeof *cs);
    struct docker_context context = { 0 };
    struct fault f = FAULT_NONE;
    cs->loop = loop;
    cs->instance = xstrdup(instance);
    cs->starts = start_queue_new(loop, STARTS_AT_ONCE);
    cs->events = *events;
    cs->ctx = ctx;
    ev_timer_init(&cs->sweep_limit, on_sweep_limit, 0., 0.);
    ev_timer_init(&cs->list_again, on_list_again, 0., 0.);
    ev_timer_init(&cs->strays, on_strays, 0., 0.);
    cs->sweep_limit.data = cs->list_again.data = cs->strays.data = cs;
    if (docker_context_resolve(&context, &f) < 0) {
        cs->state = CONTAINERS_DOWN;
        put(cs->error, sizeof cs->error, f.text);
        log_warn("docker", "no container engine can be used: %s", f.text);
        return cs;
    }
    cs->http = http_client_new(loop);
    cs->engine = engine_new(loop, cs->http, &context, &engine_events, cs);
    docker_context_fini(&context);
    return cs;
}

void containers_free(struct containers *cs)
{
    if (!cs)
        return;
    containers_orphans_stop(cs, NULL);
    while (cs->removals)
        removal_free(cs->removals);
    containers_forget_kept(cs);
    ev_timer_stop(cs->loop, &cs->sweep_limit);
    ev_timer_stop(cs->loop, &cs->list_again);
    ev_timer_stop(cs->loop, &cs->strays);
    engine_cancel(cs->list);
    engine_cancel(cs->info);
    engine_free(cs->engine);
    http_client_free(cs->http);
    for (size_t i = 0; i < cs->n; i++)
        free(cs->v[i].evidence);
    free(cs->v);
    strvec_fini(&cs->abandoned);
    start_queue_free(cs->starts);
    free(cs->instance);
    free(cs);
}

enum containers_state containers_get_state(const struct containers *cs)
{
    return cs->state;
}

const char *containers_get_error(const struct containers *cs)
{
    return cs->error;
}

const char *containers_get_awaits(const struct containers *cs)
{
    return cs->sweeping ? "removing containers of an earlier run"
        : cs->list      ? "listing its containers" : "asking for its version";
}

struct engine *containers_get_engine(const struct containers *cs)
{
    return cs->engine;
}

int containers_get_cpus(const struct containers *cs)
{
    return cs->cpus;
}

struct start_queue *containers_get_starts(const struct containers *cs)
{
    return cs->starts;
}

const char *containers_get_instance(const struct containers *cs)
{
    return cs->instance;
}
