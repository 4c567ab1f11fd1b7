/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_file.h: rotation, what it refuses to open, a full disk and what follows it, files that others
 * move. */
#include "base/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

static char dir[] = "/tmp/t_log_file.XXXXXX";

static char *path_of(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

static char *content(const char *name)
{
    AUTO_FREE char *path = path_of(name);
    AUTO_BUF struct buf b = BUF_INIT;
    char block[4096];
    FILE *f = fopen(path, "r");
    if (!f)
        return xstrdup("(none)");
    for (size_t n; (n = fread(block, 1, sizeof block, f));)
        buf_add(&b, block, n);
    fclose(f);
    return buf_take(&b);
}

static void has(const char *name, const char *want)
{
    AUTO_FREE char *got = content(name);
    is_str(got, want, "%s has its content", name);
}

static void write_str(struct log_file *lf, const char *s)
{
    log_file_write(lf, s, strlen(s));
}

static void empty_dir(void)
{
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        AUTO_FREE char *path = path_of(e->d_name);
        if (e->d_name[0] != '.' && unlink(path) < 0)
            rmdir(path);
    }
    closedir(d);
}

static void rotation(void)
{
    AUTO_FREE char *path = path_of("a.log");
    struct log_file *lf = log_file_open(path, NULL);
    struct stat st;
    ok(lf && stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "created 0600");
    log_file_set_limits(lf, 10, 2);
    write_str(lf, "one\n");
    write_str(lf, "two\n");
    has("a.log", "one\ntwo\n");
    write_str(lf, "three\n");
    has("a.log", "three\n");
    has("a.log.1", "one\ntwo\n");
    write_str(lf, "a record longer than the limit\n");
    has("a.log", "a record longer than the limit\n");
    has("a.log.1", "three\n");
    has("a.log.2", "one\ntwo\n");
    write_str(lf, "4\n");
    has("a.log.2", "three\n");
    has("a.log.3", "(none)");
    AUTO_FREE char *gap = path_of("a.log.1");
    unlink(gap);
    write_str(lf, "123456789\n");
    has("a.log.1", "4\n");
    has("a.log.2", "three\n");
    log_file_set_limits(lf, 10, 0);
    write_str(lf, "alone\n");
    has("a.log", "alone\n");
    has("a.log.1", "4\n");
    is_int(log_file_lost(lf), 0, "nothing was lost");
    is_str(log_file_error(lf), "", "no error");
    log_file_close(lf);

    lf = log_file_open(path, NULL);
    log_file_set_limits(lf, 10, 1);
    write_str(lf, "more\n");
    has("a.log", "more\n");
    has("a.log.1", "alone\n");
    log_file_close(lf);
    empty_dir();
}

static void refusals(void)
{
    AUTO_FREE char *path = path_of("x.log"), *other = path_of("other");
    struct fault f = FAULT_NONE;
    if (symlink(other, path) < 0)
        bail_out("symlink");
    ok(!log_file_open(path, &f), "a symbolic link is refused");
    is_int(f.code, FAULT_DENIED, "denied");
    ok(strstr(f.text, path) && strstr(f.text, "symbolic link"), "%s", f.text);
    ok(access(other, F_OK) < 0, "and its target not created");
    unlink(path);
    if (mkfifo(path, 0600) < 0)
        bail_out("mkfifo");
    ok(!log_file_open(path, &f) && strstr(f.text, "not a regular file"),
       "a FIFO without reader: %s", f.text);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ok(!log_file_open(path, &f) && strstr(f.text, "not a regular file"), "a FIFO with one: %s",
       f.text);
    close(reader);
    unlink(path);
    mkdir(path, 0700);
    ok(!log_file_open(path, &f) && f.code == EISDIR, "a directory: %s", f.text);
    rmdir(path);
    AUTO_FREE char *deep = path_of("none/x.log");
    ok(!log_file_open(deep, &f) && f.code == ENOENT, "no such directory: %s", f.text);
    ok(!log_file_open(deep, NULL), "nobody needs to want the fault");
    log_file_close(NULL);

    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    fchmod(fd, 0644);
    close(fd);
    struct log_file *lf = log_file_open(path, &f);
    struct stat st;
    ok(lf && stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
       "one that all could read is made 0600");
    log_file_close(lf);
    empty_dir();
}

