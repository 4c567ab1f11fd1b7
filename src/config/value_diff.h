/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What differs between two versions of a JSON text, value by value: for a file whose lines are too
 * long to be compared by lines. */
#ifndef MCPTOP_CONFIG_VALUE_DIFF_H
#define MCPTOP_CONFIG_VALUE_DIFF_H

#include <stdbool.h>
#include "base/buf.h"

/* Is a changed line of this unified diff too long to be read? */
bool value_diff_is_better(const struct buf *diff);
/* Appends "@@ …" and lines "-a.b[0]: 1", "+a.b[0]: 2", values as the text has them; nothing where
 * no value differs. False, and nothing is appended, when one of the two is no JSON (comments and
 * trailing commas are none the worse). */
bool value_diff(const struct buf *from, const struct buf *to, struct buf *out);

#endif
