/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the processes of a run in /proc and kills them. The tree is walked from our own children
 * down (orphans are ours, because we are a subreaper), so nobody outside it can be hit. Who belongs
 * to a run, by what evidence, is decided in is_member(); the walk repeats until two rounds in a row
 * find nobody new, because trees fork while they die and because the kernel's list of children may
 * skip entries while siblings exit.
 *
 * child_sweep_before() alone looks beyond our descendants: at every process of our user. Its runs
 * have no parent any more that we could walk from, so that their mark is all there is.
 *
 * It knows no loop and no objects; of the registry only child_owner_of() and child_session_of(). */
#include "io/child_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

/* Each round kills all that it sees, so only processes that were being born get to the next one. */
enum { MAX_ROUNDS = 100, MAX_FILE = 4 * 1024 * 1024 };

struct proc {
    pid_t pid, parent, session;
    char state;
    unsigned long long start;   /* with pid: which process this is, for good */
};

struct node {
    pid_t pid;
    bool member;
};

struct sweep {
    const char *run_id;         /* NULL = everybody */
    int sig;
    struct node *queue;         /* of one round; parents before children */
    size_t queued, queue_cap;
    struct proc *hit;           /* signalled so far */
    size_t hits, hit_cap;
    pid_t *sessions;            /* in which a member was seen */
    size_t session_count, session_cap;
};

static void *grown(void *array, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return array;
    *cap = *cap ? *cap * 2 : 16;
    return xrealloc(array, *cap * size);
}

/* ---- /proc ---- */

/* Reads a file of /proc up to max bytes; -1 when it cannot be read. */
static int read_file(const char *path, struct buf *out, size_t max)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (out->len < max) {
        buf_reserve(out, 4096);
        ssize_t n = read(fd, out->data + out->len, 4096);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -1 : 0;
        out->len += (size_t)n;
        out->data[out->len] = '\0';
    }
    return 0;
}

static int read_proc(pid_t pid, struct proc *ret)
{
    AUTO_BUF struct buf text = BUF_INIT;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (read_file(path, &text, 4096) < 0)
        return -1;
    const char *p = strrchr(buf_str(&text), ')');   /* the name before it may contain anything */
    int parent, session;
    if (!p ||
        sscanf(p + 1,
               " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ret->state, &parent, &session, &ret->start) != 4)
        return -1;
    ret->pid = pid, ret->parent = parent, ret->session = session;
    return 0;
}

enum mark { MARK_NONE, MARK_THIS, MARK_OTHER };

/* Is run_id one of the comma-separated words of value? One that ends in '.' stands for all that
 * begin so. */
static bool mark_has(const char *value, const char *run_id)
{
    size_t n = strlen(run_id);
    bool prefix = n > 0 && run_id[n - 1] == '.';
    for (const char *word = value;; word++) {
        size_t len = strcspn(word, ",");
        if ((prefix ? len > n : len == n) && !memcmp(word, run_id, n))
            return true;
        word += len;
        if (!*word)
            return false;
    }
}

static enum mark read_mark(pid_t pid, const char *run_id)
{
    AUTO_BUF struct buf environ_text = BUF_INIT;
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/environ", pid);
    if (read_file(path, &environ_text, MAX_FILE) < 0 || environ_text.len == 0)
        return MARK_NONE;
    const char *end = environ_text.data + environ_text.len;
    for (const char *p = environ_text.data; p < end; p += strlen(p) + 1)
        if (!strncmp(p, CHILD_MARK "=", sizeof(CHILD_MARK)))
            return mark_has(p + sizeof(CHILD_MARK), run_id) ? MARK_THIS : MARK_OTHER;
    return MARK_NONE;
}

/* ---- the walk ---- */

static void sweep_queue(struct sweep *s, pid_t pid, bool member)
{
    s->queue = grown(s->queue, s->queued, &s->queue_cap, sizeof(*s->queue));
    s->queue[s->queued++] = (struct node){.pid = pid, .member = member};
}

/* Kernels without the list of children: every process whose parent it is. */
static void queue_children_slowly(struct sweep *s, pid_t parent, bool member)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;
    while (dir && (e = readdir(dir))) {
        struct proc p;
        pid_t pid = atoi(e->d_name);
        if (pid > 0 && read_proc(pid, &p) == 0 && p.parent == parent)
            sweep_queue(s, pid, member);
    }
    if (dir)
        closedir(dir);
}

static void queue_list(struct sweep *s, const char *path, bool member)
{
    AUTO_BUF struct buf list = BUF_INIT;
    char *end;
    if (read_file(path, &list, MAX_FILE) < 0)
        return;
    for (const char *p = buf_str(&list);; p = end) {
        long pid = strtol(p, &end, 10);
        if (end == p)
            return;
        sweep_queue(s, (pid_t)pid, member);
    }
}

static void queue_children(struct sweep *s, pid_t parent, bool member)
{
    char path[300];
    if (access("/proc/thread-self/children", F_OK) != 0) {
        queue_children_slowly(s, parent, member);
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d/task", parent);
    DIR *threads = opendir(path);
    struct dirent *e;
    while (threads && (e = readdir(threads))) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "/proc/%d/task/%s/children", parent, e->d_name);
        queue_list(s, path, member);
    }
    if (threads)
        closedir(threads);
}

static bool session_known(const struct sweep *s, pid_t session)
{
    for (size_t i = 0; i < s->session_count; i++)
        if (s->sessions[i] == session)
            return true;
    return false;
}

