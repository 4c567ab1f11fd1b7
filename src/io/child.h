/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Child processes: own session and process group, no shell, closed descriptors, default signals,
 * descriptor limit put back, parent-death signal. A child is over only when its status *and* the
 * end of its pipes are in, in either order (a grandchild that keeps the pipes open is given one
 * second after the status, then the pipes are closed; a paused stream is waited for). What the run
 * left behind is swept before `over`.
 *
 * The mark: every child gets MCPTOP_RUN=ID in its environment. Under a supervisor that is itself a
 * child of another one the value is "OUTER,ID", so that the outer one finds the whole tree.
 *
 * Adopted orphans: the supervisor is a subreaper (as the warden is). child_reaper_start() watches
 * SIGCHLD, notes the exits of registered children and reaps what was adopted; child_sweep() kills
 * what a finished run left behind. */
#ifndef MCPTOP_IO_CHILD_H
#define MCPTOP_IO_CHILD_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/fault.h"
#include "base/strvec.h"
#include "io/stream.h"

struct child_exit {
    int code;        /* exit status, or -1 */
    int signal;      /* the signal that ended it, or 0 */
    int64_t at_wall_ms;
};

struct child_spec {
    char *const *argv;              /* argv[0] is looked up in the PATH of envp */
    char *const *envp;              /* complete environment; NULL = an empty one */
    const char *working_dir;        /* NULL = ours */
    /* put into the environment as MCPTOP_RUN; the mark child_sweep goes by */
    const char *run_id;
};

struct child;
/* child_free is allowed in each of them. */
struct child_events {
    struct stream_events stream;    /* data, drained; `end` is ignored here: use over */
    /* the status is in (at once); may be NULL */
    void (*exited)(void *ctx, const struct child_exit *x);
    /* status and end of pipes; once; last event */
    void (*over)(void *ctx, const struct child_exit *x);
};

/* Starts it (after child_reaper_start). An exec failure (ENOENT, EACCES, ENOEXEC …) is reported
 * here, with its errno, through a close-on-exec pipe, and there is no child then; the wait for it
 * is bounded by exec itself. f->code is the errno, or FAULT_CONFIG when the working directory could
 * not be entered; the text says which command, which directory and what to do. Returns NULL on
 * failure. */
struct child *child_spawn(struct ev_loop *loop, const struct child_spec *spec,
                          const struct child_events *events, void *ctx, struct fault *f);
/* What child_spawn would say of the command and the directory, as far as looking tells: nothing is
 * started. 0, or -1 with the same words. */
int child_look(const struct child_spec *spec, struct fault *f);
/* Where a command without a slash is looked for: PATH of the given environment, else a default. */
const char *child_search_path(char *const *envp);
pid_t child_pid(const struct child *c);
struct stream *child_stream(struct child *c);           /* borrowed */
/* To the whole process group while its leader lives (its pid cannot be reused before we reap it),
 * afterwards to what is left of the run, found as child_sweep finds it. */
void child_signal(struct child *c, int sig);
/* Ends watching. A child that still runs is killed (group, then sweep by run_id) and reaped in the
 * background. */
void child_free(struct child *c);

/* Descriptor limit: raised to the hard limit for us; children get the original back. Call once at
 * start. */
void child_raise_nofile(void);

int child_reaper_start(struct ev_loop *loop, struct fault *f);   /* also PR_SET_CHILD_SUBREAPER */
void child_reaper_stop(struct ev_loop *loop);
/* Kills (SIGKILL) every process that descends from us and is of this run: the child itself, whoever
 * carries its mark, whoever is in a session with one of these, and all their descendants. A process
 * with the mark of another run is never touched, unless it descends from one of ours. Looks again
 * until nothing new is found, as trees fork while they are killed. Reads /proc of our adopted
 * children and of the run's own tree only. Returns how many it killed. */
int child_sweep(const char *run_id);
/* Kills what an earlier supervisor left, before we start anything ourselves: every process of our
 * user, whoever its parent is now, whose mark has a word that begins with prefix (which ends in
 * '.': "INSTANCE."), and its descendants; never ourselves nor an ancestor. What has cleared its
 * environment and left its parents is not found. Reads all of /proc. Returns how many. */
int child_sweep_before(const char *prefix);
/* All descendants of ours, whatever their run: at the end of the supervisor, and of the warden. */
int child_sweep_all(void);

#endif
