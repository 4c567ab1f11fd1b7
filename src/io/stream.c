/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams over three pipes, and the dispatch for streams of every kind. One read of at most 64 KiB
 * per channel and turn of the loop: epoll is level-triggered, so a channel with more to say comes
 * again, after everybody else had a turn.
 *
 * It knows no process: what a child's status means for its pipes is child.c's. */
#include "io/stream.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/outq.h"

struct pipes {
    struct stream stream;
    struct ev_loop *loop;
    struct outq input;
    /* stream_close_input was called; the descriptor goes when the queue is empty */
    bool closing;
    int in_fd;
    size_t undelivered;     /* once in_fd is closed */
    ev_io output[2];        /* by enum stream_channel; fd -1 once it has ended */
    ev_timer no_output;     /* tells the end of a stream that never had an output */
    struct fault why;       /* code 0 = nothing broke */
};

char *stream_turn_buffer(void)
{
    static char buffer[STREAM_TURN_BYTES];
    return buffer;
}

/* One size for all streams, because it is the sum of a turn's reads that must stay small. */
static size_t turn_size = STREAM_TURN_BYTES;
static struct {
    unsigned number;        /* the loop's iteration */
    int64_t spent_ns;       /* by all its reads so far */
    bool full;              /* one of them took all it was allowed */
} turn;

size_t stream_turn_size(void)
{
    return turn_size;
}

static void begin_turn(unsigned number)
{
    enum { SHORT_NS = 500 * 1000 };
    if (turn.spent_ns < SHORT_NS && turn.full && turn_size < STREAM_TURN_BYTES)
        turn_size *= 2;
    turn.number = number;
    turn.spent_ns = 0;
    turn.full = false;
}

void stream_turn_done(struct ev_loop *loop, size_t read_bytes, int64_t began_ns)
{
    enum { LEAST_BYTES = 4096, LONG_NS = 2 * 1000 * 1000 };
    if (turn.number != ev_iteration(loop))
        begin_turn(ev_iteration(loop));
    turn.spent_ns += clock_mono_ns() - began_ns;
    turn.full = turn.full || read_bytes == turn_size;
    if (turn.spent_ns > LONG_NS && read_bytes > LEAST_BYTES && turn_size > LEAST_BYTES)
        turn_size /= 2;
}

/* ---- outputs ---- */

static void pipes_end(struct pipes *p)
{
    if (p->output[STREAM_OUT].fd >= 0 || p->output[STREAM_ERR].fd >= 0)
        return;
    p->stream.events.end(p->stream.ctx, p->why.code ? &p->why : NULL);
}

