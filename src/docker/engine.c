/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One engine: whether it is there, its event stream, and the requests to it.
 *
 *   probe (GET /version) --ok----> UP, event stream opened --ends--> probe, at once or later
 *                        --fails-> DOWN, back-off -----------------> probe
 *
 * A stream that ends does not mean DOWN: only a probe that fails does, because only that knows why.
 * Nor does a probe that is answered on an old connection mean UP, when no new one can be made. A
 * change of the socket's file leads to a probe at once: it was taken away, or is back.
 * It knows no server and no container; what the calls are is in engine_calls.c. */
#include "docker/engine_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/timer.h"
#include "io/watch.h"

enum {
    API_WANTED = 41,                /* 1.41: Docker 20.10, Podman 4 */
    PROBE_TIMEOUT_MS = 5000,
    HEALTHY_STREAM_MS = 5000,       /* a stream that lived so long resets the back-off */
    MAX_LINE = 1024 * 1024,
};
static const ev_tstamp FIRST_RETRY_S = 0.5, LAST_RETRY_S = 10.;
/* What two clocks may differ by before it counts; a Date is of whole seconds. */
static const int64_t CLOCK_SLACK_NS = INT64_C(2000000000);

struct engine {
    struct ev_loop *loop;
    struct http_client *http;
    struct docker_context context;
    struct engine_events events;
    void *ctx;
    enum engine_state state;
    int64_t state_since_ms;
    int64_t answered_ms;            /* a probe, monotonic */
    char version[64];
    bool podman, has_clock;         /* has_clock: the last probe told its time */
    char prefix[16];                /* "/v1.41" */
    char error[sizeof(((struct fault *)0)->text)];
    struct http_request *probe;
    struct http_request *stream;
    struct events_reader reader;
    int64_t began_ns;               /* our clock: events from here on are wanted */
    /* the engine's clock less ours, where it matters and is known */
    int64_t skew_ns;
    int64_t stream_opened_ms;       /* monotonic */
    struct watch *door;             /* its socket's file; NULL = cannot be watched */
    ev_timer retry;
    ev_tstamp retry_s;
    struct engine_request *requests;
};

struct engine_request {
    struct engine *engine;
    struct engine_request *next;
    struct http_request *http;
    engine_reply_fn fn;
    void *ctx;
    const struct engine_line_ops *ops;      /* NULL for a reply that is one document */
    void *state;
    struct lines lines;
    bool feeding, cancelled, libpod;
};

/* ---- state ---- */

/* The only writer of the state. The last thing its callers do: the engine may be freed in it. */
static void engine_set_state(struct engine *e, enum engine_state state, const struct fault *why)
{
    const char *error = why ? why->text : "";
    if (e->state == state && !strcmp(e->error, error))
        return;
    if (e->state != state)
        e->state_since_ms = clock_wall_ms();
    e->state = state;
    snprintf(e->error, sizeof(e->error), "%s", error);
    if (state == ENGINE_UP)
        log_info("docker", "Docker engine %s answers at %s", e->version, e->context.host);
    else
        log_warn("docker", "Docker engine unavailable: %s", error);
    if (e->events.state)
        e->events.state(e->ctx, state, why);
}

static void retry_later(struct engine *e)
{
    timer_arm(e->loop, &e->retry, e->retry_s);
    e->retry_s = e->retry_s * 2 < LAST_RETRY_S ? e->retry_s * 2 : LAST_RETRY_S;
}

static void engine_down(struct engine *e, const struct fault *why)
{
    http_cancel(TAKE(e->stream));
    retry_later(e);
    engine_set_state(e, ENGINE_DOWN, why);
}

static struct http_spec spec_for(const struct engine *e, const char *method, const char *path)
{
    return (struct http_spec){
        .peer = {.unix_socket = e->context.socket, .host = "localhost"},
        .method = method,
        .path = path,
    };
}

/* ---- the event stream ---- */

static void engine_probe(struct engine *e);

static void on_event(void *ctx, const struct engine_event *event)
{
    struct engine *e = ctx;
    if (e->events.event)
        e->events.event(e->ctx, event);
}

static void on_stream_data(void *ctx, const char *p, size_t n)
{
    struct engine *e = ctx;
    events_reader_feed(&e->reader, p, n);
}

