/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans: which mode wins and why, what a container gets, what it equals as docker run, as the
 * Engine's JSON and as a line for a shell. The shell lines and the bootstrap are run by a real sh
 * against programs that only record their words. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/bootstrap.h"
#include "isolation/plan.h"
#include "isolation/runtime.h"
#include "tap.h"

static const char *test_env(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "NOTHING") == 0)
        return "";
    return strcmp(name, "TOKEN") == 0 ? "s3cret" : NULL;
}

static struct config *load(const char *text)
{
    struct problems p = {0};
    struct config *c = config_parse("x", text, strlen(text), test_env, NULL, &p);
    for (size_t i = 0; i < p.n && !c; i++)
        printf("# line %d: %s: %s\n", p.v[i].line, p.v[i].key, p.v[i].text);
    problems_fini(&p);
    if (!c) {
        printf("Bail out! the test's own configuration does not load:\n# %s\n", text);
        exit(1);
    }
    return c;
}

static struct plan *plan_of(const char *text, enum image_runner runner, struct problems *problems)
{
    struct config *c = load(text);
    struct plan *p = plan_make(c, &c->servers[0], runner, problems);
    config_free(c);
    return p;
}

/* A configuration of a global object and one server's members ("" = none). */
static char *config_text(const char *global, const char *server)
{
    return xasprintf("{%s%s%s\n\"mcpServers\": {\"s\": {%s}}}",
                     *global ? "\"docker_isolation\": {" : "", global, *global ? "}," : "", server);
}

static struct plan *make(const char *global, const char *server)
{
    AUTO_FREE char *text = config_text(global, server);
    return plan_of(text, RUNNER_UNKNOWN, NULL);
}

static const struct plan_note *note_of(const struct plan *p, const char *what, bool warning)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].what, what) == 0 && p->notes[i].warning == warning)
            return &p->notes[i];
    return NULL;
}

static char *words_line(const struct strvec *v)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < v->n; i++)
        buf_printf(&out, "%s%s", i ? " " : "", v->v[i]);
    return buf_take(&out);
}

/* ---- mode ---- */

#define UVX "\"command\":\"uvx\""
#define DOCKER "\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"x\"]"
#define ADOPTED \
    "the command is docker run: mcptop makes the same container itself, so its limits, end and use " \
    "are known and nothing is left behind (isolation.mode \"none\" runs the command as written)"
#define NOT_ADOPTED "docker is not taken over, it runs as written: "
#define ISO(members) ",\n\"isolation\":{" members "}"

static const struct {
    const char *global, *server;
    enum plan_mode mode;
    const char *why;
    int line;
    const char *warning;    /* a part of the warning about mode; NULL = there must be none */
} modes[] = {
    {"", UVX, PLAN_HOST, "docker_isolation is not set: isolation is off by default", 0, NULL},
    {"\"enabled\":true", UVX, PLAN_DOCKER, "docker_isolation.enabled is true (line 1)", 1, NULL},
    {"\"enabled\":false", UVX, PLAN_HOST, "docker_isolation.enabled is false (line 1)", 1, NULL},
    {"\"enabled\":true,\"mode\":\"none\"", UVX, PLAN_HOST,
     "docker_isolation.mode is \"none\" (line 1)", 1, NULL},
    {"\"enabled\":false,\"mode\":\"docker\"", UVX, PLAN_DOCKER,
     "docker_isolation.mode is \"docker\" (line 1)", 1, NULL},
    {"\"mode\":\"sandbox\"", UVX, PLAN_UNSUPPORTED, "", 1,
     "docker_isolation.mode is \"sandbox\" (line 1)"},
    {"\"enabled\":true", UVX ISO("\"enabled\":true"), PLAN_DOCKER,
     "docker_isolation.enabled is true (line 1)", 1, NULL},
    {"\"enabled\":true", UVX ISO("\"enabled\":false"), PLAN_HOST,
     "isolation.enabled is false (line 3)", 3, NULL},
    {"\"enabled\":true", UVX ISO("\"mode\":\"none\""), PLAN_HOST,
     "isolation.mode is \"none\" (line 3)", 3, NULL},
    {"\"enabled\":true", UVX ISO("\"mode\":\"docker\",\"enabled\":false"), PLAN_DOCKER,
     "isolation.mode is \"docker\" (line 3)", 3,
     "isolation.enabled is false (line 3) but ignored: isolation.mode decides"},
    {"", UVX ISO("\"mode\":\"docker\""), PLAN_DOCKER, "isolation.mode is \"docker\" (line 3)", 3,
     NULL},
    {"", UVX ISO("\"mode\":\"sandbox\""), PLAN_UNSUPPORTED, "", 3,
     "isolation.mode is \"sandbox\" (line 3)"},
    {"", UVX ISO("\"enabled\":true"), PLAN_HOST,
     "docker_isolation is not set: isolation is off by default", 0,
     "isolation.enabled is true (line 3) but ignored, because docker_isolation is off"},
    {"\"enabled\":false", UVX ISO("\"enabled\":true,\"image\":\"x\""), PLAN_HOST,
     "docker_isolation.enabled is false (line 1)", 1,
     "set isolation.mode to \"docker\" for this server"},
    {"\"enabled\":false", UVX ISO("\"enabled\":false"), PLAN_HOST,
     "docker_isolation.enabled is false (line 1)", 1, NULL},
    {"\"enabled\":true", UVX ISO("\"image\":\"x\""), PLAN_DOCKER,
     "docker_isolation.enabled is true (line 1)", 1, NULL},

    {"", DOCKER, PLAN_DOCKER, ADOPTED, 2, NULL},
    {"\"enabled\":true", DOCKER, PLAN_DOCKER, ADOPTED, 2, NULL},
    {"\"mode\":\"none\"", DOCKER, PLAN_DOCKER, ADOPTED, 2, NULL},
    {"\"enabled\":true", DOCKER ISO("\"enabled\":false"), PLAN_DOCKER, ADOPTED, 2, NULL},
    {"\"enabled\":true", DOCKER ISO("\"enabled\":true"), PLAN_DOCKER, ADOPTED, 2, NULL},
    {"", DOCKER ISO("\"enabled\":true"), PLAN_DOCKER, ADOPTED, 2, NULL},
    {"", DOCKER ISO("\"mode\":\"docker\""), PLAN_DOCKER, ADOPTED, 2, NULL},
    {"", "\"command\":\"/usr/bin/docker\",\"args\":[\"container\",\"run\",\"x\"]", PLAN_DOCKER,
     ADOPTED, 2, NULL},
    {"", DOCKER ISO("\"mode\":\"none\""), PLAN_HOST,
     NOT_ADOPTED "isolation.mode is \"none\" (line 3)", 2, NULL},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"--volumes-from\",\"x\",\"image\"]",
     PLAN_HOST,
     NOT_ADOPTED "args[2]: \"--volumes-from\" is not supported here: leave it out "
                 "(docs/configuration.md lists the flags of docker run that are)",
     2, NULL},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"-i\"]", PLAN_HOST,
     NOT_ADOPTED "args[2]: there is no image", 2, NULL},
    {"", "\"command\":\"docker\",\"args\":[\"--context\",\"x\",\"run\",\"-i\",\"y\"]", PLAN_HOST,
     NOT_ADOPTED "docker's own option --context (args[0]) stands before run", 2, NULL},
    {"", DOCKER ",\"env\":{\"DOCKER_HOST\":\"x\"}", PLAN_HOST,
     NOT_ADOPTED "its env has DOCKER_HOST, which leads docker elsewhere", 2, NULL},
    {"\"enabled\":true", "\"command\":\"docker\",\"args\":[\"exec\",\"-i\",\"x\"]", PLAN_HOST,
     "the command is docker itself: it starts its own container, and a container around it would "
     "have no engine",
     0, NULL},
    {"\"enabled\":true", "\"command\":\"docker\",\"args\":[\"exec\",\"-i\",\"x\"]"
     ISO("\"enabled\":true"), PLAN_HOST,
     "the command is docker itself: it starts its own container, and a container around it would "
     "have no engine",
     0,
     "isolation.enabled (line 3) is ignored, because the command is docker: set isolation.enabled to false"},
    {"", "\"command\":\"docker\",\"args\":[\"compose\",\"up\"]", PLAN_HOST,
     "docker_isolation is not set: isolation is off by default", 0, NULL},
    {"\"enabled\":true", "\"command\":\"sh\",\"args\":[\"-c\",\"exec docker run x\"]", PLAN_HOST,
     NOT_ADOPTED "it is started by sh", 2, NULL},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"-d\",\"x\"]", PLAN_UNSUPPORTED, "", 2, NULL},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"--env-file=/nonexistent/x\",\"y\"]",
     PLAN_UNSUPPORTED, "", 2, NULL},

    {"", "\"url\":\"https://x/mcp\"", PLAN_UNSUPPORTED, "", 2, "the server has a url"},
    {"", "\"command\":\"x\",\"protocol\":\"sse\"", PLAN_UNSUPPORTED, "", 2,
     "the server's protocol is remote"},
    {"", "\"command\":\"x\",\"url\":\"https://x\",\"protocol\":\"stdio\"", PLAN_HOST,
     "docker_isolation is not set: isolation is off by default", 0, NULL},
    {"", "\"url\":\"https://x\",\"protocol\":\"stdio\"", PLAN_UNSUPPORTED, "", 2,
     "there is no command"},
    {"", UVX ",\"env\":{\"A\":\"${env:MCPTOP_NOBODY_SETS_THIS}\"}", PLAN_UNSUPPORTED, "", 2,
     "a variable that it needs is not set"},
};

