/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of a server's tools is not as it was first seen (`mcptop tools --changes`), and `mcptop
 * approve`, which accepts what it has shown: by hash, so that nothing slips in while somebody
 * reads. */
#include "cli/verb.h"

#include <string.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

static int ask_changes(struct cli *c, const char *server, json_t **ret)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/tools/changes", server);
    if (api_ask(c->paths.socket, "GET", path, NULL, ret, NULL, &f))
        return cli_fail(&f);
    return EXIT_OK;
}

/* Whole lines: what is cut off could be what matters. */
static void print_diff(const char *diff)
{
    for (const char *p = diff; *p;) {
        size_t n = strcspn(p, "\n");
        fputs("    ", stdout);
        show_bytes(stdout, p, n);
        putchar('\n');
        p += n + (p[n] == '\n');
    }
}

static void print_change(json_t *change)
{
    const char *name = doc_str(change, "name");
    bool is_new = !strcmp(doc_str(change, "status"), "pending");
    fputs(is_new ? "  + " : "  ~ ", stdout);
    show_text(stdout, *name ? name : "(no clear name)");
    printf(": %s%s\n", is_new ? "it was not there before" : "changed",
           doc_true(change, "held") ? "; clients do not get it" : "");
    print_diff(doc_str(change, "diff"));
}

static void print_changes(json_t *data, json_t *changes)
{
    size_t i, n = json_array_size(changes);
    json_t *one;
    show_text(stdout, doc_str(data, "server"));
    if (!doc_true(data, "watched"))
        puts(": its list of tools is too long to be watched for changes");
    else if (!n)
        puts(": as first seen, or approved");
    else
        printf(": %zu tool%s not as first seen\n", n, n == 1 ? "" : "s");
    json_array_foreach(changes, i, one)
        print_change(one);
}

int approve_show_changes(struct cli *c, const char *server, json_t *all)
{
    json_t *data = NULL;
    int rc = ask_changes(c, server, &data);
    if (!rc && !cli_has(c, OPT_JSON))
        print_changes(data, doc_get(data, "changes"));
    if (!rc)
        json_array_append(all, data);
    json_decref(data);
    return rc;
}

/* ---- approve ---- */

static bool is_meant(const struct cli *c, const char *name)
{
    for (size_t i = 1; i < c->word_count; i++)
        if (!strcmp(c->words[i], name))
            return true;
    return c->word_count == 1;
}

/* Those that are meant; NULL after saying which is not there. */
static json_t *meant(struct cli *c, json_t *changes)
{
    json_t *some = json_array(), *one;
    size_t i;
    for (size_t k = 1; k < c->word_count; k++) {
        bool found = false;
        json_array_foreach(changes, i, one)
            found |= !strcmp(doc_str(one, "name"), c->words[k]);
        if (!found) {
            show_error("\"%s\" has no tool \"%s\" that has changed or is new", c->words[0],
                       c->words[k]);
            json_decref(some);
            return NULL;
        }
    }
    json_array_foreach(changes, i, one)
        if (is_meant(c, doc_str(one, "name")))
            json_array_append(some, one);
    return some;
}

static json_t *approval_of(json_t *some)
{
    json_t *tools = json_array(), *one;
    size_t i;
    json_array_foreach(some, i, one)
        json_array_append_new(tools, json_pack("{s:O, s:O}", "name", doc_get(one, "name"), "hash",
                                               doc_get(one, "current_hash")));
    return json_pack("{s:o}", "tools", tools);
}

static int approve(struct cli *c, json_t *data, json_t *some)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/tools/approve", c->words[0]);
    json_t *after;
    size_t n = json_array_size(some);
    if (!cli_has(c, OPT_YES)) {
        print_changes(data, some);
        if (!cli_confirm(c, n == 1 ? "approve it?" : "approve them?")) {
            puts("nothing was approved");
            return EXIT_REFUSED;
        }
    }
    int rc = cli_ask(c, "POST", path, approval_of(some), &after);
    if (!rc && !cli_has(c, OPT_JSON)) {
        show_text(stdout, c->words[0]);
        printf(": %zu tool%s approved\n", n, n == 1 ? "" : "s");
    }
    json_decref(after);
    return rc;
}

int verb_approve(struct cli *c)
{
    json_t *data = NULL;
    int rc = ask_changes(c, c->words[0], &data);
    json_t *some = rc ? NULL : meant(c, doc_get(data, "changes"));
    if (!rc && !some) {
        rc = EXIT_REFUSED;
    } else if (!rc && !json_array_size(some)) {
        print_changes(data, some);
        rc = doc_true(data, "watched") ? EXIT_OK : EXIT_REFUSED;
    } else if (!rc) {
        rc = approve(c, data, some);
    }
    json_decref(some);
    json_decref(data);
    return rc;
}