/* Our own session is nobody's mark: helpers of ours that did not go through child_spawn are in
 * it. */
static void session_add(struct sweep *s, pid_t session)
{
    if (session <= 0 || session == getsid(0) || session_known(s, session))
        return;
    s->sessions = grown(s->sessions, s->session_count, &s->session_cap, sizeof(*s->sessions));
    s->sessions[s->session_count++] = session;
}

/* For a process whose parent is no member: a direct child of ours, or below one that belongs to
 * nobody we know. The mark decides; only without any (a cleared environment, an unreadable one) its
 * session does. */
static bool is_member(const struct sweep *s, const struct proc *p, enum child_owner owner)
{
    if (owner == CHILD_OF_RUN)
        return true;
    enum mark mark = read_mark(p->pid, s->run_id);
    return mark == MARK_THIS || (mark == MARK_NONE && session_known(s, p->session));
}

static bool was_hit(const struct sweep *s, const struct proc *p)
{
    for (size_t i = s->hits; i-- > 0;)
        if (s->hit[i].pid == p->pid && s->hit[i].start == p->start)
            return true;
    return false;
}

/* By pidfd, checked after opening it: between the look and the signal its parent may have reaped it
 * and the number may be somebody else's. */
static void hit(struct sweep *s, const struct proc *p)
{
    struct proc now;
    s->hit = grown(s->hit, s->hits, &s->hit_cap, sizeof(*s->hit));
    s->hit[s->hits++] = *p;
    AUTO_CLOSE int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd < 0 && errno == ESRCH)
        return;
    if (read_proc(p->pid, &now) < 0 || now.start != p->start)
        return;
    if (fd >= 0)
        syscall(SYS_pidfd_send_signal, fd, s->sig, NULL, 0);
    else
        kill(p->pid, s->sig);           /* before Linux 5.3, or out of descriptors */
}

static void visit(struct sweep *s, struct node node)
{
    struct proc p;
    enum child_owner owner = s->run_id ? child_owner_of(node.pid, s->run_id) : CHILD_UNKNOWN;
    if (owner == CHILD_OF_OTHER_RUN || read_proc(node.pid, &p) < 0)
        return;
    bool member = node.member || is_member(s, &p, owner);
    if (member) {
        session_add(s, p.session);
        if (p.state != 'Z' && p.state != 'X' && !was_hit(s, &p))
            hit(s, &p);
    }
    queue_children(s, p.pid, member);
}

/* Walks our descendants once; how many were hit that had not been before. */
static size_t sweep_round(struct sweep *s)
{
    size_t before = s->hits;
    s->queued = 0;
    queue_children(s, getpid(), s->run_id == NULL);
    for (size_t i = 0; i < s->queued; i++)
        visit(s, s->queue[i]);
    return s->hits - before;
}

static int sweep(const char *run_id, int sig, int rounds)
{
    struct sweep s = {.run_id = run_id, .sig = sig};
    if (run_id)
        session_add(&s, child_session_of(run_id));
    for (int quiet = 0; rounds > 0 && quiet < 2; rounds--)
        quiet = sweep_round(&s) ? 0 : quiet + 1;
    int hits = (int)s.hits;
    free(s.queue);
    free(s.hit);
    free(s.sessions);
    return hits;
}

int child_sweep(const char *run_id)
{
    return sweep(run_id, SIGKILL, MAX_ROUNDS);
}

int child_sweep_all(void)
{
    return sweep(NULL, SIGKILL, MAX_ROUNDS);
}

/* ---- runs of a supervisor that is no more ---- */

/* We may have been started from within such a run, by a server that calls mcptop. */
static bool is_own_line(pid_t pid)
{
    struct proc p;
    for (pid_t at = getpid(); at > 0; at = p.parent) {
        if (at == pid)
            return true;
        if (read_proc(at, &p) < 0)
            return false;
    }
    return false;
}

/* Every process of our user with the mark, wherever it hangs. */
static void queue_marked(struct sweep *s)
{
    DIR *dir = opendir("/proc");
    struct dirent *e;
    struct stat st;
    while (dir && (e = readdir(dir))) {
        pid_t pid = atoi(e->d_name);
        if (pid > 1 && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && st.st_uid == geteuid() &&
            read_mark(pid, s->run_id) == MARK_THIS && !is_own_line(pid))
            sweep_queue(s, pid, true);
    }
    if (dir)
        closedir(dir);
}

/* Its children are noted before it is hit: afterwards they are somebody else's, and those without a
 * mark nobody's. */
static void visit_marked(struct sweep *s, struct node node)
{
    struct proc p;
    if (read_proc(node.pid, &p) < 0 || is_own_line(node.pid))
        return;
    queue_children(s, p.pid, true);
    if (p.state != 'Z' && p.state != 'X' && !was_hit(s, &p))
        hit(s, &p);
}

int child_sweep_before(const char *prefix)
{
    struct sweep s = {.run_id = prefix, .sig = SIGKILL};
    size_t before;
    int rounds = 0;
    do {
        before = s.hits;
        s.queued = 0;
        queue_marked(&s);
        for (size_t i = 0; i < s.queued; i++)
            visit_marked(&s, s.queue[i]);
    } while (s.hits > before && ++rounds < MAX_ROUNDS);
    int hits = (int)s.hits;
    free(s.queue);
    free(s.hit);
    return hits;
}

void child_signal_run(const char *run_id, int sig)
{
    sweep(run_id, sig, 1);
}
