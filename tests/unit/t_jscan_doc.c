/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jscan.h, the table of nodes: spans, lines, what lenient accepts, and every error text. */
#include "base/jscan.h"

#include "base/mem.h"
#include "tap.h"

static void is_fault(const char *in, enum jscan_flags flags, const char *want)
{
    struct jscan_doc doc;
    struct fault f = FAULT_NONE;
    int line = -1, want_line = 0;
    sscanf(want, "line %d", &want_line);
    int err = jscan_parse(&doc, in, strlen(in), flags, &line, &f);
    is_str(err ? f.text : "accepted", want, "%s", in);
    ok(err == -1 && f.code == FAULT_INVALID && line == want_line && !doc.nodes && !doc.count,
       "with its line, and nothing to free");
    jscan_fini(&doc);
}

static void structure_faults(void)
{
    is_fault("", 0, "line 1, column 1: expected a value, found the end of the text");
    is_fault("\n  \n", 0, "line 3, column 1: expected a value, found the end of the text");
    is_fault("{\n \"a\": [1,\n2\n", 0,
             "line 4, column 1: expected ',' or ']' after an element, found the end of the text; "
             "the array of line 2 is not closed");
    is_fault(
        "{\n\"a\": 1\n\"b\": 2}", 0,
        "line 3, column 1: expected ',' or '}' after a member, found '\"'; a comma is missing before it");
    is_fault("[1 2]", 0, "line 1, column 4: expected ',' or ']' after an element, found '2'; "
             "a comma is missing before it");
    is_fault("{\"a\":1,\n}", 0,
             "line 2, column 1: expected a key in double quotes after ',', found '}'; "
             "the comma before it is one too many");
    is_fault("[1,]", 0, "line 1, column 4: expected a value after ',', found ']'; "
             "the comma before it is one too many");
    is_fault("[1,,2]", 1, "line 1, column 4: expected a value, found ','");
    is_fault("{\"a\":[1}", 0, "line 1, column 8: expected ',' or ']' after an element, found '}'; "
             "the array of line 1 is not closed");
    is_fault("{a: 1}", 0, "line 1, column 2: expected a key in double quotes or '}', found 'a'; "
             "strings stand in double quotes");
    is_fault("{\"a\" 1}", 0, "line 1, column 6: expected ':' after the key \"a\", found '1'");
    is_fault("{\"a\":}", 0, "line 1, column 6: expected a value, found '}'");
    is_fault("{\"a\"", 0,
             "line 1, column 5: expected ':' after the key \"a\", found the end of the text; "
             "the object of line 1 is not closed");
    is_fault(
        "{\"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87"
        "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\" 1}",
        0,
        "line 1, column 37: expected ':' after the key \"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87"
        "\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\xd0\xba, found '1'");
    is_fault("{} {}", 0, "line 1, column 4: expected nothing more after the value, found '{'");
    is_fault("]", 0, "line 1, column 1: expected a value, found ']'");
    is_fault(
        "{\"\xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\":1 2}", 0,
        "line 1, column 11: expected ',' or '}' after a member, found '2'; a comma is missing before it");
    is_fault("\xef\xbb\xbf{x", 1,
             "line 1, column 2: expected a key in double quotes or '}', found 'x'; "
             "strings stand in double quotes");
    is_fault("\xef\xbb\xbf{}", 0, "line 1, column 1: expected a value, found '\xef\xbb\xbf'; "
             "it is a byte order mark: save the file without");
}

