/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The latest lines of one server, bounded in bytes. Every line has a sequence number; numbers are
 * contiguous and start at 1, so whoever knows the last one he saw can tell how many he missed.
 * Memory grows with use up to max_bytes, everything counted; then the oldest lines go, a segment
 * (at most 64 KiB or a sixteenth) at a time. max_bytes below 4 KiB count as 4 KiB. A line longer
 * than half of max_bytes is cut and LINE_OVERSIZE. */
#ifndef MCPTOP_BASE_RING_H
#define MCPTOP_BASE_RING_H

#include <stddef.h>
#include <stdint.h>

enum ring_stream {
    RING_STDERR,
    RING_STDOUT,    /* not JSON-RPC: the server wrote rubbish where only protocol may stand */
    RING_SUPERVISOR /* our own words about this server: started, exited, isolation … */
};

struct ring_line {
    uint64_t seq;
    int64_t wall_ms;
    enum ring_stream stream;
    unsigned flags;       /* LINE_* of lines.h; 16 bits are kept */
    /* borrowed until the next push; bytes as they came, no newline, not NUL-terminated */
    const char *text;
    size_t len;
};

struct ring;

struct ring *ring_new(size_t max_bytes);
void ring_free(struct ring *r);
uint64_t ring_push(struct ring *r, int64_t wall_ms, enum ring_stream stream, unsigned flags,
                   const char *text, size_t len);              /* its sequence number */
/* oldest held; next_seq when empty */
uint64_t ring_first_seq(const struct ring *r);
uint64_t ring_next_seq(const struct ring *r);                  /* what the next push will get */
/* 0, or -1: not held */
int ring_get(const struct ring *r, uint64_t seq, struct ring_line *ret_line);
size_t ring_bytes(const struct ring *r);                      /* memory held, at most max_bytes */

#endif
