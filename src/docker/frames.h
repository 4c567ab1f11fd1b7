/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The multiplexed stream of an attached container without a TTY (Engine API v1.41,
 * ContainerAttach): frames of 8 bytes head (channel, three zeros, length as 32 bits big endian) and
 * the payload. Payloads are handed on as they come, whole or in parts; nothing is stored but the
 * head. */
#ifndef MCPTOP_DOCKER_FRAMES_H
#define MCPTOP_DOCKER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/fault.h"

enum frames_channel { FRAMES_STDIN, FRAMES_STDOUT, FRAMES_STDERR, FRAMES_SYSTEM };

struct frames {
    unsigned char head[8];
    unsigned have;              /* bytes of the head that are in */
    uint32_t left;              /* bytes of the payload still to come */
};

/* false = stop: the object may be gone, nothing of it is touched any more. */
typedef bool (*frames_fn)(void *ctx, enum frames_channel ch, const char *p, size_t n);

/* 0, or -1 with f (FAULT_INVALID) when a head is none; then the stream cannot be read any
 * further. */
int frames_feed(struct frames *fr, const char *p, size_t n, frames_fn fn, void *ctx,
                struct fault *f);
/* Is the stream inside a frame? */
bool frames_is_inside(const struct frames *fr);

#endif
