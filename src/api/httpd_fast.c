/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fast path of calls. Of a tool call's way through mcptop, libmicrohttpd would be the larger
 * half: it clears and divides memory for each request and needs three rounds for an answer that is
 * made later. So a plain, small POST (http_head.h) is read and answered here; all else is
 * libmicrohttpd's: other methods, large or chunked bodies, event streams, large answers, and
 * whatever is not quite as it should be.
 *
 * A connection can go there at any time until an answer has begun, because a request is looked at
 * (MSG_PEEK) where it lies and only taken out of the socket when it is answered: libmicrohttpd
 * reads it again, as any other. Sockets are edge-triggered, so what lies there wakes nobody. A
 * connection ends in its own event only, and leaves only between the loop's turns: whoever is
 * answered meanwhile finds it as it was. */
#include "api/httpd_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/mem.h"

enum {
    REQUESTS_PER_TURN = 4,         /* its server begins on these while more are read */
    HEAD_MAX = 4 * 1024,           /* surely not too long for libmicrohttpd */
    ANSWER_MAX = 128 * 1024,       /* copying more would be dear */
    EVENTS = EPOLLIN | EPOLLRDHUP | EPOLLET,
};

static const double PARTIAL_CHECK_S = 0.25;

static void epoll_modify(struct http_connection *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    epoll_ctl(c->listener->h->fast.epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void socket_skip(int fd, size_t n)
{
    char bytes[4096];

    while (n > 0) {
        ssize_t k = recv(fd, bytes, n < sizeof bytes ? n : sizeof bytes, 0);
        if (k <= 0)
            return;
        n -= (size_t)k;
    }
}

static void connection_end(struct http_connection *c)
{
    struct request *r = c->r;

    if (r && r->phase == WAITING && r->gone)
        TAKE(r->gone)(r->gone_ctx, r);
    close(c->fd);
    connection_free(c);
}

/* ---- answers ---- */

/* What came meanwhile is told again. */
static void request_over(struct http_connection *c)
{
    request_free(c->r);
    if (c->has_next || c->half_closed)
        epoll_modify(c, EVENTS);
}

/* How many bytes went; all of them when nobody is there to read them: an event of its own ends the
 * connection then. */
static size_t send_some(struct http_connection *c, const char *p, size_t n)
{
    ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);

    if (sent >= 0)
        return (size_t)sent;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    shutdown(c->fd, SHUT_RDWR);
    c->half_closed = true;
    return n;
}

static void send_rest(struct http_connection *c)
{
    size_t n, sent;

    while (c->rest.n > 0) {
        const char *p = outbuf_peek(&c->rest, &n);
        sent = send_some(c, p, n);
        if (sent == 0)
            return;
        outbuf_advance(&c->rest, sent);
        connection_moved(c);
    }
    epoll_modify(c, EVENTS);
    request_over(c);
}

static void send_answer(struct http_connection *c, const struct buf *out)
{
    size_t sent = send_some(c, out->data, out->len);

    if (sent == out->len)
        return;
    outbuf_add(&c->rest, &(struct iovec){out->data, out->len}, 1, sent);
    request_owe(c->r, c->rest.n);
    epoll_modify(c, EVENTS | EPOLLOUT);
}

/* The lines that one answer has like the one before. */
static const char *beginning(struct fast_path *f, int status)
{
    time_t now = time(NULL);
    char date[32];
    struct tm tm;

    if (now == f->begin_s && status == f->begin_status)
        return f->begin;
    f->begin_s = now;
    f->begin_status = status;
    strftime(date, sizeof date, "%a, %d %b %Y %T", gmtime_r(&now, &tm));
    snprintf(f->begin, sizeof f->begin, "HTTP/1.1 %d %.32s\r\nDate: %s GMT\r\nContent-Length: ",
             status, MHD_get_reason_phrase_for((unsigned)status), date);
    return f->begin;
}

static void add_number(struct buf *b, size_t n)
{
    char digits[DECIMAL_MAX], *end = digits + sizeof digits, *p = decimal_before(end, n);

    buf_add(b, p, (size_t)(end - p));
}

static void add_field(struct buf *b, const char *name, const char *value)
{
    buf_add(b, "\r\n", 2);
    buf_add_str(b, name);
    buf_add(b, ": ", 2);
    buf_add_str(b, value);
}

bool fast_reply(struct request *r, int status, const char *content_type,
                const struct reply_header *headers, const struct iovec *body, int count, size_t n)
{
    struct fast_path *f = &r->listener->h->fast;
    struct http_connection *c = r->connection;
    bool waited = r->phase == WAITING;

    if (n > ANSWER_MAX)
        return false;
    buf_clear(&f->out);
    buf_add_str(&f->out, beginning(f, status));
    add_number(&f->out, n);
    if (content_type)
        add_field(&f->out, "Content-Type", content_type);
    for (; headers && headers->name; headers++)
        add_field(&f->out, headers->name, headers->value);
    buf_add(&f->out, "\r\n\r\n", 4);
    for (int i = 0; i < count; i++)
        buf_add(&f->out, body[i].iov_base, body[i].iov_len);
    r->gone = NULL;
    r->phase = ANSWERED;
    request_unwatch(r);
    socket_skip(c->fd, c->request_n);  /* first: the next may be there before send() is through */
    send_answer(c, &f->out);
    if (waited && c->rest.n == 0)
        request_over(c);
    return true;
}

/* ---- requests ---- */

static void request_handle(struct http_connection *c, const struct http_head *head)
{
    struct httpd *h = c->listener->h;
    struct request *r = request_new(c, "POST", head->path);
    const char *text = NULL;
    char scratch[1024];

    r->head = head;
    r->body = (struct buf){.data = h->fast.input + head->n, .len = head->body_n};
    r->phase = HANDLING;
    int status = h->events.admit(h->ctx, r, scratch, sizeof scratch, &text);
    if (status)
        request_reply(r, status, "application/json", NULL,
                      &(struct iovec){(void *)(uintptr_t)text, strlen(text)}, 1);
    else
        h->events.handle(h->ctx, r);
    r->head = NULL;
    r->body = BUF_INIT;
    if (r->phase == HANDLING) {
        r->phase = WAITING;
        if (c->half_closed)
            request_watch(r);
    } else if (!c->leaving && c->rest.n == 0) {
        request_over(c);
    }
}

static bool is_for_us(const struct httpd *h, enum http_head_kind kind, size_t n,
                      const struct http_head *head)
{
    if (kind == HTTP_HEAD_PLAIN)
        return head->n <= HEAD_MAX && head->n + head->body_n <= FAST_REQUEST_MAX &&
               head->body_n <= h->max_body;
    return kind == HTTP_HEAD_MORE && n < HEAD_MAX;
}

/* Closed with bytes in it a socket tells its client of a reset, and loses answers before that. */
static void end_partial(struct http_connection *c, size_t n)
{
    socket_skip(c->fd, n);
    connection_end(c);
}

static void await_rest(struct http_connection *c)
{
    struct httpd *h = c->listener->h;

    if (c->partial == 0)
        c->partial = 1;
    if (!ev_is_active(&h->fast.partial_check))
        ev_timer_again(h->loop, &h->fast.partial_check);
}

/* What lies in a socket takes room there, in the kernel's count more than its bytes: it can keep
 * the rest from coming. So after a moment libmicrohttpd takes it out. */
static void on_partial_check(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct httpd *h = w->data;
    bool any = false;

    (void)revents;
    for (struct http_connection *c = h->connections; c; c = c->next) {
        if (c->conn || c->leaving || c->partial == 0)
            continue;
        any = true;
        if (c->partial++ > 1)
            fast_leave(c);
    }
    if (!any)
        ev_timer_stop(loop, w);
}

/* Whether the next request, of which n bytes are there, is all there and for us. */
static bool look_at(struct http_connection *c, size_t n, struct http_head *head)
{
    struct httpd *h = c->listener->h;
    enum http_head_kind kind = http_head_read(h->fast.input, n, head);

    if (!is_for_us(h, kind, n, head))
        fast_leave(c);
    else if (kind == HTTP_HEAD_PLAIN && n >= head->n + head->body_n)
        return true;
    else if (c->half_closed)
        end_partial(c, n);
    else
        await_rest(c);
    return false;
}

static void read_request(struct http_connection *c)
{
    char *input = c->listener->h->fast.input;
    struct http_head head;
    ssize_t n = recv(c->fd, input, FAST_REQUEST_MAX + 1, MSG_PEEK);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        connection_end(c);
    } else if (n > 0 && look_at(c, (size_t)n, &head)) {
        c->partial = 0;
        c->request_n = head.n + head.body_n;
        c->has_next = (size_t)n > c->request_n;
        input[c->request_n] = '\0';
        request_handle(c, &head);
    }
}

