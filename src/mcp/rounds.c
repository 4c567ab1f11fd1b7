/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Multi-round-trip requests, where client and server are of different eras.
 *
 * A modern server answers a call by what it needs (input_required): its legacy client is asked each
 * of these as a legacy server would ask, and with all answers the call is made again.
 *
 *   client ─ call ─► server ─ input_required ─► client is asked ─ answers ─► call again ─► result
 *
 * A legacy server asks in the middle of a call, maybe several things at once: a moment later the
 * modern client's request is answered by input_required, and the call is parked, its question open,
 * until the client comes back with the requestState that names it. The name is random and signed;
 * parked calls are few and expire.
 *
 *   client ─ call ─► server asks ─► input_required (parked)
 *          ─ call with state ─► answer ─► result */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "mcp/session_internal.h"

enum { MAX_ROUNDS = 16, MAX_PARKED = 256, MAX_LATE = 1 << 20 };

struct round {
    char *original;              /* the client's message, on one line */
    size_t original_n;
    unsigned count;              /* rounds so far */
    unsigned pending;            /* questions that are not answered */
    struct buf responses;        /* "key":result,… */
    struct buf state;            /* token; empty = none */
};

/* ---- a modern server asks, its client is of the legacy era ---- */

bool rounds_is_question(const struct envelope *e)
{
    return e->kind == ENVELOPE_RESULT &&
           span_equal(span_member(e->result, "resultType"), span_of("\"input_required\""));
}

void rounds_free(struct call *k)
{
    if (!k->round)
        return;
    free(k->round->original);
    buf_fini(&k->round->responses);
    buf_fini(&k->round->state);
    free(TAKE(k->round));
}

/* The message again, with what was answered. */
static void ask_again(struct session *s, struct call *k)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct round *r = k->round;
    struct envelope e;

    if (envelope_scan(r->original, r->original_n, &e, NULL) || !e.params.n) {
        call_fail(s, k, SESSION_ERROR, "the server asked about a call that has no parameters");
        return;
    }
    size_t head = (size_t)(e.params.p - r->original) + 1;
    buf_add(&text, r->original, head);
    buf_printf(&text, "\"inputResponses\":{%s}", buf_str(&r->responses));
    if (r->state.len)
        buf_printf(&text, ",\"requestState\":%s", r->state.data);
    buf_add_str(&text, span_is_empty(e.params) ? "" : ",");
    buf_add(&text, r->original + head, r->original_n - head);
    buf_clear(&r->responses);
    envelope_scan(text.data, text.len, &e, NULL);
    router_again(s, k, &e);
}

static struct round *round_of(struct call *k)
{
    if (!k->round && k->copy) {
        k->round = xcalloc(1, sizeof(*k->round));
        k->round->original = xstrndup(k->copy, k->copy_n);
        k->round->original_n = k->copy_n;
    }
    return k->round;
}

void rounds_question(struct session *s, struct call *k, const struct envelope *e)
{
    struct span requests = span_member(e->result, "inputRequests");
    struct span state = span_member(e->result, "requestState");
    struct round *r = round_of(k);

    call_unnumber(s, k);
    call_move(k, &s->asking);
    k->active_ms = clock_mono_ms();
    calls_arm(s);
    if (!r || ++r->count > MAX_ROUNDS) {
        call_fail(s, k, SESSION_ERROR, r ? "the server asks without end"
                                         : "the call is too large to be made again with an answer");
        return;
    }
    buf_clear(&r->state);
    buf_add(&r->state, state.p, state.n);
    buf_str(&r->state);
    /* All are counted before the first is sent: its answer may come at once. */
    const char *end = requests.p + requests.n, *at = requests.n ? requests.p + 1 : end;
    struct member m;
    for (r->pending = 0; span_next_member(&at, end, &m);)
        r->pending++;
    if (!r->pending) {
        ask_again(s, k);
        return;
    }
    at = requests.p + 1;
    while (k->round && span_next_member(&at, end, &m)) {
        if (!asks_question(s, k, m.key, span_member(m.value, "method"),
                           span_member(m.value, "params")))
            return;     /* it could not be asked: the call is over */
    }
}

