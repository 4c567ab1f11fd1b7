/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading in the parts of a scanned message: members, strings, ids. For small parts only (a
 * handshake, a page of tools): everything here walks the text again. It trusts that envelope_scan
 * has accepted it. */
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/envelope.h"

struct span span_of(const char *text)
{
    return (struct span){text, strlen(text)};
}

bool span_equal(struct span a, struct span b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

bool span_is_escaped(struct span s, struct span text)
{
    if (s.n > 6 * text.n || !memchr(s.p, '\\', s.n))
        return false;
    AUTO_BUF struct buf plain = BUF_INIT;
    /* The quotes stand around it in the message. */
    return !jscan_decode(s.p - 1, s.n + 2, &plain) && plain.len == text.n &&
           !memcmp(buf_str(&plain), text.p, text.n);
}

struct span span_member(struct span object, const char *key)
{
    if (object.n < 2 || *object.p != '{')
        return (struct span){0};
    const char *end = object.p + object.n;
    const char *p = jscan_space(object.p + 1, end);
    while (p < end && *p == '"') {
        const char *after = jscan_string(p, end, NULL);
        if (!after)
            break;
        struct span name = {p + 1, (size_t)(after - p) - 2};
        p = jscan_space(after, end);
        if (p == end || *p != ':')
            break;
        p = jscan_space(p + 1, end);
        after = jscan_value(p, end, NULL);
        if (!after)
            break;
        if (span_is(name, key))
            return (struct span){p, (size_t)(after - p)};
        p = jscan_space(after, end);
        if (p < end && *p == ',')
            p = jscan_space(p + 1, end);
    }
    return (struct span){0};
}

bool span_next_member(const char **at, const char *end, struct member *ret)
{
    const char *p = jscan_space(*at, end);

    if (p < end && *p == ',')
        p = jscan_space(p + 1, end);
    if (p == end || *p != '"')
        return false;
    const char *after = jscan_value(p, end, NULL);
    const char *from = after ? jscan_space(jscan_space(after, end) + 1, end) : NULL;
    const char *to = from && from < end ? jscan_value(from, end, NULL) : NULL;
    if (!to)
        return false;
    *ret = (struct member){{p, (size_t)(after - p)}, {from, (size_t)(to - from)}};
    *at = to;
    return true;
}

char *span_decode(struct span token, size_t max)
{
    AUTO_BUF struct buf text = BUF_INIT;

    if (token.n < 2 || *token.p != '"' || jscan_decode(token.p, token.n, &text))
        return xstrdup("");
    size_t n = text.len;
    if (n > max) {
        n = max;
        while (n && ((unsigned char)text.data[n] & 0xC0) == 0x80)
            n--;
    }
    return xstrndup(buf_str(&text), n);
}

void span_flatten(char *text, size_t n)
{
    char *end = text + n;

    for (char *p = text; n && (p = memchr(p, '\n', (size_t)(end - p))) != NULL;)
        *p = ' ';
    for (char *p = text; n && (p = memchr(p, '\r', (size_t)(end - p))) != NULL;)
        *p = ' ';
}

char *span_line(struct span value)
{
    char *line = xstrndup(value.n ? value.p : "", value.n);

    span_flatten(line, value.n);
    return line;
}

bool span_is_empty(struct span token)
{
    return token.n < 2 || jscan_space(token.p + 1, token.p + token.n) == token.p + token.n - 1;
}

struct span span_from_id(uint64_t id, char out[ID_DIGITS])
{
    char *p = decimal_before(out + ID_DIGITS, id);

    return (struct span){p, (size_t)(out + ID_DIGITS - p)};
}

bool span_to_id(struct span token, uint64_t *ret)
{
    uint64_t id = 0;

    if (!token.n || token.n > 18 || (token.n > 1 && *token.p == '0'))
        return false;
    for (size_t i = 0; i < token.n; i++) {
        if (token.p[i] < '0' || token.p[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(token.p[i] - '0');
    }
    *ret = id;
    return true;
}
