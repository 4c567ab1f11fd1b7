/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages of megabytes, without long turns of the loop. While one arrives it is scanned piece by
 * piece; when it is whole, whoever handles it finds that jscan_value() knows its large parts
 * (jscan.h), and whoever would have to copy it may take its memory over instead.
 *
 *     large_look(&l, held.data, held.len);     after every piece
 *     large_enter(l, &held);                   it is whole
 *     …                                        handled by callbacks
 *     large_leave(&l);
 *
 * One message is handled at a time; one inside another is fine, too. */
#ifndef MCPTOP_BASE_LARGE_H
#define MCPTOP_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

enum { LARGE_BYTES = 256 * 1024 };

struct large;

/* p[0, n): what has come of a message so far. Below LARGE_BYTES that is nothing to be done; from
 * then on *l (NULL at first) is what is known of it. */
void large_look(struct large **l, const char *p, size_t n);
/* The message in `held` is whole. NULL is fine. Until large_leave the bytes stay where they are,
 * even when they are taken; `held` is empty then. */
void large_enter(struct large *l, struct buf *held);
/* Frees *l, whether it was entered or not, and sets it to NULL. */
void large_leave(struct large **l);

/* Inside: the buffer that has p in it becomes the caller's, who must not free it before the
 * callback he is in returns. False: p lies in none that can be had. */
bool large_take(const void *p, struct buf *ret);
/* The same for a message that waits and is handled again later: *ret is then to be entered with
 * what this returns, which large_leave frees; NULL: there is none. Until then they belong together,
 * and large_drop frees both, also inside. */
struct large *large_keep(const void *p, struct buf *ret);
void large_drop(struct large **l, struct buf *memory);
/* Inside: whether a raw CR or LF is in p[0, n), which is of the message; -1 when that is not
 * known. */
int large_has_newline(const char *p, size_t n);

#endif
