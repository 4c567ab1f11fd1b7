/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child with real processes: failing starts, statuses, pipes held by grandchildren, sweeps by mark,
 * session and descent, limits, signals, floods and crowds. */
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop.h"
#include "tap.h"

static struct ev_loop *loop;
static char dir[] = "/tmp/t_child.XXXXXX";
static const char *const env_words[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "MCPTOP_RUN=forged",
                                        NULL};
#define env ((char *const *)env_words)

struct seen {
    struct child *child;
    struct buf out, err;
    size_t bytes;
    int exited, over;
    bool count_only, free_in_exited, free_in_over, free_in_data;
    struct child_exit exit;
    int64_t exited_ms, over_ms;
};

static void seen_free_child(struct seen *s)
{
    child_free(TAKE(s->child));
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct seen *s = ctx;
    s->bytes += n;
    if (!s->count_only)
        buf_add(ch == STREAM_OUT ? &s->out : &s->err, p, n);
    if (s->free_in_data)
        seen_free_child(s);
}

static void on_exited(void *ctx, const struct child_exit *x)
{
    struct seen *s = ctx;
    s->exited++;
    s->exit = *x;
    s->exited_ms = clock_mono_ms();
    if (s->free_in_exited)
        seen_free_child(s);
}

static void on_over(void *ctx, const struct child_exit *x)
{
    struct seen *s = ctx;
    s->over++;
    s->exit = *x;
    s->over_ms = clock_mono_ms();
    if (s->free_in_over)
        seen_free_child(s);
}

static const struct child_events events = {
    .stream = {.data = on_data}, .exited = on_exited, .over = on_over};

static bool start(struct seen *s, const char *script, const char *run_id)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct child_spec spec = {
        .argv = (char *const *)argv, .envp = env, .run_id = run_id, .working_dir = dir};
    struct fault f = FAULT_NONE;
    s->child = child_spawn(loop, &spec, &events, s, &f);
    if (!s->child)
        printf("# %s\n", f.text);
    return s->child != NULL;
}

/* A killed process needs a moment to be gone. */
#define is_gone(pid) run_until(loop, !is_alive(pid), 1.)

static void seen_fini(struct seen *s)
{
    seen_free_child(s);
    buf_fini(&s->out);
    buf_fini(&s->err);
    *s = (struct seen){0};
}

static bool is_alive(pid_t pid)
{
    char path[64], text[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool got = fgets(text, sizeof(text), f) != NULL;
    fclose(f);
    const char *p = strrchr(text, ')');
    return got && p && p[2] != 'Z' && p[2] != 'X';
}

/* The pid that a script wrote into a file of the test's directory. */
static pid_t pid_in(const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "re");
    int pid = 0;
    if (f) {
        if (fscanf(f, "%d", &pid) != 1)
            pid = 0;
        fclose(f);
    }
    free(path);
    return pid;
}

/* ---- failing starts ---- */

static void expect_failure(const char *const *argv, const char *working_dir, int code,
                           const char *word)
{
    struct child_spec spec = {
        .argv = (char *const *)argv, .envp = env, .working_dir = working_dir, .run_id = "r"};
    struct fault f = FAULT_NONE;
    struct seen s = {0};
    ok(child_spawn(loop, &spec, &events, &s, &f) == NULL, "%s in %s does not start", argv[0],
       working_dir ? working_dir : ".");
    is_int(f.code, code, "the code");
    if (!ok(strstr(f.text, word) != NULL, "the text says \"%s\"", word))
        printf("# got %s\n", f.text);
}

/* What looking tells of a start that is not made. */
static void expect_look(const char *command, const char *working_dir, int code, const char *word)
{
    char *const argv[] = {(char *)command, NULL};
    struct child_spec spec = {.argv = argv, .envp = env, .working_dir = working_dir};
    struct fault f = FAULT_NONE;
    is_int(child_look(&spec, &f), code ? -1 : 0, "%s in %s is %s", command,
           working_dir ? working_dir : ".", code ? "not found" : "found");
    is_int(f.code, code, "the code");
    if (!ok(strstr(f.text, word) != NULL, "the text says \"%s\"", word))
        printf("# got %s\n", f.text);
}

