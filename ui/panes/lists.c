/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plainer lists: containers, events, traffic, resources. Each is a table over the model; those
 * of servers share selection and order with the table of servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "panes/pane.h"
#include "table.h"

static void say(struct view *v, struct rect r, const char *text)
{
    canvas_put(&v->canvas, r.x + 2, r.y + 2, r.w - 3, ST_DIM, text);
}

/* ---- containers ---- */

enum { K_SERVER, K_STATE, K_OWNER, K_NAME, K_CPU, K_MEMORY, K_IMAGE, K_AGE, K_ID, K_COUNT };
static const struct column container_columns[K_COUNT] = {
    [K_SERVER] = {"SERVER", 14, 28, 0, false, 0}, [K_STATE] = {"STATE", 7, 7, 0, false, 0},
    [K_OWNER] = {"USE", 8, 8, 0, false, 0}, [K_NAME] = {"CONTAINER", 24, 44, 1, false, 0},
    [K_IMAGE] = {"IMAGE", 12, 32, 2, false, 0}, [K_AGE] = {"AGE", 6, 6, 1, true, 0},
    [K_CPU] = {"CPU%", 5, 5, 5, true, 0}, [K_MEMORY] = {"MEM", 6, 6, 4, true, 0},
    [K_ID] = {"ID", 12, 12, 3, false, 0},
};

static int containers_rows(const struct view *v, int width)
{
    (void)width;
    return 1 + v->shown_count;
}

const char *pane_container_use(const struct feed_container *c)
{
    return c->orphan                     ? "! orphan"
           : c->kept                     ? "kept"
           : !strcmp(c->owner, "other")  ? "other's"
           : !strcmp(c->owner, "foreign") ? "not ours"
                                          : "in use";
}

static void container_row(struct view *v, const struct table *t, const struct feed_container *c,
                          int y)
{
    char text[32];
    const struct feed_server *s = c->in_use && !c->kept ? feed_find(&v->feed, c->server) : NULL;
    const struct feed_usage *u = s && s->usage.known ? &s->usage : NULL;
    int64_t memory = u ? u->memory : c->memory;
    double cpu = u ? u->cpu : c->cpu;

    table_put(&v->canvas, t, K_SERVER, y, ST_BOLD, *c->server ? c->server : "-");
    table_put(&v->canvas, t, K_STATE, y, !strcmp(c->state, "running") ? ST_OK : ST_DIM, c->state);
    table_put(&v->canvas, t, K_OWNER, y, c->orphan ? ST_WARN : ST_DIM, pane_container_use(c));
    table_put(&v->canvas, t, K_NAME, y, ST_NORMAL, c->name);
    table_put(&v->canvas, t, K_IMAGE, y, ST_DIM, c->image);
    table_put(&v->canvas, t, K_AGE, y, ST_DIM,
              c->created_ms ? pane_span(clock_wall_ms() - c->created_ms, text, sizeof(text)) : "-");
    if (memory >= 0)
        table_put(&v->canvas, t, K_MEMORY, y, ST_DIM, text_size(memory, text, sizeof(text)));
    snprintf(text, sizeof(text), "%.1f", cpu);
    if (cpu >= 0)
        table_put(&v->canvas, t, K_CPU, y, ST_DIM, text);
    snprintf(text, sizeof(text), "%.12s", c->id);
    table_put(&v->canvas, t, K_ID, y, ST_DIM, text);
}

static int longest(int so_far, const char *text)
{
    int n = text_width(text, strlen(text));

    return n > so_far ? n : so_far;
}

/* What the names leave free of their column the images get that need it. */
static void share_columns(const struct view *v, struct column *columns)
{
    int both = columns[K_NAME].min + columns[K_IMAGE].min;
    int name = 0, image = columns[K_IMAGE].min;

    for (int i = 0; i < v->shown_count; i++) {
        name = longest(name, v->shown[i]->name);
        image = longest(image, v->shown[i]->image);
    }
    if (name > columns[K_NAME].min)
        name = columns[K_NAME].min;
    if (image > both - name)
        image = both - name;
    if (image > 20)
        image = 20;
    columns[K_IMAGE].min = image;
    columns[K_NAME].min = both - image;
}

