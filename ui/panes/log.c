/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The log pane. It is laid out from its lowest line upwards: while following that is the newest
 * line, else the anchor, which stays where it is whatever arrives. Foreign bytes are made harmless
 * here, line by line, only when drawn. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

enum { SERVER_W = 12, PAGE_LINES = 500 };

static bool is_note(const struct logline *l)
{
    return l->kind == LOGLINE_MARK || l->kind == LOGLINE_GAP || l->kind == LOGLINE_BREAK;
}

static bool line_contains(const struct logline *l, const char *needle)
{
    AUTO_BUF struct buf text = BUF_INIT;

    text_clean_plain(&text, l->text, l->len);
    return view_contains(buf_str(&text), text.len, needle);
}

/* Whether the filter (&) lets it through; the answer is kept with the line. */
static bool passes(const struct view *v, struct logline *l)
{
    if (!*v->log.filter || is_note(l))
        return true;
    if (l->filter_gen != v->log.filter_gen) {
        l->filter_gen = v->log.filter_gen;
        l->matches = line_contains(l, v->log.filter);
    }
    return l->matches;
}

/* The next line shown from index i on in a direction, i itself included; NULL past the end. */
static struct logline *shown_from(const struct view *v, size_t *i, int direction)
{
    for (; *i < v->feed.log.count; *i += (size_t)direction) {
        struct logline *l = loglines_at(&v->feed.log, *i);
        if (passes(v, l))
            return l;
    }
    return NULL;
}

/* ---- one line ---- */

static int prefix_width(const struct view *v)
{
    return (v->log.times ? 9 : 0) + (v->feed.log_all ? SERVER_W + 1 : 0);
}

static const char *stream_word(const struct logline *l)
{
    return l->kind == LOGLINE_OUT ? "stdout! " : "";
}

static int text_columns(const struct view *v, const struct logline *l)
{
    int w = v->log.width - prefix_width(v) - (int)strlen(stream_word(l));

    return w < 1 ? 1 : w;
}

/* Wrapped row number `row` begins at *start columns; returns how many rows there are. */
static int wrap(const struct text_line *t, int columns, int row, int *start)
{
    const char *p = buf_str(&t->bytes);
    size_t left = t->bytes.len;
    int rows = 0, at = 0;

    do {
        int used = 0;
        size_t n = text_fit(p, left, columns, &used);
        if (rows == row)
            *start = at;
        if (n == 0 && left)
            break;      /* a character wider than the pane */
        p += n;
        left -= n;
        at += used;
        rows++;
    } while (left);
    return rows ? rows : 1;
}

static int rows_of(const struct view *v, const struct logline *l)
{
    struct text_line t = TEXT_LINE_INIT;
    int rows, start = 0;

    if (!v->log.wrap || is_note(l))
        return 1;
    text_clean(&t, l->text, l->len);
    rows = wrap(&t, text_columns(v, l), 0, &start);
    text_line_fini(&t);
    return rows;
}

static void tint_matches(struct view *v, const struct text_line *t, int x, int y, int columns,
                         int skip)
{
    const char *text = buf_str(&t->bytes), *needle = v->log.search;
    size_t len = strlen(needle);
    int col = 0;

    for (size_t i = 0; i + len <= t->bytes.len;) {
        uint32_t cp;
        size_t step = text_decode(text + i, t->bytes.len - i, &cp);
        if (view_contains(text + i, len, needle)) {
            int width = text_width(text + i, len), from = col - skip;
            if (from < 0)
                from = 0;
            if (col + width - skip > from && from < columns)
                canvas_tint(&v->canvas,
                            (struct rect){x + from, y,
                                          col + width - skip < columns ? col + width - skip - from
                                                                       : columns - from,
                                          1},
                            ST_MATCH);
        }
        col += text_cp_width(cp);
        i += step;
    }
}

static void draw_note(struct view *v, const struct logline *l, int x, int y, int w)
{
    char when[16], text[96];

    if (l->kind != LOGLINE_GAP) {
        snprintf(text, sizeof(text), "%s %s",
                 l->kind == LOGLINE_MARK ? "mark" : "another supervisor since",
                 pane_clock(l->t_ms, when, sizeof(when)));
        canvas_rule(&v->canvas, x, y, w, ST_ACCENT, ST_ACCENT, text, NULL);
        return;
    }
    snprintf(text, sizeof(text), "· %llu lines not shown: they came faster than a screen can show",
             (unsigned long long)(l->gap_to - l->seq + 1));
    canvas_put_cut(&v->canvas, x, y, w, ST_WARN, text);
}

