/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cell grid: clipping, wide characters, ASCII fallback, dump. Knows no terminal and no
 * model. */
#include "canvas.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

void canvas_fini(struct canvas *c)
{
    free(c->cells);
    *c = (struct canvas){0};
}

void canvas_resize(struct canvas *c, int w, int h)
{
    if (w < 1)
        w = 1;
    if (h < 1)
        h = 1;
    if (w != c->w || h != c->h || !c->cells)
        c->cells = xrealloc(c->cells, (size_t)w * (size_t)h * sizeof(*c->cells));
    c->w = w;
    c->h = h;
    canvas_clear(c);
}

void canvas_clear(struct canvas *c)
{
    canvas_fill(c, (struct rect){0, 0, c->w, c->h}, ' ', ST_NORMAL);
    c->cursor_x = c->cursor_y = -1;
}

struct cell *canvas_row(const struct canvas *c, int y)
{
    return c->cells + (size_t)y * (size_t)c->w;
}

/* What stands for a character where only ASCII may. */
static uint32_t ascii_of(uint32_t cp)
{
    static const struct { uint32_t cp; char to; } map[] = {
        {0x2500, '-'}, {0x2502, '|'}, {0x250c, '+'}, {0x2510, '+'}, {0x2514, '+'}, {0x2518, '+'},
        {0x25cf, '*'}, {0x25cb, 'o'}, {0xb7, '-'}, {0x2026, '~'}, {0x2192, '>'}, {0x2190, '<'},
        {0x25b2, '^'},
        {0x25bc, 'v'}, {0x2591, '.'}, {0x2581, '_'}, {0x2582, '.'}, {0x2583, ':'}, {0x2584, '-'},
        {0x2585, '='}, {0x2586, '+'}, {0x2587, '*'}, {0x2588, '#'}, {0x258f, ' '}, {0x258e, '-'},
        {0x258d, '-'}, {0x258c, '='}, {0x258b, '='}, {0x258a, '#'}, {0x2589, '#'}, {0xd7, 'x'},
    };

    if (cp < 0x80)
        return cp;
    for (size_t i = 0; i < ARRAY_LEN(map); i++)
        if (map[i].cp == cp)
            return (unsigned char)map[i].to;
    return '?';
}

struct pen { enum style st; uint8_t attr; int8_t fg, bg; };

/* A half of a wide character must not stay alone when its other half is overwritten. */
static void split_wide(struct cell *row, int w, int x)
{
    if (row[x].cp == 0 && x > 0)
        row[x - 1].cp = ' ';
    if (x + 1 < w && row[x + 1].cp == 0)
        row[x + 1].cp = ' ';
}

static void put_cell(struct canvas *c, int x, int y, uint32_t cp, int width, const struct pen *pen)
{
    struct cell *row = canvas_row(c, y);

    for (int i = 0; i < width; i++) {
        split_wide(row, c->w, x + i);
        row[x + i] = (struct cell){i ? 0 : cp, 0, (uint8_t)pen->st, pen->attr, pen->fg, pen->bg};
    }
}

/* Draws the columns [skip, skip + max) of the text; *col is the column in the text, kept across
 * spans. */
static void put_bytes(struct canvas *c, int x, int y, int max, int skip, int *col,
                      const struct pen *pen, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = text_decode(p + i, n - i, &cp);
        int width = text_cp_width(cp);
        int at = *col - skip;

        i += len;
        if (width == 0) {
            if (at > 0 && at <= max && x + at - 1 < c->w && !c->ascii) {
                struct cell *prev = canvas_row(c, y) + x + at - 1;
                if (prev->cp == 0 && x + at - 2 >= 0)
                    prev--;
                prev->mark = cp;
            }
            continue;
        }
        *col += width;
        if (at + width > max || x + at + width > c->w)
            break;
        if (at < 0)
            continue;
        if (c->ascii && cp >= 0x80) {
            put_cell(c, x + at, y, ascii_of(cp), 1, pen);
            if (width == 2)
                put_cell(c, x + at + 1, y, ' ', 1, pen);
        } else {
            put_cell(c, x + at, y, cp < 0x20 ? '?' : cp, width, pen);
        }
    }
}

static bool clip(const struct canvas *c, int x, int y, int *max)
{
    if (y < 0 || y >= c->h || x < 0 || x >= c->w)
        return false;
    if (*max > c->w - x)
        *max = c->w - x;
    return *max > 0;
}

static int put_n(struct canvas *c, int x, int y, int max, enum style st, const char *text, size_t n)
{
    struct pen pen = {st, 0, -1, -1};
    int col = 0;
    int used;

    if (!clip(c, x, y, &max))
        return 0;
    text_fit(text, n, max, &used);
    put_bytes(c, x, y, max, 0, &col, &pen, text, n);
    return used;
}

int canvas_put(struct canvas *c, int x, int y, int max, enum style st, const char *text)
{
    return put_n(c, x, y, max, st, text, strlen(text));
}

int canvas_putf(struct canvas *c, int x, int y, int max, enum style st, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return canvas_put(c, x, y, max, st, text);
}

int canvas_put_cut(struct canvas *c, int x, int y, int max, enum style st, const char *text)
{
    size_t n = strlen(text);
    int used;

    if (!clip(c, x, y, &max))
        return 0;
    if (text_fit(text, n, max, &used) == n)
        return put_n(c, x, y, max, st, text, n);
    n = text_fit(text, n, max - 1, &used);
    put_n(c, x, y, max - 1, st, text, n);
    return used + canvas_put(c, x + used, y, 1, st, "…");
}

