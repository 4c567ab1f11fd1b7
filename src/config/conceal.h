/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A configuration's text as it may be shown beside another version of itself: a diff has lines
 * around the change, and neighbours' secrets stand in them. */
#ifndef MCPTOP_CONFIG_CONCEAL_H
#define MCPTOP_CONFIG_CONCEAL_H

#include "base/buf.h"

/* The unified diff of two versions of a JSON file with env and headers in it (mcptop's own, or an
 * AI client's), appended; one by values (value_diff.h) where its lines are too long for that.
 * Hidden is the value of a variable or header that both have alike, or whose name sounds secret;
 * what looks like a secret in args; api_key; and each of these values wherever else it stands. A
 * hidden value that the later text alone has is marked as new. Of a text that is no JSON (TOML, an
 * error) what NAME = "value" says in the name of a secret is hidden. */
void conceal_diff(const struct buf *from, const struct buf *to, int context, struct buf *out);

#endif