static void word_faults(void)
{
    is_fault("[True]", 0, "line 1, column 2: expected a value, found 'True'; write true");
    is_fault("None", 0, "line 1, column 1: expected a value, found 'None'; write null");
    is_fault("[node]", 0,
             "line 1, column 2: expected a value, found 'node'; strings stand in double quotes");
    is_fault("[no]", 0, "line 1, column 2: expected a value, found 'no'; write false");
    is_fault("nul", 0,
             "line 1, column 1: expected a value, found 'nul'; strings stand in double quotes");
    is_fault("nullx", 0,
             "line 1, column 1: expected a value, found 'nullx'; strings stand in double quotes");
    is_fault("['a']", 0,
             "line 1, column 2: expected a value, found '''; strings stand in double quotes");
    is_fault("[+1]", 0,
             "line 1, column 2: expected a value, found '+1'; a number has no plus sign");
    is_fault("[.5]", 0,
             "line 1, column 2: expected a value, found '.5'; a number begins with a digit");
    is_fault("[01]", 0, "line 1, column 2: expected a number as JSON writes it, found '01'; "
             "it has no leading zeros");
    is_fault("[1.2.3]", 0, "line 1, column 2: expected a number as JSON writes it, found '1.2.3'");
    is_fault("[512m]", 0, "line 1, column 2: expected a number as JSON writes it, found '512m'");
    is_fault("[1.]", 0, "line 1, column 4: expected a digit in the number, found ']'");
    is_fault("[-]", 0, "line 1, column 3: expected a digit in the number, found ']'");
    is_fault("// c\n1", 0,
             "line 1, column 1: expected a value, found '/'; comments are not allowed here");
    is_fault("[1 /* c", 1, "line 1, column 4: expected '*/' to end the comment that begins here, "
             "found the end of the text");
    is_fault("[1 / 2]", 1, "line 1, column 4: expected ',' or ']' after an element, found '/'");
    is_fault("[\xff]", 0,
             "line 1, column 2: expected a value, found the byte 0xff, which is not UTF-8");
    is_fault("[\x01]", 0, "line 1, column 2: expected a value, found the control character 0x01");
}

static void string_faults(void)
{
    is_fault("{\"a\":\n \"x\n}", 0,
             "line 2, column 2: expected a closing '\"' for the string that begins here, "
             "found the end of the line");
    is_fault("[\"abc", 0,
             "line 1, column 2: expected a closing '\"' for the string that begins here, "
             "found the end of the text");
    is_fault("{\"abc", 0,
             "line 1, column 2: expected a closing '\"' for the string that begins here, "
             "found the end of the text");
    is_fault("[\"a\tb\"]", 0,
             "line 1, column 4: expected an escape (such as \\t or \\u0009) in a string, "
             "found a tab");
    is_fault("[\"C:\\Users\"]", 0,
             "line 1, column 5: expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a "
             "backslash, found 'Users' (a backslash itself is \\\\)");
    is_fault("[\"\\ud800x\"]", 0,
             "line 1, column 3: expected a surrogate pair, found its half '\\ud800'");
    is_fault("[\"\\u12\"]", 0,
             "line 1, column 3: expected four hexadecimal digits after '\\u', found '12'");
    is_fault("[\"a\xffz\"]", 0,
             "line 1, column 4: expected UTF-8 in a string, found the byte 0xff, "
             "which is not UTF-8");
}

static void bounds(void)
{
    char in[2 * JSCAN_MAX_DEPTH + 4];
    struct jscan_doc doc;
    struct fault f = FAULT_NONE;
    for (int n = JSCAN_MAX_DEPTH; n <= JSCAN_MAX_DEPTH + 1; n++) {
        memset(in, '[', (size_t)n);
        memset(in + n, ']', (size_t)n);
        is_int(jscan_parse(&doc, in, 2 * (size_t)n, 0, NULL, &f), n == JSCAN_MAX_DEPTH ? 0 : -1,
               "%d levels", n);
        jscan_fini(&doc);
    }
    is_str(f.text, "line 1, column 129: expected at most 128 levels of nesting, found one more",
           "its text");
    int line = 0;
    is_int(jscan_parse(&doc, "", (size_t)300 << 20, 0, &line, &f), -1,
           "300 MiB are not read at all");
    is_int(f.code, FAULT_TOO_BIG, "too big");
    is_int(line, 1, "on line 1");
    is_int(jscan_parse(&doc, "[", 1, 0, NULL, NULL), -1, "nobody needs to want the fault");
    is_int(jscan_parse(&doc, "[1]x", 3, 0, NULL, NULL), 0, "the length counts, not a NUL");
    jscan_fini(&doc);
    jscan_fini(&doc);
}

static void is_span(const struct jscan_doc *doc, int32_t node, const char *want, int line)
{
    const struct jscan_node *n = &doc->nodes[node];
    is_mem(doc->text + n->start, n->end - n->start, want, strlen(want), "span of %s", want);
    is_int(n->line, line, "on line %d", line);
}