/* key: the token. */
void rounds_answer(struct session *s, struct call *k, struct span key, const struct envelope *e)
{
    struct round *r = k->round;

    if (e->kind == ENVELOPE_ERROR) {
        AUTO_FREE char *why = span_decode(span_member(e->error, "message"), 400);
        call_fail(s, k, SESSION_ERROR, "the client refused what the server asked for: %s", why);
        return;
    }
    buf_add_str(&r->responses, r->responses.len ? "," : "");
    buf_add(&r->responses, key.p, key.n);
    buf_add_char(&r->responses, ':');
    AUTO_FREE char *result = span_line(e->result);
    buf_add(&r->responses, result, e->result.n);
    if (--r->pending == 0)
        ask_again(s, k);
}

/* ---- a legacy server asks, its client is of the modern era ---- */

#define STATE_HEAD "mcptop-"

static void add_state(const struct session *s, const struct call *k, struct buf *out)
{
    char number[17];

    snprintf(number, sizeof(number), "%016llx", (unsigned long long)k->parked);
    buf_printf(out, "\"" STATE_HEAD "%s%016llx\"", number,
               (unsigned long long)siphash24(s->park_key, number, 16));
}

static void park(struct session *s, struct call *k)
{
    /* A new name each time: an old one answers an old question. */
    do {
        k->parked = 0;
    } while (getrandom(&k->parked, sizeof(k->parked), 0) != (ssize_t)sizeof(k->parked) ||
             !k->parked);
    k->can = k->client->features;
    call_move(k, &s->parked);
    k->active_ms = clock_mono_ms();
    calls_arm(s);
}