static void test_modes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        struct plan *p = make(modes[i].global, modes[i].server);
        const struct plan_note *note = note_of(p, "mode", false),
                               *warning = note_of(p, "mode", true);
        is_str(plan_mode_name(p->mode), plan_mode_name(modes[i].mode), "{%s} {%.60s}: the mode",
               modes[i].global, modes[i].server);
        if (modes[i].mode == PLAN_UNSUPPORTED) {
            ok(p->unsupported && *p->unsupported, "  a sentence: %s", p->unsupported);
        } else {
            is_str(note ? note->why : NULL, modes[i].why, "  why");
            is_int(note ? note->line : -1, modes[i].line, "  its line");
            is_str(note ? note->value : NULL, plan_mode_name(modes[i].mode), "  its value");
        }
        if (modes[i].warning)
            ok(warning && strstr(warning->why, modes[i].warning), "  a warning: %s",
               warning ? warning->why : "none");
        else
            ok(!warning, "  no warning");
        plan_free(p);
    }
}

/* The key that plan_isolation_key names does what it says, from every configuration. */
static void test_isolation_key(void)
{
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        bool as_written = strstr(modes[i].why, "not taken over") && !strstr(modes[i].why, "mode is");
        if (modes[i].mode == PLAN_UNSUPPORTED || strstr(modes[i].why, "docker itself") ||
            strstr(modes[i].server, "compose") || as_written)
            continue;
        for (int docker = 0; docker < 2; docker++) {
            AUTO_FREE char *text = config_text(modes[i].global, modes[i].server);
            struct config *c = load(text);
            const char *path, *value;
            plan_isolation_key(c, &c->servers[0], docker, &path, &value);
            struct iso_settings *iso = &c->servers[0].isolation;
            if (strcmp(path, "isolation.mode") == 0 && !value) {
                iso->mode = MODE_UNSET;
                iso->line[ISO_MODE] = 0;
            } else if (strcmp(path, "isolation.mode") == 0) {
                iso->mode = strcmp(value, "\"docker\"") == 0 ? MODE_DOCKER : MODE_NONE;
                iso->line[ISO_MODE] = 1;
            } else {
                iso->enabled = strcmp(value, "true") == 0 ? TRI_YES : TRI_NO;
                iso->line[ISO_ENABLED] = 1;
            }
            struct plan *p = plan_make(c, &c->servers[0], RUNNER_UNKNOWN, NULL);
            is_str(plan_mode_name(p->mode), docker ? "docker" : "host", "{%s} {%.50s}: %s = %s",
                   modes[i].global, modes[i].server, path, value ? value : "removed");
            plan_free(p);
            config_free(c);
        }
    }
}

/* ---- docker run ---- */

static const struct plan_identity identity = {.instance = "i-1",
                                              .container_name = "mcpproxy-s-x7q2"};
#define HEAD \
    "run -i --rm --name mcpproxy-s-x7q2 --label com.mcpproxy.managed=true --label com.mcpproxy.instance=i-1 " \
    "--label com.mcpproxy.server=s --label com.mcpproxy.plan="
#define LOG \
    "--log-driver=local --log-opt=max-size=10m --log-opt=max-file=1 --log-opt=compress=false "
#define UV_MOUNT "--mount type=volume,source=mcpproxy-uv-cache-s,target=/root/.cache/uv "

static const struct {
    const char *what, *global, *server, *want;    /* want: what follows the plan's hash */
} runs[] = {
    {"the guide's example", "\"enabled\":true",
     "\"command\":\"uvx\",\"args\":[\"mcp-server-sqlite\",\"--db-path\",\"/path/to/db\"]",
     "--memory=512m --cpus=1.0 --network=bridge --init " UV_MOUNT LOG
     "python:3.11 uvx mcp-server-sqlite --db-path /path/to/db"},
    {"the guide's override", "\"enabled\":true",
     "\"command\":\"uvx\",\"args\":[\"mcp-server-name\"],\"isolation\":{\"enabled\":true,\"image\":\"python:3.12-slim\","
     "\"memory_limit\":\"1g\",\"cpu_limit\":\"2.0\",\"network_mode\":\"none\",\"working_dir\":\"/workspace\"}",
     "--memory=1g --cpus=2.0 --network=none --init --workdir=/workspace " UV_MOUNT LOG
     "python:3.12-slim uvx mcp-server-name"},
    {"the guide's volumes", "\"enabled\":true",
     "\"command\":\"node\",\"args\":[\"/container/path/x.js\"],\"isolation\":{\"enabled\":true,\"volumes\":"
     "[\"/host/path:/container/path:ro\"]}",
     "--memory=512m --cpus=1.0 --network=bridge --init --mount type=bind,source=/host/path,target=/container/path,readonly " LOG
     "node:20 node /container/path/x.js"},
    {"global settings, default images and a registry",
     "\"enabled\":true,\"memory_limit\":\"2g\",\"cpu_limit\":\"0.5\",\"network_mode\":\"none\",\"registry\":\"reg.local:5000\","
     "\"default_images\":{\"npx\":\"my-node:1\"},\"enable_cache_volume\":false",
     "\"command\":\"npx\"",
     "--memory=2g --cpus=0.5 --network=none --init " LOG "reg.local:5000/my-node:1 npx"},
    {"the other default images stay", "\"enabled\":true,\"default_images\":{\"npx\":\"my-node:1\"}",
     "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init " LOG "node:20 node"},
    {"a family's image", "\"enabled\":true,\"default_images\":{\"python\":\"py:1\"}",
     "\"command\":\"python3.12\"",
     "--memory=512m --cpus=1.0 --network=bridge --init " LOG "py:1 python3.12"},
    {"no registry before a name with a slash", "\"enabled\":true,\"registry\":\"reg.local/\"",
     "\"command\":\"bun\",\"isolation\":{\"enable_cache_volume\":false}",
     "--memory=512m --cpus=1.0 --network=bridge --init " LOG "oven/bun:1 bun"},
    {"docker.io is no prefix", "\"enabled\":true,\"registry\":\"docker.io\"",
     "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init " LOG "node:20 node"},
    {"extra_args come last, the server's after the global ones",
     "\"enabled\":true,\"extra_args\":[\"--memory\",\"1g\",\"--cpus=3\",\"-e\",\"A=global\"]",
     "\"command\":\"node\",\"env\":{\"B\":\"own\",\"C\":\"own\"},\"isolation\":{\"memory_limit\":\"256m\",\"extra_args\":"
     "[\"-m\",\"4g\",\"-v\",\"/a:/b:ro\",\"-e\",\"B=extra\"],\"env\":{\"C\":\"iso\",\"D\":\"iso\"}}",
     "--memory=4g --cpus=3 --network=bridge --init --mount type=bind,source=/a,target=/b,readonly " LOG
     "-e A=global -e B=own -e C=own -e D=iso node:20 node"},
    {"flags without a field of the plan", "\"enabled\":true,\"extra_args\":[\"--cap-drop=ALL\"]",
     "\"command\":\"node\",\"isolation\":{\"extra_args\":[\"--read-only\",\"--tmpfs\",\"/tmp\",\"-u\",\"1000\","
     "\"--memory-swap=-1\",\"--init=false\",\"--mount\",\"type=bind,source=/a,target=/b,bind-propagation=slave\","
     "\"-v\",\"/c:/d:ro,z\",\"-e\",\"MCPTOP_NOBODY_SETS_THIS\",\"--log-opt\",\"compress=true\"]}",
     "--memory=512m --memory-swap=-1 --cpus=1.0 --network=bridge --init=false --cap-drop=ALL --read-only --tmpfs=/tmp "
     "--user=1000 --mount type=bind,source=/a,target=/b,bind-propagation=slave --volume /c:/d:ro,z --log-driver=local "
     "--log-opt=max-size=10m --log-opt=max-file=1 --log-opt=compress=true -e MCPTOP_NOBODY_SETS_THIS node:20 node"},
    {"no limits", "\"enabled\":true,\"memory_limit\":\"0\",\"cpu_limit\":0", "\"command\":\"node\"",
     "--network=bridge --init " LOG "node:20 node"},
    {"a shared cache", "\"enabled\":true,\"enable_cache_volume\":\"shared\"", "\"command\":\"npx\"",
     "--memory=512m --cpus=1.0 --network=bridge --init --mount type=volume,source=mcpproxy-npm-cache,target=/root/.npm " LOG
     "node:20 npx"},
    {"a volume of the user's instead of the cache", "\"enabled\":true",
     "\"command\":\"npx\",\"isolation\":{\"volumes\":[\"mine:/root/.npm\"]}",
     "--memory=512m --cpus=1.0 --network=bridge --init --mount type=volume,source=mine,target=/root/.npm " LOG
     "node:20 npx"},
    {"a path with a comma and a quote", "\"enabled\":true",
     "\"command\":\"node\",\"isolation\":{\"volumes\":[\"/a,\\\"b:/c\"]}",
     "--memory=512m --cpus=1.0 --network=bridge --init --mount type=bind,\"source=/a,\"\"b\",target=/c " LOG
     "node:20 node"},
    {"a pull policy", "\"enabled\":true,\"pull_policy\":\"never\"",
     "\"command\":\"node\",\"isolation\":{\"pull_policy\":\"always\"}",
     "--pull=always --memory=512m --cpus=1.0 --network=bridge --init " LOG "node:20 node"},
    {"a configured log driver", "\"enabled\":true,\"log_driver\":\"json-file\"",
     "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init --log-driver=json-file --log-opt=max-size=100m --log-opt=max-file=3 "
     "node:20 node"},
    {"two files of the local driver", "\"enabled\":true,\"log_max_files\":\"2\"",
     "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init --log-driver=local --log-opt=max-size=10m --log-opt=max-file=2 "
     "node:20 node"},
    {"a log driver without files", "\"enabled\":true,\"log_driver\":\"journald\"",
     "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init --log-driver=journald node:20 node"},
    {"the host's path of a runner", "\"enabled\":true,\"enable_cache_volume\":false",
     "\"command\":\"/opt/homebrew/bin/npx\",\"args\":[\"-y\",\"x\"]",
     "--memory=512m --cpus=1.0 --network=bridge --init " LOG "node:20 npx -y x"},
};

