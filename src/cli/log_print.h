/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines of the API (docs/api.md, "log page") on stdout, in order and with every gap marked. */
#ifndef MCPTOP_CLI_LOG_PRINT_H
#define MCPTOP_CLI_LOG_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct log_print {
    uint64_t next;      /* the sequence number that comes next; 0 = whatever comes first */
    bool json;          /* a JSON object a line instead of text */
    bool tty;           /* foreign text is made harmless */
    bool in_line;       /* the last piece had no end of line yet */
};
/* Prints the lines from `next` on and moves it; a jump is marked. */
void log_print_lines(struct log_print *p, json_t *lines);
/* The first sequence number of lines that is not yet printed is `next`? Then they can be printed
 * without a gap. */
bool log_print_joins(const struct log_print *p, json_t *lines);
/* Lines up to `to` (exclusive) are lost for good. */
void log_print_lost(struct log_print *p, uint64_t to);

#endif
