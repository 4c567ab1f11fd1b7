/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server that is started when it is needed: while it is down on purpose clients are welcomed and
 * its tools listed from what is known of it, and the first request that has to wait says that it is
 * wanted. */
#include <string.h>
#include "base/clock.h"
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

void session_sleep(struct session *s, bool asleep)
{
    session_enter(s);
    s->nap = asleep ? NAP_ASLEEP : NAP_NOT;
    session_leave(s);
}

void asleep_look(struct session *s)
{
    if (!s->held.n)
        return;
    s->nap = NAP_WAKES;
    if (s->events.wanted)
        s->events.wanted(s->ctx);
}

bool asleep_answers(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    static const char modern[] =
        "\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",";
    struct session *s = c->session;
    AUTO_BUF struct buf out = BUF_INIT;

    if (s->open || !s->catalogue.tools.len || !span_is(e->method, "tools/list") ||
        span_member(e->params, "cursor").n)
        return false;
    buf_add_str(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(&out, e->id.p, e->id.n);
    buf_printf(&out, ",\"result\":{%s\"tools\":", c->modern ? modern : "");
    session_add_shown_tools(s, &out);
    buf_add_str(&out, "}}");
    s->ledger->stats.calls++;
    s->listed_asleep = true;
    fn(ctx, &(struct iovec){out.data, out.len}, 1, false);
    return true;
}

/* ---- what is known ---- */

static bool is_value(struct span text, char first)
{
    const char *end = text.p + text.n;

    return text.n >= 2 && *text.p == first && jscan_value(text.p, end, NULL) == end;
}

/* Takes over what a server said of itself. */
static int take_known(struct session *s, bool modern, struct span init, struct span tools)
{
    struct span entry;

    const char *known = modern ? modern_version
                               : protocol_known(span_member(init, "protocolVersion"));
    if (!known)
        return -1;
    s->found_modern = modern;
    handshake_cache(s, known, init);
    int count = 0;
    for (const char *at = tools.p + 1; tool_next_entry(&at, tools.p + tools.n, &entry);)
        count++;
    catalogue_restore(s, count, (struct span){tools.p + 1, tools.n - 2});
    return 0;
}

int session_restore(struct session *s, bool modern, struct span init, struct span tools)
{
    if (s->init || !is_value(init, '{') || !is_value(tools, '['))
        return -1;
    return take_known(s, modern, init, tools);
}

bool session_learn(struct session *s, const struct session *from)
{
    const struct buf *tools = &from->catalogue.tools;

    if (s->running || !from->init || !tools->len)
        return false;
    return take_known(s, from->modern, (struct span){from->init, from->init_n},
                      (struct span){tools->data, tools->len}) == 0;
}

const char *session_get_init(const struct session *s, size_t *ret_n, bool *ret_modern)
{
    *ret_n = s->init_n;
    *ret_modern = s->modern;
    return s->init;
}

bool session_is_used(const struct session *s)
{
    return s->flight.n > s->abandoned || s->held.n || s->queued.n || s->parked.n || s->asking.n ||
           s->subscription_count;
}

int64_t session_get_used_ms(const struct session *s)
{
    return s->used_ms;
}
