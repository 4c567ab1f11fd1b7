/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine, and containers as the user sees them: the mirror, the search for those that nobody
 * uses, and removal by his key or verb. What carries our label goes when no server of ours uses it;
 * what does not is removed only by the evidence of a search, after another look at it. */
#include "supervisor/fleet_private.h"

#include <string.h>
#include "base/log.h"
#include "base/mem.h"

size_t fleet_container_count(const struct fleet *fl)
{
    return containers_count(fl->containers);
}

const struct fleet_container *fleet_container_at(const struct fleet *fl, size_t i)
{
    return containers_at(fl->containers, i);
}

struct engine *fleet_get_engine(const struct fleet *fl)
{
    return containers_get_engine(fl->containers);
}

const char *fleet_get_engine_error(const struct fleet *fl)
{
    return containers_get_error(fl->containers);
}

enum engine_kind fleet_engine_kind(const struct fleet *fl)
{
    const struct engine *e = containers_get_engine(fl->containers);
    return !e ? ENGINE_KIND_NONE : engine_is_podman(e) ? ENGINE_KIND_PODMAN : ENGINE_KIND_DOCKER;
}

/* ---- removal by the user ---- */

struct asked_removal {
    struct fleet *fleet;
    engine_reply_fn fn;
    void *ctx;
    char id[65];
};

static void removal_end(struct asked_removal *r, json_t *reply, const struct fault *f)
{
    struct asked_removal done = *r;
    free(r);
    done.fn(done.ctx, reply, f);
}

static void on_removed(void *ctx, json_t *reply, const struct fault *f)
{
    removal_end(ctx, reply, f);
}

static void remove_now(struct asked_removal *r, const struct fleet_container *c)
{
    log_info("docker", "container %s (%.12s) is removed: the user asked for it", c->name, c->id);
    engine_remove(containers_get_engine(r->fleet->containers), r->id, true, on_removed, r);
}

static void on_looked_again(void *ctx, const struct fault *f)
{
    struct asked_removal *r = ctx;
    struct fault why = FAULT_NONE;
    const struct fleet_container *c = containers_find(r->fleet->containers, r->id);
    if (f)
        why = *f;
    else if (!c)
        fault_set(&why, FAULT_NOT_FOUND, "container %.12s is gone", r->id);
    else if (!c->orphan)
        fault_set(&why, FAULT_CONFLICT, "container %s was made by somebody else and does not look "
                  "left behind: %s. `docker rm -f %.12s` removes it all the same", c->name,
                  c->evidence ? c->evidence : "nothing is known of it", c->id);
    if (why.code)
        removal_end(r, NULL, &why);
    else
        remove_now(r, c);
}

void fleet_container_remove(struct fleet *fl, const char *id, engine_reply_fn fn, void *ctx)
{
    struct fault why = FAULT_NONE;
    const struct fleet_container *c = containers_find(fl->containers, id);
    const struct server *user = c ? fleet_server_of_container(fl, c->id, c->name) : NULL;
    if (!containers_get_engine(fl->containers))
        fault_set(&why, FAULT_ENGINE_DOWN, "%s", containers_get_error(fl->containers));
    else if (!c)
        fault_set(&why, FAULT_NOT_FOUND, "no container \"%.80s\" with the label "
                  "com.mcpproxy.managed, or that looks left behind: others are not touched", id);
    else if (user)
        fault_set(&why, FAULT_CONFLICT, "container %s is in use by server %s: stop the server",
                  c->name, user->name);
    if (why.code) {
        fn(ctx, NULL, &why);
        return;
    }
    struct asked_removal *r = xcalloc(1, sizeof *r);
    *r = (struct asked_removal){ .fleet = fl, .fn = fn, .ctx = ctx };
    memcpy(r->id, c->id, sizeof r->id);
    if (c->foreign)
        containers_look_again(fl->containers, r->id, on_looked_again, r);
    else
        remove_now(r, c);
}

void fleet_containers_search(struct fleet *fl, containers_fn fn, void *ctx)
{
    containers_search(fl->containers, fn, ctx);
}

/* ---- whose it is ---- */

static struct server *seat_of_container(struct server *s, const char *id, const char *name)
{
    if (server_in_use(s, id, name))
        return s;
    for (size_t i = 0; i < s->member_count; i++)
        if (server_in_use(s->members[i], id, name))
            return s->members[i];
    return NULL;
}

struct server *fleet_server_of_container(struct fleet *fl, const char *id, const char *name)
{
    struct server *s = NULL;
    for (size_t i = 0; i < fl->count && !s; i++)
        s = seat_of_container(fl->servers[i], id, name);
    for (size_t i = 0; i < fl->retired_count && !s; i++)
        s = seat_of_container(fl->retired[i], id, name);
    return s;
}
