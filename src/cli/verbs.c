/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of verbs: it dispatches, and the help is generated from it. What a verb does stands in
 * verbs_*.c. */
#include "cli/verb.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "cli/bridge.h"
#include "cli/show.h"

static int verb_serve(struct cli *c);
static int verb_stdio(struct cli *c);
static int verb_version(struct cli *c);
static int verb_help(struct cli *c);

#define JSON OPT_BIT(OPT_JSON)
#define ACT (JSON | OPT_BIT(OPT_ALL) | OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_TIMEOUT))
#define DRAINS "  Calls in flight end first, for 10 s at most; --now does not wait for them."
#define CHANGE (JSON | OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_TIMEOUT))

static const struct verb verbs[] = {
    { "serve", "", "supervise the servers, in the foreground", 0, ANY_WORDS, 0, ALONE, verb_serve,
      "  `mcptop` and `mcptop stdio` start it in the background when none runs. `--no-warden` "
      "leaves"
      "\n  out the guardian process, which starts a killed supervisor again and ends what it "
      "left." },
    { "stdio", "[NAME]", "connect a client's stdin and stdout to a server, or to all", 0, 1, 0,
      ALONE, verb_stdio,
      "  When the supervisor dies, calls in flight are answered with an error, and the"
      "\n  session goes on with the next one. What an MCP client runs:"
      "\n  claude mcp add NAME -- mcptop stdio NAME" },
    { "ls", "[NAME…]", "servers: state, place, use, calls", 0, ANY_WORDS, JSON, ASKS, verb_ls,
      NULL },
    { "status", "", "the supervisor, its engine and its configuration", 0, 0, JSON, ASKS,
      verb_status, NULL },
    { "logs", "NAME", "what a server wrote to stderr", 1, 1,
      JSON | OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_LINES) | OPT_BIT(OPT_SINCE), ASKS, verb_logs,
      "  Lines marked `out|` came on stdout and are no MCP; `mcptop|` are the supervisor's own."
      "\n  With -f it goes on, also under the next supervisor; lines that are lost are counted." },
    { "start", "NAME…", "start servers, and wait until they are ready", 0, ANY_WORDS, ACT, STARTS,
      verb_act, NULL },
    { "stop", "NAME…", "stop servers until they are started again", 0, ANY_WORDS,
      ACT | OPT_BIT(OPT_NOW), ASKS, verb_act, DRAINS },
    { "restart", "NAME…", "restart servers, and wait until they are ready", 0, ANY_WORDS,
      ACT | OPT_BIT(OPT_NOW), ASKS, verb_act, DRAINS },
    { "kill", "NAME…", "SIGKILL now; they are started again", 0, ANY_WORDS, ACT, ASKS, verb_act,
      NULL },
    { "enable", "NAME…", "`enabled: true` in the configuration", 0, ANY_WORDS, ACT, ASKS, verb_act,
      NULL },
    { "disable", "NAME…", "`enabled: false` in the configuration", 0, ANY_WORDS, ACT, ASKS,
      verb_act, NULL },
    { "set", "NAME|--all KEY=VALUE…", "change isolation or limits, in the configuration and now", 1,
      ANY_WORDS, CHANGE | OPT_BIT(OPT_ALL) | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_RESTART), ASKS,
      verb_set,
      "  Keys: isolation=docker|none memory=1g cpus=2 pids=100"
      "\n        network=bridge|none|… enabled=true|false"
      "\n  Limits are set and changed while it runs; memory=0 or cpus=0 takes one away, which"
      "\n        restarts it."
      "\n  With --all what every isolated server inherits: memory, cpus, pids, network, and"
      "\n        total_memory=8g, which the sum of the limits should not pass."
      "\n  What the engine refuses while the server runs is put back; --restart restarts the"
      "\n  server with it instead." },
    { "undo", "NAME", "take back the last change of a server, or of what --all inherit", 0, 1,
      CHANGE | OPT_BIT(OPT_ALL) | OPT_BIT(OPT_DRY_RUN), ASKS, verb_undo, NULL },
    { "release", "NAME", "out of quarantine: clients get its tools from now on", 1, 1, CHANGE, ASKS,
      verb_release,
      "  Writes `quarantined: false` into the configuration; `mcptop tools NAME` shows"
      "\n  first what clients would get." },
    { "command", "NAME", "the command line that equals what runs, to paste", 1, 1,
      JSON | OPT_BIT(OPT_SECRETS), ASKS, verb_command,
      "  Values of env are masked, but with --secrets." },
    { "why", "NAME", "why a server runs as it does: every decision and the line that made it", 1, 1,
      JSON, ASKS, verb_why, NULL },
    { "test", "NAME", "start a server apart from the running one, and time each step", 1, 1,
      JSON | OPT_BIT(OPT_TIMEOUT), ASKS, verb_test,
      "  Image, start, initialize, tools, stop; the first that fails says why. Clients notice "
      "nothing." },
    { "tools", "[NAME…]|NAME TOOL", "the tools of servers; one with all that it says", 0, ANY_WORDS,
      JSON | OPT_BIT(OPT_CHANGES), ASKS, verb_tools, NULL },
    { "approve", "NAME [TOOL…]", "accept changed and new tools; shows them and asks", 1, ANY_WORDS,
      JSON | OPT_BIT(OPT_YES), ASKS, verb_approve,
      "  All that differ, or those named. They are what is known from now on; with"
      "\n  `on_tool_change: hold` clients get them now." },
    { "call", "NAME TOOL [JSON]", "call a tool; JSON are its arguments, `-` reads them from stdin",
      2, 3, JSON | OPT_BIT(OPT_TIMEOUT), STARTS, verb_call,
      "  On a terminal a line on stderr tells after a second for how long it waits, and what the\n"
      "  server says of its progress. Ctrl-C cancels the call." },
    { "calls", "[NAME|CALL]", "calls in flight and the last ones; one with its texts", 0, 1,
      JSON | OPT_BIT(OPT_LINES), ASKS, verb_calls,
      "  Of all servers the last 256; of one also what is recorded (`record: true`), marked *." },
    { "replay", "CALL", "send a recorded call again, and compare the answers", 1, 1,
      JSON | OPT_BIT(OPT_TEST) | OPT_BIT(OPT_TIMEOUT), ASKS, verb_replay,
      "  It does what it did before, once more. Exit status 1 when the answers differ." },
    { "connect", "[CLIENT]", "write mcptop into an AI client's configuration; shows it and asks",
      0, 1,
      JSON | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_EACH) | OPT_BIT(OPT_UNDO) |
          OPT_BIT(OPT_PROJECT),
      ALONE, verb_connect,
      "  Clients: claude-code, claude-desktop, cursor, vscode, gemini, codex. Without one it lists"
      "\n  which are here and connected. A copy of the file is kept as FILE.mcptop-backup." },
    { "import", "FILE|CLIENT [NAME…]", "take servers over from an AI client; shows them and asks",
      1, ANY_WORDS, JSON | OPT_BIT(OPT_DRY_RUN) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_AS), STARTS,
      verb_import,
      "  All of the file's, or those named. --as gives one that is named another name here." },
    { "ps", "", "containers: ours, other instances', and what `docker run -i` made; whose, and why",
      0, 0, JSON | OPT_BIT(OPT_ORPHANS), ASKS, verb_ps,
      "  Looks at them and at this machine's processes first: that takes a second or two." },
    { "rm", "CONTAINER…", "remove containers that nobody uses; shows them and asks", 0, ANY_WORDS,
      OPT_BIT(OPT_ORPHANS) | OPT_BIT(OPT_YES), ASKS, verb_rm,
      "  By name or id as `mcptop ps` shows them, or --orphans. One that is in use is refused." },
    { "pull", "NAME…", "pull the images of servers now; what runs goes on with the one it has", 0,
      ANY_WORDS, JSON | OPT_BIT(OPT_ALL), STARTS, verb_pull,
      "  Ctrl-C cancels the pulls that no server waits for." },
    { "context", "", "Docker contexts: the engine that is used, and why that one", 0, 0, JSON,
      ALONE, verb_context, NULL },
    { "events", "", "what the engine and the supervisor saw", 0, 0,
      JSON | OPT_BIT(OPT_FOLLOW) | OPT_BIT(OPT_LINES), ASKS, verb_events, NULL },
    { "doctor", "[NAME]", "what is wrong, how it is known, and what repairs it", 0, 1,
      JSON | OPT_BIT(OPT_FIX) | OPT_BIT(OPT_YES) | OPT_BIT(OPT_TIMEOUT), ASKS, verb_doctor,
      "  Exit status: 0 nothing, 1 warnings, 2 errors. --fix shows each change and asks;\n"
      "  `mcptop undo NAME` takes it back." },
    { "reload", "", "read the configuration again now", 0, 0, JSON, ASKS, verb_reload, NULL },
    { "shutdown", "", "stop all servers and the supervisor", 0, 0,
      OPT_BIT(OPT_NO_WAIT) | OPT_BIT(OPT_TIMEOUT), ASKS, verb_shutdown, NULL },
    { "version", "", "the version", 0, 0, 0, ALONE, verb_version, NULL },
    { "help", "[VERB]", "this help, or that of a verb", 0, 1, 0, ALONE, verb_help, NULL },
};

