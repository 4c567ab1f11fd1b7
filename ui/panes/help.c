/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The help screen, made from the binding table: it cannot name a key that does not work. */
#include <stdio.h>
#include <string.h>
#include "panes/pane.h"

enum { HELP_KEYS_W = 13 };

static void add_legend(struct view *v, struct rect r, int *y)
{
    static const struct { const char *symbol, *text; enum style st; } legend[] = {
        {"*", "ready", ST_OK}, {"~", "on its way: starting, pulling, stopping", ST_BUSY},
        {"!", "failed, or waiting for its next try", ST_BAD}, {"-", "stopped", ST_DIM},
        {"?", "the process runs, the protocol is silent", ST_WARN},
        {"host !", "not isolated although that is asked for, or only weakly: Enter tells why",
         ST_WARN},
    };

    canvas_put(&v->canvas, r.x + 1, (*y)++, r.w, ST_ACCENT, "States");
    for (size_t i = 0; i < sizeof(legend) / sizeof(*legend); i++) {
        canvas_put(&v->canvas, r.x + 1, *y, HELP_KEYS_W, legend[i].st, legend[i].symbol);
        canvas_put_cut(&v->canvas, r.x + 1 + HELP_KEYS_W, (*y)++, r.w - HELP_KEYS_W - 2, ST_NORMAL,
                       legend[i].text);
    }
}

/* Draws one row of the help, when it is in the window, and goes on. */
static void put_row(struct view *v, struct rect r, int *y, const struct binding *b)
{
    char names[40];

    canvas_put(&v->canvas, r.x + 1, *y, HELP_KEYS_W, b->changes && v->readonly ? ST_DIM : ST_BOLD,
               keys_names(b, names, sizeof(names)));
    canvas_put_cut(&v->canvas, r.x + 1 + HELP_KEYS_W, (*y)++, r.w - HELP_KEYS_W - 2, ST_NORMAL,
                   b->help);
}

/* The groups in the order in which they first appear. */
static int groups_of(const char **out, int max)
{
    size_t n;
    const struct binding *table = keys_table(&n);
    int count = 0;

    for (size_t i = 0; i < n; i++) {
        int known = 0;
        for (int g = 0; g < count; g++)
            known |= out[g] == table[i].group;
        if (!known && count < max)
            out[count++] = table[i].group;
    }
    return count;
}

static int group_rows(const char *group)
{
    size_t n;
    const struct binding *table = keys_table(&n);
    int rows = 2;

    for (size_t i = 0; i < n; i++)
        rows += table[i].group == group;
    return rows;
}

static int total_rows(void)
{
    const char *groups[12];
    int n = groups_of(groups, 12), rows = 8;

    for (int g = 0; g < n; g++)
        rows += group_rows(groups[g]);
    return rows;
}

static void put_group(struct view *v, struct rect r, int *y, const char *group)
{
    size_t n;
    const struct binding *table = keys_table(&n);

    canvas_put(&v->canvas, r.x + 1, (*y)++, r.w, ST_ACCENT, group);
    for (size_t i = 0; i < n; i++)
        if (table[i].group == group)
            put_row(v, r, y, &table[i]);
    (*y)++;
}

/* Draws the whole help into a canvas of its own, then copies the window of it that is scrolled
 * to. */
static void draw(struct view *v, struct rect r)
{
    struct canvas screen = v->canvas, page = {.ascii = v->canvas.ascii};
    const char *groups[12];
    int n = groups_of(groups, 12), columns = r.w >= 132 ? 2 : 1, rows = total_rows(), y[2] = {0, 0};
    int height = columns == 2 ? rows / 2 + 6 : rows;

    canvas_resize(&page, r.w, height > r.h ? height : r.h);
    v->canvas = page;
    for (int g = 0; g < n; g++) {
        int col = columns == 2 && y[0] + group_rows(groups[g]) > rows / 2 + 4 ? 1 : 0;
        put_group(v, (struct rect){col * r.w / 2, 0, r.w / columns, 0}, &y[col], groups[g]);
    }
    add_legend(v, (struct rect){(columns - 1) * r.w / 2, 0, r.w / columns, 0}, &y[columns - 1]);
    page = v->canvas;
    v->canvas = screen;
    if (v->help_scroll > y[0] - r.h)
        v->help_scroll = y[0] - r.h;
    if (v->help_scroll < 0)
        v->help_scroll = 0;
    for (int row = 0; row < r.h && row + v->help_scroll < page.h; row++)
        memcpy(canvas_row(&v->canvas, r.y + row) + r.x, canvas_row(&page, row + v->help_scroll),
               (size_t)r.w * sizeof(struct cell));
    if (y[0] > r.h + v->help_scroll)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + r.h - 1, 1, ST_ACCENT, "▼");
    canvas_fini(&page);
}

static int help_rows(const struct view *v, int width)
{
    (void)v;
    (void)width;
    return total_rows();
}

const struct pane pane_help = {"help", IN_HELP, draw, help_rows};
