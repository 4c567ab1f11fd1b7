/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lines on stderr that tell nothing of an end: progress of installers, where a log lies, frames of
 * a stack. Pure. */
#ifndef MCPTOP_SUPERVISOR_CHATTER_H
#define MCPTOP_SUPERVISOR_CHATTER_H

#include <stdbool.h>

/* line: made harmless (text_clean_plain). Blank counts, too. */
bool chatter_is(const char *line);

#endif
