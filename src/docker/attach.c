/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An attached container as a struct stream: an upgraded connection whose output is taken apart into
 * stdout and stderr and whose input goes as it is. The connection's end of input is the container's
 * end of output.
 *
 * It copies what it needs of the engine, so a stream may outlive it; it knows no server. */
#include "docker/engine_internal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "docker/frames.h"
#include "io/http_upgrade.h"

struct attach {
    struct stream stream;
    struct http_upgrade *up;
    struct docker_context context;      /* a copy: for faults */
    void (*open)(void *ctx);
    struct frames frames;
    bool *gone;                         /* set when freed between two frames of one read */
};

static bool on_frame(void *ctx, enum frames_channel ch, const char *p, size_t n)
{
    struct attach *a = ctx;
    bool gone = false;
    a->gone = &gone;
    /* What the engine itself has to say (SYSTEM) is shown with the server's errors. */
    bool out = ch == FRAMES_STDOUT || ch == FRAMES_STDIN;
    a->stream.events.data(a->stream.ctx, out ? STREAM_OUT : STREAM_ERR, p, n);
    if (gone)
        return false;
    a->gone = NULL;
    return true;
}

static void on_open(void *ctx)
{
    struct attach *a = ctx;
    if (a->open)
        a->open(a->stream.ctx);
}

static void on_data(void *ctx, const char *p, size_t n)
{
    struct attach *a = ctx;
    struct fault f = FAULT_NONE;
    if (frames_feed(&a->frames, p, n, on_frame, a, &f) < 0) {
        http_upgrade_free(TAKE(a->up));
        a->stream.events.end(a->stream.ctx, &f);
    }
}

static void on_drained(void *ctx)
{
    struct attach *a = ctx;
    if (a->stream.events.drained)
        a->stream.events.drained(a->stream.ctx);
}

static void on_end(void *ctx, long status, const struct fault *why)
{
    struct attach *a = ctx;
    struct fault f = FAULT_NONE;
    if (status) {
        const char *body = http_upgrade_get_refusal(a->up);
        engine_fault_status(status, body, strlen(body), &f);
    } else if (why) {
        engine_fault_connection(&a->context, why, &f);
    } else if (frames_is_inside(&a->frames)) {
        fault_set(&f, FAULT_ENGINE_DOWN,
                  "the Docker engine at %s closed the connection inside a message",
                  a->context.host);
    }
    a->stream.events.end(a->stream.ctx, f.code ? &f : NULL);
}

/* ---- stream_ops ---- */

static struct attach *self(struct stream *s)
{
    return CONTAINER_OF(s, struct attach, stream);
}

static int attach_writev(struct stream *s, const struct iovec *iov, int count, struct fault *f)
{
    if (!self(s)->up)
        return fault_set(f, EPIPE, "the container's input is closed");
    return http_upgrade_writev(self(s)->up, iov, count, f);
}

static void attach_close_input(struct stream *s)
{
    if (self(s)->up)
        http_upgrade_shutdown(self(s)->up);
}

static size_t attach_queued(const struct stream *s)
{
    const struct attach *a = CONTAINER_OF(s, const struct attach, stream);
    return a->up ? http_upgrade_queued(a->up) : 0;
}

static void attach_pause(struct stream *s, bool paused)
{
    if (self(s)->up)
        http_upgrade_pause(self(s)->up, paused);
}

static void attach_free(struct stream *s)
{
    struct attach *a = self(s);
    if (a->gone)
        *a->gone = true;
    http_upgrade_free(a->up);
    docker_context_fini(&a->context);
    free(a);
}

static const struct stream_ops attach_ops = {
    .writev = attach_writev,
    .close_input = attach_close_input,
    .queued = attach_queued,
    .pause = attach_pause,
    .free = attach_free,
};

struct stream *engine_attach(struct engine *e, const char *id, const struct stream_events *events,
                             void (*open)(void *ctx), void *ctx)
{
    static const struct http_upgrade_events forward = {
        .open = on_open, .data = on_data, .drained = on_drained, .end = on_end,
    };
    const struct docker_context *context = engine_get_context(e);
    struct attach *a = xcalloc(1, sizeof(*a));
    AUTO_BUF struct buf path = BUF_INIT;

    assert(events->data && events->end);
    a->stream = (struct stream){.ops = &attach_ops, .events = *events, .ctx = ctx};
    a->open = open;
    a->context.host = xstrdup(context->host);
    a->context.socket = xstrdup(context->socket);
    buf_add_str(&path, engine_get_prefix(e));
    engine_add_path(&path, "/containers/", id,
                    "/attach?stream=true&stdin=true&stdout=true&stderr=true");
    struct http_spec spec = {
        .peer = {.unix_socket = context->socket, .host = "localhost"},
        .method = "POST",
        .path = buf_str(&path),
        .total_timeout_ms = -1,
    };
    a->up = http_upgrade_open(engine_get_http(e), &spec, "tcp", &forward, a);
    return &a->stream;
}
