/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop import`: servers of an AI client's file into mcp_config.json. The file is read here; the
 * supervisor, which owns the configuration, adds them to it. */
#include "cli/verb.h"

#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/secret.h"
#include "cli/doc.h"
#include "cli/show.h"
#include "config/file.h"
#include "config/foreign.h"
#include "config/mcp_config.h"

struct import {
    struct cli *cli;
    enum foreign_format format;
    char *path;
    struct foreign_servers servers;
    json_t *there;          /* servers of the configuration, as the API tells them */
    json_t *adding;         /* {name: spec} */
    size_t refused;         /* refused for their names, or as wrong */
    char *fault;            /* of the last one that is wrong */
};

/* ---- the file ---- */

static int find_file(struct import *im, const char *word)
{
    const struct foreign_client *client = foreign_find(word);
    if (client) {
        im->format = client->format;
        im->path = foreign_path(client, paths_home() ? paths_home() : "/", NULL);
    } else {
        im->format = foreign_format_of(word);
        im->path = xstrdup(word);
    }
    if (access(im->path, F_OK) == 0)
        return EXIT_OK;
    if (client)
        show_error("%s has no configuration here: there is no %s", client->label, im->path);
    else
        show_error("there is no file \"%s\", and it is no client: claude-code, claude-desktop, "
                   "cursor, vscode, gemini or codex", word);
    return EXIT_REFUSED;
}

static int read_servers(struct import *im)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;
    int line = 0;
    char place[32];
    if (file_read(im->path, &text, NULL, &f) == 0 &&
        foreign_read(im->format, buf_str(&text), text.len, &im->servers, &line, &f) == 0)
        return EXIT_OK;
    size_t n = (size_t)snprintf(place, sizeof place, "line %d", line);
    if (line)
        show_error("%s:%d: %s", im->path, line,
                   strncmp(f.text, place, n) ? f.text : f.text + n + 2);
    else
        show_error("%s", f.text);
    return EXIT_REFUSED;
}

/* ---- which of them ---- */

/* Every name that was asked for is one in the file. */
static int check_names(const struct import *im)
{
    int rc = EXIT_OK;
    for (size_t w = 1; w < im->cli->word_count; w++) {
        struct near near;
        bool found = false;
        near_init(&near, im->cli->words[w]);
        for (size_t i = 0; i < im->servers.n; i++) {
            found = found || !strcmp(im->servers.v[i].name, im->cli->words[w]);
            near_try(&near, im->servers.v[i].name);
        }
        if (found)
            continue;
        show_error("%s has no server \"%s\"%s%s%s", im->path, im->cli->words[w],
                   near.best ? ": did you mean \"" : "", near.best ? near.best : "",
                   near.best ? "\"?" : "");
        rc = EXIT_NO_SERVER;
    }
    return rc;
}

static bool is_asked_for(const struct import *im, const char *name)
{
    for (size_t w = 1; w < im->cli->word_count; w++)
        if (!strcmp(im->cli->words[w], name))
            return true;
    return im->cli->word_count == 1;
}

static json_t *find_there(const struct import *im, const char *name)
{
    json_t *s;
    size_t i;
    json_array_foreach(im->there, i, s)
        if (!strcmp(doc_str(s, "name"), name))
            return s;
    return NULL;
}

/* The arguments as the API shows them. */
static void shown_args(json_t *spec, struct strvec *out)
{
    AUTO_STRVEC struct strvec args = { 0 };
    json_t *one;
    size_t i;
    json_array_foreach(doc_get(spec, "args"), i, one)
        strvec_add(&args, json_is_string(one) ? json_string_value(one) : "?");
    secret_mask_args(args.v, args.n, out);
}

/* But for secrets, which the API does not tell. */
static bool same_command(json_t *server, json_t *spec)
{
    AUTO_STRVEC struct strvec args = { 0 };
    json_t *there = doc_get(server, "args");
    shown_args(spec, &args);
    bool same = !strcmp(doc_str(server, "command"), doc_str(spec, "command")) &&
        json_array_size(there) == args.n;
    for (size_t i = 0; i < args.n && same; i++)
        same = !strcmp(json_string_value(json_array_get(there, i)), args.v[i]);
    return same;
}

/* Why no configuration could have it, NULL when one could: one bad server must not keep the others
 * from being taken. Valid until the next call. */
static const char *fault_of(struct import *im, const char *name, json_t *spec)
{
    struct problems problems = { 0 };
    json_t *doc = json_pack("{s:{s:O}}", "mcpServers", name, spec);
    AUTO_FREE char *text = json_dumps(doc, JSON_COMPACT);
    struct config *c = text ? config_parse("", text, strlen(text), NULL, NULL, &problems) : NULL;
    free(TAKE(im->fault));
    for (size_t i = 0; i < problems.n && !im->fault; i++)
        if (problems.v[i].severity == PROBLEM_ERROR)
            im->fault = xasprintf("%s: %s", problems.v[i].key, problems.v[i].text);
    config_free(c);
    problems_fini(&problems);
    json_decref(doc);
    return im->fault;
}

/* Why it is left out; NULL: it is not. */
static const char *refusal(struct import *im, const struct foreign_server *s, const char *name,
                           json_t *spec)
{
    json_t *there = find_there(im, name), *before = json_object_get(im->adding, name);
    if (s->is_mcptop)
        return "it is mcptop itself";
    if (s->is_remote)
        return "it is a remote server, and this version runs none";
    if (!*doc_str(spec, "command"))
        return "it has no command";
    const char *fault = fault_of(im, name, spec);
    if (fault) {
        im->refused++;
        return fault;
    }
    if ((there && same_command(there, spec)) || (before && json_equal(before, spec)))
        return "it is there already";
    if (!there && !before)
        return NULL;
    im->refused++;
    return there ? "another server of that name is there: give its name and --as NEWNAME"
                 : "another one of that name comes before it: give its name and --as NEWNAME";
}

/* ---- what is said ---- */

static void print_command(json_t *spec)
{
    AUTO_BUF struct buf line = BUF_INIT;
    AUTO_STRVEC struct strvec args = { 0 };
    json_t *one;
    const char *key;
    shown_args(spec, &args);
    buf_add_shell(&line, doc_str(spec, "command"));
    for (size_t i = 0; i < args.n; i++) {
        buf_add_char(&line, ' ');
        buf_add_shell(&line, args.v[i]);
    }
    show_text(stdout, buf_str(&line));
    json_object_foreach(doc_get(spec, "env"), key, one) {      /* values are secrets, often */
        fputs(" ", stdout);
        show_text(stdout, key);
        fputs("=…", stdout);
    }
}

static void print_server(const struct foreign_server *s, const char *name, const char *why,
                         json_t *spec, const struct strvec *notes)
{
    fputs(why ? "- " : "+ ", stdout);
    show_text(stdout, name);
    if (*s->where) {
        fputs(" (of ", stdout);
        show_text(stdout, s->where);
        fputs(")", stdout);
    }
    fputs(": ", stdout);
    if (why) {
        fputs("not taken: ", stdout);
        show_text(stdout, why);
    } else {
        print_command(spec);
    }
    putchar('\n');
    for (size_t i = 0; i < notes->n && !why; i++) {
        fputs("    ! ", stdout);
        show_text(stdout, notes->v[i]);
        putchar('\n');
    }
}

static void consider(struct import *im, const struct foreign_server *s)
{
    AUTO_STRVEC struct strvec notes = { 0 };
    const char *as = im->cli->args.value[OPT_AS], *name = as ? as : s->name;
    if (!is_asked_for(im, s->name))
        return;
    json_t *spec = foreign_import(s->spec, &notes);
    const char *why = refusal(im, s, name, spec);
    if (!cli_has(im->cli, OPT_JSON))
        print_server(s, name, why, spec, &notes);
    if (!why)
        json_object_set(im->adding, name, spec);
    json_decref(spec);
}

/* ---- adding ---- */

static int add(struct import *im)
{
    struct fault f = FAULT_NONE;
    json_t *data = NULL;
    bool dry = cli_has(im->cli, OPT_DRY_RUN);
    json_t *body = json_pack("{s:O, s:b}", "servers", im->adding, "dry_run", dry);
    if (api_ask(im->cli->paths.socket, "POST", "/api/v1/servers", body, &data, NULL, &f))
        return cli_fail(&f);
    if (cli_has(im->cli, OPT_JSON)) {
        show_json(data);
    } else {
        size_t n = json_array_size(doc_get(data, "servers"));
        printf("%zu server%s %s ", n, n == 1 ? "" : "s", dry ? "would be added to" : "added to");
        show_text(stdout, doc_str(data, "file"));
        puts(dry ? "" : "; `mcptop ls` shows them");
        if (!dry) {
            fputs("they are still in ", stdout);
            show_text(stdout, im->path);
            puts(" too: remove them there once the client asks mcptop, or they run twice");
        }
    }
    json_decref(data);
    return EXIT_OK;
}

static int import_all(struct import *im)
{
    for (size_t i = 0; i < im->servers.n; i++)
        consider(im, &im->servers.v[i]);
    size_t n = json_object_size(im->adding);
    if (!im->servers.n)
        show_error("%s names no servers", im->path);
    else if (!n && !cli_has(im->cli, OPT_JSON))
        puts("nothing to import");
    if (!n)
        return !im->servers.n || im->refused ? EXIT_REFUSED : EXIT_OK;
    bool ask = !cli_has(im->cli, OPT_DRY_RUN) && !cli_has(im->cli, OPT_JSON);
    AUTO_FREE char *question = xasprintf("add %zu server%s, and start what is enabled?", n,
                                         n == 1 ? "" : "s");
    if (ask && !cli_confirm(im->cli, question)) {
        puts("nothing was changed");
        return EXIT_REFUSED;
    }
    int rc = add(im);
    return rc ? rc : im->refused ? EXIT_REFUSED : EXIT_OK;
}

int verb_import(struct cli *c)
{
    struct import im = { .cli = c, .adding = json_object() };
    struct fault f = FAULT_NONE;
    json_t *data = NULL;
    if (cli_has(c, OPT_AS) && c->word_count != 2) {
        json_decref(im.adding);
        return cli_usage(c, "--as renames one server: name it, as in "
                         "`mcptop import cursor github --as github2`");
    }
    if (cli_has(c, OPT_JSON) && !cli_has(c, OPT_DRY_RUN) && !cli_has(c, OPT_YES)) {
        json_decref(im.adding);
        return cli_usage(c, "--json does not ask: give --yes or --dry-run with it");
    }
    int rc = find_file(&im, c->words[0]);
    rc = rc ? rc : read_servers(&im);
    rc = rc ? rc : check_names(&im);
    if (!rc && api_ask(c->paths.socket, "GET", "/api/v1/servers", NULL, &data, NULL, &f))
        rc = cli_fail(&f);
    im.there = doc_get(data, "servers");
    rc = rc ? rc : import_all(&im);
    foreign_servers_fini(&im.servers);
    json_decref(data);
    json_decref(im.adding);
    free(im.path);
    free(im.fault);
    return rc;
}
