/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Host, Origin and key of a request that came over TCP. */
#include "api/guard.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* Splits "host[:port]" or "[v6][:port]"; false when it is neither. */
static bool host_part(const char *s, char *out, size_t n)
{
    size_t len;
    const char *rest;

    if (*s == '[') {
        const char *end = strchr(++s, ']');
        if (!end)
            return false;
        len = (size_t)(end - s);
        rest = end + 1;
    } else {
        len = strcspn(s, ":/");
        rest = s + len;
    }
    if (len == 0 || len >= n)
        return false;
    memcpy(out, s, len);
    out[len] = '\0';
    if (*rest == '\0')
        return true;
    return *rest == ':' && rest[1] && rest[1 + strspn(rest + 1, "0123456789")] == '\0';
}

static bool is_loopback(const char *host)
{
    struct in_addr a;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0)
        return true;
    return inet_pton(AF_INET, host, &a) == 1 && (ntohl(a.s_addr) >> 24) == 127;
}

static bool is_numeric(const char *host)
{
    unsigned char a[16];

    return inet_pton(AF_INET, host, a) == 1 || inet_pton(AF_INET6, host, a) == 1;
}

bool guard_host_ok(const char *host, const char *listen_address)
{
    char h[256], own[256];

    if (!host || !host_part(host, h, sizeof h))
        return false;
    if (is_loopback(h))
        return true;
    if (!listen_address || !host_part(listen_address, own, sizeof own))
        return false;
    if (strcmp(own, "0.0.0.0") == 0 || strcmp(own, "::") == 0)
        return is_numeric(h);
    return strcasecmp(h, own) == 0;
}

bool guard_origin_ok(const char *origin)
{
    char h[256];

    if (!origin)
        return true;
    if (strncasecmp(origin, "http://", 7) == 0)
        origin += 7;
    else if (strncasecmp(origin, "https://", 8) == 0)
        origin += 8;
    else
        return false;
    return host_part(origin, h, sizeof h) && is_loopback(h);
}

static uint64_t word_of(const char *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

/* Takes as long for a key that is nearly right as for one that is not: only the length can be told.
 */
static bool equal(const char *key, const char *shown)
{
    size_t n = strlen(key);
    uint64_t diff = 0;

    if (n == 0 || !shown || strlen(shown) != n)
        return false;
    for (; n >= sizeof diff; n -= sizeof diff, key += sizeof diff, shown += sizeof diff)
        diff |= word_of(key) ^ word_of(shown);
    for (size_t i = 0; i < n; i++)
        diff |= (unsigned char)(shown[i] ^ key[i]);
    return diff == 0;
}

bool guard_key_ok(const char *key, const char *x_api_key, const char *authorization,
                  const char *query_key)
{
    bool bearer = authorization && strncasecmp(authorization, "Bearer ", 7) == 0;

    return equal(key, x_api_key) || equal(key, bearer ? authorization + 7 : NULL) ||
           equal(key, query_key);
}
