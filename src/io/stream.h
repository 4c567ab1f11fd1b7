/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The connection to a running server as bytes: what three pipes of a child and one attached
 * container have in common.
 *
 * Output arrives through events, in the order it was read; the order between OUT and ERR is not
 * defined. `end` comes exactly once, after the last data, when both outputs have ended or the
 * connection broke; nothing comes after it. Events never fire from inside a stream_* call. A stream
 * may be freed from any of its own events. */
#ifndef MCPTOP_IO_STREAM_H
#define MCPTOP_IO_STREAM_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/fault.h"

enum stream_channel { STREAM_OUT, STREAM_ERR };

struct stream_events {
    void (*data)(void *ctx, enum stream_channel ch, const char *p, size_t n);
    /* why: NULL for an orderly end, else how the connection broke. */
    void (*end)(void *ctx, const struct fault *why);
    /* The queue of unwritten bytes has become empty after it was not. May be NULL. */
    void (*drained)(void *ctx);
};

struct stream;

/* Three pipes (any may be -1). Takes the descriptors over and makes them non-blocking. Reads in
 * turns of at most 64 KiB per channel, so that a flooding server cannot own the loop. A reader that
 * closes the input ends no stream: later writes get EPIPE, output goes on. Never NULL. */
struct stream *stream_from_pipes(struct ev_loop *loop, int in_fd, int out_fd, int err_fd,
                                 const struct stream_events *events, void *ctx);

/* Writes now what the kernel takes and queues the rest. All or nothing: FAULT_TOO_BIG when the
 * queue would pass STREAM_QUEUE_BYTES, EPIPE after the input was closed or broke. */
int stream_writev(struct stream *s, const struct iovec *iov, int count, struct fault *f);
/* No more input: closes after what is queued has gone out. Idempotent. */
void stream_close_input(struct stream *s);
size_t stream_queued(const struct stream *s);
/* How many of the bytes written last the other end never read: those queued here and, for pipes,
 * those that were still in the pipe when the input was closed. To be asked when nobody reads any
 * more. */
size_t stream_undelivered(const struct stream *s);
/* Stops and resumes reading (back-pressure). While paused, the end of the outputs is not seen
 * either. */
void stream_pause(struct stream *s, bool paused);
bool stream_is_paused(const struct stream *s);
/* Stops everything and closes the descriptors; no event fires any more. NULL is fine. */
void stream_free(struct stream *s);

/* ---- for those who make streams (pipes here, docker/attach.c) ---- */
struct stream_ops {
    int (*writev)(struct stream *s, const struct iovec *iov, int count, struct fault *f);
    void (*close_input)(struct stream *s);
    size_t (*queued)(const struct stream *s);
    size_t (*undelivered)(const struct stream *s);      /* NULL: queued is all that is known */
    void (*pause)(struct stream *s, bool paused);
    void (*free)(struct stream *s);
};
struct stream {                 /* embed as the first member */
    const struct stream_ops *ops;
    struct stream_events events;
    void *ctx;
    bool paused;                /* kept by stream_pause() */
};
enum { STREAM_TURN_BYTES = 64 * 1024, STREAM_QUEUE_BYTES = 128 * 1024 * 1024 };
/* One buffer of STREAM_TURN_BYTES for whoever reads a turn: its content lives until the callback
 * returns to the loop. */
char *stream_turn_buffer(void);
/* How much of it to read now: less while the reads of one turn, of all streams together, take their
 * callbacks long (floods of short lines, many servers at once), so that the turn stays short. After
 * each read: how much it was, when it began. */
size_t stream_turn_size(void);
void stream_turn_done(struct ev_loop *loop, size_t read_bytes, int64_t began_ns);

#endif
