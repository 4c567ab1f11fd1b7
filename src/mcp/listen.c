/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subscriptions/listen (2026-07-28): a request that stays open and is told of changes. Clients' are
 * answered here, whatever era the server is of, so they outlive its restarts; with a modern server
 * one of our own is open, for the lists and for all that anybody watches. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

enum { MAX_LISTENING = 4096, MAX_URIS = 256 };
enum { TOOLS, PROMPTS, RESOURCES, LISTS };

static const struct { const char *filter, *capability, *method; } lists[LISTS] = {
    [TOOLS] = {"toolsListChanged", "tools", "notifications/tools/list_changed"},
    [PROMPTS] = {"promptsListChanged", "prompts", "notifications/prompts/list_changed"},
    [RESOURCES] = {"resourcesListChanged", "resources", "notifications/resources/list_changed"},
};

struct listener {
    bool lists[LISTS];
    uint32_t watcher;            /* its number among those who watch resources */
    uint32_t round;              /* of session.round */
};

#define SUBSCRIPTION "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"

static bool is_true(struct span s)
{
    return span_equal(s, span_of("true"));
}

static struct span capability(const struct session *s, const char *of, const char *what)
{
    struct span all = span_member((struct span){s->init, s->init_n}, "capabilities");

    return span_member(span_member(all, of), what);
}

static void say(struct call *k, const char *method, struct span uri)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct client *c = k->client;

    buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{" SUBSCRIPTION, method);
    buf_add(&text, k->token.p, k->token.n);
    buf_add_char(&text, '}');
    if (uri.n) {
        buf_add_str(&text, ",\"uri\":");
        buf_add(&text, uri.p, uri.n);
    }
    buf_add_str(&text, "}}");
    c->events->message(c->ctx, k->ctx, text.data, text.len, false);
}

/* ---- clients ---- */

/* Watches each uri of the array and gives those back that are. */
static void watch_all(struct session *s, struct listener *l, struct span uris, struct buf *out)
{
    const char *end = uris.p + uris.n;
    const char *p = uris.n ? jscan_space(uris.p + 1, end) : end;

    for (int n = 0; p < end && *p == '"' && n < MAX_URIS; n++) {
        const char *after = jscan_value(p, end, NULL);
        if (!after)
            return;
        AUTO_FREE char *uri = span_decode((struct span){p, (size_t)(after - p)}, 8192);
        subscriptions_watch(s, uri, l->watcher);
        buf_add_str(out, n ? "," : "");
        buf_add(out, p, (size_t)(after - p));
        p = jscan_space(after, end);
        if (p < end && *p == ',')
            p = jscan_space(p + 1, end);
    }
}

/* What of it the server can do, in the words of the answer. */
static void accept_filter(struct session *s, struct listener *l, struct span filter,
                          struct buf *out)
{
    AUTO_BUF struct buf uris = BUF_INIT;
    struct span resources = span_member(filter, "resourceSubscriptions");
    const char *comma = "";

    for (int i = 0; i < LISTS; i++) {
        l->lists[i] = is_true(span_member(filter, lists[i].filter)) &&
                      is_true(capability(s, lists[i].capability, "listChanged"));
        if (l->lists[i]) {
            buf_printf(out, "%s\"%s\":true", comma, lists[i].filter);
            comma = ",";
        }
    }
    if (resources.n && *resources.p == '[' && !s->filter.quarantined &&
        is_true(capability(s, "resources", "subscribe")))
        watch_all(s, l, resources, &uris);
    if (uris.len)
        buf_printf(out, "%s\"resourceSubscriptions\":[%s]", comma, uris.data);
}

static void acknowledge(struct call *k, const char *accepted)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct client *c = k->client;

    buf_add_str(&text, "{\"jsonrpc\":\"2.0\","
                       "\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{"
                       SUBSCRIPTION);
    buf_add(&text, k->token.p, k->token.n);
    buf_printf(&text, "},\"notifications\":{%s}}}", accepted);
    c->events->message(c->ctx, k->ctx, text.data, text.len, false);
}

