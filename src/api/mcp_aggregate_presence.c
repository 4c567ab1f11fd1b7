/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which servers are there, for all clients of the endpoint together: they come and go by the
 * hundred when the configuration is read, and there may be a thousand clients. What changed is
 * noted once; in the next turns, a slice of each, every client is told of just that. */
#include <jansson.h>
#include <stdlib.h>

#include "api/mcp_aggregate_internal.h"
#include "base/clock.h"
#include "base/mem.h"

enum { SLICE_NS = 2 * 1000 * 1000 };    /* of a turn; others have work in it, too */

struct presence {
    struct aggregate_names *names;
    struct fleet *fleet;
    struct ev_loop *loop;
    struct fleet_observer observer;
    json_t *there;              /* who is: its keys */
    json_t *changed;            /* who came or went and not every client knows it: its keys */
    uint64_t changes;           /* so many, ever */
    struct aggregate *first;
    struct aggregate *next;     /* to be told, or not concerned */
    ev_timer more;              /* runs while there is somebody to tell */
};

bool aggregate_is_there(const struct server *s)
{
    return s->state == SERVER_READY || s->state == SERVER_SILENT || server_is_asleep(s);
}

/* Becomes its client, to hear of its changes; of one with a process for every session only when it
 * needs one. */
static void join(struct aggregate *a, struct server *s)
{
    if (!aggregate_is_there(s))
        return;
    struct peer *m = server_is_per_session(s) ? aggregate_peer(a, s) : aggregate_member(a, s);
    if (m)
        aggregate_watch(m, s);
}

void aggregate_join_all(struct aggregate *a)
{
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        join(a, fleet_at(a->fleet, i));
    a->seen = aggregate_names_get_presence(a->names)->changes;
}

/* ---- telling ---- */

/* Who is told may end everything. */
static void tell_lists(struct aggregate *a)
{
    static const char *const lists[] = {"tools", "prompts", "resources"};
    bool closed = false, *outer = a->closed;

    a->closed = &closed;
    for (size_t i = 0; i < ARRAY_LEN(lists) && !closed && a->events.message; i++) {
        AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":"
                                         "\"notifications/%s/list_changed\"}", lists[i]);
        a->events.message(a->ctx, NULL, text, strlen(text), false);
    }
    if (!closed)
        a->closed = outer;
    else if (outer)
        *outer = true;
}

static void tell(struct aggregate *a, struct server *const *servers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        join(a, servers[i]);
    if (a->modern)
        aggregate_listen_changed(a, servers, n);
    else
        tell_lists(a);
}

/* Before its initialize nobody was promised to hear of it. */
static struct aggregate *next_to_tell(struct presence *p)
{
    struct aggregate *a = p->next;

    while (a && (a->seen == p->changes || (!a->label && !a->listenings)))
        a = a->next;
    p->next = a ? a->next : NULL;
    return a;
}

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct presence *p = w->data;
    int64_t end_ns = clock_mono_ns() + SLICE_NS;
    uint64_t changes = p->changes;
    AUTO_FREE struct server **servers = xcalloc(json_object_size(p->changed) + 1, sizeof *servers);
    struct aggregate *a;
    const char *name;
    json_t *value;
    size_t n = 0;

    (void)revents;
    json_object_foreach(p->changed, name, value) {
        struct server *s = aggregate_server_named(p->names, name);
        if (s)
            servers[n++] = s;
    }
    /* Telling may change who is there: then these servers are not all any more. */
    while ((a = next_to_tell(p))) {
        a->seen = changes;
        tell(a, servers, n);
        if (p->changes == changes && clock_mono_ns() < end_ns)
            continue;
        ev_timer_start(loop, w);
        return;
    }
    json_object_clear(p->changed);
}

/* ---- what the fleet tells ---- */

static void note(struct presence *p, const char *name)
{
    json_object_set_new(p->changed, name, json_null());
    p->changes++;
    p->next = p->first;
    if (!ev_is_active(&p->more))
        ev_timer_start(p->loop, &p->more);
}

static void on_server_changed(void *ctx, struct server *s)
{
    struct presence *p = ctx;
    bool was = json_object_get(p->there, s->name), is = aggregate_is_there(s);

    if (was == is)
        return;
    if (is)
        json_object_set_new(p->there, s->name, json_null());
    else
        json_object_del(p->there, s->name);
    note(p, s->name);
}

static void on_server_removed(void *ctx, const char *name)
{
    struct presence *p = ctx;

    if (json_object_del(p->there, name) == 0)
        note(p, name);
}

/* ---- clients ---- */

void presence_add(struct presence *p, struct aggregate *a)
{
    a->seen = p->changes;
    a->next = p->first;
    if (a->next)
        a->next->prev = a;
    p->first = a;
}

void presence_remove(struct presence *p, struct aggregate *a)
{
    if (p->next == a)
        p->next = a->next;
    *(a->prev ? &a->prev->next : &p->first) = a->next;
    if (a->next)
        a->next->prev = a->prev;
}

struct presence *presence_new(struct ev_loop *loop, struct fleet *fl, struct aggregate_names *names)
{
    struct presence *p = xcalloc(1, sizeof *p);

    p->names = names;
    p->fleet = fl;
    p->loop = loop;
    p->there = json_object();
    p->changed = json_object();
    ev_timer_init(&p->more, on_more, 0., 0.);
    p->more.data = p;
    for (size_t i = 0; i < fleet_count(fl); i++)
        if (aggregate_is_there(fleet_at(fl, i)))
            json_object_set_new(p->there, fleet_at(fl, i)->name, json_null());
    p->observer = (struct fleet_observer){.server_changed = on_server_changed,
                                          .server_removed = on_server_removed, .ctx = p};
    fleet_observe(fl, &p->observer);
    return p;
}

void presence_free(struct presence *p)
{
    if (!p)
        return;
    fleet_unobserve(p->fleet, &p->observer);
    ev_timer_stop(p->loop, &p->more);
    json_decref(p->there);
    json_decref(p->changed);
    free(p);
}
