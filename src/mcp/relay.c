/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the server sends, and to whom it goes: a reply to the owner of the call, progress to the
 * owner of the token, list changes to every client, and what cannot be attributed to the operator's
 * log only. Its requests are answered here. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

/* ---- replies ---- */

static void take_reply(struct session *s, const struct envelope *e)
{
    uint64_t id = 0;
    struct call *k = span_to_id(e->id, &id) ? call_find(s, id) : NULL;
    struct iovec iov[ENVELOPE_IOV];

    if (!k) {
        session_note(s, e->body.p, e->body.n,
                     !e->id.n ? "an error that answers no request"
                     : id && id < s->next_id
                         ? "a reply that came twice, or after its call was given up"
                         : "a reply to a request that was never made");
        return;
    }
    if (k->own) {
        call_move(k, NULL);
        k->own(s, k, e);
        call_drop(s, k);
        return;
    }
    AUTO_BUF struct buf cut = BUF_INIT, cut_tasks = BUF_INIT;
    struct envelope own, own_tasks;
    e = tools_cut(s, k, e, &own, &cut);
    if (s->has_tasks) {
        tasks_made(s, k, e);
        e = tasks_cut(s, k, e, &own_tasks, &cut_tasks);
    }
    if (k->list == &s->parked) {
        rounds_keep_late(s, k, e);
        return;
    }
    if (s->modern && k->client && !k->client->modern && rounds_is_question(e)) {
        rounds_question(s, k, e);
        return;
    }
    if (!s->modern && k->client && k->client->modern && modern_failed_lacking(k, e)) {
        AUTO_BUF struct buf error = BUF_INIT;
        modern_compose_lacking(s, k, e, &error);
        call_answer(s, k, &(struct iovec){error.data, error.len}, 1, true);
        return;
    }
    int n = envelope_rewrite(e, k->token, (struct span){0}, false, iov);
    if (!s->modern && k->client && k->client->modern)
        n = modern_dress(k, e, iov, n);
    relay_answer(s, k, e, iov, n);
}

void relay_answer(struct session *s, struct call *k, const struct envelope *e,
                  const struct iovec *iov, int count)
{
    s->result = e->result;
    k->failed_tool = k->task ? tasks_failed(s, k, e)
                             : e->result_is_error && seen_is_tool_call(k);
    call_answer(s, k, iov, count, e->kind == ENVELOPE_ERROR);
    s->result = (struct span){0};
}

struct span session_get_result(const struct session *s)
{
    return s->result;
}

/* ---- to whom ---- */

