/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The limits dialog: a form over the limits of one server, or over what every isolated server
 * inherits, beside what is used, with a suggestion and its reason. What the engine changes while
 * the server runs is applied at once; what restarts it, reaches many servers, or passes the budget
 * is shown first; what the engine refuses is asked about again, as a restart. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

enum { ROWS = ASK_FIELDS + 1, SCOPE = ASK_FIELDS };
static const char *const row_names[ROWS] = {"memory", "cpus", "pids", "network", "for"};
static const char *const keys[ASK_FIELDS] = {"memory", "cpus", "pids", "network"};
static const char *const networks[] = {"bridge", "none", "host"};

/* ---- the suggestion ---- */

struct suggestion {
    char memory[16], cpus[16];      /* as they are written in the configuration; "" = none */
    char why_memory[80], why_cpus[48];
};

/* The next size that people would write: 96m, 128m, 192m … 1g, 1536m, 2g. */
static void nice_size(int64_t bytes, char *out, size_t n)
{
    int64_t mib = 32;

    while (mib << 20 < bytes && mib < INT64_C(1) << 30)
        mib = mib & (mib - 1) ? mib / 3 * 4 : mib / 2 * 3;
    if (mib % 1024 == 0)
        snprintf(out, n, "%lldg", (long long)mib / 1024);
    else
        snprintf(out, n, "%lldm", (long long)mib);
}

/* What the supervisor would change it to, who knows at which limits it was killed before; NULL. */
static const char *memory_of_fix(const struct feed_server *s)
{
    static const char arrow[] = "→ ";

    for (size_t i = 0; i < s->finding.fix_count; i++) {
        const char *to = strstr(s->finding.fixes[i].title, arrow);
        if (!strcmp(s->finding.fixes[i].id, "memory") && to)
            return to + sizeof(arrow) - 1;
    }
    return NULL;
}

static void suggest_memory(const struct feed_server *s, struct suggestion *ret)
{
    enum { NEAR_PERCENT = 90, WELL_KNOWN_MS = 60 * 1000 };
    const struct feed_usage *u = &s->usage;
    int64_t limit = u->known && u->limit > 0 ? u->limit : text_parse_size(s->limit_memory);
    int64_t high = u->peak > u->memory ? u->peak : u->memory;
    int64_t up_ms = s->up_since_ms ? clock_wall_ms() - s->up_since_ms : 0;
    char size[16], span[16];

    /* Up again it may have another limit than the one that it died of. */
    if (limit > 0 && ((s->exit_oom && !s->up_since_ms) || (u->known && u->ooms > 0))) {
        if (memory_of_fix(s))
            snprintf(ret->memory, sizeof(ret->memory), "%s", memory_of_fix(s));
        else
            nice_size(limit * 2, ret->memory, sizeof(ret->memory));
        snprintf(ret->why_memory, sizeof(ret->why_memory), "it ran out of memory at %s",
                 pane_size(limit, size, sizeof(size)));
        return;
    }
    if (!u->known || high <= 0)
        return;
    pane_size(high, size, sizeof(size));
    if (limit > 0 && high >= limit / 100 * NEAR_PERCENT) {
        nice_size(high + high / 4, ret->memory, sizeof(ret->memory));
        snprintf(ret->why_memory, sizeof(ret->why_memory), "peak %s is %lld%% of the limit", size,
                 (long long)(high * 100 / limit));
        return;
    }
    if (up_ms < WELL_KNOWN_MS) {     /* its first calls are still to come */
        snprintf(ret->why_memory, sizeof(ret->why_memory),
                 "its peak of %s is of less than a minute", size);
        return;
    }
    nice_size(high + high / 4, ret->memory, sizeof(ret->memory));
    snprintf(ret->why_memory, sizeof(ret->why_memory), "peak %s in %s, and a quarter", size,
             pane_span(up_ms, span, sizeof(span)));
}

static void suggest_cpus(const struct view *v, const struct feed_server *s, struct suggestion *ret)
{
    enum { MUCH_PERCENT = 10 };
    double now = strtod(s->limit_cpus, NULL), twice = now * 2;
    int most = v->feed.status.cpus;

    if (!s->usage.known || s->usage.throttled < MUCH_PERCENT || now <= 0)
        return;
    if (twice > most)
        twice = most;
    if (twice <= now)
        return;
    snprintf(ret->cpus, sizeof(ret->cpus), "%g", twice);
    snprintf(ret->why_cpus, sizeof(ret->why_cpus), "throttled %.0f%%", s->usage.throttled);
}

