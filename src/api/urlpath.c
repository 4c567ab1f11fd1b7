/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of requests against the patterns of routes. Decoding happens per segment, after the split
 * at '/': an encoded slash in a server's name stays part of the name. */
#include "api/urlpath.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool urlpath_decode(const char *in, size_t n, char *out, size_t out_n)
{
    size_t o = 0;

    for (size_t i = 0; i < n; i++) {
        int c = (unsigned char)in[i];
        if (c == '%') {
            if (n - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0)
                return false;
            c = hex(in[i + 1]) * 16 + hex(in[i + 2]);
            i += 2;
        }
        if (c == 0 || o + 1 >= out_n)
            return false;
        out[o++] = (char)c;
    }
    if (out_n == 0)
        return false;
    out[o] = '\0';
    return true;
}

bool urlpath_match(const char *path, const char *pattern, char *name, size_t name_n)
{
    while (*pattern) {
        if (pattern[0] == '{' && pattern[1] == '}') {
            size_t n = (size_t)(strchrnul(path, '/') - path);
            if (n == 0 || !urlpath_decode(path, n, name, name_n))
                return false;
            path += n;
            pattern += 2;
        } else if (*path++ != *pattern++) {
            return false;
        }
    }
    return *path == '\0';
}
