/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TOML: values, what may not be said twice, lines of faults, and where tables and keys stand. */
#include "config/toml.h"

#include <string.h>
#include "base/mem.h"
#include "tap.h"

static const struct { const char *what, *text, *want; } valid[] = {
    {"nothing", "", "{}"},
    {"comments and blanks", "# a\n\n \t# b\r\n", "{}"},
    {"no last newline", "a = 1", "{\"a\":1}"},
    {"a byte order mark", "\xEF\xBB\xBF" "a = 1", "{\"a\":1}"},
    {"keys", "a-b_1 = 1\n\"c d\" = 2\n'e\\f' = 3\n1.2 = 4",
     "{\"a-b_1\":1,\"c d\":2,\"e\\\\f\":3,\"1\":{\"2\":4}}"},
    {"dotted keys", "a.b.c = 1\na . b . \"d.e\" = 2", "{\"a\":{\"b\":{\"c\":1,\"d.e\":2}}}"},
    {"basic strings", "a = \"x\\t\\\"\\\\\\u00e9\\U0001F600\"",
     "{\"a\":\"x\\t\\\"\\\\\xC3\xA9\xF0\x9F\x98\x80\"}"},
    {"literal strings", "a = 'C:\\x \"y\"'", "{\"a\":\"C:\\\\x \\\"y\\\"\"}"},
    {"long strings", "a = \"\"\"\nx\n  y \\\n   z\"\"\"\"\"\nb = '''a''b\\'''",
     "{\"a\":\"x\\n  y z\\\"\\\"\",\"b\":\"a''b\\\\\"}"},
    {"CRLF in a long string", "a = \"\"\"\r\nx\r\ny\"\"\"\r\n", "{\"a\":\"x\\ny\"}"},
    {"integers", "a = [+1, -17, 1_000, 0xDEAD_beef, 0o17, 0b101, 0]",
     "{\"a\":[1,-17,1000,3735928559,15,5,0]}"},
    {"floats", "a = [1.5, -0.25, 5e2, 6.25e-1]", "{\"a\":[1.5,-0.25,500.0,0.625]}"},
    {"no numbers", "a = [inf, -inf, +nan]", "{\"a\":[null,null,null]}"},
    {"booleans", "a = true\nb = false", "{\"a\":true,\"b\":false}"},
    {"moments", "a = [1979-05-27, 07:32:00, 1979-05-27T07:32:00.5-07:00, 1979-05-27 07:32:00Z]",
     "{\"a\":[\"1979-05-27\",\"07:32:00\",\"1979-05-27T07:32:00.5-07:00\","
     "\"1979-05-27 07:32:00Z\"]}"},
    {"arrays", "a = [ # one\n  [1, 2], # two\n  ['x',],\n  [] ]", "{\"a\":[[1,2],[\"x\"],[]]}"},
    {"inline tables", "a = { b = 1, c.d = 'x', e = {} }",
     "{\"a\":{\"b\":1,\"c\":{\"d\":\"x\"},\"e\":{}}}"},
    {"tables", "[a]\nx = 1\n[a.b]\ny = 2\n[ \"c d\" . 'e' ] # comment\nz = 3",
     "{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"c d\":{\"e\":{\"z\":3}}}"},
    {"a table after those in it", "[a.b]\nx = 1\n[a]\ny = 2", "{\"a\":{\"b\":{\"x\":1},\"y\":2}}"},
    {"arrays of tables", "[[a]]\nx = 1\n[a.b]\ny = 2\n[[a]]\nx = 3\n[a.b]\ny = 4",
     "{\"a\":[{\"x\":1,\"b\":{\"y\":2}},{\"x\":3,\"b\":{\"y\":4}}]}"},
};

static const struct { const char *what, *text, *fault; int line; } invalid[] = {
    {"a key alone", "\na", "line 2: expected \"=\" after the key \"a\"", 2},
    {"no key", "= 1", "line 1: expected a key", 1},
    {"no value", "a = \n", "line 1: expected a value", 1},
    {"no value at the end", "a =", "line 1: expected a value", 1},
    {"a word", "a = yes", "line 1: \"yes\" is no value", 1},
    {"two values", "a = 1 2", "line 1: expected the end of the line", 1},
    {"an open string", "a = 1\nb = \"x\nc = 2", "line 2: a string without its closing quote", 2},
    {"an open long string", "a = '''x\n\n", "line 3: a string without its closing quotes", 3},
    {"an escape", "a = \"\\x\"", "an unknown escape", 1},
    {"a surrogate", "a = \"\\ud800\"", "no character", 1},
    {"half an escape", "a = \"\\u12\"", "4 hexadecimal digits", 1},
    {"a control character", "a = \"\x01\"", "a control character", 1},
    {"a control character in a comment", "# \x02", "a control character", 1},
    {"bad UTF-8", "a = \"\xFF\"", "no valid UTF-8", 1},
    {"an open array", "a = [1,\n2", "expected \",\" or \"]\"", 2},
    {"an open inline table", "a = {b = 1", "expected \",\" or \"}\"", 1},
    {"a newline in an inline table", "a = {b = 1,\nc = 2}", "expected a key", 1},
    {"a key twice", "a = 1\na = 2", "line 2: \"a\" is there twice", 2},
    {"a table twice", "[a]\n[b]\n[a]", "the table \"a\" is there twice", 3},
    {"a value as a table", "a = 1\n[a]", "\"a\" has a value already", 2},
    {"a value as a table on the way", "a = 1\n[a.b]", "\"a\" has a value already", 2},
    {"an inline table opened again", "a = {}\n[a.b]", "\"a\" has a value already", 2},
    {"an array opened again", "a = [{}]\n[[a]]", "is no array of tables", 2},
    {"an array as a table", "[[a]]\n[a]", "is an array", 2},
    {"a header without an end", "[a\nb = 1", "expected \"]\"", 1},
    {"half an end", "[[a]\n", "expected \"]]\"", 1},
    {"an empty header", "[]", "expected a key", 1},
    {"text after a header", "[a] b = 1", "the end of the line", 1},
    {"a NUL in a key", "\"\\u0000\" = 1", "a NUL inside", 1},
};

