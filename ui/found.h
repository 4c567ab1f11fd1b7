/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything that is wrong, with any server and with the supervisor, the worst first. The list is
 * asked for: a server's event brings only its worst one and how many there are, and what concerns
 * no server is looked for when somebody asks. */
#ifndef MCPTOP_UI_FOUND_H
#define MCPTOP_UI_FOUND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "feed.h"

struct view;
struct view_call;

struct finding_row {
    struct feed_finding finding;
    char *key;               /* server, code, and which of them: a row is known by it */
};

struct found {
    struct finding_row *rows;
    size_t n;
    struct finding_row **shown;      /* as filtered; borrowed */
    int shown_count;
    int own, own_errors;     /* of these, what no server's event counts */
    bool known;              /* an answer was here */
    bool stale;              /* something happened since it was asked for */
    int64_t asked_ms;
    int over;                /* enum top_pane: where Esc leads */
    /* raw, the server whose finding is to be selected when there is one, until then; NULL: as it
     * is */
    char *wanted;
    int64_t wanted_until_ms;
    bool chosen;             /* the user moved in it, or acted on one, since it came */
    char *opened;            /* raw, the server whose details were opened from it; NULL */
};

void found_fini(struct found *f);
/* An event changed something of FEED_* bits. */
void found_note(struct view *v, int changed, const char *event);
void found_ask(struct view *v);           /* when it is seen, or its count is not known */
void found_build(struct view *v);         /* what is shown, by the filter */
const char *found_key(const struct view *v, int i);
const struct feed_finding *found_selected(const struct view *v);      /* NULL */
/* The finding of this server with this code, else its worst one. */
const struct feed_finding *found_of(const struct view *v, const struct feed_server *s,
                                    const char *code);
/* The list comes onto the screen: with the findings of the server that was selected. And it goes:
 * the server of one that was chosen in it is selected then. */
void found_enter(struct view *v);
void found_choose(struct view *v);
void found_leave(struct view *v);
void found_open(struct view *v);          /* the details of the selected one's server */
void found_reply(struct view *v, json_t *data);
/* How many there are, for the header. */
int found_count(const struct view *v, bool *ret_error);

#endif
