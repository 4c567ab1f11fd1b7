/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes on their way to a descriptor: written at once as far as the kernel takes them, the rest queued up to a cap.
 * Shared by pipes, attached containers and the stdio endpoint. */
#ifndef MCPTOP_IO_OUTQ_H
#define MCPTOP_IO_OUTQ_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include "base/buf.h"
#include "base/fault.h"

struct outq;
typedef void (*outq_event_fn)(void *ctx, struct outq *q);

struct outq {
    struct ev_loop *loop;
    ev_io writable;
    struct buf held;            /* unwritten bytes: held.data[head, held.len) */
    size_t head;
    size_t cap;
    int error;                  /* errno of the write that broke it; 0 = healthy */
    outq_event_fn drained;      /* became empty */
    outq_event_fn broken;       /* a later write failed; once; never from inside outq_writev */
    void *ctx;
};
/* fd is borrowed and must be non-blocking. */
void outq_init(struct outq *q, struct ev_loop *loop, int fd, size_t cap, outq_event_fn drained,
               outq_event_fn broken, void *ctx);
/* All or nothing as stream_writev. */
int outq_writev(struct outq *q, const struct iovec *iov, int count, struct fault *f);
size_t outq_queued(const struct outq *q);
void outq_fini(struct outq *q);

#endif
