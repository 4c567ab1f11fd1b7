/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outq: direct writes, the queue, its cap, order, drained, broken. */
#include "io/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "loop.h"
#include "tap.h"

static int drained, broken;

static void on_drained(void *ctx, struct outq *q)
{
    (void)ctx;
    ok(outq_queued(q) == 0, "drained means empty");
    drained++;
}

static void on_broken(void *ctx, struct outq *q)
{
    (void)ctx, (void)q;
    broken++;
}

static int put(struct outq *q, const void *p, size_t n, struct fault *f)
{
    /* In two pieces, so that partial writes cut inside an iovec and between two. */
    struct iovec iov[2] = {{(char *)p, n / 3}, {(char *)p + n / 3, n - n / 3}};
    return outq_writev(q, iov, 2, f);
}

static void test_order_and_cap(struct ev_loop *loop)
{
    enum { TOTAL = 4 * 1024 * 1024, PIECE = 100000 };
    int fd[2];
    struct outq q;
    struct fault f = FAULT_NONE;
    char *sent = xmalloc(TOTAL), *got = xmalloc(TOTAL);
    size_t have = 0, at = 0;

    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (char)(i * 7 + i / 251);
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        abort();
    outq_init(&q, loop, fd[1], TOTAL, on_drained, on_broken, NULL);
    is_int(put(&q, sent, 100, &f), 0, "a small write");
    is_int(outq_queued(&q), 0, "goes out at once");
    at = 100;
    while (at < TOTAL) {
        size_t n = TOTAL - at < PIECE ? TOTAL - at : PIECE;
        if (put(&q, sent + at, n, &f) < 0)
            break;
        at += n;
    }
    is_int(at, TOTAL, "all was taken");
    ok(outq_queued(&q) > TOTAL - 200000, "most of it is queued");
    size_t before = outq_queued(&q);
    is_int(put(&q, sent, 200000, &f), -1, "beyond the cap: refused");
    is_int(f.code, FAULT_TOO_BIG, "as too big");
    is_int(outq_queued(&q), before, "and nothing of it is queued");
    while (have < TOTAL) {
        ssize_t n = read(fd[0], got + have, TOTAL - have);
        if (n > 0)
            have += (size_t)n;
        else
            ev_run(loop, EVRUN_NOWAIT);
    }
    ok(!memcmp(sent, got, TOTAL), "every byte, in order");
    is_int(drained, 1, "drained once");
    is_int(q.held.tail.cap == 0 || q.held.tail.cap <= 64 * 1024, 1, "the memory was given back");
    outq_fini(&q);
    outq_fini(&q);
    close(fd[0]);
    close(fd[1]);
    free(sent);
    free(got);
}

static void test_broken(struct ev_loop *loop)
{
    int fd[2];
    struct outq q;
    struct fault f = FAULT_NONE;
    static char big[1 << 20];

    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        abort();
    outq_init(&q, loop, fd[1], 10 << 20, NULL, on_broken, NULL);
    is_int(put(&q, big, sizeof(big), NULL), 0, "a big write is queued");
    close(fd[0]);
    ok(run_until(loop, broken > 0, 2.), "the reader went: broken is told from the loop");
    is_int(put(&q, "x", 1, &f), -1, "then writes fail");
    is_int(f.code, EPIPE, "with EPIPE");
    is_int(outq_queued(&q), 0, "and nothing is held");
    outq_fini(&q);
    close(fd[1]);

    broken = 0;
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        abort();
    outq_init(&q, loop, fd[1], 10 << 20, NULL, on_broken, NULL);
    close(fd[0]);
    is_int(put(&q, "x", 1, &f), -1, "a direct write to a closed reader fails");
    run_for(loop, 0.02);
    is_int(broken, 0, "and is not told twice");
    outq_fini(&q);
    close(fd[1]);
}

static size_t bytes_in(int fd)
{
    int n = 0;
    return ioctl(fd, FIONREAD, &n) < 0 ? 0 : (size_t)n;
}

static void test_gathers(struct ev_loop *loop)
{
    int fd[2];
    struct outq q;
    char got[64] = "";
    static char big[5000];

    drained = broken = 0;
    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        abort();
    outq_init(&q, loop, fd[1], 1 << 20, on_drained, on_broken, NULL);
    q.gathers = true;
    put(&q, "one,", 4, NULL);
    put(&q, "two,", 4, NULL);
    put(&q, "three", 5, NULL);
    is_int(bytes_in(fd[0]), 0, "small pieces are kept");
    is_int(outq_queued(&q), 13, "and counted as queued");
    ev_run(loop, EVRUN_NOWAIT);
    is_int(read(fd[0], got, sizeof(got)), 13, "until the turn is over, for one write");
    ok(!memcmp(got, "one,two,three", 13), "in order");
    is_int(drained, 1, "drained is told once");

    put(&q, "small", 5, NULL);
    put(&q, big, sizeof(big), NULL);
    is_int(bytes_in(fd[0]), 5 + sizeof(big), "a large piece takes what was kept along, at once");
    ev_run(loop, EVRUN_NOWAIT);
    is_int(drained, 2, "and drained is told from the loop");
    while (read(fd[0], big, sizeof(big)) > 0)
        ;
    for (int i = 0; i < 10; i++)
        put(&q, big, 4096, NULL);
    ok(bytes_in(fd[0]) > 0 && outq_queued(&q) <= 32 * 1024, "not more is kept than a pipe takes");
    ev_run(loop, EVRUN_NOWAIT);
    is_int(bytes_in(fd[0]), 10 * 4096, "all of it goes out");
    outq_fini(&q);
    close(fd[0]);
    close(fd[1]);
}

static void test_gathers_for_nobody(struct ev_loop *loop)
{
    int fd[2];
    struct outq q;
    struct fault f = FAULT_NONE;
    static char big[5000];

    broken = drained = 0;
    for (int large = 0; large < 2; large++) {
        broken = 0;
        if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
            abort();
        outq_init(&q, loop, fd[1], 1 << 20, on_drained, on_broken, NULL);
        q.gathers = true;
        close(fd[0]);
        is_int(put(&q, "lost", 4, NULL), 0, "the reader went: what is kept is taken all the same");
        if (large)
            is_int(put(&q, big, sizeof(big), &f), -1, "a large piece finds out at once");
        ev_run(loop, EVRUN_NOWAIT);
        is_int(broken, !large, "broken is told from the loop, where nobody was told before");
        is_int(q.lost, 4, "what it never took is known");
        is_int(put(&q, "x", 1, &f), -1, "then writes fail");
        is_int(f.code, EPIPE, "with EPIPE");
        outq_fini(&q);
        close(fd[1]);
    }
    is_int(drained, 0, "drained is not told");

    if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
        abort();
    outq_init(&q, loop, fd[1], 1 << 20, on_drained, on_broken, NULL);
    q.gathers = true;
    put(&q, "late", 4, NULL);
    outq_fini(&q);
    ev_run(loop, EVRUN_NOWAIT);
    is_int(bytes_in(fd[0]), 0, "after its end nothing is written");
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    tap_deadline(20);
    signal(SIGPIPE, SIG_IGN);
    test_order_and_cap(loop);
    test_broken(loop);
    test_gathers(loop);
    test_gathers_for_nobody(loop);
    ev_loop_destroy(loop);
    return done_testing();
}
