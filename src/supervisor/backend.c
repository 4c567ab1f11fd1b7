/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which backend runs a plan. */
#include "supervisor/backend.h"

#include <assert.h>

struct backend *backend_new(const struct backend_spec *spec)
{
    assert(spec->plan->mode != PLAN_UNSUPPORTED);
    return spec->plan->mode == PLAN_DOCKER ? backend_docker_new(spec) : backend_host_new(spec);
}
