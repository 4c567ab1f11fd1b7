/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cuts bytes into lines. Each byte is looked at once, however small the chunks are; only the
 * unfinished end of a chunk is copied. Does not know what a line means. */
#include "base/lines.h"

#include <string.h>

/* A server that is silent costs nothing: a buffer larger than this is given back after its line. */
enum { KEEP_BYTES = 4096 };

void lines_init(struct lines *l, size_t max_bytes, enum lines_mode mode)
{
    *l = (struct lines){ .max_bytes = max_bytes ? max_bytes : 1, .mode = mode };
}

void lines_fini(struct lines *l)
{
    buf_fini(&l->held);
    l->cont = l->skipping = false;
}

static void drop_held(struct lines *l)
{
    if (l->held.cap > KEEP_BYTES)
        buf_fini(&l->held);
    else
        buf_clear(&l->held);
}

/* What is held and the n bytes at p, as one piece. */
static void hand_on(struct lines *l, const char *p, size_t n, unsigned flags, line_fn fn, void *ctx)
{
    if (l->cont)
        flags |= LINE_CONT;
    if (!l->held.len) {
        fn(ctx, p, n, flags);
        return;
    }
    buf_add(&l->held, p, n);
    fn(ctx, l->held.data, l->held.len, flags);
    drop_held(l);
}

/* len bytes without '\n'; ends: a '\n' followed. */
static void take(struct lines *l, const char *p, size_t len, bool ends, line_fn fn, void *ctx)
{
    if (l->skipping) {
        l->skipping = !ends;
        return;
    }
    while (len > l->max_bytes - l->held.len) {
        size_t room = l->max_bytes - l->held.len;
        if (l->mode == LINES_DISCARD) {
            hand_on(l, p, room, LINE_OVERSIZE, fn, ctx);
            l->skipping = !ends;
            return;
        }
        hand_on(l, p, room, LINE_PARTIAL, fn, ctx);
        l->cont = true;
        p += room;
        len -= room;
    }
    if (!ends) {
        buf_add(&l->held, p, len);
        return;
    }
    hand_on(l, p, len, 0, fn, ctx);
    l->cont = false;
}

void lines_feed(struct lines *l, const char *p, size_t n, line_fn fn, void *ctx)
{
    while (n) {
        const char *newline = memchr(p, '\n', n);
        size_t len = newline ? (size_t)(newline - p) : n;
        take(l, p, len, newline, fn, ctx);
        if (!newline)
            return;
        p += len + 1;
        n -= len + 1;
    }
}

void lines_end(struct lines *l, line_fn fn, void *ctx)
{
    if (l->held.len)
        hand_on(l, "", 0, LINE_NO_NEWLINE, fn, ctx);
    l->cont = l->skipping = false;
}
