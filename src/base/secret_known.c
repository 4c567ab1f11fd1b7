/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrets whose value is known, wherever they stand: a script in `sh -c`, a line on stderr. */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

/* Shorter ones, and words that stand everywhere, would hide what is no secret. */
bool secret_is_telling(const char *value)
{
    static const char *const words[] = { "true", "false", "none", "null", "default", "info",
                                         "debug", "enabled", "disabled", "required", "optional",
                                         "bearer", "basic", "oauth", "token" };
    enum { SHORTEST = 4, SHORTEST_NUMBER = 6 };
    size_t n = strlen(value);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasecmp(value, words[i]) == 0)
            return false;
    return n >= (strspn(value, "0123456789") == n ? SHORTEST_NUMBER : SHORTEST);
}

void secret_know_env(const struct kvvec *env, struct strvec *values)
{
    for (size_t i = 0; i < env->n; i++) {
        const struct kv *kv = &env->v[i];
        if (secret_is_named(kv->key, strlen(kv->key), kv->value) && secret_is_telling(kv->value))
            strvec_add(values, kv->value);
    }
}

/* The longest that begins here: one may be the beginning of another. */
static size_t known_at(const char *p, size_t left, const struct strvec *values)
{
    size_t longest = 0;
    for (size_t i = 0; i < values->n; i++) {
        size_t n = strlen(values->v[i]);
        if (n > longest && n <= left && memcmp(p, values->v[i], n) == 0)
            longest = n;
    }
    return longest;
}

void secret_mask_known(const char *s, size_t n, const struct strvec *values, struct buf *out)
{
    for (size_t i = 0; i < n;) {
        size_t hide = known_at(s + i, n - i, values);
        if (hide)
            buf_add_str(out, SECRET_MASK);
        else
            buf_add_char(out, s[i]);
        i += hide ? hide : 1;
    }
}

void secret_mask_known_in(char **text, const struct strvec *values)
{
    struct buf out = BUF_INIT;
    if (!*text || !values->n)
        return;
    secret_mask_known(*text, strlen(*text), values, &out);
    free(*text);
    *text = buf_take(&out);
}
