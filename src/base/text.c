/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sanitiser: one line of a stranger's bytes into printable UTF-8 with attributes. A recogniser
 * of escape sequences (ECMA-48, and their C1 forms), an interpreter of SGR, and a filter of code
 * points. Nothing that is not understood gets through. Knows neither ncurses nor a locale.
 *
 * A sequence that does not end within the line is not one: its introducer is dropped and the rest
 * is shown, so that no stranger can hide text behind an open string. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

enum {
    MAX_SPANS = 4096,    /* a line that changes its colour more often keeps its last one */
    MAX_MARKS = 8,       /* combining marks on one character; more of them reach into other rows */
    MAX_PARAMS = 32,
    TAB = 8,
};

struct pen { uint16_t attr; int16_t fg, bg; };
#define PEN_PLAIN ((struct pen){ 0, -1, -1 })

struct cleaner {
    struct text_line *out;
    const char *p, *end;
    struct pen pen;
    int column;
    /* combining marks so far on the last character; -1: nothing there to combine with */
    int marks;
    bool unending;       /* no string sequence from here on has an end */
    bool selected;       /* the last character already had its variation selector */
};

/* ---- output ---- */

static void add(struct cleaner *c, const char *p, size_t n, struct pen pen)
{
    struct text_line *out = c->out;
    struct text_span *s = out->count ? &out->spans[out->count - 1] : NULL;
    bool same = s && s->attr == pen.attr && s->fg == pen.fg && s->bg == pen.bg;
    if (!same && (!s || out->count < MAX_SPANS)) {
        if (out->count == out->cap) {
            out->cap = out->cap ? out->cap * 2 : 8;
            out->spans = xrealloc(out->spans, out->cap * sizeof *out->spans);
        }
        s = &out->spans[out->count++];
        *s = (struct text_span){ .start = out->bytes.len, .attr = pen.attr,
                                 .fg = pen.fg, .bg = pen.bg };
    }
    buf_add(&out->bytes, p, n);
    s->len += n;
}

/* Something of ours in the place of what must not be shown. */
static void add_mark(struct cleaner *c, const char *text)
{
    add(c, text, strlen(text), (struct pen){ TEXT_MARK, -1, -1 });
    c->column += (int)strlen(text);
    c->marks = -1;
}

static void start_line(struct cleaner *c)
{
    buf_clear(&c->out->bytes);
    c->out->count = 0;
    c->column = 0;
    c->marks = -1;
}

/* ---- SGR ---- */

static int16_t nearest(int r, int g, int b)
{
    static const uint8_t rgb[16][3] = {
        {0, 0, 0},       {205, 0, 0},   {0, 205, 0},   {205, 205, 0},
        {0, 0, 238},     {205, 0, 205}, {0, 205, 205}, {229, 229, 229},
        {127, 127, 127}, {255, 0, 0},   {0, 255, 0},   {255, 255, 0},
        {92, 92, 255},   {255, 0, 255}, {0, 255, 255}, {255, 255, 255},
    };
    int best = 0, best_distance = INT32_MAX;
    for (int i = 0; i < 16; i++) {
        int dr = r - rgb[i][0], dg = g - rgb[i][1], db = b - rgb[i][2];
        int distance = 2 * dr * dr + 4 * dg * dg + 3 * db * db;   /* the eye's weights, roughly */
        if (distance < best_distance) {
            best_distance = distance;
            best = i;
        }
    }
    return (int16_t)best;
}

/* The 256 colours: 16 of the terminal, a cube of 6x6x6, 24 greys. */
static int16_t indexed(int n)
{
    if (n < 16)
        return (int16_t)n;
    if (n >= 232)
        return nearest(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10);
    static const uint8_t steps[6] = { 0, 95, 135, 175, 215, 255 };
    n -= 16;
    return nearest(steps[n / 36], steps[n / 6 % 6], steps[n % 6]);
}

struct params {
    int value[MAX_PARAMS];
    bool sub[MAX_PARAMS];   /* a ':' stood before it */
    int count;
};

/* 38 or 48 at v[i]: 5;N or 2;R;G;B, with ';' or ':' (then an empty colour space may stand before
 * R). Returns how many parameters belong to it; -1 in *ret_colour leaves the colour alone. */
