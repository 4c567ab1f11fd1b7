/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view's copy of the calls: those in flight, the last ones, and the one that is opened, as
 * text. Asked for while they can be seen; every string is harmless but the ids. */
#ifndef MCPTOP_UI_CALLS_H
#define MCPTOP_UI_CALLS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

struct view;
struct view_call;

struct call_row {
    char *key;               /* raw: the call's id; of one in flight its place among those */
    char *server, *client, *what, *method;
    bool open, held, error, tool_error, recorded;
    int64_t wall_ms;         /* when it came */
    int64_t took_us, bytes_out, bytes_in;      /* -1 = not known yet */
};

struct calls {
    struct call_row **rows;  /* in flight first, then the newest */
    size_t n;
    struct call_row **shown; /* as filtered; borrowed */
    int shown_count;
    bool known;              /* an answer was here */
    int64_t asked_ms, seen;  /* when, and what the figures of all servers came to then */
    char *id;                /* raw, of the opened call; NULL */
    struct buf text;         /* its lines */
};

void calls_fini(struct calls *c);
/* Asks for the list when it is seen and something was called since. */
void calls_ask(struct view *v);
void calls_build(struct view *v);            /* what is shown, by the filter */
const char *calls_key(const struct view *v, int i);
struct call_row *calls_selected(const struct view *v);       /* NULL */
void calls_open(struct view *v);             /* the selected one */
/* Asks whether the selected or opened one is to be sent again; then sends it. */
void calls_replay(struct view *v, bool test);
void calls_commit(struct view *v);
/* Answers to all of these. */
void calls_reply(struct view *v, const struct view_call *call, json_t *data, const char *error);

#endif
