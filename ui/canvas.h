/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture: a grid of cells that panes draw into, in memory. It knows meanings (enum style), not
 * colours, and no terminal: screen.c shows it, tests dump it. Everything clips, so no pane has to.
 *
 * Text given to canvas_put* is clean (ours, or through base/text.h); only canvas_put_line takes
 * spans. */
#ifndef MCPTOP_UI_CANVAS_H
#define MCPTOP_UI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/text.h"
#include "theme.h"

struct rect { int x, y, w, h; };

struct cell {
    uint32_t cp;         /* 0: the right half of the wide character before it */
    uint32_t mark;       /* one combining mark, or 0 */
    uint8_t style;       /* enum style */
    uint8_t attr;        /* TEXT_* of foreign text */
    int8_t fg, bg;       /* colours of foreign text, -1 = the style's */
};

struct canvas {
    int w, h;
    struct cell *cells;      /* w * h, row by row */
    bool ascii;              /* draw with ASCII only */
    int cursor_x, cursor_y;  /* where a text is being typed; x < 0: hidden */
};

void canvas_fini(struct canvas *c);
void canvas_resize(struct canvas *c, int w, int h);   /* and clears */
void canvas_clear(struct canvas *c);
struct cell *canvas_row(const struct canvas *c, int y);   /* borrowed; y inside */

/* Each returns the columns used; never more than max. A wide character that does not fit whole is
 * left out. */
int canvas_put(struct canvas *c, int x, int y, int max, enum style st, const char *text);
int canvas_putf(struct canvas *c, int x, int y, int max, enum style st, const char *fmt, ...)
    __attribute__((format(printf, 6, 7)));
/* Ends in an ellipsis when it does not fit. */
int canvas_put_cut(struct canvas *c, int x, int y, int max, enum style st, const char *text);
/* Right-aligned in max columns. */
int canvas_put_right(struct canvas *c, int x, int y, int max, enum style st, const char *text);
/* Foreign text with its attributes, from column `skip` of it on. */
int canvas_put_line(struct canvas *c, int x, int y, int max, int skip, enum style st,
                    const struct text_line *l);

void canvas_fill(struct canvas *c, struct rect r, uint32_t cp, enum style st);
void canvas_tint(struct canvas *c, struct rect r, enum style st);   /* restyles what stands there */
/* border on its edge, inside blanked */
void canvas_frame(struct canvas *c, struct rect r, enum style st);
/* A rule with a title near its left and a note near its right end. */
void canvas_rule(struct canvas *c, int x, int y, int w, enum style rule, enum style title_style,
                 const char *title, const char *note);

/* Text, one line a row, trailing blanks cut; with styles: followed by one line a row of style
 * letters. */
void canvas_dump(const struct canvas *c, struct buf *out, bool styles);

#endif
