/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /mcp/NAME/stdio with "Upgrade: mcp-stdio", on the unix socket only: the connection becomes
 * newline-delimited MCP, both ways, as a server's own stdin and stdout would be. What `mcptop stdio
 * NAME` uses. Unlike POST it carries notifications too. */
#ifndef MCPTOP_API_MCP_STDIO_H
#define MCPTOP_API_MCP_STDIO_H

#include "api/httpd.h"

struct api_server;
struct mcp_stdio;

struct mcp_stdio *mcp_stdio_new(struct api_server *a);
/* ends all connections: before the HTTP server is freed */
void mcp_stdio_end(struct mcp_stdio *m);
void mcp_stdio_free(struct mcp_stdio *m);     /* after it */
void mcp_stdio_handle(struct mcp_stdio *m, struct request *r, const char *server);

#endif
