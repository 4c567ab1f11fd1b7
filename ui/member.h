/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Members of the API's JSON objects. Tolerant: what is absent or of another type counts as not
 * known, so that a supervisor of another version never breaks the view; o may be NULL. Texts come
 * cleaned (base/text.h), because all of them end on the screen. */
#ifndef MCPTOP_UI_MEMBER_H
#define MCPTOP_UI_MEMBER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

int64_t member_int(json_t *o, const char *key, int64_t otherwise);   /* reals are cut */
int member_int32(json_t *o, const char *key, int otherwise);         /* bounded to ±2,000,000,000 */
double member_real(json_t *o, const char *key);                      /* -1 when absent */
bool member_bool(json_t *o, const char *key, bool otherwise);
/* *dst is freed and gets the text, "" when absent; the caller's. */
void member_take(char **dst, json_t *o, const char *key);
/* The same as it came: for what goes back to the API (names, ids), never to the screen. */
void member_take_raw(char **dst, json_t *o, const char *key);
/* A value's text, cleaned; "" when it is none. The caller's. */
char *member_text(json_t *value);

#endif