const struct verb *verb_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(verbs);
    return verbs;
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

/* ---- saying ---- */

int cli_fail(const struct fault *f)
{
    show_error("%s", f->text);
    switch (f->code) {
    case FAULT_NOT_FOUND:
        return EXIT_NO_SERVER;
    case ENOENT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case FAULT_TIMEOUT:
        return EXIT_NO_SUPERVISOR;
    default:
        return EXIT_REFUSED;
    }
}

int cli_fail_work(const struct fault *f)
{
    int code = cli_fail(f);
    return f->code == FAULT_TIMEOUT ? EXIT_REFUSED : code;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    const char *verb = c->verb ? c->verb->name : "";
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    show_error("%s%s%s\n(`mcptop %s%s--help` tells how it is used)", verb, *verb ? ": " : "",
               buf_str(&text), verb, *verb ? " " : "");
    return EXIT_USAGE;
}

bool cli_confirm(const struct cli *c, const char *question)
{
    char answer[16] = "";
    if (cli_has(c, OPT_YES))
        return true;
    show_text(stdout, question);
    fputs(" [y/N] ", stdout);
    fflush(stdout);
    if (!fgets(answer, sizeof answer, stdin))
        puts("(no answer; --yes does not ask)");
    return answer[0] == 'y' || answer[0] == 'Y';
}