static void pipes_close_output(struct pipes *p, ev_io *w)
{
    ev_io_stop(p->loop, w);
    close(w->fd);
    ev_io_set(w, -1, EV_READ);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct pipes *p = w->data;
    (void)revents;
    char *buffer = stream_turn_buffer();
    int64_t began_ns = clock_mono_ns();
    ssize_t n = read(w->fd, buffer, stream_turn_size());
    if (n > 0) {
        enum stream_channel ch = w == &p->output[STREAM_OUT] ? STREAM_OUT : STREAM_ERR;
        p->stream.events.data(p->stream.ctx, ch, buffer, (size_t)n);
        stream_turn_done(loop, (size_t)n, began_ns);
        return;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        fault_set(&p->why, errno, "read the server's output");
    pipes_close_output(p, w);
    pipes_end(p);
}

static void on_no_output(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    pipes_end(w->data);
}

/* ---- input ---- */

/* A pipe keeps what nobody read until both its ends are closed. */
static size_t pipes_undelivered(const struct stream *s)
{
    const struct pipes *p = CONTAINER_OF(s, const struct pipes, stream);
    int in_pipe = 0;
    if (p->in_fd < 0)
        return p->undelivered;
    if (ioctl(p->in_fd, FIONREAD, &in_pipe) < 0)
        in_pipe = 0;
    return (size_t)in_pipe + outq_queued(&p->input) + p->input.lost;
}

static void pipes_close_in(struct pipes *p)
{
    if (p->in_fd < 0)
        return;
    p->undelivered = pipes_undelivered(&p->stream);
    outq_fini(&p->input);
    close(p->in_fd);
    p->in_fd = -1;
}

static void on_input_drained(void *ctx, struct outq *q)
{
    struct pipes *p = ctx;
    (void)q;
    if (p->closing)
        pipes_close_in(p);
    if (p->stream.events.drained)
        p->stream.events.drained(p->stream.ctx);
}

static void on_input_broken(void *ctx, struct outq *q)
{
    (void)q;
    pipes_close_in(ctx);
}

static int pipes_writev(struct stream *s, const struct iovec *iov, int count, struct fault *f)
{
    struct pipes *p = CONTAINER_OF(s, struct pipes, stream);
    if (p->in_fd < 0 || p->closing)
        return fault_set(f, EPIPE, "the server's input is closed");
    return outq_writev(&p->input, iov, count, f);
}

static void pipes_close_input(struct stream *s)
{
    struct pipes *p = CONTAINER_OF(s, struct pipes, stream);
    p->closing = true;
    if (outq_queued(&p->input) == 0)
        pipes_close_in(p);
}

static size_t pipes_queued(const struct stream *s)
{
    return outq_queued(&CONTAINER_OF(s, struct pipes, stream)->input);
}

/* ---- the whole ---- */

static void pipes_pause(struct stream *s, bool paused)
{
    struct pipes *p = CONTAINER_OF(s, struct pipes, stream);
    for (int ch = STREAM_OUT; ch <= STREAM_ERR; ch++) {
        if (p->output[ch].fd < 0)
            continue;
        if (paused)
            ev_io_stop(p->loop, &p->output[ch]);
        else
            ev_io_start(p->loop, &p->output[ch]);
    }
}

static void pipes_free(struct stream *s)
{
    struct pipes *p = CONTAINER_OF(s, struct pipes, stream);
    for (int ch = STREAM_OUT; ch <= STREAM_ERR; ch++)
        if (p->output[ch].fd >= 0)
            pipes_close_output(p, &p->output[ch]);
    ev_timer_stop(p->loop, &p->no_output);
    pipes_close_in(p);
    free(p);
}

static const struct stream_ops pipes_ops = {
    .writev = pipes_writev,
    .close_input = pipes_close_input,
    .queued = pipes_queued,
    .undelivered = pipes_undelivered,
    .pause = pipes_pause,
    .free = pipes_free,
};

static void set_nonblocking(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct stream *stream_from_pipes(struct ev_loop *loop, int in_fd, int out_fd, int err_fd,
                                 const struct stream_events *events, void *ctx)
{
    struct pipes *p = xcalloc(1, sizeof(*p));
    const int out[2] = {[STREAM_OUT] = out_fd, [STREAM_ERR] = err_fd};

    assert(events->data && events->end);
    p->stream = (struct stream){.ops = &pipes_ops, .events = *events, .ctx = ctx};
    p->loop = loop;
    p->in_fd = in_fd;
    set_nonblocking(in_fd);
    outq_init(&p->input, loop, in_fd, STREAM_QUEUE_BYTES, on_input_drained, on_input_broken, p);
    p->input.gathers = true;
    for (int ch = STREAM_OUT; ch <= STREAM_ERR; ch++) {
        set_nonblocking(out[ch]);
        ev_io_init(&p->output[ch], on_readable, out[ch], EV_READ);
        p->output[ch].data = p;
        if (out[ch] >= 0)
            ev_io_start(loop, &p->output[ch]);
    }
    ev_timer_init(&p->no_output, on_no_output, 0., 0.);
    p->no_output.data = p;
    if (out_fd < 0 && err_fd < 0)
        ev_timer_start(loop, &p->no_output);
    return &p->stream;
}

int stream_writev(struct stream *s, const struct iovec *iov, int count, struct fault *f)
{
    return s->ops->writev(s, iov, count, f);
}

void stream_close_input(struct stream *s)
{
    s->ops->close_input(s);
}

size_t stream_queued(const struct stream *s)
{
    return s->ops->queued(s);
}

size_t stream_undelivered(const struct stream *s)
{
    return s->ops->undelivered ? s->ops->undelivered(s) : s->ops->queued(s);
}

void stream_pause(struct stream *s, bool paused)
{
    if (s->paused == paused)
        return;
    s->paused = paused;
    s->ops->pause(s, paused);
}

bool stream_is_paused(const struct stream *s)
{
    return s->paused;
}

void stream_free(struct stream *s)
{
    if (s)
        s->ops->free(s);
}
