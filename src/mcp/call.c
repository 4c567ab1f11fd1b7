/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Open requests: the table from our ids to them, the lists they wait in, and their ends. Every way
 * a call can end goes through call_answer() or call_drop(), so a reply is given exactly once. It
 * does not know what is in a message. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

/* ---- the table ---- */

static size_t slot_of(const struct call_table *t, uint64_t id)
{
    return (size_t)id & (t->cap - 1);
}

static void table_put(struct call_table *t, struct call *k)
{
    size_t i = slot_of(t, k->id);

    while (t->slots[i])
        i = (i + 1) & (t->cap - 1);
    t->slots[i] = k;
    t->n++;
}

static void table_grow(struct call_table *t)
{
    struct call_table old = *t;

    t->cap = old.cap ? old.cap * 2 : 16;
    t->slots = xcalloc(t->cap, sizeof(*t->slots));
    t->n = 0;
    for (size_t i = 0; i < old.cap; i++) {
        if (old.slots[i])
            table_put(t, old.slots[i]);
    }
    free(old.slots);
}

static size_t table_slot(const struct call_table *t, uint64_t id)
{
    size_t i = slot_of(t, id);

    while (t->slots[i] && t->slots[i]->id != id)
        i = (i + 1) & (t->cap - 1);
    return i;
}

/* Moves up what stood behind the gap, so that no tombstones are needed. */
static void table_remove(struct call_table *t, uint64_t id)
{
    size_t gap = table_slot(t, id);

    for (size_t i = (gap + 1) & (t->cap - 1); t->slots[i]; i = (i + 1) & (t->cap - 1)) {
        size_t home = slot_of(t, t->slots[i]->id);
        if (((i - home) & (t->cap - 1)) >= ((i - gap) & (t->cap - 1))) {
            t->slots[gap] = t->slots[i];
            gap = i;
        }
    }
    t->slots[gap] = NULL;
    t->n--;
}

struct call *call_find(const struct session *s, uint64_t id)
{
    return s->table.cap ? s->table.slots[table_slot(&s->table, id)] : NULL;
}

bool call_may_speak(const struct call *k, int64_t now_ms)
{
    return k->client || !k->cancelled_ms || now_ms - k->cancelled_ms <= SESSION_CANCELLED_MS;
}

struct call *call_of(const struct client *c)
{
    struct call *k = c->calls;

    while (k && k->list != &c->session->flight)
        k = k->sibling_next;
    return k;
}

void call_number(struct session *s, struct call *k)
{
    if (s->table.n * 2 >= s->table.cap)
        table_grow(&s->table);
    k->id = s->next_id++;
    table_put(&s->table, k);
}

void call_unnumber(struct session *s, struct call *k)
{
    if (k->id)
        table_remove(&s->table, k->id);
    k->id = 0;
}

/* ---- lists ---- */

void call_move(struct call *k, struct call_list *to)
{
    if (k->list) {
        *(k->prev ? &k->prev->next : &k->list->head) = k->next;
        *(k->next ? &k->next->prev : &k->list->tail) = k->prev;
        k->list->n--;
    }
    k->list = to;
    k->prev = to ? to->tail : NULL;
    k->next = NULL;
    if (!to)
        return;
    *(to->tail ? &to->tail->next : &to->head) = k;
    to->tail = k;
    to->n++;
}

void call_detach(struct call *k)
{
    if (!k->client)
        return;
    if (k->client->session->asks && !k->parked)
        asks_call_over(k->client->session, k);
    *(k->sibling_prev ? &k->sibling_prev->sibling_next : &k->client->calls) = k->sibling_next;
    if (k->sibling_next)
        k->sibling_next->sibling_prev = k->sibling_prev;
    k->client = NULL;
    k->fn = NULL;
}

/* ---- birth ---- */

enum { SHOWN_METHOD = 64, SHOWN_NAME = 128 };

/* Room for the inside of a JSON string as people see it. */
static size_t shown_size(struct span inside, size_t max)
{
    return inside.n < max ? inside.n : max;
}

static struct span keep(char **at, struct span s)
{
    struct span kept = {*at, s.n};

    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return kept;
}

