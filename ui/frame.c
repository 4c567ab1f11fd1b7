/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What stands around the panes: the header with what is true of everything, the line that says what
 * is wrong, and the key bar, which is made from the binding table. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

struct pen { struct canvas *c; int x, y, end; };

static void put(struct pen *p, enum style st, const char *text)
{
    p->x += canvas_put(p->c, p->x, p->y, p->end - p->x, st, text);
}

static void count(struct pen *p, bool *first, int n, enum style st, const char *word)
{
    char text[48];

    if (!n)
        return;
    snprintf(text, sizeof(text), "%d %s", n, word);
    put(p, ST_DIM, *first ? ": " : ", ");
    put(p, st, text);
    *first = false;
}

/* "! 3 findings": the key that lists them stands first, as with the panes below. */
static void put_findings(struct view *v, struct pen *p, int level)
{
    bool error;
    int n = found_count(v, &error);
    char text[32];

    if (!n)
        return;
    snprintf(text, sizeof(text), level < 2 ? "! %d finding%s" : "! %d", n, n == 1 ? "" : "s");
    put(p, ST_DIM, " · ");
    put(p, error ? ST_BAD : ST_WARN, text);
}

static void put_counts(struct view *v, struct pen *p, int level)
{
    int ready = 0, starting = 0, bad = 0, stopped = 0;
    bool first = true;
    char text[48];

    for (size_t i = 0; i < v->feed.server_count; i++) {
        const struct feed_server *s = v->feed.servers[i];
        if (s->state == STATE_READY)
            ready++;
        else if (feed_is_bad(s))
            bad++;
        else if (feed_is_starting(s))
            starting++;
        else
            stopped++;
    }
    snprintf(text, sizeof(text), "%zu server%s", v->feed.server_count,
             v->feed.server_count == 1 ? "" : "s");
    put(p, ST_NORMAL, text);
    count(p, &first, ready, ST_OK, "ready");
    count(p, &first, starting, ST_BUSY, "starting");
    count(p, &first, bad, ST_BAD, "failed");
    if (level < 4)
        count(p, &first, stopped, ST_DIM, "stopped");
}

/* Nobody misses an engine that no server would run in. */
static bool engine_is_missed(const struct view *v)
{
    if (strcmp(v->feed.status.engine_state, "down") != 0)
        return false;
    for (size_t i = 0; i < v->feed.server_count; i++)
        if (v->feed.servers[i]->wanted_up && strcmp(v->feed.servers[i]->where, "docker") == 0)
            return true;
    return false;
}

static void put_engine(struct view *v, struct pen *p, int level)
{
    const struct feed_status *st = &v->feed.status;
    bool up = !strcmp(st->engine_state, "up"), down = !strcmp(st->engine_state, "down");
    char version[32];       /* without what a distribution appends */

    if (!st->known)
        return;
    put(p, ST_DIM, " · ");
    if (*st->engine_context && strcmp(st->engine_context, "default") != 0) {
        put(p, ST_NORMAL, st->engine_context);
        put(p, ST_NORMAL, " ");
    }
    put(p, up ? ST_OK : engine_is_missed(v) ? ST_BAD : ST_DIM, up ? "●" : "○");
    put(p, ST_NORMAL, " engine");
    if (up && level >= 1)
        return;
    put(p, ST_NORMAL, " ");
    snprintf(version, sizeof(version), "%.*s", (int)strcspn(st->engine_version, "+-"),
             st->engine_version);
    put(p, up ? ST_NORMAL : down ? ST_BAD : ST_DIM, up ? version : down ? "down" : "?");
}

/* Host figures, right-aligned; the graph only where there is room for it. */
static void put_host(struct view *v, int y, int from)
{
    const struct feed_status *st = &v->feed.status;
    struct canvas *c = &v->canvas;
    enum style style = view_is_live(v) ? ST_NORMAL : ST_DIM;
    char cpu[16], used[16], total[16], up[16], text[96], left[32];
    int width, x;
    bool graph, room;

    if (!st->known || st->cpu < 0)
        return;
    room = from + 36 < c->w;
    snprintf(cpu, sizeof(cpu), room ? "%3.0f%%  " : "%2.0f%% ", st->cpu);
    pane_size(st->memory_used, used, sizeof(used));
    pane_size(st->memory_total, total, sizeof(total));
    pane_span(st->started_ms ? clock_wall_ms() - st->started_ms : 0, up, sizeof(up));
    snprintf(text, sizeof(text), room ? "mem %s/%s  up %s " : "mem %s/%s", used, total, up);
    snprintf(left, sizeof(left), "cpu %s", cpu);
    width = (int)strlen(text) + (int)strlen(left);
    /* a figure has become one wider: a gap goes, then a word, rather than a figure */
    if (from + width > c->w)
        from--;
    if (from + width > c->w) {
        snprintf(text, sizeof(text), "%s/%s", used, total);
        width = (int)strlen(text) + (int)strlen(left);
    }
    graph = from + width + 13 < c->w;
    x = c->w - width - (graph ? 13 : 0);
    if (x < from)
        return;
    x += canvas_put(c, x, y, 4, ST_DIM, "cpu ");
    if (graph) {
        graph_spark(c, x, y, 12, ST_GRAPH, &v->feed.host_cpu, 100);
        x += 13;
    }
    x += canvas_put(c, x, y, c->w - x, style, cpu);
    canvas_put(c, x, y, c->w - x, style, text);
}

