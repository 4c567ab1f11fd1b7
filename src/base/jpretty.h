/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON text laid out for reading and for comparing line by line. Only white space between tokens
 * changes: numbers and strings stay as they were written, so what no parser of ours could hold
 * (1e400, lone surrogates) is shown as it is. */
#ifndef MCPTOP_BASE_JPRETTY_H
#define MCPTOP_BASE_JPRETTY_H

#include <stddef.h>
#include "base/buf.h"

/* Appends it, two spaces a level, no newline at the end. In a string a line ends behind each \n, so
 * that a text of many lines is one here too. Text that is no JSON comes out in some layout. */
void jpretty(struct buf *out, const char *p, size_t n);

#endif
