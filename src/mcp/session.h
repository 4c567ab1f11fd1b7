/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The MCP side of one supervised server: its handshake, its catalogue, its health, and the calls of
 * N clients on it. It knows nothing of processes or HTTP: bytes come in by session_feed, go out by
 * the `write` event.
 *
 * A session outlives the server's process: clients stay open while the process is restarted, their
 * calls are held, the handshake is done again and the held calls go on. What a process that died
 * may have read gets an error that names the cause.
 *
 * Phases: DOWN → HANDSHAKE (initialize, notifications/initialized, tools/list) → READY ⇄ SILENT (a
 * ping was not answered). */
#ifndef MCPTOP_MCP_SESSION_H
#define MCPTOP_MCP_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/fault.h"
#include "mcp/envelope.h"
#include "mcp/protocol.h"
#include "mcp/tool_filter.h"

struct session;
struct client;
struct call;

/* Which protocol is spoken with the server. AUTO: initialize, and where that is refused the modern
 * one; the verdict is remembered. */
enum session_era { ERA_AUTO, ERA_LEGACY, ERA_MODERN };
enum session_phase { SESSION_DOWN, SESSION_HANDSHAKE, SESSION_READY, SESSION_SILENT };

struct session_config {
    const char *server;             /* for error texts; copied */
    int64_t init_timeout_ms;        /* 0 = 30 s */
    int64_t ping_interval_ms;       /* 0 = 30 s; -1 = none */
    /* 0 = 2 min: from written to answered; progress extends it, ten times at most */
    int64_t call_timeout_ms;
    /* 0 = 30 s: how long a call waits for a server that is not ready */
    int64_t hold_timeout_ms;
    /* 0 = 200 ms: how long after a call was parked what the server asks still belongs to it */
    int64_t park_grace_ms;
    size_t max_message_bytes;       /* 0 = 64 MiB */
    enum session_era era;
    /* The texts of calls are wanted at their end: copies of longer ones are kept until then. */
    bool record;
    /* The ids of what clients are asked are above it, and less than 2^32 more; looked at once,
     * when the session is made. A client of several sessions must not be asked two things under
     * one id. */
    uint64_t ask_base;
    /* The session that has this one's figures among its own, calls and clients too; looked at once,
     * when it is made. NULL = none. It outlives this one. */
    struct session *ledger;
};

/* A client's call that was answered, by the server or with an error of ours. */
struct call_ended {
    struct span method, name;       /* for people: escapes undone, cut */
    const char *client;             /* its label */
    int64_t answered_us;            /* from written to answered; -1 = it never was written */
    int64_t took_us;                /* with what it waited before */
    size_t bytes_out, bytes_in;     /* the call as the client sent it, and its answer */
    bool is_error;
    bool tool_error;                /* of a tool, whose result says isError */
    /* The call on one line, with the client's id. Absent (n 0) where no copy was kept: it was too
     * long, or copies of others took the room. */
    struct span request;
    const struct iovec *iov;        /* the answer */
    int iov_count;
};

struct session_events {
    /* To the server's stdin; 0 or -1 with *f (the session fails the call with it). */
    int (*write)(void *ctx, const struct iovec *iov, int count, struct fault *f);
    /* The phase changed. why: for DOWN by handshake failure or SILENT, a sentence; else NULL. May
     * call session_* . */
    void (*phase)(void *ctx, enum session_phase phase, const char *why);
    /* The handshake failed while the process lives (timeout, error reply, rubbish): the supervisor
     * should restart it. */
    void (*handshake_failed)(void *ctx, const struct fault *why);
    /* A line of stdout that is no JSON-RPC message (why says what is wrong); lines of any length
     * come in pieces (LINE_* flags). */
    void (*stray)(void *ctx, const char *p, size_t n, unsigned flags, const char *why);
    /* The first bytes (cut: not all) of a message that reaches no client, and why: a reply that
     * comes too late, a log message that could be several clients'. May be NULL. */
    void (*note)(void *ctx, const char *p, size_t n, bool cut, const char *why);
    void (*catalogue)(void *ctx);   /* the tool list was read (again) */
    /* Of every call, before its client gets the answer. May not call back. May be NULL. */
    void (*ended)(void *ctx, const struct call_ended *call);
    /* After session_drain, once, also at once: no client waits for the server any more. May be
     * NULL. */
    void (*drained)(void *ctx);
    /* A request has to wait for a server that is asleep: once after session_sleep. May be NULL. */
    void (*wanted)(void *ctx);
    /* The last client has closed. May be NULL. */
    void (*left)(void *ctx);
};

struct session *session_new(struct ev_loop *loop, const struct session_config *cfg,
                            const struct session_events *events, void *ctx);
/* open calls get an error, clients are told `gone` */
void session_free(struct session *s);
void session_configure(struct session *s, const struct session_config *cfg);

void session_up(struct session *s);              /* a process is running: begins the handshake */
void session_feed(struct session *s, const char *p, size_t n);
/* Before session_down: the last so many bytes handed to `write` never reached the process (they
 * were still queued, or lay unread in its pipe). Calls that lie wholly in them wait for the next
 * run instead of failing. */
