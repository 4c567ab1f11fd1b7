/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server asks of its clients (sampling, elicitation, roots). The protocol does not say which
 * client is meant, and here there are many: it is the only one with calls in flight, or, when there
 * are none, the only one there is. Anything else is a guess that would show one user's question to
 * another, so the server gets an error; and from its first question on, calls of different clients
 * are written one after the other, so that the next question has one owner.
 *
 * The request goes to that client under an id of ours, its answer back under the server's own. */
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

struct ask {
    struct ask *next;
    struct client *client;
    const struct call *call;     /* that it belongs to; NULL once that is over */
    uint64_t id;                 /* towards the client, also as its progress token */
    int64_t asked_ms;
    struct span token, progress; /* the server's own; behind this struct */
};

static const struct { const char *method; unsigned feature; const char *capability; } kinds[] = {
    {"sampling/createMessage", CLIENT_SAMPLING, "sampling"},
    {"elicitation/create", CLIENT_ELICITATION, "elicitation"},
    {"roots/list", CLIENT_ROOTS, "roots"},
};

static void drop(struct session *s, struct ask **at)
{
    struct ask *a = *at;

    *at = a->next;
    s->ask_count--;
    free(a);
}

/* ---- to the server ---- */

static void refuse(struct session *s, struct span id, int code, const char *why)
{
    AUTO_BUF struct buf out = BUF_INIT;

    envelope_error(&out, id, code, why);
    session_write_text(s, out.data, out.len, NULL);
}

static void refuse_and_note(struct session *s, const struct envelope *e, int code, const char *why)
{
    AUTO_FREE char *method = span_decode((struct span){e->method.p - 1, e->method.n + 2}, 100);
    AUTO_FREE char *text = xasprintf("%s was refused: %s", method, why);

    refuse(s, e->id, code, text);
    session_note(s, e->body.p, e->body.n, text);
}

/* ---- to the client ---- */

static bool send_request(struct client *c, const struct call *k, const struct envelope *e,
                         const struct ask *a)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct iovec iov[ENVELOPE_IOV];
    char digits[24];
    struct span id = {digits, (size_t)snprintf(digits, sizeof(digits), "%llu",
                                               (unsigned long long)a->id)};
    int n = envelope_rewrite(e, id, id, false, iov);

    for (int i = 0; i < n; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    return c->events->message(c->ctx, k ? k->ctx : NULL, buf_str(&text), text.len, true);
}

static void tell_cancelled(struct client *c, const struct call *k, uint64_t id, const char *why)
{
    AUTO_FREE char *text =
        xasprintf("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                  "\"params\":{\"requestId\":%llu,\"reason\":\"%s\"}}",
                  (unsigned long long)id, why);

    c->events->message(c->ctx, k ? k->ctx : NULL, text, strlen(text), false);
}

static struct ask *ask_new(struct session *s, struct client *c, const struct call *k,
                           const struct envelope *e)
{
    struct ask *a = xcalloc(1, sizeof(*a) + e->id.n + e->progress_token.n);
    char *at = (char *)(a + 1);

    a->client = c;
    a->call = k;
    a->id = ++s->next_ask;
    a->asked_ms = clock_mono_ms();
    a->token = (struct span){memcpy(at, e->id.p, e->id.n), e->id.n};
    at += e->id.n;
    a->progress = (struct span){at, e->progress_token.n};
    if (e->progress_token.n)
        memcpy(at, e->progress_token.p, e->progress_token.n);
    a->next = s->asks;
    s->asks = a;
    s->ask_count++;
    return a;
}

/* Why this client cannot be asked; NULL = it can. */
static const char *unable(const struct client *c, const struct envelope *e, unsigned feature)
{
    struct span mode = span_member(e->params, "mode");
    bool url = feature == CLIENT_ELICITATION && span_equal(mode, span_of("\"url\""));

    if (!(c->features & feature))
        return "the client does not have this capability";
    if (url && !(c->features & CLIENT_ELICITATION_URL))
        return "the client does not have the capability elicitation.url";
    return c->events && c->events->message ? NULL : "the client has no channel for questions";
}

/* A client that never answers must not fill the table. */
static void forget_oldest(struct session *s)
{
    struct ask **oldest = &s->asks;

    for (struct ask **at = &s->asks; *at; at = &(*at)->next) {
        if ((*at)->asked_ms <= (*oldest)->asked_ms)
            oldest = at;
    }
    refuse(s, (*oldest)->token, SESSION_ERROR, "the client did not answer");
    drop(s, oldest);
}