static struct span keep_shown(char **at, struct span inside, size_t max)
{
    if (!memchr(inside.p, '\\', inside.n))
        return keep(at, (struct span){inside.p, shown_size(inside, max)});
    AUTO_FREE char *text = span_decode((struct span){inside.p - 1, inside.n + 2},
                                       shown_size(inside, max));
    return keep(at, span_of(text));
}

static void call_attach(struct call *k, struct client *c)
{
    k->client = c;
    k->owner = c->number;
    k->sibling_prev = NULL;
    k->sibling_next = c->calls;
    if (c->calls)
        c->calls->sibling_prev = k;
    c->calls = k;
}

/* One allocation holds the call and its texts. */
struct call *call_new(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span name = e->name.n ? (struct span){e->name.p + 1, e->name.n - 2}
                                 : (struct span){"", 0};
    size_t text = e->id.n + e->progress_token.n + shown_size(e->method, SHOWN_METHOD) +
                  shown_size(name, SHOWN_NAME);
    struct call *k = xcalloc(1, sizeof(*k) + text);
    char *at = (char *)(k + 1);

    k->begun_ms = c->session->used_ms = clock_mono_ms();
    k->request_bytes = e->body.n;
    k->may_ask = asks_may_follow(e->method);
    k->fn = fn;
    k->ctx = ctx;
    k->token = keep(&at, e->id);
    k->progress = keep(&at, e->progress_token);
    k->method = keep_shown(&at, e->method, SHOWN_METHOD);
    k->name = keep_shown(&at, name, SHOWN_NAME);
    call_attach(k, c);
    return k;
}

void call_adopt(struct call *k, struct client *c, const struct envelope *e, call_reply_fn fn,
                void *ctx)
{
    char *at = k->adopted = xrealloc(k->adopted, e->id.n + e->progress_token.n + 1);

    k->fn = fn;
    k->ctx = ctx;
    k->token = keep(&at, e->id);
    k->progress = keep(&at, e->progress_token);
    call_attach(k, c);
}

static void copy_message(struct session *s, struct call *k, const struct envelope *e)
{
    struct envelope moved = *e;

    k->copy = xmalloc(e->body.n);
    k->copy_n = e->body.n;
    envelope_flatten(&moved, k->copy);
    s->copied_bytes += k->copy_n;
}

/* Copying tens of megabytes would be a long turn. */
static void keep_message(struct session *s, struct call *k, const struct envelope *e)
{
    if (e->body.n >= LARGE_BYTES && !envelope_has_newline(e))
        k->large = large_keep(e->body.p, &k->memory);
    k->is_taken = k->large;
    if (!k->is_taken) {
        copy_message(s, k, e);
        return;
    }
    k->copy = (char *)(uintptr_t)e->body.p;
    k->copy_n = e->body.n;
    s->copied_bytes += k->copy_n;
}

void call_forget_copy(struct session *s, struct call *k)
{
    if (!k->copy)
        return;
    s->copied_bytes -= k->copy_n;
    if (k->is_taken)
        large_drop(&k->large, &k->memory);
    else
        free(k->copy);
    k->copy = NULL;
    k->is_taken = false;
}

/* A message of the largest size can wait, and small ones, and copies of calls in flight, beside
 * it. */
size_t calls_max_copied(const struct session *s)
{
    size_t n = s->cfg.max_message_bytes;

    if (n < SESSION_MAX_HELD_BYTES)
        n = SESSION_MAX_HELD_BYTES;
    return n + SESSION_MAX_RECORDED_BYTES;
}

void call_hold(struct session *s, struct call *k, const struct envelope *e)
{
    keep_message(s, k, e);
    k->held_ms = k->begun_ms;
    call_move(k, &s->held);
    calls_arm(s);
}

void call_wait_turn(struct session *s, struct call *k, const struct envelope *e)
{
    keep_message(s, k, e);
    k->held_ms = k->begun_ms;
    call_move(k, &s->queued);
    calls_arm(s);
}

/* A modern server may ask, and then the call is made again. */
static bool may_be_made_again(const struct session *s, const struct call *k)
{
    return s->modern && !k->client->modern;
}

