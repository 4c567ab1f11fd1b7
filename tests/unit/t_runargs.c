/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of docker run in extra_args: every form of every flag, what is refused and how it is
 * named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/plan.h"
#include "isolation/runargs.h"
#include "tap.h"

static const char *mount_kind(const struct plan_mount *m)
{
    return m->bind ? "-v" : m->is_tmpfs ? "tmpfs" : m->is_volume ? "volume" : "bind";
}

static void render_mount(const struct plan_mount *m, struct buf *out)
{
    if (m->bind) {
        buf_printf(out, "-v=%s%s ", m->bind, m->read_only ? "(ro)" : "");
        return;
    }
    buf_printf(out, "%s=%s>%s%s", mount_kind(m), m->source, m->target, m->read_only ? ":ro" : "");
    if (m->propagation)
        buf_printf(out, ":%s", m->propagation);
    if (m->no_copy)
        buf_printf(out, ":nocopy");
    if (m->tmpfs_bytes || m->tmpfs_mode)
        buf_printf(out, ":%lld:%o", (long long)m->tmpfs_bytes, (unsigned)m->tmpfs_mode);
    buf_add_char(out, ' ');
}

/* "memory=… cpus=… net=… pids=… dir=… env=K=V mount=source>target:ro flag=value" of what is
 * set. */
static char *render(const struct plan *p)
{
    struct buf out = BUF_INIT;
    if (p->memory_text)
        buf_printf(&out, "memory=%s:%lld ", p->memory_text, (long long)p->memory_bytes);
    if (p->memory_swap_bytes)
        buf_printf(&out, "swap=%lld ", (long long)p->memory_swap_bytes);
    if (p->cpu_text)
        buf_printf(&out, "cpus=%s:%lld ", p->cpu_text, (long long)p->nano_cpus);
    if (p->network_mode)
        buf_printf(&out, "net=%s ", p->network_mode);
    if (p->pids_limit)
        buf_printf(&out, "pids=%lld ", (long long)p->pids_limit);
    if (p->working_dir)
        buf_printf(&out, "dir=%s ", p->working_dir);
    for (size_t i = 0; i < p->container_env.n; i++)
        buf_printf(&out, "env=%s=%s ", p->container_env.v[i].key, p->container_env.v[i].value);
    for (size_t i = 0; i < p->env_unset.n; i++)
        buf_printf(&out, "unset=%s ", p->env_unset.v[i]);
    for (size_t i = 0; i < p->mount_count; i++)
        render_mount(&p->mounts[i], &out);
    for (size_t i = 0; i < p->option_count; i++)
        buf_printf(&out, "%s=%s ", p->options[i].flag, p->options[i].value);
    if (p->init)
        buf_printf(&out, "init ");
    if (p->pull_key)
        buf_printf(&out, "pull=%s ", pull_policy_name(p->pull_policy));
    if (p->log_driver)
        buf_printf(&out, "log=%s ", p->log_driver);
    for (size_t i = 0; i < p->log_options.n; i++)
        buf_printf(&out, "logopt=%s=%s ", p->log_options.v[i].key, p->log_options.v[i].value);
    for (size_t i = 0; i < p->note_count; i++)
        buf_printf(&out, "note(%s) ", p->notes[i].value);
    if (out.len)
        out.data[--out.len] = '\0';
    return buf_take(&out);
}

struct runargs_case {
    const char *words[8];
    const char *want;    /* what is set; or, with index >= 0, a part of the fault */
    int index;
};

