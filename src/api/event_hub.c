/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who follows what: one observer of the fleet, many subscribers. An event is rendered once and
 * written to all.
 *
 * A log is pulled, not pushed: `pump` moves lines from the ring to the subscriber while its unsent
 * bytes are few, and is called when there is more and when the subscriber has taken all. The view
 * (paced) gets at most PACED_LINES of a burst, ten times a second, and a gap for what lies before;
 * a follower gets every line. */
#include "api/event_hub.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/event_usage.h"
#include "api/json.h"
#include "api/listing.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    CUT_BYTES = 1 << 20,       /* unsent figures and states: then the subscriber is cut … */
    CUT_SERVER_BYTES = 4096,   /* … and so many for each server: all may change at once */
    SLICE_NS = 2 * 1000 * 1000,    /* of a turn, for telling what changed */
    LOG_WINDOW = 128 * 1024,   /* unsent log bytes: then it waits for the reader */
    PACED_LINES = 400,         /* of a burst, for a screen */
    KEEPALIVE_S = 15,
};

struct log_cursor {
    char *server;
    uint64_t next;             /* the first line not sent yet */
    struct log_cursor *after;
};

struct subscriber {
    struct event_hub *hub;
    struct http_stream *stream;
    bool all_events;           /* else a log alone */
    bool all_logs;
    bool paced;
    struct listing *hello;     /* under way: the events meanwhile wait in `later` */
    struct buf later;
    char *log;                 /* what it wants of logs, once hello was said; NULL = nothing */
    uint64_t log_tail;
    size_t unread_hello;       /* bytes: no sign of a reader that does not read */
    struct log_cursor *logs;
    struct subscriber *next;
};

struct event_hub {
    struct api_server *api;
    struct fleet_observer observer;
    struct subscriber *first;
    ev_timer keepalive;
    json_t *changed;           /* servers to be told of in the next turns: its keys, in order */
    ev_timer more;             /* runs while there are some */
    unsigned turn;             /* the loop's iteration … */
    int64_t spent_ns;          /* … and what telling of servers has taken of it */
    json_t *last_usage;        /* server → its row as sent last: only what changed is sent */
};

/* ---- writing ---- */

static void event_format(struct buf *out, const char *name, const char *data, size_t n)
{
    buf_printf(out, "event: %s\ndata: ", name);
    buf_add(out, data, n);
    buf_add_str(out, "\n\n");
}

static void subscriber_free(struct subscriber *sub)
{
    struct subscriber **at = &sub->hub->first;

    while (*at != sub)
        at = &(*at)->next;
    *at = sub->next;
    listing_free(sub->hello);
    buf_fini(&sub->later);
    free(sub->log);
    for (struct log_cursor *c = sub->logs, *after; c; c = after) {
        after = c->after;
        free(c->server);
        free(c);
    }
    free(sub);
}

static void subscriber_cut(struct subscriber *sub)
{
    http_stream_close(sub->stream);
    subscriber_free(sub);
}

/* Whether an event that comes while hello is being written has to follow it: what hello has yet to
 * read will be newer in it. */
static bool follows_hello(const struct subscriber *sub, const char *name, const char *server)
{
    return server ? !listing_awaits(sub->hello, server)
                  : strcmp(name, "usage") == 0 || strcmp(name, "pull") == 0;
}

/* How many bytes lie unsent. */
static size_t tell(struct subscriber *sub, const struct buf *event, const char *name,
                   const char *server)
{
    if (!sub->hello)
        return http_stream_write(sub->stream, event->data, event->len);
    if (follows_hello(sub, name, server))
        buf_add(&sub->later, event->data, event->len);
    return sub->later.len;
}

/* server: whose `server` or `server_removed` event it is, else NULL. */
static void broadcast(struct event_hub *hub, const char *name, const char *server,
                      const char *data, size_t n)
{
    AUTO_BUF struct buf b = BUF_INIT;
    size_t most = CUT_BYTES + CUT_SERVER_BYTES * fleet_count(hub->api->fleet);

    event_format(&b, name, data, n);
    for (struct subscriber *sub = hub->first, *next; sub; sub = next) {
        next = sub->next;
        if (sub->all_events && tell(sub, &b, name, server) > most + sub->unread_hello)
            subscriber_cut(sub);
    }
}

/* Renders only where somebody listens. */
static bool anybody(const struct event_hub *hub)
{
    for (const struct subscriber *sub = hub->first; sub; sub = sub->next)
        if (sub->all_events)
            return true;
    return false;
}

static void broadcast_text(struct event_hub *hub, const char *name, const char *server, json_t *doc)
{
    AUTO_FREE char *text =
        json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));

    json_decref(doc);
    broadcast(hub, name, server, text, strlen(text));
}

