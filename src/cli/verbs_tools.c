/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop tools`: what the servers offer, as they listed it, and how it was used. */
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/show.h"
#include "cli/show_finding.h"

static const struct grid_column columns[] = {
    { "SERVER", false, 0 }, { "TOOL", false, 0 }, { "CALLS", true, 1 }, { "ERR", true, 2 },
    { "P95", true, 2 }, { "DESCRIPTION", false, GRID_CUT },
};

struct listing {
    struct cli *cli;
    struct grid *grid;   /* NULL: what has changed is shown, as it comes */
    bool named;          /* one server: its name needs no column */
    json_t *servers;     /* for --json; borrowed */
};

/* The key that hides the tool from clients; "" = none does. */
static const char *hidden_by(json_t *hidden, const char *tool)
{
    size_t i;
    json_t *one;
    json_array_foreach(hidden, i, one)
        if (!strcmp(doc_str(one, "name"), tool))
            return doc_str(one, "by");
    return "";
}

static void describe(struct grid *t, json_t *tool, const char *hidden)
{
    const char *text = doc_str(tool, "description");
    text += strspn(text, " \t\r\n");
    grid_cellf(t, "%s%s%s%.*s", *hidden ? "(hidden: " : "", hidden, *hidden ? ") " : "",
               (int)strcspn(text, "\r\n"), text);
}

/* What was seen of it; NULL = it was never called. */
static json_t *figures_of(json_t *figures, const char *tool)
{
    size_t i;
    json_t *one;
    json_array_foreach(figures, i, one)
        if (!doc_true(one, "other") && !strcmp(doc_str(one, "name"), tool))
            return one;
    return NULL;
}

static void add_figures(struct grid *t, json_t *seen)
{
    char text[24];
    if (!seen) {
        grid_cell(t, "0");
        grid_cell(t, "-");
        grid_cell(t, "-");
        return;
    }
    grid_cellf(t, "%lld", (long long)doc_int(seen, "calls", 0));
    grid_cellf(t, "%lld", (long long)(doc_int(seen, "errors", 0) +
                                    doc_int(seen, "tool_errors", 0)));
    grid_cell(t, show_latency(doc_int(seen, "p95_us", -1), text, sizeof text));
}

static void add_tools(struct listing *l, const char *server, json_t *data)
{
    size_t i;
    json_t *tool, *tools = doc_get(data, "tools"), *hidden = doc_get(data, "hidden");
    json_t *figures = doc_get(data, "figures");
    json_array_append_new(l->servers, json_pack("{s:s, s:O, s:O?, s:O?}", "name", server, "tools",
                                                tools, "hidden", hidden, "figures", figures));
    json_array_foreach(tools, i, tool) {
        const char *name = doc_str(tool, "name");
        grid_row(l->grid);
        if (!l->named)
            grid_cell(l->grid, server);
        grid_cell(l->grid, name);
        add_figures(l->grid, figures_of(figures, name));
        describe(l->grid, tool, hidden_by(hidden, name));
    }
}

/* ---- one tool ---- */

static json_t *find_tool(json_t *data, const char *name)
{
    size_t i;
    json_t *tool;
    json_array_foreach(doc_get(data, "tools"), i, tool)
        if (!strcmp(doc_str(tool, "name"), name))
            return tool;
    return NULL;
}

static void print_tool(const char *server, json_t *tool, const char *hidden)
{
    AUTO_FREE char *head = xasprintf("%s of %s%s%s", doc_str(tool, "name"), server,
                                     *hidden ? ", hidden from clients by " : "", hidden);
    show_line("", head);
    for (const char *p = doc_str(tool, "description"); *p;) {
        size_t n = strcspn(p, "\n");
        show_bytes(stdout, p, n);
        putchar('\n');
        p += n + (p[n] == '\n');
    }
    puts("its arguments:");
    show_json(doc_get(tool, "inputSchema"));
}

/* NAME TOOL, where TOOL is no server: that tool, whole. False: it is not that. */
static bool show_one(struct cli *c)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/tools", c->words[0]);
    AUTO_FREE char *other = api_path("/api/v1/servers/%s", c->words[1]);
    json_t *data = NULL, *server = NULL;
    json_t *tool = api_ask(c->paths.socket, "GET", path, NULL, &data, NULL, &f) == 0
        ? find_tool(data, c->words[1]) : NULL;
    if (tool && api_ask(c->paths.socket, "GET", other, NULL, &server, NULL, &f) == 0)
        tool = NULL;
    if (tool && cli_has(c, OPT_JSON))
        show_json(tool);
    else if (tool)
        print_tool(c->words[0], tool, hidden_by(doc_get(data, "hidden"), c->words[1]));
    json_decref(server);
    json_decref(data);
    return tool != NULL;
}

/* ---- many ---- */

static int ask_tools(struct listing *l, const char *server)
{
    struct fault f = FAULT_NONE;
    if (!l->grid)
        return approve_show_changes(l->cli, server, l->servers);
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/tools", server);
    json_t *data = NULL;
    if (api_ask(l->cli->paths.socket, "GET", path, NULL, &data, NULL, &f))
        return cli_fail(&f);
    if (l->named && cli_has(l->cli, OPT_JSON))
        show_json(data);
    add_tools(l, server, data);
    json_decref(data);
    return EXIT_OK;
}

/* Every server that has told its tools; one that has not is no error of this question, but said. */
static int ask_all(struct listing *l)
{
    struct fault f = FAULT_NONE;
    json_t *data = NULL, *s;
    size_t i;
    int rc = EXIT_OK;
    if (api_ask(l->cli->paths.socket, "GET", "/api/v1/servers", NULL, &data, NULL, &f))
        return cli_fail(&f);
    json_array_foreach(doc_get(data, "servers"), i, s) {
        int code = EXIT_OK;
        if (doc_int(s, "tool_count", -1) >= 0)
            code = ask_tools(l, doc_str(s, "name"));
        else if (!strcmp(doc_str(s, "wanted"), "up"))
            show_error("the tools of \"%s\" are not known: it %s %s", doc_str(s, "name"),
                       !strcmp(doc_str(s, "state"), "failed") ? "has" : "is", doc_str(s, "state"));
        rc = rc ? rc : code;
    }
    json_decref(data);
    return rc;
}

int verb_tools(struct cli *c)
{
    struct listing l = { .cli = c, .named = c->word_count == 1, .servers = json_array() };
    json_t *all = json_pack("{s:o}", "servers", l.servers);
    int rc = EXIT_OK;
    if (c->word_count == 2 && !cli_has(c, OPT_CHANGES) && show_one(c)) {
        json_decref(all);
        return EXIT_OK;
    }
    if (!cli_has(c, OPT_CHANGES))
        l.grid = grid_new(columns + l.named, ARRAY_LEN(columns) - l.named);
    if (!c->word_count)
        rc = ask_all(&l);
    for (size_t i = 0; i < c->word_count; i++) {
        int code = ask_tools(&l, c->words[i]);
        rc = rc ? rc : code;
    }
    if (cli_has(c, OPT_JSON) && (!l.named || !l.grid))
        show_json(l.named ? json_array_get(l.servers, 0) : all);
    else if (l.grid && !cli_has(c, OPT_JSON) && !(l.named && rc))
        grid_print(l.grid);
    if (l.grid)
        grid_free(l.grid);
    json_decref(all);
    return rc;
}
