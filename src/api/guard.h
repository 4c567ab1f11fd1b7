/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask, over TCP: pure checks of Host, Origin and key. Any local user reaches a TCP port,
 * and so does any page in a browser: a foreign Host is DNS rebinding, a foreign Origin a cross-site
 * request. */
#ifndef MCPTOP_API_GUARD_H
#define MCPTOP_API_GUARD_H

#include <stdbool.h>

/* "localhost:8080", "127.0.0.1", "[::1]:9" – a loopback name, any port; or the address we listen on
 * (its host part; a wildcard address admits any numeric one, never a name). NULL (absent) is
 * refused. */
bool guard_host_ok(const char *host, const char *listen_address);
/* Absent is fine; "http://localhost:5173" too; "null" and everything else is not. */
bool guard_origin_ok(const char *origin);
/* Compares in constant time. Any of the three may be NULL; authorization is "Bearer KEY". */
bool guard_key_ok(const char *key, const char *x_api_key, const char *authorization,
                  const char *query_key);

#endif
