/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything about one server: what runs, why it runs that way, limits and figures, calls, its last
 * end, findings. As rows of label and wrapped text; the same rows, cut short, stand beside the
 * table on wide screens. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "panes/page.h"
#include "panes/pane.h"

static void put_head(struct page *p, const struct feed_server *s)
{
    AUTO_BUF struct buf b = BUF_INIT;
    char span[16];
    int y = page_y(p);

    buf_printf(&b, "%s %s", feed_state_symbol(s->state), s->state_word);
    if (s->up_since_ms)
        buf_printf(&b, " for %s", pane_span(clock_wall_ms() - s->up_since_ms, span, sizeof(span)));
    if (s->restarts)
        buf_printf(&b, ", %d restart%s", s->restarts, s->restarts == 1 ? "" : "s");
    if (y >= 0) {
        int x = p->r.x + 1 + canvas_put_cut(p->c, p->r.x + 1, y, p->r.w - 20, ST_ACCENT, s->label);
        canvas_put_cut(p->c, x + 2, y, p->r.x + p->r.w - x - 2, pane_state_style(s), buf_str(&b));
    }
    p->row++;
}

static void put_runs(struct page *p, const struct feed_server *s, bool brief)
{
    AUTO_BUF struct buf b = BUF_INIT;

    buf_printf(&b, "%s", *s->where ? s->where : "nowhere");
    if (*s->image)
        buf_printf(&b, ", image %s", s->image);
    if (*s->container_name)
        buf_printf(&b, ", container %s", s->container_name);
    if (s->pid > 0)
        buf_printf(&b, ", pid %d", s->pid);
    page_field(p, "runs", ST_NORMAL, buf_str(&b));
    for (size_t i = 0; i < s->members.n; i++)
        page_field(p, i ? "" : "sessions", ST_NORMAL, s->members.v[i]);
    page_field(p, "weak", ST_WARN, s->where_weak);
    for (size_t i = 0; i < s->plan.note_count; i++) {
        const struct feed_note *n = &s->plan.notes[i];
        if (brief && !n->warning && strcmp(n->what, "mode") != 0)
            continue;
        buf_clear(&b);
        buf_printf(&b, "%s %s: %s", n->what, n->value, n->why);
        if (n->line > 0 && !strstr(n->why, "(line "))
            buf_printf(&b, " (line %d)", n->line);
        page_field(p, i == 0 ? "why" : "", n->warning ? ST_WARN : ST_NORMAL, buf_str(&b));
    }
    page_field(p, "command", ST_NORMAL, s->command);
}

/* The lines of memory and of CPU: a picture, and what stands right of it. */
struct picture { int x, w, text_x, text_w; };

static struct picture picture_of(const struct page *p)
{
    int w = p->r.w < 60 ? 10 : 16, x = p->r.x + 1 + PAGE_LABEL_W, text_x = x + w + 1;

    return (struct picture){ x, w, text_x, p->r.x + p->r.w - text_x - 1 };
}

static void put_memory(struct page *p, const struct feed_usage *u)
{
    struct picture at = picture_of(p);
    char a[16], b[16], c[16];
    int y = page_y(p);
    AUTO_BUF struct buf text = BUF_INIT;

    buf_printf(&text, "%s of %s, peak %s", pane_size(u->memory, a, sizeof(a)),
               u->limit > 0 ? pane_size(u->limit, b, sizeof(b)) : "no limit",
               pane_size(u->peak > 0 ? u->peak : -1, c, sizeof(c)));
    if (u->ooms > 0)
        buf_printf(&text, ", %lld OOM kill%s", (long long)u->ooms, u->ooms == 1 ? "" : "s");
    if (y >= 0) {
        page_label(p, "memory");
        if (u->limit > 0)
            graph_meter(p->c, at.x, y, at.w, ST_GRAPH, (double)u->memory / (double)u->limit);
        canvas_put_cut(p->c, u->limit > 0 ? at.text_x : at.x, y, at.text_w, ST_NORMAL,
                       buf_str(&text));
    }
    p->row++;
}

