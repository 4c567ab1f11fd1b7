/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a modern request over HTTP says in its headers and must say in its body too (specification
 * 2026-07-28, streamable HTTP, request metadata). A proxy that trusts the one and a server that
 * obeys the other must not be told two things. */
#ifndef MCPTOP_API_MCP_HEADERS_H
#define MCPTOP_API_MCP_HEADERS_H

#include <stdbool.h>
#include "base/fault.h"
#include "mcp/envelope.h"

/* Looks a header up by name, whatever its letter case; NULL = absent. */
typedef const char *(*header_fn)(const void *ctx, const char *name);

/* 0, or -1 with the sentence of a HeaderMismatch (-32020). tools: the JSON array of the server's
 * tools, whose x-mcp-header annotations name Mcp-Param-* headers; n == 0 = unknown. prefix: bytes
 * of the request's name that are not in theirs. */
int mcp_headers_check(const struct envelope *e, struct span tools, size_t prefix, header_fn get,
                      const void *ctx, struct fault *f);

/* Whether a header's value, of which the white space around it does not count, stands for this
 * text: as it is, or as =?base64?…?=. False as well for characters that no value may have. */
bool mcp_header_is(const char *value, const char *text);

#endif