static void on_stream_done(void *ctx, const struct http_reply *r, const struct fault *f)
{
    struct engine *e = ctx;
    struct fault why = FAULT_NONE;
    (void)f;                    /* the probe will know better */
    e->stream = NULL;
    if (r->status >= 300) {
        engine_fault_status(r->status, r->body, r->body_len, &why);
        fault_wrap(&why, "the Docker engine at %s refuses its event stream", e->context.host);
        engine_down(e, &why);
        return;
    }
    if (clock_mono_ms() - e->stream_opened_ms < HEALTHY_STREAM_MS) {
        if (!ev_is_active(&e->retry))
            retry_later(e);
        return;
    }
    e->retry_s = FIRST_RETRY_S;
    engine_probe(e);
}

/* From the last event on, or for a first stream from before the probe, so that none is lost between
 * that and the opening; the reader leaves out what it has told. By the engine's clock: once it was
 * set back, the last event's time lies ahead of it and means nothing any more. */
static int64_t events_since_ns(struct engine *e)
{
    int64_t our_now_ns = clock_wall_ms() * 1000000;
    if (e->has_clock && e->reader.last_ns > our_now_ns + e->skew_ns + CLOCK_SLACK_NS) {
        e->reader.last_ns = 0;
        e->began_ns = our_now_ns;
    }
    return e->reader.last_ns ? e->reader.last_ns : e->began_ns + e->skew_ns;
}

static void stream_open(struct engine *e)
{
    static const struct http_events events = {.data = on_stream_data, .done = on_stream_done};
    AUTO_BUF struct buf path = BUF_INIT;
    long long since_ns = events_since_ns(e);
    buf_printf(&path, "%s/events?since=%lld.%09lld&filters=", e->prefix, since_ns / 1000000000,
               since_ns % 1000000000);
    engine_add_path(&path, "", "{\"type\":[\"container\",\"image\",\"network\",\"volume\"]}", "");
    struct http_spec spec = spec_for(e, "GET", buf_str(&path));
    spec.stream = true;
    spec.total_timeout_ms = -1;
    events_reader_restart(&e->reader);
    e->stream_opened_ms = clock_mono_ms();
    e->stream = http_send(e->http, &spec, &events, e);
}

/* ---- the probe ---- */

static int minor_of(const json_t *version, const char *key)
{
    const char *s = json_string_value(json_object_get(version, key));
    int major = 0, minor = 0;
    return s && sscanf(s, "%3d.%4d", &major, &minor) == 2 && major == 1 ? minor : -1;
}

/* Podman says what it is where Docker says "Engine". */
static bool is_podman(json_t *version)
{
    size_t i;
    json_t *part;
    json_array_foreach(json_object_get(version, "Components"), i, part) {
        const char *name = json_string_value(json_object_get(part, "Name"));
        if (name && strncmp(name, "Podman", 6) == 0)
            return true;
    }
    return false;
}

static void read_clock(struct engine *e, const struct http_reply *r)
{
    int64_t skew_ns = r->date_s * 1000000000 - clock_wall_ms() * 1000000;
    e->has_clock = r->date_s > 0;
    e->skew_ns = !e->has_clock || llabs(skew_ns) < CLOCK_SLACK_NS ? 0 : skew_ns;
}

static int read_version(struct engine *e, const struct http_reply *r, struct fault *f)
{
    json_t *root = json_loadb(r->body, r->body_len, 0, NULL);
    const char *version = json_string_value(json_object_get(root, "Version"));
    int offered = minor_of(root, "ApiVersion"), least = minor_of(root, "MinAPIVersion"),
        api = API_WANTED;
    int result = 0;
    if (r->status != 200 || offered < 0) {
        result = fault_set(f, FAULT_ENGINE_DOWN, "what answers at %s is no Docker engine",
                           e->context.host);
    } else {
        api = offered < api ? offered : api;
        api = least > api ? least : api;        /* newer engines drop old versions */
        snprintf(e->prefix, sizeof(e->prefix), "/v1.%d", api);
        snprintf(e->version, sizeof(e->version), "%s", version ? version : "");
        e->podman = is_podman(root);
    }
    json_decref(root);
    return result;
}

