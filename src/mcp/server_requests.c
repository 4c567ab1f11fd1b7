/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server asks of its clients (sampling, elicitation, roots). The protocol does not say which
 * client is meant, and here there are many: it is that of the task which the request names, or the
 * only one with calls in flight, or, when there are none, the only one there is. Anything else is a
 * guess that would show one user's question to another, so the server gets an error; and from its
 * first question on, calls of different clients are written one after the other, so that the next
 * question has one owner.
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
    /* Of a modern server's question: no token, but the call (`call`, never NULL) and the key of the
     * answer. Of a legacy server's to a modern client: the request, for who comes back. */
    struct span key;
    struct span method, params;
    size_t kept;                 /* bytes of these */
    bool parked;
};

static const struct { const char *method; unsigned feature; const char *capability; } kinds[] = {
    {"sampling/createMessage", CLIENT_SAMPLING, "sampling"},
    {"elicitation/create", CLIENT_ELICITATION, "elicitation"},
    {"roots/list", CLIENT_ROOTS, "roots"},
};

enum { KINDS = ARRAY_LEN(kinds) };

/* KINDS: none of them. */
static size_t kind_of(struct span method)
{
    size_t i = 0;

    while (i < KINDS && !span_is(method, kinds[i].method))
        i++;
    return i;
}

static void drop(struct session *s, struct ask **at)
{
    struct ask *a = *at;

    *at = a->next;
    s->ask_count--;
    s->asked_bytes -= a->kept;
    free(a);
}

/* ---- to the server ---- */

static void refuse(struct session *s, struct span id, int code, const char *why)
{
    AUTO_BUF struct buf out = BUF_INIT;

    envelope_error(&out, id, code, why);
    session_write_text(s, out.data, out.len, NULL);
}

