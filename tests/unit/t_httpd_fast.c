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

static size_t read_all(int fd, size_t want)
{
    static char got[1 << 18];
    size_t n = 0;

    for (int i = 0; i < 20000 && n < want; i++) {
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
    static char body[40000];
    int fd = dial_tcp();

    memset(body, 'b', sizeof body);
    say(fd, HEAD("/echo", 40000));
    turn(3);
    ok(!is_fast(), "a body that is too large goes before it is there");
    ok(write(fd, body, sizeof body) == sizeof body, "it comes");
    ok(read_all(fd, 40000) > 40000, "and is answered");
    close(fd);
    turn_until_left(0);
}

static void test_goes_for_its_answer(void)
{
    int fd = dial_tcp();

    say(fd, HEAD("/later", 5) "waits");
    struct request *r = await_later();
    turn(3);
    bool before = is_fast();
    answer_large(r);
    ok(before && read_all(fd, LARGE) > LARGE && !is_fast(), "a large answer is libmicrohttpd's to send");
    say(fd, HEAD("/echo", 2) "on" GET_NOW);
    const char *got = read_until(fd, "now");
    ok(strstr(got, "\r\n\r\non") && strstr(got, "\r\n\r\nnow"), "and the connection goes on there");
    close(fd);
    turn_until_left(0);
}

/* By a handler of a request that is libmicrohttpd's: it runs when those that leave have gone already, just before the loop sleeps. */
static void test_goes_late(void)
{
    int fd = dial_tcp(), other = dial_tcp();
    static char got[LARGE];
    ssize_t n, all = 0;

    say(other, GET_NOW);
    read_until(other, "now");
    say(fd, HEAD("/later", 2) "{}");
    for (int i = 0; i < 1000 && !later; i++)
        ev_run(loop, EVRUN_NOWAIT);
    turn_for(0.6);             /* no timer of httpd's is left that would wake the loop */
    say(other, "GET /release-large HTTP/1.1\r\nHost: x\r\n\r\n");
    turn_for(0.1);
    while ((n = read(fd, got, sizeof got)) > 0)
        all += n;
    ok(all > 0, "an answer made inside of libmicrohttpd does not wait for the next event");
    close(fd);
    close(other);
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
    answer_large(r);
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
static void test_half_closes(void)
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

/* Requests that are libmicrohttpd's. */
static void test_half_closes_elsewhere(void)
{
    static const struct { const char *text, *want; } requests[] = {
        {GET_NOW, "now"}, {GET_NOW GET_NOW, "now"}, {"POST /echo HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe", ""},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ""},
    };

    for (size_t i = 0; i < 2 * ARRAY_LEN(requests); i++) {
        const char *want = requests[i / 2].want;
        int fd = i % 2 ? dial_tcp() : dial();
        say(fd, requests[i / 2].text);
        shutdown(fd, SHUT_WR);
        const char *got = read_until(fd, NULL);
        turn(3);
        ok((!*want || count(got, want) == count(requests[i / 2].text, want)) && connections() == 0,
           "one whose request goes to libmicrohttpd is answered, and ended: %s", requests[i / 2].text);
        close(fd);
        turn_until_left(0);
    }
}

/* A gone_check that runs for another's sake may not take it for gone at its first look. */
static void test_half_closes_and_waits(void)
{
    int lost = 0, other = dial(), gone = gone_count;

    say(other, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    struct request *slow = await_later();
    turn(50);
    for (int i = 0; i < 20; i++) {
        int fd = dial_tcp();
        say(fd, HEAD("/later", 5) "hello");
        shutdown(fd, SHUT_WR);
        struct request *r = await_later();
        turn(20);
        if (gone_count == gone)
            answer(r, 200, "soon");
        lost += !strstr(read_until(fd, "soon"), "200 OK");
        close(fd);
    }
    is_int(lost, 0, "who ends its side and waits a fiftieth of a second is not taken for gone");
    answer(slow, 200, "finally");
    ok(strstr(read_until(other, "finally"), "200 OK"), "nor is who ends nothing");
    close(other);
    turn_until_left(0);
}

static void test_half_closes_and_reads_slowly(int fd)
{
    say(fd, HEAD("/big", 0) HEAD("/big", 0) HEAD("/big", 0) HEAD("/later", 0));
    shutdown(fd, SHUT_WR);
    size_t n = 0;
    for (int i = 0; i < 1000 && !later; i++) {     /* the rest of an answer stands for longer than two looks of gone_check */
        turn(1);
        n += i > 600 ? read_all(fd, 1) : 0;
    }
    struct request *r = await_later();
    ok(r != NULL, "answers are read late by who has ended its side");
    if (!r)
        return;
    answer(r, 200, "last");
    n += read_all(fd, 3 * BIG + 400 - n);
    ok(n > 3 * BIG && n < 4 * BIG, "and come whole: %zu bytes", n);
    close(fd);
    turn_until_left(0);
    is_int((long)connections(), 0, "then the connection ends");
}

/* It was watched while it waited. Its answer finds another before it in the socket, and no room. */
static void test_half_closes_waits_and_reads_slowly(void)
{
    static char big[120000];
    int fd = dial();

    say(fd, HEAD("/big", 0) HEAD("/later", 0));
    struct request *r = await_later();
    shutdown(fd, SHUT_WR);
    turn(3);
    request_reply(r, 200, "text/plain", NULL, &(struct iovec){memset(big, 'b', sizeof big), sizeof big}, 1);
    bool full = httpd->connections->rest.n > 0;
    turn_for(0.6);
    ok(full && read_all(fd, BIG + sizeof big) > BIG + sizeof big, "one that was watched gets its answer whole, too");
    close(fd);
    turn_until_left(0);
}

static void test_half_closes_for_much(int fd, const char *where)
{
    static char got[LARGE];
    size_t n = 0;

    say(fd, HEAD("/later", 2) "{}");
    struct request *r = await_later();
    shutdown(fd, SHUT_WR);
    turn(3);
    answer_large(r);
    n = read_all(fd, LARGE + 1);
    for (int i = 0; i < 500; i++) {
        ssize_t k = read(fd, got, sizeof got);
        n += k > 0 ? (size_t)k : 0;
        if (k == 0)
            break;
        turn(1);
    }
    ok(n > LARGE && connections() == 0, "%s: who ends its side and gets a large answer sees its end", where);
    close(fd);
    turn_until_left(0);
}

static void test_just_small_enough(void)
{
    static char text[FAST_REQUEST_MAX + 200];
    int fd = dial_tcp();
    size_t head = (size_t)sprintf(text, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 32000);

    head = (size_t)sprintf(text, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", FAST_REQUEST_MAX - head);
    memset(text + head, 'x', FAST_REQUEST_MAX - head);
    strcpy(text + FAST_REQUEST_MAX, HEAD("/echo", 4) "next");
    say(fd, text);
    const char *answers = read_until(fd, "next");
    ok(count(answers, "200 OK") == 2 && is_fast(), "the longest request, and another behind it");
    close(fd);
    turn_until_left(0);
}

/* More answers than the sockets hold, read late. */
static void test_reads_slowly(void)
{
    enum { ROUNDS = 150 };
    int fd = dial_tcp();
    bool full = false;

    for (int round = 0; round < ROUNDS; round++)
        say(fd, HEAD("/big", 0));
    for (int i = 0; i < 1000 && !full; i++) {
        turn(1);
        full = httpd->connections && httpd->connections->rest.n > 0;
    }
    ok(full && is_fast(), "an answer that does not fit the socket");
    size_t want = ROUNDS * (BIG + strlen("HTTP/1.1 200 OK\r\nDate: Thu, 26 Nov 2026 00:00:00 GMT\r\nContent-Length: 100000\r\n"
                                         "Content-Type: text/plain\r\n\r\n"));
    is_int((long)read_all(fd, want), (long)want, "it and all others come, to the byte");
    say(fd, HEAD("/now", 0));
    ok(strstr(read_until(fd, "now"), "200 OK") && is_fast(), "and the connection goes on");
    close(fd);
    turn_until_left(0);
}

/* Requests that are written without regard to answers. What is left of a segment of 64 KB when all but the beginning of its last request
 * was taken out counts as all of it, and can close the window for the rest of that request. */
static void test_closed_window(void)
{
    static char text[30100], got[4096];
    enum { ROUNDS = 40 };
    int fd = dial_tcp(), answers = 0;
    size_t head = (size_t)sprintf(text, "%s", HEAD("/now", 30000)), size = head + 30000, sent = 0;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){1 << 16}, sizeof(int));
    memset(text + head, 'x', 30000);
    for (int i = 0, round = 0; i < 20000 && answers < ROUNDS; i++) {
        ssize_t k = round < ROUNDS ? write(fd, text + sent, size - sent) : 0;
        sent += k > 0 ? (size_t)k : 0;
        round += sent == size;
        sent %= size;
        if (k > 0)
            continue;
        ev_run(loop, EVRUN_NOWAIT);
        ssize_t n = read(fd, got, sizeof got - 1);
        got[n > 0 ? n : 0] = '\0';
        answers += count(got, "200 OK");
        usleep(n > 0 ? 0 : 1000);
    }
    ok(answers >= ROUNDS - 3, "what is left in the socket does not keep the rest out: %d answers", answers);
    close(fd);
    turn_until_left(0);
}

/* Over a unix socket each write counts as some hundred bytes more, until it is read. */
static void test_dribbles(void)
{
    static const char text[] = HEAD("/echo", 1500);
    static char body[1501];
    int fd = dial();
    size_t n = 0;

    memcpy(memset(body, 'x', sizeof body), text, sizeof text - 1);
    for (int i = 0; i < 20000 && n < sizeof text - 1 + 1500; i++) {
        char c = n < sizeof text - 1 ? text[n] : 'x';
        n += write(fd, &c, 1) == 1;
        ev_run(loop, EVRUN_NOWAIT);
        usleep(i > 2000 ? 1000 : 0);
    }
    ok(strstr(read_until(fd, "xxxx"), "200 OK"), "a request in 1,500 pieces is answered");
    close(fd);
    turn_until_left(0);
}

/* The check that takes it to libmicrohttpd and the rest of it in one turn. */
static void test_goes_as_the_rest_comes(void)
{
    int fd = dial_tcp();

    say(fd, HEAD("/later", 2) "{");
    for (int i = 0; i < 1000 && !(httpd->connections && httpd->connections->partial == 2); i++)
        turn(1);
    usleep(300 * 1000);        /* the check is due, and does not find the loop running */
    say(fd, "}");
    struct request *r = await_later();
    turn(3);
    ok(r && !is_fast(), "the rest of a request comes when it goes to libmicrohttpd, which handles it then");
    if (!r)
        return;
    answer(r, 200, "finally");
    ok(strstr(read_until(fd, "finally"), "200 OK"), "and answers it");
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
    test_goes_late();
    test_goes_for_a_stream(dial());
    test_goes_for_a_stream(dial_tcp());
    test_leaves_on_the_way();
    test_leaves(dial(), "unix");
    test_leaves(dial_tcp(), "tcp");
    test_leaves_early();
    test_half_closes();
    test_half_closes_elsewhere();
    test_half_closes_and_waits();
    test_half_closes_and_reads_slowly(dial());
    test_half_closes_and_reads_slowly(dial_tcp());
    test_half_closes_waits_and_reads_slowly();
    test_half_closes_for_much(dial(), "unix");
    test_half_closes_for_much(dial_tcp(), "tcp");
    test_just_small_enough();
    test_reads_slowly();
    test_closed_window();
    test_dribbles();
    test_goes_as_the_rest_comes();
    test_no_descriptors();
    test_end();
    return done_testing();
}