void asks_take(struct session *s, const struct envelope *e)
{
    struct call *k;
    size_t i = 0;

    while (i < ARRAY_LEN(kinds) && !span_is(e->method, kinds[i].method))
        i++;
    if (i == ARRAY_LEN(kinds)) {
        refuse_and_note(s, e, SESSION_NO_METHOD, "no client can be asked for this");
        return;
    }
    struct client *c = relay_owner(s, &k);
    /* Roots are asked for once and at any time; they make no server one that asks. */
    if (kinds[i].feature != CLIENT_ROOTS)
        s->one_at_a_time = true;
    const char *why = c ? unable(c, e, kinds[i].feature)
                        : "which client is asked cannot be told: none or several have calls open";
    if (why) {
        refuse_and_note(s, e, c ? SESSION_NO_METHOD : SESSION_ERROR, why);
        return;
    }
    if (s->ask_count >= SESSION_MAX_ASKS)
        forget_oldest(s);
    unsigned epoch = s->epoch;
    uint64_t id = ask_new(s, c, k, e)->id;
    if (send_request(c, k, e, s->asks) || s->epoch != epoch)
        return;
    for (struct ask **at = &s->asks; *at; at = &(*at)->next) {
        if ((*at)->id == id) {
            drop(s, at);
            refuse_and_note(s, e, SESSION_ERROR, "the client has no stream open for questions");
            return;
        }
    }
}

/* ---- back ---- */

static struct ask **find(struct client *c, struct span id)
{
    struct ask **at = &c->session->asks;
    uint64_t n;

    if (!span_to_id(id, &n))
        return NULL;
    while (*at && ((*at)->id != n || (*at)->client != c))
        at = &(*at)->next;
    return *at ? at : NULL;
}

static void write_with(struct session *s, const struct envelope *e, struct span id,
                       struct span token)
{
    AUTO_FREE char *flat = NULL;
    struct envelope copy = *e;
    struct iovec iov[ENVELOPE_IOV];

    if (envelope_has_newline(e)) {
        flat = xmalloc(e->body.n);
        envelope_flatten(&copy, flat);
    }
    session_write(s, iov, envelope_rewrite(&copy, id, token, true, iov), NULL);
}

/* A reply to something that is not asked (any more) is dropped. */
void asks_answer(struct client *c, const struct envelope *e)
{
    struct session *s = c->session;
    struct ask **at = find(c, e->id);

    if (!at)
        return;
    write_with(s, e, (*at)->token, (struct span){0});
    if (at == find(c, e->id))
        drop(s, at);
}

void asks_progress(struct client *c, const struct envelope *e)
{
    struct ask **at = find(c, e->progress_token);

    if (at && (*at)->progress.n)
        write_with(c->session, e, (struct span){0}, (*at)->progress);
}

/* ---- ends ---- */

bool asks_cancel(struct session *s, const struct envelope *e)
{
    for (struct ask **at = &s->asks; *at; at = &(*at)->next) {
        if (!span_equal((*at)->token, e->cancels))
            continue;
        struct client *c = (*at)->client;
        const struct call *k = (*at)->call;
        uint64_t id = (*at)->id;
        drop(s, at);
        tell_cancelled(c, k, id, "the server does not need the answer any more");
        return true;
    }
    return false;
}

void asks_client_gone(struct client *c)
{
    struct session *s = c->session;

    for (struct ask **at = &s->asks; *at;) {
        if ((*at)->client != c) {
            at = &(*at)->next;
            continue;
        }
        if (s->open)
            refuse(s, (*at)->token, SESSION_ERROR, "the client has gone before it answered");
        drop(s, at);
    }
}

void asks_forget(struct session *s)
{
    while (s->asks) {
        struct ask a = *s->asks;
        drop(s, &s->asks);
        tell_cancelled(a.client, a.call, a.id, "the server has ended");
    }
}

bool asks_pending(const struct session *s, const struct call *k)
{
    for (const struct ask *a = s->asks; a; a = a->next) {
        if (a->call == k)
            return true;
    }
    return false;
}

void asks_call_over(struct session *s, const struct call *k)
{
    for (struct ask *a = s->asks; a; a = a->next) {
        if (a->call == k)
            a->call = NULL;
    }
}

/* Lists and the like never ask. */
static bool may_ask(struct span method)
{
    return span_is(method, "tools/call") || span_is(method, "prompts/get") ||
           span_is(method, "resources/read") || span_is(method, "completion/complete");
}

bool asks_must_wait(const struct client *c, const struct envelope *e)
{
    const struct session *s = c->session;

    if (!may_ask(e->method))
        return false;
    if (s->queued.n && s->queued.head->owner != c->number)
        return true;
    for (const struct call *k = s->flight.head; k; k = k->next) {
        if (k->owner != c->number && may_ask(k->method))
            return true;
    }
    return false;
}