/* In extra_args and behind `docker run`. */
static const struct runargs_case cases[] = {
    {{NULL}, "", -1},
    {{"--memory", "1g"}, "memory=1g:1073741824", -1},
    {{"--memory=1g"}, "memory=1g:1073741824", -1},
    {{"-m", "1g"}, "memory=1g:1073741824", -1},
    {{"-m1g"}, "memory=1g:1073741824", -1},
    {{"-m=1g"}, "memory=1g:1073741824", -1},
    {{"-m", "1g", "--memory", "2g"}, "memory=2g:2147483648", -1},
    {{"--memory-swap=1g"}, "swap=1073741824", -1},
    {{"--memory-swap", "-1"}, "swap=-1", -1},
    {{"--memory-reservation=64m"}, "memory-reservation=64m", -1},
    {{"--cpus", "1.5"}, "cpus=1.5:1500000000", -1},
    {{"--cpus=.5"}, "cpus=.5:500000000", -1},
    {{"--cpuset-cpus", "0-1"}, "cpuset-cpus=0-1", -1},
    {{"-c512"}, "cpu-shares=512", -1},
    {{"--network", "none"}, "net=none", -1},
    {{"--net=host"}, "net=host", -1},
    {{"--pids-limit=100"}, "pids=100", -1},
    {{"--pids-limit", "-1"}, "", -1},
    {{"--ulimit", "nofile=1024:2048", "--ulimit=nproc=64"},
     "ulimit=nofile=1024:2048 ulimit=nproc=64", -1},
    {{"--ulimit=core=-1"}, "ulimit=core=-1", -1},
    {{"--shm-size=64m"}, "shm-size=64m", -1},
    {{"-w", "/work"}, "dir=/work", -1},
    {{"--workdir=/work"}, "dir=/work", -1},
    {{"-e", "A=b=c"}, "env=A=b=c", -1},
    {{"--env=A="}, "env=A=", -1},
    {{"-eA=b"}, "env=A=b", -1},
    {{"-e=A=b"}, "env=A=b", -1},
    {{"-ieA=b"}, "env=A=b", -1},
    {{"-e", "RUNARGS_TEST"}, "env=RUNARGS_TEST=from outside", -1},
    {{"-e", "RUNARGS_UNSET"}, "unset=RUNARGS_UNSET", -1},
    {{"-e", "RUNARGS_UNSET", "-e", "RUNARGS_UNSET=1"}, "env=RUNARGS_UNSET=1", -1},
    {{"-e", "A=1", "-e", "A=2"}, "env=A=2", -1},
    {{"-v", "data:/b"}, "volume=data>/b", -1},
    {{"--mount", "type=bind,source=/a,target=/b,readonly"}, "bind=/a>/b:ro", -1},
    {{"--mount=type=bind,src=/a,dst=/b,ro=false,bind-propagation=rslave,consistency=cached"},
     "bind=/a>/b:rslave", -1},
    {{"--mount", "src=vol,destination=/b,volume-nocopy"}, "volume=vol>/b:nocopy", -1},
    {{"--mount", "target=/b"}, "volume=>/b", -1},
    {{"--mount", "type=bind,\"source=/a,b \"\"c\",target=/b"}, "bind=/a,b \"c>/b", -1},
    {{"--mount", "type=tmpfs,target=/b,tmpfs-size=1m,tmpfs-mode=1770"},
     "tmpfs=>/b:1048576:1770", -1},
    {{"--tmpfs", "/run", "--tmpfs=/x:size=1m"}, "tmpfs=/run tmpfs=/x:size=1m", -1},
    {{"-p", "8080:80"}, "publish=8080:80", -1},
    {{"--publish=127.0.0.1:8080-8081:80-81/udp"}, "publish=127.0.0.1:8080-8081:80-81/udp", -1},
    {{"-p[::1]:80:80"}, "publish=[::1]:80:80", -1},
    {{"-p", "127.0.0.1::80"}, "publish=127.0.0.1::80", -1},
    {{"--dns", "192.0.2.1", "--dns=2001:db8::1"}, "dns=192.0.2.1 dns=2001:db8::1", -1},
    {{"--dns-search=x", "--dns-opt=ndots:1"}, "dns-search=x dns-option=ndots:1", -1},
    {{"--add-host", "h:192.0.2.1", "--add-host=g:host-gateway"},
     "add-host=h:192.0.2.1 add-host=g:host-gateway", -1},
    {{"-u", "1000:1000"}, "user=1000:1000", -1},
    {{"--user=a", "-ub"}, "user=b", -1},
    {{"--group-add=audio"}, "group-add=audio", -1},
    {{"--cap-add=NET_RAW", "--cap-drop", "all"}, "cap-add=NET_RAW cap-drop=all", -1},
    {{"--security-opt", "no-new-privileges"}, "security-opt=no-new-privileges", -1},
    {{"--security-opt=no-new-privileges:true", "--security-opt=label=disable"},
     "security-opt=no-new-privileges:true security-opt=label=disable", -1},
    {{"--security-opt=seccomp=unconfined"}, "security-opt=seccomp=unconfined", -1},
    {{"--read-only"}, "read-only=true", -1},
    {{"--read-only", "--read-only=false"}, "", -1},
    {{"--privileged=1"}, "privileged=true", -1},
    {{"--pid=host", "--ipc=private", "--userns=host"}, "pid=host ipc=private userns=host", -1},
    {{"--sysctl", "net.ipv4.ip_forward=1"}, "sysctl=net.ipv4.ip_forward=1", -1},
    {{"--gpus", "all"}, "gpus=all", -1},
    {{"--gpus=\"device=0,1\",capabilities=utility"}, "gpus=\"device=0,1\",capabilities=utility",
     -1},
    {{"--device=/dev/dri:/dev/dri:rw", "--device", "/dev/null:r"},
     "device=/dev/dri:/dev/dri:rw device=/dev/null:r", -1},
    {{"--runtime=runc", "--platform", "linux/amd64"}, "runtime=runc platform=linux/amd64", -1},
    {{"--entrypoint", ""}, "entrypoint=", -1},
    {{"--entrypoint=/bin/sh", "--entrypoint=/x"}, "entrypoint=/x", -1},
    {{"-h", "box", "--domainname=d"}, "hostname=box domainname=d", -1},
    {{"-l", "a=b", "--label=c"}, "label=a=b label=c", -1},
    {{"--stop-timeout=3", "--stop-signal", "SIGINT"}, "stop-timeout=3 stop-signal=SIGINT", -1},
    {{"--log-driver=json-file", "--log-opt", "labels=x"}, "log=json-file logopt=labels=x", -1},
    {{"--pull=always"}, "pull=always", -1},
    {{"--init"}, "init", -1},
    {{"--init", "--init=false"}, "", -1},
    {{"-i", "--rm", "--interactive=true", "-a", "stdin", "--attach=stdout"}, "", -1},
    {{"--sig-proxy=false", "-q", "--tty=false", "-t=false"}, "", -1},
    {{"--name", "x"}, "note(name)", -1},
    {{"--restart=always"}, "note(restart)", -1},
    {{"-im", "1g"}, "memory=1g:1073741824", -1},
    {{"--memory", "1g", "-v", "vol:/b:ro"}, "memory=1g:1073741824 volume=vol>/b:ro", -1},

    {{"--memory"}, "\"--memory\" needs a value", 0},
    {{"-m"}, "\"-m\" needs a value", 0},
    {{"--memory", "much"}, "--memory: \"much\" is no size", 1},
    {{"--memory=1k"}, "minimum of 6m", 0},
    {{"--memory-swap=x"}, "--memory-swap: \"x\" is no size", 0},
    {{"--cpus=x"}, "--cpus: \"x\" is no number of CPUs", 0},
    {{"--cpu-shares=x"}, "\"x\" is no whole number", 0},
    {{"--shm-size=0"}, "is no size", 0},
    {{"--pids-limit=x"}, "is no number of processes", 0},
    {{"--workdir=x"}, "must be an absolute path", 0},
    {{"--env", "=x"}, "needs a name", 1},
    {{"--env-file=/nonexistent/x"}, "--env-file: /nonexistent/x: No such file", 0},
    {{"--env-file", "/dev"}, "--env-file: /dev is no regular file", 1},
    {{"-i", "--volumes-from=x"}, "\"--volumes-from\" is not supported here", 1},
    {{"--secret=hunter2"}, "\"--secret\" is not supported", 0},
    {{"-d"}, "--detach is not possible", 0},
    {{"-x"}, "\"-x\" is not supported", 0},
    {{"-ix"}, "\"-x\" is not supported", 0},
    {{"--rm=maybe"}, "--rm is a switch", 0},
    {{"-i=maybe"}, "--interactive is a switch", 0},
    {{"--network=name=x"}, "options of a network are not supported", 0},
    {{"--network="}, "is no network", 0},
    {{"-v", "/a:b"}, "must be absolute", 1},
    {{"-v", "/a:/"}, "and not \"/\"", 1},
    {{"-v", "/a:/b:size=1"}, "the option \"size=1\" is not supported", 1},
    {{"--mount", "type=npipe,target=/b"}, "is none of bind, volume and tmpfs", 1},
    {{"--mount", "type=bind,target=/b"}, "needs a source", 1},
    {{"--mount", "type=bind,source=~/x,target=/b"}, "~ is not replaced", 1},
    {{"--mount", "type=bind,source=/a"}, "needs an absolute target", 1},
    {{"--mount", "type=tmpfs,target=/b,source=/a"}, "a key of another type", 1},
    {{"--mount", "type=bind,source=/a,target=/b,volume-opt=x"}, "\"volume-opt\" is not supported",
     1},
    {{"--mount", "type=bind,\"source=/a,target=/b"}, "a quote is misplaced", 1},
    {{"--mount", "target"}, "\"target\" needs a value", 1},
    {{"--tmpfs=x"}, "is no tmpfs", 0},
    {{"-p", "x"}, "is no port", 1},
    {{"-p", "1:2:3"}, "is no port", 1},
    {{"-p=80-81:80"}, "is no port", 0},
    {{"-p", "80/icmp"}, "is no port", 1},
    {{"-p", "target=80"}, "write [[ip:]host:]container", 1},
    {{"--dns=x"}, "is no IP address", 0},
    {{"--add-host=x"}, "is no host", 0},
    {{"--add-host=a:b=192.0.2.1"}, "is no host", 0},
    {{"--add-host==192.0.2.1"}, "is no host", 0},
    {{"--add-host", "x:y"}, "is no host", 1},
    {{"--user="}, "its value is empty", 0},
    {{"--cap-add=NET-RAW"}, "is no capability", 0},
    {{"--security-opt=seccomp=/x.json"}, "is not supported: use no-new-privileges", 0},
    {{"--ulimit=nofile=2:1"}, "is no ulimit", 0},
    {{"--ulimit=files=1"}, "is no ulimit", 0},
    {{"--sysctl==1"}, "is no key=value", 0},
    {{"--device=vendor.com/gpu=0"}, "(CDI) are not supported", 0},
    {{"--device=dri"}, "is no device", 0},
    {{"--gpus="}, "is no choice of GPUs", 0},
    {{"--gpus=some"}, "is no number of GPUs", 0},
    {{"--gpus=options=x"}, "\"options\" is not supported", 0},
    {{"--platform=a b"}, "is no platform", 0},
    {{"--label=com.mcpproxy.instance=x"}, "com.mcpproxy.* are mcptop's own", 0},
    {{"--label==x"}, "is no key=value", 0},
    {{"--log-opt=x"}, "is no option of a log", 0},
    {{"--pull=sometimes"}, "is none of missing, always and never", 0},
};

