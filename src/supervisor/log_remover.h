/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Deletes the log files that rotation let go of, outside the loop: a file of 10 MB takes some file
 * systems milliseconds, and a loop that waits for a disk lets every call wait.
 *
 * One short-lived child (rm) at a time takes all that has gathered. What is left when the
 * supervisor is killed is found by its name (log_file_is_gone_name) at the next start. */
#ifndef MCPTOP_SUPERVISOR_LOG_REMOVER_H
#define MCPTOP_SUPERVISOR_LOG_REMOVER_H

#include <ev.h>

struct log_remover;

/* Becomes the remover of all log files of this process, and begins with what an earlier one left
 * in log_dir. After child_reaper_start. */
struct log_remover *log_remover_new(struct ev_loop *loop, const char *log_dir);
/* The same of another directory. */
void log_remover_sweep(struct log_remover *r, const char *dir);
/* What still waits is deleted at once. NULL is fine. */
void log_remover_free(struct log_remover *r);

#endif
