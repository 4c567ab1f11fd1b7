/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verbs that only look: each asks one route and shows its data for people, or as JSON. */
#include "cli/verb.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/near.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/shell_layout.h"
#include "cli/show.h"

/* GET of a route with the first word in it. */
static int ask_named(struct cli *c, const char *route, json_t **ret_data)
{
    AUTO_FREE char *path = api_path(route, c->words[0]);
    return cli_ask(c, "GET", path, NULL, ret_data);
}

/* ---- ls ---- */

static const struct grid_column server_columns[] = {
    { "NAME", false, 0 }, { "STATE", false, 0 }, { "WHERE", false, 2 }, { "IMAGE", false, 8 },
    { "CPU%", true, 3 },  { "MEM", true, 1 },    { "LIMIT", true, 4 },  { "TOOLS", true, 7 },
    { "CALLS", true, 6 }, { "ERR", true, 5 },    { "P95", true, 9 },    { "RST", true, 10 },
    { "UP", false, 0 },
};

static void count_cell(struct grid *t, int64_t n)
{
    if (n < 0)
        grid_cell(t, "-");
    else
        grid_cellf(t, "%lld", (long long)n);
}

/* How many its clients get, of how many. */
static void tools_cell(struct grid *t, json_t *server)
{
    int64_t all = doc_int(server, "tool_count", -1), shown = doc_int(server, "tools_shown", all);
    if (all < 0 || shown == all)
        count_cell(t, all);
    else
        grid_cellf(t, "%lld of %lld", (long long)shown, (long long)all);
}

/* The last column: since when, or what it waits for. */
static void up_cell(struct grid *t, json_t *server, const char *state)
{
    char text[32];
    int64_t retry_ms = doc_int(server, "retry_in_ms", 0);
    if (retry_ms > 0)
        grid_cellf(t, "retry in %s", clock_span(retry_ms, text, sizeof text));
    else if (!strcmp(state, "pulling"))
        grid_cell(t, doc_str(server, "pull.text"));
    else
        grid_cell(t, show_ago(doc_int(server, "up_since_wall_ms", 0), text, sizeof text));
}

/* "* ready", "* ready x3" where sessions have processes of their own. */
static void state_cell(struct grid *t, json_t *s, const char *state)
{
    size_t i, processes = 0;
    json_t *one;
    json_array_foreach(doc_get(s, "members"), i, one)
        processes += doc_int(one, "pid", 0) > 0;
    if (processes > 1)
        grid_cellf(t, "%s %s x%zu", show_mark(state), state, processes);
    else
        grid_cellf(t, "%s %s", show_mark(state), state);
    grid_colour(t, show_state_colour(state));
}

static void server_row(struct grid *t, json_t *s)
{
    char text[32], waits[200];
    const char *state = doc_str(s, "state"), *image = doc_str(s, "image"),
               *found = doc_str(s, "diagnostic.user_message"),
               *reason = *show_wait(s, waits, sizeof waits) ? waits
                   : *found ? found : doc_str(s, "reason");
    double cpu = doc_real(s, "usage.cpu", -1);
    bool idle = !json_is_object(doc_get(s, "usage"));
    grid_row(t);
    grid_cell(t, doc_str(s, "name"));
    state_cell(t, s, state);
    grid_cellf(t, "%s%s", *doc_str(s, "where") ? doc_str(s, "where") : "-",
               *doc_str(s, "where_weak") ? " !" : "");
    grid_cell(t, *image ? image : "-");
    if (cpu < 0)
        grid_cell(t, "-");
    else
        grid_cellf(t, "%.1f", cpu);
    grid_cell(t, show_size(idle ? -1 : doc_int(s, "usage.memory", -1), text, sizeof text));
    int64_t limit = doc_int(s, "usage.memory_limit", -1);
    if (idle && !strcmp(doc_str(s, "where"), "docker"))     /* none runs: what it would get */
        limit = doc_int(s, "plan.memory", -1);
    grid_cell(t, show_size(limit > 0 ? limit : -1, text, sizeof text));
    tools_cell(t, s);
    count_cell(t, doc_int(s, "calls.total", -1));
    count_cell(t, doc_int(s, "calls.errors", -1) + doc_int(s, "calls.tool_errors", 0));
    grid_cell(t, show_latency(doc_int(s, "calls.p95_us", -1), text, sizeof text));
    count_cell(t, doc_int(s, "restarts", -1));
    up_cell(t, s, state);
    bool resting = !strcmp(state, "stopped") && !doc_true(s, "asleep");
    if (*reason && strcmp(state, "ready") != 0 && !resting)
        grid_note(t, reason);
}

