/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /metrics: everything that is counted, in Prometheus' text format (exposition format 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/). Names follow its conventions: base
 * units, `_total` for what only grows, one name one meaning. A figure that is not known is left
 * out, never -1. */
#ifndef MCPTOP_API_METRICS_H
#define MCPTOP_API_METRICS_H

#include "base/buf.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct api_server;

/* Appends all of them. */
void metrics_write(const struct api_server *a, struct buf *out);
/* Appends a label's value with its quotes: backslash, quote and newline escaped, invalid UTF-8 as
 * U+FFFD. */
void metrics_add_label(struct buf *out, const char *value);

#endif