static char *make_file(const char *name, const char *text, mode_t mode)
{
    char *path = xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
    return path;
}

static void test_failing_starts(void)
{
    AUTO_FREE char *plain = make_file("plain", "no program\n", 0755);
    AUTO_FREE char *secret = make_file("secret", "#!/bin/sh\n", 0644);
    AUTO_FREE char *lost = make_file("lost", "#!/no/such/interpreter\n", 0755);
    expect_failure((const char *[]){"no-such-command", NULL}, NULL, ENOENT,
                   "command \"no-such-command\" is not in PATH: install it, or write its full path");
    expect_failure((const char *[]){"/no/such", NULL}, NULL, ENOENT, "/no/such");
    expect_failure((const char *[]){plain, NULL}, NULL, ENOEXEC, "#! line");
    expect_failure((const char *[]){secret, NULL}, NULL, EACCES, "chmod +x");
    expect_failure((const char *[]){lost, NULL}, NULL, ENOENT, "interpreter");
    expect_failure((const char *[]){"sh", NULL}, "/no/dir", FAULT_CONFIG,
                   "working directory /no/dir");
    expect_look("no-such-command", NULL, ENOENT, "\"no-such-command\" is not in PATH: install it");
    expect_look("/no/such", NULL, ENOENT, "/no/such");
    expect_look(secret, NULL, EACCES, "chmod +x");
    expect_look("sh", "/no/dir", FAULT_CONFIG, "working directory /no/dir");
    expect_look("sh", dir, 0, "");
    expect_look("./plain", dir, 0, "");
    expect_look("./plain", "/", ENOENT, "./plain");
    expect_look(dir, NULL, EACCES, "not executable");
    run_for(loop, 0.02);
    is_int(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, 1, "no zombie is left");
}

static void test_given_path(void)
{
    free(make_file("only-here", "#!/bin/sh\necho found $0\n", 0755));
    AUTO_FREE char *path = xasprintf("PATH=/nonexistent::%s", dir);
    const char *argv[] = {"only-here", NULL}, *envp[] = {path, NULL};
    struct child_spec spec = {
        .argv = (char *const *)argv, .envp = (char *const *)envp, .run_id = "r"};
    struct seen s = {0};
    s.child = child_spawn(loop, &spec, &events, &s, NULL);
    ok(s.child && run_until(loop, s.over, 5.), "the PATH of the given environment is searched");
    ok(strstr(buf_str(&s.out), "found") != NULL, "and the command ran");
    seen_fini(&s);
}

/* ---- statuses ---- */

static void test_statuses(void)
{
    struct seen s = {0};
    start(&s, "echo out; echo err >&2; exit 7", "r1");
    ok(run_until(loop, s.over, 5.), "it ends");
    is_int(s.exit.code, 7, "exit code");
    is_int(s.exit.signal, 0, "no signal");
    ok(s.exited == 1 && s.over == 1, "each event once");
    is_str(buf_str(&s.out), "out\n", "stdout");
    is_str(buf_str(&s.err), "err\n", "stderr");
    ok(llabs(clock_wall_ms() - s.exit.at_wall_ms) < 2000, "time of the end");
    child_signal(s.child, SIGTERM);     /* over: harmless */
    seen_fini(&s);

    start(&s, "kill -SEGV $$", "r2");
    ok(run_until(loop, s.over, 5.), "it dies");
    is_int(s.exit.code, -1, "no code");
    is_int(s.exit.signal, SIGSEGV, "the signal");
    seen_fini(&s);

    s.free_in_exited = true;
    start(&s, "exit 0", "r3");
    ok(run_until(loop, s.exited, 5.), "freed in exited");
    run_for(loop, 0.02);
    is_int(s.over, 0, "no event after it");
    seen_fini(&s);

    s.free_in_over = true;
    start(&s, "exit 0", "r4");
    ok(run_until(loop, s.over, 5.), "freed in over");
    seen_fini(&s);

    s.free_in_data = true;
    start(&s, "echo $$; exec sleep 60", "r5");
    ok(run_until(loop, s.bytes, 5.), "freed in data");
    ok(is_gone(atoi(buf_str(&s.out))), "is killed");
    seen_fini(&s);

    start(&s, "exec >&- 2>&-; sleep 0.2; exit 3", "r6");
    ok(run_until(loop, s.over, 5.), "pipes end before the status");
    is_int(s.exit.code, 3, "the status is waited for");
    seen_fini(&s);
}

