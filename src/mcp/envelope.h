/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The envelope of a JSON-RPC 2.0 message as MCP uses it, found without parsing or copying the payload.
 *
 * Strict (MCP.md rule 10): one object, valid UTF-8, bounded depth, no duplicate and no case-variant envelope keys
 * ("Id", "METHOD"), "jsonrpc" must be "2.0", an id is a string or a number (kept as its token: 1 is not "1", 2^53+1 stays). A JSON-RPC batch is
 * refused with a sentence. */
#ifndef MCPTOP_MCP_ENVELOPE_H
#define MCPTOP_MCP_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/fault.h"

struct span { const char *p; size_t n; };       /* n == 0: absent. Points into the message */

enum envelope_kind { ENVELOPE_REQUEST, ENVELOPE_NOTIFICATION, ENVELOPE_RESULT, ENVELOPE_ERROR };

struct envelope {
    enum envelope_kind kind;
    struct span id;              /* the token, quotes included */
    struct span method;          /* without quotes */
    struct span params;          /* the value */
    struct span result, error;   /* the value */
    struct span name;            /* params.name of a request, the token with quotes (the tool of tools/call) */
    struct span progress_token;  /* params._meta.progressToken of a request, params.progressToken of notifications/progress: the token */
    struct span cancels;         /* params.requestId of notifications/cancelled: the token */
};

int envelope_scan(const char *msg, size_t n, struct envelope *ret, struct fault *f);
bool span_is(struct span s, const char *text);

/* The message in pieces for writev, with tokens replaced: at most ENVELOPE_IOV pieces. new_id / new_token NULL or n == 0 = keep. */
enum { ENVELOPE_IOV = 7 };
struct iovec;
int envelope_rewrite(const char *msg, size_t n, const struct envelope *e, struct span new_id, struct span new_token,
                     struct iovec iov[ENVELOPE_IOV]);   /* how many were used; a trailing "\n" is included */

/* Appends {"jsonrpc":"2.0","id":ID,"error":{"code":CODE,"message":…}} (id n == 0 → null). */
void envelope_error(struct buf *out, struct span id, int code, const char *message);

#endif