static int extended_colour(const struct params *ps, int i, int *ret_colour)
{
    int left = ps->count - i, used;
    const int *v = ps->value + i;
    *ret_colour = -1;
    for (used = 1; used < left && ps->sub[i + used]; used++) {
    }
    if (used > 1)
        left = used;   /* 38:2:… ends with its colons */
    if (left >= 3 && v[1] == 5) {
        if (v[2] <= 255)
            *ret_colour = indexed(v[2]);
        return used > 1 ? used : 3;
    }
    if (left >= 5 && v[1] == 2) {
        const int *rgb = used >= 6 ? v + 3 : v + 2;
        if (rgb[0] <= 255 && rgb[1] <= 255 && rgb[2] <= 255)
            *ret_colour = nearest(rgb[0], rgb[1], rgb[2]);
        return used > 1 ? used : 5;
    }
    return left;   /* what it means is unknown, and so is where it ends */
}

static void apply_attr(struct pen *pen, int n)
{
    static const struct { uint8_t on, off; uint16_t attr; } attrs[] = {
        { 1, 22, TEXT_BOLD }, { 2, 22, TEXT_DIM }, { 3, 23, TEXT_ITALIC },
        { 4, 24, TEXT_UNDERLINE }, { 21, 24, TEXT_UNDERLINE }, { 7, 27, TEXT_REVERSE },
    };
    for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
        if (n == attrs[i].on)
            pen->attr |= attrs[i].attr;
        else if (n == attrs[i].off)
            pen->attr &= (uint16_t)~attrs[i].attr;
    }
    /* Blink, conceal and strike are left out: a log neither blinks nor hides. */
    if (n >= 30 && n <= 37)
        pen->fg = (int16_t)(n - 30);
    else if (n >= 40 && n <= 47)
        pen->bg = (int16_t)(n - 40);
    else if (n >= 90 && n <= 97)
        pen->fg = (int16_t)(n - 90 + 8);
    else if (n >= 100 && n <= 107)
        pen->bg = (int16_t)(n - 100 + 8);
    else if (n == 39)
        pen->fg = -1;
    else if (n == 49)
        pen->bg = -1;
    else if (n == 0)
        *pen = PEN_PLAIN;
}

static void apply_sgr(struct pen *pen, const struct params *ps)
{
    for (int i = 0; i < ps->count;) {
        int n = ps->value[i], used = 1, colour;
        if (n == 38 || n == 48) {
            used = extended_colour(ps, i, &colour);
            if (colour >= 0 && n == 38)
                pen->fg = (int16_t)colour;
            else if (colour >= 0)
                pen->bg = (int16_t)colour;
        } else if (n == 4 && i + 1 < ps->count && ps->sub[i + 1]) {
            apply_attr(pen, ps->value[i + 1] ? 4 : 24);   /* 4:3 is curly, 4:0 is none */
        } else {
            apply_attr(pen, n);
        }
        for (i += used; i < ps->count && ps->sub[i]; i++) {
        }
    }
}

/* ---- escape sequences: each returns the byte after, or NULL when it does not end here ---- */

/* p after "ESC [". A byte that cannot stand in it ends it, as in terminals. */
static const char *skip_csi(struct cleaner *c, const char *p)
{
    struct params ps = { .count = 1 };
    bool plain = true;   /* no private marker, no intermediate: SGR is "m" of those */
    for (; p < c->end; p++) {
        unsigned char b = (unsigned char)*p;
        if (b >= '0' && b <= '9') {
            int *v = &ps.value[ps.count - 1];
            *v = *v > 9999 ? *v : *v * 10 + (b - '0');
        } else if (b == ';' || b == ':') {
            if (ps.count == MAX_PARAMS) {
                plain = false;
            } else {
                ps.sub[ps.count++] = b == ':';
            }
        } else if (b >= 0x20 && b <= 0x3F) {
            plain = false;
        } else if (b >= 0x40 && b <= 0x7E) {
            if (b == 'm' && plain)
                apply_sgr(&c->pen, &ps);
            else
                c->out->dropped++;
            return p + 1;
        } else {
            c->out->dropped++;
            return p;
        }
    }
    return NULL;
}

/* p after the introducer of OSC, DCS, SOS, PM or APC: up to ST, or BEL, which xterm lets end OSC.
 * Any other escape cancels the string and stands for itself. */
static const char *skip_string(struct cleaner *c, const char *p)
{
    if (c->unending)
        return NULL;
    for (; p < c->end; p++) {
        unsigned char b = (unsigned char)*p, next = p + 1 < c->end ? (unsigned char)p[1] : 0;
        size_t end_len = 0;
        if (b == 0x07 || b == 0x18 || b == 0x1A)
            end_len = 1;
        else if ((b == 0x1B && next == '\\') || (b == 0xC2 && next == 0x9C))
            end_len = 2;
        if (end_len || b == 0x1B) {
            c->out->dropped++;
            return p + end_len;
        }
    }
    c->unending = true;   /* nor does any that begins later: no second search for its end */
    return NULL;
}

