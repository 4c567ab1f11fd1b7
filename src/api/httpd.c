/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The life of a request between libmicrohttpd and the handler: it comes in, is handled, waits, is
 * answered, or its client leaves. Each listener is a daemon of libmicrohttpd's of its own, which
 * httpd_run.c runs. Calls mostly come by the fast path (httpd_fast.c) instead.
 *
 * The connection of a request that waits is suspended. libmicrohttpd does not poll those: a timer
 * looks for clients that went away (POLLRDHUP), and runs only while a request is watched so.
 * Nothing here knows what a request means. */
#include "api/httpd_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/tcp_listen.h"

enum {
    /* Per connection: the head must fit, a body need not; it is cleared after every request. */
    POOL_BYTES = 16 * 1024,
    IDLE_SECONDS = 600, /* a connection on which nothing moves */
    BODIES_MAX = 256 << 20, /* of all requests together */
    ANSWERS_MAX = 256 << 20, /* the same of what clients have yet to read, streams excepted */
};
static const double GONE_CHECK_S = 0.25;

/* ---- requests that stand ---- */

void request_watch(struct request *r)
{
    struct httpd *h = r->listener->h;

    if (r->watched)
        return;
    r->watched = 1;
    if (h->watched++ == 0)
        ev_timer_again(h->loop, &h->gone_check);
}

void request_unwatch(struct request *r)
{
    struct httpd *h = r->listener->h;

    if (r->watched && --h->watched == 0)
        ev_timer_stop(h->loop, &h->gone_check);
    r->watched = 0;
}

void request_suspend(struct request *r)
{
    MHD_suspend_connection(r->conn);
    r->suspended = true;
    request_watch(r);
}

void request_resume(struct request *r)
{
    if (!r->suspended)
        return;
    r->suspended = false;
    request_unwatch(r);
    MHD_resume_connection(r->conn);
    r->listener->dirty = true;
}

static int request_fd(const struct request *r)
{
    return r->connection ? r->connection->fd : -1;
}

/* Those who read get theirs and are gone from here soon, so the oldest is the one who does not. */
void request_owe(struct request *r, size_t n)
{
    struct httpd *h = r->listener->h;
    struct request *oldest = r;

    r->answer_bytes = n;
    h->answer_bytes += n;
    if (h->answer_bytes <= ANSWERS_MAX)
        return;
    for (struct request *other = r->next; other; other = other->next)
        if (other->answer_bytes > 0)
            oldest = other;
    if (oldest == r)
        return;
    log_info("api", "a client that does not read its answer of %zu bytes is cut",
             oldest->answer_bytes);
    h->answer_bytes -= oldest->answer_bytes;
    oldest->answer_bytes = 0;
    shutdown(request_fd(oldest), SHUT_RDWR);     /* who serves it finds it closed */
}

/* The client went away while we kept it waiting. */
static void request_abort(struct request *r)
{
    void (*gone)(void *, struct request *) = TAKE(r->gone);

    if (r->phase == WAITING) {
        r->phase = ABORTED;
        if (gone)
            gone(r->gone_ctx, r);
    } else if (r->stream) {
        r->stream->ended = true;
        outbuf_fini(&r->stream->out);
    }
    request_resume(r);
    if (!r->conn)
        shutdown(request_fd(r), SHUT_RDWR);      /* httpd_fast.c is told, and ends both */
    request_unwatch(r);
    r->found_gone = false;
}

static void on_gone_check(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct httpd *h = w->data;
    size_t n = 0, cap = h->watched;
    AUTO_FREE struct pollfd *fds = xcalloc(cap + 1, sizeof *fds);
    AUTO_FREE struct request **who = xcalloc(cap + 1, sizeof(struct request *));

    (void)loop, (void)revents;
    for (struct request *r = h->open; r && n < cap; r = r->next) {
        if (r->watched == 0 || r->watched++ == 1)
            continue;
        fds[n] = (struct pollfd){.fd = request_fd(r), .events = POLLRDHUP};
        who[n++] = r;
    }
    if (poll(fds, n, 0) <= 0)
        return;
    for (size_t i = 0; i < n; i++)
        who[i]->found_gone = fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL);
    /* The end of one can be the answer to others, and with that theirs. */
    for (struct request *r = h->open; r; r = r->next)
        if (r->found_gone)
            request_abort(r);
}

/* ---- the life of a request ---- */

struct request *request_new(struct http_connection *c, const char *method, const char *path)
{
    size_t own_n = c->conn ? 0 : strlen(path) + 1;
    struct request *r = xcalloc(1, sizeof *r + own_n);
    struct httpd *h = c->listener->h;

