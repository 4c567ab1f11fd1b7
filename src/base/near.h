/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What somebody meant who typed a word that does not exist. */
#ifndef MCPTOP_BASE_NEAR_H
#define MCPTOP_BASE_NEAR_H

#include <stddef.h>

/* Keeps the best candidate so far. */
struct near {
    const char *word;       /* what was typed; borrowed */
    const char *best;       /* borrowed from the candidates; NULL = none is near */
    size_t distance;
};
void near_init(struct near *n, const char *word);
void near_try(struct near *n, const char *candidate);

#endif
