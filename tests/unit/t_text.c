/* SPDX-License-Identifier: GPL-3.0-or-later */
/* text.h: the sanitiser, UTF-8, widths, sizes. */
#include "base/text.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

/* Spans as "{attr,fg,bg:text}", plain ones bare. */
static void render(const struct text_line *l, struct buf *out)
{
    buf_clear(out);
    size_t at = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct text_span *s = &l->spans[i];
        if (s->start != at || !s->len)
            buf_add_str(out, "<<spans do not cover>>");
        at = s->start + s->len;
        if (s->attr || s->fg >= 0 || s->bg >= 0)
            buf_printf(out, "{%d,%d,%d:%.*s}", s->attr, s->fg, s->bg, (int)s->len, l->bytes.data + s->start);
        else
            buf_add(out, l->bytes.data + s->start, s->len);
    }
    if (at != l->bytes.len)
        buf_add_str(out, "<<spans do not cover>>");
}

static void is_clean_n(const char *in, size_t n, const char *want, unsigned dropped, bool cr)
{
    static struct text_line l;   /* one for all: every call resets it */
    AUTO_BUF struct buf got = BUF_INIT;
    char *copy = xmalloc(n);
    memcpy(copy, in, n);
    text_clean(&l, copy, n);
    free(copy);
    render(&l, &got);
    is_str(buf_str(&got), want, "clean: %s", want);
    if (l.dropped != dropped || l.had_cr != cr)
        ok(false, "dropped %u (want %u), had_cr %d (want %d)", l.dropped, dropped, l.had_cr, cr);
    AUTO_BUF struct buf plain = BUF_INIT;
    text_clean_plain(&plain, in, n);
    if (plain.len != l.bytes.len || (plain.len && memcmp(plain.data, l.bytes.data, plain.len) != 0))
        ok(false, "text_clean_plain gives the same bytes");
    if (!n)
        text_line_fini(&l);
}
#define CLEAN(in, want, dropped) is_clean_n((in), sizeof(in) - 1, (want), (dropped), false)
#define CLEAN_CR(in, want) is_clean_n((in), sizeof(in) - 1, (want), 0, true)

static void sgr(void)
{
    CLEAN("a\33[1mb\33[0mc", "a{1,-1,-1:b}c", 0);
    CLEAN("\33[31;42mx\33[my", "{0,1,2:x}y", 0);
    CLEAN("\33[91m\33[104mx\33[39;49my", "{0,9,12:x}y", 0);
    CLEAN("\33[1;2;3;4;7mx\33[22my\33[23;24;27mz", "{31,-1,-1:x}{28,-1,-1:y}z", 0);
    CLEAN("\33[38;5;9mx\33[48;5;196my", "{0,9,-1:x}{0,9,9:y}", 0);
    CLEAN("\33[38;5;232mx\33[38;5;255my", "{0,0,-1:x}{0,7,-1:y}", 0);
    CLEAN("\33[38;2;255;0;0mx\33[38;2;0;255;0;1my", "{0,9,-1:x}{1,10,-1:y}", 0);
    CLEAN("\33[38:2::255:255:255mx\33[38:2:0:0:0my\33[38:5:3;4mz", "{0,15,-1:x}{0,0,-1:y}{8,3,-1:z}", 0);
    CLEAN("\33[4:3mx\33[4:0my", "{8,-1,-1:x}y", 0);
    CLEAN("\33[38;5;999mx\33[38;9;1;1my", "xy", 0);
    CLEAN("\33[38;5mx\33[38my", "xy", 0);
    CLEAN("\33[5;8;9mblink, conceal, strike", "blink, conceal, strike", 0);
    CLEAN("\33[99999999999999999999mx\33[;;1mz", "x{1,-1,-1:z}", 0);
    CLEAN("\302\2331mx", "{1,-1,-1:x}", 0);
    CLEAN("\33[1m", "", 0);
    CLEAN("\33[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1mx", "x", 1);
}

