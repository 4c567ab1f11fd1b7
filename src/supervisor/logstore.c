/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bytes of a server → lines → ring, file, subscribers. Knows neither what runs nor who reads.
 *
 * A flood decides the shape: the time is taken once a fed chunk, the head of a file record is
 * formatted once a millisecond, and a chunk's records go to the file in one write. Lines the
 * file could not take are counted and the count is written where it is missing. */
#include "supervisor/logstore.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"

enum {
    RING_BYTES = 1024 * 1024,
    LINE_BYTES = 64 * 1024,
    /* of records gathered before they are written in the middle of a chunk */
    FLUSH_BYTES = 128 * 1024,
    MORE_MS = 100,
    REOPEN_MS = 5000,
};

struct logstore {
    struct ev_loop *loop;
    char *path, *server;
    struct ring *ring;
    struct lines err;              /* the unfinished line of stderr */
    struct log_file *file;         /* NULL: could not be opened; next try at reopen_ms */
    int64_t reopen_ms;
    bool warned, held;
    uint64_t lost, lost_told;      /* lines that are not in the file; of which the file says so */

    struct logstore *to;           /* of a member: the log that it is part of … */
    char *mark;                    /* … and what its lines there begin with */

    int64_t now_wall_ms;           /* of the chunk being fed */
    ev_timer more_timer;
    int64_t told_ms;
    logstore_fn more;
    void *ctx;
};

/* Records of the chunk being fed. One for all, as one server is fed at a time; a line of another
 * one sends it off first. */
static struct buf batch;
static uint64_t batch_lines;
static struct logstore *batch_owner;
static char head_time[40];
static int64_t head_ms = -1;

char *logstore_file_name(const char *server)
{
    char *name = xasprintf("server-%s.log", server);
    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *p))
            *p = '_';
    /* A file name has 255 bytes, and rotation adds to it. */
    enum { NAME_MAX_BYTES = 200 };
    if (strlen(name) > NAME_MAX_BYTES)
        memcpy(name + NAME_MAX_BYTES - 4, ".log", 5);
    return name;
}

static void open_file(struct logstore *l)
{
    int64_t now = clock_mono_ms();
    if (l->file || (l->reopen_ms && now < l->reopen_ms))
        return;
    struct fault f = FAULT_NONE;
    l->reopen_ms = now + REOPEN_MS;
    l->file = log_file_open(l->path, &f);
    if (!l->file && !l->warned)
        log_warn("logs", "the log of server %s goes to memory only: %s", l->server, f.text);
    l->warned = !l->file;
}

/* Writes what was gathered: it stands in the file as a whole, or its lines are counted as lost. */
static void flush(struct logstore *l)
{
    if (!batch_lines)
        return;
    open_file(l);
    uint64_t failed = l->file ? log_file_lost(l->file) : 0;
    if (l->file && l->lost > l->lost_told) {
        char line[160];
        int n = snprintf(line, sizeof line,
                         "%s | WARN | supervisor | %" PRIu64
                         " lines were lost here: the file could not be written\n",
                         head_time, l->lost - l->lost_told);
        log_file_write(l->file, line, (size_t)n);
        if (log_file_lost(l->file) == failed)
            l->lost_told = l->lost;
        failed = log_file_lost(l->file);
    }
    if (l->file)
        log_file_write(l->file, batch.data, batch.len);
    if (!l->file || log_file_lost(l->file) > failed)
        l->lost += batch_lines;
    batch_lines = 0;
    buf_clear(&batch);
}

static const char *const stream_heads[] = {
    [RING_STDERR] = " | INFO | stderr | ",
    [RING_STDOUT] = " | WARN | stdout | ",
    [RING_SUPERVISOR] = " | INFO | supervisor | ",
};

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct logstore *l = w->data;
    ev_timer_stop(loop, w);
    l->told_ms = clock_mono_ms();
    l->more(l->ctx);
}

static void tell_more(struct logstore *l)
{
    if (!l->more || ev_is_active(&l->more_timer))
        return;
    int64_t wait = l->told_ms + MORE_MS - clock_mono_ms();
    ev_timer_set(&l->more_timer, wait > 0 && wait <= MORE_MS ? (double)wait / 1e3 : 0., 0.);
    ev_timer_start(l->loop, &l->more_timer);
}

static void add_line(struct logstore *l, enum ring_stream stream, unsigned flags, const char *p,
                     size_t n);

/* Others' lines may come between the pieces of a long one: each is a line of its own there. */
static void add_marked(struct logstore *l, enum ring_stream stream, unsigned flags, const char *p,
                       size_t n)
{
    AUTO_BUF struct buf text = BUF_INIT;

    flags &= ~(unsigned)(LINE_CONT | LINE_PARTIAL);
    buf_add_str(&text, l->mark);
    buf_add_char(&text, ' ');
    buf_add(&text, p, n);
    add_line(l->to, stream, flags, text.data, text.len);
}