void session_undelivered(struct session *s, size_t bytes);
/* The process ended (or its stream). cause: "exited 3", "OOM-killed at 512M" … in flight calls get
 * it. */
void session_down(struct session *s, const char *cause);
/* Until the run ends new calls are held; those in flight go on. */
void session_drain(struct session *s);
/* It is down on purpose and comes when it is wanted (between session_down and the next session_up):
 * clients are welcomed, and its tools listed, from what is known. */
void session_sleep(struct session *s, bool asleep);
/* What an earlier session knew of the same server, by session_get_init and session_get_tools. -1:
 * it is broken, or something is known already. */
int session_restore(struct session *s, bool modern, struct span init, struct span tools);
const char *session_get_init(const struct session *s, size_t *ret_n, bool *ret_modern);
/* What another session knows of the same server, in the place of what this one knows. False: it
 * runs and asks for itself, or the other knows nothing. */
bool session_learn(struct session *s, const struct session *from);
/* Some client waits for it, or watches what it has. */
bool session_is_used(const struct session *s);
/* When the last request for the server came (monotonic); 0 = none yet. */
int64_t session_get_used_ms(const struct session *s);
/* Why calls have to wait now ("exited 3, retry in 4 s"; "" = unknown); for the error of a call
 * whose hold deadline passes: server "x" is not ready: CAUSE; waited 30 s. A new run forgets it. */
void session_set_cause(struct session *s, const char *cause);
/* Not NULL: no server is wanted (stopped, disabled, unsupported): held and new calls fail at once
 * with this sentence. */
void session_refuse(struct session *s, const char *why);

enum session_phase session_get_phase(const struct session *s);
/* Whether this is an id under which it asks clients, by `ask_base`. */
bool session_has_asked(const struct session *s, uint64_t id);
/* Whether its server may answer by tasks. */
bool session_has_tasks(const struct session *s);
/* From initialize's result; "" before. */
const char *session_get_server_name(const struct session *s);
const char *session_get_server_version(const struct session *s);
const char *session_get_protocol(const struct session *s);
bool session_has_capability(const struct session *s, const char *name);
int session_get_tool_count(const struct session *s);                            /* -1 = unknown */
/* JSON array text of all pages, as the server sent it; NULL = unknown */
const char *session_get_tools(const struct session *s, size_t *ret_n);
/* Whether that is what the server would answer now: it did not say since that it changed. */
bool session_knows_tools(const struct session *s);
/* Another number for another list. */
unsigned session_get_tools_serial(const struct session *s);

/* ---- tools that clients do not get (tools.c) ---- */
/* Copied. What it hides is in no client's list and refused when called; clients are told that the
 * list changed. */
void session_set_tool_filter(struct session *s, const struct tool_filter *filter);
int session_get_shown_count(const struct session *s);    /* that clients get; -1 = unknown */
/* Appends what clients get: an array, of all pages. */
void session_add_shown_tools(const struct session *s, struct buf *out);
/* Of an entry of session_get_tools. */
enum tool_hidden session_hides(const struct session *s, struct span entry);

struct session_stats {
    uint64_t calls, errors;          /* requests of clients that were answered; … with an error */
    /* … of a tool, with a result that says isError: none of errors */
    uint64_t tool_errors;
    uint32_t in_flight, held;        /* written and waiting; waiting for the server */
    uint32_t clients;
    int64_t p50_us, p95_us, p99_us;  /* over the last 512 answered calls; -1 = none */
    /* of calls that were written to the server and answered: how many, and how long in all */
    uint64_t timed, timed_us;
    int64_t last_ping_us;            /* round trip; -1 = none yet */
    uint64_t bytes_in, bytes_out;    /* to and from the server */
    uint64_t stray_lines;
    uint64_t oversize;               /* messages over the size limit */
};
void session_get_stats(const struct session *s, struct session_stats *ret);
/* Of this one alone. */
uint32_t session_get_in_flight(const struct session *s);
/* Stray lines of the present process alone. */
uint64_t session_get_run_stray(const struct session *s);

/* ---- clients (router.c) ---- */
struct client_events {
    /* A message of the server for this client: a notification (progress of its calls with its own
     * token, list_changed, log messages), or, where `asks`, a request, whose answer is handed to
     * client_send. One JSON text, no newline; valid during the call. call_ctx: the ctx of the open
     * call that it belongs to, or NULL. false: there is no way to deliver it. May be NULL as a
     * whole: the client has no channel for it. */
    bool (*message)(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks);
    /* the session is being freed; the client is closed after this returns */
    void (*gone)(void *ctx);
};
/* label: who it is, for people ("claude-code 2.0", taken from clientInfo once it initializes). */
struct client *client_open(struct session *s, const char *label, const struct client_events *events,
                           void *ctx);
