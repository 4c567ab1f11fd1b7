/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP server under traffic that nobody would write down: clients that send in pieces, read slowly and leave at any moment, and
 * a handler that answers whenever and however. What is checked is what holds for any order of things: httpd.h's contract with the
 * handler, and that each client gets its answers, whole and in order.
 *
 * Every decision comes from a seed, so that one which fails can be tried again; how the kernel cuts the bytes, and when the loop's
 * timers run, does not. */
#include <errno.h>

#include "api/httpd_internal.h"
#include "base/clock.h"
#include "httpd_rig.h"

enum {
    CLIENTS = 24, PIPELINE = 3,
    DUE_MAX = 8,                   /* answers that a client waits for at most */
    CALLS_MAX = 20000,
    STEPS = 12000, LAST_STEPS = 1500,      /* of clients: until all is settled, and then until the server ends */
    BODY_MAX = 20000, LARGE_BODY_MAX = 40000,      /* some are over FAST_REQUEST_MAX */
    ANSWER_SIZE_MAX = 200000, FAST_ANSWER_MAX = 128 * 1024,
    SMALL = 200,
    GO_ON_ONE_IN = 30,             /* so that clients do something, too, while they wait */
    LETTERS = 23,                  /* prime: a piece that is missing or comes twice is found */
    SETTLE_MS = 8000,
};

static const unsigned seeds[] = {1, 22, 333};
static unsigned seed;
static uint64_t random_state;

static size_t pick(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % n;
}

static bool one_in(size_t n)
{
    return pick(n) == 0;
}

/* ---- what may not be ---- */

enum wrong { HANDLED_TWICE, REQUEST_WRONG, GONE_TWICE, GONE_AFTER_ANSWER, CLOSED_TWICE, NOT_TOLD, ANSWER_WRONG, ANSWER_MISSING, WRONGS };
static const char *const never[WRONGS] = {
    [HANDLED_TWICE] = "no request is handled twice",
    [REQUEST_WRONG] = "each is handled as it was sent",
    [GONE_TWICE] = "gone comes once at most",
    [GONE_AFTER_ANSWER] = "and not after the answer",
    [CLOSED_TWICE] = "closed comes once at most, and not after the end",
    [NOT_TOLD] = "who waited was either answered or told gone, and streams ended or told closed",
    [ANSWER_WRONG] = "answers come in order, and are those that were made",
    [ANSWER_MISSING] = "who neither closed nor half-closed got an answer to each request",
};
static int wrongs[WRONGS];

static void wrong(enum wrong what, size_t id)
{
    if (wrongs[what]++ == 0)
        diag("seed %u, request %zu: not so: %s", seed, id, never[what]);
}

static void check_wrongs(const char *when)
{
    for (int i = 0; i < WRONGS; i++)
        is_int(wrongs[i], 0, "seed %u, %s: %s", seed, when, never[i]);
    memset(wrongs, 0, sizeof wrongs);
}

/* ---- calls: requests as both sides know them ---- */

static struct call {
    size_t body_n, answer_n;
    bool plain;                    /* for the fast path, and so is most often its answer */
    bool refused;                  /* it does not get to the handler */
    bool streamed, dropped;        /* the answer; what of a dropped one was sent is not known */
    bool abandoned;                /* by its client, which may or may not get its answer */
    bool waited;
    int handled, answered, gone, closed;
    struct request *r;             /* to be answered */
    struct http_stream *stream;    /* to be ended */
} calls[CALLS_MAX];
static size_t calls_n;
static struct call *open_calls[CALLS_MAX];     /* those with r or stream, and some without any more */
static size_t open_n;

static size_t id_of(const struct call *call)
{
    return (size_t)(call - calls);
}

/* Bodies of requests and answers alike: that of another call begins with another letter, or has another id in its head. */
static const char *letters(size_t id)
{
    static char all[LETTERS + ANSWER_SIZE_MAX];

    for (size_t i = 0; !all[sizeof all - 1] && i < sizeof all; i++)
        all[i] = (char)('a' + i % LETTERS);
    return all + id % LETTERS;
}

/* ---- the handler ---- */

static void on_call_gone(void *ctx, struct request *r)
{
    struct call *call = ctx;

    if (call->gone++)
        wrong(GONE_TWICE, id_of(call));
    if (call->answered || call->r != r)
        wrong(GONE_AFTER_ANSWER, id_of(call));
    call->r = NULL;
}

