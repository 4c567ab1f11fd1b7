/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one open dialog: a question with No as its default, or the form for limits (limits.c). It
 * stands near the row it is about. What yes does is in act.c. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "panes/pane.h"

void ask_close(struct view *v)
{
    struct ask *a = &v->ask;

    free(a->title);
    free(a->verb);
    free(a->error);
    a->title = a->verb = a->error = NULL;
    for (int i = 0; i < ASK_FIELDS; i++) {
        free(a->before[i]);
        a->before[i] = NULL;
    }
    json_decref(a->body);
    a->body = NULL;
    strvec_fini(&a->targets);
    buf_clear(&a->text);
    a->scroll = a->field = 0;
    a->all = false;
    a->plans_due = 0;
    a->ways = 0;
    a->kind = ASK_NONE;
    a->serial++;
}

void ask_open(struct view *v, enum ask_kind kind, enum request req, const char *title,
              const char *verb)
{
    ask_close(v);
    v->ask.kind = kind;
    v->ask.req = req;
    v->ask.title = xstrdup(title);
    v->ask.verb = xstrdup(verb);
}

/* ---- keys ---- */

bool ask_key(struct view *v, int key)
{
    if (v->ask.kind == ASK_NONE)
        return false;
    if (v->ask.kind == ASK_LIMITS)
        limits_key(v, key);
    else if (v->ask.kind == ASK_CONFIRM && (key == 'y' || key == 'Y'))
        act_commit(v);
    else if (v->ask.req == REQ_FIX && key == 'F')
        act_other_fix(v);
    else if (key == K_ESC || key == K_ENTER || key == 'n' || key == 'N' || key == 'q')
        ask_close(v);
    else if (key == 'j' || key == K_DOWN || key == K_PGDN)
        v->ask.scroll++;
    else if ((key == 'k' || key == K_UP || key == K_PGUP) && v->ask.scroll > 0)
        v->ask.scroll--;
    return true;
}

/* ---- drawing ---- */

int ask_next_row(const char **p, const char *end, int columns, char *out, size_t n)
{
    const char *stop = memchr(*p, '\n', (size_t)(end - *p));
    size_t len = stop ? (size_t)(stop - *p) : (size_t)(end - *p), fits, cut;
    int used;

    fits = text_fit(*p, len, columns, &used);
    if (fits > n - 1)
        fits = n - 1;
    if (fits < len) {
        for (cut = fits; cut > 0 && (*p)[cut] != ' '; cut--)
            ;
        if (cut <= strspn(*p, "+- "))
            cut = 0;             /* that would leave a row of nothing but the indent */
        fits = cut ? cut : fits ? fits : len;
    }
    snprintf(out, n, "%.*s", (int)fits, *p);
    *p += fits;
    while (fits < len && *p < end && **p == ' ')
        (*p)++;
    if (*p < end && **p == '\n')
        (*p)++;
    return text_width(out, strlen(out));
}

static enum style line_style(const char *line)
{
    switch (line[0]) {
    case '+': return ST_ADD;
    case '-': return ST_DEL;
    case '@': return ST_DIM;
    default: return ST_BOX;
    }
}

struct rect ask_place_box(const struct view *v, int w, int h)
{
    struct rect r = {4, v->row_y + 1, w, h};

    if (r.w > v->canvas.w - 2)
        r.w = v->canvas.w - 2;
    if (r.x + r.w > v->canvas.w - 1)
        r.x = v->canvas.w - 1 - r.w;
    if (r.h > v->canvas.h - 2)
        r.h = v->canvas.h - 2;
    if (r.y + r.h > v->canvas.h - 1)
        r.y = v->row_y - r.h >= 0 ? v->row_y - r.h : v->canvas.h - 1 - r.h;
    return r;
}

static void draw_confirm(struct view *v)
{
    struct ask *a = &v->ask;
    const char *p = buf_str(&a->text), *end = p + a->text.len;
    char line[512];
    enum style style = ST_BOX;
    int lines = 0, widest = a->ways > 1 ? 58 : 48, y, columns = v->canvas.w - 6;
    struct rect r;

    for (; p < end; lines++) {
        int w = ask_next_row(&p, end, columns, line, sizeof(line));
        widest = w > widest ? w : widest;
    }
    if (text_width(a->title, strlen(a->title)) + 4 > widest)
        widest = text_width(a->title, strlen(a->title)) + 4;
    r = ask_place_box(v, widest + 4, lines + 4);
    if (a->scroll > lines - (r.h - 4))
        a->scroll = lines > r.h - 4 ? lines - (r.h - 4) : 0;
    canvas_frame(&v->canvas, r, ST_ACCENT);
    canvas_rule(&v->canvas, r.x + 1, r.y, r.w - 2, ST_ACCENT, ST_BOLD, a->title,
                lines > r.h - 4 ? "j k scroll" : NULL);
    p = buf_str(&a->text);
    y = r.y + 1;
    for (int i = 0; p < end && y < r.y + r.h - 3; i++) {
        if (p == buf_str(&a->text) || p[-1] == '\n')
            style = line_style(p);
        ask_next_row(&p, end, columns, line, sizeof(line));
        if (i >= a->scroll)
            canvas_put_cut(&v->canvas, r.x + 2, y++, r.w - 4, style, line);
    }
    y = r.y + r.h - 2;
    if (a->kind == ASK_WAIT) {
        canvas_put(&v->canvas, r.x + 2, y, r.w - 4, ST_BUSY,
                   "asking the supervisor …   Esc leaves");
    } else {
        int x = r.x + 2 + canvas_put(&v->canvas, r.x + 2, y, 2, ST_ACCENT, "y ");
        x += canvas_put(&v->canvas, x, y, r.x + r.w - 1 - x, ST_BOLD, a->verb);
        x += canvas_put(&v->canvas, x + 3, y, r.x + r.w - 4 - x, ST_ACCENT, "n ") + 3;
        x += canvas_put(&v->canvas, x, y, r.x + r.w - 1 - x, ST_NORMAL, "leave it (default)");
        if (a->ways > 1) {
            x += canvas_put(&v->canvas, x + 3, y, r.x + r.w - 4 - x, ST_ACCENT, "F ") + 3;
            canvas_putf(&v->canvas, x, y, r.x + r.w - 1 - x, ST_NORMAL, "another way (%zu of %zu)",
                        a->which + 1, a->ways);
        }
    }
}

void ask_draw(struct view *v)
{
    if (v->ask.kind == ASK_LIMITS)
        limits_draw(v);
    else if (v->ask.kind != ASK_NONE)
        draw_confirm(v);
}
