/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The containers on one engine that carry our label: a mirror of them kept current by the
 * engine's events, the sweep of our own instance's leftovers, and their removal in the
 * background. Other instances' containers are shown, never touched but by the user's key. */
#ifndef MCPTOP_SUPERVISOR_CONTAINERS_H
#define MCPTOP_SUPERVISOR_CONTAINERS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "docker/engine.h"

struct fleet_container {
    char id[65], name[256], image[256], state[24], status[64], server[201], instance[64];
    /* our instance; the container of a current run (or the kept last failed one) */
    bool ours, in_use;
    bool kept;                      /* it is that last failed one (containers_keep) */
    bool foreign;                   /* made without our labels; here because a search found it */
    /* Nobody uses it: one of ours that no server has, or another's by the evidence of the last
     * search, which is sentences, one a line (owned by the mirror; NULL = never searched). */
    bool orphan;
    char *evidence;
    double cpu_percent;             /* then; -1 = not known */
    int64_t memory_bytes;
    int exit_code; bool oom;
    int64_t created_wall_ms;
    int64_t state_wall_ms;          /* running since, exited at; 0 = unknown */
};

enum containers_state {
    CONTAINERS_CONNECTING,   /* nothing known yet, or leftovers are being swept: wait */
    CONTAINERS_READY,
    CONTAINERS_DOWN,         /* containers_get_error says why */
};

struct containers_events {
    /* By a current run: also one that is being created, whose id nobody knows yet? */
    bool (*in_use)(void *ctx, const char *id, const char *name);
    /* containers_get_state may have changed */
    void (*state)(void *ctx);
    void (*changed)(void *ctx, const struct fleet_container *c);
    void (*removed)(void *ctx, const char *id);
    /* after the mirror was changed by it */
    void (*event)(void *ctx, const struct engine_event *e);
    /* containers_is_idle has become true */
    void (*idle)(void *ctx);
};

struct containers;
/* The engine of the environment's context; without a usable one the state is DOWN for good and
 * the error says why. */
struct containers *containers_new(struct ev_loop *loop, const char *instance,
                                  const struct containers_events *events, void *ctx);
void containers_free(struct containers *cs);
enum containers_state containers_get_state(const struct containers *cs);
const char *containers_get_error(const struct containers *cs);
/* While CONNECTING: what the engine is asked. */
const char *containers_get_awaits(const struct containers *cs);
/* NULL without a usable context */
struct engine *containers_get_engine(const struct containers *cs);
/* How many the engine's machine has; 0 = unknown. */
int containers_get_cpus(const struct containers *cs);
const char *containers_get_instance(const struct containers *cs);
/* Whoever has a container made and started takes a turn for it. */
struct start_queue *containers_get_starts(const struct containers *cs);

size_t containers_count(const struct containers *cs);
const struct fleet_container *containers_at(struct containers *cs, size_t i);
/* id: whole, or its first 12 digits or more; NULL where none or several begin so. */
const struct fleet_container *containers_find(const struct containers *cs, const char *id);

/* Removes it by force, in the background, until the engine says it is gone (again when the
 * engine was lost meanwhile). */
void containers_remove(struct containers *cs, const char *id);
/* The name of one that was asked for and whose answer nobody waits for any more: should the engine
 * make it all the same, however late, it is removed. */
void containers_abandon(struct containers *cs, const char *name);
/* The last failed one of a server is kept, so that `docker logs` and `docker inspect` show
 * something; the one kept before goes. */
void containers_keep(struct containers *cs, const char *server, const char *id);
/* NULL = of all servers */
void containers_release(struct containers *cs, const char *server);
/* Looks for containers that nobody uses any more (orphans.h) and brings the mirror up to date: what
 * `docker run -i` made is in it then, orphan or not, and tells why. fn comes once, at once where
 * the engine is down; several may wait for one search. f: it could not be made. */
typedef void (*containers_fn)(void *ctx, const struct fault *f);
void containers_search(struct containers *cs, containers_fn fn, void *ctx);
/* The same for one that is in the mirror, by its id, in milliseconds: its use is not read anew. */
void containers_look_again(struct containers *cs, const char *id, containers_fn fn, void *ctx);
/* no removal is under way */
bool containers_is_idle(const struct containers *cs);

#endif
