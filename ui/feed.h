/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view's mirror of the supervisor: plain structs made from the API's JSON (docs/api.md) and
 * kept current by its events. No connection, no terminal, no drawing: feed_apply() is a pure
 * function of the model and one event, so everything above can be tested with recorded JSON.
 *
 * Every string but those marked "raw" is foreign text made harmless, ready to be shown. Strings are
 * never NULL. Moments are wall milliseconds, 0 = none; figures that are not known are -1. */
#ifndef MCPTOP_UI_FEED_H
#define MCPTOP_UI_FEED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/strvec.h"
#include "graph.h"
#include "loglines.h"

enum feed_state {
    STATE_FAILED, STATE_BACKING_OFF, STATE_SILENT, STATE_PULLING, STATE_STARTING,
    STATE_INITIALIZING, STATE_STOPPING,
    STATE_READY, STATE_STOPPED, STATE_UNKNOWN,
};

struct feed_note { char *what, *value, *why; int line; bool warning; };
struct feed_call { char *method, *name, *client; int64_t since_ms; bool held; };
/* What was seen of a tool, or of a client (protocol "" for a tool, times -1 for a client). */
struct feed_share {
    char *name, *protocol;
    int64_t calls, errors, tool_errors, in_flight, p50_us, p95_us, p99_us, bytes_in, bytes_out;
};
struct feed_shares { struct feed_share *v; size_t n; };

struct feed_fix { char *id, *title; };
struct feed_evidence { char *what, *text; int64_t seq; };

/* What is wrong, with a server or (server "") with the supervisor. */
struct feed_finding {
    bool known, guess, error;       /* error: else a warning */
    bool expected;                  /* by its plan: it has not come true yet */
    char *server, *label;           /* raw, and as it is shown */
    char *code, *message, *steps;   /* steps: what only the user can do */
    int times;
    int64_t since_ms;
    struct feed_fix *fixes;
    size_t fix_count;
    struct feed_evidence *evidence;
    size_t evidence_count;
};

struct feed_plan {
    bool known;
    char *mode, *image, *memory, *cpus, *network, *working_dir, *weak;
    int64_t pids;                   /* 0 = no limit */
    bool bootstrap;
    char *run_line;                 /* the docker run words, joined for reading */
    struct feed_note *notes;
    size_t note_count;
    struct strvec mounts;           /* "source → target (ro)" */
};

struct feed_usage {
    bool known;
    double cpu, throttled;
    double wait_cpu, wait_memory, wait_disk;   /* pressure: share of 10 s, in percent */
    /* peak: without page cache, where that is known; peak_cache: the kernel's own, with it */
    int64_t memory, peak, peak_cache, limit, net_rx, net_tx, io_read, io_write;
    int pids;
    int64_t ooms;
};

struct feed_calls {
    int64_t total, errors, tool_errors, in_flight, held, clients;
    int64_t p50_us, p95_us, p99_us, ping_us;
    struct feed_call *open;         /* only while asked for one server */
    size_t open_count;
    struct feed_shares by_tool, by_client;      /* the same; the most used first */
    bool recorded;
    int64_t unrecorded;
};

/* A layer of an image that is being pulled. */
struct feed_layer {
    char id[13];                    /* the digest's first digits; "" when it told none */
    int64_t done, total;            /* bytes; total 0 = not known yet */
    bool complete;
};
enum { FEED_LAYERS_MAX = 128 };

struct feed_server {
    char *name;                     /* raw: what the API knows it by */
    char *label;
    enum feed_state state;
    char *state_word;               /* as the API spells it */
    char *waits;                    /* what of the engine keeps it from starting; "" = nothing */
    int64_t waits_since_ms;
    char *reason, *last_error, *where, *where_weak, *where_client, *image, *command, *env, *undo;
    bool wanted_up, enabled;
    bool asleep;                    /* stopped, and a call starts it */
    int restarts, retry_count, pid, tool_count, tools_shown, config_line;
    int tools_changed, tools_new;   /* not as they were first seen */
    bool tools_held;                /* clients do not get these */
    struct strvec members;          /* processes of sessions, as text: "x#1 ready, claude, pid 5" */
    int processes;                  /* of these that run */
    int64_t since_ms, up_since_ms, retry_at_ms;
    int64_t revision;               /* of what is known of it; what is older is not taken */
    char *container_id, *container_name;
    bool has_exit, exit_oom, never_started;
    int exit_code, exit_signal;
    int64_t exit_ms;
    struct feed_usage usage;
    struct feed_calls calls;
    char *protocol_version, *server_info;
    char *pull_text;                /* "" when no image is being pulled */
    int pull_layer, pull_layers;    /* complete, of all; 0 of 0 = not known yet */
    int64_t pull_done, pull_total, pull_rate;
    struct feed_layer *layers;      /* of the pull, as far as told; owned */
    size_t layer_count;
    struct feed_finding finding;    /* the worst of its finding_count */
    int finding_count;
    char *other_way;                /* what x would change; NULL: not asked yet */
    char *limit_memory, *limit_cpus, *limit_network;   /* in force: own or default */
    char *log_file;
    int64_t log_lost;
    struct feed_plan plan;
    struct series cpu, memory;
    uint64_t log_end;               /* last line seen of it while the log shows every server */
    bool marked;                    /* the user's mark (Space): survives updates */
    bool seen;                      /* sweep mark of a hello */
};

