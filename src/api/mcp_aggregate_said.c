/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client of all servers says that is no request. Each of these concerns one server, the one
 * that asked, or that works on what is taken back; only that the client's roots have changed is for
 * all of them. */
#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { CANCELLED = -32000 };

/* Of a request that many servers work on, or one after the other: it is over here. */
static void cancel_all(struct part *p)
{
    AUTO_BUF struct buf out = BUF_INIT;
    call_reply_fn fn = p->fn;
    void *ctx = p->ctx;

    envelope_error(&out, p->id, CANCELLED, "cancelled by the client");
    aggregate_forget(p->a, ctx, true);
    fn(ctx, &(struct iovec){out.data, out.len}, 1, true);
}

static void cancel(struct aggregate *a, const struct envelope *e)
{
    struct part *p = e->cancels.n ? a->parts : NULL;

    while (p && !(p->id.n ? p->ctx && span_equal(p->id, e->cancels)
                          : !p->listens && p->call && call_is(p->call, e->cancels)))
        p = p->next;
    if (p && p->id.n)
        cancel_all(p);
    else if (p)
        client_send(p->peer->client, e, NULL, NULL);
}

/* The server that has asked this: no two ask under the same id. */
static struct peer *who_asked(const struct aggregate *a, struct span token)
{
    struct peer *m = a->peers;
    uint64_t id;

    if (!span_to_id(token, &id))
        return NULL;
    while (m && !session_has_asked(client_get_session(m->client), id))
        m = m->next;
    return m;
}

static void tell_all(struct aggregate *a, const struct envelope *e)
{
    for (struct peer *m = a->peers, *next; m; m = next) {
        next = m->next;
        client_send(m->client, e, NULL, NULL);
    }
}

void aggregate_said(struct aggregate *a, const struct envelope *e)
{
    bool is_reply = e->kind == ENVELOPE_RESULT || e->kind == ENVELOPE_ERROR;
    struct server *s = aggregate_related_server(a, e);
    struct peer *m = NULL;

    if (span_is(e->method, "notifications/cancelled")) {
        if (!aggregate_listen_cancelled(a, e))
            cancel(a, e);
    } else if (span_is(e->method, "notifications/roots/list_changed")) {
        tell_all(a, e);
    } else if (is_reply || e->progress_token.n) {
        m = who_asked(a, is_reply ? e->id : e->progress_token);
    } else if (s) {
        m = aggregate_peer(a, s);
    }
    if (m)
        client_send(m->client, e, NULL, NULL);
}
