/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine against a scripted one: absent, refusing, silent, foreign, coming and going; event streams
 * that end; statuses as faults; attach and pull with bad ends. A real engine's turn is
 * tests/integration/t_engine.py. */
#include "docker/engine.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "docker/engine_internal.h"
#include "loop.h"
#include "peer.h"
#include "tap.h"

static struct ev_loop *loop;
static struct http_client *http;
static struct docker_context context;
static struct engine *engine;

/* What the script answers; read by the peer's threads. */
static volatile int script_least = 12, script_version_status = 200;
static volatile int script_streams, script_stream_ends, script_silent_version;   /* ends: how many streams do */
static volatile bool script_set_back;
static volatile int script_lag_s;       /* of the engine's clock */
static char script_since[200], script_path[512];

static enum engine_state state;
static int state_changes, downs;
static char why_text[800];
static struct buf told;

static void on_state(void *ctx, enum engine_state s, const struct fault *why)
{
    (void)ctx;
    state = s;
    state_changes++;
    downs += s == ENGINE_DOWN;
    snprintf(why_text, sizeof(why_text), "%s", why ? why->text : "");
}

static void on_event(void *ctx, const struct engine_event *e)
{
    (void)ctx;
    buf_printf(&told, "%s:%s;", e->action, e->id);
}

static const struct engine_events events = {.state = on_state, .event = on_event};

/* ---- the script ---- */

static void say_chunk(int fd, const char *text)
{
    char out[2048];
    snprintf(out, sizeof(out), "%zx\r\n%s\r\n", strlen(text), text);
    peer_say(fd, out);
}

