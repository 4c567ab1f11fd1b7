/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An append-only file that rotates by renaming. One write(2) a record, so that two records never
 * mix. Knows nothing of what it writes: formats and levels are log.c's, a server's history is the
 * ring's.
 *
 * Once a second at most the path is looked at: a file that was deleted or renamed by somebody is
 * opened anew, one that was emptied is counted from its new size, and a rotation that failed is
 * tried again. */
#include "base/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"

enum { CHECK_MS = 1000, DEFAULT_MAX_BYTES = 10 * 1000 * 1000, DEFAULT_MAX_FILES = 5 };

#define GONE ".gone-"

static log_file_remover_fn remover;
static void *remover_ctx;

struct log_file {
    char *path;
    int fd;                    /* -1: to be opened at the next write */
    bool torn;                 /* the file ends in half a record */
    size_t size, max_bytes;
    int max_files;
    int64_t checked_ms;
    int rotate_errno;          /* 0, or why the last rotation failed */
    int64_t rotate_failed_ms;
    uint64_t lost;
    struct fault fault;
};

/* O_NONBLOCK: opening a FIFO that somebody put there must not wait for its reader. */
static int open_path(struct log_file *lf, struct fault *f)
{
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY |
                      O_NONBLOCK;
    int fd = open(lf->path, flags, 0600);
    if (fd < 0 && errno == ELOOP)
        return fault_set(f, FAULT_DENIED,
                         "open %s: it is a symbolic link, which a log must not be: remove it",
                         lf->path);
    if (fd < 0 && errno == ENXIO)
        return fault_set(f, FAULT_DENIED, "open %s: it is not a regular file: remove it", lf->path);
    if (fd < 0)
        return fault_set(f, errno, "open %s", lf->path);
    struct stat st;
    if (fstat(fd, &st) < 0) {
        fault_set(f, errno, "stat %s", lf->path);
        close(fd);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return fault_set(f, FAULT_DENIED, "open %s: it is not a regular file: remove it", lf->path);
    }
    if (st.st_mode & 077 && fchmod(fd, 0600) < 0) {
        /* Somebody else's file that we may write: his mode stands. */
    }
    lf->fd = fd;
    lf->size = (size_t)st.st_size;
    return 0;
}

static void close_fd(struct log_file *lf)
{
    if (lf->fd >= 0)
        close(lf->fd);
    lf->fd = -1;
}

struct log_file *log_file_open(const char *path, struct fault *f)
{
    struct log_file *lf = xcalloc(1, sizeof *lf);
    *lf = (struct log_file){ .path = xstrdup(path), .fd = -1, .max_bytes = DEFAULT_MAX_BYTES,
                             .max_files = DEFAULT_MAX_FILES, .checked_ms = clock_mono_ms() };
    if (open_path(lf, f) == 0)
        return lf;
    log_file_close(lf);
    return NULL;
}

void log_file_close(struct log_file *lf)
{
    if (!lf)
        return;
    close_fd(lf);
    free(lf->path);
    free(lf);
}

void log_file_set_remover(log_file_remover_fn fn, void *ctx)
{
    remover = fn;
    remover_ctx = ctx;
}

bool log_file_is_gone_name(const char *name)
{
    const char *at = strstr(name, GONE);
    return at && at != name && at[sizeof GONE - 1] &&
           !at[sizeof GONE - 1 + strspn(at + sizeof GONE - 1, "0123456789-")];
}

/* The oldest file out of the chain's way, if there is one: the remover gets it, under a name that
 * no other process or file uses. Without a remover, or if that fails, the chain deletes it. */
static void let_go_oldest(const struct log_file *lf)
{
    static unsigned number;
    AUTO_FREE char *oldest = lf->max_files ? xasprintf("%s.%d", lf->path, lf->max_files)
                                           : xstrdup(lf->path);
    AUTO_FREE char *gone = xasprintf("%s" GONE "%d-%u", lf->path, (int)getpid(), number + 1);
    if (!remover || rename(oldest, gone) < 0)
        return;
    number++;
    remover(remover_ctx, gone);
}