static void on_call_closed(void *ctx)
{
    struct call *call = ctx;

    if (call->closed++ || !call->stream)
        wrong(CLOSED_TWICE, id_of(call));
    call->stream = NULL;
}

static void reply(struct call *call, struct request *r, size_t n)
{
    char id[24];

    snprintf(id, sizeof id, "%zu", id_of(call));
    call->answered++;
    call->answer_n = n;
    call->r = NULL;
    request_reply(r, 200, "text/plain", (struct reply_header[]){{"X-Id", id}, {NULL, NULL}},
                  &(struct iovec){(void *)(uintptr_t)letters(id_of(call)), n}, 1);
}

static void stream_some(struct call *call, size_t n)
{
    if (n > ANSWER_SIZE_MAX - call->answer_n)
        n = ANSWER_SIZE_MAX - call->answer_n;
    http_stream_write(call->stream, letters(id_of(call) + call->answer_n), n);
    call->answer_n += n;
}

static void begin_stream(struct call *call, struct request *r)
{
    char id[24];

    snprintf(id, sizeof id, "%zu", id_of(call));
    call->answered++;
    call->streamed = true;
    call->r = NULL;
    call->stream = request_stream(r, "text/event-stream", (struct reply_header[]){{"X-Id", id}, {NULL, NULL}},
                                  &(struct http_stream_events){NULL, on_call_closed}, call);
    stream_some(call, pick(SMALL));
}

static void end_stream(struct call *call)
{
    if (one_in(8)) {
        call->dropped = true;
        http_stream_drop(TAKE(call->stream));
    } else {
        http_stream_close(TAKE(call->stream));
    }
}

static bool may_stream(const struct call *call)
{
    return !call->plain || one_in(20);
}

static size_t large_for(const struct call *call)
{
    return call->plain && !one_in(10) ? FAST_ANSWER_MAX : ANSWER_SIZE_MAX;
}

static void keep_waiting(struct call *call, struct request *r)
{
    call->waited = true;
    call->r = r;
    request_set_gone(r, on_call_gone, call);
    open_calls[open_n++] = call;
}

static void on_call(void *ctx, struct request *r)
{
    size_t id = strtoul(request_get_path(r) + 1, NULL, 10), n;
    const char *body = request_get_body(r, &n);
    struct call *call = &calls[id];

    (void)ctx;
    if (id >= calls_n || call->handled++) {
        wrong(HANDLED_TWICE, id);
        answer(r, 404, "?");
        return;
    }
    if (n != call->body_n || memcmp(body, letters(id), n) != 0)
        wrong(REQUEST_WRONG, id);
    size_t way = pick(12);
    if (way < 4) {
        reply(call, r, pick(SMALL));
    } else if (way < 7 && call->plain) {       /* its rest waits for a slow reader */
        reply(call, r, FAST_ANSWER_MAX / 2 + pick(FAST_ANSWER_MAX / 2));
    } else if (way == 4) {
        reply(call, r, pick(large_for(call)));
    } else if (way == 5 && may_stream(call)) {
        begin_stream(call, r);
        open_calls[open_n++] = call;
    } else {
        keep_waiting(call, r);
    }
}

/* One of those that wait or are streams goes on. */
static void go_on(struct call *call)
{
    if (call->stream && one_in(2))
        end_stream(call);
    else if (call->stream)
        stream_some(call, pick(ANSWER_SIZE_MAX / 4));
    else if (one_in(3) && may_stream(call))
        begin_stream(call, call->r);
    else
        reply(call, call->r, pick(one_in(4) ? large_for(call) : SMALL));
}

/* Of those whose client has left, one half at most: of the others the server has to tell. */
static void calls_go_on(bool abandoned_too)
{
    for (size_t i = 0; i < open_n; i++) {
        struct call *call = open_calls[i];
        bool may = !call->abandoned || (abandoned_too && id_of(call) % 2);
        if ((call->r || call->stream) && may && one_in(GO_ON_ONE_IN))
            go_on(call);
        if (!call->r && !call->stream)
            open_calls[i--] = open_calls[--open_n];
    }
}

/* ---- clients ---- */

