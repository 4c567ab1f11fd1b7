/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docker/ against a real engine (DOCKER_HOST) that has the image of IMAGE: the life of a container,
 * OOM, update, stop, a pull that fails, events, use. Run by t_engine.py, which starts the engine.
 * Touches only containers it made. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "docker/engine_internal.h"
#include "docker/stats.h"
#include "../unit/loop.h"
#include "../unit/tap.h"

#define IMAGE "mcptop-test/busybox:latest"

static struct ev_loop *loop;
static struct http_client *http;
static struct engine *engine;
static char instance[64];

/* ---- what came back ---- */

struct reply {
    int count;
    json_t *root;
    struct fault fault;
    int progressed;
};

static void on_reply(void *ctx, json_t *root, const struct fault *f)
{
    struct reply *r = ctx;
    r->count++;
    json_decref(r->root);
    r->root = json_incref(root);
    r->fault = f ? *f : FAULT_NONE;
}

static void reply_fini(struct reply *r)
{
    json_decref(r->root);
    *r = (struct reply){0};
}

/* Waits for one reply; prints the fault unless one is expected. */
static bool wait_reply(struct reply *r, const char *what, int code)
{
    if (!run_until(loop, r->count == 1, 60.))
        return ok(false, "%s: a reply", what);
    bool good = ok(r->fault.code == code, "%s: %s", what, code ? "refused as expected" : "done");
    if (!good || code)
        printf("# %d %s\n", r->fault.code, r->fault.text);
    return good;
}

#define call(what, code, function, ...) ({ \
    struct reply call_reply = {0}; \
    function(engine, __VA_ARGS__, on_reply, &call_reply); \
    bool call_good = wait_reply(&call_reply, what, code); \
    reply_fini(&call_reply); \
    call_good; \
})

static enum engine_state state;
static int64_t die_ms, oom_ms;
static int die_code = -2;
static int events_seen;

static void on_state(void *ctx, enum engine_state s, const struct fault *why)
{
    (void)ctx;
    state = s;
    if (why)
        printf("# %s\n", why->text);
}

static void on_event(void *ctx, const struct engine_event *e)
{
    (void)ctx;
    if (strcmp(e->instance, instance) != 0)
        return;
    events_seen++;
    if (!strcmp(e->action, "die"))
        die_ms = clock_mono_ms(), die_code = e->exit_code;
    if (!strcmp(e->action, "oom"))
        oom_ms = clock_mono_ms();
}

struct seen {
    struct buf out, err;
    size_t bytes, largest;
    bool opened, ended, count_only;
    struct fault why;
};

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct seen *s = ctx;
    s->bytes += n;
    if (!s->count_only)
        buf_add(ch == STREAM_OUT ? &s->out : &s->err, p, n);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct seen *s = ctx;
    s->ended = true;
    s->why = why ? *why : FAULT_NONE;
}

static void on_open(void *ctx)
{
    ((struct seen *)ctx)->opened = true;
}

static const struct stream_events stream_events = {.data = on_data, .end = on_end};

static void seen_fini(struct seen *s)
{
    buf_fini(&s->out);
    buf_fini(&s->err);
    *s = (struct seen){0};
}

/* ---- a container ---- */

static json_t *container_body(const char *script, int64_t memory)
{
    return json_pack(
        "{s:s, s:[sss], s:b, s:b, s:b, s:b, s:b, s:{s:s, s:s, s:s}, s:{s:s, s:I, s:I, s:b}}",
        "Image", IMAGE, "Cmd", "/bin/sh", "-c", script, "OpenStdin", 1, "StdinOnce", 1,
        "AttachStdin", 1, "AttachStdout", 1, "AttachStderr", 1, "Labels", "com.mcpproxy.managed",
        "true", "com.mcpproxy.instance", instance, "com.mcpproxy.server", "s", "HostConfig",
        "NetworkMode", "none", "Memory", (json_int_t)memory, "MemorySwap", (json_int_t)memory,
        "Init", 1);
}

static char *create(const char *name, const char *script, int64_t memory)
{
    struct reply r = {0};
    char *full = xasprintf("mcptop-t-%s-%d", name, (int)getpid());
    engine_create(engine, full, NULL, container_body(script, memory), on_reply, &r);
    wait_reply(&r, "create", 0);
    char *id = xstrdup(json_string_value(json_object_get(r.root, "Id")));
    reply_fini(&r);
    free(full);
    return id ? id : xstrdup("none");
}

static json_t *inspect_state(struct reply *r, const char *id)
{
    engine_inspect(engine, id, on_reply, r);
    wait_reply(r, "inspect", 0);
    return json_object_get(r->root, "State");
}