static size_t max_kept(const struct session *s, const struct call *k)
{
    return may_be_made_again(s, k) ? SIZE_MAX
           : s->cfg.record         ? SESSION_MAX_RECORDED_CALL
                                   : SESSION_MAX_KEPT_CALL;
}

bool call_is_spent(const struct session *s, const struct call *k)
{
    return k->copy_n > max_kept(s, k);
}

void call_keep(struct session *s, struct call *k, const struct envelope *e)
{
    bool had = k->copy, may_ask = may_be_made_again(s, k);
    size_t all = may_ask         ? calls_max_copied(s)
                 : s->cfg.record ? SESSION_MAX_RECORDED_BYTES
                                 : SESSION_MAX_KEPT_BYTES;

    if (e->body.n > max_kept(s, k) || s->copied_bytes + (had ? 0 : e->body.n) > all)
        call_forget_copy(s, k);
    else if (!had)
        copy_message(s, k, e);
}

int session_request(struct session *s, const char *method, const char *params, own_reply_fn own,
                    struct fault *f)
{
    return session_request_as(s, s->modern, method, params, own, f);
}

int session_request_as(struct session *s, bool modern, const char *method, const char *params,
                       own_reply_fn own, struct fault *f)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct call *k = xcalloc(1, sizeof(*k));

    k->own = own;
    call_number(s, k);
    call_move(k, &s->own);
    k->written_ns = clock_mono_ns();
    buf_printf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"%s\"",
               (unsigned long long)k->id, method);
    if (modern) {
        buf_add_str(&text, ",\"params\":{\"_meta\":");
        modern_meta(NULL, &text);
        buf_printf(&text, "%s%s", params && params[1] != '}' ? "," : "", params ? params + 1 : "}");
    } else if (params) {
        buf_printf(&text, ",\"params\":%s", params);
    }
    buf_add_char(&text, '}');
    if (!session_write_text(s, buf_str(&text), text.len, f))
        return 0;
    call_drop(s, k);
    return -1;
}

/* ---- end ---- */

void call_drop(struct session *s, struct call *k)
{
    if (k->list == &s->flight && !k->client)
        s->abandoned--;
    call_forget_copy(s, k);
    listen_free(s, k);
    rounds_free(k);
    if (k->parked && s->asks)
        asks_refuse_parked(s, k, "the client did not come back with an answer");
    if (k->id)
        table_remove(&s->table, k->id);
    call_move(k, NULL);
    call_detach(k);
    free(k->late);
    free(k->adopted);
    free(k);
}

static int64_t measure(const struct session *s, const struct call *k)
{
    int64_t us = (clock_mono_ns() - k->written_ns) / 1000;
    struct session *to = s->ledger;

    to->stats.timed++;
    to->stats.timed_us += (uint64_t)us;
    if (!to->latencies)
        to->latencies = xcalloc(1, sizeof(*to->latencies));
    to->latencies->us[to->latencies->count++ % SESSION_SAMPLES] = us < UINT32_MAX ? (uint32_t)us
                                                                                  : UINT32_MAX;
    return us;
}

void call_answer(struct session *s, struct call *k, const struct iovec *iov, int count,
                 bool is_error)
{
    call_reply_fn fn = k->fn;
    void *ctx = k->ctx;

    if (fn) {
        s->ledger->stats.calls++;
        s->ledger->stats.errors += is_error;
        seen_ended(s, k, iov, count, is_error, k->id ? measure(s, k) : -1);
    }
    if (k->subscription && is_error)
        subscriptions_failed(s, k->subscription, k->owner);
    /* The pieces may point into the call (its token), so it goes last; but nothing may find it
     * while its owner is told. */
    if (k->list == &s->flight && !k->client)
        s->abandoned--;
    if (k->id)
        table_remove(&s->table, k->id);
    k->id = 0;
    call_move(k, NULL);
    call_detach(k);
    if (fn)
        fn(ctx, iov, count, is_error);
    call_drop(s, k);
}

/* An error for the client now; the call stays in flight as one that nobody waits for, so that its
 * late reply is known. */
