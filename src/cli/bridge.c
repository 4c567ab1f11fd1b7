/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One client's stdin and stdout on the supervisor's `/mcp/NAME/stdio`, or `/mcp` for all servers.
 *
 *   client ─ in ─► from_client (lines) ─► link ─► supervisor
 *   client ◄─ out ◄─ from_server (lines) ◄─ link ◄─ supervisor
 *
 * Only whole lines go on, in both directions: a supervisor may die in the middle of one, and the
 * client must never see half a message. Back-pressure: where more than HIGH_WATER waits for one
 * side, the other side is not read.
 *
 * The link has three states. OPEN: bytes flow. LOST: there was one and it broke; requests in flight
 * are answered with an error, what the client says meanwhile waits in `pending` (and the client is
 * not read any further), a new connection is tried, and it begins with what a new supervisor has to
 * know of the client (again.h). REFUSED: there will be none; the client is told in the answer to
 * its first request.
 *
 * A supervisor that was shut down on purpose is started again only when the client asks for
 * something. Nothing but protocol ever goes to stdout. Must not know what any method means, but
 * initialized, cancelled and that resources changed; again.c knows those whose effect lasts. */
#include "cli/bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/lines.h"
#include "base/mem.h"
#include "cli/again.h"
#include "cli/inflight.h"
#include "cli/refusal.h"
#include "cli/rpc_scan.h"
#include "cli/show.h"
#include "cli/verbs.h"
#include "config/mcp_config.h"
#include "io/http_upgrade.h"
#include "io/outq.h"
#include "io/stream.h"

enum {
    /* the most that max_message_size may be, which the supervisor looks to, and its words */
    MAX_LINE = MESSAGE_MOST_BYTES + (64 << 10),
    HIGH_WATER = 1 << 20,
    OUT_CAP = 3 * MAX_LINE, /* never reached: reading stops at HIGH_WATER, then one line may come */
    BATCH = 32 << 10,       /* lines shorter than this go out together, in one write */
    RETRY_MS = 50,
    SLOW_RETRY_MS = 500,
    WARDEN_MS = 5000, /* the warden brings its supervisor back sooner, or nobody does */
    START_AGAIN_MS = 2000,
    PATIENCE_MS = 60000, /* after this a call fails rather than wait for a supervisor that stands */
    CONNECT_MS = 5000,
    RPC_SERVER_ERROR = -32000,
    RPC_INVALID_REQUEST = -32600,
};

enum link_state { LINK_FIRST, LINK_OPEN, LINK_LOST, LINK_REFUSED };

struct bridge {
    const struct paths *paths;
    const char *server;         /* "(all)" where it is no single one */
    bool all;
    struct ev_loop *loop;
    struct http_client *http;
    struct http_upgrade *link; /* NULL between two attempts */
    enum link_state state;
    ev_io in;
    bool in_ended;
    struct outq out;
    int out_fd;
    struct lines from_client, from_server;
    struct buf batch;   /* whole lines of one read, on their way */
    struct buf pending; /* whole lines of the client that wait for a link */
    struct inflight calls;

    struct again again; /* what a new supervisor has to be told */

    ev_timer retry;
    int64_t lost_ms, started_ms;
    struct buf refusal;             /* why there will be no link */
    bool refusal_told;
    int exit_code;
};

static void finish(struct bridge *b, int code)
{
    b->exit_code = code;
    ev_break(b->loop, EVBREAK_ALL);
}

