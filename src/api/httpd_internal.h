/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What these share: httpd.c (listeners, the life of a request), httpd_connection.c (connections
 * come and go), httpd_fast.c (the fast path), httpd_run.c (libmicrohttpd on the loop),
 * httpd_answer.c (how a request is answered, what it says), httpd_idle.c (connections on which
 * nothing moves). */
#ifndef MCPTOP_API_HTTPD_INTERNAL_H
#define MCPTOP_API_HTTPD_INTERNAL_H

#include <microhttpd.h>
#include <time.h>

#include "api/http_head.h"
#include "api/httpd.h"
#include "base/buf.h"
#include "base/large.h"
#include "base/outbuf.h"
#include "io/unix_listen.h"

enum {
    CONNECTION_LIMIT = 4096,
    FAST_REQUEST_MAX = 32 * 1024,  /* head and body; a larger one is libmicrohttpd's */
};

struct listener {
    struct httpd *h;
    struct MHD_Daemon *daemon;
    enum request_via via;
    int fd;                        /* listens; -1 = not */
    ev_io acceptable;
    size_t connections;            /* of its clients */
    ev_io readable;
    ev_timer timeout;
    unsigned still_runs;           /* of libmicrohttpd, since a request moved or all was done */
    bool dirty;                    /* has work that no event of its epoll descriptor tells */
    struct unix_listen at;         /* of the unix socket */
};

struct http_connection {
    struct listener *listener;
    struct MHD_Connection *conn;   /* NULL while it is on the fast path */
    int fd;                        /* libmicrohttpd's once that has it */
    struct request *r;             /* that is under way; or NULL */
    bool upgraded;
    int64_t moved_ms;              /* when something did last; clock_coarse_ms() */
    int unread;                    /* of what was sent, at the last look */
    size_t request_n;              /* bytes of r, which lie in the socket until it is answered */
    bool has_next;                 /* something came behind r */
    bool half_closed;              /* its client has ended its side */
    unsigned partial;              /* looks of partial_check at a request in part; from 1 */
    bool leaving;                  /* for libmicrohttpd, when the turn is over */
    struct http_connection *next_leaving;
    struct outbuf rest;            /* of the answer: it did not fit the socket */
    struct http_connection *next, *prev;
};

struct fast_path {                 /* httpd_fast.c */
    int epoll_fd;
    ev_io readable;
    struct http_connection *leaving;
    ev_timer partial_check;        /* runs while requests are there in part */
    char input[FAST_REQUEST_MAX + 2];    /* of the client being read: what its socket holds */
    struct buf out;                /* the answer being made */
    char begin[128];               /* of an answer with this status in this second */
    int begin_status;
    time_t begin_s;
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
    ev_timer accept_pause;         /* runs after the system refused another descriptor */
    bool refused;                  /* it has done so, and it was told */
    struct fast_path fast;
    struct http_connection *handed_over;     /* to libmicrohttpd right now */
    bool ends_untold;              /* some were half closed then */
    double idle_s;
    ev_timer idle_check;           /* runs while there are any */
    struct request *open;          /* every request between its head and its end */
    size_t watched;                /* of them, those that are */
    size_t answer_bytes;           /* of their answers; see request_owe */
};

enum request_phase { RECEIVING, HANDLING, WAITING, ANSWERED, ABORTED };

struct request {
    struct listener *listener;
    struct MHD_Connection *conn;   /* NULL while it is on the fast path */
    struct http_connection *connection;      /* NULL when it is gone before */
    const char *path, *method;     /* as long as the request */
    const struct http_head *head;  /* on the fast path, while it is being handled */
    struct buf body;               /* on the fast path not owned */
    struct large *large;           /* what is known of it */
    size_t came_bytes;             /* of its body, kept or not */
    bool too_big, no_room;
    enum request_phase phase;
    bool suspended;
    unsigned watched;              /* its client may be gone: looks of httpd.gone_check; from 1 */
    bool found_gone;               /* it has, in this look */
    int status;
    struct MHD_Response *response; /* made, not queued yet */
    size_t answer_bytes;           /* counted in the sum of all */
    struct http_stream *stream;
    struct upgraded *upgraded;     /* asked for, not opened yet */
    void (*gone)(void *ctx, struct request *r);
    void *gone_ctx;
    struct request *next, *prev;
    char own_path[];               /* on the fast path */
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

/* path is kept as a pointer, or, where the connection is on the fast path, copied. */
struct request *request_new(struct http_connection *c, const char *method, const char *path);
void request_free(struct request *r);
/* From now on it is found soon if its client is gone: at the second look, for one that has only
 * said all it wanted to may still get its answer. */
void request_watch(struct request *r);
void request_unwatch(struct request *r);
/* Takes the connection out of libmicrohttpd's hands until it is resumed. Not twice. */
void request_suspend(struct request *r);
/* Nothing happens to one that is not suspended. */
void request_resume(struct request *r);
/* Its answer, n bytes, waits for its reader. */
void request_owe(struct request *r, size_t n);

/* httpd_run.c: from now on the loop runs dirty listeners; this one, whose daemon has started. */
void run_init(struct httpd *h);
void run_listener(struct listener *l);
void run_listener_stop(struct listener *l);

/* httpd_connection.c: accepts from now on. */
void connections_init(struct httpd *h);
void connections_accept(struct listener *l, int fd);
void connections_accept_stop(struct listener *l);
/* and its request, if libmicrohttpd has not got it */
void connection_free(struct http_connection *c);
/* From the fast path to libmicrohttpd, which reads what the socket holds; with a request whose
 * answer is made. c may be gone after that. */
void connection_hand_over(struct http_connection *c);
/* libmicrohttpd has read what those who were half closed had sent, and was told of their end by the
 * same event: it looks for that only at another one. */
void connections_tell_ends(struct httpd *h);
void connection_on_notice(void *cls, struct MHD_Connection *conn, void **socket_context,
                          enum MHD_ConnectionNotificationCode code);

/* httpd_fast.c */
void fast_init(struct httpd *h);
void fast_fini(struct httpd *h);
/* false: the system has no room for it there */
bool fast_add(struct http_connection *c);
/* Sends a small answer; false: this one is for libmicrohttpd. */
bool fast_reply(struct request *r, int status, const char *content_type,
                const struct reply_header *headers, const struct iovec *body, int count, size_t n);
/* libmicrohttpd is to read what its socket holds, and send the answer if there is one. */
void fast_leave(struct http_connection *c);
/* Those that leave go now; outside of everybody's callbacks. */
void fast_hand_over(struct httpd *h);

/* httpd_idle.c: something moved on it. */
void connection_moved(struct http_connection *c);
void idle_init(struct httpd *h, double seconds);

#endif
