/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mirror of the supervisor: applies its events to the model. Pure but for the clock; knows no
 * connection and no drawing. */
#include "feed.h"

#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

void feed_init(struct feed *f)
{
    *f = (struct feed){0};
    loglines_init(&f->log);
    feed_parse_status(&f->status, NULL);
}

static void free_server(struct feed_server *s)
{
    feed_server_fini(s);
    free(s);
}

static void free_container(struct feed_container *c)
{
    feed_container_fini(c);
    free(c);
}

void feed_fini(struct feed *f)
{
    for (size_t i = 0; i < f->server_count; i++)
        free_server(f->servers[i]);
    for (size_t i = 0; i < f->container_count; i++)
        free_container(f->containers[i]);
    for (size_t i = 0; i < FEED_EVENTS_MAX; i++)
        feed_event_fini(&f->events[i]);
    free(f->servers);
    free(f->containers);
    free(f->log_server);
    feed_status_fini(&f->status);
    loglines_fini(&f->log);
}

struct feed_server *feed_find(const struct feed *f, const char *name)
{
    for (size_t i = 0; name && i < f->server_count; i++)
        if (!strcmp(f->servers[i]->name, name))
            return f->servers[i];
    return NULL;
}

static const char *get_str(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

/* A server's figures go into its graphs only while it runs: a sample across a restart would be a
 * lie. */
static void note_figures(struct feed_server *s)
{
    int64_t now = clock_wall_ms();

    if (!s->usage.known)
        return;
    series_add(&s->cpu, now, s->usage.cpu);
    series_add(&s->memory, now, (double)s->usage.memory);
}

static struct feed_server *take_server(struct feed *f, json_t *o)
{
    struct feed_server *s;

    if (!*get_str(o, "name"))
        return NULL;
    s = feed_find(f, get_str(o, "name"));
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        f->servers = xrealloc(f->servers, (f->server_count + 1) * sizeof(*f->servers));
        f->servers[f->server_count++] = s;
    }
    feed_parse_server(s, o);
    note_figures(s);
    return s;
}

int feed_apply_server(struct feed *f, json_t *server)
{
    return take_server(f, server) ? FEED_LISTS : -1;
}

static void remove_server_at(struct feed *f, size_t i)
{
    free_server(f->servers[i]);
    f->server_count--;
    memmove(f->servers + i, f->servers + i + 1, (f->server_count - i) * sizeof(*f->servers));
}

static void move_server(struct feed *f, struct feed_server *s, size_t to)
{
    size_t from = to;

    while (from < f->server_count && f->servers[from] != s)
        from++;
    if (from == f->server_count)
        return;     /* named twice: its first place counts */
    memmove(f->servers + to + 1, f->servers + to, (from - to) * sizeof(*f->servers));
    f->servers[to] = s;
}

/* All servers in their order; those not named are gone. */
static void take_servers(struct feed *f, json_t *list)
{
    size_t place = 0;

    for (size_t i = 0; i < f->server_count; i++)
        f->servers[i]->seen = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct feed_server *s = take_server(f, json_array_get(list, i));
        if (!s || s->seen)
            continue;
        s->seen = true;
        move_server(f, s, place++);
    }
    for (size_t i = f->server_count; i-- > 0;)
        if (!f->servers[i]->seen)
            remove_server_at(f, i);
}

static int on_server_removed(struct feed *f, json_t *o)
{
    for (size_t i = 0; i < f->server_count; i++)
        if (!strcmp(f->servers[i]->name, get_str(o, "name"))) {
            remove_server_at(f, i);
            return FEED_LISTS;
        }
    return FEED_NOTHING;
}

static int on_pull(struct feed *f, json_t *o)
{
    json_t *names = json_object_get(o, "servers");

    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        struct feed_server *s = name ? feed_find(f, name) : NULL;
        if (s)
            feed_parse_pull(s, json_object_get(o, "pull"));
    }
    return FEED_FIGURES;
}

static struct feed_container *take_container(struct feed *f, json_t *o)
{
    const char *id = get_str(o, "id");
    struct feed_container *c = NULL;

    if (!*id)
        return NULL;
    for (size_t i = 0; i < f->container_count && !c; i++)
        if (!strcmp(f->containers[i]->id, id))
            c = f->containers[i];
    if (!c) {
        c = xcalloc(1, sizeof(*c));
        f->containers = xrealloc(f->containers, (f->container_count + 1) * sizeof(*f->containers));
        f->containers[f->container_count++] = c;
    }
    feed_parse_container(c, o);
    return c;
}

static void remove_container_at(struct feed *f, size_t i)
{
    free_container(f->containers[i]);
    f->container_count--;
    memmove(f->containers + i, f->containers + i + 1,
            (f->container_count - i) * sizeof(*f->containers));
}

