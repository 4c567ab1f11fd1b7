/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Table layout. Pure arithmetic on widths; knows no model. */
#include "table.h"

#include <stdio.h>
#include <string.h>

static int total_width(const struct table *t)
{
    int total = 0;

    for (int i = 0; i < t->n; i++)
        if (t->w[i])
            total += t->w[i] + 1;
    return total - 1;
}

static int least_important(const struct table *t)
{
    int found = -1;

    for (int i = 0; i < t->n; i++)
        if (t->w[i] && t->cols[i].rank > 0 && (found < 0 || t->cols[i].rank >= t->cols[found].rank))
            found = i;
    return found;
}

static void widen(struct table *t, const int *want, int spare)
{
    for (int i = 0; i < t->n && spare > 0; i++) {
        int goal = want && want[i] ? want[i] : t->cols[i].min;
        int more;

        if (goal > t->cols[i].max)
            goal = t->cols[i].max;
        more = goal - t->w[i];
        if (!t->w[i] || more <= 0)
            continue;
        if (more > spare)
            more = spare;
        t->w[i] += more;
        spare -= more;
    }
}

void table_layout(struct table *t, const struct column *cols, int n, const int *want, int x,
                  int width)
{
    t->cols = cols;
    t->n = n < TABLE_MAX ? n : TABLE_MAX;
    for (int i = 0; i < t->n; i++)
        t->w[i] = cols[i].min;
    while (total_width(t) > width) {
        int drop = least_important(t);
        if (drop < 0)
            break;
        t->w[drop] = 0;
    }
    widen(t, want, width - total_width(t));
    for (int i = 0; i < t->n; i++) {
        t->x[i] = x;
        if (t->w[i])
            x += t->w[i] + 1;
    }
}

bool table_shows(const struct table *t, int col)
{
    return t->w[col] > 0;
}

void table_head(struct canvas *c, const struct table *t, int y, int sort, bool inverted)
{
    for (int i = 0; i < t->n; i++) {
        bool is_key = sort && t->cols[i].sort == sort;
        char head[64];

        if (!t->w[i])
            continue;
        snprintf(head, sizeof(head), "%s%s", t->cols[i].head, !is_key ? "" : inverted ? "▲" : "▼");
        if (t->cols[i].right)
            canvas_put_right(c, t->x[i], y, t->w[i], is_key ? ST_HEAD_SORT : ST_HEAD, head);
        else
            canvas_put(c, t->x[i], y, t->w[i], is_key ? ST_HEAD_SORT : ST_HEAD, head);
    }
}

void table_filter(struct canvas *c, const struct table *t, int y, const char *filter)
{
    char text[160];

    if (!*filter)
        return;
    snprintf(text, sizeof(text), "/%s", filter);
    canvas_fill(c, (struct rect){t->x[0], y, t->w[0], 1}, ' ', ST_HEAD);
    canvas_put_cut(c, t->x[0], y, t->w[0], ST_MATCH, text);
}

void table_put(struct canvas *c, const struct table *t, int col, int y, enum style st,
               const char *text)
{
    if (!t->w[col])
        return;
    if (t->cols[col].right)
        canvas_put_right(c, t->x[col], y, t->w[col], st, text);
    else
        canvas_put_cut(c, t->x[col], y, t->w[col], st, text);
}
