/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A listening TCP socket at an address that is written in numbers, so that no name has to be looked
 * up: "127.0.0.1:8080", "[::1]:8080", ":0" (127.0.0.1, any port). "localhost" is 127.0.0.1. */
#ifndef MCPTOP_IO_TCP_LISTEN_H
#define MCPTOP_IO_TCP_LISTEN_H

#include "base/fault.h"

/* The descriptor (the caller's; non-blocking) and its port, or -1 with f: FAULT_INVALID, or an
 * errno as EADDRINUSE. */
int tcp_listen_open(const char *address, int *ret_port, struct fault *f);

#endif
