/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When a server that ended is started again: a pure function, so that the rule can be read and
 * tested in one place. */
#ifndef MCPTOP_SUPERVISOR_BACKOFF_H
#define MCPTOP_SUPERVISOR_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BACKOFF_MAX_MS = 60 * 1000,
    BACKOFF_HEALTHY_MS = 60 * 1000,    /* so long ready: all is forgiven */
    BACKOFF_FAILED_AFTER = 3,          /* more ends in a row than this are called failed */
};

/* The n-th end in a row (1 = the first). had_credit: the run before the first of them was
 * healthy for BACKOFF_HEALTHY_MS, or came up for the first time: its restart is immediate and
 * the doubling begins with the next one. noise: any random number; takes up to a fifth off, so
 * that what fell together does not rise together. Never more than BACKOFF_MAX_MS. */
int64_t backoff_delay_ms(uint32_t n, bool had_credit, uint32_t noise);

#endif
