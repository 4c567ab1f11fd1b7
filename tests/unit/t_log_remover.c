/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_remover.h: what rotation lets go of is deleted by a child, also what an earlier supervisor
 * left, and nothing else is. */
#include "supervisor/log_remover.h"

#include <fcntl.h>
#include <unistd.h>
#include "base/log_file.h"
#include "base/mem.h"
#include "io/child.h"
#include "loop.h"
#include "tap.h"

static char dir[] = "/tmp/t_log_remover.XXXXXX";

static bool is_there(const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void put(const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
}

static void take(const char *name)
{
    AUTO_FREE char *path = xasprintf("%s/%s", dir, name);
    unlink(path);
}

static void names(void)
{
    ok(log_file_is_gone_name("server-a.log.gone-12-3"), "a name of its own");
    ok(!log_file_is_gone_name("server-a.log.1"), "a file of the chain");
    ok(!log_file_is_gone_name("server-a.gone-fishing.log"), "a server with such a name");
    ok(!log_file_is_gone_name("server-a.log.gone-"), "without a number");
}

static void rotations(struct ev_loop *loop)
{
    AUTO_FREE char *path = xasprintf("%s/a.log", dir);
    AUTO_FREE char *mine = xasprintf("a.log.gone-%d-1", (int)getpid());
    AUTO_FREE char *next = xasprintf("a.log.gone-%d-2", (int)getpid());
    struct log_file *lf = log_file_open(path, NULL);
    log_file_set_limits(lf, 4, 1);
    for (int i = 0; i < 4; i++)
        log_file_write(lf, "1234", 4);
    ok(is_there("a.log") && is_there("a.log.1"), "the chain is whole");
    ok(is_there(next), "the second one waits for the child that deletes the first");
    ok(run_until(loop, !is_there(mine) && !is_there(next), 10.), "then both are deleted");
    log_file_close(lf);
}

int main(void)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct fault f = FAULT_NONE;
    tap_deadline(30);
    if (!mkdtemp(dir) || child_reaper_start(loop, &f) < 0)
        bail_out("no directory, or no reaper: %s", f.text);
    names();
    put("server-a.log.gone-7-1");
    put("server-gone-7.log");
    struct log_remover *r = log_remover_new(loop, dir);
    ok(run_until(loop, !is_there("server-a.log.gone-7-1"), 10.), "what was left is deleted");
    ok(is_there("server-gone-7.log"), "a log is not");
    rotations(loop);
    AUTO_FREE char *path = xasprintf("%s/b.log", dir);
    AUTO_FREE char *waits = xasprintf("b.log.gone-%d-3", (int)getpid());
    struct log_file *lf = log_file_open(path, NULL);
    log_file_set_limits(lf, 4, 0);
    log_file_write(lf, "1234", 4);
    log_file_write(lf, "5678", 4);
    log_remover_free(r);
    ok(!is_there(waits), "at the end nothing waits");
    log_file_write(lf, "again", 5);
    ok(is_there("b.log"), "and files are deleted at once");
    log_file_close(lf);
    child_reaper_stop(loop);
    ev_loop_destroy(loop);
    const char *const left[] = { "a.log", "a.log.1", "b.log", "server-gone-7.log" };
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        take(left[i]);
    ok(rmdir(dir) == 0, "nothing else is left");
    return done_testing();
}
