/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory and CPU limits: text to numbers, with the engine's own bounds, so that a bad limit is a
 * line in the configuration and not a failed start. Decimal arithmetic is done on digits: 1.1 CPUs
 * are exactly 1100000000. */
#include "config/units.h"

#include <stdbool.h>
#include <string.h>
#include "base/text.h"

enum {
    MEMORY_MIN_BYTES = 6 << 20,
    NANO = 1000000000,
    CPU_MIN_NANO = NANO / 100,
    CPU_MAX = 1000000,
    PIDS_MAX = 1 << 22            /* the kernel's own bound (PID_MAX_LIMIT) */
};

int units_memory(const char *s, int64_t *ret_bytes, struct fault *f)
{
    int64_t bytes = text_parse_size(s);
    if (bytes < 0)
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is no size: write it like \"512m\" or \"2g\"",
                         s);
    if (bytes > 0 && bytes < MEMORY_MIN_BYTES) {
        bool no_unit = s[0] && s[0] >= '0' && s[0] <= '9';
        for (const char *p = s; *p; p++)
            no_unit = no_unit && *p >= '0' && *p <= '9';
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is less than the engine's minimum of 6m%s", s,
                         no_unit ? ": is the unit missing (\"m\", \"g\")?" : "");
    }
    *ret_bytes = bytes;
    return 0;
}

static bool parse_decimal_nano(const char *s, int64_t *ret)
{
    int64_t whole = 0, frac = 0, scale = NANO;
    bool digits = false;
    for (; *s >= '0' && *s <= '9'; s++, digits = true) {
        whole = whole * 10 + (*s - '0');
        if (whole > CPU_MAX)
            return false;
    }
    if (*s == '.') {
        for (s++; *s >= '0' && *s <= '9'; s++, digits = true) {
            scale /= 10;                     /* 0 beyond the ninth digit: it adds nothing */
            frac += (*s - '0') * scale;
        }
    }
    *ret = whole * NANO + frac;
    return digits && *s == '\0';
}

int units_cpus(const char *s, int64_t *ret_nano, struct fault *f)
{
    int64_t nano = 0;
    if (!parse_decimal_nano(s, &nano))
        return fault_set(f, FAULT_INVALID, "\"%.40s\" is no number of CPUs: write it like \"1.5\"",
                         s);
    if (nano > 0 && nano < CPU_MIN_NANO)
        return fault_set(f, FAULT_INVALID,
                         "\"%.40s\" is less than the engine's minimum of 0.01 CPUs", s);
    *ret_nano = nano;
    return 0;
}

int units_pids(const char *s, int64_t *ret, struct fault *f)
{
    int64_t n = 0;
    const char *p = s;
    if (strcmp(s, "-1") == 0) {
        *ret = 0;
        return 0;
    }
    for (; *p >= '0' && *p <= '9' && n <= PIDS_MAX; p++)
        n = n * 10 + (*p - '0');
    if (p == s || *p || n > PIDS_MAX)
        return fault_set(f, FAULT_INVALID,
                         "\"%.40s\" is no number of processes: write it like 100 (0: no limit)", s);
    *ret = n;
    return 0;
}
