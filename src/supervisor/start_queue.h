/* SPDX-License-Identifier: GPL-3.0-or-later */
/* So many at once and no more: who comes later waits, first come first served. An engine that is
 * asked for a thousand containers in one moment makes them no faster than one that is asked for a
 * few at a time, but answers none of them in time. */
#ifndef MCPTOP_SUPERVISOR_START_QUEUE_H
#define MCPTOP_SUPERVISOR_START_QUEUE_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>

struct start_queue;

/* A place in the line; embedded in who waits, zeroed before its first use. */
struct start_place {
    struct start_queue *of;           /* NULL: it neither waits nor has its turn */
    struct start_place *prev, *next;   /* while it waits */
    bool has;
    void (*fn)(void *ctx);
    void *ctx;
};

struct start_queue *start_queue_new(struct ev_loop *loop, size_t most);
/* Nobody waits or has a turn any more. NULL is fine. */
void start_queue_free(struct start_queue *q);

/* fn comes once: before this returns where there is room, else from the loop. */
void start_queue_enter(struct start_queue *q, struct start_place *t, void (*fn)(void *ctx),
                       void *ctx);
/* Done with it, or tired of waiting. Nothing where it neither waits nor has its turn. */
void start_queue_leave(struct start_place *t);

#endif
