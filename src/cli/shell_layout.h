/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A long shell command, laid out to be read. */
#ifndef MCPTOP_CLI_SHELL_LAYOUT_H
#define MCPTOP_CLI_SHELL_LAYOUT_H

#include "base/buf.h"

/* Appends the line with a backslash and a newline in the place of some of its spaces: before each
 * option and assignment, before the command, and where a line would be longer than width. A shell
 * reads the same words. What is no longer than width stays as it is; so does a comment. Knows
 * quoting, and of `env` and `docker run` that their own words come first. */
void shell_layout(const char *line, size_t width, struct buf *out);

#endif
