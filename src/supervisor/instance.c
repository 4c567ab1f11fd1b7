/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data directory: made, checked, locked; the instance id and the API key in it. Blocking
 * file work of a few kilobytes, done once before the loop runs. Must not know servers. */
#include "supervisor/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

int instance_make_dirs(const char *path, unsigned mode, struct fault *f)
{
    AUTO_FREE char *part = xstrdup(path);
    for (char *p = part + 1;; p++) {
        if (*p != '/' && *p)
            continue;
        char was = *p;
        *p = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return fault_set(f, errno, "make directory %s", part);
        *p = was;
        if (!was)
            return 0;
    }
}

static int check_dir(const char *path, struct fault *f)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return fault_set(f, errno, "data directory %s", path);
    if (!S_ISDIR(st.st_mode))
        return fault_set(f, ENOTDIR, "data directory %s", path);
    if (st.st_uid != geteuid())
        return fault_set(f, FAULT_DENIED,
                         "data directory %s belongs to another user (uid %u): use --data-dir",
                         path, (unsigned)st.st_uid);
    /* What lies in it (key, socket) is for its owner only. */
    if ((st.st_mode & 077) && chmod(path, 0700) < 0)
        return fault_set(f, errno, "make data directory %s private", path);
    return 0;
}

/* One that was killed a moment ago holds it until the kernel has taken it apart. */
static int lock_soon(int fd)
{
    enum { TRIES = 50, BETWEEN_US = 10 * 1000 };
    int rc = flock(fd, LOCK_EX | LOCK_NB);
    for (int n = 0; rc < 0 && errno == EWOULDBLOCK && n < TRIES; n++) {
        usleep(BETWEEN_US);
        rc = flock(fd, LOCK_EX | LOCK_NB);
    }
    return rc;
}

static int take_lock(struct instance *i, struct fault *f)
{
    AUTO_FREE char *path = xasprintf("%s/mcptop.lock", i->data_dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_set(f, errno, "open %s", path);
    char pid[32] = "";
    if (lock_soon(fd) < 0) {
        int saved = errno;
        ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
        pid[n > 0 ? n : 0] = '\0';
        pid[strcspn(pid, "\n")] = '\0';
        close(fd);
        if (saved != EWOULDBLOCK)
            return fault_set(f, saved, "lock %s", path);
        return fault_set(f, FAULT_CONFLICT,
                         "another supervisor (pid %s) already runs on %s: use it, or end it with "
                         "`mcptop shutdown`",
                         *pid ? pid : "unknown", i->data_dir);
    }
    int n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
        fault_set(f, errno, "write %s", path);
        close(fd);
        return -1;
    }
    i->lock_fd = fd;
    return 0;
}

static int random_bytes(unsigned char *p, size_t n, struct fault *f)
{
    while (n) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return fault_set(f, got < 0 ? errno : EIO, "random numbers");
        p += got;
        n -= (size_t)got;
    }
    return 0;
}

static int make_uuid(char *out, size_t n, struct fault *f)
{
    unsigned char b[16];
    if (random_bytes(b, sizeof b, f) < 0)
        return -1;
    b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
    snprintf(out, n, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
             b[1], b[2], b[3], b[4],
             b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return 0;
}

static int make_key(char *out, size_t n, struct fault *f)
{
    unsigned char b[32];
    if (random_bytes(b, sizeof b, f) < 0)
        return -1;
    for (size_t i = 0; i < sizeof b; i++)
        snprintf(out + 2 * i, n - 2 * i, "%02x", b[i]);
    return 0;
}

/* One word in a file of ours: letters, digits, '-'; exactly size - 1 of them. */
static bool is_word(const char *s, size_t size)
{
    return strlen(s) == size - 1 &&
        strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == size - 1;
}

/* 1: it is there, 0: there is none yet, -1: it cannot be used, and nothing takes its place. */
static int read_word(const char *path, char *word, size_t size, struct fault *f)
{
    char text[128];
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : fault_set(f, errno, "read %s", path);
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0 || fchmod(fd, 0600) < 0)
        return fault_set(f, errno, "read %s", path);
    text[n] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    if (!*text)
        return 0;
    if (!is_word(text, size))
        return fault_set(f, FAULT_INVALID,
                         "%s does not hold %zu letters, digits or '-': correct it, or remove it "
                         "and a new one is made", path, size - 1);
    memcpy(word, text, size);
    return 1;
}

