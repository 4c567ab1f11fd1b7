/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does an image have a program ("uvx")? Looked for in the directories of the image's PATH, in a
 * container that was made from it and need not run. Knows the engine alone. */
#ifndef MCPTOP_SUPERVISOR_RUNNER_SEARCH_H
#define MCPTOP_SUPERVISOR_RUNNER_SEARCH_H

#include <stdbool.h>
#include "base/strvec.h"
#include "docker/engine.h"

struct runner_search;
/* Once, the last: the search is gone by then. An engine that cannot look into containers counts as
 * present, so that nothing is installed that nobody needs. f: it could not be found out, because
 * the engine is down; else NULL. */
typedef void (*runner_found_fn)(void *ctx, bool present, const struct fault *f);

/* Strings and dirs are copied; dirs is not empty. fn never comes from inside. The caller owns the
 * search until fn. */
struct runner_search *runner_search_begin(struct engine *e, const char *container_id,
                                          const char *program, const struct strvec *dirs,
                                          runner_found_fn fn, void *ctx);
void runner_search_cancel(struct runner_search *r);     /* no fn any more; NULL is fine */

#endif