static void put_cpu(struct page *p, const struct feed_server *s, bool in_docker)
{
    struct picture at = picture_of(p);
    char a[16];
    int y = page_y(p);
    AUTO_BUF struct buf text = BUF_INIT;

    buf_printf(&text, "%s%% of a core, limit %s", pane_cpu(s->usage.cpu, a, sizeof(a)),
               *s->limit_cpus && in_docker ? s->limit_cpus : "none");
    if (s->usage.throttled >= 1)
        buf_printf(&text, ", throttled %.0f%%", s->usage.throttled);
    if (y >= 0) {
        page_label(p, "cpu");
        graph_spark(p->c, at.x, y, at.w, ST_GRAPH, &s->cpu, 100);
        canvas_put_cut(p->c, at.text_x, y, at.text_w, ST_NORMAL, buf_str(&text));
    }
    p->row++;
}

static void put_limits(struct page *p, const struct feed_server *s)
{
    const struct feed_usage *u = &s->usage;
    bool in_docker = !strcmp(s->where, "docker");
    char a[16], b[16];

    if (!u->known && !in_docker) {
        page_field(p, "limits", ST_NORMAL, *s->where ? "none: it runs on the host" : "");
        return;
    }
    if (!u->known) {
        page_fieldf(p, "limits", ST_NORMAL, "memory %s, cpus %s, network %s",
               *s->limit_memory ? s->limit_memory : "none", *s->limit_cpus ? s->limit_cpus : "none",
               *s->limit_network ? s->limit_network : "-");
        return;
    }
    put_memory(p, u);
    put_cpu(p, s, in_docker);
    if (in_docker)
        page_fieldf(p, "network", ST_NORMAL, "%s, received %s, sent %s", s->limit_network,
               pane_size(u->net_rx, a, sizeof(a)), pane_size(u->net_tx, b, sizeof(b)));
    if (u->io_read > 0 || u->io_write > 0)
        page_fieldf(p, "disk", ST_NORMAL, "read %s, written %s",
               pane_size(u->io_read, a, sizeof(a)), pane_size(u->io_write, b, sizeof(b)));
    if (!strcmp(s->where, "host"))
        page_field(p, "waits", ST_DIM, "- (counted for containers only)");
    else if (u->wait_cpu >= 1 || u->wait_memory >= 1 || u->wait_disk >= 1)
        page_fieldf(p, "waits", ST_NORMAL,
               "for cpu %.0f%%, memory %.0f%%, disk %.0f%% of the last 10 s",
               u->wait_cpu, u->wait_memory, u->wait_disk);
}

static void put_layer(struct page *p, const struct feed_layer *l)
{
    enum { ID_W = 14, BAR_W = 16 };
    int x = p->r.x + 1 + PAGE_LABEL_W, y = page_y(p), room = p->r.x + p->r.w - x - 1;
    char done[16], total[16];

    p->row++;
    if (y < 0)
        return;
    canvas_put_cut(p->c, x, y, room, ST_DIM, *l->id ? l->id : "?");
    x += ID_W, room -= ID_W;
    if (l->complete) {
        canvas_put_cut(p->c, x, y, room, ST_NORMAL, "complete");
    } else if (l->total <= 0) {
        canvas_put_cut(p->c, x, y, room, ST_DIM, "waits");
    } else {
        graph_meter(p->c, x, y, BAR_W, ST_GRAPH, (double)l->done / (double)l->total);
        canvas_putf(p->c, x + BAR_W + 1, y, room - BAR_W - 1, ST_NORMAL, "%s of %s",
                    pane_size(l->done, done, sizeof(done)),
                    pane_size(l->total, total, sizeof(total)));
    }
}

static void put_pull(struct page *p, const struct feed_server *s)
{
    char done[16], total[16], rate[16];

    if (s->pull_total <= 0)
        page_field(p, "pull", ST_BUSY, s->pull_text);
    else
        page_fieldf(p, "pull", ST_BUSY, "%s, %s of %s, %s/s", s->pull_text,
               pane_size(s->pull_done, done, sizeof(done)),
               pane_size(s->pull_total, total, sizeof(total)),
               pane_size(s->pull_rate, rate, sizeof(rate)));
    for (size_t i = 0; i < s->layer_count; i++)
        put_layer(p, &s->layers[i]);
}

