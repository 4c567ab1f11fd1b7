/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of the kernel's unix sockets belong to the path is told by the inode of the socket's file
 * (UNIX_DIAG_VFS), which accepted connections inherit; so a symlink on the way does not matter. A
 * connection whose peer is 0 has lost its client already. A connection belongs to the network
 * namespace of its client; the list of another one is a file that names sockets by what they were
 * bound to, and that file's inode tells the namespaces apart, without the rights that /proc/PID/ns
 * wants. A netlink socket belongs to the namespace that it was made in, so making one is all that
 * is done there. Linux only. Must not know why it is asked for. */
#include "io/unix_clients.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { MOST_ARGV = 128 * 1024, MOST_LINKS = 4096, MOST_CLIENTS = 1024 };

struct peer {
    uint32_t inode;
    bool found;
    bool ended;                 /* nothing more can come from it (shutdown) */
};

struct unix_scan {
    const char *const *programs;
    struct peer *peers;         /* the clients' ends of the connections */
    size_t n, cap;
    bool seen;                  /* anything of the socket shows */
    uint32_t file;              /* the inode of the socket's file */
    char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];     /* what it was bound to */
    ino_t *lists;               /* of the network namespaces that were read; ours is the first */
    size_t list_count;
    DIR *proc;
    int64_t boot_wall_ms;
    struct unix_clients found;
};

void unix_clients_fini(struct unix_clients *c)
{
    for (size_t i = 0; i < c->n; i++)
        strvec_fini(&c->v[i].argv);
    free(c->v);
    *c = (struct unix_clients){0};
}

/* ---- the kernel's list ---- */

static void add_peer(struct unix_scan *s, uint32_t inode, bool ended)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->peers = xrealloc(s->peers, s->cap * sizeof *s->peers);
    }
    s->peers[s->n++] = (struct peer){.inode = inode, .ended = ended};
}

static void take_name(struct unix_scan *s, const struct rtattr *a)
{
    size_t n = RTA_PAYLOAD(a) < sizeof s->name - 1 ? RTA_PAYLOAD(a) : sizeof s->name - 1;
    memcpy(s->name, RTA_DATA(a), n);
    s->name[n] = '\0';
}

static void read_socket(struct unix_scan *s, const struct nlmsghdr *h)
{
    enum { NOTHING_COMES = 1 };     /* the kernel's RCV_SHUTDOWN, of the server's end */
    const struct rtattr *name = NULL;
    bool ended = true;              /* unless it is said: who asks takes that for doubt */
    const struct unix_diag_msg *m = NLMSG_DATA(h);
    const struct rtattr *a = (const struct rtattr *)(m + 1);
    long left = (long)h->nlmsg_len - (long)NLMSG_LENGTH(sizeof *m);
    uint32_t of_file = 0, peer = 0;
    for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
        if (a->rta_type == UNIX_DIAG_VFS && RTA_PAYLOAD(a) >= sizeof(struct unix_diag_vfs))
            of_file = ((const struct unix_diag_vfs *)RTA_DATA(a))->udiag_vfs_ino;
        else if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof peer)
            memcpy(&peer, RTA_DATA(a), sizeof peer);
        else if (a->rta_type == UNIX_DIAG_NAME)
            name = a;
        else if (a->rta_type == UNIX_DIAG_SHUTDOWN && RTA_PAYLOAD(a) >= 1)
            ended = *(const unsigned char *)RTA_DATA(a) & NOTHING_COMES;
    }
    if (of_file != s->file)
        return;
    s->seen = true;
    if (name)
        take_name(s, name);
    if (peer)
        add_peer(s, peer, ended);
}

/* One message of the dump; 1 when it goes on, 0 at its end, -1 with errno. */
static int read_messages(struct unix_scan *s, const void *data, size_t n)
{
    unsigned left = (unsigned)n;
    for (const struct nlmsghdr *h = data; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type == NLMSG_DONE)
            return 0;
        if (h->nlmsg_type == NLMSG_ERROR) {
            errno = -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
            return -1;
        }
        if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
            read_socket(s, h);
    }
    return 1;
}