static struct suggestion suggest(const struct view *v, const struct feed_server *s)
{
    struct suggestion ret = {{0}, {0}, {0}, {0}};

    if (s && !strcmp(s->where, "docker")) {
        suggest_memory(s, &ret);
        suggest_cpus(v, s, &ret);
    }
    return ret;
}

static bool same_size(const char *a, const char *b)
{
    return text_parse_size(a) == text_parse_size(b);
}

/* One line or two; "" = none. */
static void suggestion_text(const struct suggestion *g, const struct feed_server *s,
                            struct buf *memory, struct buf *cpus)
{
    bool fits = *g->memory && same_size(g->memory, s->limit_memory);

    if (fits)
        buf_printf(memory, "the memory limit fits (%s)", g->why_memory);
    else if (*g->memory)
        buf_printf(memory, "suggested: memory %s (%s)", g->memory, g->why_memory);
    else if (*g->why_memory)
        buf_printf(memory, "no suggestion for memory yet: %s", g->why_memory);
    if (*g->cpus)
        buf_printf(cpus, "suggested: cpus %s (%s)", g->cpus, g->why_cpus);
}

static void take_suggestion(struct view *v, const struct feed_server *s)
{
    struct suggestion g = suggest(v, s);

    if (*g.memory && !same_size(g.memory, s->limit_memory))
        lineedit_set(&v->ask.fields[0], g.memory);
    if (*g.cpus)
        lineedit_set(&v->ask.fields[1], g.cpus);
}

/* ---- the form ---- */

static struct feed_server *subject(const struct view *v)
{
    return v->ask.targets.n ? feed_find(&v->feed, v->ask.targets.v[0]) : NULL;
}

static void fill_fields(struct view *v, const struct feed_server *s)
{
    const struct feed_isolation *all = &v->feed.status.isolation;
    int64_t pids = v->ask.all ? all->pids : s ? s->plan.pids : 0;
    char count[24] = "none";
    const char *values[ASK_FIELDS] = {all->memory, all->cpus, count, all->network};

    if (pids > 0)
        snprintf(count, sizeof(count), "%lld", (long long)pids);
    if (!v->ask.all && s) {
        values[0] = s->limit_memory;
        values[1] = s->limit_cpus;
        values[3] = s->limit_network;
    }
    for (int i = 0; i < ASK_FIELDS; i++) {
        free(v->ask.before[i]);
        v->ask.before[i] = xstrdup(values[i] ? values[i] : "");
        lineedit_set(&v->ask.fields[i], v->ask.before[i]);
        lineedit_enter(&v->ask.fields[i]);
    }
}

static void say_error(struct view *v, const char *text)
{
    free(v->ask.error);
    v->ask.error = xstrdup(text);
}

/* x cannot isolate what makes its own container. */
static void say_own_client(struct view *v, const struct feed_server *s)
{
    AUTO_FREE char *text =
        xasprintf("it runs %s itself: no limit here reaches that container, and x cannot isolate "
                  "it. Write --memory and --cpus into that command; its details say why mcptop "
                  "does not make the container itself", s->where_client);

    say_error(v, text);
}

void limits_open(struct view *v, struct feed_server *s)
{
    AUTO_FREE char *title = xasprintf("limits of %s", s->label);

    ask_open(v, ASK_LIMITS, REQ_LIMITS, title, "apply");
    strvec_add(&v->ask.targets, s->name);
    v->ask.all = false;
    fill_fields(v, s);
    if (*s->where_client)
        say_own_client(v, s);
    else if (!strcmp(s->where, "host"))
        say_error(v, "it runs on the host, where no limit applies: x isolates it");
    else if (strcmp(s->where, "docker") != 0)
        say_error(v, s->reason);
}

static void go_to(struct ask *a, int row)
{
    a->field = (row + ROWS) % ROWS;
    if (a->field < ASK_FIELDS)
        lineedit_enter(&a->fields[a->field]);
}

static void next_network(struct lineedit *e)
{
    size_t i = 0;

    while (i < ARRAY_LEN(networks) && strcmp(networks[i], e->text) != 0)
        i++;
    lineedit_set(e, networks[i < ARRAY_LEN(networks) ? (i + 1) % ARRAY_LEN(networks) : 0]);
}