int cli_ask(struct cli *c, const char *method, const char *path, json_t *body, json_t **ret_data)
{
    struct fault f = FAULT_NONE;
    *ret_data = NULL;
    if (api_ask(c->paths.socket, method, path, body, ret_data, NULL, &f))
        return cli_fail(&f);
    if (cli_has(c, OPT_JSON))
        show_json(*ret_data);
    return EXIT_OK;
}

/* ---- help ---- */

static void print_overview(FILE *out)
{
    fputs("mcptop: htop for MCP servers\n\n"
          "  mcptop                     show them; a supervisor is started if none runs\n"
          "  mcptop VERB [OPTION…] …    do one thing\n\nverbs:\n",
          out);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        char left[40];
        snprintf(left, sizeof left, "%s %s", verbs[i].name, verbs[i].words);
        /* The ellipsis is three bytes and one column. */
        int pad = strstr(left, "…") ? 28 : 26;
        fprintf(out, "  %-*s %s\n", pad, left, verbs[i].summary);
    }
    fputs("\noptions of the view:\n", out);
    args_help(out, OPTS_VIEW);
    fputs("\noptions of the view and of every verb:\n", out);
    args_help(out, OPTS_GLOBAL);
    fputs("\nexit status: 0 done; 1 not well, or refused; 2 wrong usage; 3 no supervisor;\n"
          "  4 no such server\n",
          out);
}

static void print_verb_help(const struct verb *v)
{
    printf("mcptop %s%s%s%s\n  %s\n", v->name, v->options ? " [OPTION…]" : "", *v->words ? " " : "",
           v->words, v->summary);
    if (v->more)
        printf("%s\n", v->more);
    if (v->options)
        printf("\noptions:\n");
    args_help(stdout, v->options);
    printf("\noptions of every verb:\n");
    args_help(stdout, OPTS_GLOBAL);
}

