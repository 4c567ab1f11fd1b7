/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cutter of a server's stdout: see frame.h. A line that lies whole in one chunk is not copied.
 * It knows '{' and nothing else of JSON. */
#include "mcp/frame.h"

#include <string.h>

void frame_init(struct frame *fr, size_t max_bytes)
{
    *fr = (struct frame){.max_bytes = max_bytes};
}

void frame_fini(struct frame *fr)
{
    buf_fini(&fr->held);
}

/* An idle session keeps no buffer; one in traffic keeps a small one. */
static void release(struct frame *fr)
{
    if (fr->held.cap > 4096)
        buf_fini(&fr->held);
    else
        buf_clear(&fr->held);
    fr->spent = false;
}

void frame_relax(struct frame *fr)
{
    if (fr->spent)
        release(fr);
}

/* The line is over: what it was held for begins anew. */
static void finish(struct frame *fr)
{
    fr->state = FRAME_START;
    fr->cont = false;
    fr->total = 0;
    fr->spent = true;
}

/* held and more, seen as one run of bytes: in place when nothing is held. */
static void join(struct frame *fr, const char *p, size_t n, struct frame_item *ret)
{
    if (!fr->held.len) {
        ret->p = p;
        ret->n = n;
        return;
    }
    buf_add(&fr->held, p, n);
    ret->p = fr->held.data;
    ret->n = fr->held.len;
}

/* ---- messages ---- */

/* Keeps the first FRAME_HEAD bytes of the line and the last FRAME_TAIL of what follows them. */
static void oversize_add(struct frame *fr, const char *p, size_t n)
{
    struct buf *b = &fr->held;

    if (!n)
        return;
    fr->total += n;
    if (b->len < FRAME_HEAD) {
        size_t take = FRAME_HEAD - b->len < n ? FRAME_HEAD - b->len : n;
        buf_add(b, p, take);
        p += take;
        n -= take;
    }
    if (n >= FRAME_TAIL) {
        b->len = FRAME_HEAD;
        p += n - FRAME_TAIL;
        n = FRAME_TAIL;
    }
    if (n)
        buf_add(b, p, n);
    if (b->len > FRAME_HEAD + FRAME_TAIL) {
        memmove(b->data + FRAME_HEAD, b->data + b->len - FRAME_TAIL, FRAME_TAIL);
        b->len = FRAME_HEAD + FRAME_TAIL;
    }
}

static void oversize_begin(struct frame *fr)
{
    struct buf line = fr->held;

    fr->held = BUF_INIT;
    fr->state = FRAME_IN_OVERSIZE;
    oversize_add(fr, line.data, line.len);
    buf_fini(&line);
}

static void oversize_yield(struct frame *fr, struct frame_item *ret)
{
    size_t head = fr->held.len < FRAME_HEAD ? fr->held.len : FRAME_HEAD;

    *ret = (struct frame_item){
        .kind = FRAME_OVERSIZE, .p = fr->held.data, .n = head, .flags = LINE_OVERSIZE,
        .tail = fr->held.data + head, .tail_n = fr->held.len - head, .total = fr->total,
    };
    finish(fr);
}

/* n bytes of a message's line; last: it ends behind them. */
static void take_message(struct frame *fr, const char *p, size_t n, bool last,
                         struct frame_item *ret)
{
    if (fr->state == FRAME_IN_MESSAGE && fr->held.len + n > fr->max_bytes)
        oversize_begin(fr);
    if (fr->state == FRAME_IN_OVERSIZE) {
        oversize_add(fr, p, n);
        if (last)
            oversize_yield(fr, ret);
    } else if (last) {
        join(fr, p, n, ret);
        ret->kind = FRAME_MESSAGE;
        finish(fr);
    } else {
        buf_add(&fr->held, p, n);
    }
}

/* ---- stray lines ---- */

/* At most one piece of p[0, n); returns how much of it was taken. last: the line ends behind p[0,
 * n). */
static size_t take_stray(struct frame *fr, const char *p, size_t n, bool last,
                         struct frame_item *ret)
{
    size_t room = FRAME_PIECE - fr->held.len;
    bool full = n > room;
    size_t take = full ? room : n;

    if (!full && !last) {
        buf_add(&fr->held, p, take);
        return take;
    }
    join(fr, p, take, ret);
    ret->kind = FRAME_STRAY;
    ret->flags = (fr->cont ? LINE_CONT : 0u) | (full ? LINE_PARTIAL : 0u);
    if (full) {
        fr->cont = true;
        fr->spent = true;
    } else {
        finish(fr);
    }
    return take;
}

/* ---- the stream ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Steps over blank lines and the white space before a line's first visible byte; *ret_line is where
 * that line begins (a stray one keeps its indentation, unless a chunk ended in it). */
static size_t skip_blank(const char *p, size_t n, size_t *ret_line)
{
    size_t i = 0;

    *ret_line = 0;
    for (; i < n && is_blank(p[i]); i++) {
        if (p[i] == '\n')
            *ret_line = i + 1;
    }
    return i;
}

size_t frame_next(struct frame *fr, const char *p, size_t n, struct frame_item *ret)
{
    size_t used = 0;

    *ret = (struct frame_item){0};
    frame_relax(fr);
    if (fr->state == FRAME_START) {
        size_t line;
        used = skip_blank(p, n, &line);
        if (used == n)
            return n;
        fr->state = p[used] == '{' ? FRAME_IN_MESSAGE : FRAME_IN_STRAY;
        if (fr->state == FRAME_IN_STRAY)
            used = line;
    }
    const char *from = p + used;
    size_t left = n - used;
    if (fr->state == FRAME_IN_STRAY && left > FRAME_PIECE + 1)
        left = FRAME_PIECE + 1;
    const char *newline = memchr(from, '\n', left);
    size_t len = newline ? (size_t)(newline - from) : left;
    if (fr->state == FRAME_IN_STRAY)
        used += take_stray(fr, from, len, newline, ret);
    else {
        take_message(fr, from, len, newline, ret);
        used += len;
    }
    return used + (newline && fr->state == FRAME_START);
}

void frame_end(struct frame *fr, struct frame_item *ret)
{
    *ret = (struct frame_item){0};
    frame_relax(fr);
    if (fr->state == FRAME_IN_STRAY)
        take_stray(fr, "", 0, true, ret);
    else if (fr->state != FRAME_START)
        take_message(fr, "", 0, true, ret);
    ret->flags |= LINE_NO_NEWLINE;
}
