/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The panes. Each draws itself from the model into a rectangle of the canvas; none keeps anything
 * of its own. */
#ifndef MCPTOP_UI_PANES_PANE_H
#define MCPTOP_UI_PANES_PANE_H

#include "view.h"

struct pane {
    const char *name;
    unsigned where;                                   /* its IN_* bit */
    void (*draw)(struct view *v, struct rect r);
    int (*rows)(const struct view *v, int width);     /* rows it would like, its head included */
};
/* "in use", "! orphan", "other's", "not ours" */
const char *pane_container_use(const struct feed_container *c);

extern const struct pane pane_servers, pane_containers, pane_resources, pane_events, pane_traffic,
    pane_calls, pane_call, pane_findings, pane_detail, pane_help;

void pane_log_draw(struct view *v, struct rect r);    /* its first row is the rule with the title */
void pane_log_move(struct view *v, enum request req);
void pane_log_search(struct view *v, int direction);  /* 0: from the bottom of the pane upwards */
void pane_log_follow(struct view *v, bool on);
void pane_log_visible(struct view *v, struct buf *out, bool all);   /* as plain text */
void pane_side_draw(struct view *v, struct rect r);   /* beside the table on wide screens */

/* Keeps the selected row inside the window of so many rows; returns the first row. */
int pane_window(struct list *l, int room);
/* Shared by the tables of servers. "0.3", "12"; "-" when not known. n >= 16. */
char *pane_cpu(double cpu, char *out, size_t n);
char *pane_size(int64_t bytes, char *out, size_t n);
char *pane_count(int64_t count, char *out, size_t n);     /* 1234 → "1234", 120000 → "120k" */
char *pane_us(int64_t us, char *out, size_t n);           /* "210ms", "800us", "1.2s" */
char *pane_span(int64_t ms, char *out, size_t n);         /* "12s", "5m", "2h14m", "3d02h": calm */
char *pane_clock(int64_t wall_ms, char *out, size_t n);   /* "10:02:11", local */
char *pane_ago(int64_t wall_ms, char *out, size_t n);     /* "10:02", or "Nov 21" */
enum style pane_state_style(const struct feed_server *s);
/* Marker, selection and mark of one row, after its text was drawn. */
void pane_row_finish(struct view *v, struct rect r, int y, bool selected, bool marked);
/* There is something to say about it: it is not well, or soon will not be. */
bool pane_has_why(const struct feed_server *s);
/* The key that helps then, and what it does; nothing where none does. */
void pane_hint(const struct view *v, const struct feed_server *s, struct buf *out);
/* One line that says what is wrong with a server; nothing when all is well. */
void pane_why(const struct view *v, const struct feed_server *s, struct buf *out);

#endif
