/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Handlers about findings and fixes. */
#ifndef MCPTOP_API_ROUTES_FINDING_H
#define MCPTOP_API_ROUTES_FINDING_H

#include "api/httpd.h"
#include "supervisor/server.h"

struct api_server;
void get_diagnostics(struct api_server *a, struct request *r, const char *name);
void server_post_test(struct api_server *a, struct request *r, struct server *s);
void server_post_fix(struct api_server *a, struct request *r, struct server *s);

#endif
