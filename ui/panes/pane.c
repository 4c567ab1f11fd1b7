/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the panes share: how figures, moments and states are written. */
#include "panes/pane.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"

char *pane_cpu(double cpu, char *out, size_t n)
{
    if (cpu < 0)
        snprintf(out, n, "-");
    else
        snprintf(out, n, cpu < 99.95 ? "%.1f" : "%.0f", cpu);
    return out;
}

char *pane_size(int64_t bytes, char *out, size_t n)
{
    if (bytes < 0)
        snprintf(out, n, "-");
    else
        text_size(bytes, out, n);
    return out;
}

char *pane_count(int64_t count, char *out, size_t n)
{
    if (count < 0)
        snprintf(out, n, "-");
    else if (count < 100000)
        snprintf(out, n, "%lld", (long long)count);
    else if (count < 10000000)
        snprintf(out, n, "%lldk", (long long)count / 1000);
    else
        snprintf(out, n, "%lldM", (long long)count / 1000000);
    return out;
}

char *pane_us(int64_t us, char *out, size_t n)
{
    if (us < 0)
        snprintf(out, n, "-");
    else if (us < 1000)
        snprintf(out, n, "%lldus", (long long)us);
    else if (us < 1000000)
        snprintf(out, n, "%lldms", (long long)us / 1000);
    else
        snprintf(out, n, "%.1fs", (double)us / 1e6);
    return out;
}

char *pane_span(int64_t ms, char *out, size_t n)
{
    long long s = ms > 0 ? ms / 1000 : 0;

    if (s < 60)
        snprintf(out, n, "%llds", s);
    else if (s < 3600)
        snprintf(out, n, "%lldm", s / 60);
    else if (s < 86400)
        snprintf(out, n, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else if (s < 100 * 86400)
        snprintf(out, n, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    else
        snprintf(out, n, "%lldd", s / 86400);
    return out;
}

char *pane_clock(int64_t wall_ms, char *out, size_t n)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (!localtime_r(&t, &tm) || !strftime(out, n, "%H:%M:%S", &tm))
        *out = '\0';
    return out;
}

char *pane_ago(int64_t wall_ms, char *out, size_t n)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (clock_wall_ms() - wall_ms < 20 * 3600 * 1000LL) {
        pane_clock(wall_ms, out, n);
        out[5] = '\0';
    } else if (!localtime_r(&t, &tm) || !strftime(out, n, "%b %e", &tm)) {
        *out = '\0';
    }
    return out;
}

enum style pane_state_style(const struct feed_server *s)
{
    switch (s->state) {
    case STATE_READY: return ST_OK;
    case STATE_STOPPED: case STATE_UNKNOWN: return ST_DIM;
    case STATE_SILENT: return ST_WARN;
    case STATE_FAILED: case STATE_BACKING_OFF: return ST_BAD;
    default: return ST_BUSY;
    }
}

void pane_row_finish(struct view *v, struct rect r, int y, bool selected, bool marked)
{
    if (marked)
        canvas_tint(&v->canvas, (struct rect){r.x, y, r.w, 1}, ST_MARKED);
    if (selected && !v->focus_log)
        canvas_tint(&v->canvas, (struct rect){r.x, y, r.w, 1}, ST_SELECTED);
    if (marked)
        canvas_put(&v->canvas, r.x, y, 1, selected && !v->focus_log ? ST_SELECTED : ST_MARKED, "+");
    if (selected) {
        canvas_put(&v->canvas, r.x, y, 1, v->focus_log ? ST_ACCENT : ST_SELECTED,
                   marked ? "#" : ">");
        v->row_y = y;
    }
}

int pane_window(struct list *l, int room)
{
    l->page = room;
    if (l->top > l->at)
        l->top = l->at;
    if (l->at - l->top >= room)
        l->top = l->at - room + 1;
    if (l->top > l->count - room)
        l->top = l->count - room;
    if (l->top < 0)
        l->top = 0;
    return l->top;
}

/* "a, 14 times since 09:12" */
static void put_finding(const struct feed_finding *f, struct buf *out)
{
    char when[16];

    buf_add_str(out, f->message);
    if (f->times > 1)
        buf_printf(out, ", %d times since %s", f->times,
                   pane_ago(f->since_ms, when, sizeof(when)));
    else if (f->guess)
        buf_add_str(out, " (a guess)");
}

/* Half a row is short for "Weakens isolation: mount …": the first word stays, and what is done is
 * seen. */
static void put_fix(const char *title, struct buf *out)
{
    static const char whole[] = "Weakens isolation: ";
    bool weakens = strncmp(title, whole, sizeof(whole) - 1) == 0;

    buf_printf(out, "F fix: %s%s", weakens ? "Weakens: " : "",
               title + (weakens ? sizeof(whole) - 1 : 0));
}

void pane_hint(const struct view *v, const struct feed_server *s, struct buf *out)
{
    const struct feed_finding *f = &s->finding;

    if (v->readonly || !pane_has_why(s) || *s->waits)
        return;
    if (feed_is_bad(s) && !strncmp(s->reason, "engine down", 11))
        return;      /* it starts by itself once the engine is back; F is the second best */
    if (f->fix_count)
        put_fix(f->fixes[0].title, out);
    else if (!strcmp(f->code ? f->code : "", "MCPX_TOOL_CHANGED") &&
             s->tools_changed + s->tools_new)
        buf_add_str(out, "A: see and approve");
    else if (!feed_is_bad(s))
        buf_add_str(out, "Enter: what to do");
    else if (!*s->where)
        return;      /* it cannot as configured */
    else if (s->state == STATE_SILENT)
        buf_add_str(out, "r: restart");
    else
        buf_add_str(out, s->wanted_up ? "r: try now" : "S: start");
}

bool pane_has_why(const struct feed_server *s)
{
    return feed_is_bad(s) || *s->waits || (s->finding.known && s->wanted_up);
}

void pane_why(const struct view *v, const struct feed_server *s, struct buf *out)
{
    const char *why = *s->reason ? s->reason : s->last_error;
    char text[16];

    if (*s->waits) {
        buf_printf(out, "%s, %s", s->waits,
                   pane_span(clock_wall_ms() - s->waits_since_ms, text, sizeof(text)));
    } else if (s->finding.known) {
        put_finding(&s->finding, out);
    } else if (feed_is_bad(s)) {
        buf_add_str(out, *why ? why : s->state_word);
        if (s->restarts > 0)
            buf_printf(out, " · %d restart%s", s->restarts, s->restarts == 1 ? "" : "s");
    } else if (s->asleep) {
        buf_add_str(out, s->reason);
    }
    if (feed_is_bad(s) && s->retry_at_ms > clock_wall_ms() && view_is_live(v))
        buf_printf(out, " · again in %s",
                   pane_span(s->retry_at_ms - clock_wall_ms() + 999, text, sizeof(text)));
}
