/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Places in lists, and what they show: servers sorted and filtered, stable; containers filtered. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "view.h"

static void set_key(struct list *l, const char *key)
{
    char *copy = xstrdup(key);

    free(l->key);
    l->key = copy;
}

/* Finds the selected row again; when it is gone, the one that took its place is selected. */
void list_settle(struct list *l, const char *(*key_at)(const struct view *v, int i),
                 const struct view *v, int count)
{
    int at = -1;

    l->count = count;
    for (int i = 0; l->key && i < count && at < 0; i++)
        if (!strcmp(key_at(v, i), l->key))
            at = i;
    if (at < 0)
        at = l->at < count ? l->at : count - 1;
    if (at < 0)
        at = 0;
    l->at = at;
    if (count && (!l->key || strcmp(key_at(v, at), l->key) != 0))
        set_key(l, key_at(v, at));
}

bool list_move(struct list *l, enum request req)
{
    int page = l->page > 1 ? l->page - 1 : 1;
    int at = l->at;

    switch (req) {
    case REQ_UP: at--; break;
    case REQ_DOWN: at++; break;
    case REQ_TOP: at = 0; break;
    case REQ_BOTTOM: at = l->count - 1; break;
    case REQ_PAGE_UP: at -= page; break;
    case REQ_PAGE_DOWN: at += page; break;
    case REQ_HALF_UP: at -= (page + 1) / 2; break;
    case REQ_HALF_DOWN: at += (page + 1) / 2; break;
    default: return false;
    }
    if (at >= l->count)
        at = l->count - 1;
    if (at < 0)
        at = 0;
    l->at = at;
    free(l->key);       /* settled anew from `at` */
    l->key = NULL;
    return true;
}

static bool passes(const struct feed_server *s, const char *filter)
{
    const char *const fields[] = {s->label, s->state_word, s->where,
                                  s->image, s->command,    s->reason};

    if (!*filter)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (view_contains(fields[i], strlen(fields[i]), filter))
            return true;
    return false;
}

static bool container_passes(const struct feed_container *c, const char *filter)
{
    const char *const fields[] = {c->server, c->name, c->image, c->state, c->status, c->id};

    if (!*filter)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (view_contains(fields[i], strlen(fields[i]), filter))
            return true;
    return false;
}

void shown_build(struct view *v)
{
    int kept = 0;

    v->shown = xrealloc(v->shown, (v->feed.container_count + 1) * sizeof(*v->shown));
    for (size_t i = 0; i < v->feed.container_count; i++)
        if (container_passes(v->feed.containers[i], v->containers.filter))
            v->shown[kept++] = v->feed.containers[i];
    v->shown_count = kept;
}

static int by_number(double a, double b)
{
    return a < b ? 1 : a > b ? -1 : 0;      /* the highest first */
}

static double usage_of(const struct feed_server *s, enum sort_key key)
{
    switch (key) {
    case SORT_CPU: return s->usage.known ? s->usage.cpu : -1;
    case SORT_MEMORY: return s->usage.known ? (double)s->usage.memory : -1;
    case SORT_CALLS: return (double)s->calls.total;
    case SORT_ERRORS: return (double)s->calls.errors;
    case SORT_P95: return (double)s->calls.p95_us;
    case SORT_RESTARTS: return s->restarts;
    case SORT_UP: return s->up_since_ms ? -(double)s->up_since_ms : -9e18;
    default: return 0;
    }
}

struct sorted { struct feed_server *s; int place; };

static int compare(const void *pa, const void *pb, void *ctx)
{
    const struct sorted *a = pa, *b = pb;
    const struct view *v = ctx;
    int order = 0;

    if (v->sort == SORT_NAME)
        order = strcasecmp(a->s->label, b->s->label);
    else if (v->sort == SORT_STATE)
        order = (int)a->s->state - (int)b->s->state;
    else if (v->sort != SORT_CONFIG)
        order = by_number(usage_of(a->s, v->sort), usage_of(b->s, v->sort));
    if (v->inverted)
        order = -order;
    if (order)
        return order;
    return v->sort == SORT_CONFIG && v->inverted ? b->place - a->place : a->place - b->place;
}

void order_build(struct view *v)
{
    size_t n = v->feed.server_count, kept = 0;
    struct sorted *all = n ? xcalloc(n, sizeof(*all)) : NULL;

    for (size_t i = 0; i < n; i++)
        if (passes(v->feed.servers[i], v->servers.filter))
            all[kept++] = (struct sorted){v->feed.servers[i], (int)i};
    if (kept)
        qsort_r(all, kept, sizeof(*all), compare, v);
    v->order = xrealloc(v->order, (kept + 1) * sizeof(*v->order));
    for (size_t i = 0; i < kept; i++)
        v->order[i] = all[i].s;
    v->order_count = (int)kept;
    free(all);
}
