/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A growable run of bytes. Grows by doubling, keeps a NUL behind the bytes, aborts when memory or
 * the address space ends. Knows two quotings, JSON's and the shell's, because they are needed
 * wherever text is built. */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

enum { MIN_CAP = 64, KEEP_CAP = 64 * 1024 };

void buf_fini(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT;
}

void buf_reserve(struct buf *b, size_t more)
{
    if (more < b->cap - b->len)   /* strictly: the NUL needs its byte */
        return;
    if (more > SIZE_MAX / 4 - b->len)
        abort();
    size_t need = b->len + more + 1;
    size_t cap = b->cap * 2 > MIN_CAP ? b->cap * 2 : MIN_CAP;
    b->cap = cap > need ? cap : need;
    b->data = xrealloc(b->data, b->cap);
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *p, size_t n)
{
    buf_reserve(b, n);
    if (n)
        memcpy(b->data + b->len, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    buf_reserve(b, 1);
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    buf_reserve(b, MIN_CAP / 2);
    size_t room = b->cap - b->len;
    int n = vsnprintf(b->data + b->len, room, fmt, ap);
    if (n < 0) {
        b->data[b->len] = '\0';   /* an argument that the format cannot show adds nothing */
    } else {
        if ((size_t)n >= room) {
            buf_reserve(b, (size_t)n);
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        }
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    if (!n)
        return;
    if (n >= b->len) {
        b->len = 0;
        if (b->data)
            b->data[0] = '\0';
        return;
    }
    b->len -= n;
    memmove(b->data, b->data + n, b->len + 1);
}

void buf_clear(struct buf *b)
{
    if (b->cap > KEEP_CAP) {
        buf_fini(b);
        return;
    }
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_take(struct buf *b)
{
    buf_reserve(b, 0);
    if (b->cap > 2 * (b->len + 1))
        b->data = xrealloc(b->data, b->len + 1);
    char *s = TAKE(b->data);
    *b = BUF_INIT;
    return s;
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

static void add_json_escape(struct buf *b, unsigned char c)
{
    static const char letters[32] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
    };
    static const char hex[] = "0123456789abcdef";
    if (c == '"' || c == '\\') {
        buf_add(b, (char[]){ '\\', (char)c }, 2);
    } else if (c < sizeof letters && letters[c]) {
        buf_add(b, (char[]){ '\\', letters[c] }, 2);
    } else {
        buf_add(b, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
    }
}

void buf_add_json(struct buf *b, const char *s, size_t n)
{
    size_t run = 0, i = 0;
    buf_reserve(b, n + 2);
    buf_add_char(b, '"');
    while (i < n) {
        i += text_plain_run(s + i, n - i);
        if (i == n)
            break;
        unsigned char c = (unsigned char)s[i];
        size_t len = c < 0x80 ? 0 : text_seq_len(s + i, n - i);
        if (len) {
            i += len;   /* valid: part of the run */
            continue;
        }
        buf_add(b, s + run, i - run);
        if (c < 0x80) {
            add_json_escape(b, c);
            i++;
        } else {
            uint32_t cp;
            buf_add_str(b, "\xef\xbf\xbd");
            i += text_decode(s + i, n - i, &cp);
        }
        run = i;
    }
    buf_add(b, s + run, n - run);
    buf_add_char(b, '"');
}

void buf_add_shell(struct buf *b, const char *word)
{
    static const char safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789%+,-./:=@_";
    if (*word && !word[strspn(word, safe)]) {
        buf_add_str(b, word);
        return;
    }
    buf_add_char(b, '\'');
    for (const char *quote; (quote = strchr(word, '\'')); word = quote + 1) {
        buf_add(b, word, (size_t)(quote - word));
        buf_add_str(b, "'\\''");
    }
    buf_add_str(b, word);
    buf_add_char(b, '\'');
}
