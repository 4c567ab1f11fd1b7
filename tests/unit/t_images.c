/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pulls that are shared, against a scripted engine: those who wait leave from inside the news of
 * its end. What a real registry does is tests/integration/t_pull.py. */
#include "supervisor/images.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "loop.h"
#include "peer.h"
#include "tap.h"

static struct images *images;

static int script(const struct peer_conn *c, const char *method, const char *path,
                  const char *request)
{
    (void)method, (void)request;
    if (strcmp(path, "/version") == 0) {
        peer_reply(c->fd, "200 OK", "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\"}");
    } else if (strstr(path, "/images/create")) {
        char byte;
        peer_say(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        return recv(c->fd, &byte, 1, 0) < 0;       /* nothing moves until nobody waits */
    } else if (strstr(path, "/events")) {
        char byte;
        peer_say(c->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        return recv(c->fd, &byte, 1, 0) < 0;
    } else {
        peer_reply(c->fd, "404 Not Found", "{\"message\":\"no such image\"}");
    }
    return 1;
}

struct waiter {
    struct image_want *want;
    struct waiter *other;       /* whom it takes along at its end */
    int pulling, done;
    struct fault why;
};

static void on_pulling(void *ctx, bool under_way)
{
    ((struct waiter *)ctx)->pulling += under_way;
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static void on_done(void *ctx, json_t *image, const struct fault *f)
{
    struct waiter *w = ctx;
    (void)image;
    w->want = NULL;
    w->done++;
    w->why = f ? *f : FAULT_NONE;
    if (w->other)
        image_want_cancel(TAKE(w->other->want));
}

static const struct image_want_events events = {
    .pulling = on_pulling, .note = on_note, .done = on_done,
};

static void on_changed(void *ctx, const char *image)
{
    int *changes = ctx;
    (*changes)++;
    (void)image;
}

static void want(struct waiter *w)
{
    struct image_spec spec = {.image = "x:1", .policy = PULL_MISSING};
    w->want = images_want(images, &spec, &events, w);
}

static void test_last_one_leaves_at_its_end(struct ev_loop *loop, const int *changes)
{
    struct waiter a = {0}, b = {0};
    a.other = &b, b.other = &a;
    want(&a);
    want(&b);
    ok(run_until(loop, a.pulling && b.pulling, 10.), "two wait for one pull");
    const struct image_pull_status *st = images_find_pull(images, "x:1");
    ok(st && strcmp(st->image, "x:1") == 0, "which shows");
    int before = *changes;
    ok(images_cancel(images, "x:1"), "it is cancelled");
    is_int(a.done + b.done, 1, "the one who hears of it takes the other along");
    is_int((a.done ? a : b).why.code, FAULT_CONFLICT, "%s", (a.done ? a : b).why.text);
    ok(!a.want && !b.want && !images_find_pull(images, "x:1"), "nothing is left");
    is_int(*changes - before, 1, "and its end was told once");
}

int main(void)
{
    char dir[] = "/tmp/t_images.XXXXXX";
    struct peer peer;
    struct docker_context context;
    int changes = 0;
    tap_deadline(60);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    AUTO_FREE char *host = xasprintf("unix://%s/s", dir);
    setenv("DOCKER_HOST", host, 1);
    setenv("DOCKER_CONFIG", dir, 1);
    docker_context_resolve(&context, NULL);
    peer_own = script;
    peer_start(&peer, context.socket);
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
    struct http_client *http = http_client_new(loop);
    struct engine *engine = engine_new(loop, http, &context, &(struct engine_events){0}, NULL);
    images = images_new(loop, engine, "instance", on_changed, &changes);
    ok(run_until(loop, engine_get_state(engine) == ENGINE_UP, 10.), "an engine");
    test_last_one_leaves_at_its_end(loop, &changes);
    images_free(images);
    engine_free(engine);
    http_client_free(http);
    run_for(loop, .05);
    peer_stop(&peer);
    docker_context_fini(&context);
    rmdir(dir);
    ev_loop_destroy(loop);
    return done_testing();
}
