/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log.h: the line that users grep for, escaping, levels, lost lines, a stderr that nobody reads. */
#include "base/log.h"

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

static char dir[] = "/tmp/t_log.XXXXXX";
static char *path;
static long seen;   /* bytes of the file that were looked at */

/* What was logged since the last look. */
static void logged(const char *want, const char *what)
{
    AUTO_BUF struct buf b = BUF_INIT;
    char block[4096];
    FILE *f = fopen(path, "r");
    if (!f)
        bail_out("cannot read the log");
    fseek(f, seen, SEEK_SET);
    for (size_t n; (n = fread(block, 1, sizeof block, f));)
        buf_add(&b, block, n);
    seen = ftell(f);
    fclose(f);
    is_str(buf_str(&b), want, "%s", what);
}

#define AT "2026-11-22T15:41:48.522+00:00 | "

static void lines(void)
{
    errno = EBADF;
    log_info("serve", "started as pid %d", 7);
    is_int(errno, EBADF, "errno is left alone");
    logged(AT "INFO | serve | started as pid 7\n", "a line without fields");
    log_write(LOG_WARN_, "server", "{\"server\":\"x\"}", "exited %d", 3);
    logged(AT "WARN | server | exited 3 | {\"server\":\"x\"}\n", "one with fields");
    log_debug("x", "hidden");
    logged("", "debug is hidden at first");
    log_set_level(LOG_DEBUG_);
    log_debug("x", "shown");
    logged(AT "DEBUG | x | shown\n", "and shown when wanted");
    log_set_level(LOG_ERROR_);
    log_warn("x", "hidden");
    log_error("x", "shown");
    logged(AT "ERROR | x | shown\n", "only errors");
    log_set_level(LOG_INFO_);
    log_info("x", "%s", "");
    logged(AT "INFO | x | \n", "an empty message");
    log_info("x", "a\nb\rc\td\33[2Je\x7f" "f\x01");
    logged(AT "INFO | x | a\\nb\\rc\\td\\x1b[2Je\\x7ff\\x01\n", "a line stays a line");
    log_info("x", "caf\xc3\xa9 \xff\xc3 \xc2\x85 \xe2\x82\xac");
    logged(AT "INFO | x | caf\xc3\xa9 \\xff\\xc3 \\u0085 \xe2\x82\xac\n",
           "UTF-8 stays, what is none does not");
    log_write(LOG_INFO_, "x", "{\"a\":\n1}", "m");
    logged(AT "INFO | x | m | {\"a\":\\n1}\n", "fields too");
    char longer[5001];
    memset(longer, 'l', 5000);
    longer[5000] = '\0';
    AUTO_FREE char *want = xasprintf(AT "INFO | x | %s\n", longer);
    log_info("x", "%s", longer);
    logged(want, "a long line");
}

static void lost_lines(void)
{
    struct rlimit old, none;
    struct stat st;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    stat(path, &st);
    none = (struct rlimit){ (rlim_t)st.st_size, old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &none);
    log_info("x", "lost");
    log_info("x", "lost too");
    log_info("x", "and this");
    setrlimit(RLIMIT_FSIZE, &old);
    is_int(log_lost_lines(), 3, "three lines lost");
    log_info("x", "written");
    AUTO_FREE char *want = xasprintf(
        AT "WARN | log | 3 lines were lost here: write %s: File too large\n" AT
           "INFO | x | written\n",
        path);
    logged(want, "the first line that can be written says so");
    log_info("x", "on");
    logged(AT "INFO | x | on\n", "once");
    is_int(log_lost_lines(), 3, "counted since the start");
}

static void to_stderr(void)
{
    int out[2], saved = dup(STDERR_FILENO);
    if (pipe(out) < 0)
        bail_out("pipe");
    dup2(out[1], STDERR_FILENO);
    char got[200];
    log_set_stderr(true);
    log_info("x", "both");
    logged(AT "INFO | x | both\n", "to the file");
    ssize_t n = read(out[0], got, sizeof got);
    is_mem(got, n > 0 ? (size_t)n : 0, AT "INFO | x | both\n", strlen(AT "INFO | x | both\n"),
           "and to stderr");

    alarm(20);
    for (int i = 0; i < 5000; i++)
        log_info("x", "a line that fills a pipe which nobody reads");
    ok(true, "a stderr that is not read stops nobody");
    log_set_stderr(false);
    close(out[0]);
    close(out[1]);
    log_close();

    if (pipe(out) < 0)
        bail_out("pipe");
    dup2(out[1], STDERR_FILENO);
    log_info("x", "without a file");
    n = read(out[0], got, sizeof got);
    is_mem(got, n > 0 ? (size_t)n : 0, AT "INFO | x | without a file\n",
           strlen(AT "INFO | x | without a file\n"), "stderr while no file is open");
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(out[0]);
    close(out[1]);
}

static void to_terminal(void)
{
    int saved = dup(STDERR_FILENO), master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        bail_out("posix_openpt");
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        bail_out("open the terminal");
    dup2(terminal, STDERR_FILENO);
    log_set_stderr(true);
    log_info("x", "shown");
    char got[200];
    ssize_t n = read(master, got, sizeof got);
    is_mem(got, n > 0 ? (size_t)n : 0, AT "INFO | x | shown\r\n", strlen(AT "INFO | x | shown\r\n"),
           "to a terminal");
    alarm(20);
    for (int i = 0; i < 5000; i++)
        log_info("x", "a line that fills a terminal which stands still");
    ok(!(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK),
       "a hung terminal stops nobody, and keeps its flags");
    log_set_stderr(false);
    log_close();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(terminal);
    close(master);
}

static void speed(void)
{
    clock_freeze(-1, -1);
    int64_t start = clock_mono_ns();
    for (int i = 0; i < 100000; i++)
        log_info("server", "a line of an ordinary length, number %d", i);
    diag("a line: %lld ns", (long long)((clock_mono_ns() - start) / 100000));
}

int main(void)
{
    struct fault f = FAULT_NONE;
    setenv("TZ", "UTC", 1);
    if (!mkdtemp(dir))
        bail_out("mkdtemp");
    path = xasprintf("%s/main.log", dir);
    clock_freeze(1, 1795362108522);
    is_int(log_open(path, &f), 0, "opens: %s", f.text);
    struct stat st;
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "0600");
    lines();
    AUTO_FREE char *none = xasprintf("%s/none/main.log", dir);
    is_int(log_open(none, &f), -1, "one that cannot be opened: %s", f.text);
    log_info("x", "still here");
    logged(AT "INFO | x | still here\n", "leaves the old one in use");
    lost_lines();
    to_stderr();
    to_terminal();
    log_open(path, NULL);
    speed();
    log_close();
    log_close();
    unlink(path);
    AUTO_FREE char *first = xasprintf("%s.1", path);
    unlink(first);
    rmdir(dir);
    free(path);
    return done_testing();
}