static void broadcast_json(struct event_hub *hub, const char *name, json_t *doc)
{
    broadcast_text(hub, name, NULL, doc);
}

/* ---- logs ---- */

void event_hub_line_json(struct buf *out, const struct ring_line *l)
{
    static const char *const streams[] = {
        [RING_STDERR] = "err", [RING_STDOUT] = "out", [RING_SUPERVISOR] = "sup"};

    buf_printf(out, "{\"seq\":%llu,\"t\":%lld,\"s\":\"%s\",\"f\":%u,\"text\":",
               (unsigned long long)l->seq, (long long)l->wall_ms, streams[l->stream], l->flags);
    buf_add_json(out, l->text, l->len);
    buf_add_char(out, '}');
}

static void log_gap(struct buf *out, const char *server, uint64_t from, uint64_t to)
{
    AUTO_BUF struct buf data = BUF_INIT;

    buf_add_str(&data, "{\"server\":");
    buf_add_json(&data, server, strlen(server));
    buf_printf(&data, ",\"from\":%llu,\"to\":%llu}", (unsigned long long)from,
               (unsigned long long)to);
    event_format(out, "gap", data.data, data.len);
}

/* One event of the next lines, at most LOG_WINDOW bytes of them. False when there are none. */
static bool log_batch(struct buf *out, const struct server *s, struct log_cursor *c)
{
    const struct ring *ring = logstore_get_ring(s->log);
    AUTO_BUF struct buf data = BUF_INIT;
    struct ring_line line;

    if (c->next >= ring_next_seq(ring))
        return false;
    buf_add_str(&data, "{\"server\":");
    buf_add_json(&data, s->name, strlen(s->name));
    buf_add_str(&data, ",\"lines\":[");
    for (bool first = true; data.len < LOG_WINDOW && ring_get(ring, c->next, &line) == 0;
         first = false, c->next++) {
        if (!first)
            buf_add_char(&data, ',');
        event_hub_line_json(&data, &line);
    }
    buf_add_str(&data, "]}");
    event_format(out, "log", data.data, data.len);
    return true;
}

static void pump(struct subscriber *sub, const struct server *s, struct log_cursor *c)
{
    const struct ring *ring = logstore_get_ring(s->log);
    uint64_t end = ring_next_seq(ring), from = ring_first_seq(ring);

    if (sub->paced && end > PACED_LINES && from < end - PACED_LINES)
        from = end - PACED_LINES;
    while (http_stream_queued(sub->stream) < LOG_WINDOW) {
        AUTO_BUF struct buf b = BUF_INIT;
        if (c->next < from) {
            log_gap(&b, s->name, c->next, from - 1);
            c->next = from;
        }
        bool more = log_batch(&b, s, c);
        if (b.len)
            http_stream_write(sub->stream, b.data, b.len);
        if (!more)
            break;
    }
}

static struct log_cursor *cursor_of(struct subscriber *sub, const struct server *s, bool make)
{
    struct log_cursor *c = sub->logs;

    while (c && strcmp(c->server, s->name) != 0)
        c = c->after;
    if (c || !make)
        return c;
    c = xcalloc(1, sizeof *c);
    c->server = xstrdup(s->name);
    c->next = ring_next_seq(logstore_get_ring(s->log));
    c->after = sub->logs;
    sub->logs = c;
    return c;
}

static void cursor_tail(struct log_cursor *c, const struct server *s, uint64_t tail)
{
    const struct ring *ring = logstore_get_ring(s->log);
    uint64_t first = ring_first_seq(ring), next = ring_next_seq(ring);

    c->next = next - first > tail ? next - tail : first;
}

static bool wants_log(const struct subscriber *sub, const struct server *s)
{
    return sub->all_logs || (sub->log && strcmp(sub->log, s->name) == 0);
}

static void on_log_more(void *ctx, struct server *s)
{
    struct event_hub *hub = ctx;

    for (struct subscriber *sub = hub->first; sub; sub = sub->next) {
        struct log_cursor *c = cursor_of(sub, s, false);
        if (!c && !sub->hello && wants_log(sub, s)) {
            /* A server that is new since the subscription: from its first line. */
            c = cursor_of(sub, s, true);
            c->next = ring_first_seq(logstore_get_ring(s->log));
        }
        if (c)
            pump(sub, s, c);
    }
}

static void pump_all(struct subscriber *sub)
{
    for (struct log_cursor *c = sub->logs; c; c = c->after) {
        struct server *s = fleet_find(sub->hub->api->fleet, c->server);
        if (s)
            pump(sub, s, c);
    }
}

/* The reader has taken everything: there may be lines that waited for it. Screens are served by the
 * clock alone. */
