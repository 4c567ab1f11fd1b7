/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server's log: lines and their records, long lines, noise, names of files, what is told to
 * subscribers, a file that cannot be written. */
#include "supervisor/logstore.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop.h"
#include "tap.h"

static char dir[] = "/tmp/mcptop-t_logstore-XXXXXX";
static int told;

static void on_more(void *ctx)
{
    (void)ctx;
    told++;
}

static char *file_text(const char *path)
{
    struct buf b = BUF_INIT;
    char chunk[4096];
    FILE *f = fopen(path, "r");
    for (size_t n; f && (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        buf_add(&b, chunk, n);
    if (f)
        fclose(f);
    return buf_take(&b);
}

static void feed(struct logstore *l, const char *text)
{
    logstore_stderr(l, text, strlen(text));
}

static void is_line(struct logstore *l, uint64_t seq, enum ring_stream stream, unsigned flags,
                    const char *want)
{
    struct ring_line line;
    AUTO_FREE char *got = ring_get(logstore_get_ring(l), seq, &line) == 0
        ? xstrndup(line.text, line.len) : NULL;
    is_str(got, want, "line %d", (int)seq);
    if (got)
        ok(line.stream == stream && line.flags == flags, "its stream and flags");
}

static void test_lines(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "lines", on_more, NULL);
    feed(l, "one\n  two\r\n\nthr");
    feed(l, "ee\nunfinished");
    logstore_stderr_end(l);
    logstore_line(l, RING_STDOUT, 0, "rubbish", 7);
    logstore_say(l, "it %s\nand so on", "ended");
    is_line(l, 1, RING_STDERR, 0, "one");
    is_line(l, 2, RING_STDERR, 0, "  two\r");
    is_line(l, 3, RING_STDERR, 0, "");
    is_line(l, 4, RING_STDERR, 0, "three");
    is_line(l, 5, RING_STDERR, LINE_NO_NEWLINE, "unfinished");
    is_line(l, 6, RING_STDOUT, 0, "rubbish");
    is_line(l, 7, RING_SUPERVISOR, 0, "it ended and so on");
    AUTO_FREE char *text = file_text(logstore_get_path(l));
    ok(strstr(text, "+00:00 | INFO | stderr | one\n") || strstr(text, " | INFO | stderr | one\n"),
       "the record of a line");
    ok(strstr(text, " | WARN | stdout | rubbish\n") != NULL,
       "stdout that is no protocol is marked");
    ok(strstr(text, " | INFO | supervisor | it ended and so on\n") != NULL, "our own words");
    is_int(logstore_get_lost(l), 0, "nothing lost");
    logstore_free(l);
}

/* Two processes in one log. */
static void test_members(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "members", on_more, NULL);
    struct logstore *a = logstore_new_member(l, "#1"), *b = logstore_new_member(l, "#2");
    feed(a, "one\nhal");
    feed(b, "two\n");
    feed(a, "f\n");
    logstore_hold(b);
    logstore_line(b, RING_STDOUT, 0, "rubbish", 7);
    feed(l, "own\n");
    logstore_release(b);
    logstore_say(a, "ended");
    feed(b, "last");
    logstore_stderr_end(b);
    is_line(l, 1, RING_STDERR, 0, "#1 one");
    is_line(a, 2, RING_STDERR, 0, "#2 two");
    is_line(l, 3, RING_STDERR, 0, "#1 half");
    is_line(l, 4, RING_STDOUT, 0, "#2 rubbish");
    is_line(l, 5, RING_STDERR, 0, "own");
    is_line(l, 6, RING_SUPERVISOR, 0, "#1 ended");
    is_line(l, 7, RING_STDERR, LINE_NO_NEWLINE, "#2 last");
    AUTO_FREE char *text = file_text(logstore_get_path(a));
    ok(strstr(text, "| stderr | #1 half\n") && strstr(text, "| stdout | #2 rubbish\n") &&
       strstr(text, "| supervisor | #1 ended\n"), "they stand in one file");
    logstore_free(a);
    logstore_free(b);
    feed(l, "more\n");
    is_line(l, 8, RING_STDERR, 0, "more");
    logstore_free(l);
}

