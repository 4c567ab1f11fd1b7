/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nearness of words: insertions, deletions, substitutions and swapped neighbours, case ignored; a
 * candidate that begins with the word is near, too. Pure. */
#include "base/near.h"

#include <string.h>
#include <strings.h>

enum { LONGEST = 64 };

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : (unsigned char)c;
}

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment distance, three rows. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= bn; j++)
        last[j] = j;
    for (size_t i = 1; i <= an; i++) {
        now[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t change = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && now[j] > before[j - 2] + 1)
                now[j] = before[j - 2] + 1;
        }
        size_t *free_row = before;
        before = last;
        last = now;
        now = free_row;
    }
    return last[bn];
}

void near_init(struct near *n, const char *word)
{
    /* A third of it may be wrong: more is another word. */
    size_t len = strlen(word);
    *n = (struct near){ .word = word, .distance = (len < 3 ? 1 : len / 3 + 1) + 1 };
}

void near_try(struct near *n, const char *candidate)
{
    size_t len = strlen(n->word), candidate_len = strlen(candidate);
    if (!len || len > LONGEST || candidate_len > LONGEST)
        return;
    size_t d = candidate_len > len && !strncasecmp(n->word, candidate, len) && len > 1
        ? 1 : distance(n->word, len, candidate, candidate_len);
    if (d < n->distance && d < candidate_len) {
        n->distance = d;
        n->best = candidate;
    }
}
