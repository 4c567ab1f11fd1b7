/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A listening unix socket at a path that may hold something of somebody else's: a file that is no
 * socket, or one that a living process listens on, is refused and left alone. */
#ifndef MCPTOP_IO_UNIX_LISTEN_H
#define MCPTOP_IO_UNIX_LISTEN_H

#include <sys/types.h>
#include "base/fault.h"

struct unix_listen {       /* zeroed: nothing listens */
    char *path;
    dev_t dev;
    ino_t ino;
};

/* The descriptor (the caller's; non-blocking, mode 0600), or -1 with f: FAULT_INVALID (too long a
 * path, no socket), FAULT_CONFLICT (somebody listens there), an errno. */
int unix_listen_open(struct unix_listen *u, const char *path, struct fault *f);
/* Removes the socket if it is still the one that was made. */
void unix_listen_remove(struct unix_listen *u);

#endif
