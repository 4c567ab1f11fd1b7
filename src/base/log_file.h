/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An append-only log file with rotation: FILE, FILE.1 … FILE.N (10 MB each, 5 files). Used by the program's
 * own log and by each server's. Writing never blocks for long and never fails loudly: what could not be
 * written is counted (lost), and opening is tried again at the next write. */
#ifndef MCPTOP_BASE_LOG_FILE_H
#define MCPTOP_BASE_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>
#include "base/fault.h"

struct log_file;

/* Opens for append, creating it 0600; refuses a symlink or a file that is not regular. */
struct log_file *log_file_open(const char *path, struct fault *f);
void log_file_close(struct log_file *lf);                     /* NULL is fine */
/* One whole record (a line with its newline, or several). Partial writes are completed or counted as lost. */
void log_file_write(struct log_file *lf, const char *p, size_t n);
uint64_t log_file_lost(const struct log_file *lf);            /* records lost since it was opened */
const char *log_file_error(const struct log_file *lf);        /* "" or why the last write failed */
void log_file_set_limits(struct log_file *lf, size_t max_bytes, int max_files);

#endif
