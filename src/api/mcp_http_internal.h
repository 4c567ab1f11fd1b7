/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What mcp_http.c (requests), mcp_sessions.c (who may go on with which session), mcp_modern.c and
 * mcp_api_call.c (requests of no session) share. */
#ifndef MCPTOP_API_MCP_HTTP_INTERNAL_H
#define MCPTOP_API_MCP_HTTP_INTERNAL_H

#include <ev.h>
#include "api/mcp_aggregate.h"
#include "api/mcp_http.h"
#include "api/mcp_stream.h"
#include "mcp/session.h"

enum {
    ID_RANDOM = 32,                 /* hex digits: 2 of what initialize said, then random … */
    ID_LEN = ID_RANDOM + 16,        /* … 16 of the check */
    SESSION_BUCKETS = 256,
    SESSIONS_MAX = 4096,            /* then the one unused for longest is closed */
    SESSION_STREAMS_MAX = 16,       /* of answered calls, kept for a client that comes back */
    FOUND_SLOTS = 64,               /* servers that were looked up lately */
    REMEMBERED_ENDS = 1024,         /* terminated ids that are still told apart from unknown ones */
};

struct http_session {
    char id[ID_LEN + 1];            /* "" until initialize is answered: in no bucket then */
    struct mcp_http *m;
    struct client *client;          /* NULL once the server is gone */
    struct aggregate *aggregate;    /* instead of it, of all servers */
    char *server;                   /* "": all */
    int64_t used_ms;
    struct waiting *waits;          /* its requests that wait for an answer */
    struct mcp_stream *streams;     /* of calls, and its own */
    struct mcp_stream *own;         /* what belongs to no call; or NULL */
    unsigned stream_count;          /* ever */
    struct http_session *next;      /* in its bucket */
};

struct mcp_http {
    struct api_server *api;
    uint8_t key[16];
    uint32_t life;
    struct waiting *alone;          /* requests of no session, each a client of its own */
    struct http_session *bucket[SESSION_BUCKETS];
    size_t count;
    char ended[REMEMBERED_ENDS][ID_LEN + 1];
    size_t ended_next;
    struct server *found[FOUND_SLOTS];
    uint64_t found_generation;      /* of the fleet's list that they are from */
    ev_timer keepalive;             /* runs while a request or a stream is open */
    size_t keepalive_slice;         /* the next one's turn */
    bool keepalive_any;             /* something was open in this round */
};

/* What a waiting HTTP request waits for. */
struct waiting {
    struct request *request;        /* NULL once it is answered by a stream */
    struct mcp_stream *stream;
    struct call *call;
    bool initialize;
    bool accepts_stream;
    struct session *of;             /* answer in the API's envelope (tools/call); else NULL */
    int64_t begun_ms;
    struct span id;                 /* of the call; behind this struct */
    struct client *own_client;      /* closed with the answer; or, of all servers … */
    struct aggregate *own_aggregate;
    struct http_session *session;   /* NULL: of the modern era, or the API's */
    struct waiting **list;          /* it is in; NULL = none */
    bool modern;
    bool begun, answered;
    struct waiting *next, *prev;
};

struct server;

/* mcp_sessions.c */
void http_sessions_restore(struct mcp_http *m);        /* which ones an earlier supervisor ended */
/* A session without an id, for an initialize. s NULL: with all servers, here and below. */
struct http_session *http_session_begin(struct mcp_http *m, struct server *s);
void http_session_name(struct http_session *hs);       /* gives it its id, from its client */
/* The session of this request, made again where this supervisor does not know it; NULL after an
 * error was answered. */
struct http_session *http_session_of(struct mcp_http *m, struct request *r, struct server *s);
void http_session_close(struct http_session *hs);      /* its requests are told */
void http_session_delete(struct mcp_http *m, struct request *r);
struct mcp_stream *http_session_stream(struct http_session *hs, struct span call);
void http_session_sweep(struct http_session *hs, int64_t now_ms);

/* mcp_modern.c */
bool mcp_is_modern(const struct request *r, const struct envelope *e);
void mcp_modern_post(struct mcp_http *m, struct request *r, struct server *s,
                     const struct envelope *e);
/* Answers with the HTTP status that goes with the JSON-RPC error. */
void mcp_modern_answer(struct waiting *w, const struct iovec *iov, int count, bool is_error);
bool mcp_modern_open_stream(struct waiting *w);

/* mcp_api_call.c */
void mcp_api_answer(struct waiting *w, const struct iovec *iov, int count, bool is_error);

/* mcp_http.c */
struct waiting *waiting_new(struct request *r, const struct envelope *e);
void waiting_join(struct mcp_http *m, struct waiting *w, struct waiting **list);
void waiting_begin(struct waiting *w, struct client *client, struct aggregate *all,
                   const struct envelope *e);
bool mcp_http_on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks);
void mcp_http_refuse(struct request *r, int status, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void waiting_end(struct waiting *w);
void waiting_drop_call(struct waiting *w);             /* its call has nobody any more */

#endif
