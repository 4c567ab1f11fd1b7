/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPU, memory, pids and network of one run, sampled at 1 Hz: the process tree on the host
 * (/proc, descriptors kept open), a local container's cgroup files (v1 and v2), the engine's
 * stats only where those cannot be read. A sample never spans a restart. */
#ifndef MCPTOP_SUPERVISOR_USAGE_H
#define MCPTOP_SUPERVISOR_USAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
    bool known;               /* the figures below are of the current run */
    double cpu_percent;       /* of one core, over the last interval; -1 until two samples exist */
    int64_t memory_bytes;     /* host: sum of RSS; container: current without inactive page cache */
    int64_t memory_peak_bytes;
    int64_t memory_limit_bytes;  /* 0 = none */
    int32_t pids;             /* -1 = unknown */
    int64_t net_rx_bytes, net_tx_bytes;   /* since start; -1 = unknown */
    double throttled_percent; /* share of periods throttled since the last sample; -1 = unknown */
    int64_t ooms;             /* OOM kills inside, since start; -1 = unknown */
};

struct usage_probe;           /* what is kept open for one run */
/* container_id NULL: the tree of processes below pid. Else the cgroup of that process, whose
 * path must name the container (a pid of an engine elsewhere would be some stranger's here).
 * root is "" or, in tests, a directory that stands for /. NULL when it cannot be read. */
struct usage_probe *usage_probe_new(const char *root, pid_t pid, const char *container_id);
void usage_probe_free(struct usage_probe *p);
/* Fills *u; false when the run is gone or cannot be read (then u->known = false and the engine's
 * stats are the way). */
bool usage_probe_sample(struct usage_probe *p, int64_t now_ms, struct usage *u);

/* The engine's own figures (GET /containers/ID/stats), where the cgroup cannot be read. `last`
 * carries the totals from one call to the next; zeroed at the start of a run. */
struct usage_last { int64_t at_ms, cpu_ns; };
void usage_from_stats(json_t *stats, int64_t now_ms, struct usage_last *last, struct usage *u);

/* cpu_percent: of all cores, 0-100 */
struct host_usage { double cpu_percent; int64_t memory_used, memory_total; int cpus; };
void usage_host(struct host_usage *ret);
struct self_usage { double cpu_percent; int64_t rss_anon_bytes; };
void usage_self(struct self_usage *ret);

#endif
