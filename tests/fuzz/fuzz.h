/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fuzz target is: LLVMFuzzerTestOneInput(), which aborts when a promise of the code under
 * test is broken, and seeds to begin with. With --enable-fuzzer libFuzzer drives it; without,
 * sweep.c does, and then it is a test of `make check`. */
#ifndef MCPTOP_TESTS_FUZZ_H
#define MCPTOP_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_seed { const char *bytes; size_t len; };
#define FUZZ_SEED(s) { (s), sizeof(s) - 1 }
extern const struct fuzz_seed fuzz_seeds[];   /* ends with one whose bytes are NULL */

#define MUST(cond) do { \
    if (!(cond)) { \
        fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #cond); \
        abort(); \
    } \
} while (0)

/* A \u escape that may be half a pair: grammar, but no text that others can hold. */
static inline bool fuzz_has_surrogate(const char *p, const char *end)
{
    for (; end - p >= 4; p++) {
        if (p[0] == '\\' && p[1] == 'u' && (p[2] | 0x20) == 'd' &&
            ((p[3] >= '8' && p[3] <= '9') || ((p[3] | 0x20) >= 'a' && (p[3] | 0x20) <= 'f')))
            return true;
    }
    return false;
}

#endif
