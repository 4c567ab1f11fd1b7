/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reader of TOML, for toml.c and toml_value.c. Every function returns 0, or -1 after
 * toml_bad(), and leaves p behind what it has read. */
#ifndef MCPTOP_CONFIG_TOML_INTERNAL_H
#define MCPTOP_CONFIG_TOML_INTERNAL_H

#include "config/toml.h"

struct json_list { json_t **v; size_t n; };      /* borrowed values */

struct toml_reader {
    const char *text, *p, *end;
    int depth;
    int line;                     /* of the fault */
    struct json_list sealed;      /* inline tables, arrays that are values: nothing is added */
    struct json_list headed;      /* tables that had their header */
    struct fault *f;
};

/* Always -1; the fault names the line of r->p. */
int toml_bad(struct toml_reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void toml_blanks(struct toml_reader *r);
int toml_gap(struct toml_reader *r);     /* blanks, comments and ends of lines */
bool toml_at_newline(const struct toml_reader *r);
int toml_key(struct toml_reader *r, struct strvec *path);
/* Appends the content; at the first quote. many: may it be one over several lines? */
int toml_string(struct toml_reader *r, bool many, struct buf *out);
int toml_value(struct toml_reader *r, json_t **ret);
/* Sets it in the table at path, whose tables are made where there are none. value is stolen. */
int toml_put(struct toml_reader *r, json_t *table, const struct strvec *path, json_t *value);
void json_list_add(struct json_list *l, json_t *value);
bool json_list_has(const struct json_list *l, const json_t *value);

#endif
