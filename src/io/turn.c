/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measures the loop's turns: ev_check fires first after waking (highest priority), ev_prepare last
 * before sleeping (lowest), so that all callbacks lie between. It only measures; who finds a turn
 * too long says so. */
#include "io/turn.h"

#include "base/clock.h"

static void on_awake(struct ev_loop *loop, ev_check *w, int revents)
{
    struct turn *t = w->data;
    (void)loop, (void)revents;
    t->woke_ns = clock_mono_ns();
    t->turns++;
}

static void on_going_to_sleep(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct turn *t = w->data;
    (void)loop, (void)revents;
    if (t->woke_ns == 0)
        return;
    int64_t took_ns = clock_mono_ns() - t->woke_ns;
    t->woke_ns = 0;
    if (took_ns > TURN_LONG_MS * INT64_C(1000000))
        t->long_turns++;
    if (took_ns <= t->longest_ns)
        return;
    t->longest_ns = took_ns;
    t->longest_wall_ms = clock_wall_ms();
}

void turn_start(struct turn *t, struct ev_loop *loop)
{
    *t = (struct turn){0};
    ev_check_init(&t->after_sleep, on_awake);
    ev_set_priority(&t->after_sleep, EV_MAXPRI);
    t->after_sleep.data = t;
    ev_prepare_init(&t->before_sleep, on_going_to_sleep);
    ev_set_priority(&t->before_sleep, EV_MINPRI);
    t->before_sleep.data = t;
    ev_check_start(loop, &t->after_sleep);
    ev_prepare_start(loop, &t->before_sleep);
    /* The meter alone is no reason for ev_run() to stay. */
    ev_unref(loop);
    ev_unref(loop);
}

void turn_stop(struct turn *t, struct ev_loop *loop)
{
    if (!ev_is_active(&t->after_sleep))
        return;
    ev_ref(loop);
    ev_ref(loop);
    ev_check_stop(loop, &t->after_sleep);
    ev_prepare_stop(loop, &t->before_sleep);
}

void turn_reset(struct turn *t)
{
    t->longest_ns = 0;
    t->longest_wall_ms = 0;
    t->long_turns = 0;
}
