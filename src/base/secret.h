/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What looks like a secret in the words of a command, shown as ***: in logs, in the API, on screens. A
 * guess by names ("--api-key", "Authorization:", "GITHUB_TOKEN=", "?token=") and by the beginnings
 * of well-known tokens ("ghp_", "sk-"): it hides what people write in practice, and is no promise. */
#ifndef MCPTOP_BASE_SECRET_H
#define MCPTOP_BASE_SECRET_H

#include <stddef.h>
#include "base/buf.h"
#include "base/strvec.h"

#define SECRET_MASK "***"

/* The arguments of a command, without the command itself. Appended. "--token X" hides X, and -e (or
 * --env) the value of any NAME=VALUE. */
void secret_mask_args(char *const *args, size_t n, struct strvec *out);
/* One value: "NAME=…" and "Name: …" whose name sounds secret, the password and the query of a URL,
 * a token. Appended. */
void secret_mask_value(const char *value, struct buf *out);

#endif
