/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Child processes as objects, their registry and the reaper. Two things end a child, in either
 * order: the status (SIGCHLD, waitpid) and the end of its pipes (the stream). Whichever comes
 * second calls child_end().
 *
 * The reaper waits for *any* child, because as a subreaper we are given orphans that nobody
 * registered. It knows nothing of servers, restarts or protocols. */
#include "io/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/child_internal.h"

static const ev_tstamp PIPES_GRACE_S = 1.;

struct child {
    struct child *next;         /* in the registry */
    struct ev_loop *loop;
    struct child_events events;
    void *ctx;
    pid_t pid;
    char *run_id;
    /* lives as long as the child, so that a borrowed pointer stays good in `over` */
    struct stream *stream;
    bool pipes_ended;
    ev_timer pipes_grace;       /* from the status on: how long a grandchild may hold the pipes */
    struct child_exit exit;
    bool exited;
    bool ending;                /* both are in: child_over comes in a turn of its own */
    bool finished;              /* `over` was told */
    bool *gone;                 /* set when it is freed during `exited` */
    /* its pid was given to a later child: the session of that number is not ours */
    bool session_lost;
};

static struct {
    struct ev_loop *loop;       /* NULL while not started */
    ev_signal sigchld;
    ev_timer ending;            /* tells one `over` a turn */
    struct child *children;     /* the latest first */
} reaper;

static struct rlimit nofile_before;
static bool nofile_raised;

/* ---- the end of a child ---- */

/* The last event. Nothing may touch c after it. */
static void child_over(struct child *c)
{
    assert(c->exited && !c->finished);
    c->finished = true;
    stream_close_input(c->stream);
    if (c->run_id)
        child_sweep(c->run_id);
    c->events.over(c->ctx, &c->exit);
}

/* Oldest first, one a turn: a sweep takes a millisecond or two, and fifty servers may end at
 * once. */
static void on_ending(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct child *oldest = NULL;
    int count = 0;
    (void)revents;
    for (struct child *c = reaper.children; c; c = c->next) {
        if (c->ending && !c->finished) {
            oldest = c;
            count++;
        }
    }
    if (count > 1)
        ev_timer_start(loop, w);
    if (oldest)
        child_over(oldest);
}

static void child_end(struct child *c)
{
    c->ending = true;
    ev_timer_stop(c->loop, &c->pipes_grace);
    stream_pause(c->stream, true);
    if (!ev_is_active(&reaper.ending))
        ev_timer_start(c->loop, &reaper.ending);
}

static void on_stream_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct child *c = ctx;
    c->events.stream.data(c->ctx, ch, p, n);
}

static void on_stream_drained(void *ctx)
{
    struct child *c = ctx;
    if (c->events.stream.drained && !c->ending)
        c->events.stream.drained(c->ctx);
}

static void on_stream_end(void *ctx, const struct fault *why)
{
    struct child *c = ctx;
    (void)why;      /* a broken pipe says no more than the status will */
    c->pipes_ended = true;
    if (c->exited)
        child_end(c);
}

static void on_pipes_grace(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct child *c = w->data;
    (void)revents;
    if (stream_is_paused(c->stream))
        ev_timer_again(loop, w);        /* what it still holds is wanted */
    else
        child_end(c);
}

static void child_note_exit(struct child *c, int status)
{
    bool gone = false;
    c->exited = true;
    c->exit = (struct child_exit){
        .code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
        .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        .at_wall_ms = clock_wall_ms(),
    };
    if (c->events.exited) {
        c->gone = &gone;
        c->events.exited(c->ctx, &c->exit);
        if (gone)
            return;
        c->gone = NULL;
    }
    if (c->pipes_ended)
        child_end(c);
    else
        ev_timer_again(c->loop, &c->pipes_grace);
}

/* ---- registry and reaper ---- */

static struct child *registry_find(pid_t pid)
{
    for (struct child *c = reaper.children; c; c = c->next)
        if (c->pid == pid && !c->exited)
            return c;
    return NULL;
}

