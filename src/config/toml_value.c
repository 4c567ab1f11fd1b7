/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The values of TOML: strings, numbers, arrays, inline tables. */
#include "config/toml_internal.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

/* ---- strings ---- */

static bool starts(const struct toml_reader *r, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(r->end - r->p) >= n && memcmp(r->p, text, n) == 0;
}

static void add_utf8(struct buf *out, uint32_t cp)
{
    char c[4];
    size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; cp >>= 6)
        c[i] = (char)(0x80 | (cp & 0x3f));
    c[0] = (char)(n == 1 ? cp : (0xf00u >> n & 0xff) | cp);
    buf_add(out, c, n);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* After "\u" or "\U". */
static int unicode_escape(struct toml_reader *r, int digits, struct buf *out)
{
    uint32_t cp = 0;
    for (int i = 0; i < digits; i++, r->p++) {
        int digit = r->p < r->end ? hex_digit(*r->p) : -1;
        if (digit < 0)
            return toml_bad(r, "\\%c needs %d hexadecimal digits", digits == 4 ? 'u' : 'U', digits);
        cp = cp << 4 | (uint32_t)digit;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
        return toml_bad(r, "an escape of no character");
    add_utf8(out, cp);
    return 0;
}

/* A backslash at the end of a line takes away all white space up to the next character. */
static int line_continuation(struct toml_reader *r)
{
    const char *start = r->p;
    toml_blanks(r);
    if (!toml_at_newline(r)) {
        r->p = start;
        return toml_bad(r, "an unknown escape in a string");
    }
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || toml_at_newline(r)))
        r->p += *r->p == '\r' ? 2 : 1;
    return 0;
}

/* After a backslash. */
static int escape(struct toml_reader *r, bool many, struct buf *out)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    const char *at = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;
    if (at) {
        buf_add_char(out, to[at - from]);
        r->p++;
        return 0;
    }
    if (r->p < r->end && (*r->p == 'u' || *r->p == 'U'))
        return unicode_escape(r, *r->p++ == 'u' ? 4 : 8, out);
    return many ? line_continuation(r) : toml_bad(r, "an unknown escape in a string");
}

/* One character of a string that is no quote of its end. */
static int character(struct toml_reader *r, char quote, bool many, struct buf *out)
{
    if (*r->p == '\\' && quote == '"') {
        r->p++;
        return escape(r, many, out);
    }
    if (many && toml_at_newline(r)) {
        buf_add_char(out, '\n');
        r->p += *r->p == '\r' ? 2 : 1;
        return 0;
    }
    if (((unsigned char)*r->p < ' ' && *r->p != '\t') || *r->p == 0x7f)
        return toml_bad(r, toml_at_newline(r) ? "a string without its closing quote"
                                              : "a control character in a string");
    buf_add_char(out, *r->p++);
    return 0;
}

/* """…""" and '''…''': up to two quotes may stand before the end. */
static int long_string(struct toml_reader *r, const char *quotes, struct buf *out)
{
    r->p += 3;
    if (toml_at_newline(r))
        r->p += *r->p == '\r' ? 2 : 1;
    while (r->p < r->end) {
        if (starts(r, quotes)) {
            r->p += 3;
            for (int i = 0; i < 2 && r->p < r->end && *r->p == *quotes; i++)
                buf_add_char(out, *r->p++);
            return 0;
        }
        if (character(r, *quotes, true, out))
            return -1;
    }
    return toml_bad(r, "a string without its closing quotes");
}

int toml_string(struct toml_reader *r, bool many, struct buf *out)
{
    char quote = *r->p;
    const char *quotes = quote == '"' ? "\"\"\"" : "'''";
    if (many && starts(r, quotes))
        return long_string(r, quotes, out);
    for (r->p++; r->p < r->end; ) {
        if (*r->p == quote) {
            r->p++;
            return 0;
        }
        if (character(r, quote, false, out))
            return -1;
    }
    return toml_bad(r, "a string without its closing quote");
}

/* ---- numbers, words, dates ---- */

static json_t *number(const char *word)
{
    char *end;
    const char *digits = word + (*word == '+' || *word == '-');
    int base = strncmp(digits, "0x", 2) == 0   ? 16
               : strncmp(digits, "0o", 2) == 0 ? 8
               : strncmp(digits, "0b", 2) == 0 ? 2
                                               : 10;
    errno = 0;
    long long n = strtoll(base == 10 || base == 16 ? word : digits + 2, &end, base);
    if (!*end && end > word && !errno && (base == 10 || digits == word))
        return json_integer(n);
    if (!strchr("0123456789", *digits) || strpbrk(word, "xX"))
        return NULL;
    double x = strtod(word, &end);
    return *end ? NULL : json_real(isfinite(x) ? x : 0);
}

