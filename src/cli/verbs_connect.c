/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop connect`: mcptop into an AI client's own configuration, and out of it. These files are
 * the user's, as the terminal is, so they are changed here and not by the supervisor; what is in
 * them config/foreign.h knows. Nothing is written that was not shown, a copy is kept, and a file
 * that cannot be read or may not be written is left alone. */
#include "cli/verb.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/show.h"
#include "config/conceal.h"
#include "config/file.h"
#include "config/foreign.h"

#define BACKUP ".mcptop-backup"
enum { DIFF_CONTEXT = 2, MAX_BACKUPS = 1000 };

/* One client's file, and what is to be done with it. */
struct job {
    struct cli *cli;
    const struct foreign_client *client;
    char *dir, *path;
    struct foreign_entry *entries;
    struct strvec *args;         /* of each entry */
    size_t count;
    char *config;                /* the file that the entries have to name; NULL = the usual one */
    int line;                    /* of a fault */
    char *backup;                /* made by us in this run */
    struct foreign_undone undone;
};

/* The user's file, or that of the project here. */
static void job_init(struct job *j, struct cli *c, const struct foreign_client *client)
{
    const char *home = paths_home() ? paths_home() : "/", *file = foreign_project_file(client);
    *j = (struct job){ .cli = c, .client = client };
    AUTO_FREE char *here = cli_has(c, OPT_PROJECT) && file ? realpath(".", NULL) : NULL;
    if (here) {
        j->path = xasprintf("%s/%s", here, file);
        j->dir = xstrndup(j->path, (size_t)(strrchr(j->path, '/') - j->path));
    } else {
        j->path = foreign_path(client, home, NULL);
        j->dir = foreign_dir(client, home, NULL);
    }
}

static void job_fini(struct job *j)
{
    for (size_t i = 0; i < j->count; i++) {
        free((char *)(uintptr_t)j->entries[i].name);
        free((char *)(uintptr_t)j->entries[i].command);
        strvec_fini(&j->args[i]);
    }
    free(j->entries);
    free(j->args);
    free(j->dir);
    free(j->path);
    free(j->config);
    free(j->backup);
}

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static bool is_here(const struct job *j)
{
    return exists(j->path) || exists(j->dir);
}

/* "FILE:LINE: what is wrong": the text may name the line itself. */
static int fail_at(const struct job *j, const struct fault *f)
{
    char line[32] = "", place[32];
    const char *text = f->text;
    size_t n = (size_t)snprintf(place, sizeof place, "line %d", j->line);
    if (j->line)
        snprintf(line, sizeof line, ":%d", j->line);
    if (j->line && !strncmp(text, place, n) && (text[n] == ',' || text[n] == ':'))
        text += n + 2;
    show_error("%s%s: %s\n(nothing was changed)", j->path, line, text);
    return EXIT_REFUSED;
}

/* ---- the list ---- */

static json_t *describe(struct job *j)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct foreign_servers servers = { 0 };
    struct fault f = FAULT_NONE;
    json_t *entries = json_array();
    bool bad = false;
    if (exists(j->path))
        bad = file_read(j->path, &text, NULL, &f) ||
              foreign_read(j->client->format, buf_str(&text), text.len, &servers, &j->line, &f);
    for (size_t i = 0; i < servers.n; i++)
        if (servers.v[i].is_mcptop && !*servers.v[i].where)
            json_array_append_new(entries, json_string(servers.v[i].name));
    foreign_servers_fini(&servers);
    return json_pack("{s:s, s:s, s:b, s:b, s:o, s:s, s:s}", "client", j->client->id, "label",
                     j->client->label, "found", is_here(j), "connected",
                     json_array_size(entries) > 0, "entries", entries, "file", j->path, "error",
                     bad ? f.text : "");
}

static void row(struct grid *t, json_t *one)
{
    json_t *entry;
    size_t i;
    AUTO_BUF struct buf names = BUF_INIT;
    json_array_foreach(doc_get(one, "entries"), i, entry)
        buf_printf(&names, "%s%s", i ? ", " : "", json_string_value(entry));
    grid_row(t);
    grid_cell(t, doc_str(one, "client"));
    grid_cell(t, doc_true(one, "found") ? "found" : "not found");
    grid_cell(t, *doc_str(one, "error") ? "unreadable" : names.len ? buf_str(&names) : "-");
    grid_cell(t, doc_str(one, "file"));
    if (*doc_str(one, "error"))
        grid_note(t, doc_str(one, "error"));
}

static int list_clients(struct cli *c)
{
    static const struct grid_column columns[] = {
        { "CLIENT", false, 0 }, { "HERE", false, 0 }, { "MCPTOP AS", false, 0 },
        { "FILE", false, 1 },
    };
    json_t *all = json_array(), *one;
    size_t i;
    for (size_t k = 0; k < foreign_client_count; k++) {
        struct job j;
        job_init(&j, c, &foreign_clients[k]);
        json_array_append_new(all, describe(&j));
        job_fini(&j);
    }
    struct grid *t = grid_new(columns, ARRAY_LEN(columns));
    json_array_foreach(all, i, one)
        row(t, one);
    if (cli_has(c, OPT_JSON))
        show_json(all);
    else
        grid_print(t);
    grid_free(t);
    json_decref(all);
    return EXIT_OK;
}

/* ---- what is written ---- */

/* This very program, by the name it is installed under. */
static char *own_path(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    /* An update has replaced the file while we run: the name is the same. */
    char *deleted = strstr(path, " (deleted)");
    if (deleted && !deleted[10])
        *deleted = '\0';
    return xstrdup(*path ? path : "mcptop");
}

/* The file that is served now, so that the client's own start serves the same. */
static char *config_to_name(const struct cli *c)
{
    AUTO_FREE char *usual = xasprintf("%s/mcp_config.json", c->paths.data_dir);
    json_t *status = NULL;
    if (cli_has(c, OPT_CONFIG))
        return xstrdup(c->paths.config);
    if (api_ask(c->paths.socket, "GET", "/api/v1/status", NULL, &status, NULL, NULL))
        return NULL;             /* none runs */
    const char *path = doc_str(doc_get(status, "config"), "path");
    char *ret = *path && strcmp(path, usual) != 0 ? xstrdup(path) : NULL;
    json_decref(status);
    return ret;
}

/* What leads the client to the same supervisor: it has neither our options nor our environment. */
static void add_places(const struct job *j, struct strvec *args)
{
    const struct cli *c = j->cli;
    AUTO_FREE char *usual = xasprintf("%s/mcptop.sock", c->paths.data_dir);
    if (!paths_data_dir_is_default(&c->paths)) {
        strvec_add(args, "--data-dir");
        strvec_add(args, c->paths.data_dir);
    }
    if (strcmp(usual, c->paths.socket) != 0) {
        strvec_add(args, "--socket");
        strvec_add(args, c->paths.socket);
    }
    if (j->config) {
        strvec_add(args, "--config");
        strvec_add(args, j->config);
    }
}

static void add_entry(struct job *j, const char *name, const char *server)
{
    j->entries = xrealloc(j->entries, (j->count + 1) * sizeof *j->entries);
    j->args = xrealloc(j->args, (j->count + 1) * sizeof *j->args);
    struct strvec args = { 0 };
    strvec_add(&args, "stdio");
    if (server)
        strvec_add(&args, server);
    add_places(j, &args);
    j->args[j->count] = args;
    j->entries[j->count++] = (struct foreign_entry){ .name = xstrdup(name), .command = own_path() };
    for (size_t i = 0; i < j->count; i++)        /* the array has moved */
        j->entries[i].args = &j->args[i];
}

static int add_entries(struct job *j)
{
    struct fault f = FAULT_NONE;
    json_t *data = NULL, *s;
    size_t i;
    j->config = config_to_name(j->cli);
    if (!cli_has(j->cli, OPT_EACH)) {
        add_entry(j, "mcptop", NULL);
        return EXIT_OK;
    }
    const char *socket = j->cli->paths.socket;
    if ((supervisor_probe(socket, &f) && supervisor_start(&j->cli->paths, &f)) ||
        api_ask(socket, "GET", "/api/v1/servers", NULL, &data, NULL, &f))
        return cli_fail(&f);
    json_array_foreach(doc_get(data, "servers"), i, s)
        if (doc_true(s, "enabled") && *doc_str(s, "where"))
            add_entry(j, doc_str(s, "name"), doc_str(s, "name"));
    json_decref(data);
    if (j->count)
        return EXIT_OK;
    show_error("there are no servers to connect: `mcptop ls` shows them, `mcptop import` takes "
               "them over from a client");
    return EXIT_REFUSED;
}

/* ---- copies ---- */

/* FILE.mcptop-backup, FILE.mcptop-backup.2 …; n >= 1. */
static char *backup_name(const struct job *j, int n)
{
    return n == 1 ? xasprintf("%s" BACKUP, j->path) : xasprintf("%s" BACKUP ".%d", j->path, n);
}

/* The newest copy, or NULL: there is none. */
static char *newest_backup(const struct job *j, int *ret_n)
{
    AUTO_FREE char *newest = NULL;
    for (*ret_n = 0; *ret_n < MAX_BACKUPS; ++*ret_n) {
        AUTO_FREE char *next = backup_name(j, *ret_n + 1);
        if (!exists(next))
            break;
        free(newest);
        newest = TAKE(next);
    }
    return TAKE(newest);
}

/* mcptop is in the text and there is a copy: that one is what was before mcptop. */
static bool is_backed_up(const struct job *j, const struct buf *text)
{
    struct foreign_servers servers = { 0 };
    int n, line;
    bool ours = false;
    AUTO_FREE char *newest = newest_backup(j, &n);
    if (newest && !foreign_read(j->client->format, buf_str(text), text->len, &servers, &line, NULL))
        for (size_t i = 0; i < servers.n; i++)
            ours = ours || (servers.v[i].is_mcptop && !*servers.v[i].where);
    foreign_servers_fini(&servers);
    return ours;
}

static int back_up(struct job *j, const struct buf *text, struct fault *f)
{
    struct stat st;
    if (j->backup) {       /* of a text that has changed since */
        unlink(j->backup);
        free(TAKE(j->backup));
    }
    if (stat(j->path, &st) < 0 || is_backed_up(j, text))
        return 0;
    int n;
    free(newest_backup(j, &n));
    AUTO_FREE char *name = backup_name(j, n + 1);
    if (file_create(name, st.st_mode, text, f))
        return -1;
    j->backup = TAKE(name);
    return 0;
}

/* ---- in ---- */

static int connect_text(struct job *j, const struct buf *old, struct buf *new, struct fault *f)
{
    return foreign_connect(j->client, buf_str(old), old->len, j->entries, j->count, new, &j->line,
                           f);
}

static int write_connected(void *ctx, const struct buf *old, struct buf *new, struct fault *f)
{
    return connect_text(ctx, old, new, f) || back_up(ctx, old, f) ? -1 : 0;
}

/* The file may not be there; one that nobody may write is somebody's decision, also for root. */
static int read_file(struct job *j, struct buf *text, struct fault *f)
{
    struct stat st;
    j->line = 0;
    if (stat(j->path, &st) < 0)
        return errno == ENOENT && !exists(j->path) ? 0 : fault_set(f, errno, "cannot be read");
    if (!(st.st_mode & 0222) || access(j->path, W_OK) < 0)
        return fault_set(f, FAULT_DENIED, "is read-only, so it is left as it is");
    return file_read(j->path, text, NULL, f);
}

static void show_change(const struct job *j, const struct buf *old, const struct buf *new)
{
    AUTO_BUF struct buf diff = BUF_INIT;
    conceal_diff(old, new, DIFF_CONTEXT, &diff);
    show_text(stdout, j->path);
    putchar('\n');
    act_print_diff(buf_str(&diff));
}

static int not_done(void)
{
    puts("nothing was changed");
    return EXIT_REFUSED;
}

/* A project's directory may have none for the client yet, and its files are for everybody. */
static int write_in(struct job *j)
{
    struct fault f = FAULT_NONE;
    bool project = cli_has(j->cli, OPT_PROJECT);
    if (project && mkdir(j->dir, 0777) < 0 && errno != EEXIST) {
        fault_set(&f, errno, "%s cannot be made", j->dir);
        return fail_at(j, &f);
    }
    if (file_edit(j->path, project ? 0644 : 0600, write_connected, j, NULL, NULL, &f))
        return fail_at(j, &f);
    printf("%s is connected; restart it to see the servers\n", j->client->label);
    if (j->backup) {
        fputs("a copy of the file is ", stdout);
        show_text(stdout, j->backup);
        putchar('\n');
    }
    printf("`mcptop connect %s%s --undo` takes it back\n", j->client->id,
           cli_has(j->cli, OPT_PROJECT) ? " --project" : "");
    return EXIT_OK;
}

static int connect_client(struct job *j)
{
    AUTO_BUF struct buf old = BUF_INIT, new = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (!is_here(j) && !cli_has(j->cli, OPT_PROJECT)) {
        show_error("%s was not found: there is neither %s nor %s; start it once, or make that "
                   "directory, and say this again", j->client->label, j->path, j->dir);
        return EXIT_REFUSED;
    }
    int rc = add_entries(j);
    if (rc)
        return rc;
    if (read_file(j, &old, &f) || connect_text(j, &old, &new, &f))
        return fail_at(j, &f);
    if (old.len == new.len && !memcmp(buf_str(&old), buf_str(&new), old.len)) {
        printf("%s is connected already\n", j->client->label);
        return EXIT_OK;
    }
    show_change(j, &old, &new);
    if (cli_has(j->cli, OPT_DRY_RUN))
        return EXIT_OK;
    AUTO_FREE char *question = xasprintf("change the configuration of %s?", j->client->label);
    return cli_confirm(j->cli, question) ? write_in(j) : not_done();
}

/* ---- out ---- */

/* What the file was before mcptop; *ret_there: there was one. A copy that has mcptop in it (a
 * second connect made it) tells that all the same, without it. */
static int read_before(struct job *j, struct buf *before, bool *ret_there, struct fault *f)
{
    int n, line;
    AUTO_BUF struct buf copy = BUF_INIT;
    struct foreign_undone undone;
    AUTO_FREE char *newest = newest_backup(j, &n);
    *ret_there = newest != NULL;
    if (!newest)
        return 0;
    if (file_read(newest, &copy, NULL, f))
        return -1;
    if (foreign_disconnect(j->client, &copy, NULL, before, &undone, &line, NULL))
        *ret_there = false;
    return 0;
}

static int disconnect_text(void *ctx, const struct buf *old, struct buf *new, struct fault *f)
{
    struct job *j = ctx;
    AUTO_BUF struct buf before = BUF_INIT;
    bool there;
    if (read_before(j, &before, &there, f))
        return -1;
    return foreign_disconnect(j->client, old, there ? &before : NULL, new, &j->undone, &j->line, f);
}

/* The copy has done its duty when the file is what it was. */
static int write_out(struct job *j)
{
    struct fault f = FAULT_NONE;
    int n;
    AUTO_FREE char *newest = newest_backup(j, &n);
    if (file_edit(j->path, 0, disconnect_text, j, NULL, NULL, &f))
        return fail_at(j, &f);
    bool made_by_us = !newest && j->undone.exact;
    if ((made_by_us && unlink(j->path) < 0) || (newest && j->undone.exact && unlink(newest) < 0))
        show_error("%s cannot be removed: %s", newest ? newest : j->path, strerror(errno));
    printf("mcptop is out of %s's configuration%s\n", j->client->label,
           made_by_us        ? "; the file, which held nothing else, is removed"
           : j->undone.exact ? "; the file is what it was before"
                             : "; what else was changed there since stays");
    if (newest && !j->undone.exact) {
        fputs("the copy from before is ", stdout);
        show_text(stdout, newest);
        putchar('\n');
    }
    return EXIT_OK;
}

static int disconnect_client(struct job *j)
{
    AUTO_BUF struct buf old = BUF_INIT, new = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (read_file(j, &old, &f) || disconnect_text(j, &old, &new, &f))
        return fail_at(j, &f);
    if (!j->undone.removed) {
        show_error("mcptop is not in %s: there is nothing to undo", j->path);
        return EXIT_REFUSED;
    }
    show_change(j, &old, &new);
    if (cli_has(j->cli, OPT_DRY_RUN))
        return EXIT_OK;
    AUTO_FREE char *question = xasprintf("take mcptop out of %s?", j->client->label);
    return cli_confirm(j->cli, question) ? write_out(j) : not_done();
}

int verb_connect(struct cli *c)
{
    bool works = cli_has(c, OPT_UNDO) || cli_has(c, OPT_EACH) || cli_has(c, OPT_PROJECT);
    if (!c->word_count && works)
        return cli_usage(c, "needs a client: `mcptop connect` lists them");
    if (!c->word_count)
        return list_clients(c);
    const struct foreign_client *client = foreign_find(c->words[0]);
    if (!client)
        return cli_usage(c, "no client \"%s\": there are claude-code, claude-desktop, cursor, "
                         "vscode, gemini and codex", c->words[0]);
    if (cli_has(c, OPT_PROJECT) && !foreign_project_file(client))
        return cli_usage(c, "%s has no configuration of a project", client->label);
    if (cli_has(c, OPT_UNDO) && cli_has(c, OPT_EACH))
        return cli_usage(c, "--undo takes everything of mcptop out: leave --each away");
    struct job j;
    job_init(&j, c, client);
    int rc = cli_has(c, OPT_UNDO) ? disconnect_client(&j) : connect_client(&j);
    job_fini(&j);
    return rc;
}
