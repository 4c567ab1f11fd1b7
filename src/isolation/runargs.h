/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `docker run` words, as found in extra_args: parsed into the plan's fields. In this version:
 * memory, cpus, volumes, env, network (long, short, joined and = forms); anything else is an error
 * that names the word and its position. */
#ifndef MCPTOP_ISOLATION_RUNARGS_H
#define MCPTOP_ISOLATION_RUNARGS_H

#include "base/fault.h"
#include "base/strvec.h"

struct plan;

/* Applies the words to p in order (later flags win). On failure f names the word and *ret_index its
 * position. */
int runargs_apply(struct plan *p, const struct strvec *words, size_t *ret_index, struct fault *f);
/* One "-v" word ("/a:/b:ro", "name:/b", "~/x:/y") to a mount of p. */
int runargs_add_volume(struct plan *p, const char *word, struct fault *f);

#endif
