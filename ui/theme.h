/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a piece of text means, and the looks of each meaning per theme. Panes name meanings only.
 * State is never told by colour alone, so every theme, mono too, shows the same. */
#ifndef MCPTOP_UI_THEME_H
#define MCPTOP_UI_THEME_H

#include <stdint.h>

enum style {
    ST_NORMAL,
    ST_DIM,        /* what is unimportant, old, or unknown */
    ST_BOLD,
    ST_ACCENT,     /* the one colour of ours: brand, focused titles, key letters */
    ST_SELECTED,   /* the row that keys act on */
    ST_MARKED,     /* rows marked with Space */
    ST_OK,
    ST_BUSY,       /* on its way: starting, pulling */
    ST_WARN,
    ST_BAD,
    ST_RULE,       /* frames and rules */
    ST_HEAD,       /* column heads */
    ST_HEAD_SORT,
    ST_GRAPH,
    ST_MATCH,      /* what a search found */
    ST_BOX,        /* inside of a dialog */
    ST_FIELD,      /* where one types */
    ST_ADD,        /* a diff's + */
    ST_DEL,        /* a diff's - */
    ST_ALERT,      /* the line that says what is wrong with everything */
    STYLE_COUNT
};

enum { LOOK_BOLD = 1, LOOK_DIM = 2, LOOK_UNDERLINE = 4, LOOK_REVERSE = 8 };

struct look {
    int8_t fg, bg;       /* 0-15, -1 = the terminal's own */
    uint8_t attr;        /* LOOK_* */
};

struct theme {
    const char *name;
    const char *about;
    struct look looks[STYLE_COUNT];
};

/* NULL when there is none of that name. */
const struct theme *theme_find(const char *name);
const struct theme *theme_at(unsigned i);     /* NULL past the last */
char theme_letter(enum style st);             /* for dumps; ' ' is ST_NORMAL */

#endif
