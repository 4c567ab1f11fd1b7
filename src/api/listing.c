/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers → text, a slice of a turn at a time. The timer runs while there is more to write: a timer
 * of no time fires once a turn, after everybody else had his. */
#include "api/listing.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/strvec.h"

/* A turn may take 10 ms; others have work in it, too. */
enum { SLICE_NS = 2 * 1000 * 1000 };

struct listing {
    struct api_server *api;
    int depth;
    listing_done_fn done;
    void *ctx;
    struct strvec names;    /* at the beginning */
    size_t next;
    struct buf text;
    bool any;
    ev_timer more;
};

static void new_line(struct buf *out, int depth)
{
    if (depth >= 0)
        buf_printf(out, "\n%*s", 2 * depth, "");
}

void listing_add_json(struct buf *out, int depth, json_t *doc)
{
    size_t how = depth < 0 ? JSON_COMPACT : JSON_INDENT(2);
    AUTO_FREE char *text =
        json_dumps(doc, how | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6) | JSON_ENCODE_ANY);
    const char *p = text ? text : "null";

    json_decref(doc);
    for (const char *end; (end = strchr(p, '\n')); p = end + 1) {
        buf_add(out, p, (size_t)(end - p));
        new_line(out, depth);
    }
    buf_add_str(out, p);
}

static void write_next(struct listing *l)
{
    const struct fleet *fl = l->api->fleet;
    size_t i = l->next++;
    const char *name = l->names.v[i];
    struct server *s = i < fleet_count(fl) ? fleet_at(fl, i) : NULL;
    int inside = l->depth < 0 ? -1 : l->depth + 1;

    if (!s || strcmp(s->name, name) != 0)
        s = fleet_find(fl, name);     /* some came or went since */
    if (!s)
        return;
    if (l->any)
        buf_add_char(&l->text, ',');
    l->any = true;
    new_line(&l->text, inside);
    listing_add_json(&l->text, inside, json_server(s, false));
}

static void finish(struct listing *l)
{
    if (l->any)
        new_line(&l->text, l->depth);
    buf_add_char(&l->text, ']');
    l->done(l->ctx, &l->text);
    listing_free(l);
}

/* False when there is more to write. */
static bool write_slice(struct listing *l)
{
    int64_t end_ns = clock_mono_ns() + SLICE_NS;

    while (l->next < l->names.n) {
        write_next(l);
        if (clock_mono_ns() >= end_ns)
            break;
    }
    return l->next == l->names.n;
}

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct listing *l = w->data;

    (void)revents;
    if (write_slice(l))
        finish(l);
    else
        ev_timer_start(loop, w);
}

struct listing *listing_begin(struct api_server *a, int depth, listing_done_fn done, void *ctx)
{
    struct listing *l = xcalloc(1, sizeof *l);

    l->api = a;
    l->depth = depth;
    l->done = done;
    l->ctx = ctx;
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        strvec_add(&l->names, fleet_at(a->fleet, i)->name);
    ev_timer_init(&l->more, on_more, 0., 0.);
    l->more.data = l;
    buf_add_char(&l->text, '[');
    if (write_slice(l)) {
        finish(l);
        return NULL;
    }
    ev_timer_start(a->loop, &l->more);
    return l;
}

void listing_free(struct listing *l)
{
    if (!l)
        return;
    ev_timer_stop(l->api->loop, &l->more);
    strvec_fini(&l->names);
    buf_fini(&l->text);
    free(l);
}

bool listing_awaits(const struct listing *l, const char *server)
{
    for (size_t i = l->next; i < l->names.n; i++)
        if (strcmp(l->names.v[i], server) == 0)
            return true;
    return false;
}
