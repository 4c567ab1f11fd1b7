/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lists of all servers in one: every ready server is asked at the same time, their answers are put
 * together in the order of the configuration. Tools come from what the supervisor knows already. A
 * server's further pages are asked for when the client comes with our cursor, which names them. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/jscan.h"
#include "base/mem.h"

enum { MAX_CURSOR = 64 * 1024, MAX_LIST = 64 << 20, BAD_CURSOR = -32602 };

enum { TOOLS, PROMPTS, RESOURCES, TEMPLATES, TASKS, LISTS };

/* name: the member of an item that its server's name goes in front of */
static const struct { const char *method, *member, *capability, *name; } lists[LISTS] = {
    [TOOLS] = {"tools/list", "tools", "tools", "name"},
    [PROMPTS] = {"prompts/list", "prompts", "prompts", "name"},
    [RESOURCES] = {"resources/list", "resources", "resources", NULL},
    [TEMPLATES] = {"resources/templates/list", "resourceTemplates", "resources", NULL},
    [TASKS] = {"tasks/list", "tasks", "tasks", "taskId"},
};

struct page {                   /* of one server */
    char *server;
    char *prefix;
    struct buf items;           /* without the brackets */
    struct buf cursor;          /* of the next page; empty = none */
};

struct gather {
    size_t list;                /* which */
    struct page *pages;
    size_t count, pending;
    bool modern;
    bool building;              /* parts are being sent: it ends later */
    call_reply_fn fn;
    void *ctx;
    char *token;
};

/* ---- items ---- */

/* Adds the items of an array; where they are named, SERVER__ or SERVER: goes in front of the
 * name. */
static void add_items(struct page *pg, struct span array, const char *key)
{
    const char *end = array.p + array.n - 1;
    const char *p = array.n >= 2 && *array.p == '[' ? jscan_space(array.p + 1, end) : end;

    while (p < end && pg->items.len < MAX_LIST) {
        const char *after = jscan_value(p, end, NULL);
        if (!after)
            return;
        struct span item = {p, (size_t)(after - p)};
        struct span name = key ? span_member(item, key) : (struct span){0};
        if (pg->items.len)
            buf_add_char(&pg->items, ',');
        if (name.n > 1 && *name.p == '"') {
            size_t head = (size_t)(name.p - item.p) + 1;
            buf_add(&pg->items, item.p, head);
            buf_add_str(&pg->items, pg->prefix);
            buf_add(&pg->items, item.p + head, item.n - head);
        } else {
            buf_add(&pg->items, item.p, item.n);
        }
        p = jscan_space(after, end);
        if (p < end && *p == ',')
            p = jscan_space(p + 1, end);
    }
}

/* ---- cursors: hex of "SERVER",CURSOR,"SERVER",CURSOR… ---- */

