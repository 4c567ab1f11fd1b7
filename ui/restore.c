/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The terminal's way back. Everything a handler needs is computed before; in it only
 * async-signal-safe calls happen, and none that can block: the terminal may have stopped reading,
 * which may be why we are ended. */
#include "restore.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int deadly[] = {SIGTERM, SIGHUP, SIGINT,  SIGQUIT, SIGSEGV, SIGBUS,
                             SIGFPE,  SIGILL, SIGABRT, SIGXCPU, SIGPIPE};
enum { DEADLY = sizeof(deadly) / sizeof(*deadly) };

static volatile sig_atomic_t armed;
static char way_back[512];
static size_t way_back_len;
static struct termios modes_before;
static int flags_before = -1;       /* of fd 1, where they have O_NONBLOCK */
static struct sigaction before[DEADLY];

static int can_write(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT);
}

static void give_back_flags(void)
{
    if (flags_before >= 0)
        fcntl(STDOUT_FILENO, F_SETFL, flags_before);
    flags_before = -1;
}

static void give_back(void)
{
    if (!armed)
        return;
    armed = 0;
    if (!can_write())
        tcflush(STDOUT_FILENO, TCOFLUSH);     /* what it never read makes room for the way back */
    if (can_write() && write(STDOUT_FILENO, way_back, way_back_len) < 0)
        armed = 0;      /* nothing else can be done */
    tcsetattr(STDIN_FILENO, TCSANOW, &modes_before);
    give_back_flags();
}

static void on_deadly(int sig)
{
    give_back();
    for (int i = 0; i < DEADLY; i++)
        if (deadly[i] == sig)
            sigaction(sig, &before[i], NULL);    /* the default, or a sanitizer's report */
    raise(sig);
}

void restore_init(void)
{
    for (int i = 0; i < DEADLY; i++)
        sigaction(deadly[i], NULL, &before[i]);
}

/* A shell or a program before us may have left the terminal without blocking: where it stops
 * reading, ncurses would then write in a tight loop. */
static void take_flags(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    if (flags < 0 || !(flags & O_NONBLOCK))
        return;
    flags_before = flags;
    fcntl(STDOUT_FILENO, F_SETFL, flags & ~O_NONBLOCK);
}

void restore_arm(const char *bytes, size_t n, const struct termios *modes)
{
    static int registered;
    struct sigaction sa = {.sa_handler = on_deadly, .sa_flags = SA_NODEFER};

    way_back_len = n < sizeof(way_back) ? n : sizeof(way_back);
    memcpy(way_back, bytes, way_back_len);
    modes_before = *modes;
    take_flags();
    sigemptyset(&sa.sa_mask);
    for (int i = 0; i < DEADLY && !registered; i++)
        if (before[i].sa_handler != SIG_IGN)     /* nohup stays nohup */
            sigaction(deadly[i], &sa, NULL);
    if (!registered)
        atexit(give_back);
    registered = 1;
    armed = 1;
}

void restore_disarm(void)
{
    armed = 0;
    give_back_flags();
}
