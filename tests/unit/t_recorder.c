/* SPDX-License-Identifier: GPL-3.0-or-later */
/* recorder.h and traffic.h: what is written is found again as it was, also by the next supervisor;
 * files are private and bounded; what cannot be kept is counted and says so. */
#include "supervisor/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/fault.h"
#include "base/mem.h"
#include "loop.h"
#include "tap.h"

static char top[] = "/tmp/t_recorder.XXXXXX";
static char *dir;
static struct ev_loop *loop;

static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static bool is_there(const char *name)
{
    AUTO_FREE char *path = in_dir(name);
    return access(path, F_OK) == 0;
}

/* Ends a call; the note is the ring's. */
static struct call_note *record(struct traffic *t, struct recorder *r, const char *server,
                                const char *request, const char *result, size_t result_n)
{
    struct iovec iov[2] = {{(void *)(uintptr_t)result, result_n / 2},
                           {(void *)(uintptr_t)(result + result_n / 2), result_n - result_n / 2}};
    struct call_ended c = {
        .method = span_of("tools/call"), .name = span_of("query"), .client = "cli \"1\"",
        .took_us = 1500, .bytes_out = strlen(request), .bytes_in = result_n,
        .request = span_of(request), .iov = iov, .iov_count = 2,
    };
    struct call_note *n = traffic_add(t, server, &c);
    if (r)
        recorder_take(r, n, &c);
    return n;
}

struct listed { char text[2000]; size_t n; };

static void take(void *ctx, const struct call_note *n)
{
    struct listed *l = ctx;
    size_t at = strlen(l->text);
    snprintf(l->text + at, sizeof l->text - at, "%llu ", (unsigned long long)n->number);
    l->n++;
}

static void ids(struct traffic *t)
{
    char a[CALL_ID_MAX], b[CALL_ID_MAX];
    struct traffic *other = traffic_new(12345678);
    call_note_id(record(t, NULL, "x", "{}", "{}", 2), a, sizeof a);
    call_note_id(record(other, NULL, "x", "{}", "{}", 2), b, sizeof b);
    ok(strcmp(a, b) != 0, "ids of two runs differ: %s %s", a, b);
    traffic_free(other);
}

static void ring(void)
{
    struct traffic *t = traffic_new(1);
    is_int(traffic_count(t), 0, "an empty ring");
    for (int i = 0; i < 300; i++)
        record(t, NULL, "x", "{}", "{}", 2);
    is_int(traffic_count(t), 256, "the last 256");
    is_int(traffic_at(t, 0)->number, 300, "the newest first");
    is_int(traffic_at(t, 255)->number, 45, "the oldest last");
    ok(traffic_at(t, 0)->wall_ms <= clock_wall_ms() && traffic_at(t, 0)->wall_ms > clock_wall_ms() - 60000,
       "when it came");
    traffic_free(t);
}

static void round_trip(struct traffic *t)
{
    static const char odd[] = "{\"id\":1,\"result\":{\"n\":1e400,\"s\":\"\\ud800 \xe2\x80\xa8 #call {\\\"id\\\":\\\"\"}}";
    char id[CALL_ID_MAX];
    struct record rec;
    struct fault f = FAULT_NONE;
    struct stat st;
    struct recorder *r = recorder_new(loop, dir, "a/b");
    ok(!is_there("server-a_b.log"), "no call, no file");
    call_note_id(record(t, r, "a/b", "{\"id\":1,\"method\":\"tools/call\"}", odd, strlen(odd)), id, sizeof id);
    ok(!is_there("server-a_b.log"), "it is not written at once");
    ok(run_until(loop, is_there("server-a_b.log"), 5), "but soon");
    AUTO_FREE char *path = in_dir("server-a_b.log");
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "only its user reads it");
    ok(stat(dir, &st) == 0 && (st.st_mode & 0777) == 0700, "and the directory");
    recorder_free(r);
    ok(record_find(dir, "a/b", id, &rec, &f) == 0, "found again: %s", f.text);
    is_mem(rec.result.p, rec.result.n, odd, strlen(odd), "the answer byte for byte");
    is_str(rec.note.client, "cli \"1\"", "its client");
    is_str(rec.note.tool, "query", "its tool");
    is_int(rec.note.took_us, 1500, "how long it took");
    is_int(rec.note.recorded, RECORD_KEPT, "kept");
    record_fini(&rec);
    id[strlen(id) - 1] = 'x';
    is_int(record_find(dir, "a/b", id, &rec, &f), -1, "an id that is not there");
    is_int(f.code, FAULT_NOT_FOUND, "is not found");
    is_int(record_find(dir, "never", "never:abcd-1", &rec, &f), -1, "no file at all");
}