static void test_environment_of_child(void)
{
    struct seen s = {0};
    struct rlimit lim;
    getrlimit(RLIMIT_NOFILE, &lim);
    int leak = open("/dev/null", O_RDONLY);     /* without O_CLOEXEC, as a careless library opens */
    sigset_t block;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigprocmask(SIG_BLOCK, &block, NULL);
    start(
        &s,
        "ulimit -n; echo $MCPTOP_RUN; cat /proc/$$/stat | cut -d' ' -f1,5,6; ls /proc/self/fd | tr '\\n' ' '; echo;"
        "grep -E 'SigBlk|SigIgn' /proc/self/status | tr -d '\\n\\t'; echo; pwd; cat",
        "env-run");
    stream_close_input(child_stream(s.child));
    ok(run_until(loop, s.over, 5.), "cat ends when its stdin is closed");
    sigprocmask(SIG_UNBLOCK, &block, NULL);
    close(leak);
    int pid = (int)child_pid(s.child);
    AUTO_FREE char *want = xasprintf("256\nenv-run\n%d %d %d\n0 1 2 3 \n", pid, pid, pid);
    if (!ok(!strncmp(buf_str(&s.out), want, strlen(want)),
            "limit put back, mark, own group and session, no leaked descriptor"))
        printf("# got %s# want %s", buf_str(&s.out), want);
    /* Below a make that uses posix_spawn, glibc's own two signals (32, 33) come ignored, and no
     * program can change that. */
    ok(strstr(buf_str(&s.out), "SigBlk:0000000000000000SigIgn:0000000000000000\n") != NULL ||
           strstr(buf_str(&s.out), "SigBlk:0000000000000000SigIgn:0000000180000000\n") != NULL,
       "no signal blocked or ignored");
    ok(strstr(buf_str(&s.out), dir) != NULL, "working directory");
    ok(lim.rlim_cur == lim.rlim_max, "our own limit is raised");
    seen_fini(&s);
}

/* ---- grandchildren ---- */

static void test_held_pipes(void)
{
    struct seen s = {0};
    start(&s, "sleep 60 & echo $! > held; exit 5", "held");
    ok(run_until(loop, s.over, 5.), "a grandchild that holds the pipes");
    is_int(s.exit.code, 5, "the leader's code");
    int64_t waited = s.over_ms - s.exited_ms;
    ok(waited >= 900 && waited < 4000, "is given one second (%lld ms)", (long long)waited);
    ok(is_gone(pid_in("held")), "and is swept");
    seen_fini(&s);
}

static void test_paused_at_exit(void)
{
    struct seen s = {.count_only = true};
    start(&s, "head -c 60000 /dev/zero; exit 0", "paused");
    stream_pause(child_stream(s.child), true);
    ok(run_until(loop, s.exited, 5.), "it ended while we were not reading");
    run_for(loop, 1.3);
    is_int(s.over, 0, "what it wrote is waited for");
    stream_pause(child_stream(s.child), false);
    ok(run_until(loop, s.over, 5.), "until it is read");
    is_int(s.bytes, 60000, "to the last byte");
    seen_fini(&s);
}

