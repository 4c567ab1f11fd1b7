/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The id of a message that is too large to be kept, or broken: see envelope.h. */
#include <string.h>
#include "mcp/envelope.h"

/* The token that ends before `end`: digits, or a string without escapes. */
static struct span last_token(const char *from, const char *end)
{
    const char *p = end;

    if (p > from && p[-1] == '"') {
        for (p--; p > from && p[-1] != '"' && p[-1] != '\\'; p--)
            ;
        if (p == from || p[-1] != '"')
            return (struct span){0};
        p--;
    } else {
        while (p > from && p[-1] >= '0' && p[-1] <= '9')
            p--;
    }
    return (struct span){p, (size_t)(end - p)};
}

static bool ends_with(const char *from, const char *end, const char *text, size_t n)
{
    return (size_t)(end - from) > n && !memcmp(end - n, text, n);
}

/* ,"id":7} or ,"jsonrpc":"2.0","id":7} or ,"id":7,"jsonrpc":"2.0"} */
static struct span id_at_end(const char *tail, size_t n)
{
    static const char version[] = ",\"jsonrpc\":\"2.0\"", key[] = ",\"id\":";
    const size_t version_n = sizeof(version) - 1, key_n = sizeof(key) - 1;
    const char *p = tail + n;

    while (p > tail && (p[-1] == '\r' || p[-1] == ' '))
        p--;
    if (p == tail || *--p != '}')
        return (struct span){0};
    if (ends_with(tail, p, version, version_n))
        p -= version_n;
    struct span token = last_token(tail, p);
    return token.n && ends_with(tail, token.p, key, key_n) ? token : (struct span){0};
}

struct span envelope_guess_id(const char *head, size_t n, const char *tail, size_t tail_n,
                              bool *ret_has_method)
{
    struct envelope e;

    envelope_scan(head, n, &e, NULL);
    *ret_has_method = e.method.n;
    return e.id.n ? e.id : id_at_end(tail, tail_n);
}
