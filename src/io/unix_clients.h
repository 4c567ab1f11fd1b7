/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who on this machine is connected to a unix socket that others listen on, and which processes run
 * programs of certain names. Linux only: the kernel's list of unix sockets (sock_diag) names the
 * other end of each connection by its inode number, and /proc/PID/fd the holder of it. A client in
 * another network namespace (a container that has the socket) is in that one's list alone: who may
 * enter it (root) asks there, too; for others /proc/PID/net/unix counts, by the socket's name.
 *
 * Names no file and no argument to anybody: argv may hold secrets. */
#ifndef MCPTOP_IO_UNIX_CLIENTS_H
#define MCPTOP_IO_UNIX_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/fault.h"
#include "base/strvec.h"

struct unix_client {
    pid_t pid;
    int64_t started_wall_ms;
    bool connected;             /* else it only runs one of the programs */
    unsigned ended;             /* of its connections: how many it has ended its own direction of */
    struct strvec argv;
};

struct unix_clients {
    struct unix_client *v;
    size_t n;
    size_t unseen;              /* connections whose holder does not show to us … */
    size_t unseen_ended;        /* … and whose client has ended its own direction */
    size_t elsewhere;           /* connections from network namespaces that we may not enter */
    char elsewhere_name[32];    /* some program of one of these */
    pid_t listener;             /* who made the socket: the server, or what started it on demand */
};
void unix_clients_fini(struct unix_clients *c);

/* Connections that were open when the scan was made, without our own. Programs: base names, ended
 * by NULL; borrowed. NULL with f when it cannot be told from here: no such list in this kernel,
 * the socket's connections are not in it, or the server's process does not show to us (we run in a
 * container, /proc hides other users' processes), so that its clients need not either. */
struct unix_scan;
struct unix_scan *unix_scan_new(const char *socket_path, const char *const *programs,
                                struct fault *f);
void unix_scan_free(struct unix_scan *s);
/* Looks at so many processes more (about 30 µs each); false when it is done. */
bool unix_scan_step(struct unix_scan *s, unsigned processes);
/* Only when it is done; moved out. */
void unix_scan_take(struct unix_scan *s, struct unix_clients *ret);

#endif