static void test_runs(void)
{
    for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
        /* hardening has its own tests. */
        AUTO_FREE char *global = xasprintf("%s,\"hardening\":\"off\"", runs[i].global);
        struct plan *p = make(global, runs[i].server);
        AUTO_STRVEC struct strvec args = {0};
        plan_run_args(p, &identity, false, &args);
        AUTO_FREE char *got = words_line(&args);
        AUTO_FREE char *want = xasprintf(HEAD "%016llx %s", (unsigned long long)p->hash,
                                         runs[i].want);
        is_str(got, want, "%s", runs[i].what);
        plan_free(p);
    }
}

/* ---- hardening ---- */

#define CAPS \
    "--cap-drop=AUDIT_WRITE --cap-drop=FSETID --cap-drop=MKNOD --cap-drop=NET_BIND_SERVICE --cap-drop=NET_RAW " \
    "--cap-drop=SETFCAP --cap-drop=SETPCAP --cap-drop=SYS_CHROOT "
#define TMP ":rw,exec,nosuid,nodev,mode=1777 "

static const struct {
    const char *what, *global, *server, *want;    /* want: from --memory on, to the log's flags */
    const char *warning;                          /* a part of one about hardening; NULL = none */
} hardened[] = {
    {"standard is the default", "", "\"command\":\"node\"",
     "--memory=512m --memory-swap=512m --cpus=1.0 --network=bridge --pids-limit=512 --init "
     "--security-opt=no-new-privileges " CAPS, NULL},
    {"no memory limit, no bound on swap", "\"memory_limit\":0", "\"command\":\"node\"",
     "--cpus=1.0 --network=bridge --pids-limit=512 --init --security-opt=no-new-privileges " CAPS,
     NULL},
    {"what the user's flags say stands above it", "\"memory_limit\":\"1g\"",
     "\"command\":\"node\",\"isolation\":{\"pids_limit\":9,\"extra_args\":[\"--memory-swap=2g\","
     "\"--security-opt=no-new-privileges:false\",\"--cap-add=cap_net_raw\",\"--cap-drop=MKNOD\"]}",
     "--memory=1g --memory-swap=2147483648 --cpus=1.0 --network=bridge --pids-limit=9 --init "
     "--security-opt=no-new-privileges:false --cap-add=cap_net_raw --cap-drop=MKNOD "
     "--cap-drop=AUDIT_WRITE --cap-drop=FSETID --cap-drop=NET_BIND_SERVICE --cap-drop=SETFCAP "
     "--cap-drop=SETPCAP --cap-drop=SYS_CHROOT ", NULL},
    {"all capabilities dropped already", "",
     "\"command\":\"node\",\"isolation\":{\"extra_args\":[\"--cap-drop=ALL\",\"--pids-limit=-1\"]}",
     "--memory=512m --memory-swap=512m --cpus=1.0 --network=bridge --init --cap-drop=ALL "
     "--security-opt=no-new-privileges ", NULL},
    {"privileged", "", "\"command\":\"node\",\"isolation\":{\"extra_args\":[\"--privileged\"]}",
     "--memory=512m --cpus=1.0 --network=bridge --pids-limit=512 --init --privileged ",
     "--privileged undoes it"},
    {"off", "\"hardening\":\"off\"", "\"command\":\"node\"",
     "--memory=512m --cpus=1.0 --network=bridge --init ", NULL},
    {"strict: not even the global network", "\"hardening\":\"strict\",\"network_mode\":\"bridge\"",
     "\"command\":\"node\"",
     "--memory=512m --memory-swap=512m --cpus=1.0 --network=none --pids-limit=512 --init "
     "--security-opt=no-new-privileges " CAPS "--read-only --tmpfs=/tmp" TMP "--tmpfs=/var/tmp" TMP
     "--tmpfs=/run" TMP "--user=65534:65534 ", NULL},
    {"strict with the server's own words", "",
     "\"command\":\"node\",\"isolation\":{\"hardening\":\"strict\",\"network_mode\":\"bridge\","
     "\"volumes\":[\"/data:/tmp\"],\"extra_args\":[\"--tmpfs=/run:size=1m\",\"-u\",\"0\"]}",
     "--memory=512m --memory-swap=512m --cpus=1.0 --network=bridge --pids-limit=512 --init "
     "--tmpfs=/run:size=1m --user=0 --security-opt=no-new-privileges " CAPS
     "--read-only --tmpfs=/var/tmp" TMP "--mount type=bind,source=/data,target=/tmp ", NULL},
    {"strict and a package", "\"hardening\":\"strict\"", "\"command\":\"npx\"", NULL,
     "there is no network, and npx fetches its package at the start"},
    {"strict and a package with a network", "\"hardening\":\"strict\"",
     "\"command\":\"uvx\",\"isolation\":{\"network_mode\":\"bridge\"}", NULL,
     "the cache volume is root's and the server runs as 65534:65534"},
    {"strict and a directory of the host", "\"hardening\":\"strict\"",
     "\"command\":\"node\",\"isolation\":{\"volumes\":[\"/home/me:/data\"]}", NULL,
     "what of /home/me is closed to that user is closed to the server"},
};

static void test_hardening(void)
{
    for (size_t i = 0; i < ARRAY_LEN(hardened); i++) {
        AUTO_FREE char *global = xasprintf("\"enabled\":true%s%s", *hardened[i].global ? "," : "",
                                           hardened[i].global);
        struct plan *p = make(global, hardened[i].server);
        AUTO_STRVEC struct strvec args = {0};
        plan_run_args(p, &identity, false, &args);
        AUTO_FREE char *got = words_line(&args);
        const char *flags = strstr(got, "--memory=") ? strstr(got, "--memory=")
                                                     : strstr(got, "--cpus=");
        AUTO_FREE char *cut = xstrndup(flags, (size_t)(strstr(flags, "--log-driver") - flags));
        const struct plan_note *warning = note_of(p, "hardening", true);
        if (hardened[i].want)
            is_str(cut, hardened[i].want, "%s", hardened[i].what);
        if (hardened[i].warning)
            ok(warning && strstr(warning->why, hardened[i].warning), "%s: %s", hardened[i].what,
               warning ? warning->why : "no warning");
        else
            ok(!warning, "  no warning");
        ok(note_of(p, "hardening", false), "  and its note");
        plan_free(p);
    }
    struct plan *p = make("\"enabled\":true,\"hardening\":\"strict\"", UVX);
    is_int(p->mount_count, 0, "strict: no cache volume, which would be root's");
    is_str(kvvec_get(&p->container_env, "HOME"), "/tmp", "  and a home that can be written");
    plan_free(p);
}

/* ---- docker run, adopted ---- */

