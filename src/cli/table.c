/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Aligned tables for the verbs. Widths are columns of the terminal, not bytes. Knows nothing of what is in the cells. */
#include "cli/show.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

enum { MAX_COLUMNS = 16 };

struct row {
    char *cell[MAX_COLUMNS];       /* owned, clean */
    const char *sgr[MAX_COLUMNS];  /* NULL = none */
    size_t count;
    char *note;
};

struct table {
    const struct table_column *columns;
    size_t column_count;
    struct row *rows;
    size_t count, cap;
    int width[MAX_COLUMNS];
    bool dropped[MAX_COLUMNS];
};

struct table *table_new(const struct table_column *columns, size_t count)
{
    struct table *t = xcalloc(1, sizeof *t);
    t->columns = columns;
    t->column_count = count < MAX_COLUMNS ? count : MAX_COLUMNS;
    for (size_t i = 0; i < t->column_count; i++)
        t->width[i] = (int)strlen(columns[i].head);
    return t;
}

void table_free(struct table *t)
{
    for (size_t r = 0; t && r < t->count; r++) {
        for (size_t i = 0; i < t->rows[r].count; i++)
            free(t->rows[r].cell[i]);
        free(t->rows[r].note);
    }
    if (t)
        free(t->rows);
    free(t);
}

static char *clean_text(const char *text)
{
    struct buf clean = BUF_INIT;
    text_clean_plain(&clean, text, strlen(text));
    return buf_take(&clean);
}

void table_row(struct table *t)
{
    if (t->count == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->rows = xrealloc(t->rows, t->cap * sizeof *t->rows);
    }
    t->rows[t->count++] = (struct row){ 0 };
}

void table_cell(struct table *t, const char *text)
{
    struct row *r = &t->rows[t->count - 1];
    if (r->count == t->column_count)
        return;
    char *clean = clean_text(text);
    int width = text_width(clean, strlen(clean));
    if (width > t->width[r->count])
        t->width[r->count] = width;
    r->cell[r->count++] = clean;
}

void table_cellf(struct table *t, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    table_cell(t, buf_str(&text));
}

void table_colour(struct table *t, const char *sgr)
{
    struct row *r = &t->rows[t->count - 1];
    r->sgr[r->count - 1] = *sgr ? sgr : NULL;
}

void table_note(struct table *t, const char *text)
{
    struct row *r = &t->rows[t->count - 1];
    free(r->note);
    r->note = clean_text(text);
}

static int total_width(const struct table *t)
{
    int sum = 0;
    for (size_t i = 0; i < t->column_count; i++)
        if (!t->dropped[i])
            sum += t->width[i] + 2;
    return sum - 2;
}

/* Off a terminal nothing is dropped: whoever reads it there can take long lines. */
static void fit(struct table *t)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
        return;
    while (total_width(t) > size.ws_col) {
        size_t worst = t->column_count;
        for (size_t i = 0; i < t->column_count; i++)
            if (!t->dropped[i] && t->columns[i].drop &&
                (worst == t->column_count || t->columns[i].drop > t->columns[worst].drop))
                worst = i;
        if (worst == t->column_count)
            return;
        t->dropped[worst] = true;
    }
}

static void print_cells(const struct table *t, const struct row *r)
{
    size_t last = t->column_count - 1;
    while (last && t->dropped[last])
        last--;
    for (size_t i = 0; i <= last; i++) {
        if (t->dropped[i])
            continue;
        const char *text = r ? (i < r->count ? r->cell[i] : "") : t->columns[i].head;
        int pad = t->width[i] - text_width(text, strlen(text));
        const char *sgr = r ? r->sgr[i] : NULL;
        printf("%*s%s%s%s%*s%s", t->columns[i].right ? pad : 0, "", sgr ? sgr : "", text, sgr ? show_colour_off() : "",
               t->columns[i].right || i == last ? 0 : pad, "", i == last ? "\n" : "  ");
    }
}

void table_print(struct table *t)
{
    fit(t);
    print_cells(t, NULL);
    for (size_t r = 0; r < t->count; r++) {
        print_cells(t, &t->rows[r]);
        if (t->rows[r].note)
            printf("    %s\n", t->rows[r].note);
    }
}