static void escapes(void)
{
    CLEAN("a\33[2Jb\33[10;10Hc\33[?25ld\33[>1me\33[1 qf", "abcdef", 5);
    CLEAN("a\33]0;title\7b\33]8;;http://x\33\\c\33]2;t\302\234d", "abcd", 3);
    CLEAN("a\33Pdcs\33\\b\33Xsos\33\\c\33^pm\33\\d\33_apc\33\\e", "abcde", 4);
    CLEAN("a\302\220dcs\302\234b\302\235osc\7c\302\205d", "abcd", 3);
    CLEAN("a\33cb\0337c\0338d\33(Be\33=f\33#8g", "abcdefg", 6);
    CLEAN("a\33]0;hidden", "a0;hidden", 1);
    CLEAN("a\33Phidden\33]too\302\235x", "atoox", 3);
    CLEAN("a\33[123", "a123", 1);
    CLEAN("a\33]x\33[1mb\7", "a{1,-1,-1:b}{32,-1,-1:^G}", 1);
    CLEAN("a\33]x\30b", "ab", 1);
    CLEAN("a\33[1\nb", "a{32,-1,-1:^J}b", 1);
    CLEAN("a\33", "a{32,-1,-1:^[}", 0);
    CLEAN("\33\33[1mb", "{32,-1,-1:^[}{1,-1,-1:b}", 0);
    CLEAN("a\33\303\251", "a{32,-1,-1:^[}\303\251", 0);
    CLEAN("\33 ", "{32,-1,-1:^[} ", 0);
}

static void characters(void)
{
    is_clean_n("", 0, "", 0, false);
    CLEAN("plain", "plain", 0);
    CLEAN("crlf\r", "crlf", 0);
    CLEAN_CR("10%\r20%\r30%", "30%");
    CLEAN_CR("10%\r20%\r", "20%");
    CLEAN_CR("gone\r\r", "");
}

static void foreign_characters(void)
{
    CLEAN("caf\303\251 \342\202\254 \360\237\230\200", "caf\303\251 \342\202\254 \360\237\230\200", 0);
    CLEAN("\377a\303", "\357\277\275a\357\277\275", 0);
    CLEAN("\360\237\230", "\357\277\275", 0);
    CLEAN("\357\277\275", "\357\277\275", 0);
    CLEAN("a\342\200\256b\342\200\213c\342\201\246", "a{32,-1,-1:<202E>}b{32,-1,-1:<200B>}c{32,-1,-1:<2066>}", 0);
    CLEAN("\357\273\277x\303\363\240\201\201", "{32,-1,-1:<FEFF>}x\357\277\275{32,-1,-1:<E0041>}", 0);
    CLEAN("a\302\255b\342\200\250c", "a{32,-1,-1:<00AD>}b{32,-1,-1:<2028>}c", 0);
    CLEAN("e\314\201", "e\314\201", 0);
    CLEAN("\314\201e", "{32,-1,-1:<0301>}e", 0);
    CLEAN("\33[1m\314\201", "{32,-1,-1:<0301>}", 0);
    CLEAN("e\314\201\314\201\314\201\314\201\314\201\314\201\314\201\314\201\314\201\314\201x",
          "e\314\201\314\201\314\201\314\201\314\201\314\201\314\201\314\201x", 2);
    CLEAN("\342\235\244\357\270\217x", "\342\235\244x", 0);
    CLEAN("\342\235\244\357\270\217\357\270\217", "\342\235\244{32,-1,-1:<FE0F>}", 0);
    CLEAN("\357\270\217", "{32,-1,-1:<FE0F>}", 0);
    CLEAN("\357\270\200", "{32,-1,-1:<FE00>}", 0);
    CLEAN("\357\277\277\363\277\277\276", "{32,-1,-1:<FFFF><FFFFE>}", 0);
    CLEAN("\a\b\v\0\177", "{32,-1,-1:^G^H^K^@^?}", 0);
    CLEAN("\tx", "        x", 0);
    CLEAN("ab\tx", "ab      x", 0);
    CLEAN("12345678\tx", "12345678        x", 0);
    CLEAN("\346\274\242\tx", "\346\274\242      x", 0);
    CLEAN("\1\tx", "{32,-1,-1:^A}      x", 0);
    CLEAN_CR("ab\r\tx", "        x");
    CLEAN_CR("\33[1mab\rx", "{1,-1,-1:x}");
}