static void registry_add(struct child *new)
{
    for (struct child *c = reaper.children; c; c = c->next)
        if (c->pid == new->pid)
            c->session_lost = true;
    new->next = reaper.children;
    reaper.children = new;
}

static void registry_remove(struct child *gone)
{
    struct child **at = &reaper.children;
    while (*at != gone)
        at = &(*at)->next;
    *at = gone->next;
}

static bool is_run(const struct child *c, const char *run_id)
{
    return c->run_id && !strcmp(c->run_id, run_id);
}

enum child_owner child_owner_of(pid_t pid, const char *run_id)
{
    const struct child *c = registry_find(pid);
    if (!c)
        return CHILD_UNKNOWN;
    return is_run(c, run_id) ? CHILD_OF_RUN : CHILD_OF_OTHER_RUN;
}

pid_t child_session_of(const char *run_id)
{
    for (const struct child *c = reaper.children; c; c = c->next)
        if (is_run(c, run_id) && !c->session_lost)
            return c->pid;
    return 0;
}

static void on_sigchld(struct ev_loop *loop, ev_signal *w, int revents)
{
    int status;
    pid_t pid;
    (void)loop, (void)w, (void)revents;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR)) {
        struct child *c = pid > 0 ? registry_find(pid) : NULL;
        if (c)
            child_note_exit(c, status);
    }
}

int child_reaper_start(struct ev_loop *loop, struct fault *f)
{
    assert(!reaper.loop);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return fault_set(f, errno, "cannot become the reaper of orphaned processes");
    reaper.loop = loop;
    ev_signal_init(&reaper.sigchld, on_sigchld, SIGCHLD);
    ev_signal_start(loop, &reaper.sigchld);
    ev_timer_init(&reaper.ending, on_ending, 0., 0.);
    return 0;
}

void child_reaper_stop(struct ev_loop *loop)
{
    if (reaper.loop != loop)
        return;
    ev_signal_stop(loop, &reaper.sigchld);
    ev_timer_stop(loop, &reaper.ending);
    reaper.loop = NULL;
}

/* ---- children ---- */

void child_raise_nofile(void)
{
    if (nofile_raised || getrlimit(RLIMIT_NOFILE, &nofile_before) < 0)
        return;
    struct rlimit raised = nofile_before;
    raised.rlim_cur = raised.rlim_max;
    nofile_raised = setrlimit(RLIMIT_NOFILE, &raised) == 0;
}

struct child *child_spawn(struct ev_loop *loop, const struct child_spec *spec,
                          const struct child_events *events, void *ctx, struct fault *f)
{
    static const struct stream_events forward = {
        .data = on_stream_data, .drained = on_stream_drained, .end = on_stream_end,
    };
    struct child_pipes pipes;

    assert(reaper.loop == loop && events->stream.data && events->over);
    pid_t pid = child_exec(spec, nofile_raised ? &nofile_before : NULL, &pipes, f);
    if (pid < 0)
        return NULL;
    struct child *c = xcalloc(1, sizeof(*c));
    c->loop = loop;
    c->events = *events;
    c->ctx = ctx;
    c->pid = pid;
    c->run_id = xstrdup(spec->run_id);
    c->stream = stream_from_pipes(loop, pipes.in, pipes.out, pipes.err, &forward, c);
    ev_timer_init(&c->pipes_grace, on_pipes_grace, 0., PIPES_GRACE_S);
    c->pipes_grace.data = c;
    registry_add(c);
    return c;
}

pid_t child_pid(const struct child *c)
{
    return c->pid;
}

struct stream *child_stream(struct child *c)
{
    return c->stream;
}

void child_signal(struct child *c, int sig)
{
    if (!c->exited)
        kill(-c->pid, sig);
    else if (c->run_id && !c->finished)
        child_signal_run(c->run_id, sig);
}

void child_free(struct child *c)
{
    if (!c)
        return;
    if (c->gone)
        *c->gone = true;
    if (!c->finished) {
        child_signal(c, SIGKILL);
        if (c->run_id)
            child_sweep(c->run_id);
    }
    registry_remove(c);
    ev_timer_stop(c->loop, &c->pipes_grace);
    stream_free(c->stream);
    free(c->run_id);
    free(c);
}
