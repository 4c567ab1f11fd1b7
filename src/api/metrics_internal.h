/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What metrics.c (the supervisor, each server) and metrics_tools.c (each tool) share. */
#ifndef MCPTOP_API_METRICS_INTERNAL_H
#define MCPTOP_API_METRICS_INTERNAL_H

#include "api/metrics.h"
#include "mcp/session.h"

struct fleet;

void metrics_add_head(struct buf *out, const char *name, const char *type, const char *help);
void metrics_add_value(struct buf *out, double v);       /* and the end of the line */
/* mcptop_NAME_… of a summary: labels without braces; a quantile below 0 is not known. */
void metrics_add_summary(struct buf *out, const char *name, const char *labels,
                         const int64_t p50_95_99_us[3], uint64_t count, uint64_t sum_us);
void metrics_write_tools(const struct fleet *fl, struct buf *out);

#endif
