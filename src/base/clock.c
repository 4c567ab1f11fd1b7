/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clocks, and the texts of times and durations. The local time is worked out once a second and
 * kept, so that clock_iso() costs a copy per log line. Frozen clocks are for tests only. */
#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t frozen_mono_ms = -1, frozen_wall_ms = -1;

static int64_t read_ns(clockid_t id)
{
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t clock_mono_ns(void)
{
    return frozen_mono_ms >= 0 ? frozen_mono_ms * 1000000 : read_ns(CLOCK_MONOTONIC);
}

int64_t clock_mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

int64_t clock_coarse_ms(void)
{
    return frozen_mono_ms >= 0 ? frozen_mono_ms : read_ns(CLOCK_MONOTONIC_COARSE) / 1000000;
}

int64_t clock_thread_ms(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID) / 1000000;
}

int64_t clock_wall_ms(void)
{
    return frozen_wall_ms >= 0 ? frozen_wall_ms : read_ns(CLOCK_REALTIME) / 1000000;
}

void clock_freeze(int64_t mono_ms, int64_t wall_ms)
{
    frozen_mono_ms = mono_ms;
    frozen_wall_ms = wall_ms;
}

/* "YYYY-MM-DDTHH:MM:SS.mmm+HH:MM" with the milliseconds left at 000. */
static void format_second(int64_t second, char *out, size_t n)
{
    time_t t = (time_t)second;
    struct tm tm;
    if (!localtime_r(&t, &tm)) {   /* a year beyond int */
        snprintf(out, n, "0000-00-00T00:00:00.000+00:00");
        return;
    }
    char date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    long off = tm.tm_gmtoff < 0 ? -tm.tm_gmtoff : tm.tm_gmtoff;
    snprintf(out, n, "%s.000%c%02ld:%02ld", date, tm.tm_gmtoff < 0 ? '-' : '+',
             off / 3600 % 100, off / 60 % 60);
}

char *clock_iso(int64_t wall_ms, char *out, size_t n)
{
    static char text[48];
    static int64_t text_second = INT64_MIN;
    static size_t text_len, ms_at;
    int64_t second = wall_ms / 1000, ms = wall_ms % 1000;
    if (ms < 0) {
        ms += 1000;
        second--;
    }
    if (second != text_second) {
        format_second(second, text, sizeof text);
        text_second = second;
        text_len = strlen(text);
        ms_at = (size_t)(strchr(text, '.') - text) + 1;
    }
    if (n <= text_len) {
        if (n)
            out[0] = '\0';
        return out;
    }
    memcpy(out, text, text_len + 1);
    out[ms_at] = (char)('0' + ms / 100);
    out[ms_at + 1] = (char)('0' + ms / 10 % 10);
    out[ms_at + 2] = (char)('0' + ms % 10);
    return out;
}

static const struct duration_unit {
    const char *name;   /* longer names before their beginnings */
    int64_t ns;
} duration_units[] = {
    { "ns", 1 },
    { "us", 1000 },
    { "\xc2\xb5s", 1000 },
    { "\xce\xbcs", 1000 },
    { "ms", 1000000 },
    { "h", 3600 * INT64_C(1000000000) },
    { "m", 60 * INT64_C(1000000000) },
    { "s", INT64_C(1000000000) },
    { NULL, 0 },
};
#define MAX_DURATION_NS (INT64_C(1000) * 86400 * 1000000000)

/* One "1.5h" at *s. Adds it to *ns; false when it is none or the sum is too long. */
static bool parse_component(const char **s, int64_t *ns)
{
    const char *p = *s;
    int64_t whole = 0, frac = 0, frac_scale = 1;
    int digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++) {
        whole = whole * 10 + (*p - '0');
        if (whole > MAX_DURATION_NS)
            return false;
    }
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
            /* finer than a millionth of the unit has no meaning in ms */
            if (frac_scale < 1000000) {
                frac = frac * 10 + (*p - '0');
                frac_scale *= 10;
            }
        }
    }
    if (!digits)
        return false;
    const struct duration_unit *u = duration_units;
    while (u->name && strncmp(p, u->name, strlen(u->name)) != 0)
        u++;
    if (!u->name || whole > (MAX_DURATION_NS - *ns) / u->ns)
        return false;
    *ns += whole * u->ns + frac * u->ns / frac_scale;
    *s = p + strlen(u->name);
    return *ns <= MAX_DURATION_NS;
}

int64_t clock_parse_duration_ms(const char *s)
{
    int64_t ns = 0;
    if (strcmp(s, "0") == 0)
        return 0;
    if (!*s)
        return -1;
    while (*s) {
        if (!parse_component(&s, &ns))
            return -1;
    }
    return (ns + 999999) / 1000000;
}

char *clock_span(int64_t ms, char *out, size_t n)
{
    long long s = ms > 0 ? ms / 1000 : 0;
    if (s < 60)
        snprintf(out, n, "%llds", s);
    else if (s < 3600)
        snprintf(out, n, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, n, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(out, n, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return out;
}