/* What other programs call it, which no spelling leads to. */
static const struct { const char *word, *use; } meant[] = {
    { "add", "`mcptop import FILE|CLIENT` takes servers over, or write it into the configuration, "
             "which is read at once" },
    { "attach", "`mcptop logs -f NAME` shows its stderr, `mcptop stdio NAME` speaks with it" },
    { "clients", "`mcptop connect` lists AI clients" },
    { "config", "`mcptop status` names the configuration: edit it, it is read at once" },
    { "delete", "take it out of the configuration, which `mcptop status` names" },
    { "diagnose", "`mcptop doctor`" },
    { "down", "`mcptop stop NAME` or `mcptop shutdown`" },
    { "edit", "`mcptop status` names the configuration: edit it, it is read at once" },
    { "fix", "`mcptop doctor --fix NAME`" },
    { "inspect", "`mcptop why NAME`" },
    { "isolate", "`mcptop set NAME isolation=docker`" },
    { "limit", "`mcptop set NAME memory=1g cpus=2`" },
    { "limits", "`mcptop set NAME memory=1g cpus=2`" },
    { "list", "`mcptop ls`" },
    { "remove", "take it out of the configuration, which `mcptop status` names" },
    { "run", "`mcptop start NAME`" },
    { "tail", "`mcptop logs -f NAME`" },
    { "top", "`mcptop` alone is the view" },
    { "up", "`mcptop start NAME`" },
};

static int unknown_verb(const char *word)
{
    struct near near;
    for (size_t i = 0; i < ARRAY_LEN(meant); i++)
        if (!strcmp(meant[i].word, word)) {
            show_error("no verb \"%s\": %s", word, meant[i].use);
            return EXIT_USAGE;
        }
    near_init(&near, word);
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        near_try(&near, verbs[i].name);
    if (near.best)
        show_error("no verb \"%s\": did you mean \"%s\"?", word, near.best);
    else
        show_error("no verb \"%s\": `mcptop help` lists them", word);
    return EXIT_USAGE;
}

static int verb_help(struct cli *c)
{
    const struct verb *v = c->word_count ? find_verb(c->words[0]) : NULL;
    if (c->word_count && !v)
        return unknown_verb(c->words[0]);
    if (v)
        print_verb_help(v);
    else
        print_overview(stdout);
    return EXIT_OK;
}

static int verb_version(struct cli *c)
{
    (void)c;
    puts("mcptop " PACKAGE_VERSION);
    return EXIT_OK;
}

/* ---- roles ---- */

static int verb_serve(struct cli *c)
{
    (void)c; /* only its help comes here: cli_main hands the role over with its options unparsed */
    return EXIT_USAGE;
}

/* An AI client stands wherever its project is: what lies there must not decide what is executed. */
static int verb_stdio(struct cli *c)
{
    if (!cli_has(c, OPT_CONFIG))
        free(TAKE(c->paths.config));
    return bridge_run(&c->paths, c->word_count ? c->words[0] : NULL);
}

/* serve parses its own options: it gets them all, without the verb. */
static int run_serve(const struct cli_roles *roles, int argc, char **argv, int verb_at)
{
    char **rest = xcalloc((size_t)argc + 1, sizeof *rest);
    int n = 0;
    for (int i = 0; i < argc; i++)
        if (i != verb_at)
            rest[n++] = argv[i];
    int code = roles->serve(n, rest);
    free(rest);
    return code;
}

static int need_supervisor(const struct cli *c, bool start)
{
    struct fault f = FAULT_NONE;
    if (!supervisor_probe(c->paths.socket, &f))
        return EXIT_OK;
    if (f.code == FAULT_NOT_FOUND && start) {
        if (!supervisor_start(&c->paths, &f))
            return EXIT_OK;
    } else if (f.code == FAULT_NOT_FOUND) {
        fault_set(&f, FAULT_NOT_FOUND, "%s: start one with `mcptop`, or with `mcptop serve`",
                  ((struct fault)f).text);
    }
    show_error("%s", f.text);
    return EXIT_NO_SUPERVISOR;
}

/* Off a terminal: the table, once. Nothing is started for nobody. */
static int run_table(struct cli *c)
{
    struct fault f = FAULT_NONE;
    if (!supervisor_probe(c->paths.socket, &f))
        return verb_ls(c);
    show_error("%s: the view needs a terminal; `mcptop start --all` starts the servers without "
               "one, then `mcptop ls` prints the table",
               f.text);
    return EXIT_REFUSED;
}

