/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A search for orphans, and what it found as part of the mirror. Must not know who asks: several
 * that ask while one search is under way share it. */
#include "supervisor/containers_private.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

struct waiter {
    containers_fn fn;
    void *ctx;
    struct waiter *next;
};

struct look {
    struct containers *cs;
    struct orphans_search *search;
    char id[65];
    containers_fn fn;
    void *ctx;
    struct look *next;
};

static void tell_waiters(struct containers *cs, const struct fault *f)
{
    struct waiter *all = cs->waiters;
    cs->waiters = NULL;         /* who asks again from inside waits for the next one */
    while (all) {
        struct waiter w = *all;
        free(all);
        all = w.next;
        w.fn(w.ctx, f);
    }
}

static bool is_among(const struct orphan_subject *v, size_t n, const char *id)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].id, id) == 0)
            return true;
    return false;
}

/* What an earlier search said of containers that this one did not find. */
static void forget_verdicts(struct containers *cs, const struct orphan_subject *v, size_t n)
{
    for (size_t i = cs->n; i-- > 0;) {
        struct fleet_container *c = &cs->v[i];
        if (!c->evidence || is_among(v, n, c->id))
            continue;
        if (c->foreign) {
            containers_forget(cs, c);
            continue;
        }
        free(TAKE(c->evidence));
        c->orphan = false;
        containers_tell_changed(cs, c);
    }
}

static void take_verdict(struct containers *cs, struct orphan_subject *s)
{
    struct fleet_container *c = containers_mirrored(cs, s->id);
    if (!c) {
        c = containers_mirror(cs, s->id);
        c->foreign = !s->managed;
        snprintf(c->name, sizeof c->name, "%s", s->name);
        snprintf(c->image, sizeof c->image, "%s", s->image);
        snprintf(c->state, sizeof c->state, "running");
        snprintf(c->server, sizeof c->server, "%s", s->server);
        snprintf(c->instance, sizeof c->instance, "%s", s->instance);
        c->created_wall_ms = s->created_wall_ms;
        c->state_wall_ms = s->created_wall_ms;
    }
    free(c->evidence);
    c->evidence = buf_take(&s->evidence);
    c->orphan = s->orphan;
    c->cpu_percent = s->cpu_percent;
    if (s->memory_bytes >= 0)
        c->memory_bytes = s->memory_bytes;
    containers_tell_changed(cs, c);
}

static void on_found(void *ctx, struct orphan_subject *v, size_t n, const struct fault *f)
{
    struct containers *cs = ctx;
    cs->search = NULL;
    if (!f) {
        forget_verdicts(cs, v, n);
        for (size_t i = 0; i < n; i++)
            take_verdict(cs, &v[i]);
    }
    tell_waiters(cs, f);
}

void containers_search(struct containers *cs, containers_fn fn, void *ctx)
{
    struct waiter *w;
    struct fault f = FAULT_NONE;
    if (cs->state == CONTAINERS_DOWN || !cs->engine) {
        fault_set(&f, FAULT_ENGINE_DOWN, "%s", cs->error);
        fn(ctx, &f);
        return;
    }
    w = xcalloc(1, sizeof *w);
    *w = (struct waiter){ fn, ctx, cs->waiters };
    cs->waiters = w;
    if (!cs->search)
        cs->search = orphans_search(cs->loop, cs->engine, cs->instance, on_found, cs);
}

/* ---- one of them again ---- */

/* Frees it and tells. */
static void look_end(struct look *l, const struct fault *f)
{
    struct look done = *l, **p = &l->cs->looks;
    while (*p != l)
        p = &(*p)->next;
    *p = l->next;
    free(l);
    done.fn(done.ctx, f);
}

static void on_looked_again(void *ctx, struct orphan_subject *v, size_t n, const struct fault *f)
{
    struct look *l = ctx;
    struct fleet_container *c = containers_mirrored(l->cs, l->id);
    if (!f && n)
        take_verdict(l->cs, &v[0]);
    else if (!f && c && c->foreign)
        containers_forget(l->cs, c);
    look_end(l, f);
}

void containers_look_again(struct containers *cs, const char *id, containers_fn fn, void *ctx)
{
    const struct fleet_container *c = containers_mirrored(cs, id);
    struct look *l = xcalloc(1, sizeof *l);
    *l = (struct look){ .cs = cs, .fn = fn, .ctx = ctx, .next = cs->looks };
    snprintf(l->id, sizeof l->id, "%s", id);
    cs->looks = l;
    l->search = orphans_look_again(cs->loop, cs->engine, id, c ? c->cpu_percent : -1,
                                   on_looked_again, l);
}

void containers_orphans_stop(struct containers *cs, const struct fault *why)
{
    struct fault f = FAULT_NONE;
    orphans_cancel(TAKE(cs->search));
    fault_set(&f, FAULT_ENGINE_DOWN, "%s", why ? why->text : "the engine is not used any more");
    tell_waiters(cs, &f);
    while (cs->looks) {
        orphans_cancel(cs->looks->search);
        look_end(cs->looks, &f);
    }
}