static void containers_draw(struct view *v, struct rect r)
{
    int want[K_COUNT] = {[K_NAME] = 40, [K_IMAGE] = 24, [K_SERVER] = 18};
    struct column columns[K_COUNT];
    struct table t;
    int top = pane_window(&v->containers, r.h - 1);

    memcpy(columns, container_columns, sizeof(columns));
    share_columns(v, columns);
    table_layout(&t, columns, K_COUNT, want, r.x + 2, r.w - 3);
    table_head(&v->canvas, &t, r.y, 0, false);
    table_filter(&v->canvas, &t, r.y, v->containers.filter);
    if (!v->feed.container_count)
        say(v, r, !strcmp(v->feed.status.engine_state, "up") ? "no server runs in a container"
                               : "no engine answers: what runs there is not known");
    else if (!v->shown_count)
        say(v, r, "no container matches; Esc shows all");
    for (int i = top; i < v->shown_count && i - top < r.h - 1; i++) {
        int y = r.y + 1 + i - top;
        container_row(v, &t, v->shown[i], y);
        pane_row_finish(v, r, y, i == v->containers.at, false);
    }
}

const struct pane pane_containers = {"containers", IN_CONTAINERS, containers_draw, containers_rows};

/* ---- events ---- */

enum { E_TIME, E_SOURCE, E_SERVER, E_ACTION, E_DETAIL, E_COUNT };
static const struct column event_columns[E_COUNT] = {
    [E_TIME] = {"TIME", 8, 8, 0, false, 0}, [E_SOURCE] = {"FROM", 10, 10, 2, false, 0},
    [E_SERVER] = {"SERVER", 14, 24, 1, false, 0}, [E_ACTION] = {"WHAT", 18, 24, 0, false, 0},
    [E_DETAIL] = {"", 28, 200, 0, false, 0},
};

static int events_rows(const struct view *v, int width)
{
    (void)width;
    return 1 + (int)v->feed.event_count;
}

static enum style event_style(const struct feed_event *e)
{
    if (!strcmp(e->action, "oom") || !strcmp(e->action, "die") || !strcmp(e->action, "failed"))
        return ST_WARN;
    return ST_NORMAL;
}

static void event_row(struct view *v, const struct table *t, const struct feed_event *e, int y)
{
    char text[64];

    table_put(&v->canvas, t, E_TIME, y, ST_DIM, pane_clock(e->wall_ms, text, sizeof(text)));
    table_put(&v->canvas, t, E_SOURCE, y, ST_DIM, e->source);
    table_put(&v->canvas, t, E_SERVER, y, ST_BOLD, *e->server ? e->server : "-");
    snprintf(text, sizeof(text), "%.24s %.24s", e->type, e->action);
    table_put(&v->canvas, t, E_ACTION, y, event_style(e), text);
    table_put(&v->canvas, t, E_DETAIL, y, event_style(e), *e->detail ? e->detail : e->name);
}

static void events_draw(struct view *v, struct rect r)
{
    int want[E_COUNT] = {
        [E_DETAIL] = 200, [E_SERVER] = r.w > 100 ? 20 : 14, [E_ACTION] = r.w > 100 ? 24 : 18};
    struct table t;
    int top = pane_window(&v->events, r.h - 1);

    table_layout(&t, event_columns, E_COUNT, want, r.x + 2, r.w - 3);
    table_head(&v->canvas, &t, r.y, 0, false);
    if (!v->feed.event_count)
        say(v, r, "no events yet");
    for (int i = top; i < (int)v->feed.event_count && i - top < r.h - 1; i++) {
        int y = r.y + 1 + i - top;
        event_row(v, &t, feed_event_at(&v->feed, (size_t)i), y);
        pane_row_finish(v, r, y, i == v->events.at, false);
    }
}

const struct pane pane_events = {"events", IN_EVENTS, events_draw, events_rows};

/* ---- traffic ---- */

