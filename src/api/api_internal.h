/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of the api room share about one api_server. */
#ifndef MCPTOP_API_API_INTERNAL_H
#define MCPTOP_API_API_INTERNAL_H

#include "api/api_server.h"
#include "api/httpd.h"

struct aggregate_names;
struct doctor;
struct event_hub;
struct mcp_http;
struct mcp_stdio;

struct api_server {
    struct ev_loop *loop;
    struct fleet *fleet;
    struct httpd *httpd;
    struct api_config cfg;       /* strings owned */
    char *listen_error;          /* why TCP is not served; "" */
    ev_timer listen_retry;
    int64_t started_wall_ms, started_mono_ms;
    struct event_hub *hub;
    struct doctor *doctor;       /* made after the hub: told before it */
    struct aggregate_names *names;
    struct mcp_http *mcp_http;
    struct mcp_stdio *mcp_stdio;
};

#endif
