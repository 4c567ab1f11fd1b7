/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decimal digits where printf() would be most of the work. */
#ifndef MCPTOP_BASE_DECIMAL_H
#define MCPTOP_BASE_DECIMAL_H

#include <stdint.h>

enum { DECIMAL_MAX = 20 };          /* digits of the largest */

/* Writes the digits of n so that they end before `end`, at most DECIMAL_MAX; returns the first. No
 * NUL. */
static inline char *decimal_before(char *end, uint64_t n)
{
    do
        *--end = (char)('0' + n % 10);
    while (n /= 10);
    return end;
}

#endif
