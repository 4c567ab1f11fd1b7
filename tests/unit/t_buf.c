/* SPDX-License-Identifier: GPL-3.0-or-later */
/* buf.h: growth, the NUL behind the bytes, consuming, quoting. */
#include "base/buf.h"

#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "tap.h"

static void is_json(const char *in, size_t n, const char *want, const char *what)
{
    AUTO_BUF struct buf b = BUF_INIT;
    buf_add_json(&b, in, n);
    is_str(buf_str(&b), want, "JSON: %s", what);
}

static void json(void)
{
    is_json("", 0, "\"\"", "nothing");
    is_json("plain text of some length", 25, "\"plain text of some length\"", "plain");
    is_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"", "quote and backslash");
    is_json("\b\t\n\f\r\x01\x1f\0", 8, "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u0000\"",
            "control characters");
    is_json("\x7f", 1, "\"\x7f\"", "DEL stays");
    is_json("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
            "UTF-8 stays");
    is_json("\xef\xbf\xbd", 3, "\"\xef\xbf\xbd\"", "a real U+FFFD stays");
    is_json("a\xff" "b\xc3", 4, "\"a\xef\xbf\xbd" "b\xef\xbf\xbd\"", "invalid bytes become U+FFFD");
    is_json("\xf0\x9f\x98", 3, "\"\xef\xbf\xbd\"", "a cut sequence becomes one");
    is_json("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
            "a surrogate is no UTF-8");
    is_json("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"", "nor is an overlong form");
}

static void is_shell(const char *word, const char *want)
{
    AUTO_BUF struct buf b = BUF_INIT;
    buf_add_shell(&b, word);
    is_str(buf_str(&b), want, "shell: %s", word);
}

/* What the shell itself makes of our quoting. */
static void shell_agrees(void)
{
    char word[256];
    for (int i = 1; i < 256; i++)
        word[i - 1] = (char)i;
    word[255] = '\0';
    AUTO_BUF struct buf cmd = BUF_INIT;
    buf_add_str(&cmd, "LC_ALL=C printf %s ");
    buf_add_shell(&cmd, word);
    FILE *p = popen(cmd.data, "r");
    char got[300];
    size_t n = p ? fread(got, 1, sizeof got, p) : 0;
    ok(p && pclose(p) == 0, "sh runs");
    is_mem(got, n, word, 255, "sh gives every byte back");
}

int main(void)
{
    struct buf b = BUF_INIT;
    is_str(buf_str(&b), "", "an empty buffer is \"\"");
    buf_consume(&b, 5);
    buf_clear(&b);
    buf_add(&b, NULL, 0);
    is_str(b.data, "", "adding nothing to nothing gives the NUL");
    buf_add_str(&b, "ab");
    buf_add_char(&b, 'c');
    buf_printf(&b, "-%d-%s", 42, "x");
    is_str(b.data, "abc-42-x", "adding");
    is_int(b.len, 8, "length");
    buf_consume(&b, 3);
    is_str(b.data, "-42-x", "consuming from the front");
    buf_consume(&b, 500);
    is_int(b.len, 0, "consuming more than there is leaves nothing");
    is_str(b.data, "", "with its NUL");

    for (int i = 0; i < 10000; i++)
        buf_printf(&b, "%04d", i);
    is_int(b.len, 40000, "it grows");
    ok(memcmp(b.data + 4 * 5678, "5678", 4) == 0 && b.data[b.len] == '\0',
       "and keeps its bytes and its NUL");
    buf_clear(&b);
    ok(b.len == 0 && b.cap > 0, "a small buffer keeps its memory");
    char big[3000];
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    buf_printf(&b, "%s%s", big, big);
    is_int(b.len, 2 * (sizeof big - 1), "printf longer than the room");
    buf_reserve(&b, 100000);
    ok(b.cap > b.len + 100000, "reserve makes room for the NUL too");
    buf_clear(&b);
    ok(!b.data && !b.cap, "a large one gives it back");

    char *taken = buf_take(&b);
    is_str(taken, "", "taking nothing gives an empty string");
    free(taken);
    buf_add(&b, "a\0b", 3);
    taken = buf_take(&b);
    is_mem(taken, 4, "a\0b", 4, "taking gives the bytes and a NUL");
    ok(!b.data && !b.len && !b.cap, "and leaves an empty buffer");
    free(taken);
    buf_fini(&b);
    buf_add_str(&b, "again");
    is_str(b.data, "again", "usable after fini");
    buf_fini(&b);

    json();
    is_shell("", "''");
    is_shell("plain-word_1.0:/@%+=,", "plain-word_1.0:/@%+=,");
    is_shell("two words", "'two words'");
    is_shell("it's", "'it'\\''s'");
    is_shell("'", "''\\'''");
    is_shell("$HOME `x` \"y\" \\", "'$HOME `x` \"y\" \\'");
    is_shell("~", "'~'");
    shell_agrees();
    return done_testing();
}
