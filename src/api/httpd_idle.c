/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ends connections on which nothing moves: kept alive without a request, a request that does not
 * come to its end, an answer that nobody reads. A request that waits for its answer, a stream that
 * has nothing to say and a plain socket may stand for as long as they like.
 *
 * libmicrohttpd has timeouts of its own, but asks the clock and takes a lock for each step of each
 * request. Here a request leaves a note when it moves, and all are looked at ten times in the time
 * that they have. */
#include "api/httpd_internal.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { LOOKS = 10 };

void connection_moved(struct http_connection *c)
{
    c->moved_ms = clock_coarse_ms();
}

static bool may_stand(const struct http_connection *c)
{
    const struct request *r = c->r;

    return c->upgraded || (r && (r->phase == HANDLING || r->phase == WAITING || r->suspended));
}

/* What the kernel still holds for the client: an answer that is read is less from look to look. */
static void look(struct http_connection *c, int64_t now_ms, int64_t idle_ms)
{
    int unread = 0;

    if (ioctl(c->fd, SIOCOUTQ, &unread) == 0 && unread != c->unread)
        c->moved_ms = now_ms;
    c->unread = unread;
    if (may_stand(c)) {
        c->moved_ms = now_ms;
    } else if (now_ms - c->moved_ms > idle_ms) {
        /* It is found closed, or, where libmicrohttpd does not look at the socket because it has no
         * room for more, that its time is over. */
        shutdown(c->fd, SHUT_RDWR);
        if (c->conn)
            MHD_set_connection_option(c->conn, MHD_CONNECTION_OPTION_TIMEOUT, 1U);
    }
}

static void on_idle_check(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct httpd *h = w->data;
    int64_t now_ms = clock_coarse_ms(), idle_ms = (int64_t)(h->idle_s * 1000.);

    (void)loop, (void)revents;
    for (struct http_connection *c = h->connections; c; c = c->next)
        look(c, now_ms, idle_ms);
}

void httpd_set_idle(struct httpd *h, double seconds)
{
    h->idle_s = seconds;
    h->idle_check.repeat = seconds / LOOKS;
    if (h->connections)
        ev_timer_again(h->loop, &h->idle_check);
}

void idle_init(struct httpd *h, double seconds)
{
    ev_init(&h->idle_check, on_idle_check);
    h->idle_check.data = h;
    httpd_set_idle(h, seconds);
}