enum { T_NAME, T_CLIENTS, T_CALLS, T_ERR, T_FLIGHT, T_P50, T_P95, T_P99, T_PING, T_NOW, T_COUNT };
static const struct column traffic_columns[T_COUNT] = {
    [T_NAME] = {"NAME", 14, 32, 0, false, SORT_NAME}, [T_CLIENTS] = {"CLIENTS", 7, 7, 3, true, 0},
    [T_CALLS] = {"CALLS", 6, 8, 0, true, SORT_CALLS}, [T_ERR] = {"ERR", 4, 6, 1, true, SORT_ERRORS},
    [T_FLIGHT] = {"FLIGHT", 6, 6, 0, true, 0}, [T_P50] = {"P50", 6, 6, 4, true, 0},
    [T_P95] = {"P95", 6, 6, 1, true, SORT_P95}, [T_P99] = {"P99", 6, 6, 5, true, 0},
    [T_PING] = {"PING", 6, 6, 6, true, 0},
    [T_NOW] = {" NOW", 10, 200, 7, false, 0},
};

static int servers_rows(const struct view *v, int width)
{
    (void)width;
    return 1 + v->order_count;
}

/* The oldest call in flight: "query 1.2s by claude-code". */
static void oldest_call(const struct feed_server *s, char *out, size_t n)
{
    const struct feed_call *oldest = NULL;
    char age[16];

    *out = '\0';
    for (size_t i = 0; s->calls.in_flight > 0 && i < s->calls.open_count; i++)
        if (!oldest || s->calls.open[i].since_ms < oldest->since_ms)
            oldest = &s->calls.open[i];
    if (oldest)
        snprintf(out, n, " %s %s by %s%s", *oldest->name ? oldest->name : oldest->method,
                 pane_span(clock_wall_ms() - oldest->since_ms, age, sizeof(age)), oldest->client,
                 oldest->held ? ", held" : "");
}

static void traffic_row(struct view *v, const struct table *t, const struct feed_server *s, int y)
{
    struct canvas *c = &v->canvas;
    const struct feed_calls *k = &s->calls;
    enum style st = view_is_live(v) ? ST_NORMAL : ST_DIM;
    char text[200];

    table_put(c, t, T_NAME, y, feed_is_bad(s) ? ST_BAD : ST_BOLD, s->label);
    table_put(c, t, T_CLIENTS, y, st, pane_count(k->clients, text, sizeof(text)));
    table_put(c, t, T_CALLS, y, st, pane_count(k->total, text, sizeof(text)));
    table_put(c, t, T_ERR, y, feed_failed_calls(k) > 0 ? ST_WARN : ST_DIM,
              pane_count(feed_failed_calls(k), text, sizeof(text)));
    table_put(c, t, T_FLIGHT, y, k->in_flight > 0 ? ST_ACCENT : ST_DIM,
              pane_count(k->in_flight, text, sizeof(text)));
    table_put(c, t, T_P50, y, st, pane_us(k->total > 0 ? k->p50_us : -1, text, sizeof(text)));
    table_put(c, t, T_P95, y, st, pane_us(k->total > 0 ? k->p95_us : -1, text, sizeof(text)));
    table_put(c, t, T_P99, y, st, pane_us(k->total > 0 ? k->p99_us : -1, text, sizeof(text)));
    table_put(c, t, T_PING, y, ST_DIM, pane_us(k->ping_us, text, sizeof(text)));
    oldest_call(s, text, sizeof(text));
    table_put(c, t, T_NOW, y, ST_NORMAL, text);
}

/* Shared by the tables over servers: head, rows, selection. */
static void draw_servers(struct view *v, struct rect r, const struct table *t,
                         void (*row)(struct view *v, const struct table *t,
                                     const struct feed_server *s, int y))
{
    int top = pane_window(&v->servers, r.h - 1);

    table_head(&v->canvas, t, r.y, v->sort, v->inverted);
    table_filter(&v->canvas, t, r.y, v->servers.filter);
    for (int i = top; i < v->order_count && i - top < r.h - 1; i++) {
        int y = r.y + 1 + i - top;
        row(v, t, v->order[i], y);
        pane_row_finish(v, r, y, i == v->servers.at, v->order[i]->marked);
    }
}

