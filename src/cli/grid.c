/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Aligned tables for the verbs. Widths are columns of the terminal, not bytes. Knows nothing of
 * what is in the cells. */
#include "cli/grid.h"

#include <stdarg.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/show.h"

enum { MAX_COLUMNS = 16 };

struct row {
    char *cell[MAX_COLUMNS];       /* owned, clean */
    const char *sgr[MAX_COLUMNS];  /* NULL = none */
    size_t count;
    char *note;
};

struct grid {
    const struct grid_column *columns;
    size_t column_count;
    struct row *rows;
    size_t count, cap;
    int width[MAX_COLUMNS];
    bool dropped[MAX_COLUMNS];
    /* for the last column, where it is cut; 0 = as much as it needs */
    int room;
};

struct grid *grid_new(const struct grid_column *columns, size_t count)
{
    struct grid *g = xcalloc(1, sizeof *g);
    g->columns = columns;
    g->column_count = count < MAX_COLUMNS ? count : MAX_COLUMNS;
    for (size_t i = 0; i < g->column_count; i++)
        g->width[i] = (int)strlen(columns[i].head);
    return g;
}

void grid_free(struct grid *g)
{
    for (size_t r = 0; g && r < g->count; r++) {
        for (size_t i = 0; i < g->rows[r].count; i++)
            free(g->rows[r].cell[i]);
        free(g->rows[r].note);
    }
    if (g)
        free(g->rows);
    free(g);
}

static char *clean_text(const char *text)
{
    struct buf clean = BUF_INIT;
    text_clean_plain(&clean, text, strlen(text));
    return buf_take(&clean);
}

void grid_row(struct grid *g)
{
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 16;
        g->rows = xrealloc(g->rows, g->cap * sizeof *g->rows);
    }
    g->rows[g->count++] = (struct row){ 0 };
}

void grid_cell(struct grid *g, const char *text)
{
    struct row *r = &g->rows[g->count - 1];
    if (r->count == g->column_count)
        return;
    char *clean = clean_text(text);
    int width = text_width(clean, strlen(clean));
    if (width > g->width[r->count])
        g->width[r->count] = width;
    r->cell[r->count++] = clean;
}

void grid_cellf(struct grid *g, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    grid_cell(g, buf_str(&text));
}

void grid_colour(struct grid *g, const char *sgr)
{
    struct row *r = &g->rows[g->count - 1];
    r->sgr[r->count - 1] = *sgr ? sgr : NULL;
}

void grid_note(struct grid *g, const char *text)
{
    struct row *r = &g->rows[g->count - 1];
    free(r->note);
    r->note = clean_text(text);
}

static int total_width(const struct grid *g)
{
    int sum = 0;
    for (size_t i = 0; i < g->column_count; i++)
        if (!g->dropped[i])
            sum += g->width[i] + 2;
    return sum - 2;
}

/* Off a terminal nothing is dropped: whoever reads it there can take long lines. */
static void fit(struct grid *g)
{
    enum { CUT_LEAST = 16 };
    int columns = show_columns();
    if (!columns)
        return;
    while (total_width(g) > columns) {
        size_t worst = g->column_count;
        for (size_t i = 0; i < g->column_count; i++)
            if (!g->dropped[i] && g->columns[i].drop > 0 &&
                (worst == g->column_count || g->columns[i].drop > g->columns[worst].drop))
                worst = i;
        if (worst == g->column_count) {
            g->room = columns - (total_width(g) - g->width[g->column_count - 1]);
            g->room = g->room > CUT_LEAST ? g->room : CUT_LEAST;
            return;
        }
        g->dropped[worst] = true;
    }
}

/* How many bytes of the cell are shown. */
static int shown(const struct grid *g, size_t column, const char *text, bool *ret_cut)
{
    size_t n = strlen(text);
    *ret_cut = g->room && g->columns[column].drop == GRID_CUT && text_width(text, n) > g->room;
    return (int)(*ret_cut ? text_fit(text, n, g->room - 1, NULL) : n);
}

static void print_cells(const struct grid *g, const struct row *r)
{
    size_t last = g->column_count - 1;
    while (last && g->dropped[last])
        last--;
    for (size_t i = 0; i <= last; i++) {
        if (g->dropped[i])
            continue;
        const char *text = r ? (i < r->count ? r->cell[i] : "") : g->columns[i].head;
        int pad = g->width[i] - text_width(text, strlen(text));
        const char *sgr = r ? r->sgr[i] : NULL;
        bool cut;
        int n = shown(g, i, text, &cut);
        printf("%*s%s%.*s%s%s%*s%s", g->columns[i].right ? pad : 0, "", sgr ? sgr : "", n, text,
               cut ? "…" : "", sgr ? show_colour_off() : "",
               g->columns[i].right || i == last ? 0 : pad, "", i == last ? "\n" : "  ");
    }
}

void grid_print(struct grid *g)
{
    fit(g);
    print_cells(g, NULL);
    for (size_t r = 0; r < g->count; r++) {
        print_cells(g, &g->rows[r]);
        if (g->rows[r].note)
            printf("    %s\n", g->rows[r].note);
    }
}
