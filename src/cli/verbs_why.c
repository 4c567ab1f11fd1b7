/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop why NAME`: the guide's debugging steps on one page. Is it isolated and which line of
 * which file decided; what image, what limits and from where; what it can reach; what the other way
 * would change; why it is in its state; what happened lately. */
#include "cli/verb.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

enum { LATELY = 8 };

__attribute__((format(printf, 2, 3)))
static void row(const char *label, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    printf("%-12s ", label);
    show_text(stdout, buf_str(&text));
    putchar('\n');
}

/* ---- how it is ---- */

static void print_end(json_t *s)
{
    int sig = (int)doc_int(s, "exit.signal", 0);
    const char *memory = doc_true(s, "exit.oom") ? ", killed for memory" : "";
    if (doc_true(s, "exit.never_started"))
        row("last end", "never started: %s", doc_str(s, "exit.why"));
    else if (sig)
        row("last end", "signal %d%s", sig, memory);
    else
        row("last end", "status %d%s", (int)doc_int(s, "exit.code", -1), memory);
}

static void print_state(json_t *s)
{
    char since[32], waits[200];
    const char *reason = doc_str(s, "reason");
    row("state", "%s for %s%s%s", doc_str(s, "state"),
        show_ago(doc_int(s, "since_wall_ms", 0), since, sizeof since), *reason ? ": " : "",
        reason);
    if (*show_wait(s, waits, sizeof waits))
        row("waits", "%s", waits);
    if (json_is_object(doc_get(s, "exit")) && strcmp(doc_str(s, "state"), "ready") != 0)
        print_end(s);
    if (doc_int(s, "restarts", 0))
        row("restarts", "%d", (int)doc_int(s, "restarts", 0));
}

static void print_findings(json_t *s)
{
    size_t i, k;
    json_t *f, *step;
    json_array_foreach(doc_get(s, "findings"), i, f) {
        row("finding", "%s%s: %s", doc_str(f, "code"),
            doc_true(f, "expected") ? " (by its plan)" : "", doc_str(f, "user_message"));
        json_array_foreach(doc_get(f, "fix_steps"), k, step)
            row("", "%s: %s", k < json_array_size(doc_get(f, "fixes")) ? "fix" : "do",
                json_is_string(step) ? json_string_value(step) : "");
    }
}

/* ---- why it runs that way ---- */

static void print_note(json_t *note, const char *file)
{
    int line = (int)doc_int(note, "line", 0);
    const char *what = doc_str(note, "what");
    AUTO_FREE char *at = line > 0 ? xasprintf(" [%s:%d]", file, line) : xstrdup("");
    row(strcmp(what, "mode") ? what : "isolated", "%s%s: %s%s",
        doc_true(note, "warning") ? "! " : "", doc_str(note, "value"), doc_str(note, "why"), at);
}

static void print_decisions(json_t *s, const char *file)
{
    size_t i;
    json_t *note;
    json_array_foreach(doc_get(s, "plan.notes"), i, note)
        print_note(note, file);
}

/* ---- what it can reach ---- */

static void print_mounts(json_t *s)
{
    size_t i;
    json_t *m;
    json_array_foreach(doc_get(s, "plan.mounts"), i, m)
        row(i ? "" : "mounts", "%s → %s%s%s", doc_str(m, "source"), doc_str(m, "target"),
            doc_true(m, "read_only") ? ", read-only" : "",
            doc_true(m, "volume") ? ", a volume" : "");
    if (!i)
        row("mounts", "none: no file of the host is in reach");
}

static void print_env(json_t *s)
{
    AUTO_BUF struct buf names = BUF_INIT;
    const char *key;
    json_t *value;
    json_object_foreach(doc_get(s, "env"), key, value)
        buf_printf(&names, "%s%s", names.len ? " " : "", key);
    row("env", "%s", names.len ? buf_str(&names) : "none of its own");
}

/* Flags of the docker line that give or take rights. */
static void print_rights(json_t *s)
{
    static const char *const flags[] = { "--cap-", "--security-opt", "--privileged", "--user",
                                         "--read-only", "--device", "--pid", "--userns" };
    AUTO_BUF struct buf text = BUF_INIT;
    json_t *args = doc_get(s, "plan.run_args"), *word;
    size_t i;
    json_array_foreach(args, i, word) {
        const char *w = json_string_value(word);
        for (size_t k = 0; w && k < ARRAY_LEN(flags); k++)
            if (strncmp(w, flags[k], strlen(flags[k])) == 0) {
                const char *next = json_string_value(json_array_get(args, i + 1));
                bool joined = strchr(w, '=') || !next || *next == '-' ||
                    !strcmp(w, "--read-only") || !strcmp(w, "--privileged");
                buf_printf(&text, "%s%s%s%s", text.len ? " " : "", w, joined ? "" : " ",
                           joined ? "" : next);
                break;
            }
    }
    row("rights", "%s", text.len ? buf_str(&text)
        : "the engine's default capabilities, as the image's user");
}

static void print_reach(json_t *s)
{
    if (strcmp(doc_str(s, "where"), "docker") != 0) {
        if (*doc_str(s, "where"))
            row("reach", "all your files and the network: it runs on the host, as you");
        print_env(s);
        return;
    }
    print_mounts(s);
    row("network", "%s", doc_str(s, "plan.network"));
    print_env(s);
    print_rights(s);
    if (*doc_str(s, "where_weak"))
        row("weak", "%s", doc_str(s, "where_weak"));
}

/* ---- the other way, and lately ---- */

static void print_other_way(const struct cli *c, json_t *s)
{
    bool boxed = !strcmp(doc_str(s, "where"), "docker");
    AUTO_FREE char *path = api_path(boxed ? "/api/v1/servers/%s/plan?isolation=none"
                                    : "/api/v1/servers/%s/plan?isolation=docker", c->words[0]);
    const char *label = boxed ? "if off" : "if on";
    struct fault f = FAULT_NONE;
    json_t *data = NULL, *x;
    size_t i;
    if (!*doc_str(s, "where"))
        return;
    if (api_ask(c->paths.socket, "GET", path, NULL, &data, NULL, &f)) {
        row(label, "%s", f.text);
        return;
    }
    json_array_foreach(doc_get(data, "changes"), i, x)
        row(i ? "" : label, "%s", json_is_string(x) ? json_string_value(x) : "");
    json_decref(data);
}

static void print_lately(const struct cli *c)
{
    json_t *data = NULL, *e, *own = json_array();
    size_t i;
    if (api_ask(c->paths.socket, "GET", "/api/v1/events?limit=1000", NULL, &data, NULL, NULL) == 0)
        json_array_foreach(doc_get(data, "events"), i, e)
            if (!strcmp(doc_str(e, "server"), c->words[0]))
                json_array_append(own, e);
    size_t n = json_array_size(own);
    for (i = n > LATELY ? n - LATELY : 0; i < n; i++) {
        e = json_array_get(own, i);
        time_t at = (time_t)(doc_int(e, "wall_ms", 0) / 1000);
        struct tm tm;
        char when[16];
        strftime(when, sizeof when, "%H:%M:%S", localtime_r(&at, &tm));
        row(i == (n > LATELY ? n - LATELY : 0) ? "lately" : "", "%s %s %s %s", when,
            doc_str(e, "type"), doc_str(e, "action"), doc_str(e, "detail"));
    }
    json_decref(own);
    json_decref(data);
}

int verb_why(struct cli *c)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s", c->words[0]);
    json_t *s = NULL, *status = NULL;
    struct fault f = FAULT_NONE;
    int rc = cli_ask(c, "GET", path, NULL, &s);
    if (rc || cli_has(c, OPT_JSON)) {
        json_decref(s);
        return rc;
    }
    if (api_ask(c->paths.socket, "GET", "/api/v1/status", NULL, &status, NULL, &f)) {
        json_decref(s);
        return cli_fail(&f);
    }
    print_state(s);
    print_findings(s);
    print_decisions(s, doc_str(status, "config.path"));
    print_reach(s);
    print_other_way(c, s);
    print_lately(c);
    row("more", "mcptop logs %s   mcptop command %s   mcptop events", c->words[0], c->words[0]);
    json_decref(s);
    json_decref(status);
    return EXIT_OK;
}