static const struct {
    const char *what, *global, *args, *rest, *want;    /* want: what follows the plan's hash */
    const char *note[2];                               /* what, a part of the why */
} adoptions[] = {
    {"as its README gives it", "",
     "\"run\",\"-i\",\"--rm\",\"-e\",\"GITHUB_PERSONAL_ACCESS_TOKEN\",\"ghcr.io/github/github-mcp-server\"",
     ",\"env\":{\"GITHUB_PERSONAL_ACCESS_TOKEN\":\"s3cret\"}",
     LOG "-e GITHUB_PERSONAL_ACCESS_TOKEN=s3cret ghcr.io/github/github-mcp-server",
     {"image", "args[5] of docker run"}},
    {"the image's own command has words", "", "\"run\",\"-i\",\"mcp/x\",\"-v\",\"--rm\"", "",
     LOG "mcp/x -v --rm", {"memory_limit", "isolation.enabled: true adds"}},
    {"its flags and nothing of docker_isolation",
     "\"enabled\":true,\"memory_limit\":\"2g\",\"network_mode\":\"none\",\"extra_args\":[\"--read-only\"]",
     "\"run\",\"-i\",\"--memory=64m\",\"--cap-drop\",\"ALL\",\"--init\",\"-v\",\"./x:/y\",\"mcp/x\"",
     ",\"working_dir\":\"/srv\"",
     "--memory=64m --init --cap-drop=ALL --volume /srv/x:/y " LOG "mcp/x",
     {"memory_limit", "a flag of docker run"}},
    {"isolation.enabled false adds nothing either", "\"enabled\":true",
     "\"run\",\"-i\",\"--rm\",\"mcp/x\"", ISO("\"enabled\":false"), LOG "mcp/x",
     {"mode", "the command is docker run"}},
    {"isolation.enabled true adds limits and hardening", "\"memory_limit\":\"2g\",\"pids_limit\":9",
     "\"run\",\"-i\",\"--cpus\",\"3\",\"mcp/x\"", ISO("\"enabled\":true"),
     "--memory=2g --memory-swap=2g --cpus=3 --network=bridge --pids-limit=9 "
     "--security-opt=no-new-privileges " CAPS LOG "mcp/x",
     {"memory_limit", "docker_isolation.memory_limit (line 1)"}},
    {"its flags stand above docker_isolation", "\"memory_limit\":\"2g\",\"network_mode\":\"none\"",
     "\"run\",\"-m\",\"1g\",\"--network\",\"host\",\"--memory-swap=3g\",\"mcp/x\"",
     ISO("\"enabled\":true,\"hardening\":\"off\""),
     "--memory=1g --memory-swap=3221225472 --cpus=1.0 --network=host " LOG "mcp/x",
     {"network_mode", "a flag of docker run"}},
    {"the server's own keys stand above its flags", "",
     "\"run\",\"-m\",\"1g\",\"--memory-swap=1g\",\"mcp/x\"",
     ISO("\"memory_limit\":\"2g\",\"cpu_limit\":\"0.5\",\"network_mode\":\"none\",\"pids_limit\":7,"
         "\"extra_args\":[\"--read-only\"],\"volumes\":[\"/a:/b\"],\"env\":{\"A\":\"1\"}"),
     "--memory=2g --cpus=0.5 --network=none --pids-limit=7 --read-only --mount "
     "type=bind,source=/a,target=/b " LOG "-e A=1 mcp/x",
     {"memory_limit", "isolation.memory_limit (line 3)"}},
    {"another image", "", "\"run\",\"mcp/x\",\"word\"", ISO("\"image\":\"mcp/y\""),
     LOG "mcp/y word", {"image", "isolation.image (line 3) stands above mcp/x"}},
    {"its own log driver", "", "\"run\",\"--log-driver=none\",\"mcp/x\"", "",
     "--log-driver=none mcp/x", {"log_driver", ""}},
    {"a variable that nobody has", "", "\"run\",\"-e\",\"MCPTOP_NOBODY_SETS_THIS\",\"mcp/x\"", "",
     LOG "-e MCPTOP_NOBODY_SETS_THIS mcp/x", {"env", "has no value: the server's env has none"}},
    {"a variable that docker is not told of", "", "\"run\",\"mcp/x\"",
     ",\"env\":{\"TOKEN\":\"s3cret\"}", LOG "mcp/x", {"env", "add \"-e\", \"TOKEN\" before the image"}},
    {"docker's own variables", "", "\"run\",\"mcp/x\"", ",\"env\":{\"PATH\":\"/x\"}", LOG "mcp/x",
     {"mode", "the command is docker run"}},
    {"a terminal", "", "\"run\",\"-it\",\"mcp/x\"", "", LOG "mcp/x",
     {"flag", "tty of args: left out: a terminal would garble the protocol"}},
};

static bool has_note(const struct plan *p, const char *what, const char *why)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].what, what) == 0 && strstr(p->notes[i].why, why))
            return true;
    return false;
}

static void test_adoptions(void)
{
    for (size_t i = 0; i < ARRAY_LEN(adoptions); i++) {
        AUTO_FREE char *server = xasprintf("\"command\":\"docker\",\"args\":[%s]%s",
                                           adoptions[i].args, adoptions[i].rest);
        struct plan *p = make(adoptions[i].global, server);
        AUTO_STRVEC struct strvec args = {0};
        plan_run_args(p, &identity, false, &args);
        AUTO_FREE char *got = words_line(&args);
        AUTO_FREE char *want = xasprintf(HEAD "%016llx %s", (unsigned long long)p->hash,
                                         adoptions[i].want);
        is_str(got, want, "%s", adoptions[i].what);
        ok(p->adopted, "  adopted");
        ok(has_note(p, adoptions[i].note[0], adoptions[i].note[1]), "  with a note about %s",
           adoptions[i].note[0]);
        for (size_t k = 0; k < p->note_count; k++)
            ok(!strstr(p->notes[k].why, "s3cret") && !strstr(p->notes[k].value, "s3cret"),
               "  no secret in the note about %s", p->notes[k].what);
        plan_free(p);
    }
}

/* Without Cmd the image's own command runs; without --init the engine's default holds. */
static void test_adopted_json(void)
{
    struct plan *p = make("", "\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"--label=a=b\",\"mcp/x\"]");
    json_t *got = plan_create_json(p, &identity);
    json_t *host = json_object_get(got, "HostConfig");
    ok(!json_object_get(got, "Cmd") && !json_object_get(host, "Init"), "no Cmd and no Init");
    is_str(json_string_value(json_object_get(host, "NetworkMode")), "default", "the default network");
    json_t *labels = json_object_get(got, "Labels");
    is_str(json_string_value(json_object_get(labels, "a")), "b", "its own label");
    is_str(json_string_value(json_object_get(labels, "com.mcpproxy.server")), "s", "and ours");
    AUTO_STRVEC struct strvec argv = {0};
    plan_container_argv(p, &argv);
    is_int(argv.n, 0, "no words");
    json_decref(got);
    plan_free(p);
}

/* Podman's client is adopted where Podman's engine is. */
static void test_podman(void)
{
    AUTO_FREE char *text = config_text("", "\"command\":\"podman\",\"args\":[\"run\",\"-i\",\"x\"]");
    struct config *c = load(text);
    struct plan *p = plan_make(c, &c->servers[0], RUNNER_UNKNOWN, NULL);
    ok(!p->adopted && p->awaits_engine && p->mode == PLAN_HOST, "not with an engine of another's");
    is_str(note_of(p, "mode", false)->why,
           "podman is not taken over, it runs as written: the engine is not Podman's", "  and why");
    plan_free(p);
    c->engine = ENGINE_KIND_PODMAN;
    p = plan_make(c, &c->servers[0], RUNNER_UNKNOWN, NULL);
    ok(p->adopted && !p->awaits_engine, "with Podman's");
    ok(strstr(note_of(p, "mode", false)->why, "the command is podman run"), "  and why");
    plan_free(p);
    config_free(c);
    AUTO_FREE char *docker = config_text("", DOCKER);
    c = load(docker);
    c->engine = ENGINE_KIND_NONE;
    p = plan_make(c, &c->servers[0], RUNNER_UNKNOWN, NULL);
    ok(p->mode == PLAN_HOST && strstr(note_of(p, "mode", false)->why, "mcptop cannot use itself"),
       "where docker's engine is out of our reach, docker runs it");
    plan_free(p);
    config_free(c);
}

static void test_empty_variables(void)
{
    static const char *const keys[] = {"image",         "memory_limit", "cpu_limit",
                                       "network_mode",  "registry",     "mode",
                                       "working_dir",   "log_driver",   "log_max_size",
                                       "log_max_files", "timeout",      "enable_cache_volume",
                                       "pull_policy"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        AUTO_FREE char *own = xasprintf(UVX ",\"isolation\":{\"%s\":\"${env:NOTHING}\"}", keys[i]);
        struct plan *p = make("\"enabled\":true", own), *q = make("\"enabled\":true", UVX);
        ok(p->mode == PLAN_DOCKER && p->hash == q->hash && p->live_hash == q->live_hash,
           "%s of a variable that is set to nothing is absent", keys[i]);
        plan_free(p);
        plan_free(q);
    }
}

static void test_comment_line(void)
{
    struct plan *p = make("", "\"command\":\"x\",\"env\":{\"A\":\"${env:NONE\\nrm}\"}");
    AUTO_BUF struct buf line = BUF_INIT;
    plan_shell_line(p, false, &line);
    ok(strncmp(buf_str(&line), "# ", 2) == 0 && !strchr(buf_str(&line), '\n'),
       "a comment stays one: %s", buf_str(&line));
    plan_free(p);
}

