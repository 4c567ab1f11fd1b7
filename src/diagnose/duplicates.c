/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers of ours that somebody else runs too: an AI client that has them in its own configuration.
 * Two at once fight for files, ports and rate limits. Reads /proc (Linux): the command lines of all
 * processes, and of those that match their environment and their parent. What any mcptop runs has
 * its mark and does not count. */
#include "diagnose/duplicates.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "isolation/runtime.h"

/* Of a processor; the loop waits meanwhile. Of some thousand processes the last ones are not looked
 * at. */
enum { TURN_MS = 8 };
enum { CMDLINE_MAX = 4096, ENVIRON_MAX = 256 * 1024, TELLING_BYTES = 8 };

static void read_file(const char *pid, const char *name, size_t max, struct buf *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, name);
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_clear(out);
    if (fd < 0)
        return;
    buf_reserve(out, max);
    ssize_t n;
    while (out->len < max && (n = read(fd, out->data + out->len, max - out->len)) > 0)
        out->len += (size_t)n;       /* a read less than asked for is not the end here */
    out->data[out->len] = '\0';
}

static void split(const struct buf *text, struct strvec *words)
{
    strvec_fini(words);
    for (size_t at = 0; at < text->len; at += strlen(text->data + at) + 1)
        strvec_add(words, text->data + at);
}

/* The words end in the server's arguments, and one before them is its command: an interpreter or a
 * runner may stand before that. Arguments that say little are no evidence. */
static bool is_of(const struct strvec *words, const struct config_server *c)
{
    const struct strvec *args = &c->args;
    size_t bytes = 0;
    if (!c->command || !args->n || words->n <= args->n)
        return false;
    size_t first = words->n - args->n;
    for (size_t i = 0; i < args->n; bytes += strlen(args->v[i++]))
        if (strcmp(words->v[first + i], args->v[i]) != 0)
            return false;
    char a[64], b[64];
    const char *command = runtime_base_name(c->command, a, sizeof a);
    for (size_t i = 0; i < first; i++)
        if (strcmp(runtime_base_name(words->v[i], b, sizeof b), command) == 0)
            return bytes >= TELLING_BYTES;
    return false;
}

static bool has_mark(const char *pid)
{
    static const char mark[] = "MCPTOP_RUN=";
    AUTO_BUF struct buf env = BUF_INIT;
    read_file(pid, "environ", ENVIRON_MAX, &env);
    if (!env.len)
        return true;                 /* another user's: not ours to judge */
    return memmem(env.data, env.len, mark, sizeof mark - 1) != NULL;
}

/* In a container, ours maybe: what is left behind there is the orphans' matter. */
static bool is_in_container(const char *pid)
{
    char path[64], theirs[64] = "", ours[64] = "";
    snprintf(path, sizeof path, "/proc/%.20s/ns/pid", pid);
    return readlink(path, theirs, sizeof theirs - 1) < 0 ||
        readlink("/proc/self/ns/pid", ours, sizeof ours - 1) < 0 || strcmp(theirs, ours) != 0;
}

/* "claude (pid 12)" of the process's parent. */
static void name_parent(const char *pid, struct buf *out)
{
    AUTO_BUF struct buf stat = BUF_INIT, comm = BUF_INIT;
    read_file(pid, "stat", CMDLINE_MAX, &stat);
    const char *close = strrchr(buf_str(&stat), ')');
    int parent = 0;
    if (!close || sscanf(close + 1, " %*c %d", &parent) != 1)
        return;
    char id[16];
    snprintf(id, sizeof id, "%d", parent);
    read_file(id, "comm", 64, &comm);
    buf_printf(out, "%.*s (pid %d)", (int)strcspn(buf_str(&comm), "\n"), buf_str(&comm), parent);
}

static void tell(const struct server *s, const char *pid, struct findings *out)
{
    AUTO_BUF struct buf parent = BUF_INIT;
    name_parent(pid, &parent);
    for (size_t i = 0; i < out->n; i++)
        if (out->v[i].kind == FIND_DUPLICATE && strcmp(out->v[i].server, s->name) == 0) {
            finding_evidence(&out->v[i], "process", 0, "pid %s, started by %s", pid,
                             buf_str(&parent));
            return;
        }
    struct finding *f = findings_add(out, FIND_DUPLICATE, s->name,
                                     "another program runs this server too: %s",
                                     buf_str(&parent));
    finding_evidence(f, "process", 0, "pid %s, started by %s", pid, buf_str(&parent));
    finding_step(f, "take it out of that client's configuration and give it `mcptop stdio %s` "
                    "instead: one server for all", s->name);
}

static void judge(const struct fleet *fl, const char *pid, struct buf *text,
                  struct strvec *words, struct findings *out)
{
    read_file(pid, "cmdline", CMDLINE_MAX, text);
    split(text, words);
    for (size_t i = 0; words->n && i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        if (s->config && s->wanted == WANTED_UP && is_of(words, s->config) && !has_mark(pid) &&
            !is_in_container(pid))
            tell(s, pid, out);
    }
}

/* Of our user: what others run is theirs, and cheaper not to read. */
static bool is_own(int proc, const char *pid)
{
    struct stat st;
    return fstatat(proc, pid, &st, 0) == 0 && st.st_uid == getuid();
}

void duplicates_find(const struct fleet *fl, struct findings *out)
{
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_STRVEC struct strvec words = { 0 };
    DIR *proc = opendir("/proc");
    int64_t end_ms = clock_thread_ms() + TURN_MS;
    for (struct dirent *e; proc && clock_thread_ms() < end_ms && (e = readdir(proc));)
        if (isdigit((unsigned char)e->d_name[0]) && is_own(dirfd(proc), e->d_name))
            judge(fl, e->d_name, &text, &words, out);
    if (proc)
        closedir(proc);
}