int canvas_put_right(struct canvas *c, int x, int y, int max, enum style st, const char *text)
{
    int width = text_width(text, strlen(text));

    if (width > max)
        return canvas_put_cut(c, x, y, max, st, text);
    return canvas_put(c, x + max - width, y, width, st, text);
}

int canvas_put_line(struct canvas *c, int x, int y, int max, int skip, enum style st,
                    const struct text_line *l)
{
    int col = 0;

    if (!clip(c, x, y, &max))
        return 0;
    for (size_t i = 0; i < l->count && col < skip + max; i++) {
        const struct text_span *s = &l->spans[i];
        struct pen pen = {st, (uint8_t)s->attr, (int8_t)s->fg, (int8_t)s->bg};
        put_bytes(c, x, y, max, skip, &col, &pen, l->bytes.data + s->start, s->len);
    }
    col -= skip;
    return col < 0 ? 0 : col > max ? max : col;
}

void canvas_fill(struct canvas *c, struct rect r, uint32_t cp, enum style st)
{
    struct pen pen = {st, 0, -1, -1};

    for (int y = r.y < 0 ? 0 : r.y; y < r.y + r.h && y < c->h; y++)
        for (int x = r.x < 0 ? 0 : r.x; x < r.x + r.w && x < c->w; x++)
            put_cell(c, x, y, c->ascii ? ascii_of(cp) : cp, 1, &pen);
}

void canvas_tint(struct canvas *c, struct rect r, enum style st)
{
    for (int y = r.y < 0 ? 0 : r.y; y < r.y + r.h && y < c->h; y++)
        for (int x = r.x < 0 ? 0 : r.x; x < r.x + r.w && x < c->w; x++) {
            struct cell *cell = canvas_row(c, y) + x;
            cell->style = (uint8_t)st;
            cell->fg = cell->bg = -1;
        }
}

void canvas_frame(struct canvas *c, struct rect r, enum style st)
{
    int right = r.x + r.w - 1, bottom = r.y + r.h - 1;

    canvas_fill(c, r, ' ', st);
    canvas_fill(c, (struct rect){r.x, r.y, r.w, 1}, 0x2500, st);
    canvas_fill(c, (struct rect){r.x, bottom, r.w, 1}, 0x2500, st);
    canvas_fill(c, (struct rect){r.x, r.y, 1, r.h}, 0x2502, st);
    canvas_fill(c, (struct rect){right, r.y, 1, r.h}, 0x2502, st);
    canvas_put(c, r.x, r.y, 1, st, "┌");
    canvas_put(c, right, r.y, 1, st, "┐");
    canvas_put(c, r.x, bottom, 1, st, "└");
    canvas_put(c, right, bottom, 1, st, "┘");
}

void canvas_rule(struct canvas *c, int x, int y, int w, enum style rule, enum style title_style,
                 const char *title, const char *note)
{
    int used = 0;

    canvas_fill(c, (struct rect){x, y, w, 1}, 0x2500, rule);
    if (title && *title && w > 8) {
        canvas_put(c, x + 2, y, 1, title_style, " ");
        used = 3 + canvas_put_cut(c, x + 3, y, w - 6, title_style, title);
        canvas_put(c, x + used, y, 1, title_style, " ");
    }
    if (note && *note) {
        int width = text_width(note, strlen(note));
        if (used + width + 7 <= w)
            canvas_putf(c, x + w - width - 4, y, width + 2, rule, " %s ", note);
    }
}

static void add_utf8(struct buf *out, uint32_t cp)
{
    if (cp < 0x80) {
        buf_add_char(out, (char)cp);
    } else if (cp < 0x800) {
        buf_add_char(out, (char)(0xc0 | cp >> 6));
        buf_add_char(out, (char)(0x80 | (cp & 63)));
    } else if (cp < 0x10000) {
        buf_add_char(out, (char)(0xe0 | cp >> 12));
        buf_add_char(out, (char)(0x80 | (cp >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (cp & 63)));
    } else {
        buf_add_char(out, (char)(0xf0 | cp >> 18));
        buf_add_char(out, (char)(0x80 | (cp >> 12 & 63)));
        buf_add_char(out, (char)(0x80 | (cp >> 6 & 63)));
        buf_add_char(out, (char)(0x80 | (cp & 63)));
    }
}

static void cut_blanks(struct buf *out, size_t from)
{
    while (out->len > from && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

void canvas_dump(const struct canvas *c, struct buf *out, bool styles)
{
    for (int y = 0; y < c->h; y++) {
        size_t from = out->len;
        for (int x = 0; x < c->w; x++) {
            const struct cell *cell = canvas_row(c, y) + x;
            if (cell->cp)
                add_utf8(out, cell->cp);
            if (cell->mark)
                add_utf8(out, cell->mark);
        }
        cut_blanks(out, from);
        buf_add_char(out, '\n');
    }
    for (int y = 0; styles && y < c->h; y++) {
        size_t from = out->len;
        for (int x = 0; x < c->w; x++)
            buf_add_char(out, theme_letter((enum style)canvas_row(c, y)[x].style));
        cut_blanks(out, from);
        buf_add_char(out, '\n');
    }
}
