/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last calls of all servers, in a ring of fixed size, and where each that was recorded can be
 * found again.
 *
 * A call's id is SERVER:RUN-NUMBER ("github:k3f2-12"): RUN is drawn when the supervisor starts, so
 * that ids of recorded calls stay unlike after its restart. */
#ifndef MCPTOP_SUPERVISOR_TRAFFIC_H
#define MCPTOP_SUPERVISOR_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mcp/session.h"

enum record_state { RECORD_OFF, RECORD_KEPT, RECORD_TOO_BIG, RECORD_DROPPED };

enum { TRAFFIC_TAG = 4 };

struct call_note {
    char tag[TRAFFIC_TAG + 1];
    uint64_t number;
    int64_t wall_ms;                 /* when it came */
    int64_t took_us;                 /* with what it waited for its server */
    uint64_t bytes_out, bytes_in;    /* the call, its answer */
    bool error, tool_error;          /* answered by an error; by a result that says isError */
    enum record_state recorded;
    char server[201], client[64], method[65], tool[129];     /* cut, maybe inside a character */
};

enum { CALL_ID_MAX = 201 + TRAFFIC_TAG + 24 };
/* out n >= CALL_ID_MAX. Returns out. */
char *call_note_id(const struct call_note *note, char *out, size_t n);
/* "" where there is nothing to say: why its texts are not kept though they are recorded. */
const char *record_state_why(enum record_state state);

struct traffic;
/* random: where the RUN of ids comes from */
struct traffic *traffic_new(uint32_t random);
void traffic_free(struct traffic *t);
/* The new note, to be completed by the caller; borrowed until the next one. */
struct call_note *traffic_add(struct traffic *t, const char *server, const struct call_ended *c);
size_t traffic_count(const struct traffic *t);
/* 0 = the newest */
const struct call_note *traffic_at(const struct traffic *t, size_t i);

#endif
