/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor's objects as the JSON of docs/api.md. Every function returns a new reference.
 * Secrets are masked here. */
#ifndef MCPTOP_API_JSON_H
#define MCPTOP_API_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include "base/ring.h"
#include "supervisor/fleet.h"

struct api_server;

json_t *json_status(const struct api_server *a);
json_t *json_engine(const struct fleet *fl);
json_t *json_server(const struct server *s, bool with_open_calls);
json_t *json_plan(const struct plan *p);
/* null for NULL; with_parts: each layer too */
json_t *json_pull(const struct image_pull_status *p, bool with_parts);
json_t *json_container(const struct fleet_container *c);
/* What isolated servers inherit, and the budget of all together. */
json_t *json_isolation(const struct fleet *fl);
json_t *json_containers(const struct fleet *fl);             /* the array */
json_t *json_event(const struct fleet_event *e);
json_t *json_events(const struct fleet *fl, size_t limit);   /* the array, the last ones */
json_t *json_problem(const struct problem *p);
json_t *json_problems(const struct problems *p);             /* the array */
/* {"total","ready","starting","failed","stopped"} */
json_t *json_counts(const struct fleet *fl);
json_t *json_strings(const struct strvec *s);
/* A string that may hold any bytes: invalid UTF-8 becomes U+FFFD. */
json_t *json_foreign(const char *p, size_t n);
json_t *json_text(const char *s);                             /* the same; NULL is "" */

#endif