/* In extra_args, where host paths must exist and nothing but flags can stand. */
static const struct runargs_case extra_cases[] = {
    {{"-v", "/a:/b:ro"}, "bind=/a>/b:ro", -1},
    {{"--volume=/a:/b:rw"}, "bind=/a>/b", -1},
    {{"-v/a:/b"}, "bind=/a>/b", -1},
    {{"-v", "~/x:/b"}, "bind=/home/t/x>/b", -1},
    {{"-v", "~:/b"}, "bind=/home/t>/b", -1},
    {{"-v", "$HOME/x:/b"}, "no shell reads this", 1},
    {{"-v", "/a:/b", "-v", "/c:/b:ro"}, "bind=/c>/b:ro", -1},
    {{"-v", "/a:/b:ro,z"}, "-v=/a:/b:ro,z(ro)", -1},
    {{"-it"}, "--tty is not possible: a terminal would garble the protocol", 0},
    {{"--tty"}, "--tty is not possible", 0},
    {{"alpine"}, "\"alpine\" is no flag", 0},
    {{"--"}, "\"--\" is no flag", 0},
    {{"-i", "--", "-i"}, "\"--\" is no flag", 1},
    {{"-"}, "\"-\" is no flag", 0},
    {{""}, "\"\" is no flag", 0},
    {{"-v", "/a"}, "is no volume", 1},
    {{"-v", "./a:/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"-v", "a/b:/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"-v", ":/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"--memory 64m"}, "\"--memory …\" is several words in one", 0},
    {{"-i --rm"}, "\"-i …\" is several words in one", 0},
    {{"--env A=hunter2"}, "\"--env …\" is several words in one", 0},
    {{"-e A=hunter2"}, "\"-e …\" has a value that begins with a blank", 0},
    {{"-v /a:/b"}, "\"-v …\" has a value that begins with a blank", 0},
};

/* Behind `docker run`, where docker's own ways are kept. */
static const struct runargs_case adopted_cases[] = {
    {{"-v", "/a:/b:ro"}, "-v=/a:/b:ro(ro)", -1},
    {{"-v", "/a"}, "-v=/a", -1},
    {{"-v", "vol:/b"}, "-v=vol:/b", -1},
    {{"-v", "./a:/b"}, "-v=/srv/w/a:/b", -1},
    {{"-v", ".:/b:z"}, "-v=/srv/w:/b:z", -1},
    {{"-v", "~/x:/b"}, "-v=~/x:/b note(~/x)", -1},
    {{"-v", "$HOME:/b"}, "-v=$HOME:/b note($HOME)", -1},
    {{"-e", "OWN", "-e", "RUNARGS_TEST"}, "env=OWN=server's env=RUNARGS_TEST=from outside", -1},
    {{"-it", "--rm"}, "note(tty)", -1},
    {{"-v", "../a:/b", "-v.c:/d"}, "-v=/srv/a:/b -v=/srv/w/.c:/d", -1},
    {{"--mount=type=bind,src=../a,dst=/b"}, "bind=/srv/a>/b", -1},
    {{"-e A=b"}, "env= A=b note(-e)", -1},
    {{"-i --rm"}, "\"-i …\" is several words in one", 0},
    {{"--cap-drop", "ALL", "--", "-i", "--no"}, "cap-drop=ALL", -1},
    {{"-i", "image", "--no-flag"}, "", -1},
};

static void check(const struct runargs_case *c, bool adopted)
{
    AUTO_STRVEC struct strvec words = {0};
    AUTO_BUF struct buf shown = BUF_INIT;
    buf_printf(&shown, "%s", adopted ? "docker run " : "");
    for (size_t k = 0; c->words[k]; k++) {
        strvec_add(&words, c->words[k]);
        buf_printf(&shown, "[%s]", c->words[k]);
    }
    struct plan *p = xcalloc(1, sizeof(*p));
    struct kvvec env = {0};
    kvvec_set(&env, "OWN", "server's");
    struct runargs r = {.plan = p, .where = "args", .dir = "/srv/w", .env = &env,
                        .adopted = adopted};
    struct fault f = FAULT_NONE;
    size_t index = 99;
    int rc = adopted ? runargs_read(&r, &words, 0, &index, &f)
                     : runargs_apply(&r, &words, &index, &f);
    AUTO_FREE char *got = render(p);
    if (c->index < 0) {
        is_str(rc == 0 ? got : f.text, c->want, "%s", buf_str(&shown));
    } else {
        ok(rc == -1 && strstr(f.text, c->want), "%s: %s", buf_str(&shown), f.text);
        ok(!strstr(f.text, "hunter2"), "%s: no value of a flag in the message", buf_str(&shown));
        is_int(index, c->index, "%s: its position", buf_str(&shown));
    }
    kvvec_fini(&env);
    plan_free(p);
}

/* ---- --env-file ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        printf("Bail out! cannot write %s\n", path);
}

static char *read_env(const char *const *argv, struct fault *f)
{
    AUTO_STRVEC struct strvec words = {0};
    struct plan *p = xcalloc(1, sizeof(*p));
    size_t index;
    struct runargs r = {.plan = p, .where = "args", .adopted = true};
    for (; *argv; argv++)
        strvec_add(&words, *argv);
    char *got = runargs_read(&r, &words, 0, &index, f) == 0 ? render(p) : NULL;
    plan_free(p);
    return got;
}

static void test_env_files(void)
{
    char dir[] = "/tmp/t_runargs.XXXXXX";
    if (!mkdtemp(dir) || chdir(dir) < 0) {
        ok(false, "a directory");
        return;
    }
    struct fault f = FAULT_NONE;
    write_file("a", "\xef\xbb\xbf# comment\n\n  A=1 2\r\nB='q'\nRUNARGS_TEST\nRUNARGS_UNSET\n");
    write_file("b", "B=second\nC=");
    AUTO_FREE char *one = read_env(
        (const char *const[]){"-e", "C=flag", "--env-file", "a", "--env-file=b", NULL}, &f);
    is_str(one ? one : f.text,
           "env=A=1 2 env=B=second env=RUNARGS_TEST=from outside env=C=flag",
           "files in their order, then -e wherever it stands; values as they are");
    write_file("bad", "X=hunter2\nnot a name=hunter2\n");
    AUTO_FREE char *bad = read_env((const char *const[]){"--env-file=bad", NULL}, &f);
    ok(!bad && strstr(f.text, "bad:2: the name of a variable") && !strstr(f.text, "hunter2"),
       "a bad line is named, its value is not: %s", f.text);
    write_file("empty", "");
    AUTO_FREE char *empty = read_env((const char *const[]){"--env-file=empty", NULL}, &f);
    is_str(empty, "", "an empty file");
    if (chdir("/") == 0) {
        AUTO_FREE char *clean = xasprintf("rm -r %s", dir);
        ok(system(clean) == 0, "cleaned up");
    }
}

int main(void)
{
    tap_deadline(30);
    setenv("RUNARGS_TEST", "from outside", 1);
    unsetenv("RUNARGS_UNSET");
    setenv("HOME", "/home/t", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check(&cases[i], false);
        if (strcmp(cases[i].want, "volume=data>/b") != 0 &&
            strcmp(cases[i].want, "memory=1g:1073741824 volume=vol>/b:ro") != 0)
            check(&cases[i], true);
    }
    for (size_t i = 0; i < ARRAY_LEN(extra_cases); i++)
        check(&extra_cases[i], false);
    for (size_t i = 0; i < ARRAY_LEN(adopted_cases); i++)
        check(&adopted_cases[i], true);
    test_env_files();
    return done_testing();
}