void call_give_up(struct session *s, struct call *k, const char *why)
{
    AUTO_BUF struct buf out = BUF_INIT;
    call_reply_fn fn = k->fn;
    void *ctx = k->ctx;

    envelope_error(&out, k->token, SESSION_ERROR, why);
    s->ledger->stats.calls++;
    s->ledger->stats.errors++;
    s->abandoned++;
    k->cancelled_ms = clock_mono_ms();
    struct iovec iov = {out.data, out.len};
    seen_ended(s, k, &iov, 1, true, -1);
    call_detach(k);
    fn(ctx, &iov, 1, true);
}

void call_fail(struct session *s, struct call *k, int code, const char *fmt, ...)
{
    AUTO_BUF struct buf why = BUF_INIT, out = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&why, fmt, ap);
    va_end(ap);
    envelope_error(&out, k->token, code, buf_str(&why));
    struct iovec iov = {out.data, out.len};
    call_answer(s, k, &iov, 1, true);
}

/* Owners may send new calls while they are told; those come behind these and stay. */
static void fail_all(struct session *s, struct call_list *list, const char *why)
{
    for (uint32_t n = list->n; n && list->head; n--) {
        struct call *k = list->head;
        if (k->client)
            call_fail(s, k, SESSION_ERROR, "%s", why);
        else
            call_drop(s, k);
    }
}

void calls_fail_held(struct session *s, const char *why)
{
    fail_all(s, &s->held, why);
    fail_all(s, &s->queued, why);
    fail_all(s, &s->asking, why);
}

void calls_fail_flight(struct session *s, const char *cause)
{
    AUTO_FREE char *why = xasprintf(
        "server \"%s\" ended (%s) before it answered; whether the call took effect is not known",
        s->cfg.server, cause);
    fail_all(s, &s->flight, why);
    fail_all(s, &s->parked, why);
}

/* Those of flight come before what was held since, in the order they were written. */
void calls_take_back(struct session *s, size_t undelivered)
{
    uint64_t from = undelivered < s->stats.bytes_out ? s->stats.bytes_out - undelivered : 0;
    struct call_list back = {0};

    for (struct call *k = s->flight.head, *next; k; k = next) {
        next = k->next;
        if (k->written_at < from || !k->client || !k->copy)
            continue;
        table_remove(&s->table, k->id);
        k->id = 0;
        if (!k->held_ms)
            k->held_ms = clock_mono_ms();
        call_move(k, &back);
    }
    while (s->held.head)
        call_move(s->held.head, &back);
    while (back.head)
        call_move(back.head, &s->held);
    calls_arm(s);
}

void calls_forget_own(struct session *s)
{
    while (s->own.head) {
        struct call *k = s->own.head;
        call_move(k, NULL);
        k->own(s, k, NULL);
        call_drop(s, k);
    }
}

/* ---- figures ---- */

static void percentiles(struct latencies *l)
{
    seen_percentiles(l->us, l->count < SESSION_SAMPLES ? l->count : SESSION_SAMPLES, l->p);
    l->computed = l->count;
}

static void add_open(const struct session *s, struct session_stats *sum)
{
    sum->in_flight += s->flight.n - s->abandoned;
    sum->held += s->held.n + s->queued.n;
    sum->clients += s->client_count;
}

uint32_t session_get_in_flight(const struct session *s)
{
    return s->flight.n - s->abandoned;
}

void session_get_stats(const struct session *s, struct session_stats *ret)
{
    struct latencies *l = s->latencies;

    *ret = s->stats;
    ret->in_flight = ret->held = ret->clients = 0;
    add_open(s, ret);
    for (const struct session *m = s->sharers; m; m = m->next_sharer) {
        add_open(m, ret);
        ret->bytes_in += m->stats.bytes_in;
        ret->bytes_out += m->stats.bytes_out;
        ret->stray_lines += m->stats.stray_lines;
        ret->oversize += m->stats.oversize;
        if (ret->last_ping_us < 0)
            ret->last_ping_us = m->stats.last_ping_us;
    }
    ret->p50_us = ret->p95_us = ret->p99_us = -1;
    if (!l)
        return;
    if (l->computed != l->count)
        percentiles(l);
    ret->p50_us = l->p[0];
    ret->p95_us = l->p[1];
    ret->p99_us = l->p[2];
}
