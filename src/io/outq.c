/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bounded output queue. The common case is no queue at all: one writev() takes everything and
 * nothing is copied. Only what the kernel refuses is kept, and a watcher writes it when there is
 * room, one write a turn.
 *
 * What is gathered lies in the same queue while the watcher does not run: it is only made pending,
 * and its priority is the lowest, so libev calls it when nothing else of this turn is left to do.
 *
 * It knows a descriptor, not what is behind it, and never closes it. */
#include "io/outq.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    GATHER_PIECE = 4 * 1024,    /* what is larger is worth a write of its own, without the copy */
    GATHER_BYTES = 32 * 1024,   /* half of a pipe */
};

static size_t iov_total(const struct iovec *iov, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

static bool is_would_block(int err)
{
    return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static void outq_break(struct outq *q, int err)
{
    q->error = err;
    q->lost = q->held.n;
    ev_io_stop(q->loop, &q->writable);
    outbuf_fini(&q->held);
}

/* One write of what is held; false when that broke it. */
static bool outq_flush(struct outq *q)
{
    size_t size;
    const char *p = outbuf_peek(&q->held, &size);
    ssize_t n = write(q->writable.fd, p, size);
    if (n < 0 && !is_would_block(errno)) {
        outq_break(q, errno);
        return false;
    }
    if (n > 0)
        outbuf_advance(&q->held, (size_t)n);
    return true;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct outq *q = w->data;
    (void)revents;
    /* Nothing is held when gathered bytes had to make way for a larger piece. */
    if (outq_queued(q) > 0 && !outq_flush(q)) {
        if (q->broken)
            q->broken(q->ctx, q);
        return;
    }
    if (outq_queued(q) > 0) {
        ev_io_start(loop, w);
        return;
    }
    ev_io_stop(loop, w);
    if (q->drained)
        q->drained(q->ctx, q);
}

void outq_init(struct outq *q, struct ev_loop *loop, int fd, size_t cap, outq_event_fn drained,
               outq_event_fn broken, void *ctx)
{
    *q = (struct outq){.loop = loop, .cap = cap, .drained = drained, .broken = broken, .ctx = ctx};
    ev_io_init(&q->writable, on_writable, fd, EV_WRITE);
    ev_set_priority(&q->writable, EV_MINPRI);
    q->writable.data = q;
}

/* The bytes go out at the end of this turn. */
static bool outq_gather(struct outq *q, const struct iovec *iov, int count, size_t total)
{
    if (!q->gathers || total > GATHER_PIECE || ev_is_active(&q->writable) ||
        outq_queued(q) + total > GATHER_BYTES)
        return false;
    outbuf_add(&q->held, iov, count, 0);
    if (!ev_is_pending(&q->writable))
        ev_feed_event(q->loop, &q->writable, EV_WRITE);
    return true;
}

static int outq_write(struct outq *q, const struct iovec *iov, int count, size_t total,
                      struct fault *f)
{
    size_t written = 0;

    /* What was gathered goes first. */
    if (outq_queued(q) > 0 && !ev_is_active(&q->writable) && !outq_flush(q))
        return fault_set(f, q->error, "write");
    if (outq_queued(q) == 0) {
        ssize_t n = writev(q->writable.fd, iov, count);
        if (n < 0 && !is_would_block(errno)) {
            outq_break(q, errno);
            return fault_set(f, q->error, "write");
        }
        written = n < 0 ? 0 : (size_t)n;
    }
    if (written < total) {
        outbuf_add(&q->held, iov, count, written);
        ev_io_start(q->loop, &q->writable);
    }
    return 0;
}

int outq_writev(struct outq *q, const struct iovec *iov, int count, struct fault *f)
{
    if (q->error)
        return fault_set(f, q->error, "write to a closed input");
    size_t total = iov_total(iov, count), queued = outq_queued(q);
    if (total > q->cap || queued > q->cap - total)
        return fault_set(f, FAULT_TOO_BIG,
                         "%zu bytes do not fit: %zu of at most %zu bytes are waiting unread", total,
                         queued, q->cap);
    if (total == 0 || outq_gather(q, iov, count, total))
        return 0;
    return outq_write(q, iov, count, total, f);
}

size_t outq_queued(const struct outq *q)
{
    return q->held.n;
}

void outq_fini(struct outq *q)
{
    if (q->loop)
        ev_io_stop(q->loop, &q->writable);
    outbuf_fini(&q->held);
    if (!q->error)
        q->error = EPIPE;
}
