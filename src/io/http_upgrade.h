/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An HTTP request whose connection becomes a plain two-way byte stream (101 UPGRADED, or 200 as old engines answer): the
 * attach of a container, and the bridge's connection to the supervisor. */
#ifndef MCPTOP_IO_HTTP_UPGRADE_H
#define MCPTOP_IO_HTTP_UPGRADE_H

#include <sys/uio.h>
#include "io/http_client.h"

struct http_upgrade;
struct http_upgrade_events {
    void (*open)(void *ctx);                                  /* the connection is ours now */
    void (*data)(void *ctx, const char *p, size_t n);
    void (*drained)(void *ctx);                               /* may be NULL */
    /* Once; the last event; may free here. status is the refused HTTP status (0 when none); why NULL = orderly end of input. */
    void (*end)(void *ctx, long status, const struct fault *why);
};
/* spec.headers must not contain Connection/Upgrade; protocol is the Upgrade value ("tcp"). */
struct http_upgrade *http_upgrade_open(struct http_client *h, const struct http_spec *spec, const char *protocol,
                                       const struct http_upgrade_events *events, void *ctx);
int http_upgrade_writev(struct http_upgrade *u, const struct iovec *iov, int count, struct fault *f);
void http_upgrade_shutdown(struct http_upgrade *u);           /* ends our direction after what is queued */
size_t http_upgrade_queued(const struct http_upgrade *u);
void http_upgrade_set_queue_cap(struct http_upgrade *u, size_t bytes);
void http_upgrade_pause(struct http_upgrade *u, bool paused);
void http_upgrade_free(struct http_upgrade *u);

#endif
