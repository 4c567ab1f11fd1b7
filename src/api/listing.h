/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The JSON array of all servers, written a few at a time: a thousand of them in one turn of the
 * loop would keep every call waiting. Each object is of one moment; the array is of several, in the
 * configuration's order, without those that went meanwhile. */
#ifndef MCPTOP_API_LISTING_H
#define MCPTOP_API_LISTING_H

#include <stdbool.h>
#include "base/buf.h"

struct api_server;
struct json_t;
struct listing;

/* The array's text, valid during the call; the listing is gone after it. */
typedef void (*listing_done_fn)(void *ctx, const struct buf *array);

/* depth: how many containers stand around the array in a text that is indented by two; -1 =
 * compact. What fits in a turn is written at once: then done comes from inside and NULL is
 * returned. */
struct listing *listing_begin(struct api_server *a, int depth, listing_done_fn done, void *ctx);
/* Before it is done; NULL is fine. */
void listing_free(struct listing *l);
/* Whether this server's object is still to be written. */
bool listing_awaits(const struct listing *l, const char *server);

/* The same document as jansson writes it, at this depth, without its key; takes doc. */
void listing_add_json(struct buf *out, int depth, struct json_t *doc);

#endif
