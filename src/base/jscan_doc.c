/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of nodes over a text that a person wrote: comments where they are allowed, lines, and
 * error texts that say where, what was expected and what stands there. Steps over scalars with
 * jscan.c; nothing here is on the path of a message. */
#include "base/jscan.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

#define MAX_TEXT ((size_t)256 * 1024 * 1024)

struct parser {
    struct jscan_doc *doc;
    const char *text, *p, *end;
    uint32_t line;            /* of p */
    bool lenient;
    int32_t open;             /* the innermost open container, or -1 */
    int depth;
    const char *key, *key_end;/* of the value that comes next; equal when none */
    uint32_t key_line;
    int *ret_line;
    struct fault *f;
};

/* ---- errors ---- */

/* Of a word or a number as people write them. */
static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '+' || c == '-';
}

/* What stands at `at`, for people: a character, a word, or a name for what has no picture. */
static const char *describe(const struct parser *ps, const char *at, char *out, size_t size)
{
    if (at >= ps->end)
        return "the end of the text";
    size_t left = (size_t)(ps->end - at), len = 0;
    unsigned char c = (unsigned char)*at;
    while (len < left && len < 24 && is_word_byte(at[len]))
        len++;
    if (c == '\n' || c == '\r')
        return "the end of the line";
    if (c == '\t')
        return "a tab";
    if (c == 0)
        return "a NUL byte";
    if (!len)
        len = text_seq_len(at, left);
    if (!len)
        snprintf(out, size, "the byte 0x%02x, which is not UTF-8", c);
    else if (c < ' ' || c == 0x7F)
        snprintf(out, size, "the control character 0x%02x", c);
    else
        snprintf(out, size, "'%.*s'", (int)len, at);
    return out;
}

static int fail_at(struct parser *ps, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "line L, column C: " before the text. */
static int fail_at(struct parser *ps, const char *at, const char *fmt, ...)
{
    unsigned line = 1, column = 1;
    const char *q = ps->text;
    if (at - q >= 3 && memcmp(q, "\xef\xbb\xbf", 3) == 0)
        q += 3;   /* an editor does not count it */
    for (uint32_t cp; q < at; q += text_decode(q, (size_t)(ps->end - q), &cp)) {
        column++;
        if (*q == '\n') {
            line++;
            column = 1;
        }
    }
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    if (ps->ret_line)
        *ps->ret_line = (int)line;
    fault_set(ps->f, FAULT_INVALID, "line %u, column %u: %s", line, column, buf_str(&b));
    buf_fini(&b);
    return -1;
}

/* What people write from habit in other languages gets its own advice. */
static const char *advice(const struct parser *ps, const char *at)
{
    static const struct { const char *word, *say; } words[] = {
        { "True", "; write true" }, { "False", "; write false" }, { "None", "; write null" },
        { "TRUE", "; write true" }, { "FALSE", "; write false" }, { "NULL", "; write null" },
        { "undefined", "; write null" }, { "NaN", "; JSON has no word for it" },
        { "Infinity", "; JSON has no word for it" },
        { "yes", "; write true" }, { "no", "; write false" },
        { "'", "; strings stand in double quotes" },
        { "\xe2\x80\x9c", "; use the straight quote \"" },
        { "//", "; comments are not allowed here" }, { "/*", "; comments are not allowed here" },
        { "\xef\xbb\xbf", "; it is a byte order mark: save the file without" },
        { "+", "; a number has no plus sign" }, { ".", "; a number begins with a digit" },
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(ps->end - at) < n || memcmp(at, words[i].word, n) != 0)
            continue;
        bool is_word = isalpha((unsigned char)*at);
        if (!is_word || at + n == ps->end || !isalnum((unsigned char)at[n]))
            return words[i].say;
    }
    return at < ps->end && isalpha((unsigned char)*at) ? "; strings stand in double quotes" : "";
}

/* hint: NULL for the advice that fits what is found. */
static int fail_expected(struct parser *ps, const char *expected, const char *hint)
{
    char found[64];
    const char *what = describe(ps, ps->p, found, sizeof found);
    bool ends = ps->p >= ps->end, closes = !ends && (*ps->p == '}' || *ps->p == ']');
    if (ps->open >= 0 && !hint && (ends || closes)) {
        const struct jscan_node *c = &ps->doc->nodes[ps->open];
        bool object = c->type == JSCAN_OBJECT;
        if (ends || (*ps->p == '}') != object)
            return fail_at(ps, ps->p, "expected %s, found %s; the %s of line %u is not closed",
                           expected, what, object ? "object" : "array", c->line);
    }
    return fail_at(ps, ps->p, "expected %s, found %s%s", expected, what,
                   hint ? hint : advice(ps, ps->p));
}