static void on_drained(void *ctx)
{
    struct subscriber *sub = ctx;

    sub->unread_hello = 0;
    if (!sub->paced)
        pump_all(sub);
}

/* ---- what the fleet tells ---- */

static bool turn_is_spent(struct event_hub *hub)
{
    unsigned turn = ev_iteration(hub->api->loop);

    if (turn != hub->turn)
        hub->spent_ns = 0;
    hub->turn = turn;
    return hub->spent_ns >= SLICE_NS;
}

static void tell_server(struct event_hub *hub, const struct server *s)
{
    int64_t began_ns = clock_mono_ns();

    broadcast_text(hub, "server", s->name, json_server(s, false));
    hub->spent_ns += clock_mono_ns() - began_ns;
}

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct event_hub *hub = w->data;
    const char *name;

    (void)revents;
    while (!turn_is_spent(hub) && (name = json_object_iter_key(json_object_iter(hub->changed)))) {
        struct server *s = fleet_find(hub->api->fleet, name);
        json_object_del(hub->changed, name);
        if (s && anybody(hub))
            tell_server(hub, s);
    }
    if (json_object_size(hub->changed))
        ev_timer_start(loop, w);
}

/* A file that is read again may change a thousand servers in one turn. */
static void on_server_changed(void *ctx, struct server *s)
{
    struct event_hub *hub = ctx;

    if (!anybody(hub))
        return;
    if (!turn_is_spent(hub) && !json_object_size(hub->changed)) {
        tell_server(hub, s);
    } else {
        json_object_set_new(hub->changed, s->name, json_null());
        if (!ev_is_active(&hub->more))
            ev_timer_start(hub->api->loop, &hub->more);
    }
}

static void on_server_removed(void *ctx, const char *name)
{
    struct event_hub *hub = ctx;

    json_object_del(hub->last_usage, name);
    json_object_del(hub->changed, name);
    for (struct subscriber *sub = hub->first; sub; sub = sub->next)
        for (struct log_cursor *c = sub->logs; c; c = c->after)
            if (strcmp(c->server, name) == 0)
                c->next = 1;     /* should it come back, its log begins anew */
    /* The end of the supervisor takes none out of the configuration: views keep what they show. */
    if (anybody(hub) && !fleet_is_stopping(hub->api->fleet))
        broadcast_text(hub, "server_removed", name, json_pack("{s:o}", "name", json_text(name)));
}

static void on_container_changed(void *ctx, const struct fleet_container *c)
{
    if (anybody(ctx))
        broadcast_json(ctx, "container", json_container(c));
}

static void on_container_removed(void *ctx, const char *id)
{
    if (anybody(ctx))
        broadcast_json(ctx, "container_removed", json_pack("{s:s}", "id", id));
}

static void on_event(void *ctx, const struct fleet_event *e)
{
    if (anybody(ctx))
        broadcast_json(ctx, "docker", json_event(e));
}

static void on_pull_changed(void *ctx, const char *image)
{
    struct event_hub *hub = ctx;
    struct fleet *fl = hub->api->fleet;

    if (!anybody(hub))
        return;
    json_t *servers = json_array();
    for (size_t i = 0; i < fleet_count(fl); i++)
        if (fleet_uses_image(fleet_at(fl, i), image))
            json_array_append_new(servers, json_text(fleet_at(fl, i)->name));
    broadcast_json(hub, "pull", json_pack("{s:o, s:o, s:o}", "image", json_text(image), "servers",
                                          servers, "pull",
                                          json_pull(fleet_find_pull(fl, image), true)));
}

static void on_status_changed(void *ctx)
{
    struct event_hub *hub = ctx;

    if (anybody(hub))
        broadcast_json(hub, "status", json_status(hub->api));
}

void event_hub_status_changed(struct event_hub *hub)
{
    on_status_changed(hub);
}

/* ---- figures, once a second ---- */

static void on_sampled(void *ctx)
{
    struct event_hub *hub = ctx;
    AUTO_BUF struct buf b = BUF_INIT;

    for (struct subscriber *sub = hub->first; sub; sub = sub->next)
        if (sub->paced)
            pump_all(sub);
    if (anybody(hub) && event_usage_write(hub->api->fleet, hub->last_usage, &b))
        broadcast(hub, "usage", NULL, b.data, b.len);
}

/* ---- subscribers ---- */

static void on_closed(void *ctx)
{
    subscriber_free(ctx);
}

static void on_keepalive(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct event_hub *hub = w->data;

    (void)loop, (void)revents;
    for (struct subscriber *sub = hub->first; sub; sub = sub->next)
        if (http_stream_queued(sub->stream) == 0)
            http_stream_write(sub->stream, ": keep-alive\n\n", 14);
}

