/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests to the supervisor and its event stream, over io/http_client. Takes the envelope off
 * (docs/api.md), so that callers see data or a fault. Must not know what any route answers. */
#include "client/api_client.h"

#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "client/sse.h"

/* The API sends a comment every 15 s: three of them missing is a supervisor that stands. */
enum { STREAM_IDLE_MS = 45 * 1000, REPLY_MAX_BYTES = 128 * 1024 * 1024 };

struct api {
    struct http_client *http;
    char *socket;
    int64_t timeout_ms;
    struct api_call *calls;         /* doubly linked: what api_free has to free */
    struct api_stream *streams;
};

struct api_call {
    struct api *api;
    struct api_call *next, **link;
    struct http_request *request;
    api_reply_fn fn;
    api_progress_fn said;           /* NULL: the reply is no stream */
    struct sse sse;                 /* of one that is */
    json_t *last;                   /* its envelope, once it came */
    struct fault unread;            /* … and could not be read */
    void *ctx;
};

struct api_stream {
    struct api *api;
    struct api_stream *next, **link;
    struct http_request *request;
    struct sse sse;
    struct api_stream_events events;
    void *ctx;
    bool feeding, closed;
};

/* Both kinds are in a list through these members. */
#define LIST_ADD(head, x) \
    do { \
        (x)->next = (head); \
        (x)->link = &(head); \
        if (head) \
            (head)->link = &(x)->next; \
        (head) = (x); \
    } while (0)
#define LIST_REMOVE(x) \
    do { *(x)->link = (x)->next; if ((x)->next) (x)->next->link = (x)->link; } while (0)

struct api *api_new(struct ev_loop *loop, const char *socket)
{
    struct api *a = xcalloc(1, sizeof *a);
    a->http = http_client_new(loop);
    a->socket = xstrdup(socket);
    return a;
}

void api_set_timeout(struct api *a, int64_t total_ms)
{
    a->timeout_ms = total_ms;
}

struct http_client *api_get_http(struct api *a)
{
    return a->http;
}

static void call_free(struct api_call *c)
{
    LIST_REMOVE(c);
    if (c->said)
        sse_fini(&c->sse);
    json_decref(c->last);
    free(c);
}

static void stream_free_(struct api_stream *s)
{
    LIST_REMOVE(s);
    sse_fini(&s->sse);
    free(s);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    http_client_free(a->http);
    while (a->calls)
        call_free(a->calls);
    while (a->streams)
        stream_free_(a->streams);
    free(a->socket);
    free(a);
}

char *api_path(const char *path, const char *name)
{
    AUTO_BUF struct buf out = BUF_INIT;
    const char *slot = strstr(path, "%s");
    buf_add(&out, path, slot ? (size_t)(slot - path) : strlen(path));
    if (!slot)
        return buf_take(&out);
    for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("-_~", *p))
            buf_add_char(&out, (char)*p);
        else if (*p == '.' && strcmp(name, ".") && strcmp(name, ".."))
            buf_add_char(&out, '.');
        else
            buf_printf(&out, "%%%02X", *p);
    }
    buf_add_str(&out, slot + 2);
    return buf_take(&out);
}

/* ---- replies ---- */

static int status_fault(long status)
{
    switch (status) {
    case 400: return FAULT_INVALID;
    case 401: case 403: return FAULT_DENIED;
    case 404: return FAULT_NOT_FOUND;
    case 409: return FAULT_CONFLICT;
    case 413: return FAULT_TOO_BIG;
    default: return FAULT_HTTP;
    }
}

/* 0 with *ret_data borrowed from `envelope`, or -1 with the API's own sentence. */
static int open_envelope(long status, json_t *envelope, json_t **ret_data, struct fault *f)
{
    const char *error = json_string_value(json_object_get(envelope, "error"));
    if (error)
        return fault_set(f, status_fault(status), "%s", error);
    if (!json_is_true(json_object_get(envelope, "success")))
        return fault_set(f, status_fault(status),
                         "HTTP %ld without the API's envelope: is this an mcptop supervisor?",
                         status);
    *ret_data = json_object_get(envelope, "data");
    return 0;
}

static void on_done(void *ctx, const struct http_reply *r, const struct fault *why)
{
    struct api_call *c = ctx;
    struct fault f = FAULT_NONE;
    json_t *envelope = NULL, *data = NULL;
    long status = r ? r->status : 0;
    if (c->said && c->sse.too_big) {
        fault_set(&f, FAULT_TOO_BIG, "the answer is too big");
    } else if (c->last) {           /* all that was to come came, however the stream ended */
        envelope = TAKE(c->last);
        open_envelope(status, envelope, &data, &f);
    } else if (c->unread.code) {
        f = c->unread;
    } else if (why) {
        f = *why;
    } else if (c->said && status / 100 == 2) {
        fault_set(&f, ECONNRESET, "the supervisor ended before it answered");
    } else {
        envelope =
            json_loadb(r->body ? r->body : "", r->body_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        open_envelope(status, envelope, &data, &f);
    }
    c->request = NULL;
    c->fn(c->ctx, status, data, f.code ? &f : NULL);
    json_decref(envelope);
    call_free(c);
}

static void on_call_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct api_call *c = ctx;
    (void)name;
    json_error_t e;
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, &e);
    if (!doc)
        fault_set(&c->unread, FAULT_INVALID, "the answer cannot be read: %s", e.text);
    json_t *params = json_object_get(doc, "params");
    if (params) {
        c->said(c->ctx, params);
        json_decref(doc);
        return;
    }
    json_decref(c->last);
    c->last = doc;
}

static void on_call_data(void *ctx, const char *p, size_t n)
{
    struct api_call *c = ctx;
    if (!c->sse.too_big)
        sse_feed(&c->sse, p, n);
}

