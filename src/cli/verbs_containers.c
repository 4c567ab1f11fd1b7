/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verbs about containers: what runs on the engine, whose it is, what nobody uses any more, and its
 * removal, which shows what would go and asks. */
#include "cli/verb.h"

#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/show.h"

enum { SHORT_ID = 12 };

/* ---- ps ---- */

static const struct grid_column columns[] = {
    { "ID", false, 0 },     { "SERVER", false, 0 }, { "OWNER", false, 0 }, { "STATE", false, 0 },
    { "CPU%", true, 3 },    { "MEM", true, 2 },     { "AGE", true, 1 },    { "IMAGE", false, 5 },
    { "NAME", false, 4 },   { "STATUS", false, 0 },
};

static void add_evidence(struct grid *t, json_t *list)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one)
        buf_printf(&text, "%s%s", i ? "; " : "", json_is_string(one) ? json_string_value(one) : "");
    if (text.len)
        grid_note(t, buf_str(&text));
}

static void add_row(struct grid *t, json_t *one)
{
    char text[32];
    bool orphan = doc_true(one, "orphan");
    double cpu = doc_real(one, "cpu", -1);
    grid_row(t);
    grid_cellf(t, "%.*s", SHORT_ID, doc_str(one, "id"));
    grid_cell(t, *doc_str(one, "server") ? doc_str(one, "server") : "-");
    /* Another instance is known by the beginning of its id only. */
    bool other = !strcmp(doc_str(one, "owner"), "other");
    grid_cellf(t, "%s%s%.*s%s", doc_str(one, "owner"), other ? " " : "", other ? 8 : 0,
               doc_str(one, "instance"), orphan ? " (orphan)"
                                                  : doc_true(one, "kept") ? " (kept)" : "");
    grid_cell(t, doc_str(one, "state"));
    if (cpu < 0)
        grid_cell(t, "-");
    else
        grid_cellf(t, "%.1f", cpu);
    grid_cell(t, show_size(doc_int(one, "memory", -1), text, sizeof text));
    grid_cell(t, show_ago(doc_int(one, "created_wall_ms", 0), text, sizeof text));
    grid_cell(t, doc_str(one, "image"));
    grid_cell(t, doc_str(one, "name"));
    grid_cellf(t, "%s%s", doc_str(one, "status"), doc_true(one, "oom") ? ", OOM-killed" : "");
}

/* Below each row, why it looks as it does. */
static void print_table(json_t *list)
{
    size_t i;
    json_t *one;
    struct grid *t = grid_new(columns, ARRAY_LEN(columns));
    json_array_foreach(list, i, one) {
        add_row(t, one);
        add_evidence(t, doc_get(one, "evidence"));
    }
    grid_print(t);
    grid_free(t);
}

static json_t *only_orphans(json_t *list)
{
    json_t *some = json_array(), *one;
    size_t i;
    json_array_foreach(list, i, one)
        if (doc_true(one, "orphan"))
            json_array_append(some, one);
    return some;
}

/* As cli_ask, but prints nothing. */
static int ask(struct cli *c, const char *path, json_t **ret)
{
    struct fault f = FAULT_NONE;
    return api_ask(c->paths.socket, "GET", path, NULL, ret, NULL, &f) ? cli_fail(&f) : EXIT_OK;
}

int verb_ps(struct cli *c)
{
    bool some = cli_has(c, OPT_ORPHANS);
    json_t *data = NULL;
    int rc = ask(c, "/api/v1/containers?orphans=1", &data);
    if (rc)
        return rc;
    if (some)
        json_object_set_new(data, "containers", only_orphans(doc_get(data, "containers")));
    json_t *list = doc_get(data, "containers");
    if (cli_has(c, OPT_JSON))
        show_json(data);
    else if (some && !json_array_size(list))
        puts("no container looks left behind; `mcptop ps` shows all that were looked at");
    else
        print_table(list);
    json_decref(data);
    return EXIT_OK;
}

/* ---- rm ---- */

/* By name, or by id or its first 12 digits and more. */
static json_t *find_container(json_t *list, const char *word)
{
    size_t i, n = strlen(word);
    json_t *one;
    json_array_foreach(list, i, one)
        if (!strcmp(doc_str(one, "name"), word) ||
            (n >= SHORT_ID && !strncmp(doc_str(one, "id"), word, n)))
            return one;
    return NULL;
}

/* NULL after saying which is not there. */
static json_t *named_ones(struct cli *c, json_t *list)
{
    json_t *some = json_array();
    for (size_t i = 0; i < c->word_count; i++) {
        json_t *one = find_container(list, c->words[i]);
        if (!one) {
            show_error("no container \"%s\" among those that `mcptop ps` shows", c->words[i]);
            json_decref(some);
            return NULL;
        }
        json_array_append(some, one);
    }
    return some;
}

static bool asked_and_agreed(struct cli *c, json_t *list)
{
    if (cli_has(c, OPT_YES))
        return true;
    print_table(list);
    return cli_confirm(c, json_array_size(list) > 1 ? "remove these containers by force?"
                                                    : "remove this container by force?");
}

static int remove_all(struct cli *c, json_t *list)
{
    int rc = EXIT_OK;
    size_t i;
    json_t *one;
    json_array_foreach(list, i, one) {
        struct fault f = FAULT_NONE;
        json_t *data = NULL;
        AUTO_FREE char *path = api_path("/api/v1/containers/%s", doc_str(one, "id"));
        if (api_ask(c->paths.socket, "DELETE", path, NULL, &data, NULL, &f)) {
            rc = cli_fail(&f);
        } else {
            show_text(stdout, doc_str(one, "name"));
            puts(": removed");
        }
        json_decref(data);
    }
    return rc;
}

int verb_rm(struct cli *c)
{
    json_t *data = NULL;
    bool orphans = cli_has(c, OPT_ORPHANS);
    if (orphans == (c->word_count > 0))
        return cli_usage(c, orphans ? "--orphans or containers, not both"
                         : "needs CONTAINER… or --orphans");
    int rc = ask(c, "/api/v1/containers?orphans=1", &data);
    if (rc)
        return rc;
    json_t *all = doc_get(data, "containers");
    json_t *some = orphans ? only_orphans(all) : named_ones(c, all);
    if (!some) {
        rc = EXIT_NO_SERVER;
    } else if (!json_array_size(some)) {
        puts("no container looks left behind");
    } else if (asked_and_agreed(c, some)) {
        rc = remove_all(c, some);
    } else {
        puts("nothing was removed");
        rc = EXIT_REFUSED;
    }
    json_decref(some);
    json_decref(data);
    return rc;
}
