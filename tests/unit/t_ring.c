/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ring.h: contiguous numbers, the bound, what an idle server costs, speed. */
#include "base/ring.h"

#include "base/clock.h"
#include "base/lines.h"
#include "base/mem.h"
#include "tap.h"

static bool line_is(const struct ring *r, uint64_t seq, const char *want)
{
    struct ring_line l;
    return ring_get(r, seq, &l) == 0 && l.seq == seq && l.len == strlen(want) &&
           memcmp(l.text, want, l.len) == 0;
}

static void bounded(void)
{
    enum { MAX = 100000, LINES = 50000 };
    struct ring *r = ring_new(MAX);
    bool numbers = true, bound = true, grows = true;
    size_t before = ring_bytes(r);
    for (uint64_t i = 1; i <= LINES; i++) {
        AUTO_FREE char *text = xasprintf(
            "line %llu%.*s", (unsigned long long)i, (int)(i * 7919 % 60),
            "............................................................");
        numbers = numbers && ring_push(r, (int64_t)i, RING_STDERR, 0, text, strlen(text)) == i;
        bound = bound && ring_bytes(r) <= MAX;
        if (i < 10)
            grows = grows && ring_bytes(r) < 2048;
    }
    ok(numbers, "numbers are contiguous");
    ok(bound, "never above max_bytes");
    ok(grows && before < 512, "memory grows with use (%zu bytes when new)", before);
    ok(ring_bytes(r) > MAX * 8 / 10, "the bound is used (%zu)", ring_bytes(r));
    uint64_t first = ring_first_seq(r);
    is_int(ring_next_seq(r), LINES + 1, "next");
    ok(first > 1 && first < LINES, "the oldest are gone");
    struct ring_line l;
    is_int(ring_get(r, first - 1, &l), -1, "what is gone is not held");
    is_int(ring_get(r, LINES + 1, &l), -1, "nor what is to come");
    is_int(ring_get(r, 0, &l), -1, "nor zero");
    bool all = true;
    for (uint64_t i = first; i <= LINES; i++) {
        AUTO_FREE char *text = xasprintf(
            "line %llu%.*s", (unsigned long long)i, (int)(i * 7919 % 60),
            "............................................................");
        all = all && line_is(r, i, text) && ring_get(r, i, &l) == 0 && l.wall_ms == (int64_t)i;
    }
    ok(all, "every line between is as it was pushed");
    ring_free(r);
}

static void odd_lines(void)
{
    struct ring *r = ring_new(0);
    struct ring_line l;
    char *big = xmalloc(1 << 20);
    memset(big, 'b', 1 << 20);
    ring_push(r, 1, RING_STDERR, LINE_PARTIAL, big, 1 << 20);
    is_int(ring_get(r, 1, &l), 0, "a line larger than the ring is held");
    ok(l.len > 1000 && l.len < 4096, "cut to what fits (%zu)", l.len);
    is_int(l.flags, LINE_PARTIAL | LINE_OVERSIZE, "and marked");
    ok(ring_bytes(r) <= 4096, "within the least bound");
    for (int i = 0; i < 100; i++)
        ring_push(r, 1, RING_STDOUT, 0, big, 1500);
    is_int(ring_next_seq(r), 102, "large lines go on");
    ok(ring_bytes(r) <= 4096 && ring_first_seq(r) > 90, "within the bound");
    ring_push(r, -5, RING_SUPERVISOR, 0, NULL, 0);
    is_int(ring_get(r, 102, &l), 0, "an empty line");
    ok(l.len == 0 && l.wall_ms == -5 && l.stream == RING_SUPERVISOR, "with its head");
    for (int i = 0; i < 10000; i++)
        ring_push(r, 1, RING_STDERR, 0, NULL, 0);
    ok(ring_bytes(r) <= 4096 && ring_first_seq(r) > 9000, "empty lines are bounded by their heads");
    free(big);
    ring_free(r);
    ring_free(NULL);
}

static void speed(void)
{
    enum { LINES = 3000000 };
    struct ring *r = ring_new(1 << 20);
    char text[100];
    memset(text, 't', sizeof text);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < LINES; i++)
        ring_push(r, i, RING_STDERR, 0, text, sizeof text);
    int64_t ns = clock_mono_ns() - start;
    diag("%.1f million pushes of 100 bytes a second", LINES * 1e3 / (double)ns);
    ok(ns < LINES * INT64_C(10000), "pushes are cheap");
    ring_free(r);
}

int main(void)
{
    struct ring *r = ring_new(1 << 20);
    struct ring_line l;
    is_int(ring_first_seq(r), 1, "an empty ring begins at 1");
    is_int(ring_next_seq(r), 1, "and so does what comes");
    is_int(ring_get(r, 1, &l), -1, "nothing is held");
    is_int(ring_push(r, 11, RING_STDOUT, LINE_CONT, "hello", 5), 1, "the first number is 1");
    is_int(ring_get(r, 1, &l), 0, "held");
    ok(l.seq == 1 && l.wall_ms == 11 && l.stream == RING_STDOUT && l.flags == LINE_CONT,
       "with time, stream, flags");
    is_mem(l.text, l.len, "hello", 5, "and text");
    for (int i = 0; i < 5; i++)
        ring_push(r, 0, RING_SUPERVISOR, 0, "server started: a line of an idle server's log", 46);
    ok(ring_bytes(r) < 2048, "an idle server costs less than 2 KiB (%zu)", ring_bytes(r));
    ring_free(r);
    bounded();
    odd_lines();
    speed();
    return done_testing();
}
