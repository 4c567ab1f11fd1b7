/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program's own log: one process-wide sink, `main.log` once opened, stderr before that.
 *
 * Line format (what existing users grep for):
 *   2026-11-22T15:41:48.522+00:00 | INFO | module | message | {"server":"x"}
 * The JSON part is left out when there are no fields. Control characters and bytes that are not
 * UTF-8 are escaped in message and fields ("\n", "\x1b"), so a line stays a line. Info and above is
 * written until log_set_level() says otherwise. Never written here: values of env, API keys,
 * queries of URLs.
 *
 * A full disk counts the lost lines and says so in the first line that can be written again.
 * Writing to stderr never waits: what a terminal or a pipe does not take at once is left out
 * there. */
#ifndef MCPTOP_BASE_LOG_H
#define MCPTOP_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/fault.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };

/* Directs the log to this file (appended; made 0600) with rotation (log_file.h). On failure the
 * sink stays what it was. */
int log_open(const char *path, struct fault *f);
void log_close(void);
void log_set_level(enum log_level level);
/* "trace" (which is debug here), "debug", "info", "warn", "error", as logging.level writes them;
 * false when it is none, and *ret stays. */
bool log_level_parse(const char *word, enum log_level *ret);
void log_set_stderr(bool also);                   /* serve in the foreground: copy to stderr */

/* fields: a JSON object as text ("{\"server\":\"x\"}") or NULL. */
void log_write(enum log_level level, const char *module, const char *fields, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
#define log_debug(module, ...) log_write(LOG_DEBUG_, module, NULL, __VA_ARGS__)
#define log_info(module, ...)  log_write(LOG_INFO_, module, NULL, __VA_ARGS__)
#define log_warn(module, ...)  log_write(LOG_WARN_, module, NULL, __VA_ARGS__)
#define log_error(module, ...) log_write(LOG_ERROR_, module, NULL, __VA_ARGS__)

uint64_t log_lost_lines(void);                    /* lines the file did not take, since the start */
uint64_t log_losing_lines(void);                  /* … of which it does not tell itself yet */

#endif
