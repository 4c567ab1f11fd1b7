/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An HTTP server with a handler for each way of answering, and clients by raw sockets. */
#ifndef MCPTOP_TESTS_HTTPD_RIG_H
#define MCPTOP_TESTS_HTTPD_RIG_H

#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/httpd.h"
#include "base/mem.h"
#include "tap.h"

enum { BIG = 100000, LARGE = 140000 };
static struct ev_loop *loop;
static struct httpd *httpd;
static char socket_path[128];
static struct request *later;
static int gone_count, closed_count, drained_count;
static struct http_stream *stream;
static struct upgraded *upgraded;
static int upgraded_fd = -1;

static int on_admit(void *ctx, const struct request *r, char *scratch, size_t n, const char **text)
{
    (void)ctx;
    if (strcmp(request_get_path(r), "/refused") != 0)
        return 0;
    snprintf(scratch, n, "no");
    *text = scratch;
    return 403;
}

static void answer(struct request *r, int status, const char *text)
{
    const struct iovec body[] = {{NULL, 0}, {(void *)(uintptr_t)text, strlen(text)}};     /* an empty piece, too */

    request_reply(r, status, "text/plain", NULL, body, 2);
}

/* More than the fast path sends. */
static void answer_large(struct request *r)
{
    static char large[LARGE];

    request_reply(r, 200, "text/plain", NULL, &(struct iovec){memset(large, 'l', sizeof large), sizeof large}, 1);
}

static void on_gone(void *ctx, struct request *r)
{
    (void)ctx, (void)r;
    gone_count++;
    later = NULL;
}

static void on_drained(void *ctx) { (void)ctx; drained_count++; }
static void on_closed(void *ctx) { (void)ctx; closed_count++; stream = NULL; }

static void on_open(void *ctx, struct upgraded *u, int fd, const char *extra, size_t n)
{
    (void)ctx;
    upgraded = u;
    upgraded_fd = fd;
    if (u && n)
        ok(write(fd, extra, n) == (ssize_t)n, "bytes sent along with the request are handed on");
}

static void on_handle(void *ctx, struct request *r)
{
    const char *path = request_get_path(r);
    size_t n;

    (void)ctx;
    if (strcmp(path, "/release") == 0) {
        answer(TAKE(later), 200, "released");
        answer(r, 200, "it is");
    } else if (strcmp(path, "/release-large") == 0) {
        answer_large(TAKE(later));
        answer(r, 200, "it is");
    } else if (strcmp(path, "/last") == 0) {
        answer(r, 200, "last");
        ev_break(loop, EVBREAK_ALL);
    } else if (strcmp(path, "/now") == 0) {
        answer(r, 200, request_get_query(r, "q") ? request_get_query(r, "q") : "now");
    } else if (strcmp(path, "/later") == 0) {
        later = r;
        request_set_gone(r, on_gone, NULL);
    } else if (strcmp(path, "/echo") == 0) {
        const char *body = request_get_body(r, &n);
        request_reply(r, 200, "text/plain", NULL, &(struct iovec){(void *)(uintptr_t)body, n}, 1);
    } else if (strcmp(path, "/big") == 0) {
        static char big[BIG];
        request_reply(r, 200, "text/plain", NULL, &(struct iovec){memset(big, 'b', sizeof big), sizeof big}, 1);
    } else if (strcmp(path, "/stream") == 0) {
        stream = request_stream(r, "text/event-stream", NULL, &(struct http_stream_events){on_drained, on_closed}, NULL);
    } else if (strcmp(path, "/upgrade") == 0) {
        request_upgrade(r, "mcp-stdio", on_open, NULL);
    } else {
        answer(r, 404, "?");
    }
}

static int dial(void)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    strcpy(sa.sun_path, socket_path);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        perror("connect");
    return fd;
}

static int dial_tcp(void)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)httpd_get_tcp_port(httpd)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
        perror("connect");
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* Turns the loop until the peer's output holds `want` or three seconds have passed. */
__attribute__((unused)) static const char *read_until(int fd, const char *want)
{
    static char got[1 << 16];
    size_t n = 0;

    got[0] = '\0';
    for (int i = 0; i < 3000; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t k = read(fd, got + n, sizeof got - n - 1);
        if (k > 0)
            n += (size_t)k;
        got[n] = '\0';
        if ((want && strstr(got, want)) || k == 0)
            break;
        usleep(1000);
    }
    return got;
}

__attribute__((unused)) static void turn_until(const int *counter, int want)
{
    for (int i = 0; i < 3000 && *counter != want; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(1000);
    }
}

__attribute__((unused)) static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        perror("write");
}

static void on_slept(struct ev_loop *l, ev_timer *w, int revents)
{
    (void)w, (void)revents;
    ev_break(l, EVBREAK_ALL);
}

/* Lets the loop sleep and work for so long; how many turns it took. */
__attribute__((unused)) static unsigned turn_for(double seconds)
{
    unsigned before = ev_iteration(loop);
    ev_timer timer;

    ev_timer_init(&timer, on_slept, seconds, 0.);
    ev_now_update(loop);
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    return ev_iteration(loop) - before;
}

/* A server on a socket of its own, which only its user may open, and at a port. */
static void rig_begin(void)
{
    static char dir[] = "/tmp/t_httpd.XXXXXX";
    struct fault f = FAULT_NONE;
    struct stat st;

    tap_deadline(60);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        exit(1);
    snprintf(socket_path, sizeof socket_path, "%s/s", dir);
    loop = ev_loop_new(EVFLAG_NOENV);
    httpd = httpd_new(loop, 150000, &(struct httpd_events){on_admit, on_handle}, NULL);
    is_int(httpd_listen_unix(httpd, socket_path, &f), 0, "listen");
    ok(stat(socket_path, &st) == 0 && (st.st_mode & 0777) == 0600, "the socket is 0600");
    is_int(httpd_listen_tcp(httpd, "127.0.0.1:0", &f), 0, "and at a port");
}

static void rig_end(void)
{
    httpd_free(httpd);
    ok(access(socket_path, F_OK) != 0, "the socket file is gone");
    *strrchr(socket_path, '/') = '\0';
    rmdir(socket_path);
    ev_loop_destroy(loop);
}

/* The request to /later that has come. */
__attribute__((unused)) static struct request *await_later(void)
{
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    return TAKE(later);
}

#endif
