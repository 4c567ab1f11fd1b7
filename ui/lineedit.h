/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line of text that is being typed. */
#ifndef MCPTOP_UI_LINEEDIT_H
#define MCPTOP_UI_LINEEDIT_H

#include <stdbool.h>
#include "canvas.h"

enum { LINEEDIT_MAX = 240 };
struct lineedit {
    char text[LINEEDIT_MAX + 8];   /* UTF-8, NUL-terminated */
    int len, at;                   /* bytes; `at` is where the next character goes */
    bool whole;                    /* the first character that is typed stands for all of it */
};

void lineedit_set(struct lineedit *e, const char *text);
/* A field that the keys come to: what is typed replaces its text, what moves or erases edits it. */
void lineedit_enter(struct lineedit *e);
bool lineedit_key(struct lineedit *e, int key);     /* false: not a key of an editor */
/* Draws it in w columns so that the cursor is seen, and puts the canvas' cursor there. */
void lineedit_draw(const struct lineedit *e, struct canvas *c, int x, int y, int w, enum style st);

#endif
