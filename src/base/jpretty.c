/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One pass over the bytes; all it knows is whether it is inside a string, and how deep. */
#include "base/jpretty.h"

#include <stdbool.h>

enum { INDENT = 2, DEEPEST = 40 };

static void new_line(struct buf *out, size_t depth)
{
    buf_add_char(out, '\n');
    for (size_t i = 0; i < (depth < DEEPEST ? depth : DEEPEST) * INDENT; i++)
        buf_add_char(out, ' ');
}

/* From the opening quote on; returns where it ends. */
static size_t add_string(struct buf *out, const char *p, size_t n, size_t i, size_t depth)
{
    buf_add_char(out, p[i++]);
    while (i < n && p[i] != '"') {
        bool escape = p[i] == '\\' && i + 1 < n;
        size_t len = escape ? 2 : 1;
        buf_add(out, p + i, len);
        i += len;
        if (escape && p[i - 1] == 'n' && i < n && p[i] != '"')
            new_line(out, depth + 1);
    }
    if (i < n)
        buf_add_char(out, p[i++]);
    return i;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_space(const char *p, size_t n, size_t i)
{
    while (i < n && is_space(p[i]))
        i++;
    return i;
}

/* An opening bracket; an empty pair stays together. */
static size_t add_open(struct buf *out, const char *p, size_t n, size_t i, size_t *depth)
{
    size_t next = skip_space(p, n, i + 1);

    buf_add_char(out, p[i]);
    if (next < n && (p[next] == '}' || p[next] == ']')) {
        buf_add_char(out, p[next]);
        return next + 1;
    }
    new_line(out, ++*depth);
    return next;
}

void jpretty(struct buf *out, const char *p, size_t n)
{
    size_t depth = 0;

    for (size_t i = skip_space(p, n, 0); i < n; i = skip_space(p, n, i)) {
        char c = p[i];
        if (c == '"') {
            i = add_string(out, p, n, i, depth);
        } else if (c == '{' || c == '[') {
            i = add_open(out, p, n, i, &depth);
        } else if (c == '}' || c == ']') {
            depth -= depth > 0;
            new_line(out, depth);
            buf_add_char(out, p[i++]);
        } else if (c == ',') {
            buf_add_char(out, p[i++]);
            new_line(out, depth);
        } else {
            buf_add_char(out, p[i++]);
            if (c == ':')
                buf_add_char(out, ' ');
        }
    }
}
