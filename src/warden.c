/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waits for the supervisor, and cleans up after it. Everything is done between two sigtimedwait()
 * calls: no handler, no race. Only direct children are ever killed: whoever a dead process leaves
 * behind becomes our child in its turn, so that a loop ends every tree, also one that grows while
 * it is being cut. Must not know what a supervisor does. */
#include "warden.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "serve.h"

enum {
    SPARED_MAX = 64,
    SWEEP_LIMIT_MS = 10 * 1000, /* a process in an uninterruptible sleep cannot be waited for */
    HEALTHY_MS = 60 * 1000,
    BACKOFF_MAX_MS = 30 * 1000,
};

/* Children from before: `helper & exec mcptop serve` in a script. Not ours to kill. */
static int spared[SPARED_MAX + 1];

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

static bool is_spared(int pid)
{
    for (const int *spare = spared; *spare; spare++)
        if (*spare == pid)
            return true;
    return false;
}

/* For a kernel without CONFIG_PROC_CHILDREN. */
static int parent_of(const char *pid)
{
    char path[64], stat[512];
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    size_t n = fread(stat, 1, sizeof stat - 1, file);
    fclose(file);
    stat[n] = '\0';
    /* The command may contain anything, a ')' too: the last one closes it. */
    const char *after = strrchr(stat, ')');
    int ppid = 0;
    return after && sscanf(after, ") %*c %d", &ppid) == 1 ? ppid : 0;
}

static int scan_proc(int *pids, int max)
{
    int n = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && n < max && (e = readdir(proc));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && parent_of(e->d_name) == getpid())
            pids[n++] = atoi(e->d_name);
    if (proc)
        closedir(proc);
    return n;
}

static int children(int *pids, int max)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    if (!file)
        return scan_proc(pids, max);
    int n = 0;
    while (n < max && fscanf(file, "%d", &pids[n]) == 1)
        n++;
    fclose(file);
    return n;
}

/* SIGKILL to every child that was not there before us. Returns how many there were. */
static int kill_children(void)
{
    int pids[512], killed = 0;
    int n = children(pids, 512);
    for (int i = 0; i < n; i++) {
        if (is_spared(pids[i]))
            continue;
        kill(pids[i], SIGKILL);
        killed++;
    }
    return killed;
}

/* What the supervisor left behind, down to the last one. */
static void sweep(void)
{
    long limit = now_ms() + SWEEP_LIMIT_MS;
    struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (!kill_children() || now_ms() > limit)
            return;
        sigtimedwait(&child, NULL, &pause);
    }
}

/* Reaps until the supervisor itself has ended; hands signals on meanwhile. */
static int guard(pid_t supervisor, const sigset_t *signals, bool *stopping)
{
    for (;;) {
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == supervisor)
                return status;
        int sig = sigwaitinfo(signals, NULL);
        if (sig == SIGTERM || sig == SIGINT)
            *stopping = true;
        if (sig > 0 && sig != SIGCHLD)
            kill(supervisor, sig);
    }
}

static bool is_request_to_end(int sig)
{
    return sig == SIGTERM || sig == SIGINT || sig == SIGHUP;
}

static bool ended_by_itself(int status)
{
    if (WIFSIGNALED(status))
        return is_request_to_end(WTERMSIG(status));   /* before it could catch them */
    int code = WEXITSTATUS(status);
    return code == 0 || code == 2 || code == SERVE_EXIT_LOCKED || code == SERVE_EXIT_CANNOT_START;
}

/* false: a signal asks us to end. */
static bool sleep_ms(long ms, const sigset_t *signals)
{
    for (long until = now_ms() + ms, left; (left = until - now_ms()) > 0;) {
        struct timespec t = { left / 1000, left % 1000 * 1000000L };
        if (is_request_to_end(sigtimedwait(signals, NULL, &t)))
            return false;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return true;
}

static pid_t spawn(int (*supervisor)(void *), void *arg, const sigset_t *mask,
                   const char *previous_end)
{
    pid_t warden = getpid();
    pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != warden)
        _exit(SERVE_EXIT_CANNOT_START);     /* it died before the line above could count */
    prctl(PR_SET_NAME, "mcptop");
    if (*previous_end)
        setenv("MCPTOP_PREVIOUS_END", previous_end, 1);
    sigprocmask(SIG_SETMASK, mask, NULL);
    exit(supervisor(arg));
}

/* One run of the supervisor, its leftovers included. false: the warden's work is done, *ret_code is
 * how. */
static bool run_once(int (*supervisor)(void *), void *arg, const sigset_t *signals,
                     const sigset_t *mask, char end[32], int *ret_code)
{
    bool stopping = false;
    pid_t pid = spawn(supervisor, arg, mask, end);
    if (pid < 0) {
        snprintf(end, 32, "fork: errno %d", errno);
        return true;
    }
    int status = guard(pid, signals, &stopping);
    sweep();
    if (WIFSIGNALED(status))
        snprintf(end, 32, "signal %d", WTERMSIG(status));
    else
        snprintf(end, 32, "exit %d", WEXITSTATUS(status));
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return !stopping && !ended_by_itself(status);
}

int warden_run(int (*supervisor)(void *arg), void *arg)
{
    sigset_t signals, mask;
    sigemptyset(&signals);
    for (int sigs[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD }, i = 0; i < 4; i++)
        sigaddset(&signals, sigs[i]);
    sigprocmask(SIG_BLOCK, &signals, &mask);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_NAME, "mcptop-warden");
    children(spared, SPARED_MAX);

    char end[32] = "";
    int code = 0;
    long backoff = 0, started = now_ms();
    while (run_once(supervisor, arg, &signals, &mask, end, &code)) {
        if (now_ms() - started > HEALTHY_MS)
            backoff = 0;
        fprintf(stderr, "mcptop: the supervisor ended (%s); starting it again in %ld s\n", end,
                backoff / 1000);
        if (!sleep_ms(backoff, &signals))
            return 0;
        backoff = backoff ? backoff * 2 : 1000;
        if (backoff > BACKOFF_MAX_MS)
            backoff = BACKOFF_MAX_MS;
        started = now_ms();
    }
    return code;
}
