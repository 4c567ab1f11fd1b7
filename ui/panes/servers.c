/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of servers. A row that is not well has a second line that says why and what key helps;
 * one that pulls its image shows how far that is. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "panes/pane.h"
#include "table.h"

enum { C_NAME, C_STATE, C_WHERE, C_IMAGE, C_CPU, C_MEM, C_SPARK, C_LIMIT, C_TOOLS, C_CALLS, C_ERR,
      C_P95, C_RST, C_UP, C_COUNT };

static const struct column columns[C_COUNT] = {
    [C_NAME] = {"NAME", 14, 32, 0, false, SORT_NAME},
    [C_STATE] = {"STATE", 14, 14, 0, false, SORT_STATE},
    [C_WHERE] = {"WHERE", 8, 8, 2, false, 0},
    [C_IMAGE] = {"IMAGE", 12, 28, 11, false, 0},
    [C_CPU] = {"CPU%", 5, 5, 1, true, SORT_CPU},
    [C_MEM] = {"MEM", 5, 5, 1, true, SORT_MEMORY},
    [C_SPARK] = {"", 6, 12, 10, false, 0},
    [C_LIMIT] = {"LIMIT", 5, 5, 3, true, 0},
    [C_TOOLS] = {"TOOLS", 5, 5, 8, true, 0},
    [C_CALLS] = {"CALLS", 6, 6, 5, true, SORT_CALLS},
    [C_ERR] = {"ERR", 4, 5, 6, true, SORT_ERRORS},
    [C_P95] = {"P95", 6, 6, 7, true, SORT_P95},
    [C_RST] = {"RST", 4, 4, 9, true, SORT_RESTARTS},
    [C_UP] = {"UP", 6, 6, 1, true, SORT_UP},
};

static void layout(const struct view *v, struct table *t, struct rect r)
{
    int want[C_COUNT] = {0};

    for (int i = 0; i < v->order_count; i++) {
        const struct feed_server *s = v->order[i];
        int name = text_width(s->label, strlen(s->label)),
            image = text_width(s->image, strlen(s->image));
        if (name > want[C_NAME])
            want[C_NAME] = name;
        if (image > want[C_IMAGE])
            want[C_IMAGE] = image;
    }
    want[C_SPARK] = 10;
    table_layout(t, columns, C_COUNT, want, r.x + 2, r.w - 3);
}

static bool has_second_line(const struct feed_server *s)
{
    return pane_has_why(s);
}

static int pane_rows(const struct view *v, int width)
{
    int rows = 1 + v->order_count;

    (void)width;
    for (int i = 0; i < v->order_count; i++)
        rows += has_second_line(v->order[i]);
    return rows;
}

static void draw_pull(struct view *v, const struct feed_server *s, const struct table *t,
                      struct rect r, int y)
{
    struct canvas *c = &v->canvas;
    int x = t->x[C_CPU], end = r.x + r.w - 1;
    double share = s->pull_total > 0 ? (double)s->pull_done / (double)s->pull_total : 0;
    char rate[16];

    canvas_fill(c, (struct rect){x, y, end - x, 1}, ' ', ST_NORMAL);
    if (s->pull_total <= 0 || s->pull_layers <= 0) {
        canvas_put_cut(c, x + 1, y, end - x - 1, ST_DIM, s->pull_text);
        return;
    }
    x += canvas_putf(c, x + 1, y, end - x - 1, ST_DIM, "layer %d/%d ", s->pull_layer,
                     s->pull_layers) + 1;
    x += canvas_putf(c, x, y, 6, ST_BUSY, "%3.0f%% ", share * 100);
    if (end - x < 12)
        return;
    graph_meter(c, x, y, 12, ST_BUSY, share);
    x += 13;
    if (s->pull_rate > 0)
        canvas_putf(c, x, y, end - x, ST_DIM, "%s/s",
                    pane_size(s->pull_rate, rate, sizeof(rate)));
}

