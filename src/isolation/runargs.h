/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `docker run` words, as found in extra_args and behind `docker run`: parsed into the plan's
 * fields, and from the plan into the Engine's JSON (API 1.41). Long, short, bundled, joined and =
 * forms, as the docker client's own parser has them. Which flags there are: run_flag.c. */
#ifndef MCPTOP_ISOLATION_RUNARGS_H
#define MCPTOP_ISOLATION_RUNARGS_H

#include <jansson.h>
#include "base/fault.h"
#include "base/strvec.h"

struct plan;

/* Where words come from, and what they mean there. All borrowed. */
struct runargs {
    struct plan *plan;            /* gets what they say */
    const char *where;            /* for notes: "isolation.extra_args", "args" */
    int line;                     /* of the configuration, for notes */
    /* `-e KEY` looks here before it looks into our environment; NULL = nothing there */
    const struct kvvec *env;
    const char *dir;              /* what ./x is relative to; NULL = the current directory */
    /* The words of a whole `docker run`: what its author wrote is done as docker does it, also
     * where extra_args are stricter (-v of a missing path, -t). */
    bool adopted;
};

/* Applies the words in order (later flags win) up to the first that is no flag: *ret_index is then
 * its position, or words->n. On failure f names the flag, never a value of -e, and *ret_index is
 * the word's position. FAULT_UNSUPPORTED: outside the mapping; FAULT_INVALID: malformed;
 * FAULT_CONFLICT: it cannot work with MCP; an errno: a file that cannot be read. */
int runargs_read(const struct runargs *r, const struct strvec *words, size_t from,
                 size_t *ret_index, struct fault *f);
/* All of them, and a word that is no flag is an error. */
int runargs_apply(const struct runargs *r, const struct strvec *words, size_t *ret_index,
                  struct fault *f);
/* One entry of isolation.volumes ("/a:/b:ro", "name:/b", "~/x:/y") to a mount of p. */
int runargs_add_volume(struct plan *p, const char *word, struct fault *f);

/* Into a body of POST /containers/create and its HostConfig: the plan's options and mounts. */
void runargs_put(const struct plan *p, json_t *body, json_t *host);

#endif
