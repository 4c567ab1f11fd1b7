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
#include "api/json.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

enum {
    CUT_BYTES = 1 << 20,       /* unsent figures and states: then the subscriber is cut */
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
    struct log_cursor *logs;
    struct subscriber *next;
};

struct event_hub {
    struct api_server *api;
    struct fleet_observer observer;
    struct subscriber *first;
    ev_timer keepalive;
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

static void broadcast(struct event_hub *hub, const char *name, const char *data, size_t n)
{
    AUTO_BUF struct buf b = BUF_INIT;

    event_format(&b, name, data, n);
    for (struct subscriber *sub = hub->first, *next; sub; sub = next) {
        next = sub->next;
        if (sub->all_events && http_stream_write(sub->stream, b.data, b.len) > CUT_BYTES)
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

static void broadcast_json(struct event_hub *hub, const char *name, json_t *doc)
{
    AUTO_FREE char *text =
        json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));

    json_decref(doc);
    broadcast(hub, name, text, strlen(text));
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

static void on_log_more(void *ctx, struct server *s)
{
    struct event_hub *hub = ctx;

    for (struct subscriber *sub = hub->first; sub; sub = sub->next) {
        struct log_cursor *c = cursor_of(sub, s, false);
        if (!c && sub->all_logs) {
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

    if (!sub->paced)
        pump_all(sub);
}

/* ---- what the fleet tells ---- */

static void on_server_changed(void *ctx, struct server *s)
{
    if (anybody(ctx))
        broadcast_json(ctx, "server", json_server(s, false));
}

static void on_server_removed(void *ctx, const char *name)
{
    struct event_hub *hub = ctx;

    json_object_del(hub->last_usage, name);
    for (struct subscriber *sub = hub->first; sub; sub = sub->next)
        for (struct log_cursor *c = sub->logs; c; c = c->after)
            if (strcmp(c->server, name) == 0)
                c->next = 1;     /* should it come back, its log begins anew */
    /* The end of the supervisor takes none out of the configuration: views keep what they show. */
    if (anybody(hub) && !fleet_is_stopping(hub->api->fleet))
        broadcast_json(hub, "server_removed", json_pack("{s:o}", "name", json_text(name)));
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

static void usage_row(struct buf *b, const struct server *s)
{
    const struct usage *u = &s->usage;
    struct session_stats st;

    session_get_stats(s->session, &st);
    buf_add_char(b, '[');
    buf_add_json(b, s->name, strlen(s->name));
    if (u->known)
        buf_printf(b, ",%.1f,%lld,%lld,%lld,%d,%lld,%lld,%.1f,%lld", u->cpu_percent,
                   (long long)u->memory_bytes, (long long)u->memory_peak_bytes,
                   (long long)u->memory_limit_bytes, (int)u->pids, (long long)u->net_rx_bytes,
                   (long long)u->net_tx_bytes, u->throttled_percent, (long long)u->ooms);
    else
        buf_add_str(b, ",-1,-1,-1,-1,-1,-1,-1,-1,-1");
    buf_printf(b, ",%llu,%llu,%u,%lld,%lld", (unsigned long long)st.calls,
               (unsigned long long)st.errors, st.in_flight, (long long)st.p95_us,
               (long long)st.last_ping_us);
    if (u->known)
        buf_printf(b, ",%lld,%lld,%lld,%.0f,%.0f,%.0f", (long long)u->memory_high_bytes,
                   (long long)u->io_read_bytes, (long long)u->io_write_bytes, u->pressure_cpu,
                   u->pressure_memory, u->pressure_io);
    else
        buf_add_str(b, ",-1,-1,-1,-1,-1,-1");
    buf_printf(b, ",%lld,%lld]", (long long)st.p50_us, (long long)st.p99_us);
}

/* True when the row differs from the one sent last. */
static bool usage_is_news(struct event_hub *hub, const char *server, const char *row)
{
    const char *before = json_string_value(json_object_get(hub->last_usage, server));

    if (before && strcmp(before, row) == 0)
        return false;
    json_object_set_new(hub->last_usage, server, json_string(row));
    return true;
}

/* To one digit: what moves in it by chance is no news. */
static int64_t rounded(int64_t n)
{
    int64_t unit = 1;
    while (n / unit >= 10)
        unit *= 10;
    return (n + unit / 2) / unit * unit;
}

static void on_sampled(void *ctx)
{
    struct event_hub *hub = ctx;
    struct fleet *fl = hub->api->fleet;
    AUTO_BUF struct buf b = BUF_INIT;
    bool first = true;

    for (struct subscriber *sub = hub->first; sub; sub = sub->next)
        if (sub->paced)
            pump_all(sub);
    if (!anybody(hub))
        return;
    buf_add_str(&b, "{\"servers\":[");
    for (size_t i = 0; i < fleet_count(fl); i++) {
        AUTO_BUF struct buf row = BUF_INIT;
        usage_row(&row, fleet_at(fl, i));
        if (!usage_is_news(hub, fleet_at(fl, i)->name, buf_str(&row)))
            continue;
        if (!first)
            buf_add_char(&b, ',');
        first = false;
        buf_add(&b, row.data, row.len);
    }
    const struct host_usage *host = fleet_get_host_usage(fl);
    const struct self_usage *self = fleet_get_self_usage(fl);
    AUTO_BUF struct buf tail = BUF_INIT;
    buf_printf(
        &tail,
        "],\"host\":{\"cpu\":%.0f,\"memory_used\":%lld},"
        "\"self\":{\"cpu\":%.1f,\"rss_anon\":%lld,\"sampling_us\":%lld}}",
        host->cpu_percent, (long long)(host->memory_used >> 24 << 24), self->cpu_percent,
        (long long)self->rss_anon_bytes, (long long)rounded(self->sampling_us));
    if (first && !usage_is_news(hub, "", buf_str(&tail)))
        return;
    usage_is_news(hub, "", buf_str(&tail));
    buf_add(&b, tail.data, tail.len);
    broadcast(hub, "usage", b.data, b.len);
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

static void say_hello(struct subscriber *sub)
{
    struct fleet *fl = sub->hub->api->fleet;
    json_t *servers = json_server_list(fl);
    json_t *doc = json_pack("{s:o, s:O, s:o, s:o}", "status", json_status(sub->hub->api),
                            "servers", json_object_get(servers, "servers"),
                            "containers", json_containers(fl), "events", json_events(fl, 100));
    AUTO_FREE char *text =
        json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    AUTO_BUF struct buf b = BUF_INIT;

    json_decref(servers);
    json_decref(doc);
    event_format(&b, "hello", text, strlen(text));
    http_stream_write(sub->stream, b.data, b.len);
}

void event_hub_subscribe(struct event_hub *hub, struct request *r, const char *log, uint64_t tail)
{
    struct fleet *fl = hub->api->fleet;
    struct subscriber *sub = subscriber_new(hub, r);

    sub->all_events = true;
    sub->paced = true;
    sub->all_logs = log && strcmp(log, "*") == 0;
    say_hello(sub);
    for (size_t i = 0; log && i < fleet_count(fl); i++) {
        struct server *s = fleet_at(fl, i);
        if (!sub->all_logs && strcmp(s->name, log) != 0)
            continue;
        struct log_cursor *c = cursor_of(sub, s, true);
        cursor_tail(c, s, tail);
        pump(sub, s, c);
    }
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
    fleet_unobserve(hub->api->fleet, &hub->observer);
    json_decref(hub->last_usage);
    free(hub);
}