static bool span_equal(struct rpc_span a, struct rpc_span b)
{
    return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

/* ---- to the client ---- */

static void to_client(struct bridge *b, const char *p, size_t n)
{
    struct iovec iov = { (void *)p, n };
    struct fault f = FAULT_NONE;
    if (n && outq_writev(&b->out, &iov, 1, &f))
        finish(b, EXIT_OK);        /* the client is gone: there is nobody to serve */
}

static void answer_error(struct bridge *b, struct rpc_span id, int code, const char *text)
{
    AUTO_BUF struct buf line = BUF_INIT;
    buf_add_str(&line, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (id.n)
        buf_add(&line, id.p, id.n);
    else
        buf_add_str(&line, "null");
    buf_printf(&line, ",\"error\":{\"code\":%d,\"message\":", code);
    buf_add_json(&line, text, strlen(text));
    buf_add_str(&line, "}}\n");
    to_client(b, line.data, line.len);
}

/* Everything in flight is answered, but initialize where `spare_initialize`: that is simply asked
 * again. */
static void fail_calls(struct bridge *b, const char *text, bool spare_initialize)
{
    struct rpc_span initialize = again_initialize_id(&b->again);
    bool spared = false;
    for (size_t i = 0; i < b->calls.count; i++) {
        struct rpc_span id = { b->calls.ids[i].token, b->calls.ids[i].n };
        if (spare_initialize && !b->again.answered && span_equal(id, initialize))
            spared = true;
        else
            answer_error(b, id, RPC_SERVER_ERROR, text);
    }
    inflight_clear(&b->calls);
    if (spared)
        inflight_add(&b->calls, initialize);
}

/* Something of the client's, a last notification perhaps, is still on its way. One that was lost
 * with its supervisor does not matter. */
static bool is_unsaid(const struct bridge *b)
{
    if (b->state == LINK_OPEN)
        return http_upgrade_queued(b->link) > 0;
    return b->state == LINK_FIRST && b->pending.len > 0;
}

/* The end: the client said its last, and everything it asked is answered and written. */
static void finish_if_done(struct bridge *b)
{
    if (outq_queued(&b->out))
        return;
    if (b->state == LINK_REFUSED && (b->refusal_told || b->in_ended))
        ev_break(b->loop, EVBREAK_ALL);
    else if (b->in_ended && !b->calls.count && !is_unsaid(b))
        finish(b, EXIT_OK);
}

/* ---- from the supervisor ---- */

/* Of our own to the supervisor; a broken link says so by its end. */
static void say(struct bridge *b, const struct buf *text)
{
    struct iovec iov = { text->data, text->len };
    if (text->len)
        http_upgrade_writev(b->link, &iov, 1, NULL);
}

static void on_server_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct bridge *b = ctx;
    struct rpc_head head;
    if (flags & LINE_OVERSIZE) {
        show_error("a message of server %s over %d MiB was dropped", b->server, MAX_LINE >> 20);
        return;
    }
    rpc_scan(p, n, &head);
    if (rpc_is_reply(&head)) {
        if (again_reply(&b->again, &head))
            return;
        inflight_remove(&b->calls, head.id);
    } else if (rpc_method_is(&head, "notifications/resources/list_changed")) {
        AUTO_BUF struct buf text = BUF_INIT;
        again_changed(&b->again, &text);
        say(b, &text);
    }
    if (b->batch.len + n < BATCH) {
        buf_add(&b->batch, p, n);
        buf_add_char(&b->batch, '\n');
        return;
    }
    to_client(b, b->batch.data, b->batch.len);
    buf_clear(&b->batch);
    struct iovec iov[2] = { { (void *)p, n }, { (void *)"\n", 1 } };
    if (outq_writev(&b->out, iov, 2, NULL))
        finish(b, EXIT_OK);
}

static void on_link_data(void *ctx, const char *p, size_t n)
{
    struct bridge *b = ctx;
    lines_feed(&b->from_server, p, n, on_server_line, b);
    to_client(b, b->batch.data, b->batch.len);
    buf_clear(&b->batch);
    if (outq_queued(&b->out) > HIGH_WATER)
        http_upgrade_pause(b->link, true);
    finish_if_done(b);
}

static void on_out_drained(void *ctx, struct outq *q)
{
    struct bridge *b = ctx;
    (void)q;
    if (b->link)
        http_upgrade_pause(b->link, false);
    finish_if_done(b);
}

static void on_out_broken(void *ctx, struct outq *q)
{
    (void)q;
    finish(ctx, EXIT_OK);
}

/* ---- from the client ---- */

static void to_server(struct bridge *b, const char *p, size_t n)
{
    struct buf *to = b->state == LINK_OPEN ? &b->batch : &b->pending;
    if (to == &b->batch && b->batch.len + n > BATCH) {
        struct iovec iov[3] = { { b->batch.data, b->batch.len },
                                { (void *)p, n },
                                { (void *)"\n", 1 } };
        http_upgrade_writev(b->link, iov, 3, NULL);     /* a broken link says so by its end */
        buf_clear(&b->batch);
        return;
    }
    buf_add(to, p, n);
    buf_add_char(to, '\n');
}

/* false: it has its answer already. */
static bool take_request(struct bridge *b, const char *p, size_t n, const struct rpc_head *head)
{
    if (b->state == LINK_REFUSED) {
        answer_error(b, head->id, RPC_SERVER_ERROR, buf_str(&b->refusal));
        b->refusal_told = true;
        return false;
    }
    if (!inflight_add(&b->calls, head->id)) {
        answer_error(b, head->id, RPC_SERVER_ERROR, "too many requests are in flight");
        return false;
    }
    again_request(&b->again, p, n, head);
    return true;
}

static void on_client_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct bridge *b = ctx;
    struct rpc_head head;
    rpc_scan(p, n, &head);
    if (flags & LINE_OVERSIZE) {
        answer_error(b, head.id, RPC_INVALID_REQUEST, "the message is longer than 100 MiB");
        return;
    }
    if (rpc_is_request(&head) && !take_request(b, p, n, &head))
        return;
    if (rpc_method_is(&head, "notifications/initialized"))
        again_initialized(&b->again);
    else if (head.cancels.n)
        inflight_remove(&b->calls, head.cancels);
    if (b->state != LINK_REFUSED)
        to_server(b, p, n);
}

