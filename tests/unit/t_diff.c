/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The unified diff: exact texts, and what diff(1)'s own readers expect of ranges. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/diff.h"
#include "tap.h"

static const struct {
    const char *what, *a, *b;
    int context;
    const char *want;
} cases[] = {
    {"equal", "a\nb\n", "a\nb\n", 3, ""},
    {"both empty", "", "", 3, ""},
    {"one line changed", "a\nb\nc\n", "a\nB\nc\n", 1, "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"},
    {"no context", "a\nb\nc\n", "a\nB\nc\n", 0, "@@ -2 +2 @@\n-b\n+B\n"},
    {"a line put in", "a\nc\n", "a\nb\nc\n", 0, "@@ -1,0 +2 @@\n+b\n"},
    {"a line taken out", "a\nb\nc\n", "a\nc\n", 0, "@@ -2 +1,0 @@\n-b\n"},
    {"from nothing", "", "a\n", 3, "@@ -0,0 +1 @@\n+a\n"},
    {"to nothing", "a\n", "", 3, "@@ -1 +0,0 @@\n-a\n"},
    {"no newline at the end", "a", "b", 3,
     "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n"},
    {"a comma and a line", "{\n  \"a\": 1\n}\n", "{\n  \"a\": 1,\n  \"b\": 2\n}\n", 1,
     "@@ -1,3 +1,4 @@\n {\n-  \"a\": 1\n+  \"a\": 1,\n+  \"b\": 2\n }\n"},
    {"two far apart", "1\n2\n3\n4\n5\n6\n7\n8\n", "x\n2\n3\n4\n5\n6\n7\ny\n", 1,
     "@@ -1,2 +1,2 @@\n-1\n+x\n 2\n@@ -7,2 +7,2 @@\n 7\n-8\n+y\n"},
    {"two near each other are one", "1\n2\n3\n4\n", "x\n2\n3\ny\n", 1,
     "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n-4\n+y\n"},
    {"a block moved", "a\nb\nc\nd\n", "c\nd\na\nb\n", 0,
     "@@ -1,2 +0,0 @@\n-a\n-b\n@@ -4,0 +3,2 @@\n+a\n+b\n"},
};

int main(void)
{
    tap_deadline(30);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        diff_text(cases[i].a, strlen(cases[i].a), cases[i].b, strlen(cases[i].b), cases[i].context,
                  &out);
        is_str(buf_str(&out), cases[i].want, "%s", cases[i].what);
    }
    /* Beyond the table's bound the middle is replaced as a whole, and nothing is slow. */
    AUTO_BUF struct buf a = BUF_INIT;
    AUTO_BUF struct buf b = BUF_INIT;
    AUTO_BUF struct buf out = BUF_INIT;
    for (int i = 0; i < 20000; i++) {
        buf_printf(&a, "a%d\n", i);
        buf_printf(&b, "b%d\n", i);
    }
    diff_text(a.data, a.len, b.data, b.len, 3, &out);
    ok(strncmp(buf_str(&out), "@@ -1,20000 +1,20000 @@\n-a0\n", 28) == 0, "a big change");
    return done_testing();
}
