/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One question to the engine at a time, a directory after the other, until one has the program. */
#include "supervisor/runner_search.h"

#include <assert.h>
#include <stdlib.h>
#include "base/mem.h"

struct runner_search {
    struct engine *engine;
    char *container_id, *program;
    struct strvec dirs;
    size_t dir;                         /* the one being looked into */
    struct engine_request *request;
    runner_found_fn fn;
    void *ctx;
};

void runner_search_cancel(struct runner_search *r)
{
    if (!r)
        return;
    engine_cancel(r->request);
    strvec_fini(&r->dirs);
    free(r->container_id);
    free(r->program);
    free(r);
}

static void found(struct runner_search *r, bool present, const struct fault *f)
{
    runner_found_fn fn = r->fn;
    void *ctx = r->ctx;
    runner_search_cancel(r);
    fn(ctx, present, f);
}

static void look(struct runner_search *r);

static void on_path(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    struct runner_search *r = ctx;
    r->request = NULL;
    if (f && f->code == FAULT_ENGINE_DOWN)
        found(r, false, f);
    else if (!f || f->code != FAULT_NOT_FOUND)
        found(r, true, NULL);
    else if (++r->dir < r->dirs.n)
        look(r);
    else
        found(r, false, NULL);
}

static void look(struct runner_search *r)
{
    AUTO_FREE char *path = xasprintf("%s/%s", r->dirs.v[r->dir], r->program);
    r->request = engine_path_exists(r->engine, r->container_id, path, on_path, r);
}

struct runner_search *runner_search_begin(struct engine *e, const char *container_id,
                                          const char *program, const struct strvec *dirs,
                                          runner_found_fn fn, void *ctx)
{
    assert(dirs->n);
    struct runner_search *r = xcalloc(1, sizeof *r);
    *r = (struct runner_search){ .engine = e, .container_id = xstrdup(container_id),
                                 .program = xstrdup(program), .fn = fn, .ctx = ctx };
    strvec_copy(&r->dirs, dirs);
    look(r);
    return r;
}
