/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of a command line: one table of options, from which the parser and the help are made.
 * Options may stand before and after the verb; "--" ends them; "-n5", "-n 5", "--lines=5" and
 * "--lines 5" are the same. */
#ifndef MCPTOP_CLI_ARGS_H
#define MCPTOP_CLI_ARGS_H

#include <stdbool.h>
#include <stdio.h>
#include "base/fault.h"
#include "base/strvec.h"
#include "client/api_client.h"

enum option_id {
    /* of every verb: where things are */
    OPT_SOCKET, OPT_DATA_DIR, OPT_CONFIG, OPT_LOG_DIR, OPT_LISTEN, OPT_HELP, OPT_VERSION,
    /* of the view */
    OPT_READONLY, OPT_ASCII, OPT_COLOR, OPT_THEME,
    /* of the verbs that can use them */
    OPT_JSON, OPT_ALL, OPT_FOLLOW, OPT_LINES, OPT_SINCE, OPT_NO_WAIT, OPT_TIMEOUT, OPT_SECRETS,
    OPT_DRY_RUN, OPT_RESTART, OPT_ORPHANS, OPT_YES, OPT_FIX,
    OPT_EACH, OPT_UNDO, OPT_AS, OPT_PROJECT, OPT_TEST, OPT_NOW, OPT_CHANGES,
    OPTIONS
};
#define OPT_BIT(id) (1u << (id))
/* What every verb takes. */
#define OPTS_GLOBAL                                                                                \
    (OPT_BIT(OPT_SOCKET) | OPT_BIT(OPT_DATA_DIR) | OPT_BIT(OPT_CONFIG) | OPT_BIT(OPT_LOG_DIR) |    \
     OPT_BIT(OPT_LISTEN) | OPT_BIT(OPT_HELP) | OPT_BIT(OPT_VERSION))
#define OPTS_VIEW                                                                                  \
    (OPT_BIT(OPT_READONLY) | OPT_BIT(OPT_ASCII) | OPT_BIT(OPT_COLOR) | OPT_BIT(OPT_THEME))

struct option_row {
    const char *name;  /* "lines" */
    char letter;       /* 'n', or 0 */
    const char *value; /* what its value is called in the help; NULL: it has none */
    const char *help;
};
extern const struct option_row args_options[OPTIONS];

struct args {
    const char
        *value[OPTIONS]; /* NULL = not given; "" where it takes no value; borrowed from argv */
    struct strvec words;        /* everything else; words.v[0] is the verb */
};

/* Behind what is said to be empty: where that mostly comes from. */
#define ARGS_WHY_EMPTY "(from a variable of the shell that is not set?)"

/* The index of the first word in argv (the verb), or 0: there is none. */
int args_find_verb(int argc, char **argv);
/* -1 with a sentence for the user: unknown option (with the nearest one), missing, empty
 * or unwanted value. */
int args_parse(struct args *a, int argc, char **argv, struct fault *f);
void args_fini(struct args *a);
/* The options that say where things are. Not resolved yet. */
void args_paths(const struct args *a, struct paths *ret);
/* Those of `options` that were given, as words again. */
void args_words(const struct args *a, unsigned options, struct strvec *out);
/* A number in [min, max], or `otherwise` when the option was not given. */
int args_number(const struct args *a, enum option_id id, int64_t min, int64_t max,
                int64_t otherwise, int64_t *ret, struct fault *f);
/* One line a set option, for --help. */
void args_help(FILE *out, unsigned options);

#endif
