/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All servers behind one endpoint (`/mcp`): a client of this is a client of each of them that it
 * needs. Tools and prompts are named SERVER__NAME (characters that no tool's name may have are '_'
 * in SERVER); lists come in the order of the configuration, of the servers that are ready, and what
 * a server gives in pages is asked for with cursors of ours. Resources keep their uris: they are
 * asked for from one server after the other until one knows them. */
#ifndef MCPTOP_API_MCP_AGGREGATE_H
#define MCPTOP_API_MCP_AGGREGATE_H

#include "mcp/session.h"
#include "supervisor/server.h"

struct fleet;
struct aggregate;

/* What all clients of the endpoint share: which server a name means, and which are there. Outlives
 * them. */
struct aggregate_names;
struct aggregate_names *aggregate_names_new(struct ev_loop *loop, struct fleet *fl);
void aggregate_names_free(struct aggregate_names *names);
/* The server that a name of the endpoint (without quotes) begins with, and how many bytes are in
 * front of its own; NULL: none. */
struct server *aggregate_route(struct aggregate_names *names, struct span text, size_t *ret_prefix);
/* How many names and clients were compared so far, in tables: for tests. */
uint64_t aggregate_names_get_looks(const struct aggregate_names *names);

/* events as of client_open; `gone` never comes: servers may, the whole stays. seat: what it is for
 * a server with a process for every session. */
struct aggregate *aggregate_open(struct aggregate_names *names, enum server_seat seat,
                                 const struct client_events *events, void *ctx);
void aggregate_close(struct aggregate *a);       /* NULL is fine; its calls are abandoned */
/* As client_send, but for the handle: a call is known by its ctx. The text of e may be changed.
 * Returns whether the answer is still to come. */
bool aggregate_send(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx);
/* Nobody waits for the call with this ctx any more; cancel: its servers are told to stop. */
void aggregate_forget(struct aggregate *a, const void *ctx, bool cancel);
unsigned aggregate_get_features(const struct aggregate *a);
unsigned aggregate_get_version(const struct aggregate *a);
void aggregate_restore(struct aggregate *a, unsigned version, unsigned features);

#endif