static void rotates(struct traffic *t)
{
    enum { BIG = 900 << 10 };
    char *result = xmalloc(BIG);
    struct listed l = {0};
    char first[CALL_ID_MAX], last[CALL_ID_MAX];
    struct record rec;
    struct recorder *r = recorder_new(loop, dir, "big");
    memset(result, 'x', BIG);
    for (int i = 0; i < 12; i++) {
        call_note_id(record(t, r, "big", "{}", result, BIG), i ? last : first, sizeof first);
        recorder_flush(r);
    }
    ok(is_there("server-big.log.1") && !is_there("server-big.log.2"), "one older file");
    AUTO_FREE char *path = in_dir("server-big.log");
    struct stat st;
    ok(stat(path, &st) == 0 && st.st_size <= 4 << 20, "bounded");
    is_int(record_find(dir, "big", first, &rec, NULL), -1, "the oldest call is gone");
    ok(record_find(dir, "big", last, &rec, NULL) == 0 && rec.result.n == BIG, "the last one is there");
    record_fini(&rec);
    record_each(dir, "big", 6, take, &l);
    is_int(l.n, 6, "a list over both files: %s", l.text);
    char want[40];
    snprintf(want, sizeof want, "%llu %llu ", (unsigned long long)traffic_at(t, 0)->number,
             (unsigned long long)traffic_at(t, 1)->number);
    ok(strncmp(l.text, want, strlen(want)) == 0, "the newest first");
    is_int(recorder_get_lost(r), 0, "none was lost");
    recorder_free(r);
    free(result);
}

static void bounds(struct traffic *t)
{
    enum { TOO_BIG = (1 << 20) + 1, BIG = 1000 << 10 };
    char *result = xmalloc(TOO_BIG);
    int dropped = 0;
    struct recorder *r = recorder_new(loop, dir, "many");
    memset(result, 'x', TOO_BIG);
    is_int(record(t, r, "many", "{}", result, TOO_BIG)->recorded, RECORD_TOO_BIG, "too long an answer");
    is_int(record(t, r, "many", "", result, 2)->recorded, RECORD_TOO_BIG, "a call of which no copy was kept");
    for (int i = 0; i < 10; i++)
        dropped += record(t, r, "many", "{}", result, BIG)->recorded == RECORD_DROPPED;
    ok(dropped > 0 && dropped < 10, "too many at once: %d of 10 are dropped", dropped);
    is_int(recorder_get_lost(r), 2 + (uint64_t)dropped, "all are counted");
    recorder_flush(r);
    is_int(record(t, r, "many", "{}", result, BIG)->recorded, RECORD_KEPT, "then there is room again");
    recorder_free(r);
    free(result);
}

