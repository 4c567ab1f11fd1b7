/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/tcp_listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tap.h"

static void test_good(void)
{
    static const char *const addresses[] = { "127.0.0.1:0", "localhost:0", ":0", "[127.0.0.1]:0" };
    struct fault f = FAULT_NONE;

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        int port = 0, fd = tcp_listen_open(addresses[i], &port, &f);
        ok(fd >= 0 && port > 0, "%s: port %d", addresses[i], port);
        close(fd);
    }
}

static void test_bad(void)
{
    static const char *const addresses[] = { "", "127.0.0.1", "127.0.0.1:", "localhost:http", "example.org:80", "1.2.3:x", "127.0.0.1:99999" };
    int port = 7;

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        struct fault f = FAULT_NONE;
        is_int(tcp_listen_open(addresses[i], &port, &f), -1, "refused: \"%s\"", addresses[i]);
        ok(f.code == FAULT_INVALID && strstr(f.text, "listen address"), "with why: %s", f.text);
    }
    is_int(port, 7, "and nothing is given");
}

static void test_taken(void)
{
    struct fault f = FAULT_NONE;
    char address[64];
    int port = 0, other = 0, fd = tcp_listen_open("127.0.0.1:0", &port, &f);

    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    is_int(tcp_listen_open(address, &other, &f), -1, "a port that is taken");
    is_int(f.code, EADDRINUSE, "says so");
    ok(strstr(f.text, address), "and which: %s", f.text);
    close(fd);
    fd = tcp_listen_open(address, &other, &f);
    is_int(other, port, "free again, it is had");
    close(fd);
}

int main(void)
{
    test_good();
    test_bad();
    test_taken();
    return done_testing();
}
