/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The ids of a client's requests that are not answered yet, as tokens: 1 is not "1". Bounded. */
#ifndef MCPTOP_CLI_INFLIGHT_H
#define MCPTOP_CLI_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include "cli/rpc_scan.h"

enum { INFLIGHT_MAX = 4096, INFLIGHT_ID_MAX = 1024 };

struct inflight {
    struct inflight_id { char *token; size_t n; } *ids;   /* owned, in the order of asking */
    size_t count, cap;
};
/* false: too many, or an id longer than INFLIGHT_ID_MAX; nothing was added. */
bool inflight_add(struct inflight *f, struct rpc_span id);
bool inflight_remove(struct inflight *f, struct rpc_span id);     /* was it there? */
void inflight_clear(struct inflight *f);
void inflight_fini(struct inflight *f);

#endif
