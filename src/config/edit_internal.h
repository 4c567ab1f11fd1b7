/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What edit.c and edit_put.c share: a parsed text, what lies between its values, and the form that
 * a new member takes. */
#ifndef MCPTOP_CONFIG_EDIT_INTERNAL_H
#define MCPTOP_CONFIG_EDIT_INTERNAL_H

#include <stdbool.h>
#include "base/jscan.h"
#include "config/edit.h"

struct editor {
    struct jscan_doc doc;
    const char *text;
    size_t len;
    const char *newline;      /* "\n" or "\r\n" */
    struct buf *out;
};

bool editor_is_blank(char c);
bool editor_all_space(const struct editor *e, size_t from, size_t to);
/* The next byte that is neither white space nor comment; with same_line, the end of the line stops
 * it too. */
size_t editor_skip_gap(const struct editor *e, size_t pos, bool same_line);
bool editor_at_line_end(const struct editor *e, size_t pos);
size_t editor_line_start(const struct editor *e, size_t pos);
/* Does this member (or element) begin its line? */
bool editor_begins_line(const struct editor *e, int32_t node);
int32_t editor_sibling_before(const struct editor *e, int32_t node);
void editor_copy(const struct editor *e, size_t from, size_t to);

struct form {
    bool own_lines;
    char *indent;        /* of the members */
    char *unit;          /* one level more */
    char *colon;         /* ": " */
    char *comma;         /* ", " between members of one line */
};
/* The form of what is put into this object or array. */
void form_find(const struct editor *e, int32_t object, struct form *f);
void form_fini(struct form *f);
/* "key": value, where the rest of the path makes objects round the value. */
void form_add_member(const struct editor *e, const struct form *f, const struct strvec *path,
                     size_t from, const char *json_value, struct buf *out);

void editor_insert_member(const struct editor *e, int32_t object, const struct strvec *path,
                          size_t from, const char *json_value);
/* Appends {"key": value} to an array, over lines where its neighbours are. */
void editor_insert_element(const struct editor *e, int32_t array, const char *key,
                           const char *json_value);

#endif
