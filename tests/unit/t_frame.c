/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cutter of stdout: messages whole, stray lines in pieces and never lost, oversize ones by head
 * and tail, whatever the chunks. */
#include <string.h>
#include "base/mem.h"
#include "mcp/frame.h"
#include "tap.h"

/* What came out, as text: M<...> messages, S<...> stray pieces with + (goes on) and & (went on),
 * O<total:head..tail>. */
static void note(struct buf *log, const struct frame_item *it)
{
    switch (it->kind) {
    case FRAME_NONE:
        return;
    case FRAME_MESSAGE:
        buf_printf(log, "M%s<%.*s>", it->flags & LINE_NO_NEWLINE ? "!" : "", (int)it->n, it->p);
        return;
    case FRAME_STRAY:
        buf_printf(log, "S%s%s%s<", it->flags & LINE_CONT ? "&" : "",
                   it->flags & LINE_PARTIAL ? "+" : "", it->flags & LINE_NO_NEWLINE ? "!" : "");
        if (it->n > 100)
            buf_printf(log, "%zu", it->n);
        else
            buf_add(log, it->p, it->n);
        buf_add_char(log, '>');
        return;
    case FRAME_OVERSIZE:
        buf_printf(log, "O<%llu:%.8s..%.*s>", (unsigned long long)it->total, it->p,
                   (int)(it->tail_n < 8 ? it->tail_n : 8),
                   it->tail + it->tail_n - (it->tail_n < 8 ? it->tail_n : 8));
        return;
    }
}

static void feed(struct frame *fr, const char *p, size_t n, struct buf *log)
{
    struct frame_item it;

    while (n) {
        size_t used = frame_next(fr, p, n, &it);
        p += used;
        n -= used;
        note(log, &it);
        if (!used && it.kind == FRAME_NONE) {
            ok(false, "frame_next goes on");
            return;
        }
    }
}

static void is_cut(const char *text, size_t n, size_t max, size_t chunk, const char *want)
{
    struct frame fr;
    struct frame_item it;
    AUTO_BUF struct buf log = BUF_INIT;

    frame_init(&fr, max);
    for (size_t at = 0; at < n; at += chunk) {
        size_t part = n - at < chunk ? n - at : chunk;
        AUTO_FREE char *exact = xmalloc(part);
        memcpy(exact, text + at, part);
        feed(&fr, exact, part, &log);
    }
    frame_end(&fr, &it);
    note(&log, &it);
    is_str(buf_str(&log), want, "in chunks of %zu", chunk);
    frame_fini(&fr);
}

static void test_chunks(void)
{
    static const char text[] = "{\"a\":1}\nhello\n\n \t\n{\"b\":2}\r\nx {\n{\"c\":3";
    static const char want[] = "M<{\"a\":1}>S<hello>M<{\"b\":2}\r>S<x {>M!<{\"c\":3>";

    for (size_t chunk = 1; chunk <= sizeof(text) - 1; chunk++)
        is_cut(text, sizeof(text) - 1, 1000, chunk, want);
    is_cut("    at f (x.js:1)\n", 18, 1000, 18, "S<    at f (x.js:1)>");
    is_cut("prompt> ", 8, 1000, 3, "S!<prompt> >");
    is_cut("\n\n  \n", 5, 1000, 2, "");
}

static void test_long_stray(void)
{
    AUTO_BUF struct buf text = BUF_INIT;

    for (int i = 0; i < 2 * FRAME_PIECE + 5; i++)
        buf_add_char(&text, 'x');
    buf_add_str(&text, "\n{}\n");
    for (size_t chunk = 100; chunk < 400000; chunk *= 3)
        is_cut(text.data, text.len, 1000, chunk, "S+<65536>S&+<65536>S&<xxxxx>M<{}>");
    text.len = FRAME_PIECE;
    is_cut(text.data, text.len, 1000, 1000, "S!<65536>");
    buf_add_char(&text, '\n');
    is_cut(text.data, text.len, 1000, 1000, "S<65536>");
    is_cut(text.data, text.len, 1000, 100000, "S<65536>");
}

static void test_oversize(void)
{
    AUTO_BUF struct buf text = BUF_INIT;

    buf_add_str(&text, "{\"id\":1,");
    for (int i = 0; i < 50000; i++)
        buf_add_char(&text, 'y');
    buf_add_str(&text, "\"id\":99}\n{\"next\":1}\n");
    for (size_t chunk = 7; chunk < 200000; chunk = chunk * 5 + 1)
        is_cut(text.data, text.len, 20000, chunk, "O<50016:{\"id\":1,..\"id\":99}>M<{\"next\":1}>");
    is_cut("{234567890}\n{}\n", 15, 10, 4, "O<11:{2345678..>M<{}>");
    is_cut("{23456789}\n{}\n", 14, 10, 4, "M<{23456789}>M<{}>");
}

static void test_memory(void)
{
    struct frame fr;
    AUTO_BUF struct buf log = BUF_INIT;
    AUTO_FREE char *big = xmalloc(1 << 20);

    frame_init(&fr, (size_t)64 << 20);
    memset(big, 'z', 1 << 20);
    big[0] = '{';
    feed(&fr, big, 1 << 20, &log);
    feed(&fr, "}\n", 2, &log);
    buf_fini(&log);
    frame_relax(&fr);
    ok(fr.held.cap <= 4096, "a large message leaves no memory behind (%zu)", fr.held.cap);
    frame_fini(&fr);
}

int main(void)
{
    tap_deadline(60);
    test_chunks();
    test_long_stray();
    test_oversize();
    test_memory();
    return done_testing();
}