static void test_life(void)
{
    struct seen s = {0};
    struct reply r = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *id = create("life", "echo begins >&2; cat; echo over >&2; exit 3", 64 << 20);
    call("the path of sh", 0, engine_path_exists, id, "/bin/sh");
    call("a path that is not there", FAULT_NOT_FOUND, engine_path_exists, id, "/usr/bin/uvx");
    struct stream *stream = engine_attach(engine, id, &stream_events, on_open, &s);
    ok(run_until(loop, s.opened, 10.), "attached before it starts");
    call("start", 0, engine_start, id);
    call("start again", 0, engine_start, id);
    static char line[] = "{\"jsonrpc\":\"2.0\"}\n";
    struct iovec iov = {line, 18};
    is_int(stream_writev(stream, &iov, 1, &f), 0, "a line to its stdin");
    ok(run_until(loop, s.out.len == 18, 10.), "and back");
    is_str(buf_str(&s.err), "begins\n", "stderr apart");
    call("stats", 0, engine_stats_once, id);
    stream_close_input(stream);
    ok(run_until(loop, s.ended, 10.), "closing stdin ends it");
    int64_t ended_ms = clock_mono_ms();
    is_int(s.why.code, 0, "orderly");
    is_str(buf_str(&s.err), "begins\nover\n", "with its last words");
    ok(run_until(loop, die_ms, 5.), "the die event came");
    printf("# %lld ms after the end of the stream\n", (long long)(die_ms - ended_ms));
    is_int(die_code, 3, "with the exit code");
    json_t *st = inspect_state(&r, id);
    is_int(json_integer_value(json_object_get(st, "ExitCode")), 3, "the post-mortem says so too");
    ok(json_is_false(json_object_get(st, "OOMKilled")), "no OOM");
    reply_fini(&r);
    call("stop what does not run", 0, engine_stop, id, 1);
    call("kill what does not run", FAULT_CONFLICT, engine_kill, id, "SIGTERM");
    engine_list(engine, on_reply, &r);
    wait_reply(&r, "list", 0);
    size_t i;
    json_t *one;
    int mine = 0;
    json_array_foreach(r.root, i, one)
        mine += !strcmp(json_string_value(json_object_get(one, "Id")), id);
    is_int(mine, 1, "it is listed");
    reply_fini(&r);
    call("remove", 0, engine_remove, id, false);
    call("inspect what is removed", FAULT_NOT_FOUND, engine_inspect, id);
    stream_free(stream);
    seen_fini(&s);
}