/* FILE.N-1 → FILE.N … FILE → FILE.1; what was FILE.N is gone. Gaps in the chain are fine. 0, or an
 * errno. */
static int rename_chain(struct log_file *lf)
{
    let_go_oldest(lf);
    AUTO_FREE char *from = xasprintf("%s.%d", lf->path, INT_MAX), *to = xstrdup(from);
    size_t room = strlen(from) + 1;
    for (int i = lf->max_files; i >= 1; i--) {
        snprintf(to, room, "%s.%d", lf->path, i);
        if (i > 1)
            snprintf(from, room, "%s.%d", lf->path, i - 1);
        else
            snprintf(from, room, "%s", lf->path);
        if (rename(from, to) < 0 && errno != ENOENT)
            return errno;
    }
    return lf->max_files == 0 && unlink(lf->path) < 0 && errno != ENOENT ? errno : 0;
}

static void rotate(struct log_file *lf)
{
    int64_t now = clock_mono_ms();
    if (lf->rotate_errno && now - lf->rotate_failed_ms < CHECK_MS)
        return;   /* not six system calls for every line */
    lf->rotate_errno = rename_chain(lf);
    if (lf->rotate_errno) {
        lf->rotate_failed_ms = now;
        return;
    }
    close_fd(lf);
    lf->torn = false;
}

static void check_path(struct log_file *lf)
{
    int64_t now = clock_mono_ms();
    if (now - lf->checked_ms < CHECK_MS)
        return;
    lf->checked_ms = now;
    struct stat ours, there;
    if (fstat(lf->fd, &ours) < 0 || lstat(lf->path, &there) < 0 || ours.st_ino != there.st_ino ||
        ours.st_dev != there.st_dev) {
        close_fd(lf);
        lf->torn = false;
        return;
    }
    lf->size = (size_t)ours.st_size;
}

/* The fd of a file with room for n bytes, or -1 with the fault set. */
static int ready_fd(struct log_file *lf, size_t n)
{
    if (lf->fd >= 0)
        check_path(lf);
    if (lf->fd < 0 && open_path(lf, &lf->fault) < 0)
        return -1;
    if (lf->size && lf->size + n > lf->max_bytes) {
        rotate(lf);
        if (lf->fd < 0 && open_path(lf, &lf->fault) < 0)
            return -1;
        if (lf->rotate_errno && lf->size + n > 2 * lf->max_bytes)
            return fault_set(&lf->fault, lf->rotate_errno, "rotate %s", lf->path);
    }
    return lf->fd;
}

/* Returns the bytes written; fewer than n with the fault set. */
static size_t write_all(struct log_file *lf, const char *p, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = write(lf->fd, p + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            fault_set(&lf->fault, put < 0 ? errno : EIO, "write %s", lf->path);
            break;
        }
        done += (size_t)put;
        lf->size += (size_t)put;
    }
    return done;
}

void log_file_write(struct log_file *lf, const char *p, size_t n)
{
    if (ready_fd(lf, n) < 0) {
        lf->lost++;
        return;
    }
    /* After half a record the next one begins on a line of its own. */
    if (lf->torn && write_all(lf, "\n", 1) == 1)
        lf->torn = false;
    size_t done = lf->torn ? 0 : write_all(lf, p, n);
    if (done == n) {
        lf->fault = FAULT_NONE;
        return;
    }
    lf->torn = lf->torn || done > 0;
    lf->lost++;
}

uint64_t log_file_lost(const struct log_file *lf)
{
    return lf->lost;
}

const char *log_file_error(const struct log_file *lf)
{
    return lf->fault.text;
}

void log_file_set_limits(struct log_file *lf, size_t max_bytes, int max_files)
{
    lf->max_bytes = max_bytes ? max_bytes : 1;
    lf->max_files = max_files > 0 ? max_files : 0;
}
