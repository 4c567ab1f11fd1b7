/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing and the reading side of recorded calls. When somebody asks, a server's files (twice
 * FILE_BYTES at most) are searched from one end to the other: from the page cache that takes a
 * millisecond or two, and nobody pays for an index while nobody asks.
 *
 * Rotation is log_file's, and so is the deletion of what falls out, outside the loop. */
#include "supervisor/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "supervisor/instance.h"
#include "supervisor/logstore.h"

enum {
    FILE_BYTES = 4 << 20, OLDER_FILES = 1,
    TEXT_MAX = 1 << 20,              /* of a call, and of an answer */
    PENDING_MAX = 3 << 20,           /* gathered: then calls are dropped */
    FLUSH_BYTES = 256 << 10,         /* gathered: written in the next turn of the loop */
    WINDOW = 256 << 10,              /* read at a time */
    HEAD_MAX = 8192,
    TEXTS_MAX = 2 * TEXT_MAX + 2,    /* with their line ends */
};
static const double FLUSH_S = 0.1;
static const char MARK[] = "#call ";

struct recorder {
    struct ev_loop *loop;
    char *dir, *path, *server;
    struct log_file *file;
    struct buf pending;
    uint64_t pending_calls, lost;
    bool warned;
    ev_timer flush;
};

static char *file_path(const char *dir, const char *server)
{
    AUTO_FREE char *name = logstore_file_name(server);
    return xasprintf("%s/%s", dir, name);
}

/* ---- writing ---- */

static bool open_file(struct recorder *r)
{
    struct fault f = FAULT_NONE;

    if (!r->file && instance_make_dirs(r->dir, 0700, &f) == 0)
        r->file = log_file_open(r->path, &f);
    if (r->file)
        log_file_set_limits(r->file, FILE_BYTES, OLDER_FILES);
    else if (!r->warned)
        log_warn("record", "calls of server %s are not recorded: %s", r->server, f.text);
    r->warned = !r->file;
    return r->file;
}

void recorder_flush(struct recorder *r)
{
    if (!r || !r->pending_calls)
        return;
    ev_timer_stop(r->loop, &r->flush);
    bool written = false;
    if (open_file(r)) {
        uint64_t failed = log_file_lost(r->file);
        log_file_write(r->file, r->pending.data, r->pending.len);
        written = log_file_lost(r->file) == failed;
    }
    if (!written)
        r->lost += r->pending_calls;
    r->pending_calls = 0;
    buf_fini(&r->pending);           /* nothing is kept while nobody calls */
}

static void on_flush(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    recorder_flush(w->data);
}

static void add_text(struct buf *b, const char *key, const char *text)
{
    buf_printf(b, ",\"%s\":", key);
    buf_add_json(b, text, strlen(text));
}

static void add_head(struct buf *b, const struct call_note *n)
{
    char id[CALL_ID_MAX];

    call_note_id(n, id, sizeof id);
    buf_add_str(b, MARK);
    buf_add_str(b, "{\"id\":");
    buf_add_json(b, id, strlen(id));
    add_text(b, "server", n->server);
    add_text(b, "run", n->tag);
    add_text(b, "client", n->client);
    add_text(b, "method", n->method);
    add_text(b, "tool", n->tool);
    buf_printf(b, ",\"number\":%" PRIu64 ",\"wall_ms\":%" PRId64 ",\"took_us\":%" PRId64
               ",\"bytes_out\":%" PRIu64 ",\"bytes_in\":%" PRIu64
               ",\"error\":%s,\"tool_error\":%s}\n",
               n->number, n->wall_ms, n->took_us, n->bytes_out, n->bytes_in,
               n->error ? "true" : "false", n->tool_error ? "true" : "false");
}

static void set_flush(struct recorder *r)
{
    bool now = r->pending.len >= FLUSH_BYTES;

    if (ev_is_active(&r->flush) && !now)
        return;
    ev_timer_stop(r->loop, &r->flush);
    ev_timer_set(&r->flush, now ? 0. : FLUSH_S, 0.);
    ev_timer_start(r->loop, &r->flush);
}

