/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a run in a container ends. The end is known from two sides, the `die` event and the end of
 * the attached stream, in either order. How it ended, `die` and an `oom` before it tell at once; an
 * inspection, which the engine answers only when it has taken the container apart (50 to 250 ms),
 * is waited for where they leave something open. */
#include "supervisor/backend_docker.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

enum { OUTPUT_GRACE_S = 1 };
#define VERDICT_S .02    /* of an engine that sends no `oom`, whether it was one */
#define LATE_OOM_S .1    /* on a busy machine an `oom` may come after the `die` that it led to */

/* For a look at how it failed. */
static bool is_worth_keeping(const struct backend_docker *d)
{
    bool failed = !d->stopping && (d->end.code > 0 || d->end.oom);
    return failed && d->started && !d->apart && d->end.why.code != FAULT_ENGINE_DOWN;
}

/* An engine that is told to stop closes its door, then ends all containers: whatever such an end
 * looks like, the server is not to blame for it. */
static void blame_engine(struct backend_docker *d)
{
    if (d->started && !d->stopping && !d->end.why.code && !d->end.oom &&
        engine_look(d->engine, &d->end.why) < 0)
        fault_wrap(&d->end.why, "engine down");
}

/* The last event; the owner may free us in it. */
void backend_docker_over(struct backend_docker *d)
{
    assert(d->step != STEP_OVER);
    d->step = STEP_OVER;
    start_queue_leave(&d->place);
    if (d->init_failed && (d->end.code == 126 || d->end.code == 127)) {
        d->end.never_started = true;
        const char *program = plan_program(d->plan);
        fault_set(&d->end.why, d->end.code == 127 ? ENOENT : EACCES, "image %s cannot run \"%s\"",
                  d->plan->image, *program ? program : "its own command");
    }
    blame_engine(d);
    if (d->end.code < 0 && !d->end.why.code)
        fault_set(&d->end.why, FAULT_TIMEOUT,
                  "how it ended is not known: the engine did not answer within %d s", END_LIMIT_S);
    d->b.awaits = NULL;
    ev_timer_stop(d->loop, &d->timer);
    engine_cancel(TAKE(d->request));
    engine_cancel(TAKE(d->update));
    if (*d->b.container_id && is_worth_keeping(d))
        containers_keep(d->containers, d->plan->server, d->b.container_id);
    else if (*d->b.container_id)
        containers_remove(d->containers, d->b.container_id);
    if (!d->end.at_wall_ms)
        d->end.at_wall_ms = clock_wall_ms();
    d->b.events.over(d->b.ctx, &d->end);
}

/* It did not come to run. */
void backend_docker_fail(struct backend_docker *d, const struct fault *f)
{
    d->end.never_started = true;
    d->end.why = *f;
    if (f->code == FAULT_ENGINE_DOWN && strncmp(f->text, "engine down", 11) != 0)
        fault_wrap(&d->end.why, "engine down");
    backend_docker_over(d);
}

/* Asked to stop before it ran: the end comes from the loop. */
void backend_docker_give_up(struct backend_docker *d)
{
    image_want_cancel(TAKE(d->want));
    runner_search_cancel(TAKE(d->search));
    engine_cancel(TAKE(d->request));
    start_queue_leave(&d->place);
    d->end.never_started = true;
    fault_set(&d->end.why, FAULT_CONFLICT, "stopped before it ran");
    d->step = STEP_POST_MORTEM;
    d->b.awaits = NULL;
    d->died = d->examined = d->stream_ended = true;
    backend_docker_arm(d, 0.);
}

void backend_docker_check_over(struct backend_docker *d)
{
    if (d->examined && d->stream_ended)
        backend_docker_over(d);
    else if (d->examined)
        backend_docker_arm(d, OUTPUT_GRACE_S);
}

/* Killed by nobody that is known: by its memory limit, perhaps. */
static bool is_unexplained(const struct backend_docker *d)
{
    return d->end.code == 137 && !d->end.oom && !d->end.engine_signal;
}

static void on_post_mortem(void *ctx, json_t *reply, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->request = NULL;
    json_t *state = json_object_get(reply, "State");
    if (f && f->code == FAULT_ENGINE_DOWN && !d->died) {
        d->end.why = *f;
        fault_wrap(&d->end.why, "engine down");
        d->stream_ended = true;
    } else if (!f && json_is_true(json_object_get(state, "Running")) && !d->died) {
        /* The stream broke, the container lives on: of no use without its stdin. */
        backend_note(&d->b, "the connection to the container broke: it is killed");
        d->step = STEP_RUNNING;
        containers_remove(d->containers, d->b.container_id);
        fault_set(&d->end.why, EPIPE, "the connection to the container broke");
        d->died = true;
    } else if (!f) {
        container_end_set(&d->seen, (int)json_integer_value(json_object_get(state, "ExitCode")),
                          json_is_true(json_object_get(state, "OOMKilled")), d->stopping, &d->end);
    } else if (!d->died) {
        fault_set(&d->end.why, f->code, "its container is gone: %s", f->text);
    }
    /* The engine may say so before it knows of an `oom`. */
    if (d->died && is_unexplained(d) && d->plan->memory_bytes > 0)
        return;
    d->examined = true;
    backend_docker_check_over(d);
}

void backend_docker_examined(struct backend_docker *d)
{
    engine_cancel(TAKE(d->request));
    d->examined = true;
    backend_docker_check_over(d);
}

/* How long an answer is worth waiting for. */
static double post_mortem_limit_s(const struct backend_docker *d)
{
    if (!d->died || d->end.code < 0)
        return END_LIMIT_S;
    if (!is_unexplained(d))
        return 0.;
    return d->plan->memory_bytes > 0 ? LATE_OOM_S : VERDICT_S;
}

void backend_docker_examine(struct backend_docker *d)
{
    if (d->step == STEP_RUNNING) {
        d->step = STEP_POST_MORTEM;
        engine_cancel(d->request);     /* the inspection for the pid, if it still runs */
        d->request = engine_inspect(d->engine, d->b.container_id, on_post_mortem, d);
    }
    if (d->step == STEP_POST_MORTEM && !d->examined)
        backend_docker_arm(d, post_mortem_limit_s(d));
}

static void late_event(struct backend_docker *d, const struct engine_event *e)
{
    if (d->step != STEP_POST_MORTEM || d->examined || strcmp(e->action, "oom") != 0)
        return;
    container_end_event(&d->seen, e, d->stopping);
    container_end_set(&d->seen, d->end.code, false, d->stopping, &d->end);
    backend_docker_examined(d);
}

void backend_docker_event(struct backend *b, const struct engine_event *e)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (d->died) {
        late_event(d, e);
        return;
    }
    container_end_event(&d->seen, e, d->stopping);
    if (strcmp(e->action, "die") != 0 || d->step < STEP_START || d->step >= STEP_OVER)
        return;
    d->died = true;
    container_end_set(&d->seen, e->exit_code, false, d->stopping, &d->end);
    d->end.at_wall_ms = clock_wall_ms();
    backend_docker_examine(d);     /* while it is being started: once the start was answered */
}
