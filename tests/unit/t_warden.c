/* SPDX-License-Identifier: GPL-3.0-or-later */
/* warden.c with supervisors made for the purpose. Each case runs its warden in a child of its own. */
#include "warden.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include "serve.h"
#include "tap.h"

/* What the processes of a case tell each other. */
static volatile struct {
    int runs;
    pid_t supervisor, tree[3];
    int left_over;              /* of the tree, when the second supervisor began */
    char previous_end[32];
    int signals;
} *shared;

static void pause_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

static bool wait_for(bool (*condition)(void))
{
    for (int i = 0; i < 500; i++) {
        if (condition())
            return true;
        pause_ms(10);
    }
    return false;
}

static bool is_alive(pid_t pid)
{
    return pid > 0 && (!kill(pid, 0) || errno == EPERM);
}

static pid_t start_warden(int (*supervisor)(void *))
{
    memset((void *)shared, 0, sizeof *shared);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(99);
        _exit(warden_run(supervisor, NULL));
    }
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* npx → node → worker, the last one in a session of its own, deaf to everything but SIGKILL. */
static void grow_tree(void)
{
    shared->tree[0] = fork();
    if (shared->tree[0])
        return;
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, 0);
    for (int level = 1; level < 3; level++) {
        pid_t pid = fork();
        if (pid) {
            shared->tree[level] = pid;
            break;
        }
        setsid();
    }
    for (;;)
        pause();
}

static bool tree_is_grown(void)
{
    return shared->tree[0] && shared->tree[1] && shared->tree[2];
}

static int crash_once(void *arg)
{
    (void)arg;
    shared->supervisor = getpid();
    if (++shared->runs == 1) {
        grow_tree();
        wait_for(tree_is_grown);
        raise(SIGKILL);
    }
    for (int i = 0; i < 3; i++)
        shared->left_over += is_alive(shared->tree[i]);
    const char *end = getenv("MCPTOP_PREVIOUS_END");
    snprintf((char *)shared->previous_end, sizeof shared->previous_end, "%s", end ? end : "");
    return 0;
}

static void t_crash(void)
{
    is_int(end_of(start_warden(crash_once)), 0, "the warden ends as the last supervisor did");
    is_int(shared->runs, 2, "a killed supervisor is started again");
    is_int(shared->left_over, 0, "after all that it left behind was killed");
    is_str((const char *)shared->previous_end, "signal 9", "and is told how the one before it ended");
}

static int leave_and_stop(void *arg)
{
    (void)arg;
    shared->runs++;
    grow_tree();
    wait_for(tree_is_grown);
    return 0;
}

static void t_stop(void)
{
    is_int(end_of(start_warden(leave_and_stop)), 0, "a supervisor that ends by itself");
    is_int(shared->runs, 1, "is not started again");
    for (int i = 0; i < 3; i++)
        ok(!is_alive(shared->tree[i]), "process %d that it left is gone", i);
}

static int cannot(void *arg)
{
    (void)arg;
    shared->runs++;
    return SERVE_EXIT_LOCKED;
}

static void t_final_codes(void)
{
    is_int(end_of(start_warden(cannot)), SERVE_EXIT_LOCKED, "a held lock is handed on");
    is_int(shared->runs, 1, "and not tried again");
}

static void on_signal(int sig)
{
    shared->signals |= 1 << sig;
}

static int wait_for_term(void *arg)
{
    (void)arg;
    signal(SIGTERM, on_signal);
    signal(SIGHUP, on_signal);
    signal(SIGINT, on_signal);
    shared->supervisor = getpid();
    shared->runs++;
    while (!(shared->signals & (1 << SIGTERM)))
        pause_ms(5);
    return 0;
}

static bool supervisor_runs(void)
{
    return shared->supervisor;
}

static bool has_hup_and_int(void)
{
    return shared->signals == (1 << SIGHUP | 1 << SIGINT);
}

static bool is_supervisor_gone(void)
{
    return waitpid(shared->supervisor, NULL, WNOHANG) > 0;     /* an orphan comes to us */
}

static void t_signals(void)
{
    pid_t warden = start_warden(wait_for_term);
    wait_for(supervisor_runs);
    kill(warden, SIGHUP);
    kill(warden, SIGINT);
    ok(wait_for(has_hup_and_int), "SIGHUP and SIGINT are handed on");
    ok(is_alive(warden), "and do not end the warden");
    kill(warden, SIGTERM);
    is_int(end_of(warden), 0, "SIGTERM ends both, in order");
}

static void t_warden_killed(void)
{
    pid_t warden = start_warden(wait_for_term);
    wait_for(supervisor_runs);
    kill(warden, SIGKILL);
    is_int(end_of(warden), 1000 + SIGKILL, "the warden is killed");
    ok(wait_for(is_supervisor_gone), "its supervisor gets SIGTERM and ends");
    is_int(shared->signals, 1 << SIGTERM, "by that alone");
}

static int crash_always(void *arg)
{
    (void)arg;
    shared->runs++;
    raise(SIGKILL);
    return 0;
}

static bool crashed_twice(void)
{
    return shared->runs >= 2;
}

static void t_back_off(void)
{
    pid_t warden = start_warden(crash_always);
    wait_for(crashed_twice);
    pause_ms(300);
    is_int(shared->runs, 2, "at once, and then not before a second is over");
    kill(warden, SIGTERM);
    is_int(end_of(warden), 0, "SIGTERM while it waits ends it");
}

static int spare_helper(void *arg)
{
    (void)arg;
    return 0;
}

/* `helper & exec mcptop serve`: a child from before is not ours. */
static void t_spares_others(void)
{
    memset((void *)shared, 0, sizeof *shared);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t helper = fork();
        if (helper == 0)
            for (;;)
                pause();
        shared->tree[0] = helper;
        _exit(warden_run(spare_helper, NULL));
    }
    is_int(end_of(pid), 0, "a warden with a child from before");
    ok(is_alive(shared->tree[0]), "which lives on");
    kill(shared->tree[0], SIGKILL);
}

int main(void)
{
    tap_deadline(60);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    /* Whatever a failing warden leaves comes to us, not to the machine. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGCHLD, SIG_DFL);
    t_crash();
    t_stop();
    t_final_codes();
    t_signals();
    t_warden_killed();
    t_back_off();
    t_spares_others();
    return done_testing();
}