static void toggle_scope(struct view *v)
{
    const struct feed_server *s = subject(v);
    AUTO_FREE char *title = v->ask.all && s ? xasprintf("limits of %s", s->label)
                                            : xstrdup("limits of all isolated servers");

    v->ask.all = !v->ask.all;
    free(v->ask.title);
    v->ask.title = TAKE(title);
    free(TAKE(v->ask.error));
    fill_fields(v, s);
}

/* The fields that were changed, as the API takes them; new reference. */
static json_t *changes(const struct ask *a)
{
    json_t *body = json_object();

    for (int i = 0; i < ASK_FIELDS; i++) {
        const char *text = a->fields[i].text;
        bool no_limit = i < 3 && !strcmp(text, "none");
        if (strcmp(text, a->before[i]) != 0)
            json_object_set_new(body, keys[i], json_string(no_limit ? "0" : text));
    }
    return body;
}

static bool is_changed(const struct ask *a, int i)
{
    return strcmp(a->fields[i].text, a->before[i]) != 0;
}

static bool is_none(const char *limit)
{
    return !*limit || !strcmp(limit, "none") || !strcmp(limit, "0");
}

/* The engine sets and changes a memory or CPU limit of a running container, but takes none away. */
static bool is_taken_away(const struct ask *a, int i)
{
    return i < 2 && is_changed(a, i) && is_none(a->fields[i].text) && !is_none(a->before[i]);
}

/* … of this one server, so it is shown before it is done. */
static bool is_restart(const struct view *v, const struct feed_server *s)
{
    const struct ask *a = &v->ask;

    return s && !strcmp(s->where, "docker") &&
        (is_changed(a, ASK_NETWORK) || is_taken_away(a, 0) || is_taken_away(a, 1));
}

static bool is_shown_first(const struct view *v)
{
    return v->ask.all || is_restart(v, subject(v)) ||
        (v->feed.status.isolation.total_memory > 0 && is_changed(&v->ask, 0));
}

#define ONE_PATH "/api/v1/servers/%s"
#define ALL_PATH "/api/v1/docker_isolation"

/* name "": of all. body is stolen. */
static void send_change(struct view *v, enum reply_kind kind, const char *name, json_t *body)
{
    if (kind == REPLY_PREVIEW)
        json_object_set_new(body, "dry_run", json_true());
    view_send(v, kind, name, "set", "PATCH", *name ? ONE_PATH : ALL_PATH, body);
}

static void commit_form(struct view *v)
{
    json_t *body = changes(&v->ask);

    free(TAKE(v->ask.error));
    if (!json_object_size(body)) {
        json_decref(body);
        ask_close(v);
        return;
    }
    /* It stays open until the answer: an error is shown where it can be mended. */
    send_change(v, is_shown_first(v) ? REPLY_PREVIEW : REPLY_CHANGE,
                v->ask.all ? "" : v->ask.targets.v[0], body);
}

void limits_set_all(struct view *v, json_t *body)
{
    ask_close(v);
    send_change(v, REPLY_PREVIEW, "", body);
}

void limits_commit(struct view *v)
{
    const char *name = v->ask.targets.n ? v->ask.targets.v[0] : "";

    send_change(v, REPLY_CHANGE, name, json_incref(v->ask.body));
}

void limits_key(struct view *v, int key)
{
    struct ask *a = &v->ask;

    switch (key) {
    case K_ESC: ask_close(v); break;
    case K_ENTER: commit_form(v); break;
    case K_TAB: case K_DOWN: go_to(a, a->field + 1); break;
    case K_BACKTAB: case K_UP: go_to(a, a->field - 1); break;
    case K_CTRL('T'):
        if (!a->all && subject(v)) {
            take_suggestion(v, subject(v));
            free(TAKE(a->error));      /* it was of the old values */
        }
        break;
    case ' ':
        if (a->field == ASK_NETWORK)
            next_network(&a->fields[ASK_NETWORK]);
        else if (a->field == SCOPE)
            toggle_scope(v);
        break;
    default:
        if (a->field < ASK_FIELDS)
            lineedit_key(&a->fields[a->field], key);
    }
}

/* ---- answers ---- */

/* What would follow, and the question. */
void limits_preview(struct view *v, const struct view_call *call, json_t *data)
{
    const struct feed_server *s = *call->name ? feed_find(&v->feed, call->name) : NULL;
    AUTO_FREE char *title = *call->name ? xasprintf("change the limits of %s?", s ? s->label : "?")
                                        : xstrdup("change what all isolated servers inherit?");
    json_t *body = json_deep_copy(call->body);

    json_object_del(body, "dry_run");
    ask_open(v, ASK_CONFIRM, REQ_LIMITS, title, "change");
    strvec_add(&v->ask.targets, call->name);
    v->ask.body = body;
    act_add_plan(v, s, data);
}

