/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests through libcurl's multi interface, driven by libev: one ev_io per socket that libcurl
 * watches, one ev_timer for its timeout, and one ("kick") for what must not happen inside libcurl:
 * adding new requests and removing cancelled ones. libcurl forbids both from its callbacks, and
 * `data` events are such callbacks; so both always go through the kick.
 *
 * It knows HTTP as libcurl does; what a status or a body means is its callers' matter. */
#include "io/http_client.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"

enum {
    DEFAULT_CONNECT_MS = 5000,
    DEFAULT_TOTAL_MS = 30000,
    DEFAULT_MAX_BODY = 16 * 1024 * 1024,
    KEPT_CONNECTIONS = 4,
};

struct http_client {
    struct ev_loop *loop;
    CURLM *multi;
    ev_timer timer;             /* libcurl's own */
    ev_timer kick;
    struct http_request *requests;
    bool in_curl;
    bool telling, dying;        /* freed from a `done`: the rest follows when the telling ends */
};

struct http_request {
    struct http_client *client;
    struct http_request *next;
    CURL *easy;
    struct curl_slist *headers;
    struct http_events events;
    http_connected_fn connected;    /* instead of events: http_connect */
    void *ctx;
    /* "GET /info at /var/run/docker.sock": for faults, without the query */
    char *what;
    struct buf body;
    size_t max_body;
    int64_t total_ms, connect_ms, date_s;
    ev_timer idle;              /* repeat 0 = none */
    bool stream, added, cancelled, too_big, idled;
};

/* One watcher per socket that libcurl wants watched. */
struct sock {
    ev_io io;
    struct http_client *client;
};

static unsigned clients;        /* libcurl's global state lives as long as one of them */

/* ---- ends of requests ---- */

static void request_unlink(struct http_request *r)
{
    struct http_request **at = &r->client->requests;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
}

/* Takes it out of libcurl. Not from inside libcurl. */
static void request_detach(struct http_request *r)
{
    ev_timer_stop(r->client->loop, &r->idle);
    if (r->added)
        curl_multi_remove_handle(r->client->multi, r->easy);
    request_unlink(r);
}

static void request_free(struct http_request *r)
{
    curl_easy_cleanup(r->easy);
    curl_slist_free_all(r->headers);
    buf_fini(&r->body);
    free(r->what);
    free(r);
}

static int fault_from_curl(struct http_request *r, CURLcode code, struct fault *f)
{
    long os_errno = 0;
    long sent = 0;
    curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(r->easy, CURLINFO_REQUEST_SIZE, &sent);
    if (r->too_big)
        return fault_set(f, FAULT_TOO_BIG, "%s: the reply is longer than %zu bytes", r->what,
                         r->max_body);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        if (sent == 0)
            return fault_set(f, FAULT_TIMEOUT, "%s: no connection within %lld ms", r->what,
                             (long long)r->connect_ms);
        return fault_set(f, FAULT_TIMEOUT, "%s: no complete answer within %lld ms", r->what,
                         (long long)r->total_ms);
    case CURLE_COULDNT_CONNECT:
        return fault_set(f, os_errno ? (int)os_errno : ECONNREFUSED, "%s: cannot connect", r->what);
    case CURLE_COULDNT_RESOLVE_HOST:
        return fault_set(f, EHOSTUNREACH, "%s: no such host", r->what);
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return fault_set(f, ECONNRESET, "%s: the connection ended before the answer did", r->what);
    default:
        return fault_set(f, FAULT_INVALID, "%s: %s", r->what, curl_easy_strerror(code));
    }
}

