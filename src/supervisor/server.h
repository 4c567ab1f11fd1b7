/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One supervised server: wanted × state × reason, its runs, its log, its MCP session.
 *
 * `wanted` is what the user wants, `state` where it is, `reason` why it last left a state.
 * server_set_state() (server.c) is the only writer of `state`: it logs the change, arms the
 * timers and tells the fleet. Restart policy: the first restart after a minute of health is
 * immediate, then 1, 2, 4 … 60 s with jitter, for ever; a key press skips it. A pull does not
 * count against the start timeout. */
#ifndef MCPTOP_SUPERVISOR_SERVER_H
#define MCPTOP_SUPERVISOR_SERVER_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include "config/mcp_config.h"
#include "isolation/plan.h"
#include "mcp/session.h"
#include "supervisor/backend.h"
#include "supervisor/logstore.h"
#include "supervisor/recorder.h"
#include "supervisor/usage.h"

enum server_wanted { WANTED_DOWN, WANTED_UP };
enum server_state {
    SERVER_STOPPED, SERVER_PULLING, SERVER_STARTING, SERVER_INITIALIZING, SERVER_READY,
    SERVER_SILENT,
    SERVER_STOPPING, SERVER_BACKING_OFF, SERVER_FAILED,
    SERVER_STATES
};
const char *server_state_name(enum server_state s);    /* "backing-off" */

/* What it was ended for, where it did not end by itself. */
enum server_trouble { TROUBLE_NONE, TROUBLE_START_TIMEOUT, TROUBLE_HANDSHAKE, TROUBLE_SILENT };

/* The run that ended last, beside how it did (last_end). */
struct server_past {
    bool asked;                            /* a user, or a change, wanted it ended */
    bool was_ready, ever_ready;            /* this run; any by the same plan */
    enum server_trouble trouble;
    uint64_t first_seq, next_seq;          /* its lines in the log */
    uint64_t plan_hash, plan_live_hash;    /* what it went by */
};

/* What keeps it from starting, where that is the engine and takes long; text "" = nothing. */
struct server_wait {
    char text[128];                        /* "engine does not answer: creating the container" */
    const char *asked;                     /* "creating the container" */
    int64_t since_wall_ms;
};

struct fleet;
struct diagnosis;

/* Fields are for reading everywhere, for writing in server.c only. */
struct server {
    struct fleet *fleet;
    char *name;                            /* of a member "ROW#2" */
    /* sharing: per-session (server_members.c). A member has the row that it belongs to; the row its
     * members, in the order they came, ending ones too. */
    struct server *row, **members;
    size_t member_count;
    unsigned number;                       /* of a member */
    const struct config_server *config;    /* borrowed from fleet->config; replaced at reload */
    struct plan *plan;                     /* owned: of the current or next run */
    enum image_runner runner;              /* learned about plan->image */

    enum server_wanted wanted;
    bool by_user;                          /* wanted was set through the API, not the file */
    enum server_state state;
    /* why it last left a state; "" at first and again once it is well */
    char reason[512];
    int64_t state_since_ms, state_since_wall_ms;
    uint64_t revision;                     /* the fleet's number of its last change that was told */
    int64_t up_since_wall_ms;              /* ready since; 0 */
    uint32_t restarts;                     /* runs begun after the first */
    uint32_t failures;                     /* ends in a row without a minute of health */
    int64_t retry_at_ms;                   /* monotonic; 0 = no retry is waiting */
    struct run_end last_end;               /* at_wall_ms 0 = none yet */
    struct server_past past;               /* of the same run */

    struct server_wait wait;
    struct backend *backend;               /* the current run, or NULL */
    char run_id[80];
    struct session *session;               /* lives as long as the server */
    struct logstore *log;
    struct recorder *recorder;             /* NULL: its calls are not recorded */
    struct tool_watch *tools;              /* whether they are as first seen; NULL: a member */
    struct usage usage;
    struct server_private *p;              /* of server.c and server_run.c */

    /* Whoever judges servers (diagnose/doctor.c) keeps what he found here; freed with the
     * server. */
    struct diagnosis *diagnosis;
    void (*diagnosis_free)(struct diagnosis *d);
};

/* Starts nothing yet: server_begin does, once the fleet has put it in its place. */
struct server *server_new(struct fleet *fleet, const struct config_server *config);
void server_begin(struct server *s);
bool server_has_begun(const struct server *s);
/* Ends in the background: stop, then fleet_server_gone(). Its config is not looked at any more. */
void server_retire(struct server *s, const char *reason);
/* retired, and nothing of it runs any more */
bool server_is_gone(const struct server *s);
/* at once, killing what runs; not from an event of its own */
void server_free(struct server *s);

/* ---- sessions with a process of their own (server_members.c) ---- */
bool server_is_per_session(const struct server *s);
/* What a client is: the session that it is opened on, at once, and never given to two. A seat is
 * given back when its client closes. */
enum server_seat {
    SEAT_NO_SESSION,       /* a request of its own: shares a process with others of its kind */
    SEAT_UNTIL_IDLE,       /* nobody can tell whether it is still there */
    SEAT_UNTIL_CLOSED,     /* its end shows */
};
struct session *server_seat(struct server *s, enum server_seat seat);
/* Whether it is its own, or that of a seat that is not being given back. */
bool server_has_session(const struct server *s, const struct session *session);
/* itself, where it is no member */
struct server *server_row(struct server *s);
const char *server_row_name(const struct server *s);
/* Whose state stands for the row's: itself, but while it sleeps the member that needs the most
 * attention. */
const struct server *server_shown(const struct server *s);
/* with those of its members */
size_t server_process_count(const struct server *s);
void server_get_usage(const struct server *s, struct usage *ret);

/* New configuration: restarts exactly when plan->hash changed, updates live when only live_hash
 * did. */
void server_reconfigure(struct server *s, const struct config_server *config, bool enabled_changed);
/* The engine came, went, or finished sweeping: a server that waits for it tries again. */
void server_engine_changed(struct server *s);
void server_sample(struct server *s, int64_t now_ms);
/* Once a second: does the engine keep it waiting? */
void server_watch_wait(struct server *s, int64_t now_ms);
/* How long a start may take until initialize is answered. */
int64_t server_init_timeout_ms(const struct server *s);
int64_t server_call_timeout_ms(const struct server *s);     /* 0 = the session's default */
/* where its log of the present (or last) run begins */
uint64_t server_run_first_seq(const struct server *s);
bool server_in_use(const struct server *s, const char *container_id, const char *container_name);
/* Stopped though it is wanted: its first call starts it. */
bool server_is_asleep(const struct server *s);
void server_start(struct server *s);
/* Calls in flight end with it, or first (for 10 s at most; new ones wait or are refused). */
enum server_haste { AT_ONCE, DRAINED };
void server_stop(struct server *s, const char *reason, enum server_haste haste);
/* whatever the back-off */
void server_restart(struct server *s, const char *reason, enum server_haste haste);
/* … without its members */
void server_restart_alone(struct server *s, const char *reason, enum server_haste haste);
/* SIGKILL now; what is wanted is started again */
void server_kill(struct server *s);

#endif
