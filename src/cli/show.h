/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What verbs print: tables, foreign text, figures, and how they get at them in the API's documents. */
#ifndef MCPTOP_CLI_SHOW_H
#define MCPTOP_CLI_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/fault.h"

/* Members by a dotted path ("usage.cpu"). Absent or of another type: "" / otherwise / NULL. */
json_t *doc_get(json_t *o, const char *path);
const char *doc_str(json_t *o, const char *path);
int64_t doc_int(json_t *o, const char *path, int64_t otherwise);
double doc_real(json_t *o, const char *path, double otherwise);
bool doc_true(json_t *o, const char *path);

/* Foreign text, made harmless. */
void show_text(FILE *out, const char *text);
void show_json(json_t *data);
/* "mcptop: SENTENCE" on stderr, made harmless. */
void show_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Figures as the view writes them; "-" when not known (negative). out n >= 24. */
char *show_size(int64_t bytes, char *out, size_t n);
char *show_latency(int64_t us, char *out, size_t n);
char *show_ago(int64_t wall_ms, char *out, size_t n);       /* how long it is since then */
/* The mark that goes with a state: "*" ready, "~" under way, "!" failed, "?" silent, "-" stopped. */
const char *show_mark(const char *state);
/* SGR codes when stdout is a terminal that wants colours, else "". */
const char *show_state_colour(const char *state);
const char *show_colour_off(void);

/* A table whose last column is the only one that is not padded. On a terminal that is too narrow whole columns go, the highest
 * `drop` first (0 = never). */
struct table;
struct table_column {
    const char *head;
    bool right;
    int drop;
};
struct table *table_new(const struct table_column *columns, size_t count);
void table_free(struct table *t);
/* Cells of the row that was begun last, one after another; text is made harmless. */
void table_row(struct table *t);
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_colour(struct table *t, const char *sgr);         /* of the cell that was added last */
void table_note(struct table *t, const char *text);          /* a line of its own below the row */
void table_print(struct table *t);

#endif
