/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Series, sparklines and meters. Knows the canvas, not what the figures mean. */
#include "graph.h"

static void push(struct series *s, float v)
{
    s->v[s->head] = v;
    s->head = (s->head + 1) % SERIES_LEN;
    if (s->count < SERIES_LEN)
        s->count++;
}

void series_advance(struct series *s, int64_t wall_ms)
{
    int64_t step = wall_ms / SERIES_STEP_MS;

    if (s->step == 0 || step < s->step)
        s->step = step;     /* the first one, or the clock was set back */
    if (step - s->step > SERIES_LEN) {
        s->count = 0;       /* slept longer than the graph shows */
        s->step = step;
        return;
    }
    while (s->step < step) {
        push(s, s->now);
        s->now = s->last;
        s->step++;
    }
}

void series_add(struct series *s, int64_t wall_ms, double value)
{
    bool first = s->step == 0;

    series_advance(s, wall_ms);
    s->last = (float)value;
    if (first || s->last > s->now)
        s->now = s->last;
}

double series_at(const struct series *s, int back)
{
    if (back < 0 || back >= s->count)
        return -1;
    return (double)s->v[(s->head - 1 - back + 2 * SERIES_LEN) % SERIES_LEN];
}

double series_max(const struct series *s)
{
    double max = 0;

    for (int i = 0; i < s->count; i++)
        if (series_at(s, i) > max)
            max = series_at(s, i);
    return max;
}

static const char *const eighths_up[9] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const eighths_right[9] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};

/* Eighths of `cells` whole cells; what is above zero always shows. */
static int to_eighths(double value, double scale, int cells)
{
    double part = scale > 0 ? value / scale * cells * 8 : 0;

    if (part > cells * 8)
        return cells * 8;
    return part < 1 ? 1 : (int)part;
}

void graph_area(struct canvas *c, struct rect r, enum style st, const struct series *s,
                double scale)
{
    for (int i = 0; i < r.w; i++) {
        double v = series_at(s, r.w - 1 - i);
        int eighths;

        if (v < 0)
            continue;
        eighths = to_eighths(v, scale, r.h);
        for (int row = 0; row < r.h && eighths > 0; row++, eighths -= 8)
            canvas_put(c, r.x + i, r.y + r.h - 1 - row, 1, st,
                       eighths_up[eighths > 8 ? 8 : eighths]);
    }
}

void graph_spark(struct canvas *c, int x, int y, int w, enum style st, const struct series *s,
                 double scale)
{
    graph_area(c, (struct rect){x, y, w, 1}, st, s, scale);
}

void graph_meter(struct canvas *c, int x, int y, int w, enum style st, double share)
{
    int eighths = share <= 0 ? 0 : to_eighths(share, 1, w);

    for (int i = 0; i < w; i++, eighths -= 8) {
        if (eighths <= 0)
            canvas_put(c, x + i, y, 1, ST_RULE, "░");
        else
            canvas_put(c, x + i, y, 1, st, eighths_right[eighths > 8 ? 8 : eighths]);
    }
}
