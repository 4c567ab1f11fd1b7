/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Parses options by the table below. Does not know which verb takes which: that stands with the
 * verbs. */
#include "cli/args.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/near.h"

const struct option_row args_options[OPTIONS] = {
    [OPT_SOCKET] = { "socket", 0, "PATH",
                     "the supervisor's socket (default DATA_DIR/mcptop.sock, or MCPTOP_SOCKET)" },
    [OPT_DATA_DIR] = { "data-dir", 0, "DIR", "where state is kept (default ~/.mcpproxy)" },
    [OPT_CONFIG] = { "config", 0, "FILE",
                     "the configuration of a supervisor that is started" },
    [OPT_LOG_DIR] = { "log-dir", 0, "DIR", "where a supervisor that is started writes its logs" },
    [OPT_LISTEN] = { "listen", 0, "ADDR",
                     "where a supervisor that is started listens (127.0.0.1:8080, or none)" },
    [OPT_HELP] = { "help", 'h', NULL, "this help, or that of a verb" },
    [OPT_VERSION] = { "version", 'V', NULL, "the version" },
    [OPT_READONLY] = { "readonly", 0, NULL, "look, and change nothing" },
    [OPT_ASCII] = { "ascii", 0, NULL, "draw with ASCII only" },
    [OPT_COLOR] = { "color", 0, "WHEN", "auto (but not with NO_COLOR) or never" },
    [OPT_THEME] = { "theme", 0, "NAME", "the colours; an unknown name lists them" },
    [OPT_JSON] = { "json", 0, NULL, "data as JSON" },
    [OPT_ALL] = { "all", 'a', NULL, "every server" },
    [OPT_FOLLOW] = { "follow", 'f', NULL, "go on as more comes in" },
    [OPT_LINES] = { "lines", 'n', "N", "how many of the latest lines (default 100)" },
    [OPT_SINCE] = { "since", 0, "SEQ", "lines after this sequence number" },
    [OPT_NO_WAIT] = { "no-wait", 0, NULL, "do not wait until it is done" },
    [OPT_TIMEOUT] = { "timeout", 't', "SECONDS", "how long to wait (default 60)" },
    [OPT_SECRETS] = { "secrets", 0, NULL, "show the values of env" },
    [OPT_DRY_RUN] = { "dry-run", 0, NULL, "show what would change, and change nothing" },
    [OPT_RESTART] = { "restart", 0, NULL, "restart what the engine cannot change while it runs" },
    [OPT_ORPHANS] = { "orphans", 0, NULL, "those that nobody uses any more" },
    [OPT_FIX] = { "fix", 0, NULL, "repair what can be repaired" },
    [OPT_YES] = { "yes", 'y', NULL, "do not ask" },
    [OPT_NOW] = { "now", 0, NULL, "do not let calls in flight end first" },
    [OPT_EACH] = { "each", 0, NULL, "an entry for every server instead of one for all" },
    [OPT_UNDO] = { "undo", 0, NULL, "take mcptop out again" },
    [OPT_PROJECT] = { "project", 0, NULL, "the client's file of the project in this directory" },
    [OPT_AS] = { "as", 0, "NAME", "what the server is called here" },
    [OPT_CHANGES] = { "changes", 0, NULL, "what of them is not as it was first seen, and how" },
    [OPT_TEST] = { "test", 0, NULL, "to a start of its own, apart from the running server" },
};

/* The row of --NAME[=VALUE] or -X; OPTIONS when there is none. */
static enum option_id find_long(const char *name, size_t n)
{
    for (unsigned id = 0; id < OPTIONS; id++)
        if (strlen(args_options[id].name) == n && !memcmp(args_options[id].name, name, n))
            return id;
    return OPTIONS;
}

static enum option_id find_letter(char letter)
{
    for (unsigned id = 0; id < OPTIONS; id++)
        if (args_options[id].letter && args_options[id].letter == letter)
            return id;
    return OPTIONS;
}

int args_find_verb(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (arg[0] != '-' || !arg[1])
            return i;
        if (!strcmp(arg, "--"))
            return i + 1 < argc ? i + 1 : 0;
        bool is_long = arg[1] == '-';
        enum option_id id = OPTIONS;
        if (is_long)
            id = find_long(arg + 2, strlen(arg + 2));
        else if (!arg[2])
            id = find_letter(arg[1]);
        if (id != OPTIONS && args_options[id].value)
            i++;
    }
    return 0;
}

