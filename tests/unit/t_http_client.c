/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_client against a small server on a unix socket and on TCP: methods, reuse, every kind of
 * failure, streams, cancels. */
#include "io/http_client.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "loop.h"
#include "peer.h"
#include "tap.h"

static struct ev_loop *loop;
static struct http_client *client;
static char dir[] = "/tmp/t_http.XXXXXX";
static char *sock;

struct seen {
    int done, pieces;
    long status;
    struct buf body, streamed;
    struct fault fault;
    struct http_request *request;
    bool cancel_in_data, free_client_in_done;
    struct seen *cancel_in_done;
};

static void on_data(void *ctx, const char *p, size_t n)
{
    struct seen *s = ctx;
    s->pieces++;
    buf_add(&s->streamed, p, n);
    if (s->cancel_in_data)
        http_cancel(s->request);
}

static void on_done(void *ctx, const struct http_reply *r, const struct fault *f)
{
    struct seen *s = ctx;
    s->done++;
    s->status = r->status;
    s->fault = f ? *f : FAULT_NONE;
    buf_add(&s->body, r->body, r->body_len);
    if (s->cancel_in_done)
        http_cancel(TAKE(s->cancel_in_done->request));
    if (s->free_client_in_done)
        http_client_free(TAKE(client));
}

static const struct http_events events = {.data = on_data, .done = on_done};

static struct http_spec spec_for(const char *path)
{
    return (struct http_spec){.peer = {.unix_socket = sock, .host = "localhost"},
                              .method = "GET",
                              .path = path,
                              .connect_timeout_ms = 1000,
                              .total_timeout_ms = 3000};
}

static void send_spec(struct seen *s, const struct http_spec *spec)
{
    s->request = http_send(client, spec, &events, s);
    if (s->done)
        ok(false, "no event before http_send returned");
}

static void run_spec(struct seen *s, const struct http_spec *spec)
{
    send_spec(s, spec);
    if (!run_until(loop, s->done, 5.))
        ok(false, "%s ended", spec->path);
}

static void run_path(struct seen *s, const char *path)
{
    struct http_spec spec = spec_for(path);
    run_spec(s, &spec);
}

static void seen_fini(struct seen *s)
{
    buf_fini(&s->body);
    buf_fini(&s->streamed);
    *s = (struct seen){0};
}

static void test_requests(const char *name)
{
    struct seen s = {0};
    static const char *const headers[] = {"Content-Type: text/plain", "X-Other: y", NULL};
    struct http_spec spec = spec_for("/echo?q=1");
    run_spec(&s, &spec);
    is_int(s.status, 200, "%s: a GET", name);
    is_str(buf_str(&s.body), "GET|/echo?q=1|||", "with its query, no type, no body");
    seen_fini(&s);

    char *body = xstrdup("{\"a\":1}");
    spec.method = "POST", spec.body = body, spec.body_len = 7;
    send_spec(&s, &spec);
    memset(body, 'x', 7);
    free(body);
    run_until(loop, s.done, 3.);
    is_str(buf_str(&s.body), "POST|/echo?q=1|application/json||{\"a\":1}",
           "a POST; its body was copied");
    seen_fini(&s);

    spec.method = "PATCH", spec.body = "text", spec.body_len = 4, spec.headers = headers;
    run_spec(&s, &spec);
    is_str(buf_str(&s.body), "PATCH|/echo?q=1|text/plain||text", "a PATCH with its own type");
    seen_fini(&s);

    spec = spec_for("/echo");
    spec.method = "DELETE";
    run_spec(&s, &spec);
    is_str(buf_str(&s.body), "DELETE|/echo|||", "a DELETE");
    seen_fini(&s);

    spec.method = "POST";
    run_spec(&s, &spec);
    ok(s.status == 200 && !strncmp(buf_str(&s.body), "POST|/echo|", 11), "a POST without a body");
    seen_fini(&s);
}

