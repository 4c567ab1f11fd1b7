/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests for what one of the servers has, and nobody knows which: a resource is read from one
 * server after the other until one knows it, in the order of the configuration; those that are just
 * being started again are waited for only where no other knows it. Subscriptions go to all of them
 * at the same time, because a server may say yes to a resource that it does not have: whose it is
 * has heard of it then, too. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { SERVER_ERROR = -32000 };

static void add_pieces(struct buf *out, const struct iovec *iov, int count)
{
    buf_clear(out);
    for (int i = 0; i < count; i++)
        buf_add(out, iov[i].iov_base, iov[i].iov_len);
}

/* ---- one server after the other ---- */

static void try_next(struct part *p);

/* An answer that is no error is it; so is the last error. */
static void on_try(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct part *p = ctx;

    p->done = true;
    add_pieces(&p->answer, iov, count);
    p->is_error = is_error;
    p->index++;
    if (!p->sending)
        try_next(p);
}

static void end_tries(struct part *p)
{
    AUTO_BUF struct buf answer = p->answer;
    AUTO_FREE char *token = TAKE(p->token);
    struct span id = {token, p->id.n};
    call_reply_fn fn = p->fn;
    void *ctx = p->ctx;
    bool is_error = p->is_error;

    (void)token;                     /* kept to the end: id lies in it */
    p->answer = BUF_INIT;
    part_free(p);
    if (answer.len)
        fn(ctx, &(struct iovec){answer.data, answer.len}, 1, is_error);
    else
        aggregate_refuse(id, SERVER_ERROR,
                         "no server that could have it is ready", fn, ctx);
}

/* Restarting: its session holds what is asked meanwhile. */
static bool comes_soon(const struct server *s, const char *capability)
{
    return s->wanted == WANTED_UP && s->state < SERVER_FAILED && s->failures <= 1 &&
           !aggregate_is_there(s) && !s->config->quarantined &&
           session_has_capability(s->session, capability);
}

/* From p->index on, until one is asked that answers later: all that are ready, then the others. */
static void try_next(struct part *p)
{
    struct fleet *fl = p->a->fleet;
    struct envelope e;

    while ((p->is_error || !p->answer.len) && p->index < 2 * fleet_count(fl)) {
        struct server *s = fleet_at(fl, p->index % fleet_count(fl));
        bool asks = p->index < fleet_count(fl) ? aggregate_asks(p->a, s, p->capability)
                                               : comes_soon(s, p->capability);
        if (!asks) {
            p->index++;
            continue;
        }
        if (envelope_scan(p->again, p->again_n, &e, NULL))
            break;
        if (part_send(p, aggregate_member(p->a, s), &e, on_try))
            return;
    }
    end_tries(p);
}

bool aggregate_seek(struct aggregate *a, const struct envelope *e, const char *capability,
                    call_reply_fn fn, void *ctx)
{
    struct part *p = part_new(a, fn, ctx);
    bool alive = true;

    p->again = xstrndup(e->body.p, e->body.n);
    p->again_n = e->body.n;
    p->token = xstrndup(e->id.p, e->id.n);
    p->id = (struct span){p->token, e->id.n};
    p->capability = capability;
    p->alive = &alive;
    try_next(p);
    if (alive)
        p->alive = NULL;
    return alive;
}

/* ---- what the client watches ---- */

enum { MAX_WATCHED = 1024 };

static void remember_watched(struct aggregate *a, struct span uri, bool watches)
{
    AUTO_FREE char *token = span_line(uri);
    ptrdiff_t at = strvec_find(&a->watched, token);

    if (at >= 0 && !watches)
        strvec_remove(&a->watched, (size_t)at);
    else if (at < 0 && watches && *token == '"' && a->watched.n < MAX_WATCHED)
        strvec_add(&a->watched, token);
}

void aggregate_watch(struct peer *m, const struct server *s)
{
    if (m->watches || !m->a->watched.n || !aggregate_asks(m->a, s, "resources"))
        return;
    m->watches = true;
    for (size_t i = 0; i < m->a->watched.n; i++) {
        AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":"
                                         "\"resources/subscribe\",\"params\":{\"uri\":%s}}",
                                         m->a->watched.v[i]);
        struct envelope e;
        if (!envelope_scan(text, strlen(text), &e, NULL))
            part_send_alone(m->a, m, &e);
    }
}

