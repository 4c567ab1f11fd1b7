/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A trial of a server: one run apart from the running one, by the same plan: image, start,
 * initialize, list of tools, stop; each step with its time, and the first that fails with why.
 * Nothing of it reaches clients, the server's log or its state; its process or container is gone
 * at the end. */
#ifndef MCPTOP_SUPERVISOR_TRIAL_H
#define MCPTOP_SUPERVISOR_TRIAL_H

#include "base/buf.h"
#include "base/strvec.h"
#include "supervisor/fleet.h"

enum trial_step_id { TRIAL_IMAGE, TRIAL_START, TRIAL_INITIALIZE, TRIAL_TOOLS, TRIAL_CALL,
                     TRIAL_STOP, TRIAL_STEPS };
struct trial_step {
    bool reached, ok;
    int64_t us;
    /* what came of it: "pid 4711", "6 tools", the cause of a failure */
    char *text;
};
struct trial_result {
    const char *server;
    enum plan_mode mode;
    const struct plan *plan;     /* that it went by */
    bool ok;                     /* every step went well */
    struct run_end end;          /* of its run; at_wall_ms 0 = there was none */
    enum server_trouble trouble; /* that it was ended for */
    struct trial_step steps[TRIAL_STEPS];
    struct strvec said;          /* its last lines of stderr */
    struct strvec strays;        /* the first lines of stdout that are no MCP */
    struct buf answer;           /* to the call, with the id of its message */
    bool answer_is_error;
};
const char *trial_step_name(enum trial_step_id id);

struct trial;
/* Valid during the call; the trial is over then. */
typedef void (*trial_done_fn)(void *ctx, const struct trial_result *r);
/* Begins it. request: a JSON-RPC request (copied) that is sent after the tools were listed; n 0 =
 * none, and no step TRIAL_CALL. done comes once, from the loop, unless it is cancelled. NULL with
 * *f set: the plan cannot be run (unsupported, no engine), one of this server is under way, or
 * mcptop is stopping. */
struct trial *trial_new(struct fleet *fl, const struct server *s, struct span request,
                        trial_done_fn done, void *ctx, struct fault *f);
/* Nobody waits for it any more: what runs is ended in the background. */
void trial_cancel(struct trial *t);

/* For the fleet: does a trial run this container; what the engine says about one; the end of
 * all. */
bool trial_uses(const struct fleet *fl, const char *container_id, const char *container_name);
void trial_engine_event(struct fleet *fl, const struct engine_event *e);
void trial_end_all(struct fleet *fl);

#endif
