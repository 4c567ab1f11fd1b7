/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figures of one run: picks the way to read them (a process tree, a cgroup, the engine's stats), and the little that these share. */
#include "supervisor/usage_probe.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"

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
    u->known = p->cgroup ? usage_cgroup_sample(p->cgroup, now_ms, u) : usage_tree_sample(p->tree, now_ms, u);
    return u->known;
}

/* ---- the engine's stats ------------------------------------------------------------ */

static int64_t number(json_t *object, const char *key)
{
    json_t *v = json_object_get(object, key);
    return json_is_number(v) ? (int64_t)json_number_value(v) : -1;
}

static int64_t page_cache(json_t *memory)
{
    json_t *stats = json_object_get(memory, "stats");
    int64_t v = number(stats, "total_inactive_file");     /* cgroup v1 */
    if (v < 0)
        v = number(stats, "inactive_file");               /* v2 */
    return v > 0 ? v : 0;
}

static void sum_networks(json_t *networks, struct usage *u)
{
    const char *name;
    json_t *net;
    u->net_rx_bytes = u->net_tx_bytes = json_is_object(networks) ? 0 : -1;
    json_object_foreach(networks, name, net) {
        u->net_rx_bytes += number(net, "rx_bytes");
        u->net_tx_bytes += number(net, "tx_bytes");
    }
}

void usage_from_stats(json_t *stats, int64_t now_ms, struct usage_last *last, struct usage *u)
{
    enum { UNLIMITED_SHIFT = 60 };
    json_t *cpu = json_object_get(stats, "cpu_stats"), *memory = json_object_get(stats, "memory_stats");
    json_t *throttling = json_object_get(cpu, "throttling_data");
    struct usage_last now = { now_ms, number(json_object_get(cpu, "cpu_usage"), "total_usage"), number(throttling, "periods"),
                              number(throttling, "throttled_periods") };
    int64_t used = number(memory, "usage"), limit = number(memory, "limit"), max = number(memory, "max_usage");
    u->known = used >= 0 && now.cpu_ns >= 0;
    u->cpu_percent = u->throttled_percent = -1;
    if (last->at_ms && now_ms > last->at_ms && now.cpu_ns >= last->cpu_ns)
        u->cpu_percent = (double)(now.cpu_ns - last->cpu_ns) / 1e6 / (double)(now_ms - last->at_ms) * 100.;
    if (last->at_ms && now.periods >= last->periods)
        u->throttled_percent = now.periods > last->periods
            ? (double)(now.throttled - last->throttled) * 100. / (double)(now.periods - last->periods) : 0.;
    u->memory_bytes = used > 0 ? used - page_cache(memory) : 0;
    u->memory_limit_bytes = limit > 0 && limit < (int64_t)1 << UNLIMITED_SHIFT ? limit : 0;
    u->memory_peak_bytes = max > u->memory_peak_bytes ? max : u->memory_peak_bytes;
    if (u->memory_bytes > u->memory_peak_bytes)
        u->memory_peak_bytes = u->memory_bytes;
    u->pids = (int32_t)number(json_object_get(stats, "pids_stats"), "current");
    sum_networks(json_object_get(stats, "networks"), u);
    u->ooms = -1;
    *last = now;
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