/* p after ESC, or after the C1 control whose seven-bit form is ESC `kind`. */
static const char *skip_escape(struct cleaner *c, const char *p, unsigned char kind)
{
    const char *after = NULL;
    if (kind == '[') {
        after = skip_csi(c, p);
    } else if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
        after = skip_string(c, p);
    } else {
        c->out->dropped++;
        return p;
    }
    if (after)
        return after;
    c->out->dropped++;
    return p;
}

static void take_escape(struct cleaner *c)
{
    const char *p = c->p + 1;
    /* "ESC ( B": intermediates, then a final byte */
    while (p < c->end && *p >= 0x20 && *p <= 0x2F)
        p++;
    if (p == c->end || *p < 0x30 || *p > 0x7E) {
        add_mark(c, "^[");
        c->p++;
        return;
    }
    bool intermediate = p > c->p + 1;
    c->p = skip_escape(c, p + 1, intermediate ? '\0' : (unsigned char)*p);
}

/* ---- code points ---- */

static void add_deceptive(struct cleaner *c, uint32_t cp)
{
    char mark[16];
    /* Terminals disagree about the width of what a variation selector selects: without it they
     * agree. One is no loss; a row of them is a hiding place. */
    if ((cp == 0xFE0E || cp == 0xFE0F) && c->marks >= 0 && !c->selected) {
        c->selected = true;
        return;
    }
    snprintf(mark, sizeof mark, "<%04X>", (unsigned)cp);
    add_mark(c, mark);
}

static void add_control(struct cleaner *c, unsigned char b)
{
    if (b == '\t') {
        int n = TAB - c->column % TAB;
        add(c, "        ", (size_t)n, c->pen);
        c->column += n;
        c->marks = -1;
    } else if (b == '\r') {
        start_line(c);
        c->out->had_cr = true;
    } else {
        add_mark(c, (char[]){ '^', (char)(b ^ 0x40), '\0' });
    }
}

static void add_code_point(struct cleaner *c, uint32_t cp, const char *p, size_t len)
{
    char mark[16];
    int width = text_cp_width(cp);
    if (width == 0 && c->marks < 0) {
        /* it would sit on what is not its own */
        snprintf(mark, sizeof mark, "<%04X>", (unsigned)cp);
        add_mark(c, mark);
        return;
    }
    if (width == 0 && c->marks >= MAX_MARKS) {
        c->out->dropped++;
        return;
    }
    add(c, p, len, c->pen);
    c->column += width;
    c->marks = width ? 0 : c->marks + 1;
    c->selected = width ? false : c->selected;
}

static void take_wide(struct cleaner *c)
{
    uint32_t cp;
    size_t left = (size_t)(c->end - c->p), len = text_decode(c->p, left, &cp);
    const char *p = c->p;
    c->p += len;
    if (cp >= 0x80 && cp < 0xA0)
        c->p = skip_escape(c, c->p, (unsigned char)(cp - 0x40));
    else if (text_is_deceptive(cp))
        add_deceptive(c, cp);
    else if (cp == 0xFFFD)
        add_code_point(c, cp, "\xef\xbf\xbd", 3);
    else
        add_code_point(c, cp, p, len);
}

void text_clean(struct text_line *out, const char *p, size_t n)
{
    struct cleaner c = { .out = out, .p = p, .end = p + n, .pen = PEN_PLAIN };
    out->dropped = 0;
    out->had_cr = false;
    start_line(&c);
    if (n && c.end[-1] == '\r')   /* of a line that ended in "\r\n" */
        c.end--;
    while (c.p < c.end) {
        const char *run = c.p;
        while (c.p < c.end && (unsigned char)*c.p >= 0x20 && (unsigned char)*c.p < 0x7F)
            c.p++;
        if (c.p > run) {
            add(&c, run, (size_t)(c.p - run), c.pen);
            /* only its tab position matters */
            c.column = (c.column + (int)((c.p - run) % TAB)) % TAB;
            c.marks = 0;
            c.selected = false;
        } else if (*c.p == 0x1B) {
            take_escape(&c);
        } else if ((unsigned char)*c.p >= 0x80) {
            take_wide(&c);
        } else {
            add_control(&c, (unsigned char)*c.p++);
        }
    }
}

void text_line_fini(struct text_line *l)
{
    buf_fini(&l->bytes);
    free(l->spans);
    *l = TEXT_LINE_INIT;
}

void text_clean_plain(struct buf *out, const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x7F)
        i++;
    if (i == n) {   /* nearly every line */
        buf_add(out, p, n);
        return;
    }
    struct text_line line = TEXT_LINE_INIT;
    text_clean(&line, p, n);
    buf_add(out, buf_str(&line.bytes), line.bytes.len);
    text_line_fini(&line);
}
