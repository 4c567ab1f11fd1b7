/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which engine the environment names. It only reads words: whether anybody answers there is
 * engine.c's to find out. */
#include "docker/context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/mem.h"

#define DEFAULT_SOCKET "/var/run/docker.sock"

static int check_socket(const char *socket, struct fault *f)
{
    const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (socket[0] != '/')
        return fault_set(f, FAULT_INVALID,
                         "DOCKER_HOST must name an absolute path, as in unix://" DEFAULT_SOCKET);
    if (strlen(socket) > most)
        return fault_set(f, FAULT_INVALID, "DOCKER_HOST: the socket's path is longer than %zu "
                         "bytes, the most the kernel takes", most);
    return 0;
}

int docker_context_resolve(struct docker_context *ret, struct fault *f)
{
    const char *host = getenv("DOCKER_HOST");
    bool given = host && *host;
    if (!given)
        host = "unix://" DEFAULT_SOCKET;
    if (strncmp(host, "unix://", 7) != 0)
        return fault_set(f, FAULT_UNSUPPORTED,
                         "DOCKER_HOST is %.200s: only unix:// sockets can be used so far", host);
    if (check_socket(host + 7, f) < 0)
        return -1;
    *ret = (struct docker_context){
        .name = xstrdup("default"), .host = xstrdup(host), .socket = xstrdup(host + 7),
        .why = xstrdup(given ? "DOCKER_HOST is set" : "no DOCKER_HOST: the default socket"),
    };
    return 0;
}

void docker_context_fini(struct docker_context *c)
{
    free(c->name);
    free(c->host);
    free(c->socket);
    free(c->why);
    *c = (struct docker_context){0};
}
