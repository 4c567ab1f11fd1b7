/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Starting the view: its options and what the environment says about the terminal. */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app.h"
#include "theme.h"

static int usage(void)
{
    fprintf(stderr,
            "usage: mcptop [--readonly] [--ascii] [--color auto|never] [--theme NAME]\nthemes:\n");
    for (unsigned i = 0; theme_at(i); i++)
        fprintf(stderr, "  %-12s %s\n", theme_at(i)->name, theme_at(i)->about);
    return 2;
}

static int wrong_color(const char *word)
{
    fprintf(stderr, "mcptop: --color is \"auto\" or \"never\", and not \"%s\"\n", word);
    return 2;
}

int view_main(const struct paths *p, int argc, char **argv)
{
    static const struct option options[] = {
        {"readonly", no_argument, NULL, 'r'}, {"ascii", no_argument, NULL, 'a'},
        {"color", required_argument, NULL, 'c'},
        {"theme", required_argument, NULL, 't'}, {0},
    };
    const char *no_color = getenv("NO_COLOR");
    struct view_options o = {.paths = p, .color = !(no_color && *no_color)};
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'r')
            o.readonly = true;
        else if (option == 'a')
            o.ascii = true;
        else if (option == 'c' && (!strcmp(optarg, "auto") || !strcmp(optarg, "never")))
            o.color = o.color && !strcmp(optarg, "auto");
        else if (option == 't')
            o.theme = optarg;
        else if (option == 'c')
            return wrong_color(optarg);
        else
            return usage();
    }
    if (optind < argc)
        return usage();
    setlocale(LC_CTYPE, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        o.ascii = true;
    return view_run(&o);
}