/* A string that begins at `start` is spoilt at `bad`. */
static int fail_string(struct parser *ps, const char *start, const char *bad)
{
    char found[64];
    if (bad >= ps->end || *bad == '\n' || *bad == '\r')
        return fail_at(ps, start,
                       "expected a closing '\"' for the string that begins here, found %s",
                       describe(ps, bad, found, sizeof found));
    if (*bad != '\\') {
        const char *what = describe(ps, bad, found, sizeof found);
        if ((unsigned char)*bad >= 0x80)
            return fail_at(ps, bad, "expected UTF-8 in a string, found %s", what);
        return fail_at(ps, bad, "expected an escape (such as \\t or \\u%04x) in a string, found %s",
                       (unsigned char)*bad, what);
    }
    if (ps->end - bad >= 2 && bad[1] == 'u') {
        bool digits = true;
        for (int i = 2; i < 6; i++)
            digits = digits && ps->end - bad > i && isxdigit((unsigned char)bad[i]);
        if (digits)
            return fail_at(ps, bad, "expected a surrogate pair, found its half '%.6s'", bad);
        return fail_at(ps, bad, "expected four hexadecimal digits after '\\u', found %s",
                       describe(ps, bad + 2, found, sizeof found));
    }
    return fail_at(ps, bad,
                   "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u after a backslash, "
                   "found %s (a backslash itself is \\\\)",
                   describe(ps, bad + 1, found, sizeof found));
}

static int fail_scalar(struct parser *ps, const char *bad)
{
    char found[64];
    if (*ps->p == '"')
        return fail_string(ps, ps->p, bad);
    if (*ps->p == '-' || isdigit((unsigned char)*ps->p))
        return fail_at(ps, bad, "expected a digit in the number, found %s",
                       describe(ps, bad, found, sizeof found));
    return fail_expected(ps, "a value", NULL);
}

/* ---- steps ---- */

static int skip_block_comment(struct parser *ps)
{
    const char *start = ps->p;
    for (ps->p += 2; ps->end - ps->p >= 2; ps->p++) {
        if (ps->p[0] == '*' && ps->p[1] == '/') {
            ps->p += 2;
            return 0;
        }
        ps->line += *ps->p == '\n';
    }
    ps->p = ps->end;
    return fail_at(ps, start, "expected '*/' to end the comment that begins here, "
                   "found the end of the text");
}