/* Its calls are abandoned (their handles are gone), their replies dropped. NULL is fine. */
void client_close(struct client *c);
const char *client_get_label(const struct client *c);
void client_set_label(struct client *c, const char *label);
struct session *client_get_session(const struct client *c);
/* of its session */
enum session_phase client_get_phase(const struct client *c);
/* The version its initialize was answered with; NULL before. Static. */
const char *client_get_protocol(const struct client *c);
unsigned client_get_features(const struct client *c);
/* What an initialize said that an earlier supervisor answered: the client goes on as if it had been
 * this session's. version: of client_get_version; out of range = the latest. */
void client_restore(struct client *c, unsigned version, unsigned features);
/* It speaks the modern era only: what does not say so is refused. (Others may speak it, too: each
 * request says its era.) */
void client_set_modern(struct client *c);
/* How much of the server's log it wants: a token of which logging_is_level() holds. */
void client_set_log_level(struct client *c, struct span level);
bool logging_is_level(struct span token);
#define LOGGING_LEVELS \
    "level must be one of debug, info, notice, warning, error, critical, alert, " \
    "emergency"
/* The place of its version among those known. */
unsigned client_get_version(const struct client *c);

/* The reply: one JSON-RPC message with the client's own id and tokens, in ENVELOPE_IOV pieces at
 * most (no newline); valid during the call. Exactly once for a call that was not abandoned; may
 * come before client_send returns (local answers: ping, initialize, refusals). */
typedef void (*call_reply_fn)(void *ctx, const struct iovec *iov, int count, bool is_error);
/* Inside a call_reply_fn that was told no error: the result in those bytes, where the server wrote
 * it; n 0 for answers of ours. Saves who wants it alone a second scan. */
struct span session_get_result(const struct session *s);

/* Hands a message of the client on: e is its scanned envelope, whose bytes need to live during the
 * call only (those of held calls are copied, or taken over by large_keep). Requests: initialize is
 * answered from the server's own cached result with the version negotiated for this client (held
 * until the server is ready for the first time), ping locally, everything else by the server.
 * Returns the call, or NULL when it was answered or refused already (or was no request).
 * Notifications: initialized is swallowed, cancelled goes on only for a call of this client.
 * Responses to server requests: as recorded. */
struct call *client_send(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
/* nobody waits for the reply any more; the server is not told */
void call_abandon(struct call *k);
/* Whether its client calls it by this id. */
bool call_is(const struct call *k, struct span id);
/* the same, and the server is told to stop */
void call_cancel(struct call *k);

/* ---- tasks (tasks.c) ---- */
/* What the modern era calls it that a server or a client knows tasks. */
#define TASKS_EXTENSION "io.modelcontextprotocol/tasks"
#define TASKS_NONE "no such task: a task can be used by the session that made it"
/* What a request has to do with tasks: its answer may make one, it asks about one, or it asks for
 * the result of one. */
enum task_use { TASK_MADE, TASK_ASKED, TASK_RESULT };
enum task_use task_use_of(struct span method);
/* The token that names the task of such an answer; n 0: none. */
struct span task_in_result(enum task_use use, struct span result);
/* The tokens that name a task in any other message, in their order; how many. */
enum { TASK_NAMES = 2 };
int task_names(const struct envelope *e, struct span ret[TASK_NAMES]);
/* Whether it was a subscriptions/listen to tasks of a client that did not declare them, and was
 * refused. */
bool listen_refuse_tasks(const struct envelope *e, call_reply_fn fn, void *ctx);
/* Appends the answer to a subscriptions/listen that ends without an error. */
void listen_add_end(struct buf *out, struct span id);

/* For the traffic view: every call in flight or held. */
struct call_info { struct span method, name; const char *client; int64_t age_ms; bool held; };
typedef void (*call_info_fn)(void *ctx, const struct call_info *info);
void session_each_call(const struct session *s, call_info_fn fn, void *ctx);

/* ---- what was seen of past calls (seen.c) ---- */
/* Of one tool since the session began. At most 64 tools have a row of their own; calls of others
 * are counted in one more, `other`. */
struct tool_stats {
    struct span name;                /* for people: escapes undone, cut at 128 bytes */
    bool other;
    uint64_t calls, errors;          /* answered; … with an error */
    uint64_t tool_errors;            /* … with a result that says isError: none of errors */
    uint32_t in_flight;
    uint64_t bytes_in, bytes_out;    /* answers and calls */
    int64_t p50_us, p95_us, p99_us;  /* over the last 128 answered calls; -1 = none */
    uint64_t timed, timed_us;
};
typedef void (*tool_stats_fn)(void *ctx, const struct tool_stats *t);
void session_each_tool(struct session *s, tool_stats_fn fn, void *ctx);

/* protocol: NULL before its initialize. calls, errors: since it connected. */
struct client_info {
    const char *label, *protocol;
    uint64_t calls, errors, tool_errors;
    uint32_t open;
};
typedef void (*client_info_fn)(void *ctx, const struct client_info *info);
void session_each_client(const struct session *s, client_info_fn fn, void *ctx);
/* Without those of sessions that have it for their ledger. */
void session_each_own_client(const struct session *s, client_info_fn fn, void *ctx);

#endif
