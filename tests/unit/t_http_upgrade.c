/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http_upgrade: 101 and 200, data that comes with the head, half close, refusals, silence, freeing
 * inside events. */
#include "io/http_upgrade.h"

#include <errno.h>
#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/stream.h"
#include "loop.h"
#include "peer.h"
#include "tap.h"

static struct ev_loop *loop;
static struct http_client *client;
static char *sock;

struct seen {
    struct http_upgrade *up;
    int opened, ended, drained;
    size_t bytes, largest;
    long status;
    struct fault why;
    struct buf got, refusal;
    bool broke, free_in_open, free_in_data, free_in_end, count_only;
};

static void seen_free(struct seen *s)
{
    http_upgrade_free(TAKE(s->up));
}

static void on_open(void *ctx)
{
    struct seen *s = ctx;
    s->opened++;
    if (s->free_in_open)
        seen_free(s);
}

static void on_data(void *ctx, const char *p, size_t n)
{
    struct seen *s = ctx;
    s->bytes += n;
    if (n > s->largest)
        s->largest = n;
    if (!s->count_only)
        buf_add(&s->got, p, n);
    if (s->free_in_data)
        seen_free(s);
}

static void on_drained(void *ctx)
{
    ((struct seen *)ctx)->drained++;
}

static void on_end(void *ctx, long status, const struct fault *why)
{
    struct seen *s = ctx;
    s->ended++;
    s->status = status;
    s->broke = why != NULL;
    s->why = why ? *why : FAULT_NONE;
    if (s->up)
        buf_add_str(&s->refusal, http_upgrade_get_refusal(s->up));
    if (s->free_in_end)
        seen_free(s);
}

static const struct http_upgrade_events events = {
    .open = on_open, .data = on_data, .drained = on_drained, .end = on_end};

static void open_path(struct seen *s, const char *path, int64_t total_ms)
{
    struct http_spec spec = {.peer = {.unix_socket = sock, .host = "localhost"},
                             .method = "POST",
                             .path = path,
                             .total_timeout_ms = total_ms};
    s->up = http_upgrade_open(client, &spec, "tcp", &events, s);
    ok(!s->opened && !s->ended, "%s: no event inside the call", path);
}

static void seen_fini(struct seen *s)
{
    seen_free(s);
    buf_fini(&s->got);
    buf_fini(&s->refusal);
    *s = (struct seen){0};
}

static int put(struct seen *s, const char *text, struct fault *f)
{
    struct iovec iov = {(char *)text, strlen(text)};
    return http_upgrade_writev(s->up, &iov, 1, f);
}

static void test_echo(void)
{
    struct seen s = {0};
    struct fault f = FAULT_NONE;
    open_path(&s, "/upgrade", 0);
    is_int(put(&s, "early", &f), -1, "no write before open");
    is_int(f.code, ENOTCONN, "ENOTCONN");
    ok(run_until(loop, s.opened, 3.), "101: open");
    is_int(put(&s, "hello ", &f), 0, "write");
    is_int(put(&s, "there", &f), 0, "write");
    ok(run_until(loop, s.bytes == 11, 3.), "both ways");
    is_str(buf_str(&s.got), "HELLO THERE", "as echoed");
    http_upgrade_pause(s.up, true);
    put(&s, "held", &f);
    run_for(loop, 0.05);
    is_int(s.bytes, 11, "nothing while paused");
    http_upgrade_pause(s.up, false);
    http_upgrade_shutdown(s.up);
    is_int(put(&s, "x", &f), -1, "no write after shutdown");
    ok(run_until(loop, s.ended, 3.), "the peer saw our end and ended");
    is_str(buf_str(&s.got), "HELLO THEREHELDbye", "its last words came");
    ok(!s.broke && s.status == 0, "an orderly end");
    seen_fini(&s);
}