/* `mcptop`: the view, which starts a supervisor where none runs. */
static int run_view(struct cli *c)
{
    AUTO_STRVEC struct strvec argv = { 0 };
    if (c->args.value[OPT_VERSION])
        return verb_version(c);
    if (c->args.value[OPT_HELP]) {
        print_overview(stdout);
        return EXIT_OK;
    }
    for (unsigned id = 0; id < OPTIONS; id++)
        if (c->args.value[id] && !((OPTS_VIEW | OPTS_GLOBAL) & OPT_BIT(id)))
            return cli_usage(c, "--%s needs a verb", args_options[id].name);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return run_table(c);
    strvec_add(&argv, "mcptop");
    args_words(&c->args, OPTS_VIEW, &argv);
    return c->roles->view(&c->paths, (int)argv.n, argv.v);
}

/* No name, file or call is empty, and as the last part of a route it would be another route. */
static int check_words(struct cli *c)
{
    for (size_t i = 0; i < c->word_count; i++)
        if (!*c->words[i])
            return cli_usage(c, "argument %zu is empty " ARGS_WHY_EMPTY ": it takes %s", i + 1,
                             c->verb->words);
    return EXIT_OK;
}

static int check_use(struct cli *c)
{
    static const enum option_id numbers[] = { OPT_LINES, OPT_SINCE, OPT_TIMEOUT };
    const struct verb *v = c->verb;
    struct fault f;
    int64_t n;
    for (unsigned id = 0; id < OPTIONS; id++)
        if (c->args.value[id] && !((v->options | OPTS_GLOBAL) & OPT_BIT(id)))
            return cli_usage(c, "takes no --%s", args_options[id].name);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (args_number(&c->args, numbers[i], 0, INT64_MAX - 1, 0, &n, &f))
            return cli_usage(c, "%s", f.text);
    if (c->word_count < v->min_words)
        return cli_usage(c, "needs %s", v->words);
    if ((v->options & OPT_BIT(OPT_ALL)) && !v->min_words &&
        !c->word_count == !c->args.value[OPT_ALL])
        return cli_usage(c, c->word_count ? "--all or names, not both" : "needs NAME… or --all");
    if (c->word_count > v->max_words)
        return cli_usage(c, "does not know what to do with \"%s\"", c->words[v->max_words]);
    return check_words(c);
}

static int run_verb(struct cli *c)
{
    if (c->args.value[OPT_HELP]) {
        print_verb_help(c->verb);
        return EXIT_OK;
    }
    int rc = check_use(c);
    if (!rc && c->verb->needs != ALONE)
        rc = need_supervisor(c, c->verb->needs == STARTS);
    return rc ? rc : c->verb->run(c);
}

static int run_parsed(struct cli *c)
{
    struct fault f = FAULT_NONE;
    args_paths(&c->args, &c->paths);
    if (paths_resolve(&c->paths, &f)) {
        show_error("%s", f.text);
        return EXIT_USAGE;
    }
    if (!c->verb)
        return run_view(c);
    c->words = c->args.words.v + 1;
    c->word_count = c->args.words.n - 1;
    return run_verb(c);
}

int cli_main(int argc, char **argv, const struct cli_roles *roles)
{
    struct cli c = { .roles = roles };
    struct fault f = FAULT_NONE;
    int verb_at = args_find_verb(argc, argv);
    if (verb_at && !(c.verb = find_verb(argv[verb_at])))
        return unknown_verb(argv[verb_at]);
    if (c.verb && c.verb->run == verb_serve)
        return run_serve(roles, argc, argv, verb_at);

    int rc = args_parse(&c.args, argc, argv, &f) ? cli_usage(&c, "%s", f.text) : run_parsed(&c);
    args_fini(&c.args);
    paths_fini(&c.paths);
    /* A full disk or a closed pipe must not look like success. */
    if ((fflush(stdout) || ferror(stdout)) && rc == EXIT_OK) {
        show_error("cannot write the output: %s", strerror(errno));
        rc = EXIT_REFUSED;
    }
    return rc;
}
