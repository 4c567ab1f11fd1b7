/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view's entry point, for main.c. */
#ifndef MCPTOP_UI_APP_H
#define MCPTOP_UI_APP_H

#include <stdbool.h>
#include "client/api_client.h"

struct view_options {
    const struct paths *paths;
    bool readonly;
    bool ascii;              /* also where the locale is not UTF-8 */
    bool color;              /* false with NO_COLOR */
    const char *theme;       /* NULL: the default */
};

/* The interactive view on the terminal of this process; starts a supervisor where none runs. Exit
 * code. */
int view_run(const struct view_options *o);
/* `mcptop [--readonly] [--ascii] [--color auto|never] [--theme NAME]` on a terminal (off one the
 * CLI prints its table). Exit code. */
int view_main(const struct paths *p, int argc, char **argv);

#endif
