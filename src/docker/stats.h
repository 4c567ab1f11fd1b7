/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One reading of GET /containers/ID/stats (API v1.41) as numbers. Pure reading; cgroup v1 and v2
 * shapes, and Podman's. */
#ifndef MCPTOP_DOCKER_STATS_H
#define MCPTOP_DOCKER_STATS_H

#include <jansson.h>
#include <stdint.h>

struct engine_stats {
    int64_t cpu_ns;             /* since the container's start; a rate needs two readings */
    /* without the reclaimable part of the page cache, as `docker stats` shows it */
    int64_t memory_bytes;
    int64_t memory_limit_bytes; /* the machine's memory when there is no limit */
    int64_t pids;
    int64_t rx_bytes, tx_bytes; /* all networks */
    int64_t memory_peak_bytes;  /* with page cache; 0 = not told (cgroup v2) */
    int64_t periods, throttled; /* of the CPU limit, since the start */
    int64_t read_bytes, write_bytes;   /* all disks; -1 = not told */
};

/* 0, or -1 when the container does not run (the engine then answers with empty objects). */
int engine_stats_read(const json_t *reply, struct engine_stats *ret);

#endif
