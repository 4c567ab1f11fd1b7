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

static int in_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first of v[from, to), all alike before `at`, whose byte there is not below c. */
static size_t lower_bound(char *const *v, size_t from, size_t to, size_t at, unsigned c)
{
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if ((unsigned char)v[middle][at] < c)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* The longest that begins here: one may be the beginning of another. v is sorted, so those that go
 * on as the text does are neighbours: a file of a thousand servers has as many secrets. */
static size_t known_at(const char *p, size_t left, char *const *v, size_t n)
{
    size_t longest = 0, from = 0, to = n;
    for (size_t at = 0; from < to; at++) {
        for (; from < to && v[from][at] == '\0'; from++)
            longest = at;
        if (at == left)
            break;
        unsigned c = (unsigned char)p[at];
        from = lower_bound(v, from, to, at, c);
        to = lower_bound(v, from, to, at, c + 1);
    }
    return longest;
}

void secret_mask_known(const char *s, size_t n, const struct strvec *values, struct buf *out)
{
    AUTO_FREE char **sorted = xcalloc(values->n + 1, sizeof *sorted);
    if (values->n)
        memcpy(sorted, values->v, values->n * sizeof *sorted);
    qsort(sorted, values->n, sizeof *sorted, in_order);
    for (size_t i = 0; i < n;) {
        size_t hide = known_at(s + i, n - i, sorted, values->n);
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
