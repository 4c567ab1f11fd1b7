/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads TOML (https://toml.io/en/v1.0.0), the form of Codex's configuration, into values and says
 * where its tables and keys stand, so that one of them can be changed and every other byte left
 * alone. What the specification forbids and a change of ours could not make worse (a table opened
 * again after dotted keys made it) is let pass. Dates and times come as strings, in the form they
 * have; infinite numbers and those that are none as null. */
#ifndef MCPTOP_CONFIG_TOML_H
#define MCPTOP_CONFIG_TOML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/fault.h"
#include "base/strvec.h"

struct toml_table {
    struct strvec path;      /* [a."b c"] is a, b c */
    bool array;              /* [[a]] */
    size_t start, head_end;  /* from the start of the header's line to the end of the next … */
    size_t end;              /* … and past the line of its last key */
};

struct toml_pair {
    size_t table;            /* its index + 1; 0 = before the first header */
    struct strvec key;       /* a.b = … is a, b */
    size_t start, end;       /* of the value */
};

struct toml_doc {
    json_t *root;
    struct toml_table *tables;
    size_t table_count;
    struct toml_pair *pairs;
    size_t pair_count;
};

enum { TOML_MAX_DEPTH = 64, TOML_MAX_TABLES = 10000 };

/* -1 with "line L: …" and *ret_line (may be NULL), and an empty doc. Nothing of the text is
 * borrowed. */
int toml_parse(struct toml_doc *doc, const char *text, size_t len, int *ret_line, struct fault *f);
void toml_fini(struct toml_doc *doc);
/* Appends a key, bare where it may be, and a string. */
void toml_add_key(struct buf *out, const char *key);
void toml_add_string(struct buf *out, const char *value);

#endif
