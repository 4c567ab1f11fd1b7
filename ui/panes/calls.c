/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Traffic call by call: those in flight with their age, then the last ones; and one opened. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "panes/pane.h"
#include "table.h"

enum { C_TIME, C_SERVER, C_CLIENT, C_TOOK, C_OUT, C_IN, C_REC, C_WHAT, C_COUNT };
static const struct column columns[C_COUNT] = {
    [C_TIME] = {"TIME", 9, 9, 0, false, 0}, [C_SERVER] = {"SERVER", 12, 24, 1, false, 0},
    [C_CLIENT] = {"CLIENT", 12, 24, 2, false, 0}, [C_TOOK] = {"TOOK", 6, 6, 0, true, 0},
    [C_OUT] = {"OUT", 6, 6, 4, true, 0}, [C_IN] = {"IN", 6, 6, 3, true, 0},
    [C_REC] = {"REC", 3, 3, 2, false, 0}, [C_WHAT] = {"CALL", 20, 200, 0, false, 0},
};

static int list_rows(const struct view *v, int width)
{
    (void)width;
    return 1 + v->calls.shown_count;
}

static void put_row(struct view *v, const struct table *t, const struct call_row *r, int y)
{
    struct canvas *c = &v->canvas;
    enum style st = view_is_live(v) ? ST_NORMAL : ST_DIM;
    char text[16];

    table_put(c, t, C_TIME, y, r->open ? ST_ACCENT : ST_DIM,
              r->held   ? "waits"
              : r->open ? "in flight"
                        : pane_clock(r->wall_ms, text, sizeof(text)));
    table_put(c, t, C_SERVER, y, ST_BOLD, r->server);
    table_put(c, t, C_CLIENT, y, st, r->client);
    table_put(c, t, C_TOOK, y, r->open ? ST_ACCENT : st,
              r->open ? pane_span(clock_wall_ms() - r->wall_ms, text, sizeof(text))
                      : pane_us(r->took_us, text, sizeof(text)));
    table_put(c, t, C_OUT, y, ST_DIM, pane_size(r->bytes_out, text, sizeof(text)));
    table_put(c, t, C_IN, y, ST_DIM, pane_size(r->bytes_in, text, sizeof(text)));
    table_put(c, t, C_REC, y, ST_ACCENT, r->recorded ? "*" : "");
    if (r->error || r->tool_error) {
        char what[192];
        snprintf(what, sizeof(what), "! %.150s%s", r->what, r->error ? "" : " (tool failed)");
        table_put(c, t, C_WHAT, y, r->error ? ST_BAD : ST_WARN, what);
    } else {
        table_put(c, t, C_WHAT, y, st, r->what);
    }
}

static void draw_list(struct view *v, struct rect r)
{
    int want[C_COUNT] = {[C_TIME] = 9, [C_SERVER] = 16, [C_CLIENT] = 20, [C_WHAT] = 200};
    struct table t;
    int top = pane_window(&v->call_list, r.h - 1);

    table_layout(&t, columns, C_COUNT, want, r.x + 2, r.w - 3);
    table_head(&v->canvas, &t, r.y, 0, false);
    table_filter(&v->canvas, &t, r.y, v->call_list.filter);
    if (!v->calls.known || !v->calls.n)
        canvas_put(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM,
                   v->calls.known ? "no calls yet" : "asking …");
    else if (!v->calls.shown_count)
        canvas_put(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM, "no call matches; Esc shows all");
    for (int i = top; i < v->calls.shown_count && i - top < r.h - 1; i++) {
        int y = r.y + 1 + i - top;
        put_row(v, &t, v->calls.shown[i], y);
        pane_row_finish(v, r, y, i == v->call_list.at, false);
    }
}

const struct pane pane_calls = {"calls", IN_CALLS, draw_list, list_rows};

/* ---- one ---- */

static enum style line_style(const char *line)
{
    switch (line[0]) {
    case '+': return ST_ADD;
    case '-': return ST_DEL;
    case '@': return ST_DIM;
    default: return ST_NORMAL;
    }
}

/* Draws the rows from `scroll` on, or counts all (r.h 0): long lines are broken where they must. */
static int put_text(struct view *v, struct rect r, int scroll)
{
    const char *text = buf_str(&v->calls.text), *end = text + v->calls.text.len;
    int row = 0;

    for (const char *p = text; p < end && (!r.h || row < scroll + r.h);) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
        enum style st = line_style(p);
        do {
            int used;
            size_t n = text_fit(p, (size_t)(stop - p), r.w - 2, &used);
            char line[2048];
            if (!n && p < stop)
                n = 1;
            snprintf(line, sizeof(line), "%.*s", (int)n, p);
            if (r.h && row >= scroll && row < scroll + r.h)
                canvas_put(&v->canvas, r.x + 1, r.y + row - scroll, r.w - 2, st, line);
            p += n;
            row++;
        } while (p < stop);
        p = stop + 1;
    }
    return row;
}

static int one_rows(const struct view *v, int width)
{
    (void)width;
    return v->canvas.h;      /* the whole height, whatever its length */
}

static void draw_one(struct view *v, struct rect r)
{
    int rows = put_text(v, (struct rect){r.x, r.y, r.w, 0}, 0), room = r.h - 1;
    AUTO_BUF struct buf title = BUF_INIT;

    if (v->detail_scroll > rows - room)
        v->detail_scroll = rows - room;
    if (v->detail_scroll < 0)
        v->detail_scroll = 0;
    buf_add_str(&title, "call ");
    text_clean_plain(&title, v->calls.id ? v->calls.id : "", v->calls.id ? strlen(v->calls.id) : 0);
    canvas_rule(&v->canvas, r.x, r.y, r.w, ST_RULE, ST_ACCENT, buf_str(&title), NULL);
    put_text(v, (struct rect){r.x, r.y + 1, r.w, room}, v->detail_scroll);
    if (rows - v->detail_scroll > room)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + r.h - 1, 1, ST_ACCENT, "▼");
}

const struct pane pane_call = {"call", IN_CALL, draw_one, one_rows};
