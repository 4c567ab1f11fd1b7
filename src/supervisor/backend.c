/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which backend runs a plan, and what all of them do alike. */
#include "supervisor/backend.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>
#include "base/buf.h"

struct backend *backend_new(const struct backend_spec *spec)
{
    assert(spec->plan->mode != PLAN_UNSUPPORTED);
    return spec->plan->mode == PLAN_DOCKER ? backend_docker_new(spec) : backend_host_new(spec);
}

bool backend_is_in(const struct backend *b, const char *id, const char *name)
{
    return *b->container_id ? strcmp(b->container_id, id) == 0
                            : *name && strcmp(b->container_name, name) == 0;
}

void backend_note(struct backend *b, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    b->events.note(b->ctx, buf_str(&text));
}