static void put_tabs(struct view *v, int y, int *end)
{
    static const char *const names[] = {"servers", "containers", "resources", "events", "traffic"};
    enum top_pane top = v->top >= TOP_DETAIL ? v->back : v->top;
    enum top_pane here = top == TOP_CALLS ? TOP_TRAFFIC : top;
    struct pen p = {&v->canvas, 1, y, v->canvas.w};

    for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
        char digit[16];
        snprintf(digit, sizeof(digit), "%d ", i + 1);
        put(&p, (int)here == i ? ST_ACCENT : ST_DIM, digit);
        put(&p, (int)here == i ? ST_ACCENT : ST_DIM, names[i]);
        put(&p, ST_NORMAL, "  ");
    }
    *end = p.x;
}

/* Its first problem, of which the end may be cut: `hint` names the key that shows all. */
static void problem_text(const struct view *v, struct buf *out, struct buf *hint)
{
    const struct feed_status *s = &v->feed.status;
    int n = s->errors > 0 ? s->errors : s->warnings;
    const char *what = s->errors > 0 ? "error" : "warning";

    buf_printf(out, "%s: %s", s->errors <= 0 ? "config"
               : s->kept ? "! config not applied" : "! config applied, but not", s->problem);
    if (v->top != TOP_FINDINGS)
        buf_printf(hint, "! shows %d %s%s", n, what, n == 1 ? "" : "s");
}

/* The most important thing that is wrong with everything; false: nothing. */
static bool alert_text(struct view *v, struct buf *out, struct buf *hint, enum style *st)
{
    const struct feed_status *s = &v->feed.status;
    char when[16];

    *st = ST_ALERT;
    if (v->connection == CONN_LOST && !v->leaving) {
        buf_printf(out, "! supervisor gone since %s%s%s; trying again, the last values stay dimmed",
                   pane_clock(v->connection_since_ms, when, sizeof(when)),
                   *v->connection_text ? ": " : "", v->connection_text);
    } else if (v->connection == CONN_LOST) {
        buf_add_str(out, "the supervisor stopped; q leaves");
        *st = ST_BUSY;
    } else if (engine_is_missed(v)) {
        buf_printf(out, "! engine down since %s: %s",
                   pane_ago(s->engine_since_ms, when, sizeof(when)), s->engine_error);
    } else if (s->missing) {
        buf_add_str(out, s->loaded ? "! the configuration was removed: its servers run until "
                                     "mcptop ends"
                                   : "no configuration yet: `mcptop import CLIENT` makes one");
        *st = ST_WARN;
    } else if (s->errors > 0) {
        problem_text(v, out, hint);
    } else if (*s->version && strcmp(s->version, PACKAGE_VERSION) != 0) {
        buf_printf(out,
                   "! supervisor is %s, this view is " PACKAGE_VERSION
                   ": :shutdown, then mcptop again",
                   s->version);
    } else if (*s->listen_error) {
        buf_printf(out, "! %s", s->listen_error);
        *st = ST_WARN;
    } else if (*s->isolation.warning) {
        buf_printf(out, "! %s", s->isolation.warning);
        *st = ST_WARN;
    } else if (s->warnings > 0) {
        problem_text(v, out, hint);
        *st = ST_WARN;
    } else {
        return false;
    }
    return true;
}

/* The first row; the higher the level, the more is left out. False: it does not fit. */
static bool put_first_row(struct view *v, int level, int *end)
{
    struct pen p = {&v->canvas, 1, 0, v->canvas.w};

    canvas_fill(&v->canvas, (struct rect){0, 0, v->canvas.w, 1}, ' ', ST_NORMAL);
    put(&p, ST_ACCENT, "mcptop");
    if (*v->feed.status.host && level < 3) {
        put(&p, ST_NORMAL, " ");
        p.x += canvas_put_cut(&v->canvas, p.x, 0, 14, ST_BOLD, v->feed.status.host);
    }
    put_engine(v, &p, level);
    if (level == 4)
        put_findings(v, &p, level);      /* what does not fit is the counts' end */
    put(&p, ST_DIM, " · ");
    if (v->connection == CONN_CONNECTING && !v->feed.status.known)
        put(&p, ST_BUSY, "connecting …");
    else
        put_counts(v, &p, level);
    if (level < 4)
        put_findings(v, &p, level);
    if (v->readonly)
        put(&p, ST_WARN, "  read only");
    *end = p.x;
    return p.x < v->canvas.w;
}

static void put_alert(struct view *v, int y, enum style st, const struct buf *text,
                      const struct buf *hint)
{
    int room = v->canvas.w - 2, w = (int)hint->len;

    if (w && room > 2 * w)
        canvas_put(&v->canvas, 1 + room - w, y, w, ST_ACCENT, buf_str(hint));
    canvas_put_cut(&v->canvas, 1, y, w && room > 2 * w ? room - w - 2 : room, st, buf_str(text));
}

