/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /mcp/NAME and, for all servers, /mcp: MCP over streamable HTTP (specification 2025-11-25,
 * transports; 2026-07-28: mcp_modern.c).
 *
 * POST carries one message. A request is answered by one JSON text, or by an event stream where
 * something precedes the answer (progress, log messages, questions of the server) or the answer
 * takes long. GET opens the session's own event stream, for what belongs to no request; with
 * Last-Event-ID it goes on with the stream that the id names. DELETE ends the session.
 *
 * A session id is given with the answer to initialize and asked for afterwards: absent 400,
 * terminated or not of our making 404. It is random plus a check that only this installation can
 * make, so a session goes on after the supervisor was restarted (its streams do not, and say so).
 * It is no authorisation. A client that disconnects cancels nothing. */
#ifndef MCPTOP_API_MCP_HTTP_H
#define MCPTOP_API_MCP_HTTP_H

#include <jansson.h>
#include "api/httpd.h"

struct api_server;
struct mcp_http;

struct mcp_http *mcp_http_new(struct api_server *a);
void mcp_http_free(struct mcp_http *m);
/* server NULL: all */
void mcp_http_handle(struct mcp_http *m, struct request *r, const char *server);
size_t mcp_http_get_sessions(const struct mcp_http *m);

/* For the route tools/call (mcp_api_call.c): one request on a client of the API's own; the result
 * is answered in the API's envelope, where events are accepted as the last of them. */
void mcp_http_call_tool(struct mcp_http *m, struct request *r, const char *server, const char *tool,
                        json_t *arguments);

#endif