/* The engine said no to a running container: a restart would do. */
void limits_refused(struct view *v, const struct view_call *call, const char *error)
{
    const struct feed_server *s = feed_find(&v->feed, call->name);
    AUTO_FREE char *title = xasprintf("restart %s with the new limits?", s ? s->label : "it");
    json_t *body = json_deep_copy(call->body);

    json_object_set_new(body, "restart", json_true());
    ask_open(v, ASK_CONFIRM, REQ_LIMITS, title, "restart");
    strvec_add(&v->ask.targets, call->name);
    v->ask.body = body;
    act_add_clean_lines(&v->ask.text, error);
    act_describe_targets(v, &v->ask.text);
}

/* ---- drawing ---- */

static void memory_words(const struct feed_usage *u, struct buf *b)
{
    int64_t high = u->peak > u->memory ? u->peak : u->memory;
    char now[16], peak[16], cache[16];

    if (!u->known) {
        buf_add_str(b, "not running");
        return;
    }
    buf_printf(b, "%s now, peak %s", pane_size(u->memory, now, sizeof(now)),
               pane_size(high, peak, sizeof(peak)));
    if (u->peak_cache > high + high / 4)
        buf_printf(b, " (%s with page cache)", pane_size(u->peak_cache, cache, sizeof(cache)));
    if (u->ooms > 0)
        buf_printf(b, ", %lld OOM kill%s", (long long)u->ooms, u->ooms == 1 ? "" : "s");
}

static void row_words(const struct view *v, const struct feed_server *s, int row, struct buf *b)
{
    const struct feed_isolation *all = &v->feed.status.isolation;
    const struct feed_usage *u = s ? &s->usage : NULL;
    char text[16];

    if (row == ASK_NETWORK && !strcmp(v->ask.fields[ASK_NETWORK].text, "host")) {
        buf_printf(b, "weakens: the network is the host's%s",
                   is_changed(&v->ask, ASK_NETWORK) ? "; restarts" : "");
    } else if (row == ASK_NETWORK) {
        buf_add_str(b, "Space: bridge, none, host; a change restarts");
    } else if (!v->ask.all && is_taken_away(&v->ask, row)) {
        buf_add_str(b, "no limit: taken away by a restart");
    } else if (row == SCOPE && v->ask.all) {
        buf_printf(b, "%d isolated, limits of %s together", all->servers,
                   pane_size(all->limits_sum, text, sizeof(text)));
        if (all->total_memory > 0)
            buf_printf(b, "; total_memory %s", pane_size(all->total_memory, text, sizeof(text)));
    } else if (row == SCOPE) {
        buf_add_str(b, "Space: all isolated servers");
    } else if (v->ask.all) {
        buf_add_str(b, row ? "" : "of servers that have none of their own");
    } else if (row == 0 && u) {
        memory_words(u, b);
        if (s->exit_oom && u->ooms <= 0)
            buf_add_str(b, ", was OOM-killed");
    } else if (row == 1 && u && u->known) {
        if (u->cpu >= 0)
            buf_printf(b, "%s%% of a core now", pane_cpu(u->cpu, text, sizeof(text)));
        else
            buf_add_str(b, "measured from the next second on");
        if (u->throttled >= 0)
            buf_printf(b, ", throttled %.0f%%", u->throttled);
    } else if (row == 2 && u && u->known && u->pids >= 0) {
        buf_printf(b, "%d now", u->pids);
    }
}

static void draw_row(struct view *v, const struct feed_server *s, struct rect r, int i)
{
    struct ask *a = &v->ask;
    AUTO_BUF struct buf words = BUF_INIT;
    bool here = i == a->field;

    row_words(v, s, i, &words);
    canvas_put(&v->canvas, r.x + 2, r.y, 8, here ? ST_ACCENT : ST_NORMAL, row_names[i]);
    if (i == SCOPE) {
        canvas_put(&v->canvas, r.x + 11, r.y, 14, here ? ST_FIELD : ST_BOX,
                   a->all ? "all isolated" : "this server");
    } else {
        lineedit_draw(&a->fields[i], &v->canvas, r.x + 11, r.y, 12, here ? ST_FIELD : ST_BOX);
        canvas_put(&v->canvas, r.x + 24, r.y, 1, ST_ACCENT,
                   is_changed(a, i) ? "*" : " ");
    }
    canvas_put_cut(&v->canvas, r.x + 26, r.y, r.w - 28, ST_DIM, buf_str(&words));
}

