/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Use of a local container, from the files of its cgroup (version 1, 2 or both at once) and its
 * network namespace's counters; all kept open. Which directory it is says /proc/PID/cgroup;
 * where hierarchies are mounted says /proc/self/mountinfo. */
#include "supervisor/usage_probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"

enum file {
    FILE_MEMORY, FILE_MEMORY_PEAK, FILE_MEMORY_LIMIT, FILE_MEMORY_STAT, FILE_MEMORY_EVENTS,
    FILE_CPU_USAGE, FILE_CPU_STAT, FILE_PIDS, FILE_NET, FILE_IO,
    FILE_PRESSURE_CPU, FILE_PRESSURE_MEMORY, FILE_PRESSURE_IO,
    FILES
};

/* Which controller's directory a file lies in, in version 1. */
struct file_name { enum file file; const char *controller, *name; };

static const struct file_name v1_files[] = {
    { FILE_MEMORY, "memory", "memory.usage_in_bytes" },
    { FILE_MEMORY_PEAK, "memory", "memory.max_usage_in_bytes" },
    { FILE_MEMORY_LIMIT, "memory", "memory.limit_in_bytes" },
    { FILE_MEMORY_STAT, "memory", "memory.stat" },
    { FILE_MEMORY_EVENTS, "memory", "memory.oom_control" },
    { FILE_CPU_USAGE, "cpuacct", "cpuacct.usage" },
    { FILE_CPU_STAT, "cpu", "cpu.stat" },
    { FILE_PIDS, "pids", "pids.current" },
    { FILE_IO, "blkio", "blkio.throttle.io_service_bytes_recursive" },   /* since Linux 4.20 */
    { FILE_IO, "blkio", "blkio.throttle.io_service_bytes" },
};

static const struct file_name v2_files[] = {
    { FILE_MEMORY, "", "memory.current" },
    { FILE_MEMORY_PEAK, "", "memory.peak" },         /* since Linux 5.19 */
    { FILE_MEMORY_LIMIT, "", "memory.max" },
    { FILE_MEMORY_STAT, "", "memory.stat" },
    { FILE_MEMORY_EVENTS, "", "memory.events" },
    { FILE_CPU_STAT, "", "cpu.stat" },               /* has the use too */
    { FILE_PIDS, "", "pids.current" },
    { FILE_IO, "", "io.stat" },
    /* where the kernel counts it; also beside version 1, in the hierarchy called unified */
    { FILE_PRESSURE_CPU, "", "cpu.pressure" },
    { FILE_PRESSURE_MEMORY, "", "memory.pressure" },
    { FILE_PRESSURE_IO, "", "io.pressure" },
};

struct usage_cgroup {
    int fd[FILES];
    int64_t sampled_ms, cpu_ns, periods, throttled, high_bytes;
    struct usage last, slow;     /* as they were read last: all at once; what is read rarely */
    int64_t full_due_ms, slow_ms, stagger_ms;
};

/* Watching must cost nothing that shows: of a container that used no CPU since the last look (but
 * what its init needs to wait) nothing else is read, for at most CALM_MS; the CPU time it may have
 * had is too short to fill more than a few MiB. Network, disk and pressure, totals and averages
 * over 10 s, are read rarely from all. */
enum { CALM_MS = 20000, SLOW_MS = 10000 };
#define CALM_PERCENT .01

/* ---- finding it ---------------------------------------------------------------------- */

/* Is `word` one of the comma-separated words of text[0, n)? */
static bool has_word(const char *text, size_t n, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = text, *end = text + n; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        size_t w = (size_t)((comma ? comma : end) - p);
        if (w == len && memcmp(p, word, len) == 0)
            return true;
        p += w + 1;
    }
    return false;
}

/* "4:memory:/docker/ID" of /proc/PID/cgroup; controller "" is version 2's "0::/…". The path is
 * put into out. */