static void write_result(struct session *s, struct span id, struct span result)
{
    const struct iovec pieces[] = {iov_text("{\"jsonrpc\":\"2.0\",\"id\":"), iov_of(id.p, id.n),
                                   iov_text(",\"result\":"), iov_of(result.p, result.n),
                                   iov_text("}\n")};

    session_write(s, pieces, ARRAY_LEN(pieces), NULL);
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

/* A client that never answers must not fill the table. */
static void forget_oldest(struct session *s)
{
    struct ask **oldest = NULL;

    for (struct ask **at = &s->asks; *at; at = &(*at)->next) {
        if ((*at)->token.n && (!oldest || (*at)->asked_ms <= (*oldest)->asked_ms))
            oldest = at;
    }
    if (!oldest)
        return;
    refuse(s, (*oldest)->token, SESSION_ERROR, "the client did not answer");
    drop(s, oldest);
}

/* c NULL: a modern client's, whose call is parked. */
static struct ask *ask_new(struct session *s, struct client *c, const struct call *k,
                           const struct envelope *e)
{
    bool modern = !c || c->modern;
    size_t request = modern ? e->method.n + 2 + e->params.n : 0;
    struct ask *a = xcalloc(1, sizeof(*a) + e->id.n + e->progress_token.n + request);
    char *at = (char *)(a + 1);

    if (s->ask_count >= SESSION_MAX_ASKS)
        forget_oldest(s);
    a->client = c;
    a->call = k;
    a->id = ++s->next_ask;
    a->asked_ms = clock_mono_ms();
    a->kept = request;
    s->asked_bytes += request;
    a->token = (struct span){memcpy(at, e->id.p, e->id.n), e->id.n};
    at += e->id.n;
    a->progress = (struct span){at, e->progress_token.n};
    if (e->progress_token.n)
        memcpy(at, e->progress_token.p, e->progress_token.n);
    if (modern) {
        at += e->progress_token.n;
        a->parked = true;
        a->client = NULL;
        a->method = (struct span){memcpy(at, e->method.p - 1, e->method.n + 2), e->method.n + 2};
        at += e->method.n + 2;
        a->params = (struct span){at, e->params.n};
        if (e->params.n)
            memcpy(at, e->params.p, e->params.n);
    }
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

/* A modern client is asked by the answer to its call. */
static void ask_parked(struct session *s, struct client *c, struct call *k,
                       const struct envelope *e)
{
    if (!k) {
        refuse_and_note(s, e, SESSION_ERROR, "the client has no call that could be answered by it");
        return;
    }
    const char *too_much =
        e->params.n > SESSION_MAX_ASKED
            ? "its params are over the 1 MiB that is kept until a client comes back"
        : s->asked_bytes + e->params.n > SESSION_MAX_ASKED_BYTES
            ? "too much waits for clients that do not come back"
            : NULL;
    if (too_much) {
        refuse_and_note(s, e, SESSION_ERROR, too_much);
        return;
    }
    ask_new(s, c, k, e);
    if (!rounds_park(s, k)) {
        drop(s, &s->asks);
        refuse_and_note(s, e, SESSION_ERROR, "too many calls wait for answers of their clients");
    }
}

/* The server may go on without the answer; where it does not, it is known why. */
static void refuse_unable(struct session *s, struct call *k, const struct envelope *e,
                          unsigned feature, const char *why)
{
    if (k)
        k->lacks |= feature;
    refuse_and_note(s, e, SESSION_NO_METHOD, why);
}

/* Another question to a client that has to come back for one. */
static void ask_beside(struct session *s, struct call *k, const struct envelope *e,
                       unsigned feature)
{
    if (k->can & feature)
        ask_parked(s, NULL, k, e);
    else
        refuse_unable(s, k, e, feature, "the client does not have this capability");
}

/* Before anybody is looked for. Whether it was answered. */
static bool answered_here(struct session *s, const struct envelope *e, size_t kind)
{
    if (kind == KINDS) {
        refuse_and_note(s, e, SESSION_NO_METHOD, "no client can be asked for this");
    } else if (s->filter.quarantined) {
        refuse_and_note(s, e, SESSION_NO_METHOD, "the server is quarantined");
    } else if (kinds[kind].feature == CLIENT_ROOTS && !s->client_count) {
        write_result(s, e->id, span_of("{\"roots\":[]}"));
    } else {
        return false;
    }
    return true;
}

void asks_take(struct session *s, const struct envelope *e)
{
    struct call *k;
    size_t i = kind_of(e->method);
    bool of_task;

    if (answered_here(s, e, i))
        return;
    struct client *c = relay_owner_of(s, e, &k, &of_task);
    if (!c && !of_task && (k = rounds_parked_owner(s)) != NULL) {
        ask_beside(s, k, e, kinds[i].feature);
        return;
    }
    /* Roots are asked for once and at any time; they make no server one that asks. */
    if (kinds[i].feature != CLIENT_ROOTS && !of_task)
        s->one_at_a_time = true;
    const char *why = c         ? unable(c, e, kinds[i].feature)
                      : of_task ? "the client of this task has gone"
                                : "which client is asked cannot be told: none or several have "
                                  "calls open";
    if (why && c) {
        refuse_unable(s, k, e, kinds[i].feature, why);
        return;
    }
    if (why) {
        refuse_and_note(s, e, SESSION_ERROR, why);
        return;
    }
    if (c->modern) {
        ask_parked(s, c, k, e);
        return;
    }
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
    if ((*at)->key.n) {
        struct ask *a = *at;
        struct call *k = (struct call *)a->call;
        *at = a->next;
        s->ask_count--;
        rounds_answer(s, k, a->key, e);
        free(a);
        return;
    }
    write_with(s, e, (*at)->token, (struct span){0});
    if (at == find(c, e->id))
        drop(s, at);
}

/* ---- questions of a modern server to a legacy client ---- */

bool asks_question(struct session *s, struct call *k, struct span key, struct span method,
                   struct span params)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct client *c = k->client;
    struct envelope e = {.method = method, .params = params};
    if (method.n > 2)
        e.method = (struct span){method.p + 1, method.n - 2};
    size_t i = kind_of(e.method);
    const char *why = i == KINDS ? "no client can be asked for this"
                                 : unable(c, &e, kinds[i].feature);

    if (why || s->ask_count >= SESSION_MAX_ASKS) {
        call_fail(s, k, SESSION_ERROR, "server \"%s\" asks for %.*s: %s", s->cfg.server,
                  (int)e.method.n, e.method.p, why ? why : "too many questions are open");
        return false;
    }
    struct ask *a = xcalloc(1, sizeof(*a) + key.n);
    a->client = c;
    a->call = k;
    a->id = ++s->next_ask;
    a->asked_ms = clock_mono_ms();
    a->key = (struct span){memcpy(a + 1, key.p, key.n), key.n};
    a->next = s->asks;
    s->asks = a;
    s->ask_count++;
    buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%.*s\"",
               (unsigned long long)a->id, (int)e.method.n, e.method.p);
    if (params.n)
        buf_add_str(&text, ",\"params\":");
    buf_add(&text, params.p, params.n);
    buf_add_char(&text, '}');
    if (c->events->message(c->ctx, k->ctx, text.data, text.len, true))
        return true;
    call_fail(s, k, SESSION_ERROR,
              "server \"%s\" asks for %.*s: the client has no stream open for it", s->cfg.server,
              (int)e.method.n, e.method.p);
    return false;
}