static void hostile(void)
{
    enum { N = 64 * 1024 };
    static const char *const units[] = { "\33]", "\302\235", "\33[", "\33[1m.\33[2m", "\33P\33", "\r", "\314\201",
                                         "\342\200\256", "\33[1;", "\t", "\377" };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        AUTO_BUF struct buf in = BUF_INIT;
        struct text_line l = TEXT_LINE_INIT;
        while (in.len < N)
            buf_add_str(&in, units[i]);
        int64_t start = clock_mono_ms();
        text_clean(&l, in.data, in.len);
        int64_t ms = clock_mono_ms() - start;
        ok(ms < 200 && l.count <= 4096, "64 KiB of one sequence take no time (unit %zu: %lld ms, %zu spans)", i,
           (long long)ms, l.count);
        text_line_fini(&l);
    }
}

static void utf8(void)
{
    uint32_t cp;
    is_int(text_decode("\364\217\277\277", 4, &cp), 4, "the last code point");
    is_int(cp, 0x10FFFF, "decoded");
    is_int(text_decode("\342\202", 2, &cp), 2, "a cut sequence");
    is_int(cp, 0xFFFD, "is replaced");
    is_int(text_seq_len("\342\202", 2), 0, "and not valid");
    is_int(text_seq_len("\357\277\275", 3), 3, "a real U+FFFD is");
    ok(text_is_utf8("", 0) && text_is_utf8("0123456789\303\251abcdefgh", 20), "UTF-8");
    ok(!text_is_utf8("01234567\303", 9) && !text_is_utf8("\300\200", 2) && !text_is_utf8("\355\240\200", 3), "none");
    bool right = true;
    for (uint32_t i = 0x80; i < 0x110000; i++) {
        char b[4];
        size_t n = i < 0x800 ? 2 : i < 0x10000 ? 3 : 4;
        b[0] = (char)(n == 2 ? 0xC0 | i >> 6 : n == 3 ? 0xE0 | i >> 12 : 0xF0 | i >> 18);
        for (size_t k = 1; k < n; k++)
            b[k] = (char)(0x80 | (i >> (6 * (n - 1 - k)) & 0x3F));
        bool surrogate = i >= 0xD800 && i < 0xE000;
        right = right && (surrogate ? !text_seq_len(b, n) : text_decode(b, n, &cp) == n && cp == i);
    }
    ok(right, "every code point is decoded, no surrogate is");
    is_int(text_plain_run("abc\"", 4), 3, "a plain run");
    is_int(text_plain_run("", 0), 0, "of nothing");
}