static bool find_path(const char *text, const char *controller, char *out, size_t n)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1
         : NULL) {
        const char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
        if (!second)
            continue;
        size_t len = (size_t)(second - first - 1);
        if (*controller ? !has_word(first + 1, len, controller) : len != 0)
            continue;
        size_t path_len = strcspn(second + 1, "\n");
        if (path_len >= n)
            return false;
        memcpy(out, second + 1, path_len);
        out[path_len] = '\0';
        return true;
    }
    return false;
}

/* One line of mountinfo: "36 35 98:0 ROOT MOUNTPOINT options … - TYPE SOURCE SUPER". */
static bool mount_matches(char *line, const char *controller, const char **ret_root,
                          const char **ret_point)
{
    char *save = NULL, *dash = strstr(line, " - ");
    if (!dash)
        return false;
    char type[32] = "", super[512] = "";
    if (sscanf(dash + 3, "%31s %*s %511s", type, super) < 1)
        return false;
    if (strcmp(type, *controller ? "cgroup" : "cgroup2") != 0)
        return false;
    if (*controller && !has_word(super, strlen(super), controller))
        return false;
    *dash = '\0';
    strtok_r(line, " ", &save);
    strtok_r(NULL, " ", &save);
    strtok_r(NULL, " ", &save);
    *ret_root = strtok_r(NULL, " ", &save);
    *ret_point = strtok_r(NULL, " ", &save);
    return *ret_root && *ret_point;
}

/* The directory of this controller's cgroup, without `root`. It must be the container's own:
 * where a hierarchy is not used for containers, the process is in its root, with everybody. */
static bool find_dir(const char *mounts, const char *cgroups, const char *id,
                     const char *controller, char *out, size_t n)
{
    char path[2048];
    if (!find_path(cgroups, controller, path, sizeof path) || !strstr(path, id))
        return false;
    for (const char *p = mounts; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        char line[2048];
        const char *root, *point;
        snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
        if (!mount_matches(line, controller, &root, &point))
            continue;
        /* A mount may show a part of the hierarchy only. */
        const char *below = path;
        size_t len = strlen(root);
        if (strcmp(root, "/") != 0) {
            if (strncmp(path, root, len) != 0 || (path[len] && path[len] != '/'))
                continue;
            below = path + len;
        }
        return snprintf(out, n, "%s%s", point, below) < (int)n;
    }
    return false;
}

static char *read_whole(int fd)
{
    struct buf b = BUF_INIT;
    char chunk[4096];
    ssize_t got;
    while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0)
        buf_add(&b, chunk, (size_t)got);
    if (fd >= 0)
        close(fd);
    return buf_take(&b);
}

static void open_files(struct usage_cgroup *c, const char *root, const char *mounts,
                       const char *cgroups, const char *id, const struct file_name *names, size_t n)
{
    char dir[4096];
    for (size_t i = 0; i < n; i++)
        if (c->fd[names[i].file] < 0 && find_dir(mounts, cgroups, id,
                                                 names[i].controller, dir, sizeof dir))
            c->fd[names[i].file] = usage_open(root, "%s/%s", dir, names[i].name);
}

struct usage_cgroup *usage_cgroup_new(const char *root, pid_t pid, const char *container_id)
{
    enum { ID_BYTES = 12 };
    AUTO_FREE char *cgroups = read_whole(usage_open(root, "/proc/%d/cgroup", (int)pid));
    AUTO_FREE char *mounts = read_whole(usage_open(root, "/proc/self/mountinfo"));
    char id[ID_BYTES + 1];
    snprintf(id, sizeof id, "%s", container_id);
    if (!*id || !strstr(cgroups, id))
        return NULL;    /* another machine's process: the engine is not here */
    struct usage_cgroup *c = xcalloc(1, sizeof *c);
    for (size_t i = 0; i < FILES; i++)
        c->fd[i] = -1;
    c->cpu_ns = c->periods = -1;
    c->stagger_ms = 1000 * (1 + pid % (CALM_MS / 1000));    /* not all in the same turn */
    open_files(c, root, mounts, cgroups, id, v1_files, ARRAY_LEN(v1_files));
    open_files(c, root, mounts, cgroups, id, v2_files, ARRAY_LEN(v2_files));
    c->fd[FILE_NET] = usage_open(root, "/proc/%d/net/dev", (int)pid);
    if (c->fd[FILE_MEMORY] >= 0)
        return c;
    usage_cgroup_free(c);
    return NULL;
}