struct feed_container {
    char *id;                       /* raw */
    char *name, *image, *state, *status, *server, *owner;
    char *evidence;                 /* sentences, one a line; "" */
    bool in_use, kept, orphan, oom, seen;
    int exit_code;
    double cpu;                     /* of foreign ones when they were looked at; -1 */
    int64_t memory;
    int64_t created_ms;
};

struct feed_event {
    int64_t wall_ms;
    char *source, *type, *action, *server, *name, *detail;
};

/* What every isolated server inherits, and the sum of the memory limits of those that are
 * wanted. */
struct feed_isolation {
    char *memory, *cpus, *network, *warning, *undo;
    int64_t pids, limits_sum, total_memory;    /* 0 = none */
    int servers;
};

struct feed_status {
    bool known, kept;               /* kept: the file cannot be used, an earlier one holds */
    bool missing;                   /* there is no file … */
    bool loaded;                    /* … or is none any more: some configuration is in force */
    char *version, *host, *engine_state, *engine_context, *engine_version, *engine_error,
        *engine_endpoint;
    char *listen, *listen_error, *config_path, *problem, *data_dir;
    int pid, errors, warnings, cpus;
    int64_t started_ms, engine_since_ms;
    struct feed_isolation isolation;
    double cpu, self_cpu, longest_turn_ms;
    int64_t memory_used, memory_total, self_rss, sampling_us;
};

enum { FEED_EVENTS_MAX = 500 };
struct feed {
    struct feed_status status;
    struct feed_server **servers;   /* in config order */
    size_t server_count;
    struct feed_container **containers;
    size_t container_count;
    struct feed_event events[FEED_EVENTS_MAX];   /* ring */
    size_t event_head, event_count;
    struct series host_cpu;
    bool log_all;                   /* the log shows every server */
    char *log_server;               /* raw; the log shows this one; NULL: none */
    struct loglines log;
};

/* What an event changed, so that the painter knows how soon to paint. */
enum { FEED_NOTHING = 0, FEED_FIGURES = 1, FEED_LISTS = 2, FEED_LOG = 4, FEED_HELLO = 8 };

void feed_init(struct feed *f);
void feed_fini(struct feed *f);
/* FEED_* bits; -1 when it is not what the API promises (the model is then unchanged or partly
 * updated, never broken). Unknown event names are FEED_NOTHING. */
int feed_apply(struct feed *f, const char *event, const char *json, size_t n);
/* An answer that is one server (GET, POST, PATCH): the same as the event `server`. */
int feed_apply_server(struct feed *f, json_t *server);
/* Which server's lines are wanted from now on; what is held is dropped when that changes. */
void feed_log_target(struct feed *f, const char *server, bool all);
/* A page of GET …/logs put before, after, or in place of what is held. */
enum feed_page { FEED_PAGE_OLDER, FEED_PAGE_NEWER, FEED_PAGE_LATEST };
int feed_apply_log_page(struct feed *f, json_t *page, enum feed_page where);

/* Answered by an error, or by a tool that says that it failed. */
static inline int64_t feed_failed_calls(const struct feed_calls *k)
{
    return k->errors + k->tool_errors;
}

struct feed_server *feed_find(const struct feed *f, const char *name);      /* by raw name; NULL */
const struct feed_event *feed_event_at(const struct feed *f, size_t i);      /* 0 = newest */
void feed_advance(struct feed *f, int64_t wall_ms);                          /* moves the graphs */

const char *feed_state_symbol(enum feed_state s);      /* one column */
bool feed_is_bad(const struct feed_server *s);         /* failed, backing off or silent */
bool feed_is_starting(const struct feed_server *s);

/* feed_parse.c: JSON into the structs. */
void feed_parse_status(struct feed_status *st, json_t *o);
void feed_parse_server(struct feed_server *s, json_t *o);
/* feed_pull.c */
void feed_parse_pull(struct feed_server *s, json_t *pull);    /* null: none is under way */
void feed_pull_fini(struct feed_server *s);
/* feed_finding.c */
void feed_parse_finding(struct feed_finding *f, json_t *o);   /* null: nothing is wrong */
void feed_finding_fini(struct feed_finding *f);
void feed_parse_container(struct feed_container *c, json_t *o);
void feed_parse_event(struct feed_event *e, json_t *o);
void feed_server_fini(struct feed_server *s);
void feed_container_fini(struct feed_container *c);
void feed_event_fini(struct feed_event *e);
void feed_status_fini(struct feed_status *st);

#endif