/* RLIMIT_FSIZE is a disk that fills within a record, for any user and without a mount. */
static void full_disk(void)
{
    AUTO_FREE char *path = path_of("full.log");
    struct rlimit old, low;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    struct log_file *lf = log_file_open(path, NULL);
    write_str(lf, "before\n");
    low = (struct rlimit){ 12, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &low);
    write_str(lf, "torn record\n");
    write_str(lf, "lost\n");
    write_str(lf, "lost too\n");
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(log_file_lost(lf), 3, "three records lost, the torn one counted");
    ok(strstr(log_file_error(lf), "full.log: "), "it says why: %s", log_file_error(lf));
    write_str(lf, "after\n");
    write_str(lf, "again\n");
    has("full.log", "before\ntorn \nafter\nagain\n");
    is_int(log_file_lost(lf), 3, "no more are lost");
    is_str(log_file_error(lf), "", "the error is over");
    log_file_close(lf);
    empty_dir();
}

static void moved_by_others(void)
{
    AUTO_FREE char *path = path_of("m.log"), *away = path_of("m.away");
    clock_freeze(1000, -1);
    struct log_file *lf = log_file_open(path, NULL);
    write_str(lf, "1\n");
    rename(path, away);
    write_str(lf, "2\n");
    has("m.away", "1\n2\n");
    clock_freeze(2100, -1);
    write_str(lf, "3\n");
    has("m.log", "3\n");
    unlink(path);
    clock_freeze(3200, -1);
    write_str(lf, "4\n");
    has("m.log", "4\n");
    log_file_set_limits(lf, 10, 1);
    write_str(lf, "56789\n");
    if (truncate(path, 0) < 0)
        bail_out("truncate");
    clock_freeze(4300, -1);
    write_str(lf, "emptied\n");
    has("m.log", "emptied\n");
    has("m.log.1", "(none)");
    unlink(path);
    if (symlink("/dev/null", path) < 0)
        bail_out("symlink");
    clock_freeze(5400, -1);
    write_str(lf, "lost\n");
    is_int(log_file_lost(lf), 1, "a link in its place is not followed");
    unlink(path);
    write_str(lf, "here\n");
    has("m.log", "here\n");
    is_int(log_file_lost(lf), 1, "opening is tried again at the next write");
    log_file_close(lf);
    clock_freeze(-1, -1);
    empty_dir();
}

/* A directory in the place of FILE.1 makes renaming fail even for root. */
static void rotation_fails(void)
{
    AUTO_FREE char *path = path_of("r.log"), *one = path_of("r.log.1"),
                   *inside = path_of("r.log.1/x");
    mkdir(one, 0700);
    mkdir(inside, 0700);
    clock_freeze(1000, -1);
    struct log_file *lf = log_file_open(path, NULL);
    log_file_set_limits(lf, 10, 1);
    for (int i = 0; i < 10; i++)
        write_str(lf, "1234\n");
    has("r.log", "1234\n1234\n1234\n1234\n");
    is_int(log_file_lost(lf), 6,
           "without rotation it grows to twice its limit, then records are lost");
    ok(strstr(log_file_error(lf), "rotate "), "it says why: %s", log_file_error(lf));
    rmdir(inside);
    rmdir(one);
    write_str(lf, "x\n");
    is_int(log_file_lost(lf), 7, "not tried again at once");
    clock_freeze(2001, -1);
    write_str(lf, "x\n");
    has("r.log", "x\n");
    has("r.log.1", "1234\n1234\n1234\n1234\n");
    is_int(log_file_lost(lf), 7, "but a second later");
    log_file_close(lf);
    clock_freeze(-1, -1);
    empty_dir();
}

static void speed(void)
{
    AUTO_FREE char *path = path_of("s.log");
    struct log_file *lf = log_file_open(path, NULL);
    char line[100];
    memset(line, 'l', sizeof line - 1);
    line[sizeof line - 1] = '\n';
    log_file_set_limits(lf, 1 << 20, 3);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < 100000; i++)
        log_file_write(lf, line, sizeof line);
    int64_t ns = (clock_mono_ns() - start) / 100000;
    diag("a record of 100 bytes: %lld ns", (long long)ns);
    ok(log_file_lost(lf) == 0, "100,000 lines through nine rotations, none lost");
    log_file_close(lf);
    empty_dir();
}

int main(void)
{
    tap_deadline(60);
    if (!mkdtemp(dir))
        bail_out("mkdtemp");
    rotation();
    refusals();
    full_disk();
    moved_by_others();
    rotation_fails();
    speed();
    rmdir(dir);
    return done_testing();
}