/* White space, and comments where they are allowed. */
static int skip_space(struct parser *ps)
{
    for (;;) {
        const char *p = ps->p, *end = ps->end;
        uint32_t line = ps->line;
        for (; p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'); p++)
            line += *p == '\n';
        ps->p = p;
        ps->line = line;
        if (!ps->lenient || ps->end - ps->p < 2 || ps->p[0] != '/')
            return 0;
        if (ps->p[1] == '/') {
            const char *newline = memchr(ps->p, '\n', (size_t)(ps->end - ps->p));
            ps->p = newline ? newline : ps->end;
        } else if (ps->p[1] == '*') {
            if (skip_block_comment(ps) < 0)
                return -1;
        } else {
            return 0;
        }
    }
}

/* Adds the value at p as a child of the open container; its end is set later. */
static int32_t add_node(struct parser *ps, enum jscan_type type)
{
    struct jscan_doc *doc = ps->doc;
    if (doc->count == doc->cap) {
        doc->cap = doc->cap ? doc->cap * 2 : 64;
        doc->nodes = xrealloc(doc->nodes, doc->cap * sizeof *doc->nodes);
    }
    int32_t index = (int32_t)doc->count++;
    uint32_t start = (uint32_t)(ps->p - ps->text);
    doc->nodes[index] = (struct jscan_node){
        .type = type, .line = ps->line,
        .key_line = ps->key == ps->key_end ? ps->line : ps->key_line, .start = start, .end = start,
        .key_start = (uint32_t)(ps->key - ps->text), .key_end = (uint32_t)(ps->key_end - ps->text),
        .parent = ps->open, .first_child = -1, .last_child = -1, .next = -1,
    };
    if (ps->open >= 0) {
        struct jscan_node *parent = &doc->nodes[ps->open];
        if (parent->last_child >= 0)
            doc->nodes[parent->last_child].next = index;
        else
            parent->first_child = index;
        parent->last_child = index;
        parent->children++;
    }
    return index;
}

static int parse_key(struct parser *ps, const char *expected)
{
    const char *bad;
    if (ps->p == ps->end || *ps->p != '"')
        return fail_expected(ps, expected, NULL);
    ps->key = ps->p;
    ps->key_line = ps->line;
    ps->p = jscan_scalar(ps->key, ps->end, &bad);
    if (!ps->p)
        return fail_string(ps, ps->key, bad);
    ps->key_end = ps->p;
    if (skip_space(ps) < 0)
        return -1;
    if (ps->p == ps->end || *ps->p != ':') {
        size_t shown = (size_t)(ps->key_end - ps->key);
        if (shown > 60) {
            for (shown = 60; ((unsigned char)ps->key[shown] & 0xC0) == 0x80; shown--) {
                /* no cut inside a character */
            }
        }
        AUTO_FREE char *expected_colon = xasprintf("':' after the key %.*s", (int)shown, ps->key);
        return fail_expected(ps, expected_colon, NULL);
    }
    ps->p++;
    return skip_space(ps);
}

static enum jscan_type scalar_type(char c)
{
    switch (c) {
    case '"': return JSCAN_STRING;
    case 't': return JSCAN_TRUE;
    case 'f': return JSCAN_FALSE;
    case 'n': return JSCAN_NULL;
    default:  return JSCAN_NUMBER;
    }
}

static int parse_scalar(struct parser *ps)
{
    if (ps->p == ps->end)
        return fail_expected(ps, "a value", NULL);
    const char *bad, *after = jscan_scalar(ps->p, ps->end, &bad);
    if (!after)
        return fail_scalar(ps, bad);
    /* A word or a number ends where something else begins: "trueish" and "01" are not two
     * values. */
    if (*ps->p != '"' && after < ps->end && is_word_byte(*after)) {
        if (scalar_type(*ps->p) == JSCAN_NUMBER) {
            char found[64];
            bool zero = *ps->p == '0' && isdigit((unsigned char)*after);
            return fail_at(ps, ps->p, "expected a number as JSON writes it, found %s%s",
                           describe(ps, ps->p, found, sizeof found),
                           zero ? "; it has no leading zeros" : "");
        }
        return fail_expected(ps, "a value", NULL);
    }
    int32_t node = add_node(ps, scalar_type(*ps->p));
    ps->p = after;
    ps->doc->nodes[node].end = (uint32_t)(after - ps->text);
    return 0;
}

/* p at '{' or '['. Stops at the first byte inside that is not space. */
static int open_container(struct parser *ps)
{
    if (ps->depth == JSCAN_MAX_DEPTH)
        return fail_at(ps, ps->p, "expected at most %d levels of nesting, found one more",
                       JSCAN_MAX_DEPTH);
    ps->open = add_node(ps, *ps->p == '{' ? JSCAN_OBJECT : JSCAN_ARRAY);
    ps->depth++;
    ps->p++;
    ps->key = ps->key_end = ps->text;
    return skip_space(ps);
}

static void close_container(struct parser *ps)
{
    struct jscan_node *c = &ps->doc->nodes[ps->open];
    ps->p++;
    ps->depth--;
    c->end = (uint32_t)(ps->p - ps->text);
    ps->open = c->parent;
}

static int fail_separator(struct parser *ps, bool object)
{
    char c = '\0';
    if (ps->p < ps->end)
        c = *ps->p;
    bool value = isalnum((unsigned char)c) || c == '"' || c == '{' || c == '[' || c == '-';
    return fail_expected(ps, object ? "',' or '}' after a member" : "',' or ']' after an element",
                         value ? "; a comma is missing before it" : NULL);
}

/* After a value in the open container: steps over a comma or closes containers, until a value comes
 * next or nothing is open. */
static int parse_rest(struct parser *ps)
{
    while (ps->open >= 0) {
        bool object = ps->doc->nodes[ps->open].type == JSCAN_OBJECT;
        char closer = object ? '}' : ']';
        if (skip_space(ps) < 0)
            return -1;
        if (ps->p == ps->end || (*ps->p != ',' && *ps->p != closer))
            return fail_separator(ps, object);
        if (*ps->p == closer) {
            close_container(ps);
            continue;
        }
        ps->p++;
        if (skip_space(ps) < 0)
            return -1;
        if (ps->lenient && ps->p < ps->end && *ps->p == closer) {
            close_container(ps);
            continue;
        }
        ps->key = ps->key_end = ps->text;
        if (ps->p < ps->end && *ps->p == closer)
            return fail_expected(ps, object ? "a key in double quotes after ','"
                                            : "a value after ','",
                                 "; the comma before it is one too many");
        return object ? parse_key(ps, "a key in double quotes after ','") : 0;
    }
    return 0;
}

static int parse_values(struct parser *ps)
{
    do {
        if (ps->p < ps->end && (*ps->p == '{' || *ps->p == '[')) {
            bool object = *ps->p == '{';
            if (open_container(ps) < 0)
                return -1;
            if (ps->p == ps->end || *ps->p != (object ? '}' : ']')) {
                if (object && parse_key(ps, "a key in double quotes or '}'") < 0)
                    return -1;
                continue;   /* to the first value inside */
            }
            close_container(ps);
        } else if (parse_scalar(ps) < 0) {
            return -1;
        }
        if (parse_rest(ps) < 0)
            return -1;
    } while (ps->open >= 0);
    return 0;
}

/* The table of one text is kept for the next: a change of a large configuration reads it some times
 * in a row, and to get the memory from the kernel each time takes as long as to read it. */
static struct jscan_doc spare;

static void take_spare(struct jscan_doc *doc)
{
    doc->nodes = TAKE(spare.nodes);
    doc->cap = spare.cap;
    spare.cap = 0;
}

static void give_spare(struct jscan_doc *doc)
{
    enum { KEPT_BYTES = 2 << 20 };
    bool better = doc->cap > spare.cap && doc->cap * sizeof *doc->nodes <= KEPT_BYTES;
    free(better ? spare.nodes : doc->nodes);
    if (better)
        spare = *doc;
}

int jscan_parse(struct jscan_doc *doc, const char *text, size_t len, enum jscan_flags flags,
                int *ret_line, struct fault *f)
{
    *doc = (struct jscan_doc){ .text = text, .len = len };
    struct parser ps = { .doc = doc, .text = text, .p = text, .end = text + len, .line = 1,
                         .lenient = flags & JSCAN_LENIENT, .open = -1, .key = text, .key_end = text,
                         .ret_line = ret_line, .f = f };
    take_spare(doc);
    if (len > MAX_TEXT) {
        if (ret_line)
            *ret_line = 1;
        jscan_fini(doc);
        return fault_set(f, FAULT_TOO_BIG, "the text has %zu MiB, more than the %zu that are read",
                         len >> 20, MAX_TEXT >> 20);
    }
    if (ps.lenient && len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        ps.p += 3;
    int err = skip_space(&ps);
    if (!err)
        err = parse_values(&ps);
    if (!err)
        err = skip_space(&ps);
    if (!err && ps.p != ps.end)
        err = fail_expected(&ps, "nothing more after the value", "");
    if (err)
        jscan_fini(doc);
    return err;
}

void jscan_fini(struct jscan_doc *doc)
{
    give_spare(doc);
    *doc = (struct jscan_doc){0};
}

/* ---- reading ---- */

static const struct jscan_node *node_at(const struct jscan_doc *doc, int32_t node)
{
    return node >= 0 && (size_t)node < doc->count ? &doc->nodes[node] : NULL;
}

bool jscan_key_is(const struct jscan_doc *doc, int32_t node, const char *key)
{
    const struct jscan_node *n = node_at(doc, node);
    if (!n || n->key_start == n->key_end)
        return false;
    const char *raw = doc->text + n->key_start;
    size_t raw_len = n->key_end - n->key_start, len = strlen(key);
    if (raw_len - 2 < len)
        return false;                /* an escape is longer than what it means */
    if (!memchr(raw, '\\', raw_len))
        return raw_len - 2 == len && memcmp(raw + 1, key, len) == 0;
    AUTO_BUF struct buf b = BUF_INIT;
    if (jscan_decode(raw, raw_len, &b) < 0)
        return false;
    return b.len == len && memcmp(buf_str(&b), key, len) == 0;
}

int32_t jscan_member(const struct jscan_doc *doc, int32_t node, const char *key)
{
    const struct jscan_node *n = node_at(doc, node);
    int32_t found = -1;
    if (!n || n->type != JSCAN_OBJECT)
        return -1;
    for (int32_t i = n->first_child; i >= 0; i = doc->nodes[i].next) {
        if (jscan_key_is(doc, i, key))
            found = i;
    }
    return found;
}

static char *decoded(const struct jscan_doc *doc, size_t start, size_t end)
{
    AUTO_BUF struct buf b = BUF_INIT;
    if (end - start < 2 || jscan_decode(doc->text + start, end - start, &b) < 0)
        return NULL;
    if (b.len && memchr(b.data, 0, b.len))
        return NULL;
    return buf_take(&b);
}

char *jscan_key(const struct jscan_doc *doc, int32_t node)
{
    const struct jscan_node *n = node_at(doc, node);
    return n ? decoded(doc, n->key_start, n->key_end) : NULL;
}

char *jscan_str(const struct jscan_doc *doc, int32_t node)
{
    const struct jscan_node *n = node_at(doc, node);
    return n && n->type == JSCAN_STRING ? decoded(doc, n->start, n->end) : NULL;
}

bool jscan_int(const struct jscan_doc *doc, int32_t node, int64_t *ret)
{
    const struct jscan_node *n = node_at(doc, node);
    if (!n || n->type != JSCAN_NUMBER)
        return false;
    const char *p = doc->text + n->start, *end = doc->text + n->end;
    bool negative = *p == '-';
    int64_t value = 0;   /* counted downwards: INT64_MIN has no positive twin */
    for (p += negative; p < end; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, *p - '0', &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *ret = negative ? value : -value;
    return true;
}
