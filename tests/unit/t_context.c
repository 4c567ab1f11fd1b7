/* SPDX-License-Identifier: GPL-3.0-or-later */
/* context: the docker CLI's order, its files, broken and hostile ones, and engines that this
 * version cannot use. */
#include "docker/context.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tap.h"

static char dir[] = "/tmp/t_context.XXXXXX";

static void put(const char *path, const char *text)
{
    AUTO_FREE char *full = xasprintf("%s/%s", dir, path);
    for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *f = fopen(full, "w");
    if (!f)
        bail_out("%s", full);
    fputs(text, f);
    fclose(f);
}

#define META(name, host) "{\"Name\":\"" name "\",\"Metadata\":{\"Description\":\"of " name "\"}," \
    "\"Endpoints\":{\"docker\":{\"Host\":\"" host "\",\"SkipTLSVerify\":false}}}"

static void environment(const char *host, const char *context)
{
    setenv("DOCKER_CONFIG", dir, 1);
    unsetenv("DOCKER_HOST");
    unsetenv("DOCKER_CONTEXT");
    if (host)
        setenv("DOCKER_HOST", host, 1);
    if (context)
        setenv("DOCKER_CONTEXT", context, 1);
}

/* "name socket (why)", or "CODE text". */
static char *resolved(void)
{
    struct docker_context c;
    struct fault f = FAULT_NONE;
    if (docker_context_resolve(&c, &f) < 0)
        return xasprintf("%s: %s", f.code == FAULT_UNSUPPORTED ? "unsupported"
                         : f.code == FAULT_NOT_FOUND ? "not found"
                         : f.code == FAULT_INVALID ? "invalid" : "?", f.text);
    char *got = xasprintf("%s %s (%s)", c.name, c.socket, c.why);
    docker_context_fini(&c);
    return got;
}

static void is_resolved(const char *what, const char *want)
{
    AUTO_FREE char *got = resolved();
    AUTO_BUF struct buf plain = BUF_INIT;
    for (const char *p = got; *p;) {
        size_t n = strlen(dir);
        bool here = strncmp(p, dir, n) == 0;
        buf_add_str(&plain, here ? "DIR" : "");
        buf_add(&plain, p, here ? 0 : 1);
        p += here ? n : 1;
    }
    is_str(buf_str(&plain), want, "%s", what);
}

#define HERE "contexts/meta/"

static void test_order(void)
{
    environment(NULL, NULL);
    is_resolved("nothing said", "default /var/run/docker.sock (no DOCKER_HOST, no DOCKER_CONTEXT, no "
                "currentContext: the default socket)");
    put(HERE "aa/meta.json", META("colima", "unix:///home/u/.colima/default/docker.sock"));
    put(HERE "bb/meta.json", META("rootless", "unix:///run/user/1000/docker.sock"));
    is_resolved("contexts alone choose nothing", "default /var/run/docker.sock (no DOCKER_HOST, no "
                "DOCKER_CONTEXT, no currentContext: the default socket)");
    put("config.json", "{\"auths\":{},\"currentContext\":\"colima\"}");
    is_resolved("currentContext", "colima /home/u/.colima/default/docker.sock (currentContext of "
                "DIR/config.json)");
    environment(NULL, "rootless");
    is_resolved("DOCKER_CONTEXT wins", "rootless /run/user/1000/docker.sock (DOCKER_CONTEXT is set)");
    environment(NULL, "default");
    is_resolved("also with default", "default /var/run/docker.sock (DOCKER_CONTEXT is set)");
    environment("unix:///run/podman/podman.sock", "rootless");
    is_resolved("DOCKER_HOST wins over both", "default /run/podman/podman.sock (DOCKER_HOST is set)");
    environment("", "");
    is_resolved("empty is unset", "colima /home/u/.colima/default/docker.sock (currentContext of "
                "DIR/config.json)");
}

