/* SPDX-License-Identifier: GPL-3.0-or-later */
/* credentials: config.json in its forms, old keys, helpers that answer, have nothing, fail, flood
 * and are not there. */
#include "docker/credentials.h"

#include <signal.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/child.h"
#include "loop.h"
#include "tap.h"

static struct ev_loop *loop;
static char dir[] = "/tmp/t_credentials.XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f)
        bail_out("%s", path);
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}

static void test_registry(void)
{
    static const char *const known[][2] = {
        {"python", "docker.io"}, {"python:3.11", "docker.io"}, {"library/python", "docker.io"},
        {"mcp/git", "docker.io"}, {"docker.io/x", "docker.io"}, {"index.docker.io/x", "docker.io"},
        {"ghcr.io/a/b:1", "ghcr.io"}, {"127.0.0.1:5000/x", "127.0.0.1:5000"},
        {"localhost/x", "localhost"}, {"localhost:5000/x@sha256:0", "localhost:5000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        AUTO_FREE char *got = credentials_registry(known[i][0]);
        is_str(got, known[i][1], "%s", known[i][0]);
    }
}

/* base64url back to text, for comparing. */
static char *decoded(const char *s)
{
    static const char a[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    struct buf out = BUF_INIT;
    unsigned v = 0;
    for (int i = 0; s[i] && s[i] != '='; i++) {
        v = v << 6 | (unsigned)(strchr(a, s[i]) - a);
        if (i % 4)
            buf_add_char(&out, (char)(v >> (6 - 2 * (i % 4))));
    }
    return buf_take(&out);
}

/* YWxpY2U6czNjcmV0 is alice:s3cret. */
static const struct {
    const char *what, *config, *registry, *auth, *helper, *server;
    bool fails;
} reads[] = {
    {"nothing", "{}", "ghcr.io", "", NULL, "ghcr.io", false},
    {"a pair", "{\"auths\":{\"ghcr.io\":{\"auth\":\"YWxpY2U6czNjcmV0\"}}}", "ghcr.io",
     "{\"username\":\"alice\",\"password\":\"s3cret\",\"serveraddress\":\"ghcr.io\"}", NULL, "ghcr.io",
     false},
    {"of another registry", "{\"auths\":{\"quay.io\":{\"auth\":\"YWxpY2U6czNjcmV0\"}}}", "ghcr.io", "",
     NULL, "ghcr.io", false},
    {"Docker Hub has a name of its own",
     "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"YWxpY2U6czNjcmV0\"}}}", "docker.io",
     "{\"username\":\"alice\",\"password\":\"s3cret\",\"serveraddress\":"
     "\"https://index.docker.io/v1/\"}", NULL, "https://index.docker.io/v1/", false},
    {"an old key", "{\"auths\":{\"https://r:5000/v2/\":{\"auth\":\"YTpi\"}}}", "r:5000",
     "{\"username\":\"a\",\"password\":\"b\",\"serveraddress\":\"r:5000\"}", NULL, "r:5000", false},
    {"a password with colons", "{\"auths\":{\"r.x\":{\"auth\":\"YTpiOmM=\"}}}", "r.x",
     "{\"username\":\"a\",\"password\":\"b:c\",\"serveraddress\":\"r.x\"}", NULL, "r.x", false},
    {"an identity token", "{\"auths\":{\"r.x\":{\"auth\":\"YTpi\",\"identitytoken\":\"t\"}}}", "r.x",
     "{\"identitytoken\":\"t\",\"serveraddress\":\"r.x\"}", NULL, "r.x", false},
    {"a store", "{\"auths\":{\"r.x\":{}},\"credsStore\":\"pass\"}", "r.x", "", "pass", "r.x", false},
    {"a helper of one registry", "{\"credsStore\":\"pass\",\"credHelpers\":{\"r.x\":\"gcloud\"}}",
     "r.x", "", "gcloud", "r.x", false},
    {"the store for the others", "{\"credsStore\":\"pass\",\"credHelpers\":{\"r.x\":\"gcloud\"}}",
     "docker.io", "", "pass", "https://index.docker.io/v1/", false},
    {"no base64", "{\"auths\":{\"r.x\":{\"auth\":\"s3cret!\"}}}", "r.x", "", NULL, "r.x", true},
    {"no pair", "{\"auths\":{\"r.x\":{\"auth\":\"YWxpY2U=\"}}}", "r.x", "", NULL, "r.x", true},
    {"one letter", "{\"auths\":{\"r.x\":{\"auth\":\"Y\"}}}", "r.x", "", NULL, "r.x", true},
    {"bytes that are no text", "{\"auths\":{\"r.x\":{\"auth\":\"/zr/\"}}}", "r.x", "", NULL, "r.x",
     true},
    {"a helper that is a path", "{\"credsStore\":\"../../tmp/x\"}", "r.x", "", NULL, "r.x", true},
    {"other types", "{\"auths\":[1],\"credHelpers\":3,\"credsStore\":{}}", "r.x", "", NULL, "r.x",
     false},
};

static void test_read(void)
{
    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        json_t *config = json_loads(reads[i].config, 0, NULL);
        char *auth = NULL, *helper = NULL, *server = NULL;
        struct fault f = FAULT_NONE;
        credentials_read(config, reads[i].registry, &auth, &helper, &server, &f);
        AUTO_FREE char *plain = decoded(auth);
        is_str(plain, reads[i].auth, "%s", reads[i].what);
        is_str(helper, reads[i].helper, "%s: helper", reads[i].what);
        is_str(server, reads[i].server, "%s: server", reads[i].what);
        ok((f.code != 0) == reads[i].fails && !strstr(f.text, "s3cret"), "%s: %s", reads[i].what,
           f.code ? f.text : "no fault");
        free(auth);
        free(helper);
        free(server);
        json_decref(config);
    }
}

struct answer {
    int count;
    char *auth;
    struct fault f;
};

static void on_answer(void *ctx, const char *auth, const struct fault *f)
{
    struct answer *a = ctx;
    a->count++;
    a->auth = decoded(auth);
    a->f = f ? *f : FAULT_NONE;
}

static void ask(const char *what, const char *want_auth, const char *want_fault)
{
    struct answer a = {0};
    credentials_find(loop, "r.x/image:1", "t.credentials", on_answer, &a);
    ok(!a.count, "%s: not from inside", what);
    ok(run_until(loop, a.count, 20.), "%s: answered", what);
    is_str(a.auth, want_auth, "%s", what);
    ok(*want_fault ? strstr(a.f.text, want_fault) != NULL : !a.f.code, "%s: %s", what, a.f.text);
    free(a.auth);
}

static void test_helpers(void)
{
    AUTO_FREE char *path = xasprintf("%s:%s", dir, getenv("PATH"));
    setenv("PATH", path, 1);
    put("config.json", "{\"auths\":{\"r.x\":{\"auth\":\"YTpi\"}}}", 0600);
    ask("a file", "{\"username\":\"a\",\"password\":\"b\",\"serveraddress\":\"r.x\"}", "");
    put("config.json", "{\"credsStore\":\"t\"}", 0600);
    ask("a helper that is not there", "", "docker-credential-t");
    put("docker-credential-t", "#!/bin/sh\nread server\n"
        "[ \"$*\" = get ] && echo '{\"ServerURL\":\"'$server'\",\"Username\":\"u\",\"Secret\":\"s\"}'\n",
        0700);
    ask("a helper", "{\"username\":\"u\",\"password\":\"s\",\"serveraddress\":\"r.x\"}", "");
    put("docker-credential-t", "#!/bin/sh\ncat >/dev/null\n"
        "echo '{\"Username\":\"<token>\",\"Secret\":\"idt\"}'\n", 0700);
    ask("a helper's token", "{\"identitytoken\":\"idt\",\"serveraddress\":\"r.x\"}", "");
    put("docker-credential-t", "#!/bin/sh\necho credentials not found in native keychain\nexit 1\n",
        0700);
    ask("a helper that has nothing", "", "");
    put("docker-credential-t", "#!/bin/sh\necho the keyring is locked\nexit 3\n", 0700);
    ask("a helper that fails", "", "docker-credential-t: exited 3: the keyring is locked");
    put("docker-credential-t", "#!/bin/sh\necho s3cret\n", 0700);
    ask("rubbish", "", "no JSON");
    put("docker-credential-t", "#!/bin/sh\nkill -9 $$\n", 0700);
    ask("a helper that dies", "", "signal 9");

    struct answer a = {0};
    put("docker-credential-t", "#!/bin/sh\nexec cat /dev/zero\n", 0700);
    struct credentials *c = credentials_find(loop, "r.x/i", "t.credentials", on_answer, &a);
    run_for(loop, 0.3);
    credentials_cancel(c);
    run_for(loop, 0.1);
    is_int(a.count, 0, "a flood, cancelled");
    credentials_cancel(NULL);
}

static void test_broken_file(void)
{
    put("config.json", "{\"auths\":{\"r.x\":{\"auth\":\"s3cret", 0600);
    struct answer a = {0};
    credentials_find(loop, "r.x/i", "t.credentials", on_answer, &a);
    ok(run_until(loop, a.count, 5.), "a broken file");
    ok(strstr(a.f.text, "config.json") && !strstr(a.f.text, "s3cret"), "is named, not quoted: %s",
       a.f.text);
    free(a.auth);
}

int main(void)
{
    struct fault f = FAULT_NONE;
    tap_deadline(60);
    signal(SIGPIPE, SIG_IGN);   /* as the supervisor: helpers may end before they read */
    if (!mkdtemp(dir))
        return 1;
    setenv("DOCKER_CONFIG", dir, 1);
    loop = ev_loop_new(EVFLAG_NOENV);
    ok(child_reaper_start(loop, &f) == 0, "reaper %s", f.text);
    test_registry();
    test_read();
    test_helpers();
    test_broken_file();
    child_reaper_stop(loop);
    ev_loop_destroy(loop);
    AUTO_FREE char *remove = xasprintf("rm -rf '%s'", dir);
    ok(system(remove) == 0, "cleaned up");
    return done_testing();
}