/* ---- questions of a legacy server to a modern client ---- */

static void add_key(const struct ask *a, struct buf *out)
{
    buf_printf(out, "\"q%llu\"", (unsigned long long)a->id);
}

void asks_list_parked(const struct session *s, const struct call *k, struct buf *out)
{
    const char *comma = "";

    for (const struct ask *a = s->asks; a; a = a->next) {
        if (a->call != k || !a->parked)
            continue;
        buf_add_str(out, comma);
        add_key(a, out);
        buf_add_str(out, ":{\"method\":");
        buf_add(out, a->method.p, a->method.n);
        buf_add_str(out, ",\"params\":");
        if (a->params.n)
            buf_add(out, a->params.p, a->params.n);
        else
            buf_add_str(out, "{}");
        buf_add_char(out, '}');
        comma = ",";
    }
}

void asks_answer_parked(struct session *s, const struct call *k, struct span responses)
{
    for (struct ask **at = &s->asks; *at;) {
        AUTO_BUF struct buf key = BUF_INIT;
        add_key(*at, &key);
        AUTO_FREE char *name = span_decode((struct span){key.data, key.len}, key.len);
        struct span value = (*at)->call == k && (*at)->parked ? span_member(responses, name)
                                                              : (struct span){0};
        AUTO_FREE char *flat = span_line(value);
        if (value.n && *value.p == '{') {
            write_result(s, (*at)->token, (struct span){flat, value.n});
            drop(s, at);
        } else {
            at = &(*at)->next;
        }
    }
}

void asks_refuse_parked(struct session *s, const struct call *k, const char *why)
{
    for (struct ask **at = &s->asks; *at;) {
        if ((*at)->call != k || !(*at)->parked) {
            at = &(*at)->next;
            continue;
        }
        if (s->open)
            refuse(s, (*at)->token, SESSION_ERROR, why);
        drop(s, at);
    }
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
        if (!c) {           /* who comes back for it is not asked any more */
            drop(s, at);
            return true;
        }
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
        if (s->open && (*at)->token.n)
            refuse(s, (*at)->token, SESSION_ERROR, "the client has gone before it answered");
        drop(s, at);
    }
}

void asks_forget(struct session *s)
{
    struct ask **at = &s->asks;

    while (*at) {
        struct ask a = **at;
        if (a.key.n) {      /* the call can be made again with the next run */
            at = &(*at)->next;
            continue;
        }
        drop(s, at);
        if (a.client)
            tell_cancelled(a.client, a.call, a.id, "the server has ended");
        at = &s->asks;
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
    for (struct ask **at = &s->asks; *at;) {
        struct ask *a = *at;
        if (a->call == k && a->key.n) {
            drop(s, at);
            continue;
        }
        if (a->call == k)
            a->call = NULL;
        at = &a->next;
    }
}

/* Lists and the like never ask. */
bool asks_may_follow(struct span method)
{
    return span_is(method, "tools/call") || span_is(method, "prompts/get") ||
           span_is(method, "resources/read") || span_is(method, "completion/complete");
}

bool asks_must_wait(const struct client *c, bool may_ask)
{
    const struct session *s = c->session;

    if (!may_ask)
        return false;
    if (s->queued.n && s->queued.head->owner != c->number)
        return true;
    int64_t now = s->abandoned ? clock_mono_ms() : 0;
    for (const struct call *k = s->flight.head; k; k = k->next) {
        if (k->owner != c->number && k->may_ask && call_may_speak(k, now))
            return true;
    }
    return rounds_may_ask_more(s);
}