static struct client {
    int fd;                        /* -1 = none */
    bool plain;                    /* all it says is for the fast path, mostly */
    bool half_closed;
    bool refused;                  /* by its last answer: libmicrohttpd may end the connection after that */
    struct buf out;                /* to be sent */
    size_t appetite;               /* bytes that it reads at once, at most */
    size_t due[DUE_MAX], due_n;    /* ids whose answers are to come, in order */
    enum { IN_HEAD, IN_BODY, IN_CHUNK_SIZE, IN_CHUNK } at;     /* of what is read */
    char line[600];                /* the head or the size of a chunk, as far as it came */
    size_t line_n;
    size_t left;                   /* of the body, or of a chunk and the end of its line */
    size_t body_n;                 /* of it came */
    bool last_chunk;
} clients[CLIENTS];

static void abandon(struct client *c)
{
    for (size_t i = 0; i < c->due_n; i++)
        calls[c->due[i]].abandoned = true;
    buf_clear(&c->out);
}

static void leave(struct client *c)
{
    abandon(c);
    close(c->fd);
    buf_fini(&c->out);
    *c = (struct client){.fd = -1};
}

static void arrive(struct client *c)
{
    static const size_t appetites[] = {500, 3000, 200000};
    bool tcp = one_in(2);
    int few = 96 * 1024;           /* a window of less than a segment would cost a timer of the kernel's each time */

    *c = (struct client){.fd = tcp ? dial_tcp() : dial(), .plain = !one_in(4),
                         .appetite = appetites[pick(ARRAY_LEN(appetites))]};
    if (tcp && one_in(2))          /* else the kernel holds whole answers */
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof few);
}

static void half_close(struct client *c)
{
    abandon(c);
    c->half_closed = true;
    shutdown(c->fd, SHUT_WR);
}

static void reset(struct client *c)
{
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
    leave(c);
}

/* ---- requests ---- */

static void add_chunks(struct buf *out, const char *body, size_t n)
{
    while (n > 0) {
        size_t some = 1 + pick(n < 3000 ? n : 3000);
        buf_printf(out, "%zx\r\n%.*s\r\n", some, (int)some, body);
        body += some;
        n -= some;
    }
    buf_add_str(out, "0\r\n\r\n");
}

static void ask(struct client *c)
{
    size_t id = calls_n++, kind = pick(c->plain ? 50 : 4), body_n = pick(one_in(4) ? BODY_MAX : one_in(50) ? LARGE_BODY_MAX : SMALL);

    c->due[c->due_n++] = id;
    calls[id].plain = c->plain;
    if (kind == 0) {
        buf_printf(&c->out, "GET /%zu HTTP/1.1\r\nHost: x\r\n\r\n", id);
        return;
    }
    calls[id].body_n = body_n;
    if (kind == 1) {
        buf_printf(&c->out, "POST /%zu HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", id);
        add_chunks(&c->out, letters(id), body_n);
    } else {
        buf_printf(&c->out, "POST /%zu HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", id, body_n);
        buf_add(&c->out, letters(id), body_n);
    }
}

/* Without a body, and nothing behind it until the answer is in: libmicrohttpd ends the connection, and with bytes that it has not
 * read the socket would take back the answer. */
