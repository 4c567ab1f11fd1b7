/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What many clients watch on one server, resources and (in the modern era) tasks: the server hears
 * of each once, however many watch it, and again when it was started anew. A notification about it
 * reaches those who watch it and nobody else. Who watches is a number: of a legacy client, or of a
 * subscriptions/listen. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

struct subscription {
    struct subscription *next;
    enum watched kind;
    uint32_t number;
    uint32_t *watchers;
    uint32_t count;
    char *uri;                       /* or the name of a task; escapes undone */
    struct buf token;                /* as JSON */
};

static struct subscription **find(struct session *s, enum watched kind, const char *uri)
{
    struct subscription **at = &s->subscriptions;

    while (*at && ((*at)->kind != kind || strcmp((*at)->uri, uri) != 0))
        at = &(*at)->next;
    return at;
}

static void drop(struct session *s, struct subscription **at)
{
    struct subscription *sub = *at;

    *at = sub->next;
    s->subscription_count--;
    buf_fini(&sub->token);
    free(sub->watchers);
    free(sub->uri);
    free(sub);
}

static bool watches(const struct subscription *sub, uint32_t watcher)
{
    for (uint32_t i = 0; i < sub->count; i++) {
        if (sub->watchers[i] == watcher)
            return true;
    }
    return false;
}

static void add(struct subscription *sub, uint32_t watcher)
{
    if (watches(sub, watcher))
        return;
    sub->watchers = xrealloc(sub->watchers, (sub->count + 1) * sizeof(*sub->watchers));
    sub->watchers[sub->count++] = watcher;
}

static bool leave(struct subscription *sub, uint32_t watcher)
{
    for (uint32_t i = 0; i < sub->count; i++) {
        if (sub->watchers[i] == watcher) {
            sub->watchers[i] = sub->watchers[--sub->count];
            return true;
        }
    }
    return false;
}

static void on_answer(struct session *s, struct call *k, const struct envelope *e)
{
    (void)k;
    if (e && e->kind == ENVELOPE_ERROR)
        session_note(s, e->body.p, e->body.n, "a subscription was answered by an error");
}

/* A legacy server tells of tasks unasked, and a modern one is asked by listen_upstream. */
static void ask(struct session *s, const char *method, const struct subscription *sub)
{
    AUTO_FREE char *params = xasprintf("{\"uri\":%s}", sub->token.data);

    if (s->open && !s->modern && sub->kind == WATCHED_RESOURCE)
        session_request(s, method, params, on_answer, NULL);
}

/* The uri of a request, escapes undone; "" when it has none that can be kept. Caller frees. */
static char *uri_of(const struct envelope *e)
{
    enum { MAX_URI = 8192 };
    struct span token = span_member(e->params, "uri");

    return token.n > MAX_URI ? xstrdup("") : span_decode(token, MAX_URI);
}

static struct subscription *subscription_new(struct session *s, enum watched kind, const char *uri)
{
    struct subscription *sub = xcalloc(1, sizeof(*sub));

    sub->kind = kind;
    sub->uri = xstrdup(uri);
    sub->number = ++s->next_client;      /* any number that is used once */
    buf_add_json(&sub->token, uri, strlen(uri));
    buf_str(&sub->token);
    sub->next = s->subscriptions;
    s->subscriptions = sub;
    s->subscription_count++;
    return sub;
}

bool subscriptions_watch(struct session *s, enum watched kind, const char *uri, uint32_t watcher)
{
    struct subscription *sub = *uri ? *find(s, kind, uri) : NULL;

    if (sub) {
        add(sub, watcher);
        return true;
    }
    if (!*uri || s->subscription_count >= SESSION_MAX_SUBSCRIPTIONS)
        return false;
    sub = subscription_new(s, kind, uri);
    add(sub, watcher);
    ask(s, "resources/subscribe", sub);
    return true;
}

bool subscriptions_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                        uint32_t *ret)
{
    struct session *s = c->session;
    AUTO_FREE char *uri = uri_of(e);

    *ret = 0;
    if (!*uri)
        return false;       /* the server says what is wrong with it */
    struct subscription *sub = *find(s, WATCHED_RESOURCE, uri);
    if (sub) {
        add(sub, c->number);
        router_answer_empty(s, e->id, fn, ctx);
        return true;
    }
    if (s->subscription_count >= SESSION_MAX_SUBSCRIPTIONS) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx,
                      "%d resources of server \"%s\" are watched already",
                      SESSION_MAX_SUBSCRIPTIONS, s->cfg.server);
        return true;
    }
    sub = subscription_new(s, WATCHED_RESOURCE, uri);
    add(sub, c->number);
    if (s->modern) {
        listen_upstream(s);
        router_answer_empty(s, e->id, fn, ctx);
        return true;
    }
    *ret = sub->number;
    return false;
}