static int say_events(int fd, const char *path)
{
    char line[300];
    long long now = ((long long)clock_wall_ms() - script_lag_s * 1000LL) * 1000000;
    int number = ++script_streams;
    snprintf(script_since, sizeof(script_since), "%s",
             strstr(path, "since=") ? strstr(path, "since=") : "");
    peer_say(
        fd,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    static long long first;
    if (number == 1)
        first = now;
    /* Every stream repeats the first event, as an engine does for `since`. */
    snprintf(
        line, sizeof(line),
        "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"a\"},\"timeNano\":%lld}\n",
        first);
    say_chunk(fd, line);
    if (number > 1) {
        snprintf(
            line, sizeof(line),
            "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"%d\"},\"timeNano\":%lld}\n",
            number, script_set_back ? now : first + number);
        say_chunk(fd, line);
    }
    if (number <= script_stream_ends)
        peer_say(fd, "0\r\n\r\n");
    else
        while (recv(fd, line, sizeof(line), 0) > 0)
            ;
    return 0;
}

static int say_pull(int fd, const char *path)
{
    peer_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    say_chunk(
        fd,
        "{\"status\":\"Pulling fs layer\",\"id\":\"a\"}\n{\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"tot");
    say_chunk(fd, "al\":2},\"id\":\"a\"}\n{\"status\":\"Pull complete\",\"id\":\"a\"}\n");
    if (strstr(path, "missing"))
        say_chunk(
            fd,
            "{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}");
    if (strstr(path, "cut"))
        return 0;
    peer_say(fd, "0\r\n\r\n");
    return 1;
}

static int script(const struct peer_conn *c, const char *method, const char *path,
                  const char *request)
{
    char text[300];
    int fd = c->fd;
    (void)request;
    if (!strcmp(path, "/version")) {
        if (script_silent_version)
            sleep(2);
        snprintf(text, sizeof(text),
                 "{\"Version\":\"99.1\",\"ApiVersion\":\"1.52\",\"MinAPIVersion\":\"1.%d\","
                 "\"Components\":[{\"Name\":\"Podman Engine\",\"Version\":\"99.1\"}]}",
                 script_least);
        char status[100], date[40];
        time_t clock = time(NULL) - script_lag_s;
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&clock));
        snprintf(status, sizeof(status), "%s\r\ndate: %s",
                 script_version_status == 200 ? "200 OK" : "404 Not Found", date);
        peer_reply(fd, status, text);
        return 1;
    }
    snprintf(script_path, sizeof(script_path), "%s", path);
    if (strstr(path, "/events"))
        return say_events(fd, path);
    if (strstr(path, "/images/create"))
        return say_pull(fd, path);
    if (strstr(path, "/running/start"))
        peer_say(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
    else if (strstr(path, "/busy"))
        peer_reply(fd, "409 Conflict", "{\"message\":\"it is busy\"}");
    else if (strstr(path, "/broken"))
        peer_reply(fd, "500 Internal Server Error", "<html>");
    else if (strstr(path, "/private"))
        peer_reply(fd, "403 Forbidden", "{\"message\":\"not yours\"}");
    else if (strstr(path, "/nojson"))
        peer_reply(fd, "200 OK", "hello");
    else if (strstr(path, "/good/attach"))
        peer_say(fd, "HTTP/1.1 101 UPGRADED\r\n\r\n"),
            send(fd, "\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x03two", 22, MSG_NOSIGNAL);
    else if (strstr(path, "/half/attach"))
        peer_say(fd, "HTTP/1.1 101 UPGRADED\r\n\r\n"),
            send(fd, "\x01\0\0\0\0\0\0\x09one", 11, MSG_NOSIGNAL);
    else if (strstr(path, "/tty/attach"))
        peer_say(fd, "HTTP/1.1 101 UPGRADED\r\n\r\n$ prompt of a shell");
    else if (!strcmp(method, "HEAD"))
        peer_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    else if (strstr(path, "/gone"))
        return 0;
    else if (!strcmp(method, "DELETE") || strstr(path, "/start"))
        peer_say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    else
        peer_reply(fd, "200 OK", "{\"Id\":\"x\"}");
    return strstr(path, "/attach") == NULL;
}

/* ---- calls ---- */

struct reply {
    int count, progressed;
    bool has_root, cancel, free_engine;
    struct fault fault;
    struct engine_request *request;
};

static void on_reply(void *ctx, json_t *root, const struct fault *f)
{
    struct reply *r = ctx;
    r->count++;
    r->has_root = root != NULL;
    r->fault = f ? *f : FAULT_NONE;
    if (r->free_engine)
        engine_free(TAKE(engine));
}

static void expect(struct reply *r, int code, const char *word, const char *what)
{
    ok(run_until(loop, r->count, 5.), "%s: answered", what);
    is_int(r->fault.code, code, "%s: the code", what);
    ok(strstr(r->fault.text, word) != NULL, "%s: \"%s\"", what, r->fault.text);
}

static void test_absent(void)
{
    struct peer peer;
    struct reply r = {0};
    engine = engine_new(loop, http, &context, &events, NULL);
    is_int(engine_get_state(engine), ENGINE_UNKNOWN, "unknown at first");
    engine_start(engine, "x", on_reply, &r);
    expect(&r, FAULT_ENGINE_DOWN, "no Docker engine at unix:///", "a call without an engine");
    ok(run_until(loop, state == ENGINE_DOWN, 5.), "down");
    ok(strstr(why_text, "start Docker or set DOCKER_HOST") != NULL, "says what to do: %s",
       why_text);
    is_str(engine_get_error(engine), why_text, "and keeps it");
    int changes = state_changes;
    run_for(loop, 0.8);
    is_int(state_changes, changes, "the same reason is told once");

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", context.socket);
    ok(bind(fd, (struct sockaddr *)&un, sizeof(un)) == 0, "a dead socket");
    engine_retry_now(engine);
    ok(run_until(loop, strstr(why_text, "refuses connections") != NULL, 5.),
       "another reason is told: %s", why_text);
    close(fd);
    unlink(context.socket);

    script_version_status = 404;
    peer_start(&peer, context.socket);
    engine_retry_now(engine);
    ok(run_until(loop, strstr(why_text, "no Docker engine") && strstr(why_text, "what answers"),
                 5.),
       "%s", why_text);
    script_version_status = 200;
    int64_t from = clock_mono_ms();
    ok(run_until(loop, state == ENGINE_UP, 5.), "it is found by itself");
    ok(clock_mono_ms() - from < 3000, "soon");
    is_str(engine_get_version(engine), "99.1", "its version");
    ok(engine_is_podman(engine), "and whose it is");
    is_str(engine_get_prefix(engine), "/v1.41", "we speak 1.41");
    peer_stop(&peer);
    engine_free(engine);
    run_for(loop, 0.05);
}

static void test_streams(void)
{
    script_streams = 0, script_stream_ends = 3, downs = 0;
    script_least = 44;
    buf_clear(&told);
    engine = engine_new(loop, http, &context, &events, NULL);
    ok(run_until(loop, script_streams == 3, 8.), "a stream that ends is opened again");
    run_until(loop, script_streams == 4, 8.);
    run_until(loop, strstr(buf_str(&told), "die:4;") != NULL, 8.);
    run_for(loop, 0.1);
    is_int(downs, 0, "the engine was never down");
    is_str(buf_str(&told), "start:a;die:2;die:3;die:4;", "no event is told twice, none is lost");
    is_str(engine_get_prefix(engine), "/v1.44",
           "an engine that dropped 1.41 gets its oldest version");
    ok(strstr(script_since, "since=1") != NULL, "resumed: %.40s", script_since);
    script_least = 12;
}

/* An engine in a virtual machine, whose clock is late; or is set back while it runs. */
static void test_clocks(void)
{
    script_streams = 0, script_stream_ends = 1, script_lag_s = 3600;
    buf_clear(&told);
    struct engine *late = engine_new(loop, http, &context, &events, NULL);
    ok(run_until(loop, strstr(buf_str(&told), "die:2;"), 10.),
       "an engine whose clock is an hour late");
    is_str(buf_str(&told), "start:a;die:2;", "its events are told, once");
    engine_free(late);

    script_streams = 0, script_lag_s = 0;
    buf_clear(&told);
    struct engine *back = engine_new(loop, http, &context, &events, NULL);
    ok(run_until(loop, strstr(buf_str(&told), "start:a;"), 10.), "an engine with the right time");
    script_set_back = true, script_lag_s = 3600;
    ok(run_until(loop, strstr(buf_str(&told), "die:2;"), 10.),
       "events after its clock was set back: %s", buf_str(&told));
    long long since = atoll(script_since + strlen("since="));
    ok(llabs(since + script_lag_s - clock_wall_ms() / 1000) < 30, "asked for by its clock: %.30s",
       script_since);
    engine_free(back);
    script_set_back = false, script_lag_s = 0;
    run_for(loop, 0.05);
}

static void test_calls(void)
{
    struct reply r = {0};
    engine_start(engine, "x", on_reply, &r);
    expect(&r, 0, "", "204");
    ok(!r.has_root, "no document");
    r = (struct reply){0};
    engine_start(engine, "running", on_reply, &r);
    expect(&r, 0, "", "304");
    r = (struct reply){0};
    engine_inspect(engine, "busy", on_reply, &r);
    expect(&r, FAULT_CONFLICT, "it is busy", "409");
    r = (struct reply){0};
    engine_inspect(engine, "broken", on_reply, &r);
    expect(&r, FAULT_HTTP, "HTTP status 500", "500 without words");
    r = (struct reply){0};
    engine_inspect(engine, "private", on_reply, &r);
    expect(&r, FAULT_DENIED, "not yours", "403");
    r = (struct reply){0};
    engine_inspect(engine, "nojson", on_reply, &r);
    expect(&r, FAULT_INVALID, "no JSON", "no JSON");
    r = (struct reply){0};
    engine_path_exists(engine, "x", "/a b?c", on_reply, &r);
    expect(&r, 0, "", "HEAD");
    is_str(script_path, "/v1.44/containers/x/archive?path=%2Fa%20b%3Fc", "its query is encoded");
    r = (struct reply){0};
    engine_inspect(engine, "../../x?y", on_reply, &r);
    expect(&r, 0, "", "a name that climbs");
    is_str(script_path, "/v1.44/containers/..%2F..%2Fx%3Fy/json", "stays one segment");
    r = (struct reply){0};
    engine_create(engine, "name", "linux/a", json_pack("{s:s}", "Image", "i"), on_reply, &r);
    expect(&r, 0, "", "create");
    is_str(script_path, "/v1.44/containers/create?name=name&platform=linux%2Fa",
           "for a platform");
    ok(r.has_root, "with its document");
    r = (struct reply){0};
    engine_cancel(engine_inspect(engine, "x", on_reply, &r));
    engine_cancel(NULL);
    run_for(loop, 0.05);
    is_int(r.count, 0, "cancelled: no reply");
    engine_inspect(engine, "gone", on_reply, &r);
    expect(&r, FAULT_ENGINE_DOWN, "closed the connection", "an engine that hangs up");
    run_for(loop, 0.1);
    is_int(state, ENGINE_UP, "that made it look, and it is there");
}

/* ---- pull, attach ---- */

static void on_progress(void *ctx, const struct pull_progress *p)
{
    struct reply *r = ctx;
    r->progressed += p->count > 0;
    if (r->cancel)
        engine_cancel(r->request);
}

static void test_pull(void)
{
    struct reply r = {0};
    engine_pull(engine, "good:1", "linux/a", NULL, on_progress, on_reply, &r);
    expect(&r, 0, "", "pull");
    is_int(r.progressed, 3, "progress, line by line");
    ok(strstr(script_path, "/images/create?fromImage=good&tag=1&platform=linux%2Fa"),
       "name, tag and platform: %s",
       script_path);
    r = (struct reply){0};
    engine_pull(engine, "missing", NULL, NULL, on_progress, on_reply, &r);
    expect(&r, FAULT_NOT_FOUND, "manifest unknown",
           "a failure as the last line, without a newline");
    r = (struct reply){0};
    engine_pull(engine, "cut", NULL, NULL, on_progress, on_reply, &r);
    expect(&r, FAULT_ENGINE_DOWN, "closed the connection", "an engine that hangs up");
    r = (struct reply){.cancel = true};
    r.request = engine_pull(engine, "good", NULL, NULL, on_progress, on_reply, &r);
    run_for(loop, 0.1);
    ok(r.progressed == 1 && r.count == 0, "cancelled in its progress");
}

struct seen {
    struct stream *stream;
    struct buf out, err;
    int opened, ended;
    bool free_in_data;
    struct fault why;
};

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct seen *s = ctx;
    buf_add(ch == STREAM_OUT ? &s->out : &s->err, p, n);
    if (s->free_in_data)
        stream_free(TAKE(s->stream));
}

