/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scanner: steps over JSON without allocating, recursing or copying; strict RFC 8259. It is on
 * the path of every message, so plain runs of strings go eight bytes at a time. Knows nothing of
 * lines, comments or error texts: those are jscan_doc.c's, which calls the steps here. */
#include "base/jscan.h"

#include <string.h>
#include "base/text_scan.h"

static const char *fail(const char *at, const char **ret_bad)
{
    if (ret_bad)
        *ret_bad = at;
    return NULL;
}

const char *jscan_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of a \u escape, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t value = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

/* p at the backslash. Returns the byte after the escape, or NULL; a surrogate pair is one
 * escape. halves: half a pair is an escape, too. */
static const char *scan_escape(const char *p, const char *end, bool halves, uint32_t *ret_cp)
{
    static const char letters[128] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t',
    };
    if (end - p < 2)
        return NULL;
    unsigned char c = (unsigned char)p[1];
    if (c != 'u') {
        if (c >= sizeof letters || !letters[c])
            return NULL;
        *ret_cp = (uint32_t)letters[c];
        return p + 2;
    }
    int32_t high = hex4(p + 2, end);
    const char *half = halves && high >= 0 ? p + 6 : NULL;
    if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return half;
    *ret_cp = (uint32_t)high;
    if (high < 0xD800 || high > 0xDBFF)
        return p + 6;
    if (end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return half;
    int32_t low = hex4(p + 8, end);
    if (low < 0xDC00 || low > 0xDFFF)
        return half;
    *ret_cp = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
    return p + 12;
}

/* p after the opening quote. Returns the byte after the closing one; *bad is the byte that spoils
 * it. */
static const char *scan_string(const char *p, const char *end, bool halves, bool *plain,
                               const char **bad)
{
    for (;;) {
        p = scan_plain(p, end);
        if (p == end)
            return fail(end, bad);
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            return p + 1;
        if (c == '\\') {
            uint32_t cp;
            const char *after = scan_escape(p, end, halves, &cp);
            if (!after)
                return fail(p, bad);
            *plain = false;
            p = after;
        } else if (c < ' ') {
            return fail(p, bad);
        } else {
            /* Texts that are not English come in runs. */
            do {
                int whole;
                size_t len = scan_sequence((const unsigned char *)p, (size_t)(end - p), &whole);
                if (!whole)
                    return fail(p, bad);
                p += len;
            } while (p < end && (unsigned char)*p >= 0x80);
        }
    }
}

