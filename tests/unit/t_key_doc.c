/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration reference against the program: the same keys in the same places, defaults that
 * change nothing where they are written out, examples that load without a word. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "config/reader.h"
#include "isolation/plan.h"
#include "tap.h"

static const char *const places[CONFIG_PLACES] = {
    [AT_ROOT] = "the root", [AT_LOGGING] = "logging", [AT_SERVER] = "a server",
    [AT_DOCKER_ISOLATION] = "docker_isolation", [AT_ISOLATION] = "isolation",
};

static const struct key_doc *find_doc(enum config_place place, const char *key)
{
    size_t n;
    const struct key_doc *rows = key_doc_table(&n);
    for (size_t i = 0; i < n; i++)
        if ((rows[i].at & AT_BIT(place)) && strcmp(rows[i].key, key) == 0)
            return &rows[i];
    return NULL;
}

static bool is_field(enum config_place place, const char *key)
{
    size_t n;
    const struct field *fields = config_fields(place, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0 && !fields[i].no_effect && !fields[i].other_name_of)
            return true;
    return false;
}

static void every_key_is_documented(enum config_place place)
{
    size_t n;
    const struct field *fields = config_fields(place, &n);
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == FIELD_IGNORED || fields[i].other_name_of)
            continue;
        bool there = find_doc(place, fields[i].key) != NULL;
        if (fields[i].no_effect)    /* which is IGNORED too where it names no kind */
            ok(!there, "%s of %s is not documented where it has no effect", fields[i].key,
               places[place]);
        else
            ok(there, "%s of %s stands in src/config/key_doc.c", fields[i].key, places[place]);
    }
}

static void every_documented_key_is_one(const struct key_doc *row)
{
    for (enum config_place place = 0; place < CONFIG_PLACES; place++)
        if (row->at & AT_BIT(place))
            ok(is_field(place, row->key), "%s is a key of %s", row->key, places[place]);
}

/* ---- values, tried ---- */

static const char *test_env(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return "a-value";
}

static void member(struct buf *out, const char *key, const char *value, const struct key_doc *row)
{
    if (!row || strcmp(key, row->key) != 0)
        buf_printf(out, "\"%s\": %s, ", key, value);
}

/* A whole configuration, in which the key has this value in this place (NULL: is absent). */
static char *config_text(enum config_place place, const struct key_doc *row, const char *value)
{
    struct buf out = BUF_INIT;
    AUTO_FREE char *pair = value ? xasprintf("\"%s\": %s", row->key, value) : xstrdup("");
    const struct key_doc *at[CONFIG_PLACES] = {0};
    at[place] = row;
    buf_printf(&out, "{");
    if (place != AT_ROOT || strcmp(row->key, "docker_isolation") != 0) {
        buf_printf(&out, "\"docker_isolation\": {");
        member(&out, "enabled", "true", at[AT_DOCKER_ISOLATION]);
        buf_printf(&out, "%s}, ", place == AT_DOCKER_ISOLATION ? pair : "");
    }
    if (place == AT_LOGGING)
        buf_printf(&out, "\"logging\": {%s}, ", pair);
    if (place != AT_ROOT || strcmp(row->key, "mcpServers") != 0) {
        buf_printf(&out, "\"mcpServers\": [{");
        member(&out, "name", "\"s\"", at[AT_SERVER]);
        member(&out, "command", "\"uvx\"", at[AT_SERVER]);
        if (place == AT_ISOLATION)
            buf_printf(&out, "\"isolation\": {%s}", pair);
        buf_printf(&out, "%s}], ", place == AT_SERVER ? pair : "");
    }
    buf_printf(&out, "%s}", place == AT_ROOT ? pair : "");
    return buf_take(&out);
}

static struct config *load(const char *text, const char *what)
{
    struct problems p = {0};
    struct config *c = config_parse("x", text, strlen(text), test_env, NULL, &p);
    if (!ok(c && p.n == 0, "%s loads without a problem", what)) {
        diag("%s", text);
        for (size_t i = 0; i < p.n; i++)
            diag("%s: %s", p.v[i].key, p.v[i].text);
    }
    problems_fini(&p);
    return c;
}

static void try_example(enum config_place place, const struct key_doc *row)
{
    AUTO_FREE char *what = xasprintf("the example of %s in %s", row->key, places[place]);
    AUTO_FREE char *text = config_text(place, row, row->example);
    config_free(load(text, what));
}

/* Writing a default out is no change: the same plan, but for the lines in its notes. */
static void try_default(enum config_place place, const struct key_doc *row)
{
    AUTO_FREE char *what = xasprintf("the default of %s in %s", row->key, places[place]);
    AUTO_FREE char *with_text = config_text(place, row, row->fallback);
    AUTO_FREE char *without_text = config_text(place, row, NULL);
    struct config *with = load(with_text, what);
    struct config *without = load(without_text, "the same without it");
    if (with && without && with->server_count && without->server_count) {
        struct plan *a = plan_make(with, &with->servers[0], RUNNER_UNKNOWN, NULL);
        struct plan *b = plan_make(without, &without->servers[0], RUNNER_UNKNOWN, NULL);
        ok(a->mode == b->mode && a->hash == b->hash && a->live_hash == b->live_hash &&
               a->start_timeout_ms == b->start_timeout_ms && a->pull_policy == b->pull_policy,
           "%s is what the program does", what);
        plan_free(a);
        plan_free(b);
    }
    config_free(with);
    config_free(without);
}

int main(void)
{
    size_t n;
    const struct key_doc *rows = key_doc_table(&n);
    for (enum config_place place = 0; place < CONFIG_PLACES; place++)
        every_key_is_documented(place);
    for (size_t i = 0; i < n; i++) {
        every_documented_key_is_one(&rows[i]);
        ok(rows[i].fallback || rows[i].fallback_is, "%s has a default", rows[i].key);
        for (enum config_place place = 0; place < CONFIG_PLACES; place++) {
            if (!(rows[i].at & AT_BIT(place)))
                continue;
            try_example(place, &rows[i]);
            if (rows[i].fallback)
                try_default(place, &rows[i]);
        }
    }
    return done_testing();
}
