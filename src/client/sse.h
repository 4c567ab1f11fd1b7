/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server-sent events out of chunks of any size (WHATWG HTML, "server-sent events"; of the fields
 * `event` and `data`: the API uses no other). Memory is bounded. */
#ifndef MCPTOP_CLIENT_SSE_H
#define MCPTOP_CLIENT_SSE_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/lines.h"

/* name is "message" where the stream gives none. Both are valid during the call only; data is
 * NUL-terminated. */
typedef void (*sse_fn)(void *ctx, const char *name, const char *data, size_t n);

struct sse {
    struct lines lines;
    struct buf name, data;
    size_t max_bytes;
    bool has_data;
    bool too_big; /* an event over the limit came: what follows cannot be trusted to be complete */
    sse_fn fn;
    void *ctx;
};
/* max_bytes: of one event; 0 = 32 MiB. */
void sse_init(struct sse *s, size_t max_bytes, sse_fn fn, void *ctx);
void sse_fini(struct sse *s);
/* The callback must not feed or finish the same object. */
void sse_feed(struct sse *s, const char *p, size_t n);

#endif
