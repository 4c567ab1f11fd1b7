/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The little that the bridge must know of a message: its id, its method. It trusts that the message
 * is valid JSON; the supervisor checks that (mcp/envelope), and a message it cannot make sense of
 * goes through unchanged. */
#ifndef MCPTOP_CLI_RPC_SCAN_H
#define MCPTOP_CLI_RPC_SCAN_H

#include <stdbool.h>
#include <stddef.h>

struct rpc_span { const char *p; size_t n; };      /* into the message; n == 0: absent */

struct rpc_head {
    struct rpc_span id;          /* the token, quotes included; never null */
    struct rpc_span method;      /* the token, quotes included */
    bool is_error;               /* of a reply */
    struct rpc_span cancels;     /* params.requestId of notifications/cancelled: the token */
};

void rpc_scan(const char *message, size_t n, struct rpc_head *ret);
/* The value of this member of an object; n == 0: there is none. */
struct rpc_span rpc_member(struct rpc_span object, const char *name);
bool rpc_is_request(const struct rpc_head *h);
bool rpc_is_reply(const struct rpc_head *h);
/* method without quotes */
bool rpc_method_is(const struct rpc_head *h, const char *method);

#endif
