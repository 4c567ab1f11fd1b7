/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts in what the engine says, which may lack any of them. */
#ifndef MCPTOP_DOCKER_JSON_TEXT_H
#define MCPTOP_DOCKER_JSON_TEXT_H

#include <jansson.h>

/* Borrowed; "" where object is none, or has no such text. */
static inline const char *json_text_at(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s ? s : "";
}

#endif
