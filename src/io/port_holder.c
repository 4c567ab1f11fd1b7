/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A listening socket has an inode number in /proc/net/tcp, and whoever holds it a link
 * "socket:[inode]" in /proc/PID/fd, which shows to the same user and to root only. Linux only. Must
 * not know why the port is asked for. */
#include "io/port_holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINKS_MAX = 20000, STATE_LISTEN = 0x0A };

static unsigned long listening_inode(const char *table, int port)
{
    unsigned long found = 0;
    char line[512];
    FILE *f = fopen(table, "re");
    while (f && !found && fgets(line, sizeof line, f)) {
        unsigned local, state;
        unsigned long inode;
        if (sscanf(line,
                   " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                   &local, &state, &inode) == 3 &&
            local == (unsigned)port && state == STATE_LISTEN)
            found = inode;
    }
    if (f)
        fclose(f);
    return found;
}

static bool holds(const char *pid, const char *socket, int *links_left)
{
    char path[64], to[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d && !found && *links_left > 0 && (e = readdir(d)); --*links_left) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, to, sizeof to - 1);
        to[n > 0 ? n : 0] = '\0';
        found = strcmp(to, socket) == 0;
    }
    if (d)
        closedir(d);
    return found;
}

static void describe(const char *pid, char *out, size_t n)
{
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    FILE *f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    snprintf(out, n, "%s (pid %.20s)", *name ? name : "a program", pid);
}

bool port_holder(int port, char *out, size_t n)
{
    char socket[64];
    int links_left = LINKS_MAX;
    bool found = false;
    unsigned long inode = listening_inode("/proc/net/tcp", port);
    if (!inode)
        inode = listening_inode("/proc/net/tcp6", port);
    DIR *d = inode ? opendir("/proc") : NULL;
    snprintf(socket, sizeof socket, "socket:[%lu]", inode);
    for (struct dirent *e; d && !found && (e = readdir(d));)
        if (isdigit((unsigned char)e->d_name[0]) && holds(e->d_name, socket, &links_left)) {
            describe(e->d_name, out, n);
            found = true;
        }
    if (d)
        closedir(d);
    return found;
}
