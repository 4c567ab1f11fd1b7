/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The sanitiser's promises on any bytes: printable UTF-8 and nothing else comes out, spans cover
 * it, cleaning what is clean changes nothing, widths add up; and JSON quoting gives valid JSON that
 * means the same. */
#include "fuzz.h"

#include <string.h>
#include "base/jscan.h"
#include "base/text.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED("plain \33[1;31mred\33[0m \33[38;5;196mx\33[38;2;1;2;3my\33[48:2::9:9:9mz\33[4:3m"),
    FUZZ_SEED(
        "\33]0;title\7a\33]8;;u\33\\b\33Pq\33\\c\302\2331m\302\235t\302\234\33(B\33[?25l\33[2J"),
    FUZZ_SEED("10%\r20%\t|\b\a\177\0\1x\r"),
    FUZZ_SEED(
        "e\314\201\314\202\342\200\256\342\200\213\357\273\277\363\240\201\201\342\235\244\357\270\217\357\270\217"),
    FUZZ_SEED(
        "\346\274\242\360\237\230\200\360\237\207\251\360\237\207\252\360\237\221\250\342\200\215\360\237\221\251\300\257\355\240\200\377"),
    FUZZ_SEED("\33]unending \33[1\33\302\220"),
    {NULL, 0},
};

static bool is_allowed(uint32_t cp)
{
    return cp >= 0x20 && !(cp >= 0x7F && cp < 0xA0) && cp != 0xAD &&
           !(cp >= 0x200B && cp <= 0x200F) && !(cp >= 0x2028 && cp <= 0x202E) &&
           !(cp >= 0x2060 && cp <= 0x206F) && !(cp >= 0xFE00 && cp <= 0xFE0F) && cp != 0xFEFF &&
           cp != 0x61C && !(cp >= 0xE0000 && cp <= 0xE0FFF) && (cp & 0xFFFE) != 0xFFFE;
}

static void check_spans(const struct text_line *l)
{
    size_t at = 0;
    MUST(l->count <= 4096);
    for (size_t i = 0; i < l->count; i++) {
        const struct text_span *s = &l->spans[i];
        MUST(s->start == at && s->len && s->fg >= -1 && s->fg <= 15 && s->bg >= -1 && s->bg <= 15);
        MUST(s->attr < 64);
        at += s->len;
    }
    MUST(at == l->bytes.len);
}

static void check_clean(const struct text_line *l)
{
    const char *p = buf_str(&l->bytes);
    size_t n = l->bytes.len;
    int width = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        MUST(text_seq_len(p + i, n - i));
        i += text_decode(p + i, n - i, &cp);
        MUST(is_allowed(cp));
        width += text_cp_width(cp);
    }
    MUST(text_width(p, n) == width);
    int used, last = 0;
    for (int columns = 0; columns <= width + 2; columns++) {
        size_t fits = text_fit(p, n, columns, &used);
        MUST(fits <= n && used <= columns && used >= last && text_width(p, fits) == used);
        MUST(fits == n || text_seq_len(p + fits, n - fits));
        MUST(columns < width || fits == n);
        last = used;
    }
    struct text_line again = TEXT_LINE_INIT;
    text_clean(&again, p, n);
    MUST(again.bytes.len == n && !memcmp(buf_str(&again.bytes), p, n) && !again.dropped &&
         !again.had_cr);
    text_line_fini(&again);
}

static void check_json(const char *p, size_t n)
{
    struct buf json = BUF_INIT, back = BUF_INIT;
    buf_add_json(&json, p, n);
    MUST(jscan_value(json.data, json.data + json.len, NULL) == json.data + json.len);
    MUST(jscan_decode(json.data, json.len, &back) == 0);
    bool same = back.len == n && (!n || !memcmp(back.data, p, n));
    MUST(same == text_is_utf8(p, n));
    buf_fini(&json);
    buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    struct text_line l = TEXT_LINE_INIT;
    struct buf plain = BUF_INIT;
    text_clean(&l, p, size);
    check_spans(&l);
    check_clean(&l);
    text_clean_plain(&plain, p, size);
    MUST(plain.len == l.bytes.len && !memcmp(buf_str(&plain), buf_str(&l.bytes), plain.len));
    check_json(p, size);
    buf_fini(&plain);
    text_line_fini(&l);
    return 0;
}
