/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client of all watches (resources/subscribe). A subscription goes to all servers at the
 * same time, because a server may say yes to a resource that it does not have: whose it is has
 * heard of it then, too. One that comes later is told of all that is watched, and of what is still
 * being asked for: then its answer counts with the others'. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { SERVER_ERROR = -32000, MAX_WATCHED = 1024 };

/* One request to all. */
struct spread {
    struct aggregate *a;
    size_t pending;
    bool answered, worked;
    struct buf error;           /* the last one */
    struct span id;             /* behind this struct */
    call_reply_fn fn;
    void *ctx;
};

/* ---- the list ---- */

static struct watched *watched_find(const struct aggregate *a, const char *uri)
{
    for (size_t i = 0; i < a->watched_count; i++)
        if (strcmp(a->watched[i].uri, uri) == 0)
            return &a->watched[i];
    return NULL;
}

static void watched_forget(struct aggregate *a, struct watched *w)
{
    size_t i = (size_t)(w - a->watched);

    free(w->uri);
    memmove(w, w + 1, (--a->watched_count - i) * sizeof *w);
}

static void watched_add(struct aggregate *a, const char *uri, struct spread *asks)
{
    if (*uri != '"' || watched_find(a, uri) || a->watched_count == MAX_WATCHED)
        return;
    a->watched = xrealloc(a->watched, (a->watched_count + 1) * sizeof *a->watched);
    a->watched[a->watched_count++] = (struct watched){xstrdup(uri), ++a->watched_last, asks};
}

/* It is not asked for any more: from now on it is watched, or not at all. */
static void watched_settle(struct aggregate *a, const struct spread *sp, bool watches)
{
    for (size_t i = 0; i < a->watched_count; i++) {
        struct watched *w = &a->watched[i];
        if (w->asks != sp)
            continue;
        w->asks = NULL;
        if (!watches)
            watched_forget(a, w);
        return;
    }
}

void aggregate_watched_fini(struct aggregate *a)
{
    while (a->watched_count)
        watched_forget(a, &a->watched[a->watched_count - 1]);
    free(TAKE(a->watched));
}

/* ---- the parts of a request ---- */

static void spread_free(struct spread *sp)
{
    watched_settle(sp->a, sp, false);
    buf_fini(&sp->error);
    free(sp);
}

static void part_gone(struct part *p)
{
    struct spread *sp = p->spread;

    sp->answered = true;
    if (--sp->pending == 0)
        spread_free(sp);
}

/* Nothing of it is touched after its owner was told, who may end everything. */
static void answer(struct spread *sp)
{
    bool worked = sp->worked;
    AUTO_FREE char *id = xstrndup(sp->id.p, sp->id.n);
    AUTO_BUF struct buf error = sp->error;
    struct span token = {id, sp->id.n};
    call_reply_fn fn = sp->fn;
    void *ctx = sp->ctx;

    watched_settle(sp->a, sp, worked);
    sp->answered = true;
    sp->error = BUF_INIT;
    if (!sp->pending)
        spread_free(sp);
    if (worked)
        aggregate_answer(token, "{}", 2, fn, ctx);
    else if (error.len)
        fn(ctx, &(struct iovec){error.data, error.len}, 1, true);
    else
        aggregate_refuse(token, SERVER_ERROR, "no server that could have it is ready", fn, ctx);
}

/* Those that are still asked when it is answered belong to no request any more. */
static void spread_over(const struct spread *sp)
{
    for (struct part *p = sp->a->parts; p; p = p->next)
        if (p->spread == sp)
            p->ctx = NULL;
}

/* Whether it was. */
static bool answer_if_known(struct spread *sp)
{
    if (!sp->worked && sp->pending)
        return false;
    spread_over(sp);
    answer(sp);
    return true;
}

static void on_spread(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct part *p = ctx;
    struct spread *sp = p->spread;

    p->done = true;
    p->gone = NULL;
    sp->pending--;
    sp->worked |= !is_error;
    if (is_error)
        aggregate_keep_pieces(&sp->error, iov, count);
    if (p->sending)
        return;                 /* more are being asked, or others have been before */
    part_free(p);
    if (!sp->answered)
        answer_if_known(sp);
    else if (!sp->pending)
        spread_free(sp);
}

static void spread_ask(struct spread *sp, struct peer *m, const struct envelope *e)
{
    struct part *p = part_new(sp->a, sp->fn, sp->ctx);

    p->spread = sp;
    p->id = sp->id;
    p->gone = part_gone;
    sp->pending++;
    if (!part_send(p, m, e, on_spread))
        part_free(p);
}

/* ---- who is told ---- */

/* Of all that the server has not heard of, before the number-th. */
static void tell(struct peer *m, uint64_t number)
{
    struct aggregate *a = m->a;

    for (size_t i = 0; i < a->watched_count; i++) {
        const struct watched *w = &a->watched[i];
        if (w->number <= m->watches || w->number >= number)
            continue;
        struct span id = w->asks ? w->asks->id : span_of("0");
        AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"method\":"
                                         "\"resources/subscribe\",\"params\":{\"uri\":%s}}",
                                         (int)id.n, id.p, w->uri);
        struct envelope e;
        if (envelope_scan(text, strlen(text), &e, NULL))
            continue;
        if (w->asks)
            spread_ask(w->asks, m, &e);
        else
            part_send_alone(a, m, &e);
    }
    if (m->watches < number - 1)
        m->watches = number - 1;
}

void aggregate_watch(struct peer *m, const struct server *s)
{
    if (m->watches < m->a->watched_last && aggregate_asks(m->a, s, "resources"))
        tell(m, m->a->watched_last + 1);
}

bool aggregate_spread(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct spread *sp = xcalloc(1, sizeof *sp + e->id.n);
    bool leaves = span_is(e->method, "resources/unsubscribe");
    AUTO_FREE char *uri = span_line(span_member(e->params, "uri"));
    uint64_t before = a->watched_last + 1;

    sp->a = a;
    sp->id = (struct span){memcpy(sp + 1, e->id.p, e->id.n), e->id.n};
    sp->fn = fn;
    sp->ctx = ctx;
    sp->pending = 1;            /* ours, until all are asked */
    struct watched *left = leaves ? watched_find(a, uri) : NULL;
    if (left)
        watched_forget(a, left);
    else if (!leaves)
        watched_add(a, uri, sp);
    for (size_t i = 0; i < fleet_count(a->fleet); i++) {
        struct server *s = fleet_at(a->fleet, i);
        /* Where a server is down, its session knows what to do without it when a subscription
         * ends. */
        if (!aggregate_asks(a, s, "resources") && !(leaves && aggregate_peer(a, s)) &&
            !(!leaves && aggregate_comes_soon(s, "resources")))
            continue;
        struct peer *m = aggregate_member(a, s);
        bool has_heard = m->watches >= before;      /* with what was watched before, just now */
        /* One that is not up, and refuses it in the end, hears of it when it comes. */
        if (aggregate_asks(a, s, "resources")) {
            tell(m, before);
            m->watches = a->watched_last;
        }
        if (!has_heard)
            spread_ask(sp, m, e);
    }
    sp->pending--;
    return !answer_if_known(sp);
}