static struct subscriber *subscriber_new(struct event_hub *hub, struct request *r)
{
    struct subscriber *sub = xcalloc(1, sizeof *sub);
    const struct http_stream_events events = {.drained = on_drained, .closed = on_closed};

    sub->hub = hub;
    sub->next = hub->first;
    hub->first = sub;
    sub->stream = request_stream(r, "text/event-stream", NULL, &events, sub);
    return sub;
}

static void add_member(struct buf *out, const char *key, json_t *value)
{
    buf_printf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", key);
    listing_add_json(out, -1, value);
}

static void begin_logs(struct subscriber *sub)
{
    struct fleet *fl = sub->hub->api->fleet;

    for (size_t i = 0; sub->log && i < fleet_count(fl); i++) {
        struct server *s = fleet_at(fl, i);
        if (!wants_log(sub, s))
            continue;
        struct log_cursor *c = cursor_of(sub, s, true);
        cursor_tail(c, s, sub->log_tail);
        pump(sub, s, c);
    }
}

static void on_hello_done(void *ctx, const struct buf *servers)
{
    struct subscriber *sub = ctx;
    struct api_server *a = sub->hub->api;
    AUTO_BUF struct buf data = BUF_INIT, event = BUF_INIT;

    buf_add_char(&data, '{');
    add_member(&data, "status", json_status(a));
    buf_add_str(&data, ",\"servers\":");
    buf_add(&data, servers->data, servers->len);
    add_member(&data, "containers", json_containers(a->fleet));
    add_member(&data, "events", json_events(a->fleet, 100));
    buf_add_char(&data, '}');
    event_format(&event, "hello", data.data, data.len);
    buf_add(&event, buf_str(&sub->later), sub->later.len);
    buf_fini(&sub->later);
    sub->hello = NULL;
    sub->unread_hello = event.len;
    http_stream_write(sub->stream, event.data, event.len);
    begin_logs(sub);
}

void event_hub_subscribe(struct event_hub *hub, struct request *r, const char *log, uint64_t tail)
{
    struct subscriber *sub = subscriber_new(hub, r);

    sub->all_events = true;
    sub->paced = true;
    sub->all_logs = log && strcmp(log, "*") == 0;
    sub->log = xstrdup(log);
    sub->log_tail = tail;
    sub->hello = listing_begin(hub->api, -1, on_hello_done, sub);
}

void event_hub_follow_log(struct event_hub *hub, struct request *r, const struct server *s,
                          uint64_t since, uint64_t tail)
{
    struct subscriber *sub = subscriber_new(hub, r);
    struct log_cursor *c = cursor_of(sub, s, true);

    if (since == UINT64_MAX)
        cursor_tail(c, s, tail);
    else
        c->next = since + 1;
    if (c->next > ring_next_seq(logstore_get_ring(s->log)))
        c->next = ring_next_seq(logstore_get_ring(s->log));   /* numbers of an earlier supervisor */
    pump(sub, s, c);
}

size_t event_hub_get_subscribers(const struct event_hub *hub)
{
    size_t n = 0;

    for (const struct subscriber *sub = hub->first; sub; sub = sub->next)
        n++;
    return n;
}

struct event_hub *event_hub_new(struct api_server *a)
{
    struct event_hub *hub = xcalloc(1, sizeof *hub);

    hub->api = a;
    hub->last_usage = json_object();
    hub->changed = json_object();
    ev_timer_init(&hub->more, on_more, 0., 0.);
    hub->more.data = hub;
    hub->observer = (struct fleet_observer){
        .server_changed = on_server_changed,
        .server_removed = on_server_removed,
        .sampled = on_sampled,
        .log_more = on_log_more,
        .container_changed = on_container_changed,
        .container_removed = on_container_removed,
        .event = on_event,
        .pull_changed = on_pull_changed,
        .status_changed = on_status_changed,
        .ctx = hub,
    };
    fleet_observe(a->fleet, &hub->observer);
    ev_timer_init(&hub->keepalive, on_keepalive, KEEPALIVE_S, KEEPALIVE_S);
    hub->keepalive.data = hub;
    ev_timer_start(a->loop, &hub->keepalive);
    return hub;
}

void event_hub_free(struct event_hub *hub)
{
    if (!hub)
        return;
    while (hub->first)
        subscriber_cut(hub->first);
    ev_timer_stop(hub->api->loop, &hub->keepalive);
    ev_timer_stop(hub->api->loop, &hub->more);
    json_decref(hub->changed);
    fleet_unobserve(hub->api->fleet, &hub->observer);
    json_decref(hub->last_usage);
    free(hub);
}
