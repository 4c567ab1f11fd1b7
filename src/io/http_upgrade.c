/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Upgraded connections. libcurl connects (http_connect), then the descriptor is ours: the request
 * and the head of the reply are few and fixed bytes, and afterwards there is no HTTP any more.
 *
 *   CONNECTING -> HANDSHAKE -> OPEN -> ENDED
 *                     \-> REFUSED (collecting the refusal) -> ENDED
 *
 * It knows nothing of what flows: docker/attach.c takes the frames apart. */
#include "io/http_upgrade.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/outq.h"
#include "io/stream.h"

enum { MAX_HEAD = 16 * 1024, MAX_REFUSAL = 16 * 1024, DEFAULT_HANDSHAKE_MS = 30000 };

enum upgrade_state { CONNECTING, HANDSHAKE, OPEN, REFUSED, ENDED };

struct http_upgrade {
    struct ev_loop *loop;
    struct http_request *connecting;
    struct http_upgrade_events events;
    void *ctx;
    enum upgrade_state state;
    char *what;                 /* for faults */
    /* the request until it is sent, then the reply's head, then the refusal */
    struct buf head;
    long status;
    size_t refusal_len;         /* Content-Length of a refusal; SIZE_MAX = until the end */
    int fd;
    ev_io readable;
    struct outq out;
    size_t queue_cap;
    ev_timer deadline;          /* until OPEN */
    bool paused, shutdown;
    bool *gone;                 /* set when freed between two events of one read */
};

/* ---- ends ---- */

static void upgrade_close(struct http_upgrade *u)
{
    http_cancel(TAKE(u->connecting));
    ev_timer_stop(u->loop, &u->deadline);
    ev_io_stop(u->loop, &u->readable);
    outq_fini(&u->out);
    mem_close_fd(&u->fd);
}

/* The last event; nothing may touch u after it. */
static void upgrade_end(struct http_upgrade *u, long status, const struct fault *why)
{
    u->state = ENDED;
    upgrade_close(u);
    u->events.end(u->ctx, status, why);
}

static void upgrade_fail(struct http_upgrade *u, int code, const char *words)
{
    struct fault f = FAULT_NONE;
    fault_set(&f, code, "%s: %s", u->what, words);
    upgrade_end(u, 0, &f);
}

static void upgrade_refused(struct http_upgrade *u)
{
    struct fault f = FAULT_NONE;
    fault_set(&f, FAULT_HTTP, "%s: HTTP status %ld: %.300s", u->what, u->status, buf_str(&u->head));
    upgrade_end(u, u->status, &f);
}

/* ---- the reply's head ---- */

/* The value of a header in a NUL-terminated head, or NULL. */
static const char *find_header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, n) && line[2 + n] == ':')
            return line + 2 + n + 1;
    return NULL;
}

static void shut_if_drained(struct http_upgrade *u)
{
    if (u->state == OPEN && u->shutdown && outq_queued(&u->out) == 0)
        shutdown(u->fd, SHUT_WR);
}

/* The connection is ours; `rest` came behind the head already. */
static void upgrade_opened(struct http_upgrade *u, const char *rest, size_t n)
{
    bool gone = false;
    u->state = OPEN;
    u->out.cap = u->queue_cap;
    ev_timer_stop(u->loop, &u->deadline);
    buf_fini(&u->head);
    u->gone = &gone;
    u->events.open(u->ctx);
    if (gone)
        return;
    u->gone = NULL;
    shut_if_drained(u);
    if (u->paused)
        ev_io_stop(u->loop, &u->readable);
    if (n > 0)                  /* even if paused since: it is read already */
        u->events.data(u->ctx, rest, n);
}

static void refusal_feed(struct http_upgrade *u, const char *p, size_t n)
{
    size_t room = MAX_REFUSAL - u->head.len;
    buf_add(&u->head, p, n < room ? n : room);
    if (u->head.len >= u->refusal_len || u->head.len >= MAX_REFUSAL)
        upgrade_refused(u);
}

static void head_complete(struct http_upgrade *u, const char *rest, size_t n)
{
    const char *head = buf_str(&u->head);
    if (sscanf(head, "HTTP/1.%*1d %3ld", &u->status) != 1) {
        upgrade_fail(u, FAULT_INVALID, "the peer does not speak HTTP/1");
        return;
    }
    if (u->status == 101 || u->status == 200) {
        upgrade_opened(u, rest, n);
        return;
    }
    const char *length = find_header(head, "Content-Length");
    u->refusal_len = length ? strtoul(length, NULL, 10) : (size_t)-1;
    u->state = REFUSED;
    buf_clear(&u->head);
    refusal_feed(u, rest, n);
}

static void handshake_feed(struct http_upgrade *u, const char *p, size_t n)
{
    size_t before = u->head.len;
    size_t take = n < MAX_HEAD - before ? n : MAX_HEAD - before;
    buf_add(&u->head, p, take);
    char *end = memmem(u->head.data, u->head.len, "\r\n\r\n", 4);
    if (end) {
        size_t head_len = (size_t)(end - u->head.data) + 4;
        size_t used = head_len - before;
        u->head.len = head_len;
        u->head.data[head_len] = '\0';
        head_complete(u, p + used, n - used);
    } else if (take < n || u->head.len >= MAX_HEAD) {
        upgrade_fail(u, FAULT_INVALID, "the peer does not speak HTTP/1");
    }
}

