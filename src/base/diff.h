/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A unified diff of two small texts, for showing a change before it is made. */
#ifndef MCPTOP_BASE_DIFF_H
#define MCPTOP_BASE_DIFF_H

#include <stddef.h>
#include "base/buf.h"

/* Appends "@@ …", " ", "-" and "+" lines with `context` lines around each change to out; nothing
 * when equal. */
void diff_text(const char *a, size_t a_len, const char *b, size_t b_len, int context,
               struct buf *out);
/* The same of parts of two texts that have so many lines alike before them. */
void diff_part(const char *a, size_t a_len, const char *b, size_t b_len, size_t lines_before,
               int context, struct buf *out);

/* How many of the first, or the last, n bytes are the same; b_end, a_end: behind the last. */
size_t diff_common_head(const char *a, const char *b, size_t n);
size_t diff_common_tail(const char *a_end, const char *b_end, size_t n);

#endif
