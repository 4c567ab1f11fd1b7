/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes the configuration's file: read, edit, check, write beside, fsync, rename, fsync the
 * directory. A reader sees the old file or the new one, a crash leaves one of them, and who changed
 * it in between is not overwritten. */
#include "config/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "config/mcp_config.h"
#include "config/file.h"

enum { TRIES = 3 };

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

/* The first error of a text that does not load; 0 when it loads. */
static int check_loads(const char *file, const struct buf *text, const char *what, struct fault *f)
{
    struct problems problems = {0};
    struct config *c = config_parse(file, buf_str(text), text->len, NULL, NULL, &problems);
    int rc = 0;
    for (size_t i = 0; i < problems.n && !c && rc == 0; i++) {
        const struct problem *p = &problems.v[i];
        if (p->severity == PROBLEM_ERROR)
            rc = fault_set(f, FAULT_CONFIG, "%s, line %d%s%s: %s", what, p->line,
                           *p->key ? ", " : "", p->key, p->text);
    }
    problems_fini(&problems);
    config_free(c);
    return rc;
}

static int apply_changes(const struct buf *old, const char *server,
                         const struct edit_change *changes, size_t n, struct buf *out,
                         struct fault *f)
{
    buf_clear(out);
    buf_add(out, old->data, old->len);
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF struct buf next = BUF_INIT;
        if (edit_text(buf_str(out), out->len, server, changes[i].path, changes[i].json_value, &next,
                      f) < 0)
            return -1;
        struct buf swap = *out;
        *out = next;
        next = swap;
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

int edit_file(const char *file, const char *server, const struct edit_change *changes,
              size_t n_changes, struct buf *old_text, struct buf *new_text, struct fault *f)
{
    AUTO_FREE char *target = realpath(file, NULL);
    if (!target)
        return fault_set(f, errno, "cannot find %s", file);
    for (int i = 0; i < TRIES; i++) {
        AUTO_BUF struct buf old = BUF_INIT;
        AUTO_BUF struct buf new = BUF_INIT;
        struct stat st;
        bool raced = false;
        if (file_read(target, &old, &st, f) < 0 ||
            apply_changes(&old, server, changes, n_changes, &new, f) < 0)
            return -1;
        bool equal = old.len == new.len && memcmp(buf_str(&old), buf_str(&new), old.len) == 0;
        if (!equal &&
            (check_loads(file, &old, "the configuration has an error that must be mended first",
                         f) < 0 ||
             check_loads(file, &new, "this would not load", f) < 0))
            return -1;
        if (!equal && replace_file(target, &new, &st, &raced, f) < 0)
            return -1;
        if (raced)
            continue;
        give(old_text, &old);
        give(new_text, &new);
        return 0;
    }
    return fault_set(f, FAULT_CONFLICT, "%s is being changed by another program: try again", file);
}