static void on_end(void *ctx, const struct fault *why)
{
    struct seen *s = ctx;
    s->ended++;
    s->why = why ? *why : FAULT_NONE;
}

static void on_open(void *ctx)
{
    ((struct seen *)ctx)->opened++;
}

static void attach(struct seen *s, const char *id)
{
    static const struct stream_events stream_events = {.data = on_data, .end = on_end};
    s->stream = engine_attach(engine, id, &stream_events, on_open, s);
}

static void seen_fini(struct seen *s)
{
    stream_free(s->stream);
    buf_fini(&s->out);
    buf_fini(&s->err);
    *s = (struct seen){0};
}

static void test_attach(void)
{
    struct seen s = {0};
    attach(&s, "good");
    ok(run_until(loop, s.ended, 5.), "attach");
    is_int(s.opened, 1, "opened");
    is_str(buf_str(&s.out), "one", "stdout");
    is_str(buf_str(&s.err), "two", "stderr");
    is_int(s.why.code, 0, "an orderly end");
    seen_fini(&s);
    attach(&s, "half");
    ok(run_until(loop, s.ended, 5.), "an end inside a frame");
    is_int(s.why.code, FAULT_ENGINE_DOWN, "%s", s.why.text);
    seen_fini(&s);
    attach(&s, "tty");
    ok(run_until(loop, s.ended, 5.), "no frames");
    is_int(s.why.code, FAULT_INVALID, "%s", s.why.text);
    struct iovec iov = {s.why.text, 1};
    is_int(stream_writev(s.stream, &iov, 1, NULL), -1, "no write then");
    stream_close_input(s.stream);
    stream_pause(s.stream, true);
    seen_fini(&s);
    attach(&s, "busy");
    ok(run_until(loop, s.ended, 5.), "refused");
    is_int(s.why.code, FAULT_CONFLICT, "%s", s.why.text);
    seen_fini(&s);
    s.free_in_data = true;
    attach(&s, "good");
    ok(run_until(loop, s.out.len, 5.), "freed between two frames");
    run_for(loop, 0.05);
    ok(s.err.len == 0 && s.ended == 0, "nothing after");
    seen_fini(&s);
}

