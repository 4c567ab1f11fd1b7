/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a request is answered (at once, later, as a stream, as a plain socket) and what it says. What
 * the fast path does not send is queued by httpd.c in the run in which libmicrohttpd asks for it,
 * for which the connection is resumed. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "api/httpd_internal.h"
#include "base/mem.h"

/* ---- answers ---- */

static void request_answer(struct request *r, int status, struct MHD_Response *response)
{
    r->status = status;
    r->response = response;
    r->gone = NULL;
    r->phase = ANSWERED;
    request_unwatch(r);
    request_resume(r);
    if (!r->conn)
        fast_leave(r->connection);
}

/* An answer whose body is memory that was taken over, and some bytes of others. */
enum { TAKEN_PIECES = 16 };
struct taken {
    struct buf memory;
    struct MHD_IoVec iov[TAKEN_PIECES];
    char others[];
};

static void taken_free(void *cls)
{
    struct taken *t = cls;

    buf_fini(&t->memory);
    free(t);
}

static bool is_in(const struct buf *memory, const char *p)
{
    return p >= memory->data && p < memory->data + memory->len;
}

static struct MHD_Response *taken_response(const struct buf *memory, const struct iovec *body,
                                           int count)
{
    size_t others = 0;

    for (int i = 0; i < count; i++)
        others += is_in(memory, body[i].iov_base) ? 0 : body[i].iov_len;
    struct taken *t = xmalloc(sizeof *t + others);
    char *at = t->others;
    t->memory = *memory;
    for (int i = 0; i < count; i++) {
        size_t n = body[i].iov_len;
        const char *p = body[i].iov_base;
        if (!is_in(memory, p)) {
            if (n)       /* an empty piece may be NULL */
                memcpy(at, p, n);
            p = at;
            at += n;
        }
        t->iov[i] = (struct MHD_IoVec){p, n};
    }
    return MHD_create_response_from_iovec(t->iov, (unsigned)count, taken_free, t);
}

static struct MHD_Response *copied_response(size_t n, const struct iovec *body, int count)
{
    char *bytes = xmalloc(n + 1), *at = bytes;

    for (int i = 0; i < count; at += body[i++].iov_len)
        if (body[i].iov_len)
            memcpy(at, body[i].iov_base, body[i].iov_len);
    return MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);
}

/* Copying tens of megabytes would be a long turn. */
static struct MHD_Response *body_response(size_t n, const struct iovec *body, int count)
{
    struct buf memory;

    for (int i = 0; n >= LARGE_BYTES && count <= TAKEN_PIECES && i < count; i++)
        if (body[i].iov_len >= LARGE_BYTES && large_take(body[i].iov_base, &memory))
            return taken_response(&memory, body, count);
    return copied_response(n, body, count);
}

void request_reply(struct request *r, int status, const char *content_type,
                   const struct reply_header *headers, const struct iovec *body, int count)
{
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += body[i].iov_len;
    if (!r->conn && fast_reply(r, status, content_type, headers, body, count, n))
        return;
    struct MHD_Response *response = body_response(n, body, count);
    if (content_type)
        MHD_add_response_header(response, "Content-Type", content_type);
    for (; headers && headers->name; headers++)
        MHD_add_response_header(response, headers->name, headers->value);
    request_owe(r, n);
    request_answer(r, status, response);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *out, size_t max)
{
    struct http_stream *s = cls;

    (void)pos;
    if (s->out.n == 0 && !s->ended && s->events.drained)
        s->events.drained(s->ctx);
    if (s->out.n == 0 && s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->out.n == 0) {
        /* Returning 0 without suspending would spin. */
        request_suspend(s->r);
        return 0;
    }
    size_t n;
    const char *p = outbuf_peek(&s->out, &n);
    if (n > max)
        n = max;
    memcpy(out, p, n);
    outbuf_advance(&s->out, n);
    connection_moved(s->r->connection);
    s->r->listener->dirty = true; /* what was taken is sent in the next run, or there is more */
    s->r->listener->still_runs = 0;
    return (ssize_t)n;
}