/* Whether it takes a new connection. */
static int knock(const struct engine *e, struct fault *f)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct fault why = FAULT_NONE;
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || strlen(e->context.socket) >= sizeof(to.sun_path))
        return 0;
    strcpy(to.sun_path, e->context.socket);
    /* A full backlog (EAGAIN) is somebody's, too. */
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN)
        return 0;
    fault_set(&why, errno, "connect");
    return engine_fault_connection(&e->context, &why, f);
}

static void on_probe_done(void *ctx, const struct http_reply *r, const struct fault *f)
{
    struct engine *e = ctx;
    struct fault why = FAULT_NONE;
    e->probe = NULL;
    if (f)
        engine_fault_connection(&e->context, f, &why);
    if (f || read_version(e, r, &why) < 0 || knock(e, &why) < 0) {
        if (why.code == FAULT_TIMEOUT)
            why.code = FAULT_ENGINE_DOWN;
        engine_down(e, &why);
        return;
    }
    e->answered_ms = clock_mono_ms();
    read_clock(e, r);
    if (!e->stream)
        stream_open(e);
    engine_set_state(e, ENGINE_UP, NULL);
}

static void engine_probe(struct engine *e)
{
    static const struct http_events events = {.done = on_probe_done};
    struct http_spec spec = spec_for(e, "GET", "/version");
    if (e->probe)
        return;
    ev_timer_stop(e->loop, &e->retry);
    spec.total_timeout_ms = PROBE_TIMEOUT_MS;
    e->probe = http_send(e->http, &spec, &events, e);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    engine_probe(w->data);
}

static void on_door(void *ctx)
{
    struct engine *e = ctx;
    e->retry_s = FIRST_RETRY_S;
    engine_probe(e);
}

/* ---- requests ---- */

static void request_free(struct engine_request *r)
{
    struct engine_request **at = &r->engine->requests;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    if (r->ops) {
        r->ops->free_state(r->state);
        lines_fini(&r->lines);
    }
    free(r);
}

static void on_request_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct engine_request *r = ctx;
    if (!r->cancelled && !(flags & LINE_OVERSIZE))
        r->ops->line(r->state, p, n);
}

static void on_request_data(void *ctx, const char *p, size_t n)
{
    struct engine_request *r = ctx;
    r->feeding = true;
    lines_feed(&r->lines, p, n, on_request_line, r);
    r->feeding = false;
    if (r->cancelled)
        request_free(r);
}

/* Ends what the stream of lines still holds; false when that cancelled the request. */
static bool request_end_lines(struct engine_request *r, struct fault *f)
{
    r->feeding = true;
    lines_end(&r->lines, on_request_line, r);
    r->feeding = false;
    if (!r->cancelled && r->ops->verdict)
        r->ops->verdict(r->state, f);
    return !r->cancelled;
}

static void on_request_done(void *ctx, const struct http_reply *reply, const struct fault *http)
{
    struct engine_request *r = ctx;
    struct fault f = FAULT_NONE;
    json_t *root = NULL;
    r->http = NULL;
    if (http) {
        engine_fault_connection(&r->engine->context, http, &f);
        if (r->engine->state == ENGINE_UP &&
            (f.code == FAULT_ENGINE_DOWN || f.code == FAULT_TIMEOUT))
            engine_probe(r->engine);
    } else if (reply->status >= 400 || reply->status == 0) {
        engine_fault_status(reply->status, reply->body, reply->body_len, &f);
    } else if (reply->body_len > 0 &&
               !(root = json_loadb(reply->body, reply->body_len, JSON_DISABLE_EOF_CHECK, NULL)) &&
               !r->libpod) {
        fault_set(&f, FAULT_INVALID, "the Docker engine at %s answered something that is no JSON",
                  r->engine->context.host);
    }
    engine_reply_fn fn = r->fn;
    void *fn_ctx = r->ctx;
    bool wanted = !r->ops || request_end_lines(r, &f);
    request_free(r);
    if (wanted)
        fn(fn_ctx, f.code ? NULL : root, f.code ? &f : NULL);
    json_decref(root);
}

