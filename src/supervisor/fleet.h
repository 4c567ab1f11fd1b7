/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All servers of one supervisor: the configuration (loaded, watched, edited), the engine, the
 * containers seen, recent events, the 1 Hz sampling, and who wants to know about changes. */
#ifndef MCPTOP_SUPERVISOR_FLEET_H
#define MCPTOP_SUPERVISOR_FLEET_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include "config/mcp_config.h"
#include "docker/engine.h"
#include "io/turn.h"
#include "supervisor/containers.h"
#include "supervisor/images.h"
#include "supervisor/server.h"

struct fleet_options {
    const char *config, *log_dir;   /* copied */
    const char *record_dir;         /* copied: of recorded calls; NULL = none are */
    const char *state_dir;          /* copied: what is kept of servers' tools; NULL = nothing is */
    /* copied: what undo needs over a restart; NULL = nothing is kept */
    const char *undo_file;
    const char *instance;           /* copied: the id our containers carry */
    backend_new_fn backend;         /* NULL = backend_new; tests put a scripted one here */
};

struct fleet_event {
    int64_t wall_ms;
    bool docker;                    /* else the supervisor's own */
    char type[24], action[64], server[201], name[256], detail[256];
};

struct fleet_observer {             /* embedded by the observer; any function may be NULL */
    void (*server_changed)(void *ctx, struct server *s);     /* anything but figures */
    void (*server_removed)(void *ctx, const char *name);
    void (*sampled)(void *ctx);                              /* once a second, after usage of all */
    void (*log_more)(void *ctx, struct server *s);
    void (*container_changed)(void *ctx, const struct fleet_container *c);
    void (*container_removed)(void *ctx, const char *id);
    void (*event)(void *ctx, const struct fleet_event *e);
    /* a pull began, moved, or ended: fleet_find_pull is NULL then */
    void (*pull_changed)(void *ctx, const char *image);
    void (*status_changed)(void *ctx);                       /* engine, config problems */
    void *ctx;
    struct fleet_observer *next;
};

struct fleet;
/* Loads the configuration (a broken one at start: the servers without an error, its problems shown,
 * watched for repair), makes the log directory, connects to the engine, sweeps leftovers of our own
 * instance there, starts what is wanted. The caller holds the data directory's lock. */
struct fleet *fleet_new(struct ev_loop *loop, const struct fleet_options *options, struct fault *f);
/* Stops everything in order; done comes once, when the last process and container are gone
 * (bounded by grace times). */
void fleet_shutdown(struct fleet *fl, void (*done)(void *ctx), void *ctx);
void fleet_free(struct fleet *fl);

/* Observers are told, the one that came last first. What is shown of s beside its own fields
 * changed. */
void fleet_server_changed(struct fleet *fl, struct server *s);
void fleet_observe(struct fleet *fl, struct fleet_observer *o);
void fleet_unobserve(struct fleet *fl, struct fleet_observer *o);

/* then servers leave it one by one */
bool fleet_is_stopping(const struct fleet *fl);
size_t fleet_count(const struct fleet *fl);
/* config order; servers being retired are not in it */
struct server *fleet_at(const struct fleet *fl, size_t i);
struct server *fleet_find(const struct fleet *fl, const char *name);
/* Another number whenever servers came, went or changed places. */
uint64_t fleet_get_generation(const struct fleet *fl);
/* NULL when none could be loaded yet */
const struct config *fleet_get_config(const struct fleet *fl);
const struct problems *fleet_get_problems(const struct fleet *fl);    /* of the last load attempt */
size_t fleet_get_max_message(const struct fleet *fl);       /* bytes; max_message_size */
int64_t fleet_get_loaded_wall_ms(const struct fleet *fl);
/* The file as it is now cannot be used at all: what was read before holds, if anything was. Else
 * its problems concern single servers. */
bool fleet_config_is_broken(const struct fleet *fl);
/* There is no file: broken too, without an error in it. Where there is no configuration either
 * there was none before: the way of every beginner. */
bool fleet_config_is_missing(const struct fleet *fl);
const char *fleet_get_config_path(const struct fleet *fl);
const char *fleet_get_log_dir(const struct fleet *fl);
const char *fleet_get_record_dir(const struct fleet *fl);        /* NULL = nothing is recorded */
const struct traffic *fleet_get_traffic(const struct fleet *fl); /* the last calls of all */
const char *fleet_get_instance(const struct fleet *fl);
/* NULL = no usable context; then fleet_get_engine_error says why */
struct engine *fleet_get_engine(const struct fleet *fl);
const char *fleet_get_engine_error(const struct fleet *fl);
void fleet_reload(struct fleet *fl);
/* Read when asked for, at most once a second: a supervisor that nobody watches does not watch the
 * machine. Rates are since the reading before. */
const struct host_usage *fleet_get_host_usage(const struct fleet *fl);
const struct self_usage *fleet_get_self_usage(const struct fleet *fl);

size_t fleet_container_count(const struct fleet *fl);
const struct fleet_container *fleet_container_at(const struct fleet *fl, size_t i);
/* See containers_search. */
void fleet_containers_search(struct fleet *fl, containers_fn fn, void *ctx);
/* fn comes once, also at once: refused where no labelled container and none that a search found has
 * this id (FAULT_NOT_FOUND), a server of ours uses it, or, of one without our labels, a new search
 * finds that it is in use (FAULT_CONFLICT). */
