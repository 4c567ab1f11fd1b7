/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who may ask over TCP: Host, Origin and key, as tables. */
#include "api/guard.h"
#include "tap.h"

int main(void)
{
    static const struct { const char *host, *listen; bool want; } hosts[] = {
        {"localhost", "127.0.0.1:8080", true}, {"LocalHost:8080", "127.0.0.1:8080", true},
        {"127.0.0.1", NULL, true}, {"127.8.9.1:1", NULL, true}, {"[::1]:9", NULL, true}, {"[::1]", NULL, true},
        {NULL, NULL, false}, {"", NULL, false}, {"evil.example", "127.0.0.1:8080", false},
        {"localhost.evil.example", NULL, false}, {"127.0.0.1.evil.example", NULL, false},
        {"127.0.0.1@evil.example", NULL, false}, {"localhost:80x", NULL, false}, {"localhost:", NULL, false},
        {"[::1", NULL, false}, {"[::1]x", NULL, false}, {"10.1.2.3:8080", "127.0.0.1:8080", false},
        {"10.1.2.3:8080", "10.1.2.3:8080", true}, {"10.1.2.3", "0.0.0.0:8080", true},
        {"evil.example", "0.0.0.0:8080", false},
    };
    static const struct { const char *origin; bool want; } origins[] = {
        {NULL, true}, {"http://localhost:5173", true}, {"https://127.0.0.1", true}, {"http://[::1]:3000", true},
        {"null", false}, {"", false}, {"http://evil.example", false}, {"http://localhost.evil.example", false},
        {"file://localhost", false}, {"http://localhost/path", false}, {"chrome-extension://abc", false},
    };

    tap_deadline(10);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        is_int(guard_host_ok(hosts[i].host, hosts[i].listen), hosts[i].want, "Host %s on %s",
               hosts[i].host ? hosts[i].host : "absent", hosts[i].listen ? hosts[i].listen : "nothing");
    for (size_t i = 0; i < sizeof origins / sizeof *origins; i++)
        is_int(guard_origin_ok(origins[i].origin), origins[i].want, "Origin %s",
               origins[i].origin ? origins[i].origin : "absent");

    ok(guard_key_ok("secret", "secret", NULL, NULL), "X-API-Key");
    ok(guard_key_ok("secret", NULL, "Bearer secret", NULL), "bearer");
    ok(guard_key_ok("secret", NULL, "bearer secret", NULL), "bearer, other case of the scheme");
    ok(guard_key_ok("secret", NULL, NULL, "secret"), "query");
    ok(!guard_key_ok("secret", NULL, NULL, NULL), "no key");
    ok(!guard_key_ok("secret", "secre", NULL, NULL), "a prefix is no key");
    ok(!guard_key_ok("secret", "secretsecret", NULL, NULL), "the key twice is no key");
    ok(!guard_key_ok("secret", NULL, "secret", NULL), "Authorization without its scheme");
    ok(!guard_key_ok("", "", NULL, NULL), "an empty key admits nobody");
    return done_testing();
}
