/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of the host that a container lacks. That the argument exists on the host and is not mounted
 * is known; whether the server fell over it, its words tell. */
#include "diagnose/diagnose_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/runtime.h"

static const char *const complaints[] = {
    "no such file", "enoent", "does not exist", "not found", "cannot access", "can't open",
    "cannot open", "unable to open", "permission denied", "eacces", "not a directory",
    "not a git repository", "is not a valid", "none of the specified directories",
    "cannot find module", "doesn't exist", "unable to access", "nosuchfileexception",
    "could not open", "failed to spawn",
};

static bool complains(const char *line)
{
    for (size_t i = 0; i < ARRAY_LEN(complaints); i++)
        if (strcasestr(line, complaints[i]))
            return true;
    return false;
}

/* The path in a word: "/a/b", "--db=/a/b", "dir=/a/b", "file:///a/b", "sqlite:////a/b"; NULL when
 * it holds none. */
static const char *path_in(const char *word)
{
    const char *url = strstr(word, "://"), *equals = strchr(word, '=');
    const char *path = url ? url + 3
        : equals && (size_t)(equals - word) < strcspn(word, " /") ? equals + 1 : word;
    while (url && path[0] == '/' && path[1] == '/')
        path++;
    return path[0] == '/' && path[1] && path[1] != '/' ? path : NULL;
}

struct wanted {
    const char *path;                /* that the line must name; NULL = it may be any */
};

static bool fits(const char *line, const void *ctx)
{
    const struct wanted *w = ctx;
    return (!w->path || strstr(line, w->path)) && complains(line);
}

/* exact: a line that names the path; else any that complains of a missing file. */
static uint64_t complaint(const struct symptoms *s, const char *path, bool exact,
                          struct buf *ret_line)
{
    return words_find_if(s, fits, &(struct wanted){ exact ? path : NULL }, ret_line);
}

char *files_next_path(const char **at)
{
    static const char around[] = " '\"`:,;()[]{}<>=\t";
    for (const char *p = *at; (p = strchr(p, '/')); p++) {
        char before = p > *at ? p[-1] : ' ';
        const char *quote = strchr("'\"`", before) ? strchr(p, before) : NULL;
        size_t n = quote ? (size_t)(quote - p) : strcspn(p, around);
        if (strncmp(p, "///", 3) == 0) {         /* file:// */
            p += 2;
            n -= 2;
        }
        bool is_path = strchr(around, before) && n > 1 && p[1] != '/';
        *at = p + n;
        while (is_path && n > 1 && strchr("/.", p[n - 1]))
            n--;
        if (is_path)
            return xstrndup(p, n);
        p = *at - 1;
    }
    return NULL;
}

/* Mounted over these, the host's would take the image's own away. */
static bool is_of_the_image(const char *path)
{
    static const char *const dirs[] = { "/bin", "/sbin", "/usr", "/lib", "/lib64", "/etc", "/dev",
                                        "/proc", "/sys", "/tmp", "/var", "/run", "/root", "/opt" };
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (strcmp(path, dirs[i]) == 0)
            return true;
    return false;
}

/* A new file in a directory that exists: the directory is what is missing inside. */
static char *existing_part(const struct symptoms *s, const char *path)
{
    if (is_of_the_image(path))
        return NULL;
    if (s->exists(path))
        return xstrdup(path);
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return NULL;
    char *parent = xstrndup(path, (size_t)(slash - path));
    if (s->exists(parent) && !is_of_the_image(parent))
        return parent;
    free(parent);
    return NULL;
}

/* Below these an image may well have a file of the same name that is meant; not below the user's
 * home, though root's is one of them. */
static bool is_common(const struct symptoms *s, const char *path)
{
    size_t home = s->home ? strlen(s->home) : 0, n = strcspn(path + 1, "/") + 1;
    AUTO_FREE char *top = xstrndup(path, n);
    bool at_home = home > 1 && strncmp(path, s->home, home) == 0 && path[home] == '/' &&
        path[home + 1];
    return is_of_the_image(top) && !at_home;
}

