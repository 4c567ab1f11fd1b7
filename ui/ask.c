/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one open dialog: a question with No as its default, or the form for limits. It stands near
 * the row it is about. What yes does is in act.c. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

static const char *const field_names[ASK_FIELDS] = {"memory", "cpus", "network"};
static const char *const networks[] = {"bridge", "none", "host"};

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
    a->plans_due = 0;
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

/* Half as much again as the highest use seen, in steps of 64 MiB. */
static int64_t suggested_memory(const struct feed_usage *u)
{
    int64_t step = 64 << 20, highest = u->peak > u->memory ? u->peak : u->memory;

    return highest <= 0 ? -1 : (highest + highest / 2 + step - 1) / step * step;
}

static void limits_text(struct view *v, const struct feed_server *s)
{
    const struct feed_usage *u = &s->usage;
    struct buf *b = &v->ask.text;
    char now[16], peak[16];
    int64_t suggestion = u->known ? suggested_memory(u) : -1;

    if (u->known)
        buf_printf(b, "now %s, peak %s", pane_size(u->memory, now, sizeof(now)),
                   pane_size(u->peak > 0 ? u->peak : -1, peak, sizeof(peak)));
    else
        buf_printf(b, "not running");
    if (suggestion > 0)
        buf_printf(b, ", suggested %lldm", (long long)(suggestion >> 20));
    if (s->exit_oom)
        buf_add_str(b, ", was OOM-killed");
    buf_add_char(b, '\n');
    if (u->known)
        buf_printf(b, "now %s%% of a core%s", pane_cpu(u->cpu, now, sizeof(now)),
                   u->throttled >= 5 ? ", throttled: give it more" : "");
    buf_printf(b, "\nSpace: bridge, none, host\n");
}

void ask_limits(struct view *v, struct feed_server *s)
{
    const char *const values[ASK_FIELDS] = {s->limit_memory, s->limit_cpus, s->limit_network};
    AUTO_FREE char *title = xasprintf("limits of %s", s->label);

    ask_open(v, ASK_LIMITS, REQ_LIMITS, title, "apply");
    strvec_add(&v->ask.targets, s->name);
    for (int i = 0; i < ASK_FIELDS; i++) {
        v->ask.before[i] = xstrdup(values[i]);
        lineedit_set(&v->ask.fields[i], values[i]);
    }
    limits_text(v, s);
    if (strcmp(s->where, "docker") != 0)
        v->ask.error = xstrdup("it runs on the host, where no limit applies: x isolates it");
}

/* ---- keys ---- */

static void next_network(struct lineedit *e)
{
    size_t i = 0;

    while (i < ARRAY_LEN(networks) && strcmp(networks[i], e->text) != 0)
        i++;
    lineedit_set(e, networks[i < ARRAY_LEN(networks) ? (i + 1) % ARRAY_LEN(networks) : 0]);
}

static void limits_key(struct view *v, int key)
{
    struct ask *a = &v->ask;

    switch (key) {
    case K_ESC: ask_close(v); break;
    case K_ENTER: act_commit_limits(v); break;
    case K_TAB: case K_DOWN: a->field = (a->field + 1) % ASK_FIELDS; break;
    case K_BACKTAB: case K_UP: a->field = (a->field + ASK_FIELDS - 1) % ASK_FIELDS; break;
    case ' ':
        if (a->field == 2)
            next_network(&a->fields[2]);
        break;
    default:
        lineedit_key(&a->fields[a->field], key);
    }
}

bool ask_key(struct view *v, int key)
{
    if (v->ask.kind == ASK_NONE)
        return false;
    if (v->ask.kind == ASK_LIMITS)
        limits_key(v, key);
    else if (v->ask.kind == ASK_CONFIRM && (key == 'y' || key == 'Y'))
        act_commit(v);
    else if (key == K_ESC || key == K_ENTER || key == 'n' || key == 'N' || key == 'q')
        ask_close(v);
    else if (key == 'j' || key == K_DOWN || key == K_PGDN)
        v->ask.scroll++;
    else if ((key == 'k' || key == K_UP || key == K_PGUP) && v->ask.scroll > 0)
        v->ask.scroll--;
    return true;
}

/* ---- drawing ---- */

/* Takes the next row of at most `columns`: a line, or as many of its words as fit. Returns its
 * width. */
