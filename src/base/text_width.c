/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Columns of text, by a table of our own: the locale's may be older, or C, and a view must be laid
 * out the same everywhere. Also the sizes people read and write. Knows no terminal. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"

struct width_range { uint32_t first, last; };

#include "base/text_width_table.h"

static bool in_table(const struct width_range *t, size_t n, uint32_t cp)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t[middle].last < cp)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && t[low].first <= cp;
}

int text_cp_width(uint32_t cp)
{
    if (cp < 0x300)
        return 1;
    if (in_table(zero_columns, ARRAY_LEN(zero_columns), cp))
        return 0;
    return in_table(two_columns, ARRAY_LEN(two_columns), cp) ? 2 : 1;
}

int text_width(const char *p, size_t n)
{
    int columns;
    text_fit(p, n, INT32_MAX, &columns);
    return columns;
}

static bool is_regional(uint32_t cp)
{
    return cp >= 0x1F1E6 && cp <= 0x1F1FF;
}

/* A cluster: a character with the marks that follow it, or the two letters of a flag. */
static size_t cluster(const char *p, size_t n, int *ret_width)
{
    uint32_t cp, next;
    size_t len = text_decode(p, n, &cp);
    int width = text_cp_width(cp);
    bool flag = is_regional(cp);
    while (len < n) {
        size_t more = text_decode(p + len, n - len, &next);
        if (flag && is_regional(next))
            width += text_cp_width(next);
        else if (next < 0x300 || text_cp_width(next) != 0)
            break;
        flag = false;
        len += more;
    }
    *ret_width = width;
    return len;
}

size_t text_fit(const char *p, size_t n, int columns, int *ret_width)
{
    size_t i = 0;
    int used = 0;
    while (i < n) {
        int width = 1;
        size_t len = 1;
        /* ASCII before ASCII is the common case: no mark can follow. */
        if ((unsigned char)p[i] >= 0x80 || (i + 1 < n && (unsigned char)p[i + 1] >= 0x80))
            len = cluster(p + i, n - i, &width);
        if (width > columns - used)
            break;
        used += width;
        i += len;
    }
    if (ret_width)
        *ret_width = used;
    return i;
}

char *text_size(int64_t bytes, char *out, size_t n)
{
    static const char units[] = "BKMGTPE";
    double value = bytes > 0 ? (double)bytes : 0;
    unsigned unit = 0;
    while (value >= 999.5 && units[unit + 1]) {   /* four columns at most: 1000K is 1M */
        value /= 1024;
        unit++;
    }
    int tenths = (int)(value * 10 + 0.5);
    if (unit && tenths < 100 && tenths % 10)
        snprintf(out, n, "%d.%d%c", tenths / 10, tenths % 10, units[unit]);
    else
        snprintf(out, n, "%d%c", (int)(value + 0.5), units[unit]);
    return out;
}

/* Docker's syntax (go-units RAMInBytes): a decimal number, then b, k, m, g, t or p in either case,
 * with an optional "b" or "ib" behind; a space between them is allowed. */
int64_t text_parse_size(const char *s)
{
    static const char letters[] = "bkmgtp";
    size_t whole = strspn(s, "0123456789"), fraction = 0;
    if (s[whole] == '.')
        fraction = 1 + strspn(s + whole + 1, "0123456789");
    if (!whole || fraction == 1 || whole + fraction > 30)
        return -1;
    double value = 0, digit = 1;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (s[i] - '0');
    for (size_t i = whole + 1; i < whole + fraction; i++)
        value += (s[i] - '0') * (digit /= 10);

    const char *p = s + whole + fraction;
    if (p[0] == ' ' && p[1])
        p++;
    unsigned shift = 0;
    if (*p) {
        const char *letter = strchr(letters, *p | 0x20);
        if (!letter)
            return -1;
        shift = 10 * (unsigned)(letter - letters);
        p++;
        if (shift && (*p == 'i' || *p == 'I') && (p[1] == 'b' || p[1] == 'B'))
            p += 2;
        else if (shift && (*p == 'b' || *p == 'B'))
            p++;
    }
    value *= (double)(UINT64_C(1) << shift);
    return *p || value >= 0x1p62 ? -1 : (int64_t)value;
}