static void on_event(struct http_connection *c, uint32_t events)
{
    bool over = events & (EPOLLHUP | EPOLLERR);

    if (c->leaving)
        return;
    c->half_closed |= over || (events & EPOLLRDHUP);
    c->has_next |= events & EPOLLIN;
    if (!c->r)
        read_request(c);
    else if (over)
        connection_end(c);
    else if (c->rest.n > 0)
        send_rest(c);
    else if (c->half_closed)
        request_watch(c->r);       /* it may only have said all it wanted to */
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct httpd *h = w->data;
    struct epoll_event events[REQUESTS_PER_TURN];
    int n = epoll_wait(h->fast.epoll_fd, events, REQUESTS_PER_TURN, 0);

    (void)loop, (void)revents;
    for (int i = 0; i < n; i++)
        on_event(events[i].data.ptr, events[i].events);
}

/* ---- coming and going ---- */

bool fast_add(struct http_connection *c)
{
    struct epoll_event e = {.events = EVENTS, .data.ptr = c};

    return epoll_ctl(c->listener->h->fast.epoll_fd, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

void fast_leave(struct http_connection *c)
{
    struct fast_path *f = &c->listener->h->fast;

    c->leaving = true;
    c->next_leaving = f->leaving;
    f->leaving = c;
}

void fast_hand_over(struct httpd *h)
{
    struct http_connection *c;

    while ((c = h->fast.leaving)) {
        h->fast.leaving = c->next_leaving;
        c->leaving = false;
        epoll_ctl(h->fast.epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        connection_hand_over(c);
    }
}

void fast_init(struct httpd *h)
{
    h->fast.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    ev_io_init(&h->fast.readable, on_readable, h->fast.epoll_fd, EV_READ);
    h->fast.readable.data = h;
    ev_init(&h->fast.partial_check, on_partial_check);
    h->fast.partial_check.repeat = PARTIAL_CHECK_S;
    h->fast.partial_check.data = h;
    ev_set_priority(&h->fast.readable, -1);      /* what servers have answered leaves first */
    if (h->fast.epoll_fd >= 0)         /* else libmicrohttpd does all */
        ev_io_start(h->loop, &h->fast.readable);
}

void fast_fini(struct httpd *h)
{
    for (struct http_connection *c = h->connections, *next; c; c = next) {
        next = c->next;
        if (!c->conn)
            connection_end(c);
    }
    buf_fini(&h->fast.out);
    ev_timer_stop(h->loop, &h->fast.partial_check);
    if (h->fast.epoll_fd >= 0) {
        ev_io_stop(h->loop, &h->fast.readable);
        close(h->fast.epoll_fd);
    }
}
