/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What verbs print: foreign text, figures, states. */
#ifndef MCPTOP_CLI_SHOW_H
#define MCPTOP_CLI_SHOW_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

/* Foreign text, made harmless. */
void show_text(FILE *out, const char *text);
void show_bytes(FILE *out, const char *p, size_t n);        /* a NUL may be among them */
void show_json(json_t *data);
/* To stdout in the given layout (json_dumpf's flags) and a newline. On a terminal everything but
 * ASCII is escaped: a C1 or bidi character in a string must not act there. */
void show_json_as(json_t *data, size_t flags);
/* "mcptop: SENTENCE" on stderr, made harmless. */
void show_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Columns of the terminal that stdout, or fd, is; 0 = it is none, or does not say. */
int show_columns(void);
int show_columns_of(int fd);

/* Figures as the view writes them; "-" when not known (negative). out n >= 24. */
char *show_size(int64_t bytes, char *out, size_t n);
char *show_latency(int64_t us, char *out, size_t n);
char *show_ago(int64_t wall_ms, char *out, size_t n);       /* how long it is since then */
/* What the engine keeps a server waiting with, and how long it does; "" = nothing. */
char *show_wait(json_t *server, char *out, size_t n);
/* The mark that goes with a state: "*" ready, "~" under way, "!" failed, "?" silent, "-" stopped.
 */
const char *show_mark(const char *state);
/* SGR codes when stdout is a terminal that wants colours, else "". */
const char *show_state_colour(const char *state);
const char *show_colour_off(void);

#endif
