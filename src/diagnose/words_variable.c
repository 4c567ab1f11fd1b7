/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rule about keys, tokens and other variables that a server asks for and its env does not give:
 * as programs say it themselves, and as the libraries that read settings do. */
#include "diagnose/words_rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

enum { NEAR_LINES = 4 };

static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

static bool has_part(const char *word, size_t n, const char *const *parts)
{
    AUTO_FREE char *copy = xstrndup(word, n);
    for (; *parts; parts++)
        if (strstr(copy, *parts))
            return true;
    return false;
}

static bool is_secret_name(const char *word, size_t n)
{
    static const char *const parts[] = { "KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", NULL };
    return has_part(word, n, parts);
}

/* Settings are often called so; codes of errors (ERR_MODULE_NOT_FOUND) are not. */
static bool is_setting_name(const char *word, size_t n)
{
    static const char *const parts[] = {
        "_URL", "_URI", "_HOST", "_DSN", "_ENDPOINT", "_USER", "_EMAIL", "_ACCOUNT", "_PROJECT",
        "_REGION", "_BUCKET", "_TENANT", "_ID", "_ORG", "_WORKSPACE", "_DOMAIN", "_CONNECTION",
        "_PATH", "_DIR", NULL };
    return strncmp(word, "ERR_", 4) != 0 && has_part(word, n, parts);
}

static const char *value_of(const struct symptoms *s, const char *name)
{
    const char *value = kvvec_get(&s->config->env, name);
    return value ? value : kvvec_get(&s->plan->container_env, name);
}

/* The first VARIABLE_LIKE word that the server's env has empty, or that is called like a secret or
 * a setting (any, where the line speaks of the environment) and is not in its env at all. */
static char *unset_name(const struct symptoms *s, const char *line, bool environment,
                        bool *ret_known)
{
    for (const char *p = line; *p;) {
        size_t n = strspn(p, upper);
        bool whole = p == line || (!islower((unsigned char)p[-1]) && p[-1] != '.');
        if (n >= 5 && memchr(p, '_', n) && isupper((unsigned char)*p) && whole &&
            !islower((unsigned char)p[n])) {
            AUTO_FREE char *name = xstrndup(p, n);
            const char *value = value_of(s, name);
            *ret_known = value && !*value;
            if (*ret_known || (!value && (environment || is_secret_name(p, n) ||
                                          is_setting_name(p, n))))
                return TAKE(name);
        }
        p += n ? n : 1;
    }
    return NULL;
}

static bool speaks_of_environment(const char *line)
{
    static const char *const words[] = { "environment", "env var", "env variable", "process.env",
                                         NULL };
    return words_have(line, words);
}

/* A line that is nothing but a name: "  - SLACK_TEAM_ID", "      \"NOTION_API_KEY\",",
 * "→ at X_KEY" */
static bool is_bare(const char *line)
{
    size_t lower = 0;
    for (; *line; line++)
        lower += islower((unsigned char)*line) != 0;
    return lower <= 2;
}

/* Lists of names stand below the line that speaks of them, or, in what a validator prints,
 * above. */
static char *name_near(const struct match *m, bool *ret_known)
{
    bool environment = speaks_of_environment(m->line);
    for (size_t k = 1; k <= NEAR_LINES; k++) {
        char *name = NULL;
        if (m->at >= k && is_bare(m->lines->v[m->at - k]))
            name = unset_name(m->s, m->lines->v[m->at - k], environment, ret_known);
        if (!name && m->at + k < m->lines->n && is_bare(m->lines->v[m->at + k]))
            name = unset_name(m->s, m->lines->v[m->at + k], environment, ret_known);
        if (name)
            return name;
    }
    return NULL;
}

/* Python's os.environ["NAME"], told by the frame of os.py. */
static char *name_of_key_error(const struct match *m, bool *ret_known)
{
    AUTO_FREE char *name = words_piece(m->line, "KeyError: ");
    const char *value = name ? value_of(m->s, name) : NULL;
    if (!name || value || !isalpha((unsigned char)name[0]) ||
        !(words_anywhere(m, "<frozen os>") || words_anywhere(m, "/os.py")))
        return NULL;
    *ret_known = true;
    return TAKE(name);
}

/* pydantic's settings: the field's name on a line of its own, above "Field required". */
static char *name_of_field(const struct match *m, bool *ret_known)
{
    static const char field[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    const char *above = m->at + 1 < m->lines->n ? m->lines->v[m->at + 1] : "";
    size_t n = strspn(above, field);
    if (!strcasestr(m->line, "field required") || n < 3 || above[n] ||
        !words_anywhere(m, "pydantic_settings"))
        return NULL;
    *ret_known = false;
    char *name = xstrdup(above);
    for (char *c = name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return name;
}

static char *missing_name(const struct match *m, bool *ret_known)
{
    char *name = name_of_key_error(m, ret_known);
    if (!name && !strcasestr(m->line, "keyerror"))
        name = unset_name(m->s, m->line, speaks_of_environment(m->line), ret_known);
    if (!name)
        name = name_of_field(m, ret_known);
    return name || strcasestr(m->line, "not found") ? name : name_near(m, ret_known);
}

bool variable_missing(const struct match *m)
{
    bool known = false;
    AUTO_FREE char *name = missing_name(m, &known);
    const char *value = name ? value_of(m->s, name) : NULL;
    if (!name)
        return false;
    struct finding *f = value
        ? words_told(m, FIND_ENV_MISSING, !known, "it needs %s, and its env gives it empty", name)
        : words_told(m, FIND_ENV_MISSING, !known, "it needs %s, which its env does not have", name);
    finding_evidence(f, "config", 0, "env of %s (line %d)", m->s->name, m->s->config->line);
    finding_step(f, "give it in the server's env: \"%s\": \"${env:%s}\" takes it from where the "
                    "supervisor was started", name, name);
    return true;
}
