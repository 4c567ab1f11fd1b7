/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mem.h: allocation that cannot fail, cleanup attributes, the end when memory ends. */
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

static int closed_fd(void)
{
    AUTO_CLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    errno = EBADMSG;
    return fd;
}

static char *taken(void)
{
    AUTO_FREE char *s = xstrdup("handed over");
    return TAKE(s);
}

#if defined(__has_feature)   /* clang says it so */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#if !defined(__SANITIZE_ADDRESS__)   /* a bound on the address space ends it at once */
static void ends_when_memory_ends(void)
{
    int out[2];
    if (pipe(out) < 0)
        bail_out("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        setrlimit(RLIMIT_AS, &(struct rlimit){ 1 << 26, 1 << 26 });
        void *volatile p = xmalloc((size_t)1 << 40);
        _exit(p ? 1 : 2);
    }
    close(out[1]);
    char text[200] = "";
    ssize_t n = read(out[0], text, sizeof text - 1);
    int status = 0;
    waitpid(pid, &status, 0);
    close(out[0]);
    ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "out of memory aborts");
    ok(n > 0 && strstr(text, "out of memory"), "and says so on stderr");
}
#endif

int main(void)
{
    void *p = xmalloc(0), *q = xcalloc(0, 8);
    ok(p && q, "no bytes are an allocation too");
    p = xrealloc(p, 100);
    ok(p, "xrealloc grows");
    free(p);
    free(q);

    is_str(xstrdup(NULL), NULL, "xstrdup: NULL in, NULL out");
    is_str(xstrndup(NULL, 3), NULL, "xstrndup: NULL in, NULL out");
    AUTO_FREE char *cut = xstrndup("abcdef", 3), *whole = xstrndup("ab", 100);
    is_str(cut, "abc", "xstrndup cuts");
    is_str(whole, "ab", "xstrndup stops at the NUL");
    AUTO_FREE char *printed = xasprintf("%s-%d", "n", 7);
    is_str(printed, "n-7", "xasprintf");
    AUTO_FREE char *s = taken();
    is_str(s, "handed over", "TAKE hands over what a cleanup watches");

    int fd = closed_fd();
    is_int(errno, EBADMSG, "AUTO_CLOSE keeps errno");
    ok(fcntl(fd, F_GETFD) < 0 && errno == EBADF, "AUTO_CLOSE closes");
    fd = -1;
    mem_close_fd(&fd);
    is_int(fd, -1, "a descriptor of -1 is left alone");

    struct outer { int a; int b; } o = { 1, 2 };
    ok(CONTAINER_OF(&o.b, struct outer, b) == &o, "CONTAINER_OF");
#if !defined(__SANITIZE_ADDRESS__)
    ends_when_memory_ends();
#endif
    return done_testing();
}
