/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jscan.h, the scanner: what is JSON and where it is not, decoding, speed on a large message. */
#include "base/jscan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tap.h"

/* From an exact-size heap copy, so that a sanitizer sees a read behind the end. */
static long scan(const char *in, size_t n, long *ret_bad)
{
    char *copy = xmalloc(n);
    memcpy(copy, in, n);
    const char *bad = NULL, *after = jscan_value(copy, copy + n, &bad);
    long len = after ? after - copy : -1;
    *ret_bad = after ? -1 : bad - copy;
    free(copy);
    return len;
}

static void is_value(const char *in, size_t n, long want_len)
{
    long bad, len = scan(in, n, &bad);
    is_int(len, want_len, "value: %.60s", in);
}

static void is_bad(const char *in, size_t n, long want_at)
{
    long bad, len = scan(in, n, &bad);
    ok(len == -1 && bad == want_at, "no value: %.60s (spoilt at %ld, found at %ld)", in, want_at,
       bad);
}

#define VALUE(s) is_value((s), sizeof(s) - 1, sizeof(s) - 1)
#define BAD(s, at) is_bad((s), sizeof(s) - 1, (at))

static void values(void)
{
    VALUE("null");
    VALUE("true");
    VALUE("false");
    VALUE("0");
    VALUE("-0");
    VALUE("-12.5e+30");
    VALUE("1E-2");
    VALUE("9007199254740993");
    VALUE("\"\"");
    VALUE("\"plain and long enough for two words\"");
    VALUE("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000\\uFFFF\\ud83d\\ude00\"");
    VALUE(
        "\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
    VALUE("\"\\ud800\"");
    VALUE("\"\\ud800\\u0041\"");
    VALUE("{\"\\udc00\":\"\\udc00\\ud800\"}");
    VALUE("[]");
    VALUE("{}");
    VALUE("[ ]");
    VALUE("{\n}");
    VALUE("[1,[2,[3,{}],{\"a\":[]}],\"]\"]");
    VALUE("{\"a\" : 1 ,\t\"b\":{\"c\":null}, \"d\":[{},{}]}");
    is_value("1,2", 3, 1);
    is_value("{}x", 3, 2);
    is_value("\"a\"\"", 4, 3);
    is_value("truex", 5, 4);
}

static void no_values(void)
{
    BAD("", 0);
    BAD(" 1", 0);
    BAD("x", 0);
    BAD("tru", 3);
    BAD("trux", 0);
    BAD("-", 1);
    BAD("-a", 1);
    BAD("1.", 2);
    BAD("1.e3", 2);
    BAD("1e", 2);
    BAD("1e+", 3);
    BAD("[01]", 2);
    BAD("+1", 0);
    BAD("\"", 1);
    BAD("\"abc", 4);
    BAD("\"a\nb\"", 2);
    BAD("\"a\0b\"", 2);
    BAD("\"\x1f\"", 1);
    BAD("\"\\x\"", 1);
    BAD("\"\\", 1);
    BAD("\"\\u12\"", 1);
    BAD("\"\\u12g4\"", 1);
    BAD("\"\\ud83d\\ude0\"", 7);
    BAD("\"\xff\"", 1);
    BAD("\"\x80\"", 1);
    BAD("\"\xc0\xaf\"", 1);
    BAD("\"\xc3\"", 1);
    BAD("\"\xe2\x82\"", 1);
    BAD("\"\xed\xa0\x80\"", 1);
    BAD("\"\xf4\x90\x80\x80\"", 1);
    BAD("\"0123456789abcdef\xe2\x82\xacxyz\xc3(\"", 23);
    BAD("[", 1);
    BAD("[1", 2);
    BAD("[1,", 3);
    BAD("[1,]", 3);
    BAD("[,1]", 1);
    BAD("[1 2]", 3);
    BAD("[1}", 2);
    BAD("{", 1);
    BAD("{1:2}", 1);
    BAD("{\"a\"}", 4);
    BAD("{\"a\":}", 5);
    BAD("{\"a\":1,}", 7);
    BAD("{\"a\":1", 6);
    BAD("{\"a\":1]", 6);
    BAD("{\"a\" 1}", 5);
    BAD("{\"a\":1 \"b\":2}", 7);
    BAD("[// no\n1]", 1);
    BAD("\xef\xbb\xbf{}", 0);
}

static void depth(void)
{
    char in[2 * JSCAN_MAX_DEPTH + 4];
    for (int n = JSCAN_MAX_DEPTH - 1; n <= JSCAN_MAX_DEPTH + 1; n++) {
        memset(in, '[', (size_t)n);
        memset(in + n, ']', (size_t)n);
        long bad, len = scan(in, 2 * (size_t)n, &bad);
        is_int(len, n <= JSCAN_MAX_DEPTH ? 2 * n : -1, "%d levels", n);
    }
    AUTO_BUF struct buf b = BUF_INIT;
    for (int i = 0; i < JSCAN_MAX_DEPTH; i++)
        buf_add_str(&b, i % 3 ? "{\"a\":" : "[");
    buf_add_str(&b, "1");
    for (int i = JSCAN_MAX_DEPTH; i-- > 0;)
        buf_add_str(&b, i % 3 ? "}" : "]");
    long bad;
    is_int(scan(b.data, b.len, &bad), b.len, "objects and arrays in turn, to the bound");
    b.data[b.len - 5] ^= '}' ^ ']';
    is_int(scan(b.data, b.len, &bad), -1, "with one closed by the other's bracket");
    is_int(bad, b.len - 5, "found there");
}

/* One special byte at every place of a word, in strings of every length: the eight-byte steps. */
static void every_place(void)
{
    static const char specials[] = { '\n', 0, '\x1f', '\x80', '\xff', '"', '\\' };
    bool right = true;
    for (size_t n = 1; n < 40; n++) {
        for (size_t at = 0; at < n; at++) {
            for (size_t k = 0; k < sizeof specials; k++) {
                char in[64];
                for (size_t i = 0; i < n; i++)
                    in[1 + i] = (char)("a~! \x7f[#]"[(i + at) % 8]);
                in[0] = in[n + 1] = '"';
                in[1 + at] = specials[k];
                long bad, len = scan(in, n + 2, &bad);
                if (specials[k] == '\\' && at == n - 1)
                    /* it escapes the closing quote */
                    right = right && len == -1 && bad == (long)n + 2;
                else if (specials[k] == '"')
                    right = right && len == (long)at + 2;
                else
                    right = right && len == -1 && bad == (long)at + 1;
            }
        }
    }
    ok(right, "a special byte is found at every place of strings of every length");
}

static void is_decoded(const char *in, size_t n, const char *want, size_t m)
{
    AUTO_BUF struct buf b = BUF_INIT;
    buf_add_str(&b, "-");
    is_int(jscan_decode(in, n, &b), 0, "decodes %.40s", in);
    is_mem(b.data + 1, b.len - 1, want, m, "to this");
}

static void decoding(void)
{
    is_decoded("\"\"", 2, "", 0);
    is_decoded("\"abc\"", 5, "abc", 3);
    is_decoded("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", 18, "\"\\/\b\f\n\r\t", 8);
    is_decoded("\"a\\u0000b\"", 10, "a\0b", 3);
    is_decoded("\"\\u00e9\\u20AC\\ud83d\\ude00\"", 26, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    is_decoded("\"\\uFFFF\\u0800\\u07ff\\u007f\"", 26, "\xef\xbf\xbf\xe0\xa0\x80\xdf\xbf\x7f", 9);
    AUTO_BUF struct buf b = BUF_INIT;
    buf_add_str(&b, "kept");
    is_int(jscan_decode("\"\\q\"", 4, &b), -1, "an invalid one is none");
    is_int(jscan_decode("\"a", 2, &b), -1, "nor one without its end");
    is_int(jscan_decode("\"a\"b\"", 5, &b), -1, "nor two");
    is_int(jscan_decode("\"", 1, &b), -1, "nor a quote");
    is_int(jscan_decode("x", 0, &b), -1, "nor nothing");
    is_str(b.data, "kept", "and what was there stays");
    bool plain = false;
    ok(jscan_string("\"ab\"", NULL, &plain) == NULL, "a string that ends before it begins");
    const char *s = "\"ab\",", *t = "\"\\n\"", *u = "ab", *array = "[1]";
    ok(jscan_string(s, s + 5, &plain) == s + 4 && plain, "a plain string");
    ok(jscan_string(t, t + 4, &plain) == t + 4 && !plain, "one with escapes");
    ok(jscan_string(u, u + 2, NULL) == NULL, "no string");
    ok(jscan_scalar(array, array + 3, NULL) == NULL, "a container is no scalar");
}

/* What is known of a text that comes in pieces of `piece` bytes, each time from memory of its own
 * size. Returns the last copy, which `a` is about. */
static char *in_pieces(struct jscan_ahead *a, const char *p, size_t n, size_t piece)
{
    char *copy = NULL;
    for (size_t have = 0; have < n;) {
        have = have + piece < n ? have + piece : n;
        free(copy);
        copy = xmalloc(have);
        memcpy(copy, p, have);
        jscan_ahead(a, copy, have);
    }
    return copy;
}

static bool knows(const struct jscan_ahead *a, unsigned depth, const char *text, const char *value)
{
    size_t from = (size_t)(strstr(text, value) - text), to = from + strlen(value);
    for (unsigned i = 0; i < a->count[depth]; i++)
        if (a->known[depth][i].from == from && a->known[depth][i].to == to)
            return true;
    return false;
}

static void pieces_of(const char *text, size_t piece)
{
    struct jscan_ahead a = {0};
    char *copy = in_pieces(&a, text, strlen(text), piece);
    ok(a.over && a.count[0] == 1 && a.known[0][0].to == strlen(text), "pieces of %zu: its end",
       piece);
    ok(knows(&a, 1, text, "{\"a\" : [ ] ,\"b\":{}}") && knows(&a, 1, text, "[1.5e3,[true,[{}]],null]") &&
           knows(&a, 2, text, "1.5e3") && knows(&a, 2, text, "[true,[{}]]") &&
           knows(&a, 3, text, "[{}]") && knows(&a, 1, text, "\"\\ud83d\\ude00 \xf0\x9f\x98\x80\\n\""),
       "and its parts");
    jscan_know(&a);
    ok(jscan_value(copy, copy + a.seen, NULL) == copy + a.seen, "known, it is that");
    ok(jscan_value(copy, copy + a.seen - 1, NULL) == NULL, "but not with less of it");
    memset(copy + 1, '?', a.seen - 2);
    ok(jscan_value(copy, copy + a.seen, NULL) == copy + a.seen, "nobody looks again");
    jscan_know(NULL);
    ok(jscan_value(copy, copy + a.seen, NULL) == NULL, "until nobody is known");
    free(copy);
}

static void no_pieces_of(const char *text)
{
    bool right = true;
    for (size_t piece = 1; piece < 20; piece++) {
        struct jscan_ahead a = {0};
        char *copy = in_pieces(&a, text, strlen(text), piece);
        right = right && !a.count[0];
        jscan_know(&a);
        right = right && !jscan_value(copy, copy + a.seen, NULL);
        jscan_know(NULL);
        free(copy);
    }
    ok(right, "no value in pieces either: %.40s", text);
}

static void ahead(void)
{
    static const char text[] = "{\"k\\u0041\":{\"a\" : [ ] ,\"b\":{}}, \"list\":[1.5e3,[true,[{}]],null],"
                               "\"s\":\"\\ud83d\\ude00 \xf0\x9f\x98\x80\\n\",\"n\":-12}";
    for (size_t piece = 1; piece < 40; piece++)
        pieces_of(text, piece);
    no_pieces_of("[1,2");
    no_pieces_of("[1,2}");
    no_pieces_of("[\"abc\x80 and more than twelve bytes\"]");
    no_pieces_of("[\"abc\\q and more than twelve bytes\"]");
    no_pieces_of("[12.x3456789012345]");
    no_pieces_of("{\"a\":1,2345678901234:5}");
    struct jscan_ahead a = {.least = 7};
    free(in_pieces(&a, "[[1,22],[333,4]]", 16, 3));
    ok(a.count[1] == 1 && a.known[1][0].from == 8, "what is short is not kept in mind");
    struct jscan_ahead broken = {0};
    free(in_pieces(&broken, "[\"a\",\r1,\n2]", 12, 2));
    ok(broken.has_newline && broken.newline == 5, "where the first line ends");
}

static void time_one(const char *what, const char *unit)
{
    enum { SIZE = 8 << 20, MIN_MB_S = 2 };
    AUTO_BUF struct buf b = BUF_INIT;
    buf_reserve(&b, SIZE + 100);
    buf_add_str(&b, "[");
    while (b.len < SIZE)
        buf_add_str(&b, unit);
    buf_add_str(&b, "0]");
    int64_t best = INT64_MAX;
    bool valid = true;
    for (int i = 0; i < 3; i++) {
        int64_t start = clock_mono_ns();
        valid = valid && jscan_value(b.data, b.data + b.len, NULL) == b.data + b.len;
        int64_t ns = clock_mono_ns() - start;
        best = ns < best ? ns : best;
    }
    int64_t mb_s = (int64_t)b.len * 1000 / (best ? best : 1);
    diag("%s: %lld MB/s", what, (long long)mb_s);
    ok(valid && mb_s >= MIN_MB_S, "%s scan fast enough", what);
}

static void speed(void)
{
    AUTO_BUF struct buf text = BUF_INIT;
    buf_add_str(&text, "\"");
    for (int i = 0; i < 100; i++)
        buf_add_str(&text, "The quick brown fox jumps over the lazy dog. ");
    buf_add_str(&text, "\",");
    /* The bound is a hundredth of what is measured: it catches a step that became quadratic, on any
     * machine and under valgrind. */
    time_one("long plain strings", text.data);
    time_one("source code in a string",
             "\"int main(void)\\n{\\n    puts(\\\"hello\\\");\\n}\\n\",");
    time_one(
        "text that is not ASCII",
        "\"\xe6\xbc\xa2\xe5\xad\x97\xe4\xbb\xae\xe5\x90\x8d\xe4\xba\xa4\xe3\x81\x98\xe3\x82\x8a\xe6\x96\x87\",");
    time_one("small members", "{\"id\":12,\"ok\":true,\"v\":-1.5,\"n\":null},");
    time_one("empty arrays", "[[],[]],");
}

int main(void)
{
    values();
    no_values();
    depth();
    every_place();
    decoding();
    ahead();
    speed();
    return done_testing();
}
