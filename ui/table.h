/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns of a table: which ones show at a width, and where. A column that does not fit is dropped
 * whole, the least important first; what is left over goes to the columns that want more. */
#ifndef MCPTOP_UI_TABLE_H
#define MCPTOP_UI_TABLE_H

#include "canvas.h"

struct column {
    const char *head;
    int min, max;     /* columns; max is what `want` is capped to */
    int rank;         /* importance: 0 stays always, the highest is dropped first */
    bool right;       /* right-aligned */
    int sort;         /* enum of the caller; marks the head when it is the sort key */
};

enum { TABLE_MAX = 20 };
struct table {
    const struct column *cols;
    int n;
    int x[TABLE_MAX], w[TABLE_MAX];    /* w == 0: dropped */
};

/* want[i]: the width the content would like (0: min). The columns stand one blank apart from x
 * on. */
void table_layout(struct table *t, const struct column *cols, int n, const int *want, int x,
                  int width);
void table_head(struct canvas *c, const struct table *t, int y, int sort, bool inverted);
/* A filter stands in the head of the first column; nothing when it is "". */
void table_filter(struct canvas *c, const struct table *t, int y, const char *filter);
/* Draws one field; nothing when its column was dropped. */
void table_put(struct canvas *c, const struct table *t, int col, int y, enum style st,
               const char *text);
bool table_shows(const struct table *t, int col);

#endif
