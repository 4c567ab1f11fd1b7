/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fleet's inside, for fleet*.c and server*.c. */
#ifndef MCPTOP_SUPERVISOR_FLEET_PRIVATE_H
#define MCPTOP_SUPERVISOR_FLEET_PRIVATE_H

#include <sys/types.h>
#include <time.h>
#include "io/watch.h"
#include "supervisor/containers.h"
#include "supervisor/fleet.h"

enum { FLEET_EVENTS = 256 };

struct trial;
struct fleet_client;
struct undo;
struct change_wait;

enum { FLEET_FIXED_MAX = 3 };

struct fleet {
    struct ev_loop *loop;
    char *config_path, *log_dir, *instance;
    char *record_dir;                  /* NULL = nothing is recorded */
    struct traffic *traffic;
    char *undo_path;                   /* undo_store.c; NULL = nothing is kept */
    char *state_dir;                   /* tool_store.c; NULL = nothing is kept */
    backend_new_fn backend;

    /* fleet_config.c */
    struct config *config;             /* the last one that was good; NULL = none yet */
    char *text;                        /* its bytes */
    size_t text_len;
    struct problems problems;          /* of the last attempt */
    int64_t loaded_wall_ms;
    enum engine_kind read_for;         /* its problems are those with this engine */
    ev_timer moved;                    /* servers that are only on other lines: a few a turn */
    bool broken;                       /* the last attempt failed: config is an earlier one */
    struct watch *watch;
    struct file_seen {                 /* what was last read */
        bool there;
        dev_t device;
        ino_t inode;
        off_t size;
        struct timespec changed, touched;
    } seen;
    char *at_start[FLEET_FIXED_MAX];   /* settings that a reload does not change; NULL = default */
    bool started;                      /* … are known */

    struct server **servers;           /* config order */
    size_t count;
    uint64_t generation;               /* of that list */
    uint64_t revision;                 /* counts changes of servers */
    struct server **retired;           /* ending in the background */
    size_t retired_count;
    /* starts waiting servers, one a turn; frees those that are gone */
    ev_timer begin;

    struct trial *trials;              /* trial.c */
    struct containers *containers;
    struct images *images;
    struct fleet_client *client;       /* client_defaults.c */

    struct fleet_event *events[FLEET_EVENTS];   /* a ring */
    size_t event_first, event_count;
    struct fleet_observer *observers;

    ev_timer tick;                     /* 1 Hz */
    struct fleet_figures { struct host_usage host; struct self_usage self; int64_t read_ms; }
        *figures;                      /* of the machine and our own */
    /* how many containers the engine itself is asked about: in the last round, in this one */
    size_t stats_count, stats_asked;

    struct undo *undos;                /* fleet_undo.c; newest first */
    struct change_wait *waits;         /* fleet_change.c */
    bool over_budget;                  /* was told */
    bool stopping, killed;             /* killed: what did not end in time */
    ev_timer stop_limit;
    ev_timer stop_next;                /* ends containers one after the other … */
    double stop_gap_s;                 /* … this far apart */
    void (*stopped)(void *ctx);
    void *stopped_ctx;
    uint64_t random;
};

/* fleet.c: told by servers */
void fleet_server_ready(struct fleet *fl, struct server *s);
void fleet_server_gone(struct fleet *fl);
/* out of the list; it ends in the background */
void fleet_retire(struct fleet *fl, struct server *s, const char *reason);
void fleet_log_more(struct fleet *fl, struct server *s);
void fleet_status_changed(struct fleet *fl);
void fleet_add_event(struct fleet *fl, bool docker, const char *type, const char *action,
                     const char *server, const char *name,
                     const char *detail);
uint32_t fleet_random(struct fleet *fl);            /* for names and jitter, not for secrets */
void fleet_begin_soon(struct fleet *fl);            /* somebody waits for the begin timer */

/* NULL: nobody's */
struct server *fleet_server_of_container(struct fleet *fl, const char *id, const char *name);

/* fleet_config.c */
void fleet_config_start(struct fleet *fl);
void fleet_config_stop(struct fleet *fl);
/* Reads the file if it is not the one that was read last. */
void fleet_config_catch_up(struct fleet *fl);
void fleet_config_written(struct fleet *fl);        /* by us: what it changes is planned again */
/* For who reads another text: what of this one need not be read again. */
struct config_before fleet_config_before(const struct fleet *fl);

/* fleet_keys.c: path → the JSON it will have, in order, each path once. */
int fleet_keys_resolve(const char *text, size_t len, const char *server,
                       const struct fleet_key *keys, size_t n, struct kvvec *out,
                       struct fault *f);

/* fleet_undo.c */
void fleet_undo_free(struct fleet *fl);

/* fleet_change.c: the engine answered to changed limits, or the run ended before it did (f NULL).
 * False: nobody waited for it. */
bool fleet_change_settled(struct fleet *fl, struct server *s, const struct fault *f);
/* Who waits is told that mcptop stops. */
void fleet_change_abandon(struct fleet *fl);

/* fleet_defaults.c: tells once when the budget is passed, and when it is kept again. */
void fleet_budget_watch(struct fleet *fl);

/* As far as it was asked. */
enum engine_kind fleet_engine_kind(const struct fleet *fl);

/* fleet_pull.c: an event about images. Who could not start for want of this one tries again now:
 * somebody ran `docker pull`. */
void fleet_image_came(struct fleet *fl, const struct engine_event *e);

/* client_defaults.c: as the docker client's file says now. Valid as long as the fleet. */
const struct client_defaults *fleet_client_defaults(struct fleet *fl);
void fleet_client_free(struct fleet_client *c);

#endif