void fleet_container_remove(struct fleet *fl, const char *id, engine_reply_fn fn, void *ctx);
/* The pull of the server's image that is under way; NULL = none. */
const struct image_pull_status *fleet_get_pull(const struct fleet *fl, const struct server *s);
const struct image_pull_status *fleet_find_pull(const struct fleet *fl, const char *image);
bool fleet_uses_image(const struct server *s, const char *image);
/* Pulls the server's image now, whatever its policy; what runs goes on with the one it has. NULL
 * with f: it has no image (FAULT_CONFLICT), FAULT_ENGINE_DOWN. End it by image_want_cancel. */
struct image_want *fleet_pull(struct fleet *fl, const struct server *s,
                              const struct image_want_events *events, void *ctx, struct fault *f);
/* Cancels the pull of the server's image for all who wait for it: servers that do are stopped
 * (their names in ret_stopped). FAULT_CONFLICT when there is none. */
int fleet_pull_cancel(struct fleet *fl, const struct server *s, struct strvec *ret_stopped,
                      struct fault *f);
/* The last events, oldest first; at most 256 are kept. */
size_t fleet_event_count(const struct fleet *fl);
const struct fleet_event *fleet_event_at(const struct fleet *fl, size_t i);

/* One key of the server in the file, for changes that have no word of their own. */
enum fleet_key_op {
    FLEET_KEY_SET,
    FLEET_KEY_APPEND,     /* json is one more item of an array, which is made where there is none */
    FLEET_KEY_PREPEND,
    FLEET_KEY_ITEM,       /* json takes the place of item `index` */
};
struct fleet_key { const char *path, *json; enum fleet_key_op op; size_t index; };
enum { FLEET_KEYS_MAX = 6 };

/* A change asked for by key or verb: of one server, or of what all isolated ones inherit. Written
 * to the file first, then applied. */
struct fleet_change {
    const char *isolation;    /* "docker" "none" or NULL */
    const char *memory, *cpus, *pids, *network;   /* NULL = as it is */
    const char *total_memory; /* of all together only */
    enum tri enabled;         /* TRI_UNSET = as it is */
    const struct fleet_key *keys;          /* at most FLEET_KEYS_MAX; applied in order */
    size_t key_count;
    bool dry_run;
};
enum change_applied { CHANGE_NONE, CHANGE_LIVE, CHANGE_RESTART };
struct fleet_change_result {
    enum change_applied applied;
    struct buf diff;          /* of the file */
    struct strvec sentences;  /* what changes for the server */
    char *no_effect;          /* "no effect while it runs on the host", or alike; NULL = it has */
    struct strvec live, restarts;   /* the servers that are changed while they run, or restart */
    struct plan *plan;        /* the plan after the change; owned; NULL = of all */
};
void fleet_change_result_fini(struct fleet_change_result *r);
int fleet_change(struct fleet *fl, struct server *s, const struct fleet_change *c,
                 struct fleet_change_result *ret, struct fault *f);
/* dry_run: what it would do; writes nothing. */
int fleet_undo(struct fleet *fl, struct server *s, bool dry_run, struct fleet_change_result *ret,
               struct fault *f);
/* The same of docker_isolation; isolation and enabled cannot be changed so. */
int fleet_change_all(struct fleet *fl, const struct fleet_change *c,
                     struct fleet_change_result *ret, struct fault *f);
int fleet_undo_all(struct fleet *fl, bool dry_run, struct fleet_change_result *ret,
                   struct fault *f);

/* After a change: false when nothing is under way for that server. Else fn comes once, from the
 * loop, when the engine has answered: CHANGE_LIVE; or CHANGE_RESTART where that was asked for; or
 * CHANGE_NONE and its refusal with what holds now (FAULT_HTTP), FAULT_ENGINE_DOWN when it went. */
enum change_refused {
    REFUSED_PUT_BACK,         /* the file gets its old values back */
    REFUSED_RESTARTS,         /* the server restarts with the new ones */
    REFUSED_STAYS,            /* the file stays as it is written */
};
typedef void (*fleet_settled_fn)(void *ctx, const char *server, enum change_applied applied,
                                 const struct fault *f);
bool fleet_change_wait(struct fleet *fl, const char *server, enum change_refused on_refusal,
                       fleet_settled_fn fn, void *ctx);

/* The sum of the memory limits of what is wanted and isolated, and what it may come to. */
struct fleet_budget {
    size_t servers;           /* that are wanted and isolated */
    size_t unlimited;         /* of these without a limit: not in the sum */
    int64_t limits_bytes, total_bytes;   /* total 0 = no budget */
};
void fleet_get_budget(const struct fleet *fl, struct fleet_budget *ret);
/* A sentence when the budget is passed, or some without a limit may pass it; else NULL. Caller
 * frees. */
char *fleet_budget_warning(const struct fleet *fl);

/* "memory_limit 512m → 1g" or ""; s NULL: of docker_isolation */
const char *fleet_undo_text(const struct fleet *fl, const struct server *s);
/* It would change other keys than isolation, limits and enabled (args, volumes, env, image …). */
bool fleet_undo_is_of_keys(const struct fleet *fl, const struct server *s);

/* Adds servers ({name: object as in mcp_config.json}) to the file, which is made where it is
 * missing, and applies it. diff (appended) is of the file. dry_run: writes nothing. FAULT_CONFLICT
 * for a name that is taken, or a file with errors. */
int fleet_add(struct fleet *fl, json_t *servers, bool dry_run, struct buf *diff, struct fault *f);

#endif