static void put_figures(struct view *v, const struct feed_server *s, const struct table *t, int y)
{
    struct canvas *c = &v->canvas;
    const struct feed_usage *u = &s->usage;
    bool live = view_is_live(v),
         tight = u->known && u->limit > 0 && u->memory > u->limit - u->limit / 10;
    enum style st = live ? ST_NORMAL : ST_DIM;
    char text[16];

    table_put(c, t, C_CPU, y, st, pane_cpu(u->known ? u->cpu : -1, text, sizeof(text)));
    table_put(c, t, C_MEM, y, tight ? ST_WARN : st,
              pane_size(u->known ? u->memory : -1, text, sizeof(text)));
    if (table_shows(t, C_SPARK) && u->known)
        graph_spark(c, t->x[C_SPARK], y, t->w[C_SPARK], live ? ST_GRAPH : ST_DIM, &s->memory,
                    u->limit > 0 ? (double)u->limit : series_max(&s->memory) * 1.5);
    if (s->calls.total >= 0) {
        table_put(c, t, C_CALLS, y, st, pane_count(s->calls.total, text, sizeof(text)));
        table_put(c, t, C_ERR, y, feed_failed_calls(&s->calls) > 0 ? ST_WARN : ST_DIM,
                  pane_count(feed_failed_calls(&s->calls), text, sizeof(text)));
    }
    table_put(c, t, C_P95, y, st,
              pane_us(s->calls.total > 0 ? s->calls.p95_us : -1, text, sizeof(text)));
}

static void put_up(struct view *v, const struct feed_server *s, const struct table *t, int y)
{
    int64_t now = clock_wall_ms();
    char span[16], text[24];

    if (s->retry_at_ms > now && view_is_live(v)) {
        snprintf(text, sizeof(text), "in %s",
                 pane_span(s->retry_at_ms - now + 999, span, sizeof(span)));
        table_put(&v->canvas, t, C_UP, y, ST_BUSY, text);
    } else {
        table_put(&v->canvas, t, C_UP, y, ST_DIM,
                  s->up_since_ms ? pane_span(now - s->up_since_ms, span, sizeof(span)) : "-");
    }
}

/* How many its clients get, of how many. */
static void put_tools(struct view *v, const struct feed_server *s, const struct table *t, int y)
{
    bool known = s->tool_count >= 0 && s->state == STATE_READY;
    bool hides = known && s->tools_shown >= 0 && s->tools_shown != s->tool_count;
    char text[32];

    if (hides)
        snprintf(text, sizeof(text), "%d/%d", s->tools_shown, s->tool_count);
    table_put(&v->canvas, t, C_TOOLS, y, ST_DIM,
              hides ? text : known ? pane_count(s->tool_count, text, sizeof(text)) : "-");
}

/* Where the figures of a server that has none would stand. */
static void put_reason(struct view *v, const struct feed_server *s, const struct table *t, int y)
{
    AUTO_BUF struct buf why = BUF_INIT;
    int x = t->x[C_CPU] + 1;

    pane_why(v, s, &why);
    canvas_put_cut(&v->canvas, x, y, t->x[C_UP] - x - 1,
                   view_is_live(v) && !s->asleep ? ST_WARN : ST_DIM,
                   buf_str(&why));
    put_up(v, s, t, y);
}

/* height: 1 or, with the second line that says why, 2. */
static void draw_row(struct view *v, const struct feed_server *s, const struct table *t,
                     struct rect r, int y, int height)
{
    struct canvas *c = &v->canvas;
    enum style state = pane_state_style(s);
    bool live = view_is_live(v), weak = *s->where_weak;
    char text[64];

    table_put(c, t, C_NAME, y,
              feed_is_bad(s)              ? ST_BAD
              : s->state == STATE_STOPPED ? ST_DIM
                                          : ST_BOLD,
              s->label);
    canvas_put(c, t->x[C_STATE], y, 1, state, feed_state_symbol(s->state));
    if (s->processes > 1)
        snprintf(text, sizeof(text), "%s x%d", s->state_word, s->processes);
    else
        snprintf(text, sizeof(text), "%s", s->state_word);
    canvas_put_cut(c, t->x[C_STATE] + 2, y, t->w[C_STATE] - 2,
                   !live || s->state == STATE_READY ? ST_NORMAL : state, text);
    snprintf(text, sizeof(text), "%s%s", *s->where ? s->where : "-", weak ? " !" : "");
    table_put(c, t, C_WHERE, y, weak ? ST_WARN : ST_NORMAL, text);
    table_put(c, t, C_IMAGE, y, ST_DIM, *s->image ? s->image : "-");
    if (s->state == STATE_PULLING) {
        draw_pull(v, s, t, r, y);
        return;
    }
    if (s->asleep || (height == 1 && has_second_line(s) && !s->usage.known)) {
        put_reason(v, s, t, y);
        return;
    }
    put_figures(v, s, t, y);
    pane_size(s->usage.limit > 0 ? s->usage.limit : -1, text, sizeof(text));
    if (!s->usage.known && *s->plan.memory && strcmp(s->where, "docker") == 0)
        pane_size(text_parse_size(s->plan.memory), text, sizeof(text));
    table_put(c, t, C_LIMIT, y, ST_DIM, text);
    put_tools(v, s, t, y);
    table_put(c, t, C_RST, y, s->restarts > 0 ? ST_WARN : ST_DIM,
              pane_count(s->restarts, text, sizeof(text)));
    put_up(v, s, t, y);
}

