/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of server-sent events: lines in, events out. Knows no JSON and no connection. */
#include "client/sse.h"

#include <string.h>

enum { MAX_EVENT_BYTES = 32 * 1024 * 1024 };

void sse_init(struct sse *s, size_t max_bytes, sse_fn fn, void *ctx)
{
    *s = (struct sse){ .max_bytes = max_bytes ? max_bytes : MAX_EVENT_BYTES, .fn = fn, .ctx = ctx };
    lines_init(&s->lines, s->max_bytes, LINES_DISCARD);
}

void sse_fini(struct sse *s)
{
    lines_fini(&s->lines);
    buf_fini(&s->name);
    buf_fini(&s->data);
}

static void dispatch(struct sse *s)
{
    if (s->has_data)
        s->fn(s->ctx, s->name.len ? buf_str(&s->name) : "message", buf_str(&s->data), s->data.len);
    s->has_data = false;
    buf_clear(&s->name);
    buf_clear(&s->data);
}

static void take_field(struct sse *s, const char *field, size_t field_n, const char *value,
                       size_t n)
{
    if (field_n == 5 && !memcmp(field, "event", 5)) {
        buf_clear(&s->name);
        buf_add(&s->name, value, n);
    } else if (field_n == 4 && !memcmp(field, "data", 4)) {
        if (s->data.len + n > s->max_bytes) {
            s->too_big = true;
            return;
        }
        if (s->has_data)
            buf_add_char(&s->data, '\n');
        buf_add(&s->data, value, n);
        s->has_data = true;
    }
}

static void on_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct sse *s = ctx;
    if (n && p[n - 1] == '\r')
        n--;
    if (flags & LINE_OVERSIZE) {
        s->too_big = true;
        return;
    }
    if (!n) {
        dispatch(s);
        return;
    }
    const char *colon = memchr(p, ':', n);
    size_t field_n = colon ? (size_t)(colon - p) : n;
    const char *value = colon ? colon + 1 : p + n;
    if (value < p + n && *value == ' ')
        value++;
    take_field(s, p, field_n, value, (size_t)(p + n - value));   /* a comment has no field name */
}

void sse_feed(struct sse *s, const char *p, size_t n)
{
    lines_feed(&s->lines, p, n, on_line, s);
}
