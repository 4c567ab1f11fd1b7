/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's event stream (GET /events, API v1.41): JSON objects, one a line, in pieces of any
 * size. Pure reading. */
#ifndef MCPTOP_DOCKER_EVENTS_H
#define MCPTOP_DOCKER_EVENTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "base/lines.h"

/* One event of the engine. Strings are valid during the call and never NULL. */
struct engine_event {
    const char *type;          /* "container" "image" "network" "volume" */
    const char *action;        /* "start" "die" "oom" "destroy" "health_status: healthy" … */
    const char *id;            /* of the actor */
    const char *name;          /* container's name, image reference … ; "" */
    const char *server;        /* label com.mcpproxy.server, or "" */
    const char *instance;      /* label com.mcpproxy.instance, or "" */
    int exit_code;             /* die: exitCode; else -1 */
    int64_t wall_ms;
    int64_t wall_ns;
    json_t *attributes;        /* borrowed; Actor.Attributes; may be NULL */
};

typedef void (*engine_event_fn)(void *ctx, const struct engine_event *e);

struct events_reader {
    struct lines lines;
    engine_event_fn fn;
    void *ctx;
    int64_t last_ns;           /* the latest event's time, by the engine's clock; 0 = none yet */
    int64_t skip_ns;           /* events up to here were told by an earlier stream: left out */
    unsigned unreadable;       /* lines that were no event */
};

void events_reader_init(struct events_reader *r, engine_event_fn fn, void *ctx);
void events_reader_fini(struct events_reader *r);
/* fn is called for every whole event in it; it must not feed or end the reader. */
void events_reader_feed(struct events_reader *r, const char *p, size_t n);
/* A new stream begins at last_ns: what is left of an unfinished line goes, and what it repeats is
 * not told again. */
void events_reader_restart(struct events_reader *r);

#endif