/* The client is read while its words can go somewhere. */
static void watch_in(struct bridge *b)
{
    size_t waiting = b->state == LINK_OPEN ? http_upgrade_queued(b->link) : b->pending.len;
    if (!b->in_ended && waiting <= HIGH_WATER)
        ev_io_start(b->loop, &b->in);
    else
        ev_io_stop(b->loop, &b->in);
}

static void flush_to_server(struct bridge *b)
{
    struct iovec iov = { b->batch.data, b->batch.len };
    if (b->batch.len)
        http_upgrade_writev(b->link, &iov, 1, NULL);
    buf_clear(&b->batch);
}

/* The supervisor ends a connection that asks nothing more once all is answered, also where it saw
 * other requests than we did (a message that is no valid JSON is answered without an id). */
static void shut_if_ended(struct bridge *b)
{
    if (b->in_ended && b->state == LINK_OPEN)
        http_upgrade_shutdown(b->link);
}

static void on_in(struct ev_loop *loop, ev_io *w, int revents)
{
    struct bridge *b = w->data;
    char *turn = stream_turn_buffer();
    (void)loop;
    (void)revents;
    ssize_t n = read(w->fd, turn, STREAM_TURN_BYTES);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        lines_feed(&b->from_client, turn, (size_t)n, on_client_line, b);
    } else {
        b->in_ended = true;
        lines_end(&b->from_client, on_client_line, b);
    }
    flush_to_server(b);
    shut_if_ended(b);
    watch_in(b);
    finish_if_done(b);
}

static void on_link_drained(void *ctx)
{
    struct bridge *b = ctx;
    watch_in(b);
    finish_if_done(b);
}

/* ---- the link: open ---- */

/* A new supervisor knows nothing of this client. */
static void replay(struct bridge *b)
{
    AUTO_BUF struct buf text = BUF_INIT;
    again_say(&b->again, &text);
    say(b, &text);
}

