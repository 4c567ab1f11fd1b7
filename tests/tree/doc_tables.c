/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prints, as one JSON document, the tables of the program that its documentation repeats: keys of
 * the configuration, images, flags of docker run, verbs, options, keys of the view. docs.py makes
 * the tables of docs/ from it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"
#include "cli/verb.h"
#include "config/reader.h"
#include "isolation/run_flag.h"
#include "isolation/runtime.h"
#include "keys.h"

static json_t *text(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *letter_text(char c)
{
    const char s[2] = {c, '\0'};
    return c ? json_string(s) : json_null();
}

/* ---- configuration ---- */

static const char *const places[CONFIG_PLACES] = {
    [AT_ROOT] = "root", [AT_LOGGING] = "logging", [AT_SERVER] = "server",
    [AT_DOCKER_ISOLATION] = "docker_isolation", [AT_ISOLATION] = "isolation",
};

static json_t *fields_json(enum config_place place)
{
    size_t n;
    const struct field *fields = config_fields(place, &n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_pack("{s:s, s:b, s:b, s:o}", "key", fields[i].key,
            "ignored", fields[i].kind == FIELD_IGNORED && !fields[i].no_effect,
            "no_effect", fields[i].no_effect != NULL,
            "other_name_of", text(fields[i].other_name_of)));
    return out;
}

static json_t *key_docs_json(void)
{
    size_t n;
    const struct key_doc *rows = key_doc_table(&n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *at = json_array();
        for (enum config_place place = 0; place < CONFIG_PLACES; place++)
            if (rows[i].at & AT_BIT(place))
                json_array_append_new(at, json_string(places[place]));
        json_array_append_new(out, json_pack("{s:o, s:s, s:s, s:o, s:o, s:s, s:s}", "at", at,
            "key", rows[i].key, "type", rows[i].type, "default", text(rows[i].fallback),
            "default_is", text(rows[i].fallback_is), "example", rows[i].example,
            "text", rows[i].text));
    }
    return out;
}

static json_t *config_json(void)
{
    json_t *fields = json_object();
    for (enum config_place place = 0; place < CONFIG_PLACES; place++)
        json_object_set_new(fields, places[place], fields_json(place));
    return json_pack("{s:o, s:o}", "fields", fields, "docs", key_docs_json());
}

static json_t *images_json(void)
{
    size_t n;
    const struct runtime *rows = runtime_table(&n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:o}", "command", rows[i].command,
            "image", rows[i].default_image, "cache", text(rows[i].cache_path),
            "installs", text(rows[i].package)));
    return out;
}

static json_t *flags_json(void)
{
    size_t n;
    const struct run_flag *rows = run_flag_table(&n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_pack("{s:s, s:o, s:o, s:b, s:b}", "name", rows[i].name,
            "other_name", text(rows[i].other_name), "letter", letter_text(rows[i].letter),
            "refused", rows[i].refused != NULL, "ignored", rows[i].ignored != NULL));
    return out;
}

/* ---- command line ---- */

static json_t *options_json(void)
{
    json_t *out = json_array();
    for (unsigned id = 0; id < OPTIONS; id++)
        json_array_append_new(out, json_pack("{s:s, s:o, s:o, s:s, s:b, s:b}",
            "name", args_options[id].name, "letter", letter_text(args_options[id].letter),
            "value", text(args_options[id].value), "help", args_options[id].help,
            "global", (OPTS_GLOBAL & OPT_BIT(id)) != 0, "view", (OPTS_VIEW & OPT_BIT(id)) != 0));
    return out;
}

static json_t *verbs_json(void)
{
    size_t n;
    const struct verb *verbs = verb_table(&n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *options = json_array();
        for (unsigned id = 0; id < OPTIONS; id++)
            if (verbs[i].options & OPT_BIT(id))
                json_array_append_new(options, json_string(args_options[id].name));
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", verbs[i].name,
            "words", verbs[i].words, "summary", verbs[i].summary, "more", text(verbs[i].more),
            "options", options));
    }
    return out;
}

static json_t *bindings_json(void)
{
    size_t n;
    const struct binding *rows = keys_table(&n);
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *names = json_array();
        for (int k = 0; k < 3 && rows[i].keys[k]; k++) {
            char name[8];
            json_array_append_new(names, json_string(keys_name(rows[i].keys[k], name,
                                                               sizeof(name))));
        }
        json_array_append_new(out, json_pack("{s:o, s:s, s:s, s:b}", "keys", names,
            "group", rows[i].group, "help", rows[i].help, "changes", (int)rows[i].changes));
    }
    return out;
}

int main(void)
{
    json_t *all = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "config", config_json(),
        "images", images_json(), "run_flags", flags_json(), "verbs", verbs_json(),
        "options", options_json(), "bindings", bindings_json());
    if (!all || json_dumpf(all, stdout, JSON_INDENT(1)) < 0 || putchar('\n') == EOF)
        return EXIT_FAILURE;
    json_decref(all);
    return EXIT_SUCCESS;
}
