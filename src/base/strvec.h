/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A NULL-terminated vector of owned strings (argv shape), and a vector of key/value pairs. */
#ifndef MCPTOP_BASE_STRVEC_H
#define MCPTOP_BASE_STRVEC_H

#include <stdbool.h>
#include <stddef.h>

struct strvec {
    char **v;        /* owned; v[n] == NULL; NULL only while never added to */
    size_t n, cap;
};
void strvec_add(struct strvec *s, const char *str);            /* copies */
void strvec_addf(struct strvec *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strvec_give(struct strvec *s, char *str);                 /* takes over */
void strvec_copy(struct strvec *to, const struct strvec *from);/* to is replaced */
ptrdiff_t strvec_find(const struct strvec *s, const char *str);  /* where; -1 = nowhere */
bool strvec_equal(const struct strvec *a, const struct strvec *b);
void strvec_remove(struct strvec *s, size_t i);                /* i < n; the order stays */
void strvec_fini(struct strvec *s);
#define AUTO_STRVEC __attribute__((cleanup(strvec_fini)))

struct kv { char *key, *value; };
struct kvvec {
    struct kv *v;    /* owned, in the order of the source */
    size_t n, cap;
};
void kvvec_set(struct kvvec *s, const char *key, const char *value);   /* replaces an equal key */
const char *kvvec_get(const struct kvvec *s, const char *key);         /* NULL when absent */
void kvvec_copy(struct kvvec *to, const struct kvvec *from);
bool kvvec_equal(const struct kvvec *a, const struct kvvec *b);
void kvvec_fini(struct kvvec *s);

#endif
