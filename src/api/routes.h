/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of routes (docs/api.md) and who may use which. */
#ifndef MCPTOP_API_ROUTES_H
#define MCPTOP_API_ROUTES_H

#include "api/httpd.h"

struct api_server;

/* Before the body: trust (guard.h). 0, or the HTTP status to refuse with. */
int routes_admit(const struct api_server *a, const struct request *r, char *scratch, size_t n,
                 const char **ret_text);
void routes_handle(struct api_server *a, struct request *r);

#endif