const char *jscan_string(const char *p, const char *end, bool *ret_plain)
{
    bool plain = true;
    if (p >= end || *p != '"')
        return NULL;
    p = scan_string(p + 1, end, true, &plain, NULL);
    if (p && ret_plain)
        *ret_plain = plain;
    return p;
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static const char *scan_number(const char *p, const char *end, const char **bad)
{
    if (*p == '-')
        p++;
    const char *digits = p;
    p = p < end && *p == '0' ? p + 1 : skip_digits(p, end);
    if (p == digits)
        return fail(p, bad);
    if (p < end && *p == '.') {
        digits = ++p;
        p = skip_digits(p, end);
        if (p == digits)
            return fail(p, bad);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        digits = p;
        p = skip_digits(p, end);
        if (p == digits)
            return fail(p, bad);
    }
    return p;
}

static const char *scan_word(const char *p, const char *end, const char *word, const char **bad)
{
    const char *start = p;
    while (*word) {
        if (p == end)
            return fail(end, bad);
        if (*p++ != *word++)
            return fail(start, bad);
    }
    return p;
}

static const char *scan_scalar(const char *p, const char *end, bool halves, const char **ret_bad)
{
    bool plain;
    if (p >= end)
        return fail(end, ret_bad);
    switch (*p) {
    case '"':
        return scan_string(p + 1, end, halves, &plain, ret_bad);
    case 't':
        return scan_word(p, end, "true", ret_bad);
    case 'f':
        return scan_word(p, end, "false", ret_bad);
    case 'n':
        return scan_word(p, end, "null", ret_bad);
    default:
        if (*p == '-' || (*p >= '0' && *p <= '9'))
            return scan_number(p, end, ret_bad);
        return fail(p, ret_bad);
    }
}

const char *jscan_scalar(const char *p, const char *end, const char **ret_bad)
{
    return scan_scalar(p, end, false, ret_bad);
}

/* Which containers are open: one bit each, set for an object. */
struct stack {
    uint64_t is_object[JSCAN_MAX_DEPTH / 64];
    unsigned depth;
};

static inline bool top_is_object(const struct stack *s)
{
    unsigned i = s->depth - 1;
    return s->is_object[i / 64] >> (i % 64) & 1;
}

static inline void push(struct stack *s, bool object)
{
    unsigned i = s->depth++;
    uint64_t bit = UINT64_C(1) << (i % 64);
    s->is_object[i / 64] = object ? s->is_object[i / 64] | bit : s->is_object[i / 64] & ~bit;
}

/* A key and its colon, with the white space around. Returns the first byte of the value. */
static const char *scan_key(const char *p, const char *end, const char **bad)
{
    bool plain;
    if (p == end || *p != '"')
        return fail(p, bad);
    p = scan_string(p + 1, end, true, &plain, bad);
    if (!p)
        return NULL;
    p = jscan_space(p, end);
    if (p == end || *p != ':')
        return fail(p, bad);
    return jscan_space(p + 1, end);
}

/* p after a value inside containers: closes what ends here. Returns the first byte of the next
 * value, or with depth 0 the byte after the outermost one. */
static const char *scan_rest(struct stack *s, const char *p, const char *end, const char **bad)
{
    while (s->depth) {
        p = jscan_space(p, end);
        if (p == end)
            return fail(p, bad);
        bool object = top_is_object(s);
        if (*p == ',') {
            p = jscan_space(p + 1, end);
            return object ? scan_key(p, end, bad) : p;
        }
        if (*p != (object ? '}' : ']'))
            return fail(p, bad);
        s->depth--;
        p++;
    }
    return p;
}

const char *jscan_value(const char *p, const char *end, const char **ret_bad)
{
    struct stack s = {0};
    do {
        if (p < end && (*p == '{' || *p == '[')) {
            bool object = *p == '{';
            if (s.depth == JSCAN_MAX_DEPTH)
                return fail(p, ret_bad);
            push(&s, object);
            p = jscan_space(p + 1, end);
            if (p == end || *p != (object ? '}' : ']')) {
                if (object)
                    p = scan_key(p, end, ret_bad);
                if (!p)
                    return NULL;
                continue;   /* to the first value inside */
            }
            s.depth--;
            p++;
        } else {
            p = scan_scalar(p, end, true, ret_bad);
            if (!p)
                return NULL;
        }
        p = scan_rest(&s, p, end, ret_bad);
        if (!p)
            return NULL;
    } while (s.depth);
    return p;
}

static void add_utf8(struct buf *out, uint32_t cp)
{
    char b[4];
    size_t n;
    if (cp < 0x80) {
        b[0] = (char)cp;
        n = 1;
    } else if (cp < 0x800) {
        b[0] = (char)(0xC0 | cp >> 6);
        n = 2;
    } else if (cp < 0x10000) {
        b[0] = (char)(0xE0 | cp >> 12);
        n = 3;
    } else {
        b[0] = (char)(0xF0 | cp >> 18);
        n = 4;
    }
    for (size_t i = 1; i < n; i++)
        b[i] = (char)(0x80 | (cp >> (6 * (n - 1 - i)) & 0x3F));
    buf_add(out, b, n);
}

int jscan_decode(const char *p, size_t n, struct buf *out)
{
    const char *end = p + n;
    bool plain = true;
    if (n < 2 || *p != '"' || scan_string(p + 1, end, false, &plain, NULL) != end)
        return -1;
    p++;
    end--;
    buf_reserve(out, (size_t)(end - p));
    while (p < end) {
        const char *escape = plain ? NULL : memchr(p, '\\', (size_t)(end - p));
        buf_add(out, p, (size_t)((escape ? escape : end) - p));
        if (!escape)
            break;
        uint32_t cp = 0;
        p = scan_escape(escape, end, false, &cp);
        add_utf8(out, cp);
    }
    return 0;
}