void usage_cgroup_free(struct usage_cgroup *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < FILES; i++)
        if (c->fd[i] >= 0)
            close(c->fd[i]);
    free(c);
}

/* ---- reading it ------------------------------------------------------------------------ */

/* A file with one number; "max" (no limit) and what cannot be read are -1. */
static int64_t read_number(const struct usage_cgroup *c, enum file file)
{
    char text[64];
    if (usage_pread(c->fd[file], text, sizeof text) <= 0 || text[0] < '0' || text[0] > '9')
        return -1;
    return (int64_t)strtoull(text, NULL, 10);
}

/* False: the container is gone. */
static bool read_memory(struct usage_cgroup *c, struct usage *u)
{
    enum { UNLIMITED_SHIFT = 60 };    /* version 1 says "no limit" by a very large number */
    char text[8192];
    int64_t used = read_number(c, FILE_MEMORY), cache = 0, peak = read_number(c, FILE_MEMORY_PEAK);
    if (used < 0)
        return false;
    if (usage_pread(c->fd[FILE_MEMORY_STAT], text, sizeof text) > 0) {
        cache = usage_field(text, "total_inactive_file");
        if (cache < 0)
            cache = usage_field(text, "inactive_file");
    }
    u->memory_bytes = used - (cache > 0 && cache < used ? cache : 0);
    if (u->memory_bytes > c->high_bytes)
        c->high_bytes = u->memory_bytes;
    u->memory_high_bytes = c->high_bytes;
    u->memory_peak_bytes = peak >= 0 ? peak : c->high_bytes;
    int64_t limit = read_number(c, FILE_MEMORY_LIMIT);
    u->memory_limit_bytes = limit > 0 && limit < (int64_t)1 << UNLIMITED_SHIFT ? limit : 0;
    u->ooms = usage_pread(c->fd[FILE_MEMORY_EVENTS], text, sizeof text) > 0
        ? usage_field(text, "oom_kill") : -1;
    return true;
}

/* Since the container's start; -1 = unknown. Version 2 has it in cpu.stat, which is left in text
 * then. */
static int64_t read_cpu_ns(const struct usage_cgroup *c, char *text, size_t n)
{
    int64_t ns = read_number(c, FILE_CPU_USAGE), usec = -1;
    *text = '\0';
    if (ns < 0 && usage_pread(c->fd[FILE_CPU_STAT], text, n) > 0)
        usec = usage_field(text, "usage_usec");
    return ns >= 0 ? ns : usec >= 0 ? usec * 1000 : -1;
}

/* text: cpu.stat, or "" where it was not read yet. */
static void read_throttling(struct usage_cgroup *c, char *text, size_t n, struct usage *u)
{
    if (!*text && usage_pread(c->fd[FILE_CPU_STAT], text, n) <= 0)
        return;
    int64_t periods = usage_field(text, "nr_periods");
    int64_t throttled = usage_field(text, "nr_throttled");
    if (periods >= 0 && c->periods >= 0)
        u->throttled_percent = periods > c->periods
            ? (double)(throttled - c->throttled) * 100. / (double)(periods - c->periods) : 0.;
    c->periods = periods;
    c->throttled = throttled;
}

/* Every interface of the container's namespace but its loopback. */
static void read_net(struct usage_cgroup *c, struct usage *u)
{
    char text[4096];
    if (usage_pread(c->fd[FILE_NET], text, sizeof text) <= 0)
        return;
    u->net_rx_bytes = u->net_tx_bytes = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1
         : NULL) {
        char name[32];
        long long rx, tx;
        if (sscanf(line, " %31[^: ]: %lld %*d %*d %*d %*d %*d %*d %*d %lld", name, &rx,
                   &tx) != 3 || strcmp(name, "lo") == 0)
            continue;
        u->net_rx_bytes += rx;
        u->net_tx_bytes += tx;
    }
}

