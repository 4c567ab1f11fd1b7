/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of tools: definitions in canonical order, what differs from them, what is taken
 * over, and the file. */
#include "base/mem.h"
#include "supervisor/tool_book.h"
#include "tap.h"

static struct span span(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* ---- the canonical order ---- */

static void is_canon(const char *text, const char *want)
{
    AUTO_BUF struct buf out = BUF_INIT;

    tool_canon(span(text), &out);
    is_str(buf_str(&out), want, "canonical: %s", text);
}

static void test_canon(void)
{
    is_canon("{ \"b\" : 1 , \"a\" : [ 1e400 , { \"y\":0, \"x\" : null } , [ ] , {} ] }",
             "{\"a\":[1e400,{\"x\":null,\"y\":0},[],{}],\"b\":1}");
    is_canon("{\"a\":1,\"ab\":2,\"a b\":3,\"A\":4}", "{\"A\":4,\"a\":1,\"a b\":3,\"ab\":2}");
    is_canon("{\"b\":0,\"a\":2,\"a\":1}", "{\"a\":2,\"a\":1,\"b\":0}");
    is_canon("\"\\u00e9\\/\\u0041\\u000a\\u0007\"", "\"\xc3\xa9/A\\n\\u0007\"");
    is_canon("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
    is_canon("\"\\ud83d\\u0041\"", "\"\\ud83d\\u0041\"");
    is_canon("{\"\\u0062\":0,\"a\":0}", "{\"a\":0,\"b\":0}");
    is_canon("{\"z\":0,\"a\":{\"n\":-0.10,\"m\":true}}", "{\"a\":{\"m\":true,\"n\":-0.10},\"z\":0}");
}

static void test_digest(void)
{
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES], c[SHA256_BYTES];

    tool_digest(span("{\"name\":\"x\", \"description\":\"d\"}"), a);
    tool_digest(span("{\"description\":\"d\",\"name\":\"\\u0078\"}"), b);
    tool_digest(span("{\"description\":\"d \",\"name\":\"x\"}"), c);
    ok(memcmp(a, b, sizeof a) == 0, "another way to write it is no other definition");
    ok(memcmp(a, c, sizeof a) != 0, "another blank is");
}

/* Deeper than the scanner lets pass: nothing of it is left out of the hash. */
static void test_deep(void)
{
    AUTO_BUF struct buf one = BUF_INIT, other = BUF_INIT, out = BUF_INIT;
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

    for (int i = 0; i < 300; i++)
        buf_add_char(&one, '[');
    buf_add(&other, one.data, one.len);
    buf_add_char(&one, '1');
    buf_add_char(&other, '2');
    tool_digest((struct span){one.data, one.len}, a);
    tool_digest((struct span){other.data, other.len}, b);
    ok(memcmp(a, b, sizeof a) != 0, "what is too deep counts all the same");
    tool_canon(span("{\"a\""), &out);
    ok(out.len > 0, "a broken text ends");
}

static void test_digests(void)
{
    struct tool_digests t = {0}, copy = {0};
    uint8_t d[SHA256_BYTES] = {0};

    for (int i = 199; i >= 0; i--) {
        d[0] = (uint8_t)(i * 7);
        d[31] = (uint8_t)i;
        tool_digests_add(&t, d);
        tool_digests_add(&t, d);
    }
    is_int((int)t.n, 200, "each is in the set once");
    ok(tool_digests_has(&t, d), "and found");
    d[15] = 1;
    ok(!tool_digests_has(&t, d), "another is not");
    tool_digests_copy(&copy, &t);
    ok(tool_digests_equal(&copy, &t), "a copy is equal");
    tool_digests_add(&copy, d);
    ok(!tool_digests_equal(&copy, &t), "until it is not");
    tool_digests_fini(&t);
    tool_digests_fini(&copy);
}

/* ---- changes ---- */

static const char first[] =
    "[{\"name\":\"a\",\"n\":1},{\"name\":\"b\",\"n\":1},{\"name\":\"c\",\"n\":1}]";

/* "~a +d " */
static void changes_are(const struct tool_book *b, const char *list, const char *want)
{
    struct tool_changes c = {0};
    AUTO_BUF struct buf out = BUF_INIT;

    tool_book_compare(b, span(list), &c);
    for (size_t i = 0; i < c.n; i++)
        buf_printf(&out, "%c%s ", c.v[i].is_new ? '+' : '~', c.v[i].name);
    is_str(buf_str(&out), want, "differs: %s", list);
    tool_changes_fini(&c);
}

static void test_compare(void)
{
    AUTO_TOOL_BOOK struct tool_book b = {0};

    tool_book_take(&b, span(first), NULL);
    is_int((int)b.n, 3, "first sight takes all");
    changes_are(&b, first, "");
    changes_are(&b, "[ {\"n\":1,\"name\":\"c\"}, {\"n\":1, \"name\":\"a\"} ]", "");
    changes_are(&b, "[{\"name\":\"b\",\"n\":1.0},{\"name\":\"d\"},{\"name\":\"a\",\"n\":1}]", "~b +d ");
    changes_are(&b, "[{\"name\":\"a\",\"n\":1},{\"name\":\"a\",\"n\":2}]", "~a ");
    changes_are(&b, "[{\"name\":\"a\",\"name\":\"b\",\"n\":1},7,{}]", "+ + + ");
    changes_are(&b, "[]", "");
    changes_are(&(struct tool_book){0}, "[{\"name\":\"x\"}]", "+x ");
}

static void test_take(void)
{
    AUTO_TOOL_BOOK struct tool_book b = {0};
    static const char later[] =
        "[{\"name\":\"a\",\"n\":2},{\"name\":\"b\",\"n\":2},{\"name\":\"d\",\"n\":2}]";
    struct tool_digests which = {0};
    uint8_t digest[SHA256_BYTES];

    tool_book_take(&b, span(first), NULL);
    tool_digest(span("{\"name\":\"a\",\"n\":2}"), digest);
    tool_digests_add(&which, digest);
    tool_book_take(&b, span(later), &which);
    changes_are(&b, later, "~b +d ");
    changes_are(&b, first, "~a ");
    tool_book_take(&b, span(later), NULL);
    changes_are(&b, later, "");
    changes_are(&b, first, "~a ~b ");
    is_int((int)b.n, 4, "one that is gone is still known");
    AUTO_TOOL_INDEX struct tool_index listed = {0};
    tool_index_make(&listed, span(first));
    is_str(tool_book_find(&b, "a", &listed)->text, "{\"n\":2,\"name\":\"a\"}",
           "what was known of a tool is found, in canonical order");
    tool_digest(span("{\"n\":2,\"name\":\"b\"}"), digest);
    ok(!tool_index_find(&listed, digest).n, "a tool that is not listed is not found");
    tool_digest(span("{\"name\":\"a\",\"n\":1}"), digest);
    ok(tool_index_find(&listed, digest).n, "one that is, is");
    ok(!tool_book_find(&b, "x", &listed), "of another nothing");
    tool_book_take(&b, span("[{\"name\":\"x\"},{\"name\":\"x\"}]"), NULL);
    is_int((int)b.n, 5, "the same twice is one");
    tool_digests_fini(&which);
}

/* A server with other tools every time: what is known stays bounded. */
static void test_bounds(void)
{
    AUTO_TOOL_BOOK struct tool_book b = {0};

    for (int round = 0; round < 4; round++) {
        AUTO_BUF struct buf list = BUF_INIT;
        for (int i = 0; i < TOOL_LIST_MAX; i++)
            buf_printf(&list, "%c{\"name\":\"t%d-%d\"}", i ? ',' : '[', round, i);
        ok(tool_list_fits((struct span){list.data, list.len}), "so many tools are watched");
        buf_add_str(&list, "]");
        tool_book_take(&b, (struct span){list.data, list.len}, NULL);
        list.len--;
        buf_add_str(&list, ",{\"name\":\"one more\"}]");
        ok(!tool_list_fits((struct span){list.data, list.len}), "one more is too many");
    }
    ok(b.n <= 2 * TOOL_LIST_MAX, "no more are known than twice as many (%zu)", b.n);
}

/* ---- the file ---- */

static void test_file(void)
{
    AUTO_TOOL_BOOK struct tool_book b = {0}, again = {0};
    AUTO_BUF struct buf text = BUF_INIT, same = BUF_INIT;

    tool_book_take(&b, span("[{\"name\":\"\\\"q\\u200b\",\"d\":\"\\ud800\"},{\"name\":\"a\"}]"), NULL);
    tool_book_write(&b, "serv\"er", &text);
    is_int(tool_book_read(&again, "serv\"er", (struct span){text.data, text.len}, true), 0, "it is read");
    tool_book_write(&again, "serv\"er", &same);
    is_str(buf_str(&same), buf_str(&text), "and the same");
    is_int(tool_book_read(&again, "server", (struct span){text.data, text.len}, true), -1,
           "not as another server's");
    is_int((int)again.n, 0, "then it is empty");
    for (size_t n = 0; n < text.len; n++) {
        if (n && text.data[n - 1] == '\n')
            continue;           /* fewer tools, all of them whole */
        if (tool_book_read(&again, "serv\"er", (struct span){text.data, n}, false) == 0)
            ok(false, "cut at %zu it was read", n);
    }
    char *at = strstr(text.data, "\"definition\":{\"name\":\"a");
    at[strlen("\"definition\":{\"name\":\"")] = 'b';
    is_int(tool_book_read(&again, "serv\"er", (struct span){text.data, text.len}, false), -1,
           "a definition that is not its hash's is no book");
}

int main(void)
{
    tap_deadline(60);
    test_canon();
    test_digest();
    test_deep();
    test_digests();
    test_compare();
    test_take();
    test_bounds();
    test_file();
    return done_testing();
}