static void test_reuse(void)
{
    struct seen a = {0}, b = {0};
    run_path(&a, "/conn");
    run_path(&b, "/conn");
    is_str(buf_str(&b.body), buf_str(&a.body), "a connection is used again");
    seen_fini(&a);
    seen_fini(&b);
}

static void expect_fault(const char *path, int code, const char *word)
{
    struct seen s = {0};
    run_path(&s, path);
    is_int(s.fault.code, code, "%s: the code", path);
    if (!ok(strstr(s.fault.text, word) && strstr(s.fault.text, path),
            "the text names path and cause"))
        printf("# got %s\n", s.fault.text);
    seen_fini(&s);
}

static void test_failures(void)
{
    struct seen s = {0};
    run_path(&s, "/gone");
    is_int(s.status, 404, "an error status");
    is_int(s.fault.code, 0, "is a reply, no fault");
    is_str(buf_str(&s.body), "{\"message\":\"no such thing\"}", "with its body");
    seen_fini(&s);
    expect_fault("/cut", ECONNRESET, "ended before");
    expect_fault("/none", ECONNRESET, "ended before");
    expect_fault("/rubbish", FAULT_INVALID, ":");
    struct http_spec spec = spec_for("/big");
    spec.max_body = 100000;
    run_spec(&s, &spec);
    is_int(s.fault.code, FAULT_TOO_BIG, "a body over its cap");
    seen_fini(&s);
    run_path(&s, "/big");
    is_int(s.body.len, 1048576, "a body under it");
    seen_fini(&s);
}

static void test_timeouts(void)
{
    struct seen s = {0};
    struct http_spec spec = spec_for("/silent");
    spec.total_timeout_ms = 150;
    int64_t from = clock_mono_ms();
    run_spec(&s, &spec);
    int64_t took = clock_mono_ms() - from;
    is_int(s.fault.code, FAULT_TIMEOUT, "a total time-out");
    ok(took >= 140 && took < 1500, "under a second works (%lld ms)", (long long)took);
    seen_fini(&s);

    spec = spec_for("/stall");
    spec.stream = true, spec.idle_timeout_ms = 200, spec.total_timeout_ms = -1;
    from = clock_mono_ms();
    run_spec(&s, &spec);
    took = clock_mono_ms() - from;
    is_int(s.fault.code, FAULT_TIMEOUT, "an idle time-out");
    is_str(buf_str(&s.streamed), "onetwo", "after what came");
    ok(took >= 250 && took < 1900, "counted from the last byte (%lld ms)", (long long)took);
    seen_fini(&s);
}

static void test_stream(void)
{
    struct seen s = {0};
    struct http_spec spec = spec_for("/stream");
    spec.stream = true, spec.total_timeout_ms = -1;
    run_spec(&s, &spec);
    is_int(s.fault.code, 0, "a streamed reply ends well");
    is_str(buf_str(&s.streamed), "onetwothree", "all of it");
    is_int(s.pieces, 3, "as it came");
    is_int(s.body.len, 0, "nothing collected");
    seen_fini(&s);

    spec.path = "/gone";
    run_spec(&s, &spec);
    is_str(buf_str(&s.body), "{\"message\":\"no such thing\"}",
           "an error body is collected even so");
    seen_fini(&s);
}

static void test_cancel(void)
{
    struct seen a = {0}, b = {0};
    struct http_spec spec = spec_for("/stream");
    spec.stream = true;
    a.cancel_in_data = true;
    send_spec(&a, &spec);
    run_for(loop, 0.3);
    is_int(a.pieces, 1, "cancelled in data: no more data");
    is_int(a.done, 0, "and no end");
    seen_fini(&a);

    spec = spec_for("/conn");
    send_spec(&a, &spec);
    http_cancel(a.request);
    run_for(loop, 0.1);
    is_int(a.done, 0, "cancelled before it began");
    seen_fini(&a);

    struct http_spec silent = spec_for("/silent");
    send_spec(&b, &silent);
    a.cancel_in_done = &b;
    run_spec(&a, &spec);
    run_for(loop, 0.1);
    is_int(b.done, 0, "cancelled from another's done");
    http_cancel(NULL);
    seen_fini(&a);
    seen_fini(&b);
}

