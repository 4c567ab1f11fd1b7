/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What these share: httpd.c (listeners, the life of a request), httpd_run.c (libmicrohttpd on the
 * loop), httpd_answer.c (how a request is answered, what it says), httpd_idle.c (connections on
 * which nothing moves). */
#ifndef MCPTOP_API_HTTPD_INTERNAL_H
#define MCPTOP_API_HTTPD_INTERNAL_H

#include <microhttpd.h>

#include "api/httpd.h"
#include "base/buf.h"
#include "base/large.h"
#include "base/outbuf.h"
#include "io/unix_listen.h"

struct listener {
    struct httpd *h;
    struct MHD_Daemon *daemon;
    enum request_via via;
    ev_io readable;
    ev_timer timeout;
    ev_timer patience;             /* ticks while somebody waits unsuspended */
    unsigned ticks;                /* ever */
    size_t unsuspended;            /* requests that wait so */
    bool crowded;                  /* too many do: they are suspended in this run */
    bool running;                  /* inside libmicrohttpd */
    struct request *queueing;      /* from outside of it; NULL again when that ended the request */
    unsigned runs;                 /* of libmicrohttpd, ever */
    unsigned still_runs;           /* those since a request moved or all was done */
    size_t fresh[2];               /* answers queued since this run and since the one before began,
                                    * that are not through */
    bool dirty;                    /* has work that no event of its epoll descriptor tells */
    struct unix_listen at;         /* of the unix socket */
};

struct http_connection {       /* httpd_idle.c */
    struct httpd *h;
    struct MHD_Connection *conn;
    int fd;                        /* libmicrohttpd's */
    struct request *r;             /* that is under way; or NULL */
    bool upgraded;
    int64_t moved_ms;              /* when something did last; clock_coarse_ms() */
    int unread;                    /* of what was sent, at the last look */
    struct http_connection *next, *prev;
};

struct httpd {
    struct ev_loop *loop;
    struct httpd_events events;
    void *ctx;
    size_t max_body, body_bytes;   /* of one request; what all hold now */
    struct listener unix_listener, tcp_listener;
    int tcp_port;
    ev_prepare prepare;
    ev_timer gone_check;
    struct http_connection *connections;
    double idle_s;
    ev_timer idle_check;           /* runs while there are any */
    struct request *open;          /* every request between its head and its end */
    size_t waiting;                /* of them, suspended ones */
    size_t answer_bytes;           /* of their answers; see request_owe */
};

enum request_phase { RECEIVING, HANDLING, WAITING, ANSWERED, ABORTED };

struct request {
    struct listener *listener;
    struct MHD_Connection *conn;
    struct http_connection *connection;      /* NULL when it is gone before */
    const char *path, *method;     /* libmicrohttpd's, as long as the request */
    struct buf body;
    struct large *large;           /* what is known of it */
    size_t came_bytes;             /* of its body, kept or not */
    bool too_big, no_room;
    enum request_phase phase;
    bool suspended, was_suspended;
    bool unsuspended;              /* WAITING, and counted so by the listener */
    unsigned waits_since;          /* the listener's tick */
    int status;
    struct MHD_Response *response; /* made, not queued yet */
    size_t answer_bytes;           /* counted in the sum of all */
    unsigned queued_in;            /* the listener's last run then; 0 = not queued */
    struct http_stream *stream;
    struct upgraded *upgraded;     /* asked for, not opened yet */
    void (*gone)(void *ctx, struct request *r);
    void *gone_ctx;
    struct request *next, *prev;
};

struct http_stream {
    struct request *r;             /* NULL once libmicrohttpd let go of the connection */
    struct outbuf out;
    bool ended;
    struct http_stream_events events;
    void *ctx;
};

struct upgraded {
    struct request *r;
    struct MHD_UpgradeResponseHandle *handle;
    void (*open)(void *ctx, struct upgraded *u, int fd, const char *extra, size_t n);
    void *ctx;
};

/* Takes the connection out of libmicrohttpd's hands until it is resumed. Not twice. */
void request_suspend(struct request *r);
/* Nothing happens to one that is not suspended. */
void request_resume(struct request *r);
/* Its answer, n bytes, waits for its reader. */
void request_owe(struct request *r, size_t n);
/* It waits no longer: the listener's count of those that wait unsuspended. */
void request_end_wait(struct request *r);
/* Outside of libmicrohttpd's callbacks: hands r->response to it. This can be the end of r. */
void request_queue_outside(struct request *r);

/* httpd_run.c: from now on the loop runs dirty listeners; this one, whose daemon has started. */
void run_init(struct httpd *h);
void run_listener(struct listener *l);
void run_listener_stop(struct listener *l);

/* httpd_idle.c: something moved on it; libmicrohttpd's MHD_OPTION_NOTIFY_CONNECTION. */
void connection_moved(struct http_connection *c);
void idle_on_connection(void *cls, struct MHD_Connection *conn, void **socket_context,
                        enum MHD_ConnectionNotificationCode code);
void idle_init(struct httpd *h, double seconds);

#endif
