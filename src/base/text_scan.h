/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The innermost steps of scanning text, inline for text_utf8.c and jscan.c: eight bytes at a time,
 * and UTF-8 by the table of the Unicode standard (3-7, well-formed byte sequences): no surrogates,
 * no overlong forms, nothing above U+10FFFF. */
#ifndef MCPTOP_BASE_TEXT_SCAN_H
#define MCPTOP_BASE_TEXT_SCAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_HIGHS UINT64_C(0x8080808080808080)

static inline uint64_t scan_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* Not 0 when a byte of w is '"', '\\', below a space or above 0x7F. The lowest mark is exact: a
 * borrow can only come from a byte that is marked itself, and spoils the marks above it. */
static inline uint64_t scan_marks(uint64_t w)
{
    uint64_t quote = w ^ SCAN_ONES * '"', slash = w ^ SCAN_ONES * '\\';
    uint64_t quotes = (quote - SCAN_ONES) & ~quote, slashes = (slash - SCAN_ONES) & ~slash;
    return ((w - SCAN_ONES * ' ') | w | quotes | slashes) & SCAN_HIGHS;
}

/* The first byte in [p, end) that is '"', '\\', below a space or above 0x7F; end if there is
 * none. */
static inline const char *scan_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t marks = scan_marks(scan_load(p));
        if (marks) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            return p + __builtin_ctzll(marks) / 8;
#else
            break;
#endif
        }
        p += 8;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < ' ' || c >= 0x80 || c == '"' || c == '\\')
            break;
    }
    return p;
}

/* Length of the longest beginning of a well-formed sequence at s (first byte ≥ 0x80), at least 1;
 * *ret_whole: it is a complete one. */
static inline size_t scan_sequence(const unsigned char *s, size_t n, int *ret_whole)
{
    unsigned char c = s[0];
    size_t len = c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
    unsigned char low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    unsigned char high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    *ret_whole = 0;
    if (!len || n < 2 || s[1] < low || s[1] > high)
        return 1;
    for (size_t i = 2; i < len; i++) {
        if (i == n || (s[i] & 0xC0) != 0x80)
            return i;
    }
    *ret_whole = 1;
    return len;
}

#endif
