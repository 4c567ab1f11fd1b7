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

/* p in a string, at a byte that scan_plain() stops at. Returns the byte after the closing quote;
 * *bad is the byte that spoils it. */
static const char *scan_marked(const char *p, const char *end, bool halves, bool *plain,
                               const char **bad)
{
    for (; p < end; p = scan_plain(p, end)) {
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
    return fail(end, bad);
}

/* p after the opening quote; else as above. Most strings are short and plain. */
static inline const char *scan_string(const char *p, const char *end, bool halves, bool *plain,
                                      const char **bad)
{
    p = scan_plain(p, end);
    return p < end && *p == '"' ? p + 1 : scan_marked(p, end, halves, plain, bad);
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

static inline bool top_is_object(const struct jscan_stack *s)
{
    unsigned i = s->depth - 1;
    return s->is_object[i / 64] >> (i % 64) & 1;
}

static inline void push(struct jscan_stack *s, bool object)
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

/* ---- a text that is still to come ---- */

/* Everything before p is scanned; the stack is as it is there. */
static inline void ahead_at(struct jscan_ahead *a, enum jscan_step step, const char *p)
{
    a->step = step;
    a->at = (size_t)(p - a->text);
    a->depth = a->stack.depth;
    if (step == JSCAN_AT_VALUE && a->depth < JSCAN_KNOWN_DEPTHS)
        a->start[a->depth] = a->at;
}

/* The value that began at start[stack.depth] ends before p. */
static inline void ahead_over(struct jscan_ahead *a, const char *p)
{
    unsigned depth = a->stack.depth;
    if (depth >= JSCAN_KNOWN_DEPTHS)
        return;
    size_t to = (size_t)(p - a->text);
    if (to - a->start[depth] >= a->least && a->count[depth] < JSCAN_KNOWN_SPANS)
        a->known[depth][a->count[depth]++] = (struct jscan_known){a->start[depth], to};
}

/* ---- values ---- */

/* The two below are compiled twice: with `a` NULL for a text that is whole, at no cost to that, and
 * with what keeps where it stopped. */
#define BOTH_WAYS static inline __attribute__((always_inline))

/* p after a value inside containers: closes what ends here. Returns the first byte of the next
 * value, or with depth 0 the byte after the outermost one. */
BOTH_WAYS const char *scan_rest(struct jscan_stack *s, const char *p, const char *end,
                                const char **bad, struct jscan_ahead *a)
{
    while (s->depth) {
        if (a)
            ahead_at(a, JSCAN_BEHIND_VALUE, p);
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
        if (a)
            ahead_over(a, p);
    }
    return p;
}

BOTH_WAYS const char *scan_nested(struct jscan_stack *s, const char *p, const char *end,
                                  const char **bad, struct jscan_ahead *a)
{
    do {
        if (a)
            ahead_at(a, JSCAN_AT_VALUE, p);
        if (p < end && (*p == '{' || *p == '[')) {
            bool object = *p == '{';
            if (s->depth == JSCAN_MAX_DEPTH)
                return fail(p, bad);
            push(s, object);
            p = jscan_space(p + 1, end);
            if (p == end)
                return fail(p, bad);
            if (*p != (object ? '}' : ']')) {
                if (object)
                    p = scan_key(p, end, bad);
                if (!p)
                    return NULL;
                continue;   /* to the first value inside */
            }
            s->depth--;
            p++;
        } else {
            p = scan_scalar(p, end, true, bad);
            if (!p)
                return NULL;
            if (a && p == end && p[-1] != '"')
                return fail(p, bad);    /* there may be more of it */
        }
        if (a)
            ahead_over(a, p);
        p = scan_rest(s, p, end, bad, a);
        if (!p)
            return NULL;
    } while (s->depth);
    return p;
}

/* What jscan_value need not scan again. */
static const struct jscan_ahead *known;

static const char *known_end(const char *p, const char *end)
{
    size_t from = (size_t)(p - known->text);
    if (p < known->text || from >= known->seen)
        return NULL;
    for (unsigned depth = 0; depth < JSCAN_KNOWN_DEPTHS; depth++)
        for (unsigned i = 0; i < known->count[depth]; i++)
            if (known->known[depth][i].from == from &&
                known->known[depth][i].to <= (size_t)(end - known->text))
                return known->text + known->known[depth][i].to;
    return NULL;
}

const char *jscan_value(const char *p, const char *end, const char **ret_bad)
{
    if (known) {
        const char *after = known_end(p, end);
        if (after)
            return after;
    }
    if (p < end && *p != '{' && *p != '[')
        return scan_scalar(p, end, true, ret_bad);
    struct jscan_stack s = {.depth = 0};
    return scan_nested(&s, p, end, ret_bad, NULL);
}

/* From where the last one stopped. */
static const char *ahead_go_on(struct jscan_ahead *a, const char *p, const char *end,
                               const char **bad)
{
    bool plain;
    a->stack.depth = a->depth;
    if (a->step == JSCAN_AT_VALUE) {
        p = jscan_space(p, end);
    } else {
        if (a->step == JSCAN_IN_STRING) {
            p = scan_string(p, end, true, &plain, bad);
            if (!p)
                return NULL;
            ahead_over(a, p);
        }
        p = scan_rest(&a->stack, p, end, bad, a);
        if (!p || !a->stack.depth)
            return p;
    }
    return scan_nested(&a->stack, p, end, bad, a);
}

static void ahead_look_for_newline(struct jscan_ahead *a, size_t n)
{
    const char *from = a->text + a->seen;
    if (!a->has_newline && n > a->seen) {
        const char *lf = memchr(from, '\n', n - a->seen), *cr = memchr(from, '\r', n - a->seen);
        const char *first = lf && (!cr || lf < cr) ? lf : cr;
        a->has_newline = first;
        a->newline = first ? (size_t)(first - a->text) : 0;
    }
    a->seen = n;
}

void jscan_ahead(struct jscan_ahead *a, const char *text, size_t n)
{
    /* No token has a part longer than TOKEN_PART, so what fails before that is no JSON; and what
     * is no string and has not ended after TOO_LONG is not looked for again and again. */
    enum { TOKEN_PART = 12, TOO_LONG = 1 << 20 };
    const char *end = text + n, *bad = end;
    a->text = text;
    ahead_look_for_newline(a, n);
    if (a->over)
        return;
    const char *p = ahead_go_on(a, text + a->at, end, &bad);
    if (!p && end - bad < TOKEN_PART && bad > text + a->at &&
        (a->step == JSCAN_IN_STRING || text[a->at] == '"')) {
        a->step = JSCAN_IN_STRING;
        a->at = (size_t)(bad - text);
    }
    a->over = p || end - bad >= TOKEN_PART || n - a->at > TOO_LONG;
}

const struct jscan_ahead *jscan_know(const struct jscan_ahead *a)
{
    const struct jscan_ahead *before = known;
    known = a;
    return before;
}

/* ---- strings as text ---- */

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
