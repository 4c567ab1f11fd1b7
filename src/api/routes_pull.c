/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pulls as the API gives them: POST answers at the end of the pull, and a client that goes away
 * before that wants it no more. Progress goes out as events (event_hub.c). */
#include "api/routes_server.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/reply.h"
#include "base/mem.h"

struct waiting {
    struct request *r;
    struct image_want *want;
    char *image;
};

static void waiting_free(struct waiting *w)
{
    free(w->image);
    free(w);
}

static void on_gone(void *ctx, struct request *r)
{
    struct waiting *w = ctx;

    (void)r;
    image_want_cancel(w->want);
    waiting_free(w);
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static void on_pulling(void *ctx, bool under_way)
{
    (void)ctx, (void)under_way;
}

static void on_done(void *ctx, json_t *image, const struct fault *f)
{
    struct waiting *w = ctx;

    if (f)
        reply_fault(w->r, f);
    else
        reply_data(w->r, json_pack("{s:o, s:o, s:I}", "image", json_text(w->image), "id",
                                   json_text(json_string_value(json_object_get(image, "Id"))),
                                   "size", json_integer_value(json_object_get(image, "Size"))));
    waiting_free(w);
}

void server_post_pull(struct api_server *a, struct request *r, struct server *s)
{
    static const struct image_want_events events = {
        .pulling = on_pulling, .note = on_note, .done = on_done};
    struct fault f = FAULT_NONE;
    struct waiting *w = xcalloc(1, sizeof *w);

    w->want = fleet_pull(a->fleet, s, &events, w, &f);
    if (!w->want) {
        waiting_free(w);
        reply_fault(r, &f);
        return;
    }
    w->r = r;
    w->image = xstrdup(s->plan->image);
    request_set_gone(r, on_gone, w);
}

void server_delete_pull(struct api_server *a, struct request *r, struct server *s)
{
    AUTO_STRVEC struct strvec stopped = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *image = xstrdup(s->plan->image);

    if (fleet_pull_cancel(a->fleet, s, &stopped, &f) < 0)
        reply_fault(r, &f);
    else
        reply_data(r, json_pack("{s:o, s:o}", "image", json_text(image), "stopped",
                                json_strings(&stopped)));
}
