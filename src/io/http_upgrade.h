/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An HTTP request whose connection becomes a plain two-way byte stream (101 UPGRADED, or 200 as old
 * engines answer): the attach of a container, and the bridge's connection to the supervisor.
 *
 * Time-outs of the spec (connect, total) hold until the upgrade is there; after it none. Reads in
 * turns of at most 64 KiB. */
#ifndef MCPTOP_IO_HTTP_UPGRADE_H
#define MCPTOP_IO_HTTP_UPGRADE_H

#include <sys/uio.h>
#include "io/http_client.h"

struct http_upgrade;
/* http_upgrade_free is allowed in each of them. None fires from inside a http_upgrade_* call. */
struct http_upgrade_events {
    /* the connection is ours now: writes may begin */
    void (*open)(void *ctx);
    void (*data)(void *ctx, const char *p, size_t n);
    void (*drained)(void *ctx);                               /* may be NULL */
    /* Once; the last event. status is the refused HTTP status (0 when none); why NULL = orderly end
     * of input. */
    void (*end)(void *ctx, long status, const struct fault *why);
};
/* spec.headers must not contain Connection/Upgrade; protocol is the Upgrade value ("tcp"). */
struct http_upgrade *http_upgrade_open(struct http_client *h, const struct http_spec *spec,
                                       const char *protocol,
                                       const struct http_upgrade_events *events, void *ctx);
/* As stream_writev; ENOTCONN before `open`. */
int http_upgrade_writev(struct http_upgrade *u, const struct iovec *iov, int count,
                        struct fault *f);
/* ends our direction after what is queued; idempotent */
void http_upgrade_shutdown(struct http_upgrade *u);
size_t http_upgrade_queued(const struct http_upgrade *u);
void http_upgrade_set_queue_cap(struct http_upgrade *u, size_t bytes);
void http_upgrade_pause(struct http_upgrade *u, bool paused);
/* In `end` with a status: what the peer wrote in its refusal (up to 16 KiB, NUL-terminated). */
const char *http_upgrade_get_refusal(const struct http_upgrade *u);
void http_upgrade_free(struct http_upgrade *u);               /* NULL is fine */

#endif