static void test_sweep(void)
{
    struct seen a = {0}, b = {0};
    /* a: a setsid grandchild with the mark; one without any environment in the leader's session;
     * one without environment below the marked one. b: another run, that must live. */
    start(&a,
          "setsid sh -c 'echo $$ > far; env -i sleep 60 & echo $! > below; wait' >/dev/null 2>&1 &"
          "env -i sleep 60 >/dev/null 2>&1 & echo $! > bare; sleep 0.3; exit 0",
          "run-a");
    start(
        &b,
        "setsid sh -c 'echo $$ > other; exec sleep 60' >/dev/null 2>&1 & env -i sleep 60 & echo $! > other-bare; wait",
        "run-b");
    ok(run_until(loop, a.exited, 5.), "the leader of a ended");
    run_until(loop, a.over, 5.);
    ok(is_gone(pid_in("far")), "a marked grandchild in its own session is swept");
    ok(is_gone(pid_in("below")), "and what descends from it");
    ok(is_gone(pid_in("bare")), "and one without environment in the leader's session");
    ok(pid_in("far") > 0 && pid_in("below") > 0 && pid_in("bare") > 0, "(they had run)");
    ok(is_alive(pid_in("other")) && is_alive(pid_in("other-bare")) && is_alive(child_pid(b.child)),
       "another run is not touched");
    is_int(child_sweep("run-"), 0, "a part of a mark is no mark");
    pid_t other = pid_in("other");
    ok(child_sweep("run-b") >= 3, "sweeping a running one kills its whole tree");
    ok(run_until(loop, b.over, 5.), "leader too");
    is_int(b.exit.signal, SIGKILL, "by SIGKILL");
    ok(is_gone(other), "and its far grandchild");
    seen_fini(&a);
    seen_fini(&b);
}

/* A process that forks without end, each generation in a session of its own. */
static void test_sweep_forking(void)
{
    struct seen s = {0};
    start(
        &s,
        "cat > hop.sh <<'X'\n[ -e stop ] && exit\nsleep 0.01\nsetsid sh hop.sh >/dev/null 2>&1 &\nX\n"
        "for i in 1 2 3 4 5; do setsid sh hop.sh >/dev/null 2>&1 & done; sleep 0.5; exit 0",
        "hop");
    ok(run_until(loop, s.over, 10.), "processes that fork on and on");
    run_for(loop, 0.2);
    is_int(child_sweep("hop"), 0, "nothing is left after over");
    seen_fini(&s);
    is_int(child_sweep_all(), 0, "nor of any other run");
}

/* What another supervisor of the same instance left, found by the first part of its mark. */
static void test_sweep_before(void)
{
    struct seen a = {0}, b = {0};
    start(
        &a,
        "setsid sh -c 'env -i sleep 60 & echo $! > left-below; echo $$ > left; wait' >/dev/null 2>&1 & wait",
        "one.a");
    start(&b, "echo $$ > kept; exec sleep 60", "one1.a");
    ok(run_until(loop, pid_in("left") > 0 && pid_in("kept") > 0, 5.), "two instances' runs");
    is_int(child_sweep_before("on."), 0, "a part of an instance is none");
    is_int(child_sweep_before("one.a."), 0, "and a whole mark no prefix");
    int n = child_sweep_before("one.");
    ok(n >= 3, "the instance's are killed: %d", n);
    ok(run_until(loop, a.over, 5.), "all of them");
    ok(is_gone(pid_in("left")) && is_gone(pid_in("left-below")),
       "also in sessions of their own, also without environment");
    ok(is_alive(pid_in("kept")), "another instance's run is not touched");
    child_sweep("one1.a");
    ok(run_until(loop, b.over, 5.), "until it is asked for");
    seen_fini(&a);
    seen_fini(&b);
}

