/* SPDX-License-Identifier: GPL-3.0-or-later */
/* set and undo: of one server they wait as the other verbs do (verbs_act.c); with --all they change
 * what every isolated server inherits. */
#include "cli/verb.h"

#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

static const struct {
    const char *key;
    enum { OF_ONE = 1, OF_ALL = 2 } of;
    bool is_bool;
} settable[] = {
    { "isolation", OF_ONE, false },       { "memory", OF_ONE | OF_ALL, false },
    { "cpus", OF_ONE | OF_ALL, false },   { "pids", OF_ONE | OF_ALL, false },
    { "network", OF_ONE | OF_ALL, false }, { "enabled", OF_ONE, true },
    { "total_memory", OF_ALL, false },
};

/* One KEY=VALUE; values are checked by the API, which knows what may stand there. */
static int add_setting(struct cli *c, json_t *body, const char *word)
{
    const char *equals = strchr(word, '=');
    unsigned of = cli_has(c, OPT_ALL) ? OF_ALL : OF_ONE;
    AUTO_BUF struct buf known = BUF_INIT;
    if (!equals)
        return cli_usage(c, "\"%s\" is no KEY=VALUE, as in memory=1g", word);
    for (size_t i = 0; i < ARRAY_LEN(settable); i++) {
        const char *key = settable[i].key;
        if (!(settable[i].of & of))
            continue;
        buf_printf(&known, "%s%s", known.len ? ", " : "", key);
        if (strlen(key) != (size_t)(equals - word) || strncmp(key, word, strlen(key)) != 0)
            continue;
        if (!settable[i].is_bool) {
            json_object_set_new(body, key, json_string(equals + 1));
            return EXIT_OK;
        }
        if (strcmp(equals + 1, "true") != 0 && strcmp(equals + 1, "false") != 0)
            return cli_usage(c, "%s is true or false", key);
        json_object_set_new(body, key, json_boolean(equals[1] == 't'));
        return EXIT_OK;
    }
    return cli_usage(c, "no key \"%.*s\"%s: there are %s", (int)(equals - word), word,
                     of == OF_ALL ? " of all servers" : "", buf_str(&known));
}

void set_hint_restart(const struct cli *c)
{
    AUTO_BUF struct buf words = BUF_INIT;
    for (size_t i = 0; i < c->word_count; i++) {
        buf_add_char(&words, ' ');
        buf_add_shell(&words, c->words[i]);
    }
    show_error("`mcptop set%s --restart` restarts it with the new limits", buf_str(&words));
}

/* The sentences told already what was refused. */
static int exit_of(json_t *servers)
{
    json_t *one;
    size_t i;
    int rc = EXIT_OK;
    json_array_foreach(servers, i, one)
        if (*doc_str(one, "error"))
            rc = EXIT_REFUSED;
    return rc;
}

static int change_all(struct cli *c, const char *method, const char *path, json_t *body)
{
    json_t *data;
    int rc = cli_ask(c, method, path, json_incref(body), &data);
    if (rc)
        return rc;
    if (!cli_has(c, OPT_JSON))
        act_print_change(data);
    rc = exit_of(doc_get(data, "servers"));
    json_decref(data);
    return rc;
}

int verb_set(struct cli *c)
{
    bool all = cli_has(c, OPT_ALL);
    json_t *body = json_object();
    int rc = !all && c->word_count < 2 ? cli_usage(c, "needs NAME KEY=VALUE…") : EXIT_OK;
    for (size_t i = all ? 0 : 1; i < c->word_count && !rc; i++)
        rc = add_setting(c, body, c->words[i]);
    if (!rc && cli_has(c, OPT_DRY_RUN))
        json_object_set_new(body, "dry_run", json_true());
    if (!rc && cli_has(c, OPT_RESTART))
        json_object_set_new(body, "restart", json_true());
    if (!rc)
        rc = all ? change_all(c, "PATCH", "/api/v1/docker_isolation", body)
                 : act_change(c, "PATCH", "/api/v1/servers/%s", c->words[0], body);
    json_decref(body);
    return rc;
}

int verb_undo(struct cli *c)
{
    json_t *body = json_pack("{s:b}", "dry_run", cli_has(c, OPT_DRY_RUN));
    int rc = cli_has(c, OPT_ALL)
        ? change_all(c, "POST", "/api/v1/docker_isolation/undo", body)
        : act_change(c, "POST", "/api/v1/servers/%s/undo", c->words[0], body);
    json_decref(body);
    return rc;
}

int verb_release(struct cli *c)
{
    return act_change(c, "POST", "/api/v1/servers/%s/release", c->words[0], NULL);
}
