/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What these share:
 *
 *   mcp_aggregate.c          who, and where a request goes
 *   mcp_aggregate_names.c    SERVER__, and the server of a name
 *   mcp_aggregate_peers.c    the servers that a client has used
 *   mcp_aggregate_lists.c    lists of all in one
 *   mcp_aggregate_seek.c     what one of them has, and nobody knows which
 *   mcp_aggregate_watch.c    what the client watches, of whichever
 *   mcp_aggregate_presence.c which servers are there, and who is told that they are others
 *   mcp_aggregate_said.c     what a client says that is no request
 *   mcp_aggregate_tasks.c    SERVER: in front of the names of tasks
 *   mcp_aggregate_listen.c   subscriptions/listen of the modern era */
#ifndef MCPTOP_API_MCP_AGGREGATE_INTERNAL_H
#define MCPTOP_API_MCP_AGGREGATE_INTERNAL_H

#include "api/mcp_aggregate.h"
#include "base/buf.h"
#include "base/strvec.h"
#include "supervisor/fleet.h"

struct peer {                   /* a server that this client has used */
    struct aggregate *a;
    struct client *client;
    char *name;
    uint64_t watches;           /* it was told of all that the client watches up to this number */
    struct peer *next, *prev;
    struct peer *same;          /* in one slot */
};

/* One request to one server. */
struct part {
    struct aggregate *a;
    struct peer *peer;          /* it was sent to */
    struct call *call;          /* with the client's own id, or with another where `id` is it */
    struct span id;
    enum task_use use;
    bool sending;               /* inside client_send: an answer does not free it */
    bool done;
    call_reply_fn fn;           /* of the client's request */
    void *ctx;
    struct gather *gather;      /* it is one of a list; or NULL */
    struct spread *spread;      /* it is one of all that are asked; or NULL */
    struct listening *listens;  /* its messages are for this subscription; or NULL */
    void (*gone)(struct part *p);        /* nobody waits for it any more; or NULL */
    size_t index;               /* its place in it, or the server that is asked */
    char *again, *token;        /* a request that goes to the next server where this one fails */
    size_t again_n;
    const char *capability;     /* what the servers must have that are asked */
    struct buf answer;          /* … given while it was being sent */
    bool is_error;
    bool *alive;                /* false once it is freed; or NULL */
    struct part *next;
};

struct aggregate {
    struct aggregate_names *names;
    struct fleet *fleet;
    struct client_events events;
    void *ctx;
    struct peer *peers;
    struct peer **peer_slots;   /* of them, by the hash of the name */
    size_t peer_count, peer_cap;
    struct part *parts;
    enum server_seat seat;
    unsigned features, version;
    bool modern;
    char *label;
    uint64_t seen;              /* of the changes of who is there */
    struct watched {            /* by resources/subscribe, or being asked for */
        char *uri;              /* the token */
        uint64_t number;
        struct spread *asks;    /* unanswered yet; or NULL */
    } *watched;                 /* by number */
    size_t watched_count;
    uint64_t watched_last;      /* number, ever */
    struct buf level;           /* of logging/setLevel: the token; empty = none */
    struct listening *listenings;
    bool *closed;               /* told when it is; or NULL */
    struct aggregate *next, *prev;       /* of all */
};

/* mcp_aggregate_names.c: "SERVER__" of fleet_at(index), or of this one (NULL: it has left the
 * list), valid until the list changes; the server of SERVER. */
const char *aggregate_prefix(struct aggregate_names *names, size_t index);
const char *aggregate_prefix_of(struct aggregate_names *names, const char *server);
struct server *aggregate_server_of(struct aggregate_names *names, struct span prefix);
struct server *aggregate_server_named(struct aggregate_names *names, const char *server);
struct presence *aggregate_names_get_presence(const struct aggregate_names *names);
uint32_t aggregate_hash(const char *name);
struct fleet *aggregate_names_get_fleet(const struct aggregate_names *names);
void aggregate_names_looked(struct aggregate_names *names);      /* counts one */

/* mcp_aggregate_tasks.c: an answer of the part's server with the task that it names named for
 * clients, in out and prefix; a message of the server (false: as it is). */
int aggregate_name_result(const struct part *p, const struct iovec *iov, int count,
                          struct iovec out[ENVELOPE_IOV], struct buf *prefix);