/* The questions go to whoever waits for the call, who has to come back for the answer. */
static void tell_parked(struct session *s, struct call *k)
{
    AUTO_BUF struct buf text = BUF_INIT;
    call_reply_fn fn = k->fn;
    void *ctx = k->ctx;

    buf_add_str(&text, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(&text, k->token.p, k->token.n);
    buf_add_str(&text, ",\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{");
    asks_list_parked(s, k, &text);
    buf_add_str(&text, "},\"requestState\":");
    add_state(s, k, &text);
    buf_add_str(&text, "}}");
    call_detach(k);
    s->ledger->stats.calls++;
    fn(ctx, &(struct iovec){text.data, text.len}, 1, false);
}

/* Afterwards it stands still until it is answered. */
bool rounds_may_ask_more(const struct session *s)
{
    return s->parked.n &&
           clock_mono_ms() - s->parked.tail->active_ms < s->cfg.park_grace_ms;
}

/* The call that an unattributed question of the server belongs to, where it is one that is parked
 * already: the server asks for more before it has the first answer. */
struct call *rounds_parked_owner(const struct session *s)
{
    return rounds_may_ask_more(s) && s->flight.n == s->abandoned ? s->parked.tail : NULL;
}

bool rounds_park(struct session *s, struct call *k)
{
    if (k->list == &s->parked)
        return true;        /* it is told with the others, or when its client comes back */
    if (s->parked.n >= MAX_PARKED)
        return false;
    park(s, k);
    if (!ev_is_active(&s->gather)) {
        ev_timer_set(&s->gather, SESSION_GATHER_MS / 1e3, 0.);
        ev_timer_start(s->loop, &s->gather);
    }
    return true;
}

void rounds_unpark(struct session *s, struct call *k)
{
    if (k->list != &s->parked)
        return;
    asks_refuse_parked(s, k, "the call that it belongs to was cancelled");
    k->parked = 0;
    k->active_ms = clock_mono_ms();
    call_move(k, &s->flight);
    calls_arm(s);
}

static struct call *find_parked(const struct session *s, struct span state)
{
    enum { HEAD = sizeof(STATE_HEAD) - 1 };
    char mac[17];

    if (state.n != HEAD + 34)
        return NULL;
    snprintf(mac, sizeof(mac), "%016llx",
             (unsigned long long)siphash24(s->park_key, state.p + 1 + HEAD, 16));
    if (memcmp(mac, state.p + 1 + HEAD + 16, 16) != 0)
        return NULL;
    for (struct call *k = s->parked.head; k; k = k->next) {
        char number[17];
        snprintf(number, sizeof(number), "%016llx", (unsigned long long)k->parked);
        if (memcmp(number, state.p + 1 + HEAD, 16) == 0)
            return k;
    }
    return NULL;
}

/* The reply that came while the call was parked. */
static void answer_late(struct session *s, struct call *k)
{
    AUTO_FREE char *late = TAKE(k->late);
    struct iovec iov[ENVELOPE_IOV + 2];
    struct envelope e;

    if (envelope_scan(late, k->late_n, &e, NULL))
        return;
    int n = envelope_rewrite(&e, k->token, (struct span){0}, false, iov);
    n = modern_dress(k, &e, iov, n);
    relay_answer(s, k, &e, iov, n);
}

/* What a server asks at the same time came one after the other; who asked may have answered
 * itself, or taken its questions back. */
static void end_gathering(struct session *s, struct call *k)
{
    if (k->late) {
        answer_late(s, k);
    } else if (asks_pending(s, k)) {
        tell_parked(s, k);
    } else {
        call_move(k, &s->flight);
        k->active_ms = clock_mono_ms();
        calls_arm(s);
    }
}

void on_rounds_gathered(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;
    struct call *k;

    (void)loop, (void)revents;
    session_enter(s);
    do {
        for (k = s->parked.head; k && !k->client;)
            k = k->next;
        if (k)
            end_gathering(s, k);
    } while (k);
    session_leave(s);
}

static void park_again(struct session *s, struct call *k)
{
    park(s, k);
    tell_parked(s, k);
}

/* A parked call goes on with this request as its client's. NULL and *ret_refused: there is none. */
struct call *rounds_resume(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                           bool *ret_refused)
{
    struct session *s = c->session;
    struct span state = span_member(e->params, "requestState");
    struct span responses = span_member(e->params, "inputResponses");
    static const char head[] = "\"" STATE_HEAD;

    *ret_refused = false;
    if (state.n < sizeof(head) || memcmp(state.p, head, sizeof(head) - 1) != 0)
        return NULL;
    struct call *k = find_parked(s, state);
    if (!k) {
        *ret_refused = true;
        router_refuse(s, e->id, SESSION_BAD_PARAMS, fn, ctx,
                      "requestState is unknown or has expired: make the call without it");
        return NULL;
    }
    call_adopt(k, c, e, fn, ctx);
    call_move(k, &s->flight);
    k->active_ms = clock_mono_ms();
    asks_answer_parked(s, k, responses);
    if (k->late)
        answer_late(s, k);
    else if (!asks_pending(s, k))
        return k;
    else
        park_again(s, k);
    *ret_refused = true;
    return NULL;
}

void rounds_keep_late(struct session *s, struct call *k, const struct envelope *e)
{
    AUTO_BUF struct buf error = BUF_INIT;
    struct span text = e->body;

    if (k->late)
        return;
    if (text.n > MAX_LATE) {
        AUTO_FREE char *why = xasprintf("server \"%s\" answered before it had the client's input; "
                                        "its answer of %zu bytes is too long to be kept",
                                        s->cfg.server, text.n);
        envelope_error(&error, e->id, SESSION_ERROR, why);
        text = (struct span){error.data, error.len};
    }
    k->late = xstrndup(text.p, text.n);
    k->late_n = text.n;
}