void recorder_take(struct recorder *r, struct call_note *note, const struct call_ended *c)
{
    size_t n = c->request.n + c->bytes_in;

    note->recorded = !c->request.n || c->request.n > TEXT_MAX || c->bytes_in > TEXT_MAX
                         ? RECORD_TOO_BIG
                     : r->pending.len + n > PENDING_MAX ? RECORD_DROPPED
                                                        : RECORD_KEPT;
    if (note->recorded != RECORD_KEPT) {
        r->lost++;
        return;
    }
    add_head(&r->pending, note);
    buf_add(&r->pending, c->request.p, c->request.n);
    buf_add_char(&r->pending, '\n');
    for (int i = 0; i < c->iov_count; i++)
        buf_add(&r->pending, c->iov[i].iov_base, c->iov[i].iov_len);
    buf_add_char(&r->pending, '\n');
    r->pending_calls++;
    set_flush(r);
}

uint64_t recorder_get_lost(const struct recorder *r)
{
    return r ? r->lost : 0;
}

struct recorder *recorder_new(struct ev_loop *loop, const char *dir, const char *server)
{
    struct recorder *r = xcalloc(1, sizeof *r);

    r->loop = loop;
    r->dir = xstrdup(dir);
    r->path = file_path(dir, server);
    r->server = xstrdup(server);
    ev_timer_init(&r->flush, on_flush, 0., 0.);
    r->flush.data = r;
    return r;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    recorder_flush(r);
    ev_timer_stop(r->loop, &r->flush);
    log_file_close(r->file);
    buf_fini(&r->pending);
    free(r->dir);
    free(r->path);
    free(r->server);
    free(r);
}

/* ---- reading ---- */

