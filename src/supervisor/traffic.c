/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A ring of notes, filled at the end of every call: no allocation after the first, nothing that
 * depends on the size of a payload. */
#include "supervisor/traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"

enum { NOTES = 256 };

struct traffic {
    char tag[TRAFFIC_TAG + 1];
    uint64_t count;                  /* ever */
    struct call_note *notes;         /* NULL before the first call */
};

struct traffic *traffic_new(uint32_t random)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct traffic *t = xcalloc(1, sizeof *t);

    for (int i = 0; i < TRAFFIC_TAG; i++, random /= 36)
        t->tag[i] = digits[random % 36];
    return t;
}

void traffic_free(struct traffic *t)
{
    if (!t)
        return;
    free(t->notes);
    free(t);
}

static void keep(char *out, size_t n, const char *p, size_t len)
{
    size_t most = len < n ? len : n - 1;

    memcpy(out, p, most);
    out[most] = '\0';
}

struct call_note *traffic_add(struct traffic *t, const char *server, const struct call_ended *c)
{
    if (!t->notes)
        t->notes = xcalloc(NOTES, sizeof *t->notes);
    struct call_note *note = &t->notes[t->count++ % NOTES];

    memcpy(note->tag, t->tag, sizeof note->tag);
    note->number = t->count;
    note->wall_ms = clock_wall_ms() - c->took_us / 1000;
    note->took_us = c->took_us;
    note->bytes_out = c->bytes_out;
    note->bytes_in = c->bytes_in;
    note->error = c->is_error;
    note->tool_error = c->tool_error;
    note->recorded = RECORD_OFF;
    keep(note->server, sizeof note->server, server, strlen(server));
    keep(note->client, sizeof note->client, c->client, strlen(c->client));
    keep(note->method, sizeof note->method, c->method.p, c->method.n);
    keep(note->tool, sizeof note->tool, c->name.n ? c->name.p : "", c->name.n);
    return note;
}

size_t traffic_count(const struct traffic *t)
{
    return t->count < NOTES ? (size_t)t->count : NOTES;
}

const struct call_note *traffic_at(const struct traffic *t, size_t i)
{
    return &t->notes[(t->count - 1 - i) % NOTES];
}

char *call_note_id(const struct call_note *note, char *out, size_t n)
{
    snprintf(out, n, "%s:%s-%" PRIu64, note->server, note->tag, note->number);
    return out;
}

const char *record_state_why(enum record_state state)
{
    switch (state) {
    case RECORD_OFF: return "not recorded: set `record: true` on its server";
    case RECORD_TOO_BIG: return "too long to be recorded";
    case RECORD_DROPPED: return "not recorded: more calls came than could be written";
    default: return "";
    }
}