/* Others were told that it is watched already, so it is asked for again in their name: now, or when
 * the server is up again. */
void subscriptions_failed(struct session *s, uint32_t number, uint32_t watcher)
{
    struct subscription **at = &s->subscriptions;

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (!*at)
        return;
    leave(*at, watcher);
    if ((*at)->count)
        ask(s, "resources/subscribe", *at);
    else
        drop(s, at);
}

bool subscriptions_leave(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    AUTO_FREE char *uri = uri_of(e);
    struct subscription **at = find(s, WATCHED_RESOURCE, uri);

    /* A server that is down has forgotten it: there is nothing to tell it. */
    if (!*at || !leave(*at, c->number)) {
        if (s->open)
            return false;
    } else if (!(*at)->count) {
        drop(s, at);
        if (!s->modern && s->open)
            return false;   /* nobody watches any more: the server is told by this request */
        listen_upstream(s);
    }
    router_answer_empty(s, e->id, fn, ctx);
    return true;
}

void subscriptions_unwatch(struct session *s, uint32_t watcher)
{
    bool dropped = false;

    for (struct subscription **at = &s->subscriptions; *at;) {
        if (leave(*at, watcher) && !(*at)->count) {
            if (!s->modern)
                ask(s, "resources/unsubscribe", *at);
            drop(s, at);
            dropped = true;
        } else {
            at = &(*at)->next;
        }
    }
    if (dropped)
        listen_upstream(s);
}

void subscriptions_list(const struct session *s, enum watched kind, struct buf *out)
{
    for (const struct subscription *sub = s->subscriptions; sub; sub = sub->next) {
        if (sub->kind != kind)
            continue;
        buf_add_str(out, out->len ? "," : "");
        buf_add(out, sub->token.data, sub->token.len);
    }
}

/* The client's own request for it waits for the server. */
static bool is_held(const struct session *s, const struct subscription *sub)
{
    const struct call *k = s->held.head;

    while (k && k->subscription != sub->number)
        k = k->next;
    return k;
}

void subscriptions_again(struct session *s)
{
    listen_upstream(s);
    for (const struct subscription *sub = s->subscriptions; sub && !s->modern; sub = sub->next) {
        if (!is_held(s, sub))
            ask(s, "resources/subscribe", sub);
    }
}

/* What is said of a resource below one that is watched counts too ("may be a sub-resource"). */
static bool concerns(const struct subscription *sub, enum watched kind, const char *uri)
{
    size_t n = strlen(sub->uri);

    return sub->kind == kind && strncmp(uri, sub->uri, n) == 0 &&
           (!uri[n] || (kind == WATCHED_RESOURCE &&
                        (uri[n] == '/' || (n && sub->uri[n - 1] == '/'))));
}

bool subscriptions_wants(const struct session *s, enum watched kind, uint32_t watcher,
                         const char *uri)
{
    for (const struct subscription *sub = s->subscriptions; sub; sub = sub->next) {
        if (concerns(sub, kind, uri) && watches(sub, watcher))
            return true;
    }
    return false;
}

/* Each once; a client that closes while it is told may take its neighbours along, so each round
 * looks for the next one anew. */
void subscriptions_tell(struct session *s, const struct envelope *e)
{
    AUTO_FREE char *uri = uri_of(e);
    AUTO_BUF struct buf plain = BUF_INIT;
    struct envelope own = *e;
    struct span token = span_member(e->params, "uri");

    /* That of a modern server names our own subscription. */
    if (e->subscription.n) {
        buf_add_str(&plain, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                            "\"params\":{\"uri\":");
        buf_add(&plain, token.p, token.n);
        buf_add_str(&plain, "}}");
        own.body = (struct span){plain.data, plain.len};
    }
    listen_tell_updated(s, token, uri);
    uint32_t round = ++s->round;
    struct client *c = s->clients;
    while (c) {
        bool told = c->round == round;
        c->round = round;
        if (!told && subscriptions_wants(s, WATCHED_RESOURCE, c->number, uri)) {
            relay_tell(c, NULL, &own, (struct span){0});
            c = s->clients;
        } else {
            c = c->next;
        }
    }
}

void subscriptions_fini(struct session *s)
{
    while (s->subscriptions)
        drop(s, &s->subscriptions);
}
