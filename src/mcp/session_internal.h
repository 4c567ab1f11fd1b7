/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of a session share; nobody else includes it.
 *
 *   session.c    lifecycle, the one writer of the phase, the way of each line from the server, ping
 *   protocol.c   the revisions of the protocol, for the other rooms, too
 *   handshake.c  initialize towards the server, and towards clients from its cached result
 *   catalogue.c  tools/list with its pages, and again after list_changed
 *   tools.c      the user's rules which tools clients get
 *   quarantine.c    what is kept from clients of a server that is not trusted yet
 *   asleep.c     what is served while the server sleeps
 *   call.c       the table of open requests: ids, answers, figures
 *   deadlines.c  … and how long they may wait
 *   router.c     clients and what they send
 *   relay.c      what the server sends: replies, progress, notifications
 *   server_requests.c   what the server asks of clients: to whom, and the way back of the answer
 *   subscriptions.c     who is told of which resource or task; the server is asked once for each
 *   logging.c    how much of the server's log each client wants
 *   modern.c     the modern era (2026-07-28) at either side: what is added to requests and replies
 *   rounds.c     multi-round-trip requests between the eras
 *   listen.c     subscriptions/listen of clients, and ours with a modern server
 *   tasks.c      whose each task of the server is
 *   seen.c       figures of past calls, by tool and client
 *
 * A request that goes to the server, of a client or our own, is a struct call. It is in exactly one
 * list: held (waits for the server, has no id), queued (waits for its turn, see server_requests.c),
 * flight (written, of a client, maybe abandoned), listening (listen.c), asking or parked (rounds.c)
 * or own. held is in order of arrival, flight in order of last activity, so the head of each is the
 * next to expire and one timer serves all.
 *
 * Callbacks may call back into the session, even free it. So every entry from outside is between
 * session_enter() and session_leave(), nothing is freed while one is open, and whoever goes on
 * after a callback looks at s->epoch, which changes when the run ends. */
#ifndef MCPTOP_MCP_SESSION_INTERNAL_H
#define MCPTOP_MCP_SESSION_INTERNAL_H

#include <string.h>
#include "base/buf.h"
#include "base/large.h"
#include "mcp/frame.h"
#include "mcp/session.h"

enum {
    /* the one code for "the server could not answer"; the text says why */
    SESSION_ERROR = -32000,
    SESSION_INVALID = -32600,
    SESSION_NO_METHOD = -32601,
    SESSION_BAD_PARAMS = -32602,
    SESSION_NO_CAPABILITY = -32021,
    SESSION_BAD_VERSION = -32022,
    SESSION_MAX_ASKS = 256,              /* requests of the server that clients have to answer */
    SESSION_MAX_ASKED = 1 << 20,         /* bytes of one that is kept for a modern client … */
    SESSION_MAX_ASKED_BYTES = 8 << 20,   /* … and of all these */
    SESSION_MAX_SUBSCRIPTIONS = 1024,    /* resources that are watched, of all clients */
    /* how long the first question waits for others beside it */
    SESSION_GATHER_MS = 20,
    SESSION_CANCELLED_MS = 5000,         /* how long a cancelled call may still speak */
    SESSION_MAX_HELD_CALLS = 1024,
    SESSION_MAX_HELD_BYTES = 64 << 20,   /* or more: calls_max_copied */
    /* a written call is kept for the case that it is never read, if it is no longer … */
    SESSION_MAX_KEPT_CALL = 64 << 10,
    SESSION_MAX_KEPT_BYTES = 1 << 20,    /* … and all copies together are no more */
    SESSION_MAX_RECORDED_CALL = 1 << 20, /* the same where calls are recorded */
    SESSION_MAX_RECORDED_BYTES = 8 << 20,
    SESSION_MAX_IN_FLIGHT = 16384,
    SESSION_MAX_PINGS = 4,               /* unanswered */
    SESSION_SAMPLES = 512,
    SESSION_NOTE_HEAD = 512,             /* of a dropped message, to the log */
};

