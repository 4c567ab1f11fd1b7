/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long the loop's turns are: from waking up to going back to sleep (ev_prepare/ev_check). The
 * longest one is what the status route shows. */
#ifndef MCPTOP_IO_TURN_H
#define MCPTOP_IO_TURN_H

#include <ev.h>
#include <stdint.h>

enum { TURN_LONG_MS = 10 };

struct turn {
    ev_prepare before_sleep;
    ev_check after_sleep;
    int64_t woke_ns;
    int64_t longest_ns;         /* since start or turn_reset */
    int64_t longest_wall_ms;    /* when that was */
    uint64_t turns;
    uint64_t long_turns;        /* of more than TURN_LONG_MS: somebody had to wait */
};
void turn_start(struct turn *t, struct ev_loop *loop);
void turn_stop(struct turn *t, struct ev_loop *loop);
void turn_reset(struct turn *t);

#endif