/* What the programs of an image need, and the engine's own: the host's would be of no use there. */
static bool is_of_the_system(const char *path)
{
    static const char *const dirs[] = { "/bin/", "/sbin/", "/usr/", "/lib/", "/lib64/", "/dev/",
                                        "/proc/", "/sys/", "/run/" };
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        if (strncmp(path, dirs[i], strlen(dirs[i])) == 0)
            return true;
    return is_of_the_image(path);
}

/* A path that the line misses, which is on the host; from env, a script's text, a file of settings.
 * The caller's; NULL = it names none. */
static char *host_path_in(const struct symptoms *s, const char *line)
{
    for (char *path; (path = files_next_path(&line)); free(path))
        if (!is_of_the_system(path) && !plan_has_path(s->plan, path) && s->exists(path))
            return path;
    return NULL;
}

static bool names_host_path(const char *line, const void *ctx)
{
    AUTO_FREE char *path = complains(line) ? host_path_in(ctx, line) : NULL;
    return path && (((const struct symptoms *)ctx)->end || !is_common(ctx, path));
}

struct finding *files_tell_not_mounted(const struct symptoms *s, struct findings *fs,
                                       const char *path, const char *there, uint64_t seq,
                                       const char *line)
{
    struct finding *f = findings_add(fs, FIND_PATH_NOT_MOUNTED, s->name,
                                     "%s is a path of the host, and its container does not have it",
                                     path);
    if (seq)
        finding_evidence(f, "stderr", seq, "%s", line);
    finding_evidence(f, "host", 0, "%s exists on the host and is not mounted", there);
    fix_mount(f, s, there, strcmp(there, path) == 0);
    if (strcmp(there, path) == 0)
        fix_mount(f, s, there, false);
    fix_to_host(f, s);
    return f;
}

static void tell_complaint(const struct symptoms *s, struct findings *fs, const char *path,
                           const char *there, uint64_t seq, const char *line)
{
    files_tell_not_mounted(s, fs, path, there, seq, line)->guess = !strstr(line, path);
}

static bool argument_missing(const struct symptoms *s, struct findings *fs, const char *word,
                             bool exact)
{
    const char *path = path_in(word);
    if (!path || plan_has_path(s->plan, path))
        return false;
    AUTO_FREE char *there = existing_part(s, path);
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = there ? complaint(s, path, exact, &line) : 0;
    if (!seq)
        return false;
    tell_complaint(s, fs, path, there, seq, buf_str(&line));
    return true;
}

bool files_named_missing(const struct symptoms *s, struct findings *fs)
{
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = words_find_if(s, names_host_path, s, &line);
    AUTO_FREE char *path = seq ? host_path_in(s, buf_str(&line)) : NULL;
    if (path)
        tell_complaint(s, fs, path, path, seq, buf_str(&line));
    return path != NULL;
}

const char *files_unmounted_working_dir(const struct symptoms *s)
{
    const char *dir = s->config->working_dir;
    return s->plan->mode == PLAN_DOCKER && dir && dir[0] == '/' && !plan_has_path(s->plan, dir) &&
        s->exists(dir) ? dir : NULL;
}

struct finding *files_tell_working_dir(const struct symptoms *s, struct findings *fs, uint64_t seq,
                                       const char *line)
{
    const char *dir = s->config->working_dir;
    struct finding *f = findings_add(fs, FIND_WORKING_DIR, s->name,
                                     "working_dir %s is a directory of the host, and its container "
                                     "does not have it", dir);
    if (seq)
        finding_evidence(f, "stderr", seq, "%s", line);
    finding_evidence(f, "config", 0, "working_dir is %s, and not mounted", dir);
    fix_mount(f, s, dir, true);
    fix_to_host(f, s);
    return f;
}

static bool working_dir_missing(const struct symptoms *s, struct findings *fs)
{
    const char *dir = files_unmounted_working_dir(s);
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = dir ? complaint(s, dir, false, &line) : 0;
    if (seq)
        files_tell_working_dir(s, fs, seq, buf_str(&line));
    return seq != 0;
}