/* iovec has no const, but what is written is not changed. */
static inline struct iovec iov_of(const char *p, size_t n)
{
    return (struct iovec){(void *)p, n};
}

static inline struct iovec iov_text(const char *text)
{
    return iov_of(text, strlen(text));
}

/* ---- calls (call.c) ---- */

/* The answer to a request of our own. e NULL: there will be none (the run is over, or the write
 * failed). */
typedef void (*own_reply_fn)(struct session *s, struct call *k, const struct envelope *e);

struct call {
    struct call *prev, *next;            /* in `list` */
    struct call_list *list;
    struct call *sibling_prev, *sibling_next;    /* of the same client */
    struct client *client;               /* NULL: our own, or abandoned */
    uint64_t id;                         /* towards the server; 0 = not written yet */
    call_reply_fn fn;
    void *ctx;
    own_reply_fn own;
    int64_t begun_ms, held_ms;           /* accepted; first held, 0 = never */
    int64_t active_ms, written_ns;       /* its last sign of life; written to the server */
    uint64_t written_at;                 /* bytes_out before it */
    struct span token, progress;         /* the client's own id and progress token */
    struct span method, name;            /* for people: escapes undone, cut */
    size_t request_bytes;                /* of the message as the client sent it */
    const char *initialize;              /* a held initialize: the version for this client */
    uint32_t owner;                      /* the client's number, also once it is abandoned */
    int64_t cancelled_ms;                /* the server was told so; 0 = no */
    struct round *round;                 /* its questions to a legacy client; or NULL */
    uint64_t parked;                     /* its name, once it was parked */
    unsigned can;                        /* what its client can be asked for, then */
    unsigned lacks;                      /* what it was asked for and cannot (CLIENT_*) */
    char *late;                          /* the reply that came meanwhile */
    size_t late_n;
    char *adopted;                       /* token and progress of the request that resumed it */
    struct listener *listener;           /* a subscriptions/listen: what it is told of */
    bool failed_tool;                    /* its result says isError, of a tool */
    uint64_t task;                       /* it asks about the task that this call made; 0 = none */
    bool may_ask;                        /* the server may ask its client before it answers */
    uint32_t subscription;               /* the one that a resources/subscribe began; 0 = none */
    /* the message on one line: while it waits, and for a second try; or NULL */
    char *copy;
    size_t copy_n;
    bool is_taken;                       /* copy lies in memory that was taken over: … */
    struct buf memory;                   /* … this; empty while the call is being written */
    struct large *large;                 /* what is known of it */
};

struct call_list { struct call *head, *tail; uint32_t n; };

/* Open addressing by id; ids grow by one, so those in flight rarely share a slot. */
struct call_table { struct call **slots; size_t cap, n; };

