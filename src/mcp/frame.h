/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cuts what a server writes to its stdout. A line whose first visible byte is '{' is a message and
 * is kept whole up to max_bytes; of a longer one the head and the tail are kept and counted, the
 * rest goes by. Any other line is stray and comes in pieces of at most 64 KiB, so it is never lost
 * and never fills memory. Blank lines are nothing.
 *
 * The caller pulls: frame_next() consumes bytes and yields one item at most, so that whatever an
 * item sets off may end the stream, or the whole session, between two of them. */
#ifndef MCPTOP_MCP_FRAME_H
#define MCPTOP_MCP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/lines.h"

enum { FRAME_PIECE = 64 * 1024, FRAME_HEAD = 4096, FRAME_TAIL = 1024 };

enum frame_kind { FRAME_NONE, FRAME_MESSAGE, FRAME_STRAY, FRAME_OVERSIZE };
struct frame_item {
    enum frame_kind kind;
    /* the line or piece, or the head of an oversize one; valid until the next frame_ call */
    const char *p;
    size_t n;
    /* LINE_* of a stray piece; LINE_NO_NEWLINE of a message that the end cut off */
    unsigned flags;
    const char *tail;        /* oversize: the last bytes of the line */
    size_t tail_n;
    uint64_t total;          /* oversize: length of the line */
};

enum frame_state { FRAME_START, FRAME_IN_MESSAGE, FRAME_IN_STRAY, FRAME_IN_OVERSIZE };
struct frame {
    struct buf held;         /* of the unfinished line; while oversize: head and tail */
    size_t max_bytes;
    uint64_t total;
    enum frame_state state;
    bool cont;               /* a piece of this stray line went out already */
    bool spent;              /* held was handed out and goes at the next call */
};

void frame_init(struct frame *fr, size_t max_bytes);
void frame_fini(struct frame *fr);
/* Consumes from p[0, n) up to the end of the first item; returns how much. FRAME_NONE: all is
 * consumed, nothing to hand out. */
size_t frame_next(struct frame *fr, const char *p, size_t n, struct frame_item *ret);
/* The last item is not needed any more: gives its memory back now instead of at the next call. */
void frame_relax(struct frame *fr);
/* The stream has ended: yields what is held (once), and is ready for a new stream. */
void frame_end(struct frame *fr, struct frame_item *ret);

#endif
