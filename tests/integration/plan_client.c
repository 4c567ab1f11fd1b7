/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prints what plans come to, for t_run_flags.py: of every server of the configuration file named in
 * argv[1], one JSON object a line: its mode, why it is not started, its notes, the platform, and the
 * body that POST /containers/create would get. What docker adds by itself is its file's and
 * environment's, of the engine named in argv[2]. */
#include <stdio.h>
#include <stdlib.h>
#include "docker/cli_config.h"
#include "isolation/plan.h"

static json_t *text_json(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *notes_json(const struct plan *p)
{
    json_t *notes = json_array();
    for (size_t i = 0; i < p->note_count; i++)
        json_array_append_new(notes, json_pack("[s, s, s, b]", p->notes[i].what, p->notes[i].value,
                                               p->notes[i].why, p->notes[i].warning));
    return notes;
}

int main(int argc, char **argv)
{
    static const struct plan_identity id = {.instance = "i", .container_name = "mcpproxy-s-aaaa"};
    struct problems problems = {0};
    struct config *c = config_load(argc > 1 ? argv[1] : "", false, NULL, &problems, NULL, NULL);
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "%d: %s: %s\n", problems.v[i].line, problems.v[i].key, problems.v[i].text);
    problems_fini(&problems);
    struct fault f = FAULT_NONE;
    char file[] = "config.json";
    struct client_defaults client = {.file = file,
                                     .platform = getenv("DOCKER_DEFAULT_PLATFORM")};
    if (cli_config_proxies(argc > 2 ? argv[2] : "default", &client.proxies, &f) < 0)
        fprintf(stderr, "%s\n", f.text);
    for (size_t i = 0; c && i < c->server_count; i++) {
        c->client = &client;
        struct plan *p = plan_make(c, &c->servers[i], RUNNER_UNKNOWN, NULL);
        json_t *out = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "name", p->server, "mode",
                                plan_mode_name(p->mode), "adopted", p->adopted, "unsupported",
                                text_json(p->unsupported), "weak", text_json(p->weak_why),
                                "notes", notes_json(p), "platform",
                                text_json(plan_option(p, "platform")), "create",
                                p->mode == PLAN_DOCKER ? plan_create_json(p, &id) : json_null());
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(out);
        plan_free(p);
    }
    kvvec_fini(&client.proxies);
    config_free(c);
    return c ? 0 : 1;
}
