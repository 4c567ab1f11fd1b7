/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Use of a process and its descendants, from /proc. One descriptor of /proc/PID/stat per process
 * is kept open (it goes stale with the process, so a reused pid is never read), one read a
 * second; children are looked for rarely, because that costs more than reading. So are the totals
 * of disks (/proc/PID/io).
 *
 * The kernel adds what a process did to its parent's total when that waits for it. What ended
 * processes of the tree did is therefore in the tree's sum already, unless somebody outside was
 * their parent at the end: that is added here. */
#include "supervisor/usage_probe.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"

enum {
    /* so long a run is looked through for children once a second: npx starts node */
    YOUNG_MS = 15 * 1000,
    RESCAN_MS = 5 * 1000,
    THREADS_RESCAN_MS = 30 * 1000,   /* children of other threads than the first */
    IO_MS = 10 * 1000,
    PROCESSES_MAX = 512,
};

struct disk_bytes { int64_t read, written; };

struct process {
    pid_t pid, parent;
    int stat_fd;
    int64_t ticks;             /* user and system, at the last sample; -1 = none yet */
    bool alive;
    struct disk_bytes io;      /* since it began, with those of the children it waited for */
};

struct usage_tree {
    char *root;
    struct process *v;
    size_t n, cap;
    int64_t began_ms, scanned_ms, threads_scanned_ms, sampled_ms;
    int64_t peak_bytes;
    int64_t io_ms;             /* when disks were read */
    bool io_known;             /* the kernel counts them, and lets us read it */
    struct disk_bytes io_left; /* of ended ones that nobody in the tree waited for */
    struct disk_bytes io;      /* of all; never falls */
};

/* /proc/PID/stat after the name in parentheses. */
struct stat_fields { char state; pid_t parent; int64_t ticks, rss_pages; };

static bool parse_stat(const char *text, struct stat_fields *ret)
{
    const char *p = strrchr(text, ')');
    if (!p)
        return false;
    long long utime, stime, rss;
    /* state(3) ppid … utime(14) stime(15) … rss(24) */
    if (sscanf(p + 1,
               " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lld %lld "
               "%*d %*d %*d %*d %*d %*d %*u %*u %lld", &ret->state, &ret->parent,
               &utime, &stime, &rss) != 5)
        return false;
    ret->ticks = utime + stime;
    ret->rss_pages = rss;
    return ret->state != 'Z' && ret->state != 'X';
}

static bool has(const struct usage_tree *t, pid_t pid)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->v[i].pid == pid)
            return true;
    return false;
}

static void add(struct usage_tree *t, pid_t pid)
{
    if (t->n >= PROCESSES_MAX || has(t, pid))
        return;
    int fd = usage_open(t->root, "/proc/%d/stat", (int)pid);
    if (fd < 0)
        return;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 2;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    t->v[t->n++] = (struct process){ .pid = pid, .stat_fd = fd, .ticks = -1, .alive = true };
}

static void add_children(struct usage_tree *t, pid_t pid, long tid)
{
    char text[4096];
    int fd = usage_open(t->root, "/proc/%d/task/%ld/children", (int)pid, tid);
    if (fd < 0)
        return;
    usage_pread(fd, text, sizeof text);
    close(fd);
    for (char *p = text, *end;; p = end) {
        long child = strtol(p, &end, 10);
        if (end == p)
            return;
        add(t, (pid_t)child);
    }
}

static void add_children_of_threads(struct usage_tree *t, pid_t pid)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/proc/%d/task", t->root, (int)pid) >= (int)sizeof path)
        return;
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            add_children(t, pid, strtol(e->d_name, NULL, 10));
    if (dir)
        closedir(dir);
}

/* t->n grows while this runs: children of children are found in the same pass. */
static void scan(struct usage_tree *t, int64_t now_ms)
{
    bool young = now_ms - t->began_ms < YOUNG_MS;
    if (!young && now_ms - t->scanned_ms < RESCAN_MS)
        return;
    bool threads = now_ms - t->threads_scanned_ms >= (young ? RESCAN_MS : THREADS_RESCAN_MS);
    t->scanned_ms = now_ms;
    if (threads)
        t->threads_scanned_ms = now_ms;
    for (size_t i = 0; i < t->n; i++) {
        if (threads)
            add_children_of_threads(t, t->v[i].pid);
        else
            add_children(t, t->v[i].pid, t->v[i].pid);
    }
}

