/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/unix_listen.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"

enum { BACKLOG = 512 };

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* A full backlog is somebody, too. */
static bool somebody_listens(const struct sockaddr_un *sa)
{
    AUTO_CLOSE int fd = unix_socket();
    return fd >= 0 && (connect(fd, (const struct sockaddr *)sa, sizeof *sa) == 0 ||
                       errno == EAGAIN);
}

/* What a process that was killed left there goes. */
static int make_room(const struct sockaddr_un *sa, struct fault *f)
{
    struct stat st;
    if (lstat(sa->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : fault_set(f, errno, "%s", sa->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return fault_set(f, FAULT_INVALID,
                         "%s is there and is no socket, so it is left alone: choose another path "
                         "with --socket", sa->sun_path);
    if (somebody_listens(sa))
        return fault_set(f, FAULT_CONFLICT,
                         "another program listens on %s: choose another path with --socket, or "
                         "end that program", sa->sun_path);
    return unlink(sa->sun_path) < 0 ? fault_set(f, errno, "remove %s", sa->sun_path) : 0;
}

int unix_listen_open(struct unix_listen *u, const char *path, struct fault *f)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    struct stat st;
    if (strlen(path) >= sizeof sa.sun_path)
        return fault_set(f, FAULT_INVALID,
                         "socket path %s is longer than %zu bytes: choose another with --socket",
                         path, sizeof sa.sun_path - 1);
    strcpy(sa.sun_path, path);
    if (make_room(&sa, f) < 0)
        return -1;
    AUTO_CLOSE int fd = unix_socket();
    mode_t old = umask(0177);
    int bound = fd < 0 ? -1 : bind(fd, (struct sockaddr *)&sa, sizeof sa);
    int saved = errno;
    umask(old);
    if (bound < 0)
        return fault_set(f, saved, "bind %s", path);
    if (listen(fd, BACKLOG) < 0 || lstat(path, &st) < 0)
        return fault_set(f, errno, "listen on %s", path);
    *u = (struct unix_listen){ xstrdup(path), st.st_dev, st.st_ino };
    int taken = fd;
    fd = -1;
    return taken;
}

void unix_listen_remove(struct unix_listen *u)
{
    struct stat st;
    if (u->path && lstat(u->path, &st) == 0 && st.st_dev == u->dev && st.st_ino == u->ino)
        unlink(u->path);
    free(u->path);
    *u = (struct unix_listen){ 0 };
}
