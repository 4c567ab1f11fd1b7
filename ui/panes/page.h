/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a label and wrapped text, one below the other: what a pane is made of that is no table.
 * Counts its rows with the same code that draws them. */
#ifndef MCPTOP_UI_PANES_PAGE_H
#define MCPTOP_UI_PANES_PAGE_H

#include "canvas.h"
#include "feed.h"

enum { PAGE_LABEL_W = 10 };

/* Where the next row goes; rows above `scroll` or below the rectangle are counted, not drawn. */
struct page {
    struct canvas *c;        /* NULL: count only */
    struct rect r;
    int row, scroll;
};

int page_y(const struct page *p);                           /* of the next row; -1: not drawn */
void page_label(struct page *p, const char *label);
/* Wrapped at blanks where there are some; an empty text is no row. */
void page_field(struct page *p, const char *label, enum style st, const char *text);
void page_fieldf(struct page *p, const char *label, enum style st, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* How it is known (not when brief), and what helps. */
void page_finding(struct page *p, const struct feed_finding *f, bool brief);

#endif
