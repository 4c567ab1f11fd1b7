/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server of a client's file as one of mcp_config.json. What mcptop does not know is left out and
 * said, never guessed. */
#include "config/foreign.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

typedef json_t *(*convert_fn)(json_t *value);     /* NULL: it has no meaning here */

static json_t *as_it_is(json_t *value)
{
    return json_incref(value);
}

static json_t *opposite(json_t *value)
{
    return json_is_boolean(value) ? json_boolean(json_is_false(value)) : NULL;
}

static json_t *seconds(json_t *value)
{
    if (!json_is_number(value) || json_number_value(value) <= 0)
        return NULL;
    return json_sprintf("%.0fs", ceil(json_number_value(value)));
}

static json_t *milliseconds(json_t *value)
{
    if (!json_is_number(value) || json_number_value(value) <= 0)
        return NULL;
    return json_sprintf("%.0fs", ceil(json_number_value(value) / 1000));
}

/* Gemini counts milliseconds, Cline seconds; a limit of less than one is nobody's wish. */
static json_t *some_time(json_t *value)
{
    enum { LEAST_MS = 1000 };
    if (json_is_string(value))
        return json_incref(value);
    return json_number_value(value) < LEAST_MS ? seconds(value) : milliseconds(value);
}

static json_t *nothing(json_t *value)
{
    (void)value;
    return json_null();
}

/* Some files have numbers and booleans in env, where only text can be meant. */
static json_t *texts(json_t *value)
{
    const char *key;
    json_t *one, *out;
    if (!json_is_object(value))
        return NULL;
    out = json_object();
    json_object_foreach(value, key, one) {
        AUTO_FREE char *text = json_is_string(one) ? NULL : json_dumps(one, JSON_ENCODE_ANY);
        json_object_set_new_nocheck(out, key, text ? json_string_nocheck(text) : json_incref(one));
    }
    return out;
}

/* Codex hands on variables by name. */
static json_t *forwarded(json_t *value)
{
    json_t *out = json_object(), *one;
    size_t i;
    json_array_foreach(value, i, one)
        if (json_is_string(one))
            json_object_set_new_nocheck(out, json_string_value(one),
                                        json_sprintf("${env:%s}", json_string_value(one)));
    return out;
}

static const struct {
    const char *from, *to;
    convert_fn convert;
} keys[] = {
    {"command", "command", as_it_is},
    {"args", "args", as_it_is},
    {"cwd", "working_dir", as_it_is},
    {"working_dir", "working_dir", as_it_is},
    {"env", "env", texts},
    {"env_vars", "env", forwarded},
    {"enabled", "enabled", as_it_is},
    {"disabled", "enabled", opposite},
    {"isolation", "isolation", as_it_is},
    {"quarantined", "quarantined", as_it_is},
    {"init_timeout", "init_timeout", as_it_is},
    {"startup_timeout_sec", "init_timeout", seconds},
    {"startup_timeout_ms", "init_timeout", milliseconds},
    {"call_tool_timeout", "call_tool_timeout", as_it_is},
    {"tool_timeout_sec", "call_tool_timeout", seconds},
    {"timeout", "call_tool_timeout", some_time},
    {"health_check_interval", "health_check_interval", as_it_is},
    {"enabled_tools", "enabled_tools", as_it_is},
    {"includeTools", "enabled_tools", as_it_is},
    {"disabled_tools", "disabled_tools", as_it_is},
    {"excludeTools", "disabled_tools", as_it_is},
    /* These say nothing that is not so anyway. */
    {"name", NULL, nothing}, {"type", NULL, nothing}, {"protocol", NULL, nothing},
    {"transport", NULL, nothing}, {"created", NULL, nothing}, {"updated", NULL, nothing},
};

/* ${X} of other programs is no ${env:X}. */
static const char *foreign_variable(const char *text)
{
    for (const char *p = strstr(text, "${"); p; p = strstr(p + 2, "${"))
        if (strncmp(p, "${env:", 6) != 0)
            return p;
    return NULL;
}

static void note_variables(json_t *value, struct strvec *notes)
{
    enum { LONGEST = 60 };
    const char *key, *text = json_is_string(value) ? json_string_value(value) : "";
    const char *at = foreign_variable(text);
    json_t *one;
    size_t i, n = at ? strcspn(at, "}") : 0;
    if (at)
        strvec_addf(notes, "%.*s is not replaced here: write ${env:NAME}, or the value",
                    (int)(n < LONGEST ? n + (at[n] == '}') : LONGEST), at);
    json_array_foreach(value, i, one)
        note_variables(one, notes);
    json_object_foreach(value, key, one)
        note_variables(one, notes);
}

static void merge(json_t *out, const char *key, json_t *value)
{
    json_t *there = json_object_get(out, key);
    if (json_is_object(there) && json_is_object(value))
        json_object_update_missing(there, value);
    else if (!there)
        json_object_set(out, key, value);
    json_decref(value);
}

static void take(const char *name, json_t *value, json_t *out, struct strvec *notes)
{
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        json_t *converted = strcmp(keys[i].from, name) ? NULL : keys[i].convert(value);
        if (!converted)
            continue;
        if (keys[i].to)
            merge(out, keys[i].to, converted);
        return;
    }
    strvec_addf(notes, "left out: %.80s", name);
}

json_t *foreign_import(json_t *spec, struct strvec *notes)
{
    json_t *out = json_object(), *value;
    const char *name;
    /* In the order in which people write them. */
    static const char *const first[] = {"command", "args"};
    for (size_t i = 0; i < ARRAY_LEN(first); i++)
        if ((value = json_object_get(spec, first[i])))
            take(first[i], value, out, notes);
    json_object_foreach(spec, name, value)
        if (strcmp(name, "command") != 0 && strcmp(name, "args") != 0)
            take(name, value, out, notes);
    note_variables(out, notes);
    return out;
}