/* Behind the image of a `docker run` the first word is no command: it may be a secret's name. */
static void test_masking_adopted(void)
{
    static const char *const words[] = {"\"--token\",\"hunter1\",\"--port\",\"80\"", "\"--token=hunter2\"",
                                        "\"ghp_hunter3hunter3hunter3hunter3hunter3\""};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        AUTO_FREE char *server = xasprintf(
            "\"command\":\"docker\",\"args\":[\"run\",\"-e\",\"A=hunter4\",\"mcp/x\",%s]", words[i]);
        struct plan *p = make("", server);
        AUTO_STRVEC struct strvec args = {0};
        AUTO_BUF struct buf line = BUF_INIT;
        plan_run_args(p, &identity, true, &args);
        AUTO_FREE char *got = words_line(&args);
        plan_shell_line(p, false, &line);
        ok(strstr(got, "***") && !strstr(got, "hunter"), "masked: %s", got);
        ok(!strstr(buf_str(&line), "hunter"), "in the line for a shell, too: %s", buf_str(&line));
        plan_free(p);
    }
}

static void test_masking(void)
{
    struct plan *p = make(
        "\"enabled\":true,\"extra_args\":[\"-e\",\"X=hunter1\"]",
        "\"command\":\"node\",\"args\":[\"x.js\",\"--api-key=hunter2\",\"--token\",\"hunter3\",\"--port\","
        "\"80\",\"GITHUB_TOKEN=hunter4\",\"postgres://u:hunter5@h/db\",\"https://h/a:b@c\"],"
        "\"env\":{\"K\":\"hunter6\"},\"isolation\":{\"env\":{\"L\":\"${env:TOKEN}\"}}");
    AUTO_STRVEC struct strvec args = {0};
    AUTO_BUF struct buf line = BUF_INIT;
    plan_run_args(p, &identity, true, &args);
    AUTO_FREE char *got = words_line(&args);
    ok(strstr(
           got,
           "-e X=*** -e L=*** -e K=*** node:20 node x.js --api-key=*** --token *** --port 80 GITHUB_TOKEN=*** "
           "postgres://u:***@h/db https://h/a:b@c"),
       "secrets are masked: %s", got);
    plan_run_args(p, NULL, true, &args);
    AUTO_FREE char *nameless = words_line(&args);
    ok(strstr(got, "--name") && !strstr(nameless, "--name") && !strstr(nameless, "com.mcpproxy."),
       "a plan without a container shows no name of one: %s", nameless);
    plan_shell_line(p, false, &line);
    ok(!strstr(buf_str(&line), "hunter") && !strstr(buf_str(&line), "s3cret") &&
           strstr(buf_str(&line), " -e K "),
       "and in the shell's line: %s", buf_str(&line));
    for (size_t i = 0; i < p->note_count; i++)
        ok(!strstr(p->notes[i].why, "hunter") && !strstr(p->notes[i].value, "hunter") &&
           !strstr(p->notes[i].why, "s3cret"), "no secret in the note about %s", p->notes[i].what);
    plan_free(p);
}

/* ---- notes ---- */

static const struct {
    const char *global, *server, *what;
    bool warning;
    const char *value, *why;
} notes[] = {
    {"\"enabled\":true", UVX, "image", false, "python:3.11", "default: uvx runs in python:3.11"},
    {"\"enabled\":true", UVX, "memory_limit", false, "512m", "default"},
    {"\"enabled\":true,\n\"memory_limit\":\"1g\"", UVX, "memory_limit", false, "1g",
     "docker_isolation.memory_limit (line 2)"},
    {"\"enabled\":true", UVX ISO("\"cpu_limit\":2"), "cpu_limit", false, "2",
     "isolation.cpu_limit (line 3)"},
    {"\"enabled\":true", UVX ISO("\"cpu_limit\":\"0\""), "cpu_limit", false, "none",
     "isolation.cpu_limit (line 3)"},
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"-m\",\"2g\"]"), "memory_limit", false, "2g",
     "isolation.extra_args (line 3) come after memory_limit"},
    {"\"enabled\":true,\"timeout\":\"90s\"", UVX, "timeout", false, "1m30s",
     "docker_isolation.timeout (line 1)"},
    {"\"enabled\":true", UVX ISO("\"pull_policy\":\"never\""), "pull_policy", false, "never",
     "isolation.pull_policy (line 3)"},
    {"\"enabled\":true", UVX, "pull_policy", false, "missing", "default"},
    {"\"enabled\":true,\n\"default_images\":{\"uvx\":\"u:1\"}", UVX, "image", false, "u:1",
     "docker_isolation.default_images.uvx (line 2)"},
    {"\"enabled\":true,\"registry\":\"r\"", UVX, "image", false, "r/python:3.11",
     "default: uvx runs in python:3.11; the registry is docker_isolation.registry (line 1)"},
    {"\"enabled\":true", "\"command\":\"/usr/bin/npx\"", "command", false, "npx",
     "the path is the host's; in the container the name is enough"},
    {"\"enabled\":true", "\"command\":\"/home/u/server\"", "command", true, "/home/u/server",
     "the command is a path of the host"},
    {"\"enabled\":true", UVX ",\"working_dir\":\"/w\"", "working_dir", true, "/w",
     "has no effect in a container"},
    {"\"enabled\":true", UVX ",\"args\":[\"x\",\"/data/db\"]", "path", false, "args[1]",
     "this path is not mounted"},
    {"\"enabled\":true", UVX ISO("\"network_mode\":\"host\""), "isolation", true, "weak",
     "the network is the host's"},
    {"\"enabled\":true", UVX ISO("\"volumes\":[\"/var//run/./docker.sock:/s\"]"), "isolation", true,
     "weak", "the engine's socket is mounted (/var//run/./docker.sock)"},
    {"\"enabled\":true", UVX ISO("\"volumes\":[\"/usr/../etc/:/conf\",\"/proc:/p:ro\"]"), "isolation", true,
     "weak", "a system directory of the host can be written to (/usr/../etc/)"},
    {"\"enabled\":true", UVX ISO("\"volumes\":[\"/x/..:/host:ro\"]"), "isolation", true, "weak",
     "the host's whole file system is mounted"},
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"-v\",\"/run:/run\"]"), "isolation", true,
     "weak", "the engine's socket is mounted (/run)"},
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"--privileged\",\"--pid=host\",\"--device=/dev/kvm\"]"),
     "isolation", true, "weak",
     "it is privileged: it may do what the host's root may; the processes are the host's (--pid=host); "
     "a device of the host is given to it (/dev/kvm)"},
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"--cap-add=cap_sys_admin\",\"--security-opt=seccomp=unconfined\"]"),
     "isolation", true, "weak", "--cap-add=cap_sys_admin; --security-opt=seccomp=unconfined"},
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"--name=x\"]"), "flag", false, "name",
     "name of isolation.extra_args: the name is mcptop's"},
};

static void test_notes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(notes); i++) {
        struct plan *p = make(notes[i].global, notes[i].server);
        const struct plan_note *n = note_of(p, notes[i].what, notes[i].warning);
        is_str(n ? n->value : NULL, notes[i].value, "{%s} {%.60s}: %s", notes[i].global,
               notes[i].server, notes[i].what);
        ok(n && strstr(n->why, notes[i].why), "  why: %s", n ? n->why : "no such note");
        plan_free(p);
    }
    struct plan *p = make("\"enabled\":true",
                          UVX ",\"args\":[\"/data/db\"]" ISO("\"volumes\":[\"/home:/data\"]"));
    ok(!note_of(p, "path", false) && !p->weak,
       "a mounted path needs no note, and /home is not weak");
    plan_free(p);
    p = make("\"enabled\":true", "\"command\":\"/bin2/server\"" ISO(
                                     "\"volumes\":[\"/home/u/server:/bin2/server:ro\"]"));
    ok(!note_of(p, "command", true), "nor does a mounted command");
    plan_free(p);
}

/* ---- what cannot be ---- */

static const struct {
    const char *global, *server, *key, *sentence;
    int line;
} refusals[] = {
    {"\"enabled\":true", UVX ISO("\"extra_args\":[\"-i\",\"--volumes-from=x\"]"),
     "mcpServers.s.isolation.extra_args[1]",
     "isolation.extra_args[1] (line 3): \"--volumes-from\" is not supported", 3},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"-id\",\"x\"]", "mcpServers.s.args[1]",
     "args[1] (line 2): --detach is not possible", 2},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"--env-file\",\"/nonexistent/x\",\"y\"]",
     "mcpServers.s.args[2]", "args[2] (line 2): --env-file: /nonexistent/x: No such file", 2},
    {"", "\"command\":\"docker\",\"args\":[\"run\",\"--label=com.mcpproxy.server=x\",\"y\"]",
     "mcpServers.s.args[1]", "args[1] (line 2): --label: the labels com.mcpproxy.* are mcptop's own", 2},
    {"\"enabled\":true,\n\"extra_args\":[\"--gpus=some\"]", UVX, "docker_isolation.extra_args[0]",
     "docker_isolation.extra_args[0] (line 2): --gpus: \"some\" is no number of GPUs", 2},
    {"\"enabled\":true", UVX ISO("\"volumes\":[\"/a:/b\",\"relative:x\"]"),
     "mcpServers.s.isolation.volumes[1]", "isolation.volumes[1] (line 3)", 3},
    {"\"enabled\":true", UVX ISO("\"working_dir\":\"work\""), "mcpServers.s.isolation.working_dir",
     "must be an absolute path in the container", 3},
};

