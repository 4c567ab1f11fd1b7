/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/unix_listen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tap.h"

static char path[64];

static bool is_there(void)
{
    return access(path, F_OK) == 0;
}

static void test_file_is_kept(void)
{
    struct unix_listen u = { 0 };
    struct fault f = FAULT_NONE;
    close(open(path, O_CREAT | O_WRONLY, 0600));
    is_int(unix_listen_open(&u, path, &f), -1, "a file that is no socket is refused");
    is_int(f.code, FAULT_INVALID, "as bad input");
    ok(strstr(f.text, "--socket"), "with what to do");
    unix_listen_remove(&u);
    ok(is_there(), "and left alone");
    unlink(path);
}

static void test_living_one_is_kept(void)
{
    struct unix_listen first = { 0 }, second = { 0 };
    struct fault f = FAULT_NONE;
    struct stat st;
    int fd = unix_listen_open(&first, path, &f);
    ok(fd >= 0, "it listens");
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "for its user alone");
    is_int(unix_listen_open(&second, path, &f), -1, "a second one at the same path is refused");
    is_int(f.code, FAULT_CONFLICT, "as a conflict");
    unix_listen_remove(&second);
    ok(is_there(), "and takes nothing away");

    unlink(path);       /* somebody's rm: from now on the path is another's */
    int other = unix_listen_open(&second, path, &f);
    unix_listen_remove(&first);
    ok(is_there(), "the first one does not remove the second's");
    close(fd);

    close(other);       /* as if it had been killed */
    other = unix_listen_open(&first, path, &f);
    ok(other >= 0, "what nobody listens on is replaced");
    unix_listen_remove(&first);
    ok(!is_there(), "its owner removes it");
    close(other);
    free(second.path);
}

static void test_too_long(void)
{
    struct unix_listen u = { 0 };
    struct fault f = FAULT_NONE;
    char long_path[200];
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    is_int(unix_listen_open(&u, long_path, &f), -1, "a path that no socket can have is refused");
}

int main(void)
{
    char dir[] = "/tmp/t_unix_listen.XXXXXX";
    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof path, "%s/s", dir);
    test_file_is_kept();
    test_living_one_is_kept();
    test_too_long();
    rmdir(dir);
    return done_testing();
}
