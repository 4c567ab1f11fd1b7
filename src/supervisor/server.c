/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The state machine of one server: a table state × event → small action. Only server_set_state()
 * writes `state`. Knows no child, container or message: what a run is stands in server_run.c,
 * what the configuration changes in server_plan.c.
 *
 *   retry     armed in BACKING_OFF and FAILED (unless the engine is waited for, or nothing can
 *             help)
 *   healthy   armed in READY: after a minute the row of failures is forgiven
 *   silent    armed in SILENT: after three health intervals without an answer and without a call
 *             in flight it is restarted
 * (and drain, see server_drain.c) */
#include "supervisor/server_private.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/backoff.h"
#include "supervisor/fleet_private.h"

enum { SILENT_INTERVALS = 3, SILENT_AGAIN_S = 5, DEFAULT_HEALTH_MS = 30000, ENGINE_LOST_MS = 1000 };

static const char *const state_names[SERVER_STATES] = {
    [SERVER_STOPPED] = "stopped",       [SERVER_PULLING] = "pulling",
    [SERVER_STARTING] = "starting",     [SERVER_INITIALIZING] = "initializing",
    [SERVER_READY] = "ready",           [SERVER_SILENT] = "silent",
    [SERVER_STOPPING] = "stopping",     [SERVER_BACKING_OFF] = "backing-off",
    [SERVER_FAILED] = "failed",
};

const char *server_state_name(enum server_state s)
{
    return state_names[s];
}

void server_set_cause(struct server *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(s->p->cause, sizeof s->p->cause, fmt, ap);
    va_end(ap);
}

/* ---- the one writer of state --------------------------------------------------- */

static void arm(struct server *s, ev_timer *t, int64_t ms)
{
    ev_timer_stop(s->fleet->loop, t);
    ev_timer_set(t, (double)ms / 1e3, 0.);
    ev_timer_start(s->fleet->loop, t);
}

static int64_t health_ms(const struct server *s)
{
    return s->config && s->config->health_interval_ms > 0 ? s->config->health_interval_ms
        : DEFAULT_HEALTH_MS;
}

static void log_state(const struct server *s, enum server_state from)
{
    struct buf fields = BUF_INIT;
    buf_add_str(&fields, "{\"server\":");
    buf_add_json(&fields, server_row_name(s), strlen(server_row_name(s)));
    buf_add_str(&fields, "}");
    bool bad = s->state == SERVER_BACKING_OFF || s->state == SERVER_FAILED ||
        s->state == SERVER_SILENT;
    /* On its way up it keeps the reason of its last end, which was told then. */
    bool tell = *s->reason && (bad || s->state == SERVER_STOPPED || s->state == SERVER_STOPPING);
    log_write(bad ? LOG_WARN_ : LOG_INFO_, "server", buf_str(&fields), "%s: %s → %s%s%s", s->name,
              state_names[from],
              state_names[s->state], tell ? ": " : "", tell ? s->reason : "");
    buf_fini(&fields);
}

/* reason: NULL = it stays. */
void server_set_state(struct server *s, enum server_state state, const char *reason)
{
    enum server_state from = s->state;
    struct server_private *p = s->p;
    bool ready = state == SERVER_READY, was_well = from == SERVER_READY || from == SERVER_SILENT;
    if (reason && reason != s->reason)
        snprintf(s->reason, sizeof s->reason, "%s", reason);
    s->state = state;
    if (state != SERVER_STARTING)
        s->wait.text[0] = '\0';
    s->state_since_ms = clock_mono_ms();
    s->state_since_wall_ms = clock_wall_ms();
    if (ready && !was_well) {
        s->up_since_wall_ms = s->state_since_wall_ms;
        arm(s, &p->healthy, BACKOFF_HEALTHY_MS);
    } else if (!ready && state != SERVER_SILENT) {
        s->up_since_wall_ms = 0;
        ev_timer_stop(s->fleet->loop, &p->healthy);
    }
    if (state == SERVER_SILENT)
        arm(s, &p->silent, SILENT_INTERVALS * health_ms(s));
    else
        ev_timer_stop(s->fleet->loop, &p->silent);
    if (state != SERVER_BACKING_OFF && state != SERVER_FAILED) {
        ev_timer_stop(s->fleet->loop, &p->retry);
        s->retry_at_ms = 0;
        p->waits_for_engine = false;
    }
    server_sleep_watch(s);
    if (state != from)
        log_state(s, from);
    if (ready || (state != from && (state == SERVER_BACKING_OFF || state == SERVER_FAILED ||
                                    state == SERVER_STOPPED ||
                                    state == SERVER_SILENT)))
        fleet_add_event(s->fleet, false, "server", state_names[state], server_row_name(s),
                        s->row ? s->name : "", s->reason);
    fleet_server_changed(s->fleet, s);
}

