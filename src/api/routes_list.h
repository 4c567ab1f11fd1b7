/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answers that hold every server: see listing.h. */
#ifndef MCPTOP_API_ROUTES_LIST_H
#define MCPTOP_API_ROUTES_LIST_H

struct api_server;
struct request;

void list_get_servers(struct api_server *a, struct request *r, const char *name);
void list_get_config(struct api_server *a, struct request *r, const char *name);

#endif
