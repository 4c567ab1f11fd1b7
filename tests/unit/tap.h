/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Test Anything Protocol for unit tests: one header, one test program each.
 *
 *   ok(cond, "what must hold %d", i);   is_int(got, want, …);   is_str(got, want, …);
 *   is_mem(got, n, want, m, …);         skip("why");            return done_testing();
 *
 * A check that fails says what it got and where it stands; the program goes on. plan(n) is
 * optional: with it a test that ends early is a failure, without it done_testing() prints the count
 * at the end, and a program that does not reach its end has no plan, which is a failure too.
 * tap_deadline() ends a test that hangs. */
#ifndef MCPTOP_TESTS_TAP_H
#define MCPTOP_TESTS_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int tap_count, tap_failed, tap_planned;

__attribute__((unused)) static void plan(int n)
{
    tap_planned = n;
    printf("1..%d\n", n);
    fflush(stdout);
}

__attribute__((format(printf, 4, 5), unused))
static bool tap_ok(bool pass, const char *file, int line, const char *fmt, ...)
{
    char name[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    for (char *p = name; *p; p++) {
        if (*p == '\n' || *p == '#')   /* '#' would begin a directive */
            *p = ' ';
    }
    printf("%s %d - %s\n", pass ? "ok" : "not ok", ++tap_count, name);
    if (!pass) {
        tap_failed++;
        printf("#   at %s:%d\n", file, line);
    }
    fflush(stdout);
    return pass;
}

__attribute__((unused)) static void tap_show(const char *label, const char *p, size_t n)
{
    printf("#   %s", label);
    if (!p) {
        printf("NULL\n");
        return;
    }
    putchar('"');
    for (size_t i = 0; i < n && i < 2000; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c >= 0x20 && c < 0x7F && c != '\\')
            putchar(c);
        else
            printf("\\x%02x", c);
    }
    printf("\"%s (%zu bytes)\n", n > 2000 ? "…" : "", n);
    fflush(stdout);
}

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...) ({ \
    long long tap_got = (long long)(got), tap_want = (long long)(want); \
    if (!tap_ok(tap_got == tap_want, __FILE__, __LINE__, __VA_ARGS__)) \
        printf("#   got  %lld\n#   want %lld\n", tap_got, tap_want); \
    tap_got == tap_want; })

#define is_mem(got, n, want, m, ...) ({ \
    const char *tap_g = (got), *tap_w = (want); \
    size_t tap_n = (n), tap_m = (m); \
    bool tap_same = tap_g && tap_w ? tap_n == tap_m && (!tap_n || memcmp(tap_g, tap_w, tap_n) == 0) \
                                   : tap_g == tap_w; \
    if (!tap_ok(tap_same, __FILE__, __LINE__, __VA_ARGS__)) { \
        tap_show("got  ", tap_g, tap_n); \
        tap_show("want ", tap_w, tap_m); \
    } \
    tap_same; })

#define is_str(got, want, ...) ({ \
    const char *tap_gs = (got), *tap_ws = (want); \
    is_mem(tap_gs, tap_gs ? strlen(tap_gs) : 0, tap_ws, tap_ws ? strlen(tap_ws) : 0, __VA_ARGS__); })

#define diag(...) do { printf("# " __VA_ARGS__); putchar('\n'); fflush(stdout); } while (0)

/* One check that cannot be made here; the harness counts it, and in CI it is a failure. */
#define skip(why, ...) do { printf("ok %d # SKIP " why "\n", ++tap_count, ##__VA_ARGS__); fflush(stdout); } while (0)

#define bail_out(...) do { printf("Bail out! " __VA_ARGS__); putchar('\n'); fflush(stdout); exit(1); } while (0)

/* SIGALRM ends the test after so many seconds. */
__attribute__((unused)) static void tap_deadline(unsigned seconds)
{
    alarm(seconds);
}

/* The whole test cannot run here. */
__attribute__((unused, noreturn)) static void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

__attribute__((unused)) static int done_testing(void)
{
    if (!tap_planned)
        printf("1..%d\n", tap_count);
    else if (tap_planned != tap_count)
        printf("# planned %d, ran %d\n", tap_planned, tap_count);
    fflush(stdout);
    return tap_failed || (tap_planned && tap_planned != tap_count) || !tap_count;
}

#endif
