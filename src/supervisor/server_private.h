/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What server.c (the state machine), server_plan.c (configuration) and server_run.c (one run:
 * backend and session) share. For these and server_usage.c only. */
#ifndef MCPTOP_SUPERVISOR_SERVER_PRIVATE_H
#define MCPTOP_SUPERVISOR_SERVER_PRIVATE_H

#include "base/lines.h"
#include "supervisor/server.h"

enum server_event {
    EV_START,       /* it is wanted now */
    EV_STOP,        /* it is not wanted any more */
    EV_RESTART,     /* a new run, now */
    EV_KILL,        /* the same, by SIGKILL */
    EV_RETRY,       /* the back-off is over, or the engine may be there */
    EV_PULLING,     /* the image is on its way … */
    EV_PULLED,      /* … and here */
    EV_UP,          /* the process or container runs */
    EV_READY,       /* handshake done, or it answers again */
    EV_DOZE,        /* nobody has used it for too long: p->cause says how long */
    EV_WAKE,        /* it is asleep, and a client waits for it */
    EV_SILENT,      /* a ping was not answered */
    EV_UNWELL,      /* it runs but is of no use: p->cause says why */
    EV_DRAINED,     /* calls in flight have ended, or had their time */
    EV_OVER,        /* the run ended: last_end says how */
    SERVER_EVENTS
};

/* What STOPPING leads to. */
enum server_ending { ENDING_AS_WANTED, ENDING_AS_FAILURE };

struct server_private {
    ev_timer retry;              /* BACKING_OFF, FAILED */
    ev_timer healthy;            /* READY: a minute of it forgives all failures */
    ev_timer silent;             /* SILENT for too long */
    ev_timer idle;               /* READY, and to be stopped when nobody uses it */
    ev_timer drain;              /* STOPPING, and calls are let end first */

    enum server_ending ending;
    char cause[512];             /* of the stop or fault under way; becomes the reason */
    bool begun;                  /* was started once (or found not to be wanted) */
    bool was_ready, ever_ready;  /* this run was ready; any run by this plan was */
    bool had_credit;             /* see backoff.h; of this row of failures */
    bool waits_for_engine;
    bool feeding;                /* the session has a process */
    struct lines late;           /* stdout of a run that is being ended */
    bool late_is_message;        /* … its line is one of the protocol's */
    bool retired, gone;
    bool gently;                 /* what is fired now lets calls in flight end first */
    bool asleep;                 /* wanted, and stopped until a call comes (or on its way there) */
    bool learning;               /* a row that runs to know its tools, and sleeps then */
    bool lasting;                /* a member whose session says when it ends */
    bool waits_for_room;         /* … that is to be woken when another's process has ended */
    unsigned member_number;      /* of the last one that was made */
    bool draining;               /* … and they do */
    bool updating;               /* the engine was asked to change the limits of the run */
    bool refused;                /* … and it did; while the answers of others are awaited */
    bool putting_back;           /* … to what they were before it refused others */
    bool moved;                  /* its configuration is on other lines than its plan says */
    uint64_t runs;
    uint64_t run_seq;            /* where its log of this run begins */
    enum server_trouble trouble; /* that this run is being ended for */

    /* what the run goes by: s->plan, or an older one, which is ours to free */
    struct plan *run_plan;
    struct usage_probe *probe;
    int64_t probe_retry_ms;
    int64_t stats_due_ms;        /* before that the engine is not asked again */
    struct usage_last stats_last;
    struct engine_request *stats;
};

/* server_life.c */
struct server *server_new_member(struct server *row, unsigned number);