static void test_refusals(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        struct problems problems = {0};
        AUTO_FREE char *text = config_text(refusals[i].global, refusals[i].server);
        struct plan *p = plan_of(text, RUNNER_UNKNOWN, &problems);
        is_int(p->mode, PLAN_UNSUPPORTED, "%s", refusals[i].sentence);
        ok(p->unsupported && strstr(p->unsupported, refusals[i].sentence), "  the sentence: %s",
           p->unsupported);
        is_int(problems.errors, 1, "  one problem");
        is_str(problems.n ? problems.v[0].key : NULL, refusals[i].key, "  at its key");
        is_int(problems.n ? problems.v[0].line : 0, refusals[i].line, "  and line");
        struct plan *again = plan_of(text, RUNNER_UNKNOWN, &problems);
        is_int(problems.n, 1, "  said once");
        AUTO_BUF struct buf line = BUF_INIT;
        plan_shell_line(p, true, &line);
        ok(strncmp(buf_str(&line), "# ", 2) == 0, "  the shell's line is a comment");
        plan_free(again);
        plan_free(p);
        problems_fini(&problems);
    }
}

/* ---- the Engine's JSON ---- */

static void test_engine_json(void)
{
    struct plan *p = make(
        "\"enabled\":true,\"hardening\":\"off\"",
        "\"command\":\"node\",\"args\":[\"a b\"],\"env\":{\"K\":\"v=1\"},\"isolation\":"
        "{\"volumes\":[\"/h:/c:ro\",\"vol:/d\"],\"working_dir\":\"/c\",\"extra_args\":[\"--pids-limit=9\"]}");
    json_t *got = plan_create_json(p, &identity);
    AUTO_FREE char *hash = xasprintf("%016llx", (unsigned long long)p->hash);
    json_t *want = json_pack(
        "{s:s, s:[s,s], s:[s], s:s, s:{s:s,s:s,s:s,s:s}, s:b, s:b, s:b, s:b, s:b, s:b,"
        " s:{s:I, s:I, s:I, s:i, s:s, s:[{s:s,s:s,s:s,s:b},{s:s,s:s,s:s,s:b}], s:b, s:b, s:{s:s, s:{s:s,s:s,s:s}}}}",
        "Image", "node:20", "Cmd", "node", "a b", "Env", "K=v=1", "WorkingDir", "/c", "Labels",
        "com.mcpproxy.managed", "true", "com.mcpproxy.instance", "i-1",
        "com.mcpproxy.server", "s", "com.mcpproxy.plan", hash,
        "OpenStdin", 1, "StdinOnce", 1, "AttachStdin", 1, "AttachStdout", 1, "AttachStderr", 1,
        "Tty", 0, "HostConfig", "Memory", (json_int_t)536870912,
        "MemorySwap", (json_int_t)1073741824, "NanoCpus", (json_int_t)1000000000,
        "PidsLimit", 9, "NetworkMode", "bridge", "Mounts",
        "Type", "bind", "Source", "/h", "Target", "/c", "ReadOnly", 1,
        "Type", "volume", "Source", "vol", "Target", "/d", "ReadOnly", 0,
        "Init", 1, "AutoRemove", 0, "LogConfig", "Type", "local", "Config",
        "max-size", "10m", "max-file", "1", "compress", "false");
    char *text = json_dumps(got, JSON_SORT_KEYS), *want_text = json_dumps(want, JSON_SORT_KEYS);
    is_str(text, want_text, "the body of create");
    free(text);
    free(want_text);
    json_decref(got);
    json_decref(want);

    got = plan_update_json(p);
    text = json_dumps(got, JSON_COMPACT);
    is_str(
        text,
        "{\"Memory\":536870912,\"MemorySwap\":1073741824,\"NanoCpus\":1000000000,\"PidsLimit\":9}",
        "the body of update");
    free(text);
    json_decref(got);
    plan_free(p);
}

/* ---- hashes ---- */

static const struct {
    const char *what, *a, *b;
    bool same_hash, same_live;
} hashes[] = {
    {"the same", UVX, UVX, true, true},
    {"memory", UVX ISO("\"memory_limit\":\"1g\""), UVX ISO("\"memory_limit\":\"2g\""), true, false},
    {"the same memory, written differently", UVX ISO("\"memory_limit\":\"1g\""),
     UVX ISO("\"memory_limit\":\"1024m\""), true, true},
    {"cpus", UVX ISO("\"cpu_limit\":1"), UVX ISO("\"cpu_limit\":2"), true, false},
    {"pids", UVX, UVX ISO("\"pids_limit\":100"), true, false},
    {"the default pids limit, written and not", UVX, UVX ISO("\"pids_limit\":512"), true, true},
    {"hardening", UVX, UVX ISO("\"hardening\":\"off\""), false, false},
    {"an option", UVX, UVX ISO("\"extra_args\":[\"--read-only\"]"), false, true},
    {"a variable that shall be unset", UVX, UVX ISO("\"extra_args\":[\"-e\",\"MCPTOP_NOBODY_SETS_THIS\"]"),
     false, true},
    {"memory-swap", UVX, UVX ISO("\"extra_args\":[\"--memory-swap=2g\"]"), true, false},
    {"a limit and none", UVX ISO("\"memory_limit\":\"1g\""), UVX ISO("\"memory_limit\":\"0\""),
     true, false},
    {"network", UVX, UVX ISO("\"network_mode\":\"none\""), false, true},
    {"image", UVX, UVX ISO("\"image\":\"x\""), false, true},
    {"an argument", UVX, UVX ",\"args\":[\"\"]", false, true},
    {"bytes between arguments", UVX ",\"args\":[\"ab\",\"c\"]", UVX ",\"args\":[\"a\",\"bc\"]",
     false, true},
    {"an env value", UVX ",\"env\":{\"A\":\"1\"}", UVX ",\"env\":{\"A\":\"2\"}", false, true},
    {"bytes between key and value", UVX ",\"env\":{\"A\":\"BC\"}", UVX ",\"env\":{\"AB\":\"C\"}",
     false, true},
    {"a mount's option", UVX ISO("\"volumes\":[\"/a:/b\"]"), UVX ISO("\"volumes\":[\"/a:/b:ro\"]"),
     false, true},
    {"isolation itself", UVX, UVX ISO("\"enabled\":false"), false, false},
    {"a pull policy is about the start", UVX, UVX ISO("\"pull_policy\":\"always\""), true, true},
    {"a timeout is no plan", UVX, UVX ISO("\"timeout\":\"90s\""), true, true},
};

static void test_hashes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        struct plan *a = make("\"enabled\":true", hashes[i].a),
                    *b = make("\"enabled\":true", hashes[i].b);
        is_int(a->hash == b->hash, hashes[i].same_hash, "%s: hash", hashes[i].what);
        is_int(a->live_hash == b->live_hash, hashes[i].same_live, "%s: live_hash", hashes[i].what);
        plan_free(a);
        plan_free(b);
    }
    AUTO_FREE char *text = config_text("\"enabled\":true", UVX);
    struct plan *a = plan_of(text, RUNNER_UNKNOWN, NULL), *b = plan_of(text, RUNNER_MISSING, NULL);
    ok(b->bootstrap && a->hash == b->hash, "what was learned about the image restarts nothing");
    plan_free(a);
    plan_free(b);
    /* A new version must not restart every server: whoever changes the fields says so by changing
     * these two. */
    a = make("\"enabled\":true", UVX ",\"args\":[\"x\"]");
    ok(a->hash == 0xb3d49468c39a8df9u && a->live_hash == 0x9e5071e931c3d3d2u,
       "the hashes of version 1: %016llx %016llx", (unsigned long long)a->hash,
       (unsigned long long)a->live_hash);
    plan_free(a);
}

/* ---- a command that makes its own container ---- */

static const struct {
    const char *server, *client;
} own_clients[] = {
    {UVX, ""},
    {DOCKER, ""},
    {DOCKER ISO("\"mode\":\"none\""), ""},                     /* x: adopted */
    {"\"command\":\"sh\",\"args\":[\"-c\",\"docker run -i x\"]", "docker"},
    {"\"command\":\"sh\",\"args\":[\"-c\",\"docker run -i x\"]" ISO("\"mode\":\"none\""), "docker"},
    {"\"command\":\"podman-compose\",\"args\":[\"up\"]", "podman-compose"},
    {"\"command\":\"docker\",\"args\":[\"run\",\"-i\",\"--volumes-from\",\"x\",\"image\"]", "docker"},
};

static void test_own_clients(void)
{
    for (size_t i = 0; i < ARRAY_LEN(own_clients); i++) {
        struct plan *p = make("\"enabled\":true", own_clients[i].server);
        is_str(p->client ? p->client : "", own_clients[i].client, "%s", own_clients[i].server);
        plan_free(p);
    }
}

/* ---- what a change takes ---- */