static int unknown_option(const char *arg, struct fault *f)
{
    struct near near;
    AUTO_FREE char *name = xstrndup(arg + 2, strcspn(arg + 2, "="));
    near_init(&near, arg[1] == '-' ? name : "");
    for (unsigned id = 0; id < OPTIONS; id++)
        near_try(&near, args_options[id].name);
    if (near.best)
        return fault_set(f, FAULT_INVALID, "unknown option %s: did you mean --%s?", arg, near.best);
    return fault_set(f, FAULT_INVALID, "unknown option %s", arg);
}

static int take_value(struct args *a, enum option_id id, const char *value, struct fault *f)
{
    const struct option_row *row = &args_options[id];
    if (!*value)
        return fault_set(f, FAULT_INVALID, "the value of --%s is empty " ARGS_WHY_EMPTY
                         ": --%s %s", row->name, row->name, row->value);
    a->value[id] = value;
    return 0;
}

/* *i stands on a --long option; moves it over a value that is a word of its own. */
static int take_long(struct args *a, char **argv, int argc, int *i, struct fault *f)
{
    const char *arg = argv[*i], *equals = strchr(arg, '=');
    size_t n = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
    enum option_id id = find_long(arg + 2, n);
    if (id == OPTIONS)
        return unknown_option(arg, f);
    const struct option_row *row = &args_options[id];
    if (!row->value) {
        if (equals)
            return fault_set(f, FAULT_INVALID, "--%s takes no value", row->name);
        a->value[id] = "";
        return 0;
    }
    if (equals)
        return take_value(a, id, equals + 1, f);
    if (*i + 1 < argc)
        return take_value(a, id, argv[++*i], f);
    return fault_set(f, FAULT_INVALID, "--%s needs a value: --%s %s", row->name, row->name,
                     row->value);
}

static int take_letters(struct args *a, char **argv, int argc, int *i, struct fault *f)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        enum option_id id = find_letter(*p);
        if (id == OPTIONS)
            return unknown_option(argv[*i], f);
        const struct option_row *row = &args_options[id];
        if (!row->value) {
            a->value[id] = "";
            continue;
        }
        if (p[1])
            return take_value(a, id, p + 1, f);
        if (*i + 1 < argc)
            return take_value(a, id, argv[++*i], f);
        return fault_set(f, FAULT_INVALID, "-%c needs a value: -%c %s", *p, *p, row->value);
    }
    return 0;
}

int args_parse(struct args *a, int argc, char **argv, struct fault *f)
{
    *a = (struct args){ 0 };
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        int rc = 0;
        if (only_words || arg[0] != '-' || !arg[1])
            strvec_add(&a->words, arg);
        else if (!strcmp(arg, "--"))
            only_words = true;
        else if (arg[1] == '-')
            rc = take_long(a, argv, argc, &i, f);
        else
            rc = take_letters(a, argv, argc, &i, f);
        if (rc)
            return -1;
    }
    return 0;
}

void args_fini(struct args *a)
{
    strvec_fini(&a->words);
}

void args_paths(const struct args *a, struct paths *ret)
{
    *ret = (struct paths){
        .data_dir = xstrdup(a->value[OPT_DATA_DIR]),
        .socket = xstrdup(a->value[OPT_SOCKET]),
        .config = xstrdup(a->value[OPT_CONFIG]),
        .log_dir = xstrdup(a->value[OPT_LOG_DIR]),
        .listen = xstrdup(a->value[OPT_LISTEN]),
    };
}

void args_words(const struct args *a, unsigned options, struct strvec *out)
{
    for (unsigned id = 0; id < OPTIONS; id++) {
        if (!a->value[id] || !(options & OPT_BIT(id)))
            continue;
        strvec_addf(out, "--%s", args_options[id].name);
        if (args_options[id].value)
            strvec_add(out, a->value[id]);
    }
}

int args_number(const struct args *a, enum option_id id, int64_t min, int64_t max,
                int64_t otherwise, int64_t *ret, struct fault *f)
{
    const char *text = a->value[id];
    char *end;
    *ret = otherwise;
    if (!text)
        return 0;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end || errno || n < min || n > max)
        return fault_set(f, FAULT_INVALID, "--%s %s: a number from %lld to %lld is needed",
                         args_options[id].name, text, (long long)min, (long long)max);
    *ret = n;
    return 0;
}

void args_help(FILE *out, unsigned options)
{
    for (unsigned id = 0; id < OPTIONS; id++) {
        const struct option_row *row = &args_options[id];
        if (!(options & OPT_BIT(id)))
            continue;
        char left[64], letter[8] = "    ";
        if (row->letter)
            snprintf(letter, sizeof letter, "-%c, ", row->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name, row->value ? " " : "",
                 row->value ? row->value : "");
        fprintf(out, "  %-22s %s\n", left, row->help);
    }
}