/* server_members.c: the same of all members */
void members_retire(struct server *s, const char *reason);
/* The first that has a process and is not ending; false: there is none. */
bool members_retire_one(struct server *s, const char *reason);
void members_free_gone(struct server *s);
void members_free(struct server *s);
void members_stop(struct server *s, const char *reason, enum server_haste haste);
void members_start(struct server *s);
/* True: that is all, the row itself sleeps. */
bool members_restart(struct server *s, const char *reason, enum server_haste haste);
void members_kill(struct server *s);
void members_reconfigure(struct server *s, bool enabled_changed);
/* Its last client has closed. */
void members_left(struct server *s);
/* Whether a session may have a process now; else who waits for it has been refused, or it is woken
 * once there is room. */
bool members_have_room(struct server *s);
/* A process of the row or of a session has ended. */
void members_have_ended(struct server *s);
/* A member has read its tools: the row, where it does not run, knows them too. */
void members_learn(struct server *s);

/* server.c */
void server_machine_init(struct server *s);
void server_machine_fini(struct server *s);
void server_set_state(struct server *s, enum server_state state, const char *reason);
void server_fire(struct server *s, enum server_event e);
__attribute__((format(printf, 2, 3))) void server_set_cause(struct server *s, const char *fmt, ...);

/* server_drain.c */
void server_drain_init(struct server *s);
/* Whether its end waits for calls in flight: then it is STOPPING, and EV_DRAINED follows. */
bool server_drain_begin(struct server *s);
void server_drain_end(struct server *s);
/* … without an end: the calls have their time, and what comes after them waits for the next run. */
void server_drain_for_restart(struct server *s);
/* Its run is on its way out: it is not for a late answer to want it back. */
bool server_is_leaving(const struct server *s);

/* Fires it, and lets calls in flight end first where that leads to an end. */
void server_fire_gently(struct server *s, enum server_event e);

/* server_sleep.c */
void server_sleep_init(struct server *s);
void server_sleep_watch(struct server *s);        /* the state or idle_stop changed */
bool server_starts_lazily(const struct server *s);
/* STOPPED until a client waits for it; p->cause says why. */
void server_lie_down(struct server *s);
void server_lie_down_lazily(struct server *s);

/* server_plan.c: the plan from the configuration as it is; swaps s->plan. What the change takes. */
enum plan_change server_replan(struct server *s);
/* For its next try: then a change of limits or of pull_policy is a reason to make it now. */
bool server_is_waiting(const struct server *s);

/* server_run.c */
enum run_begin { RUN_BEGUN, RUN_WAITS_FOR_ENGINE, RUN_ENGINE_DOWN };
/* Begins a run (STARTING follows), or says that the engine is not there yet. */
enum run_begin server_run_begin(struct server *s);
void server_run_drop_plan(struct server *s);      /* the run's own older plan, if it has one */
/* Ends the session's process: its open calls get the cause. */
void server_run_silence(struct server *s, const char *cause);
void server_run_init(struct server *s);           /* makes its session */
void server_run_fini(struct server *s);
void server_session_configure(struct server *s);
/* No retry soon will help: the user has to change something first. */
bool server_run_is_hopeless(const struct run_end *end);
/* "exited 3", "signal 9 (killed)", "OOM-killed at 512M (exit 137)", or the fault's own words. */
void server_run_describe(const struct server *s, const struct run_end *end, char *out, size_t n);
/* The program to look for in the image before the start; NULL = none. */
const char *server_runner_to_check(const struct server *s);
/* The same of the last run, and what a program that gave up said last: most say there why. */
void server_run_reason(const struct server *s, char *out, size_t n);

/* A server in a container is heard through its engine: whose silence is it? Not known yet: the
 * engine is being asked, for 5 s at most. Paused: somebody had the engine stop the container. */
enum silence { SILENCE_OWN, SILENCE_NOT_KNOWN, SILENCE_OF_ENGINE, SILENCE_PAUSED };
enum silence server_whose_silence(const struct server *s);
bool server_is_paused(const struct server *s);

/* server_tools.c: judges its list of tools, and the session's rules which of them clients get. */
void server_tools_configure(struct server *s);

/* server_usage.c */
void server_usage_reset(struct server *s);        /* a run ended or begins */

#endif
