/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clock.h: texts of times and durations, frozen clocks, and what clock_iso() costs. */
#include "base/clock.h"

#include <time.h>
#include "base/mem.h"
#include "tap.h"

static void is_iso(const char *tz, int64_t ms, const char *want)
{
    char out[40];
    setenv("TZ", tz, 1);
    tzset();
    clock_iso(ms + 5000, out, sizeof out);   /* another second: the one kept is not the one asked for */
    is_str(clock_iso(ms, out, sizeof out), want, "%s %lld", tz, (long long)ms);
}

static void durations(void)
{
    static const struct { const char *text; int64_t ms; } cases[] = {
        { "30s", 30000 }, { "2m", 120000 }, { "1h30m", 5400000 }, { "500ms", 500 }, { "1.5s", 1500 },
        { "1.5h", 5400000 }, { ".5s", 500 }, { "1.s", 1000 }, { "0s", 0 }, { "0", 0 }, { "1h0m0.25s", 3600250 },
        { "100us", 1 }, { "1ns", 1 }, { "2000000ns", 2 }, { "1500\xc2\xb5s", 2 }, { "24000h", 86400000000 },
        { "0.1s", 100 }, { "0.001s", 1 }, { "1m1m", 120000 },
        { "", -1 }, { "5", -1 }, { "s", -1 }, { ".s", -1 }, { "-1s", -1 }, { "+1s", -1 }, { " 1s", -1 },
        { "1s ", -1 }, { "1 s", -1 }, { "1x", -1 }, { "1S", -1 }, { "1d", -1 }, { "24001h", -1 },
        { "24000h1ms", -1 }, { "99999999999999999999h", -1 }, { "1s2", -1 }, { "1..5s", -1 }, { "1e3s", -1 },
        { "0x10s", -1 }, { "99999999999999999999999ns", -1 },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        is_int(clock_parse_duration_ms(cases[i].text), cases[i].ms, "duration '%s'", cases[i].text);
}

static void spans(void)
{
    static const struct { int64_t ms; const char *want; } cases[] = {
        { -5, "0s" }, { 0, "0s" }, { 999, "0s" }, { 12000, "12s" }, { 59999, "59s" }, { 60000, "1m00s" },
        { 303000, "5m03s" }, { 3600000, "1h00m" }, { 8040000, "2h14m" }, { 86400000, "1d00h" },
        { 3 * 86400000 + 2 * 3600000, "3d02h" }, { 1000LL * 86400000, "1000d00h" },
    };
    char out[16];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        is_str(clock_span(cases[i].ms, out, sizeof out), cases[i].want, "span of %lld ms", (long long)cases[i].ms);
    clock_span(INT64_MAX, out, sizeof out);
    ok(strlen(out) < sizeof out, "the longest span fits");
}

int main(void)
{
    is_iso("UTC", 1795362108522, "2026-11-22T15:41:48.522+00:00");
    is_iso("UTC", 0, "1970-01-01T00:00:00.000+00:00");
    is_iso("UTC", -1, "1969-12-31T23:59:59.999+00:00");
    is_iso("CET-1CEST,M3.5.0,M10.5.0/3", 1795362108007, "2026-11-22T16:41:48.007+01:00");
    is_iso("CET-1CEST,M3.5.0,M10.5.0/3", 1783700000070, "2026-07-10T18:13:20.070+02:00");
    is_iso("IST-5:30", 1795362108522, "2026-11-22T21:11:48.522+05:30");
    is_iso("NST3:30", 1795362108522, "2026-11-22T12:11:48.522-03:30");
    is_iso("UTC", INT64_MAX - 5000, "292278994-08-17T07:12:50.807+00:00");
    char small[8] = "x";
    is_str(clock_iso(0, small, sizeof small), "", "too small a room gets nothing");

    int64_t before = clock_mono_ns();
    char out[40];
    enum { ROUNDS = 1000000 };
    for (int i = 0; i < ROUNDS; i++)
        clock_iso(1795362108000 + i / 100, out, sizeof out);
    int64_t each = (clock_mono_ns() - before) / ROUNDS;
    diag("clock_iso: %lld ns a call at 100,000 calls a second", (long long)each);
    ok(each < 2000, "clock_iso is cheap");

    int64_t mono = clock_mono_ms(), wall = clock_wall_ms();
    ok(mono > 0 && clock_mono_ms() >= mono, "monotonic");
    ok(wall / 1000 - time(NULL) <= 1 && time(NULL) - wall / 1000 <= 1, "wall");
    clock_freeze(5, 7);
    is_int(clock_mono_ms(), 5, "frozen");
    is_int(clock_mono_ns(), 5000000, "frozen, in ns");
    is_int(clock_wall_ms(), 7, "frozen wall");
    clock_freeze(-1, 9);
    ok(clock_mono_ms() >= mono && clock_wall_ms() == 9, "one alone");
    clock_freeze(-1, -1);
    ok(clock_wall_ms() >= wall, "thawed");
    durations();
    spans();
    return done_testing();
}
