/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view: what has the keys, what a key means there, how the screen is divided. Knows no terminal
 * and no connection; actions are in act.c, the open dialog in ask.c, the line at the bottom in
 * prompt.c. */
#include "view.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "client/api_client.h"
#include "panes/pane.h"

enum { FULL_W = 80, FULL_H = 24, WIDE_W = 140, TINY_W = 40, TINY_H = 8, LOG_LINES_MIN = 8,
       LOG_LINES_LEAST = 3 };

static const struct pane *const panes[TOP_COUNT] = {
    [TOP_SERVERS] = &pane_servers, [TOP_CONTAINERS] = &pane_containers,
    [TOP_RESOURCES] = &pane_resources,
    [TOP_EVENTS] = &pane_events, [TOP_TRAFFIC] = &pane_traffic, [TOP_CALLS] = &pane_calls,
    [TOP_FINDINGS] = &pane_findings, [TOP_DETAIL] = &pane_detail, [TOP_CALL] = &pane_call,
    [TOP_HELP] = &pane_help,
};

void view_init(struct view *v, const struct view_io *io, void *ctx)
{
    *v = (struct view){.io = io, .ctx = ctx, .theme = theme_at(0)};
    feed_init(&v->feed);
    v->log.follow = v->log.times = true;
    v->connection_since_ms = clock_wall_ms();
    canvas_resize(&v->canvas, FULL_W, FULL_H);
}

void view_fini(struct view *v)
{
    struct list *lists[] = {&v->servers, &v->containers, &v->events, &v->call_list,
                            &v->finding_list};

    ask_close(v);
    buf_fini(&v->ask.text);
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        free(lists[i]->key);
    free(v->order);
    free(v->shown);
    calls_fini(&v->calls);
    found_fini(&v->found);
    free(v->history);
    toast_drop(v);
    free(v->connection_text);
    feed_fini(&v->feed);
    canvas_fini(&v->canvas);
}

void view_resize(struct view *v, int w, int h)
{
    canvas_resize(&v->canvas, w, h);
}

/* ---- who has the keys ---- */

unsigned view_where(const struct view *v)
{
    return v->focus_log && v->top < TOP_DETAIL ? IN_LOG : panes[v->top]->where;
}

struct feed_container *view_container(const struct view *v)
{
    return v->containers.at < v->shown_count ? v->shown[v->containers.at] : NULL;
}

struct feed_server *view_server(const struct view *v)
{
    const struct feed_container *c = view_container(v);
    const struct feed_finding *f = v->top == TOP_FINDINGS ? found_selected(v) : NULL;

    if (v->top == TOP_FINDINGS)
        return f ? feed_find(&v->feed, f->server) : NULL;
    if (v->top == TOP_DETAIL && v->back == TOP_FINDINGS)
        return feed_find(&v->feed, v->found.opened);
    if ((v->top >= TOP_DETAIL ? v->back : v->top) == TOP_CALLS && calls_selected(v))
        return feed_find(&v->feed, calls_selected(v)->server);
    if (v->top == TOP_CONTAINERS || (v->top == TOP_DETAIL && v->back == TOP_CONTAINERS))
        return c && !strcmp(c->owner, "ours") ? feed_find(&v->feed, c->server) : NULL;
    return v->servers.at < v->order_count ? v->order[v->servers.at] : NULL;
}

bool view_is_live(const struct view *v)
{
    return v->connection == CONN_UP;
}

static bool is_single(const struct view *v)
{
    return v->canvas.w < FULL_W || v->canvas.h < FULL_H || v->zoom;
}

bool view_shows_servers(const struct view *v)
{
    bool table = v->top == TOP_SERVERS || v->top == TOP_RESOURCES || v->top == TOP_TRAFFIC;

    return table && !(v->focus_log && is_single(v));
}

static const char *server_key(const struct view *v, int i)
{
    return v->order[i]->name;
}

static const char *container_key(const struct view *v, int i)
{
    return v->shown[i]->id;
}

