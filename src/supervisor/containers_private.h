/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mirror's inside, for containers*.c. */
#ifndef MCPTOP_SUPERVISOR_CONTAINERS_PRIVATE_H
#define MCPTOP_SUPERVISOR_CONTAINERS_PRIVATE_H

#include "base/strvec.h"
#include "io/http_client.h"
#include "supervisor/containers.h"
#include "supervisor/orphans.h"
#include "supervisor/start_queue.h"

struct removal {
    struct containers *cs;
    char id[256];                     /* or its name */
    struct engine_request *request;   /* NULL: waits for `again` */
    ev_timer again;
    int tries;
    bool may_come;                    /* it may yet be made: that it is not there is no end */
    struct removal *next;
};

struct waiter;
struct look;
struct kept { char *server; char id[65]; struct kept *next; };

struct containers {
    struct ev_loop *loop;
    char *instance;
    struct http_client *http;
    struct engine *engine;            /* NULL: no usable context; `error` says why */
    char error[400];
    enum containers_state state;
    struct engine_request *list, *info;
    ev_timer list_again;              /* the engine is up, but did not list them */
    int cpus;                         /* of the engine's machine; 0 = unknown */
    bool sweeping;                    /* waits for its removals */
    ev_timer sweep_limit;
    ev_timer strays;                  /* looks for what came after the sweep */

    struct start_queue *starts;       /* STARTS_AT_ONCE */

    struct fleet_container *v;
    size_t n, cap;
    struct removal *removals;
    struct kept *kept;
    struct strvec abandoned;          /* names; see containers_abandon */
    struct orphans_search *search;    /* containers_orphans.c */
    struct waiter *waiters;           /* who wants to hear of its end */
    struct look *looks;               /* at single ones */
    struct containers_events events;
    void *ctx;
};

struct fleet_container *containers_mirrored(const struct containers *cs, const char *id);
struct fleet_container *containers_mirror(struct containers *cs, const char *id);
void containers_tell_changed(struct containers *cs, struct fleet_container *c);
void containers_forget(struct containers *cs, struct fleet_container *c);

/* containers_kept.c */
bool containers_is_kept(const struct containers *cs, const char *id);
/* Of ours alone: the containers stay. */
void containers_forget_kept(struct containers *cs);

/* containers_orphans.c: the engine was lost, or the mirror ends */
void containers_orphans_stop(struct containers *cs, const struct fault *why);

#endif
