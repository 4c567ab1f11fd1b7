/* SPDX-License-Identifier: GPL-3.0-or-later */
/* frames: heads and payloads cut anywhere, empty frames, huge lengths, rubbish, stopping. */
#include "docker/frames.h"

#include "base/buf.h"
#include "tap.h"

struct seen {
    struct buf out, err;
    int calls, stop_after;
};

static bool on_frame(void *ctx, enum frames_channel ch, const char *p, size_t n)
{
    struct seen *s = ctx;
    buf_add(ch == FRAMES_STDERR ? &s->err : &s->out, p, n);
    return ++s->calls != s->stop_after;
}

static void add(struct buf *b, int channel, const char *payload)
{
    size_t n = strlen(payload);
    char head[8] = {(char)channel,  0,      0, 0, (char)(n >> 24), (char)(n >> 16),
                    (char)(n >> 8), (char)n};
    buf_add(b, head, 8);
    buf_add(b, payload, n);
}

static void seen_fini(struct seen *s)
{
    buf_fini(&s->out);
    buf_fini(&s->err);
    *s = (struct seen){0};
}

int main(void)
{
    struct buf text = BUF_INIT, big = BUF_INIT;
    struct seen s = {0};
    struct frames fr = {0};
    struct fault f = FAULT_NONE;
    int good = 0;
    tap_deadline(20);
    for (int i = 0; i < 70000; i++)
        buf_add_char(&big, 'B');
    add(&text, 1, "one\n");
    add(&text, 2, "err\n");
    add(&text, 1, "");
    add(&text, 1, "two\n");
    add(&text, 2, "\x01\x02\x03 no head");
    for (size_t cut = 1; cut <= text.len; cut++) {
        fr = (struct frames){0};
        int failed = 0;
        for (size_t at = 0; at < text.len; at += cut)
            failed |= frames_feed(&fr, text.data + at, at + cut < text.len ? cut : text.len - at,
                                  on_frame, &s, &f);
        good += !failed && !frames_is_inside(&fr) && !strcmp(buf_str(&s.out), "one\ntwo\n") &&
                !strcmp(buf_str(&s.err), "err\n\x01\x02\x03 no head");
        seen_fini(&s);
    }
    is_int(good, (int)text.len, "cut at every size");

    fr = (struct frames){0};
    buf_clear(&text);
    add(&text, 1, big.data);
    frames_feed(&fr, text.data, 5000, on_frame, &s, &f);
    is_int(s.out.len, 4992, "a part of a payload is handed on at once");
    ok(frames_is_inside(&fr), "inside a frame");
    frames_feed(&fr, text.data + 5000, text.len - 5000, on_frame, &s, &f);
    ok(s.out.len == 70000 && !frames_is_inside(&fr), "then its rest");
    seen_fini(&s);

    fr = (struct frames){0};
    is_int(frames_feed(&fr, "\x01\0\0\0\xff\xff\xff\xffxyz", 11, on_frame, &s, &f), 0,
           "a length of 4 GiB costs nothing");
    is_str(buf_str(&s.out), "xyz", "and what is there comes");
    seen_fini(&s);

    fr = (struct frames){0};
    is_int(frames_feed(&fr, "plain text of a TTY", 19, on_frame, &s, &f), -1, "no head: refused");
    is_int(f.code, FAULT_INVALID, "%s", f.text);
    is_int(s.calls, 0, "nothing was handed on");
    fr = (struct frames){0};
    is_int(frames_feed(&fr, "\x01\0\0\x01....", 8, on_frame, &s, &f), -1,
           "padding that is not zero: refused");

    fr = (struct frames){0};
    buf_clear(&text);
    add(&text, 1, "a");
    add(&text, 1, "b");
    s.stop_after = 1;
    is_int(frames_feed(&fr, text.data, text.len, on_frame, &s, &f), 0, "stopped by the callback");
    is_str(buf_str(&s.out), "a", "nothing after it");
    seen_fini(&s);
    buf_fini(&text);
    buf_fini(&big);
    return done_testing();
}