void view_settle(struct view *v)
{
    order_build(v);
    list_settle(&v->servers, server_key, v, v->order_count);
    shown_build(v);
    list_settle(&v->containers, container_key, v, v->shown_count);
    calls_build(v);
    list_settle(&v->call_list, calls_key, v, v->calls.shown_count);
    found_build(v);
    list_settle(&v->finding_list, found_key, v, v->found.shown_count);
    v->events.count = (int)v->feed.event_count;
    if (v->events.at >= v->events.count)
        v->events.at = v->events.count ? v->events.count - 1 : 0;
    view_follow_selected(v);
}

/* The log is another one's from now on; what was asked for the last one is not wanted any more. */
static void retarget_log(struct view *v, const char *server, bool all)
{
    feed_log_target(&v->feed, server, all);
    pane_log_follow(v, true);
    v->log.left = 0;
    v->log.at_oldest = v->log.paging = false;
    v->log.target_serial++;
    v->io->follow(v->ctx, server, all);
}

char *view_list_filter(struct view *v)
{
    return v->top == TOP_CONTAINERS ? v->containers.filter
           : v->top == TOP_CALLS    ? v->call_list.filter
           : v->top == TOP_FINDINGS ? v->finding_list.filter
                                    : v->servers.filter;
}

void view_follow_selected(struct view *v)
{
    const struct feed_server *s = view_server(v);
    const char *name = s ? s->name : NULL;

    if (v->feed.log_all || (!name && v->feed.server_count))
        return;
    if (name == v->feed.log_server ||
        (name && v->feed.log_server && !strcmp(name, v->feed.log_server)))
        return;
    retarget_log(v, name, false);
}

void view_toggle_all_logs(struct view *v)
{
    const struct feed_server *s = view_server(v);
    bool all = !v->feed.log_all;

    retarget_log(v, all || !s ? NULL : s->name, all);
}

/* ---- events and answers ---- */

int view_event(struct view *v, const char *name, const char *json, size_t n)
{
    int changed = feed_apply(&v->feed, name, json, n);

    found_note(v, changed, name);
    if (changed > 0 && (changed & (FEED_LISTS | FEED_FIGURES)))
        view_settle(v);
    if (changed > 0 && (changed & FEED_LISTS))
        toast_settle(v);
    return changed;
}

void view_connection(struct view *v, enum connection state, const char *text)
{
    struct buf clean = BUF_INIT;

    if (v->connection != state)
        v->connection_since_ms = clock_wall_ms();
    v->connection = state;
    free(v->connection_text);
    text_clean_plain(&clean, text ? text : "", text ? strlen(text) : 0);
    v->connection_text = buf_take(&clean);
    if (state == CONN_LOST && v->leaving)
        view_leave(v);
}

static void take_page(struct view *v, const struct view_call *call, json_t *data)
{
    enum feed_page where = call->kind == REPLY_LOG_OLDER ? FEED_PAGE_OLDER :
                           call->kind == REPLY_LOG_NEWER ? FEED_PAGE_NEWER : FEED_PAGE_LATEST;

    if (feed_apply_log_page(&v->feed, data, where) < 0)
        return;
    if (where == FEED_PAGE_OLDER && !json_array_size(json_object_get(data, "lines")))
        v->log.at_oldest = true;
}

void view_take_server(struct view *v, json_t *server)
{
    const char *name = json_string_value(json_object_get(server, "name"));
    const struct feed_server *known = feed_find(&v->feed, name);

    /* An event may have overtaken it: they come on another connection. */
    if (known && json_integer_value(json_object_get(server, "revision")) >= known->revision)
        feed_apply_server(&v->feed, server);
}

void view_reply(struct view *v, struct view_call *call, json_t *data, const char *error)
{
    switch (call->kind) {
    case REPLY_LOG_OLDER: case REPLY_LOG_NEWER: case REPLY_LOG_LATEST:
        if (call->serial != v->log.target_serial)
            break;
        v->log.paging = false;
        if (!error)
            take_page(v, call, data);
        break;
    case REPLY_SERVER:
        if (!error)
            view_take_server(v, data);
        break;
    case REPLY_SEARCH: break;
    case REPLY_FINDINGS:
        if (!error)
            found_reply(v, data);
        break;
    case REPLY_CALLS: case REPLY_CALL: case REPLY_REPLAY: calls_reply(v, call, data, error); break;
    default:
        act_reply(v, call, data, error);
    }
    view_settle(v);
    view_call_free(call);
}

