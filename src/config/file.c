/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small files of the user's, read whole and changed whole: read, edit, write beside, fsync, rename,
 * fsync the directory. A reader sees the old file or the new one, a crash leaves one of them, and
 * who changed it in between is not overwritten. */
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"

enum { TRIES = 3 };

int file_read(const char *path, struct buf *out, struct stat *ret_st, struct fault *f)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fault_set(f, errno, "cannot open %s", path);
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fault_set(f, errno, "cannot stat %s", path);
    if (!S_ISREG(st.st_mode))
        return fault_set(f, FAULT_INVALID, "%s is not a regular file", path);

    buf_clear(out);
    for (;;) {
        /* One byte more than allowed tells "full" from "too big". */
        buf_reserve(out, 64 * 1024);
        ssize_t n = read(fd, out->data + out->len, 64 * 1024);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fault_set(f, errno, "cannot read %s", path);
        if (n == 0)
            break;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (out->len > CONFIG_FILE_MAX_BYTES)
            return fault_set(f, FAULT_TOO_BIG, "%s is over 16 MiB: this is no configuration", path);
    }
    if (ret_st)
        *ret_st = st;
    return 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void sync_directory(const char *dir)
{
    AUTO_CLOSE int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        /* the content is safe already; where a directory cannot be synced, the rename is as safe as
         * it gets */
        fsync(fd);
}

static int fill_temporary(int fd, const struct buf *text, const struct stat *st)
{
    /* Only root can give a file away; for others it is theirs already, or a group that they may not
     * set. */
    if (fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EPERM)
        return -1;
    if (fchmod(fd, st->st_mode & 07777) < 0 || write_all(fd, text->data, text->len) < 0)
        return -1;
    return fsync(fd);
}

/* *ret_raced: target is no longer the file that was read, and nothing was done. */
static int replace_file(const char *target, const struct buf *text, const struct stat *read_st,
                        bool *ret_raced, struct fault *f)
{
    const char *slash = strrchr(target, '/');
    AUTO_FREE char *dir = slash == target ? xstrdup("/")
                                          : xstrndup(target, (size_t)(slash - target));
    AUTO_FREE char *temporary = xasprintf("%s/.%s.XXXXXX", slash == target ? "" : dir, slash + 1);
    AUTO_CLOSE int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fault_set(f, errno, "cannot create a file in %s", dir);
    struct stat now;
    if (fill_temporary(fd, text, read_st) < 0) {
        fault_set(f, errno, "cannot write %s", temporary);
        unlink(temporary);
        return -1;
    }
    *ret_raced = stat(target, &now) < 0 || !same_file(&now, read_st);
    if (*ret_raced) {
        unlink(temporary);
        return 0;
    }
    if (rename(temporary, target) < 0) {
        fault_set(f, errno, "cannot replace %s", target);
        unlink(temporary);
        return -1;
    }
    sync_directory(dir);
    return 0;
}

static void give(struct buf *to, struct buf *from)
{
    if (!to)
        return;
    buf_fini(to);
    *to = *from;
    *from = BUF_INIT;
}

int file_create(const char *path, mode_t mode, const struct buf *text, struct fault *f)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_set(f, errno, "cannot create %s", path);
    if (fchmod(fd, mode & 07777) < 0 || write_all(fd, text->data, text->len) < 0 || fsync(fd) < 0) {
        fault_set(f, errno, "cannot write %s", path);
        unlink(path);
        return -1;
    }
    sync_directory(dir);
    return 0;
}

int file_put(const char *path, const struct buf *text, struct fault *f)
{
    AUTO_FREE char *temporary = xasprintf("%s.XXXXXX", path);
    AUTO_CLOSE int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return fault_set(f, errno, "cannot create %s", temporary);
    if (write_all(fd, text->data, text->len) == 0 && rename(temporary, path) == 0)
        return 0;
    fault_set(f, errno, "cannot write %s", path);
    unlink(temporary);
    return -1;
}

/* One try. *ret_raced: somebody was faster, and nothing was done. */
static int edit_once(const char *file, mode_t create, file_edit_fn fn, void *ctx, struct buf *old,
                     struct buf *new, bool *ret_raced, struct fault *f)
{
    struct stat st;
    AUTO_FREE char *target = realpath(file, NULL);
    buf_clear(old);
    buf_clear(new);
    if (!target && (errno != ENOENT || !create))
        return fault_set(f, errno, "cannot find %s", file);
    if (target && file_read(target, old, &st, f) < 0)
        return -1;
    if (fn(ctx, old, new, f) < 0)
        return -1;
    if (target && old->len == new->len && !memcmp(buf_str(old), buf_str(new), old->len))
        return 0;
    if (target)
        return replace_file(target, new, &st, ret_raced, f);
    struct fault made = FAULT_NONE;
    if (file_create(file, create, new, &made) == 0)
        return 0;
    *ret_raced = made.code == EEXIST;
    return *ret_raced ? 0 : fault_copy(f, &made);
}

int file_edit(const char *file, mode_t create, file_edit_fn fn, void *ctx, struct buf *old_text,
              struct buf *new_text, struct fault *f)
{
    for (int i = 0; i < TRIES; i++) {
        AUTO_BUF struct buf old = BUF_INIT;
        AUTO_BUF struct buf new = BUF_INIT;
        bool raced = false;
        if (edit_once(file, create, fn, ctx, &old, &new, &raced, f) < 0)
            return -1;
        if (raced)
            continue;
        give(old_text, &old);
        give(new_text, &new);
        return 0;
    }
    return fault_set(f, FAULT_CONFLICT, "%s is being changed by another program: try again", file);
}
