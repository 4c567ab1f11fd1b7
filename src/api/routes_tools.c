/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tools of one server: as it listed them, what of them is not as it was first seen, and the
 * word that it may be so. */
#include "api/routes_server.h"

#include <string.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/json_calls.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/mem.h"
#include "supervisor/tool_watch.h"

/* The tools that clients do not get, and the key that hides each. */
static void add_hidden(const struct server *s, struct span tools, struct buf *out)
{
    const char *at = tools.p + 1, *comma = "";
    struct span entry;

    while (tool_next_entry(&at, tools.p + tools.n, &entry)) {
        enum tool_hidden why = session_hides(s->session, entry);
        if (why == TOOL_SHOWN)
            continue;
        AUTO_FREE char *name = span_decode(tool_entry_name(entry), 512);
        buf_printf(out, "%s{\"name\":", comma);
        buf_add_json(out, name, strlen(name));
        buf_printf(out, ",\"by\":\"%s\"}", tool_hidden_by(why));
        comma = ",";
    }
}

/* The list goes out as the server sent it, and beside it what clients do not get of it, and
 * figures. */
void server_get_tools(struct api_server *a, struct request *r, struct server *s)
{
    size_t n = 0;
    const char *tools = session_get_tools(s->session, &n);
    const char head[] = "{\"success\":true,\"data\":{\"tools\":", tail[] = "}}\n",
               middle[] = ",\"hidden\":[", last[] = "],\"figures\":";
    AUTO_BUF struct buf hidden = BUF_INIT;

    (void)a;
    if (!tools) {
        reply_error(r, 409, "the tools of \"%s\" are not known yet: it is %s", s->name,
                    server_state_name(s->state));
        return;
    }
    add_hidden(s, (struct span){tools, n}, &hidden);
    json_t *seen = json_tool_figures(s);
    AUTO_FREE char *figures = json_dumps(seen, JSON_COMPACT);
    const struct iovec body[] = {{(void *)(uintptr_t)head, sizeof head - 1},
                                 {(void *)(uintptr_t)tools, n},
                                 {(void *)(uintptr_t)middle, sizeof middle - 1},
                                 {hidden.data, hidden.len},
                                 {(void *)(uintptr_t)last, sizeof last - 1},
                                 {figures, strlen(figures)},
                                 {(void *)(uintptr_t)tail, sizeof tail - 1}};
    json_decref(seen);
    request_reply(r, 200, "application/json", NULL, body, ARRAY_LEN(body));
}

/* ---- changes ---- */

static json_t *change_json(const struct tool_change *c, const struct tool_diff *d, bool held)
{
    static const uint8_t none[SHA256_BYTES];
    char was[SHA256_HEX] = "", is[SHA256_HEX];

    if (memcmp(d->was, none, sizeof none) != 0)
        sha256_hex(d->was, was);
    return json_pack("{s:o, s:s, s:b, s:s, s:s, s:o}", "name", json_text(c->name), "status",
                     c->is_new ? "pending" : "changed", "held", held, "approved_hash", was,
                     "current_hash", sha256_hex(c->digest, is), "diff",
                     json_foreign(buf_str(&d->text), d->text.len));
}

static json_t *changes_json(const struct server *s)
{
    const struct tool_changes *c = tool_watch_changes(s);
    struct tool_diff *diffs = tool_watch_diffs(s);
    json_t *list = json_array();
    bool held = tool_watch_holds(s);

    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(list, change_json(&c->v[i], &diffs[i], held));
    tool_diffs_free(diffs, c->n);
    return json_pack("{s:o, s:s, s:b, s:o}", "server", json_text(s->name), "on_tool_change",
                     held ? "hold" : "warn", "watched", !tool_watch_is_blind(s), "changes", list);
}

void server_get_tool_changes(struct api_server *a, struct request *r, struct server *s)
{
    (void)a;
    reply_data(r, changes_json(s));
}

/* {"tools":["a",{"name":"b","hash":"…"}]} or {"approve_all":true}. How many, -1: it is neither. */
static int read_approval(json_t *doc, struct tool_approval *v, size_t max)
{
    json_t *tools = json_object_get(doc, "tools"), *one;
    size_t i, n = json_array_size(tools);

    if (json_is_true(json_object_get(doc, "approve_all")))
        return tools ? -1 : 0;
    if (!n || n > max)
        return -1;
    json_array_foreach(tools, i, one) {
        json_t *name = json_is_string(one) ? one : json_object_get(one, "name");
        v[i] = (struct tool_approval){
            .name = json_string_value(name),
            .hash = json_string_value(json_object_get(one, "hash")),
        };
        if (!v[i].name)
            return -1;
    }
    return (int)n;
}

void server_post_approve(struct api_server *a, struct request *r, struct server *s)
{
    size_t n;
    const char *body = request_get_body(r, &n);
    json_t *doc = json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
    struct tool_approval *v = xcalloc(TOOL_LIST_MAX, sizeof *v);
    int count = read_approval(doc, v, TOOL_LIST_MAX);
    struct fault f = FAULT_NONE;

    (void)a;
    if (count < 0)
        reply_error(r, 400, "the body must be {\"tools\":[\"NAME\"…]}, with "
                            "{\"name\":…,\"hash\":…} for "
                            "one that was looked at, or {\"approve_all\":true}");
    else if (tool_watch_approve(s, v, (size_t)count, &f) < 0)
        reply_fault(r, &f);
    else
        reply_data(r, changes_json(s));
    free(v);
    json_decref(doc);
}
