/* SPDX-License-Identifier: GPL-3.0-or-later */
/* resources/subscribe of many clients on one server: the server hears of a resource once, however
 * many clients watch it, and again when it was started anew. A notification about it reaches those
 * who watch it and nobody else. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

struct subscription {
    struct subscription *next;
    uint32_t number;
    uint32_t *watchers;              /* numbers of clients */
    uint32_t count;
    uint32_t round;                  /* of session.round */
    char *uri;                       /* escapes undone */
    struct buf token;                /* as JSON */
};

static struct subscription **find(struct session *s, const char *uri)
{
    struct subscription **at = &s->subscriptions;

    while (*at && strcmp((*at)->uri, uri) != 0)
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

static bool watches(const struct subscription *sub, const struct client *c)
{
    for (uint32_t i = 0; i < sub->count; i++) {
        if (sub->watchers[i] == c->number)
            return true;
    }
    return false;
}

static void add(struct subscription *sub, const struct client *c)
{
    if (watches(sub, c))
        return;
    sub->watchers = xrealloc(sub->watchers, (sub->count + 1) * sizeof(*sub->watchers));
    sub->watchers[sub->count++] = c->number;
}

static bool leave(struct subscription *sub, const struct client *c)
{
    for (uint32_t i = 0; i < sub->count; i++) {
        if (sub->watchers[i] == c->number) {
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

static void ask(struct session *s, const char *method, const struct subscription *sub)
{
    AUTO_FREE char *params = xasprintf("{\"uri\":%s}", sub->token.data);

    if (s->open)
        session_request(s, method, params, on_answer, NULL);
}

/* The uri of a request, escapes undone; "" when it has none that can be kept. Caller frees. */
static char *uri_of(const struct envelope *e)
{
    enum { MAX_URI = 8192 };
    struct span token = span_member(e->params, "uri");

    return token.n > MAX_URI ? xstrdup("") : span_decode(token, MAX_URI);
}

bool subscriptions_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                        uint32_t *ret)
{
    struct session *s = c->session;
    AUTO_FREE char *uri = uri_of(e);

    *ret = 0;
    if (!*uri)
        return false;       /* the server says what is wrong with it */
    struct subscription *sub = *find(s, uri);
    if (sub) {
        add(sub, c);
        router_answer_empty(s, e->id, fn, ctx);
        return true;
    }
    if (s->subscription_count >= SESSION_MAX_SUBSCRIPTIONS) {
        router_refuse(s, e->id, SESSION_ERROR, fn, ctx,
                      "%d resources of server \"%s\" are watched already",
                      SESSION_MAX_SUBSCRIPTIONS, s->cfg.server);
        return true;
    }
    sub = xcalloc(1, sizeof(*sub));
    sub->uri = TAKE(uri);
    sub->number = *ret = ++s->next_client;      /* any number that is used once */
    buf_add_json(&sub->token, sub->uri, strlen(sub->uri));
    buf_str(&sub->token);
    add(sub, c);
    sub->next = s->subscriptions;
    s->subscriptions = sub;
    s->subscription_count++;
    return false;
}

void subscriptions_failed(struct session *s, uint32_t number)
{
    struct subscription **at = &s->subscriptions;

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (*at)
        drop(s, at);
}

bool subscriptions_leave(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    AUTO_FREE char *uri = uri_of(e);
    struct subscription **at = find(s, uri);

    if (!*at || !leave(*at, c))
        return false;
    if (!(*at)->count) {
        drop(s, at);
        return false;       /* nobody watches any more: the server is told by this request */
    }
    router_answer_empty(s, e->id, fn, ctx);
    return true;
}

void subscriptions_client_gone(struct client *c)
{
    struct session *s = c->session;

    for (struct subscription **at = &s->subscriptions; *at;) {
        if (leave(*at, c) && !(*at)->count) {
            ask(s, "resources/unsubscribe", *at);
            drop(s, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void subscriptions_again(struct session *s)
{
    for (const struct subscription *sub = s->subscriptions; sub; sub = sub->next)
        ask(s, "resources/subscribe", sub);
}

/* What is said of a resource below one that is watched counts too ("may be a sub-resource"). */
static bool concerns(const struct subscription *sub, const char *uri)
{
    size_t n = strlen(sub->uri);

    return strncmp(uri, sub->uri, n) == 0 &&
           (!uri[n] || uri[n] == '/' || (n && sub->uri[n - 1] == '/'));
}

static bool wants(const struct session *s, const struct client *c, const char *uri)
{
    for (const struct subscription *sub = s->subscriptions; sub; sub = sub->next) {
        if (concerns(sub, uri) && watches(sub, c))
            return true;
    }
    return false;
}

/* Each once; a client that closes while it is told may take its neighbours along, so each round
 * looks for the next one anew. */
void subscriptions_tell(struct session *s, const struct envelope *e)
{
    AUTO_FREE char *uri = uri_of(e);
    uint32_t round = ++s->round;
    struct client *c = s->clients;

    while (c) {
        bool told = c->round == round;
        c->round = round;
        if (!told && wants(s, c, uri)) {
            relay_tell(c, NULL, e, (struct span){0});
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
