/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Why the supervisor will not link a client to a server, in a sentence that helps. Texts are the
 * caller's to free. */
#pragma once

/* "mcptop has no server "x": did you mean "y"? There are: …". Asks the supervisor at `socket` for
 * the names, and waits for its answer. */
char *refusal_unknown(const char *socket, const char *server);
/* The same of a server's tool; NULL when it has such a tool, or its tools are not known. */
char *refusal_unknown_tool(const char *socket, const char *server, const char *tool);

/* The sentence of the API's `body` (COMPAT: `error`), where it gave one; else the HTTP status. */
char *refusal_status(const char *server, long status, const char *body);
