/* SPDX-License-Identifier: GPL-3.0-or-later */
/* watch: touch, write, rename over, delete and make again, symlinks and their targets, other files
 * in the directory. */
#include "io/watch.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "loop.h"
#include "tap.h"

static struct ev_loop *loop;
static int changes;
static struct watch *free_inside;

static void on_changed(void *ctx)
{
    (void)ctx;
    changes++;
    if (free_inside)
        watch_free(TAKE(free_inside));
}

static void sh(const char *command)
{
    if (system(command) != 0)
        printf("# failed: %s\n", command);
}

static void expect(int want, const char *command, const char *what)
{
    changes = 0;
    sh(command);
    if (want)
        run_until(loop, changes > 0, 2.);
    run_for(loop, 0.12);
    is_int(changes, want, "%s", what);
}

int main(void)
{
    char dir[] = "/tmp/t_watch.XXXXXX";
    struct fault f = FAULT_NONE;
    tap_deadline(30);
    if (!mkdtemp(dir) || chdir(dir) < 0)
        return 1;
    loop = ev_loop_new(EVFLAG_NOENV);
    sh("mkdir a b; echo 1 > a/f; echo 1 > b/real; ln -s ../b/hop a/link; ln -s real b/hop");
    AUTO_FREE char *path = xasprintf("%s/a/f", dir);
    struct watch *w = watch_new(loop, path, on_changed, NULL, &f);
    ok(w != NULL, "a file");
    expect(1, "touch a/f", "touch");
    expect(1, "echo 2 >> a/f", "write");
    expect(1, "echo 3 > a/f.new; mv a/f.new a/f", "rename over it");
    expect(1, "echo 4 > a/f", "and the new one is watched");
    expect(1, "rm a/f", "delete");
    expect(1, "echo 5 > a/f", "made again");
    expect(1, "for i in 1 2 3 4 5; do echo $i > a/f; done", "many at once are told once");
    expect(0, "echo x > a/other; rm a/other", "another file is not told");
    expect(1, "mv a/f a/g", "moved away");
    expect(1, "mv a/g a/f", "moved back");
    expect(1, "mv a gone", "its directory moved away");
    expect(0, "echo y > gone/f", "the old directory is not watched any more");
    expect(1, "mkdir a; echo 6 > a/f", "a new directory under the old name");
    expect(1, "touch a/f", "is watched");
    watch_free(w);
    sh("rm -r a; mv gone a");

    w = watch_new(loop, "a/link", on_changed, NULL, &f);
    ok(w != NULL, "a symlink to a symlink, relative");
    expect(1, "echo 7 > b/real", "its target is written");
    expect(1, "echo 8 > b/n; mv b/n b/real", "its target is replaced");
    expect(1, "echo 9 > b/second; ln -sf second b/hop", "the middle link is set anew");
    expect(1, "echo 10 > b/second", "the new target is watched");
    expect(0, "echo 11 > b/real", "the old one is not");
    expect(1, "rm -r b", "the directory of the target is removed");
    expect(0, "sleep 0.1", "that is told once");
    expect(1, "mkdir b; ln -s second b/hop; echo 12 > b/second", "and made again");
    expect(1, "echo 13 > b/second", "the target in it is watched");
    free_inside = w;
    expect(1, "touch b/second", "freed in its own event");

    ok(watch_new(loop, "no/such/f", on_changed, NULL, &f) == NULL, "no directory");
    is_int(f.code, ENOENT, "%s", f.text);
    watch_free(NULL);
    ev_loop_destroy(loop);
    AUTO_FREE char *clean = xasprintf("rm -r %s", dir);
    sh(clean);
    return done_testing();
}
