/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rules for tools on a session: lists on their way to clients are cut, calls of what is hidden
 * are refused, and clients are told when the rules change. */
#include <string.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

static void count_shown(struct session *s)
{
    struct catalogue *cat = &s->catalogue;
    struct span entry;

    cat->shown = cat->count;
    if (!tool_filter_is_set(&s->filter) || cat->count < 0)
        return;
    cat->shown = s->filter.quarantined ? 0 : cat->tools.len ? 0 : -1;
    const char *at = cat->tools.data + 1, *end = cat->tools.data + cat->tools.len;
    while (cat->tools.len && tool_next_entry(&at, end, &entry))
        cat->shown += tool_filter_entry(&s->filter, entry) == TOOL_SHOWN;
}

void tools_listed(struct session *s)
{
    count_shown(s);
}

const struct envelope *tools_cut(struct session *s, const struct call *k,
                                 const struct envelope *e, struct envelope *own, struct buf *text)
{
    if (!tool_filter_is_set(&s->filter) || e->kind != ENVELOPE_RESULT ||
        !span_is(k->method, "tools/list"))
        return e;
    /* What waits unknown to us: the list has changed without a word. */
    if (tool_filter_message(&s->filter, e, text))
        catalogue_changed(s);
    /* It was a message before, and only elements of an array were taken out. */
    return envelope_scan(buf_str(text), text->len, own, NULL) ? e : own;
}

static void say_held(const struct session *s, const char *tool, struct buf *out)
{
    buf_printf(out, "tool \"%s\" of server \"%s\" waits for approval: it is new, or its definition "
                    "is not the one that was first seen (on_tool_change: hold); `mcptop tools "
                    "--changes ", tool, s->cfg.server);
    buf_add_shell(out, s->cfg.server);
    buf_add_str(out, "` shows what changed, `mcptop approve ");
    buf_add_shell(out, s->cfg.server);
    buf_add_char(out, ' ');
    buf_add_shell(out, tool);
    buf_add_str(out, "` accepts it");
}

static void say_hidden(const struct session *s, struct span name, enum tool_hidden why,
                       struct buf *out)
{
    AUTO_FREE char *tool = span_decode(name, 128);

    if (why == TOOL_QUARANTINED)
        buf_printf(out, "server \"%s\" is quarantined: its tools are kept from clients until "
                        "`mcptop release %s` (or \"quarantined\": false in its configuration)",
                   s->cfg.server, s->cfg.server);
    else if (why == TOOL_DISABLED)
        buf_printf(out, "tool \"%s\" of server \"%s\" is hidden from clients: disabled_tools in "
                        "its configuration names it", tool, s->cfg.server);
    else if (why == TOOL_NOT_ENABLED)
        buf_printf(out, "tool \"%s\" of server \"%s\" is hidden from clients: enabled_tools in its "
                        "configuration does not name it", tool, s->cfg.server);
    else if (why == TOOL_HELD)
        say_held(s, tool, out);
    else
        buf_printf(out, "tools/call needs a name for server \"%s\", whose tools are filtered",
                   s->cfg.server);
}

bool tools_refuse(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    AUTO_BUF struct buf why = BUF_INIT;

    if (!tool_filter_is_set(&s->filter) || !span_is(e->method, "tools/call"))
        return false;
    enum tool_hidden hidden = tool_filter_name(&s->filter, e->name);
    if (hidden == TOOL_SHOWN)
        return false;
    say_hidden(s, e->name, hidden, &why);
    router_refuse(s, e->id, SESSION_ERROR, fn, ctx, "%s", buf_str(&why));
    return true;
}

/* Calls that wait were let in by the rules of before. */
static void refuse_waiting(struct session *s, struct call_list *list)
{
    for (struct call *k = list->head, *next; k; k = next) {
        AUTO_BUF struct buf why = BUF_INIT;
        struct envelope e;
        next = k->next;
        if (!k->client || !k->copy || envelope_scan(k->copy, k->copy_n, &e, NULL) ||
            !span_is(e.method, "tools/call"))
            continue;
        enum tool_hidden hidden = tool_filter_name(&s->filter, e.name);
        if (hidden == TOOL_SHOWN)
            continue;
        say_hidden(s, e.name, hidden, &why);
        call_fail(s, k, SESSION_ERROR, "%s", buf_str(&why));
        next = list->head;      /* who was told may have ended others */
    }
}

void tools_tell_changed(struct session *s)
{
    static const char changed[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
    struct envelope e;

    if (!envelope_scan(changed, sizeof(changed) - 1, &e, NULL))
        relay_tell_all(s, &e);
}

void session_set_tool_filter(struct session *s, const struct tool_filter *filter)
{
    if (tool_filter_equal(&s->filter, filter))
        return;
    session_enter(s);
    tool_filter_copy(&s->filter, filter);
    count_shown(s);
    refuse_waiting(s, &s->held);
    refuse_waiting(s, &s->queued);
    if (s->init)
        tools_tell_changed(s);
    session_leave(s);
}

int session_get_shown_count(const struct session *s)
{
    return s->catalogue.shown;
}

void session_add_shown_tools(const struct session *s, struct buf *out)
{
    const struct catalogue *cat = &s->catalogue;

    tool_filter_array(&s->filter, (struct span){cat->tools.data, cat->tools.len}, out);
}

enum tool_hidden session_hides(const struct session *s, struct span entry)
{
    return tool_filter_entry(&s->filter, entry);
}
