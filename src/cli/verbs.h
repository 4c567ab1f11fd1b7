/* SPDX-License-Identifier: GPL-3.0-or-later */
/* argv → role. One table holds every verb with its words, help line and function: it dispatches,
 * and `--help` (and the man page) are generated from it.
 *
 * Exit codes: 0 done; 1 the thing asked about is not well or the request was refused; 2 wrong
 * usage; 3 no supervisor and none could be started; 4 no such server. */
#ifndef MCPTOP_CLI_VERBS_H
#define MCPTOP_CLI_VERBS_H

#include "client/api_client.h"

enum { EXIT_OK = 0, EXIT_REFUSED = 1, EXIT_USAGE = 2, EXIT_NO_SUPERVISOR = 3, EXIT_NO_SERVER = 4 };

/* What main.c wires, because cli may include neither ui nor docker nor the supervisor. */
struct cli_roles {
    int (*serve)(int argc, char **argv); /* `mcptop serve …`, foreground, with its warden */
    int (*view)(const struct paths *p, int argc, char **argv);   /* `mcptop` */
    json_t *(*contexts)(void);   /* GET /docker/contexts, where no supervisor runs */
};
int cli_main(int argc, char **argv, const struct cli_roles *roles);

#endif