/* The longest that fits. */
static const char *footer(bool suggests, bool asks, int columns)
{
    enum { WORDINGS = 3 };
    static const char *const asking[WORDINGS] = {
        "Enter shows what follows and asks   Tab next field   Esc leave",
        "Enter shows, then asks   Tab next   Esc leave", "Enter asks Tab next Esc leave",
    };
    static const char *const with[WORDINGS] = {
        "Enter apply   Tab next field   ^T take the suggestion   Esc leave",
        "Enter apply  Tab next  ^T suggestion  Esc leave", "Enter apply ^T suggest Esc leave",
    };
    static const char *const without[WORDINGS] = {
        "Enter apply and write to the config   Tab next field   Esc leave",
        "Enter apply   Tab next field   Esc leave", "Enter apply Tab next Esc leave",
    };
    const char *const *texts = asks ? asking : suggests ? with : without;
    size_t i = 0;

    while (i < WORDINGS - 1 && (int)strlen(texts[i]) > columns)
        i++;
    return texts[i];
}

/* So many of the fields as the box has room for, the one that is edited among them. */
static void draw_fields(struct view *v, const struct feed_server *s, struct rect r, int shown)
{
    int first = v->ask.field < shown ? 0 : v->ask.field - shown + 1;
    int cursor_x = -1, cursor_y = -1;

    for (int i = first; i < first + shown; i++) {
        draw_row(v, s, (struct rect){r.x, r.y + 1 + i - first, r.w, 1}, i);
        if (i == v->ask.field && i < ASK_FIELDS) {
            cursor_x = v->canvas.cursor_x;
            cursor_y = v->canvas.cursor_y;
        }
    }
    v->canvas.cursor_x = cursor_x;
    v->canvas.cursor_y = cursor_y;
}

static int error_rows(const struct ask *a, int columns)
{
    enum { MOST = 4 };
    const char *p = a->error ? a->error : "", *end = p + strlen(p);
    char line[512];
    int n = 0;

    for (; p < end && n < MOST; n++)
        ask_next_row(&p, end, columns, line, sizeof(line));
    return n;
}

static void draw_error(struct view *v, struct rect r)
{
    const char *p = v->ask.error ? v->ask.error : "", *end = p + strlen(p);
    char line[512];

    for (int i = 0; i < r.h && p < end; i++) {
        ask_next_row(&p, end, r.w, line, sizeof(line));
        canvas_put_cut(&v->canvas, r.x, r.y + i, r.w, ST_WARN, line);
    }
}

void limits_draw(struct view *v)
{
    struct ask *a = &v->ask;
    const struct feed_server *s = subject(v);
    struct suggestion g = a->all ? suggest(v, NULL) : suggest(v, s);
    AUTO_BUF struct buf memory = BUF_INIT, cpus = BUF_INIT;
    struct rect r;
    int room, errors, y;

    if (s)
        suggestion_text(&g, s, &memory, &cpus);
    r = ask_place_box(v, 76, ROWS + 4 + error_rows(a, 72) + (memory.len && cpus.len));
    errors = error_rows(a, r.w - 4);
    room = r.h - 3 - errors;
    canvas_frame(&v->canvas, r, ST_ACCENT);
    canvas_rule(&v->canvas, r.x + 1, r.y, r.w - 2, ST_ACCENT, ST_BOLD, a->title, NULL);
    draw_fields(v, s, r, room < ROWS ? room : ROWS);
    y = r.y + 1 + ROWS;
    if (memory.len && y < r.y + 1 + room)
        canvas_put_cut(&v->canvas, r.x + 2, y++, r.w - 4, ST_ACCENT, buf_str(&memory));
    if (cpus.len && y < r.y + 1 + room)
        canvas_put_cut(&v->canvas, r.x + 2, y, r.w - 4, ST_ACCENT, buf_str(&cpus));
    draw_error(v, (struct rect){r.x + 2, r.y + r.h - 2 - errors, r.w - 4, errors});
    canvas_put_cut(&v->canvas, r.x + 2, r.y + r.h - 2, r.w - 4, ST_NORMAL,
                   footer(*g.memory || *g.cpus, is_shown_first(v), r.w - 4));
}