static void table(void)
{
    static const char in[] =
        "\xef\xbb\xbf// head\n"
        "{\n"
        "  \"mcpServers\": { /* two\n lines */\n"
        "    \"fs\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\",],},\n"
        "  },\n"
        "  \"n\" : -42, \"f\": 1.5, \"big\": 9223372036854775807, \"small\": -9223372036854775808,\n"
        "  \"over\": 9223372036854775808, \"e\": 1e3, \"t\": true, \"z\": null, \"u\": false,\n"
        "  \"\\u006ey\": \"caf\\u00e9 \xe2\x82\xac\", \"nul\": \"a\\u0000b\", \"n\": 7,\n"
        "} // tail";
    struct jscan_doc doc;
    struct fault f = FAULT_NONE;
    if (!ok(jscan_parse(&doc, in, sizeof in - 1, JSCAN_LENIENT, NULL, &f) == 0,
            "the guide's way of writing: %s", f.text))
        return;
    is_int(doc.nodes[0].type, JSCAN_OBJECT, "the root");
    is_int(doc.nodes[0].children, 13, "its members");
    is_int(doc.nodes[0].line, 2, "its line");
    is_int(doc.nodes[0].parent, -1, "no parent");
    int32_t servers = jscan_member(&doc, 0, "mcpServers"), fs = jscan_member(&doc, servers, "fs");
    int32_t args = jscan_member(&doc, fs, "args");
    is_int(doc.nodes[servers].key_line, 3, "line of a key");
    is_span(&doc, args, "[\"-y\", \"x\",]", 5);
    is_int(doc.nodes[args].children, 2, "a trailing comma is no element");
    is_span(&doc, doc.nodes[args].first_child, "\"-y\"", 5);
    is_span(&doc, doc.nodes[args].last_child, "\"x\"", 5);
    is_int(doc.nodes[doc.nodes[args].first_child].next, doc.nodes[args].last_child, "next");
    is_int(doc.nodes[args].parent, fs, "parent");
    ok(doc.nodes[doc.nodes[args].first_child].key_start ==
           doc.nodes[doc.nodes[args].first_child].key_end,
       "an element has no key");
    is_str(jscan_key(&doc, doc.nodes[args].first_child), NULL, "nor a key's text");
    ok(!jscan_key_is(&doc, doc.nodes[args].first_child, ""), "nor an empty one");

    int64_t n = 0;
    ok(jscan_int(&doc, jscan_member(&doc, 0, "n"), &n) && n == 7, "the last of two members counts");
    is_span(&doc, doc.nodes[servers].next, "-42", 7);
    ok(jscan_int(&doc, doc.nodes[servers].next, &n) && n == -42, "the first is there too");
    ok(jscan_int(&doc, jscan_member(&doc, 0, "big"), &n) && n == INT64_MAX, "the largest");
    ok(jscan_int(&doc, jscan_member(&doc, 0, "small"), &n) && n == INT64_MIN, "the smallest");
    ok(!jscan_int(&doc, jscan_member(&doc, 0, "over"), &n), "one more is out of range");
    ok(!jscan_int(&doc, jscan_member(&doc, 0, "f"), &n), "a fraction is no whole number");
    ok(!jscan_int(&doc, jscan_member(&doc, 0, "e"), &n), "nor one with an exponent");
    ok(!jscan_int(&doc, jscan_member(&doc, 0, "t"), &n), "nor true");
    ok(!jscan_int(&doc, -1, &n), "nor nothing");
    is_int(doc.nodes[jscan_member(&doc, 0, "t")].type, JSCAN_TRUE, "true");
    is_int(doc.nodes[jscan_member(&doc, 0, "u")].type, JSCAN_FALSE, "false");
    is_int(doc.nodes[jscan_member(&doc, 0, "z")].type, JSCAN_NULL, "null");

    int32_t escaped = jscan_member(&doc, 0, "ny");
    AUTO_FREE char *key = jscan_key(&doc, escaped), *value = jscan_str(&doc, escaped);
    is_str(key, "ny", "an escaped key is found and decoded");
    is_str(value, "caf\xc3\xa9 \xe2\x82\xac", "a decoded value");
    is_str(jscan_str(&doc, jscan_member(&doc, 0, "nul")), NULL, "a NUL inside is no C string");
    is_str(jscan_str(&doc, jscan_member(&doc, 0, "n")), NULL, "a number is no string");
    is_str(jscan_str(&doc, -1), NULL, "nor is nothing");
    is_int(jscan_member(&doc, 0, "none"), -1, "no such member");
    is_int(jscan_member(&doc, args, "x"), -1, "an array has no members");
    is_int(jscan_member(&doc, -1, "x"), -1, "nor has nothing");
    jscan_fini(&doc);
}

int main(void)
{
    structure_faults();
    word_faults();
    string_faults();
    bounds();
    table();
    return done_testing();
}
