/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A queue of bytes: one growing buffer, and before it what was taken over as it was. See
 * outbuf.h. */
#include "base/outbuf.h"

#include "base/large.h"
#include "base/mem.h"

struct outbuf_part {
    struct outbuf_part *next;
    struct buf memory;          /* owned */
    const char *p;              /* in it */
    size_t n;
};

static void part_add(struct outbuf *o, struct buf memory, const char *p, size_t n)
{
    struct outbuf_part *part = xmalloc(sizeof(*part));
    *part = (struct outbuf_part){.memory = memory, .p = p, .n = n};
    *(o->last ? &o->last->next : &o->first) = part;
    o->last = part;
}

static void part_drop(struct outbuf *o)
{
    struct outbuf_part *part = o->first;
    o->first = part->next;
    if (!o->first)
        o->last = NULL;
    buf_fini(&part->memory);
    free(part);
}

/* What comes next must not stand before it. */
static void tail_close(struct outbuf *o)
{
    if (o->tail.len > o->head)
        part_add(o, o->tail, o->tail.data + o->head, o->tail.len - o->head);
    else
        buf_fini(&o->tail);
    o->tail = BUF_INIT;
    o->head = 0;
}

void outbuf_add(struct outbuf *o, const struct iovec *iov, int count, size_t skip)
{
    for (int i = 0; i < count; i++) {
        size_t drop = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        const char *p = (const char *)iov[i].iov_base + drop;
        size_t n = iov[i].iov_len - drop;
        struct buf memory;
        skip -= drop;
        o->n += n;
        if (n >= LARGE_BYTES && large_take(p, &memory)) {
            tail_close(o);
            part_add(o, memory, p, n);
        } else if (n) {
            buf_add(&o->tail, p, n);
        }
    }
}

const char *outbuf_peek(const struct outbuf *o, size_t *ret_n)
{
    *ret_n = o->first ? o->first->n : o->tail.len - o->head;
    return o->first ? o->first->p : o->tail.data + o->head;
}

/* The rest is moved down only when half of the memory is dead, so that a long queue costs linear
 * time. */
static void tail_advance(struct outbuf *o, size_t n)
{
    o->head += n;
    if (o->head == o->tail.len) {
        buf_clear(&o->tail);
        o->head = 0;
    } else if (o->head > o->tail.len / 2) {
        buf_consume(&o->tail, o->head);
        o->head = 0;
    }
}

void outbuf_advance(struct outbuf *o, size_t n)
{
    o->n -= n;
    while (o->first && n >= o->first->n) {
        n -= o->first->n;
        part_drop(o);
    }
    if (o->first) {
        o->first->p += n;
        o->first->n -= n;
    } else if (n) {
        tail_advance(o, n);
    }
}

void outbuf_fini(struct outbuf *o)
{
    while (o->first)
        part_drop(o);
    buf_fini(&o->tail);
    *o = OUTBUF_INIT;
}