static void damaged(struct traffic *t)
{
    char a[CALL_ID_MAX], b[CALL_ID_MAX];
    struct record rec;
    struct listed l = {0};
    struct recorder *r = recorder_new(loop, dir, "torn");
    AUTO_FREE char *path = in_dir("server-torn.log");
    call_note_id(record(t, r, "torn", "{}", "{\"a\":1}", 7), a, sizeof a);
    recorder_flush(r);
    FILE *f = fopen(path, "ae");
    fputs("#call {\"id\":\"torn:x", f);
    fclose(f);
    call_note_id(record(t, r, "torn", "{}", "{\"b\":1}", 7), b, sizeof b);
    recorder_free(r);
    ok(record_find(dir, "torn", a, &rec, NULL) == 0, "before half a record");
    record_fini(&rec);
    record_each(dir, "torn", 10, take, &l);
    ok(l.n >= 1, "a list over it");
    unlink(path);
    ok(symlink("/etc/passwd", path) == 0, "a link in its place");
    is_int(record_find(dir, "torn", a, &rec, NULL), -1, "is not followed");
    r = recorder_new(loop, dir, "torn");
    record(t, r, "torn", "{}", "{}", 2);
    recorder_flush(r);
    is_int(recorder_get_lost(r), 1, "nor written to");
    recorder_free(r);
}

/* Calls around the places where one window of reading ends and the next begins. */
static void windows(struct traffic *t)
{
    enum { CALLS = 400, NEAR = 3 };
    char id[CALLS][CALL_ID_MAX];
    int found = 0;
    struct listed l = {0};
    char *result = xmalloc(4000);
    struct recorder *r = recorder_new(loop, dir, "windows");
    memset(result, 'x', 4000);
    for (int i = 0; i < CALLS; i++)
        call_note_id(record(t, r, "windows", "{}", result, 2000 + (size_t)i * NEAR), id[i], CALL_ID_MAX);
    recorder_free(r);
    for (int i = 0; i < CALLS; i++) {
        struct record rec;
        if (record_find(dir, "windows", id[i], &rec, NULL) == 0) {
            found += rec.result.n == 2000 + (size_t)i * NEAR;
            record_fini(&rec);
        }
    }
    is_int(found, CALLS, "every call is found, wherever it lies");
    record_each(dir, "windows", 2 * CALLS, take, &l);
    is_int(l.n, CALLS, "and listed");
    free(result);
}

/* Whatever stands in a file, it is read without harm. */
static void rubbish(struct traffic *t)
{
    char id[CALL_ID_MAX];
    unsigned seed = 4711;
    struct recorder *r = recorder_new(loop, dir, "rubbish");
    AUTO_FREE char *path = in_dir("server-rubbish.log");
    for (int i = 0; i < 5; i++)
        call_note_id(record(t, r, "rubbish", "{\"a\":1}", "{\"b\":2}", 7), id, sizeof id);
    recorder_free(r);
    char text[4096];
    FILE *f = fopen(path, "re");
    size_t n = fread(text, 1, sizeof text, f), read_back = 0;
    fclose(f);
    for (int round = 0; round < 300; round++) {
        struct record rec;
        struct listed l = {0};
        char bad[sizeof text];
        memcpy(bad, text, n);
        for (int i = 0; i < 1 + round % 8; i++)
            bad[(size_t)rand_r(&seed) % n] = "\n#{}\"\\0,: \xff"[rand_r(&seed) % 12];
        f = fopen(path, "we");
        fwrite(bad, 1, n - (size_t)rand_r(&seed) % 50, f);
        fclose(f);
        record_each(dir, "rubbish", 10, take, &l);
        if (record_find(dir, "rubbish", id, &rec, NULL) == 0) {
            read_back++;
            record_fini(&rec);
        }
    }
    ok(read_back < 300, "damaged files are read without harm");
}

int main(void)
{
    tap_deadline(60);
    if (!mkdtemp(top))
        bail_out("no directory");
    dir = xasprintf("%s/recorded", top);
    loop = ev_loop_new(0);
    struct traffic *t = traffic_new(4711);
    ids(t);
    ring();
    round_trip(t);
    rotates(t);
    bounds(t);
    damaged(t);
    windows(t);
    rubbish(t);
    traffic_free(t);
    ev_loop_destroy(loop);
    AUTO_FREE char *rm = xasprintf("rm -rf %s", top);
    ok(system(rm) == 0, "cleaned up");
    free(dir);
    return done_testing();
}