bool aggregate_name_message(const struct peer *m, const char *msg, size_t n, struct buf *out);
/* The server of a task, whose name becomes the server's own in the message; NULL: none has it. The
 * same for a message that only tells to which task it belongs. */
struct server *aggregate_task_server(struct aggregate *a, struct span *name);
struct server *aggregate_related_server(struct aggregate *a, const struct envelope *e);
/* A subscription with the tasks of this server alone; those that it has acknowledged. */
void aggregate_listen_message(struct aggregate *a, const struct envelope *e, const char *server,
                              struct buf *out);
void aggregate_add_task_ids(const struct peer *m, const struct envelope *acknowledged,
                            struct buf *out);

/* mcp_aggregate.c: takes so many bytes away behind the quote of a token in the message. */
struct span aggregate_cut(struct span token, size_t n);
/* mcp_aggregate_peers.c: the client of this server, opened where it is new; what there is, or
 * NULL */
struct peer *aggregate_member(struct aggregate *a, struct server *s);
struct peer *aggregate_peer(const struct aggregate *a, const struct server *s);
/* Of a part whose answer nobody waits for; such a part. */
void part_over(void *ctx, const struct iovec *iov, int count, bool is_error);
void part_send_alone(struct aggregate *a, struct peer *m, const struct envelope *e);
void aggregate_peers_fini(struct aggregate *a);
struct part *part_new(struct aggregate *a, call_reply_fn fn, void *ctx);
void part_free(struct part *p);
/* Sends on; fn is called with the part. Whether an answer is still to come. */
bool part_send(struct part *p, struct peer *m, const struct envelope *e, call_reply_fn fn);
void aggregate_answer(struct span id, const char *result, size_t n, call_reply_fn fn, void *ctx);
void aggregate_refuse(struct span id, int code, const char *why, call_reply_fn fn, void *ctx);

/* mcp_aggregate_lists.c: whether it is one of the lists; *ret: an answer is still to come. */
bool aggregate_list(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx,
                    bool *ret);

/* mcp_aggregate_presence.c: who has come or gone is told to every client that was added and has
 * said its first word */
struct presence *presence_new(struct ev_loop *loop, struct fleet *fl,
                              struct aggregate_names *names);
void presence_free(struct presence *p);
void presence_add(struct presence *p, struct aggregate *a);
void presence_remove(struct presence *p, struct aggregate *a);
/* Ready, or it comes when it is called. */
bool aggregate_is_there(const struct server *s);
/* Becomes a client of all that are there, to hear of their changes; what changed before is not told
 * any more. */
void aggregate_join_all(struct aggregate *a);
/* Whether a request that needs this capability goes to it. */
bool aggregate_asks(const struct aggregate *a, const struct server *s, const char *capability);

/* mcp_aggregate_seek.c: one after the other, until one gives no error. Whether an answer is still
 * to come. */
bool aggregate_seek(struct aggregate *a, const struct envelope *e, const char *capability,
                    call_reply_fn fn, void *ctx);
/* Being started again: its session holds what is asked meanwhile. */
bool aggregate_comes_soon(const struct server *s, const char *capability);
/* out becomes the answer. */
void aggregate_keep_pieces(struct buf *out, const struct iovec *iov, int count);

/* mcp_aggregate_watch.c: all at the same time; it has worked if it has with one. */
bool aggregate_spread(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx);
/* A server that came later is told what the client watches. */
void aggregate_watch(struct peer *m, const struct server *s);
void aggregate_watched_fini(struct aggregate *a);

/* mcp_aggregate_said.c */
void aggregate_said(struct aggregate *a, const struct envelope *e);

/* mcp_aggregate_listen.c */
bool aggregate_listen(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx);
/* Whether the message is a server's acknowledgement, which stays here. */
bool aggregate_listen_acknowledged(const struct part *p, const char *msg, size_t n);
/* Whether it took back a subscription. */
bool aggregate_listen_cancelled(struct aggregate *a, const struct envelope *e);
/* These have come or gone. */
void aggregate_listen_changed(struct aggregate *a, struct server *const *servers, size_t n);
void aggregate_listen_forget(struct aggregate *a, const void *ctx);      /* its parts are gone */
void aggregate_listen_fini(struct aggregate *a);

#endif
