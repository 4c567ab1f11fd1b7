/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a supervisor that was started anew has to be told of a client that was there before: its
 * initialize, the resources that it watches, how much of the log it wants. The requests that say so
 * have ids of ours; their answers are not for the client. */
#ifndef MCPTOP_CLI_AGAIN_H
#define MCPTOP_CLI_AGAIN_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "cli/rpc_scan.h"

enum { AGAIN_MAX_WISHES = 1024, AGAIN_MAX_URI = 8192 };

/* One that lasts: a resource, or (uri NULL) a level of the log. */
struct wish {
    char *uri;                   /* escapes undone */
    char *level;                 /* the token */
    char *id;                    /* of the request, a token; NULL: it was granted */
    size_t id_n;
    unsigned said;               /* the number of its last request of ours; 0 = none */
    bool refused;                /* was the answer to that */
};

struct again {
    struct buf initialize;       /* the client's line; empty before it */
    size_t id_at, id_n;          /* where its id stands in it */
    bool answered, initialized;
    struct wish *wishes;         /* in the order of asking */
    size_t count, cap;
    struct buf mark;             /* the ids of what was said again begin so; empty = nothing was */
    unsigned said;
};

void again_fini(struct again *a);
/* Of the client's messages, before they go on: a request, notifications/initialized. */
void again_request(struct again *a, const char *line, size_t n, const struct rpc_head *head);
void again_initialized(struct again *a);
/* A reply of the supervisor; true: it is ours. */
bool again_reply(struct again *a, const struct rpc_head *head);
/* The link broke: what was not answered is not known. */
void again_lost(struct again *a);
/* Appends the lines that begin a new link: none where the client had no answer to its
 * initialize. */
void again_say(struct again *a, struct buf *out);
/* Other resources are there: what was refused may be among them. Appends the lines that ask
 * again. */
void again_changed(struct again *a, struct buf *out);
struct rpc_span again_initialize_id(const struct again *a);

#endif