static void stream_released(void *cls)
{
    struct http_stream *s = cls;

    if (s->events.closed)
        s->events.closed(s->ctx);
    if (s->r)
        s->r->stream = NULL;
    outbuf_fini(&s->out);
    free(s);
}

struct http_stream *request_stream(struct request *r, const char *content_type,
                                   const struct reply_header *headers,
                                   const struct http_stream_events *events, void *ctx)
{
    struct http_stream *s = xcalloc(1, sizeof *s);

    s->r = r;
    s->events = *events;
    s->ctx = ctx;
    r->stream = s;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, 16 * 1024, stream_read, s, stream_released);
    MHD_add_response_header(response, "Content-Type", content_type);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    for (; headers && headers->name; headers++)
        MHD_add_response_header(response, headers->name, headers->value);
    request_answer(r, 200, response);
    return s;
}

size_t http_stream_writev(struct http_stream *s, const struct iovec *iov, int count)
{
    if (s->ended || !s->r)
        return 0;
    outbuf_add(&s->out, iov, count, 0);
    request_resume(s->r);
    return s->out.n;
}

size_t http_stream_write(struct http_stream *s, const char *p, size_t n)
{
    return http_stream_writev(s, &(struct iovec){(void *)(uintptr_t)p, n}, 1);
}

size_t http_stream_queued(const struct http_stream *s)
{
    return s->out.n;
}

void http_stream_close(struct http_stream *s)
{
    s->events = (struct http_stream_events){0};
    s->ended = true;
    if (s->r)
        request_resume(s->r);
}

void http_stream_drop(struct http_stream *s)
{
    outbuf_fini(&s->out);
    http_stream_close(s);
}

static void on_upgrade(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
                       size_t n, MHD_socket sock, struct MHD_UpgradeResponseHandle *handle)
{
    struct upgraded *u = cls;

    (void)conn, (void)con_cls;
    u->handle = handle;
    u->r->upgraded = NULL;
    u->r->connection->upgraded = true;
    fcntl(sock, F_SETFL, fcntl(sock, F_GETFL) | O_NONBLOCK);
    u->open(u->ctx, u, sock, extra, n);
}

void request_upgrade(struct request *r, const char *protocol,
                     void (*open)(void *ctx, struct upgraded *u, int fd, const char *extra,
                                  size_t n),
                     void *ctx)
{
    struct upgraded *u = xcalloc(1, sizeof *u);

    r->upgraded = u;
    u->r = r;
    u->open = open;
    u->ctx = ctx;
    struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgrade, u);
    MHD_add_response_header(response, "Upgrade", protocol);
    request_answer(r, MHD_HTTP_SWITCHING_PROTOCOLS, response);
}

void upgraded_close(struct upgraded *u)
{
    u->r->listener->dirty = true;
    MHD_upgrade_action(u->handle, MHD_UPGRADE_ACTION_CLOSE);
    free(u);
}

/* ---- what a request says ---- */

enum request_via request_get_via(const struct request *r)
{
    return r->listener->via;
}

const char *request_get_method(const struct request *r)
{
    return r->method;
}

const char *request_get_path(const struct request *r)
{
    return r->path;
}

const char *request_get_header(const struct request *r, const char *name)
{
    if (r->conn)
        return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
    return r->head ? http_head_get(r->head, name) : NULL;
}

const char *request_get_query(const struct request *r, const char *name)
{
    const char *value = NULL;
    size_t n = 0;

    if (!r->conn || MHD_lookup_connection_value_n(r->conn, MHD_GET_ARGUMENT_KIND, name,
                                                  strlen(name), &value, &n) != MHD_YES)
        return NULL;
    return value ? value : "";
}

const char *request_get_body(const struct request *r, size_t *ret_n)
{
    *ret_n = r->body.len;
    return buf_str(&r->body);
}

void request_set_gone(struct request *r, void (*gone)(void *ctx, struct request *r), void *ctx)
{
    r->gone = gone;
    r->gone_ctx = ctx;
}
