/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The HTTP server by raw sockets: answers at once and later, streams, upgrades, clients that leave, bodies over the limit. */
#include <errno.h>
#include <malloc.h>

#include "httpd_rig.h"

static void test_plain(void)
{
    int fd = dial();

    say(fd, "GET /now?q=a%20b HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(fd, "a%20b"), "200 OK"), "an answer at once; the query is as sent");
    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    ok(strstr(read_until(fd, "hello"), "hello"), "a body, on the same connection");
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    ok(later != NULL, "a request that waits");
    answer(later, 200, "finally");
    later = NULL;
    ok(strstr(read_until(fd, "finally"), "finally"), "is answered later");
    close(fd);

    fd = dial();
    say(fd, "GET /refused HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(fd, "no"), "403"), "a refusal before the body");
    close(fd);
}

/* A request that waits is suspended; here it is answered in the next turn, and later. */
static void test_waiting(void)
{
    static char body[140000];
    char head[100];
    int fd = dial(), other = dial();

    for (int waits = 0; waits < 2; waits++) {
        const char *when = waits ? "later" : "soon";
        later = NULL;
        say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /now?q=next HTTP/1.1\r\nHost: x\r\n\r\n");
        for (int i = 0; i < 1000 && !later; i++)
            ev_run(loop, EVRUN_NOWAIT);
        if (waits)
            ok(turn_for(0.06) <= 6, "a request that waits does not spin");
        answer(later, 200, "finally");
        later = NULL;
        const char *got = read_until(fd, "next");
        ok(strstr(got, "finally") && strstr(got, "next"), "%s: answered, and so is the request sent along", when);
        say(fd, "GET /now?q=third HTTP/1.1\r\nHost: x\r\n\r\n");
        ok(strstr(read_until(fd, "third"), "third"), "%s: the connection goes on", when);
    }
    memset(body, 'x', sizeof body - 4);
    strcpy(body + sizeof body - 5, "end!");
    snprintf(head, sizeof head, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    say(other, head);
    for (size_t sent = 0, turns = 0; sent < strlen(body) && turns < 100000; turns++) {
        ssize_t k = write(other, body + sent, strlen(body) - sent);
        sent += k > 0 ? (size_t)k : 0;
        ev_run(loop, EVRUN_NOWAIT);
    }
    int ends = 0;
    for (int i = 0; i < 3000 && !ends; i++) {
        static char got[1 << 16];
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t k = read(other, got, sizeof got);
        ends = k > 0 && memmem(got, (size_t)k, "end!", 4);
        if (k <= 0)
            usleep(1000);
    }
    ok(ends, "a large body passes beside a request that waits");
    answer(later, 200, "finally");
    later = NULL;
    ok(strstr(read_until(fd, "finally"), "finally"), "which is answered then");
    close(fd);
    close(other);
}

/* One client's call is slow; another's next request comes as soon as it has its answer, before libmicrohttpd is through with that. */
static void test_beside_a_slow_one(void)
{
    int slow = dial(), quick = dial(), late = 0;
    char got[1000];

    say(slow, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    struct request *slow_one = TAKE(later);
    for (int round = 0; round < 5; round++) {
        say(quick, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
        int turns = 0;
        while (!later && turns++ < 1000) {
            ev_run(loop, EVRUN_NOWAIT);
            usleep(turns > 5 ? 1000 : 0);
        }
        late += turns > 5;
        answer(later, 200, "quick");
        later = NULL;
        for (int i = 0; i < 1000 && read(quick, got, sizeof got) < 0; i++)
            ev_run(loop, EVRUN_NOWAIT);
    }
    is_int(late, 0, "a request beside one that waits is read in the turn that hears of it");
    answer(slow_one, 200, "slow");
    ok(strstr(read_until(slow, "slow"), "200 OK"), "and that one is answered in the end");
    close(slow);
    close(quick);
}

static struct request *let_wait(int fd)
{
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    return TAKE(later);
}

static void on_readable(struct ev_loop *l, ev_io *w, int revents)
{
    (void)w, (void)revents;
    ev_break(l, EVBREAK_ALL);
}

/* Lets the loop sleep and work until it is broken; how long that took, in seconds. */
static double turn_until_broken(void)
{
    ev_tstamp began = ev_time();

    ev_run(loop, 0);
    return ev_time() - began;
}

/* Work that no event tells of is done turn by turn, also while somebody waits. */
static void test_much_beside_a_slow_one(void)
{
    enum { REQUESTS = 80, CHUNKS = 500 };
    static char many[10000], chunked[60000];
    char *at = many;
    int slow = dial();
    double best[2] = {1, 1};

    for (int i = 0; i < REQUESTS; i++)
        at += sprintf(at, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", i < REQUESTS - 1 ? "now" : "last");
    at = chunked + sprintf(chunked, "POST /last HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < CHUNKS; i++)
        at += sprintf(at, "40\r\n%064d\r\n", i);
    strcpy(at, "0\r\n\r\n");
    for (int round = 0; round < 10; round++) {
        int busy = dial();
        struct request *slow_one = let_wait(slow);
        say(busy, round % 2 ? chunked : many);
        double took = turn_until_broken();
        best[round % 2] = took < best[round % 2] ? took : best[round % 2];
        answer(slow_one, 200, "slow");
        read_until(slow, "slow");
        close(busy);
    }
    ok(best[0] < 0.008, "many requests at once, beside one that waits: %d us", (int)(best[0] * 1e6));
    ok(best[1] < 0.008, "a body in small chunks, beside a request that waits: %d us", (int)(best[1] * 1e6));
    close(slow);
}

/* Who waits at one listener is answered by what is said at the other. */
static void test_other_listener(void)
{
    int slow = dial(), other = dial_tcp();
    double best = 1;
    ev_io io;

    ev_io_init(&io, on_readable, slow, EV_READ);
    for (int round = 0; round < 10; round++) {
        later = let_wait(slow);
        say(other, "GET /release HTTP/1.1\r\nHost: x\r\n\r\n");
        ev_io_start(loop, &io);
        double took = turn_until_broken();
        ev_io_stop(loop, &io);
        best = took < best ? took : best;
        read_until(slow, "released");
        read_until(other, "it is");
    }
    ok(best < 0.005, "it does not wait for another event: %d us", (int)(best * 1e6));
    close(slow);
    close(other);
}

/* What libmicrohttpd does not take as an answer ends the connection, and does not leave its client waiting. */
static void test_no_answer(void)
{
    int fd = dial();
    char c;

    answer(let_wait(fd), 42, "no such status");
    read_until(fd, NULL);
    is_int(read(fd, &c, 1), 0, "an answer that cannot be sent ends the connection");
    close(fd);
}

/* libmicrohttpd does not go on with a chunk's size that fills its buffer, and says that there is something to do. */
static void test_chunk_without_end(void)
{
    static char text[20000];
    int fd = dial(), other = dial();
    int n = sprintf(text, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;");

    memset(text + n, 'x', sizeof text - 1 - (size_t)n);
    say(fd, text);
    turn_for(0.03);
    ok(turn_for(0.06) <= 6, "a chunk that cannot be read does not keep the loop busy");
    say(other, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(other, "now"), "200 OK"), "and others are served");
    close(other);
    close(fd);
    ok(turn_for(0.03) <= 6, "and it goes with its client");
}

/* The longest head there can be leaves no room for an answer's: the connection ends then, and nothing else does.
 * Its memory is overwritten, so that a turn that looks at it still goes wrong: it takes it for overdue, always. */
static void test_heads_too_long_to_answer(void)
{
    static char head[17000], got[1000];
    int other = dial(), left = 0, answered = 0, lines = 0;

    mallopt(M_PERTURB, 0x5a);
    say(other, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(other, "now");
    for (size_t n = 15900; n < 16384; n += 4) {
        int fd = dial(), at = snprintf(head, sizeof head, "GET /later HTTP/1.1\r\nHost: x\r\nX: ");
        memset(head + at, 'x', n);
        strcpy(head + at + n, "\r\n\r\n");
        say(fd, head);
        ssize_t k = -1;
        for (int i = 0; i < 100 && k < 0 && !later; i++) {
            ev_run(loop, EVRUN_NOWAIT);
            k = read(fd, got, sizeof got);
            usleep(k < 0 && !later && i > 20 ? 1000 : 0);
        }
        if (later) {
            lines++;
            answer(TAKE(later), 200, "it fits");
            const char *text = read_until(fd, "it fits");
            answered += strstr(text, "it fits") != NULL;
            left += !*text;
        }
        close(fd);
    }
    ok(answered && left && answered + left == lines, "of %d requests %d are answered, %d end for want of room", lines, answered, left);
    ok(turn_for(0.06) <= 6, "which leaves nothing behind");
    mallopt(M_PERTURB, 0);
    say(other, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(other, "now"), "200 OK"), "and other connections go on");
    close(other);
}

static void test_leaving(void)
{
    int fd = dial();

    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    close(fd);
    turn_until(&gone_count, 1);
    is_int(gone_count, 1, "a client that leaves while it waits is noticed");
}

static void test_too_big(void)
{
    static char chunk[100000];
    int fd = dial();

    say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n");
    for (int sent = 0, turns = 0; sent < 200000 && turns < 100000; turns++) {
        ssize_t k = write(fd, chunk, (size_t)(200000 - sent > (int)sizeof chunk ? (int)sizeof chunk : 200000 - sent));
        sent += k > 0 ? (int)k : 0;
        ev_run(loop, EVRUN_NOWAIT);
    }
    ok(strstr(read_until(fd, "larger"), "413"), "a body over the limit is refused");
    say(fd, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(fd, "now"), "200"), "and the connection stays usable");
    close(fd);
}

static void test_stream(void)
{
    int fd = dial();

    say(fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    read_until(fd, "event-stream");
    ok(stream != NULL, "a stream");
    http_stream_write(stream, "one", 3);
    ok(strstr(read_until(fd, "one"), "one"), "its first bytes");
    ok(drained_count > 0, "the writer hears that all was taken");
    unsigned runs = ev_iteration(loop);
    for (int i = 0; i < 50; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    ok(ev_iteration(loop) - runs <= 51, "an idle stream does not spin");
    http_stream_write(stream, "two", 3);
    ok(strstr(read_until(fd, "two"), "two"), "and more");
    close(fd);
    turn_until(&closed_count, 1);
    is_int(closed_count, 1, "a reader that leaves is noticed");
}

static void test_upgrade(void)
{
    int fd = dial();

    say(fd, "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: mcp-stdio\r\n\r\nearly");
    ok(strstr(read_until(fd, "early"), "101"), "101");
    ok(upgraded && (fcntl(upgraded_fd, F_GETFL) & O_NONBLOCK), "a non-blocking descriptor");
    say(upgraded_fd, "raw");
    ok(strstr(read_until(fd, "raw"), "raw"), "raw bytes");
    upgraded_close(upgraded);
    read_until(fd, NULL);
    char c;
    ok(read(fd, &c, 1) == 0, "closed with the upgrade");
    close(fd);
}

static bool is_ended(int fd)
{
    char c;

    for (int i = 0; i < 300; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t n = read(fd, &c, 1);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return true;
        usleep(10000);
    }
    return false;
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 200; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* A request that waited until it was suspended, and behind it one that fills libmicrohttpd's buffer and cannot be read to its end: it does not
 * look at such a socket any more. */
static void test_idle_and_full(void)
{
    static char endless[40000] = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;";
    int before = open_descriptors(), fd = dial();

    memset(endless + strlen(endless), 'x', sizeof endless - strlen(endless));
    httpd_set_idle(httpd, 0.5);
    struct request *r = let_wait(fd);
    for (int i = 0; i < 100; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(1000);
    }
    ok(write(fd, endless, sizeof endless) > 20000, "much behind a request that is suspended");
    answer(r, 200, "finally");
    ok(strstr(read_until(fd, "finally"), "200 OK"), "that one is answered");
    for (int i = 0; i < 400 && open_descriptors() > before + 1; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(10000);
    }
    is_int(open_descriptors(), before + 1, "the connection is ended on our side, too");
    close(fd);
    httpd_set_idle(httpd, 600);
}

static void test_idle(void)
{
    static char big[4 << 20], some[1 << 14];
    int idle = dial(), half = dial(), waits = dial(), slow = dial(), deaf = dial(), streams = dial();

    httpd_set_idle(httpd, 0.5);
    say(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
    say(streams, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
    ok(strstr(read_until(streams, "event-stream"), "200 OK"), "a stream");
    memset(big, 'x', sizeof big - 1);
    struct request *r[3] = {let_wait(slow), let_wait(deaf), let_wait(waits)};
    answer(r[0], 200, big);
    answer(r[1], 200, big);
    size_t got = 0;
    for (int i = 0; i < 150; i++) {         /* for one second and a half, and not to the end */
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t n = read(slow, some, sizeof some);
        got += n > 0 ? (size_t)n : 0;
        usleep(10000);
    }
    ok(got > 1 << 20 && got < sizeof big, "who reads slowly has time: %zu bytes", got);
    ok(is_ended(idle), "a connection without a request is ended");
    ok(is_ended(half), "and one whose request does not come to its end");
    size_t left = 0;
    for (ssize_t n; (n = read(deaf, big, sizeof big)) > 0;)
        left += (size_t)n;
    ok(left < sizeof big - 1 && is_ended(deaf), "and one whose answer is not read");
    http_stream_write(stream, "here", 4);
    ok(strstr(read_until(streams, "here"), "here"), "a stream with nothing to say stands");
    answer(r[2], 200, "finally");
    ok(strstr(read_until(waits, "finally"), "200 OK"), "so does a request that waits");
    httpd_set_idle(httpd, 600);
    int closed = closed_count;
    int all[] = {idle, half, waits, slow, deaf, streams};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        close(all[i]);
    turn_until(&closed_count, closed + 1);
}

int main(void)
{
    rig_begin();
    test_plain();
    test_waiting();
    test_beside_a_slow_one();
    test_much_beside_a_slow_one();
    test_other_listener();
    test_no_answer();
    test_chunk_without_end();
    test_heads_too_long_to_answer();
    test_leaving();
    test_too_big();
    test_stream();
    test_upgrade();
    test_idle();
    test_idle_and_full();
    int fd = dial();
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    rig_end();
    is_int(gone_count, 2, "a waiting request hears of the end");
    close(fd);
    return done_testing();
}