static void test_big(void)
{
    struct seen s = {.count_only = true};
    struct fault f = FAULT_NONE;
    size_t n = 8 << 20;
    char *big = xmalloc(n);
    memset(big, 'x', n);
    open_path(&s, "/upgrade", 0);
    run_until(loop, s.opened, 3.);
    struct iovec iov = {big, n};
    is_int(http_upgrade_writev(s.up, &iov, 1, &f), 0, "8 MiB are taken");
    free(big);
    ok(http_upgrade_queued(s.up) > n / 2, "mostly queued");
    http_upgrade_shutdown(s.up);
    ok(run_until(loop, s.ended, 10.), "shutdown waits for the queue");
    is_int(s.bytes, n + 3, "all went and came back");
    is_int(s.drained, 1, "drained");
    ok(s.largest <= STREAM_TURN_BYTES, "in turns of at most 64 KiB");
    seen_fini(&s);
}

static void test_other_ends(void)
{
    struct seen s = {0};
    open_path(&s, "/upgrade-early", 0);
    ok(run_until(loop, s.bytes == 5, 3.), "200, a head in two pieces, data right behind it");
    is_str(buf_str(&s.got), "early", "is data");
    seen_fini(&s);

    open_path(&s, "/refuse", 0);
    ok(run_until(loop, s.ended, 1.), "a refusal ends at its Content-Length");
    is_int(s.status, 409, "its status");
    is_int(s.why.code, FAULT_HTTP, "a fault");
    is_str(buf_str(&s.refusal), "{\"message\":\"not running\"}", "its body");
    is_int(s.opened, 0, "never open");
    seen_fini(&s);

    open_path(&s, "/none", 0);
    ok(run_until(loop, s.ended, 3.), "a peer that closes");
    is_int(s.why.code, ECONNRESET, "%s", s.why.text);
    seen_fini(&s);

    open_path(&s, "/rubbish", 0);
    ok(run_until(loop, s.ended, 3.), "a peer that speaks something else");
    is_int(s.why.code, FAULT_INVALID, "%s", s.why.text);
    seen_fini(&s);

    open_path(&s, "/silent", 100);
    ok(run_until(loop, s.ended, 3.), "a silent peer");
    is_int(s.why.code, FAULT_TIMEOUT, "%s", s.why.text);
    seen_fini(&s);

    char *good = sock;
    sock = xasprintf("%s.none", good);
    open_path(&s, "/upgrade", 0);
    ok(run_until(loop, s.ended, 3.), "no peer");
    is_int(s.why.code, ENOENT, "%s", s.why.text);
    seen_fini(&s);
    free(sock);
    sock = good;
}

static void test_free_inside(void)
{
    struct seen s = {.free_in_open = true};
    open_path(&s, "/upgrade-early", 0);
    ok(run_until(loop, s.opened, 3.), "freed in open");
    run_for(loop, 0.05);
    ok(s.bytes == 0 && s.ended == 0, "nothing after");
    seen_fini(&s);
    s.free_in_data = true;
    open_path(&s, "/flood", 0);
    ok(run_until(loop, s.bytes, 3.), "freed in data");
    seen_fini(&s);
    s.free_in_end = true;
    open_path(&s, "/refuse", 0);
    ok(run_until(loop, s.ended, 3.), "freed in end");
    seen_fini(&s);
    open_path(&s, "/upgrade", 0);
    seen_fini(&s);
    run_for(loop, 0.05);
    ok(true, "freed before it was connected");
}

int main(void)
{
    char dir[] = "/tmp/t_upgrade.XXXXXX";
    struct peer peer;
    tap_deadline(40);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        return 1;
    sock = xasprintf("%s/s", dir);
    loop = ev_loop_new(EVFLAG_NOENV);
    client = http_client_new(loop);
    peer_start(&peer, sock);
    test_echo();
    test_big();
    test_other_ends();
    test_free_inside();
    http_client_free(client);
    peer_stop(&peer);
    rmdir(dir);
    free(sock);
    ev_loop_destroy(loop);
    return done_testing();
}
