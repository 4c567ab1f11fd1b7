/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP/1.1 requests on the loop (libcurl's multi interface on libev): Docker Engine and, from the
 * view and the verbs, the supervisor. One http_client per loop; connections are kept alive and
 * reused per socket. Proxies, redirects, cookies and ~/.netrc play no part. */
#ifndef MCPTOP_IO_HTTP_CLIENT_H
#define MCPTOP_IO_HTTP_CLIENT_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/fault.h"

struct http_client;
struct http_client *http_client_new(struct ev_loop *loop);
/* running requests end without events; NULL is fine; not from `data` */
void http_client_free(struct http_client *h);

struct ev_loop *http_client_get_loop(const struct http_client *h);

struct http_peer {
    const char *unix_socket;    /* path, or NULL for TCP */
    /* what stands in the URL and Host header: "localhost", "127.0.0.1:8080" */
    const char *host;
};

struct http_spec {
    struct http_peer peer;
    const char *method;         /* "GET" … */
    const char *path;           /* "/v1.41/containers/json?all=1" */
    const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
    /* copied; NULL = none; its type is application/json unless headers say otherwise */
    const char *body;
    size_t body_len;
    int64_t connect_timeout_ms; /* 0 = 5 s */
    int64_t total_timeout_ms;   /* 0 = 30 s; -1 = none (event streams, pulls) */
    int64_t idle_timeout_ms;    /* 0 = none: no byte for so long ends it with FAULT_TIMEOUT */
    size_t max_body;            /* cap of the collected body; 0 = 16 MiB; beyond it FAULT_TOO_BIG */
    bool stream;                /* body through `data` instead of collected */
};

struct http_reply {
    long status;                /* HTTP status; 0 when there was none */
    const char *body;           /* collected; NUL-terminated; valid during the call */
    size_t body_len;
    int64_t date_s;             /* the peer's clock (its Date header, Unix time); 0 = none came */
};

struct http_events {
    /* with spec.stream and a 2xx status; error bodies are collected */
    void (*data)(void *ctx, const char *p, size_t n);
    /* Once; the last event. r is never NULL. f: NULL when a whole HTTP reply came (of any status),
     * else why none did: the errno of a failed connect (ENOENT, EACCES, ECONNREFUSED …), ECONNRESET
     * when the connection broke before the reply was whole, FAULT_TIMEOUT, FAULT_TOO_BIG,
     * FAULT_INVALID (not HTTP). The text names method, path and peer. */
    void (*done)(void *ctx, const struct http_reply *r, const struct fault *f);
};

struct http_request;
/* Never calls back before it returned. spec and its strings may go afterwards. */
struct http_request *http_send(struct http_client *h, const struct http_spec *spec,
                               const struct http_events *events, void *ctx);
/* no event any more; NULL is fine; not from its own `done` */
void http_cancel(struct http_request *r);

/* Only connects to spec.peer within connect_timeout_ms. The descriptor is the callee's; -1 with f
 * when it failed. This is what http_upgrade stands on. */
typedef void (*http_connected_fn)(void *ctx, int fd, const struct fault *f);
struct http_request *http_connect(struct http_client *h, const struct http_spec *spec,
                                  http_connected_fn connected, void *ctx);

#endif
