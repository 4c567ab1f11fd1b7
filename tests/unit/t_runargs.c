/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of docker run in extra_args: every form of every flag, what is refused and how it is
 * named. */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/plan.h"
#include "isolation/runargs.h"
#include "tap.h"

/* "memory=… cpus=… net=… pids=… dir=… env=K=V mount=source>target:ro" of what is set. */
static char *render(const struct plan *p)
{
    struct buf out = BUF_INIT;
    if (p->memory_text)
        buf_printf(&out, "memory=%s:%lld ", p->memory_text, (long long)p->memory_bytes);
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
    for (size_t i = 0; i < p->mount_count; i++)
        buf_printf(&out, "%s=%s>%s%s ", p->mounts[i].is_volume ? "volume" : "bind",
                   p->mounts[i].source, p->mounts[i].target, p->mounts[i].read_only ? ":ro" : "");
    if (out.len)
        out.data[--out.len] = '\0';
    return buf_take(&out);
}

static const struct {
    const char *words[8];
    const char *want;    /* what is set; or, with index >= 0, a part of the fault */
    int index;
} cases[] = {
    {{NULL}, "", -1},
    {{"--memory", "1g"}, "memory=1g:1073741824", -1},
    {{"--memory=1g"}, "memory=1g:1073741824", -1},
    {{"-m", "1g"}, "memory=1g:1073741824", -1},
    {{"-m1g"}, "memory=1g:1073741824", -1},
    {{"-m=1g"}, "memory=1g:1073741824", -1},
    {{"-m", "1g", "--memory", "2g"}, "memory=2g:2147483648", -1},
    {{"--cpus", "1.5"}, "cpus=1.5:1500000000", -1},
    {{"--cpus=.5"}, "cpus=.5:500000000", -1},
    {{"--network", "none"}, "net=none", -1},
    {{"--net=host"}, "net=host", -1},
    {{"--pids-limit=100"}, "pids=100", -1},
    {{"--pids-limit", "-1"}, "", -1},
    {{"-w", "/work"}, "dir=/work", -1},
    {{"--workdir=/work"}, "dir=/work", -1},
    {{"-e", "A=b=c"}, "env=A=b=c", -1},
    {{"--env=A="}, "env=A=", -1},
    {{"-eA=b"}, "env=A=b", -1},
    {{"-e", "RUNARGS_TEST"}, "env=RUNARGS_TEST=from outside", -1},
    {{"-e", "RUNARGS_UNSET"}, "", -1},
    {{"-e", "A=1", "-e", "A=2"}, "env=A=2", -1},
    {{"-v", "/a:/b:ro"}, "bind=/a>/b:ro", -1},
    {{"--volume=/a:/b:rw"}, "bind=/a>/b", -1},
    {{"-v/a:/b"}, "bind=/a>/b", -1},
    {{"-v", "data:/b"}, "volume=data>/b", -1},
    {{"-v", "~/x:/b"}, "bind=/home/t/x>/b", -1},
    {{"-v", "~:/b"}, "bind=/home/t>/b", -1},
    {{"-v", "/a:/b", "-v", "/c:/b:ro"}, "bind=/c>/b:ro", -1},
    {{"-i", "--rm", "--init", "--interactive=true"}, "", -1},
    {{"-im", "1g"}, "memory=1g:1073741824", -1},
    {{"--memory", "1g", "-v", "/a:/b:ro"}, "memory=1g:1073741824 bind=/a>/b:ro", -1},

    {{"--memory"}, "\"--memory\" needs a value", 0},
    {{"-m"}, "\"-m\" needs a value", 0},
    {{"--memory", "much"}, "--memory: \"much\" is no size", 1},
    {{"--memory=1k"}, "minimum of 6m", 0},
    {{"--cpus=x"}, "--cpus: \"x\" is no number of CPUs", 0},
    {{"--pids-limit=x"}, "is no number of processes", 0},
    {{"--workdir=x"}, "must be an absolute path", 0},
    {{"--env", "=x"}, "needs a name", 1},
    {{"-i", "--privileged"}, "\"--privileged\" is not supported here", 1},
    {{"--cap-drop=ALL"}, "\"--cap-drop\" is not supported here", 0},
    {{"--secret=hunter2"}, "\"--secret\" is not supported", 0},
    {{"-it"}, "-t (--tty) is not possible: a terminal would garble the protocol", 0},
    {{"--tty"}, "--tty is not possible", 0},
    {{"-d"}, "-d (--detach) is not possible", 0},
    {{"-x"}, "\"-x\" is not supported", 0},
    {{"--rm=maybe"}, "\"--rm\" is not supported", 0},
    {{"alpine"}, "\"alpine\" is no flag", 0},
    {{"--"}, "\"--\" is no flag", 0},
    {{"-"}, "\"-\" is no flag", 0},
    {{""}, "\"\" is no flag", 0},
    {{"-v", "/a"}, "is no volume", 1},
    {{"-v", "/a:b"}, "must be absolute", 1},
    {{"-v", "/a:/"}, "and not \"/\"", 1},
    {{"-v", "./a:/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"-v", "a/b:/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"-v", ":/b"}, "must be an absolute path (or a volume's name)", 1},
    {{"-v", "/a:/b:z"}, "the option \"z\" is not supported", 1},
    {{"-v", "/a:/b:ro,Z"}, "the option \"Z\" is not supported", 1},
};

int main(void)
{
    tap_deadline(30);
    setenv("RUNARGS_TEST", "from outside", 1);
    unsetenv("RUNARGS_UNSET");
    setenv("HOME", "/home/t", 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_STRVEC struct strvec words = {0};
        AUTO_BUF struct buf shown = BUF_INIT;
        for (size_t k = 0; cases[i].words[k]; k++) {
            strvec_add(&words, cases[i].words[k]);
            buf_printf(&shown, "[%s]", cases[i].words[k]);
        }
        struct plan *p = xcalloc(1, sizeof(*p));
        struct fault f = FAULT_NONE;
        size_t index = 99;
        int rc = runargs_apply(p, &words, &index, &f);
        AUTO_FREE char *got = render(p);
        if (cases[i].index < 0) {
            is_str(rc == 0 ? got : f.text, cases[i].want, "%s", buf_str(&shown));
        } else {
            ok(rc == -1 && strstr(f.text, cases[i].want), "%s: %s", buf_str(&shown), f.text);
            ok(!strstr(f.text, "hunter2"), "%s: no value of a flag in the message",
               buf_str(&shown));
            is_int(index, cases[i].index, "%s: its position", buf_str(&shown));
        }
        plan_free(p);
    }
    return done_testing();
}