static bool is_asked_for(const struct cli *c, const char *name)
{
    for (size_t i = 0; i < c->word_count; i++)
        if (!strcmp(c->words[i], name))
            return true;
    return !c->word_count;
}

static json_t *find_server(json_t *servers, const char *name, struct near *near)
{
    size_t i;
    json_t *s;
    near_init(near, name);
    json_array_foreach(servers, i, s) {
        if (!strcmp(doc_str(s, "name"), name))
            return s;
        near_try(near, doc_str(s, "name"));
    }
    return NULL;
}

/* 0, or EXIT_NO_SERVER after saying which of the words is no server. */
static int check_names(const struct cli *c, json_t *servers)
{
    int rc = EXIT_OK;
    for (size_t i = 0; i < c->word_count; i++) {
        struct near near;
        if (find_server(servers, c->words[i], &near))
            continue;
        show_error("no server \"%s\"%s%s%s", c->words[i], near.best ? ": did you mean \"" : "",
                   near.best ? near.best : "", near.best ? "\"?" : ": `mcptop ls` lists them");
        rc = EXIT_NO_SERVER;
    }
    return rc;
}

/* An empty table has a reason: nothing is configured, or what is cannot be read. */
static int print_no_servers(const struct cli *c)
{
    json_t *status = NULL;
    struct fault f = FAULT_NONE;
    if (api_ask(c->paths.socket, "GET", "/api/v1/status", NULL, &status, NULL, &f))
        return cli_fail(&f);
    int errors = (int)doc_int(status, "config.errors", 0);
    if (doc_true(status, "config.missing")) {
        printf("no servers, for there is no configuration yet: ");
        show_text(stdout, doc_str(status, "config.path"));
        puts(" does not exist; write it, or `mcptop import CLIENT` makes it");
    } else if (errors) {
        printf("no servers: ");
        show_text(stdout, doc_str(status, "config.path"));
        printf(" has %s (`mcptop doctor` shows where)\n", errors == 1 ? "an error" : "errors");
    } else {
        puts("no servers: name some under \"mcpServers\" in mcp_config.json (`mcptop status` shows "
             "where it is)");
    }
    json_decref(status);
    return errors ? EXIT_REFUSED : EXIT_OK;
}

static int print_servers(struct cli *c, json_t *data)
{
    json_t *servers = doc_get(data, "servers"), *s;
    size_t i;
    if (!json_array_size(servers))
        return print_no_servers(c);
    struct grid *t = grid_new(server_columns, ARRAY_LEN(server_columns));
    json_array_foreach(servers, i, s)
        if (is_asked_for(c, doc_str(s, "name")))
            server_row(t, s);
    grid_print(t);
    grid_free(t);
    return EXIT_OK;
}

/* With names --json gives only those. */
static json_t *pick(struct cli *c, json_t *servers)
{
    json_t *picked = json_array(), *s;
    size_t i;
    json_array_foreach(servers, i, s)
        if (is_asked_for(c, doc_str(s, "name")))
            json_array_append(picked, s);
    return picked;
}