/* 1979-05-27, 07:32:00, 1979-05-27T07:32:00.5-07:00: not looked into. */
static bool is_moment(const char *word)
{
    size_t n = strspn(word, "0123456789");
    return (n == 4 && word[4] == '-') || (n == 2 && word[2] == ':');
}

static json_t *word_value(const char *word)
{
    if (!strcmp(word, "true") || !strcmp(word, "false"))
        return json_boolean(*word == 't');
    const char *name = word + (*word == '+' || *word == '-');
    if (!strcmp(name, "inf") || !strcmp(name, "nan"))
        return json_null();
    if (is_moment(word) && word[strspn(word, "0123456789-:.TtZz+ ")] == '\0')
        return json_string(word);
    AUTO_BUF struct buf plain = BUF_INIT;
    for (const char *p = word; *p; p++)
        if (*p != '_')
            buf_add_char(&plain, *p);
    return plain.len ? number(buf_str(&plain)) : NULL;
}

static int word(struct toml_reader *r, json_t **ret)
{
    const char *start = r->p;
    size_t n = 0;
    while (r->p + n < r->end && start[n] && strchr("0123456789abcdefghijklmnopqrstuvwxyz"
                                                   "ABCDEFGHIJKLMNOPQRSTUVWXYZ+-_.:", start[n]))
        n++;
    /* A date and a time may be two words. */
    if (n == 10 && r->end - start > 13 && start[10] == ' ' && start[13] == ':')
        n += 1 + strspn(start + 11, "0123456789:.Zz+-");
    AUTO_FREE char *text = xstrndup(start, n);
    *ret = word_value(text);
    if (!*ret)
        return toml_bad(r, n ? "\"%.40s\" is no value" : "expected a value%s", text);
    r->p += n;
    return 0;
}

/* ---- arrays and inline tables ---- */

static int array_elements(struct toml_reader *r, json_t *array)
{
    for (;;) {
        json_t *value;
        if (toml_gap(r))
            return -1;
        if (r->p < r->end && *r->p == ']')
            break;
        if (toml_value(r, &value))
            return -1;
        json_array_append_new(array, value);
        if (toml_gap(r))
            return -1;
        if (r->p < r->end && *r->p == ',')
            r->p++;
        else if (r->p == r->end || *r->p != ']')
            return toml_bad(r, "expected \",\" or \"]\" in an array");
    }
    r->p++;
    return 0;
}

static int table_members(struct toml_reader *r, json_t *table)
{
    toml_blanks(r);
    if (r->p < r->end && *r->p == '}') {
        r->p++;
        return 0;
    }
    for (;;) {
        AUTO_STRVEC struct strvec key = {0};
        json_t *value;
        if (toml_key(r, &key))
            return -1;
        if (r->p == r->end || *r->p != '=')
            return toml_bad(r, "expected \"=\" after the key \"%s\"", key.v[key.n - 1]);
        r->p++;
        toml_blanks(r);
        if (toml_value(r, &value) || toml_put(r, table, &key, value))
            return -1;
        toml_blanks(r);
        if (r->p == r->end || (*r->p != ',' && *r->p != '}'))
            return toml_bad(r, "expected \",\" or \"}\" in an inline table");
        if (*r->p++ == '}')
            return 0;
    }
}

static int container(struct toml_reader *r, json_t **ret)
{
    bool array = *r->p == '[';
    if (++r->depth > TOML_MAX_DEPTH)
        return toml_bad(r, "nested too deep");
    *ret = array ? json_array() : json_object();
    r->p++;
    if (array ? array_elements(r, *ret) : table_members(r, *ret)) {
        json_decref(*ret);
        *ret = NULL;
        return -1;
    }
    json_list_add(&r->sealed, *ret);
    r->depth--;
    return 0;
}

int toml_value(struct toml_reader *r, json_t **ret)
{
    AUTO_BUF struct buf text = BUF_INIT;
    *ret = NULL;
    if (r->p == r->end)
        return toml_bad(r, "expected a value");
    if (*r->p == '[' || *r->p == '{')
        return container(r, ret);
    if (*r->p != '"' && *r->p != '\'')
        return word(r, ret);
    if (toml_string(r, true, &text))
        return -1;
    *ret = json_stringn_nocheck(buf_str(&text), text.len);
    return 0;
}