static void test_free_inside(void)
{
    struct reply a = {.free_engine = true}, b = {0};
    engine_inspect(engine, "x", on_reply, &a);
    engine_inspect(engine, "x", on_reply, &b);
    ok(run_until(loop, !engine, 5.), "freed in a reply");
    run_for(loop, 0.05);
    ok(a.count + b.count >= 1, "others end in silence");
    engine_free(NULL);
}

static void test_context(void)
{
    struct docker_context c;
    struct fault f = FAULT_NONE;
    setenv("DOCKER_HOST", "tcp://127.0.0.1:2375", 1);
    is_int(docker_context_resolve(&c, &f), -1, "tcp");
    is_int(f.code, FAULT_UNSUPPORTED, "%s", f.text);
    setenv("DOCKER_HOST", "unix://docker.sock", 1);
    is_int(docker_context_resolve(&c, &f), -1, "a relative path: %s", f.text);
    setenv("DOCKER_HOST", "", 1);
    setenv("DOCKER_CONFIG", "/nonexistent", 1);
    is_int(docker_context_resolve(&c, &f), 0, "empty");
    is_str(c.socket, "/var/run/docker.sock", "means the default");
    docker_context_fini(&c);
}

int main(void)
{
    char dir[] = "/tmp/t_engine.XXXXXX";
    struct peer peer;
    tap_deadline(60);
    signal(SIGPIPE, SIG_IGN);
    test_context();
    if (!mkdtemp(dir))
        return 1;
    AUTO_FREE char *host = xasprintf("unix://%s/s", dir);
    setenv("DOCKER_HOST", host, 1);
    docker_context_resolve(&context, NULL);
    peer_own = script;
    loop = ev_loop_new(EVFLAG_NOENV);
    http = http_client_new(loop);
    test_absent();
    peer_start(&peer, context.socket);
    test_streams();
    test_calls();
    test_pull();
    test_attach();
    test_free_inside();
    test_clocks();
    http_client_free(http);
    peer_stop(&peer);
    docker_context_fini(&context);
    buf_fini(&told);
    rmdir(dir);
    ev_loop_destroy(loop);
    return done_testing();
}
