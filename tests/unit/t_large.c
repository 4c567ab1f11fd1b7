/* SPDX-License-Identifier: GPL-3.0-or-later */
/* large and outbuf: what is known of a large message, who takes its memory, the order of what goes
 * out. */
#include "base/large.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "base/outbuf.h"
#include "tap.h"

/* {"id":1,"text":"xxx…"} of so many bytes and a few. */
static void fill(struct buf *b, size_t n)
{
    buf_clear(b);
    buf_add_str(b, "{\"id\":1,\"text\":\"");
    buf_reserve(b, n);
    memset(b->data + b->len, 'x', n);
    b->len += n;
    buf_add_str(b, "\"}");
}

static struct large *looked(const struct buf *b)
{
    struct large *l = NULL;
    for (size_t n = 1000; n < b->len; n += 64 * 1024)
        large_look(&l, b->data, n);
    return l;
}

static void known(void)
{
    AUTO_BUF struct buf small = BUF_INIT, b = BUF_INIT, got = BUF_INIT;
    fill(&small, 1000);
    fill(&b, 2 * LARGE_BYTES);
    ok(!looked(&small), "of a small message there is nothing to know");
    struct large *none = NULL, *l = looked(&b);
    large_enter(none, &small);
    large_leave(&none);
    ok(l, "of a large one there is");
    ok(!large_take(b.data, &got), "before it is entered it cannot be taken");
    large_enter(l, &b);
    b.data[b.len / 2] = '\n';
    ok(jscan_value(b.data, b.data + b.len, NULL) == b.data + b.len, "it is not scanned again");
    is_int(large_has_newline(b.data, b.len), 0, "nor is a newline looked for");
    is_int(large_has_newline(small.data, small.len), -1, "of another one nothing is known");
    large_leave(&l);
    ok(!l && !jscan_value(b.data, b.data + b.len, NULL), "afterwards it is");
    is_int(large_has_newline(b.data, b.len), -1, "and so is that");
}

static void newlines(void)
{
    AUTO_BUF struct buf b = BUF_INIT;
    fill(&b, 2 * LARGE_BYTES);
    b.data[b.len - 1] = '\r';
    buf_add_str(&b, "}\n");
    struct large *l = looked(&b);
    large_enter(l, &b);
    is_int(large_has_newline(b.data, b.len - 2), 1, "one between two tokens");
    is_int(large_has_newline(b.data, b.len - 3), 0, "none before it");
    is_int(large_has_newline(b.data + b.len - 2, 2), -1, "behind the first one it is not known");
    large_leave(&l);
}

static void inside(void)
{
    AUTO_BUF struct buf a = BUF_INIT, b = BUF_INIT, got = BUF_INIT;
    fill(&a, 2 * LARGE_BYTES);
    fill(&b, 2 * LARGE_BYTES);
    const char *was = a.data;
    struct large *outer = looked(&a), *inner = looked(&b);
    large_enter(outer, &a);
    large_enter(inner, &b);
    ok(!large_take(a.data, &got), "the one inside is handled");
    large_leave(&inner);
    ok(large_take(a.data + 100, &got), "then the other one again, by any of its bytes");
    ok(got.data == was && !a.data && !a.len, "the buffer is the taker's, and no longer where it was");
    ok(!large_take(was, &a), "once");
    large_leave(&outer);
}

static void kept(void)
{
    AUTO_BUF struct buf b = BUF_INIT, memory = BUF_INIT;
    fill(&b, 2 * LARGE_BYTES);
    const char *was = b.data;
    size_t n = b.len;
    struct large *l = looked(&b), *later;
    ok(!large_keep(b.data, &memory), "what is not handled cannot be kept");
    large_enter(l, &b);
    later = large_keep(b.data + 1, &memory);
    large_leave(&l);
    ok(later && memory.data == was && !b.data, "a message that waits keeps its memory");
    l = later;
    large_enter(l, &memory);
    memory.data[n / 2] = '\n';
    ok(jscan_value(was, was + n, NULL) == was + n, "and what is known of it");
    is_int(large_has_newline(was, n), 0, "all of that");
    later = large_keep(was, &b);
    ok(later && !memory.data, "it may be kept once more");
    large_drop(&later, &b);
    ok(!later && !b.data && memory.data == was,
       "dropped while it is handled it is its handler's again");
    large_leave(&l);
}

static void kept_and_dropped(void)
{
    AUTO_BUF struct buf b = BUF_INIT, memory = BUF_INIT;
    fill(&b, 2 * LARGE_BYTES);
    struct large *l = looked(&b), *later;
    large_enter(l, &b);
    later = large_keep(b.data, &memory);
    large_leave(&l);
    large_drop(&later, &memory);
    ok(!later && !memory.data, "dropped later it is freed");
    large_drop(&later, &memory);
    ok(true, "twice is harmless");
}

static void is_out(struct outbuf *o, const char *want, size_t n)
{
    AUTO_BUF struct buf got = BUF_INIT;
    is_int(o->n, n, "so much is queued");
    for (size_t step = 1; o->n; step = step * 3 % 70001) {
        size_t have;
        const char *p = outbuf_peek(o, &have);
        have = have < step ? have : step;
        buf_add(&got, p, have);
        outbuf_advance(o, have);
    }
    is_mem(buf_str(&got), got.len, want, n, "and goes out in order");
}

static void order(void)
{
    AUTO_BUF struct buf b = BUF_INIT, want = BUF_INIT;
    struct outbuf o = OUTBUF_INIT;
    fill(&b, 3 * LARGE_BYTES);
    const char *data = b.data;
    size_t n = b.len;
    struct iovec iov[] = {{(char[]){"never"}, 5}, {(char *)data, 5}, {(char[]){"new id"}, 6},
                          {(char *)data + 9, n - 9}, {(char[]){"\n"}, 1}};
    buf_add(&want, "before", 6);
    for (int i = 0; i < 5; i++)
        buf_add(&want, iov[i].iov_base, iov[i].iov_len);
    buf_add(&want, data + 10, n - 10);
    memmove(want.data + 6, want.data + 13, want.len - 13);
    want.len -= 7;
    struct large *l = looked(&b);
    large_enter(l, &b);
    outbuf_add(&o, &(struct iovec){(char[]){"before"}, 6}, 1, 0);
    outbuf_add(&o, iov, 5, 7);
    ok(!b.data, "the large piece is taken");
    outbuf_add(&o, &(struct iovec){(char *)data + 10, n - 10}, 1, 0);
    large_leave(&l);
    is_out(&o, want.data, want.len);
    outbuf_add(&o, &(struct iovec){(char[]){"more"}, 4}, 1, 0);
    is_out(&o, "more", 4);
    fill(&b, 2 * LARGE_BYTES);
    l = looked(&b);
    large_enter(l, &b);
    outbuf_add(&o, &(struct iovec){b.data, b.len}, 1, 0);
    large_leave(&l);
    outbuf_fini(&o);
    is_int(o.n, 0, "what is dropped is given back");
}

int main(void)
{
    known();
    newlines();
    inside();
    kept();
    kept_and_dropped();
    order();
    return done_testing();
}
