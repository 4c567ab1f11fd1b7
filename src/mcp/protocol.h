/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The revisions of MCP that are known, and what a client can be asked for. */
#ifndef MCPTOP_MCP_PROTOCOL_H
#define MCPTOP_MCP_PROTOCOL_H

#include <stdbool.h>
#include "mcp/envelope.h"

#define PROTOCOL_MODERN "2026-07-28"
#define PROTOCOL_LATEST "2025-11-25"     /* of the legacy era */

extern const char modern_version[], protocol_latest[];   /* their static texts */

/* The static text of a legacy revision, or NULL. version: a string token. */
const char *protocol_known(struct span version);
/* in order of time; the latest when there is none */
const char *protocol_at(unsigned index);
unsigned protocol_index(const char *version);    /* of a static text; of another the latest's */
/* The text of a header: either era. */
bool protocol_is_known(const char *version);

/* What a client said in its initialize that it can be asked for. */
enum client_feature {
    CLIENT_SAMPLING = 1, CLIENT_ELICITATION = 2, CLIENT_ELICITATION_URL = 4, CLIENT_ROOTS = 8,
};
unsigned protocol_features(struct span capabilities);

#endif
