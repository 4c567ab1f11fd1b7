/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections come and go. Each begins on the fast path; what that does not take goes to
 * libmicrohttpd. */
#include "api/httpd_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { ACCEPTS_PER_TURN = 64 };
static const double ACCEPT_PAUSE_S = 0.5;    /* the system is out of descriptors or memory */

static void resume_accepting(struct listener *l)
{
    if (l->fd >= 0 && l->connections < CONNECTION_LIMIT && !ev_is_active(&l->h->accept_pause))
        ev_io_start(l->h->loop, &l->acceptable);
}

static void on_accept_pause(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct httpd *h = w->data;

    (void)revents;
    ev_timer_stop(loop, w);
    resume_accepting(&h->unix_listener);
    resume_accepting(&h->tcp_listener);
}

static void pause_accepting(struct httpd *h)
{
    if (!h->refused)
        log_warn("api", "no new connections until the system has room for them: %m");
    h->refused = true;
    ev_io_stop(h->loop, &h->unix_listener.acceptable);
    ev_io_stop(h->loop, &h->tcp_listener.acceptable);
    ev_timer_again(h->loop, &h->accept_pause);
}

static struct http_connection *connection_new(struct listener *l, int fd)
{
    struct http_connection *c = xcalloc(1, sizeof *c);
    struct httpd *h = l->h;

    c->listener = l;
    c->fd = fd;
    connection_moved(c);
    c->next = h->connections;
    if (c->next)
        c->next->prev = c;
    else
        ev_timer_again(h->loop, &h->idle_check);
    h->connections = c;
    if (++l->connections >= CONNECTION_LIMIT)
        ev_io_stop(h->loop, &l->acceptable);
    return c;
}

void connection_free(struct http_connection *c)
{
    struct httpd *h = c->listener->h;

    if (c->prev)
        c->prev->next = c->next;
    else
        h->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (!h->connections)
        ev_timer_stop(h->loop, &h->idle_check);
    if (h->handed_over == c)
        h->handed_over = NULL;
    if (c->r && !c->r->conn)
        request_free(c->r);        /* no MHD_OPTION_NOTIFY_COMPLETED will come for it */
    else if (c->r)
        c->r->connection = NULL;
    outbuf_fini(&c->rest);
    c->listener->connections--;
    resume_accepting(c->listener);
    free(c);
}

void connection_on_notice(void *cls, struct MHD_Connection *conn, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct listener *l = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = l->h->handed_over;
        l->h->handed_over->conn = conn;
    } else if (*socket_context) {
        connection_free(TAKE(*socket_context));
    }
}

void connection_hand_over(struct http_connection *c)
{
    struct listener *l = c->listener;
    struct sockaddr_storage peer = {0};
    socklen_t n = sizeof peer;

    getpeername(c->fd, (struct sockaddr *)&peer, &n);
    l->h->handed_over = c;
    l->h->ends_untold |= c->half_closed;
    MHD_add_connection(l->daemon, c->fd, (struct sockaddr *)&peer, n);
    l->dirty = true;
    /* On failure it has closed the socket, before or after it told of its connection. */
    if (l->h->handed_over && !c->conn)
        connection_free(c);
    l->h->handed_over = NULL;
}

void connections_tell_ends(struct httpd *h)
{
    if (!h->ends_untold)
        return;
    h->ends_untold = false;
    for (struct http_connection *c = h->connections; c; c = c->next) {
        if (!c->conn || !c->half_closed)
            continue;
        shutdown(c->fd, SHUT_RD);
        c->half_closed = false;
    }
}

static bool peer_is_us(int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
           (who.uid == geteuid() || who.uid == 0);
}

static void accept_one(struct listener *l, int fd)
{
    int one = 1;

    if (l->via == VIA_UNIX && !peer_is_us(fd)) {
        close(fd);
        return;
    }
    if (l->via == VIA_TCP)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct http_connection *c = connection_new(l, fd);
    if (!fast_add(c))
        connection_hand_over(c);
}

static bool is_of_one_client(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct listener *l = w->data;

    (void)loop, (void)revents;
    for (int i = 0; i < ACCEPTS_PER_TURN && l->connections < CONNECTION_LIMIT; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->h->refused = false;
            accept_one(l, fd);
        } else if (errno == EAGAIN) {
            return;
        } else if (!is_of_one_client(errno)) {
            pause_accepting(l->h);
            return;
        }
    }
}

void connections_accept(struct listener *l, int fd)
{
    l->fd = fd;
    ev_io_init(&l->acceptable, on_acceptable, l->fd, EV_READ);
    l->acceptable.data = l;
    ev_io_start(l->h->loop, &l->acceptable);
}

void connections_accept_stop(struct listener *l)
{
    ev_io_stop(l->h->loop, &l->acceptable);
    close(l->fd);
    l->fd = -1;
}

void connections_init(struct httpd *h)
{
    ev_init(&h->accept_pause, on_accept_pause);
    h->accept_pause.repeat = ACCEPT_PAUSE_S;
    h->accept_pause.data = h;
}
