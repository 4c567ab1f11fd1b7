/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The head of a plain POST over HTTP/1.1 (RFC 9112), as AI clients send it for every message.
 * Strict: whatever else it may be, well-formed or not, is for libmicrohttpd to judge; that accepts
 * what is plain, too, and reads the same in it. */
#ifndef MCPTOP_API_HTTP_HEAD_H
#define MCPTOP_API_HTTP_HEAD_H

#include <stddef.h>

enum { HTTP_FIELDS_MAX = 40 };

struct http_field {
    const char *name, *value;      /* NUL-terminated; no space round them */
    size_t name_n;
};

struct http_head {
    const char *path;              /* as sent, no query */
    struct http_field fields[HTTP_FIELDS_MAX];
    size_t count;
    size_t n;                      /* bytes of the head, its empty line included */
    size_t body_n;                 /* bytes of the body that follows */
};

enum http_head_kind {
    HTTP_HEAD_PLAIN,               /* *ret is filled; the body may not be there yet */
    HTTP_HEAD_MORE,                /* may become one: not all of it is there */
    HTTP_HEAD_OTHER,
};

/* Writes into p[0, n): what ret points to lies there. */
enum http_head_kind http_head_read(char *p, size_t n, struct http_head *ret);
/* NULL = absent; the first where there are several */
const char *http_head_get(const struct http_head *h, const char *name);

#endif
