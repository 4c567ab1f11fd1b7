/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP server: libmicrohttpd on the loop, with a fast path for calls; one handler for all
 * requests. Only httpd*.c know libmicrohttpd.
 *
 * A request reaches the handler once its whole body is in. It is answered exactly once, at once or
 * later, by one of request_reply, request_stream or request_upgrade; the request must not be
 * touched after that. When the client goes away before the answer, `gone` comes (once) and the
 * request must not be touched any more either. */
#ifndef MCPTOP_API_HTTPD_H
#define MCPTOP_API_HTTPD_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>
#include "base/fault.h"

struct httpd;
struct request;

enum request_via { VIA_UNIX, VIA_TCP };

struct httpd_events {
    /* The head is in, the body is not: 0 = go on, or an HTTP status and *ret_text (static or in
     * `scratch`) to refuse it before a body is read. */
    int (*admit)(void *ctx, const struct request *r, char *scratch, size_t scratch_n,
                 const char **ret_text);
    void (*handle)(void *ctx, struct request *r);
};

struct httpd *httpd_new(struct ev_loop *loop, size_t max_body_bytes,
                        const struct httpd_events *events, void *ctx);
/* From now on; a body that is being read, too. */
void httpd_set_max_body(struct httpd *h, size_t max_body_bytes);
/* A connection on which nothing moves for so long is ended, from now on; 600 unless set. Requests
 * that wait for their answer and streams that have nothing to say may stand. */
void httpd_set_idle(struct httpd *h, double seconds);
/* waiting requests and streams get `gone` / `closed` */
void httpd_free(struct httpd *h);
/* 0600, replaces an old socket; peers of another uid are refused */
int httpd_listen_unix(struct httpd *h, const char *path, struct fault *f);
/* "127.0.0.1:8080", "[::1]:0"; f->code EADDRINUSE … */
int httpd_listen_tcp(struct httpd *h, const char *address, struct fault *f);
int httpd_get_tcp_port(const struct httpd *h);    /* 0 = none */

/* Method and path are there for as long as the request, all else that it says until the handler
 * returns. */
enum request_via request_get_via(const struct request *r);
const char *request_get_method(const struct request *r);
/* as sent: percent-encoded, no query */
const char *request_get_path(const struct request *r);
/* as sent: percent-encoded; NULL = absent, "" = no value */
const char *request_get_query(const struct request *r, const char *name);
const char *request_get_header(const struct request *r, const char *name);
/* NUL-terminated; "" when none */
const char *request_get_body(const struct request *r, size_t *ret_n);
/* One pointer of the handler's own, e.g. the call it waits for. */
void request_set_gone(struct request *r, void (*gone)(void *ctx, struct request *r), void *ctx);

struct reply_header { const char *name, *value; };
/* headers may be NULL; ends with a NULL name. The body is copied, but for a large message that is
 * being handled (base/large.h): its memory is taken over. */
void request_reply(struct request *r, int status, const char *content_type,
                   const struct reply_header *headers, const struct iovec *body, int count);

/* An answer without an end: server-sent events. headers as for request_reply. */
struct http_stream;
struct http_stream_events {
    /* all queued bytes were taken; the callee may write more now. May be NULL */
    void (*drained)(void *ctx);
    /* the client is gone; the stream must not be touched any more. Once */
    void (*closed)(void *ctx);
};
struct http_stream *request_stream(struct request *r, const char *content_type,
                                   const struct reply_header *headers,
                                   const struct http_stream_events *events, void *ctx);
/* Queues bytes; returns how many are unsent now, so that the caller can bound it. */
size_t http_stream_write(struct http_stream *s, const char *p, size_t n);
size_t http_stream_writev(struct http_stream *s, const struct iovec *iov, int count);
size_t http_stream_queued(const struct http_stream *s);
void http_stream_close(struct http_stream *s);    /* ends it; `closed` does not come */
void http_stream_drop(struct http_stream *s);     /* the same, and what is queued is not sent */

/* The connection becomes a plain socket (101). open comes once: with the descriptor (non-blocking,
 * owned by httpd) and the bytes that were read already, to be given back by upgraded_close; or with
 * u NULL when the client was gone before. */
struct upgraded;
void request_upgrade(struct request *r, const char *protocol,
                     void (*open)(void *ctx, struct upgraded *u, int fd, const char *extra,
                                  size_t n),
                     void *ctx);
void upgraded_close(struct upgraded *u);

#endif
