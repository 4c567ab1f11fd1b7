/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8 by the table of the Unicode standard (3-7, well-formed byte sequences): no surrogates, no overlong
 * forms, nothing above U+10FFFF. An invalid sequence is as long as its longest valid beginning, so that what
 * follows it is found again (the practice of the standard and of browsers). */
#include "base/text.h"

#include <string.h>

/* Shape of a sequence by its first byte: its length, and the range of the second byte. */
struct shape { uint8_t len, low, high; };

static inline struct shape shape_of(unsigned char c)
{
    if (c < 0xC2)
        return (struct shape){ 0, 0, 0 };
    if (c < 0xE0)
        return (struct shape){ 2, 0x80, 0xBF };
    if (c < 0xF0)
        return (struct shape){ 3, c == 0xE0 ? 0xA0 : 0x80, c == 0xED ? 0x9F : 0xBF };
    if (c < 0xF5)
        return (struct shape){ 4, c == 0xF0 ? 0x90 : 0x80, c == 0xF4 ? 0x8F : 0xBF };
    return (struct shape){ 0, 0, 0 };
}

/* Bytes of s that fit the shape; the whole sequence is valid when that is sh.len. */
static inline size_t matching(const unsigned char *s, size_t n, struct shape sh)
{
    if (!sh.len || n < 2 || s[1] < sh.low || s[1] > sh.high)
        return 1;
    size_t i = 2;
    while (i < sh.len && i < n && (s[i] & 0xC0) == 0x80)
        i++;
    return i;
}

size_t text_seq_len(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    if (s[0] < 0x80)
        return 1;
    struct shape sh = shape_of(s[0]);
    size_t len = matching(s, n, sh);
    return len == sh.len ? len : 0;
}

size_t text_decode(const char *p, size_t n, uint32_t *ret_cp)
{
    const unsigned char *s = (const unsigned char *)p;
    if (s[0] < 0x80) {
        *ret_cp = s[0];
        return 1;
    }
    struct shape sh = shape_of(s[0]);
    size_t len = matching(s, n, sh);
    if (len != sh.len) {
        *ret_cp = 0xFFFD;
        return len;
    }
    uint32_t cp = s[0] & (0x7Fu >> sh.len);
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (s[i] & 0x3F);
    *ret_cp = cp;
    return len;
}

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

bool text_is_utf8(const char *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        uint64_t w;
        if (n - i >= sizeof w) {
            memcpy(&w, p + i, sizeof w);
            if (!(w & HIGHS)) {
                i += sizeof w;
                continue;
            }
        }
        size_t len = text_seq_len(p + i, n - i);
        if (!len)
            return false;
        i += len;
    }
    return true;
}

/* Has the high bit set in (at least) the lowest byte of w that is '"', '\\', below space or above '~'.
 * (x - ONES) & ~x finds zero bytes; a borrow can only spoil bytes above the first hit, and only "any" matters. */
static inline uint64_t special_bytes(uint64_t w)
{
    uint64_t quote = w ^ ONES * '"', slash = w ^ ONES * '\\', del = w ^ ONES * 0x7F;
    return ((w - ONES * 0x20) | w | ((quote - ONES) & ~quote) | ((slash - ONES) & ~slash) |
            ((del - ONES) & ~del)) & HIGHS;
}

size_t text_plain_run(const char *p, size_t n)
{
    size_t i = 0;
    for (uint64_t w; n - i >= sizeof w; i += sizeof w) {
        memcpy(&w, p + i, sizeof w);
        if (special_bytes(w))
            break;
    }
    while (i < n && (unsigned char)p[i] >= 0x20 && (unsigned char)p[i] < 0x7F && p[i] != '"' && p[i] != '\\')
        i++;
    return i;
}