/* One line a disk and direction, "8:0 Read 4096", in version 1; one a disk,
 * "8:0 rbytes=4096 wbytes=0 …", in version 2. No line: nothing was read or written. */
static void read_io(struct usage_cgroup *c, struct usage *u)
{
    char text[4096];
    if (usage_pread(c->fd[FILE_IO], text, sizeof text) < 0)
        return;
    u->io_read_bytes = u->io_write_bytes = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1
         : NULL) {
        long long read, written;
        char word[16];
        if (sscanf(line, "%*s rbytes=%lld wbytes=%lld", &read, &written) == 2) {
            u->io_read_bytes += read;
            u->io_write_bytes += written;
        } else if (sscanf(line, "%*s %15s %lld", word, &read) == 2) {
            u->io_read_bytes += strcmp(word, "Read") == 0 ? read : 0;
            u->io_write_bytes += strcmp(word, "Write") == 0 ? read : 0;
        }
    }
}

/* "some avg10=1.25 avg60=…" */
static double read_pressure(const struct usage_cgroup *c, enum file file)
{
    char text[256];
    int whole, hundredths;
    if (usage_pread(c->fd[file], text, sizeof text) <= 0 ||
        sscanf(text, "some avg10=%d.%2d", &whole, &hundredths) != 2)
        return -1;
    return whole + hundredths / 100.;
}

static void read_slow(struct usage_cgroup *c, int64_t now_ms)
{
    if (c->slow_ms && now_ms - c->slow_ms < SLOW_MS)
        return;
    c->slow_ms = now_ms;
    c->slow = USAGE_UNKNOWN;
    read_net(c, &c->slow);
    read_io(c, &c->slow);
    c->slow.pressure_cpu = read_pressure(c, FILE_PRESSURE_CPU);
    c->slow.pressure_memory = read_pressure(c, FILE_PRESSURE_MEMORY);
    c->slow.pressure_io = read_pressure(c, FILE_PRESSURE_IO);
}

/* All that a container that has not run can have changed is what others did to it. */
static bool is_calm(const struct usage_cgroup *c, double cpu_percent, int64_t now_ms)
{
    return c->last.known && cpu_percent >= 0 && cpu_percent < CALM_PERCENT &&
        now_ms < c->full_due_ms;
}

bool usage_cgroup_sample(struct usage_cgroup *c, int64_t now_ms, struct usage *u)
{
    char stat[1024];
    int64_t cpu_ns = read_cpu_ns(c, stat, sizeof stat), passed = now_ms - c->sampled_ms;
    double cpu_percent = -1;
    if (c->sampled_ms && passed > 0 && c->cpu_ns >= 0 && cpu_ns >= c->cpu_ns)
        cpu_percent = (double)(cpu_ns - c->cpu_ns) / 1e6 / (double)passed * 100.;
    c->sampled_ms = now_ms;
    c->cpu_ns = cpu_ns;
    if (!is_calm(c, cpu_percent, now_ms)) {
        c->last = USAGE_UNKNOWN;
        c->last.known = read_memory(c, &c->last);
        read_throttling(c, stat, sizeof stat, &c->last);
        c->last.pids = (int32_t)read_number(c, FILE_PIDS);
        c->full_due_ms = now_ms + (c->full_due_ms ? CALM_MS : c->stagger_ms);
        read_slow(c, now_ms);
    }
    *u = c->last;
    u->cpu_percent = cpu_percent;
    u->net_rx_bytes = c->slow.net_rx_bytes;
    u->net_tx_bytes = c->slow.net_tx_bytes;
    u->io_read_bytes = c->slow.io_read_bytes;
    u->io_write_bytes = c->slow.io_write_bytes;
    u->pressure_cpu = c->slow.pressure_cpu;
    u->pressure_memory = c->slow.pressure_memory;
    u->pressure_io = c->slow.pressure_io;
    return u->known;
}

void usage_cgroup_refresh(struct usage_cgroup *c)
{
    c->last.known = false;
    c->slow_ms = 0;
}
