/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Limits as users write them, checked once for the configuration's keys, for extra_args and for the
 * keys pressed. */
#ifndef MCPTOP_CONFIG_UNITS_H
#define MCPTOP_CONFIG_UNITS_H

#include <stdint.h>
#include "base/fault.h"

/* "512m", "1.5g", "1073741824"; "0" = no limit. What the engine would refuse (under 6 MiB) is
 * refused here. */
int units_memory(const char *s, int64_t *ret_bytes, struct fault *f);
/* "1.5", "2", ".5" → billionths of a CPU; "0" = no limit. Under 0.01 the engine refuses. */
int units_cpus(const char *s, int64_t *ret_nano, struct fault *f);
/* A whole number of processes and threads; "0" and docker's "-1" = no limit, given as 0. */
int units_pids(const char *s, int64_t *ret, struct fault *f);

#endif