static int draw_prefix(struct view *v, const struct logline *l, int x, int y, bool first)
{
    struct canvas *c = &v->canvas;
    char when[16];

    if (v->log.times) {
        if (first)
            canvas_put(c, x, y, 8, ST_DIM, pane_clock(l->t_ms, when, sizeof(when)));
        x += 9;
    }
    if (v->feed.log_all) {
        if (first && l->server)
            canvas_put_cut(c, x, y, SERVER_W, ST_ACCENT, l->server);
        x += SERVER_W + 1;
    }
    if (first)
        canvas_put(c, x, y, 8, ST_BAD, stream_word(l));
    return x + (int)strlen(stream_word(l));
}

static enum style line_style(const struct view *v, const struct logline *l)
{
    return !view_is_live(v) || l->kind == LOGLINE_SUP ? ST_DIM : ST_NORMAL;
}

/* Row `row` of a line (0 unless wrapped). */
static void draw_line(struct view *v, const struct logline *l, int row, struct rect r, int y)
{
    struct text_line t = TEXT_LINE_INIT;
    int columns = text_columns(v, l), skip = v->log.left, x;

    if (is_note(l)) {
        draw_note(v, l, r.x, y, r.w);
        return;
    }
    text_clean(&t, l->text, l->len);
    if (v->log.wrap)
        wrap(&t, columns, row, &skip);
    x = draw_prefix(v, l, r.x, y, row == 0);
    canvas_put_line(&v->canvas, x, y, columns, skip, line_style(v, l), &t);
    if (*v->log.search)
        tint_matches(v, &t, x, y, columns, skip);
    if (!v->log.wrap && text_width(buf_str(&t.bytes), t.bytes.len) - skip > columns)
        canvas_put(&v->canvas, r.x + r.w - 1, y, 1, ST_ACCENT, ">");
    text_line_fini(&t);
}

/* ---- the pane ---- */

static void title(const struct view *v, char *out, size_t n)
{
    const struct feed_server *s = feed_find(&v->feed, v->feed.log_server);
    size_t used;

    if (v->feed.log_all)
        snprintf(out, n, "log: all servers");
    else
        snprintf(out, n, "log: %s", s ? s->label : "-");
    used = strlen(out);
    if (*v->log.filter)
        used += (size_t)snprintf(out + used, n - used, " & %s", v->log.filter);
    if (*v->log.search && used < n)
        snprintf(out + used, n - used, " / %s", v->log.search);
}

static size_t anchor_index(const struct view *v)
{
    return v->log.follow ? v->feed.log.count - 1 : loglines_index(&v->feed.log, v->log.anchor);
}

static void note(const struct view *v, char *out, size_t n)
{
    const struct loglines *l = &v->feed.log;
    unsigned long long newer = l->behind_count + (l->count ? l->count - 1 - anchor_index(v) : 0);

    if (v->log.follow)
        snprintf(out, n, "following");
    else if (newer)
        snprintf(out, n, "paused, %llu newer · G follows", newer);
    else
        snprintf(out, n, "paused · G follows");
}

static void ask_older(struct view *v)
{
    uint64_t oldest = loglines_oldest_seq(&v->feed.log);
    char fmt[96];

    if (v->log.follow || v->log.paging || v->log.at_oldest || v->feed.log_all ||
        v->feed.log.broken || oldest <= 1 || !v->feed.log_server)
        return;
    v->log.paging = true;
    snprintf(fmt, sizeof(fmt), "/api/v1/servers/%%s/logs?before=%llu&limit=%d",
             (unsigned long long)oldest, PAGE_LINES);
    view_send(v, REPLY_LOG_OLDER, v->feed.log_server, NULL, "GET", fmt, NULL);
}

static void ask_newer(struct view *v)
{
    char fmt[96];

    if (!v->feed.log.behind || v->log.paging || v->feed.log_all || !v->feed.log_server)
        return;
    v->log.paging = true;
    snprintf(fmt, sizeof(fmt), "/api/v1/servers/%%s/logs?since=%llu&limit=%d",
             (unsigned long long)loglines_last_seq(&v->feed.log), PAGE_LINES);
    view_send(v, REPLY_LOG_NEWER, v->feed.log_server, NULL, "GET", fmt, NULL);
}

