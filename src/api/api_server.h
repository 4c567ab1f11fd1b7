/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything the supervisor serves over HTTP (docs/api.md): the API, its event stream and the MCP
 * endpoints, on the unix socket and on TCP. */
#ifndef MCPTOP_API_API_SERVER_H
#define MCPTOP_API_API_SERVER_H

#include <ev.h>
#include "base/fault.h"
#include "io/turn.h"
#include "supervisor/fleet.h"

struct api_config {
    /* unix socket path; one that nobody listens on is replaced */
    const char *socket;
    const char *data_dir;            /* for the status route, and what outlives a restart */
    const char *listen;              /* "127.0.0.1:8080", or NULL = no TCP */
    /* what TCP clients must show, unless the configuration has a key of its own; that, and its
     * mcp_auth, are asked at every request: a change counts at once */
    const char *api_key;
    const struct turn *turn;         /* for the status route; borrowed, outlives this */
    void (*shutdown)(void *ctx);     /* POST /api/v1/shutdown was asked for */
    void *ctx;
};
struct api_server;
/* -1/NULL only when the unix socket cannot be served. A TCP address that cannot be had is no
 * failure: it is logged, shown in the status, and tried again every 10 s. */
struct api_server *api_server_new(struct ev_loop *loop, struct fleet *fleet,
                                  const struct api_config *cfg, struct fault *f);
void api_server_free(struct api_server *a);

#endif