int verb_ls(struct cli *c)
{
    json_t *data;
    struct fault f = FAULT_NONE;
    if (api_ask(c->paths.socket, "GET", "/api/v1/servers", NULL, &data, NULL, &f))
        return cli_fail(&f);
    int rc = check_names(c, doc_get(data, "servers"));
    if (cli_has(c, OPT_JSON)) {
        json_object_set_new(data, "servers", pick(c, doc_get(data, "servers")));
        show_json(data);
    } else if (!rc || c->word_count > 1) {
        int shown = print_servers(c, data);
        rc = rc ? rc : shown;
    }
    json_decref(data);
    return rc;
}

/* ---- status ---- */

static void print_problems(json_t *problems, const char *file)
{
    size_t i;
    json_t *p;
    json_array_foreach(problems, i, p) {
        const char *key = doc_str(p, "key");
        printf("  %s: ", doc_str(p, "severity"));
        show_text(stdout, file);
        if (doc_int(p, "line", 0) > 0)
            printf(":%d", (int)doc_int(p, "line", 0));
        printf(": ");
        show_text(stdout, key);
        printf("%s", *key ? ": " : "");
        show_text(stdout, doc_str(p, "text"));
        putchar('\n');
    }
}

static void line(const char *label, const char *text)
{
    printf("%-11s ", label);
    show_text(stdout, text);
    putchar('\n');
}