static int widest_name(const struct view *v)
{
    int widest = 0;

    for (int i = 0; i < v->order_count; i++) {
        int w = text_width(v->order[i]->label, strlen(v->order[i]->label));
        widest = w > widest ? w : widest;
    }
    return widest;
}

static void traffic_draw(struct view *v, struct rect r)
{
    int want[T_COUNT] = {[T_NAME] = widest_name(v), [T_NOW] = 200, [T_CALLS] = 8, [T_ERR] = 6};
    struct table t;

    table_layout(&t, traffic_columns, T_COUNT, want, r.x + 2, r.w - 3);
    draw_servers(v, r, &t, traffic_row);
}

const struct pane pane_traffic = {"traffic", IN_TRAFFIC, traffic_draw, servers_rows};

/* ---- resources ---- */

enum { R_NAME, R_CPU, R_CPUG, R_THR, R_MEM, R_MEMG, R_LIMIT, R_PEAK, R_OOM, R_WAIT, R_PIDS, R_NET,
      R_DISK, R_COUNT };
static const struct column resource_columns[R_COUNT] = {
    [R_NAME] = {"NAME", 14, 28, 0, false, SORT_NAME}, [R_CPU] = {"CPU%", 5, 5, 0, true, SORT_CPU},
    [R_CPUG] = {"", 8, 60, 3, false, 0}, [R_THR] = {"THR%", 4, 4, 5, true, 0},
    [R_MEM] = {"MEM", 5, 5, 0, true, SORT_MEMORY}, [R_MEMG] = {"OF LIMIT", 8, 60, 1, false, 0},
    [R_LIMIT] = {"LIMIT", 5, 5, 1, true, 0}, [R_PEAK] = {"PEAK", 5, 5, 2, true, 0},
    [R_OOM] = {"OOM", 3, 3, 4, true, 0}, [R_WAIT] = {"WAIT", 4, 4, 4, true, 0},
    [R_PIDS] = {"PIDS", 4, 4, 6, true, 0}, [R_NET] = {"NET RX/TX", 11, 11, 7, true, 0},
    [R_DISK] = {"DISK R/W", 11, 11, 8, true, 0},
};

static double cpu_scale(const struct feed_server *s)
{
    double cpus = s->usage.limit > 0 && *s->plan.cpus ? strtod(s->plan.cpus, NULL) : 0;

    return cpus > 0 ? cpus * 100 : 100;
}

static void put_memory(struct view *v, const struct table *t, const struct feed_server *s, int y)
{
    struct canvas *c = &v->canvas;
    const struct feed_usage *u = &s->usage;
    bool live = view_is_live(v), tight = u->limit > 0 && u->memory > u->limit - u->limit / 10;
    char text[16];

    table_put(c, t, R_MEM, y,
              tight  ? ST_WARN
              : live ? ST_NORMAL
                     : ST_DIM,
              pane_size(u->memory, text, sizeof(text)));
    table_put(c, t, R_PEAK, y, ST_DIM, pane_size(u->peak > 0 ? u->peak : -1, text, sizeof(text)));
    table_put(c, t, R_LIMIT, y, ST_DIM,
              pane_size(u->limit > 0 ? u->limit : -1, text, sizeof(text)));
    if (table_shows(t, R_MEMG) && u->limit > 0)
        graph_meter(c, t->x[R_MEMG], y, t->w[R_MEMG],
                    tight  ? ST_WARN
                    : live ? ST_GRAPH
                           : ST_DIM,
                    (double)u->memory / (double)u->limit);
    else
        table_put(c, t, R_MEMG, y, ST_DIM, "no limit");
}