static void ask_to_be_refused(struct client *c)
{
    size_t id = calls_n++;

    c->due[c->due_n++] = id;
    calls[id].refused = true;
    buf_add_str(&c->out, one_in(c->plain ? 20 : 2) ? "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n"
                                                   : "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
}

static bool awaits_refusal(const struct client *c)
{
    return c->due_n > 0 && calls[c->due[c->due_n - 1]].refused;
}

static void ask_some(struct client *c)
{
    if (c->half_closed || c->out.len > 0 || c->due_n + PIPELINE > DUE_MAX || awaits_refusal(c) || calls_n + PIPELINE >= CALLS_MAX)
        return;
    for (size_t n = 1 + pick(PIPELINE); n > 0; n--)
        ask(c);
    if (one_in(12) && c->due_n < DUE_MAX)
        ask_to_be_refused(c);
}

static void send_some(struct client *c, size_t n)
{
    ssize_t sent = n ? write(c->fd, c->out.data, n) : 0;

    if (sent > 0)                  /* an error is found by who reads */
        buf_consume(&c->out, (size_t)sent);
}

/* ---- answers ---- */

static void answer_is_in(struct client *c)
{
    const struct call *call = &calls[c->due[0]];

    if (!call->refused && !call->dropped && c->body_n != call->answer_n)
        wrong(ANSWER_WRONG, c->due[0]);
    c->refused = call->refused;
    memmove(c->due, c->due + 1, --c->due_n * sizeof c->due[0]);
    c->at = IN_HEAD;
    c->line_n = c->body_n = 0;
    c->last_chunk = false;
}

static void head_is_in(struct client *c)
{
    size_t id = c->due_n ? c->due[0] : 0;
    const struct call *call = &calls[id];
    const char *status = call->refused ? "HTTP/1.1 403 " : "HTTP/1.1 200 ", *length = strstr(c->line, "\r\nContent-Length: ");
    char own_id[40];

    snprintf(own_id, sizeof own_id, "\r\nX-Id: %zu\r\n", id);
    if (c->due_n == 0 || strncmp(c->line, status, strlen(status)) != 0 || !(call->refused || strstr(c->line, own_id)) ||
        !strstr(c->line, call->streamed ? "\r\nTransfer-Encoding: chunked\r\n" : "\r\nContent-Length: ")) {
        wrong(ANSWER_WRONG, id);
        leave(c);
        return;
    }
    c->line_n = 0;
    c->at = call->streamed ? IN_CHUNK_SIZE : IN_BODY;
    c->left = call->streamed ? 0 : strtoul(length + strlen("\r\nContent-Length: "), NULL, 10);
    if (c->at == IN_BODY && c->left == 0)
        answer_is_in(c);
}

static void size_is_in(struct client *c)
{
    size_t size = strtoul(c->line, NULL, 16);

    c->line_n = 0;
    c->last_chunk = size == 0;
    c->left = size + strlen("\r\n");
    c->at = IN_CHUNK;
}

static void take_of_line(struct client *c, char byte)
{
    const char *end = c->at == IN_HEAD ? "\r\n\r\n" : "\r\n";
    size_t end_n = strlen(end);

    c->line[c->line_n++] = byte;
    c->line[c->line_n] = '\0';
    if (c->line_n >= end_n && strcmp(c->line + c->line_n - end_n, end) == 0) {
        if (c->at == IN_HEAD)
            head_is_in(c);
        else
            size_is_in(c);
    } else if (c->line_n == sizeof c->line - 1) {
        wrong(ANSWER_WRONG, c->due_n ? c->due[0] : 0);
        leave(c);
    }
}

static void take_of_body(struct client *c, char byte)
{
    size_t id = c->due[0];
    bool ends_chunk = c->at == IN_CHUNK && c->left <= strlen("\r\n");
    char want = ends_chunk ? "\n\r"[c->left - 1] : letters(id)[c->body_n % LETTERS];

    if (byte != want && !calls[id].refused)
        wrong(ANSWER_WRONG, id);
    c->body_n += !ends_chunk;
    if (--c->left > 0)
        return;
    if (c->at == IN_BODY || c->last_chunk)
        answer_is_in(c);
    else
        c->at = IN_CHUNK_SIZE;
}

/* The server has ended it: that is for who ends its side or was refused. */
static void end_is_in(struct client *c)
{
    if (!c->half_closed && !(c->refused && c->at == IN_HEAD && c->line_n == 0))
        wrong(ANSWER_MISSING, c->due_n ? c->due[0] : 0);
    leave(c);
}

static void read_some(struct client *c, size_t most)
{
    static char got[ANSWER_SIZE_MAX];
    ssize_t n = read(c->fd, got, most < sizeof got ? most : sizeof got);

    if (n == 0 || (n < 0 && errno != EAGAIN))
        end_is_in(c);
    for (ssize_t i = 0; i < n && c->fd >= 0; i++) {
        if (c->at == IN_HEAD || c->at == IN_CHUNK_SIZE)
            take_of_line(c, got[i]);
        else
            take_of_body(c, got[i]);
    }
}

/* ---- traffic ---- */

static void act(struct client *c)
{
    if (c->fd < 0)
        arrive(c);
    ask_some(c);
    if (c->out.len > 0)
        send_some(c, one_in(2) ? c->out.len : 1 + pick(c->out.len));
    size_t whim = pick(360);
    if (whim < 3 && !c->half_closed)
        half_close(c);
    else if (whim < 6)
        leave(c);
    else if (whim < 9)
        reset(c);
    else if (!one_in(3))
        read_some(c, 1 + pick(c->appetite));
}

static void traffic(int steps)
{
    for (int i = 0; i < steps; i++) {
        act(&clients[pick(CLIENTS)]);
        if (one_in(2))
            ev_run(loop, EVRUN_NOWAIT);
        if (one_in(3))
            calls_go_on(true);
        if (one_in(50))            /* the loop's timers get their time */
            usleep(2000);
    }
}

/* Clients read and send what is left; nobody asks for more. */
static void turn(void)
{
    for (struct client *c = clients; c < clients + CLIENTS; c++) {
        if (c->fd < 0)
            continue;
        send_some(c, c->out.len);
        read_some(c, ANSWER_SIZE_MAX);
    }
    ev_run(loop, EVRUN_NOWAIT);
    usleep(500);
}

/* The fast path ends who has ended its side. */
static size_t ended_on_fast_path(void)
{
    size_t n = 0;
    char byte;

    for (const struct http_connection *c = httpd->connections; c; c = c->next)
        n += !c->conn && recv(c->fd, &byte, 1, MSG_PEEK) == 0;
    return n;
}

static bool is_settled(void)
{
    size_t due = ended_on_fast_path();

    for (const struct client *c = clients; c < clients + CLIENTS; c++)
        due += c->fd >= 0 && !c->half_closed ? c->due_n : 0;
    return due + open_n == 0;
}

static void check_calls(void)
{
    for (struct call *call = calls; call < calls + calls_n; call++)
        if (call->stream || (call->waited && call->answered + call->gone != 1))
            wrong(NOT_TOLD, id_of(call));
}

static void leave_all(bool half_closed_too)
{
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd >= 0 && (half_closed_too || !c->half_closed))
            leave(c);
}

