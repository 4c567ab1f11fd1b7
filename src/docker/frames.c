/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Takes the frames of an attached container apart. A state of 16 bytes, no memory; the caller's
 * bytes are handed on. */
#include "docker/frames.h"

#include <string.h>

static int head_check(const struct frames *fr, struct fault *f)
{
    const unsigned char *h = fr->head;
    if (h[0] <= FRAMES_SYSTEM && !h[1] && !h[2] && !h[3])
        return 0;
    return fault_set(f, FAULT_INVALID, "the engine's stream is out of frame (%02x %02x %02x %02x); "
                     "was the container made with a TTY?", h[0], h[1], h[2], h[3]);
}

int frames_feed(struct frames *fr, const char *p, size_t n, frames_fn fn, void *ctx,
                struct fault *f)
{
    const char *end = p + n;
    while (p < end) {
        if (fr->left == 0) {
            fr->head[fr->have++] = (unsigned char)*p++;
            if (fr->have < sizeof(fr->head))
                continue;
            fr->have = 0;
            if (head_check(fr, f) < 0)
                return -1;
            fr->left = (uint32_t)fr->head[4] << 24 | (uint32_t)fr->head[5] << 16 |
                       (uint32_t)fr->head[6] << 8 | fr->head[7];
            continue;
        }
        size_t take = (size_t)(end - p) < fr->left ? (size_t)(end - p) : fr->left;
        fr->left -= (uint32_t)take;
        if (!fn(ctx, (enum frames_channel)fr->head[0], p, take))
            return 0;
        p += take;
    }
    return 0;
}

bool frames_is_inside(const struct frames *fr)
{
    return fr->have > 0 || fr->left > 0;
}
