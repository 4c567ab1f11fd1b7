/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The next one is called from the loop, never from the end of the one before: that may be in the
 * middle of being freed. */
#include "supervisor/start_queue.h"

#include <assert.h>
#include <stdlib.h>
#include "base/mem.h"
#include "io/timer.h"

struct start_queue {
    struct ev_loop *loop;
    size_t most, taken;
    struct start_place *first, *last;
    ev_timer next;
};

static void unlink_place(struct start_queue *q, struct start_place *t)
{
    *(t->prev ? &t->prev->next : &q->first) = t->next;
    *(t->next ? &t->next->prev : &q->last) = t->prev;
    t->prev = t->next = NULL;
}

static void give(struct start_queue *q, struct start_place *t)
{
    q->taken++;
    t->has = true;
    t->fn(t->ctx);
}

static void on_next(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct start_queue *q = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    while (q->first && q->taken < q->most) {
        struct start_place *t = q->first;
        unlink_place(q, t);
        give(q, t);
    }
}

struct start_queue *start_queue_new(struct ev_loop *loop, size_t most)
{
    struct start_queue *q = xcalloc(1, sizeof *q);
    q->loop = loop;
    q->most = most;
    ev_timer_init(&q->next, on_next, 0., 0.);
    q->next.data = q;
    return q;
}

void start_queue_free(struct start_queue *q)
{
    if (!q)
        return;
    assert(!q->first && !q->taken);
    ev_timer_stop(q->loop, &q->next);
    free(q);
}

void start_queue_enter(struct start_queue *q, struct start_place *t, void (*fn)(void *ctx),
                       void *ctx)
{
    assert(!t->of);
    *t = (struct start_place){ .of = q, .prev = q->last, .fn = fn, .ctx = ctx };
    if (!q->first && q->taken < q->most) {
        t->prev = NULL;
        give(q, t);
        return;
    }
    *(q->last ? &q->last->next : &q->first) = t;
    q->last = t;
}

void start_queue_leave(struct start_place *t)
{
    struct start_queue *q = t->of;
    if (!q)
        return;
    if (t->has)
        q->taken--;
    else
        unlink_place(q, t);
    *t = (struct start_place){ 0 };
    if (q->first && q->taken < q->most)
        timer_arm(q->loop, &q->next, 0.);
}
