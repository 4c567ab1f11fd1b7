/* SPDX-License-Identifier: GPL-3.0-or-later */
/* client/paths.c and the percent-encoding of api_path(). */
#include "client/api_client.h"
#include "base/mem.h"
#include "tap.h"

static void t_defaults(void)
{
    struct paths p = { 0 };
    setenv("HOME", "/home/u", 1);
    unsetenv("MCPTOP_SOCKET");
    ok(!paths_resolve(&p, NULL), "resolves with nothing given");
    is_str(p.data_dir, "/home/u/.mcpproxy", "the data directory is in HOME");
    is_str(p.socket, "/home/u/.mcpproxy/mcptop.sock", "the socket is in the data directory");
    ok(!p.config && !p.log_dir && !p.listen, "what serve finds itself stays unset");
    paths_fini(&p);
    ok(!p.data_dir && !p.socket, "fini empties");
}

static void t_order(void)
{
    struct paths p = { .data_dir = xstrdup("/data") };
    paths_resolve(&p, NULL);
    is_str(p.socket, "/data/mcptop.sock", "the socket follows --data-dir");
    paths_fini(&p);

    setenv("MCPTOP_SOCKET", "/run/x.sock", 1);
    p.data_dir = xstrdup("/data");
    paths_resolve(&p, NULL);
    is_str(p.socket, "/run/x.sock", "MCPTOP_SOCKET goes before the data directory");
    paths_fini(&p);

    p.socket = xstrdup("/given");
    paths_resolve(&p, NULL);
    is_str(p.socket, "/given", "--socket goes before MCPTOP_SOCKET");
    paths_fini(&p);
    unsetenv("MCPTOP_SOCKET");
}

static void t_relative(void)
{
    struct paths p = { .data_dir = xstrdup("d"), .config = xstrdup("./c.json"), .log_dir = xstrdup("/l") };
    if (chdir("/usr"))
        bail_out("chdir");
    ok(!paths_resolve(&p, NULL), "relative paths resolve");
    is_str(p.data_dir, "/usr/d", "data directory");
    is_str(p.config, "/usr/./c.json", "config");
    is_str(p.log_dir, "/l", "an absolute path stays");
    paths_fini(&p);
    p.data_dir = xstrdup("d");
    if (chdir("/"))
        bail_out("chdir");
    paths_resolve(&p, NULL);
    is_str(p.data_dir, "/d", "no double slash below the root");
    paths_fini(&p);
}

static void t_too_long(void)
{
    char name[128];
    struct fault f = FAULT_NONE;
    memset(name, 'x', sizeof name - 1);
    name[0] = '/';
    name[107] = '\0';
    struct paths p = { .socket = xstrdup(name) };
    ok(!paths_resolve(&p, &f), "107 bytes fit into sun_path");
    paths_fini(&p);
    name[107] = 'x';
    name[108] = '\0';
    p.socket = xstrdup(name);
    ok(paths_resolve(&p, &f) == -1, "108 do not");
    is_int(f.code, FAULT_TOO_BIG, "the cause");
    ok(strstr(f.text, "--socket"), "the sentence says what to do: %s", f.text);
    paths_fini(&p);
    ok(supervisor_probe(name, &f) == -1 && f.code == FAULT_TOO_BIG, "and a probe does not overrun");
}

static void t_nobody(void)
{
    struct fault f = FAULT_NONE;
    ok(supervisor_probe("/nonexistent/mcptop.sock", &f) == -1, "no supervisor");
    is_int(f.code, FAULT_NOT_FOUND, "is FAULT_NOT_FOUND");
}

static void is_path(const char *fmt, const char *name, const char *want)
{
    AUTO_FREE char *got = api_path(fmt, name);
    is_str(got, want, "api_path %s with \"%s\"", fmt, name);
}

int main(void)
{
    t_defaults();
    t_order();
    t_relative();
    t_too_long();
    t_nobody();
    is_path("/s/%s/logs?tail=5", "git", "/s/git/logs?tail=5");
    is_path("/s/%s", "../../x", "/s/..%2F..%2Fx");
    is_path("/s/%s", "..", "/s/%2E%2E");
    is_path("/s/%s/tools", "a b?c#d%e", "/s/a%20b%3Fc%23d%25e/tools");
    is_path("/s/%s", "\xC3\xA9", "/s/%C3%A9");
    is_path("/status", "ignored", "/status");
    return done_testing();
}
