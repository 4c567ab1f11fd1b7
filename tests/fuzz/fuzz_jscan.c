/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scanner and its table against each other and against jansson: what one accepts all accept
 * (jansson has bounds on numbers that JSON has not), spans nest, lines are right, every fault has a
 * place. */
#include "fuzz.h"

#include <jansson.h>
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "base/text.h"

#define NEST8 "[[[[[[[["
#define NEST64 NEST8 NEST8 NEST8 NEST8 NEST8 NEST8 NEST8 NEST8
const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(
        "{\"mcpServers\": {\"fs\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"enabled\": true}}}"),
    FUZZ_SEED(
        "[null, false, -0.5e+10, 9007199254740993, \"\\u00e9\\ud83d\\ude00\\n\\\"\", {}, [], \"caf\xc3\xa9\"]"),
    FUZZ_SEED(
        "\xef\xbb\xbf// head\n{ /* in\nside */ \"a\" : [1,\r\n 2,], \"a\": \"\\u0000\", }\n// tail"),
    FUZZ_SEED(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"text\":\"a long plain run of text \xe2\x82\xac \xf0\x9f\x98\x80\"}}"),
    FUZZ_SEED(NEST64 NEST64 "]"),
    FUZZ_SEED("1e400"),
    {NULL, 0},
};

static void check_reference(const char *p, size_t n, bool accepted)
{
    json_error_t error;
    if (n && memchr(p, 0, n))
        return;   /* jansson steps over a NUL byte behind a number */
    json_t *json = json_loadb(p, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (json) {
        json_decref(json);
        if (!accepted) {   /* deeper than our bound */
            size_t open = 0;
            for (size_t i = 0; i < n; i++)
                open += p[i] == '[' || p[i] == '{';
            MUST(open > JSCAN_MAX_DEPTH);
        }
    } else if (accepted) {
        enum json_error_code code = json_error_code(&error);
        MUST(code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
    }
}

static void check_node(const struct jscan_doc *doc, size_t i, bool strict)
{
    const struct jscan_node *n = &doc->nodes[i];
    const char *start = doc->text + n->start, *end = doc->text + n->end;
    MUST(n->start < n->end && n->end <= doc->len);
    uint32_t line = 1;
    for (const char *p = doc->text; p < start; p++)
        line += *p == '\n';
    MUST(n->line == line && n->key_line <= line);
    if (strict)
        MUST(jscan_value(start, end, NULL) == end);
    if (i == 0) {
        MUST(n->parent == -1 && n->key_start == n->key_end);
        return;
    }
    const struct jscan_node *parent = &doc->nodes[n->parent];
    MUST(parent->start < n->start && n->end < parent->end);
    bool keyed = n->key_start != n->key_end;
    MUST(keyed == (parent->type == JSCAN_OBJECT));
    MUST(n->next == -1 ? parent->last_child == (int32_t)i
                       : doc->nodes[n->next].parent == n->parent);
    struct buf b = BUF_INIT;
    if (keyed) {
        MUST(n->key_end <= n->start &&
             jscan_decode(doc->text + n->key_start, n->key_end - n->key_start, &b) == 0);
        MUST(!b.len || text_is_utf8(b.data, b.len));
        char *key = jscan_key(doc, (int32_t)i);
        MUST(!key || (jscan_key_is(doc, (int32_t)i, key) &&
                      jscan_member(doc, n->parent, key) >= (int32_t)i));
        free(key);
    }
    if (n->type == JSCAN_STRING) {
        buf_clear(&b);
        MUST(jscan_decode(start, n->end - n->start, &b) == 0 &&
             (!b.len || text_is_utf8(b.data, b.len)));
        free(jscan_str(doc, (int32_t)i));
    }
    int64_t whole;
    jscan_int(doc, (int32_t)i, &whole);
    buf_fini(&b);
}

static bool check_table(const char *p, size_t n, enum jscan_flags flags, size_t *ret_count)
{
    struct jscan_doc doc;
    struct fault f = FAULT_NONE;
    int line = 0;
    if (jscan_parse(&doc, p, n, flags, &line, &f) < 0) {
        int text_line = 0;
        MUST(sscanf(f.text, "line %d, column ", &text_line) == 1 && text_line == line && line >= 1);
        MUST(!doc.nodes && text_is_utf8(f.text, strlen(f.text)));
        return false;
    }
    for (size_t i = 0; i < doc.count; i++)
        check_node(&doc, i, flags == JSCAN_STRICT);
    *ret_count = doc.count;
    jscan_fini(&doc);
    return true;
}

/* A text that comes in pieces: the same is a value, and what is known of its parts is true. */
static void check_ahead(const char *p, size_t n, size_t piece, const char *start, const char *after)
{
    struct jscan_ahead a = {0};
    const char *bad = NULL;
    /* From other memory each time, exactly as large as what has come. */
    char *copy = NULL;
    for (size_t have = 0; have < n;) {
        have = have + piece < n ? have + piece : n;
        free(copy);
        copy = xmalloc(have);
        memcpy(copy, p, have);
        jscan_ahead(&a, copy, have);
    }
    if (after && strchr("{[\"", *start))
        MUST(a.over && a.count[0] == 1 && a.known[0][0].from == (size_t)(start - p) &&
             a.known[0][0].to == (size_t)(after - p));
    MUST(after || !a.count[0]);
    for (unsigned depth = 0; depth < JSCAN_KNOWN_DEPTHS; depth++)
        for (unsigned i = 0; i < a.count[depth]; i++)
            MUST(jscan_value(copy + a.known[depth][i].from, copy + n, NULL) ==
                 copy + a.known[depth][i].to);
    jscan_know(&a);
    const char *again = n ? jscan_value(copy + (start - p), copy + n, &bad) : NULL;
    jscan_know(NULL);
    MUST(!n || (again ? again - copy : -1) == (after ? after - p : -1));
    const char *lf = memchr(p, '\n', n), *cr = memchr(p, '\r', n);
    MUST(a.has_newline == (lf || cr));
    MUST(!a.has_newline || a.newline == (size_t)((lf && (!cr || lf < cr) ? lf : cr) - p));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data, *end = p + size, *bad = NULL;
    size_t strict_count = 0, lenient_count = 0;
    const char *start = jscan_space(p, end), *after = jscan_value(start, end, &bad);
    MUST(after ? after > start && after <= end : bad >= start && bad <= end);
    bool accepted = after && jscan_space(after, end) == end;
    bool strict = check_table(p, size, JSCAN_STRICT, &strict_count);
    bool lenient = check_table(p, size, JSCAN_LENIENT, &lenient_count);
    /* Half a surrogate pair is a value's business, and no text. */
    MUST(accepted == strict || (accepted && fuzz_has_surrogate(p, end)));
    MUST(!strict || (lenient && lenient_count == strict_count));
    check_reference(p, size, strict);
    check_ahead(p, size, 1, start, after);
    check_ahead(p, size, 1 + size % 13, start, after);
    return 0;
}