/* ---- the descriptor ---- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct http_upgrade *u = w->data;
    char *turn = stream_turn_buffer();
    (void)revents;
    int64_t began_ns = clock_mono_ns();
    ssize_t n = read(u->fd, turn, stream_turn_size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        upgrade_fail(u, errno, "the connection broke");
    else if (n > 0 && u->state == OPEN)
        u->events.data(u->ctx, turn, (size_t)n);
    else if (n > 0 && u->state == HANDSHAKE)
        handshake_feed(u, turn, (size_t)n);
    else if (n > 0)
        refusal_feed(u, turn, (size_t)n);
    else if (u->state == OPEN)
        upgrade_end(u, 0, NULL);
    else if (u->state == REFUSED)
        upgrade_refused(u);
    else
        upgrade_fail(u, ECONNRESET, "the peer closed the connection before it answered");
    if (n > 0)
        stream_turn_done(loop, (size_t)n, began_ns);
}

static void on_drained(void *ctx, struct outq *q)
{
    struct http_upgrade *u = ctx;
    (void)q;
    if (u->state != OPEN)
        return;
    shut_if_drained(u);
    if (u->events.drained)
        u->events.drained(u->ctx);
}

static void on_connected(void *ctx, int fd, const struct fault *f)
{
    struct http_upgrade *u = ctx;
    struct fault why = FAULT_NONE;
    u->connecting = NULL;
    if (fd < 0) {
        upgrade_end(u, 0, f);
        return;
    }
    u->fd = fd;
    u->state = HANDSHAKE;
    ev_io_set(&u->readable, fd, EV_READ);
    ev_io_start(u->loop, &u->readable);
    outq_init(&u->out, u->loop, fd, u->head.len + u->queue_cap, on_drained, NULL, u);
    struct iovec iov = {u->head.data, u->head.len};
    int failed = outq_writev(&u->out, &iov, 1, &why);
    buf_clear(&u->head);
    if (failed)
        upgrade_end(u, 0, &why);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    upgrade_fail(w->data, FAULT_TIMEOUT, "no answer in time");
}

/* ---- from outside ---- */

static void build_request(struct buf *out, const struct http_spec *spec, const char *protocol)
{
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", spec->method, spec->path, spec->peer.host);
    buf_add_str(out, "User-Agent: mcptop\r\n");
    buf_printf(out, "Connection: Upgrade\r\nUpgrade: %s\r\n", protocol);
    for (const char *const *h = spec->headers; h && *h; h++)
        buf_printf(out, "%s\r\n", *h);
    if (spec->body || strcmp(spec->method, "GET") != 0)
        buf_printf(out, "Content-Length: %zu\r\n", spec->body ? spec->body_len : 0);
    buf_add_str(out, "\r\n");
    if (spec->body)
        buf_add(out, spec->body, spec->body_len);
}

struct http_upgrade *http_upgrade_open(struct http_client *h, const struct http_spec *spec,
                                       const char *protocol,
                                       const struct http_upgrade_events *events, void *ctx)
{
    struct http_upgrade *u = xcalloc(1, sizeof(*u));
    int64_t handshake_ms = spec->total_timeout_ms ? spec->total_timeout_ms : DEFAULT_HANDSHAKE_MS;

    assert(events->open && events->data && events->end);
    u->loop = http_client_get_loop(h);
    u->events = *events;
    u->ctx = ctx;
    u->fd = -1;
    u->queue_cap = STREAM_QUEUE_BYTES;
    u->what = xasprintf("%s %.*s at %s", spec->method, (int)strcspn(spec->path, "?"), spec->path,
                        spec->peer.unix_socket ? spec->peer.unix_socket : spec->peer.host);
    build_request(&u->head, spec, protocol);
    ev_io_init(&u->readable, on_readable, -1, EV_READ);
    u->readable.data = u;
    ev_timer_init(&u->deadline, on_deadline, (ev_tstamp)handshake_ms / 1000., 0.);
    u->deadline.data = u;
    if (handshake_ms > 0)
        ev_timer_start(u->loop, &u->deadline);
    u->connecting = http_connect(h, spec, on_connected, u);
    return u;
}

int http_upgrade_writev(struct http_upgrade *u, const struct iovec *iov, int count, struct fault *f)
{
    if (u->state == ENDED || u->shutdown)
        return fault_set(f, EPIPE, "%s: closed", u->what);
    if (u->state != OPEN)
        return fault_set(f, ENOTCONN, "%s: not open yet", u->what);
    return outq_writev(&u->out, iov, count, f);
}

void http_upgrade_shutdown(struct http_upgrade *u)
{
    if (u->shutdown)
        return;
    u->shutdown = true;
    shut_if_drained(u);
}

size_t http_upgrade_queued(const struct http_upgrade *u)
{
    return u->state == OPEN ? outq_queued(&u->out) : 0;
}

void http_upgrade_set_queue_cap(struct http_upgrade *u, size_t bytes)
{
    u->queue_cap = bytes;
    if (u->state == OPEN)
        u->out.cap = bytes;
}

void http_upgrade_pause(struct http_upgrade *u, bool paused)
{
    if (u->paused == paused)
        return;
    u->paused = paused;
    if (u->state != OPEN)       /* the handshake is read in any case */
        return;
    if (paused)
        ev_io_stop(u->loop, &u->readable);
    else
        ev_io_start(u->loop, &u->readable);
}

const char *http_upgrade_get_refusal(const struct http_upgrade *u)
{
    return u->status ? buf_str(&u->head) : "";
}

void http_upgrade_free(struct http_upgrade *u)
{
    if (!u)
        return;
    if (u->gone)
        *u->gone = true;
    upgrade_close(u);
    buf_fini(&u->head);
    free(u->what);
    free(u);
}
