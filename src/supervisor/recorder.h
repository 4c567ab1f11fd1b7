/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls and their answers as bytes in a file, of a server that has `record: true`.
 *
 * DIR/server-NAME.log and one older (.1), 0600, 4 MiB each at most. A call is three lines:
 * "#call {JSON of its note}", the call as its client sent it (on one line), the answer.
 *
 * Writing is off the hot path: a call is copied into a buffer, which goes to the file a moment
 * later. Who makes calls faster than that is recorded in part, and the call's note says so. */
#ifndef MCPTOP_SUPERVISOR_RECORDER_H
#define MCPTOP_SUPERVISOR_RECORDER_H

#include <ev.h>
#include "base/buf.h"
#include "base/fault.h"
#include "supervisor/traffic.h"

struct recorder;
/* dir is made (0700) with the first call. Never NULL. */
struct recorder *recorder_new(struct ev_loop *loop, const char *dir, const char *server);
void recorder_free(struct recorder *r);           /* what is gathered is written. NULL is fine */
/* Sets note->recorded. */
void recorder_take(struct recorder *r, struct call_note *note, const struct call_ended *c);
void recorder_flush(struct recorder *r);          /* before its file is read. NULL is fine */
/* Calls that should be in the file and are not: too many at once, too long, or not written. */
uint64_t recorder_get_lost(const struct recorder *r);

struct record {
    struct call_note note;
    char *text;                                   /* owned */
    struct span request, result;                  /* in text */
};
void record_fini(struct record *rec);
/* FAULT_NOT_FOUND: it is not (or no longer) in the server's file. */
int record_find(const char *dir, const char *server, const char *id, struct record *ret,
                struct fault *f);
/* The last ones at most, the newest first. */
typedef void (*record_fn)(void *ctx, const struct call_note *note);
void record_each(const char *dir, const char *server, size_t limit, record_fn fn, void *ctx);

#endif