static void test_long_line(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "long", NULL, NULL);
    static char big[200 * 1000];
    memset(big, 'x', sizeof big);
    logstore_stderr(l, big, sizeof big);
    feed(l, "end\nnext\n");
    struct ring_line first, last;
    is_int(ring_next_seq(logstore_get_ring(l)), 6, "200 kB are four pieces, then the next line");
    ok(ring_get(logstore_get_ring(l), 1, &first) == 0 && first.len == 65536 &&
       first.flags == LINE_PARTIAL, "the first piece is marked");
    ok(ring_get(logstore_get_ring(l), 4, &last) == 0 && last.flags == LINE_CONT,
       "and so is the last");
    AUTO_FREE char *text = file_text(logstore_get_path(l));
    ok(strlen(text) > sizeof big, "all of it is in the file");
    logstore_free(l);
}

static void test_names(void)
{
    static const char *const names[][2] = {
        { "github", "server-github.log" }, { "../../x", "server-.._.._x.log" },
            { "a b", "server-a_b.log" }, { "", "server-.log" },
        { "\xC3\xBC", "server-__.log" },
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO_FREE char *got = logstore_file_name(names[i][0]);
        is_str(got, names[i][1], "file of \"%s\"", names[i][0]);
    }
    char name[1000];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    AUTO_FREE char *got = logstore_file_name(name);
    ok(strlen(got) <= 200 && strcmp(got + strlen(got) - 4, ".log") == 0,
       "a long name still is a file name");
}

static void test_told(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "told", on_more, NULL);
    told = 0;
    feed(l, "a\n");
    is_int(told, 0, "never from inside");
    run_until(loop, told == 1, 1.);
    is_int(told, 1, "told at once");
    for (int i = 0; i < 30; i++) {
        feed(l, "b\n");
        run_for(loop, 0.01);
    }
    ok(told >= 3 && told <= 6, "then at most ten times a second (%d)", told);
    logstore_free(l);
}

static void test_told_though_another_speaks(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "held", on_more, NULL);
    struct logstore *other = logstore_new(loop, dir, "other", NULL, NULL);
    told = 0;
    logstore_hold(l);
    feed(l, "a\n");
    logstore_say(other, "a line of another one sends the first off");
    logstore_release(l);
    run_until(loop, told == 1, 1.);
    is_int(told, 1, "its readers hear of it all the same");
    logstore_free(l);
    logstore_free(other);
}

static void test_flood(struct ev_loop *loop)
{
    struct logstore *l = logstore_new(loop, dir, "flood", NULL, NULL);
    struct buf chunk = BUF_INIT;
    for (int i = 0; chunk.len < 65536 - 100; i++)
        buf_printf(&chunk, "line %d of a flood that says nothing new but says it often\n", i);
    int64_t begin_ns = clock_mono_ns();
    uint64_t before = ring_next_seq(logstore_get_ring(l));
    for (int i = 0; i < 200; i++)
        logstore_stderr(l, chunk.data, chunk.len);
    int64_t took_ns = clock_mono_ns() - begin_ns;
    uint64_t lines = ring_next_seq(logstore_get_ring(l)) - before;
    printf("# %d lines in %.1f ms: %.0f lines/s\n", (int)lines, (double)took_ns / 1e6,
           (double)lines * 1e9 / (double)took_ns);
    ok((double)lines * 1e9 / (double)took_ns > 200000, "faster than any server writes");
    ok(ring_bytes(logstore_get_ring(l)) <= 1024 * 1024, "the ring is bounded");
    buf_fini(&chunk);
    logstore_free(l);
}

static void test_no_directory(struct ev_loop *loop)
{
    AUTO_FREE char *nowhere = xasprintf("%s/missing", dir);
    struct logstore *l = logstore_new(loop, nowhere, "s", NULL, NULL);
    feed(l, "one\ntwo\n");
    is_line(l, 2, RING_STDERR, 0, "two");
    is_int(logstore_get_lost(l), 2, "what has no file is counted");
    logstore_free(l);
}

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    if (!mkdtemp(dir))
        return 1;
    test_members(loop);
    test_lines(loop);
    test_long_line(loop);
    test_names();
    test_told_though_another_speaks(loop);
    test_told(loop);
    test_flood(loop);
    test_no_directory(loop);
    AUTO_FREE char *clean = xasprintf("rm -rf %s", dir);
    ok(system(clean) == 0, "cleaned up");
    ev_loop_destroy(loop);
    return done_testing();
}
