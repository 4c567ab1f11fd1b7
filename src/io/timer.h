/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arming a libev timer once, whether it runs already or not: libev's own ev_timer_set is for timers
 * that do not. */
#ifndef MCPTOP_IO_TIMER_H
#define MCPTOP_IO_TIMER_H

#include <ev.h>

static inline void timer_arm(struct ev_loop *loop, ev_timer *w, ev_tstamp after_s)
{
    ev_timer_stop(loop, w);
    ev_timer_set(w, after_s, 0.);
    ev_timer_start(loop, w);
}

#endif
