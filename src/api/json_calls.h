/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls, and what was seen of them, as the JSON of docs/api.md. New references. */
#ifndef MCPTOP_API_JSON_CALLS_H
#define MCPTOP_API_JSON_CALLS_H

#include <jansson.h>
#include "supervisor/fleet.h"

json_t *json_open_calls(const struct server *s, bool with_server);      /* the array */
json_t *json_tool_figures(const struct server *s);                      /* the array */
/* The names of those of this process alone. */
json_t *json_clients_of(const struct server *s);
json_t *json_clients(const struct server *s);                           /* the array */
json_t *json_call(const struct call_note *note);

#endif
