/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handlers of /api/v1/servers/… that concern one server, and of
 * /api/v1/docker_isolation. They answer the request, now or later. */
#ifndef MCPTOP_API_ROUTES_SERVER_H
#define MCPTOP_API_ROUTES_SERVER_H

#include <jansson.h>
#include "api/httpd.h"
#include "supervisor/fleet.h"

struct api_server;
typedef void (*server_handler)(struct api_server *a, struct request *r, struct server *s);

/* Answers as a change is answered, with the fix that it is (stolen); result is taken over. */
void server_reply_fix(struct fleet *fl, struct request *r, const char *name,
                      struct fleet_change_result *result, bool planned, json_t *fix);
void server_get(struct api_server *a, struct request *r, struct server *s);
void server_post_start(struct api_server *a, struct request *r, struct server *s);
void server_post_stop(struct api_server *a, struct request *r, struct server *s);
void server_post_restart(struct api_server *a, struct request *r, struct server *s);
void server_post_kill(struct api_server *a, struct request *r, struct server *s);
void server_post_enable(struct api_server *a, struct request *r, struct server *s);
void server_post_disable(struct api_server *a, struct request *r, struct server *s);
void server_post_release(struct api_server *a, struct request *r, struct server *s);
void server_post_pull(struct api_server *a, struct request *r, struct server *s);
void server_delete_pull(struct api_server *a, struct request *r, struct server *s);
void server_post_undo(struct api_server *a, struct request *r, struct server *s);
void server_patch(struct api_server *a, struct request *r, struct server *s);
void server_get_plan(struct api_server *a, struct request *r, struct server *s);
void server_get_command(struct api_server *a, struct request *r, struct server *s);
void server_get_tools(struct api_server *a, struct request *r, struct server *s);
void server_get_tool_changes(struct api_server *a, struct request *r, struct server *s);
void server_post_approve(struct api_server *a, struct request *r, struct server *s);
void server_get_logs(struct api_server *a, struct request *r, struct server *s);

/* ?now=1: calls in flight are not waited for. */
enum server_haste haste_of(const struct request *r);

/* New servers (routes_add.c). */
void servers_post(struct api_server *a, struct request *r, const char *name);

/* What all isolated servers inherit. */
void isolation_get(struct api_server *a, struct request *r, const char *name);
void isolation_patch(struct api_server *a, struct request *r, const char *name);
void isolation_post_undo(struct api_server *a, struct request *r, const char *name);

#endif
