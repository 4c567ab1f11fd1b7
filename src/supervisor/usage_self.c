/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The machine's figures and our own; a handful of small files that are kept open. */
#include "supervisor/usage_probe.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int open_once(int *fd, const char *path)
{
    if (*fd == 0)
        *fd = usage_open("", "%s", path);
    return *fd;
}

void usage_host(struct host_usage *ret)
{
    static int stat_fd, meminfo_fd;
    static unsigned long long last_busy, last_total;
    char text[2048];
    if (!ret->cpus)      /* costs an open, a read and a close */
        ret->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (usage_pread(open_once(&stat_fd, "/proc/stat"), text, sizeof text) > 0) {
        unsigned long long user, nice, sys, idle, wait, irq, soft, steal;
        if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle,
                   &wait, &irq, &soft, &steal) == 8) {
            unsigned long long busy = user + nice + sys + irq + soft + steal,
                total = busy + idle + wait;
            ret->cpu_percent = last_total && total > last_total && busy >= last_busy
                ? (double)(busy - last_busy) * 100. / (double)(total - last_total) : 0.;
            last_busy = busy;
            last_total = total;
        }
    }
    if (usage_pread(open_once(&meminfo_fd, "/proc/meminfo"), text, sizeof text) > 0) {
        ret->memory_total = usage_field(text, "MemTotal") * 1024;
        ret->memory_used = ret->memory_total - usage_field(text, "MemAvailable") * 1024;
    }
}

void usage_self(struct self_usage *ret)
{
    static int statm_fd;
    static int64_t last_cpu_ns, last_ns;
    struct timespec cpu, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t cpu_ns = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec,
        now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    ret->cpu_percent = last_ns && now_ns > last_ns
        ? (double)(cpu_ns - last_cpu_ns) * 100. / (double)(now_ns - last_ns) : 0.;
    last_cpu_ns = cpu_ns;
    last_ns = now_ns;
    char text[128];
    long long size, resident, shared;
    if (usage_pread(open_once(&statm_fd, "/proc/self/statm"), text, sizeof text) > 0 &&
        sscanf(text, "%lld %lld %lld", &size, &resident, &shared) == 3)
        ret->rss_anon_bytes = (resident - shared) * sysconf(_SC_PAGESIZE);
}
