/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Label values of /metrics: what is escaped, and that it stays UTF-8 on one line. */
#include "api/metrics.h"
#include "tap.h"

int main(void)
{
    static const struct { const char *value, *want; } cases[] = {
        {"", "\"\""},
        {"plain-1.x", "\"plain-1.x\""},
        {"a\"b\\c", "\"a\\\"b\\\\c\""},
        {"two\nlines\tand a tab", "\"two\\nlines\tand a tab\""},
        {"\xC3\xBC\xF0\x9F\x98\x80", "\"\xC3\xBC\xF0\x9F\x98\x80\""},
        {"a\xFF\xC3z", "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\""},
        {"\xEF\xBF\xBD", "\"\xEF\xBF\xBD\""},
    };

    tap_deadline(10);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        metrics_add_label(&out, cases[i].value);
        is_str(buf_str(&out), cases[i].want, "label %zu", i);
    }
    return done_testing();
}
