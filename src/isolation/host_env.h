/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The environment of a server on the host: what an allow-list lets through of ours, then the
 * server's own. */
#ifndef MCPTOP_ISOLATION_HOST_ENV_H
#define MCPTOP_ISOLATION_HOST_ENV_H

#include <stdbool.h>
#include "base/strvec.h"

bool host_env_passes(const char *name, size_t n);
/* "NAME=value" strings for execve: of `from` what passes, then `own` (which wins). */
void host_env_build(char *const *from, const struct kvvec *own, struct strvec *out);

#endif