bool files_in_working_dir(const struct symptoms *s, struct findings *fs, const char *file,
                          uint64_t seq, const char *line)
{
    const char *dir = files_unmounted_working_dir(s), *slash = file ? strrchr(file, '/') : NULL;
    const char *name = slash ? slash + 1 : file ? file : "";
    if (dir && !file) {
        files_tell_working_dir(s, fs, seq, line);
        return true;
    }
    size_t n = strlen(name);
    for (size_t i = 0; dir && i < s->config->args.n; i++) {
        const char *word = s->config->args.v[i];
        size_t len = strlen(word);
        AUTO_FREE char *path = xasprintf("%s/%s", dir, word);
        if (word[0] == '/' || len < n || strcmp(word + len - n, name) != 0 || !s->exists(path))
            continue;
        files_tell_working_dir(s, fs, seq, line);
        return true;
    }
    return false;
}

/* The read-only mount that the line names; else the only one there is. NULL = which, is open. */
static const struct plan_mount *blamed_mount(const struct plan *p, const char *line)
{
    const struct plan_mount *named = NULL, *any = NULL;
    size_t n = 0;
    for (size_t i = 0; i < p->mount_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (!m->read_only || m->is_volume)
            continue;
        any = m;
        n++;
        if (strstr(line, m->target) && (!named || strlen(m->target) > strlen(named->target)))
            named = m;
    }
    return named ? named : n == 1 ? any : NULL;
}

bool files_read_only(const struct symptoms *s, struct findings *fs)
{
    static const char *const words[] = { "read-only file system", "erofs",
                                         "readonly database" };
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = 0;
    for (size_t i = 0; i < ARRAY_LEN(words) && !seq; i++)
        seq = words_find(s, RING_STDERR, words[i], &line);
    const struct plan_mount *m = seq ? blamed_mount(s->plan, buf_str(&line)) : NULL;
    if (!m)
        return false;
    struct finding *f = findings_add(fs, FIND_PATH_READ_ONLY, s->name,
                                     "it writes to %s, which is mounted read-only", m->target);
    f->guess = !strstr(buf_str(&line), m->target);
    finding_evidence(f, "stderr", seq, "%s", buf_str(&line));
    finding_evidence(f, "plan", 0, "%s:%s:ro", m->source, m->target);
    fix_mount(f, s, m->source, false);
    return true;
}

bool files_missing(const struct symptoms *s, struct findings *fs, bool exact)
{
    if (s->plan->mode != PLAN_DOCKER)
        return false;
    if (exact && files_read_only(s, fs))
        return true;
    for (size_t i = 0; i < s->config->args.n; i++)
        if (argument_missing(s, fs, s->config->args.v[i], exact))
            return true;
    for (size_t i = 0; i < s->config->env.n; i++)
        if (argument_missing(s, fs, s->config->env.v[i].value, exact))
            return true;
    return exact ? files_named_missing(s, fs) : working_dir_missing(s, fs);
}

const char *files_unmounted_argument(const struct symptoms *s)
{
    const struct strvec *words = &s->plan->argv;
    if (s->plan->mode != PLAN_DOCKER || s->plan->adopted)
        return NULL;                 /* docker run says itself what is mounted */
    for (size_t i = 1; i < words->n; i++) {
        const char *path = path_in(words->v[i]);
        if (path && !plan_has_path(s->plan, path) && !is_common(s, path) && s->exists(path))
            return path;
    }
    return NULL;
}

void standing_of_paths(const struct symptoms *s, struct findings *fs)
{
    const char *path = files_unmounted_argument(s);
    if (!path)
        return;
    struct finding *f = findings_add(fs, FIND_PATH_OWN, s->name,
                                     "%s is not the host's: it is not mounted, so the server has "
                                     "its own, which is lost when the container ends", path);
    finding_evidence(f, "host", 0, "%s exists on the host and is not mounted", path);
    fix_mount(f, s, path, true);
    fix_mount(f, s, path, false);
    fix_to_host(f, s);
}

/* ---- what is nowhere --------------------------------------------------------------------- */

/* What a shell would replace where a path begins: "~", "$NAME", "${NAME}"; n 0 = nothing. */
struct shell_part { const char *p; size_t n; };

