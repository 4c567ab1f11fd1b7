/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client/sse.c: events out of chunks of any size. */
#include "client/sse.h"
#include "base/buf.h"
#include "tap.h"

static struct buf got;

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    (void)ctx;
    buf_printf(&got, "[%s|%.*s]", name, (int)n, data);
}

static void is_stream(const char *stream, const char *want, const char *what)
{
    size_t n = strlen(stream);
    for (size_t step = 1; step <= n; step = step < 4 ? step + 1 : n + 1) {
        struct sse s;
        sse_init(&s, 0, on_event, NULL);
        buf_clear(&got);
        for (size_t i = 0; i < n; i += step)
            sse_feed(&s, stream + i, i + step < n ? step : n - i);
        is_str(buf_str(&got), want, "%s, %zu bytes at a time", what, step);
        sse_fini(&s);
    }
}

static void t_too_big(void)
{
    static char chunk[1 << 20];
    struct sse s;
    memset(chunk, 'x', sizeof chunk);
    sse_init(&s, 0, on_event, NULL);
    sse_feed(&s, "data: ", 6);
    for (int i = 0; i < 40; i++)
        sse_feed(&s, chunk, sizeof chunk);
    sse_feed(&s, "\n\n", 2);
    ok(s.too_big, "an event without end is noticed");
    sse_fini(&s);
}

int main(void)
{
    is_stream("event: a\ndata: {\"x\":1}\n\n", "[a|{\"x\":1}]", "one");
    is_stream("event:a\r\ndata:1\r\n\r\ndata: 2\n\n", "[a|1][message|2]", "CRLF, no space, no name");
    is_stream(": keep-alive\n\n:\ndata: 1\n: x\ndata: 2\n\n", "[message|1\n2]", "comments, several data lines");
    is_stream("event: lonely\n\ndata: 1\n\n", "[message|1]", "a name without data is no event");
    is_stream("id: 7\nretry: 5\nfoo\ndata\n\n", "[message|]", "unknown fields, empty data");
    is_stream("event: a\ndata: 1", "", "an event without its end is none");
    t_too_big();
    buf_fini(&got);
    return done_testing();
}