void view_call_free(struct view_call *call)
{
    free(call->name);
    free(call->what);
    json_decref(call->body);
    free(call);
}

void view_send(struct view *v, enum reply_kind kind, const char *name, const char *what,
               const char *method, const char *fmt, json_t *body)
{
    struct view_call *call = xcalloc(1, sizeof(*call));
    AUTO_FREE char *path = api_path(fmt, name);

    call->kind = kind;
    call->serial = kind >= REPLY_LOG_OLDER && kind <= REPLY_LOG_LATEST ? v->log.target_serial
                                                                       : v->ask.serial;
    call->name = xstrdup(name);
    call->what = xstrdup(what);
    call->body = json_incref(body);
    v->io->send(v->ctx, method, path, body, call);
}

/* ---- keys ---- */

void view_show(struct view *v, enum top_pane pane)
{
    v->help_over = pane == TOP_HELP ? v->top : TOP_SERVERS;
    if (pane == TOP_FINDINGS && v->top < TOP_FINDINGS)
        found_enter(v);
    else if (v->top == TOP_FINDINGS && pane < TOP_FINDINGS)
        found_leave(v);
    if (pane >= TOP_DETAIL) {
        if (v->top < TOP_DETAIL)
            v->back = v->top;
        v->detail_scroll = v->help_scroll = 0;
    } else {
        if (pane == TOP_FINDINGS && v->back != TOP_FINDINGS)
            v->found.over = (int)v->back;
        v->found.stale |= pane == TOP_FINDINGS;
        v->back = pane;
        v->zoom = false;
    }
    v->top = pane;
    if (pane == TOP_CONTAINERS && view_is_live(v))
        view_send(v, REPLY_SEARCH, "", NULL, "GET", "/api/v1/containers?orphans=1%s", NULL);
    if (pane == TOP_DETAIL)
        act_ask_other_way(v);
    v->focus_log = false;
    v->detail_asked_ms = v->detail_calls = 0;
    view_settle(v);
}

void view_leave(struct view *v)
{
    v->io->quit(v->ctx);
}

/* What lies under detail or help. */
static enum top_pane up_from(const struct view *v)
{
    return v->top == TOP_HELP && v->help_over >= TOP_DETAIL ? v->help_over : v->back;
}

/* Esc takes back one thing: a detail, a zoom, a search, a filter. */
static void back(struct view *v)
{
    if (v->top >= TOP_DETAIL) {
        view_show(v, up_from(v));
    } else if (v->zoom) {
        v->zoom = false;
    } else if (*v->log.search) {
        *v->log.search = '\0';
    } else if (*v->log.filter) {
        *v->log.filter = '\0';
        v->log.filter_gen++;
    } else if (*view_list_filter(v)) {
        *view_list_filter(v) = '\0';
    } else if (v->top == TOP_FINDINGS && !v->focus_log) {
        view_show(v, (enum top_pane)v->found.over);
    } else {
        v->focus_log = false;
    }
    view_settle(v);
}

static void scroll(int *at, enum request req, int page)
{
    switch (req) {
    case REQ_UP: --*at; break;
    case REQ_DOWN: ++*at; break;
    case REQ_TOP: *at = 0; break;
    case REQ_BOTTOM: *at = 1 << 20; break;
    case REQ_PAGE_UP: *at -= page; break;
    case REQ_PAGE_DOWN: *at += page; break;
    case REQ_HALF_UP: *at -= page / 2; break;
    default: *at += page / 2; break;
    }
    if (*at < 0)
        *at = 0;     /* the upper bound is known when it is drawn */
}

static void move(struct view *v, enum request req)
{
    struct list *l = v->top == TOP_CONTAINERS ? &v->containers
                     : v->top == TOP_EVENTS   ? &v->events
                     : v->top == TOP_CALLS    ? &v->call_list
                     : v->top == TOP_FINDINGS ? &v->finding_list
                                              : &v->servers;

    if (v->top == TOP_DETAIL || v->top == TOP_CALL)
        scroll(&v->detail_scroll, req, v->canvas.h - 6);
    else if (v->top == TOP_HELP)
        scroll(&v->help_scroll, req, v->canvas.h - 6);
    else if (v->focus_log)
        pane_log_move(v, req);
    else if (list_move(l, req) && l == &v->finding_list)
        found_choose(v);
    view_settle(v);
}

