/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the configuration's bytes to plans and back: what loads can be planned in every language and
 * edited; an edit made twice changes nothing, keeps every byte, loads or is refused for a reason
 * that is not ours, and can be taken out. */
#include "fuzz.h"

#include <string.h>
#include "base/mem.h"
#include "config/edit.h"
#include "config/value_diff.h"
#include "isolation/plan.h"

const struct fuzz_seed fuzz_seeds[] = {
    FUZZ_SEED(
        "{\n\"docker_isolation\": {\n\"enabled\": true, // on\n\"extra_args\": [\"-v\", \"/a:/b:ro\"] },\n"
        "\"mcpServers\": [ { \"name\": \"s\", \"command\": \"uvx\", \"args\": [\"/x\"], \"env\": {\"A\": \"1\"},\n"
        "\"isolation\": { \"enabled\": false,\n\"enabled\": true, } } ] }\n"),
    FUZZ_SEED(
        "{\"mcpServers\":{\"s\":{\"command\":\"/bin/npx\",\"isolation\":{\"mode\":\"docker\",\"memory_limit\":\"1g\"}}}}"),
    FUZZ_SEED(
        "{\r\n\t\"mcpServers\": {\r\n\t\t\"s\": { \"command\": \"sh\", \"args\": [\"-c\", \"exec env A='b' docker run\"],"
        "\r\n\t\t\"isolation\": null /* c */ }\r\n\t}\r\n}"),
    {NULL, 0},
};

static void try_plan(const struct config *c, const struct config_server *s,
                     enum image_runner runner)
{
    const struct plan_identity id = {.instance = "i", .container_name = "n"};
    AUTO_STRVEC struct strvec words = {0};
    AUTO_BUF struct buf line = BUF_INIT;
    struct problems problems = {0};
    struct plan *p = plan_make(c, s, runner, &problems);
    MUST((p->mode == PLAN_UNSUPPORTED) == (p->unsupported != NULL));
    MUST(p->note_count > 0);
    if (p->mode == PLAN_DOCKER) {
        plan_run_args(p, &id, true, &words);
        json_t *body = plan_create_json(p, &id);
        MUST(body && json_object_size(body) > 0);
        json_decref(body);
    }
    plan_shell_line(p, true, &line);
    MUST(line.len > 0);
    plan_compare(p, p, &words);
    plan_free(p);
    problems_fini(&problems);
}

static bool same(const struct buf *a, const char *b, size_t n)
{
    return a->len == n && memcmp(buf_str(a), b, n) == 0;
}

/* Every value is one line of what differs, whatever stands in it. */
static void try_diff(const char *text, size_t n, const struct buf *set)
{
    AUTO_BUF struct buf from = BUF_INIT, diff = BUF_INIT;
    buf_add(&from, text, n);
    MUST(value_diff(&from, set, &diff));
    for (const char *p = buf_str(&diff); *p; p += strcspn(p, "\n") + 1)
        MUST(*p == '+' || *p == '-' || p == buf_str(&diff));
}

static void try_edit(const char *text, size_t n, const char *server, const char *path)
{
    AUTO_BUF struct buf set = BUF_INIT;
    AUTO_BUF struct buf again = BUF_INIT;
    AUTO_BUF struct buf removed = BUF_INIT;
    AUTO_BUF struct buf undone = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (edit_text(text, n, server, path, "false", &set, &f) < 0) {
        MUST(strstr(f.text, "is no object"));
        return;
    }
    try_diff(text, n, &set);
    MUST(edit_text(set.data, set.len, server, path, "false", &again, &f) == 0 &&
         same(&again, set.data, set.len));
    MUST(edit_text(text, n, server, path, NULL, &removed, &f) == 0);
    MUST(edit_text(set.data, set.len, server, path, NULL, &undone, &f) == 0);
    if (!same(&removed, text, n))
        return;
    /* The key was absent: every byte must still be there, in order; only the blanks of "{ }" may
     * go. */
    size_t kept = 0;
    for (size_t i = 0; i < set.len; i++) {
        while (kept < n && strchr(" \t\r\n", text[kept]) && text[kept])
            kept++;
        kept += kept < n && set.data[i] == text[kept];
    }
    MUST(kept == n || memmem(text, n, "null", 4));    /* "isolation": null becomes an object */
}

/* Those without an error are found by their names, and the others are not. */
static void try_good(const char *text, size_t size)
{
    struct problems problems = {0};
    struct config *c = config_parse_good("fuzz", text, size, NULL, NULL, &problems);
    for (size_t i = 0; c && i < c->server_count; i++)
        MUST(!c->servers[i].broken && config_find(c, c->servers[i].name) == &c->servers[i]);
    config_free(c);
    problems_fini(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = {"enabled", "isolation.enabled", "isolation.env.X",
                                        "env.NEW"};
    const char *text = (const char *)data;
    struct problems problems = {0};
    struct config *c = config_parse("fuzz", text, size, NULL, NULL, &problems);
    MUST((c == NULL) == (problems.errors > 0));
    for (size_t i = 0; c && i < c->server_count; i++) {
        for (int runner = RUNNER_UNKNOWN; runner <= RUNNER_MISSING; runner++)
            try_plan(c, &c->servers[i], (enum image_runner)runner);
        for (size_t k = 0; k < ARRAY_LEN(paths); k++)
            try_edit(text, size, c->servers[i].name, paths[k]);
    }
    config_free(c);
    problems_fini(&problems);
    try_good(text, size);
    return 0;
}