static void test_refused(void)
{
    put(HERE "cc/meta.json", META("far", "ssh://me@far"));
    put(HERE "dd/meta.json", META("tls", "tcp://far:2376"));
    environment(NULL, "far");
    is_resolved("ssh", "unsupported: Docker context \"far\" (DOCKER_CONTEXT is set) cannot be used: "
                "ssh://me@far: engines by ssh are not supported by this version yet, only unix:// "
                "sockets");
    environment(NULL, "tls");
    is_resolved("tcp", "unsupported: Docker context \"tls\" (DOCKER_CONTEXT is set) cannot be used: "
                "tcp://far:2376: engines by tcp are not supported by this version yet, only unix:// "
                "sockets");
    environment("tcp://127.0.0.1:2375", NULL);
    is_resolved("DOCKER_HOST by tcp", "unsupported: Docker context \"default\" (DOCKER_HOST is set) "
                "cannot be used: tcp://127.0.0.1:2375: engines by tcp are not supported by this "
                "version yet, only unix:// sockets");
    environment("/var/run/docker.sock", NULL);
    is_resolved("a path alone", "unsupported: Docker context \"default\" (DOCKER_HOST is set) cannot "
                "be used: /var/run/docker.sock names no protocol: write unix:///var/run/docker.sock");
    environment("far:2375", NULL);
    is_resolved("no protocol", "unsupported: Docker context \"default\" (DOCKER_HOST is set) cannot be "
                "used: far:2375 names no protocol, so docker takes it for tcp://: engines by tcp are "
                "not supported by this version yet, only unix:// sockets");
    environment(" unix:///run/podman/podman.sock\n", "rootless");
    is_resolved("blanks around it", "default /run/podman/podman.sock (DOCKER_HOST is set)");
    environment("unix://", "rootless");
    is_resolved("no path", "default /var/run/docker.sock (DOCKER_HOST is set)");
    environment("unix://docker.sock", NULL);
    is_resolved("a relative socket", "invalid: Docker context \"default\" (DOCKER_HOST is set) cannot "
                "be used: unix://docker.sock: the socket must be an absolute path, as in "
                "unix:///var/run/docker.sock");
    environment(NULL, "nobody");
    is_resolved("a context that is not there", "not found: there is no Docker context \"nobody\" "
                "(DOCKER_CONTEXT is set): there are default, colima, far, rootless, tls; choose one "
                "with `docker context use`, or set DOCKER_HOST");
}

static void test_broken(void)
{
    AUTO_FREE char *big = xmalloc(70001);
    memset(big, ' ', 70000);
    big[70000] = '\0';
    put(HERE "ee/meta.json", "{\"Name\":\"half");
    put(HERE "ff/meta.json", "{\"Endpoints\":{}}");
    put(HERE "gg/meta.json", "{\"Name\":\"none\",\"Endpoints\":{\"kubernetes\":{}}}");
    put(HERE "hh/meta.json", big);
    put(HERE "ii/other.json", "{}");
    put(HERE "jj", "no directory");
    environment(NULL, "rootless");
    is_resolved("broken ones are not fatal to others",
                "rootless /run/user/1000/docker.sock (DOCKER_CONTEXT is set)");
    struct docker_contexts c;
    docker_contexts_list(&c);
    AUTO_BUF struct buf got = BUF_INIT;
    for (size_t i = 0; i < c.n; i++)
        buf_printf(&got, "%s%s ", c.v[i].name, *c.v[i].error ? "!" : "");
    is_str(buf_str(&got), "default colima ee! far! ff! hh! jj! none! rootless tls! ",
           "all are listed, broken ones marked");
    for (size_t i = 0; i < c.n; i++)
        if (strlen(c.v[i].name) == 2)
            ok(strstr(c.v[i].error, c.v[i].name) != NULL, "named: %s", c.v[i].error);
    docker_contexts_fini(&c);
    environment(NULL, "none");
    AUTO_FREE char *text = resolved();
    ok(strstr(text, "names no endpoint \"docker\"") != NULL, "chosen: %s", text);

    put("config.json", "{\"currentContext\":");
    environment(NULL, NULL);
    is_resolved("a broken config.json is as none to docker", "default /var/run/docker.sock (the "
                "default socket, as docker does: DIR/config.json is not a JSON object: there is a "
                "mistake in it (line 1))");
    put("config.json", "");
    is_resolved("an empty one, too, without a word", "default /var/run/docker.sock (no DOCKER_HOST, no "
                "DOCKER_CONTEXT, no currentContext: the default socket)");
    put("config.json", "{\"currentContext\":");
    environment(NULL, "colima");
    is_resolved("and is not asked where DOCKER_CONTEXT says",
                "colima /home/u/.colima/default/docker.sock (DOCKER_CONTEXT is set)");
    json_t *doc = docker_contexts_json();
    ok(strstr(json_string_value(json_object_get(doc, "error")), "config.json") != NULL,
       "but it is told");
    json_t *second = json_array_get(json_object_get(doc, "contexts"), 1);
    ok(json_is_true(json_object_get(second, "current")), "the chosen one is marked");
    is_str(json_string_value(json_object_get(second, "description")), "of colima", "described");
    json_decref(doc);
}

int main(void)
{
    tap_deadline(20);
    if (!mkdtemp(dir))
        return 1;
    test_order();
    test_refused();
    test_broken();
    AUTO_FREE char *remove = xasprintf("rm -rf '%s'", dir);
    ok(system(remove) == 0, "cleaned up");
    return done_testing();
}