static int next_row(const char **p, const char *end, int columns, char *out, size_t n)
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

static struct rect place_box(const struct view *v, int w, int h)
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
    int lines = 0, widest = 48, y, columns = v->canvas.w - 6;
    struct rect r;

    for (; p < end; lines++) {
        int w = next_row(&p, end, columns, line, sizeof(line));
        widest = w > widest ? w : widest;
    }
    if (text_width(a->title, strlen(a->title)) + 4 > widest)
        widest = text_width(a->title, strlen(a->title)) + 4;
    r = place_box(v, widest + 4, lines + 4);
    if (a->scroll > lines - (r.h - 4))
        a->scroll = lines > r.h - 4 ? lines - (r.h - 4) : 0;
    canvas_frame(&v->canvas, r, ST_ACCENT);
    canvas_rule(&v->canvas, r.x + 1, r.y, r.w - 2, ST_ACCENT, ST_BOLD, a->title,
                lines > r.h - 4 ? "j k scroll" : NULL);
    p = buf_str(&a->text);
    y = r.y + 1;
    for (int i = 0; p < end && y < r.y + r.h - 3; i++) {
        next_row(&p, end, columns, line, sizeof(line));
        if (i >= a->scroll)
            canvas_put_cut(&v->canvas, r.x + 2, y++, r.w - 4, line_style(line), line);
    }
    y = r.y + r.h - 2;
    if (a->kind == ASK_WAIT) {
        canvas_put(&v->canvas, r.x + 2, y, r.w - 4, ST_BUSY,
                   "asking the supervisor …   Esc leaves");
    } else {
        int x = r.x + 2 + canvas_put(&v->canvas, r.x + 2, y, 2, ST_ACCENT, "y ");
        x += canvas_put(&v->canvas, x, y, r.x + r.w - 1 - x, ST_BOLD, a->verb);
        x += canvas_put(&v->canvas, x + 3, y, r.x + r.w - 4 - x, ST_ACCENT, "n ") + 3;
        canvas_put(&v->canvas, x, y, r.x + r.w - 1 - x, ST_NORMAL, "leave it (default)");
    }
}

static void draw_limits(struct view *v)
{
    struct ask *a = &v->ask;
    struct rect r = place_box(v, 76, a->error ? 8 : 7);
    const char *p = buf_str(&a->text), *end = p + a->text.len;
    int cursor_x = -1, cursor_y = -1;

    canvas_frame(&v->canvas, r, ST_ACCENT);
    canvas_rule(&v->canvas, r.x + 1, r.y, r.w - 2, ST_ACCENT, ST_BOLD, a->title, NULL);
    for (int i = 0; i < ASK_FIELDS; i++) {
        char line[200];
        bool changed = strcmp(a->fields[i].text, a->before[i]) != 0;
        next_row(&p, end, 200, line, sizeof(line));
        canvas_put(&v->canvas, r.x + 2, r.y + 1 + i, 8, i == a->field ? ST_ACCENT : ST_NORMAL,
                   field_names[i]);
        lineedit_draw(&a->fields[i], &v->canvas, r.x + 11, r.y + 1 + i, 12,
                      i == a->field ? ST_FIELD : ST_BOX);
        if (i == a->field) {
            cursor_x = v->canvas.cursor_x;
            cursor_y = v->canvas.cursor_y;
        }
        canvas_put(&v->canvas, r.x + 24, r.y + 1 + i, 1, ST_ACCENT, changed ? "*" : " ");
        canvas_put_cut(&v->canvas, r.x + 26, r.y + 1 + i, r.w - 28, ST_DIM, line);
    }
    if (a->error)
        canvas_put_cut(&v->canvas, r.x + 2, r.y + r.h - 3, r.w - 4, ST_WARN, a->error);
    canvas_put_cut(&v->canvas, r.x + 2, r.y + r.h - 2, r.w - 4, ST_NORMAL,
                   "Enter apply and write to the config   Tab next field   Esc leave");
    v->canvas.cursor_x = cursor_x;
    v->canvas.cursor_y = cursor_y;
}

void ask_draw(struct view *v)
{
    if (v->ask.kind == ASK_LIMITS)
        draw_limits(v);
    else if (v->ask.kind != ASK_NONE)
        draw_confirm(v);
}