static void test_no_peer(void)
{
    struct seen s = {0};
    AUTO_FREE char *path = xasprintf("%s/none", dir);
    struct http_spec spec = spec_for("/info");
    spec.peer.unix_socket = path;
    run_spec(&s, &spec);
    is_int(s.fault.code, ENOENT, "no socket file: %s", s.fault.text);
    seen_fini(&s);

    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    ok(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0, "a socket nobody listens on");
    run_spec(&s, &spec);
    is_int(s.fault.code, ECONNREFUSED, "refuses: %s", s.fault.text);
    seen_fini(&s);
    close(fd);

    if (geteuid() != 0) {
        chmod(path, 0);
        run_spec(&s, &spec);
        is_int(s.fault.code, EACCES, "no permission");
        seen_fini(&s);
    }
    unlink(path);

    spec.peer = (struct http_peer){.host = "127.0.0.1:1"};
    run_spec(&s, &spec);
    is_int(s.fault.code, ECONNREFUSED, "TCP refused: %s", s.fault.text);
    seen_fini(&s);
}

static void test_many(void)
{
    enum { MANY = 100 };
    static struct seen s[MANY];
    int good = 0;
    struct http_spec spec = spec_for("/echo");
    for (int i = 0; i < MANY; i++)
        send_spec(&s[i], &spec);
    for (int i = 0; i < MANY; i++) {
        run_until(loop, s[i].done, 5.);
        good += s[i].status == 200 && s[i].done == 1;
        seen_fini(&s[i]);
    }
    is_int(good, MANY, "%d at once", MANY);
}

static void test_free_inside(void)
{
    struct seen a = {.free_client_in_done = true}, b = {0};
    struct http_spec silent = spec_for("/silent");
    send_spec(&b, &silent);
    run_path(&a, "/conn");
    ok(client == NULL, "the client is freed in a done");
    run_for(loop, 0.05);
    is_int(b.done, 0, "others end without events");
    seen_fini(&a);
    seen_fini(&b);
    client = http_client_new(loop);
    struct http_spec spec = spec_for("/stall");
    spec.stream = true, spec.idle_timeout_ms = 100;
    a.free_client_in_done = true;
    run_spec(&a, &spec);
    ok(client == NULL, "also in one that an idle time-out told");
    seen_fini(&a);
    client = http_client_new(loop);
}

int main(void)
{
    struct peer unix_peer, tcp_peer;
    char host[32];
    tap_deadline(40);
    signal(SIGPIPE, SIG_IGN);
    setenv("http_proxy", "http://127.0.0.1:1", 1);      /* must play no part */
    if (!mkdtemp(dir))
        return 1;
    char *path = xasprintf("%s/s", dir);
    loop = ev_loop_new(EVFLAG_NOENV);
    client = http_client_new(loop);
    peer_start(&unix_peer, path);
    peer_start(&tcp_peer, NULL);
    sock = path;
    test_requests("unix");
    test_reuse();
    test_failures();
    test_timeouts();
    test_stream();
    test_cancel();
    test_no_peer();
    test_many();
    test_free_inside();
    sock = NULL;
    snprintf(host, sizeof(host), "127.0.0.1:%d", tcp_peer.port);
    struct seen s = {0};
    struct http_spec spec = spec_for("/echo");
    spec.peer = (struct http_peer){.host = host};
    run_spec(&s, &spec);
    is_str(buf_str(&s.body), "GET|/echo|||", "TCP, in spite of http_proxy");
    seen_fini(&s);
    http_client_free(client);
    http_client_free(NULL);
    peer_stop(&unix_peer);
    peer_stop(&tcp_peer);
    rmdir(dir);
    free(path);
    ev_loop_destroy(loop);
    return done_testing();
}
