/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log lines the view holds: a bounded window on what the supervisor holds. Bytes as they came;
 * who draws cleans.
 *
 * While the user reads (hold), nothing he could scroll to is thrown away: a full window then stops
 * taking new lines and remembers that it is behind, and they are paged in later by sequence
 * number. */
#ifndef MCPTOP_UI_LOGLINES_H
#define MCPTOP_UI_LOGLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOGLINES_MAX = 5000, LOGLINES_MAX_BYTES = 4 << 20 };
enum logline_kind { LOGLINE_ERR, LOGLINE_OUT, LOGLINE_SUP, LOGLINE_MARK, LOGLINE_GAP,
                    LOGLINE_BREAK /* another supervisor: its numbers begin anew */ };
enum { LOGLINE_CONT = 1, LOGLINE_CONTINUED = 2, LOGLINE_NO_NEWLINE = 4, LOGLINE_CUT = 8 };

struct logline {
    uint64_t id;              /* the window's own number: grows with position, unique */
    uint64_t seq;             /* the supervisor's; of a gap: the first one missing */
    uint64_t gap_to;          /* of a gap: the last one missing */
    int64_t t_ms;
    enum logline_kind kind;
    unsigned flags;
    char *server;             /* cleaned label; NULL when one server is shown */
    char *text;
    size_t len;
    unsigned filter_gen;      /* generation of the filter that `matches` belongs to */
    bool matches;
};

struct loglines {
    struct logline *v;        /* ring of LOGLINES_MAX, allocated with the first line */
    size_t head, count;
    size_t bytes;
    uint64_t next_id;         /* of the next line at the end */
    uint64_t first_id;        /* of the next line at the front, going down */
    uint64_t server_first_seq;/* oldest the supervisor still has, as far as known; 0 = not known */
    bool broken;              /* holds a LOGLINE_BREAK: what lies before it cannot be paged */
    bool hold;                /* the user reads: keep what is here */
    bool behind;              /* lines came that were not taken */
    uint64_t behind_count;
};

void loglines_init(struct loglines *l);
void loglines_clear(struct loglines *l);
void loglines_fini(struct loglines *l);
struct logline *loglines_at(const struct loglines *l, size_t i);    /* 0 = oldest; NULL outside */
/* Copies the line's text and server. False when it was not taken (hold and full; or already
 * held). */
bool loglines_append(struct loglines *l, const struct logline *line);
/* Moves the newest line before those that are younger than it: lines of several servers, by
 * time. */
void loglines_sort_last(struct loglines *l);
bool loglines_prepend(struct loglines *l, const struct logline *line);
/* Index of the line with this id, or of the nearest one that is held. */
size_t loglines_index(const struct loglines *l, uint64_t id);
uint64_t loglines_last_seq(const struct loglines *l);    /* 0 when none */
uint64_t loglines_oldest_seq(const struct loglines *l);

#endif
