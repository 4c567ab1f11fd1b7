/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Test Anything Protocol in a header: ok(), is_int(), is_str(), skip_all(), done_testing(). A failing check prints what
 * it saw and where; the exit status is 1 then. Every test ends by itself after tap_deadline() seconds. */
#ifndef MCPTOP_TESTS_TAP_H
#define MCPTOP_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 4, 5), unused))
static bool tap_result(bool pass, const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    if (!pass) {
        tap_failed++;
        printf("# at %s:%d\n", file, line);
    }
    fflush(stdout);
    return pass;
}

#define ok(cond, ...) tap_result((cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...) do { \
    long long tap_got = (long long)(got), tap_want = (long long)(want); \
    if (!tap_result(tap_got == tap_want, __FILE__, __LINE__, __VA_ARGS__)) \
        printf("#  got %lld\n# want %lld\n", tap_got, tap_want); \
} while (0)

#define is_str(got, want, ...) do { \
    const char *tap_got = (got), *tap_want = (want); \
    bool tap_same = tap_got && tap_want ? !strcmp(tap_got, tap_want) : tap_got == tap_want; \
    if (!tap_result(tap_same, __FILE__, __LINE__, __VA_ARGS__)) \
        printf("#  got \"%s\"\n# want \"%s\"\n", tap_got ? tap_got : "(null)", tap_want ? tap_want : "(null)"); \
} while (0)

__attribute__((unused)) static void tap_deadline(unsigned seconds)
{
    alarm(seconds);
}

__attribute__((unused)) static void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

__attribute__((unused)) static int done_testing(void)
{
    printf("1..%d\n", tap_count);
    if (tap_failed)
        printf("# %d of %d failed\n", tap_failed, tap_count);
    return tap_failed ? 1 : 0;
}

#endif
