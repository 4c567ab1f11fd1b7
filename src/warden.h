/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The guardian of the supervisor: its parent, and nothing else. It uses no library and keeps
 * nothing open, so that it survives what may kill the supervisor.
 *
 * - It is a subreaper: what a dead supervisor leaves behind (an `npx` that started a `node` in a
 *   session of its own) becomes its child, and is killed before anything goes on.
 * - A supervisor that was killed or crashed is started again: at once, then after 1, 2, 4 … 30 s;
 *   a minute of life resets that. One that ended by itself (exit 0, wrong usage, SERVE_EXIT_*) or
 *   by a request to end is not.
 * - SIGTERM, SIGINT and SIGHUP are handed on; the warden itself ends only after the supervisor
 *   did. A service manager sends SIGTERM to both, so the supervisor may get it twice and must not
 *   mind.
 * - When the warden dies, the supervisor gets SIGTERM (PR_SET_PDEATHSIG). */
#ifndef MCPTOP_WARDEN_H
#define MCPTOP_WARDEN_H

/* Runs supervisor(arg) in a child for as long as needed; returns the exit code for the process. To
 * be called while the process is small: no thread, no loop, no library initialised. The
 * supervisor's run begins with the signal mask that the caller had and, from the second one on,
 * with MCPTOP_PREVIOUS_END in its environment ("signal 9", "exit 1"), for its log. */
int warden_run(int (*supervisor)(void *arg), void *arg);

#endif