    r->listener = c->listener;
    r->conn = c->conn;
    r->method = method;
    r->path = own_n ? memcpy(r->own_path, path, own_n) : path;
    r->connection = c;
    c->r = r;
    connection_moved(c);
    r->next = h->open;
    if (h->open)
        h->open->prev = r;
    h->open = r;
    return r;
}

static void body_drop(struct request *r)
{
    r->listener->h->body_bytes -= r->body.len;
    buf_fini(&r->body);
    large_leave(&r->large);
}

void request_free(struct request *r)
{
    struct httpd *h = r->listener->h;

    if (r->prev)
        r->prev->next = r->next;
    else
        h->open = r->next;
    if (r->next)
        r->next->prev = r->prev;
    request_unwatch(r);
    if (r->response)
        MHD_destroy_response(r->response);
    if (r->stream)
        r->stream->r = NULL;
    if (r->upgraded) {
        r->upgraded->open(r->upgraded->ctx, NULL, -1, NULL, 0);
        free(r->upgraded);
    }
    body_drop(r);
    h->answer_bytes -= r->answer_bytes;
    if (r->connection) {
        r->connection->r = NULL;
        connection_moved(r->connection);
    }
    free(r);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct request *r = *con_cls;

    (void)cls, (void)conn, (void)why;
    *con_cls = NULL;
    if (!r)
        return;
    r->listener->still_runs = 0;
    /* This run may have been told of the client's next request already: one run more. */
    r->listener->dirty = true;
    if (r->phase == WAITING && r->gone)
        r->gone(r->gone_ctx, r);
    request_free(r);
}

static enum MHD_Result request_queue(struct request *r)
{
    struct MHD_Response *response = TAKE(r->response);

    r->listener->dirty = true;         /* it is sent in the next run */
    enum MHD_Result ok = MHD_queue_response(r->conn, (unsigned)r->status, response);
    MHD_destroy_response(response);
    return ok;
}

static struct MHD_Response *plain_text(const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    MHD_add_response_header(response, "Content-Type", "application/json");
    return response;
}

/* Refused before its body: the connection ends after the answer. */
static enum MHD_Result request_refuse(struct request *r, int status, const char *text)
{
    r->status = status;
    r->phase = ANSWERED;
    r->response = plain_text(text);
    return request_queue(r);
}

static enum MHD_Result request_begin(struct http_connection *c, const char *url,
                                     const char *method, void **con_cls)
{
    const char *text = NULL;
    char scratch[1024];

    *con_cls = c->r;
    if (c->r) {                /* from the fast path, and answered there */
        c->r->conn = c->conn;
        return MHD_YES;
    }
    struct request *r = request_new(c, method, url);
    struct httpd *h = c->listener->h;
    *con_cls = r;
    int status = h->events.admit(h->ctx, r, scratch, sizeof scratch, &text);
    return status ? request_refuse(r, status, text) : MHD_YES;
}

/* What is over the limit is read and dropped: the connection stays usable. */
static void body_keep(struct request *r, const char *p, size_t n)
{
    struct httpd *h = r->listener->h;

    if (r->body.len + n > h->max_body)
        r->too_big = true;
    else if (h->body_bytes + n > BODIES_MAX)
        r->no_room = true;
    if (r->too_big || r->no_room) {
        body_drop(r);
        return;
    }
    buf_add(&r->body, p, n);
    h->body_bytes += n;
    large_look(&r->large, r->body.data, r->body.len);
}

static void request_body(struct request *r, const char *p, size_t n)
{
    if (r->phase == RECEIVING)
        body_keep(r, p, n);
    connection_moved(r->connection);
    r->came_bytes += n;
    if (r->came_bytes >= POOL_BYTES / 8)
        /* It may have filled the buffer, and then no event tells of the rest. */
        r->listener->dirty = true;
}

/* Whoever keeps the body takes it over, if it is large. */
static void request_handle(struct request *r)
{
    struct httpd *h = r->listener->h;
    size_t was = r->body.len;

    r->phase = HANDLING;
    large_enter(r->large, &r->body);
    h->events.handle(h->ctx, r);
    large_leave(&r->large);
    h->body_bytes -= was - r->body.len;
    if (r->phase != HANDLING)
        return;
    r->phase = WAITING;
    request_suspend(r);
}

