/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An append-only log file with rotation: FILE and at most N older ones, FILE.1 … FILE.N, by default
 * of 10 MB each and N = 5. Used by the program's own log and by each server's. Writing never fails
 * loudly: what could not be written is counted (lost), and the next write tries anew, opening
 * included.
 *
 * - One record is one write(2). Half a record (the disk is full) is lost; the next begins on a line
 *   of its own.
 * - A file that somebody deleted, renamed or emptied is noticed within a second.
 * - Deleting the oldest file can block for milliseconds (a big file, a file system that discards):
 *   who must not wait sets a remover. It gets the file under a name of its own, FILE.gone-NUMBER.
 * - Where renaming fails, FILE grows to twice its limit; then records are lost, and it is tried
 *   once a second. */
#ifndef MCPTOP_BASE_LOG_FILE_H
#define MCPTOP_BASE_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/fault.h"

struct log_file;

/* Opens for append, creating it 0600 (one that others may read is made 0600: a log holds what
 * servers say); refuses a symlink or a file that is not regular. NULL on failure. */
struct log_file *log_file_open(const char *path, struct fault *f);
void log_file_close(struct log_file *lf);                     /* NULL is fine */
/* One whole record (a line with its newline, or several), never split over two files. */
void log_file_write(struct log_file *lf, const char *p, size_t n);
uint64_t log_file_lost(const struct log_file *lf);            /* records lost since it was opened */
const char *log_file_error(const struct log_file *lf);        /* "" or why the last write failed */
/* max_files: older ones to keep; 0 starts the file anew at its limit. */
void log_file_set_limits(struct log_file *lf, size_t max_bytes, int max_files);

/* Removes path, later: the string is borrowed. NULL (the default): files are removed at once. One
 * for all log files of the process. */
typedef void (*log_file_remover_fn)(void *ctx, const char *path);
void log_file_set_remover(log_file_remover_fn fn, void *ctx);
/* Is it the name of a file that waits for its remover? */
bool log_file_is_gone_name(const char *name);

#endif
