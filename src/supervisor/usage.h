/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPU, memory, pids, network, disk and pressure of one run, sampled at 1 Hz: the process tree on
 * the host (/proc, descriptors kept open), a local container's cgroup files (v1 and v2), the
 * engine's stats only where those cannot be read. A sample never spans a restart. */
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
    /* the kernel's own, where it keeps one: with page cache, which it takes back when memory is
     * short */
    int64_t memory_peak_bytes;
    int64_t memory_high_bytes;   /* the highest memory_bytes seen */
    int64_t memory_limit_bytes;  /* 0 = none */
    int32_t pids;             /* -1 = unknown */
    int64_t net_rx_bytes, net_tx_bytes;   /* since start; -1 = unknown */
    double throttled_percent; /* share of periods throttled since the last sample; -1 = unknown */
    int64_t ooms;             /* OOM kills inside, since start; -1 = unknown */
    /* of disks, since start; never fall; -1 = unknown */
    int64_t io_read_bytes, io_write_bytes;
    /* of a cgroup of its own, so not of a process tree on the host: share of the last 10 s in which
     * something inside waited for it (PSI, some); -1 = unknown */
    double pressure_cpu, pressure_memory, pressure_io;
};
#define USAGE_UNKNOWN                                                                    \
    ((struct usage){ .cpu_percent = -1, .pids = -1, .net_rx_bytes = -1,                  \
                     .net_tx_bytes = -1, .throttled_percent = -1, .ooms = -1,            \
                     .io_read_bytes = -1, .io_write_bytes = -1, .pressure_cpu = -1,      \
                     .pressure_memory = -1, .pressure_io = -1 })

struct usage_probe;           /* what is kept open for one run */
/* container_id NULL: the tree of processes below pid. Else the cgroup of that process, whose
 * path must name the container (a pid of an engine elsewhere would be some stranger's here).
 * root is "" or, in tests, a directory that stands for /. NULL when it cannot be read. */
struct usage_probe *usage_probe_new(const char *root, pid_t pid, const char *container_id);
void usage_probe_free(struct usage_probe *p);
/* Fills *u; false when the run is gone or cannot be read (then u->known = false and the engine's
 * stats are the way). */
bool usage_probe_sample(struct usage_probe *p, int64_t now_ms, struct usage *u);
/* Something else than the run itself changed its figures (a limit): the next sample reads all. */
void usage_probe_refresh(struct usage_probe *p);

/* The engine's own figures (GET /containers/ID/stats), where the cgroup cannot be read. `last`
 * carries the totals from one call to the next; zeroed at the start of a run. */
struct usage_last { int64_t at_ms, cpu_ns, periods, throttled; };
void usage_from_stats(json_t *stats, int64_t now_ms, struct usage_last *last, struct usage *u);
/* How long to leave the engine alone before it is asked again about one of n containers: each
 * answer costs it some milliseconds, so it is the sum that is bounded. */
int64_t usage_stats_interval_ms(size_t n);

/* cpu_percent: of all cores, 0-100 */
struct host_usage { double cpu_percent; int64_t memory_used, memory_total; int cpus; };
void usage_host(struct host_usage *ret);
/* sampling_us: what the last round of sampling took, of all servers together */
struct self_usage { double cpu_percent; int64_t rss_anon_bytes, sampling_us; };
void usage_self(struct self_usage *ret);

#endif
