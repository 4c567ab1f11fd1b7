/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop doctor`: findings for people or as JSON, and their fixes: each is shown as the supervisor
 * would make it, asked for, made, and watched until the server says what became of it. */
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"
#include "cli/show_finding.h"

enum { EXIT_WARNINGS = 1, EXIT_ERRORS = 2, SETTLE_S = 60, POLL_MS = 200 };

static void print_warnings(json_t *problems, int *rc)
{
    size_t i;
    json_t *p;
    json_array_foreach(problems, i, p) {
        if (!strcmp(doc_str(p, "severity"), "error"))
            continue;                /* a finding already */
        AUTO_FREE char *text = xasprintf("line %lld: %s: %s", (long long)doc_int(p, "line", 0),
                                         doc_str(p, "key"), doc_str(p, "text"));
        show_line("config: warning ", text);
        *rc = *rc ? *rc : EXIT_WARNINGS;
    }
}

/* Something went wrong with it: then that is told, and not that it tries. */
static bool is_unwell(json_t *data, const char *name)
{
    size_t i;
    json_t *f;
    json_array_foreach(doc_get(data, "findings"), i, f)
        if (!strcmp(doc_str(f, "server"), name) && !doc_true(f, "expected"))
            return true;
    return false;
}

/* Those on their way, with which nothing went wrong so far. How many. */
static int print_waiting(json_t *data)
{
    int n = 0;
    size_t i, k;
    json_t *s, *line;
    char waited[16], most[16];
    json_array_foreach(doc_get(data, "servers"), i, s) {
        if (!*doc_str(s, "waits_for") || is_unwell(data, doc_str(s, "name")))
            continue;
        int64_t limit = doc_int(s, "limit_ms", 0);
        clock_span(clock_wall_ms() - doc_int(s, "since_wall_ms", 0), waited, sizeof waited);
        AUTO_FREE char *text = xasprintf("%s: %s: it waits for %s, for %s%s%s", doc_str(s, "name"),
                                         doc_str(s, "state"), doc_str(s, "waits_for"), waited,
                                         limit ? " of at most " : "",
                                         limit ? clock_span(limit, most, sizeof most) : "");
        show_line("", text);
        json_array_foreach(doc_get(s, "stderr"), k, line)
            show_line("    stderr       ", json_is_string(line) ? json_string_value(line) : "");
        n++;
    }
    return n;
}

static int severity_of(json_t *findings)
{
    int rc = EXIT_OK;
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f) {
        int one = strcmp(doc_str(f, "severity"), "error") ? EXIT_WARNINGS : EXIT_ERRORS;
        rc = one > rc ? one : rc;
    }
    return rc;
}

/* ---- asking ---- */

static void keep_named(json_t *array, const char *key, const char *name)
{
    for (size_t i = json_array_size(array); i-- > 0;)
        if (strcmp(doc_str(json_array_get(array, i), key), name) != 0)
            json_array_remove(array, i);
}

static bool has_code(json_t *findings, const char *code)
{
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f)
        if (!strcmp(doc_str(f, "code"), code))
            return true;
    return false;
}

/* Problems of the key and of what is below it. */
static void keep_below(json_t *problems, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = json_array_size(problems); i-- > 0;) {
        const char *one = doc_str(json_array_get(problems, i), "key");
        if (!n || strncmp(one, key, n) != 0 || (one[n] && one[n] != '.' && one[n] != '['))
            json_array_remove(problems, i);
    }
}

/* All becomes what concerns this server: its own findings (where all are listed, what has one cause
 * for many servers is told once and of none of them), and what only the list has of it. */
static void narrow(json_t *all, const char *name, json_t *server)
{
    size_t i;
    json_t *f, *found = doc_get(all, "findings"), *own = doc_get(server, "findings");
    keep_named(found, "server", name);
    json_array_foreach(own, i, f)
        if (!has_code(found, doc_str(f, "code")))
            json_array_append(found, f);
    keep_named(doc_get(all, "servers"), "name", name);
    keep_below(doc_get(all, "problems"), doc_str(server, "config_key"));
}

/* The findings wanted: all, or those of the named server. 0, or an exit code after saying why. */
static int ask_findings(const struct cli *c, json_t **ret_data)
{
    struct fault f = FAULT_NONE;
    const char *socket = c->paths.socket, *name = c->word_count ? c->words[0] : NULL;
    json_t *server = NULL;
    if (name) {
        AUTO_FREE char *path = api_path("/api/v1/servers/%s", name);
        if (api_ask(socket, "GET", path, NULL, &server, NULL, &f))
            return cli_fail(&f);
    }
    if (api_ask(socket, "GET", "/api/v1/diagnostics", NULL, ret_data, NULL, &f)) {
        json_decref(server);
        return cli_fail(&f);
    }
    if (name)
        narrow(*ret_data, name, server);
    json_decref(server);
    return EXIT_OK;
}

/* ---- fixing ---- */

static int ask_fix(const struct cli *c, const char *name, const char *id, bool dry_run,
                   json_t **ret_data, struct fault *f)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/fix", name);
    return api_ask(c->paths.socket, "POST", path,
                   json_pack("{s:s, s:b}", "fix", id, "dry_run", dry_run), ret_data, NULL, f);
}

static void print_change(json_t *change)
{
    size_t i;
    json_t *x;
    json_array_foreach(doc_get(change, "changes"), i, x)
        show_line("    ", json_is_string(x) ? json_string_value(x) : "");
    for (const char *line = doc_str(change, "diff"); *line; line += strcspn(line, "\n")) {
        line += *line == '\n';
        printf("    ");
        show_bytes(stdout, line, strcspn(line, "\n"));
        putchar('\n');
    }
}

static bool is_yes(void)
{
    char answer[16] = "";
    printf("  apply it? [y/N] ");
    fflush(stdout);
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Its next state that lasts is the verdict. */
static void watch(const struct cli *c, const char *name, int64_t limit_s)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s", name);
    int64_t end = clock_mono_ms() + limit_s * 1000;
    const struct timespec pause = { 0, POLL_MS * 1000000L };
    for (;;) {
        json_t *s = NULL;
        struct fault f = FAULT_NONE;
        if (api_ask(c->paths.socket, "GET", path, NULL, &s, NULL, &f)) {
            show_error("%s", f.text);
            return;
        }
        const char *state = doc_str(s, "state");
        bool over = !strcmp(state, "ready") || !strcmp(state, "failed") ||
            !strcmp(state, "backing-off") || !strcmp(state, "stopped");
        if (over || clock_mono_ms() > end) {
            AUTO_FREE char *text = xasprintf("%s is %s%s%s", name, state,
                                             *doc_str(s, "reason") ? ": " : "",
                                             doc_str(s, "reason"));
            show_line("  ", text);
            json_decref(s);
            return;
        }
        json_decref(s);
        nanosleep(&pause, NULL);
    }
}

/* A start that may still turn out well: nobody's isolation is weakened for it without a question,
 * or his name. */
static bool is_too_early(const struct cli *c, json_t *finding, json_t *fix)
{
    return doc_true(finding, "expected") && doc_true(fix, "weakens") && cli_has(c, OPT_YES) &&
        !c->word_count;
}

static void fix_one(const struct cli *c, json_t *finding, int64_t limit_s)
{
    const char *name = doc_str(finding, "server");
    json_t *fix = json_array_get(doc_get(finding, "fixes"), 0), *change = NULL;
    struct fault f = FAULT_NONE;
    show_finding(finding);
    if (!fix || !*name) {
        show_line("  ", "nothing here that mcptop can do by itself");
        return;
    }
    if (is_too_early(c, finding, fix)) {
        puts("  it may still start: repaired when it is named, or without --yes");
        return;
    }
    if (ask_fix(c, name, doc_str(fix, "id"), true, &change, &f)) {
        show_error("%s: %s", name, f.text);
        return;
    }
    print_change(change);
    json_decref(change);
    change = NULL;
    if (!cli_has(c, OPT_YES) && !is_yes())
        return;
    if (ask_fix(c, name, doc_str(fix, "id"), false, &change, &f))
        show_error("%s: %s", name, f.text);
    else
        watch(c, name, limit_s);
    json_decref(change);
}

/* Each server's worst one: the next may be gone with it. */
static void fix_all(const struct cli *c, json_t *findings, int64_t limit_s)
{
    const char *last = "";
    size_t i;
    json_t *f;
    json_array_foreach(findings, i, f) {
        if (!*doc_str(f, "server") || strcmp(doc_str(f, "server"), last) != 0)
            fix_one(c, f, limit_s);
        last = doc_str(f, "server");
    }
}

static int run_fixes(struct cli *c, json_t **data)
{
    struct fault f = FAULT_NONE;
    int64_t limit_s;
    if (args_number(&c->args, OPT_TIMEOUT, 1, 3600, SETTLE_S, &limit_s, &f))
        return cli_usage(c, "%s", f.text);
    if (!cli_has(c, OPT_YES) && !isatty(STDIN_FILENO))
        return cli_usage(c, "--fix asks before each change, and there is no terminal: add --yes");
    if (cli_has(c, OPT_JSON))
        return cli_usage(c, "--fix or --json, not both");
    fix_all(c, doc_get(*data, "findings"), limit_s);
    json_decref(*data);
    *data = NULL;
    return ask_findings(c, data);
}

/* Nothing is found with a server that does not run by its user's will: that is said, and how it
 * starts. Was it? */
static bool print_at_rest(const struct cli *c, const char *name)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s", name), *text = NULL;
    json_t *s = NULL;
    struct fault f = FAULT_NONE;
    if (api_ask(c->paths.socket, "GET", path, NULL, &s, NULL, &f))
        return false;
    if (!strcmp(doc_str(s, "state"), "stopped") && !doc_true(s, "asleep")) {
        bool enabled = doc_true(s, "enabled");
        text = xasprintf("%s is %s, and nothing is wrong that can be seen so: start it with "
                         "mcptop %s %s", name, enabled ? "stopped" : "disabled",
                         enabled ? "start" : "enable", name);
        show_line("", text);
    }
    json_decref(s);
    return text != NULL;
}

static void print_verdict(const struct cli *c, int waiting)
{
    if (c->word_count && !waiting && print_at_rest(c, c->words[0]))
        return;
    puts(waiting ? "nothing is wrong so far" : "all is well");
}

int verb_doctor(struct cli *c)
{
    json_t *data = NULL, *f;
    size_t i;
    int rc = ask_findings(c, &data);
    bool fix = cli_has(c, OPT_FIX);
    if (!rc && cli_has(c, OPT_YES) && !fix)
        rc = cli_usage(c, "--yes goes with --fix");
    if (!rc && fix && json_array_size(doc_get(data, "findings")))
        rc = run_fixes(c, &data);
    if (rc) {
        json_decref(data);
        return rc;
    }
    rc = severity_of(doc_get(data, "findings"));
    if (cli_has(c, OPT_JSON)) {
        show_json(data);
    } else {
        json_array_foreach(doc_get(data, "findings"), i, f)
            if (!fix)
                show_finding(f);
        print_warnings(doc_get(data, "problems"), &rc);
        int waiting = print_waiting(data);
        if (rc == EXIT_OK)
            print_verdict(c, waiting);
    }
    json_decref(data);
    return rc;
}
