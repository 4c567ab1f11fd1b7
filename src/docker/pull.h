/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The progress of a pull (POST /images/create, API v1.41: one JSON object a line) as one line for
 * people. Pure reading. */
#ifndef MCPTOP_DOCKER_PULL_H
#define MCPTOP_DOCKER_PULL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/fault.h"

enum { PULL_MAX_LAYERS = 128 };     /* the kernel's overlay takes no more */

struct pull_layer {
    char id[16];
    int64_t done, total;            /* bytes to fetch; total 0 = not known yet */
    bool complete;
};

struct pull_progress {
    struct pull_layer layers[PULL_MAX_LAYERS];
    int count;
    char error[600];                /* what the engine said it failed of; "" */
};

/* Takes one line in. true when the progress changed. */
bool pull_progress_line(struct pull_progress *p, const char *line, size_t n);
/* "layer 4/9 61%" ("layer 4/9" while sizes are unknown, "" before the first layer). Returns out; n
 * >= 40. */
char *pull_progress_text(const struct pull_progress *p, char *out, size_t n, int64_t *ret_done,
                         int64_t *ret_total);
/* How many layers are here whole. */
int pull_progress_complete(const struct pull_progress *p);
/* Which kind of refusal these words of the engine are: FAULT_NOT_FOUND, FAULT_DENIED, ENOSPC (its
 * disk is full), ENETUNREACH (it does not reach the registry, or does not trust it), EBUSY (the
 * registry's rate limit), or FAULT_HTTP. */
int pull_classify(const char *words);
/* "python:3.11" -> "python", "3.11"; no tag -> "latest"; a digest -> the whole reference and "".
 * Returns a new string. */
char *pull_split_reference(const char *image, const char **ret_tag);

#endif