static void take_containers(struct feed *f, json_t *list)
{
    for (size_t i = 0; i < f->container_count; i++)
        f->containers[i]->seen = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct feed_container *c = take_container(f, json_array_get(list, i));
        if (c)
            c->seen = true;
    }
    for (size_t i = f->container_count; i-- > 0;)
        if (!f->containers[i]->seen)
            remove_container_at(f, i);
}

static int on_container_removed(struct feed *f, json_t *o)
{
    for (size_t i = 0; i < f->container_count; i++)
        if (!strcmp(f->containers[i]->id, get_str(o, "id"))) {
            remove_container_at(f, i);
            return FEED_LISTS;
        }
    return FEED_NOTHING;
}

static int on_docker(struct feed *f, json_t *o)
{
    feed_parse_event(&f->events[f->event_head], o);
    f->event_head = (f->event_head + 1) % FEED_EVENTS_MAX;
    if (f->event_count < FEED_EVENTS_MAX)
        f->event_count++;
    return FEED_LISTS;
}

const struct feed_event *feed_event_at(const struct feed *f, size_t i)
{
    if (i >= f->event_count)
        return NULL;
    return &f->events[(f->event_head + FEED_EVENTS_MAX - 1 - i) % FEED_EVENTS_MAX];
}

static void forget_log_ends(struct feed *f)
{
    for (size_t i = 0; i < f->server_count; i++)
        f->servers[i]->log_end = 0;
}

static int on_hello(struct feed *f, json_t *o)
{
    json_t *events = json_object_get(o, "events");
    struct logline another = {.kind = LOGLINE_BREAK, .t_ms = clock_wall_ms(), .text = (char *)""};
    int64_t before = f->status.started_ms;

    feed_parse_status(&f->status, json_object_get(o, "status"));
    take_servers(f, json_object_get(o, "servers"));
    take_containers(f, json_object_get(o, "containers"));
    if (before != f->status.started_ms)
        forget_log_ends(f);
    if (before && before != f->status.started_ms && f->log.count)
        loglines_append(&f->log, &another);
    f->event_count = 0;
    for (size_t i = 0; i < json_array_size(events); i++)
        on_docker(f, json_array_get(events, i));
    return FEED_LISTS | FEED_HELLO;
}

static int64_t int_at(json_t *row, size_t i)
{
    double v = json_is_number(json_array_get(row, i)) ? json_number_value(json_array_get(row, i))
                                                      : -1;

    return v > 9e15 || v < -9e15 ? -1 : (int64_t)v;
}

static double real_at(json_t *row, size_t i)
{
    return json_is_number(json_array_get(row, i)) ? json_number_value(json_array_get(row, i)) : -1;
}

/* What a supervisor of an earlier version does not send is not known. */
static void take_usage_rest(struct feed_usage *u, json_t *row)
{
    if (int_at(row, 15) >= 0)
        u->peak = int_at(row, 15);
    u->io_read = int_at(row, 16);
    u->io_write = int_at(row, 17);
    u->wait_cpu = real_at(row, 18);
    u->wait_memory = real_at(row, 19);
    u->wait_disk = real_at(row, 20);
}

/* [name,cpu,memory,peak,limit,pids,net_rx,net_tx,throttled,ooms,calls,errors,in_flight,p95_us,
 * ping_us,memory_high,io_read,io_write,pressure_cpu,pressure_memory,pressure_io,p50_us,p99_us,
 * tool_errors] */
static void take_usage_row(struct feed *f, json_t *row)
{
    struct feed_server *s = feed_find(f, json_string_value(json_array_get(row, 0)));

    if (!s)
        return;
    s->usage.known = int_at(row, 2) >= 0;
    s->usage.cpu = json_number_value(json_array_get(row, 1));
    s->usage.memory = int_at(row, 2);
    s->usage.peak = s->usage.peak_cache = int_at(row, 3);
    s->usage.limit = int_at(row, 4);
    s->usage.pids = int_at(row, 5) < 0 ? -1 : (int)(int_at(row, 5) & 0x7fffffff);
    s->usage.net_rx = int_at(row, 6);
    s->usage.net_tx = int_at(row, 7);
    s->usage.throttled = json_number_value(json_array_get(row, 8));
    s->usage.ooms = int_at(row, 9);
    s->calls.total = int_at(row, 10);
    s->calls.errors = int_at(row, 11);
    s->calls.in_flight = int_at(row, 12);
    s->calls.p95_us = int_at(row, 13);
    s->calls.ping_us = int_at(row, 14);
    take_usage_rest(&s->usage, row);
    if (json_array_size(row) > 22) {     /* an older supervisor sends none */
        s->calls.p50_us = int_at(row, 21);
        s->calls.p99_us = int_at(row, 22);
    }
    if (json_array_size(row) > 23)
        s->calls.tool_errors = int_at(row, 23);
    note_figures(s);
}