/* "34 of " where its clients do not get all of its tools. */
static const char *shown_of(const struct feed_server *s, char *out, size_t n)
{
    *out = '\0';
    if (s->tools_shown >= 0 && s->tools_shown != s->tool_count)
        snprintf(out, n, "%d of ", s->tools_shown);
    return out;
}

/* "query: 12 calls, 1 error, 2 in flight" */
static void add_share(struct buf *b, const struct feed_share *s)
{
    buf_printf(b, "%s: %lld call%s", s->name, (long long)s->calls, s->calls == 1 ? "" : "s");
    if (s->errors > 0)
        buf_printf(b, ", %lld error%s", (long long)s->errors, s->errors == 1 ? "" : "s");
    if (s->tool_errors > 0)
        buf_printf(b, ", %lld failed in the tool", (long long)s->tool_errors);
    if (s->in_flight > 0)
        buf_printf(b, ", %lld in flight", (long long)s->in_flight);
}

/* Which client uses it, and for what. */
static void put_shares(struct page *p, const struct feed_calls *k)
{
    enum { SHOWN = 10 };
    char p50[16], p95[16], p99[16], in[16], out[16];

    for (size_t i = 0; i < k->by_client.n && i < SHOWN; i++) {
        const struct feed_share *s = &k->by_client.v[i];
        AUTO_BUF struct buf b = BUF_INIT;
        add_share(&b, s);
        if (*s->protocol)
            buf_printf(&b, ", MCP %s", s->protocol);
        page_field(p, i ? "" : "clients", ST_NORMAL, buf_str(&b));
    }
    if (k->by_client.n > SHOWN)
        page_fieldf(p, "", ST_DIM, "and %zu more", k->by_client.n - SHOWN);
    for (size_t i = 0; i < k->by_tool.n && i < SHOWN; i++) {
        const struct feed_share *s = &k->by_tool.v[i];
        AUTO_BUF struct buf b = BUF_INIT;
        add_share(&b, s);
        buf_printf(&b, "; p50 %s, p95 %s, p99 %s; %s out, %s in",
                   pane_us(s->p50_us, p50, sizeof(p50)),
                   pane_us(s->p95_us, p95, sizeof(p95)), pane_us(s->p99_us, p99, sizeof(p99)),
                   pane_size(s->bytes_out, out, sizeof(out)),
                   pane_size(s->bytes_in, in, sizeof(in)));
        page_field(p, i ? "" : "by tool", ST_NORMAL, buf_str(&b));
    }
    if (k->by_tool.n > SHOWN)
        page_fieldf(p, "", ST_DIM, "and %zu more", k->by_tool.n - SHOWN);
    if (k->recorded && k->unrecorded > 0)
        page_fieldf(p, "recorded", ST_WARN,
               "calls and their answers, but %lld: too long, or too many at once",
               (long long)k->unrecorded);
    else if (k->recorded)
        page_field(p, "recorded", ST_NORMAL, "calls and their answers");
}

/* What of its tools is not as it was first seen. */
static void put_tool_changes(struct page *p, const struct feed_server *s)
{
    AUTO_BUF struct buf b = BUF_INIT;

    if (s->tools_changed)
        buf_printf(&b, "%d changed", s->tools_changed);
    if (s->tools_new)
        buf_printf(&b, "%s%d new", b.len ? ", " : "", s->tools_new);
    if (b.len)
        page_fieldf(p, "tools", ST_WARN, "%s since they were first seen%s (A shows and asks)",
                    buf_str(&b), s->tools_held ? "; hidden from clients until approved" : "");
}

