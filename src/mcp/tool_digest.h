/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A tool's definition, so that a change of it shows: in canonical order, and its hash.
 *
 * Canonical: no white space between tokens; the members of every object in the order of their keys'
 * bytes (those with the same key as they came); strings with the escapes that JSON needs and no
 * others, so that "é" and "\u00e9" are one (a string with half a surrogate pair stays as written);
 * numbers as written. All members count: what a model reads, and what it does not. */
#ifndef MCPTOP_MCP_TOOL_DIGEST_H
#define MCPTOP_MCP_TOOL_DIGEST_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/sha256.h"
#include "mcp/envelope.h"

/* Appends the canonical text of a value that was scanned already. */
void tool_canon(struct span value, struct buf *out);
/* SHA-256 of that. */
void tool_digest(struct span value, uint8_t ret[SHA256_BYTES]);

/* A set of digests; zero is the empty one. */
struct tool_digests {
    uint8_t (*v)[SHA256_BYTES];      /* owned, sorted */
    size_t n, cap;
};
void tool_digests_add(struct tool_digests *t, const uint8_t digest[SHA256_BYTES]);
bool tool_digests_has(const struct tool_digests *t, const uint8_t digest[SHA256_BYTES]);
void tool_digests_copy(struct tool_digests *to, const struct tool_digests *from);   /* replaced */
bool tool_digests_equal(const struct tool_digests *a, const struct tool_digests *b);
void tool_digests_fini(struct tool_digests *t);

#endif
