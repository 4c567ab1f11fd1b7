/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop calls`: calls in flight and the last ones, or one with its texts. `mcptop replay`: one is
 * sent again, and its answer compared with the recorded one. */
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/diff.h"
#include "base/jpretty.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/grid.h"
#include "cli/show.h"

enum { DEFAULT_CALLS = 50, MAX_CALLS = 500, REPLAY_S = 600, CONTEXT_LINES = 3 };

static const struct grid_column columns[] = {
    { "TIME", false, 0 },  { "CLIENT", false, 2 }, { "TOOK", true, 0 },  { "OUT", true, 4 },
    { "IN", true, 3 },     { "REC", false, 1 },    { "CALL", false, 0 }, { "ID", false, 0 },
};

static const char *what(json_t *call, const char *name)
{
    return *doc_str(call, name) ? doc_str(call, name) : doc_str(call, "method");
}

static void add_open(struct grid *g, json_t *call)
{
    char text[24];
    grid_row(g);
    grid_cell(g, "in flight");
    grid_cell(g, doc_str(call, "client"));
    grid_cell(g, show_latency(doc_int(call, "age_ms", 0) * 1000, text, sizeof text));
    for (int i = 0; i < 3; i++)
        grid_cell(g, "");
    grid_cell(g, what(call, "name"));
    grid_cell(g, doc_str(call, "server"));
}

static void add_call(struct grid *g, json_t *call)
{
    char text[48];
    grid_row(g);
    clock_iso(doc_int(call, "wall_ms", 0), text, sizeof text);
    grid_cellf(g, "%.8s", strchr(text, 'T') ? strchr(text, 'T') + 1 : text);
    grid_cell(g, doc_str(call, "client"));
    grid_cell(g, show_latency(doc_int(call, "took_us", -1), text, sizeof text));
    grid_cell(g, show_size(doc_int(call, "bytes_out", -1), text, sizeof text));
    grid_cell(g, show_size(doc_int(call, "bytes_in", -1), text, sizeof text));
    grid_cell(g, doc_true(call, "recorded") ? "*" : "");
    grid_cellf(g, "%s%s", what(call, "tool"), doc_true(call, "error") ? " (error)"
               : doc_true(call, "tool_error") ? " (tool error)" : "");
    grid_cell(g, doc_str(call, "id"));
}

static void print_list(json_t *data)
{
    struct grid *g = grid_new(columns, ARRAY_LEN(columns));
    json_t *call;
    size_t i;
    json_array_foreach(doc_get(data, "open"), i, call)
        add_open(g, call);
    json_array_foreach(doc_get(data, "calls"), i, call)
        add_call(g, call);
    grid_print(g);
    grid_free(g);
}

static void print_lines(const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        show_bytes(stdout, p, n);
        putchar('\n');
        p += n + (p[n] == '\n');
    }
}

static void print_message(const char *title, const char *text)
{
    AUTO_BUF struct buf b = BUF_INIT;
    jpretty(&b, text, strlen(text));
    printf("%s:\n", title);
    print_lines(buf_str(&b));
}

static void print_call(json_t *call)
{
    char when[48], took[24], out[24], in[24];
    clock_iso(doc_int(call, "wall_ms", 0), when, sizeof when);
    AUTO_FREE char *head = xasprintf("%s  %.19s  %s %s by %s: %s, %s out, %s in%s",
        doc_str(call, "id"), when, doc_str(call, "method"), doc_str(call, "tool"),
        doc_str(call, "client"), show_latency(doc_int(call, "took_us", -1), took, sizeof took),
        show_size(doc_int(call, "bytes_out", -1), out, sizeof out),
        show_size(doc_int(call, "bytes_in", -1), in, sizeof in),
        doc_true(call, "error") ? ", an error"
        : doc_true(call, "tool_error") ? ", the tool says that it failed" : "");
    show_text(stdout, head);
    putchar('\n');
    if (!doc_get(call, "request")) {
        show_text(stdout, doc_str(call, "why_not_recorded"));
        putchar('\n');
        return;
    }
    print_message("call", doc_str(call, "request"));
    print_message("answer", doc_str(call, "result"));
}

static int show_one(struct cli *c, const char *id)
{
    AUTO_FREE char *path = api_path("/api/v1/calls/%s", id);
    json_t *data;
    int rc = cli_ask(c, "GET", path, NULL, &data);
    if (!rc && !cli_has(c, OPT_JSON))
        print_call(data);
    json_decref(data);
    return rc;
}

int verb_calls(struct cli *c)
{
    struct fault f = FAULT_NONE;
    int64_t limit;
    if (args_number(&c->args, OPT_LINES, 0, MAX_CALLS, DEFAULT_CALLS, &limit, &f))
        return cli_usage(c, "%s", f.text);
    if (c->word_count && strrchr(c->words[0], ':'))
        return show_one(c, c->words[0]);
    AUTO_FREE char *one = c->word_count ? api_path("&server=%s", c->words[0]) : xstrdup("");
    AUTO_FREE char *path = xasprintf("/api/v1/calls?limit=%lld%s", (long long)limit, one);
    json_t *data;
    int rc = cli_ask(c, "GET", path, NULL, &data);
    if (!rc && !cli_has(c, OPT_JSON))
        print_list(data);
    json_decref(data);
    return rc;
}

/* ---- replay ---- */

static void pretty(struct buf *out, json_t *data, const char *key)
{
    const char *text = doc_str(data, key);
    jpretty(out, text, strlen(text));
    buf_add_char(out, '\n');
}

static bool print_replay(json_t *data)
{
    AUTO_BUF struct buf before = BUF_INIT, after = BUF_INIT, diff = BUF_INIT;
    char took[24], first[24];
    pretty(&before, data, "before");
    pretty(&after, data, "after");
    diff_text(buf_str(&before), before.len, buf_str(&after), after.len, CONTEXT_LINES, &diff);
    show_text(stdout, doc_str(data, "id"));
    printf(" sent again to %s: took %s, and %s when it was recorded\n",
           strcmp(doc_str(data, "where"), "test") == 0 ? "a test start" : "the server",
           show_latency(doc_int(data, "took_us", -1), took, sizeof took),
           show_latency(doc_int(data, "before_us", -1), first, sizeof first));
    if (!diff.len)
        puts("the answer is the same");
    else
        puts("- the recorded answer, + the new one");
    print_lines(buf_str(&diff));
    return !diff.len;
}

int verb_replay(struct cli *c)
{
    AUTO_FREE char *path = api_path("/api/v1/calls/%s/replay", c->words[0]);
    struct fault f = FAULT_NONE;
    json_t *data = NULL;
    int64_t limit_s;
    if (args_number(&c->args, OPT_TIMEOUT, 1, 24 * 3600, REPLAY_S, &limit_s, &f))
        return cli_usage(c, "%s", f.text);
    json_t *body = json_pack("{s:b}", "test", cli_has(c, OPT_TEST));
    if (api_ask_within(c->paths.socket, "POST", path, body, limit_s * 1000, &data, NULL, &f))
        return cli_fail_work(&f);
    bool same = strcmp(doc_str(data, "before"), doc_str(data, "after")) == 0;
    if (cli_has(c, OPT_JSON))
        show_json(data);
    else
        same = print_replay(data);
    json_decref(data);
    return same ? EXIT_OK : EXIT_REFUSED;
}