/* A file of ours; -1 where there is none that can be read. */
static int open_to_read(const char *path, off_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= 2 * FILE_BYTES) {
        *ret_size = st.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Told of every line that begins so; true ends it. */
typedef bool (*place_fn)(void *ctx, int fd, off_t at);

/* One window after another, each with the end of the one before, so that no match is cut. */
static void each_line(int fd, const char *needle, place_fn fn, void *ctx)
{
    AUTO_FREE char *window = xmalloc(WINDOW);
    size_t len = strlen(needle);
    off_t at = 0;

    for (;;) {
        ssize_t n = pread(fd, window, WINDOW, at);
        if (n < (ssize_t)len)
            return;
        for (char *p = window; (p = memmem(p, (size_t)(window + n - p), needle, len)); p++) {
            /* At the start of a later window: the one before had it whole. */
            bool begins = p == window ? at == 0 : p[-1] == '\n';
            if (begins && fn(ctx, fd, at + (p - window)))
                return;
        }
        if (n < WINDOW)
            return;
        at += n - (ssize_t)len;
    }
}

static struct span line_at(const char *p, const char *end)
{
    const char *nl = p < end ? memchr(p, '\n', (size_t)(end - p)) : NULL;

    return nl ? (struct span){p, (size_t)(nl - p)} : (struct span){NULL, 0};
}

static void take_text(json_t *doc, const char *key, char *out, size_t n)
{
    const char *text = json_string_value(json_object_get(doc, key));

    snprintf(out, n, "%s", text ? text : "");
}

static int64_t take_int(json_t *doc, const char *key)
{
    return json_integer_value(json_object_get(doc, key));
}

/* The note of a head line (after its mark). */
static bool read_head(struct span line, struct call_note *n)
{
    json_t *doc = json_loadb(line.p, line.n, JSON_ALLOW_NUL, NULL);

    if (!json_is_object(doc)) {
        json_decref(doc);
        return false;
    }
    *n = (struct call_note){
        .number = (uint64_t)take_int(doc, "number"), .wall_ms = take_int(doc, "wall_ms"),
        .took_us = take_int(doc, "took_us"), .bytes_out = (uint64_t)take_int(doc, "bytes_out"),
        .bytes_in = (uint64_t)take_int(doc, "bytes_in"), .recorded = RECORD_KEPT,
        .error = json_is_true(json_object_get(doc, "error")),
        .tool_error = json_is_true(json_object_get(doc, "tool_error")),
    };
    take_text(doc, "run", n->tag, sizeof n->tag);
    take_text(doc, "server", n->server, sizeof n->server);
    take_text(doc, "client", n->client, sizeof n->client);
    take_text(doc, "method", n->method, sizeof n->method);
    take_text(doc, "tool", n->tool, sizeof n->tool);
    json_decref(doc);
    return true;
}

static bool read_note(int fd, off_t at, struct call_note *ret, size_t *ret_head)
{
    char text[HEAD_MAX];
    ssize_t n = pread(fd, text, sizeof text, at);
    struct span line = n > 0 ? line_at(text, text + n) : (struct span){NULL, 0};
    const size_t mark = sizeof MARK - 1;

    *ret_head = line.n + 1;
    return line.n > mark && read_head((struct span){text + mark, line.n - mark}, ret);
}

/* The two lines behind the head, of n bytes at most; false when they are not whole. */
static bool read_texts(int fd, off_t at, size_t n, struct record *ret)
{
    char *text = xmalloc(n + 1);
    ssize_t got = pread(fd, text, n, at);
    struct span request = got > 0 ? line_at(text, text + got) : (struct span){NULL, 0};
    struct span result = request.p ? line_at(request.p + request.n + 1, text + got) : request;

    if (!result.p) {
        free(text);
        return false;
    }
    ret->text = text;
    ret->request = request;
    ret->result = result;
    return true;
}

static bool take_record(void *ctx, int fd, off_t at)
{
    struct record *ret = ctx;
    size_t head, n;

    if (!read_note(fd, at, &ret->note, &head))
        return false;
    n = ret->note.bytes_out + ret->note.bytes_in + 2;
    return (n < TEXTS_MAX && read_texts(fd, at + (off_t)head, n, ret)) ||
           read_texts(fd, at + (off_t)head, TEXTS_MAX, ret);
}

static bool find_in(const char *path, const char *needle, struct record *ret)
{
    off_t size;
    int fd = open_to_read(path, &size);

    ret->text = NULL;
    if (fd < 0)
        return false;
    each_line(fd, needle, take_record, ret);
    close(fd);
    return ret->text;
}

int record_find(const char *dir, const char *server, const char *id, struct record *ret,
                struct fault *f)
{
    AUTO_BUF struct buf needle = BUF_INIT;
    AUTO_FREE char *path = file_path(dir, server), *older = xasprintf("%s.1", path);

    buf_add_str(&needle, MARK);
    buf_add_str(&needle, "{\"id\":");
    buf_add_json(&needle, id, strlen(id));
    if (find_in(path, buf_str(&needle), ret) || find_in(older, buf_str(&needle), ret))
        return 0;
    return fault_set(f, FAULT_NOT_FOUND, "call %s is not recorded (any more): `mcptop calls %s` "
                     "lists those that are", id, server);
}

void record_fini(struct record *rec)
{
    free(rec->text);
    rec->text = NULL;
}

/* Where the last heads of a file are. */
struct places { off_t *at; size_t limit, n; };

static bool take_place(void *ctx, int fd, off_t at)
{
    struct places *pl = ctx;

    (void)fd;
    pl->at[pl->n++ % pl->limit] = at;
    return false;
}

static size_t each_in(const char *path, const char *server, size_t limit, record_fn fn, void *ctx)
{
    struct places pl = {.limit = limit};
    struct call_note note;
    size_t told = 0, head;
    off_t size;
    int fd = limit ? open_to_read(path, &size) : -1;

    if (fd < 0)
        return 0;
    pl.at = xcalloc(limit, sizeof *pl.at);
    each_line(fd, MARK, take_place, &pl);
    for (size_t i = pl.n; i && pl.n - i < limit; i--)
        if (read_note(fd, pl.at[(i - 1) % limit], &note, &head) &&
            strcmp(note.server, server) == 0) {
            fn(ctx, &note);
            told++;
        }
    free(pl.at);
    close(fd);
    return told;
}

void record_each(const char *dir, const char *server, size_t limit, record_fn fn, void *ctx)
{
    AUTO_FREE char *path = file_path(dir, server), *older = xasprintf("%s.1", path);
    size_t told = each_in(path, server, limit, fn, ctx);

    each_in(older, server, limit - told, fn, ctx);
}
