/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running the loop in a test until something is true, with a bound. */
#ifndef MCPTOP_TESTS_LOOP_H
#define MCPTOP_TESTS_LOOP_H

#include <ev.h>
#include <stdbool.h>

__attribute__((unused)) static void on_loop_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    *(bool *)w->data = true;
    ev_break(loop, EVBREAK_ONE);
}

/* What is asked for may be no event of the loop: look every few milliseconds. */
__attribute__((unused)) static void on_loop_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)w, (void)revents;
}

/* Runs turns while `expr` is false, at most `seconds`; the value of expr at the end. */
#define run_until(loop, expr, seconds) ({ \
    bool loop_late = false; \
    ev_timer loop_timer, loop_tick; \
    ev_timer_init(&loop_tick, on_loop_tick, 0.005, 0.005); \
    ev_timer_start(loop, &loop_tick); \
    ev_timer_init(&loop_timer, on_loop_timeout, seconds, 0.); \
    loop_timer.data = &loop_late; \
    ev_now_update(loop); \
    ev_timer_start(loop, &loop_timer); \
    while (!(expr) && !loop_late) \
        ev_run(loop, EVRUN_ONCE); \
    ev_timer_stop(loop, &loop_timer); \
    ev_timer_stop(loop, &loop_tick); \
    (bool)(expr); \
})

#define run_for(loop, seconds) ((void)run_until(loop, false, seconds))

#endif
