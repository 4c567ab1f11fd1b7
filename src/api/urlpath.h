/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Percent-decoding and path patterns: pure functions over text. */
#ifndef MCPTOP_API_URLPATH_H
#define MCPTOP_API_URLPATH_H

#include <stdbool.h>
#include <stddef.h>

/* Decodes %XX (and nothing else: '+' stays) of in[0, n) into out. False when malformed, when it
 * decodes to NUL, or when out is too small. */
bool urlpath_decode(const char *in, size_t n, char *out, size_t out_n);
/* Does the still encoded path fit "/api/v1/servers/{}/logs"? {} is one segment, not empty, decoded
 * into name (so it may hold '/'). A pattern has one {} at most; name may be NULL when it has none.
 */
bool urlpath_match(const char *path, const char *pattern, char *name, size_t name_n);

#endif
