/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Images for runs, and the pulls that bring them: one pull an image, shared by all who want it; the
 * last one who leaves cancels it. Credentials are looked up for every pull (docker/credentials.h).
 * Knows no server.
 *
 * Callbacks never come from inside images_want. */
#ifndef MCPTOP_SUPERVISOR_IMAGES_H
#define MCPTOP_SUPERVISOR_IMAGES_H

#include <ev.h>
#include <jansson.h>
#include "base/strvec.h"
#include "config/mcp_config.h"
#include "docker/engine.h"
#include "docker/pull.h"

struct images;
struct image_want;

/* A pull under way; valid until the next turn of the loop. */
struct image_pull_status {
    const char *image;
    const struct pull_progress *progress;   /* its layers */
    char text[64];                          /* "layer 4/9 61%"; "pull begins" before that */
    int complete, layers;
    int64_t done_bytes, total_bytes;        /* total 0 = not known yet */
    int64_t rate_bytes;                     /* a second, over the last few; 0 = nothing moves */
    int64_t since_wall_ms;
};

/* changed: a pull of this image began, moved (at most five times a second) or ended. */
typedef void (*images_changed_fn)(void *ctx, const char *image);
/* engine may be NULL (no usable context): then nothing may be wanted. instance marks helper
 * processes. */
struct images *images_new(struct ev_loop *loop, struct engine *engine, const char *instance,
                          images_changed_fn changed, void *ctx);
void images_free(struct images *im);        /* wants end without events; before the engine goes */

struct image_spec {
    const char *image;
    const char *platform;                   /* "linux/arm64"; NULL = the engine's */
    enum pull_policy policy;
    const char *policy_key;                 /* who said so, for the refusal of `never`; or NULL */
};
struct image_want_events {
    /* The wait for a pull begins, and ended well. */
    void (*pulling)(void *ctx, bool under_way);
    void (*note)(void *ctx, const char *text);              /* a line for a log */
    /* Once, the last: the image as the engine inspects it (borrowed), or why there is none: the
     * cause in plain words, the image, the engine's words, what to do: FAULT_NOT_FOUND,
     * FAULT_DENIED, FAULT_CONFIG (policy never), FAULT_CONFLICT (cancelled), FAULT_ENGINE_DOWN,
     * ENOSPC, ENETUNREACH, EBUSY (rate limit), FAULT_HTTP. */
    void (*done)(void *ctx, json_t *image, const struct fault *f);
};
/* spec is copied. */
struct image_want *images_want(struct images *im, const struct image_spec *spec,
                               const struct image_want_events *events, void *ctx);
/* No event any more. NULL is fine; allowed in `pulling`. */
void image_want_cancel(struct image_want *w);

/* Where an inspected image looks for programs: the directories of its PATH. out is replaced. */
void images_search_path(const json_t *image, struct strvec *out);

/* NULL = none under way. */
const struct image_pull_status *images_find_pull(const struct images *im, const char *image);
/* Cancels the pull: all who wait for it are told. False when there is none. */
bool images_cancel(struct images *im, const char *image);

#endif
