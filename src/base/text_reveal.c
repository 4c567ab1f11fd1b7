/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a text hides: letters without a picture, and those that turn the order of others. Shown by
 * number, where the sanitiser of text.c would have to show what a terminal can. */
#include "base/text.h"

#include <string.h>
#include "base/mem.h"

bool text_is_deceptive(uint32_t cp)
{
    static const struct { uint32_t first, last; } ranges[] = {
        { 0x061C, 0x061C }, { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 }, { 0x180B, 0x180F },
        { 0x200B, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0x3164, 0x3164 },
        { 0xFDD0, 0xFDEF }, { 0xFE00, 0xFE0F }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 },
        { 0xFFF0, 0xFFFB }, { 0xFFFE, 0xFFFF }, { 0x13430, 0x1343F }, { 0x1BCA0, 0x1BCA3 },
        { 0x1D173, 0x1D17A }, { 0xE0000, 0xE0FFF },
    };
    if (cp == 0xAD || cp == 0x34F)
        return true;
    if (cp < ranges[0].first)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
        if (cp >= ranges[i].first && cp <= ranges[i].last)
            return true;
    }
    return cp >= 0x1FFFE && (cp & 0xFFFE) == 0xFFFE;
}

/* \uXXXX at p: its number; false when it is none. */
static bool is_escape(const char *p, size_t n, uint32_t *ret)
{
    static const char digits[] = "0123456789abcdef";

    *ret = 0;
    if (n < 6 || p[1] != 'u')
        return false;
    for (int i = 2; i < 6; i++) {
        char c = p[i] >= 'A' && p[i] <= 'F' ? (char)(p[i] + 32) : p[i];
        const char *at = c ? strchr(digits, c) : NULL;
        if (!at)
            return false;
        *ret = *ret * 16 + (uint32_t)(at - digits);
    }
    return true;
}

void text_reveal(struct buf *out, const char *p, size_t n)
{
    uint32_t cp, escaped;

    for (size_t i = 0; i < n;) {
        size_t len = text_decode(p + i, n - i, &cp);
        bool hidden = text_is_deceptive(cp) || (cp < 0x20 && cp != '\n') ||
            (cp >= 0x7F && cp < 0xA0);
        if (cp == '\\' && is_escape(p + i, n - i, &escaped)) {
            hidden = true;
            cp = escaped;
            len = 6;
        } else if (cp == '\\' && i + 1 < n && p[i + 1] == '\\') {
            len = 2;                /* the second of a pair begins no escape */
        }
        if (hidden)
            buf_printf(out, "\\u{%X}", (unsigned)cp);
        else if (cp == 0xFFFD)
            buf_add_str(out, "\xef\xbf\xbd");
        else
            buf_add(out, p + i, len);
        i += len;
    }
}