/* Counts the rows that the held lines fill, up to `room`: few lines stand at the top of the
 * pane. */
static int rows_filled(struct view *v, int room)
{
    size_t i = anchor_index(v);
    int rows = v->log.follow ? 0 : -v->log.anchor_cut;

    for (struct logline *l; rows < room && (l = shown_from(v, &i, -1)); i--)
        rows += rows_of(v, l);
    return rows < room ? rows : room;
}

/* A line has fewer rows than it had where the pane was made wider, or wrapping was turned off. */
static void fit_anchor(struct view *v)
{
    struct logline *l = loglines_at(&v->feed.log, anchor_index(v));
    int rows = l && v->log.anchor_cut > 0 ? rows_of(v, l) : 1;

    if (v->log.anchor_cut >= rows)
        v->log.anchor_cut = rows - 1;
}

void pane_log_draw(struct view *v, struct rect r)
{
    char name[600], state[96];
    size_t i;
    int y, cut;

    title(v, name, sizeof(name));
    note(v, state, sizeof(state));
    canvas_rule(&v->canvas, r.x, r.y, r.w, ST_RULE, v->focus_log ? ST_ACCENT : ST_BOLD, name,
                state);
    v->log.page = r.h - 1;
    v->log.width = r.w;
    if (!v->feed.log.count) {
        canvas_put(&v->canvas, r.x + 2, r.y + 1, r.w - 2, ST_DIM,
                   v->feed.log_server || v->feed.log_all ? "nothing yet" : "");
        return;
    }
    i = anchor_index(v);
    fit_anchor(v);
    cut = v->log.follow ? 0 : v->log.anchor_cut;
    y = r.y + rows_filled(v, r.h - 1);
    for (struct logline *l; y > r.y && (l = shown_from(v, &i, -1)); i--) {
        int rows = rows_of(v, l);
        for (int row = rows - 1 - cut; row >= 0 && y > r.y; row--)
            draw_line(v, l, row, (struct rect){r.x, r.y, r.w, r.h}, y--);
        cut = 0;
        v->log.top_id = l->id;
    }
    if (y > r.y || loglines_index(&v->feed.log, v->log.top_id) == 0)
        ask_older(v);
}

/* The newest again, after lines were left out while the user read. */
static void catch_up(struct view *v)
{
    struct loglines *l = &v->feed.log;
    struct logline gap = {.kind = LOGLINE_GAP,
                          .seq = 1,
                          .gap_to = l->behind_count,
                          .t_ms = clock_wall_ms(),
                          .text = (char *)""};
    bool can_page = v->feed.log_server && !v->feed.log_all;

    l->behind = false;
    l->behind_count = 0;
    if (can_page) {
        v->log.paging = true;
        view_send(v, REPLY_LOG_LATEST, v->feed.log_server, NULL, "GET",
                  "/api/v1/servers/%s/logs?tail=1000", NULL);
    } else {
        loglines_append(l, &gap);
    }
}

void pane_log_follow(struct view *v, bool on)
{
    struct loglines *l = &v->feed.log;

    if (!on && v->log.follow && l->count) {
        v->log.anchor = loglines_at(l, l->count - 1)->id;
        v->log.anchor_cut = 0;
    }
    v->log.follow = on;
    v->log.match = 0;
    l->hold = !on;
    if (on && l->behind)
        catch_up(v);
}

static bool row_up(struct view *v)
{
    uint64_t anchor = v->log.anchor;
    int cut = v->log.anchor_cut;
    size_t i = loglines_index(&v->feed.log, anchor);
    struct logline *l = loglines_at(&v->feed.log, i);

    if (l && cut + 1 < rows_of(v, l)) {
        v->log.anchor_cut++;
    } else {
        i--;
        l = shown_from(v, &i, -1);
        if (!l)
            return false;
        v->log.anchor = l->id;
        v->log.anchor_cut = 0;
    }
    if (rows_filled(v, v->log.page) >= v->log.page)
        return true;
    v->log.anchor = anchor;     /* the oldest line stays at the top */
    v->log.anchor_cut = cut;
    ask_older(v);
    return false;
}

