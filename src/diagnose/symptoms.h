/* SPDX-License-Identifier: GPL-3.0-or-later */
/* All that is known about one server at one moment, as plain values: what diagnose() goes by. A
 * test can make one by hand. Everything is borrowed. */
#ifndef MCPTOP_DIAGNOSE_SYMPTOMS_H
#define MCPTOP_DIAGNOSE_SYMPTOMS_H

#include <sys/stat.h>
#include "base/ring.h"
#include "config/mcp_config.h"
#include "diagnose/finding.h"
#include "isolation/plan.h"
#include "supervisor/server.h"
#include "supervisor/tool_watch.h"

struct symptoms {
    const char *name;
    const struct config *whole;            /* the configuration that the server stands in */
    const struct config_server *config;
    const struct plan *plan;
    enum server_state state;
    const char *reason;
    bool wanted;
    uint32_t failures;                     /* ends in a row */
    /* SERVER_INITIALIZING for longer than seems well: for how long, since when; else 0 */
    int64_t slow_ms, slow_since_wall_ms;
    int64_t init_timeout_ms;               /* what a start may take */

    /* The last end that nobody asked for and that this plan is to blame for; NULL = none. */
    const struct run_end *end;
    bool was_ready, ever_ready;            /* in that run, in any by this plan */
    bool well_before;                      /* an earlier run by this plan was ready */
    enum server_trouble trouble;           /* that it was ended for */

    /* its log, and which lines are of the run to be looked at: [first_seq, next_seq) */
    const struct ring *ring;
    uint64_t first_seq, next_seq;
    uint64_t stray_lines;                  /* of stdout that were no MCP, in the present run */

    bool engine_down;
    const char *engine_error;

    /* figures of the present run; -1 (0 for seconds) = not known */
    int64_t peak_bytes;
    int32_t pids_peak;
    int64_t ooms;                          /* OOM kills inside, while it lived on */
    int throttled_s;                       /* for how long, up to now */
    double throttled_percent;
    /* of the run that ended, while it started: the highest count; most of the time */
    int32_t start_pids;
    bool start_throttled;
    int64_t start_rx_bytes;                /* what it received from its network; -1 = not known */

    /* what is not as it was first seen; NULL = nothing */
    const struct tool_changes *tool_changes;
    bool tools_held;                       /* clients do not get these */
    bool tools_unwatched;                  /* the list is too long to be judged */

    const struct strvec *local_images;     /* names with tags; NULL = not known */
    int host_cpus;
    int64_t host_free;                     /* bytes of memory; 0 = not known */
    /* lower limits at which it was OOM-killed not long ago, the lowest first */
    const int64_t *oom_limits;
    size_t oom_limit_count;
    const char *home;                      /* the user's; NULL = not known */
    const char *ca_bundle;                 /* the host's; NULL = none known */
    /* Is there such a file or directory on the host? */
    bool (*exists)(const char *path);
    /* The entry of this directory that was meant by a name; the caller's. NULL = none is near. May
     * be NULL itself. */
    char *(*nearest)(const char *dir, const char *name);
    /* As backend_host_look. NULL: whatever it is, it is there. */
    int (*look)(const char *command, const struct kvvec *env, const char *working_dir,
                struct fault *f);
    /* Its owner and mode; false where there is none. */
    bool (*status)(const char *path, struct stat *ret);
};

/* Findings of this server, the worst first; one for a cause. fs is filled anew. */
void diagnose(const struct symptoms *s, struct findings *fs);

#endif
