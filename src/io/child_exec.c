/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From a child_spec to a running program. Everything that allocates or searches is done before
 * vfork(); between vfork() and exec stand only async-signal-safe calls that write no memory but the
 * child's own stack, because parent and child share it. vfork rather than fork: the parent's page
 * tables are not copied, so starting a server costs the same however big the supervisor is.
 *
 * It knows nothing of the loop or of what becomes of the child. */
#include "io/child_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

enum stage { STAGE_SETUP, STAGE_CHDIR, STAGE_EXEC };

struct report {
    enum stage stage;
    int error;
};

struct launch {
    struct strvec candidates;   /* paths to try in this order */
    struct strvec envp;
    char *const *argv;
    const char *dir;
    bool searched;              /* for argv[0], which has no slash */
    const struct rlimit *nofile;
    pid_t parent;
    int stdio[3];
    int report_fd;
};

/* ---- in the child ---- */

static _Noreturn void fail(const struct launch *l, enum stage stage, int error)
{
    struct report r = {.stage = stage, .error = error};
    while (write(l->report_fd, &r, sizeof(r)) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* Everything from 3 on closes at exec, also what a library opened without the flag. */
static void close_others_at_exec(void)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
        return;
#endif
    /* Before Linux 5.11. Descriptors of ours have the flag already. */
    for (int fd = 3; fd < 4096; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void default_signals(void)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig <= 64; sig++)
        sigaction(sig, &dfl, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void exec_first(const struct launch *l)
{
    int error = ENOENT;
    for (size_t i = 0; i < l->candidates.n; i++) {
        execve(l->candidates.v[i], l->argv, l->envp.v);
        if (errno == EACCES)
            error = EACCES;             /* as execvp: a later directory may still have it */
        else if (errno != ENOENT && errno != ENOTDIR)
            fail(l, STAGE_EXEC, errno);
    }
    fail(l, STAGE_EXEC, error);
}

static _Noreturn void run(const struct launch *l)
{
    if (setsid() < 0)
        fail(l, STAGE_SETUP, errno);
    /* The signal comes when the thread that forked ends; if the parent is gone already it will
     * never come. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != l->parent)
        _exit(127);
    for (int fd = 0; fd < 3; fd++)
        if (dup2(l->stdio[fd], fd) < 0)
            fail(l, STAGE_SETUP, errno);
    if (l->dir && chdir(l->dir) < 0)
        fail(l, STAGE_CHDIR, errno);
    close_others_at_exec();
    if (l->nofile)
        setrlimit(RLIMIT_NOFILE, l->nofile);
    default_signals();
    exec_first(l);
}

/* ---- before ---- */

static const char *env_get(char *const *envp, const char *name)
{
    size_t n = strlen(name);
    for (; envp && *envp; envp++)
        if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

const char *child_search_path(char *const *envp)
{
    const char *path = env_get(envp, "PATH");
    return path ? path : "/usr/local/bin:/usr/bin:/bin";
}

static void launch_search(struct launch *l, const struct child_spec *spec)
{
    const char *command = spec->argv[0];
    if (strchr(command, '/')) {
        strvec_add(&l->candidates, command);
        return;
    }
    l->searched = true;
    for (const char *dir = child_search_path(spec->envp);; dir++) {
        size_t n = strcspn(dir, ":");
        if (n > 0) /* an empty entry would mean "here": never searched */
            strvec_addf(&l->candidates, "%.*s/%s", (int)n, dir, command);
        dir += n;
        if (!*dir)
            break;
    }
}

static void launch_env(struct launch *l, const struct child_spec *spec)
{
    if (spec->run_id) {
        const char *outer = getenv(CHILD_MARK);
        strvec_addf(&l->envp, CHILD_MARK "=%s%s%s", outer ? outer : "", outer ? "," : "",
                    spec->run_id);
    }
    for (char *const *e = spec->envp; e && *e; e++)
        if (strncmp(*e, CHILD_MARK "=", sizeof(CHILD_MARK)) != 0)
            strvec_add(&l->envp, *e);
}

/* A pipe whose ends are never 0, 1 or 2, so that dup2() in the child cannot overwrite one. */
static int make_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (fd[i] > 2)
            continue;
        int moved = fcntl(fd[i], F_DUPFD_CLOEXEC, 3);
        if (moved < 0) {
            mem_close_fd(&fd[0]);
            mem_close_fd(&fd[1]);
            return -1;
        }
        close(fd[i]);
        fd[i] = moved;
    }
    return 0;
}

/* ---- after ---- */

static int explain_exec(const struct launch *l, int error, struct fault *f)
{
    const char *command = l->argv[0];
    for (size_t i = 0; error == ENOENT && i < l->candidates.n; i++)
        if (l->candidates.v[i][0] == '/' && access(l->candidates.v[i], F_OK) == 0)
            return fault_set(f, error,
                             "cannot start %s: the interpreter that its first line (or its ELF "
                             "header) names is missing", l->candidates.v[i]);
    if (error == ENOENT && l->searched) {
        /* Says it all: without errno's words. */
        fault_set(f, FAULT_NOT_FOUND,
                  "command \"%s\" is not in PATH: install it, or write its full path", command);
        if (f)
            f->code = error;
        return -1;
    }
    if (error == EACCES)
        return fault_set(f, error, "cannot start \"%s\": it is not executable for this user "
                         "(chmod +x, or a noexec mount)", command);
    if (error == ENOEXEC)
        return fault_set(f, error, "cannot start \"%s\": it is neither a program for this machine "
                         "nor a script with a #! line", command);
    return fault_set(f, error, "cannot start \"%s\"", command);
}

static int explain(const struct launch *l, const struct report *r, struct fault *f)
{
    if (r->stage == STAGE_CHDIR)
        return fault_set(f, FAULT_CONFIG,
                         "cannot enter the working directory %s of command \"%s\": %s", l->dir,
                         l->argv[0], strerror(r->error));
    if (r->stage == STAGE_EXEC)
        return explain_exec(l, r->error, f);
    return fault_set(f, r->error, "cannot set up a process for \"%s\"", l->argv[0]);
}

/* Reads what the child reported; nothing comes when exec closed the pipe. */
static int wait_for_exec(const struct launch *l, int fd, pid_t pid, struct fault *f)
{
    struct report r;
    ssize_t n;
    do
        n = read(fd, &r, sizeof(r));
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(r))
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return explain(l, &r, f);
}

/* ---- looking only ---- */

/* The errno that exec of the candidates would end with; 0: one of them would run. */
static int look_at(const struct launch *l, int dir)
{
    int error = ENOENT;
    for (size_t i = 0; i < l->candidates.n; i++) {
        struct stat st;
        if (fstatat(dir, l->candidates.v[i], &st, 0) < 0)
            continue;
        if (S_ISREG(st.st_mode) && faccessat(dir, l->candidates.v[i], X_OK, 0) == 0)
            return 0;
        error = EACCES;
    }
    return error;
}

int child_look(const struct child_spec *spec, struct fault *f)
{
    struct launch l = {.argv = spec->argv, .dir = spec->working_dir};
    int dir = l.dir ? open(l.dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : AT_FDCWD;
    int error = 0, rc = 0;

    if (l.dir && (dir < 0 || faccessat(dir, ".", X_OK, 0) < 0)) {
        rc = explain(&l, &(struct report){STAGE_CHDIR, errno}, f);
    } else {
        launch_search(&l, spec);
        error = look_at(&l, dir);
    }
    if (error)
        rc = explain_exec(&l, error, f);
    if (l.dir)
        mem_close_fd(&dir);
    strvec_fini(&l.candidates);
    return rc;
}

/* ---- both ---- */

static int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}


/* The child must not run one of our signal handlers in the memory it shares with us, hence the
 * mask. */
static pid_t launch_vfork(const struct launch *l)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = vfork();
    if (pid == 0)
        run(l);
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

pid_t child_exec(const struct child_spec *spec, const struct rlimit *nofile,
                 struct child_pipes *ret_pipes, struct fault *f)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, report[2] = {-1, -1};
    struct launch l = {
        .argv = spec->argv, .dir = spec->working_dir, .nofile = nofile, .parent = getpid()};
    pid_t pid = -1;

    if (make_pipe(in) < 0 || make_pipe(out) < 0 || make_pipe(err) < 0 || make_pipe(report) < 0) {
        fault_set(f, errno, "cannot make the pipes for \"%s\"", spec->argv[0]);
    } else {
        launch_search(&l, spec);
        launch_env(&l, spec);
        l.stdio[0] = in[0], l.stdio[1] = out[1], l.stdio[2] = err[1];
        l.report_fd = report[1];
        pid = launch_vfork(&l);
        if (pid < 0)
            fault_set(f, errno, "cannot start a process for \"%s\"", spec->argv[0]);
        mem_close_fd(&report[1]);
        if (pid > 0 && wait_for_exec(&l, report[0], pid, f) < 0)
            pid = -1;
        if (pid > 0)
            *ret_pipes = (struct child_pipes){take_fd(&in[1]), take_fd(&out[0]), take_fd(&err[0])};
    }
    int *all[] = {in, out, err, report};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        mem_close_fd(&all[i][0]);
        mem_close_fd(&all[i][1]);
    }
    strvec_fini(&l.candidates);
    strvec_fini(&l.envp);
    return pid;
}