static bool row_down(struct view *v)
{
    size_t i = loglines_index(&v->feed.log, v->log.anchor) + 1;
    struct logline *l;

    if (v->log.anchor_cut > 0) {
        v->log.anchor_cut--;
        return true;
    }
    l = shown_from(v, &i, 1);
    if (!l)
        return false;
    v->log.anchor = l->id;
    v->log.anchor_cut = rows_of(v, l) - 1;
    return true;
}

static void to_oldest(struct view *v)
{
    size_t i = 0;
    struct logline *l = shown_from(v, &i, 1);

    if (!l)
        return;
    v->log.anchor = l->id;
    v->log.anchor_cut = 0;
    while (rows_filled(v, v->log.page) < v->log.page && row_down(v))
        ;
    ask_older(v);
}

/* Rows to move, downwards positive; 0: not a movement. */
static int step_of(const struct view *v, enum request req)
{
    int page = v->log.page > 1 ? v->log.page - 1 : 1;

    switch (req) {
    case REQ_UP: return -1;
    case REQ_DOWN: return 1;
    case REQ_PAGE_UP: return -page;
    case REQ_PAGE_DOWN: return page;
    case REQ_HALF_UP: return -(page + 1) / 2;
    case REQ_HALF_DOWN: return (page + 1) / 2;
    default: return 0;
    }
}

void pane_log_move(struct view *v, enum request req)
{
    int step = step_of(v, req);

    if (req == REQ_LEFT || req == REQ_RIGHT) {
        v->log.left += req == REQ_RIGHT ? 8 : -8;
        if (v->log.left < 0 || v->log.wrap)
            v->log.left = 0;
        return;
    }
    if (req == REQ_BOTTOM || !v->feed.log.count) {
        pane_log_follow(v, true);
        return;
    }
    if (v->log.follow && step > 0)
        return;
    pane_log_follow(v, false);
    if (req == REQ_TOP)
        to_oldest(v);
    for (; step < 0 && row_up(v); step++)
        ;
    for (; step > 0 && row_down(v); step--)
        ;
    if (step > 0 && v->feed.log.behind)
        ask_newer(v);
    else if (step > 0)
        pane_log_follow(v, true);
}

/* Brings a line into the pane, in its middle unless it is there already. */
static void bring_up(struct view *v, const struct logline *l)
{
    size_t at = loglines_index(&v->feed.log, l->id);

    if (at >= loglines_index(&v->feed.log, v->log.top_id) && at <= anchor_index(v)) {
        if (v->log.follow)
            pane_log_follow(v, false);
        return;
    }
    pane_log_follow(v, false);
    v->log.anchor = l->id;
    v->log.anchor_cut = 0;
    for (int i = 0;
         (i < v->log.page / 2 || rows_filled(v, v->log.page) < v->log.page) && row_down(v); i++)
        ;
}

void pane_log_search(struct view *v, int direction)
{
    int step = direction > 0 ? 1 : -1;
    size_t i = anchor_index(v);
    struct logline *l;

    if (!*v->log.search) {
        view_toast(v, true, "nothing to search for: Tab to the log, then / and a word");
        return;
    }
    if (direction && v->log.match)
        i = loglines_index(&v->feed.log, v->log.match) + (size_t)step;
    while ((l = shown_from(v, &i, step)) && (is_note(l) || !line_contains(l, v->log.search)))
        i += (size_t)step;
    if (!l) {
        view_toast(v, true, "no %s line with \"%s\"",
                   direction > 0   ? "newer"
                   : direction < 0 ? "older"
                                   : "earlier",
                   v->log.search);
        return;
    }
    bring_up(v, l);
    v->log.match = l->id;
}

void pane_log_visible(struct view *v, struct buf *out, bool all)
{
    size_t from = all ? 0 : loglines_index(&v->feed.log, v->log.top_id), to = anchor_index(v);

    if (all && v->feed.log.count)
        to = v->feed.log.count - 1;
    for (size_t i = from; i <= to && i < v->feed.log.count; i++) {
        struct logline *l = loglines_at(&v->feed.log, i);
        char when[40];
        if (is_note(l) || !passes(v, l))
            continue;
        if (all)
            buf_printf(out, "%s ", clock_iso(l->t_ms, when, sizeof(when)));
        if (l->server)
            buf_printf(out, "%s ", l->server);
        text_clean_plain(out, l->text, l->len);
        buf_add_char(out, '\n');
    }
}