bool relay_tell(struct client *c, struct call *k, const struct envelope *e, struct span token)
{
    void *call_ctx = k ? k->ctx : NULL;

    if (!c->events || !c->events->message)
        return false;
    if (!token.n)
        return c->events->message(c->ctx, call_ctx, e->body.p, e->body.n, false);
    AUTO_BUF struct buf text = BUF_INIT;
    struct iovec iov[ENVELOPE_IOV];
    int n = envelope_rewrite(e, (struct span){0}, token, false, iov);
    for (int i = 0; i < n; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    return c->events->message(c->ctx, call_ctx, buf_str(&text), text.len, false);
}

/* The only client with calls in flight (*ret_call is the last of them), or when there are none the
 * only client there is (*ret_call is NULL). A call whose client has gone may still speak, and then
 * not to another client; one that was cancelled has fallen silent soon. */
static struct client *relay_owner(struct session *s, struct call **ret_call)
{
    struct call *mine = NULL;
    uint32_t owner = 0;
    int64_t now = s->abandoned ? clock_mono_ms() : 0;

    *ret_call = NULL;
    for (struct call *k = s->flight.head; k; k = k->next) {
        if (!call_may_speak(k, now))
            continue;
        if (owner && k->owner != owner)
            return NULL;
        owner = k->owner;
        if (k->client)
            mine = k;
    }
    /* A parked call's client comes back as another one. */
    if (rounds_may_ask_more(s) || (s->parked.n && !mine))
        return NULL;
    *ret_call = mine;
    if (mine)
        return mine->client;
    struct client *only = s->client_count == 1 ? s->clients : NULL;
    return only && only->protocol && (!owner || owner == only->number) ? only : NULL;
}

struct client *relay_owner_of(struct session *s, const struct envelope *e, struct call **ret_call,
                              bool *ret_of_task)
{
    struct client *c;

    *ret_of_task = tasks_related(s, e, &c);
    if (!*ret_of_task)
        return relay_owner(s, ret_call);
    *ret_call = c ? call_of(c) : NULL;
    return c;
}

/* ---- notifications ---- */

/* Late progress has no owner any more and is dropped. A call that shows progress lives longer, ten
 * timeouts at most. */
static void take_progress(struct session *s, const struct envelope *e)
{
    uint64_t id;
    struct call *k = span_to_id(e->progress_token, &id) ? call_find(s, id) : NULL;

    if (!k && s->tasks && span_to_id(e->progress_token, &id) && tasks_tell_progress(s, id, e))
        return;
    if (!k || k->list != &s->flight || !k->client || !k->progress.n)
        return;
    int64_t now = clock_mono_ns() / 1000000;
    if (now - k->written_ns / 1000000 <= 9 * s->cfg.call_timeout_ms) {
        k->active_ms = now;
        call_move(k, &s->flight);
    }
    relay_tell(k->client, k, e, k->progress);
}

static bool is_list_change(const struct envelope *e)
{
    return span_is(e->method, "notifications/tools/list_changed") ||
           span_is(e->method, "notifications/prompts/list_changed") ||
           span_is(e->method, "notifications/resources/list_changed");
}

/* A client that closes while it is told may take its neighbours along; so each round looks for the
 * next one anew. */
void relay_tell_all(struct session *s, const struct envelope *e)
{
    AUTO_BUF struct buf plain = BUF_INIT;
    struct envelope own = *e;

    /* That of a modern server names our own subscription. */
    if (e->subscription.n) {
        buf_printf(&plain, "{\"jsonrpc\":\"2.0\",\"method\":\"%.*s\"}", (int)e->method.n,
                   e->method.p);
        own.body = (struct span){plain.data, plain.len};
    }
    listen_tell_lists(s, e);
    uint32_t round = ++s->round;
    struct client *c = s->clients;

    while (c) {
        if (c->protocol && !c->modern && c->round != round) {
            c->round = round;
            relay_tell(c, NULL, &own, (struct span){0});
            c = s->clients;
        } else {
            c = c->next;
        }
    }
}

/* To whom it must be for. */
static void tell_owner(struct session *s, const struct envelope *e)
{
    struct call *k;
    bool of_task;
    struct client *c = relay_owner_of(s, e, &k, &of_task);

    if (!c)
        session_note(s, e->body.p, e->body.n, "for no client in particular");
    else if (!span_is(e->method, "notifications/message") || logging_wants(c, e))
        relay_tell(c, k, e, (struct span){0});
}

static void take_notification(struct session *s, const struct envelope *e)
{
    if (e->progress_token.n) {
        take_progress(s, e);
    } else if (is_list_change(e)) {
        if (span_is(e->method, "notifications/tools/list_changed"))
            catalogue_changed(s);
        relay_tell_all(s, e);
    } else if (e->cancels.n) {
        asks_cancel(s, e);
    } else if (span_is(e->method, "notifications/resources/updated")) {
        subscriptions_tell(s, e);
    } else if (!span_is(e->method, "notifications/subscriptions/acknowledged") &&
               !tasks_tell_status(s, e)) {
        tell_owner(s, e);
    }
}

/* ---- requests of the server ---- */

static void take_request(struct session *s, const struct envelope *e)
{
    if (!span_is(e->method, "ping")) {
        asks_take(s, e);
        return;
    }
    AUTO_BUF struct buf out = BUF_INIT;
    buf_add_str(&out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(&out, e->id.p, e->id.n);
    buf_add_str(&out, ",\"result\":{}}");
    /* A server that does not take the answer is about to be found silent, or has ended. */
    session_write_text(s, out.data, out.len, NULL);
}

/* ---- lines ---- */

/* The call that a reply belongs to which cannot be read as a whole. */
static struct call *guess_call(struct session *s, const char *head, size_t n, const char *tail,
                               size_t tail_n)
{
    bool has_method;
    uint64_t id;
    struct span token = envelope_guess_id(head, n, tail, tail_n, &has_method);

    return !has_method && span_to_id(token, &id) ? call_find(s, id) : NULL;
}

/* To be asked for only once the operator was told: that callback may end calls, runs, the
 * session. */
static void fail_guessed(struct session *s, struct call *k, const char *why)
{
    if (!k || k->own)
        return;
    if (k->client)
        call_fail(s, k, SESSION_ERROR, "%s", why);
    else
        call_drop(s, k);
}

void relay_oversize(struct session *s, const struct frame_item *item)
{
    AUTO_FREE char *why = xasprintf("a message of %llu bytes, over the limit of %zu bytes",
                                    (unsigned long long)item->total, s->cfg.max_message_bytes);
    AUTO_FREE char *answer = xasprintf("server \"%s\" answered with %s", s->cfg.server, why);

    s->stats.oversize++;
    session_note(s, item->p, item->n, why);
    fail_guessed(s, guess_call(s, item->p, item->n, item->tail, item->tail_n), answer);
}

static void take_broken(struct session *s, const char *p, size_t n, const struct fault *f)
{
    AUTO_FREE char *why = xasprintf("server \"%s\" sent a reply that cannot be read: %s",
                                    s->cfg.server, f->text);

    session_stray(s, p, n, 0, f->text);
    fail_guessed(s, guess_call(s, p, n, p, n), why);
}

void relay_message(struct session *s, const char *p, size_t n, bool at_end)
{
    AUTO_FREE char *flat = NULL;
    struct envelope e;
    struct fault f = FAULT_NONE;

    if (envelope_scan(p, n, &e, &f)) {
        if (at_end)     /* its call is told why the run ended, with all others */
            session_stray(s, p, n, LINE_NO_NEWLINE, "the run ended within this line");
        else
            take_broken(s, p, n, &f);
        return;
    }
    /* A CR between tokens would end a line of an event stream. */
    if (envelope_has_newline(&e)) {
        flat = xmalloc(e.body.n);
        envelope_flatten(&e, flat);
    }
    unsigned epoch = s->epoch;
    session_alive(s);
    if (s->epoch != epoch)
        return;
    switch (e.kind) {
    case ENVELOPE_REQUEST:
        take_request(s, &e);
        break;
    case ENVELOPE_NOTIFICATION:
        take_notification(s, &e);
        break;
    case ENVELOPE_RESULT:
    case ENVELOPE_ERROR:
        take_reply(s, &e);
        break;
    }
}
