/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session under test: a scripted server at one side, clients at the other, and a real loop. */
#ifndef MCPTOP_TESTS_SESSION_RIG_H
#define MCPTOP_TESTS_SESSION_RIG_H

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include "base/lines.h"
#include "base/mem.h"
#include "loop.h"
#include "mcp/session.h"
#include "tap.h"

/* ---- the rig: a server that does what the test says ---- */

struct rig {
    struct ev_loop *loop;
    struct session *s;
    struct buf out;             /* written to the server, not looked at yet */
    struct buf phases;          /* "handshake ready down(why) " */
    struct buf strays;          /* "[why|text]" */
    struct fault failed;        /* the last handshake_failed */
    int failures, catalogues, drained, left;
    int write_errno;            /* != 0: writing fails with it */
    bool free_on_silent;
    bool down_on_failure;
    int strike_on_stray;        /* 1: the run ends, 2: the session is freed, 3: the client closes */
    struct client *struck;
};

static inline int rig_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    struct rig *r = ctx;

    if (r->write_errno)
        return fault_set(f, r->write_errno, "write to the server");
    for (int i = 0; i < count; i++)
        buf_add(&r->out, iov[i].iov_base, iov[i].iov_len);
    return 0;
}

static inline void rig_phase(void *ctx, enum session_phase phase, const char *why)
{
    static const char *const names[] = {"down", "handshake", "ready", "silent"};
    struct rig *r = ctx;

    buf_add_str(&r->phases, names[phase]);
    if (why)
        buf_printf(&r->phases, "(%s)", why);
    buf_add_char(&r->phases, ' ');
    if (phase == SESSION_SILENT && r->free_on_silent)
        session_free(TAKE(r->s));
}

static inline void rig_failed(void *ctx, const struct fault *why)
{
    struct rig *r = ctx;

    r->failed = *why;
    r->failures++;
    if (r->down_on_failure)
        session_down(r->s, "killed after its handshake failed");
}

static inline void rig_stray(void *ctx, const char *p, size_t n, unsigned flags, const char *why)
{
    struct rig *r = ctx;

    buf_printf(&r->strays, "[%s%s%s|%.*s]", flags & LINE_CONT ? "&" : "",
               flags & LINE_PARTIAL ? "+" : "", why, (int)(n < 80 ? n : 80), p);
    if (r->strike_on_stray == 1)
        session_down(r->s, "killed for what it wrote");
    else if (r->strike_on_stray == 2)
        session_free(TAKE(r->s));
    else if (r->strike_on_stray == 3)
        client_close(TAKE(r->struck));
    r->strike_on_stray = 0;
}

static inline void rig_note(void *ctx, const char *p, size_t n, bool cut, const char *why)
{
    rig_stray(ctx, p, n, cut ? LINE_OVERSIZE : 0, why);
}

static inline void rig_catalogue(void *ctx)
{
    ((struct rig *)ctx)->catalogues++;
}

static inline void rig_drained(void *ctx)
{
    ((struct rig *)ctx)->drained++;
}

static inline void rig_left(void *ctx)
{
    ((struct rig *)ctx)->left++;
}

static const struct session_events rig_events = {
    .write = rig_write, .phase = rig_phase, .handshake_failed = rig_failed, .stray = rig_stray,
    .note = rig_note,
    .catalogue = rig_catalogue, .drained = rig_drained, .left = rig_left,
};

static inline void rig_open(struct rig *r, const struct session_config *cfg)
{
    struct session_config c = cfg ? *cfg : (struct session_config){0};

    *r = (struct rig){.loop = ev_loop_new(0)};
    c.server = "x";
    r->s = session_new(r->loop, &c, &rig_events, r);
}

static inline void rig_close(struct rig *r)
{
    session_free(r->s);
    buf_fini(&r->out);
    buf_fini(&r->phases);
    buf_fini(&r->strays);
    ev_loop_destroy(r->loop);
}

/* The next line to the server, without its newline; NULL when there is none. Valid until the next
 * call. */
static const char *next_line(struct rig *r)
{
    static struct buf line;
    char *nl = r->out.len ? memchr(r->out.data, '\n', r->out.len) : NULL;

    buf_fini(&line);
    if (!nl)
        return NULL;
    buf_add(&line, r->out.data, (size_t)(nl - r->out.data));
    buf_consume(&r->out, (size_t)(nl - r->out.data) + 1);
    return buf_str(&line);
}

static const char *next_id(struct rig *r)
{
    static char id[32];
    const char *line = next_line(r);
    struct envelope e;

    snprintf(id, sizeof(id), "none");
    if (line && !envelope_scan(line, strlen(line), &e, NULL))
        snprintf(id, sizeof(id), "%.*s", (int)e.id.n, e.id.p);
    return id;
}

__attribute__((format(printf, 2, 3))) static void says(struct rig *r, const char *fmt, ...)
{
    AUTO_BUF struct buf b = BUF_INIT;
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    buf_add_char(&b, '\n');
    session_feed(r->s, b.data, b.len);
}

static inline void says_result(struct rig *r, const char *id, const char *result)
{
    says(r, "{\"result\":%s,\"jsonrpc\":\"2.0\",\"id\":%s}", result, id);
}

static inline void says_initialized(struct rig *r, const char *id)
{
    says_result(
        r, id,
        "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tools\":{\"listChanged\":true}},"
        "\"serverInfo\":{\"name\":\"srv\",\"version\":\"1.2\"},\"instructions\":\"be \\u00e9\"}");
}

/* A new process: what went to the one before it is gone. */
static inline void up(struct rig *r)
{
    buf_clear(&r->out);
    session_up(r->s);
}

/* A run up to the tool list. */
static inline void start(struct rig *r)
{
    AUTO_FREE char *id = NULL;

    up(r);
    id = xstrdup(next_id(r));
    says_initialized(r, id);
    next_line(r);     /* notifications/initialized */
}

static inline void finish_start(struct rig *r)
{
    says_result(r, next_id(r), "{\"tools\":[{\"name\":\"add\"}]}");
}

static inline void start_ready(struct rig *r)
{
    start(r);
    finish_start(r);
    buf_clear(&r->phases);
}

/* ---- clients ---- */

struct reply { struct buf text; int count, errors; };

static inline void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct reply *p = ctx;

    buf_clear(&p->text);
    for (int i = 0; i < count; i++)
        buf_add(&p->text, iov[i].iov_base, iov[i].iov_len);
    p->count++;
    p->errors += is_error;
}

static inline bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct buf *b = ctx;

    if (asks)
        buf_add_str(b, call_ctx ? "asks of a call:" : "asks:");
    buf_add(b, msg, n);
    buf_add_char(b, ';');
    return true;
}

static const struct client_events notified = {.message = on_message};

static inline struct call *sends(struct client *c, struct reply *p, const char *msg)
{
    AUTO_FREE char *copy = xstrdup(msg);
    struct envelope e;
    struct fault f = FAULT_NONE;

    if (envelope_scan(copy, strlen(copy), &e, &f))
        ok(false, "the test's own message is wrong: %s", f.text);
    return client_send(c, &e, on_reply, p);
}

static inline bool has(const struct buf *b, const char *text)
{
    if (b->len && strstr(buf_str(b), text))
        return true;
    printf("# not in: %s\n", buf_str(b));
    return false;
}

#define CALL(id, tool) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/call\",\"params\":{\"name\":\"" tool \
    "\"}}"

#endif
