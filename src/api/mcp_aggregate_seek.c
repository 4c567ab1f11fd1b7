/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests for what one of the servers has, and nobody knows which: a resource is read from one
 * server after the other until one knows it, in the order of the configuration; those that are just
 * being started again are waited for only where no other knows it. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { SERVER_ERROR = -32000 };

void aggregate_keep_pieces(struct buf *out, const struct iovec *iov, int count)
{
    buf_clear(out);
    for (int i = 0; i < count; i++)
        buf_add(out, iov[i].iov_base, iov[i].iov_len);
}

static void try_next(struct part *p);

/* An answer that is no error is it; so is the last error. */
static void on_try(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct part *p = ctx;

    p->done = true;
    aggregate_keep_pieces(&p->answer, iov, count);
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

bool aggregate_comes_soon(const struct server *s, const char *capability)
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
                                               : aggregate_comes_soon(s, p->capability);
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