static void widths(void)
{
    static const struct { uint32_t cp; int width; } cases[] = {
        { 'a', 1 }, { 0xE9, 1 }, { 0x301, 0 }, { 0x20AC, 1 }, { 0x4E00, 2 }, { 0xFF21, 2 }, { 0xFF71, 1 },
        { 0xAC00, 2 }, { 0x1100, 2 }, { 0x1161, 0 }, { 0x1F600, 2 }, { 0x1FAE8, 2 }, { 0x1F1E6, 1 },
        { 0x2764, 1 }, { 0x2728, 2 }, { 0x200B, 0 }, { 0xFE0F, 0 }, { 0x3000, 2 }, { 0x2500, 1 }, { 0x2588, 1 },
        { 0x25CF, 1 }, { 0xE000, 1 }, { 0x20000, 2 }, { 0x3FFFD, 2 }, { 0x10FFFF, 1 }, { 0x0E31, 0 }, { 0x600, 1 },
        { 0x303F, 1 }, { 0x28FF, 1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        is_int(text_cp_width(cases[i].cp), cases[i].width, "width of U+%04X", (unsigned)cases[i].cp);
    is_int(text_width("e\314\201\346\274\242x", 7), 4, "width of a text");
    is_int(text_width("", 0), 0, "of nothing");

    static const struct { const char *text; int columns; size_t bytes; int used; } fits[] = {
        { "hello", 3, 3, 3 }, { "hello", 5, 5, 5 }, { "hello", 9, 5, 5 }, { "hello", 0, 0, 0 },
        { "hello", -1, 0, 0 }, { "\346\274\242\345\255\227", 3, 3, 2 }, { "\346\274\242", 1, 0, 0 },
        { "e\314\201x", 1, 3, 1 }, { "xe\314\201", 1, 1, 1 },
        { "\360\237\207\251\360\237\207\252", 1, 0, 0 }, { "\360\237\207\251\360\237\207\252", 2, 8, 2 },
        { "\360\237\207\251\360\237\207\252\360\237\207\251", 3, 12, 3 },
    };
    for (size_t i = 0; i < ARRAY_LEN(fits); i++) {
        int used = -1;
        is_int(text_fit(fits[i].text, strlen(fits[i].text), fits[i].columns, &used), fits[i].bytes,
               "'%s' in %d columns", fits[i].text, fits[i].columns);
        is_int(used, fits[i].used, "columns used");
    }
    is_int(text_fit("abc", 3, 2, NULL), 2, "nobody needs the width");
}

static void sizes(void)
{
    static const struct { int64_t bytes; const char *want; } shown[] = {
        { 0, "0B" }, { -1, "0B" }, { 17, "17B" }, { 999, "999B" }, { 1000, "1K" }, { 1024, "1K" }, { 1536, "1.5K" },
        { 655360, "640K" }, { 81 << 20, "81M" }, { 512 << 20, "512M" }, { 1000 << 20, "1G" },
        { INT64_C(2040109466), "1.9G" }, { INT64_C(24) << 30, "24G" }, { INT64_C(1) << 40, "1T" },
        { INT64_MAX, "8E" }, { 10188, "9.9K" }, { 10240, "10K" },
    };
    char out[8];
    for (size_t i = 0; i < ARRAY_LEN(shown); i++)
        is_str(text_size(shown[i].bytes, out, sizeof out), shown[i].want, "%lld bytes", (long long)shown[i].bytes);
    static const struct { const char *text; int64_t want; } read[] = {
        { "512m", 512 << 20 }, { "1g", 1 << 30 }, { "1.5g", 3 << 29 }, { "1048576", 1 << 20 }, { "64kb", 65536 },
        { "64KiB", 65536 }, { "2 GiB", INT64_C(2) << 30 }, { "10b", 10 }, { "10B", 10 }, { "0", 0 }, { "1T", INT64_C(1) << 40 },
        { "0.5k", 512 }, { "1p", INT64_C(1) << 50 },
        { "", -1 }, { "m", -1 }, { "-1", -1 }, { "+1", -1 }, { "1.", -1 }, { ".5g", -1 }, { "1x", -1 }, { "1mm", -1 },
        { "1bb", -1 }, { "1 ", -1 }, { "1  k", -1 }, { "1ki", -1 }, { "1e3", -1 }, { "0x10", -1 }, { " 1", -1 },
        { "99999999999999999999p", -1 }, { "4096p", -1 }, { "1m ", -1 }, { "nan", -1 }, { "512m\n", -1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(read); i++)
        is_int(text_parse_size(read[i].text), read[i].want, "size '%s'", read[i].text);
}

static void reveals(void)
{
    static const struct { const char *text, *want; } shown[] = {
        { "plain \xc3\xa9\n", "plain \xc3\xa9\n" },
        { "a\xe2\x80\x8b" "b", "a\\u{200B}b" },                       /* zero width */
        { "\xe2\x80\xaex", "\\u{202E}x" },                            /* bidi */
        { "\xf3\xa0\x81\x81", "\\u{E0041}" },                          /* a tag */
        { "x\xef\xb8\x8f", "x\\u{FE0F}" },                            /* a variation selector */
        { "\x1b[31m\t\r\x7f", "\\u{1B}[31m\\u{9}\\u{D}\\u{7F}" },
        { "\xc2\x9b", "\\u{9B}" },
        { "\\u001b \\u200B \\n", "\\u{1B} \\u{200B} \\n" },             /* escapes of JSON */
        { "\\\\u001b \\u00", "\\\\u001b \\u00" },                     /* none of one */
        { "\\ud83d", "\\u{D83D}" },
        { "\xff\\", "\xef\xbf\xbd\\" },
        { "\\\x1b\\\xe2\x80\x8b", "\\\\u{1B}\\\\u{200B}" },            /* behind a backslash */
    };
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        AUTO_BUF struct buf out = BUF_INIT;
        text_reveal(&out, shown[i].text, strlen(shown[i].text));
        is_str(buf_str(&out), shown[i].want, "revealed, %zu", i);
    }
}

int main(void)
{
    reveals();
    characters();
    foreign_characters();
    sgr();
    escapes();
    hostile();
    utf8();
    widths();
    sizes();
    return done_testing();
}
