/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A short list of ids. Clients have few requests open, and the oldest is usually answered first:
 * searched from the front. */
#include "cli/inflight.h"

#include <string.h>
#include "base/mem.h"

bool inflight_add(struct inflight *f, struct rpc_span id)
{
    if (f->count == INFLIGHT_MAX || id.n > INFLIGHT_ID_MAX)
        return false;
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 16;
        f->ids = xrealloc(f->ids, f->cap * sizeof *f->ids);
    }
    char *token = xmalloc(id.n);
    memcpy(token, id.p, id.n);
    f->ids[f->count++] = (struct inflight_id){ token, id.n };
    return true;
}

bool inflight_remove(struct inflight *f, struct rpc_span id)
{
    for (size_t i = 0; i < f->count; i++) {
        struct inflight_id *x = &f->ids[i];
        if (x->n != id.n || memcmp(x->token, id.p, id.n) != 0)
            continue;
        free(x->token);
        memmove(x, x + 1, (f->count - i - 1) * sizeof *x);
        f->count--;
        return true;
    }
    return false;
}

void inflight_clear(struct inflight *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->ids[i].token);
    f->count = 0;
}

void inflight_fini(struct inflight *f)
{
    inflight_clear(f);
    free(f->ids);
    *f = (struct inflight){ 0 };
}
