/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which engine: the unix socket that DOCKER_HOST names, else the default one. Other contexts come
 * with their own issue. */
#ifndef MCPTOP_DOCKER_CONTEXT_H
#define MCPTOP_DOCKER_CONTEXT_H

#include "base/fault.h"

struct docker_context {
    char *name;        /* "default" */
    char *host;        /* "unix:///var/run/docker.sock" */
    char *socket;      /* "/var/run/docker.sock" */
    char *why;         /* "DOCKER_HOST is set" / "no DOCKER_HOST: the default socket" */
};
/* From the environment. DOCKER_HOST of another kind (tcp, ssh) is FAULT_UNSUPPORTED with a
 * sentence. */
int docker_context_resolve(struct docker_context *ret, struct fault *f);
void docker_context_fini(struct docker_context *c);

#endif
