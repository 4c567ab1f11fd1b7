/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop test NAME`: a run of the server apart from the running one, step by step. */
#include "cli/verb.h"

#include <stdio.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"
#include "cli/show_finding.h"

enum { TEST_S = 600 };

static void print_step(json_t *s)
{
    char took[24];
    show_latency(doc_int(s, "us", -1), took, sizeof took);
    printf("%s %-11s %8s  ", doc_true(s, "ok") ? "*" : "!", doc_str(s, "name"), took);
    show_text(stdout, doc_str(s, "text"));
    putchar('\n');
}

static void print_lines(const char *title, json_t *lines)
{
    size_t i;
    json_t *line;
    if (json_array_size(lines))
        puts(title);
    json_array_foreach(lines, i, line) {
        printf("    ");
        show_text(stdout, json_is_string(line) ? json_string_value(line) : "");
        putchar('\n');
    }
}

static void print_result(json_t *data)
{
    size_t i;
    json_t *step;
    bool ok = doc_true(data, "ok");
    json_array_foreach(doc_get(data, "steps"), i, step)
        print_step(step);
    print_lines("stdout that is no MCP:", doc_get(data, "stdout"));
    if (!ok)
        print_lines("its last lines on stderr:", doc_get(data, "stderr"));
    puts(ok ? "all steps went well" : "the first step marked ! is where it fails");
    if (doc_get(data, "finding.code"))
        show_finding(doc_get(data, "finding"));
}

int verb_test(struct cli *c)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/test", c->words[0]);
    struct fault f = FAULT_NONE;
    json_t *data = NULL;
    int64_t limit_s;
    if (args_number(&c->args, OPT_TIMEOUT, 1, 24 * 3600, TEST_S, &limit_s, &f))
        return cli_usage(c, "%s", f.text);
    if (api_ask_within(c->paths.socket, "POST", path, NULL, limit_s * 1000, &data, NULL, &f))
        return cli_fail_work(&f);
    if (cli_has(c, OPT_JSON))
        show_json(data);
    else
        print_result(data);
    int rc = doc_true(data, "ok") ? EXIT_OK : EXIT_REFUSED;
    json_decref(data);
    return rc;
}
