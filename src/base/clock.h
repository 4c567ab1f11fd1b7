/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Time. Monotonic for intervals, wall for what users read. Tests freeze both. */
#ifndef MCPTOP_BASE_CLOCK_H
#define MCPTOP_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ns(void);
int64_t clock_mono_ms(void);
/* the same, up to a tick (10 ms) old and cheaper: for ages that count in seconds */
int64_t clock_coarse_ms(void);
/* What this thread has had of a processor: bounds a turn's work whatever else the machine does. */
int64_t clock_thread_ms(void);
int64_t clock_wall_ms(void);                      /* since 1970 UTC */
/* "2026-11-22T15:41:48.522+00:00", local zone's offset. Returns out. n >= 40. A few ns while
 * wall_ms stays within one second (the last one is kept); for the loop's thread only. */
char *clock_iso(int64_t wall_ms, char *out, size_t n);
/* "30s" "2m" "1h30m" "500ms" "1.5s" "0" → ms, as Go writes durations; what is finer than 1 ms is
 * rounded up. -1 when it is none (no unit, negative, rubbish, over 1000 days). */
int64_t clock_parse_duration_ms(const char *s);
/* Short forms for people: "3d02h", "2h14m", "5m03s", "12s"; "0s" below 0. Returns out. n >= 16. */
char *clock_span(int64_t ms, char *out, size_t n);

/* Tests: freeze both clocks at these values; -1 thaws. */
void clock_freeze(int64_t mono_ms, int64_t wall_ms);

#endif