static int on_usage(struct feed *f, json_t *o)
{
    json_t *rows = json_object_get(o, "servers");
    json_t *host = json_object_get(o, "host"), *self = json_object_get(o, "self");
    json_t *cpu = json_object_get(host, "cpu"), *used = json_object_get(host, "memory_used");

    for (size_t i = 0; i < json_array_size(rows); i++)
        take_usage_row(f, json_array_get(rows, i));
    if (json_is_number(cpu)) {
        f->status.cpu = json_number_value(cpu);
        series_add(&f->host_cpu, clock_wall_ms(), f->status.cpu);
    }
    if (json_is_integer(used))
        f->status.memory_used = json_integer_value(used);
    if (json_is_number(json_object_get(self, "cpu")))
        f->status.self_cpu = json_number_value(json_object_get(self, "cpu"));
    if (json_is_integer(json_object_get(self, "rss_anon")))
        f->status.self_rss = json_integer_value(json_object_get(self, "rss_anon"));
    if (json_is_integer(json_object_get(self, "sampling_us")))
        f->status.sampling_us = json_integer_value(json_object_get(self, "sampling_us"));
    return FEED_FIGURES;
}

static bool log_wanted(const struct feed *f, const char *server)
{
    return f->log_all || (f->log_server && !strcmp(f->log_server, server));
}

static struct logline parse_line(json_t *o, char *label)
{
    json_t *text = json_object_get(o, "text");
    const char *stream = get_str(o, "s");

    return (struct logline){
        .seq = (uint64_t)json_integer_value(json_object_get(o, "seq")),
        .t_ms = json_integer_value(json_object_get(o, "t")),
        .kind = !strcmp(stream, "out")   ? LOGLINE_OUT
                : !strcmp(stream, "sup") ? LOGLINE_SUP
                                         : LOGLINE_ERR,
        .flags = (unsigned)json_integer_value(json_object_get(o, "f")),
        .server = label,
        .text = (char *)(json_is_string(text) ? json_string_value(text) : ""),
        .len = json_is_string(text) ? json_string_length(text) : 0,
    };
}

static char *label_of(const struct feed *f, const char *server)
{
    struct buf b = BUF_INIT;

    if (!f->log_all)
        return NULL;
    text_clean_plain(&b, server, strlen(server));
    return buf_take(&b);
}

/* The last line that came of a server; 0: none. */
static uint64_t log_end_of(const struct feed *f, const char *server)
{
    const struct feed_server *s = f->log_all ? feed_find(f, server) : NULL;

    return f->log_all ? (s ? s->log_end : 0) : loglines_last_seq(&f->log);
}

static void note_log_end(struct feed *f, const char *server, uint64_t seq)
{
    struct feed_server *s = f->log_all ? feed_find(f, server) : NULL;

    if (s && seq > s->log_end)
        s->log_end = seq;
}

/* Numbers are contiguous: what is missing between two lines fell out while nobody listened, and a
 * gap says so. */
static void add_missing(struct feed *f, const struct logline *next, uint64_t last)
{
    struct logline gap = {
        .kind = LOGLINE_GAP, .seq = last + 1, .gap_to = next->seq - 1, .t_ms = next->t_ms,
        .server = next->server, .text = (char *)"",
    };

    if (last && next->seq > last + 1 && !f->log.behind)
        loglines_append(&f->log, &gap);
}

static int on_log(struct feed *f, json_t *o)
{
    json_t *lines = json_object_get(o, "lines");
    const char *server = get_str(o, "server");
    uint64_t last = log_end_of(f, server);
    AUTO_FREE char *label = label_of(f, server);

    if (!log_wanted(f, server))
        return FEED_NOTHING;
    for (size_t i = 0; i < json_array_size(lines); i++) {
        struct logline line = parse_line(json_array_get(lines, i), label);
        if (line.seq <= last)
            continue;     /* a new stream begins with what an old one ended with */
        add_missing(f, &line, last);
        last = line.seq;
        if (loglines_append(&f->log, &line) && f->log_all)
            loglines_sort_last(&f->log);
    }
    note_log_end(f, server, last);
    return FEED_LOG;
}

