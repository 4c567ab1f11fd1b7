/* SPDX-License-Identifier: GPL-3.0-or-later */
/* strvec.h: the argv shape, and pairs in the order of their source. */
#include "base/strvec.h"

#include "base/mem.h"
#include "tap.h"

static void pairs(void)
{
    struct kvvec a = {0}, b = {0};
    is_str(kvvec_get(&a, "k"), NULL, "absent in an empty one");
    ok(kvvec_equal(&a, &b), "two empty ones are equal");
    for (int i = 0; i < 40; i++) {
        AUTO_FREE char *k = xasprintf("k%d", i);
        kvvec_set(&a, k, "v");
    }
    is_int(a.n, 40, "forty keys");
    kvvec_set(&a, "k7", "new");
    is_int(a.n, 40, "an equal key is replaced");
    is_str(a.v[7].value, "new", "in its place");
    kvvec_set(&a, "k7", a.v[7].value);
    is_str(kvvec_get(&a, "k7"), "new", "a value set to itself");
    kvvec_copy(&b, &a);
    ok(kvvec_equal(&a, &b), "a copy is equal");
    kvvec_set(&b, "k39", "other");
    ok(!kvvec_equal(&a, &b), "another value is a difference");
    kvvec_set(&b, "k39", "v");
    kvvec_set(&b, "more", "v");
    ok(!kvvec_equal(&a, &b), "another key is a difference");
    kvvec_copy(&b, &b);
    is_int(b.n, 41, "a copy of itself changes nothing");
    kvvec_fini(&a);
    kvvec_fini(&a);
    kvvec_copy(&b, &a);
    is_int(b.n, 0, "a copy of nothing is nothing");
    kvvec_fini(&b);
}

int main(void)
{
    struct strvec a = {0}, b = {0};
    ok(strvec_equal(&a, &b), "two empty ones are equal");
    for (int i = 0; i < 100; i++)
        strvec_addf(&a, "arg %d", i);
    is_int(a.n, 100, "a hundred");
    ok(a.v[100] == NULL, "NULL-terminated");
    is_str(a.v[99], "arg 99", "the last");
    strvec_give(&b, xstrdup("old"));
    strvec_copy(&b, &a);
    ok(strvec_equal(&a, &b) && b.v[0] != a.v[0], "a copy is equal and its own");
    strvec_add(&b, "");
    ok(!strvec_equal(&a, &b), "an empty string is a difference");
    ok(strvec_find(&b, "") == (ptrdiff_t)b.n - 1 && strvec_find(&b, "none") == -1, "it is found");
    strvec_remove(&b, b.n - 1);
    ok(strvec_equal(&a, &b) && !b.v[b.n], "and gone when it is removed");
    strvec_add(&b, "");
    strvec_copy(&b, &b);
    is_int(b.n, 101, "a copy of itself changes nothing");
    strvec_add(&b, b.v[3]);
    is_str(b.v[101], "arg 3", "adding one of its own");
    strvec_fini(&a);
    ok(!a.v && !a.n, "fini empties");
    strvec_fini(&a);
    strvec_copy(&b, &a);
    is_int(b.n, 0, "a copy of nothing is nothing");
    strvec_fini(&b);
    pairs();
    return done_testing();
}
