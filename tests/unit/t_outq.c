/* SPDX-License-Identifier: GPL-3.0-or-later */
/* outq: direct writes, the queue, its cap, order, drained, broken. */
#include "io/outq.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>

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
    is_int(q.held.cap == 0 || q.held.cap <= 64 * 1024, 1, "the memory was given back");
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

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    tap_deadline(20);
    signal(SIGPIPE, SIG_IGN);
    test_order_and_cap(loop);
    test_broken(loop);
    ev_loop_destroy(loop);
    return done_testing();
}
