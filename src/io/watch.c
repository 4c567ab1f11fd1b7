/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files under inotify. Directories are watched, not the file: editors write a new file and rename
 * it over the old one, and a watch on the file would follow the old one into oblivion. Every link
 * of a chain of symlinks is a (directory, name) pair with its own watch; the chain is resolved anew
 * after each change, because a change may have been to the chain.
 *
 * It tells that something happened to the name, never what; the reader looks at the file. */
#include "io/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/timer.h"

enum { MAX_LINKS = 8 };
static const ev_tstamp SETTLE_S = 0.05;
static const ev_tstamp LOST_S = 1.;     /* how often a directory that vanished is looked for */

struct link {
    int wd;                 /* of its directory; several links may share one */
    char *name;             /* in that directory */
};

struct watch {
    struct ev_loop *loop;
    char *file;
    watch_fn changed;
    void *ctx;
    int fd;
    ev_io readable;
    ev_timer settle;
    struct link links[MAX_LINKS];
    int count;
    bool broken;            /* a directory of the chain is missing: it is looked for */
    bool noted;             /* something happened that was not told yet */
};

/* Not IN_MODIFY: logs may grow in the same directory, and half a file is of no use. */
static const unsigned WATCHED = IN_CLOSE_WRITE | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
                                IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF;

/* Adds the pair of one path; *ret_dir is the directory's part, for the caller to free. */
static int add_link(struct watch *w, const char *path, char **ret_dir)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        *ret_dir = xstrdup(".");
    else
        *ret_dir = slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
    int wd = inotify_add_watch(w->fd, *ret_dir, WATCHED | IN_ONLYDIR);
    if (wd < 0)
        return -1;
    w->links[w->count++] = (struct link){.wd = wd, .name = xstrdup(slash ? slash + 1 : path)};
    return 0;
}

/* Watches every link of the chain that exists. Fails only when the first directory cannot be
 * watched. */
static int add_chain(struct watch *w)
{
    AUTO_FREE char *path = xstrdup(w->file);
    while (w->count < MAX_LINKS) {
        AUTO_FREE char *dir = NULL;
        char target[PATH_MAX];
        if (add_link(w, path, &dir) < 0) {
            w->broken = true;
            return w->count > 0 ? 0 : -1;
        }
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
            return 0;
        target[n] = '\0';
        char *next = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", dir, target);
        free(path);
        path = next;
    }
    return 0;
}

static void drop_names(struct watch *w)
{
    for (int i = 0; i < w->count; i++)
        free(w->links[i].name);
    w->count = 0;
}

/* Directories that are no longer in the chain lose their watch; the same directory keeps its
 * descriptor. */
static void renew_chain(struct watch *w)
{
    int old[MAX_LINKS], old_count = w->count;
    for (int i = 0; i < old_count; i++)
        old[i] = w->links[i].wd;
    drop_names(w);
    w->broken = false;
    add_chain(w);
    for (int i = 0; i < old_count; i++) {
        bool kept = false;
        for (int j = 0; j < w->count; j++)
            kept |= w->links[j].wd == old[i];
        if (!kept)
            inotify_rm_watch(w->fd, old[i]);
    }
}

static bool concerns(const struct watch *w, const struct inotify_event *e)
{
    if (e->mask & IN_Q_OVERFLOW)
        return true;
    for (int i = 0; i < w->count; i++)
        if (e->wd == w->links[i].wd)
            if (e->len == 0 || !strcmp(e->name, w->links[i].name))
                return (e->mask & (WATCHED | IN_IGNORED | IN_UNMOUNT)) != 0;
    return false;
}

static void arm(struct watch *w, ev_tstamp after_s)
{
    timer_arm(w->loop, &w->settle, after_s);
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct watch *w = io->data;
    char text[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool any = false;
    (void)loop, (void)revents;
    ssize_t n = read(w->fd, text, sizeof(text));
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(text + at);
        any |= concerns(w, e);
        at += (ssize_t)(sizeof(*e) + e->len);
    }
    if (any && !w->noted)
        arm(w, SETTLE_S);
    w->noted |= any;
}

static void on_settle(struct ev_loop *loop, ev_timer *t, int revents)
{
    struct watch *w = t->data;
    int links_before = w->count;
    (void)loop, (void)revents;
    renew_chain(w);
    bool tell = w->noted || w->count != links_before;
    w->noted = false;
    if (w->broken)
        arm(w, LOST_S);
    if (tell)
        w->changed(w->ctx);
}

struct watch *watch_new(struct ev_loop *loop, const char *file, watch_fn changed, void *ctx,
                        struct fault *f)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0) {
        fault_set(f, errno, "cannot watch %s (fs.inotify.max_user_instances reached?)", file);
        return NULL;
    }
    struct watch *w = xcalloc(1, sizeof(*w));
    w->loop = loop;
    w->file = xstrdup(file);
    w->changed = changed;
    w->ctx = ctx;
    w->fd = fd;
    ev_io_init(&w->readable, on_readable, fd, EV_READ);
    w->readable.data = w;
    ev_timer_init(&w->settle, on_settle, SETTLE_S, 0.);
    w->settle.data = w;
    if (add_chain(w) < 0) {
        fault_set(f, errno, "cannot watch the directory of %s", file);
        watch_free(w);
        return NULL;
    }
    ev_io_start(loop, &w->readable);
    if (w->broken)
        arm(w, LOST_S);
    return w;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    ev_io_stop(w->loop, &w->readable);
    ev_timer_stop(w->loop, &w->settle);
    close(w->fd);
    drop_names(w);
    free(w->file);
    free(w);
}
