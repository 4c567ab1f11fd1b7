/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop stdio [NAME]`: one client's stdin/stdout to the supervisor's `/mcp/NAME/stdio` stream (no
 * name, server NULL: that of all servers) and back, byte for byte. It parses only what it must: to
 * survive a restart of the supervisor it remembers the client's initialize line, which it sends
 * again, and the ids in flight, which it answers with an error. Ends when stdin ends and what was
 * asked is answered. */
#ifndef MCPTOP_CLI_BRIDGE_H
#define MCPTOP_CLI_BRIDGE_H

#include "client/api_client.h"

int bridge_run(const struct paths *p, const char *server);      /* exit code */

#endif
