/* SPDX-License-Identifier: GPL-3.0-or-later */
/* argv → role. The one place that knows the verbs, the supervisor and the view. */
#include "app.h"
#include "cli/verbs.h"
#include "docker/context.h"
#include "serve.h"

int main(int argc, char **argv)
{
    static const struct cli_roles roles = {.serve = serve_main, .view = view_main,
                                           .contexts = docker_contexts_json};

    return cli_main(argc, argv, &roles);
}
