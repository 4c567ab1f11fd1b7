/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether anything can still come at a process' standard input, by looking alone: a pipe is opened
 * beside it for a moment and asked who is at its other end; no byte is taken. Linux only. */
#ifndef MCPTOP_IO_PROCESS_INPUT_H
#define MCPTOP_IO_PROCESS_INPUT_H

#include <sys/types.h>

enum process_input {
    INPUT_UNKNOWN,      /* no such process here, no right to look, or no pipe without a name */
    INPUT_OPEN,         /* somebody has the other end */
    INPUT_ENDED,        /* nobody has, so nothing will ever come */
};

/* cgroup: what the name of its control group must hold, so that another process of that number (the
 * number is of another machine) is not meant; "" = any. */
enum process_input process_input(pid_t pid, const char *cgroup);

#endif
