/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding for people: what it is, how that is known, what helps. */
#ifndef MCPTOP_CLI_SHOW_FINDING_H
#define MCPTOP_CLI_SHOW_FINDING_H

#include <jansson.h>

/* `before`, the text made harmless, and a newline. */
void show_line(const char *before, const char *text);
void show_finding(json_t *finding);

#endif