static void tell_connected(struct http_request *r, CURLcode code)
{
    struct fault f = FAULT_NONE;
    curl_socket_t sock = CURL_SOCKET_BAD;
    int fd = -1;
    if (code != CURLE_OK)
        fault_from_curl(r, code, &f);
    else if (curl_easy_getinfo(r->easy, CURLINFO_ACTIVESOCKET, &sock) != CURLE_OK ||
             sock == CURL_SOCKET_BAD)
        fault_set(&f, ECONNRESET, "%s: the connection was lost", r->what);
    /* A copy, so that libcurl's handle and its buffers need not live as long as the connection. */
    else if ((fd = fcntl(sock, F_DUPFD_CLOEXEC, 0)) < 0)
        fault_set(&f, errno, "%s", r->what);
    request_detach(r);
    r->connected(r->ctx, fd, fd < 0 ? &f : NULL);
}

static void tell_done(struct http_request *r, CURLcode code)
{
    struct fault f = FAULT_NONE;
    struct http_reply reply = {
        .body = buf_str(&r->body), .body_len = r->body.len, .date_s = r->date_s,
    };
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &reply.status);
    if (r->idled)
        fault_set(&f, FAULT_TIMEOUT, "%s: nothing came for %.1f s", r->what, r->idle.repeat);
    else if (code != CURLE_OK)
        fault_from_curl(r, code, &f);
    request_detach(r);
    r->events.done(r->ctx, &reply, f.code ? &f : NULL);
}

static void request_finish(struct http_request *r, CURLcode code)
{
    if (r->cancelled)
        request_detach(r);
    else if (r->connected)
        tell_connected(r, code);
    else
        tell_done(r, code);
    request_free(r);
}

/* ---- driving libcurl ---- */

static void client_destroy(struct http_client *h)
{
    curl_multi_cleanup(h->multi);       /* closes kept connections through on_curl_socket */
    ev_timer_stop(h->loop, &h->timer);
    free(h);
    if (--clients == 0)
        curl_global_cleanup();
}

/* Around whatever tells a `done`, which may free the client. */
static void client_enter(struct http_client *h)
{
    h->telling = true;
}

static void client_leave(struct http_client *h)
{
    h->telling = false;
    if (h->dying)
        client_destroy(h);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct http_request *r = w->data;
    struct http_client *h = r->client;
    (void)revents;
    ev_timer_stop(loop, w);
    r->idled = true;
    client_enter(h);
    request_finish(r, CURLE_OK);
    client_leave(h);
}

/* Tells the ends that libcurl reports. A `done` may send, cancel, or free the client. */
static void client_collect(struct http_client *h)
{
    CURLMsg *m;
    int left;
    client_enter(h);
    while (!h->dying && (m = curl_multi_info_read(h->multi, &left))) {
        struct http_request *r = NULL;
        CURLcode code = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&r);
        request_finish(r, code);
    }
    client_leave(h);
}

static void client_drive(struct http_client *h, curl_socket_t fd, int mask)
{
    int running;
    h->in_curl = true;
    curl_multi_socket_action(h->multi, fd, mask, &running);
    h->in_curl = false;
    client_collect(h);
}

static void on_socket(struct ev_loop *loop, ev_io *w, int revents)
{
    struct sock *s = w->data;
    (void)loop;
    int mask =
        (revents & EV_READ ? CURL_CSELECT_IN : 0) | (revents & EV_WRITE ? CURL_CSELECT_OUT : 0);
    client_drive(s->client, w->fd, mask);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    client_drive(w->data, CURL_SOCKET_TIMEOUT, 0);
}

static void on_kick(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct http_client *h = w->data;
    struct http_request *next;
    (void)loop, (void)revents;
    for (struct http_request *r = h->requests; r; r = next) {
        next = r->next;
        if (r->cancelled) {
            request_detach(r);
            request_free(r);
        } else if (!r->added) {
            r->added = true;
            curl_multi_add_handle(h->multi, r->easy);
        }
    }
}

