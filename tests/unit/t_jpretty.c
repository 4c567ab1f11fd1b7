/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jpretty.h: only white space between tokens changes. */
#include "base/jpretty.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tap.h"

static void is_pretty(const char *text, const char *want)
{
    AUTO_BUF struct buf b = BUF_INIT;
    jpretty(&b, text, strlen(text));
    is_str(buf_str(&b), want, "%s", text);
}

/* Bytes that are not layout, in order. */
static void bare(struct buf *out, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \n\t\r", p[i]) || !p[i])
            buf_add_char(out, p[i]);
}

static void any_bytes(void)
{
    static const char set[] = "{}[],:\"\\n a1";
    unsigned seed = 7;
    bool same = true;
    for (int round = 0; round < 5000; round++) {
        char text[40];
        AUTO_BUF struct buf out = BUF_INIT, a = BUF_INIT, b = BUF_INIT;
        size_t n = (size_t)rand_r(&seed) % sizeof text;
        for (size_t i = 0; i < n; i++)
            text[i] = set[(size_t)rand_r(&seed) % (sizeof set - 1)];
        jpretty(&out, text, n);
        bare(&a, text, n);
        bare(&b, buf_str(&out), out.len);
        same = same && a.len == b.len && (!a.len || memcmp(a.data, b.data, a.len) == 0);
    }
    ok(same, "whatever the bytes are, none is lost or added");
}

int main(void)
{
    tap_deadline(30);
    is_pretty("{\"a\":1,\"b\":[true,1e400],\"c\":{},\"d\":[ ]}",
              "{\n  \"a\": 1,\n  \"b\": [\n    true,\n    1e400\n  ],\n  \"c\": {},\n  \"d\": []\n}");
    is_pretty(" { \"a\" : \"x, {y}: \\\"z\\\" \" } ", "{\n  \"a\": \"x, {y}: \\\"z\\\" \"\n}");
    is_pretty("\"a\\nb\\n\"", "\"a\\n\n  b\\n\"");
    is_pretty("\"\\\\n\\ud800\"", "\"\\\\n\\ud800\"");
    is_pretty("", "");
    is_pretty("]}", "\n]\n}");
    any_bytes();
    return done_testing();
}