static void on_link_open(void *ctx)
{
    struct bridge *b = ctx;
    bool again = b->state == LINK_LOST;
    b->state = LINK_OPEN;
    if (again)
        replay(b);
    struct iovec iov = { b->pending.data, b->pending.len };
    if (b->pending.len)
        http_upgrade_writev(b->link, &iov, 1, NULL);
    buf_fini(&b->pending);
    shut_if_ended(b);
    watch_in(b);
    finish_if_done(b);
}

/* ---- the link: lost ---- */

static void give_up_calls(struct bridge *b, const char *why)
{
    fail_calls(b, why, false);
    again_lost(&b->again);
    buf_fini(&b->pending);
    watch_in(b);
    finish_if_done(b);
}

static void try_again(struct bridge *b, const struct fault *why)
{
    int64_t lost_for_ms = clock_mono_ms() - b->lost_ms;
    if (lost_for_ms > PATIENCE_MS && b->calls.count)
        give_up_calls(b, why ? why->text : "the mcptop supervisor does not answer");
    b->retry.repeat = (lost_for_ms < WARDEN_MS ? RETRY_MS : SLOW_RETRY_MS) / 1000.0;
    ev_timer_again(b->loop, &b->retry);
}

static void lose(struct bridge *b, const struct fault *why)
{
    AUTO_FREE char *text = xasprintf(
        "the connection to the mcptop supervisor ended while server %s was working on this: "
        "the call may or may not have run",
        b->server);
    b->state = LINK_LOST;
    b->lost_ms = clock_mono_ms();
    lines_fini(&b->from_server);
    lines_init(&b->from_server, MAX_LINE, LINES_DISCARD);
    buf_clear(&b->batch);
    again_lost(&b->again);
    if (b->in_ended && !why)
        inflight_clear(&b->calls); /* the end that shut_if_ended() asked for */
    fail_calls(b, text, !b->in_ended);
    if (b->calls.count)         /* initialize, unanswered: it goes again as it was */
        to_server(b, b->again.initialize.data, b->again.initialize.len);
    watch_in(b);
    finish_if_done(b);
    try_again(b, NULL);
}

/* ---- the link: refused ---- */

static void refuse(struct bridge *b, int code, const char *text)
{
    b->state = LINK_REFUSED;
    b->exit_code = code;
    buf_clear(&b->refusal);
    buf_add_str(&b->refusal, text);
    show_error("%s", text);
    b->refusal_told = b->calls.count > 0 || isatty(STDIN_FILENO);
    fail_calls(b, text, false);
    buf_fini(&b->pending);
    watch_in(b);
    finish_if_done(b);
}

static void refuse_status(struct bridge *b, long status, const char *body)
{
    AUTO_FREE char *text = status == 404 ? refusal_unknown(b->paths->socket, b->server)
                                         : refusal_status(b->server, status, body);
    refuse(b, status == 404 ? EXIT_NO_SERVER : EXIT_REFUSED, text);
}

static bool is_nobody_there(const struct fault *f)
{
    return f && (f->code == ENOENT || f->code == ECONNREFUSED || f->code == ENOTDIR);
}

static void connect_link(struct bridge *b);

static int start_supervisor(struct bridge *b, struct fault *f)
{
    b->started_ms = clock_mono_ms();
    return supervisor_start(b->paths, f);
}

/* Nobody answers. At first a supervisor is started at once; later the warden has its time, and then
 * it is done for a client that asks. */
static void nobody_there(struct bridge *b, const struct fault *why)
{
    struct fault f = FAULT_NONE;
    if (b->state == LINK_FIRST) {
        if (start_supervisor(b, &f)) {
            refuse(b, EXIT_NO_SUPERVISOR, f.text);
            return;
        }
        b->state = LINK_LOST;       /* it runs: from now on a failure is a loss */
        b->lost_ms = clock_mono_ms();
        connect_link(b);
        return;
    }
    int64_t now = clock_mono_ms();
    if (b->calls.count && now - b->lost_ms > WARDEN_MS && now - b->started_ms > START_AGAIN_MS &&
        start_supervisor(b, &f))
        give_up_calls(b, f.text);
    try_again(b, why);
}