static int on_gap(struct feed *f, json_t *o)
{
    const char *server = get_str(o, "server");
    AUTO_FREE char *label = label_of(f, server);
    struct logline gap = {
        .kind = LOGLINE_GAP, .seq = (uint64_t)json_integer_value(json_object_get(o, "from")),
        .gap_to = (uint64_t)json_integer_value(json_object_get(o, "to")), .t_ms = clock_wall_ms(),
        .server = label, .text = (char *)"",
    };
    struct logline *last = loglines_at(&f->log, f->log.count - 1);

    if (!log_wanted(f, server) || gap.gap_to < gap.seq)
        return FEED_NOTHING;
    if (!f->log_all && last && last->kind == LOGLINE_GAP && last->gap_to + 1 == gap.seq)
        last->gap_to = gap.gap_to;
    else
        loglines_append(&f->log, &gap);
    note_log_end(f, server, gap.gap_to);
    return FEED_LOG;
}

static int on_status(struct feed *f, json_t *o)
{
    if (!json_is_object(o))
        return -1;
    feed_parse_status(&f->status, o);
    return FEED_LISTS;
}

static int on_container(struct feed *f, json_t *o)
{
    return take_container(f, o) ? FEED_LISTS : -1;
}

int feed_apply(struct feed *f, const char *event, const char *json, size_t n)
{
    static const struct { const char *name; int (*apply)(struct feed *f, json_t *o); } events[] = {
        {"hello", on_hello}, {"server", feed_apply_server}, {"server_removed", on_server_removed},
        {"usage", on_usage},
        {"container", on_container}, {"container_removed", on_container_removed},
        {"docker", on_docker}, {"pull", on_pull},
        {"status", on_status}, {"log", on_log}, {"gap", on_gap},
    };
    json_t *o;
    int changed = FEED_NOTHING;

    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (strcmp(events[i].name, event) != 0)
            continue;
        o = json_loadb(json, n, JSON_ALLOW_NUL, NULL);
        changed = json_is_object(o) ? events[i].apply(f, o) : -1;
        json_decref(o);
    }
    return changed;
}

void feed_log_target(struct feed *f, const char *server, bool all)
{
    bool same = all == f->log_all &&
                (all || (server && f->log_server && !strcmp(server, f->log_server)));

    if (same)
        return;
    free(f->log_server);
    f->log_server = xstrdup(server);
    f->log_all = all;
    forget_log_ends(f);
    loglines_clear(&f->log);
}

int feed_apply_log_page(struct feed *f, json_t *page, enum feed_page where)
{
    json_t *lines = json_object_get(page, "lines");
    size_t n = json_array_size(lines);
    uint64_t next = (uint64_t)json_integer_value(json_object_get(page, "next_seq"));
    bool hold;

    if (!json_is_array(lines) || f->log_all || !log_wanted(f, get_str(page, "server")))
        return -1;
    f->log.server_first_seq = (uint64_t)json_integer_value(json_object_get(page, "first_seq"));
    if (where == FEED_PAGE_LATEST)
        loglines_clear(&f->log);
    hold = f->log.hold;
    if (where == FEED_PAGE_NEWER)
        f->log.behind = f->log.hold = false;     /* he moves down: what he leaves above may go */
    for (size_t i = 0; i < n; i++) {
        struct logline line = parse_line(
            json_array_get(lines, where == FEED_PAGE_OLDER ? n - 1 - i : i), NULL);
        uint64_t last = loglines_last_seq(&f->log);
        if (where == FEED_PAGE_OLDER) {
            loglines_prepend(&f->log, &line);
        } else if (line.seq > last) {
            add_missing(f, &line, last);
            loglines_append(&f->log, &line);
        }
    }
    f->log.hold = hold;
    if (where == FEED_PAGE_NEWER && loglines_last_seq(&f->log) + 1 < next)
        f->log.behind = true;
    return FEED_LOG;
}

void feed_advance(struct feed *f, int64_t wall_ms)
{
    series_advance(&f->host_cpu, wall_ms);
    for (size_t i = 0; i < f->server_count; i++)
        if (f->servers[i]->usage.known) {
            series_advance(&f->servers[i]->cpu, wall_ms);
            series_advance(&f->servers[i]->memory, wall_ms);
        }
}

const char *feed_state_symbol(enum feed_state s)
{
    switch (s) {
    case STATE_READY: return "*";
    case STATE_STOPPED: return "-";
    case STATE_SILENT: case STATE_UNKNOWN: return "?";
    case STATE_FAILED: case STATE_BACKING_OFF: return "!";
    default: return "~";
    }
}

bool feed_is_bad(const struct feed_server *s)
{
    return s->state == STATE_FAILED || s->state == STATE_BACKING_OFF || s->state == STATE_SILENT;
}

bool feed_is_starting(const struct feed_server *s)
{
    return s->state == STATE_PULLING || s->state == STATE_STARTING ||
           s->state == STATE_INITIALIZING || s->state == STATE_STOPPING;
}