/* Reads one process; returns the ticks since its last sample. */
static int64_t sample_one(struct process *p, int64_t *rss_pages)
{
    char text[1024];
    struct stat_fields f;
    p->alive = usage_pread(p->stat_fd, text, sizeof text) > 0 && parse_stat(text, &f);
    if (!p->alive)
        return 0;
    p->parent = f.parent;
    *rss_pages += f.rss_pages;
    int64_t since = p->ticks >= 0 ? f.ticks - p->ticks : 0;
    p->ticks = f.ticks;
    return since > 0 ? since : 0;
}

static void drop_dead(struct usage_tree *t)
{
    size_t kept = 0;
    for (size_t i = 0; i < t->n; i++)
        if (!t->v[i].alive && !has(t, t->v[i].parent)) {
            t->io_left.read += t->v[i].io.read;
            t->io_left.written += t->v[i].io.written;
        }
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].alive)
            t->v[kept++] = t->v[i];
        else
            close(t->v[i].stat_fd);
    }
    t->n = kept;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A child that nobody waited for yet, or whose parent does not care, is missing for a while or for
 * good: then the sum falls, and what was shown stays until it is passed. */
static void sample_io(struct usage_tree *t, int64_t now_ms)
{
    char text[512];
    struct disk_bytes sum = t->io_left;
    if (now_ms - t->began_ms >= YOUNG_MS && now_ms - t->io_ms < IO_MS)
        return;
    t->io_ms = now_ms;
    for (size_t i = 0; i < t->n; i++) {
        struct process *p = &t->v[i];
        int fd = usage_open(t->root, "/proc/%d/io", (int)p->pid);
        if (fd >= 0 && usage_pread(fd, text, sizeof text) > 0) {
            p->io.read = larger(p->io.read, usage_field(text, "read_bytes"));
            p->io.written = larger(p->io.written, usage_field(text, "write_bytes"));
            t->io_known = true;
        }
        if (fd >= 0)
            close(fd);
        sum.read += p->io.read;
        sum.written += p->io.written;
    }
    t->io.read = larger(t->io.read, sum.read);
    t->io.written = larger(t->io.written, sum.written);
}

bool usage_tree_sample(struct usage_tree *t, int64_t now_ms, struct usage *u)
{
    if (!t->began_ms)
        t->began_ms = now_ms;
    scan(t, now_ms);
    int64_t ticks = 0, rss_pages = 0;
    for (size_t i = 0; i < t->n; i++)
        ticks += sample_one(&t->v[i], &rss_pages);
    drop_dead(t);
    if (!t->n)
        return false;
    sample_io(t, now_ms);
    int64_t memory = rss_pages * sysconf(_SC_PAGESIZE);
    if (memory > t->peak_bytes)
        t->peak_bytes = memory;
    int64_t passed = now_ms - t->sampled_ms;
    bool first = t->sampled_ms == 0;
    t->sampled_ms = now_ms;
    *u = USAGE_UNKNOWN;
    u->known = true;
    u->memory_bytes = memory;
    u->memory_peak_bytes = u->memory_high_bytes = t->peak_bytes;
    u->pids = (int32_t)t->n;
    if (t->io_known) {
        u->io_read_bytes = t->io.read;
        u->io_write_bytes = t->io.written;
    }
    if (!first && passed > 0)
        u->cpu_percent =
            (double)ticks * 1000. / (double)sysconf(_SC_CLK_TCK) / (double)passed * 100.;
    return true;
}

struct usage_tree *usage_tree_new(const char *root, pid_t pid)
{
    struct usage_tree *t = xcalloc(1, sizeof *t);
    t->root = xstrdup(root);
    add(t, pid);
    if (t->n)
        return t;
    usage_tree_free(t);
    return NULL;
}

void usage_tree_free(struct usage_tree *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->n; i++)
        close(t->v[i].stat_fd);
    free(t->v);
    free(t->root);
    free(t);
}
