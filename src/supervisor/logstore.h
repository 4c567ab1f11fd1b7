/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log of one server: bytes → lines → ring (sequence numbers) → file and subscribers.
 *
 * A subscriber is told that there is more (at most 10 times a second), never given the lines: it
 * reads the ring at its own pace by sequence number and finds out what it missed. So a slow one
 * cannot slow the server down. */
#ifndef MCPTOP_SUPERVISOR_LOGSTORE_H
#define MCPTOP_SUPERVISOR_LOGSTORE_H

#include <ev.h>
#include "base/fault.h"
#include "base/lines.h"
#include "base/ring.h"

struct logstore;
typedef void (*logstore_fn)(void *ctx);

/* File: DIR/server-NAME.log, every character outside [A-Za-z0-9._-] as '_' ("../../x" →
 * "server-.._.._x.log", inside DIR). A file that cannot be opened is a warning, retried at later
 * writes; the ring works on. `more` comes after new lines, at most every 100 ms. */
struct logstore *logstore_new(struct ev_loop *loop, const char *dir, const char *server,
                              logstore_fn more, void *ctx);
/* Several processes in one log: lines go to `to`, which outlives it, as "MARK text". Of it there is
 * no file, and the ring is the other one's. */
struct logstore *logstore_new_member(struct logstore *to, const char *mark);
void logstore_free(struct logstore *l);
/* raw bytes of stderr */
void logstore_stderr(struct logstore *l, const char *p, size_t n);
/* a run ended: an unfinished line is a line */
void logstore_stderr_end(struct logstore *l);
void logstore_line(struct logstore *l, enum ring_stream stream, unsigned flags, const char *p,
                   size_t n);
/* Between these two the records are gathered and written together: for whoever makes many lines
 * of one read (rubbish on stdout). */
void logstore_hold(struct logstore *l);
void logstore_release(struct logstore *l);
/* RING_SUPERVISOR */
void logstore_say(struct logstore *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const struct ring *logstore_get_ring(const struct logstore *l);
/* records the file lost */
uint64_t logstore_get_lost(const struct logstore *l);
/* … of which it does not say so yet, because it takes none still */
uint64_t logstore_get_losing(const struct logstore *l);
const char *logstore_get_path(const struct logstore *l);
/* "server-github.log" for a name; caller frees. */
char *logstore_file_name(const char *server);

#endif
