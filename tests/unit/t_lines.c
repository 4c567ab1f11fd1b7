/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lines.h: every mode and flag, and that the size of the chunks changes nothing. */
#include "base/lines.h"

#include "base/mem.h"
#include "tap.h"

static void note(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct buf *b = ctx;
    buf_printf(b, "[%.*s]%s%s%s%s", (int)n, p, flags & LINE_PARTIAL ? "p" : "",
               flags & LINE_CONT ? "c" : "", flags & LINE_NO_NEWLINE ? "n" : "",
               flags & LINE_OVERSIZE ? "o" : "");
}

static void is_cut(enum lines_mode mode, size_t max, const char *in, const char *want)
{
    size_t n = strlen(in);
    bool same = true;
    AUTO_BUF struct buf got = BUF_INIT;
    for (size_t chunk = 1; chunk <= n + 1 && same; chunk++) {
        struct lines l;
        lines_init(&l, max, mode);
        buf_clear(&got);
        for (size_t i = 0; i < n; i += chunk)
            lines_feed(&l, in + i, n - i < chunk ? n - i : chunk, note, &got);
        lines_end(&l, note, &got);
        same = strcmp(buf_str(&got), want) == 0;
        lines_fini(&l);
    }
    is_str(buf_str(&got), want, "%s of %zu: %s", mode == LINES_SPLIT ? "split" : "discard", max,
           in);
}

static void borrowed(void *ctx, const char *p, size_t n, unsigned flags)
{
    (void)n;
    (void)flags;
    *(const char **)ctx = p;
}

int main(void)
{
    is_cut(LINES_SPLIT, 4, "", "");
    is_cut(LINES_SPLIT, 4, "\n", "[]");
    is_cut(LINES_SPLIT, 4, "a\n\nb\n", "[a][][b]");
    is_cut(LINES_SPLIT, 4, "a\r\n", "[a\r]");
    is_cut(LINES_SPLIT, 4, "abcd\nx", "[abcd][x]n");
    is_cut(LINES_SPLIT, 4, "abcde\nx\n", "[abcd]p[e]c[x]");
    is_cut(LINES_SPLIT, 4, "abcdefgh\n", "[abcd]p[efgh]c");
    is_cut(LINES_SPLIT, 4, "abcdefghi\n", "[abcd]p[efgh]pc[i]c");
    is_cut(LINES_SPLIT, 4, "abcdefgh", "[abcd]p[efgh]cn");
    is_cut(LINES_SPLIT, 4, "abcde", "[abcd]p[e]cn");
    is_cut(LINES_SPLIT, 1, "ab\nc\n\n", "[a]p[b]c[c][]");
    is_cut(LINES_SPLIT, 0, "ab\n", "[a]p[b]c");
    is_cut(LINES_DISCARD, 4, "abcd\nx\n", "[abcd][x]");
    is_cut(LINES_DISCARD, 4, "abcdefghijk\nx\n", "[abcd]o[x]");
    is_cut(LINES_DISCARD, 4, "abcde\nabcdef\n\ny\n", "[abcd]o[abcd]o[][y]");
    is_cut(LINES_DISCARD, 4, "abcde", "[abcd]o");
    is_cut(LINES_DISCARD, 4, "x\nabc", "[x][abc]n");

    struct lines l;
    AUTO_BUF struct buf got = BUF_INIT;
    lines_init(&l, 4, LINES_DISCARD);
    lines_feed(&l, "abcdefg", 7, note, &got);
    lines_end(&l, note, &got);
    lines_feed(&l, "new\n", 4, note, &got);
    is_str(got.data, "[abcd]o[new]", "ready for a new stream after the end");
    lines_fini(&l);

    lines_init(&l, 4, LINES_SPLIT);
    buf_clear(&got);
    lines_feed(&l, "a\0b\n", 4, note, &got);
    is_mem(got.data, got.len, "[a]", 3,
           "a NUL is a byte like another (the printf here stops at it)");
    const char *chunk = "whole\n", *seen = NULL;
    lines_init(&l, 100, LINES_SPLIT);
    lines_feed(&l, chunk, 6, borrowed, &seen);
    ok(seen == chunk, "a whole line in the chunk is not copied");
    ok(!l.held.data, "and costs no memory");

    char block[1000];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 50; i++)
        lines_feed(&l, block, 1, borrowed, &seen);
    size_t most = 0;
    lines_fini(&l);
    lines_init(&l, 65536, LINES_SPLIT);
    for (int i = 0; i < 10000; i++) {
        lines_feed(&l, block, sizeof block, borrowed, &seen);
        most = l.held.cap > most ? l.held.cap : most;
    }
    ok(most <= 2 * 65536 + 1, "a line of 10 MB needs no more than twice the bound (%zu)", most);
    lines_feed(&l, "\n", 1, borrowed, &seen);
    ok(l.held.cap <= 4096, "and gives it back when it ends");
    lines_fini(&l);
    return done_testing();
}
