/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/shell_layout.c: a shell reads the same words, and people can read them, too. */
#include "cli/shell_layout.h"

#include <string.h>
#include "base/mem.h"
#include "tap.h"

/* The breaks made spaces again. */
static char *joined(const char *laid)
{
    struct buf b = BUF_INIT;
    for (const char *p = laid, *end; *p; p = end) {
        end = strstr(p, " \\\n    ");
        buf_add(&b, p, end ? (size_t)(end - p) : strlen(p));
        buf_add_str(&b, end ? " " : "");
        end = end ? end + strlen(" \\\n    ") : p + strlen(p);
    }
    return buf_take(&b);
}

static void lays(const char *line, size_t width, const char *want)
{
    AUTO_BUF struct buf b = BUF_INIT;
    shell_layout(line, width, &b);
    AUTO_FREE char *again = joined(buf_str(&b));
    is_str(again, line, "the words of %.20s… stay", line);
    is_str(buf_str(&b), want, "laid out at %zu", width);
}

int main(void)
{
    tap_deadline(30);
    lays("env -i A=\"$A\" cmd x", 80, "env -i A=\"$A\" cmd x");
    lays("env -i A=\"$A\" 'B-C=d e' npx -y pkg", 20,
         "env -i \\\n    A=\"$A\" \\\n    'B-C=d e' \\\n    npx -y pkg");
    lays("(cd /x && exec env -i PATH=\"$PATH\" sh -c 'exec a  b')", 40,
         "(cd /x && exec env -i \\\n    PATH=\"$PATH\" \\\n    sh -c 'exec a  b')");
    lays("docker run -i --rm --memory=512m -e A -v '/a b:/a b' --init node:20 npx -y pkg -e x", 30,
         "docker run -i --rm \\\n    --memory=512m \\\n    -e A \\\n    -v '/a b:/a b' \\\n    --init \\\n"
         "    node:20 npx -y pkg -e x");
    lays("K='a b' docker run -i --rm -e K alpine:3.18 sh", 20,
         "K='a b' docker run \\\n    -i --rm \\\n    -e K \\\n    alpine:3.18 sh");
    lays("env -i A=1 cmd one two three four five six", 20,
         "env -i \\\n    A=1 \\\n    cmd one two \\\n    three four \\\n    five six");
    lays("env -i A=1 sh -c 'it'\\''s  a \\ long' \"and \\\" quoted\"", 20,
         "env -i \\\n    A=1 \\\n    sh -c \\\n    'it'\\''s  a \\ long' \\\n    \"and \\\" quoted\"");
    lays("docker run -i --rm x sh -c 'if a long one\nthen b\nfi' sh y z", 30,
         "docker run -i --rm \\\n    x sh -c \\\n    'if a long one\nthen b\nfi' sh y z");
    lays("# not started: mode sandbox is not supported", 20,
         "# not started: mode sandbox is not supported");
    lays("", 20, "");
    lays("env -i unterminated 'quote of a line that is long", 20,
         "env -i \\\n    unterminated \\\n    'quote of a line that is long");
    return done_testing();
}