static void test_values(void)
{
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        struct toml_doc doc;
        struct fault f = FAULT_NONE;
        if (toml_parse(&doc, valid[i].text, strlen(valid[i].text), NULL, &f)) {
            ok(false, "%s: %s", valid[i].what, f.text);
            continue;
        }
        AUTO_FREE char *json = json_dumps(doc.root, JSON_COMPACT);
        is_str(json, valid[i].want, "%s", valid[i].what);
        toml_fini(&doc);
    }
}

static void test_faults(void)
{
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        struct toml_doc doc;
        struct fault f = FAULT_NONE;
        int line = 0;
        int rc = toml_parse(&doc, invalid[i].text, strlen(invalid[i].text), &line, &f);
        ok(rc == -1 && strstr(f.text, invalid[i].fault) && line == invalid[i].line && !doc.root,
           "%s: %d: %s", invalid[i].what, line, f.text);
        toml_fini(&doc);
    }
}

static void test_depth(void)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct toml_doc doc;
    struct fault f = FAULT_NONE;
    buf_add_str(&text, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&text, '[');
    ok(toml_parse(&doc, buf_str(&text), text.len, NULL, &f) == -1 && strstr(f.text, "too deep"),
       "depth is bounded: %s", f.text);
}

static bool span_is(const char *text, size_t from, size_t to, const char *want)
{
    return to - from == strlen(want) && !memcmp(text + from, want, to - from);
}

static void test_spans(void)
{
    const char *text = "top = 1\n  [a]  # head\nx = \"1\" # one\n\n# of b\n[a.b]\n"
                       "[[c]]\ny = [\n1]\n";
    struct toml_doc doc;
    int rc = toml_parse(&doc, text, strlen(text), NULL, NULL);
    ok(rc == 0 && doc.table_count == 3 && doc.pair_count == 3, "three tables, three keys");
    if (rc)
        return;
    ok(span_is(text, doc.tables[0].start, doc.tables[0].end, "  [a]  # head\nx = \"1\" # one\n"),
       "a table ends after its last key");
    ok(span_is(text, doc.tables[0].start, doc.tables[0].head_end, "  [a]  # head\n"), "its head");
    ok(span_is(text, doc.tables[1].start, doc.tables[1].end, "[a.b]\n"), "an empty table");
    ok(doc.tables[2].array && doc.tables[2].end == strlen(text), "the last one");
    ok(doc.pairs[0].table == 0 && doc.pairs[1].table == 1 && doc.pairs[2].table == 3,
       "keys know their tables");
    ok(span_is(text, doc.pairs[1].start, doc.pairs[1].end, "\"1\""), "where a value stands");
    ok(span_is(text, doc.pairs[2].start, doc.pairs[2].end, "[\n1]"), "also over lines");
    toml_fini(&doc);
}

/* What is written reads back as what it was. */
static void test_writing(void)
{
    static const char *const words[] = {"plain", "a b", "", "q\"u\\o", "\x01\t\n\x7f", "\xC3\xA9",
                                        "a.b", "'"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO_BUF struct buf text = BUF_INIT;
        struct toml_doc doc;
        struct fault f = FAULT_NONE;
        toml_add_key(&text, words[i]);
        buf_add_str(&text, " = ");
        toml_add_string(&text, words[i]);
        if (toml_parse(&doc, buf_str(&text), text.len, NULL, &f)) {
            ok(false, "word %zu: %s", i, f.text);
            continue;
        }
        is_str(json_string_value(json_object_get(doc.root, words[i])), words[i], "word %zu", i);
        toml_fini(&doc);
    }
    AUTO_BUF struct buf bare = BUF_INIT;
    toml_add_key(&bare, "my-key_1");
    is_str(buf_str(&bare), "my-key_1", "a key is bare where it may be");
}

int main(void)
{
    tap_deadline(30);
    test_values();
    test_faults();
    test_depth();
    test_spans();
    test_writing();
    return done_testing();
}
