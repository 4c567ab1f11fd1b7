/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What child.c (the objects), child_exec.c (fork to exec) and child_sweep.c (the search in /proc)
 * share. */
#ifndef MCPTOP_IO_CHILD_INTERNAL_H
#define MCPTOP_IO_CHILD_INTERNAL_H

#include <stdbool.h>
#include <sys/resource.h>
#include "io/child.h"

#define CHILD_MARK "MCPTOP_RUN"

/* The parent's ends of the three pipes. */
struct child_pipes {
    int in, out, err;
};

/* Forks and executes. nofile: the limit the child gets, NULL = inherited. Returns the pid, or
 * -1. */
pid_t child_exec(const struct child_spec *spec, const struct rlimit *nofile,
                 struct child_pipes *ret_pipes, struct fault *f);

/* What the registry knows about one of our direct children. */
enum child_owner { CHILD_UNKNOWN, CHILD_OF_RUN, CHILD_OF_OTHER_RUN };
enum child_owner child_owner_of(pid_t pid, const char *run_id);
/* The session that this run's child leads or led; 0 when there is none any more that is surely its
 * own. */
pid_t child_session_of(const char *run_id);

/* Sends sig to what is left of the run, each process once. */
void child_signal_run(const char *run_id, int sig);

#endif
