/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What hardening (or a user's own --read-only and --user) takes from a container: a root that can
 * be written, and root's rights over what is mounted. What the plan and the directory's owner and
 * mode deny is known; that the server fell over it, its words tell. Its network: causes.c, words.c.
 */
#include "diagnose/diagnose_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/mem.h"

static const struct plan_option *last_option(const struct plan *p, const char *flag)
{
    for (size_t i = p->option_count; i-- > 0;)
        if (strcmp(p->options[i].flag, flag) == 0)
            return &p->options[i];
    return NULL;
}

/* "hardening strict", or the flag of the user's own that says the same. */
static const char *who_says(const struct plan_option *o)
{
    return o->hardening                    ? "hardening is strict"
        : strcmp(o->flag, "user") == 0 ? "--user says so" : "--read-only says so";
}

static uint64_t line_with(const struct symptoms *s, const char *const *words, struct buf *ret_line)
{
    uint64_t seq = 0;
    for (; *words && !seq; words++)
        seq = words_find(s, RING_STDERR, *words, ret_line);
    return seq;
}

/* ---- the root ---------------------------------------------------------------------------- */

/* Node makes directories from the top down, and tells a root that it may not write as ENOENT. */
static bool made_none(const char *line, const void *ctx)
{
    (void)ctx;
    return strcasestr(line, "enoent") && strcasestr(line, "mkdir");
}

bool denied_root(const struct symptoms *s, struct findings *fs)
{
    static const char *const words[] = { "read-only file system", "erofs", NULL };
    AUTO_BUF struct buf line = BUF_INIT;
    const struct plan_option *o = s->plan->mode == PLAN_DOCKER ? last_option(s->plan, "read-only")
        : NULL;
    bool read_only = o && strcmp(o->value, "true") == 0;
    uint64_t seq = read_only ? line_with(s, words, &line) : 0;
    bool guess = read_only && !seq && s->end;
    if (guess)
        seq = words_find_if(s, made_none, NULL, &line);
    const char *at = buf_str(&line);
    AUTO_FREE char *path = seq ? files_next_path(&at) : NULL;
    if (!path || plan_has_path(s->plan, path))
        return false;
    struct finding *f = findings_add(fs, FIND_ROOT_READ_ONLY, s->name,
                                     "it writes to %s, and its container's root is read-only: %s",
                                     path, who_says(o));
    f->guess = guess;
    finding_evidence(f, "stderr", seq, "%s", buf_str(&line));
    finding_evidence(f, "plan", 0, "the root is read-only: %s", who_says(o));
    /* Over a directory that the image has a tmpfs would hide what is in it. */
    if (strcasestr(buf_str(&line), "mkdir"))
        fix_tmpfs(f, s, path);
    else
        finding_step(f, "if it may forget what it keeps there: isolation.extra_args [\"--tmpfs\", "
                        "\"DIR:mode=1777\"], or a volume, for a directory of its own");
    fix_standard(f, s);
    return true;
}

/* ---- the user ---------------------------------------------------------------------------- */

struct user { unsigned uid, gid; };
enum { READ = 4, WRITE = 2, ENTER = 1 };

/* By number, and not root. */
static bool user_of(const struct plan *p, const struct plan_option *o, struct user *ret)
{
    int given = o ? sscanf(o->value, "%9u:%9u", &ret->uid, &ret->gid) : 0;
    if (p->mode != PLAN_DOCKER || given < 1 || ret->uid == 0)
        return false;
    if (given == 1)
        ret->gid = 0;          /* the engine's, where the image does not know the user */
    return true;
}

static bool may(const struct stat *st, const struct user *u, unsigned rights)
{
    int shift = st->st_uid == u->uid ? 6 : st->st_gid == u->gid ? 3 : 0;
    return ((st->st_mode >> shift) & rights) == rights;
}

/* A mounted directory or file of the host that this user may not use; NULL = none. */
static const struct plan_mount *closed_mount(const struct symptoms *s, const struct user *u,
                                             bool writing, struct stat *st)
{
    for (size_t i = 0; i < s->plan->mount_count; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        if (m->is_volume || m->is_tmpfs || !s->status(m->source, st))
            continue;
        unsigned rights = READ | (S_ISDIR(st->st_mode) ? ENTER : 0u);
        if (!may(st, u, rights | (writing && !m->read_only ? WRITE : 0u)))
            return m;
    }
    return NULL;
}

static void tell_closed(const struct symptoms *s, struct findings *fs, const struct plan_mount *m,
                        const struct stat *st, const struct plan_option *o, bool writing)
{
    struct finding *f = findings_add(
        fs, FIND_USER_DENIED, s->name, "it runs as user %s (%s), who may not %s %s", o->value,
        who_says(o), writing ? "write to" : "read", m->source);
    finding_evidence(f, "host", 0, "%s belongs to %u:%u, mode %04o; it is mounted at %s",
                     m->source, (unsigned)st->st_uid, (unsigned)st->st_gid,
                     (unsigned)st->st_mode & 07777u, m->target);
    finding_evidence(f, "plan", 0, "the user is %s: %s", o->value, who_says(o));
    if (st->st_uid != 0)
        fix_user(f, s, (unsigned)st->st_uid, (unsigned)st->st_gid, m->source);
    fix_standard(f, s);
    finding_step(f, "or open it on the host: setfacl -R -m u:%.*s:rwX %s",
                 (int)strcspn(o->value, ":"), o->value, m->source);
}

bool denied_user(const struct symptoms *s, struct findings *fs)
{
    static const char *const words[] = { "permission denied", "eacces", "unable to open database",
                                         "readonly database", NULL };
    AUTO_BUF struct buf line = BUF_INIT;
    const struct plan_option *o = last_option(s->plan, "user");
    struct user u;
    struct stat st;
    uint64_t seq = user_of(s->plan, o, &u) ? line_with(s, words, &line) : 0;
    const struct plan_mount *m = seq ? closed_mount(s, &u, true, &st) : NULL;
    if (!m)
        return false;
    bool reads = may(&st, &u, READ | (S_ISDIR(st.st_mode) ? ENTER : 0u));
    tell_closed(s, fs, m, &st, o, reads);
    finding_evidence(&fs->v[fs->n - 1], "stderr", seq, "%s", buf_str(&line));
    return true;
}

void standing_of_mounts(const struct symptoms *s, struct findings *fs)
{
    const struct plan_option *o = last_option(s->plan, "user");
    struct user u;
    struct stat st;
    const struct plan_mount *m = user_of(s->plan, o, &u) ? closed_mount(s, &u, false, &st) : NULL;
    if (m)
        tell_closed(s, fs, m, &st, o, false);
}