/* ---- what a state leads to ------------------------------------------------------ */

static void tell_session_why(struct server *s)
{
    session_set_cause(s->session, s->reason);
}

static void rest(struct server *s)
{
    char why[600];
    s->p->asleep = false;
    session_sleep(s->session, false);
    snprintf(why, sizeof why, "server %s is not running: %s", s->name, s->p->cause);
    session_refuse(s->session, why);
    if (s->p->retired)
        s->p->gone = true;
    server_set_state(s, SERVER_STOPPED, s->p->cause);
    if (s->p->retired)
        fleet_server_gone(s->fleet);
}

static void retry_in(struct server *s, enum server_state state, int64_t ms, const char *reason)
{
    /* First: who hears of the state also hears how long it will last. */
    s->retry_at_ms = clock_mono_ms() + ms;
    arm(s, &s->p->retry, ms);
    server_set_state(s, state, reason);
    tell_session_why(s);
}

static void wait_for_engine(struct server *s)
{
    char reason[512];
    snprintf(reason, sizeof reason, "engine down: %s", containers_get_error(s->fleet->containers));
    server_set_state(s, SERVER_BACKING_OFF, reason);
    s->p->waits_for_engine = true;
    tell_session_why(s);
}

static void refuse_unsupported(struct server *s)
{
    const char *why = s->plan->unsupported ? s->plan->unsupported : "this version cannot run it";
    session_refuse(s->session, why);
    logstore_say(s->log, "not started: %s", why);
    server_set_state(s, SERVER_FAILED, why);
}

static void begin(struct server *s)
{
    s->p->cause[0] = '\0';
    /* The files of --env-file are read at every start, as docker run does; and by now it may be
     * known whose engine it is. */
    if (s->config)
        server_replan(s);
    if (s->plan->mode == PLAN_UNSUPPORTED) {
        refuse_unsupported(s);
        return;
    }
    session_refuse(s->session, NULL);
    switch (server_run_begin(s)) {
    case RUN_BEGUN:
        s->p->asleep = false;
        server_set_state(s, SERVER_STARTING, NULL);
        tell_session_why(s);
        break;
    case RUN_WAITS_FOR_ENGINE:
        server_set_state(s, SERVER_STARTING, NULL);
        s->p->waits_for_engine = true;
        session_set_cause(s->session, "waiting for the container engine");
        break;
    case RUN_ENGINE_DOWN:
        wait_for_engine(s);
        break;
    }
}

/* A run ended though nobody had asked for it. */
static void settle_failure(struct server *s, const char *reason)
{
    if (s->last_end.why.code == FAULT_ENGINE_DOWN) {
        /* Nothing the server can be blamed for. The engine's own news may come a moment after
         * its connections broke. */
        retry_in(s, SERVER_BACKING_OFF, ENGINE_LOST_MS, reason);
        s->p->waits_for_engine = containers_get_state(s->fleet->containers) != CONTAINERS_READY;
        return;
    }
    if (server_run_is_hopeless(&s->last_end)) {
        s->failures++;
        retry_in(s, SERVER_FAILED, BACKOFF_MAX_MS, reason);
        return;
    }
    if (s->failures++ == 0)
        s->p->had_credit = s->p->was_ready;
    int64_t delay = backoff_delay_ms(s->failures, s->p->had_credit, fleet_random(s->fleet));
    if (delay == 0) {
        snprintf(s->reason, sizeof s->reason, "%s", reason);
        begin(s);
        return;
    }
    retry_in(s, s->failures > BACKOFF_FAILED_AFTER ? SERVER_FAILED : SERVER_BACKING_OFF, delay,
             reason);
}

/* ---- actions -------------------------------------------------------------------- */

static void act_none(struct server *s)
{
    (void)s;
}

static void act_begin(struct server *s)
{
    begin(s);
}

static void act_begin_afresh(struct server *s)
{
    s->failures = 0;
    snprintf(s->reason, sizeof s->reason, "%s", s->p->cause);
    begin(s);
}

static void act_retry(struct server *s)
{
    if (s->backend)
        return;
    begin(s);
}

static void act_rest(struct server *s)
{
    rest(s);
}

