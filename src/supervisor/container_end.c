/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ended a container: its memory limit, a signal that somebody sent through the engine, or
 * itself. */
#include "supervisor/container_end.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"

void container_end_event(struct container_end *c, const struct engine_event *e, bool ours)
{
    if (strcmp(e->action, "oom") == 0) {
        c->oom_ms = clock_mono_ms();
    } else if (strcmp(e->action, "kill") == 0 && !ours) {
        const char *sig = json_string_value(json_object_get(e->attributes, "signal"));
        c->sent_signal = sig ? atoi(sig) : 0;
        c->sent_ms = clock_mono_ms();
    }
}

/* A program may catch what docker stop sends first, and then end as it likes; of others only the
 * status tells. */
static int signal_that_ended(const struct container_end *c, int code)
{
    enum { CAUGHT_MS = 15 * 1000 };
    bool asks = c->sent_signal == SIGTERM || c->sent_signal == SIGINT;
    if (c->sent_signal <= 0)
        return 0;
    return code == 128 + c->sent_signal || (asks && clock_mono_ms() - c->sent_ms < CAUGHT_MS)
        ? c->sent_signal : 0;
}

/* An `oom` comes right before the end that it leads to; one from earlier was a grandchild's, which
 * the container survived. The flag tells no time: it counts where no event came, as with Podman. */
static bool is_out_of_memory(const struct container_end *c, bool flag)
{
    enum { OOM_MS = 10 * 1000 };
    return c->oom_ms ? clock_mono_ms() - c->oom_ms < OOM_MS : flag;
}

void container_end_set(const struct container_end *c, int code, bool flag, bool ours,
                       struct run_end *ret)
{
    ret->code = code;
    ret->engine_signal = signal_that_ended(c, code);
    ret->oom = code == 137 && !ours && ret->engine_signal != SIGKILL && is_out_of_memory(c, flag);
    ret->oom_inside = code > 0 && !ours && !ret->oom && !ret->engine_signal &&
                      is_out_of_memory(c, false);
}
