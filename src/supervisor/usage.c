/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of one run: picks the way to read them (a process tree, a cgroup, the engine's
 * stats), and the little that these share. */
#include "supervisor/usage_probe.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "docker/stats.h"

struct usage_probe {
    struct usage_tree *tree;         /* one of the two */
    struct usage_cgroup *cgroup;
};

struct usage_probe *usage_probe_new(const char *root, pid_t pid, const char *container_id)
{
    struct usage_probe p = { 0 };
    if (container_id)
        p.cgroup = usage_cgroup_new(root, pid, container_id);
    else
        p.tree = usage_tree_new(root, pid);
    if (!p.cgroup && !p.tree)
        return NULL;
    struct usage_probe *made = xmalloc(sizeof *made);
    *made = p;
    return made;
}

void usage_probe_free(struct usage_probe *p)
{
    if (!p)
        return;
    usage_tree_free(p->tree);
    usage_cgroup_free(p->cgroup);
    free(p);
}

bool usage_probe_sample(struct usage_probe *p, int64_t now_ms, struct usage *u)
{
    u->known = p->cgroup ? usage_cgroup_sample(p->cgroup, now_ms, u) : usage_tree_sample(p->tree,
        now_ms, u);
    return u->known;
}

void usage_probe_refresh(struct usage_probe *p)
{
    if (p && p->cgroup)
        usage_cgroup_refresh(p->cgroup);
}

/* ---- the engine's stats ------------------------------------------------------------ */

void usage_from_stats(json_t *reply, int64_t now_ms, struct usage_last *last, struct usage *u)
{
    struct engine_stats stats;
    int64_t high = u->memory_high_bytes;
    *u = USAGE_UNKNOWN;
    u->known = engine_stats_read(reply, &stats) == 0;
    if (!u->known)
        return;
    if (last->at_ms && now_ms > last->at_ms && stats.cpu_ns >= last->cpu_ns)
        u->cpu_percent =
            (double)(stats.cpu_ns - last->cpu_ns) / 1e6 / (double)(now_ms - last->at_ms) * 100.;
    u->memory_bytes = stats.memory_bytes;
    u->memory_high_bytes = stats.memory_bytes > high ? stats.memory_bytes : high;
    u->memory_peak_bytes = stats.memory_peak_bytes > 0 ? stats.memory_peak_bytes
                                                       : u->memory_high_bytes;
    u->memory_limit_bytes = stats.memory_limit_bytes;
    u->pids = (int32_t)stats.pids;
    u->net_rx_bytes = stats.rx_bytes;
    u->net_tx_bytes = stats.tx_bytes;
    u->io_read_bytes = stats.read_bytes;
    u->io_write_bytes = stats.write_bytes;
    bool again = stats.periods > last->periods && last->at_ms;
    if (again)
        u->throttled_percent = (double)(stats.throttled - last->throttled) * 100. /
            (double)(stats.periods - last->periods);
    *last = (struct usage_last){ now_ms, stats.cpu_ns, stats.periods, stats.throttled };
}

int64_t usage_stats_interval_ms(size_t n)
{
    enum { LEAST_MS = 2000, EACH_MS = 500, MOST_MS = 60 * 1000 };
    int64_t ms = (int64_t)(n < 1000 ? n : 1000) * EACH_MS;
    return ms < LEAST_MS ? LEAST_MS : ms > MOST_MS ? MOST_MS : ms;
}

/* ---- shared ------------------------------------------------------------------------- */

long usage_pread(int fd, char *out, size_t n)
{
    ssize_t got = fd < 0 ? -1 : pread(fd, out, n - 1, 0);
    out[got > 0 ? got : 0] = '\0';
    return got;
}

int usage_open(const char *root, const char *fmt, ...)
{
    char path[4096];
    int at = snprintf(path, sizeof path, "%s", root);
    va_list ap;
    va_start(ap, fmt);
    int more = vsnprintf(path + at, sizeof path - (size_t)at, fmt, ap);
    va_end(ap);
    if (more < 0 || (size_t)(at + more) >= sizeof path)
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

int64_t usage_field(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
        if (strncmp(p, key, n) == 0 && (p[n] == ' ' || p[n] == ':'))
            return strtoll(p + n + 1, NULL, 10);
    return -1;
}