static void linef(const char *label, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void linef(const char *label, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    line(label, buf_str(&text));
}

static void print_engine(json_t *d)
{
    const char *state = doc_str(d, "engine.state"), *error = doc_str(d, "engine.error");
    linef("engine", "%s %s%s%s (%s)%s%s", state, doc_str(d, "engine.context"),
          *doc_str(d, "engine.version") ? " " : "", doc_str(d, "engine.version"),
          doc_str(d, "engine.endpoint"), *error ? ": " : "", error);
}

/* What isolated servers may take together. */
static void print_isolation(json_t *d)
{
    char sum[32], total[32];
    AUTO_FREE char *without = NULL, *limits = NULL, *of = NULL;
    int servers = (int)doc_int(d, "isolation.servers", 0);
    int64_t budget = doc_int(d, "isolation.total_memory", 0);
    int unlimited = (int)doc_int(d, "isolation.unlimited", 0);
    if (!servers)
        return;
    if (unlimited == 1 && servers == 1)
        without = xstrdup(", without a memory limit");
    else if (unlimited > 0)
        without = xasprintf(", %d without a memory limit", unlimited);
    show_size(doc_int(d, "isolation.limits_sum", 0), sum, sizeof sum);
    if (servers - unlimited == 1)
        limits = xasprintf(", a memory limit of %s", sum);
    else if (servers > unlimited)
        limits = xasprintf(", memory limits of %s together", sum);
    if (budget > 0)
        of = xasprintf(limits ? ", of %s (total_memory)" : ", total_memory is %s",
                       show_size(budget, total, sizeof total));
    linef("isolated", "%d server%s%s%s%s", servers, servers == 1 ? "" : "s", without ? without : "",
          limits ? limits : "", of ? of : "");
    if (*doc_str(d, "isolation.warning"))
        linef("", "! %s", doc_str(d, "isolation.warning"));
}

static void print_config(json_t *d)
{
    if (doc_true(d, "config.missing")) {
        linef("config", "%s does not exist%s", doc_str(d, "config.path"),
              doc_int(d, "config.loaded_wall_ms", 0) ? "; the running configuration stays"
              : ": write it, or `mcptop import CLIENT` makes it from the servers of a client");
        return;
    }
    int errors = (int)doc_int(d, "config.errors", 0);
    int warnings = (int)doc_int(d, "config.warnings", 0);
    linef("config", "%s: %d error%s, %d warning%s%s", doc_str(d, "config.path"), errors,
          errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s",
          errors ? "; the running configuration stays" : "");
}

static void print_status(json_t *d)
{
    char up[32], size[32];
    const char *listen = doc_str(d, "listen"), *listen_error = doc_str(d, "listen_error");
    linef("supervisor", "mcptop %s, pid %lld, up %s, %s of its own memory", doc_str(d, "version"),
          (long long)doc_int(d, "pid", 0), clock_span(doc_int(d, "uptime_ms", 0), up, sizeof up),
          show_size(doc_int(d, "self.rss_anon", -1), size, sizeof size));
    linef("servers", "%d: %d ready, %d starting, %d failed, %d stopped",
          (int)doc_int(d, "servers.total", 0), (int)doc_int(d, "servers.ready", 0),
          (int)doc_int(d, "servers.starting", 0), (int)doc_int(d, "servers.failed", 0),
          (int)doc_int(d, "servers.stopped", 0));
    print_isolation(d);
    line("socket", doc_str(d, "socket"));
    /* The sentence names the address. */
    line("listen", *listen_error ? listen_error : *listen ? listen : "none");
    print_engine(d);
    if (*doc_str(d, "data_dir"))
        line("data", doc_str(d, "data_dir"));
    line("logs", doc_str(d, "log_dir"));
    linef("loop", "longest turn %.2f ms, %d over 10 ms", doc_real(d, "loop.longest_turn_ms", 0),
          (int)doc_int(d, "loop.long_turns", 0));
    print_config(d);
    print_problems(doc_get(d, "config.problems"), doc_str(d, "config.path"));
}

int verb_status(struct cli *c)
{
    json_t *d;
    int rc = cli_ask(c, "GET", "/api/v1/status", NULL, &d);
    if (rc)
        return rc;
    if (!cli_has(c, OPT_JSON))
        print_status(d);
    if (doc_int(d, "config.errors", 0) > 0 || doc_int(d, "servers.failed", 0) > 0)
        rc = EXIT_REFUSED;
    json_decref(d);
    return rc;
}

/* ---- one server ---- */

/* On a terminal it is read, and pasted into another: one line that is laid out over several. */
static void print_command(const char *line)
{
    enum { DEFAULT_COLUMNS = 80 };
    AUTO_BUF struct buf b = BUF_INIT;
    int columns = show_columns();
    shell_layout(line, columns ? (size_t)columns : DEFAULT_COLUMNS, &b);
    /* A newline of the line's own stands in quotes: shown as anything else it could not be
     * pasted. */
    for (const char *p = buf_str(&b); *p;) {
        size_t n = strcspn(p, "\n");
        show_bytes(stdout, p, n);
        if (p[n])
            putchar('\n');
        p += n + (p[n] != '\0');
    }
}

int verb_command(struct cli *c)
{
    json_t *data;
    const char *masked = "/api/v1/servers/%s/command";
    const char *plain = "/api/v1/servers/%s/command?secrets=1";
    int rc = ask_named(c, cli_has(c, OPT_SECRETS) ? plain : masked, &data);
    /* To a pipe as it is: the API quotes what needs it. */
    if (!rc && !cli_has(c, OPT_JSON)) {
        if (isatty(STDOUT_FILENO))
            print_command(doc_str(data, "line"));
        else
            fputs(doc_str(data, "line"), stdout);
        putchar('\n');
        fflush(stdout);
        /* What it names without a value may be empty in the shell it is pasted into. */
        if (isatty(STDOUT_FILENO) && doc_true(data, "masked"))
            show_error("the values of env are not in it: `mcptop command --secrets %s` prints them",
                       c->words[0]);
    }
    json_decref(data);
    return rc;
}

/* ---- the rest ---- */

int verb_reload(struct cli *c)
{
    json_t *data, *status = NULL;
    struct fault f = FAULT_NONE;
    int rc = cli_ask(c, "POST", "/api/v1/config/reload", NULL, &data);
    json_decref(data);
    if (rc || cli_has(c, OPT_JSON))
        return rc;
    if (api_ask(c->paths.socket, "GET", "/api/v1/status", NULL, &status, NULL, &f))
        return cli_fail(&f);
    bool read = !doc_true(status, "config.missing") && !doc_int(status, "config.errors", 0);
    print_config(status);
    print_problems(doc_get(status, "config.problems"), doc_str(status, "config.path"));
    json_decref(status);
    return read ? EXIT_OK : EXIT_REFUSED;
}