static void add_cursor(const struct gather *g, struct buf *out)
{
    static const char digits[] = "0123456789abcdef";
    AUTO_BUF struct buf plain = BUF_INIT;

    for (size_t i = 0; i < g->count; i++) {
        const struct page *pg = &g->pages[i];
        if (!pg->cursor.len)
            continue;
        buf_add_str(&plain, plain.len ? "," : "");
        buf_add_json(&plain, pg->server, strlen(pg->server));
        buf_add_char(&plain, ',');
        buf_add(&plain, pg->cursor.data, pg->cursor.len);
    }
    if (!plain.len)
        return;
    buf_add_str(out, ",\"nextCursor\":\"");
    for (size_t i = 0; i < plain.len; i++) {
        buf_add_char(out, digits[(unsigned char)plain.data[i] >> 4]);
        buf_add_char(out, digits[(unsigned char)plain.data[i] & 15]);
    }
    buf_add_char(out, '"');
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "[…]" of what it names; false when it is none of ours. */
static bool read_cursor(struct span token, struct buf *out)
{
    if (token.n < 4 || token.n % 2 || token.n > MAX_CURSOR || *token.p != '"')
        return false;
    buf_add_char(out, '[');
    for (size_t i = 1; i + 1 < token.n; i += 2) {
        int high = nibble(token.p[i]), low = nibble(token.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_add_char(out, (char)(high << 4 | low));
    }
    buf_add_char(out, ']');
    const char *after = jscan_value(out->data, out->data + out->len, NULL);
    return after == out->data + out->len;
}

/* ---- the whole ---- */

static void gather_free(struct gather *g)
{
    for (size_t i = 0; i < g->count; i++) {
        free(g->pages[i].server);
        free(g->pages[i].prefix);
        buf_fini(&g->pages[i].items);
        buf_fini(&g->pages[i].cursor);
    }
    free(g->pages);
    free(g->token);
    free(g);
}

static void part_gone(struct part *p)
{
    struct gather *g = p->gather;

    if (--g->pending == 0 && !g->building)
        gather_free(g);
}

static void finish(struct gather *g)
{
    AUTO_BUF struct buf out = BUF_INIT;
    bool any = false;

    buf_printf(&out, "{%s\"%s\":[", g->modern ? "\"resultType\":\"complete\"," : "",
               lists[g->list].member);
    for (size_t i = 0; i < g->count; i++) {
        buf_add_str(&out, any && g->pages[i].items.len ? "," : "");
        buf_add(&out, g->pages[i].items.data, g->pages[i].items.len);
        any |= g->pages[i].items.len > 0;
    }
    buf_add_char(&out, ']');
    add_cursor(g, &out);
    buf_add_str(&out, g->modern ? ",\"ttlMs\":0,\"cacheScope\":\"private\"}" : "}");
    aggregate_answer(span_of(g->token), out.data, out.len, g->fn, g->ctx);
    gather_free(g);
}

/* A server that fails is left out: the others' lists are still worth having. */
static void on_page(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct part *p = ctx;
    struct gather *g = p->gather;
    struct envelope e;

    p->done = true;
    for (int i = 0; i < count && !is_error; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    if (!is_error && !envelope_scan(buf_str(&text), text.len, &e, NULL)) {
        struct page *pg = &g->pages[p->index];
        struct span cursor = span_member(e.result, "nextCursor");
        add_items(pg, span_member(e.result, lists[g->list].member), lists[g->list].name);
        if (cursor.n && *cursor.p == '"')
            buf_add(&pg->cursor, cursor.p, cursor.n);
    }
    g->pending--;
    p->gone = NULL;
    if (!p->sending)
        part_free(p);
    if (!g->pending && !g->building)
        finish(g);
}

static void ask(struct aggregate *a, struct gather *g, struct server *s, const struct envelope *e,
                struct span cursor)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct envelope own;
    struct part *p = part_new(a, g->fn, g->ctx);

    buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"%s\",\"params\":{",
               lists[g->list].method);
    if (cursor.n) {
        buf_add_str(&text, "\"cursor\":");
        buf_add(&text, cursor.p, cursor.n);
    }
    if (e->meta.n) {
        buf_add_str(&text, cursor.n ? ",\"_meta\":" : "\"_meta\":");
        buf_add(&text, e->meta.p, e->meta.n);
    }
    buf_add_str(&text, "}}");
    p->gather = g;
    p->id = span_of(g->token);
    p->gone = part_gone;
    p->index = g->count - 1;
    g->pending++;
    if (envelope_scan(text.data, text.len, &own, NULL)) {
        part_gone(p);
        part_free(p);
    } else if (!part_send(p, aggregate_member(a, s), &own, on_page)) {
        part_free(p);
    }
}

static struct page *add_page(struct aggregate *a, struct gather *g, size_t index)
{
    g->pages = xrealloc(g->pages, (g->count + 1) * sizeof(*g->pages));
    struct page *pg = &g->pages[g->count++];
    *pg = (struct page){.server = xstrdup(fleet_at(a->fleet, index)->name)};
    const char *prefix = aggregate_prefix(a->names, index);
    pg->prefix = g->list == TASKS ? xasprintf("%.*s:", (int)strlen(prefix) - 2, prefix)
                                  : xstrdup(prefix);
    return pg;
}

/* The server's cursor in what read_cursor gave; n == 0: it has none. */
static struct span cursor_of(const struct buf *cursors, const char *server)
{
    const char *end = cursors->data + cursors->len - 1;
    const char *p = jscan_space(cursors->data + 1, end);

    while (p < end) {
        const char *after = jscan_value(p, end, NULL);
        const char *from = after ? jscan_space(jscan_space(after, end) + 1, end) : NULL;
        const char *to = from && from < end ? jscan_value(from, end, NULL) : NULL;
        if (!to)
            break;
        AUTO_FREE char *name = span_decode((struct span){p, (size_t)(after - p)}, 256);
        if (strcmp(name, server) == 0)
            return (struct span){from, (size_t)(to - from)};
        p = jscan_space(to, end);
        if (p < end && *p == ',')
            p = jscan_space(p + 1, end);
    }
    return (struct span){0};
}

/* Of one that sleeps the tools are known, and nothing else is worth waking it. Of one that was not
 * used yet no task is the client's. */
static bool is_asked(struct aggregate *a, const struct gather *g, const struct server *s)
{
    if (g->list == TASKS && !aggregate_peer(a, s))
        return false;
    return aggregate_asks(a, s, lists[g->list].capability) ||
           (g->list == TOOLS && server_is_asleep(s) && session_knows_tools(s->session));
}

static void ask_all(struct aggregate *a, struct gather *g, const struct envelope *e,
                    const struct buf *cursors)
{
    for (size_t i = 0; i < fleet_count(a->fleet); i++) {
        struct server *s = fleet_at(a->fleet, i);
        struct span cursor = cursors->len ? cursor_of(cursors, s->name) : (struct span){0};
        if (!is_asked(a, g, s) || (cursors->len && !cursor.n))
            continue;
        struct page *pg = add_page(a, g, i);
        if (g->list == TOOLS && !cursor.n && session_knows_tools(s->session)) {
            AUTO_BUF struct buf shown = BUF_INIT;
            session_add_shown_tools(s->session, &shown);
            add_items(pg, (struct span){shown.data, shown.len}, lists[TOOLS].name);
        } else {
            ask(a, g, s, e, cursor);
        }
    }
}

bool aggregate_list(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx,
                    bool *ret)
{
    AUTO_BUF struct buf cursors = BUF_INIT;
    struct span cursor = span_member(e->params, "cursor");
    size_t list = 0;

    while (list < LISTS && !span_is(e->method, lists[list].method))
        list++;
    /* The modern era has no list of tasks. */
    if (list == LISTS || (list == TASKS && e->version.n))
        return false;
    *ret = false;
    if (cursor.n && *cursor.p != 'n' && !read_cursor(cursor, &cursors)) {
        aggregate_refuse(e->id, BAD_CURSOR, "this cursor is none of this endpoint's", fn, ctx);
        return true;
    }
    struct gather *g = xcalloc(1, sizeof *g);
    g->list = list;
    g->modern = e->version.n;
    g->fn = fn;
    g->ctx = ctx;
    g->token = xstrndup(e->id.p, e->id.n);
    g->building = true;
    ask_all(a, g, e, &cursors);
    g->building = false;
    *ret = g->pending > 0;
    if (!*ret)
        finish(g);
    return true;
}
