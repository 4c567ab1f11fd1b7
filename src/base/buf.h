/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A growable run of bytes, always followed by a NUL that len does not count once anything was
 * added. */
#ifndef MCPTOP_BASE_BUF_H
#define MCPTOP_BASE_BUF_H

#include <stddef.h>
#include <stdarg.h>

struct buf {
    char *data;    /* owned; NULL while empty and never grown */
    size_t len;
    size_t cap;
};

#define BUF_INIT ((struct buf){0})

void buf_fini(struct buf *b);                    /* frees; b is empty and usable again */
#define AUTO_BUF __attribute__((cleanup(buf_fini)))
void buf_reserve(struct buf *b, size_t more);    /* room for `more` bytes beyond len, and the NUL */
void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void buf_consume(struct buf *b, size_t n);       /* drops n bytes from the front */
void buf_clear(struct buf *b);                   /* len = 0; gives memory above 64 KiB back */
/* the NUL-terminated bytes, now the caller's; never NULL */
char *buf_take(struct buf *b);
const char *buf_str(const struct buf *b);        /* borrowed until the next change; "" when empty */
/* Appends s as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD. */
void buf_add_json(struct buf *b, const char *s, size_t n);
/* Appends one word quoted for a POSIX shell ('…' only where needed, '' for nothing). */
void buf_add_shell(struct buf *b, const char *word);

#endif
