/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/show.c, cli/log_print.c and cli/doc.c: what reaches a terminal, and what a pipe. */
#include "cli/show.h"

#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/log_print.h"
#include "tap.h"

static int read_end = -1, write_end = -1, saved_stdout = -1;

/* stdout is a terminal, or a pipe, until uncapture(). */
static void capture(bool terminal)
{
    int ends[2];

    fflush(stdout);
    if (terminal) {
        struct termios raw;
        read_end = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (grantpt(read_end) || unlockpt(read_end))
            bail_out("no pseudo terminal");
        write_end = open(ptsname(read_end), O_RDWR | O_NOCTTY | O_CLOEXEC);
        tcgetattr(write_end, &raw);
        cfmakeraw(&raw);
        tcsetattr(write_end, TCSANOW, &raw);
    } else if (pipe2(ends, O_CLOEXEC) == 0) {
        read_end = ends[0];
        write_end = ends[1];
    }
    saved_stdout = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(write_end, STDOUT_FILENO);
}

/* Once nobody has the other end open any more, reading ends behind the last byte: a terminal hands
 * over what was written in parts, and after a while. */
static void uncapture(struct buf *out)
{
    char chunk[4096];
    ssize_t n;

    fflush(stdout);
    dup2(saved_stdout, STDOUT_FILENO);
    close(saved_stdout);
    close(write_end);
    buf_clear(out);
    while ((n = read(read_end, chunk, sizeof chunk)) > 0)
        buf_add(out, chunk, (size_t)n);
    close(read_end);
}

static bool only_ascii(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if ((b->data[i] < ' ' && b->data[i] != '\n') || b->data[i] == 127)
            return false;
    return true;
}

static void t_json(void)
{
    /* C1 (CSI), right-to-left override, DEL, ESC */
    json_t *data = json_pack("{s:s}", "name", "a\xc2\x9b" "31m\xe2\x80\xae\177\033[2Jb");
    AUTO_BUF struct buf out = BUF_INIT;

    capture(true);
    show_json(data);
    uncapture(&out);
    ok(only_ascii(&out), "JSON on a terminal is ASCII: %s", buf_str(&out));
    json_t *again = json_loadb(out.data, out.len, 0, NULL);
    ok(json_equal(again, data), "and the same document");
    json_decref(again);
    capture(false);
    show_json_as(data, JSON_COMPACT);
    uncapture(&out);
    is_str(buf_str(&out), "{\"name\":\"a\xc2\x9b" "31m\xe2\x80\xae\177\\u001B[2Jb\"}\n",
           "in a pipe it is as it was");
    json_decref(data);
}

static void t_log_lines(void)
{
    json_t *lines = json_pack("[{s:i, s:s, s:o}]", "seq", 1, "s", "err", "text",
                              json_stringn("before\0after\033[2J", 16));
    AUTO_BUF struct buf out = BUF_INIT;

    for (int terminal = 0; terminal < 2; terminal++) {
        struct log_print p = { .tty = terminal };
        capture(terminal);
        log_print_lines(&p, lines);
        uncapture(&out);
        ok(memmem(out.data, out.len, "after", 5), "a NUL does not hide what follows it");
        if (terminal)
            ok(only_ascii(&out), "on a terminal it is harmless: %s", buf_str(&out));
    }
    json_decref(lines);
}

static void t_numbers(void)
{
    json_t *o = json_pack("{s:I, s:f, s:f}", "seq", (json_int_t)9007199254740993, "big", 1e300,
                          "real", 7.9);

    is_int(doc_int(o, "seq", 0), 9007199254740993, "more than a double holds");
    is_int(doc_int(o, "big", -1), -1, "more than an integer holds is not known");
    is_int(doc_int(o, "real", 0), 7, "a real");
    is_int(doc_int(o, "none", 5), 5, "absent");
    json_decref(o);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tap_deadline(30);
    t_json();
    t_log_lines();
    t_numbers();
    return done_testing();
}
