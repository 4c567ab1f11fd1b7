/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes on their way out, in order: what is added is copied, but for what lies in a large message
 * that is being handled (large.h): its memory is taken over. */
#ifndef MCPTOP_BASE_OUTBUF_H
#define MCPTOP_BASE_OUTBUF_H

#include <stddef.h>
#include <sys/uio.h>
#include "base/buf.h"

struct outbuf_part;
struct outbuf {
    struct outbuf_part *first, *last;   /* before the tail */
    struct buf tail;                    /* tail.data[head, tail.len) */
    size_t head;
    size_t n;                           /* bytes in all */
};
#define OUTBUF_INIT ((struct outbuf){0})

/* What lies behind the first `skip` bytes of the pieces. */
void outbuf_add(struct outbuf *o, const struct iovec *iov, int count, size_t skip);
/* The first bytes, at least one unless it is empty; valid until the next call. */
const char *outbuf_peek(const struct outbuf *o, size_t *ret_n);
void outbuf_advance(struct outbuf *o, size_t n);    /* so many bytes have gone */
void outbuf_fini(struct outbuf *o);                 /* it is empty, and usable again */

#endif
