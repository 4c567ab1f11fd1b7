/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One event stream of an MCP session over HTTP (specification 2025-11-25, transports): numbered
 * events, kept within bounds, so that a client that lost its connection goes on behind the
 * Last-Event-ID it saw. It outlives its connections: one at a time reads it, the newest wins.
 *
 * An event id is LIFE-STREAM-EVENT[-CALL]: LIFE tells this supervisor from its predecessors, CALL
 * is the JSON-RPC id of the request that the stream answers, so that a client that comes back to a
 * stream that is gone can at least be told so in an answer to that request. */
#ifndef MCPTOP_API_MCP_STREAM_H
#define MCPTOP_API_MCP_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "api/httpd.h"
#include "mcp/envelope.h"

enum {
    STREAM_KEPT_BYTES = 256 * 1024,   /* of events, for a client that comes back */
    STREAM_UNREAD_BYTES = 8 * 1024,   /* … before anybody has read the stream at all */
    STREAM_SLOW_BYTES = 1 << 20,      /* unsent when the next event comes: the reader is cut */
};

struct mcp_stream {
    struct mcp_stream *next;          /* the owner's list */
    uint32_t life;
    unsigned number;
    char *call_id;                    /* token; NULL: it answers no request */
    bool numbered;                    /* has ids and keeps events; else what is missed is lost */
    bool primes;                      /* the reader knows events without data (2025-11-25) */
    void (*gone)(void *ctx);          /* the reader has gone by itself; may be NULL */
    void *gone_ctx;
    bool slow;                        /* … and was to be cut */
    struct http_stream *http;         /* its reader; NULL while there is none */
    bool was_read;
    bool ended;                       /* no event follows; a reader is let go */
    int64_t idle_ms;                  /* the reader has gone, or it ended: since when */
    uint64_t seq;                     /* of the last event */
    uint64_t forgotten;               /* the last event that is not kept any more */
    struct kept_event *first, *last;
    size_t kept;
};

/* call: of the request it answers (n == 0: none); copied. */
struct mcp_stream *mcp_stream_new(uint32_t life, unsigned number, struct span call, bool primes);
/* One without ids, for the modern era. gone: it has lost its reader. */
struct mcp_stream *mcp_stream_new_plain(void (*gone)(void *ctx), void *ctx);
void mcp_stream_free(struct mcp_stream *st);      /* its reader is let go */
/* Answers the request with the stream: what follows the event `after`, then what comes. headers as
 * for request_reply. */
void mcp_stream_attach(struct mcp_stream *st, struct request *r, const struct reply_header *headers,
                       uint64_t after);
/* One JSON-RPC message without a newline. */
void mcp_stream_send(struct mcp_stream *st, const struct iovec *iov, int count);
/* To the reader; "" keeps the connection alive. */
void mcp_stream_comment(struct mcp_stream *st, const char *text);
void mcp_stream_end(struct mcp_stream *st);       /* after what was sent */

/* What a Last-Event-ID names. call points into the text; n == 0: none. False: none of ours. */
struct event_id { uint32_t life; unsigned stream; uint64_t seq; struct span call; };
bool event_id_parse(const char *text, struct event_id *ret);

#endif
