/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Opens a listening TCP socket. What is said there is the caller's affair. */
#include "io/tcp_listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

enum { BACKLOG = 512 };

/* getaddrinfo() takes 65536 for 0. */
static bool is_port(const char *s)
{
    size_t n = strspn(s, "0123456789");

    return n > 0 && n < 6 && !s[n] && atoi(s) <= 65535;
}

static int resolve(const char *address, struct addrinfo **ret, struct fault *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    const char *colon = strrchr(address, ':');
    AUTO_FREE char *host = colon ? xstrndup(address, (size_t)(colon - address)) : NULL;
    char *h = host;

    if (!colon || !is_port(colon + 1))
        return fault_set(f, FAULT_INVALID,
                         "listen address \"%s\" is not ADDR:PORT, for example 127.0.0.1:8080",
                         address);
    size_t n = strlen(h);
    if (n >= 2 && h[0] == '[' && h[n - 1] == ']') {
        h[n - 1] = '\0';
        h++;
    }
    bool is_loopback = !h[0] || strcmp(h, "localhost") == 0;
    int rc = getaddrinfo(is_loopback ? "127.0.0.1" : h, colon + 1, &hints, ret);
    if (rc)
        return fault_set(f, FAULT_INVALID, "listen address \"%s\": %s", address, gai_strerror(rc));
    return 0;
}

static int listen_at(const struct addrinfo *ai)
{
    AUTO_CLOSE int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1;

    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    int taken = fd;
    fd = -1;
    return taken;
}

static int port_of(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t n = sizeof ss;

    getsockname(fd, (struct sockaddr *)&ss, &n);
    return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                          : ((struct sockaddr_in *)&ss)->sin_port);
}

int tcp_listen_open(const char *address, int *ret_port, struct fault *f)
{
    struct addrinfo *ai = NULL;

    if (resolve(address, &ai, f) < 0)
        return -1;
    int fd = listen_at(ai);
    freeaddrinfo(ai);
    if (fd < 0)
        return fault_set(f, -fd, "listen on %s", address);
    *ret_port = port_of(fd);
    return fd;
}
