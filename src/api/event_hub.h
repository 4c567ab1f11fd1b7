/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Server-sent events: GET /events (everything, and the log of one or all servers) and GET
 * …/logs?follow=1 (one server's log).
 *
 * Logs are never queued for a subscriber beyond a small window: it has a cursor into each ring and
 * is served from there as fast as it reads. So a slow one costs nothing, and what fell out of a
 * ring meanwhile is told as a gap. Everything else is small; a subscriber that leaves 1 MiB of it
 * unread is cut. */
#ifndef MCPTOP_API_EVENT_HUB_H
#define MCPTOP_API_EVENT_HUB_H

#include "api/httpd.h"
#include "supervisor/fleet.h"

struct api_server;
struct event_hub;

struct event_hub *event_hub_new(struct api_server *a);
void event_hub_free(struct event_hub *hub);

/* log: NULL = no log, "*" = of all, else of this server; tail: how many of its last lines come
 * first. */
void event_hub_subscribe(struct event_hub *hub, struct request *r, const char *log, uint64_t tail);
/* Follows one log from after `since`, or from its last `tail` lines (since UINT64_MAX). */
void event_hub_follow_log(struct event_hub *hub, struct request *r, const struct server *s,
                          uint64_t since, uint64_t tail);
/* The listener changed: the fleet does not know of it. */
void event_hub_status_changed(struct event_hub *hub);
size_t event_hub_get_subscribers(const struct event_hub *hub);

/* One line of a ring as docs/api.md has it, appended to out. */
struct buf;
void event_hub_line_json(struct buf *out, const struct ring_line *l);

#endif
