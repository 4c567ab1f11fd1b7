/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The writing and the reading side of recorded calls. One file is at most FILE_BYTES and is read as
 * a whole when somebody asks: from the page cache that takes a millisecond.
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
               ",\"bytes_out\":%" PRIu64 ",\"bytes_in\":%" PRIu64 ",\"error\":%s}\n", n->number,
               n->wall_ms, n->took_us, n->bytes_out, n->bytes_in, n->error ? "true" : "false");
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

/* A file of ours, whole; false where there is none that can be read. Caller frees *ret. */
static bool read_whole(const char *path, char **ret, size_t *ret_n)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    size_t n = 0;

    if (fd < 0)
        return false;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > 2 * FILE_BYTES) {
        close(fd);
        return false;
    }
    char *text = xmalloc((size_t)st.st_size + 1);
    for (ssize_t got = 1; got > 0 && n < (size_t)st.st_size; n += got > 0 ? (size_t)got : 0)
        got = read(fd, text + n, (size_t)st.st_size - n);
    close(fd);
    text[n] = '\0';
    *ret = text;
    *ret_n = n;
    return true;
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
    };
    take_text(doc, "run", n->tag, sizeof n->tag);
    take_text(doc, "server", n->server, sizeof n->server);
    take_text(doc, "client", n->client, sizeof n->client);
    take_text(doc, "method", n->method, sizeof n->method);
    take_text(doc, "tool", n->tool, sizeof n->tool);
    json_decref(doc);
    return true;
}

/* The call whose head begins at p: false when it is torn. Its text is copied. */
static bool read_record(const char *p, const char *end, struct record *ret)
{
    struct span head = line_at(p, end);
    struct span request = head.p ? line_at(head.p + head.n + 1, end) : head;
    struct span result = request.p ? line_at(request.p + request.n + 1, end) : request;
    struct span note = {p + sizeof MARK - 1, head.n - (sizeof MARK - 1)};

    if (!result.p || !read_head(note, &ret->note))
        return false;
    ret->text = xmalloc(request.n + result.n + 1);
    memcpy(ret->text, request.p, request.n);
    memcpy(ret->text + request.n, result.p, result.n);
    ret->request = (struct span){ret->text, request.n};
    ret->result = (struct span){ret->text + request.n, result.n};
    return true;
}

static bool find_in(const char *path, const char *needle, struct record *ret)
{
    AUTO_FREE char *text = NULL;
    size_t n, len = strlen(needle);

    if (!read_whole(path, &text, &n))
        return false;
    for (char *p = text; (p = memmem(p, n - (size_t)(p - text), needle, len)); p++)
        if ((p == text || p[-1] == '\n') && read_record(p, text + n, ret))
            return true;
    return false;
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

/* From the end backwards. */
static size_t each_in(const char *path, const char *server, size_t limit, record_fn fn, void *ctx)
{
    AUTO_FREE char *text = NULL;
    struct call_note note;
    size_t n, told = 0;

    if (!limit || !read_whole(path, &text, &n))
        return 0;
    for (size_t end = n; end && told < limit;) {
        const char *nl = end > 1 ? memrchr(text, '\n', end - 1) : NULL;
        size_t at = nl ? (size_t)(nl - text) + 1 : 0;
        struct span head = {text + at, end - at};
        end = at;
        if (head.n <= sizeof MARK || memcmp(head.p, MARK, sizeof MARK - 1) != 0)
            continue;
        head.p += sizeof MARK - 1;
        head.n -= sizeof MARK - 1;
        if (read_head(head, &note) && strcmp(note.server, server) == 0) {
            fn(ctx, &note);
            told++;
        }
    }
    return told;
}

void record_each(const char *dir, const char *server, size_t limit, record_fn fn, void *ctx)
{
    AUTO_FREE char *path = file_path(dir, server), *older = xasprintf("%s.1", path);
    size_t told = each_in(path, server, limit, fn, ctx);

    each_in(older, server, limit - told, fn, ctx);
}