/* ---- all at the same time ---- */

struct spread {
    size_t pending;
    bool building;              /* more are being asked */
    bool answered;
    struct buf error;           /* the last one */
    char *uri;                  /* the token, where it is watched if this works; or NULL */
    struct span id;             /* behind this struct */
    call_reply_fn fn;
    void *ctx;
};

static void spread_free(struct spread *sp)
{
    free(sp->uri);
    buf_fini(&sp->error);
    free(sp);
}

static void part_gone(struct part *p)
{
    struct spread *sp = p->spread;

    sp->answered = true;
    if (--sp->pending == 0 && !sp->building)
        spread_free(sp);
}

/* Nothing of it is touched after its owner was told, who may end everything. */
static void answer(struct aggregate *a, struct spread *sp, bool worked)
{
    if (worked && sp->uri)
        remember_watched(a, span_of(sp->uri), true);
    AUTO_FREE char *id = xstrndup(sp->id.p, sp->id.n);
    AUTO_BUF struct buf error = sp->error;
    struct span token = {id, sp->id.n};
    call_reply_fn fn = sp->fn;
    void *ctx = sp->ctx;

    sp->answered = true;
    sp->error = BUF_INIT;
    if (!sp->pending && !sp->building)
        spread_free(sp);
    if (worked)
        aggregate_answer(token, "{}", 2, fn, ctx);
    else if (error.len)
        fn(ctx, &(struct iovec){error.data, error.len}, 1, true);
    else
        aggregate_refuse(token, SERVER_ERROR, "no server that could have it is ready", fn, ctx);
}

/* Those that are still asked when it is answered belong to no request any more. */
static void spread_over(struct aggregate *a, const struct spread *sp)
{
    for (struct part *p = a->parts; p; p = p->next)
        if (p->spread == sp)
            p->ctx = NULL;
}

static void on_spread(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct part *p = ctx;
    struct spread *sp = p->spread;
    struct aggregate *a = p->a;

    p->done = true;
    p->gone = NULL;
    sp->pending--;
    if (is_error)
        add_pieces(&sp->error, iov, count);
    if (!p->sending)
        part_free(p);
    if (sp->answered && !sp->pending && !sp->building) {
        spread_free(sp);
    } else if (!sp->answered && (!is_error || (!sp->pending && !sp->building))) {
        spread_over(a, sp);
        answer(a, sp, !is_error);
    }
}

bool aggregate_spread(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct spread *sp = xcalloc(1, sizeof *sp + e->id.n);
    bool leaves = span_is(e->method, "resources/unsubscribe");
    struct span uri = span_member(e->params, "uri");

    sp->id = (struct span){memcpy(sp + 1, e->id.p, e->id.n), e->id.n};
    sp->fn = fn;
    sp->ctx = ctx;
    sp->building = true;
    if (leaves)
        remember_watched(a, uri, false);
    else
        sp->uri = span_line(uri);
    for (size_t i = 0; i < fleet_count(a->fleet); i++) {
        struct server *s = fleet_at(a->fleet, i);
        /* Where a server is down, its session knows what to do without it when a subscription
         * ends. */
        if (!aggregate_asks(a, s, "resources") && !(leaves && aggregate_peer(a, s)) &&
            !(!leaves && comes_soon(s, "resources")))
            continue;
        struct peer *m = aggregate_member(a, s);
        aggregate_watch(m, s);
        struct part *p = part_new(a, fn, sp->answered ? NULL : ctx);
        p->spread = sp;
        p->id = sp->id;
        p->gone = part_gone;
        sp->pending++;
        if (!part_send(p, m, e, on_spread))
            part_free(p);
    }
    sp->building = false;
    if (sp->pending)
        return !sp->answered;
    if (sp->answered)
        spread_free(sp);
    else
        answer(a, sp, false);
    return false;
}
