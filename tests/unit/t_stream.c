/* SPDX-License-Identifier: GPL-3.0-or-later */
/* stream over pipes: both channels, end, pause, close_input with a queue, freeing inside events,
 * and the length of the loop's turns under a flood. */
#include "io/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "io/turn.h"
#include "loop.h"
#include "tap.h"

struct seen {
    struct buf out, err;
    size_t bytes, largest;
    int ends, drained;
    bool free_in_data, free_in_end, count_only;
    struct stream *stream;
};

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct seen *s = ctx;
    s->bytes += n;
    if (n > s->largest)
        s->largest = n;
    if (!s->count_only)
        buf_add(ch == STREAM_OUT ? &s->out : &s->err, p, n);
    if (s->free_in_data)
        stream_free(s->stream);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct seen *s = ctx;
    ok(why == NULL, "an orderly end");
    s->ends++;
    if (s->free_in_end)
        stream_free(s->stream);
}

static void on_drained(void *ctx)
{
    ((struct seen *)ctx)->drained++;
}

static const struct stream_events events = {.data = on_data, .end = on_end, .drained = on_drained};

struct ends { int in, out, err; };     /* the other side */

static struct ends open_stream(struct ev_loop *loop, struct seen *s)
{
    int in[2], out[2], err[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        abort();
    s->stream = stream_from_pipes(loop, in[1], out[0], err[0], &events, s);
    return (struct ends){in[0], out[1], err[1]};
}

static void put(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        abort();
}

static void seen_fini(struct seen *s)
{
    buf_fini(&s->out);
    buf_fini(&s->err);
}

static void test_channels(struct ev_loop *loop)
{
    struct seen s = {.free_in_end = true};
    struct ends e = open_stream(loop, &s);
    put(e.out, "one");
    put(e.err, "two");
    ok(run_until(loop, s.out.len == 3 && s.err.len == 3, 2.), "both channels arrive");
    is_str(buf_str(&s.out), "one", "stdout");
    is_str(buf_str(&s.err), "two", "stderr");
    put(e.out, "last");
    close(e.out);
    run_for(loop, 0.02);
    is_int(s.ends, 0, "one channel ended: not the end");
    close(e.err);
    ok(run_until(loop, s.ends, 2.), "both ended: the end");
    is_str(buf_str(&s.out), "onelast", "after the last data");
    run_for(loop, 0.02);
    is_int(s.ends, 1, "once");
    close(e.in);
    seen_fini(&s);
}

static void test_pause(struct ev_loop *loop)
{
    struct seen s = {0};
    struct ends e = open_stream(loop, &s);
    stream_pause(s.stream, true);
    stream_pause(s.stream, true);
    put(e.out, "held");
    close(e.out), close(e.err);
    run_for(loop, 0.02);
    ok(s.bytes == 0 && s.ends == 0, "nothing is read while paused");
    stream_pause(s.stream, false);
    ok(run_until(loop, s.ends, 2.), "it goes on");
    is_str(buf_str(&s.out), "held", "with all bytes");
    stream_free(s.stream);
    close(e.in);
    seen_fini(&s);
}

static void test_input(struct ev_loop *loop)
{
    struct seen s = {0};
    struct fault f = FAULT_NONE;
    struct ends e = open_stream(loop, &s);
    static char big[1 << 20], sink[1 << 20];
    struct iovec iov = {big, sizeof(big)};

    memset(big, 'x', sizeof(big));
    is_int(stream_writev(s.stream, &iov, 1, &f), 0, "a megabyte is taken");
    ok(stream_queued(s.stream) > 900000, "most of it queued");
    stream_close_input(s.stream);
    stream_close_input(s.stream);
    is_int(stream_writev(s.stream, &iov, 1, &f), -1, "no more after close_input");
    is_int(f.code, EPIPE, "EPIPE");
    fcntl(e.in, F_SETFL, O_NONBLOCK);
    size_t have = 0;
    ssize_t n = -1;
    for (int turns = 0; n != 0 && turns < 10000; turns++) {
        n = read(e.in, sink, sizeof(sink));
        if (n > 0)
            have += (size_t)n;
        ev_run(loop, EVRUN_NOWAIT);
    }
    is_int(have, sizeof(big), "the queue goes out before the close");
    is_int(n, 0, "then the reader sees the end");
    is_int(s.drained, 1, "drained");
    is_int(s.ends, 0, "a closed input ends nothing");
    stream_free(s.stream);
    close(e.in), close(e.out), close(e.err);

    e = open_stream(loop, &s);
    close(e.in);
    is_int(stream_writev(s.stream, &iov, 1, &f), -1, "a reader that closed its stdin");
    is_int(f.code, EPIPE, "gives EPIPE");
    put(e.out, "alive");
    ok(run_until(loop, s.out.len == 5, 2.), "and its output goes on");
    stream_free(s.stream);
    close(e.out), close(e.err);
    seen_fini(&s);
}

static void test_undelivered(struct ev_loop *loop)
{
    struct seen s = {0};
    char got[4];
    struct ends e = open_stream(loop, &s);
    static char big[300000];
    struct fault f = FAULT_NONE;

    stream_writev(s.stream, &(struct iovec){(char[]){"0123456789"}, 10}, 1, &f);
    is_int(stream_undelivered(s.stream), 10, "what waits for the turn's end was not read");
    ev_run(loop, EVRUN_NOWAIT);
    is_int(stream_queued(s.stream), 0, "then it goes out");
    is_int(stream_undelivered(s.stream), 10, "what lies in the pipe was not read");
    is_int(read(e.in, got, sizeof got), 4, "the reader takes a part");
    is_int(stream_undelivered(s.stream), 6, "the rest was not read");
    stream_writev(s.stream, &(struct iovec){big, sizeof big}, 1, &f);
    is_int(stream_undelivered(s.stream), 6 + sizeof big, "nor what the pipe did not take");
    close(e.in);
    run_for(loop, 0.05);
    is_int(stream_undelivered(s.stream), 6 + sizeof big, "the reader's end changes nothing");
    stream_close_input(s.stream);
    is_int(stream_undelivered(s.stream), 6 + sizeof big, "nor does ours");
    close(e.out);
    close(e.err);
    stream_free(s.stream);
    seen_fini(&s);
}

static void test_free_inside(struct ev_loop *loop)
{
    struct seen s = {.free_in_data = true};
    struct ends e = open_stream(loop, &s);
    put(e.out, "a");
    put(e.err, "b");
    ok(run_until(loop, s.bytes > 0, 2.), "freed in its own data event");
    run_for(loop, 0.02);
    is_int(s.bytes, 1, "nothing comes after");
    close(e.in), close(e.out), close(e.err);
    seen_fini(&s);

    s = (struct seen){0};
    s.stream = stream_from_pipes(loop, -1, -1, -1, &events, &s);
    is_int(s.ends, 0, "a stream of nothing does not end inside the call");
    ok(run_until(loop, s.ends, 2.), "but in the next turn");
    stream_free(s.stream);
    stream_free(NULL);
}

static void *flood(void *arg)
{
    static char block[65536];
    int fd = *(int *)arg;
    while (write(fd, block, sizeof(block)) > 0)
        ;
    return NULL;
}

static void test_flood(struct ev_loop *loop)
{
    struct seen s = {.count_only = true};
    struct ends e = open_stream(loop, &s);
    struct turn turn;
    pthread_t thread[2];
    pthread_create(&thread[0], NULL, flood, &e.out);
    pthread_create(&thread[1], NULL, flood, &e.err);
    turn_start(&turn, loop);
    /* Turns are measured in wall time: a busy machine may take the processor away, so the best of
     * some rounds counts. */
    int64_t from = clock_mono_ms(), best_ns = INT64_MAX;
    for (int round = 0; round < 50 && (round < 4 || best_ns > 10 * 1000 * 1000); round++) {
        turn_reset(&turn);
        run_for(loop, 0.1);
        best_ns = turn.longest_ns < best_ns ? turn.longest_ns : best_ns;
    }
    int64_t ms = clock_mono_ms() - from;
    turn_stop(&turn, loop);
    stream_free(s.stream);      /* the floods get EPIPE */
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    printf("# flood: %zu MB/s in %llu turns, longest %.2f ms\n", s.bytes / 1000 / (size_t)ms,
           (unsigned long long)turn.turns, (double)best_ns / 1e6);
    ok(s.largest <= STREAM_TURN_BYTES, "at most 64 KiB a turn");
    ok(best_ns < 10 * 1000 * 1000, "a flood on both channels leaves turns under 10 ms");
    close(e.in), close(e.out), close(e.err);
}

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    tap_deadline(30);
    signal(SIGPIPE, SIG_IGN);
    test_channels(loop);
    test_pause(loop);
    test_input(loop);
    test_undelivered(loop);
    test_free_inside(loop);
    test_flood(loop);
    ev_loop_destroy(loop);
    return done_testing();
}