static struct shell_part shell_part(const char *word)
{
    static const char name[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const char *equals = strchr(word, '=');
    const char *p = equals && word[0] == '-' ? equals + 1 : word;
    bool braced = p[0] == '$' && p[1] == '{';
    size_t front = braced ? 2 : 1, n = strspn(p + (*p == '$' ? front : 0), name);
    if (p[0] == '~' && p[1] == '/')
        return (struct shell_part){ p, 1 };
    if (p[0] != '$' || !n || (braced && p[front + n] != '}'))
        return (struct shell_part){ p, 0 };
    return (struct shell_part){ p, front + n + braced };
}

/* The word as a shell would have written it out; the caller's. NULL: nothing in it is the home's,
 * or that is unknown. */
static char *at_home(const struct symptoms *s, const char *word)
{
    static const char *const homes[] = { "~", "$HOME", "${HOME}" };
    struct shell_part part = shell_part(word);
    for (size_t i = 0; s->home && i < ARRAY_LEN(homes); i++)
        if (part.n == strlen(homes[i]) && strncmp(part.p, homes[i], part.n) == 0)
            return xasprintf("%.*s%s%s", (int)(part.p - word), word, s->home, part.p + part.n);
    return NULL;
}

/* Of the path in it alone. */
static char *path_at_home(const struct symptoms *s, const char *word)
{
    return at_home(s, shell_part(word).p);
}

/* No shell reads args: what it would replace stays, and most programs look for a directory of that
 * name. Many know ~ themselves, so of that a line must speak. */
static bool kept_as_written(const struct symptoms *s, struct findings *fs, size_t i, bool exact)
{
    const char *word = s->config->args.v[i];
    struct shell_part part = shell_part(word);
    AUTO_FREE char *path = path_at_home(s, word);
    AUTO_FREE char *needle = xstrndup(part.p, part.n + (*part.p == '~'));
    AUTO_BUF struct buf line = BUF_INIT;
    bool tilde = *part.p == '~';
    if (!part.n || (tilde && (!exact || !path || !s->exists(path))) ||
        strcmp(runtime_detect(s->config->command)->name, "shell") == 0)
        return false;
    uint64_t seq = complaint(s, needle, exact, &line);
    if (!seq)
        return false;
    struct finding *f = findings_add(fs, FIND_FILE_MISSING, s->name,
                                     "%s in its arguments stays as it is: no shell expands %.*s "
                                     "there", word, (int)part.n, part.p);
    f->guess = !exact;
    finding_evidence(f, "stderr", seq, "%s", buf_str(&line));
    finding_evidence(f, "config", 0, "args[%zu] is %s", i, word);
    AUTO_STRVEC struct strvec to = { 0 };
    strvec_copy(&to, &s->config->args);
    free(to.v[i]);
    to.v[i] = path ? at_home(s, word) : xstrdup(word);
    AUTO_FREE char *title = xasprintf("args[%zu] %s → %s", i, word, to.v[i]);
    if (path)
        fix_args(f, s, &to, title);
    else
        finding_step(f, "write it out in args, or as ${env:%.*s}, which mcptop replaces",
                     (int)strcspn(part.p + strspn(part.p, "${"), "}/"),
                     part.p + strspn(part.p, "${"));
    return true;
}

static bool argument_absent(const struct symptoms *s, struct findings *fs, size_t i, bool exact)
{
    const char *word = s->config->args.v[i];
    AUTO_FREE char *home = path_at_home(s, word);
    const char *path = home ? home : path_in(word);
    bool boxed = s->plan->mode == PLAN_DOCKER;
    if (!path || s->exists(path) || (boxed && plan_has_path(s->plan, path)))
        return false;
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = complaint(s, path, exact, &line);
    if (!seq)
        return false;
    struct finding *f = findings_add(fs, FIND_FILE_MISSING, s->name,
                                     "%s in its arguments does not exist%s", path, boxed
                                     ? ", neither on this machine nor in its container" : "");
    f->guess = !exact;
    finding_evidence(f, "stderr", seq, "%s", buf_str(&line));
    finding_evidence(f, "host", 0, "no %s on this machine", path);
    meant_path_step(s, f, path);
    finding_step(f, "correct the path in args, or make it%s",
                 boxed ? " and mount it (isolation.volumes)" : "");
    return true;
}

bool files_absent(const struct symptoms *s, struct findings *fs, bool exact)
{
    if (s->was_ready)
        return false;
    for (size_t i = 0; i < s->config->args.n; i++)
        if (kept_as_written(s, fs, i, exact) || argument_absent(s, fs, i, exact))
            return true;
    return false;
}
