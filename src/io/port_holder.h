/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who listens on a TCP port of this machine, for a message to people. */
#ifndef MCPTOP_IO_PORT_HOLDER_H
#define MCPTOP_IO_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* "nginx (pid 4711)"; false where /proc does not tell us (the process of another user). Reads a few
 * thousand links at most: once for a message, not in a loop's every turn. */
bool port_holder(int port, char *out, size_t n);

#endif