static void put_calls(struct page *p, const struct feed_server *s)
{
    char shown[24];
    const struct feed_calls *k = &s->calls;
    char a[16], b[16], c[16], d[16], failed[48] = "";

    if (k->tool_errors > 0)
        snprintf(failed, sizeof(failed), ", %lld failed in the tool", (long long)k->tool_errors);
    if (k->total >= 0)
        page_fieldf(p, "calls", ST_NORMAL,
               "%lld, %lld error%s%s, %lld in flight, %lld client%s; p50 %s, p95 %s, p99 %s, ping "
               "%s", (long long)k->total, (long long)k->errors, k->errors == 1 ? "" : "s",
               failed, (long long)k->in_flight, (long long)k->clients, k->clients == 1 ? "" : "s",
               pane_us(k->total ? k->p50_us : -1, a, sizeof(a)),
               pane_us(k->total ? k->p95_us : -1, b, sizeof(b)),
               pane_us(k->total ? k->p99_us : -1, c, sizeof(c)), pane_us(k->ping_us, d, sizeof(d)));
    for (size_t i = 0; k->in_flight > 0 && i < k->open_count; i++)
        page_fieldf(p, "", ST_ACCENT, "%s %s, %s, from %s%s", k->open[i].method, k->open[i].name,
               pane_span(clock_wall_ms() - k->open[i].since_ms, a, sizeof(a)), k->open[i].client,
               k->open[i].held ? ", held" : "");
    if (s->tool_count >= 0 && *s->protocol_version)
        page_fieldf(p, "speaks", ST_NORMAL, "MCP %s, %s%d tool%s, %s", s->protocol_version,
               shown_of(s, shown, sizeof(shown)), s->tool_count, s->tool_count == 1 ? "" : "s",
               s->server_info);
    put_tool_changes(p, s);
}

static void put_end(struct page *p, const struct feed_server *s, bool brief)
{
    char when[16];

    if (*s->waits)
        page_fieldf(p, "waits", ST_WARN, "%s, %s", s->waits,
                    pane_span(clock_wall_ms() - s->waits_since_ms, when, sizeof(when)));
    page_field(p, "reason", feed_is_bad(s) ? ST_BAD : ST_NORMAL, s->reason);
    if (strcmp(s->last_error, s->reason) != 0)
        page_field(p, "error", ST_WARN, s->last_error);
    if (!s->has_exit || brief)
        return;
    pane_clock(s->exit_ms, when, sizeof(when));
    if (s->never_started)
        page_fieldf(p, "last end", ST_NORMAL, "never started, tried at %s", when);
    else
        page_fieldf(p, "last end", ST_NORMAL, "%s %d at %s%s",
               s->exit_signal > 0 ? "signal" : "exit status",
               s->exit_signal > 0 ? s->exit_signal : s->exit_code, when,
               s->exit_oom ? ", out of memory" : "");
}

/* What is wrong, how it is known, and what helps. */
static void put_finding(struct page *p, const struct feed_finding *f, const char *reason,
                        bool brief)
{
    bool told = !strcmp(f->message ? f->message : "", reason);     /* by the row above it */

    if (!f->known)
        return;
    page_fieldf(p, "finding", f->error ? ST_BAD : ST_WARN, "%s%s%s%s", f->code,
                f->guess ? " (a guess)" : f->expected ? " (by its plan)" : "", told ? "" : ": ",
                told ? "" : f->message);
    page_finding(p, f, brief);
}

static void put_config(struct page *p, const struct feed_server *s)
{
    for (size_t i = 0; i < s->plan.mounts.n; i++)
        page_field(p, i ? "" : "mounts", ST_NORMAL, s->plan.mounts.v[i]);
    page_field(p, "directory", ST_NORMAL, s->plan.working_dir);
    page_field(p, "env", ST_NORMAL, s->env);
    if (*s->plan.run_line)
        page_fieldf(p, "docker", ST_NORMAL, "docker %s", s->plan.run_line);
    if (s->config_line > 0)
        page_fieldf(p, "config", ST_NORMAL, "line %d%s%s", s->config_line,
               *s->undo ? ", u takes back: " : "", s->undo);
    if (*s->log_file)
        page_fieldf(p, "log file", ST_NORMAL, "%s%s", s->log_file,
               s->log_lost > 0 ? " (old lines were dropped)" : "");
}