/* Ends the run in order; what follows depends on what is wanted then. */
static void act_end(struct server *s)
{
    s->p->ending = ENDING_AS_WANTED;
    if (!s->p->draining && server_drain_begin(s))
        return;
    server_drain_end(s);
    if (!s->backend) {   /* STARTING, waiting for the engine */
        if (s->wanted == WANTED_UP)
            begin(s);
        else
            rest(s);
        return;
    }
    server_run_silence(s, s->p->cause);
    server_set_state(s, SERVER_STOPPING, s->p->cause);
    s->backend->ops->stop(s->backend);
}

static void act_wake(struct server *s)
{
    if (!s->p->asleep || !members_have_room(s))
        return;
    s->failures = 0;
    snprintf(s->reason, sizeof s->reason, "a call came");
    begin(s);
}

static void act_kill(struct server *s)
{
    server_drain_end(s);
    if (s->backend && s->state != SERVER_STOPPING)
        server_set_state(s, SERVER_STOPPING, s->p->cause);
    s->p->ending = ENDING_AS_WANTED;
    if (s->backend) {
        server_run_silence(s, s->p->cause);
        s->backend->ops->kill(s->backend);
    }
}

/* It was stopping, and now it is wanted again: afterwards. */
static void act_start_after(struct server *s)
{
    s->p->ending = ENDING_AS_WANTED;
    if (s->p->draining)
        server_drain_for_restart(s);
}

/* It was stopping for a fault, and now the user wants it away, or again. */
static void act_end_as_wanted(struct server *s)
{
    s->p->ending = ENDING_AS_WANTED;
    if (s->p->draining && !s->p->gently)
        act_end(s);     /* now without waiting */
}

static void act_unwell(struct server *s)
{
    logstore_say(s->log, "restarting: %s", s->p->cause);
    s->p->ending = ENDING_AS_FAILURE;
    server_run_silence(s, s->p->cause);
    server_set_state(s, SERVER_STOPPING, s->p->cause);
    s->backend->ops->stop(s->backend);
}

static void act_pulling(struct server *s)
{
    server_set_state(s, SERVER_PULLING, NULL);
    session_set_cause(s->session, "its image is being pulled");
}

static void act_pulled(struct server *s)
{
    server_set_state(s, SERVER_STARTING, NULL);
}

static void act_up(struct server *s)
{
    server_set_state(s, SERVER_INITIALIZING, NULL);
}

static void act_ready(struct server *s)
{
    s->p->was_ready = s->p->ever_ready = true;
    server_set_state(s, SERVER_READY, "");
    fleet_server_ready(s->fleet, s);
}

static void tell_pause(struct server *s)
{
    char reason[512];
    snprintf(reason, sizeof reason, "paused: somebody paused its container (docker pause); "
                                    "docker unpause %s lets it go on", s->backend->container_name);
    server_set_state(s, SERVER_SILENT, reason);
}

static void act_silent(struct server *s)
{
    if (server_is_paused(s)) {
        tell_pause(s);
        return;
    }
    server_set_state(s, SERVER_SILENT, s->p->cause);
    server_whose_silence(s);       /* begins to ask */
}

static void act_over(struct server *s)
{
    char reason[512];
    server_run_reason(s, reason, sizeof reason);
    settle_failure(s, reason);
}

static void act_over_stopping(struct server *s)
{
    server_drain_end(s);
    if (s->wanted == WANTED_DOWN) {
        rest(s);
    } else if (s->p->asleep) {
        server_lie_down(s);
    } else if (s->p->ending == ENDING_AS_FAILURE) {
        char reason[sizeof s->p->cause];
        snprintf(reason, sizeof reason, "%s", s->p->cause);
        /* However it went in the end: the cause is what we stopped it for. */
        s->last_end.why = FAULT_NONE;
        settle_failure(s, reason);
    } else {
        begin(s);
    }
}

typedef void (*action_fn)(struct server *s);

