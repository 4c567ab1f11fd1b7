/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads the head of a plain POST, once from left to right; see http_head.h. */
#include "api/http_head.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text_scan.h"

#define METHOD "POST "
#define VERSION "HTTP/1.1\r\n"
enum { LENGTH_DIGITS_MAX = 9 };

/* Characters of a token (RFC 9110, 5.6.2). */
static const bool is_token_char[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true,
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Whether `text` stands at p, or what there is of it. */
static enum http_head_kind expect(const char *p, const char *end, const char *text)
{
    for (; *text; p++, text++)
        if (p == end)
            return HTTP_HEAD_MORE;
        else if (*p != *text)
            return HTTP_HEAD_OTHER;
    return HTTP_HEAD_PLAIN;
}

/* One with a query is no call. */
static enum http_head_kind read_request_line(char **at, char *end, struct http_head *h)
{
    enum http_head_kind kind = expect(*at, end, METHOD);

    if (kind != HTTP_HEAD_PLAIN)
        return kind;
    char *p = *at + strlen(METHOD);
    h->path = p;
    while (p < end && *p > ' ' && *p < 0x7f && *p != '?' && *p != '#')
        p++;
    if (p == end)
        return HTTP_HEAD_MORE;
    if (*p != ' ' || h->path[0] != '/')
        return HTTP_HEAD_OTHER;
    *p++ = '\0';
    *at = p + strlen(VERSION);
    return expect(p, end, VERSION);
}

/* The first byte of [p, end) that may not be in a value. */
static char *skip_value(char *p, char *end)
{
    for (; (p = (char *)(uintptr_t)scan_plain(p, end)) < end; p++)
        if ((unsigned char)*p < ' ' && *p != '\t')
            break;
    return p;
}

static enum http_head_kind read_field(char **at, char *end, struct http_field *f)
{
    char *p = *at;

    f->name = p;
    while (p < end && is_token_char[(unsigned char)*p])
        p++;
    f->name_n = (size_t)(p - f->name);
    if (p == end)
        return HTTP_HEAD_MORE;
    if (*p != ':' || f->name_n == 0)
        return HTTP_HEAD_OTHER;
    *p++ = '\0';
    while (p < end && is_space(*p))
        p++;
    f->value = p;
    p = skip_value(p, end);
    enum http_head_kind kind = expect(p, end, "\r\n");
    if (kind != HTTP_HEAD_PLAIN)
        return kind;
    *at = p + 2;
    *p = '\0';
    return p > f->value && is_space(p[-1]) ? HTTP_HEAD_OTHER : HTTP_HEAD_PLAIN;
}

static bool is_named(const struct http_field *f, const char *name, size_t n)
{
    return f->name_n == n && strncasecmp(f->name, name, n) == 0;
}
#define IS_NAMED(f, name) is_named(f, name, sizeof name - 1)

static bool read_length(const char *value, size_t *ret)
{
    const char *p = value;

    for (*ret = 0; *p >= '0' && *p <= '9' && p - value < LENGTH_DIGITS_MAX; p++)
        *ret = *ret * 10 + (size_t)(*p - '0');
    return p > value && !*p;
}

struct framing { unsigned hosts, lengths; };

/* What says where the request ends, and what becomes of the connection. */
static bool read_framing(const struct http_field *f, struct http_head *h, struct framing *seen)
{
    if (IS_NAMED(f, "Host"))
        return seen->hosts++ == 0;
    if (IS_NAMED(f, "Content-Length"))
        return seen->lengths++ == 0 && read_length(f->value, &h->body_n);
    if (IS_NAMED(f, "Connection"))
        return strcasecmp(f->value, "keep-alive") == 0;
    return !IS_NAMED(f, "Transfer-Encoding") && !IS_NAMED(f, "Expect") && !IS_NAMED(f, "Upgrade");
}

enum http_head_kind http_head_read(char *p, size_t n, struct http_head *h)
{
    char *at = p, *end = p + n;
    struct framing seen = {0};
    enum http_head_kind kind = read_request_line(&at, end, h);

    h->count = 0;
    while (kind == HTTP_HEAD_PLAIN) {
        struct http_field *f = &h->fields[h->count];
        if (expect(at, end, "\r\n") != HTTP_HEAD_OTHER)
            break;
        kind = read_field(&at, end, f);
        if (kind == HTTP_HEAD_PLAIN &&
            (!read_framing(f, h, &seen) || ++h->count == HTTP_FIELDS_MAX))
            kind = HTTP_HEAD_OTHER;
    }
    if (kind != HTTP_HEAD_PLAIN)
        return kind;
    h->n = (size_t)(at - p) + strlen("\r\n");
    if (h->n > n)
        return HTTP_HEAD_MORE;
    return seen.hosts && seen.lengths ? HTTP_HEAD_PLAIN : HTTP_HEAD_OTHER;
}

const char *http_head_get(const struct http_head *h, const char *name)
{
    size_t n = strlen(name);

    for (const struct http_field *f = h->fields; f < h->fields + h->count; f++)
        if (is_named(f, name, n))
            return f->value;
    return NULL;
}