static void add_line(struct logstore *l, enum ring_stream stream, unsigned flags, const char *p,
                     size_t n)
{
    if (l->to) {
        add_marked(l, stream, flags, p, n);
        return;
    }
    if (batch_lines && batch_owner != l) {
        tell_more(batch_owner);
        flush(batch_owner);
    }
    batch_owner = l;
    ring_push(l->ring, l->now_wall_ms, stream, flags, p, n);
    if (head_ms != l->now_wall_ms) {
        clock_iso(l->now_wall_ms, head_time, sizeof head_time);
        head_ms = l->now_wall_ms;
    }
    buf_add_str(&batch, head_time);
    buf_add_str(&batch, stream_heads[stream]);
    if (flags & LINE_CONT)
        buf_add_str(&batch, "… ");
    buf_add(&batch, p, n);
    buf_add_char(&batch, '\n');
    batch_lines++;
    if (batch.len >= FLUSH_BYTES) {
        tell_more(l);
        flush(l);
    }
}

static void begin(struct logstore *l)
{
    if (l->to)
        begin(l->to);
    if (!l->held)
        l->now_wall_ms = clock_wall_ms();
}

static void finish(struct logstore *l)
{
    if (l->to && !l->held)
        finish(l->to);
    if (l->held || !batch_lines || batch_owner != l)
        return;
    tell_more(l);
    flush(l);
}

void logstore_hold(struct logstore *l)
{
    begin(l);
    l->held = true;
}

void logstore_release(struct logstore *l)
{
    l->held = false;
    finish(l);
}

static void on_stderr_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct logstore *l = ctx;
    add_line(l, RING_STDERR, flags, p, n);
}

void logstore_stderr(struct logstore *l, const char *p, size_t n)
{
    begin(l);
    lines_feed(&l->err, p, n, on_stderr_line, l);
    finish(l);
}

void logstore_stderr_end(struct logstore *l)
{
    begin(l);
    lines_end(&l->err, on_stderr_line, l);
    finish(l);
}

void logstore_line(struct logstore *l, enum ring_stream stream, unsigned flags, const char *p,
                   size_t n)
{
    begin(l);
    add_line(l, stream, flags, p, n);
    finish(l);
}

void logstore_say(struct logstore *l, const char *fmt, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    /* What we say may quote an engine or a server: one record stays one line. */
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || text.data[i] == '\r')
            text.data[i] = ' ';
    logstore_line(l, RING_SUPERVISOR, 0, buf_str(&text), text.len);
    buf_fini(&text);
}

struct logstore *logstore_new(struct ev_loop *loop, const char *dir, const char *server,
                              logstore_fn more, void *ctx)
{
    struct logstore *l = xcalloc(1, sizeof *l);
    AUTO_FREE char *name = logstore_file_name(server);
    *l = (struct logstore){ .loop = loop, .path = xasprintf("%s/%s", dir, name),
                            .server = xstrdup(server),
                            .ring = ring_new(RING_BYTES), .more = more, .ctx = ctx };
    lines_init(&l->err, LINE_BYTES, LINES_SPLIT);
    ev_timer_init(&l->more_timer, on_more, 0., 0.);
    l->more_timer.data = l;
    open_file(l);
    return l;
}

struct logstore *logstore_new_member(struct logstore *to, const char *mark)
{
    struct logstore *l = xcalloc(1, sizeof *l);

    *l = (struct logstore){ .loop = to->loop, .to = to, .mark = xstrdup(mark) };
    lines_init(&l->err, LINE_BYTES, LINES_SPLIT);
    ev_timer_init(&l->more_timer, on_more, 0., 0.);
    l->more_timer.data = l;
    return l;
}

void logstore_free(struct logstore *l)
{
    if (!l)
        return;
    if (batch_lines && batch_owner == l)
        flush(l);
    ev_timer_stop(l->loop, &l->more_timer);
    lines_fini(&l->err);
    ring_free(l->ring);
    log_file_close(l->file);
    free(l->path);
    free(l->mark);
    free(l->server);
    free(l);
}

const struct ring *logstore_get_ring(const struct logstore *l)
{
    return l->to ? l->to->ring : l->ring;
}

uint64_t logstore_get_lost(const struct logstore *l)
{
    return l->to ? l->to->lost : l->lost;
}

uint64_t logstore_get_losing(const struct logstore *l)
{
    return l->to ? logstore_get_losing(l->to) : l->lost - l->lost_told;
}

const char *logstore_get_path(const struct logstore *l)
{
    return l->to ? l->to->path : l->path;
}
