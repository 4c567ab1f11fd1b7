/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of owned strings and of key/value pairs. Linear search: they hold tens of entries (argv,
 * env, labels), in the order of their source, which users see. */
#include "base/strvec.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"

void strvec_give(struct strvec *s, char *str)
{
    if (s->n + 1 >= s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->v = xrealloc(s->v, s->cap * sizeof *s->v);
    }
    s->v[s->n++] = str;
    s->v[s->n] = NULL;
}

void strvec_add(struct strvec *s, const char *str)
{
    strvec_give(s, xstrdup(str));
}

void strvec_addf(struct strvec *s, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    strvec_give(s, buf_take(&b));
}

void strvec_copy(struct strvec *to, const struct strvec *from)
{
    if (to == from)
        return;
    strvec_fini(to);
    for (size_t i = 0; i < from->n; i++)
        strvec_add(to, from->v[i]);
}

ptrdiff_t strvec_find(const struct strvec *s, const char *str)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i], str) == 0)
            return (ptrdiff_t)i;
    return -1;
}

bool strvec_equal(const struct strvec *a, const struct strvec *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->v[i], b->v[i]) != 0)
            return false;
    }
    return true;
}

void strvec_remove(struct strvec *s, size_t i)
{
    free(s->v[i]);
    memmove(s->v + i, s->v + i + 1, (s->n - i) * sizeof *s->v);     /* the NULL, too */
    s->n--;
}

void strvec_fini(struct strvec *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i]);
    free(s->v);
    *s = (struct strvec){0};
}

static struct kv *kvvec_find(const struct kvvec *s, const char *key)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->v[i].key, key) == 0)
            return &s->v[i];
    }
    return NULL;
}

void kvvec_set(struct kvvec *s, const char *key, const char *value)
{
    char *copy = xstrdup(value);   /* first: value may be the one replaced */
    struct kv *kv = kvvec_find(s, key);
    if (kv) {
        free(kv->value);
        kv->value = copy;
        return;
    }
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 8;
        s->v = xrealloc(s->v, s->cap * sizeof *s->v);
    }
    s->v[s->n++] = (struct kv){ xstrdup(key), copy };
}

const char *kvvec_get(const struct kvvec *s, const char *key)
{
    const struct kv *kv = kvvec_find(s, key);
    return kv ? kv->value : NULL;
}

void kvvec_copy(struct kvvec *to, const struct kvvec *from)
{
    if (to == from)
        return;
    kvvec_fini(to);
    for (size_t i = 0; i < from->n; i++)
        kvvec_set(to, from->v[i].key, from->v[i].value);
}

bool kvvec_equal(const struct kvvec *a, const struct kvvec *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        if (strcmp(a->v[i].key, b->v[i].key) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
            return false;
    }
    return true;
}

void kvvec_fini(struct kvvec *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].key);
        free(s->v[i].value);
    }
    free(s->v);
    *s = (struct kvvec){0};
}
