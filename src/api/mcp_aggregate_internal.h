/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mcp_aggregate.c (who, and where a request goes) and mcp_aggregate_lists.c (lists of all in
 * one) share. */
#ifndef MCPTOP_API_MCP_AGGREGATE_INTERNAL_H
#define MCPTOP_API_MCP_AGGREGATE_INTERNAL_H

#include "api/mcp_aggregate.h"
#include "base/buf.h"
#include "supervisor/fleet.h"

struct peer {                   /* a server that this client has used */
    struct aggregate *a;
    struct client *client;
    char *name;
    struct peer *next;
};

/* One request to one server. */
struct part {
    struct aggregate *a;
    struct call *call;          /* NULL once it is answered */
    bool sending;               /* inside client_send: an answer does not free it */
    bool done;
    call_reply_fn fn;           /* of the client's request */
    void *ctx;
    struct gather *gather;      /* it is one of a list; or NULL */
    size_t index;               /* its place in it, or the server that is asked */
    char *again, *token;        /* a request that goes to the next server where this one fails */
    size_t again_n, token_n;
    struct buf answer;          /* … given while it was being sent */
    bool is_error;
    bool *alive;                /* false once it is freed; or NULL */
    struct part *next;
};

struct aggregate {
    struct fleet *fleet;
    struct client_events events;
    void *ctx;
    struct peer *peers;
    struct part *parts;
    unsigned features, version;
    bool modern;
    char *label;
    struct fleet_observer observer;
    struct buf ready;           /* the names of those that are */
};

void aggregate_prefix(const struct fleet *fl, size_t index, struct buf *out);
/* The client of this server, opened where it is new. */
struct client *aggregate_member(struct aggregate *a, struct server *s);
struct part *part_new(struct aggregate *a, call_reply_fn fn, void *ctx);
void part_free(struct part *p);
/* Sends on; fn is called with the part. Whether an answer is still to come. */
bool part_send(struct part *p, struct client *c, const struct envelope *e, call_reply_fn fn);
void aggregate_answer(struct span id, const char *result, size_t n, call_reply_fn fn, void *ctx);
void aggregate_refuse(struct span id, int code, const char *why, call_reply_fn fn, void *ctx);

/* mcp_aggregate_lists.c: whether it is one of the lists; *ret: an answer is still to come. */
bool aggregate_list(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx,
                    bool *ret);
void gather_part_gone(struct part *p);           /* nobody waits for the list any more */

#endif