static void on_link_end(void *ctx, long status, const struct fault *why)
{
    struct bridge *b = ctx;
    struct http_upgrade *link = TAKE(b->link);
    if (b->state == LINK_OPEN)
        lose(b, why);
    else if (status >= 400 && status < 500)
        refuse_status(b, status, http_upgrade_get_refusal(link));
    else if (is_nobody_there(why))
        nobody_there(b, why);
    else {
        /* It is there and cannot answer (yet): starting another one would not help. */
        if (b->state == LINK_FIRST)
            b->lost_ms = clock_mono_ms();
        b->state = LINK_LOST;
        try_again(b, why);
    }
    http_upgrade_free(link);
}

static void connect_link(struct bridge *b)
{
    static const struct http_upgrade_events events = { on_link_open, on_link_data, on_link_drained,
                                                       on_link_end };
    AUTO_FREE char *path = b->all ? xstrdup("/mcp") : api_path("/mcp/%s/stdio", b->server);
    struct http_spec spec = {
        .peer = { .unix_socket = b->paths->socket, .host = "localhost" },
        .method = "GET", .path = path,
        .connect_timeout_ms = CONNECT_MS,
    };
    b->link = http_upgrade_open(b->http, &spec, "mcp-stdio", &events, b);
    http_upgrade_set_queue_cap(b->link, OUT_CAP);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)revents;
    ev_timer_stop(loop, timer);
    connect_link(timer->data);
}

/* ---- set-up ---- */

/* stdout without blocking. Its flags belong to whoever shares it (a shell's terminal), so a pipe or
 * terminal is opened anew. A socket cannot be; what is at its other end is the client alone. A file
 * never blocks. */
static int open_out(void)
{
    struct stat st;
    if (fstat(STDOUT_FILENO, &st) || S_ISREG(st.st_mode))
        return STDOUT_FILENO;
    int fd = S_ISSOCK(st.st_mode)
                 ? -1
                 : open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0)
        return fd;
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
    return STDOUT_FILENO;
}

static void bridge_init(struct bridge *b)
{
    signal(SIGPIPE, SIG_IGN);
    b->loop = ev_loop_new(EVFLAG_AUTO);
    b->http = http_client_new(b->loop);
    b->out_fd = open_out();
    outq_init(&b->out, b->loop, b->out_fd, OUT_CAP, on_out_drained, on_out_broken, b);
    lines_init(&b->from_client, MAX_LINE, LINES_DISCARD);
    lines_init(&b->from_server, MAX_LINE, LINES_DISCARD);
    ev_io_init(&b->in, on_in, STDIN_FILENO, EV_READ);
    b->in.data = b;
    ev_timer_init(&b->retry, on_retry, 0, RETRY_MS / 1000.0);
    b->retry.data = b;
}

static void bridge_fini(struct bridge *b)
{
    ev_io_stop(b->loop, &b->in);
    ev_timer_stop(b->loop, &b->retry);
    http_upgrade_free(b->link);
    http_client_free(b->http);
    outq_fini(&b->out);
    lines_fini(&b->from_client);
    lines_fini(&b->from_server);
    inflight_fini(&b->calls);
    buf_fini(&b->batch);
    buf_fini(&b->pending);
    again_fini(&b->again);
    buf_fini(&b->refusal);
    if (b->out_fd != STDOUT_FILENO)
        close(b->out_fd);
    ev_loop_destroy(b->loop);
}

int bridge_run(const struct paths *p, const char *server)
{
    struct bridge b = { .paths = p, .server = server ? server : "(all)", .all = !server };
    bridge_init(&b);
    watch_in(&b);
    connect_link(&b);
    ev_run(b.loop, 0);
    bridge_fini(&b);
    return b.exit_code;
}
