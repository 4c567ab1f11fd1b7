/* SPDX-License-Identifier: GPL-3.0-or-later */
/* /proc/PID/fd/0 of a pipe opens another read end of it, and poll() tells by POLLHUP that no write
 * end is left. Of a FIFO that has a name it tells so only of ends that went since that opening. */
#include "io/process_input.h"

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

static bool is_in_cgroup(int dir, const char *name)
{
    char text[16 * 1024];
    AUTO_CLOSE int fd = openat(dir, "cgroup", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, name) != NULL;
}

static bool is_pipe(int dir)
{
    static const char kind[] = "pipe:[";
    char to[64];
    return readlinkat(dir, "fd/0", to, sizeof to) >= (ssize_t)sizeof kind &&
           memcmp(to, kind, sizeof kind - 1) == 0;
}

enum process_input process_input(pid_t pid, const char *cgroup)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%ld", (long)pid);
    AUTO_CLOSE int dir = pid > 0 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (dir < 0 || (*cgroup && !is_in_cgroup(dir, cgroup)))
        return INPUT_UNKNOWN;
    if (!is_pipe(dir))
        return INPUT_UNKNOWN;       /* what is no pipe must not be opened: that may do something */
    AUTO_CLOSE int fd = openat(dir, "fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fd < 0 || poll(&p, 1, 0) < 0)
        return INPUT_UNKNOWN;
    return p.revents & POLLHUP ? INPUT_ENDED : INPUT_OPEN;
}
