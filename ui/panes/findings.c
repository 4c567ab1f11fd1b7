/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The findings: a block each, with what is wrong, how it is known and what helps. Where all blocks
 * together do not fit, those that are not selected are a row each, so that as many as can be are
 * seen. The block of the selected one is always on the screen. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "panes/page.h"
#include "panes/pane.h"

static void put_one(struct page *p, const struct feed_finding *f)
{
    int y = page_y(p);

    if (y >= 0) {
        int x = p->r.x + 2, end = p->r.x + p->r.w - 1;
        canvas_put(p->c, x, y, 1, f->error ? ST_BAD : ST_WARN, "!");
        x += 2;
        x += canvas_put_cut(p->c, x, y, p->r.w / 2, ST_BOLD, *f->label ? f->label : "mcptop") + 2;
        canvas_putf(p->c, x, y, end - x, ST_DIM, "%s %s%s", f->error ? "error" : "warning", f->code,
                    f->guess      ? " (a guess, by what it wrote)"
                    : f->expected ? " (by its plan)"
                                  : "");
    }
    p->row++;
    page_field(p, "", f->error ? ST_BAD : ST_WARN, f->message);
    page_finding(p, f, false);
}

enum { LABEL_MAX = 16 };

/* The row of one that is not selected: whose, what, and whether a key repairs it. */
static void put_row(struct page *p, const struct feed_finding *f, int label_w)
{
    int y = page_y(p), x = p->r.x + 2, end = p->r.x + p->r.w - 1;

    p->row++;
    if (y < 0)
        return;
    canvas_put(p->c, x, y, 1, f->error ? ST_BAD : ST_WARN, "!");
    canvas_put_cut(p->c, x + 2, y, label_w, ST_BOLD, *f->label ? f->label : "mcptop");
    x += 2 + label_w + 2;
    if (f->fix_count)
        canvas_put(p->c, end - 1, y, 1, ST_ACCENT, "F");
    canvas_put_cut(p->c, x, y, end - 3 - x, f->error ? ST_BAD : ST_WARN, f->message);
}

static int label_width(const struct view *v)
{
    int widest = 6;      /* mcptop */

    for (int i = 0; i < v->found.shown_count; i++) {
        const char *label = v->found.shown[i]->finding.label;
        int w = text_width(label, strlen(label));
        widest = w > widest ? w : widest;
    }
    return widest < LABEL_MAX ? widest : LABEL_MAX;
}

/* Rows of all blocks with a blank row between them, counted until they are more than enough;
 * ret_most: of the longest block of these. */
static int whole_rows(const struct view *v, int width, int enough, int *ret_most)
{
    int rows = 0;

    *ret_most = 0;
    for (int i = 0; i < v->found.shown_count && rows <= enough; i++) {
        struct page p = {.r = {0, 0, width, 0}};
        put_one(&p, &v->found.shown[i]->finding);
        rows += p.row + (i > 0);
        *ret_most = p.row > *ret_most ? p.row : *ret_most;
    }
    return rows;
}

/* By the height of the screen, not of the pane, which follows from it. */
static bool is_dense(const struct view *v, int width)
{
    enum { AROUND = 5 };     /* header, rule and key bar */
    int most, fits = v->canvas.h - AROUND;

    return whole_rows(v, width, fits, &most) > fits;
}

/* All of them; ret_from and ret_to: the rows of the selected one. */
static void put_all(struct page *p, struct view *v, bool dense, int *ret_from, int *ret_to)
{
    int label_w = label_width(v);

    for (int i = 0; i < v->found.shown_count; i++) {
        const struct feed_finding *f = &v->found.shown[i]->finding;
        bool selected = i == v->finding_list.at;
        p->row += i > 0 && !dense;
        if (selected && ret_from)
            *ret_from = p->row;
        if (selected && page_y(p) >= 0)
            v->row_y = page_y(p);
        if (dense && !selected)
            put_row(p, f, label_w);
        else
            put_one(p, f);
        if (selected && ret_to)
            *ret_to = p->row;
    }
}

static void say(struct view *v, struct rect r)
{
    const struct found *f = &v->found;
    bool down = !strcmp(v->feed.status.engine_state, "down");

    canvas_put(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM,
               !f->known ? "asking …"
               : f->n    ? "no finding matches; Esc shows all"
               : down    ? "nothing is wrong; no engine answers, which only isolated servers need"
                         : "nothing is wrong");
}

static void draw_head(struct view *v, struct rect r)
{
    const struct found *f = &v->found;
    char title[64], filter[LINEEDIT_MAX + 24];
    int errors = 0;

    for (size_t i = 0; i < f->n; i++)
        errors += f->rows[i].finding.error;
    snprintf(title, sizeof(title), "findings: %d error%s, %zu warning%s", errors,
             errors == 1 ? "" : "s", f->n - (size_t)errors, f->n - (size_t)errors == 1 ? "" : "s");
    snprintf(filter, sizeof(filter), "only with: %s", v->finding_list.filter);
    canvas_rule(&v->canvas, r.x, r.y, r.w, ST_RULE, ST_ACCENT, f->known ? title : "findings",
                *v->finding_list.filter ? filter : NULL);
}

/* However long the selected one is: the log below does not jump with every step. */
static int findings_rows(const struct view *v, int width)
{
    int most, whole = whole_rows(v, width, INT_MAX, &most);
    int rows = 1 + (is_dense(v, width) ? v->found.shown_count - 1 + most : whole);

    return rows > 4 ? rows : 4;
}

static void draw(struct view *v, struct rect r)
{
    struct page p = {.r = {r.x, r.y + 1, r.w, r.h - 1}};
    struct list *l = &v->finding_list;
    int from = 0, to = 0, rows;
    bool dense = is_dense(v, r.w);

    draw_head(v, r);
    if (!v->found.shown_count) {
        say(v, r);
        return;
    }
    put_all(&p, v, dense, &from, &to);
    rows = p.row;
    l->page = dense ? r.h - (to - from) : 1 + (r.h - 1) * v->found.shown_count / rows;
    if (l->top + p.r.h < to)
        l->top = to - p.r.h;
    if (l->top > from)
        l->top = from;
    if (l->top > rows - p.r.h)
        l->top = rows > p.r.h ? rows - p.r.h : 0;
    p.c = &v->canvas;
    p.row = 0;
    p.scroll = l->top;
    put_all(&p, v, dense, NULL, NULL);
    pane_row_finish(v, r, r.y + 1 + from - l->top, true, false);
    if (l->top > 0)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + 1, 1, ST_ACCENT, "▲");
    if (rows - l->top > p.r.h)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + r.h - 1, 1, ST_ACCENT, "▼");
}

const struct pane pane_findings = {"findings", IN_FINDINGS, draw, findings_rows};