static void sort_by(struct view *v, enum sort_key key)
{
    v->inverted = v->sort == key ? !v->inverted : false;
    v->sort = key;
    view_settle(v);
}

static void sort_step(struct view *v, int step)
{
    v->sort = (enum sort_key)(((int)v->sort + step + SORT_COUNT) % SORT_COUNT);
    v->inverted = false;
    view_settle(v);
}

static void mark(struct view *v, enum request req)
{
    struct feed_server *s = view_server(v);

    for (size_t i = 0; req == REQ_UNMARK && i < v->feed.server_count; i++)
        v->feed.servers[i]->marked = false;
    if (req == REQ_MARK && s) {
        s->marked = !s->marked;
        list_move(&v->servers, REQ_DOWN);
        view_settle(v);
    }
}

static void next_pane(struct view *v)
{
    if (v->top >= TOP_DETAIL)
        view_show(v, up_from(v));
    else
        v->focus_log = !v->focus_log;
}

void view_request(struct view *v, enum request req)
{
    switch (req) {
    case REQ_UP ... REQ_RIGHT: move(v, req); break;
    case REQ_NEXT_PANE: case REQ_PREV_PANE: next_pane(v); break;
    case REQ_SERVERS ... REQ_TRAFFIC:
        view_show(v, (enum top_pane)((int)req - REQ_SERVERS + TOP_SERVERS));
        break;
    case REQ_ENTER:
        if (v->top == TOP_CALLS && !v->focus_log)
            calls_open(v);
        else if (v->top == TOP_FINDINGS && !v->focus_log)
            found_open(v);
        else if (view_server(v))
            view_show(v, TOP_DETAIL);
        break;
    case REQ_CALLS: view_show(v, TOP_CALLS); break;
    case REQ_FINDINGS:
        view_show(v, v->top == TOP_FINDINGS ? (enum top_pane)v->found.over : TOP_FINDINGS);
        break;
    case REQ_REPLAY: case REQ_REPLAY_TEST: calls_replay(v, req == REQ_REPLAY_TEST); break;
    case REQ_BACK: back(v); break;
    case REQ_ZOOM: v->zoom = !v->zoom; break;
    case REQ_RESTART ... REQ_REMOVE: case REQ_COPY_COMMAND: act_request(v, req); break;
    case REQ_MARK: case REQ_UNMARK: mark(v, req); break;
    case REQ_SEARCH:
        prompt_open(v, v->focus_log || v->top == TOP_EVENTS ? PROMPT_SEARCH : PROMPT_FILTER_LIST);
        break;
    case REQ_FILTER_LOG: prompt_open(v, PROMPT_FILTER_LOG); break;
    case REQ_NEXT_MATCH:
    case REQ_PREV_MATCH:
    case REQ_FOLLOW ... REQ_WRITE: log_request(v, req); break;
    case REQ_SORT_PREV: sort_step(v, -1); break;
    case REQ_SORT_NEXT: sort_step(v, 1); break;
    case REQ_INVERT: v->inverted = !v->inverted; view_settle(v); break;
    case REQ_SORT_CPU: sort_by(v, SORT_CPU); break;
    case REQ_SORT_MEMORY: sort_by(v, SORT_MEMORY); break;
    case REQ_COMMAND: prompt_open(v, PROMPT_COMMAND); break;
    case REQ_HELP: view_show(v, v->top == TOP_HELP ? up_from(v) : TOP_HELP); break;
    case REQ_REDRAW: v->io->redraw(v->ctx); break;
    case REQ_QUIT: view_leave(v); break;
    default: break;
    }
}

void view_key(struct view *v, int key)
{
    const struct binding *b;

    if (key == '\n' || key == '\r')
        key = K_ENTER;
    toast_drop(v);       /* who presses a key has read it, or looks elsewhere */
    if (ask_key(v, key) || prompt_key(v, key))
        return;
    b = keys_find(key, view_where(v));
    if (!b)
        frame_say_elsewhere(v, key);
    else if (b->changes && v->readonly)
        view_toast(v, true, "read only: %s is off (started with --readonly)", b->label);
    else
        view_request(v, b->req);
}

