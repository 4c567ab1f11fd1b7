/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subscriptions/listen on the endpoint of all servers. The request goes to each server that is
 * ready, and to those that become so later, as it came: so what a server says of a change already
 * names the client's own request, and passes as it is. Their acknowledgements stay here, and there
 * is one of ours. That servers come and go is a change of all lists. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { SERVER_ERROR = -32000 };
enum { TOOLS, PROMPTS, RESOURCES, LISTS };

static const struct { const char *filter, *method; } lists[LISTS] = {
    [TOOLS] = {"toolsListChanged", "notifications/tools/list_changed"},
    [PROMPTS] = {"promptsListChanged", "notifications/prompts/list_changed"},
    [RESOURCES] = {"resourcesListChanged", "notifications/resources/list_changed"},
};

struct listening {
    call_reply_fn fn;           /* of the client's request */
    void *ctx;
    struct buf message;         /* it */
    struct span id;             /* in it */
    bool lists[LISTS];
    bool building;              /* nothing was acknowledged yet */
    struct buf uris;            /* what of the resources some server watches: the array */
    struct buf tasks;           /* what of the tasks their servers do, without the brackets */
    struct listening *next;
};

#define SUBSCRIPTION "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"

static void tell(struct aggregate *a, const struct listening *l, const char *method,
                 const char *more)
{
    AUTO_BUF struct buf text = BUF_INIT;

    buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{" SUBSCRIPTION, method);
    buf_add(&text, l->id.p, l->id.n);
    buf_printf(&text, "}%s}}", more);
    a->events.message(a->ctx, l->ctx, buf_str(&text), text.len, false);
}

/* ---- servers ---- */

static bool listens_to(const struct aggregate *a, const struct listening *l,
                       const struct peer *m)
{
    for (const struct part *p = a->parts; p; p = p->next)
        if (p->listens == l && p->peer == m)
            return true;
    return false;
}

static void listen_to(struct aggregate *a, struct listening *l, struct peer *m,
                      const struct envelope *e)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct envelope own;

    aggregate_listen_message(a, e, m->name, &text);
    if (envelope_scan(text.data, text.len, &own, NULL))
        return;
    struct part *p = part_new(a, NULL, l->ctx);
    p->listens = l;
    /* Where the server goes for good, or has too many already, others stay. */
    if (!part_send(p, m, &own, part_over))
        part_free(p);
}

/* Where it does not yet. One that sleeps and was never up has nothing to tell. */
static void listen_to_server(struct aggregate *a, struct listening *l, struct server *s)
{
    struct envelope e;
    size_t n;
    bool modern;

    if (!aggregate_is_there(s) || s->config->quarantined ||
        !session_get_init(s->session, &n, &modern) ||
        envelope_scan(l->message.data, l->message.len, &e, NULL))
        return;
    struct peer *m = aggregate_member(a, s);
    if (!listens_to(a, l, m))
        listen_to(a, l, m, &e);
}

bool aggregate_listen_acknowledged(const struct part *p, const char *msg, size_t n)
{
    struct listening *l = p->listens;
    struct envelope e;

    if (envelope_scan(msg, n, &e, NULL) ||
        !span_is(e.method, "notifications/subscriptions/acknowledged"))
        return false;
    struct span uris = span_member(span_member(e.params, "notifications"), "resourceSubscriptions");
    if (!l->uris.len)
        buf_add(&l->uris, uris.p, uris.n);
    if (l->building)
        aggregate_add_task_ids(p->peer, &e, &l->tasks);
    return true;
}

/* ---- clients ---- */

static void acknowledge(struct aggregate *a, struct listening *l)
{
    AUTO_BUF struct buf accepted = BUF_INIT;
    const char *comma = "";

    buf_add_str(&accepted, ",\"notifications\":{");
    for (int i = 0; i < LISTS; i++) {
        if (!l->lists[i])
            continue;
        buf_printf(&accepted, "%s\"%s\":true", comma, lists[i].filter);
        comma = ",";
    }
    if (l->uris.len)
        buf_printf(&accepted, "%s\"resourceSubscriptions\":%s", comma, buf_str(&l->uris));
    if (l->tasks.len)
        buf_printf(&accepted, "%s\"taskIds\":[%s]", l->uris.len ? "," : comma,
                   buf_str(&l->tasks));
    buf_add_char(&accepted, '}');
    l->building = false;
    tell(a, l, "notifications/subscriptions/acknowledged", buf_str(&accepted));
}

bool aggregate_listen(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span filter = span_member(e->params, "notifications");
    bool closed = false;

    if (listen_refuse_tasks(e, fn, ctx))
        return false;
    if (!a->events.message) {
        aggregate_refuse(e->id, SERVER_ERROR, "there is no way to tell this client of changes", fn,
                         ctx);
        return false;
    }
    struct listening *l = xcalloc(1, sizeof *l);
    l->fn = fn;
    l->ctx = ctx;
    buf_add(&l->message, e->body.p, e->body.n);
    l->id = (struct span){l->message.data + (e->id.p - e->body.p), e->id.n};
    for (int i = 0; i < LISTS; i++)
        l->lists[i] = span_equal(span_member(filter, lists[i].filter), span_of("true"));
    l->building = true;
    l->next = a->listenings;
    a->listenings = l;
    a->closed = &closed;
    aggregate_join_all(a);
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        listen_to_server(a, l, fleet_at(a->fleet, i));
    acknowledge(a, l);
    if (!closed)
        a->closed = NULL;
    return true;
}

/* Who is told may end everything. */
void aggregate_listen_changed(struct aggregate *a, struct server *const *servers, size_t n)
{
    bool closed = false, *outer = a->closed;

    a->closed = &closed;
    for (struct listening *l = a->listenings; l; l = closed ? NULL : l->next) {
        if (l->building)
            continue;
        for (size_t i = 0; i < n; i++)
            listen_to_server(a, l, servers[i]);
        for (int i = 0; i < LISTS && !closed; i++)
            if (l->lists[i])
                tell(a, l, lists[i].method, "");
    }
    if (!closed)
        a->closed = outer;
    else if (outer)
        *outer = true;
}

/* ---- ends ---- */

static void listening_drop(struct listening **at)
{
    struct listening *l = *at;

    *at = l->next;
    buf_fini(&l->message);
    buf_fini(&l->uris);
    buf_fini(&l->tasks);
    free(l);
}

void aggregate_listen_forget(struct aggregate *a, const void *ctx)
{
    for (struct listening **at = &a->listenings; *at;) {
        if ((*at)->ctx == ctx)
            listening_drop(at);
        else
            at = &(*at)->next;
    }
}

bool aggregate_listen_cancelled(struct aggregate *a, const struct envelope *e)
{
    struct listening *l = e->cancels.n ? a->listenings : NULL;

    while (l && !span_equal(l->id, e->cancels))
        l = l->next;
    if (!l)
        return false;
    AUTO_BUF struct buf end = BUF_INIT;
    call_reply_fn fn = l->fn;
    void *ctx = l->ctx;
    listen_add_end(&end, l->id);
    aggregate_forget(a, ctx, true);
    fn(ctx, &(struct iovec){end.data, end.len}, 1, false);
    return true;
}

void aggregate_listen_fini(struct aggregate *a)
{
    while (a->listenings)
        listening_drop(&a->listenings);
}