static void test_oom(void)
{
    struct seen s = {0};
    struct reply r = {0};
    AUTO_FREE char *id = create("oom", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", 16 << 20);
    struct stream *stream = engine_attach(engine, id, &stream_events, on_open, &s);
    run_until(loop, s.opened, 10.);
    die_ms = oom_ms = 0;
    call("start a glutton", 0, engine_start, id);
    ok(run_until(loop, die_ms, 30.), "it dies");
    is_int(die_code, 137, "by 137");
    ok(oom_ms > 0 && oom_ms <= die_ms, "after an oom event");
    ok(run_until(loop, s.ended, 10.), "its stream ends");
    json_t *oom = json_object_get(inspect_state(&r, id), "OOMKilled");
    ok(json_is_true(oom), "the post-mortem says OOM");
    reply_fini(&r);
    call("remove", 0, engine_remove, id, true);
    stream_free(stream);
    seen_fini(&s);
}

static json_t *limits(int64_t memory)
{
    return json_pack("{s:I, s:I}", "Memory", (json_int_t)memory, "MemorySwap", (json_int_t)memory);
}

static void test_update_and_stop(void)
{
    struct seen s = {0};
    struct reply r = {0};
    struct engine_stats use = {0};
    AUTO_FREE char *id =
        create("stop", "trap '' TERM; echo up; while :; do sleep 1; done", 64 << 20);
    struct stream *stream = engine_attach(engine, id, &stream_events, on_open, &s);
    run_until(loop, s.opened, 10.);
    call("start", 0, engine_start, id);
    run_until(loop, s.bytes, 10.);
    call("update", 0, engine_update, id, limits(128 << 20));
    engine_inspect(engine, id, on_reply, &r);
    wait_reply(&r, "inspect", 0);
    is_int(json_integer_value(json_object_get(json_object_get(r.root, "HostConfig"), "Memory")),
           128 << 20, "the new limit holds");
    reply_fini(&r);
    engine_stats_once(engine, id, on_reply, &r);
    wait_reply(&r, "stats", 0);
    is_int(engine_stats_read(r.root, &use), 0, "can be read");
    is_int(use.memory_limit_bytes, 128 << 20, "limit");
    ok(use.memory_bytes > 0 && use.memory_bytes < 64 << 20 && use.pids >= 1 && use.cpu_ns > 0,
       "memory, pids, cpu");
    reply_fini(&r);
    int64_t from = clock_mono_ms();
    die_ms = 0;
    call("stop one that ignores SIGTERM", 0, engine_stop, id, 1);
    ok(run_until(loop, die_ms, 5.), "it is killed after its second");
    printf("# %lld ms\n", (long long)(clock_mono_ms() - from));
    call("remove", 0, engine_remove, id, true);
    stream_free(stream);
    seen_fini(&s);
}

/* Two megabytes in turns; an attach that is freed before it opened; one to nobody. */
static void test_attach(void)
{
    struct seen s = {.count_only = true}, other = {0};
    AUTO_FREE char *id =
        create("attach", "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2", 64 << 20);
    struct stream *stream = engine_attach(engine, id, &stream_events, on_open, &s);
    stream_free(engine_attach(engine, id, &stream_events, on_open, &other));
    run_until(loop, s.opened, 10.);
    call("start a flood", 0, engine_start, id);
    ok(run_until(loop, s.ended, 20.), "it ends");
    is_int(s.bytes, 2000000, "every byte of it came");
    ok(!other.opened && !other.ended, "nothing came to the freed one");
    call("remove", 0, engine_remove, id, true);
    stream_free(stream);
    stream = engine_attach(engine, "nobody", &stream_events, on_open, &other);
    ok(run_until(loop, other.ended, 10.), "attaching to nobody");
    is_int(other.why.code, FAULT_NOT_FOUND, "%s", other.why.text);
    stream_free(stream);
    seen_fini(&s);
    seen_fini(&other);
}

static void on_progress(void *ctx, const struct pull_progress *p)
{
    char text[64];
    int64_t done, total;
    ((struct reply *)ctx)->progressed++;
    pull_progress_text(p, text, sizeof(text), &done, &total);
    printf("# %s %lld/%lld\n", text, (long long)done, (long long)total);
}

static void test_images(void)
{
    struct reply r = {0};
    call("inspect an image", 0, engine_image_inspect, IMAGE);
    call("inspect none", FAULT_NOT_FOUND, engine_image_inspect, "no/such:1");
    engine_pull(engine, "127.0.0.1:1/no/image:1", NULL, NULL, on_progress, on_reply, &r);
    wait_reply(&r, "pull from a registry that is not there", ENETUNREACH);
    ok(strstr(r.fault.text, "refused") != NULL, "the engine's own words");
    reply_fini(&r);
    const char *image = getenv("PULL_IMAGE");
    if (!image)
        return;
    engine_pull(engine, image, NULL, NULL, on_progress, on_reply, &r);
    wait_reply(&r, "pull", 0);
    ok(r.progressed > 0, "with progress");
    reply_fini(&r);
    call("the pulled image is there", 0, engine_image_inspect, image);
    AUTO_FREE char *wrong = xasprintf("%s-none", image);
    engine_pull(engine, wrong, NULL, NULL, NULL, on_reply, &r);
    wait_reply(&r, "pull a tag that is not there", FAULT_NOT_FOUND);
    reply_fini(&r);
}

int main(void)
{
    static const struct engine_events events = {.state = on_state, .event = on_event};
    struct docker_context context;
    struct fault f = FAULT_NONE;
    tap_deadline(150);
    if (!getenv("DOCKER_HOST")) {
        printf("1..0 # SKIP no DOCKER_HOST\n");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(instance, sizeof(instance), "engine-client-%d", (int)getpid());
    if (!ok(docker_context_resolve(&context, &f) == 0, "the context of DOCKER_HOST"))
        return done_testing();
    loop = ev_loop_new(EVFLAG_NOENV);
    http = http_client_new(loop);
    engine = engine_new(loop, http, &context, &events, NULL);
    ok(run_until(loop, state == ENGINE_UP, 10.), "the engine is up");
    printf("# version %s, API %s\n", engine_get_version(engine), engine_get_prefix(engine));
    struct reply r = {0};
    engine_info(engine, on_reply, &r);
    wait_reply(&r, "info", 0);
    reply_fini(&r);
    test_life();
    test_oom();
    test_update_and_stop();
    test_attach();
    test_images();
    ok(events_seen > 10, "events of our containers were told (%d)", events_seen);
    engine_free(engine);
    http_client_free(http);
    docker_context_fini(&context);
    ev_loop_destroy(loop);
    return done_testing();
}
