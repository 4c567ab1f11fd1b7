/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gives the terminal back whatever ends the program: a signal, a crash, abort(), exit(). */
#ifndef MCPTOP_UI_RESTORE_H
#define MCPTOP_UI_RESTORE_H

#include <stddef.h>
#include <termios.h>

/* Notes how signals are handled now, which is what they get back; before ncurses sets its own
 * handlers. */
void restore_init(void);
/* From now on every end writes these bytes to fd 1 and sets these modes first. Copied; at most 512
 * bytes. Until then, or restore_disarm(), writing to fd 1 blocks. */
void restore_arm(const char *bytes, size_t n, const struct termios *modes);
void restore_disarm(void);

#endif
