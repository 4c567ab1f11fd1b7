/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The terminal: the only file that knows ncurses. Shows canvases, gives keys, and restores what it
 * changed. There is one terminal, so there is one screen. */
#ifndef MCPTOP_UI_SCREEN_H
#define MCPTOP_UI_SCREEN_H

#include <stdbool.h>
#include "base/fault.h"
#include "canvas.h"

int screen_open(bool color, const struct theme *theme, struct fault *f);
void screen_close(void);
void screen_set_theme(const struct theme *theme);
void screen_size(int *ret_w, int *ret_h);        /* as the terminal says now */
/* Sends what differs from what is shown; nothing at all when nothing does. Returns about how many
 * bytes that took. May block when the terminal does not read. */
int screen_paint(const struct canvas *c);
void screen_redraw(void);                        /* the next paint sends everything */
int screen_key(void);                            /* K_* or a character; -1: no more for now */
void screen_drop_keys(void);
void screen_raw(const char *bytes, size_t n);    /* past ncurses: clipboard */
void screen_suspend(void);                       /* gives the terminal back for a while … */
void screen_resume(void);                        /* … and takes it again */

#endif
