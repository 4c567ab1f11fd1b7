/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of a large message, and its memory while it is handled: see large.h. That there is
 * a current one, which nobody passes on, is the price for callbacks that know nothing of it. */
#include "base/large.h"

#include "base/jscan.h"
#include "base/mem.h"

struct large {
    struct jscan_ahead ahead;
    struct buf *held;                       /* NULL until it is entered */
    struct large *outer;
    const struct jscan_ahead *known_before;
};

static struct large *current;

void large_look(struct large **l, const char *p, size_t n)
{
    enum { LEAST_BYTES = 16 * 1024 };
    if (n < LARGE_BYTES)
        return;
    if (!*l) {
        *l = xcalloc(1, sizeof(**l));
        (*l)->ahead.least = LEAST_BYTES;
    }
    jscan_ahead(&(*l)->ahead, p, n);
}

void large_enter(struct large *l, struct buf *held)
{
    if (!l)
        return;
    jscan_ahead(&l->ahead, held->data, held->len);
    l->held = held;
    l->outer = current;
    l->known_before = jscan_know(&l->ahead);
    current = l;
}

void large_leave(struct large **l)
{
    if (!*l)
        return;
    if ((*l)->held) {
        current = (*l)->outer;
        jscan_know((*l)->known_before);
    }
    free(*l);
    *l = NULL;
}

static bool is_in(const struct buf *b, const char *p)
{
    return b->len && p >= b->data && p < b->data + b->len;
}

bool large_take(const void *p, struct buf *ret)
{
    if (!current || !is_in(current->held, p))
        return false;
    *ret = *current->held;
    *current->held = BUF_INIT;
    return true;
}

struct large *large_keep(const void *p, struct buf *ret)
{
    if (!large_take(p, ret))
        return NULL;
    struct large *l = xcalloc(1, sizeof(*l));
    l->ahead = current->ahead;
    return l;
}

/* Whoever handles the message may still look at it: then it is his again. */
void large_drop(struct large **l, struct buf *memory)
{
    struct large *in = current;

    while (in && !(memory->data && in->ahead.text == memory->data && !in->held->data))
        in = in->outer;
    if (in) {
        *in->held = *memory;
        *memory = BUF_INIT;
    }
    buf_fini(memory);
    free(*l);
    *l = NULL;
}

int large_has_newline(const char *p, size_t n)
{
    const struct jscan_ahead *a = current ? &current->ahead : NULL;
    if (!a || p < a->text || p + n > a->text + a->seen)
        return -1;
    size_t from = (size_t)(p - a->text);
    if (!a->has_newline)
        return 0;
    return a->newline < from ? -1 : a->newline < from + n;
}