static void client_kick(struct http_client *h)
{
    if (!ev_is_active(&h->kick))
        ev_timer_start(h->loop, &h->kick);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct http_client *h = ctx;
    struct sock *s = assigned;
    (void)easy;
    if (s)
        ev_io_stop(h->loop, &s->io);
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(h->multi, fd, NULL);
        free(s);
        return 0;
    }
    if (!s) {
        s = xcalloc(1, sizeof(*s));
        s->client = h;
        curl_multi_assign(h->multi, fd, s);
    }
    ev_io_init(&s->io, on_socket, fd,
               (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
    s->io.data = s;
    ev_io_start(h->loop, &s->io);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http_client *h = ctx;
    (void)multi;
    ev_timer_stop(h->loop, &h->timer);
    if (timeout_ms < 0)
        return 0;
    ev_timer_set(&h->timer, (ev_tstamp)timeout_ms / 1000., 0.);
    ev_timer_start(h->loop, &h->timer);
    return 0;
}

static size_t on_curl_body(char *p, size_t size, size_t count, void *ctx)
{
    struct http_request *r = ctx;
    size_t n = size * count;
    long status = 0;
    if (r->cancelled)
        return CURL_WRITEFUNC_ERROR;
    if (r->idle.repeat > 0)
        ev_timer_again(r->client->loop, &r->idle);
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    if (r->stream && status >= 200 && status < 300) {
        r->events.data(r->ctx, p, n);
        return r->cancelled ? CURL_WRITEFUNC_ERROR : n;
    }
    if (n > r->max_body - r->body.len) {
        r->too_big = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_add(&r->body, p, n);
    return n;
}

/* One line, not terminated. */
static size_t on_curl_header(char *p, size_t size, size_t count, void *ctx)
{
    static const char name[] = "Date:";
    struct http_request *r = ctx;
    size_t n = size * count;
    char text[64] = "";
    if (n < sizeof name - 1 + sizeof text && n >= sizeof name - 1 &&
        strncasecmp(p, name, sizeof name - 1) == 0) {
        memcpy(text, p + sizeof name - 1, n - (sizeof name - 1));
        time_t date = curl_getdate(text, NULL);
        r->date_s = date > 0 ? date : 0;
    }
    return n;
}

/* ---- making requests ---- */

static bool has_header(const char *const *headers, const char *name)
{
    size_t n = strlen(name);
    for (; headers && *headers; headers++)
        if (!strncasecmp(*headers, name, n) && (*headers)[n] == ':')
            return true;
    return false;
}

static void set_headers(struct http_request *r, const struct http_spec *spec)
{
    for (const char *const *p = spec->headers; p && *p; p++)
        r->headers = curl_slist_append(r->headers, *p);
    if (spec->body && !has_header(spec->headers, "Content-Type"))
        r->headers = curl_slist_append(r->headers, "Content-Type: application/json");
    if (!has_header(spec->headers, "Expect"))
        r->headers = curl_slist_append(r->headers, "Expect:");     /* no wait for 100 Continue */
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
}

static void set_method(struct http_request *r, const struct http_spec *spec)
{
    if (!strcmp(spec->method, "HEAD")) {
        curl_easy_setopt(r->easy, CURLOPT_NOBODY, 1L);
    } else if (spec->body || !strcmp(spec->method, "POST")) {
        curl_easy_setopt(r->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_len);
        curl_easy_setopt(r->easy, CURLOPT_COPYPOSTFIELDS, spec->body ? spec->body : "");
        curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, spec->method);
    } else {
        curl_easy_setopt(r->easy, CURLOPT_CUSTOMREQUEST, spec->method);
    }
}

static void set_url(struct http_request *r, const struct http_spec *spec)
{
    AUTO_FREE char *url = xasprintf("http://%s%s", spec->peer.host, spec->path);
    curl_easy_setopt(r->easy, CURLOPT_URL, url);
    curl_easy_setopt(r->easy, CURLOPT_PATH_AS_IS, 1L);
    if (spec->peer.unix_socket)
        curl_easy_setopt(r->easy, CURLOPT_UNIX_SOCKET_PATH, spec->peer.unix_socket);
    r->what = xasprintf("%s %.*s at %s", spec->method, (int)strcspn(spec->path, "?"), spec->path,
                        spec->peer.unix_socket ? spec->peer.unix_socket : spec->peer.host);
}

static void set_limits(struct http_request *r, const struct http_spec *spec)
{
    r->connect_ms = spec->connect_timeout_ms ? spec->connect_timeout_ms : DEFAULT_CONNECT_MS;
    r->total_ms = spec->total_timeout_ms ? spec->total_timeout_ms : DEFAULT_TOTAL_MS;
    r->max_body = spec->max_body ? spec->max_body : DEFAULT_MAX_BODY;
    if (r->total_ms > 0 && r->total_ms < r->connect_ms)
        r->connect_ms = r->total_ms;
    curl_easy_setopt(r->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    if (r->total_ms > 0)
        curl_easy_setopt(r->easy, CURLOPT_TIMEOUT_MS, (long)r->total_ms);
    ev_timer_init(&r->idle, on_idle, 0., (double)spec->idle_timeout_ms / 1000.);
    r->idle.data = r;
    if (r->idle.repeat > 0)
        ev_timer_again(r->client->loop, &r->idle);
}

/* What the user's environment could bring in (proxies, netrc) is switched off. */
static void set_fixed(struct http_request *r)
{
    curl_easy_setopt(r->easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(r->easy, CURLOPT_WRITEFUNCTION, on_curl_body);
    curl_easy_setopt(r->easy, CURLOPT_WRITEDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(r->easy, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(r->easy, CURLOPT_NOPROGRESS, 1L);
    curl_easy_setopt(r->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(r->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(r->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(r->easy, CURLOPT_USERAGENT, "mcptop");
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS_STR, "http");
#else
    curl_easy_setopt(r->easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTP);
#endif
}

static struct http_request *request_new(struct http_client *h, const struct http_spec *spec,
                                        void *ctx)
{
    struct http_request *r = xcalloc(1, sizeof(*r));
    r->client = h;
    r->ctx = ctx;
    r->stream = spec->stream;
    r->easy = curl_easy_init();
    if (!r->easy)
        abort();                /* out of memory */
    set_fixed(r);
    set_url(r, spec);
    set_limits(r, spec);
    r->next = h->requests;
    h->requests = r;
    client_kick(h);
    return r;
}

struct http_request *http_send(struct http_client *h, const struct http_spec *spec,
                               const struct http_events *events, void *ctx)
{
    assert(events->done && (events->data || !spec->stream));
    struct http_request *r = request_new(h, spec, ctx);
    r->events = *events;
    set_method(r, spec);
    set_headers(r, spec);
    return r;
}

struct http_request *http_connect(struct http_client *h, const struct http_spec *spec,
                                  http_connected_fn connected, void *ctx)
{
    struct http_request *r = request_new(h, spec, ctx);
    r->connected = connected;
    curl_easy_setopt(r->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(r->easy, CURLOPT_FRESH_CONNECT, 1L);
    return r;
}

void http_cancel(struct http_request *r)
{
    if (!r)
        return;
    ev_timer_stop(r->client->loop, &r->idle);
    r->cancelled = true;
    client_kick(r->client);
}

struct http_client *http_client_new(struct ev_loop *loop)
{
    struct http_client *h = xcalloc(1, sizeof(*h));
    if (clients++ == 0)
        curl_global_init(CURL_GLOBAL_NOTHING);
    h->loop = loop;
    h->multi = curl_multi_init();
    if (!h->multi)
        abort();
    ev_timer_init(&h->timer, on_timer, 0., 0.);
    h->timer.data = h;
    ev_timer_init(&h->kick, on_kick, 0., 0.);
    h->kick.data = h;
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    return h;
}

struct ev_loop *http_client_get_loop(const struct http_client *h)
{
    return h->loop;
}

void http_client_free(struct http_client *h)
{
    if (!h)
        return;
    assert(!h->in_curl);
    while (h->requests) {
        struct http_request *r = h->requests;
        request_detach(r);
        request_free(r);
    }
    ev_timer_stop(h->loop, &h->kick);
    h->dying = true;
    if (!h->telling)
        client_destroy(h);
}