/* Who is left gets its answers; the handler leaves those whose client has gone to the server, which has to tell. */
static void settle(void)
{
    int64_t end_ms = clock_mono_ms() + SETTLE_MS;

    while (!is_settled() && clock_mono_ms() < end_ms) {
        turn();
        calls_go_on(false);
    }
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        if (c->fd >= 0 && !c->half_closed && c->due_n > 0)
            wrong(ANSWER_MISSING, c->due[0]);
    check_calls();
    check_wrongs("when all is settled");
    is_int((long)ended_on_fast_path(), 0, "seed %u: no client that has ended its side is kept on the fast path", seed);
}

static size_t connections(void)
{
    return httpd->unix_listener.connections + httpd->tcp_listener.connections;
}

/* The clients that half-closed stay: libmicrohttpd does not look for an end that it read together with a part of a request, so
 * those may stand until the idle check. */
static void check_nothing_left(void)
{
    int64_t end_ms = clock_mono_ms() + SETTLE_MS;

    leave_all(false);
    httpd_set_idle(httpd, 0.3);
    while (connections() > 0 && clock_mono_ms() < end_ms)
        turn();
    is_int((long)connections(), 0, "seed %u: connections end, at the idle check at last", seed);
    ok(!httpd->open && httpd->body_bytes == 0, "seed %u: and no request is left", seed);
    is_int((long)httpd->answer_bytes, 0, "seed %u: nor bytes of an answer", seed);
    is_int((long)httpd->watched, 0, "seed %u: nor one that is watched", seed);
    leave_all(true);
    httpd_set_idle(httpd, 600.);
}

/* In the middle of traffic. */
static void check_end(void (*end)(void))
{
    traffic(LAST_STEPS);
    bool any = false;
    for (size_t i = 0; i < open_n; i++)
        any |= open_calls[i]->r || open_calls[i]->stream;
    ok(any, "seed %u: somebody waits when the server ends", seed);
    end();
    check_calls();
    check_wrongs("after the server's end");
    leave_all(true);
}

static void begin_server(void)
{
    struct fault f = FAULT_NONE;

    httpd = httpd_new(loop, 150000, &(struct httpd_events){on_admit, on_call}, NULL);
    if (httpd_listen_unix(httpd, socket_path, &f) < 0 || httpd_listen_tcp(httpd, "127.0.0.1:0", &f) < 0)
        bail_out("%s", f.text);
}

static void end_server(void)
{
    httpd_free(httpd);
}

static void begin_seed(unsigned value)
{
    seed = value;
    random_state = value;
    memset(calls, 0, sizeof calls);
    calls_n = open_n = 0;
    for (struct client *c = clients; c < clients + CLIENTS; c++)
        c->fd = -1;
}

int main(void)
{
    rig_begin();
    end_server();
    for (size_t i = 0; i < ARRAY_LEN(seeds); i++) {
        begin_seed(seeds[i]);
        begin_server();
        traffic(STEPS);
        settle();
        check_nothing_left();
        check_end(i + 1 < ARRAY_LEN(seeds) ? end_server : rig_end);
    }
    return done_testing();
}
