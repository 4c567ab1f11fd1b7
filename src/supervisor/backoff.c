/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The back-off between two runs: 1, 2, 4 … 60 s, less jitter. Knows no clock and no server. */
#include "supervisor/backoff.h"

enum { FIRST_MS = 1000, DOUBLINGS = 6 };

int64_t backoff_delay_ms(uint32_t n, bool had_credit, uint32_t noise)
{
    if (had_credit && n)
        n--;
    if (n == 0)
        return 0;
    int64_t delay = n > DOUBLINGS ? BACKOFF_MAX_MS : (int64_t)FIRST_MS << (n - 1);
    return delay - delay / 5 * (int64_t)(noise % 1000) / 1000;
}
