/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Is a supervisor there, and if not: one is started in the background. Blocking, with deadlines,
 * because it happens before there is anything else to do. Knows the start protocol of serve.h and
 * no more of the supervisor than its socket. */
#include "client/api_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/strvec.h"

enum {
    PROBE_SECONDS = 2,
    START_TIMEOUT_MS = 10 * 1000,
    READY_FD = 3,
};

static int connect_socket(const char *path, struct fault *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path)
        return fault_set(f, FAULT_TOO_BIG, "the socket's path \"%s\" is too long", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return fault_set(f, errno, "socket");
    /* Also bounds connect(): it waits where the queue of a supervisor that stands is full. */
    struct timeval limit = { .tv_sec = PROBE_SECONDS };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
        int e = errno;
        close(fd);
        if (e == ENOENT || e == ECONNREFUSED || e == ENOTDIR)
            return fault_set(f, FAULT_NOT_FOUND, "no mcptop supervisor runs at %s", path);
        return fault_set(f, e, "connect to %s", path);
    }
    return fd;
}

/* Whoever sits at the other end gets every tool call: it must be ours, or root's. */
static int check_peer(int fd, const char *path, struct fault *f)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n))
        return fault_set(f, errno, "who listens at %s", path);
    if (peer.uid != geteuid() && peer.uid != 0)
        return fault_set(f, FAULT_DENIED, "%s belongs to another user (uid %d): not used", path,
                         (int)peer.uid);
    return 0;
}

static int ask_health(int fd, const char *path, struct fault *f)
{
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char reply[16] = "";
    size_t have = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) < 0)
        return fault_set(f, errno, "ask the supervisor at %s", path);
    while (have < 12) {
        ssize_t n = recv(fd, reply + have, 12 - have, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return fault_set(f, FAULT_TIMEOUT, "the supervisor at %s does not answer within %d s",
                             path, PROBE_SECONDS);
        if (n <= 0)
            return fault_set(f, n ? errno : ECONNRESET, "the supervisor at %s", path);
        have += (size_t)n;
    }
    if (strncmp(reply, "HTTP/1.1 200", 12) && strncmp(reply, "HTTP/1.0 200", 12))
        return fault_set(f, FAULT_INVALID, "what listens at %s is no mcptop supervisor", path);
    return 0;
}

int supervisor_probe(const char *socket, struct fault *f)
{
    AUTO_CLOSE int fd = connect_socket(socket, f);
    if (fd < 0 || check_peer(fd, socket, f))
        return -1;
    return ask_health(fd, socket, f);
}

/* ---- starting ---- */

static void start_argv(struct strvec *argv, const struct paths *p)
{
    const struct { const char *option, *value; } options[] = {
        { "--data-dir", p->data_dir }, { "--socket", p->socket }, { "--config", p->config },
        { "--log-dir", p->log_dir }, { "--listen", p->listen },
    };
    strvec_add(argv, "mcptop");
    strvec_add(argv, "serve");
    strvec_add(argv, "--ready-fd");
    strvec_addf(argv, "%d", READY_FD);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (!options[i].value)
            continue;
        strvec_add(argv, options[i].option);
        strvec_add(argv, options[i].value);
    }
}

/* A pipe of the client that a background process keeps open would never end for it. */
static void close_all_but_ready(void)
{
    if (!syscall(SYS_close_range, READY_FD + 1, ~0U, 0))
        return;
    long max = sysconf(_SC_OPEN_MAX);
    for (int fd = READY_FD + 1; fd < (max > 0 && max < 65536 ? max : 65536); fd++)
        close(fd);
}

/* In the grandchild: nothing of the starter's terminal, directory, descriptors and signals goes
 * along. */
static void become_serve(const struct paths *p, char *const *argv, int ready_fd)
    __attribute__((noreturn));
static void become_serve(const struct paths *p, char *const *argv, int ready_fd)
{
    sigset_t none;
    sigemptyset(&none);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir(p->data_dir) && chdir("/")) {
        /* Any directory will do: the paths are absolute. */
    }
    if (ready_fd != READY_FD)
        dup2(ready_fd, READY_FD);
    int null = open("/dev/null", O_RDWR);   /* after it: else this could be READY_FD */
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    fcntl(READY_FD, F_SETFD, 0);
    close_all_but_ready();
    execv("/proc/self/exe", argv);
    dprintf(READY_FD, "error: cannot execute this program again (/proc/self/exe): %s\n",
            strerror(errno));
    _exit(127);
}

/* Twice forked: the supervisor's warden is nobody's child, so nobody has to wait for it. */
static int spawn_detached(const struct paths *p, int *ret_ready_fd, struct fault *f)
{
    AUTO_STRVEC struct strvec argv = { 0 };
    start_argv(&argv, p);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return fault_set(f, errno, "pipe");
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pid_t serve = fork();
        if (serve == 0)
            become_serve(p, argv.v, ends[1]);
        _exit(serve < 0);
    }
    int e = errno, status = 0;
    close(ends[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child < 0 || status) {
        close(ends[0]);
        return fault_set(f, child < 0 ? e : EAGAIN, "start the supervisor");
    }
    *ret_ready_fd = ends[0];
    return 0;
}

/* The first line that `serve --ready-fd` writes; "" at its end without one. -1: the deadline
 * passed. */
static int read_word(int fd, int64_t deadline_ms, char *line, size_t size)
{
    size_t n = 0;
    line[0] = '\0';
    for (;;) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        if (left <= 0)
            return -1;
        if (poll(&poll_fd, 1, (int)left) <= 0)
            continue;           /* the time is up, or a signal came: ^Z and fg, say */
        ssize_t got = read(fd, line + n, size - 1 - n);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got > 0)
            line[n += (size_t)got] = '\0';
        char *newline = strchr(line, '\n');
        if (newline)
            *newline = '\0';
        if (got <= 0 || newline || n == size - 1)
            return 0;
    }
}

/* Another one was faster: its API answers soon, or never. */
static int await_other(const struct paths *p, int64_t deadline_ms, const char *told,
                       struct fault *f)
{
    while (supervisor_probe(p->socket, NULL)) {
        if (clock_mono_ms() >= deadline_ms)
            return fault_set(f, FAULT_CONFLICT, "%s, but it does not answer at %s", told,
                             p->socket);
        poll(NULL, 0, 20);
    }
    return 0;
}

int supervisor_start(const struct paths *p, struct fault *f)
{
    int64_t deadline_ms = clock_mono_ms() + START_TIMEOUT_MS;
    AUTO_CLOSE int fd = -1;
    char line[sizeof f->text];
    if (spawn_detached(p, &fd, f))
        return -1;
    if (read_word(fd, deadline_ms, line, sizeof line)) {
        if (!supervisor_probe(p->socket, NULL))
            return 0;
        return fault_set(f, FAULT_TIMEOUT,
                         "the supervisor was started but is not ready after %d s: "
                         "`mcptop serve` in a terminal shows why",
                         START_TIMEOUT_MS / 1000);
    }
    if (!strcmp(line, "ok"))
        return 0;
    if (!strncmp(line, "busy: ", 6))
        return await_other(p, deadline_ms, line + 6, f);
    if (!strncmp(line, "error: ", 7))
        return fault_set(f, FAULT_CONFLICT, "the supervisor cannot start: %s", line + 7);
    return fault_set(f, FAULT_CONFLICT,
                     "the supervisor ended at its start: `mcptop serve` in a terminal shows why");
}
