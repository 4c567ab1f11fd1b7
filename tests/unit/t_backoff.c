/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rule of the back-off, number by number. */
#include "supervisor/backoff.h"

#include "tap.h"

int main(void)
{
    static const int64_t plain[] = { 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    for (uint32_t n = 1; n < 9; n++)
        is_int(backoff_delay_ms(n, false, 0), plain[n], "end %u without credit", n);
    for (uint32_t n = 1; n < 9; n++)
        is_int(backoff_delay_ms(n, true, 0), plain[n - 1], "end %u with credit", n);
    is_int(backoff_delay_ms(UINT32_MAX, false, 0), BACKOFF_MAX_MS, "never more than a minute");
    bool bounded = true, differ = false;
    for (uint32_t noise = 0; noise < 5000; noise++) {
        int64_t ms = backoff_delay_ms(3, false, noise * 2654435761u);
        bounded = bounded && ms <= 4000 && ms >= 3200;
        differ = differ || ms != 4000;
    }
    ok(bounded && differ, "jitter takes at most a fifth off, and some");
    return done_testing();
}