/* Where a field is NULL the event says nothing new in that state. */
static const action_fn actions[SERVER_STATES][SERVER_EVENTS] = {
    [SERVER_STOPPED] = {
        [EV_START] = act_begin_afresh, [EV_RESTART] = act_begin_afresh, [EV_STOP] = act_rest,
        [EV_WAKE] = act_wake,
    },
    [SERVER_PULLING] = {
        [EV_STOP] = act_end, [EV_RESTART] = act_end, [EV_KILL] = act_kill,
        [EV_PULLED] = act_pulled, [EV_UP] = act_up,
        [EV_OVER] = act_over,
    },
    [SERVER_STARTING] = {
        [EV_STOP] = act_end, [EV_RESTART] = act_end, [EV_KILL] = act_kill, [EV_RETRY] = act_retry,
        [EV_PULLING] = act_pulling, [EV_UP] = act_up, [EV_OVER] = act_over,
    },
    [SERVER_INITIALIZING] = {
        [EV_STOP] = act_end, [EV_RESTART] = act_end, [EV_KILL] = act_kill, [EV_READY] = act_ready,
        [EV_UNWELL] = act_unwell, [EV_OVER] = act_over,
    },
    [SERVER_READY] = {
        [EV_STOP] = act_end, [EV_RESTART] = act_end, [EV_KILL] = act_kill, [EV_SILENT] = act_silent,
        [EV_UNWELL] = act_unwell, [EV_OVER] = act_over, [EV_DOZE] = act_end,
    },
    [SERVER_SILENT] = {
        [EV_STOP] = act_end, [EV_RESTART] = act_end, [EV_KILL] = act_kill, [EV_READY] = act_ready,
        [EV_UNWELL] = act_unwell, [EV_OVER] = act_over,
    },
    [SERVER_STOPPING] = {
        [EV_DRAINED] = act_end,
        [EV_START] = act_start_after, [EV_STOP] = act_end_as_wanted,
        [EV_RESTART] = act_end_as_wanted,
        [EV_KILL] = act_kill, [EV_OVER] = act_over_stopping,
    },
    [SERVER_BACKING_OFF] = {
        [EV_START] = act_begin_afresh, [EV_RESTART] = act_begin_afresh, [EV_STOP] = act_rest,
        [EV_RETRY] = act_begin,
        [EV_KILL] = act_none,
    },
    [SERVER_FAILED] = {
        [EV_START] = act_begin_afresh, [EV_RESTART] = act_begin_afresh, [EV_STOP] = act_rest,
        [EV_RETRY] = act_begin,
        [EV_KILL] = act_none,
    },
};

void server_fire(struct server *s, enum server_event e)
{
    action_fn act = actions[s->state][e];
    if (act)
        act(s);
}

void server_fire_gently(struct server *s, enum server_event e)
{
    s->p->gently = true;
    server_fire(s, e);
    s->p->gently = false;
}

/* ---- timers --------------------------------------------------------------------- */

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct server *s = w->data;
    assert(s->state == SERVER_BACKING_OFF || s->state == SERVER_FAILED);
    server_fire(s, EV_RETRY);
}

static void on_healthy(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct server *s = w->data;
    if (s->failures) {
        s->failures = 0;
        fleet_server_changed(s->fleet, s);
    }
}

/* SILENT, and the engine answers nothing. */
static void blame_engine(struct server *s)
{
    char reason[512];
    snprintf(reason, sizeof reason, "engine down: %s", containers_get_error(s->fleet->containers));
    server_set_state(s, SERVER_SILENT, reason);
}

static void on_silent(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct server *s = w->data;
    assert(s->state == SERVER_SILENT);
    enum silence whose = server_whose_silence(s);
    if (whose == SILENCE_OF_ENGINE) {
        /* Behind an engine that hangs it may be as well as ever: nothing would be won. */
        blame_engine(s);
        return;
    }
    if (whose == SILENCE_PAUSED)
        tell_pause(s);
    if (session_get_in_flight(s->session) || whose != SILENCE_OWN) {
        /* Busy with somebody's call and of one thread: the call's own time-out decides. Paused:
         * whoever did it wants that process, not another. */
        arm(s, w, SILENT_AGAIN_S * 1000);
        return;
    }
    server_set_cause(s, "protocol silent");
    s->p->trouble = TROUBLE_SILENT;
    server_fire(s, EV_UNWELL);
}

/* ---- the engine ------------------------------------------------------------------- */

void server_engine_changed(struct server *s)
{
    if (s->p->waits_for_engine)
        server_fire(s, EV_RETRY);
    else if (s->state == SERVER_SILENT && server_whose_silence(s) == SILENCE_OF_ENGINE)
        blame_engine(s);
    for (size_t i = 0; i < s->member_count; i++)
        server_engine_changed(s->members[i]);
}

/* ---- its timers -------------------------------------------------------------------- */

void server_machine_init(struct server *s)
{
    s->state_since_ms = clock_mono_ms();
    s->state_since_wall_ms = clock_wall_ms();
    ev_timer_init(&s->p->retry, on_retry, 0., 0.);
    ev_timer_init(&s->p->healthy, on_healthy, 0., 0.);
    ev_timer_init(&s->p->silent, on_silent, 0., 0.);
    s->p->retry.data = s->p->healthy.data = s->p->silent.data = s;
}

void server_machine_fini(struct server *s)
{
    ev_timer_stop(s->fleet->loop, &s->p->retry);
    ev_timer_stop(s->fleet->loop, &s->p->healthy);
    ev_timer_stop(s->fleet->loop, &s->p->silent);
}
