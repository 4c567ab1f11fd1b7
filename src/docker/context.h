/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which engine: the one that the docker CLI would use. In its order: DOCKER_HOST; DOCKER_CONTEXT;
 * currentContext of config.json in DOCKER_CONFIG (~/.docker); else "default", the socket at
 * /var/run. Contexts other than "default" stand in contexts/meta/<some directory>/meta.json of the
 * same place (docker/cli 20.10 and later: {"Name","Metadata":{"Description"},"Endpoints":{"docker":
 * {"Host"}}}). Engines on unix sockets can be used by this version: Docker, rootless Docker,
 * Colima, Podman. */
#ifndef MCPTOP_DOCKER_CONTEXT_H
#define MCPTOP_DOCKER_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/fault.h"

struct docker_context {
    char *name;        /* "default", "colima" */
    char *host;        /* "unix:///var/run/docker.sock" */
    char *socket;      /* "/var/run/docker.sock" */
    /* "DOCKER_HOST is set" / "currentContext of /home/u/.docker/config.json" … */
    char *why;
};
/* From the environment and the files. FAULT_UNSUPPORTED for an engine by TCP or ssh,
 * FAULT_NOT_FOUND for a context that does not exist (names those that do), FAULT_INVALID … for
 * a broken meta.json; each with a sentence that says what to change. */
int docker_context_resolve(struct docker_context *ret, struct fault *f);
void docker_context_fini(struct docker_context *c);

/* All that the docker CLI would list. A broken one has its error and hides no other. */
struct docker_context_entry {
    char *name, *description, *host;
    char *error;       /* why it cannot be used; "" */
};
struct docker_contexts {
    struct docker_context_entry *v;    /* owned; "default" first, then by name */
    size_t n;
    char *chosen;      /* the name that the environment chooses, also where there is no such one */
    char *why;
    char *error;       /* of config.json; "" */
};
void docker_contexts_list(struct docker_contexts *ret);
void docker_contexts_fini(struct docker_contexts *c);
/* {"chosen","why","error","contexts":[{"name","description","endpoint","current","error"}…]}; a new
 * reference. */
json_t *docker_contexts_json(void);

#endif
