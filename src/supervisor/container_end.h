/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a container ended, from the engine's events: an `oom` or a `kill` may come before `die`. Pure
 * but for the clock. */
#ifndef MCPTOP_SUPERVISOR_CONTAINER_END_H
#define MCPTOP_SUPERVISOR_CONTAINER_END_H

#include <stdbool.h>
#include <stdint.h>
#include "docker/events.h"
#include "supervisor/backend.h"

struct container_end {             /* zeroed for a new container */
    int64_t oom_ms;                /* the last `oom`, monotonic; 0 = none */
    int sent_signal;               /* by somebody else than us; 0 = none */
    int64_t sent_ms;               /* monotonic */
};
/* ours: we end it ourselves, and a signal is ours. */
void container_end_event(struct container_end *c, const struct engine_event *e, bool ours);
/* It ended with this status. flag: the engine's own word that memory ran out, of an inspection; it
 * keeps that of a grandchild for good. ours: we were ending it, so that 137 is our own SIGKILL. */
void container_end_set(const struct container_end *c, int code, bool flag, bool ours,
                       struct run_end *ret);

#endif