static const struct {
    const char *what, *from, *to;
    enum plan_change change;
} steps[] = {
    {"the same", UVX, UVX, PLAN_SAME},
    {"no memory limit → one", UVX ISO("\"memory_limit\":\"0\""), UVX, PLAN_LIVE},
    {"a memory limit → none", UVX, UVX ISO("\"memory_limit\":\"0\""), PLAN_RESTARTS},
    {"no CPU limit → one", UVX ISO("\"cpu_limit\":\"0\""), UVX, PLAN_LIVE},
    {"a CPU limit → none", UVX, UVX ISO("\"cpu_limit\":\"0\""), PLAN_RESTARTS},
    {"a limit of processes → none", UVX, UVX ISO("\"pids_limit\":0"), PLAN_LIVE},
    {"none → a limit of processes", UVX ISO("\"pids_limit\":0"), UVX, PLAN_LIVE},
    {"one limit set, another taken away", UVX ISO("\"memory_limit\":\"0\""),
     UVX ISO("\"cpu_limit\":\"0\""), PLAN_RESTARTS},
    {"a docker run without limits gets one", DOCKER, DOCKER ISO("\"memory_limit\":\"64m\""), PLAN_LIVE},
    {"network", UVX, UVX ISO("\"network_mode\":\"none\""), PLAN_RESTARTS},
    {"to the host, where no limit is", UVX, UVX ISO("\"enabled\":false"), PLAN_RESTARTS},
};

static void test_changes(void)
{
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct plan *a = make("\"enabled\":true", steps[i].from),
                    *b = make("\"enabled\":true", steps[i].to);
        is_int(plan_change(a, b), steps[i].change, "%s", steps[i].what);
        plan_free(a);
        plan_free(b);
    }
}

/* ---- names ---- */

static void test_names(void)
{
    static const char *const names[][2] = {
        {"github", "mcpproxy-github-x7q2"}, {"my server", "mcpproxy-my-server-x7q2"},
        {"a//b", "mcpproxy-a-b-x7q2"},      {"../../x", "mcpproxy-server-..-..-x-x7q2"},
        {"ünï", "mcpproxy-server-n-x7q2"},  {"_a", "mcpproxy-server-_a-x7q2"},
        {"", "mcpproxy-server-x7q2"},       {"///", "mcpproxy-server-x7q2"},
        {"a..", "mcpproxy-a-x7q2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        AUTO_FREE char *got = plan_container_name(names[i][0], "x7q2");
        is_str(got, names[i][1], "\"%s\"", names[i][0]);
    }
    char text[300];
    memset(text, 'n', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    AUTO_FREE char *got = plan_container_name(text, "x7q2");
    is_int(strlen(got), strlen("mcpproxy-") + 200 + strlen("-x7q2"), "a long name is cut");

    static const char *const caches[][2] = {
        {"a", "mcpproxy-uv-cache-a"},
        {"a b", "mcpproxy-uv-cache-a-b-"},
        {"a/b", "mcpproxy-uv-cache-a-b-"},
    };
    char first[200] = "";
    for (size_t i = 0; i < ARRAY_LEN(caches); i++) {
        AUTO_FREE char *t = xasprintf(
            "{\"docker_isolation\":{\"enabled\":true},\"mcpServers\":{\"%s\":{" UVX "}}}",
            caches[i][0]);
        struct plan *p = plan_of(t, RUNNER_UNKNOWN, NULL);
        ok(p->mount_count == 1 &&
               strncmp(p->mounts[0].source, caches[i][1], strlen(caches[i][1])) == 0,
           "the cache of \"%s\": %s", caches[i][0], p->mounts[0].source);
        ok(strcmp(p->mounts[0].source, first) != 0, "is its own");
        snprintf(first, sizeof(first), "%s", p->mounts[0].source);
        plan_free(p);
    }
}

/* ---- run by a real shell ---- */

static char workdir[] = "/tmp/t_plan.XXXXXX";

static void write_script(const char *name, const char *text)
{
    AUTO_FREE char *path = xasprintf("%s/%s", workdir, name);
    AUTO_FREE char *full = xasprintf("#!/bin/sh\n%s\n", text);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, full, strlen(full)) != (ssize_t)strlen(full))
        printf("Bail out! cannot write %s\n", path);
}

/* What `line` writes to stdout, run by sh with workdir first in PATH; *ret_status its exit
 * status. */
static char *run_line(const char *line, int *ret_status)
{
    AUTO_FREE char *path = xasprintf("%s/line.sh", workdir);
    AUTO_FREE char *command = xasprintf("PATH=%s:/usr/bin:/bin sh %s </dev/null 2>%s/stderr",
                                        workdir, path, workdir);
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct buf out = BUF_INIT;
    char chunk[4096];
    if (fd < 0 || write(fd, line, strlen(line)) != (ssize_t)strlen(line))
        return NULL;
    FILE *f = popen(command, "r");
    for (size_t n; f && (n = fread(chunk, 1, sizeof(chunk), f)) > 0;)
        buf_add(&out, chunk, n);
    int status = pclose(f);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return buf_take(&out);
}

/* docker and a server that print their words, one a line, and one variable of their environment. */
static void test_shell_lines(void)
{
    write_script("docker", "printf '<%s>\\n' \"$@\" \"MY_VAR=$MY_VAR\" \"HOME=$HOME\"");
    write_script("my-server",
                 "printf '<%s>\\n' \"$@\" \"MY_VAR=$MY_VAR\" \"OTHER=$OTHER\" \"$PWD\"");
    static const char server[] =
        "\"command\":\"%s\",\"args\":[\"it's\",\"a \\\"b\\\"\",\"$HOME\",\"\",\"\\n*\"],\"env\":"
        "{\"MY_VAR\":\"v a'l\",\"HOME\":\"/inside\"}";
    AUTO_BUF struct buf line = BUF_INIT;
    int status = 0;
    AUTO_FREE char *isolated = xasprintf(server, "node");
    struct plan *p = make("\"enabled\":true,\"hardening\":\"off\"", isolated);
    plan_shell_line(p, true, &line);
    AUTO_FREE char *got = run_line(buf_str(&line), &status);
    AUTO_FREE char *home = xasprintf("<MY_VAR=v a'l>\n<HOME=%s>\n", getenv("HOME"));
    AUTO_FREE char *want = xasprintf(
        "<run>\n<-i>\n<--rm>\n<--memory=512m>\n<--cpus=1.0>\n<--network=bridge>\n<--init>\n"
        "<--log-driver=local>\n<--log-opt=max-size=10m>\n<--log-opt=max-file=1>\n<--log-opt=compress=false>\n"
        "<-e>\n<MY_VAR>\n"
        "<-e>\n<HOME=/inside>\n<node:20>\n<node>\n<it's>\n<a \"b\">\n<$HOME>\n<>\n<\n*>\n%s",
        home);
    is_str(got, want, "a docker line: its words and where the secrets stand");
    is_int(status, 0, "it ends well");
    plan_free(p);

    AUTO_FREE char *on_host = xasprintf(server, "my-server");
    AUTO_FREE char *with_dir = xasprintf("%s,\"working_dir\":\"%s\"", on_host, workdir);
    p = make("", with_dir);
    plan_shell_line(p, true, &line);
    AUTO_FREE char *text = xasprintf("OTHER=x; export OTHER\n%s", buf_str(&line));
    AUTO_FREE char *host_got = run_line(text, &status);
    AUTO_FREE char *host_want = xasprintf(
        "<it's>\n<a \"b\">\n<$HOME>\n<>\n<\n*>\n<MY_VAR=v a'l>\n<OTHER=>\n<%s>\n", workdir);
    is_str(host_got, host_want,
           "a host line: its words, its directory and no more than the allowed environment");
    plan_shell_line(p, false, &line);
    AUTO_FREE char *outside = xasprintf("MY_VAR=outside\n%s", buf_str(&line));
    AUTO_FREE char *masked_got = run_line(outside, &status);
    ok(masked_got && strstr(masked_got, "<MY_VAR=outside>"),
       "without secrets the shell's own value is used");
    plan_free(p);
}

/* A python3 whose pip notes every install and makes a uvx that prints its words. */
static const char fake_python[] =
    "test \"$2\" = pip || exit 9\n"
    "test -z \"$(cat)\" || exit 8\n"
    "while [ $# -gt 0 ]; do [ \"$1\" = --target ] && t=$2; shift; done\n"
    "echo noise on stdout\n"
    "echo x >>\"$INSTALLS\"\n"
    "sleep 0.2\n"
    "mkdir -p \"$t/bin\" && printf '#!/bin/sh\\nprintf \"<%%s>\\\\n\" \"$@\"\\n' >\"$t/bin/uvx\" && chmod +x \"$t/bin/uvx\"\n";

static int count_installs(void)
{
    AUTO_FREE char *path = xasprintf("%s/installs", workdir);
    struct stat st;
    return stat(path, &st) == 0 ? (int)st.st_size / 2 : 0;
}

