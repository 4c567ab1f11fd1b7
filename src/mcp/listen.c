/* SPDX-License-Identifier: GPL-3.0-or-later */
/* subscriptions/listen (2026-07-28): a request that stays open and is told of changes. Clients' are
 * answered here, whatever era the server is of, so they outlive its restarts; with a modern server
 * one of our own is open, for the lists and for all that anybody watches. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

enum { MAX_LISTENING = 4096, MAX_WATCHED = 256, MAX_KEY = 8192 };
enum { TOOLS, PROMPTS, RESOURCES, LISTS };

static const struct { const char *filter, *capability, *method; } lists[LISTS] = {
    [TOOLS] = {"toolsListChanged", "tools", "notifications/tools/list_changed"},
    [PROMPTS] = {"promptsListChanged", "prompts", "notifications/prompts/list_changed"},
    [RESOURCES] = {"resourcesListChanged", "resources", "notifications/resources/list_changed"},
};

struct listener {
    bool lists[LISTS];
    uint32_t watcher;            /* its number among those who watch resources and tasks */
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

/* Watches each uri or task of the array, and adds those that are as one to the answer. */
static void watch_all(struct session *s, const struct call *k, enum watched kind, struct span keys,
                      const char *member, struct buf *out)
{
    AUTO_BUF struct buf watched = BUF_INIT;
    struct span entry;

    if (!keys.n || *keys.p != '[')
        return;
    const char *at = keys.p + 1, *end = keys.p + keys.n;
    for (int n = 0; n < MAX_WATCHED && tool_next_entry(&at, end, &entry) && *entry.p == '"'; n++) {
        AUTO_FREE char *key = span_decode(entry, MAX_KEY);
        if (kind == WATCHED_TASK && !tasks_is_for(s, k->client, key))
            continue;
        if (!subscriptions_watch(s, kind, key, k->listener->watcher))
            continue;
        buf_add_str(&watched, watched.len ? "," : "");
        buf_add(&watched, entry.p, entry.n);
    }
    if (watched.len)
        buf_printf(out, "%s\"%s\":[%s]", out->len ? "," : "", member, buf_str(&watched));
}

/* What of it the server can do, in the words of the answer. */
static void accept_filter(struct session *s, struct call *k, struct span filter, struct buf *out)
{
    struct listener *l = k->listener;
    uint32_t watched = s->subscription_count;

    for (int i = 0; i < LISTS; i++) {
        l->lists[i] = is_true(span_member(filter, lists[i].filter)) &&
                      is_true(capability(s, lists[i].capability, "listChanged"));
        if (l->lists[i])
            buf_printf(out, "%s\"%s\":true", out->len ? "," : "", lists[i].filter);
    }
    if (s->filter.quarantined)
        return;
    if (is_true(capability(s, "resources", "subscribe")))
        watch_all(s, k, WATCHED_RESOURCE, span_member(filter, "resourceSubscriptions"),
                  "resourceSubscriptions", out);
    if (s->modern && s->has_tasks)
        watch_all(s, k, WATCHED_TASK, span_member(filter, "taskIds"), "taskIds", out);
    if (s->subscription_count != watched)
        listen_upstream(s);
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
    accept_filter(s, k, span_member(e->params, "notifications"), &accepted);
    call_forget_copy(s, k);     /* of one that was held: it is not sent */
    acknowledge(k, buf_str(&accepted));
}

bool listen_refuse_tasks(const struct envelope *e, call_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf out = BUF_INIT;
    struct span can = span_member(e->meta, "io.modelcontextprotocol/clientCapabilities");

    if (!span_member(span_member(e->params, "notifications"), "taskIds").n ||
        span_member(span_member(can, "extensions"), TASKS_EXTENSION).n)
        return false;
    envelope_error(&out, e->id, SESSION_NO_CAPABILITY,
                   "the client asks to be told of tasks, but did not declare the extension "
                   TASKS_EXTENSION);
    out.len -= 2;
    buf_add_str(&out, ",\"data\":{\"requiredCapabilities\":{\"extensions\":{\"" TASKS_EXTENSION
                      "\":{}}}}}}");
    fn(ctx, &(struct iovec){out.data, out.len}, 1, true);
    return true;
}

struct call *listen_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;

    if (listen_refuse_tasks(e, fn, ctx)) {
        s->ledger->stats.calls++;
        s->ledger->stats.errors++;
        return NULL;
    }
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

void listen_tell_updated(struct session *s, struct span uri, const char *text)
{
    uint32_t round = ++s->round;

    for (struct call *k; (k = next_listener(s, round)) != NULL;) {
        if (subscriptions_wants(s, WATCHED_RESOURCE, k->listener->watcher, text))
            say(k, "notifications/resources/updated", uri);
    }
}

/* As the server wrote it, with the client's subscription in the place of ours. */
void listen_tell_task(struct session *s, const struct envelope *e, const char *name)
{
    uint32_t round = ++s->round;
    struct span ours = e->subscription;

    if (!ours.n) {
        session_note(s, e->body.p, e->body.n, "about a task, and it names no subscription");
        return;
    }
    const char *end = e->body.p + e->body.n;
    for (struct call *k; (k = next_listener(s, round)) != NULL;) {
        AUTO_BUF struct buf text = BUF_INIT;
        if (!subscriptions_wants(s, WATCHED_TASK, k->listener->watcher, name))
            continue;
        buf_add(&text, e->body.p, (size_t)(ours.p - e->body.p));
        buf_add(&text, k->token.p, k->token.n);
        buf_add(&text, ours.p + ours.n, (size_t)(end - ours.p) - ours.n);
        k->client->events->message(k->client->ctx, k->ctx, text.data, text.len, false);
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

static void add_watched(const struct session *s, enum watched kind, const char *member,
                        struct buf *out)
{
    AUTO_BUF struct buf keys = BUF_INIT;

    subscriptions_list(s, kind, &keys);
    if (keys.len)
        buf_printf(out, ",\"%s\":[%s]", member, buf_str(&keys));
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
    add_watched(s, WATCHED_RESOURCE, "resourceSubscriptions", &params);
    add_watched(s, WATCHED_TASK, "taskIds", &params);
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
