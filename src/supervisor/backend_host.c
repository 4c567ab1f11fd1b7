/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run on the host: one child in a session and process group of its own. Knows io/child and the
 * plan; nothing of states, retries or MCP.
 *
 *   timer   stop: 2 s after stdin was closed → SIGTERM, 5 s later → SIGKILL and sweep; before
 *           the start: the failure to be told
 *
 * Whatever way a run ends, what carries its mark is swept: grandchildren in sessions of their
 * own must not outlive it. */
#include "supervisor/backend.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "io/child.h"
#include "io/timer.h"
#include "isolation/host_env.h"

enum { STDIN_GRACE_S = 2, TERM_GRACE_S = 5 };

enum phase { PHASE_RUNNING, PHASE_STDIN_CLOSED, PHASE_TERMINATED, PHASE_KILLED };

struct backend_host {
    struct backend b;
    struct ev_loop *loop;
    struct child *child;       /* NULL: it could not be started; `failed` says why */
    struct fault failed;
    char *searched;            /* … the PATH in which it was not found; else NULL */
    char run_id[80];
    enum phase phase;
    bool told_up;
    ev_timer timer;            /* see above */
    ev_timer started;          /* tells `up` (or the failed start) from the loop, as promised */
};

/* `up` is promised to come from the loop and before anything else. */
static void tell_up(struct backend_host *h)
{
    if (h->told_up)
        return;
    h->told_up = true;
    ev_timer_stop(h->loop, &h->started);
    h->b.events.up(h->b.ctx);
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct backend_host *h = ctx;
    tell_up(h);
    h->b.events.data(h->b.ctx, ch, p, n);
}

/* The leader is gone: what it left in its group or elsewhere goes too, and with it the pipes it
 * keeps open. */
static void on_exited(void *ctx, const struct child_exit *x)
{
    (void)x;
    struct backend_host *h = ctx;
    child_sweep(h->run_id);
}

static void on_over(void *ctx, const struct child_exit *x)
{
    struct backend_host *h = ctx;
    ev_timer_stop(h->loop, &h->timer);
    tell_up(h);
    child_sweep(h->run_id);
    struct run_end end = { .code = x->code, .signal = x->signal, .at_wall_ms = x->at_wall_ms,
                           .undelivered = stream_undelivered(child_stream(h->child)) };
    h->b.events.over(h->b.ctx, &end);
}

static void on_started(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct backend_host *h = w->data;
    if (h->child) {
        tell_up(h);
        return;
    }
    ev_timer_stop(loop, w);
    if (h->searched)
        backend_note(&h->b, "PATH is %s", h->searched);
    struct run_end end = { .code = -1, .never_started = true, .why = h->failed,
                           .at_wall_ms = clock_wall_ms() };
    h->b.events.over(h->b.ctx, &end);
}

static void arm(struct backend_host *h, double seconds)
{
    timer_arm(h->loop, &h->timer, seconds);
}

static void kill_all(struct backend_host *h)
{
    h->phase = PHASE_KILLED;
    ev_timer_stop(h->loop, &h->timer);
    child_signal(h->child, SIGKILL);
    child_sweep(h->run_id);
}

static void on_grace_over(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    struct backend_host *h = w->data;
    if (h->phase == PHASE_STDIN_CLOSED) {
        h->phase = PHASE_TERMINATED;
        child_signal(h->child, SIGTERM);
        arm(h, TERM_GRACE_S);
    } else {
        backend_note(&h->b, "did not end on SIGTERM within 5 s: killed");
        kill_all(h);
    }
}

static int host_writev(struct backend *b, const struct iovec *iov, int count, struct fault *f)
{
    struct backend_host *h = (struct backend_host *)b;
    if (!h->child)
        return fault_set(f, EPIPE, "it is not running");
    return stream_writev(child_stream(h->child), iov, count, f);
}

static void host_stop(struct backend *b)
{
    struct backend_host *h = (struct backend_host *)b;
    if (!h->child || h->phase != PHASE_RUNNING)
        return;
    h->phase = PHASE_STDIN_CLOSED;
    stream_close_input(child_stream(h->child));
    arm(h, STDIN_GRACE_S);
}

static void host_kill(struct backend *b)
{
    struct backend_host *h = (struct backend_host *)b;
    if (h->child)
        kill_all(h);
}

static void host_free(struct backend *b)
{
    struct backend_host *h = (struct backend_host *)b;
    ev_timer_stop(h->loop, &h->timer);
    ev_timer_stop(h->loop, &h->started);
    child_free(h->child);
    free(h->searched);
    free(h);
}

static const struct backend_ops host_ops = {
    .writev = host_writev,
    .stop = host_stop,
    .kill = host_kill,
    .free = host_free,
};

static const struct child_events child_events = {
    .stream = { .data = on_data },
    .exited = on_exited,
    .over = on_over,
};

int backend_host_look(const char *command, const struct kvvec *env, const char *working_dir,
                      struct fault *f)
{
    AUTO_STRVEC struct strvec all = { 0 };
    char *const argv[] = { (char *)command, NULL };
    host_env_build(environ, env, &all);
    return child_look(&(struct child_spec){ .argv = argv, .envp = all.v,
                                            .working_dir = working_dir }, f);
}

struct backend *backend_host_new(const struct backend_spec *spec)
{
    struct backend_host *h = xcalloc(1, sizeof *h);
    h->b = (struct backend){ .ops = &host_ops, .events = spec->events, .ctx = spec->ctx };
    h->loop = spec->loop;
    strncpy(h->run_id, spec->run_id, sizeof h->run_id - 1);
    ev_timer_init(&h->timer, on_grace_over, 0., 0.);
    ev_timer_init(&h->started, on_started, 0., 0.);
    h->timer.data = h->started.data = h;

    struct strvec env = { 0 };
    host_env_build(environ, &spec->plan->env, &env);
    struct child_spec child = { .argv = spec->plan->argv.v, .envp = env.v,
                                .working_dir = spec->plan->working_dir,
                                .run_id = h->run_id };
    h->child = child_spawn(h->loop, &child, &child_events, h, &h->failed);
    if (h->child)
        h->b.pid = child_pid(h->child);
    else if (h->failed.code == ENOENT && !strchr(child.argv[0], '/'))
        h->searched = xstrdup(child_search_path(env.v));
    strvec_fini(&env);
    ev_timer_start(h->loop, &h->started);
    return &h->b;
}