struct call *call_new(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
void call_hold(struct session *s, struct call *k, const struct envelope *e);
void call_forget_copy(struct session *s, struct call *k);
/* Of all copies together. */
size_t calls_max_copied(const struct session *s);
/* a written one: a copy, within bounds */
void call_keep(struct session *s, struct call *k, const struct envelope *e);
/* Whether call_keep will keep none of one that waits, so that who writes it may have its memory. */
bool call_is_spent(const struct session *s, const struct call *k);
/* to its tail; NULL = out of every list */
void call_move(struct call *k, struct call_list *to);
/* its client is not to be called any more */
void call_detach(struct call *k);
/* gives it an id and a place in the table */
void call_number(struct session *s, struct call *k);
void call_drop(struct session *s, struct call *k);           /* out of table and lists, and freed */
void call_unnumber(struct session *s, struct call *k);       /* its id is used up */
/* from now on it is answered to this request */
void call_adopt(struct call *k, struct client *c, const struct envelope *e, call_reply_fn fn,
                void *ctx);
struct call *call_find(const struct session *s, uint64_t id);
/* Whether one in flight may still say or ask something: one that was cancelled falls silent
 * soon. */
bool call_may_speak(const struct call *k, int64_t now_ms);
/* One that is written and waits, of this client; or NULL. */
struct call *call_of(const struct client *c);
/* Ends the call with this reply, or with an error of ours. */
void call_answer(struct session *s, struct call *k, const struct iovec *iov, int count,
                 bool is_error);
void call_fail(struct session *s, struct call *k, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void call_give_up(struct session *s, struct call *k, const char *why);
void call_wait_turn(struct session *s, struct call *k, const struct envelope *e);
void calls_fail_held(struct session *s, const char *why);
void calls_fail_flight(struct session *s, const char *cause);
/* from flight to held, where nobody can have read them */
void calls_take_back(struct session *s, size_t undelivered);
void calls_forget_own(struct session *s);
void calls_arm(struct session *s);                           /* the timer of the next deadline */
void on_calls_deadline(struct ev_loop *loop, ev_timer *w, int revents);
/* A request of our own; params is JSON text or NULL. 0, or -1 when it was not written. */
int session_request(struct session *s, const char *method, const char *params, own_reply_fn own,
                    struct fault *f);
/* … in this era: before the server has said of which it is. */
int session_request_as(struct session *s, bool modern, const char *method, const char *params,
                       own_reply_fn own, struct fault *f);

struct latencies {
    uint32_t us[SESSION_SAMPLES];
    uint32_t count;                      /* ever; the ring's head is count % SESSION_SAMPLES */
    uint32_t computed;                   /* count at the time of p[] */
    int64_t p[3];
};

/* ---- the session ---- */

struct client {
    struct client *prev, *next;
    struct session *session;
    const struct client_events *events;
    void *ctx;
    char *label;
    struct call *calls;                  /* by sibling */
    const char *protocol;                /* negotiated, static; NULL before */
    const char *wanted;                  /* … of an initialize that waits */
    uint32_t round;                      /* of session.round: was told already */
    uint32_t number;                     /* never given to another client of the session */
    unsigned features;                   /* CLIENT_* */
    int log_level;                       /* its own wish: 1 = debug … 8 = emergency; 0 = none yet */
    bool modern;                         /* speaks the modern era */
    /* its clientInfo, on one line; NULL = unknown, or too long */
    char *info;
    uint64_t ended, failed;              /* its calls that were answered; … with an error */
    uint64_t failed_tools;               /* … with a result that says isError */
};

struct catalogue {
    /* list_changed came: read again, not more often than once a second */
    ev_timer again;
    struct buf pages;                    /* elements of the pages so far, without the brackets */
    struct buf tools;                    /* the whole array; empty = unknown */
    int count;                           /* -1 = unknown */
    unsigned serial;                     /* grows when the list is set */
    int shown;                           /* of these to clients */
    int reading;                         /* count so far; meaningful while busy */
    int page;
    bool busy, dirty, too_big;
    int64_t asked_ms;                    /* for the page that is awaited */
    /* token of the page asked for, to notice a server that goes in circles */
    char *cursor;
};

struct session {
    struct ev_loop *loop;
    struct session_events events;
    void *ctx;
    struct session_config cfg;           /* defaults filled in; server is ours */
    struct session *ledger;              /* whose figures of past calls these are: mostly its own */
    struct session *sharers, *next_sharer;       /* those whose ledger this one is */

    enum session_phase phase;            /* written by session_set_phase only */
    bool running;                        /* between session_up and session_down */
    bool open;                           /* initialized: calls may be written */
    enum { DRAIN_NOT, DRAIN_WAITS, DRAIN_DONE } drain;   /* see session_drain */
    enum { NAP_NOT, NAP_ASLEEP, NAP_WAKES } nap;     /* see session_sleep */
    bool left;                           /* the last client has closed, and that is to be told */
    bool listed_asleep;                  /* clients have a list that may be old */
    int64_t used_ms;                     /* the last request for the server came; 0 = none */
    struct span result;                  /* of the reply that its client is being told */
    bool feeding;                        /* inside session_feed: the frame's bytes are in use */
    /* freed inside a callback: goes when the last entry is left */
    bool doomed;
    unsigned entered;
    unsigned epoch;                      /* changes when a run begins or ends */
    char *cause, *last_end, *refused;    /* NULL = none */

    struct frame frame;
    struct large *large;                 /* what is known of the message that comes in */
    uint64_t run_stray;                  /* stray lines of this run */
    char *run_first_stray;               /* the first of them, cut */

    /* handshake.c */
    ev_timer handshake_timer;
    const char *handshake_step;          /* what is waited for */
    char *init;                          /* the server's result of initialize */
    size_t init_n;
    struct span init_version;            /* its protocolVersion, the token; none where `modern` */
    char *server_name, *server_version;
    const char *protocol;
    /* the server is. With `init`, from the last handshake that was done: handshake_cache writes all
     * of these at once, and until the next one is done clients are welcomed from them */
    bool modern;
    bool found_modern;                   /* ERA_AUTO: its verdict */
    bool has_tasks;                      /* it may answer by tasks */
    struct catalogue catalogue;
    struct tool_filter filter;

    /* ping */
    ev_timer ping_timer;
    unsigned pings;                      /* unanswered */
    bool ping_due;                       /* a ping was written and its time is running */
    uint64_t heard_at_ping;              /* of bytes_in without the stray ones */
    uint64_t stray_bytes;

    /* calls and clients */
    struct call_table table;
    struct call_list held, queued, flight, listening, asking, parked, own;
    uint8_t park_key[16];
    size_t copied_bytes;
    size_t undelivered;                  /* of the run that is about to end */
    uint32_t abandoned;                  /* of flight */
    uint64_t next_id;
    ev_timer deadline, gather;
    int64_t deadline_ms;                 /* when it comes, while it runs */
    struct client *clients;
    uint32_t client_count;
    uint32_t round;                      /* of telling all clients something */
    uint32_t next_client;

    /* server_requests.c, subscriptions.c, logging.c */
    struct ask *asks;
    uint32_t ask_count;
    size_t asked_bytes;                  /* of questions that are kept for modern clients */
    uint64_t first_ask, next_ask;
    bool one_at_a_time;                  /* it asks: calls of one client at a time */
    struct subscription *subscriptions;
    uint32_t subscription_count;
    int log_level;                       /* what the server was told; 0 = nothing */
    struct task *tasks;                  /* the newest first */
    uint32_t task_count;
    uint64_t listen_id;                  /* our subscriptions/listen with a modern server; 0 */
    struct latencies *latencies;         /* NULL before the first call */
    struct seen *seen;                   /* seen.c; NULL before the first call of a tool */
    /* the counters of it; the rest is filled in when asked for */
    struct session_stats stats;
};

void session_enter(struct session *s);
void session_leave(struct session *s);
void session_ping_start(struct session *s);
void session_ping_stop(struct session *s);
void session_alive(struct session *s);                       /* a message came */
void session_set_phase(struct session *s, enum session_phase phase, const char *why);
int session_write(struct session *s, const struct iovec *iov, int count, struct fault *f);
/* adds the newline */
int session_write_text(struct session *s, const char *text, size_t n, struct fault *f);
/* A line that is no message, whole, in pieces. */
void session_stray(struct session *s, const char *p, size_t n, unsigned flags, const char *why);
/* A message that is dropped, or that has no owner, to the operator's log (its first bytes). */
void session_note(struct session *s, const char *p, size_t n, const char *why);
/* Why a waiting call waits: "it is starting", "exited 3". In out. */
const char *session_waits_for(const struct session *s, struct buf *out);

void handshake_begin(struct session *s);
void handshake_end(struct session *s);                       /* stops its timer */
void handshake_fail(struct session *s, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What was refused, with the server's own words and code from e. */
void handshake_refused(struct session *s, const char *what, const struct envelope *e);
void handshake_done(struct session *s);                      /* the catalogue is in: READY */
/* starts the timer anew for this step */
void handshake_expect(struct session *s, const char *step);
void on_handshake_timeout(struct ev_loop *loop, ev_timer *w, int revents);
/* A client's initialize, or server/discover: answered (NULL) or held. */
struct call *handshake_client(struct client *c, const struct envelope *e, call_reply_fn fn,
                              void *ctx);
struct call *handshake_discover(struct client *c, const struct envelope *e, call_reply_fn fn,
                                void *ctx);
/* The server has said what it is, in which version (a static one): kept for clients; it is open for
 * calls. */
void handshake_cache(struct session *s, const char *protocol, struct span result);
void handshake_go_on(struct session *s);
void handshake_name_client(struct client *c, struct span info);

/* ---- which tools clients get (tools.c) ---- */
void tools_tell_changed(struct session *s);                  /* list_changed, to all clients */
void tools_listed(struct session *s);                        /* the catalogue was set */
/* The reply to tools/list without what is hidden: e itself where nothing is, else *own over
 * text. */
const struct envelope *tools_cut(struct session *s, const struct call *k,
                                 const struct envelope *e, struct envelope *own, struct buf *text);
/* Whether it was a call of a tool that is hidden, and was refused. */
bool tools_refuse(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);

/* ---- a server in quarantine (quarantine.c) ---- */
/* Whether it is, and the request was answered. */
bool quarantine_answers(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);

/* ---- a server that sleeps (asleep.c) ---- */
void asleep_look(struct session *s);                         /* is it wanted? */
/* Whether it was answered from what is known. */
bool asleep_answers(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);

void catalogue_init(struct session *s);
void catalogue_fini(struct session *s);
/* of an earlier session: the elements, without the brackets */
void catalogue_restore(struct session *s, int count, struct span elements);
void catalogue_read(struct session *s);
void catalogue_changed(struct session *s);                   /* the server said so */
void catalogue_stop(struct session *s);                      /* the run is over; the list stays */

/* Holds a new request, or refuses it (NULL) when too much is held. */
struct call *router_hold(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
/* Answers a request that became no call. */
void router_refuse(struct session *s, struct span id, int code, call_reply_fn fn, void *ctx,
                   const char *fmt, ...) __attribute__((format(printf, 6, 7)));
void router_flush(struct session *s);                        /* writes what is held */
/* Writes a call of the list `asking` again, or holds it. */
void router_again(struct session *s, struct call *k, const struct envelope *e);
/* Writes the queued calls whose turn it is. */
void router_next_turn(struct session *s);
/* Answers {} */
void router_answer_empty(struct session *s, struct span id, call_reply_fn fn, void *ctx);

/* at_end: no newline follows, because the run is over */
void relay_message(struct session *s, const char *p, size_t n, bool at_end);
void relay_oversize(struct session *s, const struct frame_item *item);
/* Ends the call with this reply of the server, which lies in e and is sent as these pieces. */
void relay_answer(struct session *s, struct call *k, const struct envelope *e,
                  const struct iovec *iov, int count);
/* A list changed: every client is told. */
void relay_tell_all(struct session *s, const struct envelope *e);
/* Hands a message of the server on with token for its progress token (n == 0: as it is); k: the
 * call that it belongs to, or NULL. */
bool relay_tell(struct client *c, struct call *k, const struct envelope *e, struct span token);
/* Whom the server must mean by a message: the client of the task that it names, or, where it does
 * not say, the only client with calls in flight, or when there are none the only client there is.
 * *ret_call: the call that it belongs to, or NULL. NULL: it could be several. */
struct client *relay_owner_of(struct session *s, const struct envelope *e, struct call **ret_call,
                              bool *ret_of_task);

/* ---- what the server asks of clients (server_requests.c) ---- */
void asks_take(struct session *s, const struct envelope *e);
/* A client's reply, and its progress on a request of the server. */
void asks_answer(struct client *c, const struct envelope *e);
void asks_progress(struct client *c, const struct envelope *e);
/* The server takes a request back. False: it is none that a client got. */
bool asks_cancel(struct session *s, const struct envelope *e);
void asks_client_gone(struct client *c);     /* the server is told that nobody will answer */
void asks_forget(struct session *s);         /* the run is over: clients need not answer */
bool asks_pending(const struct session *s, const struct call *k);
void asks_call_over(struct session *s, const struct call *k);
bool asks_may_follow(struct span method);    /* of a request: a call's may_ask */
/* Whether this client's request (may_ask: of it) has to wait because calls of another one are in
 * flight. */
bool asks_must_wait(const struct client *c, bool may_ask);

/* Asks the legacy client of k one question of a modern server; false: k was failed. */
bool asks_question(struct session *s, struct call *k, struct span key, struct span method,
                   struct span params);
/* Open questions of a parked call: as members of inputRequests; answered from inputResponses. */
void asks_list_parked(const struct session *s, const struct call *k, struct buf *out);
void asks_answer_parked(struct session *s, const struct call *k, struct span responses);
void asks_refuse_parked(struct session *s, const struct call *k, const char *why);

/* ---- multi-round-trip requests (rounds.c) ---- */
bool rounds_is_question(const struct envelope *e);
void rounds_question(struct session *s, struct call *k, const struct envelope *e);
void rounds_answer(struct session *s, struct call *k, struct span key, const struct envelope *e);
void rounds_free(struct call *k);
bool rounds_park(struct session *s, struct call *k);
/* It was cancelled: if it is parked, its questions are refused and it is in flight again, as one
 * that may still speak. */
void rounds_unpark(struct session *s, struct call *k);
/* A call was parked just now: what asked one question may have asked another beside it. */
bool rounds_may_ask_more(const struct session *s);
struct call *rounds_parked_owner(const struct session *s);
struct call *rounds_resume(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                           bool *ret_refused);
void on_rounds_gathered(struct ev_loop *loop, ev_timer *w, int revents);
void rounds_keep_late(struct session *s, struct call *k, const struct envelope *e);

/* ---- what is watched (subscriptions.c) ---- */
enum watched { WATCHED_RESOURCE, WATCHED_TASK };
/* False: it has no name, or too many are watched already. A modern server hears of it by the next
 * listen_upstream. */
bool subscriptions_watch(struct session *s, enum watched kind, const char *uri, uint32_t watcher);
void subscriptions_unwatch(struct session *s, uint32_t watcher);
bool subscriptions_wants(const struct session *s, enum watched kind, uint32_t watcher,
                         const char *uri);
/* "uri","uri" of all that is watched. In out. */
void subscriptions_list(const struct session *s, enum watched kind, struct buf *out);
/* true: answered here. false: it goes to the server; *ret is then the subscription that hangs on
 * the answer (0: none). */
bool subscriptions_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                        uint32_t *ret);
bool subscriptions_leave(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
/* The request that began it, of this client. */
void subscriptions_failed(struct session *s, uint32_t number, uint32_t watcher);
void subscriptions_tell(struct session *s, const struct envelope *e);
void subscriptions_again(struct session *s);                 /* to a server that was started anew */
void subscriptions_fini(struct session *s);

/* ---- the modern era (modern.c) ---- */
/* What a request says of its client; NULL, or the answer why it cannot be served. */
bool modern_admit(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
/* server/discover with the server, and for clients from its answer or from that to initialize. */
void modern_discover(struct session *s);
/* What the server said of itself, in its own era. */
struct span modern_server_info(const struct session *s);
void modern_compose_discover(const struct session *s, struct span id, struct buf *out);
void modern_compose_initialize(const struct session *s, struct span id, const char *version,
                               struct buf *out);
/* {…} of a request of our own, or of this client. In out. */
void modern_meta(const struct client *c, struct buf *out);
/* A legacy client's request on its way to a modern server: the place of `text` in it. */
const char *modern_meta_place(const struct client *c, const struct envelope *e, struct buf *text);
/* A modern client's _meta on its way to a legacy server, which would not understand what the era
 * put there; token stands for its progress token. */
void modern_strip_meta(const struct envelope *e, struct span token, struct buf *out);
/* A legacy server's reply on its way to a modern client. */
/* Whether it says that the call failed, because its client cannot be asked for something. */
bool modern_failed_lacking(const struct call *k, const struct envelope *e);
/* The error that is said then in this era, with what the server said. In out. */
void modern_compose_lacking(const struct session *s, const struct call *k, const struct envelope *e,
                            struct buf *out);
int modern_dress(const struct call *k, const struct envelope *e, struct iovec *iov, int count);

/* ---- subscriptions/listen (listen.c) ---- */
struct call *listen_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
void listen_begin(struct session *s, struct call *k, const struct envelope *e);
void listen_free(struct session *s, struct call *k);
void listen_over(struct session *s, struct call *k);         /* its client wants no more */
void listen_end(struct session *s);          /* the server goes for good */
void listen_upstream(struct session *s);     /* to a modern server, from what is watched now */
void listen_tell_lists(struct session *s, const struct envelope *e);
void listen_tell_updated(struct session *s, struct span uri, const char *text);
void listen_tell_task(struct session *s, const struct envelope *e, const char *name);

/* ---- tasks (tasks.c) ---- */
void tasks_made(struct session *s, const struct call *k, const struct envelope *e);
/* Whether it was about a task that is not this client's, and was refused. Else *ret_task is what
 * the request's call is to have in `task`. */
bool tasks_refuse(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                  uint64_t *ret_task);
/* Whether the answer to k says that the tool failed whose task it asks about; counted for that
 * tool, the first time. */
bool tasks_failed(struct session *s, const struct call *k, const struct envelope *e);
/* Whether this client may use the task of this name. */
bool tasks_is_for(struct session *s, const struct client *c, const char *name);
/* The reply to tasks/list without those of others: e itself where it is none, else *own over
 * text. */
const struct envelope *tasks_cut(struct session *s, const struct call *k, const struct envelope *e,
                                 struct envelope *own, struct buf *text);
/* Whether the message names a task that it belongs to; *ret is then the task's client, or NULL. */
bool tasks_related(struct session *s, const struct envelope *e, struct client **ret);
/* Whether it was a task's status, or the progress of a call that became a task. */
bool tasks_tell_status(struct session *s, const struct envelope *e);
bool tasks_tell_progress(struct session *s, uint64_t call, const struct envelope *e);
void tasks_fini(struct session *s);

/* ---- figures of past calls (seen.c) ---- */
/* The call has its answer; its client is still known. answered_us: -1 = it was never written. */
bool seen_is_tool_call(const struct call *k);
void seen_ended(struct session *s, struct call *k, const struct iovec *iov, int count,
                bool is_error, int64_t answered_us);
/* A call of this tool was answered by isError: of this client, NULL where it has gone. */
void seen_tool_failed(struct session *s, struct client *c, struct span tool);
void seen_fini(struct session *s);
/* 50, 95, 99 of the n (1 … SESSION_SAMPLES) samples */
void seen_percentiles(const uint32_t *us, uint32_t n, int64_t ret_p[3]);

/* ---- logging (logging.c) ---- */
int logging_level(struct span token);        /* 0 = none */
const char *logging_name(int level);
bool logging_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx);
/* The same for a request that was held: whether the client's wish is kept here. */
bool logging_held(struct client *c, const struct envelope *e);
bool logging_wants(const struct client *c, const struct envelope *e);
void logging_update(struct session *s);      /* tells the server the most verbose wish */

#endif
