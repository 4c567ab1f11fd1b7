/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Path patterns: what is decoded when, and what does not fit. */
#include "api/urlpath.h"
#include "tap.h"

int main(void)
{
    static const struct { const char *path, *pattern, *name; } fits[] = {
        {"/healthz", "/healthz", ""},
        {"/mcp/git", "/mcp/{}", "git"},
        {"/mcp/..%2F..%2fx", "/mcp/{}", "../../x"},
        {"/mcp/a%20b/stdio", "/mcp/{}/stdio", "a b"},
        {"/mcp/%C3%A9", "/mcp/{}", "\xC3\xA9"},
        {"/mcp/a+b", "/mcp/{}", "a+b"},
    };
    static const struct { const char *path, *pattern; } misfits[] = {
        {"/mcp/", "/mcp/{}"}, {"/mcp", "/mcp/{}"}, {"/mcp/a/b", "/mcp/{}"}, {"/mcp/a%00b", "/mcp/{}"},
        {"/mcp/a%2", "/mcp/{}"}, {"/mcp/a%zz", "/mcp/{}"}, {"/healthz/", "/healthz"}, {"/health", "/healthz"},
        {"/mcp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "/mcp/{}"},
    };
    char name[64];

    tap_deadline(10);
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        name[0] = '\0';
        ok(urlpath_match(fits[i].path, fits[i].pattern, name, sizeof name), "%s fits %s", fits[i].path, fits[i].pattern);
        is_str(name, fits[i].name, "its name");
    }
    for (size_t i = 0; i < sizeof misfits / sizeof *misfits; i++)
        ok(!urlpath_match(misfits[i].path, misfits[i].pattern, name, sizeof name), "%s does not fit %s",
           misfits[i].path, misfits[i].pattern);
    return done_testing();
}