/* An error of the API and one of JSON-RPC: MCP's clients look for that. */
static enum MHD_Result refuse_size(struct request *r)
{
    AUTO_FREE char *why = xasprintf("the body is larger than %zu bytes: max_message_size of the "
                                    "configuration is the limit", r->listener->h->max_body);
    AUTO_FREE char *text = xasprintf("{\"success\":false,\"error\":\"%s\"}", why);
    AUTO_FREE char *rpc = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,"
                                    "\"message\":\"%s\"}}", why);
    return request_refuse(r, 413, strncmp(r->path, "/mcp", 4) ? text : rpc);
}

static enum MHD_Result request_complete(struct request *r)
{
    if (r->phase == RECEIVING) {
        if (r->too_big)
            return refuse_size(r);
        if (r->no_room)
            return request_refuse(r, 503,
                                  "{\"success\":false,\"error\":\"the bodies of all requests "
                                  "together are over 256 MiB: try again in a moment\"}");
        request_handle(r);
    }
    if (r->phase == ABORTED)
        return MHD_NO;
    return r->response ? request_queue(r) : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **con_cls)
{
    struct request *r = *con_cls;
    struct listener *l = cls;

    (void)version;
    l->still_runs = 0;
    if (!r)
        return request_begin(
            MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context,
            url, method, con_cls);
    if (*size) {
        request_body(r, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return request_complete(r);
}

/* Percent-decoding is ours: a server's name may hold an encoded slash, which must not become a path
 * separator. */
static size_t keep_as_sent(void *cls, struct MHD_Connection *conn, char *s)
{
    (void)cls, (void)conn;
    return strlen(s);
}

/* ---- listeners ---- */

static int listener_start(struct httpd *h, struct listener *l, enum request_via via, int fd,
                          struct fault *f)
{
    l->h = h;
    l->via = via;
    l->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                                     MHD_USE_NO_LISTEN_SOCKET, 0,
                                 NULL, NULL, on_request, l,
                                 MHD_OPTION_NOTIFY_COMPLETED, on_completed, l,
                                 MHD_OPTION_UNESCAPE_CALLBACK, keep_as_sent, NULL,
                                 MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTION_LIMIT,
                                 MHD_OPTION_NOTIFY_CONNECTION, connection_on_notice, l,
                                 MHD_OPTION_END);
    if (!l->daemon) {
        close(fd);
        return fault_set(f, EIO, "start the HTTP server");
    }
    connections_accept(l, fd);
    run_listener(l);
    return 0;
}

static void listener_stop(struct listener *l)
{
    unix_listen_remove(&l->at);
    if (!l->daemon)
        return;
    connections_accept_stop(l);
    run_listener_stop(l);
    MHD_stop_daemon(l->daemon);
    l->daemon = NULL;
}

int httpd_listen_unix(struct httpd *h, const char *path, struct fault *f)
{
    int fd = unix_listen_open(&h->unix_listener.at, path, f);
    return fd < 0 ? -1 : listener_start(h, &h->unix_listener, VIA_UNIX, fd, f);
}

int httpd_listen_tcp(struct httpd *h, const char *address, struct fault *f)
{
    int port;
    int fd = tcp_listen_open(address, &port, f);

    if (fd < 0 || listener_start(h, &h->tcp_listener, VIA_TCP, fd, f) < 0)
        return -1;
    h->tcp_port = port;
    return 0;
}

int httpd_get_tcp_port(const struct httpd *h)
{
    return h->tcp_port;
}

struct httpd *httpd_new(struct ev_loop *loop, size_t max_body_bytes,
                        const struct httpd_events *events, void *ctx)
{
    struct httpd *h = xcalloc(1, sizeof *h);

    h->loop = loop;
    h->events = *events;
    h->ctx = ctx;
    h->max_body = max_body_bytes;
    h->unix_listener.fd = h->tcp_listener.fd = -1;
    run_init(h);
    connections_init(h);
    fast_init(h);
    ev_init(&h->gone_check, on_gone_check);
    h->gone_check.repeat = GONE_CHECK_S;
    h->gone_check.data = h;
    idle_init(h, IDLE_SECONDS);
    return h;
}

void httpd_set_max_body(struct httpd *h, size_t max_body_bytes)
{
    h->max_body = max_body_bytes;
}

void httpd_free(struct httpd *h)
{
    if (!h)
        return;
    /* libmicrohttpd wants nothing suspended when it stops; what waits is told so by the abort. */
    for (struct request *r = h->open; r; r = r->next)
        request_abort(r);
    fast_fini(h);
    listener_stop(&h->tcp_listener);
    listener_stop(&h->unix_listener);
    ev_prepare_stop(h->loop, &h->prepare);
    ev_timer_stop(h->loop, &h->gone_check);
    ev_timer_stop(h->loop, &h->idle_check);
    ev_timer_stop(h->loop, &h->accept_pause);
    free(h);
}