/* What was seen of it, the latest first. */
static void put_lately(struct page *p, const struct view *v, const struct feed_server *s)
{
    enum { LATELY = 6 };
    char when[16];
    int n = 0;

    for (size_t i = 0; i < v->feed.event_count && n < LATELY; i++) {
        const struct feed_event *e = feed_event_at(&v->feed, i);
        if (strcmp(e->server, s->label) != 0)
            continue;
        page_fieldf(p, n++ ? "" : "lately", ST_NORMAL, "%s %s %s%s%s",
               pane_clock(e->wall_ms, when, sizeof(when)), e->type, e->action,
               *e->detail ? ": " : "", e->detail);
    }
}

static void put_all(struct page *p, const struct view *v, const struct feed_server *s, bool brief)
{
    put_head(p, s);
    put_pull(p, s);
    put_end(p, s, brief);
    put_finding(p, &s->finding, s->reason, brief);
    put_runs(p, s, brief);
    put_limits(p, s);
    put_calls(p, s);
    if (brief)
        return;
    put_shares(p, &s->calls);
    put_config(p, s);
    page_field(p, "x would", ST_NORMAL, s->other_way ? s->other_way : "");
    put_lately(p, v, s);
}

static int detail_rows(const struct view *v, int width)
{
    struct page p = {.r = {0, 0, width, 0}};

    if (view_server(v))
        put_all(&p, v, view_server(v), false);
    return p.row + 1;
}

static void draw(struct view *v, struct rect r)
{
    struct page p = {.c = &v->canvas, .r = r};
    int rows = detail_rows(v, r.w);

    if (v->detail_scroll > rows - r.h)
        v->detail_scroll = rows - r.h;
    if (v->detail_scroll < 0)
        v->detail_scroll = 0;
    p.scroll = v->detail_scroll;
    if (view_server(v))
        put_all(&p, v, view_server(v), false);
    else
        canvas_put(&v->canvas, r.x + 1, r.y, r.w - 2, ST_DIM,
                   "this server is gone; Esc leads back");
    if (rows - v->detail_scroll > r.h)
        canvas_put(&v->canvas, r.x + r.w - 1, r.y + r.h - 1, 1, ST_ACCENT, "▼");
}

const struct pane pane_detail = {"detail", IN_DETAIL, draw, detail_rows};

/* The last rows of the side pane: the containers, those in nobody's use first. */
static void side_containers(struct view *v, struct rect r, int y)
{
    if (!v->feed.container_count || r.y + r.h - y < 3)
        return;
    y = r.y + r.h - 1 - (int)v->feed.container_count < y + 1
            ? y + 1
            : r.y + r.h - 1 - (int)v->feed.container_count;
    canvas_put(&v->canvas, r.x + 1, y++, r.w - 2, ST_HEAD, "CONTAINERS");
    for (size_t i = 0; i < v->feed.container_count && y < r.y + r.h; i++, y++) {
        const struct feed_container *c = v->feed.containers[i];
        canvas_put_cut(&v->canvas, r.x + 1, y, r.w - 22, ST_NORMAL, c->name);
        canvas_put_cut(&v->canvas, r.x + r.w - 20, y, 9,
                       !strcmp(c->state, "running") ? ST_OK : ST_DIM, c->state);
        canvas_put_cut(&v->canvas, r.x + r.w - 10, y, 9, c->orphan ? ST_WARN : ST_DIM,
                       pane_container_use(c));
    }
}

void pane_side_draw(struct view *v, struct rect r)
{
    struct page p = {.c = &v->canvas, .r = {r.x + 1, r.y, r.w - 1, r.h}};

    canvas_fill(&v->canvas, (struct rect){r.x, r.y, 1, r.h}, 0x2502, ST_RULE);
    if (view_server(v))
        put_all(&p, v, view_server(v), true);
    side_containers(v, p.r, r.y + p.row);
}
