/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A small blocking HTTP server in threads, for tests: every path is one behaviour, good or bad. */
#ifndef MCPTOP_TESTS_PEER_H
#define MCPTOP_TESTS_PEER_H

#include <ctype.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct peer {
    int fd;
    int connections;
    pthread_t thread;
    char path[108];     /* of a unix socket, or "" */
    int port;
};

struct peer_conn {
    int fd, number;
};

/* A test's own behaviours, asked first: 1 = answered and the connection stays, 0 = answered and it
 * closes, -1 = not mine. */
typedef int (*peer_answer_fn)(const struct peer_conn *c, const char *method, const char *path,
                              const char *request);
static peer_answer_fn peer_own __attribute__((unused));

static void peer_say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        return;
}

static void peer_reply(int fd, const char *status, const char *body)
{
    char text[8192];
    snprintf(text, sizeof(text), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n%s", status,
             strlen(body), body);
    peer_say(fd, text);
}

/* Reads one request; 0 when the connection ended. */
static size_t peer_read(int fd, char *text, size_t max, char **ret_body)
{
    size_t n = 0, want = 0;
    *ret_body = NULL;
    while (n < max - 1) {
        ssize_t got = read(fd, text + n, max - 1 - n);
        if (got <= 0)
            return 0;
        n += (size_t)got;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        char *length = strstr(text, "Content-Length: ");
        want = (size_t)(end + 4 - text) + (length ? strtoul(length + 16, NULL, 10) : 0);
        *ret_body = end + 4;
        if (n >= want)
            return n;
    }
    return 0;
}

static void peer_upgrade(int fd, const char *head)
{
    char text[65536];
    ssize_t n;
    peer_say(fd, head);
    while ((n = read(fd, text, sizeof(text))) > 0) {
        for (ssize_t i = 0; i < n; i++)
            text[i] = (char)toupper(text[i]);
        if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
            return;
    }
    peer_say(fd, "bye");
}

/* One behaviour; true = the connection stays. */
static int peer_answer(const struct peer_conn *c, const char *method, const char *path,
                       const char *request, const char *body)
{
    char text[4096];
    int fd = c->fd;
    int own = peer_own ? peer_own(c, method, path, request) : -1;
    if (own >= 0)
        return own;
    if (!strcmp(path, "/conn")) {
        snprintf(text, sizeof(text), "%d", c->number);
        peer_reply(fd, "200 OK", text);
    } else if (!strncmp(path, "/echo", 5)) {
        const char *type = strstr(request, "Content-Type: ");
        const char *expect = strstr(request, "Expect:");
        snprintf(text, sizeof(text), "%s|%s|%.*s|%s|%s", method, path,
                 type ? (int)strcspn(type + 14, "\r") : 0, type ? type + 14 : "",
                 expect ? "expect" : "", body);
        peer_reply(fd, "200 OK", text);
    } else if (!strcmp(path, "/gone")) {
        peer_reply(fd, "404 Not Found", "{\"message\":\"no such thing\"}");
    } else if (!strcmp(path, "/silent")) {
        sleep(3);
        return 0;
    } else if (!strcmp(path, "/cut")) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
        return 0;
    } else if (!strcmp(path, "/none")) {
        return 0;
    } else if (!strcmp(path, "/rubbish")) {
        peer_say(fd, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
        return 0;
    } else if (!strcmp(path, "/big")) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n");
        memset(text, 'b', sizeof(text));
        for (int i = 0; i < 256; i++)
            if (send(fd, text, sizeof(text), MSG_NOSIGNAL) < 0)
                return 0;
    } else if (!strcmp(path, "/stream") || !strcmp(path, "/stall")) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
        usleep(60000);
        peer_say(fd, "3\r\ntwo\r\n");
        if (!strcmp(path, "/stall"))
            sleep(2);
        usleep(60000);
        peer_say(fd, "5\r\nthree\r\n0\r\n\r\n");
    } else if (!strcmp(path, "/upgrade")) {
        peer_upgrade(fd,
                     strstr(request, "Upgrade: tcp\r\n")
                         ? "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
                         : "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
        return 0;
    } else if (!strcmp(path, "/upgrade-early")) {
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Type: appli");
        usleep(20000);
        peer_upgrade(fd, "cation/x\r\n\r\nearly");
        return 0;
    } else if (!strcmp(path, "/flood")) {
        peer_say(fd, "HTTP/1.1 101 UPGRADED\r\n\r\n");
        memset(text, 'f', sizeof(text));
        while (send(fd, text, sizeof(text), MSG_NOSIGNAL) > 0)
            ;
        return 0;
    } else if (!strcmp(path, "/refuse")) {
        peer_reply(fd, "409 Conflict", "{\"message\":\"not running\"}");
        sleep(2);
    } else {
        peer_reply(fd, "500 Internal", "");
    }
    return 1;
}

static void *peer_serve(void *arg)
{
    struct peer_conn *c = arg;
    static __thread char text[1 << 20];
    char method[16], path[512], *body;
    while (peer_read(c->fd, text, sizeof(text), &body)) {
        if (sscanf(text, "%15s %511s", method, path) != 2 ||
            !peer_answer(c, method, path, text, body))
            break;
    }
    close(c->fd);
    free(c);
    return NULL;
}

static void *peer_accept(void *arg)
{
    struct peer *p = arg;
    int fd;
    while ((fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        struct peer_conn *c = malloc(sizeof(*c));
        pthread_t t;
        *c = (struct peer_conn){fd, ++p->connections};
        pthread_create(&t, NULL, peer_serve, c);
        pthread_detach(t);
    }
    return NULL;
}

/* On a unix socket (path) or on a port of 127.0.0.1 (path NULL). */
static void peer_start(struct peer *p, const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    *p = (struct peer){.fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (path) {
        snprintf(p->path, sizeof(p->path), "%s", path);
        snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
        if (bind(p->fd, (struct sockaddr *)&un, sizeof(un)) < 0)
            abort();
    } else if (bind(p->fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
               getsockname(p->fd, (struct sockaddr *)&in, &n) < 0) {
        abort();
    }
    p->port = ntohs(in.sin_port);
    if (listen(p->fd, 256) < 0)
        abort();
    pthread_create(&p->thread, NULL, peer_accept, p);
}

static void peer_stop(struct peer *p)
{
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
    if (*p->path)
        unlink(p->path);
}

#endif