/* The call is in the list before its owner is told anything: it has to be found when he goes. */
void listen_begin(struct session *s, struct call *k, const struct envelope *e)
{
    AUTO_BUF struct buf accepted = BUF_INIT;

    k->listener = xcalloc(1, sizeof(*k->listener));
    k->listener->watcher = ++s->next_client;
    call_move(k, &s->listening);
    accept_filter(s, k->listener, span_member(e->params, "notifications"), &accepted);
    acknowledge(k, buf_str(&accepted));
}

struct call *listen_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;

    if (!s->init)
        return router_hold(c, e, fn, ctx);
    if (s->listening.n >= MAX_LISTENING || !c->events || !c->events->message) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx, "there are too many subscriptions already");
        return NULL;
    }
    struct call *k = call_new(c, e, fn, ctx);
    listen_begin(s, k, e);
    return k;
}

void listen_free(struct session *s, struct call *k)
{
    if (!k->listener)
        return;
    subscriptions_unwatch(s, k->listener->watcher);
    free(TAKE(k->listener));
}

void listen_add_end(struct buf *out, struct span id)
{
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(out, id.p, id.n);
    buf_add_str(out, ",\"result\":{\"resultType\":\"complete\"," SUBSCRIPTION);
    buf_add(out, id.p, id.n);
    buf_add_str(out, "}}}");
}

void listen_over(struct session *s, struct call *k)
{
    AUTO_BUF struct buf text = BUF_INIT;

    listen_add_end(&text, k->token);
    call_answer(s, k, &(struct iovec){text.data, text.len}, 1, false);
}

void listen_end(struct session *s)
{
    while (s->listening.head)
        listen_over(s, s->listening.head);
}

/* ---- telling ---- */

/* Each once; who is told may take others along, so each round looks for the next one anew. */
static struct call *next_listener(struct session *s, uint32_t round)
{
    struct call *k = s->listening.head;

    while (k && k->listener->round == round)
        k = k->next;
    if (k)
        k->listener->round = round;
    return k;
}

void listen_tell_lists(struct session *s, const struct envelope *e)
{
    uint32_t round = ++s->round;
    int which = 0;

    while (which < LISTS && !span_is(e->method, lists[which].method))
        which++;
    for (struct call *k; which < LISTS && (k = next_listener(s, round)) != NULL;) {
        if (k->listener->lists[which])
            say(k, lists[which].method, (struct span){0});
    }
}

void listen_tell_updated(struct session *s, struct span uri,
                         bool (*wants)(const struct session *s, uint32_t watcher, const char *uri),
                         const char *text)
{
    uint32_t round = ++s->round;

    for (struct call *k; (k = next_listener(s, round)) != NULL;) {
        if (wants(s, k->listener->watcher, text))
            say(k, "notifications/resources/updated", uri);
    }
}

/* ---- with a modern server ---- */

static void on_listen_over(struct session *s, struct call *k, const struct envelope *e)
{
    if (k->id != s->listen_id)
        return;
    s->listen_id = 0;
    if (e && e->kind == ENVELOPE_ERROR)
        session_note(s, e->body.p, e->body.n, "subscriptions/listen was answered by an error");
}

/* The new one is open before the old one is closed: nothing is missed between them. */
void listen_upstream(struct session *s)
{
    AUTO_BUF struct buf params = BUF_INIT;
    uint64_t before = s->listen_id;
    struct call *old = before ? call_find(s, before) : NULL;

    if (!s->open || !s->modern)
        return;
    buf_add_str(&params, "{\"notifications\":{\"toolsListChanged\":true,"
                         "\"promptsListChanged\":true,\"resourcesListChanged\":true");
    if (s->subscription_count) {
        buf_add_str(&params, ",\"resourceSubscriptions\":[");
        subscriptions_list(s, &params);
        buf_add_char(&params, ']');
    }
    buf_add_str(&params, "}}");
    s->listen_id = s->next_id;
    if (session_request(s, "subscriptions/listen", buf_str(&params), on_listen_over, NULL))
        s->listen_id = 0;
    if (!old)
        return;
    AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                                     "\"params\":{\"requestId\":%llu}}",
                                     (unsigned long long)before);
    call_drop(s, old);
    session_write_text(s, text, strlen(text), NULL);
}
