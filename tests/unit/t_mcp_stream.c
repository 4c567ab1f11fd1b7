/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Event streams without a reader: ids, and what is kept for one that comes back. (With readers:
 * tests/integration/t_mcp_http.py.) */
#include "api/mcp_stream.h"
#include "base/mem.h"
#include "tap.h"

static void test_ids(void)
{
    static const char *const bad[] = {
        "", "-", "1", "1-", "1-2", "1-2-", "x-1-1", "1-x-1", "1-1-x", "-1-1-1", "1--1-1", "1-1--1",
        "123456789-1-1", "1-4294967296-1", "1-1-18446744073709551616", "1-1-1-\x01", "1-1-1-a b",
        "1 -1-1", "+1-1-1", "1-+1-1",
    };
    struct event_id id;

    ok(event_id_parse("00c0ffee-7-42", &id), "an id");
    ok(id.life == 0xc0ffee && id.stream == 7 && id.seq == 42 && !id.call.n, "its parts");
    ok(event_id_parse("00c0ffee-7-42-\"a-b\"", &id) && span_equal(id.call, span_of("\"a-b\"")),
       "an id of a call's stream");
    ok(event_id_parse("1-1-0--1.5e3", &id) && span_equal(id.call, span_of("-1.5e3")),
       "a call may begin with a dash");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        ok(!event_id_parse(bad[i], &id), "no id: %s", bad[i]);
}

static void send_bytes(struct mcp_stream *st, size_t n)
{
    AUTO_FREE char *text = xmalloc(n);

    memset(text, 'x', n);
    mcp_stream_send(st, &(struct iovec){text, n}, 1);
}

static void test_bounds(void)
{
    struct mcp_stream *st = mcp_stream_new(1, 1, (struct span){0}, true);

    for (int i = 0; i < 1000; i++)
        send_bytes(st, 100);
    ok(st->kept <= STREAM_UNREAD_BYTES && st->kept > STREAM_UNREAD_BYTES / 2,
       "little is kept before anybody reads: %zu", st->kept);
    is_int((long)st->seq, 1000, "events are counted");
    ok(st->forgotten > 900 && st->forgotten < 1000, "and those that went");
    st->was_read = true;
    for (int i = 0; i < 100; i++)
        send_bytes(st, 10000);
    ok(st->kept <= STREAM_KEPT_BYTES && st->kept > STREAM_KEPT_BYTES / 2,
       "more is kept for one who read: %zu", st->kept);
    send_bytes(st, 2 * STREAM_KEPT_BYTES);
    ok(!st->kept && !st->first && st->forgotten == st->seq, "an event above the bound is not kept");
    mcp_stream_free(st);
}

int main(void)
{
    test_ids();
    test_bounds();
    return done_testing();
}