int frame_header(struct view *v)
{
    AUTO_BUF struct buf alert = BUF_INIT, hint = BUF_INIT;
    enum style st;
    int y = 1, end = 0;

    for (int level = 0; level < 5 && !put_first_row(v, level, &end); level++)
        ;
    if (v->canvas.w >= 140)
        put_host(v, 0, end);
    if (v->canvas.h >= 12) {
        put_tabs(v, y, &end);
        if (v->canvas.w < 140)
            put_host(v, y, end);
        y++;
    }
    if (alert_text(v, &alert, &hint, &st))
        put_alert(v, y++, st, &alert, &hint);
    return y;
}

/* What the key does next, where that depends on the state of things. */
static const char *label_of(const struct view *v, const struct binding *b)
{
    const struct feed_server *s = view_server(v);

    if (b->req == REQ_FOLLOW)
        return v->log.follow ? "pause" : "follow";
    if (b->req == REQ_ISOLATE && s && !strcmp(s->where, "docker"))
        return "to host";
    if (b->req == REQ_SEARCH && !v->focus_log && v->top != TOP_EVENTS)
        return "filter";
    if (b->req == REQ_NEXT_PANE)
        return v->focus_log ? "list" : "log";
    if (b->req == REQ_HELP && v->top == TOP_HELP)
        return "close";
    return b->label;
}

static bool applies(const struct view *v, const struct binding *b)
{
    const struct feed_server *s = view_server(v);
    bool error;

    if (!b->bar || !(b->where & view_where(v)) || (b->changes && v->readonly))
        return false;
    if (b->req == REQ_FINDINGS)
        return found_count(v, &error) > 0 && v->top != TOP_FINDINGS;
    if (b->req == REQ_FIX && v->top == TOP_FINDINGS)
        return s && found_selected(v)->fix_count;
    if (b->req == REQ_FIX)
        return s && s->finding.fix_count;
    if (b->req == REQ_UNDO)
        return s && *s->undo;
    if (b->req == REQ_APPROVE)
        return s && s->tools_changed + s->tools_new > 0;
    if (b->req == REQ_START)
        return s && !s->wanted_up;
    if (b->req == REQ_STOP)
        return s && s->wanted_up;
    if (b->req == REQ_REMOVE)
        return view_container(v) &&
            (!view_container(v)->in_use || view_container(v)->kept);
    return !(b->where == IN_SERVER || (b->req == REQ_ENTER && v->top == TOP_FINDINGS)) || s;
}

static int item_width(const struct view *v, const struct binding *b)
{
    char name[8];

    return (int)strlen(keys_name(b->keys[0], name, sizeof(name))) + 1 +
           (int)strlen(label_of(v, b)) + 2;
}

/* With the keys in the log, the log's own come before those of the server it belongs to. */
static int place_of(const struct view *v, const struct binding *b)
{
    bool of_log = b->req >= REQ_SEARCH && b->req <= REQ_WRITE;

    return b->bar + (v->focus_log && b->bar > 2 && !of_log ? 40 : 0);
}

/* Shows what fits, the most important first. */
static void put_keys(struct view *v, int y)
{
    size_t n;
    const struct binding *table = keys_table(&n);
    int x = 1;

    for (int place = 1; place < 80; place++)
        for (size_t i = 0; i < n; i++) {
            char name[8];
            if (!applies(v, &table[i]) || place_of(v, &table[i]) != place ||
                x + item_width(v, &table[i]) - 2 > v->canvas.w)
                continue;
            x += canvas_put(&v->canvas, x, y, 8, ST_ACCENT,
                            keys_name(table[i].keys[0], name, sizeof(name))) +
                 1;
            x += canvas_put(&v->canvas, x, y, 20, ST_NORMAL, label_of(v, &table[i])) + 2;
        }
}

void frame_keybar(struct view *v, int y)
{
    if (v->prompt != PROMPT_NONE)
        prompt_draw(v, y);
    else if (v->toast.text)
        canvas_put_cut(&v->canvas, 1, y, v->canvas.w - 2, v->toast.bad ? ST_BAD : ST_ACCENT,
                       v->toast.text);
    else if (v->ask.kind != ASK_CONFIRM && v->ask.kind != ASK_LIMITS)
        put_keys(v, y);                /* a dialog names its own: no other acts before it ends */
}

void frame_say_elsewhere(struct view *v, int key)
{
    static const struct { unsigned where; const char *name; } places[] = {
        {IN_SERVERS, "servers (1)"}, {IN_CONTAINERS, "containers (2)"},
        {IN_CALLS, "list of calls (5 5)"}, {IN_LOG, "log (Tab)"},
    };
    const struct binding *b = keys_find(key, IN_ALL);
    char name[8];

    if (!b || b->group == keys_of(REQ_UP)->group || v->top == TOP_HELP)
        return;
    for (size_t i = 0; i < ARRAY_LEN(places); i++)
        if (b->where & places[i].where) {
            view_toast(v, false, "%s is for the %s: %s", keys_name(key, name, sizeof(name)),
                       places[i].name, b->help);
            return;
        }
}
