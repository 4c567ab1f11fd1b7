/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes on their way to a descriptor: written at once as far as the kernel takes them, the rest
 * queued up to a cap. Shared by pipes, attached containers and the stdio endpoint. The process must
 * ignore SIGPIPE.
 *
 * One that gathers keeps small pieces until the callbacks of the same turn are through, and writes
 * them together: a reader that many talk to is woken once a turn. */
#ifndef MCPTOP_IO_OUTQ_H
#define MCPTOP_IO_OUTQ_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include "base/fault.h"
#include "base/outbuf.h"

struct outq;
typedef void (*outq_event_fn)(void *ctx, struct outq *q);

struct outq {
    struct ev_loop *loop;
    ev_io writable;             /* runs only while something is held */
    struct outbuf held;         /* unwritten bytes */
    size_t cap;
    bool gathers;               /* set by the owner after outq_init */
    int error;                  /* errno of the write that broke it; 0 = healthy */
    size_t lost;                /* what was queued then */
    outq_event_fn drained;      /* became empty after it was not; may be NULL; may outq_fini */
    /* a later write failed; once; never from inside outq_writev; may be NULL; may outq_fini */
    outq_event_fn broken;
    void *ctx;
};
/* fd is borrowed and must be non-blocking. */
void outq_init(struct outq *q, struct ev_loop *loop, int fd, size_t cap, outq_event_fn drained,
               outq_event_fn broken, void *ctx);
/* All or nothing: FAULT_TOO_BIG when what is queued and this together pass the cap (then nothing
 * was written), the errno when this or an earlier write failed (then nothing more ever goes out,
 * and what is queued is dropped). */
int outq_writev(struct outq *q, const struct iovec *iov, int count, struct fault *f);
size_t outq_queued(const struct outq *q);
/* Stops and drops what is queued; the descriptor stays open. Harmless to repeat. */
void outq_fini(struct outq *q);

#endif
