/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Waiting for one tool call. Where stderr is a terminal, a line there tells after a second for
 * whom, for how long, and what the server says of its progress; it is rewritten, and gone at the
 * end. SIGINT and SIGTERM cancel the call. */
#ifndef MCPTOP_CLI_CALL_WAIT_H
#define MCPTOP_CLI_CALL_WAIT_H

#include <jansson.h>
#include <stdint.h>
#include "base/fault.h"

/* 0 with *ret_data (a new reference), or -1; the code is FAULT_CANCELLED after a signal. body is
 * stolen: {"server":…,"tool":…}, which the line names, too. */
int call_wait(const char *socket, json_t *body, int64_t timeout_ms, json_t **ret_data,
              struct fault *f);

#endif
