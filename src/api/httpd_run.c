/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libmicrohttpd driven by the loop: an ev_io has the epoll descriptor of each listener's daemon.
 *
 * An event, an answer or a timer marks the listener dirty, and the prepare watcher runs dirty
 * listeners before the loop sleeps: what was said and what is answered in one turn goes through one
 * run, and an answer leaves in the turn it was made. libmicrohttpd sends an answer in the run after
 * it was queued, is through with it in the next one, and looks at what the client said meanwhile in
 * a third. */
#include "api/httpd_internal.h"

#include "base/mem.h"

enum {
    RUNS_PER_TURN = 64, /* then the loop gets its turn */
    STUCK_RUNS = 128, /* that moved nothing, one after the other; see STUCK_S */
};

/* libmicrohttpd says that there is something to do for a connection that it cannot go on with: in
 * 0.9, one whose chunk's size fills the buffer. That ends when it has been idle for long
 * (httpd_idle.c); meanwhile it is asked this often. The longest head needs fewer runs than
 * STUCK_RUNS to be read. */
static const double STUCK_S = 0.1;

static void listener_wake_in(struct listener *l, double seconds)
{
    ev_timer_stop(l->h->loop, &l->timeout);
    ev_timer_set(&l->timeout, seconds, 0.);
    ev_timer_start(l->h->loop, &l->timeout);
}

static void listener_run(struct listener *l)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    bool again = false, at_once;

    for (int i = 0; i < RUNS_PER_TURN; i++) {
        l->dirty = false;
        MHD_run(l->daemon);
        again = MHD_get_timeout(l->daemon, &ms) == MHD_YES;
        l->still_runs = again && ms == 0 ? l->still_runs + 1 : 0;
        at_once = again && ms == 0 && l->still_runs < STUCK_RUNS;
        if (!at_once && !l->dirty)
            break;
    }
    ev_timer_stop(l->h->loop, &l->timeout);
    if (again)
        listener_wake_in(l, ms > 0 || at_once ? (double)ms / 1000.0 : STUCK_S);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct listener *l = w->data;

    (void)loop, (void)revents;
    l->dirty = true;
}

static void on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct listener *l = w->data;

    (void)loop, (void)revents;
    l->dirty = true;
}

static void on_prepare(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct httpd *h = w->data;
    struct listener *const all[] = {&h->unix_listener, &h->tcp_listener};

    (void)loop, (void)revents;
    fast_hand_over(h);
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->dirty)
            listener_run(all[i]);
    connections_tell_ends(h);
    fast_hand_over(h);         /* what a handler in there has answered */
    /* It has had its runs, or the other's gave it work: the loop must not sleep on that. */
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i]->dirty)
            listener_wake_in(all[i], 0.);
}

/* ---- starting and stopping ---- */

void run_listener(struct listener *l)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(l->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    ev_io_init(&l->readable, on_readable, info->epoll_fd, EV_READ);
    ev_init(&l->timeout, on_timeout);
    l->readable.data = l->timeout.data = l;
    ev_io_start(l->h->loop, &l->readable);
}

void run_listener_stop(struct listener *l)
{
    ev_io_stop(l->h->loop, &l->readable);
    ev_timer_stop(l->h->loop, &l->timeout);
}

void run_init(struct httpd *h)
{
    ev_prepare_init(&h->prepare, on_prepare);
    ev_set_priority(&h->prepare, EV_MAXPRI);   /* before whoever measures the turn */
    h->prepare.data = h;
    ev_prepare_start(h->loop, &h->prepare);
}
