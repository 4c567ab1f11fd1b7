/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of all servers, once a second, as docs/api.md has them. */
#ifndef MCPTOP_API_EVENT_USAGE_H
#define MCPTOP_API_EVENT_USAGE_H

#include <jansson.h>
#include <stdbool.h>

struct buf;
struct fleet;

/* Appends the event's data. last: server → its row as told last, kept here. False: no news. */
bool event_usage_write(const struct fleet *fl, json_t *last, struct buf *out);

#endif
