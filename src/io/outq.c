/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bounded output queue. The common case is no queue at all: one writev() takes everything and
 * nothing is copied. Only what the kernel refuses is copied, and a watcher writes it when there is
 * room, one write a turn.
 *
 * It knows a descriptor, not what is behind it, and never closes it. */
#include "io/outq.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

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
    q->lost = q->held.len - q->head;
    ev_io_stop(q->loop, &q->writable);
    buf_fini(&q->held);
    q->head = 0;
}

/* Written bytes are dropped by moving head; the rest is moved down only when half of the memory is
 * dead, so that a long queue costs linear time. */
static void outq_advance(struct outq *q, size_t n)
{
    q->head += n;
    if (q->head == q->held.len) {
        buf_clear(&q->held);
        q->head = 0;
    } else if (q->head > q->held.len / 2) {
        buf_consume(&q->held, q->head);
        q->head = 0;
    }
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct outq *q = w->data;
    (void)revents;
    ssize_t n = write(w->fd, q->held.data + q->head, q->held.len - q->head);
    if (n < 0) {
        if (is_would_block(errno))
            return;
        outq_break(q, errno);
        if (q->broken)
            q->broken(q->ctx, q);
        return;
    }
    outq_advance(q, (size_t)n);
    if (outq_queued(q) > 0)
        return;
    ev_io_stop(loop, w);
    if (q->drained)
        q->drained(q->ctx, q);
}

void outq_init(struct outq *q, struct ev_loop *loop, int fd, size_t cap, outq_event_fn drained,
               outq_event_fn broken, void *ctx)
{
    *q = (struct outq){.loop = loop, .cap = cap, .drained = drained, .broken = broken, .ctx = ctx};
    ev_io_init(&q->writable, on_writable, fd, EV_WRITE);
    q->writable.data = q;
}

/* Queues what lies behind the first `skip` bytes of iov. */
static void outq_hold(struct outq *q, const struct iovec *iov, int count, size_t skip)
{
    for (int i = 0; i < count; i++) {
        size_t n = iov[i].iov_len;
        size_t drop = skip < n ? skip : n;
        skip -= drop;
        if (n > drop)
            buf_add(&q->held, (const char *)iov[i].iov_base + drop, n - drop);
    }
    ev_io_start(q->loop, &q->writable);
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
    if (total == 0)
        return 0;
    size_t written = 0;
    if (queued == 0) {
        ssize_t n = writev(q->writable.fd, iov, count);
        if (n < 0 && !is_would_block(errno)) {
            outq_break(q, errno);
            return fault_set(f, q->error, "write");
        }
        written = n < 0 ? 0 : (size_t)n;
    }
    if (written < total)
        outq_hold(q, iov, count, written);
    return 0;
}

size_t outq_queued(const struct outq *q)
{
    return q->held.len - q->head;
}

void outq_fini(struct outq *q)
{
    if (q->loop)
        ev_io_stop(q->loop, &q->writable);
    buf_fini(&q->held);
    q->head = 0;
    if (!q->error)
        q->error = EPIPE;
}