/* By a temporary file, so that a crash leaves a whole one or none. */
static int write_text(const char *path, const char *text, struct fault *f)
{
    AUTO_FREE char *fresh = xasprintf("%s.new", path);
    size_t n = strlen(text);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fault_set(f, errno, "write %s", fresh);
    bool bad = write(fd, text, n) != (ssize_t)n || fsync(fd) < 0;
    int saved = errno;
    close(fd);
    if (bad || rename(fresh, path) < 0) {
        saved = bad ? saved : errno;
        unlink(fresh);
        return fault_set(f, saved, "write %s", path);
    }
    return 0;
}

/* Reads the word, or makes and writes it. */
static int keep_word(const char *dir, const char *name, char *word, size_t size,
                     int (*make)(char *out, size_t n, struct fault *f), struct fault *f)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    int there = read_word(path, word, size, f);
    if (there)
        return there > 0 ? 0 : -1;
    if (make(word, size, f) < 0)
        return -1;
    AUTO_FREE char *line = xasprintf("%s\n", word);
    return write_text(path, line, f);
}

/* Where the directory is: two of one id would end each other's servers. One that was moved has its
 * inode still, one that was restored from a backup its path; a copy has neither, and gets an id of
 * its own. */
static int keep_place(struct instance *i, struct fault *f)
{
    char was[PATH_MAX + 32] = "";
    struct stat st;
    AUTO_FREE char *file = xasprintf("%s/mcptop.place", i->data_dir);
    AUTO_FREE char *id = xasprintf("%s/mcptop.instance", i->data_dir);
    AUTO_FREE char *real = realpath(i->data_dir, NULL);
    if (!real || stat(real, &st) < 0)
        return fault_set(f, errno, "%s", i->data_dir);
    AUTO_FREE char *inode = xasprintf("%ju\n", (uintmax_t)st.st_ino);
    AUTO_FREE char *now = xasprintf("%s%s\n", inode, real);
    AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? 0 : read(fd, was, sizeof was - 1);
    was[n > 0 ? n : 0] = '\0';
    if (strcmp(was, now) == 0)
        return 0;
    const char *path = was + strcspn(was, "\n");
    i->is_copy = *path && strncmp(was, inode, strlen(inode)) != 0 &&
        strcmp(path, now + strcspn(now, "\n")) != 0;
    if (i->is_copy && unlink(id) < 0 && errno != ENOENT)
        return fault_set(f, errno, "remove %s", id);
    return write_text(file, now, f);
}

int instance_open(struct instance *i, const char *data_dir, struct fault *f)
{
    *i = (struct instance){ .data_dir = xstrdup(data_dir), .lock_fd = -1 };
    if (instance_make_dirs(data_dir, 0700, f) == 0 && check_dir(data_dir, f) == 0 &&
        take_lock(i, f) == 0 && keep_place(i, f) == 0 &&
        keep_word(data_dir, "mcptop.instance", i->id, sizeof i->id, make_uuid, f) == 0 &&
        keep_word(data_dir, "mcptop.key", i->api_key, sizeof i->api_key, make_key, f) == 0)
        return 0;
    instance_close(i);
    return -1;
}

void instance_close(struct instance *i)
{
    if (i->lock_fd >= 0)
        close(i->lock_fd);
    free(i->data_dir);
    *i = (struct instance){ .lock_fd = -1 };
}
