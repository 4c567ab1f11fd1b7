/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop context`: the engines that the docker CLI knows, the one it would take and why; and where
 * a supervisor runs, the one in use there, for it may have been started in another environment. */
#include "cli/verb.h"

#include <string.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/show.h"

static void print_list(json_t *doc)
{
    static const struct grid_column columns[] = {
        { "NAME", false, 0 }, { "ENDPOINT", false, 0 }, { "DESCRIPTION", false, 1 },
    };
    struct grid *t = grid_new(columns, ARRAY_LEN(columns));
    size_t i;
    json_t *c;
    json_array_foreach(doc_get(doc, "contexts"), i, c) {
        grid_row(t);
        grid_cellf(t, "%s%s", doc_str(c, "name"), doc_true(c, "current") ? " *" : "");
        grid_cell(t, doc_str(c, "endpoint"));
        grid_cell(t, doc_str(c, "description"));
        if (*doc_str(c, "error")) {
            AUTO_FREE char *note = xasprintf("  ! %s", doc_str(c, "error"));
            grid_note(t, note);
        }
    }
    grid_print(t);
    grid_free(t);
}

static void say(const char *before, const char *text, const char *after)
{
    fputs(before, stdout);
    show_text(stdout, text);
    puts(after);
}

/* NULL: there is no such context. */
static const char *endpoint_of(json_t *doc, const char *name)
{
    size_t i;
    json_t *c;
    json_array_foreach(doc_get(doc, "contexts"), i, c)
        if (!strcmp(doc_str(c, "name"), name))
            return doc_str(c, "endpoint");
    return NULL;
}

static void print_reasons(json_t *doc)
{
    json_t *used = doc_get(doc, "used");
    const char *endpoint = endpoint_of(doc, doc_str(doc, "chosen"));
    AUTO_FREE char *chosen = xasprintf("%s: %s", doc_str(doc, "chosen"), doc_str(doc, "why"));
    putchar('\n');
    say("* ", chosen, "");
    if (!endpoint)
        say("there is no context \"", doc_str(doc, "chosen"),
            "\": `docker context use` chooses another");
    if (*doc_str(doc, "error"))
        say("", doc_str(doc, "error"), "");
    if (*doc_str(doc, "used_error"))
        say("the supervisor uses none: ", doc_str(doc, "used_error"), "");
    else if (json_is_object(used) && endpoint && strcmp(doc_str(used, "endpoint"), endpoint) != 0)
        say("the supervisor has used ", doc_str(used, "name"),
            " since it started; `mcptop shutdown` and a new start take what is chosen now");
}

int verb_context(struct cli *c)
{
    struct fault f = FAULT_NONE;
    json_t *doc = NULL;
    int rc = EXIT_OK;
    if (supervisor_probe(c->paths.socket, &f) == 0)
        rc = cli_ask(c, "GET", "/api/v1/docker/contexts", NULL, &doc);
    else if (!(doc = c->roles->contexts()))
        rc = EXIT_REFUSED;
    else if (cli_has(c, OPT_JSON))
        show_json(doc);
    if (!rc && !cli_has(c, OPT_JSON)) {
        print_list(doc);
        print_reasons(doc);
    }
    json_decref(doc);
    return rc;
}
