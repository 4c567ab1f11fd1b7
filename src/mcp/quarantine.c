/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What clients get of a server in quarantine: that it is there. All that an AI would read or run is
 * kept from them: tools, prompts, resources, and the server's instructions (modern.c). Lists are
 * empty; what would need one of their entries is refused. */
#include "base/mem.h"
#include "mcp/session_internal.h"

static const struct { const char *method, *member; } lists[] = {
    {"tools/list", "tools"},
    {"prompts/list", "prompts"},
    {"resources/list", "resources"},
    {"resources/templates/list", "resourceTemplates"},
};

static void answer_empty(struct client *c, const struct envelope *e, const char *member,
                         call_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf out = BUF_INIT;

    buf_add_str(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(&out, e->id.p, e->id.n);
    buf_printf(&out, ",\"result\":{%s\"%s\":[]}}",
               c->modern ? "\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\","
                         : "", member);
    c->session->ledger->stats.calls++;
    fn(ctx, &(struct iovec){out.data, out.len}, 1, false);
}

bool quarantine_answers(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    const struct session *s = c->session;

    /* Calls are refused in words of their own (tools.c). */
    if (!s->filter.quarantined || span_is(e->method, "tools/call") ||
        span_is(e->method, "logging/setLevel"))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        if (!span_is(e->method, lists[i].method))
            continue;
        answer_empty(c, e, lists[i].member, fn, ctx);
        return true;
    }
    router_refuse(c->session, e->id, SESSION_ERROR, fn, ctx,
                  "server \"%s\" is quarantined: what it has is kept from clients until "
                  "`mcptop release %s` (or \"quarantined\": false in its configuration)",
                  s->cfg.server, s->cfg.server);
    return true;
}
