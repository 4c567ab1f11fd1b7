/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A table on stdout, aligned. */
#ifndef MCPTOP_CLI_GRID_H
#define MCPTOP_CLI_GRID_H

#include <stdbool.h>
#include <stddef.h>

/* A table on stdout whose last column is the only one that is not padded. On a terminal that is too
 * narrow whole columns go, the highest `drop` first (0 = never); then, where that is GRID_CUT, what
 * is too long in the last one is cut. */
struct grid;
enum { GRID_CUT = -1 };
struct grid_column {
    const char *head;
    bool right;
    int drop;
};
struct grid *grid_new(const struct grid_column *columns, size_t count);
void grid_free(struct grid *g);
/* Cells of the row that was begun last, one after another; text is made harmless. */
void grid_row(struct grid *g);
void grid_cell(struct grid *g, const char *text);
void grid_cellf(struct grid *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void grid_colour(struct grid *g, const char *sgr);         /* of the cell that was added last */
void grid_note(struct grid *g, const char *text);          /* a line of its own below the row */
void grid_print(struct grid *g);

#endif
