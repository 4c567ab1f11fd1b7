/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program's own log: formats a record into one buffer that is kept, hands it to log_file.c, and
 * copies it to stderr where asked. The sink is process-wide and for the loop's thread alone. Must
 * not fail, block, or call anything that logs. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "base/text.h"

static struct log_file *file;
static enum log_level threshold = LOG_INFO_;
static bool also_stderr;
static uint64_t lost, lost_told;   /* lines */
static struct buf record, message;

int log_open(const char *path, struct fault *f)
{
    struct log_file *lf = log_file_open(path, f);
    if (!lf)
        return -1;
    log_file_close(file);
    file = lf;
    return 0;
}

void log_close(void)
{
    log_file_close(file);
    file = NULL;
    buf_fini(&record);
    buf_fini(&message);
}

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_level_parse(const char *word, enum log_level *ret)
{
    static const struct { const char *word; enum log_level level; } levels[] = {
        { "trace", LOG_DEBUG_ }, { "debug", LOG_DEBUG_ }, { "info", LOG_INFO_ },
        { "warn", LOG_WARN_ }, { "error", LOG_ERROR_ },
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (strcmp(word, levels[i].word) == 0) {
            *ret = levels[i].level;
            return true;
        }
    }
    return false;
}

void log_set_stderr(bool also)
{
    also_stderr = also;
}

static size_t harmless_run(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)p[i] >= ' ' && (unsigned char)p[i] < 0x7F)
        i++;
    return i;
}

/* A line must stay one, and a terminal that shows the log must stay as it is. */
static void add_escaped(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0, run; i < n; i += run) {
        uint32_t cp;
        run = harmless_run(p + i, n - i);
        if (!run) {
            run = text_decode(p + i, n - i, &cp);
            unsigned char c = (unsigned char)p[i];
            if (cp == '\n' || cp == '\r' || cp == '\t') {
                buf_add_str(b, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
                continue;
            }
            if (cp < 0x20 || cp == 0x7F || !text_seq_len(p + i, n - i)) {
                buf_printf(b, "\\x%02x", c);
                run = 1;
                continue;
            }
            if (cp >= 0x80 && cp < 0xA0) {
                buf_printf(b, "\\u%04x", (unsigned)cp);
                continue;
            }
        }
        buf_add(b, p + i, run);
    }
}

static void add_head(struct buf *b, enum log_level level, const char *module)
{
    static const char *const names[] = { "DEBUG", "INFO", "WARN", "ERROR" };
    char when[40];
    buf_add_str(b, clock_iso(clock_wall_ms(), when, sizeof when));
    buf_add(b, " | ", 3);
    buf_add_str(b, names[level]);
    buf_add(b, " | ", 3);
    buf_add_str(b, module);
    buf_add(b, " | ", 3);
}

/* A description of our own of the terminal behind stderr, one that never waits; -1 when there is
 * none. The one we were given is shared with the shell, so its flags are not ours to change. */
static int open_terminal(void)
{
    if (!isatty(STDERR_FILENO))
        return -1;
    return open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* A terminal that stands still (Ctrl-S, a hung connection) or a pipe that is not read must not stop
 * the loop: pieces that a writable pipe takes whole, or none. A terminal is writable as soon as it
 * takes one byte, so it is written through a descriptor that does not wait for the others. */
static void write_stderr(const char *p, size_t n)
{
    enum { PIECE = 4096 };
    AUTO_CLOSE int terminal = open_terminal();
    int fd = terminal >= 0 ? terminal : STDERR_FILENO;
    while (n) {
        struct pollfd pfd = { .fd = fd, .events = POLLOUT };
        if (poll(&pfd, 1, 0) <= 0 || !(pfd.revents & POLLOUT))
            return;
        ssize_t put = write(fd, p, n < PIECE ? n : PIECE);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return;
        p += put;
        n -= (size_t)put;
    }
}

/* Puts the notice of what was lost and the record into the file in one write: the notice stands
 * there, or neither does. */
static void write_file(const char *p, size_t n)
{
    uint64_t before = log_file_lost(file);
    if (lost > lost_told) {
        struct buf both = BUF_INIT;
        add_head(&both, LOG_WARN_, "log");
        buf_printf(&both, "%llu lines were lost here: %s\n", (unsigned long long)(lost - lost_told),
                   log_file_error(file));
        buf_add(&both, p, n);
        log_file_write(file, both.data, both.len);
        buf_fini(&both);
        if (log_file_lost(file) == before)
            lost_told = lost;
    } else {
        log_file_write(file, p, n);
    }
    lost += log_file_lost(file) - before;
}

void log_write(enum log_level level, const char *module, const char *fields, const char *fmt, ...)
{
    if (level < threshold)
        return;
    int saved = errno;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&message, fmt, ap);
    va_end(ap);

    add_head(&record, level, module);
    add_escaped(&record, buf_str(&message), message.len);
    if (fields) {
        buf_add(&record, " | ", 3);
        add_escaped(&record, fields, strlen(fields));
    }
    buf_add_char(&record, '\n');
    if (file)
        write_file(record.data, record.len);
    if (!file || also_stderr)
        write_stderr(record.data, record.len);
    buf_clear(&record);
    buf_clear(&message);
    errno = saved;
}

uint64_t log_lost_lines(void)
{
    return lost;
}

uint64_t log_losing_lines(void)
{
    return lost - lost_told;
}
