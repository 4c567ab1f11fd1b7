/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The themes as data. Colours are the terminal's sixteen, so a user's own palette stays in charge.
 * The two for colour-blind users keep apart what must be told apart by blue/orange and by red/cyan
 * with brightness. */
#include "theme.h"

#include <stddef.h>
#include <string.h>

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, GREY, LRED, LGREEN, LYELLOW, LBLUE,
      LMAGENTA, LCYAN, LWHITE };
#define OWN (-1)

#define COMMON \
    [ST_NORMAL] = {OWN, OWN, 0}, \
    [ST_BOLD] = {OWN, OWN, LOOK_BOLD}, \
    [ST_HEAD_SORT] = {OWN, OWN, LOOK_BOLD | LOOK_UNDERLINE}, \
    [ST_FIELD] = {OWN, OWN, LOOK_REVERSE}

static const struct theme themes[] = {
    {"default", "cyan accent, the terminal's own sixteen colours", {COMMON,
        [ST_DIM] = {GREY, OWN, 0}, [ST_ACCENT] = {CYAN, OWN, LOOK_BOLD},
        [ST_SELECTED] = {BLACK, CYAN, 0},
        [ST_MARKED] = {LYELLOW, OWN, LOOK_BOLD}, [ST_OK] = {GREEN, OWN, 0},
        [ST_BUSY] = {YELLOW, OWN, 0},
        [ST_WARN] = {YELLOW, OWN, LOOK_BOLD}, [ST_BAD] = {LRED, OWN, LOOK_BOLD},
        [ST_RULE] = {GREY, OWN, 0},
        [ST_HEAD] = {GREY, OWN, 0}, [ST_GRAPH] = {CYAN, OWN, 0}, [ST_MATCH] = {BLACK, YELLOW, 0},
        [ST_BOX] = {OWN, OWN, 0}, [ST_ADD] = {GREEN, OWN, 0}, [ST_DEL] = {LRED, OWN, 0},
        [ST_ALERT] = {LRED, OWN, LOOK_BOLD}}},
    {"mono", "no colour at all", {COMMON,
        [ST_DIM] = {OWN, OWN, LOOK_DIM}, [ST_ACCENT] = {OWN, OWN, LOOK_BOLD},
        [ST_SELECTED] = {OWN, OWN, LOOK_REVERSE},
        [ST_MARKED] = {OWN, OWN, LOOK_BOLD | LOOK_UNDERLINE}, [ST_OK] = {OWN, OWN, 0},
        [ST_BUSY] = {OWN, OWN, 0},
        [ST_WARN] = {OWN, OWN, LOOK_BOLD}, [ST_BAD] = {OWN, OWN, LOOK_BOLD},
        [ST_RULE] = {OWN, OWN, LOOK_DIM},
        [ST_HEAD] = {OWN, OWN, LOOK_DIM}, [ST_GRAPH] = {OWN, OWN, 0},
        [ST_MATCH] = {OWN, OWN, LOOK_REVERSE},
        [ST_BOX] = {OWN, OWN, 0}, [ST_ADD] = {OWN, OWN, LOOK_BOLD}, [ST_DEL] = {OWN, OWN, LOOK_DIM},
        [ST_ALERT] = {OWN, OWN, LOOK_BOLD}}},
    {"contrast", "nothing dim, strong colours", {COMMON,
        [ST_DIM] = {OWN, OWN, 0}, [ST_ACCENT] = {LCYAN, OWN, LOOK_BOLD},
        [ST_SELECTED] = {BLACK, LWHITE, LOOK_BOLD},
        [ST_MARKED] = {LYELLOW, OWN, LOOK_BOLD}, [ST_OK] = {LGREEN, OWN, LOOK_BOLD},
        [ST_BUSY] = {LYELLOW, OWN, LOOK_BOLD},
        [ST_WARN] = {BLACK, LYELLOW, 0}, [ST_BAD] = {LWHITE, RED, LOOK_BOLD},
        [ST_RULE] = {OWN, OWN, 0},
        [ST_HEAD] = {OWN, OWN, LOOK_BOLD}, [ST_GRAPH] = {LCYAN, OWN, 0},
        [ST_MATCH] = {BLACK, LYELLOW, 0},
        [ST_BOX] = {OWN, OWN, 0}, [ST_ADD] = {LGREEN, OWN, LOOK_BOLD},
        [ST_DEL] = {LRED, OWN, LOOK_BOLD},
        [ST_ALERT] = {LWHITE, RED, LOOK_BOLD}}},
    {"red-green", "for red-green blindness: blue is well, orange is not", {COMMON,
        [ST_DIM] = {GREY, OWN, 0}, [ST_ACCENT] = {LBLUE, OWN, LOOK_BOLD},
        [ST_SELECTED] = {LWHITE, BLUE, 0},
        [ST_MARKED] = {LWHITE, OWN, LOOK_BOLD}, [ST_OK] = {LBLUE, OWN, 0},
        [ST_BUSY] = {OWN, OWN, LOOK_BOLD},
        [ST_WARN] = {YELLOW, OWN, LOOK_BOLD}, [ST_BAD] = {BLACK, YELLOW, LOOK_BOLD},
        [ST_RULE] = {GREY, OWN, 0},
        [ST_HEAD] = {GREY, OWN, 0}, [ST_GRAPH] = {LBLUE, OWN, 0}, [ST_MATCH] = {BLACK, LWHITE, 0},
        [ST_BOX] = {OWN, OWN, 0}, [ST_ADD] = {LBLUE, OWN, 0}, [ST_DEL] = {YELLOW, OWN, 0},
        [ST_ALERT] = {BLACK, YELLOW, LOOK_BOLD}}},
    {"blue-yellow", "for blue-yellow blindness: cyan is well, red is not", {COMMON,
        [ST_DIM] = {GREY, OWN, 0}, [ST_ACCENT] = {LCYAN, OWN, LOOK_BOLD},
        [ST_SELECTED] = {BLACK, LCYAN, 0},
        [ST_MARKED] = {LWHITE, OWN, LOOK_BOLD}, [ST_OK] = {CYAN, OWN, 0},
        [ST_BUSY] = {OWN, OWN, LOOK_BOLD},
        [ST_WARN] = {LMAGENTA, OWN, LOOK_BOLD}, [ST_BAD] = {LWHITE, RED, LOOK_BOLD},
        [ST_RULE] = {GREY, OWN, 0},
        [ST_HEAD] = {GREY, OWN, 0}, [ST_GRAPH] = {CYAN, OWN, 0}, [ST_MATCH] = {BLACK, LWHITE, 0},
        [ST_BOX] = {OWN, OWN, 0}, [ST_ADD] = {CYAN, OWN, 0}, [ST_DEL] = {LRED, OWN, 0},
        [ST_ALERT] = {LWHITE, RED, LOOK_BOLD}}},
};

const struct theme *theme_at(unsigned i)
{
    return i < sizeof(themes) / sizeof(*themes) ? &themes[i] : NULL;
}

const struct theme *theme_find(const char *name)
{
    for (unsigned i = 0; theme_at(i); i++)
        if (!strcmp(themes[i].name, name))
            return &themes[i];
    return NULL;
}

char theme_letter(enum style st)
{
    static const char letters[STYLE_COUNT] = {
        [ST_NORMAL] = ' ', [ST_DIM] = 'd', [ST_BOLD] = 'b', [ST_ACCENT] = 'a', [ST_SELECTED] = 'S',
        [ST_MARKED] = 'm',
        [ST_OK] = 'o', [ST_BUSY] = 'u', [ST_WARN] = 'w', [ST_BAD] = 'B', [ST_RULE] = '-',
        [ST_HEAD] = 'h',
        [ST_HEAD_SORT] = 's', [ST_GRAPH] = 'g', [ST_MATCH] = 'M', [ST_BOX] = 'x', [ST_FIELD] = 'f',
        [ST_ADD] = '+',
        [ST_DEL] = '_', [ST_ALERT] = 'A',
    };

    return letters[st < STYLE_COUNT ? st : 0];
}