/* The script on its own, in a directory that plays the cache volume. */
static char *bootstrap_line(const char *cache, const char *words)
{
    AUTO_BUF struct buf script = BUF_INIT;
    struct buf line = BUF_INIT;
    bootstrap_script(runtime_detect("uvx"), "uvx", cache, &script);
    buf_printf(
        &line,
        "INSTALLS=%s/installs; export INSTALLS\nPATH=%s:/usr/bin:/bin\ncommand -v uvx && exit 7\nsh -c ",
        workdir, workdir);
    buf_add_shell(&line, buf_str(&script));
    buf_printf(&line, " sh uvx %s", words);
    return buf_take(&line);
}

static void test_bootstrap(void)
{
    int status = 0;
    write_script("python3", fake_python);
    AUTO_FREE char *cache = xasprintf("%s/cache", workdir);
    mkdir(cache, 0755);
    AUTO_FREE char *line = bootstrap_line(cache, "'a b' ''");
    AUTO_FREE char *first = run_line(line, &status);
    is_str(first, "<a b>\n<>\n", "installs, then runs the command; nothing else reaches stdout");
    is_int(count_installs(), 1, "one install");
    AUTO_FREE char *second = run_line(line, &status);
    is_str(second, "<a b>\n<>\n", "the second start runs it");
    is_int(count_installs(), 1, "without an install");

    AUTO_FREE char *empty = xasprintf("%s/other", workdir);
    mkdir(empty, 0755);
    AUTO_FREE char *other = bootstrap_line(empty, "x");
    AUTO_FREE char *both = xasprintf("(%s) & (%s) & wait", other, other);
    AUTO_FREE char *together = run_line(both, &status);
    is_str(together, "<x>\n<x>\n", "two containers on one volume");
    AUTO_FREE char *third = run_line(other, &status);
    is_str(third, "<x>\n", "and a third after them");
    is_int(count_installs(), 3, "installs nothing");

    AUTO_FREE char *broken = xasprintf("%s/cache/.mcptop-uv/bin/uvx", workdir);
    AUTO_FREE char *spoil = xasprintf("echo 'exit 1' >%s\n%s", broken, line);
    AUTO_FREE char *mended = run_line(spoil, &status);
    is_str(mended, "<a b>\n<>\n", "a kept copy that does not run is replaced");
    is_int(count_installs(), 4, "by an install");

    AUTO_FREE char *nowhere = bootstrap_line("/nonexistent", "y");
    AUTO_FREE char *without = run_line(nowhere, &status);
    is_str(without, "<y>\n", "a cache that cannot be written is done without");

    write_script("python3", "exit 1");
    AUTO_FREE char *fresh = xasprintf("%s/fresh", workdir);
    mkdir(fresh, 0755);
    AUTO_FREE char *failing = bootstrap_line(fresh, "z");
    AUTO_FREE char *failed = run_line(failing, &status);
    is_str(failed, "", "an install that fails says nothing on stdout");
    is_int(status, 127, "and ends with 127");
    AUTO_FREE char *left = xasprintf("ls -A %s", fresh);
    AUTO_FREE char *leftovers = run_line(left, &status);
    is_str(leftovers, "", "and leaves nothing behind");
}

static void test_bootstrap_plan(void)
{
    AUTO_FREE char *text = config_text("\"enabled\":true",
                                       "\"command\":\"/usr/bin/uvx\",\"args\":[\"x\"]");
    struct plan *p = plan_of(text, RUNNER_MISSING, NULL);
    AUTO_STRVEC struct strvec argv = {0};
    plan_container_argv(p, &argv);
    ok(argv.n == 6 && strcmp(argv.v[0], "sh") == 0 && strcmp(argv.v[1], "-c") == 0 &&
           strcmp(argv.v[3], "sh") == 0 && strcmp(argv.v[4], "uvx") == 0 &&
           strcmp(argv.v[5], "x") == 0,
       "sh -c SCRIPT sh uvx x");
    ok(strncmp(argv.v[2], "p=/root/.cache/uv/.mcptop-uv\n", 29) == 0, "kept in the cache volume");
    const struct plan_note *n = note_of(p, "bootstrap", false);
    is_str(
        n ? n->why : NULL,
        "python:3.11 has no uvx: uv is installed at the first start and kept in the cache volume",
        "and said");
    plan_free(p);

    AUTO_FREE char *present = config_text("\"enabled\":true", UVX);
    p = plan_of(present, RUNNER_PRESENT, NULL);
    ok(!p->bootstrap, "an image that has the runner is left alone");
    plan_free(p);
    AUTO_FREE char *without = config_text("\"enabled\":true,\"enable_cache_volume\":false", UVX);
    p = plan_of(without, RUNNER_MISSING, NULL);
    plan_container_argv(p, &argv);
    ok(strncmp(argv.v[2], "p=/tmp/.mcptop-uv\n", 18) == 0,
       "without a cache volume it lives in the container");
    plan_free(p);
    AUTO_FREE char *bash = config_text("\"enabled\":true", "\"command\":\"bash\"");
    p = plan_of(bash, RUNNER_MISSING, NULL);
    ok(!p->bootstrap && note_of(p, "image", true), "what cannot be installed is a warning");
    plan_free(p);
}

/* ---- comparing ---- */

static void test_compare(void)
{
    struct plan *host = make("", UVX),
                *docker = make("\"enabled\":true", UVX ISO("\"volumes\":[\"/h:/c:ro\"]"));
    struct plan *bigger = make("\"enabled\":true",
                               UVX ISO("\"volumes\":[\"/h:/c:ro\"],\"memory_limit\":\"1g\""));
    AUTO_STRVEC struct strvec s = {0};
    plan_compare(host, docker, &s);
    AUTO_FREE char *in = words_line(&s);
    is_str(
        in,
        "It will run in a container of python:3.11. It sees /h of the host as /c, read-only. All other files of the "
        "host are out of its reach. Its network is bridge. Memory: 512m, CPUs: 1.0.",
        "host → docker");
    plan_compare(docker, host, &s);
    AUTO_FREE char *out = words_line(&s);
    is_str(
        out,
        "It will run on the host, as you: it can read and change all your files and use the network. Its limits end "
        "(memory 512m, CPUs 1.0).",
        "docker → host");
    plan_compare(docker, bigger, &s);
    AUTO_FREE char *live = words_line(&s);
    is_str(live, "Memory: 512m → 1g.", "a limit");
    plan_compare(docker, docker, &s);
    is_int(s.n, 0, "nothing");
    struct plan *free_one = make("\"enabled\":true",
                                 UVX ISO("\"volumes\":[\"/h:/c:ro\"],\"memory_limit\":\"0\""));
    plan_compare(free_one, docker, &s);
    AUTO_FREE char *set = words_line(&s);
    is_str(set, "Memory: none → 512m.", "a limit where there was none");
    plan_compare(docker, free_one, &s);
    AUTO_FREE char *taken_away = words_line(&s);
    is_str(taken_away, "Memory: 512m → none.", "a limit is taken away");
    plan_free(free_one);
    struct plan *own = make("\"enabled\":true", "\"command\":\"/home/u/server\"");
    plan_compare(host, own, &s);
    AUTO_FREE char *careful = words_line(&s);
    ok(strstr(careful, "Careful: /home/u/server: the command is a path of the host"), "a command that the image lacks");
    plan_free(own);
    plan_free(host);
    struct plan *adopted = make("", DOCKER), *written = make("", DOCKER ISO("\"mode\":\"none\""));
    plan_compare(written, adopted, &s);
    AUTO_FREE char *taken = words_line(&s);
    is_str(taken,
           "Its docker run will be made by mcptop itself: a container of x. The files of the host are out of its "
           "reach: none is mounted. Its network is the engine's default. Memory: none, CPUs: none.",
           "docker run: as written → adopted");
    plan_compare(adopted, written, &s);
    AUTO_FREE char *given = words_line(&s);
    is_str(given,
           "Its docker run will be started as written: mcptop then neither measures nor limits its container, and "
           "docker may leave it behind.",
           "and back");
    plan_free(adopted);
    plan_free(written);
    struct plan *bare = make("\"enabled\":true,\"hardening\":\"off\",\"pids_limit\":512", UVX
                             ISO("\"volumes\":[\"/h:/c:ro\"],\"extra_args\":[\"--read-only\"]"));
    plan_compare(docker, bare, &s);
    AUTO_FREE char *changes = words_line(&s);
    is_str(changes, "Hardening: standard → off. --read-only true is new.",
           "hardening and a flag");
    plan_free(bare);
    plan_free(docker);
    plan_free(bigger);
}

int main(void)
{
    tap_deadline(60);
    setenv("HOME", "/tmp", 0);
    if (!mkdtemp(workdir))
        return 1;
    test_modes();
    test_isolation_key();
    test_runs();
    test_masking();
    test_hardening();
    test_adoptions();
    test_adopted_json();
    test_masking_adopted();
    test_podman();
    test_empty_variables();
    test_comment_line();
    test_notes();
    test_refusals();
    test_engine_json();
    test_hashes();
    test_own_clients();
    test_changes();
    test_names();
    test_shell_lines();
    test_bootstrap();
    test_bootstrap_plan();
    test_compare();
    AUTO_FREE char *clean = xasprintf("rm -rf %s", workdir);
    ok(system(clean) == 0, "cleaned up");
    return done_testing();
}