/* What it waits for most: "12c". */
static void put_wait(struct view *v, const struct table *t, const struct feed_usage *u, int y)
{
    const struct { double share; char what;
    } waits[] = {{u->wait_cpu, 'c'}, {u->wait_memory, 'm'}, {u->wait_disk, 'd'}};
    size_t most = 0;
    char text[16] = "-";

    for (size_t i = 1; i < ARRAY_LEN(waits); i++)
        if (waits[i].share > waits[most].share)
            most = i;
    if (waits[most].share >= .5)
        snprintf(text, sizeof(text), "%.0f%c", waits[most].share, waits[most].what);
    else if (waits[most].share >= 0)
        snprintf(text, sizeof(text), "0");
    table_put(&v->canvas, t, R_WAIT, y, waits[most].share >= 10 ? ST_WARN : ST_DIM, text);
}

static void put_pair(struct view *v, const struct table *t, int column, int y, int64_t a, int64_t b)
{
    char text[40], left[16], right[16];

    snprintf(text, sizeof(text), "%s/%s", pane_size(a, left, sizeof(left)),
             pane_size(b, right, sizeof(right)));
    table_put(&v->canvas, t, column, y, ST_DIM, a < 0 ? "-" : text);
}

static void resource_row(struct view *v, const struct table *t, const struct feed_server *s, int y)
{
    struct canvas *c = &v->canvas;
    const struct feed_usage *u = &s->usage;
    enum style st = view_is_live(v) ? ST_NORMAL : ST_DIM;
    char text[40];

    table_put(c, t, R_NAME, y, feed_is_bad(s) ? ST_BAD : ST_BOLD, s->label);
    if (!u->known) {
        table_put(c, t, R_CPU, y, ST_DIM, "-");
        table_put(c, t, R_MEM, y, ST_DIM, "-");
        return;
    }
    table_put(c, t, R_CPU, y, st, pane_cpu(u->cpu, text, sizeof(text)));
    if (table_shows(t, R_CPUG))
        graph_spark(c, t->x[R_CPUG], y, t->w[R_CPUG], view_is_live(v) ? ST_GRAPH : ST_DIM, &s->cpu,
                    cpu_scale(s));
    snprintf(text, sizeof(text), u->throttled < 0 ? "-" : "%.0f", u->throttled);
    table_put(c, t, R_THR, y, u->throttled >= 5 ? ST_WARN : ST_DIM, text);
    put_memory(v, t, s, y);
    table_put(c, t, R_OOM, y, u->ooms > 0 ? ST_BAD : ST_DIM,
              pane_count(u->ooms, text, sizeof(text)));
    table_put(c, t, R_PIDS, y, ST_DIM, pane_count(u->pids, text, sizeof(text)));
    put_wait(v, t, u, y);
    put_pair(v, t, R_NET, y, u->net_rx, u->net_tx);
    put_pair(v, t, R_DISK, y, u->io_read, u->io_write);
}

/* What watching costs, and what the letters mean. */
static void put_cost(struct view *v, struct rect r)
{
    const struct feed_status *st = &v->feed.status;
    AUTO_BUF struct buf b = BUF_INIT;
    char size[16];

    if (!st->known || st->self_cpu < 0)
        return;
    buf_printf(&b, "mcptop: %.1f%% cpu, %s", st->self_cpu,
               pane_size(st->self_rss, size, sizeof(size)));
    if (st->sampling_us >= 0)
        buf_printf(&b, ", sampling %.1f ms/s", (double)st->sampling_us / 1000);
    buf_printf(&b, " · WAIT: c cpu, m memory, d disk");
    canvas_put_cut(&v->canvas, r.x + 2, r.y + r.h - 1, r.w - 3, ST_DIM, buf_str(&b));
}

static int resources_rows(const struct view *v, int width)
{
    return servers_rows(v, width) + 1;
}

static void resources_draw(struct view *v, struct rect r)
{
    int spare = (r.w - 80) / 2, graph = spare > 8 ? spare : 10;
    int want[R_COUNT] = {[R_NAME] = widest_name(v), [R_CPUG] = graph, [R_MEMG] = graph};
    struct table t;

    table_layout(&t, resource_columns, R_COUNT, want, r.x + 2, r.w - 3);
    put_cost(v, r);
    draw_servers(v, (struct rect){r.x, r.y, r.w, r.h - 1}, &t, resource_row);
}

const struct pane pane_resources = {"resources", IN_RESOURCES, resources_draw, resources_rows};