/* The reason, and the key at the right end, which has a little more than half where both are long:
 * "F fix: Weakens: network_mode none → bridge" is whole in 80 columns. The end of each is cut. */
static void draw_why(struct view *v, const struct feed_server *s, struct rect r, int y)
{
    AUTO_BUF struct buf why = BUF_INIT, hint = BUF_INIT;
    int room = r.w - 6, share = room * 4 / 7, wide, said;
    enum style st = view_is_live(v) ? ST_WARN : ST_DIM;

    pane_hint(v, s, &hint);
    pane_why(v, s, &why);
    wide = text_width(buf_str(&hint), hint.len);
    said = text_width(buf_str(&why), why.len);
    if (wide > share && said + 2 + wide > room)
        wide = said < room - share - 2 ? room - said - 2 : share;
    canvas_put_cut(&v->canvas, r.x + 4, y, room - wide - 2, st, buf_str(&why));
    canvas_put_cut(&v->canvas, r.x + 4 + room - wide, y, wide, ST_ACCENT, buf_str(&hint));
}

static int row_height(const struct view *v, int i, bool all_fit)
{
    return has_second_line(v->order[i]) && (all_fit || i == v->servers.at) ? 2 : 1;
}

/* First row such that the selected one is on screen with its second line. */
static int first_row(struct view *v, int room, bool all_fit)
{
    int top = v->servers.top, used = 0;

    if (top > v->servers.at)
        top = v->servers.at;
    for (int i = top; i <= v->servers.at && i < v->order_count; i++)
        used += row_height(v, i, all_fit);
    while (used > room && top < v->servers.at)
        used -= row_height(v, top++, all_fit);
    for (int i = v->servers.at + 1; i < v->order_count; i++)
        used += row_height(v, i, all_fit);
    while (top > 0 && used + row_height(v, top - 1, all_fit) <= room)
        /* no empty rows below while there are some above */
        used += row_height(v, --top, all_fit);
    return top;
}

static void draw_empty(struct view *v, struct rect r)
{
    const char *path = v->feed.status.config_path;

    if (v->connection == CONN_CONNECTING || !v->feed.status.known)
        return;
    if (*v->servers.filter) {
        canvas_putf(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM,
                    "no server matches \"%s\"; Esc shows all", v->servers.filter);
        return;
    }
    bool broken = v->feed.status.errors > 0;
    canvas_put_cut(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM,
                   broken ? "no servers: this file has an error, and ! shows where:"
                          : "no servers yet; what you add to this file is read at once:");
    canvas_put_cut(&v->canvas, r.x + 2, r.y + 3, r.w - 3, ST_NORMAL,
                   *path ? path : "mcp_config.json");
}

static void draw(struct view *v, struct rect r)
{
    struct table t;
    int room = r.h - 1, y = r.y + 1, i;
    bool all_fit = pane_rows(v, r.w) <= r.h;

    layout(v, &t, r);
    table_head(&v->canvas, &t, r.y, v->sort, v->inverted);
    table_filter(&v->canvas, &t, r.y, v->servers.filter);
    if (!v->order_count)
        draw_empty(v, r);
    v->servers.page = room;
    v->servers.top = first_row(v, room, all_fit);
    for (i = v->servers.top; i < v->order_count && y < r.y + r.h; i++) {
        int height = row_height(v, i, all_fit);
        draw_row(v, v->order[i], &t, r, y, height);
        pane_row_finish(v, r, y, i == v->servers.at, v->order[i]->marked);
        y++;
        if (height == 2 && y < r.y + r.h)
            draw_why(v, v->order[i], r, y++);
    }
    if (v->servers.top > 0)
        canvas_put(&v->canvas, r.x, r.y, 1, ST_ACCENT, "▲");
    if (i < v->order_count)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + r.h - 1, 1, ST_ACCENT, "▼");
}

const struct pane pane_servers = {"servers", IN_SERVERS, draw, pane_rows};
