/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UTF-8. An invalid sequence is as long as its longest well-formed beginning, so that what follows
 * it is found again (the practice of the standard and of browsers). Knows bytes and code points,
 * nothing of widths. */
#include "base/text.h"

#include "base/text_scan.h"

size_t text_seq_len(const char *p, size_t n)
{
    int whole;
    if ((unsigned char)*p < 0x80)
        return 1;
    size_t len = scan_sequence((const unsigned char *)p, n, &whole);
    return whole ? len : 0;
}

size_t text_decode(const char *p, size_t n, uint32_t *ret_cp)
{
    const unsigned char *s = (const unsigned char *)p;
    int whole;
    if (s[0] < 0x80) {
        *ret_cp = s[0];
        return 1;
    }
    size_t len = scan_sequence(s, n, &whole);
    if (!whole) {
        *ret_cp = 0xFFFD;
        return len;
    }
    uint32_t cp = s[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (s[i] & 0x3F);
    *ret_cp = cp;
    return len;
}

bool text_is_utf8(const char *p, size_t n)
{
    const char *end = p + n;
    while (p < end) {
        if (end - p >= 8 && !(scan_load(p) & SCAN_HIGHS)) {
            p += 8;
            continue;
        }
        size_t len = text_seq_len(p, (size_t)(end - p));
        if (!len)
            return false;
        p += len;
    }
    return true;
}

size_t text_plain_run(const char *p, size_t n)
{
    return (size_t)(scan_plain(p, p + n) - p);
}