static struct api_call *begin_call(struct api *a, const char *method, const char *path,
                                   json_t *body, const char *const *headers,
                                   const struct http_events *events, struct api_call *c)
{
    c->api = a;
    LIST_ADD(a->calls, c);
    AUTO_FREE char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(body);
    struct http_spec spec = {
        .peer = { .unix_socket = a->socket, .host = "localhost" },
        .method = method, .path = path,
        .headers = text ? headers : NULL,
        .body = text, .body_len = text ? strlen(text) : 0,
        .total_timeout_ms = a->timeout_ms,
        .max_body = REPLY_MAX_BYTES,
        .stream = c->said,
    };
    c->request = http_send(a->http, &spec, events, c);
    return c;
}

struct api_call *api_send(struct api *a, const char *method, const char *path, json_t *body,
                          api_reply_fn fn, void *ctx)
{
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    static const struct http_events events = { .done = on_done };
    struct api_call *c = xcalloc(1, sizeof *c);
    c->fn = fn;
    c->ctx = ctx;
    return begin_call(a, method, path, body, headers, &events, c);
}

struct api_call *api_send_watched(struct api *a, const char *path, json_t *body,
                                  api_progress_fn said, api_reply_fn fn, void *ctx)
{
    static const char *const headers[] = { "Content-Type: application/json",
                                           "Accept: text/event-stream", NULL };
    static const struct http_events events = { .data = on_call_data, .done = on_done };
    struct api_call *c = xcalloc(1, sizeof *c);
    c->fn = fn;
    c->said = said;
    c->ctx = ctx;
    sse_init(&c->sse, REPLY_MAX_BYTES, on_call_event, c);
    return begin_call(a, "POST", path, body, headers, &events, c);
}

void api_cancel(struct api_call *c)
{
    if (!c)
        return;
    http_cancel(c->request);
    call_free(c);
}

/* ---- the event stream ---- */

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct api_stream *s = ctx;
    if (!s->closed)
        s->events.event(s->ctx, name, data, n);
}

static void end_stream(struct api_stream *s, const struct fault *why)
{
    s->closed = true;
    s->events.end(s->ctx, why);
    stream_free_(s);
}

static void on_stream_data(void *ctx, const char *p, size_t n)
{
    struct api_stream *s = ctx;
    s->feeding = true;
    sse_feed(&s->sse, p, n);
    s->feeding = false;
    if (!s->closed && !s->sse.too_big)
        return;
    http_cancel(s->request);
    if (s->closed) {
        stream_free_(s);
        return;
    }
    struct fault f;
    fault_set(&f, FAULT_TOO_BIG, "an event of the supervisor is too big");
    end_stream(s, &f);
}

static void on_stream_done(void *ctx, const struct http_reply *r, const struct fault *why)
{
    struct api_stream *s = ctx;
    struct fault f = FAULT_NONE;
    if (why) {
        f = *why;
    } else if (r->status / 100 == 2) {
        fault_set(&f, ECONNRESET, "the supervisor ended the stream");
    } else {
        json_t *none, *envelope = json_loadb(r->body ? r->body : "", r->body_len, 0, NULL);
        open_envelope(r->status, envelope, &none, &f);
        json_decref(envelope);
    }
    end_stream(s, &f);
}

struct api_stream *api_follow(struct api *a, const char *path,
                              const struct api_stream_events *events, void *ctx)
{
    static const char *const headers[] = { "Accept: text/event-stream", NULL };
    static const struct http_events http_events = { .data = on_stream_data,
                                                    .done = on_stream_done };
    struct api_stream *s = xcalloc(1, sizeof *s);
    s->api = a;
    s->events = *events;
    s->ctx = ctx;
    sse_init(&s->sse, 0, on_event, s);
    LIST_ADD(a->streams, s);
    struct http_spec spec = {
        .peer = { .unix_socket = a->socket, .host = "localhost" },
        .method = "GET", .path = path, .headers = headers,
        .total_timeout_ms = -1, .idle_timeout_ms = STREAM_IDLE_MS, .stream = true,
    };
    s->request = http_send(a->http, &spec, &http_events, s);
    return s;
}

void api_stream_close(struct api_stream *s)
{
    if (!s || s->closed)
        return;
    s->closed = true;
    if (s->feeding)
        return;         /* on_stream_data is on the stack: it finishes the work */
    http_cancel(s->request);
    stream_free_(s);
}

/* ---- the blocking form ---- */

struct answer {
    struct ev_loop *loop;
    json_t *data;
    long status;
    struct fault f;
};

static void on_answer(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct answer *an = ctx;
    an->status = status;
    an->data = json_incref(data);
    if (f)
        an->f = *f;
    ev_break(an->loop, EVBREAK_ALL);
}

int api_ask_within(const char *socket, const char *method, const char *path, json_t *body,
                   int64_t timeout_ms, json_t **ret_data, long *ret_status, struct fault *f)
{
    struct answer an = { .loop = ev_loop_new(EVFLAG_AUTO) };
    struct api *a = api_new(an.loop, socket);
    api_set_timeout(a, timeout_ms);
    api_send(a, method, path, body, on_answer, &an);
    ev_run(an.loop, 0);
    api_free(a);
    ev_loop_destroy(an.loop);
    if (ret_status)
        *ret_status = an.status;
    if (an.f.code) {
        json_decref(an.data);
        return fault_copy(f, &an.f);
    }
    if (ret_data)
        *ret_data = an.data;
    else
        json_decref(an.data);
    return 0;
}

int api_ask(const char *socket, const char *method, const char *path, json_t *body,
            json_t **ret_data, long *ret_status, struct fault *f)
{
    return api_ask_within(socket, method, path, body, 0, ret_data, ret_status, f);
}