bool view_contains(const char *text, size_t n, const char *needle)
{
    size_t len = strlen(needle);
    bool fold = true;

    for (const char *p = needle; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            fold = false;
    if (!fold)
        return memmem(text, n, needle, len) != NULL;
    for (size_t i = 0; i + len <= n; i++)
        if (strncasecmp(text + i, needle, len) == 0)
            return true;
    return false;
}

/* ---- the picture ---- */

static void draw_tiny(struct view *v)
{
    char text[64];

    snprintf(text, sizeof(text), v->canvas.w < 22 ? "%dx%d needed" : "mcptop needs %dx%d", TINY_W,
             TINY_H);
    canvas_put(&v->canvas, 0, v->canvas.h / 2, v->canvas.w, ST_NORMAL, text);
}

/* Rows for the upper pane out of `body` rows; the rest, a rule and at least LOG_LINES_MIN lines, is
 * the log's. */
static int upper_rows(const struct view *v, int body, int width)
{
    int wanted = panes[v->top]->rows(v, width);
    int most = body - 1 - LOG_LINES_MIN;

    if (v->top == TOP_HELP || v->top == TOP_CALL)
        return body;
    if (v->top == TOP_FINDINGS && !v->focus_log)
        return wanted <= body - 1 - LOG_LINES_LEAST ? wanted : body;
    if (v->top == TOP_DETAIL)
        return wanted <= most ? wanted : body;
    if (v->canvas.w >= WIDE_W && wanted < body * 2 / 5)
        wanted = body * 2 / 5;      /* the details beside the table need some height */
    if (wanted < 4)
        wanted = 4;
    return wanted < most ? wanted : most;
}

static void draw_upper(struct view *v, struct rect r)
{
    int side = v->canvas.w >= WIDE_W ? (v->canvas.w >= 200 ? 72 : 52) : 0;

    if (v->top >= TOP_DETAIL || r.h < 8)
        side = 0;
    if (side) {
        pane_side_draw(v, (struct rect){r.x + r.w - side, r.y, side, r.h});
        r.w -= side + 1;
    }
    panes[v->top]->draw(v, r);
}

static void draw_body(struct view *v, struct rect r)
{
    int upper;

    v->row_y = r.y;
    if (is_single(v)) {
        if (v->focus_log && v->top < TOP_DETAIL)
            pane_log_draw(v, r);
        else
            panes[v->top]->draw(v, r);
        return;
    }
    upper = upper_rows(v, r.h, r.w);
    draw_upper(v, (struct rect){r.x, r.y, r.w, upper});
    if (upper < r.h)
        pane_log_draw(v, (struct rect){r.x, r.y + upper, r.w, r.h - upper});
}

/* The open calls, the figures by tool and client and the plan come with a single server only, so
 * they are asked for while they can be seen. */
static void ask_for_detail(struct view *v)
{
    const struct feed_server *s = view_server(v);
    int64_t now = clock_wall_ms();
    bool wide = v->canvas.w >= WIDE_W, changed;

    if (!s || !view_is_live(v) || (v->top != TOP_DETAIL && v->top != TOP_TRAFFIC && !wide))
        return;
    changed = v->top == TOP_DETAIL && s->calls.total + s->calls.clients != v->detail_calls;
    if ((s->calls.in_flight <= 0 && !changed) ||
        (v->detail_asked_ms && now - v->detail_asked_ms < 1000))
        return;
    v->detail_asked_ms = now;
    /* With one in flight there is one more to come. */
    v->detail_calls = s->calls.in_flight > 0 ? -1 : s->calls.total + s->calls.clients;
    view_send(v, REPLY_SERVER, s->name, NULL, "GET", "/api/v1/servers/%s", NULL);
}

void view_draw(struct view *v)
{
    int top;

    canvas_clear(&v->canvas);
    feed_advance(&v->feed, clock_wall_ms());
    if (v->canvas.w < TINY_W || v->canvas.h < TINY_H) {
        draw_tiny(v);
        return;
    }
    ask_for_detail(v);
    calls_ask(v);
    found_ask(v);
    toast_expire(v);
    top = frame_header(v);
    draw_body(v, (struct rect){0, top, v->canvas.w, v->canvas.h - top - 1});
    frame_keybar(v, v->canvas.h - 1);
    ask_draw(v);
}
