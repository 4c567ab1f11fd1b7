/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cuts a stream of bytes into lines. A line ends at '\n' (not included; a '\r' before it stays).
 * Memory is bounded by max_bytes: what happens to a longer line is the mode. Chunks may be of any
 * size. */
#ifndef MCPTOP_BASE_LINES_H
#define MCPTOP_BASE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"

enum lines_mode {
    LINES_SPLIT,     /* logs: handed on in pieces of max_bytes, each but the last with LINE_PARTIAL,
                      * each but the first with LINE_CONT; pieces are never empty */
    LINES_DISCARD,   /* messages: its first max_bytes once with LINE_OVERSIZE, the rest skipped */
};
enum {
    LINE_PARTIAL = 1,    /* continues in the next call */
    LINE_CONT = 2,       /* continues the previous call */
    LINE_NO_NEWLINE = 4, /* the stream ended without '\n' */
    LINE_OVERSIZE = 8,
};
/* p is valid during the call only. Where a whole line lies in the fed chunk it is not copied. The
 * callback must not feed or finish the same object. */
typedef void (*line_fn)(void *ctx, const char *p, size_t n, unsigned flags);

struct lines {
    struct buf held;     /* the unfinished line, at most max_bytes */
    size_t max_bytes;
    enum lines_mode mode;
    bool cont;           /* SPLIT: pieces of the current line were handed on */
    bool skipping;       /* DISCARD: inside a line that was too long */
};

void lines_init(struct lines *l, size_t max_bytes, enum lines_mode mode);
void lines_fini(struct lines *l);
void lines_feed(struct lines *l, const char *p, size_t n, line_fn fn, void *ctx);
/* hands on what is held; ready for a new stream */
void lines_end(struct lines *l, line_fn fn, void *ctx);

#endif
