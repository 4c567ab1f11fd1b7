/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fast path by raw sockets: what stays on it, what goes to libmicrohttpd at which moment, and that its clients cannot tell. */
#include <sys/resource.h>

#include "api/httpd_internal.h"
#include "httpd_rig.h"

#define HEAD(path, n) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: " #n "\r\n\r\n"
#define GET_NOW "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"

/* The connection that came last. */
static bool is_fast(void)
{
    return httpd->connections && !httpd->connections->conn;
}

static size_t connections(void)
{
    return httpd->unix_listener.connections + httpd->tcp_listener.connections;
}

static void turn(int times)
{
    for (int i = 0; i < times; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        usleep(1000);
    }
}

static void turn_until_left(size_t want)
{
    turn(3);
    for (int i = 0; i < 3000 && connections() != want; i++)
        turn(1);
}

static int count(const char *text, const char *what)
{
    int n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void test_stays(int fd, const char *where)
{
    char c;

    say(fd, HEAD("/echo", 5) "hello");
    ok(strstr(read_until(fd, "hello"), "HTTP/1.1 200 OK\r\nDate: ") && is_fast(), "%s: a small POST", where);
    for (const char *p = HEAD("/echo", 5) "piece"; *p; p++) {
        c = *p;
        say(fd, (char[]){c, '\0'});
        ev_run(loop, EVRUN_NOWAIT);
    }
    ok(count(read_until(fd, "piece"), "200 OK") == 1 && is_fast(), "%s: byte by byte", where);
    say(fd, HEAD("/echo", 3) "one" HEAD("/echo", 3) "two" HEAD("/echo", 5) "th");
    const char *got = read_until(fd, "two");
    ok(strstr(got, "one") && strstr(got, "two") && count(got, "200 OK") == 2, "%s: two at once, and a part of a third", where);
    say(fd, "ree");
    ok(strstr(read_until(fd, "three"), "three"), "%s: the rest of it", where);
    say(fd, HEAD("/refused", 2) "{}");
    ok(strstr(read_until(fd, "no"), "403 Forbidden"), "%s: a refusal", where);
    say(fd, HEAD("/echo", 0));
    ok(strstr(read_until(fd, "\r\n\r\n"), "Content-Length: 0\r\n") && is_fast(), "%s: no body", where);
    say(fd, HEAD("/later", 2) "{}");
    struct request *r = await_later();
    say(fd, HEAD("/echo", 4) "next");
    turn(5);
    ok(read(fd, &c, 1) < 0, "%s: what comes behind a request that waits waits, too", where);
    answer(r, 200, "finally");
    got = read_until(fd, "next");
    ok(strstr(got, "finally") && strstr(got, "next") > strstr(got, "finally") && is_fast(), "%s: both are answered in order", where);
}

static void test_answered_by_another(void)
{
    int fd = dial(), other = dial();

    say(fd, HEAD("/later", 2) "{}");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    say(other, HEAD("/release", 2) "{}");
    ok(strstr(read_until(other, "it is"), "it is"), "a handler that answers another's request");
    ok(strstr(read_until(fd, "released"), "released"), "which that client gets");
    say(fd, HEAD("/echo", 2) "on");
    ok(strstr(read_until(fd, "on"), "200 OK"), "and goes on");
    close(fd);
    close(other);
    turn_until_left(0);
}

/* Each on a connection that has been on the fast path. */
static void test_goes(void)
{
    static const struct { const char *text, *want, *what; } others[] = {
        {GET_NOW, "now", "another method"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello", "chunks"},
        {"POST /echo HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "hello", "an old version"},
        {"POST /now?q=asked HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "asked", "a query"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", "100 Continue", "an expectation"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n", "400 Bad Request", "nonsense"},
        {HEAD("/echo", 200000), "413", "a body over the limit"},
    };

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        int fd = dial_tcp();
        say(fd, HEAD("/echo", 5) "small");
        read_until(fd, "small");
        bool before = is_fast();
        say(fd, others[i].text);
        if (strstr(others[i].text, "200000"))
            for (int sent = 0; sent < 200000;) {
                static char rest[1000];
                ssize_t n = write(fd, rest, sizeof rest);
                sent += n > 0 ? (int)n : 0;
                ev_run(loop, EVRUN_NOWAIT);
            }
        const char *got = read_until(fd, others[i].want);
        ok(before && strstr(got, others[i].want) && !is_fast(), "%s goes to libmicrohttpd, which answers", others[i].what);
        close(fd);
        turn_until_left(0);
    }
}

static char big[140000];

static size_t read_all(int fd, size_t want)
{
    static char got[1 << 18];
    size_t n = 0;

    for (int i = 0; i < 3000 && n < want; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t k = read(fd, got, sizeof got);
        n += k > 0 ? (size_t)k : 0;
        if (k == 0)
            break;
        usleep(k > 0 ? 0 : 1000);
    }
    return n;
}

static void test_goes_with_a_body(void)
{
    int fd = dial_tcp();

    memset(big, 'b', sizeof big);
    say(fd, HEAD("/echo", 40000));
    turn(3);
    ok(!is_fast(), "a body that is too large goes before it is there");
    ok(write(fd, big, 40000) == 40000, "it comes");
    ok(read_all(fd, 40000) > 40000, "and is answered");
    close(fd);
    turn_until_left(0);
}

static void test_goes_for_its_answer(void)
{
    int fd = dial_tcp();
    const struct iovec body = {big, sizeof big};

    say(fd, HEAD("/later", 5) "waits");
    struct request *r = await_later();
    turn(3);
    bool before = is_fast();
    request_reply(r, 200, "text/plain", NULL, &body, 1);
    ok(before && read_all(fd, sizeof big) > sizeof big && !is_fast(), "a large answer is libmicrohttpd's to send");
    say(fd, HEAD("/echo", 2) "on" GET_NOW);
    const char *got = read_until(fd, "now");
    ok(strstr(got, "\r\n\r\non") && strstr(got, "\r\n\r\nnow"), "and the connection goes on there");
    close(fd);
    turn_until_left(0);
}

static void test_goes_for_a_stream(int fd)
{
    say(fd, HEAD("/later", 5) "waits" HEAD("/echo", 2) "on");
    struct request *r = await_later();
    stream = request_stream(r, "text/event-stream", NULL, &(struct http_stream_events){on_drained, on_closed}, NULL);
    http_stream_write(stream, "first.", 6);
    const char *got = read_until(fd, "first.");
    ok(strstr(got, "event-stream") && strstr(got, "first.") && !is_fast(), "an answer that becomes a stream goes to libmicrohttpd");
    http_stream_write(stream, "second.", 7);
    ok(strstr(read_until(fd, "second."), "second."), "and is one like any other");
    http_stream_close(stream);
    ok(strstr(read_until(fd, "\r\n\r\non"), "200 OK"), "what was sent along is answered after its end");
    int closed = closed_count;
    say(fd, HEAD("/stream", 2) "{}");
    read_until(fd, "event-stream");
    close(fd);
    turn_until(&closed_count, closed + 1);
    is_int(closed_count, closed + 1, "a reader that leaves is noticed");
    turn_until_left(0);
}

/* The stream is made and its client leaves in the same turn. */
static void test_leaves_on_the_way(void)
{
    int closed = closed_count, fd = dial();

    say(fd, HEAD("/stream", 2) "{}");
    close(fd);
    turn_until_left(0);
    is_int(closed_count, closed + 1, "a client that leaves on the way to libmicrohttpd closes its stream");
    is_int((long)connections(), 0, "and its connection is gone");
    fd = dial_tcp();
    say(fd, HEAD("/later", 2) "{}");
    struct request *r = await_later();
    close(fd);
    request_reply(r, 200, "text/plain", NULL, &(struct iovec){big, sizeof big}, 1);
    turn_until_left(0);
    is_int((long)connections(), 0, "so is one with a large answer");
}

static void test_leaves(int fd, const char *where)
{
    int gone = gone_count;

    say(fd, HEAD("/later", 2) "{}");
    await_later();
    close(fd);
    turn_until(&gone_count, gone + 1);
    is_int(gone_count, gone + 1, "%s: a client that leaves while it waits is noticed", where);
    turn_until_left(0);
    is_int((long)connections(), 0, "%s: and its connection is gone", where);
}

static void test_leaves_early(void)
{
    int fd = dial_tcp();

    say(fd, HEAD("/echo", 5) "hello");
    close(fd);
    turn_until_left(0);
    is_int((long)connections(), 0, "a client that does not wait for its answer");
    fd = dial_tcp();
    say(fd, HEAD("/echo", 5) "he");
    close(fd);
    turn_until_left(0);
    is_int((long)connections(), 0, "one that has not said all");
    fd = dial_tcp();
    turn(3);
    close(fd);
    turn_until_left(0);
    is_int((long)connections(), 0, "one that has said nothing");
}

/* `printf … | nc -N` */
static void test_says_all(void)
{
    int fd = dial_tcp();
    char c;

    say(fd, HEAD("/echo", 5) "hello");
    shutdown(fd, SHUT_WR);
    ok(strstr(read_until(fd, "hello"), "200 OK"), "who ends its side after its request is answered at once");
    for (int i = 0; i < 1000 && read(fd, &c, 1) != 0; i++)
        turn(1);
    is_int((long)connections(), 0, "and then the connection ends");
    close(fd);
    fd = dial_tcp();
    say(fd, HEAD("/later", 5) "hello");
    struct request *r = await_later();
    shutdown(fd, SHUT_WR);
    turn(3);
    answer(r, 200, "soon");
    ok(strstr(read_until(fd, "soon"), "200 OK"), "and a moment later");
    turn_until_left(0);
    is_int((long)connections(), 0, "then, too");
    close(fd);
}

/* More answers than the sockets hold, read late. */
static void test_reads_slowly(void)
{
    static char text[200000], got[1 << 16];
    enum { ROUNDS = 300, BODY = 30000 };
    int fd = dial_tcp();
    size_t n = 0, sent = 0;
    bool full = false;

    memset(text, 'x', sizeof text);
    size_t head = (size_t)sprintf(text, "%s", HEAD("/echo", 30000));
    text[head] = 'x';
    for (int round = 0; round < ROUNDS;) {
        ssize_t k = write(fd, text + sent, head + BODY - sent);
        sent += k > 0 ? (size_t)k : 0;
        if (sent == head + BODY) {
            sent = 0;
            round++;
        }
        ev_run(loop, EVRUN_NOWAIT);
        full |= httpd->connections->rest.n > 0;
        if (k > 0)
            continue;
        ssize_t m = read(fd, got, sizeof got / 16);      /* neither side may block for ever */
        n += m > 0 ? (size_t)m : 0;
    }
    ok(full && is_fast(), "answers that do not fit the socket");
    n += read_all(fd, (size_t)ROUNDS * BODY - n);
    for (int i = 0; i < 50; i++) {
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t m = read(fd, got, sizeof got);
        n += m > 0 ? (size_t)m : 0;
        usleep(m > 0 ? 0 : 1000);
    }
    say(fd, HEAD("/now", 0));
    const char *last = read_until(fd, "now");
    size_t want = (size_t)ROUNDS * (BODY + strlen("HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 00:00:00 GMT\r\nContent-Length: 30000\r\n"
                                            "Content-Type: text/plain\r\n\r\n"));
    is_int((long)n, (long)want, "all come, to the byte");
    ok(strstr(last, "\r\n\r\nnow") != NULL, "and the connection goes on");
    close(fd);
    turn_until_left(0);
}

static void test_no_descriptors(void)
{
    struct rlimit was, none;
    int fd = dial_tcp(), second = dial();

    getrlimit(RLIMIT_NOFILE, &was);
    none = was;
    none.rlim_cur = (rlim_t)second + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    unsigned before = ev_iteration(loop);
    say(fd, GET_NOW);
    turn(50);
    ok(ev_iteration(loop) - before <= 60 && connections() == 0, "without a descriptor nobody is let in");
    setrlimit(RLIMIT_NOFILE, &was);
    ok(strstr(read_until(fd, "now"), "200 OK"), "and when there is one, who waits is");
    close(fd);
    close(second);
    turn_until_left(0);
}

static void test_end(void)
{
    int waits = dial(), streams = dial(), gone = gone_count, closed = closed_count;

    say(waits, HEAD("/later", 2) "{}");
    await_later();
    say(streams, HEAD("/later", 2) "{}");
    struct request *r = await_later();
    stream = request_stream(r, "text/event-stream", NULL, &(struct http_stream_events){on_drained, on_closed}, NULL);
    rig_end();
    is_int(gone_count, gone + 1, "a waiting request hears of the end");
    is_int(closed_count, closed + 1, "and a stream on its way to libmicrohttpd");
    close(waits);
    close(streams);
}

int main(void)
{
    rig_begin();
    int fds[] = {dial(), dial_tcp()};
    for (int tcp = 0; tcp < 2; tcp++) {
        test_stays(fds[tcp], tcp ? "tcp" : "unix");
        close(fds[tcp]);
        turn_until_left(tcp ? 0 : 1);
    }
    test_answered_by_another();
    test_goes();
    test_goes_with_a_body();
    test_goes_for_its_answer();
    test_goes_for_a_stream(dial());
    test_goes_for_a_stream(dial_tcp());
    test_leaves_on_the_way();
    test_leaves(dial(), "unix");
    test_leaves(dial_tcp(), "tcp");
    test_leaves_early();
    test_says_all();
    test_reads_slowly();
    test_no_descriptors();
    test_end();
    return done_testing();
}
