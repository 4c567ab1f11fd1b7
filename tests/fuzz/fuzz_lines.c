/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The cutter against a plain model that has the whole stream before it. The first three bytes of an
 * input are the bound, the mode and the rhythm of the chunks; the rest is the stream. */
#include "fuzz.h"

#include <string.h>
#include "base/lines.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("\3\0\1one\ntwo three\n\n\r\nlast"),
    FUZZ_SEED("\7\1\2exactly\nlonger than seven\nx\n"),
    FUZZ_SEED("\0\0\5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\na"),
    FUZZ_SEED("\17\1\3\n\n\n0123456789abcde\n0123456789abcdef\n"),
    { NULL, 0 },
};

static void record(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct buf *out = ctx;
    buf_printf(out, "%u:%zu:", flags, n);
    buf_add(out, p, n);
}

static void model(struct buf *out, const char *p, size_t n, size_t max, enum lines_mode mode)
{
    while (n) {
        const char *newline = memchr(p, '\n', n);
        size_t len = newline ? (size_t)(newline - p) : n, skip = newline ? len + 1 : len;
        const char *line = p;
        unsigned cont = 0;
        p += skip;
        n -= skip;
        if (mode == LINES_DISCARD && len > max) {
            record(out, line, max, LINE_OVERSIZE);
            continue;
        }
        for (; len > max; line += max, len -= max, cont = LINE_CONT)
            record(out, line, max, LINE_PARTIAL | cont);
        record(out, line, len, cont | (newline ? 0 : LINE_NO_NEWLINE));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    size_t max = 1 + data[0] % 17;
    enum lines_mode mode = data[1] & 1 ? LINES_DISCARD : LINES_SPLIT;
    uint32_t rhythm = data[2];
    const char *p = (const char *)data + 3;
    size -= 3;

    struct buf got = BUF_INIT, want = BUF_INIT;
    struct lines l;
    lines_init(&l, max, mode);
    for (size_t i = 0, n; i < size; i += n) {
        rhythm = rhythm * 1103515245 + 12345;
        n = (rhythm >> 16) % 9;
        n = n < size - i ? n : size - i;
        lines_feed(&l, p + i, n, record, &got);
        MUST(l.held.len <= max);
    }
    lines_end(&l, record, &got);
    MUST(!l.held.len && !l.cont && !l.skipping);
    model(&want, p, size, max, mode);
    MUST(got.len == want.len && !memcmp(buf_str(&got), buf_str(&want), got.len));
    lines_fini(&l);
    buf_fini(&got);
    buf_fini(&want);
    return 0;
}
