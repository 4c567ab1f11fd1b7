/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What looks like a secret in the words of a command, shown as ***: in logs, in the API, on
 * screens. A guess by names ("--api-key", "Authorization:", "GITHUB_TOKEN=", "?token=") and by the
 * beginnings of well-known tokens ("ghp_", "sk-"): it hides what people write in practice, and is
 * no promise. Where the values of secrets are known, they are hidden wherever they stand. */
#ifndef MCPTOP_BASE_SECRET_H
#define MCPTOP_BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/strvec.h"

#define SECRET_MASK "***"

/* The arguments of a command, without the command itself. Appended. "--token X" hides X, and -e (or
 * --env) the value of any NAME=VALUE. */
void secret_mask_args(char *const *args, size_t n, struct strvec *out);
/* One value: "NAME=…" and "Name: …" whose name sounds secret, the password and the query of a URL,
 * a token; in a script (what has spaces) also NAME=… and --name … inside. Appended. */
void secret_mask_value(const char *value, struct buf *out);

/* Is a variable of this name and value a secret? */
bool secret_is_named(const char *name, size_t n, const char *value);
/* Is it long and odd enough to be looked for elsewhere? */
bool secret_is_telling(const char *value);
/* Adds the secrets among these variables that are. */
void secret_know_env(const struct kvvec *env, struct strvec *values);
/* Each occurrence of one of the values is hidden. Appended. */
void secret_mask_known(const char *s, size_t n, const struct strvec *values, struct buf *out);
/* The same in place; *text may be NULL. */
void secret_mask_known_in(char **text, const struct strvec *values);

#endif