static void test_signals(void)
{
    struct seen s = {0};
    start(&s, "sh -c 'echo $$ > member; exec sleep 60' & wait", "group");
    run_until(loop, pid_in("member") > 0, 5.);
    pid_t member = pid_in("member");
    child_signal(s.child, SIGTERM);
    ok(run_until(loop, s.over, 5.), "SIGTERM");
    is_int(s.exit.signal, SIGTERM, "ends the leader");
    ok(member > 0 && is_gone(member), "and the whole group");
    ok(s.over_ms - s.exited_ms < 900, "at once");
    seen_fini(&s);

    start(&s, "trap '' TERM; echo ready; while :; do sleep 1; done", "stubborn");
    run_until(loop, s.bytes, 5.);
    child_signal(s.child, SIGTERM);
    run_for(loop, 0.2);
    is_int(s.exited, 0, "a child that ignores SIGTERM stays");
    child_signal(s.child, SIGKILL);
    ok(run_until(loop, s.over, 5.), "SIGKILL ends it");
    is_int(s.exit.signal, SIGKILL, "by signal 9");
    seen_fini(&s);

    start(&s, "sleep 60 & echo $! > late; exit 0", "late");
    run_until(loop, s.exited, 5.);
    child_signal(s.child, SIGKILL);
    ok(run_until(loop, s.over, 0.8),
       "a signal after the leader's end reaches what is left of the run");
    seen_fini(&s);
}

/* ---- floods and crowds ---- */

static void test_flood(void)
{
    struct seen s = {.count_only = true};
    start(&s, "head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2", "flood");
    ok(run_until(loop, s.over, 10.), "10 MB of output");
    is_int(s.bytes, 10000000, "arrive whole before over");
    seen_fini(&s);
}

static void test_crowd(void)
{
    enum { CROWD = 200 };
    static struct seen s[CROWD];
    int over = 0, wrong = 0;
    int64_t from = clock_mono_ms();
    for (int i = 0; i < CROWD; i++) {
        AUTO_FREE char *script = xasprintf("exit %d", i % 100);
        AUTO_FREE char *run = xasprintf("crowd-%d", i);
        if (!start(&s[i], script, run))
            wrong++;
    }
    for (int i = 0; i < CROWD; i++) {
        over += run_until(loop, s[i].over, 10.);
        wrong += s[i].exit.code != i % 100;
        seen_fini(&s[i]);
    }
    is_int(over, CROWD, "%d quick deaths are all noticed (%lld ms)", CROWD,
           (long long)(clock_mono_ms() - from));
    is_int(wrong, 0, "each with its own code");
}

static void test_parent_death(void)
{
    char *path = xasprintf("%s/orphan", dir);
    pid_t middle = fork();
    if (middle == 0) {
        /* A supervisor of its own, killed while its child runs. */
        struct ev_loop *own = ev_loop_new(EVFLAG_NOENV);
        struct seen s = {0};
        child_reaper_stop(loop);
        child_reaper_start(own, NULL);
        loop = own;
        start(&s, "echo $$ > orphan; exec sleep 60", "inner");
        while (!pid_in("orphan"))
            ev_run(own, EVRUN_NOWAIT);
        raise(SIGKILL);
    }
    ok(run_until(loop, kill(middle, 0) < 0, 5.), "a supervisor is killed");
    run_for(loop, 0.1);
    ok(pid_in("orphan") > 0 && is_gone(pid_in("orphan")), "its child died with it");
    free(path);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int main(void)
{
    struct rlimit low = {.rlim_cur = 256, .rlim_max = 4096};
    tap_deadline(90);
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &low);
    child_raise_nofile();
    unsetenv("MCPTOP_RUN");
    if (!mkdtemp(dir))
        return 1;
    loop = ev_loop_new(EVFLAG_NOENV);
    is_int(child_reaper_start(loop, NULL), 0, "the reaper starts");
    int before = descriptors();
    test_failing_starts();
    test_given_path();
    test_statuses();
    test_environment_of_child();
    test_held_pipes();
    test_paused_at_exit();
    test_sweep();
    test_sweep_forking();
    test_sweep_before();
    test_signals();
    test_flood();
    test_crowd();
    test_parent_death();
    is_int(descriptors(), before, "no descriptor leaks");
    child_reaper_stop(loop);
    ev_loop_destroy(loop);
    AUTO_FREE char *clean = xasprintf("rm -rf %s", dir);
    return system(clean) ? 1 : done_testing();
}