static struct engine_request *request_send(struct engine *e, const struct engine_call *call,
                                           struct engine_request *r)
{
    static const struct http_events events = {.data = on_request_data, .done = on_request_done};
    AUTO_FREE char *path = xasprintf("%s%s", call->libpod ? "" : e->prefix, call->path);
    AUTO_FREE char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
    struct http_spec spec = spec_for(e, call->method, path);
    if (body)
        spec.body = body, spec.body_len = strlen(body);
    spec.headers = call->headers;
    spec.stream = r->ops != NULL;
    spec.total_timeout_ms = r->ops ? -1 : call->timeout_ms;
    spec.idle_timeout_ms = r->ops ? call->timeout_ms : 0;
    r->engine = e;
    r->libpod = call->libpod;
    r->next = e->requests;
    e->requests = r;
    r->http = http_send(e->http, &spec, &events, r);
    json_decref(call->body);
    return r;
}

struct engine_request *engine_call(struct engine *e, const struct engine_call *call,
                                   engine_reply_fn fn, void *ctx)
{
    struct engine_request *r = xcalloc(1, sizeof(*r));
    r->fn = fn;
    r->ctx = ctx;
    return request_send(e, call, r);
}

struct engine_request *engine_call_lines(struct engine *e, const struct engine_call *call,
                                         const struct engine_line_ops *ops, void *state,
                                         engine_reply_fn fn, void *ctx)
{
    struct engine_request *r = xcalloc(1, sizeof(*r));
    r->fn = fn;
    r->ctx = ctx;
    r->ops = ops;
    r->state = state;
    lines_init(&r->lines, MAX_LINE, LINES_DISCARD);
    return request_send(e, call, r);
}

void engine_cancel(struct engine_request *r)
{
    if (!r)
        return;
    http_cancel(TAKE(r->http));
    r->cancelled = true;
    if (!r->feeding)
        request_free(r);
}

/* ---- the engine ---- */

void engine_add_path(struct buf *out, const char *before, const char *id, const char *after)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
    buf_add_str(out, before);
    for (const char *p = id; *p; p++) {
        if (strchr(plain, *p))
            buf_add_char(out, *p);
        else
            buf_printf(out, "%%%02X", (unsigned char)*p);
    }
    buf_add_str(out, after);
}

struct engine *engine_new(struct ev_loop *loop, struct http_client *http,
                          const struct docker_context *context, const struct engine_events *events,
                          void *ctx)
{
    struct engine *e = xcalloc(1, sizeof(*e));
    e->loop = loop;
    e->http = http;
    e->context = (struct docker_context){
        .name = xstrdup(context->name), .host = xstrdup(context->host),
        .socket = xstrdup(context->socket), .why = xstrdup(context->why),
    };
    e->events = *events;
    e->ctx = ctx;
    e->state_since_ms = clock_wall_ms();
    e->retry_s = FIRST_RETRY_S;
    events_reader_init(&e->reader, on_event, e);
    e->began_ns = clock_wall_ms() * 1000000;
    ev_timer_init(&e->retry, on_retry, 0., 0.);
    e->retry.data = e;
    e->door = watch_new(loop, e->context.socket, on_door, e, NULL);
    engine_probe(e);
    return e;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    while (e->requests) {
        assert(!e->requests->feeding);
        engine_cancel(e->requests);
    }
    http_cancel(e->probe);
    http_cancel(e->stream);
    watch_free(e->door);
    ev_timer_stop(e->loop, &e->retry);
    events_reader_fini(&e->reader);
    docker_context_fini(&e->context);
    free(e);
}

enum engine_state engine_get_state(const struct engine *e)
{
    return e->state;
}

bool engine_is_podman(const struct engine *e)
{
    return e->podman;
}

const char *engine_get_version(const struct engine *e)
{
    return e->version;
}

const char *engine_get_error(const struct engine *e)
{
    return e->error;
}

int64_t engine_get_state_since_ms(const struct engine *e)
{
    return e->state_since_ms;
}

const struct docker_context *engine_get_context(const struct engine *e)
{
    return &e->context;
}

struct http_client *engine_get_http(const struct engine *e)
{
    return e->http;
}

const char *engine_get_prefix(const struct engine *e)
{
    return e->prefix;
}

void engine_retry_now(struct engine *e)
{
    e->retry_s = FIRST_RETRY_S;
    if (e->state != ENGINE_UP)
        engine_probe(e);
}

int engine_look(struct engine *e, struct fault *f)
{
    if (knock(e, f) == 0)
        return 0;
    engine_probe(e);
    return -1;
}

void engine_check(struct engine *e)
{
    engine_probe(e);
}

int64_t engine_get_answered_ms(const struct engine *e)
{
    return e->answered_ms;
}