static int netlink_socket(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* netlink: is closed; -1 = there is none. */
static int read_list(struct unix_scan *s, int netlink)
{
    struct {
        struct nlmsghdr h;
        struct unix_diag_req r;
    } ask = {
        .h = {.nlmsg_len = sizeof ask, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
              .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .r = {.sdiag_family = AF_UNIX, .udiag_states = ~0u,
              .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS | UDIAG_SHOW_PEER},
    };
    _Alignas(struct nlmsghdr) char answer[32 * 1024];
    /* The kernel answers while we read: there is nothing to wait for. */
    AUTO_CLOSE int fd = netlink;
    if (fd < 0 || send(fd, &ask, sizeof ask, 0) < 0)
        return -1;
    for (int more = 1; more;) {
        ssize_t n = recv(fd, answer, sizeof answer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || (more = read_messages(s, answer, (size_t)n)) < 0)
            return -1;
    }
    return 0;
}

/* ---- other network namespaces ---- */

/* "0000000015cb6852: 00000003 00000000 00000000 0001 03 9465680 /run/docker.sock"; 03 = connected,
 * 02 = the server has not taken it yet */
static bool is_connection_to(const struct unix_scan *s, char *line)
{
    unsigned state;
    int at = 0;
    line[strcspn(line, "\n")] = '\0';
    return sscanf(line, "%*[^:]: %*x %*x %*x %*x %x %*u %n", &state, &at) == 1 && at > 0 &&
           (state == 2 || state == 3) && strcmp(line + at, s->name) == 0;
}

/* Whether the namespace of this process (a folder of /proc) is a new one. */
static bool is_new_list(struct unix_scan *s, int dir)
{
    struct stat st;
    if (fstatat(dir, "net/unix", &st, 0) < 0)
        return false;       /* it has just ended */
    for (size_t i = 0; i < s->list_count; i++)
        if (s->lists[i] == st.st_ino)
            return false;
    s->lists = xrealloc(s->lists, (s->list_count + 1) * sizeof *s->lists);
    s->lists[s->list_count++] = st.st_ino;
    return true;
}

/* Made in the network namespace of this process; -1 where we may not go there. */
static int netlink_socket_in(int dir)
{
    AUTO_CLOSE int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int there = openat(dir, "ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
        return -1;
    int fd = netlink_socket();
    if (setns(here, CLONE_NEWNET) < 0)
        abort();        /* all that we did from now on would be done in the wrong place */
    return fd;
}

static void note_elsewhere(struct unix_scan *s, int dir, size_t connections)
{
    struct unix_clients *found = &s->found;
    AUTO_CLOSE int fd = openat(dir, "comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, found->elsewhere_name, sizeof found->elsewhere_name - 1) : 0;
    found->elsewhere_name[n > 0 ? n : 0] = '\0';
    found->elsewhere_name[strcspn(found->elsewhere_name, "\n")] = '\0';
    found->elsewhere += connections;
}

static void look_elsewhere(struct unix_scan *s, int dir)
{
    char line[512];
    size_t connections = 0;
    if (!is_new_list(s, dir))
        return;
    int fd = openat(dir, "net/unix", O_RDONLY | O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (!file) {            /* it has just ended; another of its namespace may be read */
        s->list_count--;
        if (fd >= 0)
            close(fd);
        return;
    }
    while (fgets(line, sizeof line, file))
        connections += is_connection_to(s, line);
    fclose(file);
    size_t before = s->n;
    if (!connections)
        return;
    /* One that the server has not taken yet is in the file alone. */
    if (read_list(s, netlink_socket_in(dir)) == 0)
        connections -= s->n - before < connections ? s->n - before : connections;
    if (connections)
        note_elsewhere(s, dir, connections);
}

/* Our own namespace is the first: its list was read already. The server's process must show, or
 * the namespaces of its clients need not. */
static int find_server(struct unix_scan *s, const char *socket_path, struct fault *f)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct ucred who = {0};
    socklen_t n = sizeof who;
    char path[64];
    AUTO_CLOSE int own = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (own < 0 || !is_new_list(s, own))
        return fault_set(f, errno, "/proc/self/net/unix");
    if (fd < 0 || strlen(socket_path) >= sizeof to.sun_path)
        return fault_set(f, ENAMETOOLONG, "%s", socket_path);
    strcpy(to.sun_path, socket_path);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
        return fault_set(f, errno, "%s", socket_path);
    s->found.listener = who.pid;
    snprintf(path, sizeof path, "/proc/%ld/net/unix", (long)who.pid);
    if (who.pid == 0 || access(path, F_OK) < 0)
        return fault_set(f, FAULT_UNSUPPORTED, "the process that serves %s does not show here, so "
                         "others that use it need not either", socket_path);
    return 0;
}

/* ---- processes ---- */

static void read_argv(int dir, struct strvec *argv)
{
    AUTO_BUF struct buf text = BUF_INIT;
    AUTO_CLOSE int fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && text.len < MOST_ARGV) {
        buf_reserve(&text, 4096);
        ssize_t n = read(fd, text.data + text.len, 4096);
        if (n <= 0)
            break;
        text.len += (size_t)n;
        text.data[text.len] = '\0';
    }
    for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1)
        strvec_add(argv, text.data + at);
}

static int64_t started_wall_ms(const struct unix_scan *s, int dir)
{
    char text[1024];
    unsigned long long ticks = 0;
    AUTO_CLOSE int fd = openat(dir, "stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    text[n > 0 ? n : 0] = '\0';
    const char *p = strrchr(text, ')');     /* the name before it may contain anything */
    if (!p || sscanf(p + 1,
                     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
                     " %llu", &ticks) != 1)
        return 0;       /* as early as can be: it may hold anything */
    return s->boot_wall_ms + (int64_t)(ticks * 1000 / (unsigned long long)sysconf(_SC_CLK_TCK));
}

static bool is_program(const struct unix_scan *s, const struct strvec *argv)
{
    const char *slash = argv->n ? strrchr(argv->v[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argv->n ? argv->v[0] : "";
    for (size_t i = 0; s->programs[i]; i++)
        if (strcmp(s->programs[i], name) == 0)
            return true;
    return false;
}

/* Marks the connections that it holds. */
static void find_held(struct unix_scan *s, int dir, struct unix_client *c)
{
    char to[64];
    int fd = openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    int left = MOST_LINKS;
    for (struct dirent *e; d && left-- > 0 && (e = readdir(d));) {
        ssize_t n = readlinkat(fd, e->d_name, to, sizeof to - 1);
        unsigned inode;
        to[n > 0 ? n : 0] = '\0';
        if (sscanf(to, "socket:[%u]", &inode) != 1)
            continue;
        for (size_t i = 0; i < s->n; i++)
            if (s->peers[i].inode == inode) {
                c->connected = s->peers[i].found = true;
                c->ended += s->peers[i].ended;
            }
    }
    if (d)
        closedir(d);
    else if (fd >= 0)
        close(fd);
}

static void look_at(struct unix_scan *s, const char *name)
{
    char path[300];
    struct unix_client c = {.pid = (pid_t)strtol(name, NULL, 10)};
    snprintf(path, sizeof path, "/proc/%s", name);
    AUTO_CLOSE int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    look_elsewhere(s, dir);
    find_held(s, dir, &c);
    if (c.pid == getpid())
        return;
    read_argv(dir, &c.argv);
    if ((!c.connected && !is_program(s, &c.argv)) || s->found.n == MOST_CLIENTS) {
        strvec_fini(&c.argv);
        return;
    }
    c.started_wall_ms = started_wall_ms(s, dir);
    s->found.v = xrealloc(s->found.v, (s->found.n + 1) * sizeof *s->found.v);
    s->found.v[s->found.n++] = c;
}

/* ---- life ---- */

struct unix_scan *unix_scan_new(const char *socket_path, const char *const *programs,
                                struct fault *f)
{
    struct stat st;
    struct timespec up;
    struct fault why = FAULT_NONE;
    struct unix_scan *s = xcalloc(1, sizeof *s);
    s->programs = programs;
    clock_gettime(CLOCK_BOOTTIME, &up);
    s->boot_wall_ms = clock_wall_ms() - ((int64_t)up.tv_sec * 1000 + up.tv_nsec / 1000000);
    int rc = stat(socket_path, &st);
    s->file = rc == 0 ? (uint32_t)st.st_ino : 0;
    if (rc < 0)
        fault_set(f, errno, "%s", socket_path);
    else if (read_list(s, netlink_socket()) < 0)
        fault_set(f, errno, "the kernel does not list the connections to %s", socket_path);
    else if (!s->seen || !*s->name)
        fault_set(f, FAULT_UNSUPPORTED, "the connections to %s do not show here", socket_path);
    else if (find_server(s, socket_path, &why) < 0)
        fault_copy(f, &why);
    else if (!(s->proc = opendir("/proc")))
        fault_set(f, errno, "/proc");
    if (!s->proc) {
        unix_scan_free(s);
        return NULL;
    }
    return s;
}

void unix_scan_free(struct unix_scan *s)
{
    if (!s)
        return;
    if (s->proc)
        closedir(s->proc);
    unix_clients_fini(&s->found);
    free(s->peers);
    free(s->lists);
    free(s);
}

bool unix_scan_step(struct unix_scan *s, unsigned processes)
{
    struct dirent *e = NULL;
    while (processes > 0 && (e = readdir(s->proc))) {
        if (!isdigit((unsigned char)e->d_name[0]))
            continue;
        look_at(s, e->d_name);
        processes--;
    }
    return e != NULL;
}

void unix_scan_take(struct unix_scan *s, struct unix_clients *ret)
{
    *ret = s->found;
    s->found = (struct unix_clients){0};
    for (size_t i = 0; i < s->n; i++) {
        ret->unseen += !s->peers[i].found;
        ret->unseen_ended += !s->peers[i].found && s->peers[i].ended;
    }
}
