/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `docker run` words → fields of a plan, by a table of flags. Words that the plan holds anyway (-i,
 * --rm, --init) are accepted; everything outside the table is an error, because a flag silently
 * dropped (--read-only, --cap-drop …) would be isolation that its author believes in and does not
 * have. Never puts a value of -e into a message. */
#include "isolation/runargs.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "config/units.h"
#include "isolation/plan.h"

typedef int (*flag_fn)(struct plan *p, const char *value, struct fault *f);
struct flag {
    char letter;          /* 0 = none */
    const char *name;
    const char *other_name;
    flag_fn apply;        /* NULL: a switch that the plan holds anyway */
    const char *refused;  /* why it cannot be */
};

static void set_str(char **to, const char *s)
{
    free(*to);
    *to = xstrdup(s);
}

static int apply_memory(struct plan *p, const char *value, struct fault *f)
{
    if (units_memory(value, &p->memory_bytes, f) < 0)
        return -1;
    set_str(&p->memory_text, value);
    return 0;
}

static int apply_cpus(struct plan *p, const char *value, struct fault *f)
{
    if (units_cpus(value, &p->nano_cpus, f) < 0)
        return -1;
    set_str(&p->cpu_text, value);
    return 0;
}

static int apply_pids(struct plan *p, const char *value, struct fault *f)
{
    return units_pids(value, &p->pids_limit, f);
}

static int apply_network(struct plan *p, const char *value, struct fault *f)
{
    if (!*value || strchr(value, ','))
        return fault_set(f, FAULT_INVALID,
                         "\"%.60s\" is no network: write bridge, none, host or a network's name",
                         value);
    set_str(&p->network_mode, value);
    return 0;
}

static int apply_workdir(struct plan *p, const char *value, struct fault *f)
{
    if (value[0] != '/')
        return fault_set(f, FAULT_INVALID, "\"%.100s\" must be an absolute path in the container",
                         value);
    set_str(&p->working_dir, value);
    return 0;
}

/* KEY=VALUE, or KEY alone: the value of our own environment, nothing when unset (as docker run
 * does). */
static int apply_env(struct plan *p, const char *value, struct fault *f)
{
    const char *eq = strchr(value, '=');
    if (eq == value || !*value)
        return fault_set(f, FAULT_INVALID,
                         "an environment variable needs a name: KEY=VALUE or KEY");
    AUTO_FREE char *key = eq ? xstrndup(value, (size_t)(eq - value)) : xstrdup(value);
    const char *v = eq ? eq + 1 : getenv(key);
    if (v)
        kvvec_set(&p->container_env, key, v);
    return 0;
}

static const struct flag flags[] = {
    {'m', "memory", NULL, apply_memory, NULL},
    {0, "cpus", NULL, apply_cpus, NULL},
    {0, "pids-limit", NULL, apply_pids, NULL},
    {'v', "volume", NULL, runargs_add_volume, NULL},
    {'e', "env", NULL, apply_env, NULL},
    {0, "network", "net", apply_network, NULL},
    {'w', "workdir", NULL, apply_workdir, NULL},
    {'i', "interactive", NULL, NULL, NULL},
    {0, "rm", NULL, NULL, NULL},
    {0, "init", NULL, NULL, NULL},
    {'t', "tty", NULL, NULL,
     "a terminal would garble the protocol (\"the input device is not a TTY\")"},
    {'d', "detach", NULL, NULL, "the server talks over the container's stdin and stdout"},
};

static const struct flag *find_long(const char *name, size_t n)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if ((strlen(flags[i].name) == n && strncmp(flags[i].name, name, n) == 0) ||
            (flags[i].other_name && strlen(flags[i].other_name) == n &&
             strncmp(flags[i].other_name, name, n) == 0))
            return &flags[i];
    return NULL;
}

static const struct flag *find_letter(char c)
{
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (c && flags[i].letter == c)
            return &flags[i];
    return NULL;
}

/* The flag's own part of a word, for messages: what follows "=" may be a secret. */
static int unknown(const char *word, struct fault *f)
{
    return fault_set(
        f, FAULT_UNSUPPORTED,
        "\"%.*s\" is not supported here: use --memory, --cpus, --pids-limit, --volume, --env, "
        "--network or --workdir",
        (int)(strcspn(word, "=") > 60 ? 60 : strcspn(word, "=")), word);
}

/* The value of a flag: joined to it, or the next word. NULL with a fault when there is none. */
static const char *flag_value(const struct strvec *words, size_t *i, const char *joined,
                              struct fault *f)
{
    if (joined)
        return joined;
    if (*i + 1 < words->n)
        return words->v[++*i];
    fault_set(f, FAULT_INVALID, "\"%.60s\" needs a value", words->v[*i]);
    return NULL;
}

static int apply_flag(struct plan *p, const struct flag *flag, const struct strvec *words,
                      size_t *i, const char *joined, struct fault *f)
{
    const char *value = flag_value(words, i, joined, f);
    if (!value)
        return -1;
    return flag->apply(p, value, f) < 0 ? fault_wrap(f, "--%s", flag->name) : 0;
}

static int apply_long(struct plan *p, const struct strvec *words, size_t *i, struct fault *f)
{
    const char *word = words->v[*i] + 2;
    const char *eq = strchr(word, '=');
    const struct flag *flag = find_long(word, eq ? (size_t)(eq - word) : strlen(word));
    if (!flag)
        return unknown(words->v[*i], f);
    if (flag->refused && (!eq || strcmp(eq, "=false") != 0))
        return fault_set(f, FAULT_UNSUPPORTED, "--%s is not possible: %s", flag->name,
                         flag->refused);
    if (!flag->apply)
        return eq && strcmp(eq, "=true") != 0 && strcmp(eq, "=false") != 0
                   ? unknown(words->v[*i], f)
                   : 0;
    return apply_flag(p, flag, words, i, eq ? eq + 1 : NULL, f);
}

/* "-m 1g", "-m1g", "-m=1g", "-iv /a:/b": letters without a value may be joined before one with a
 * value. */
static int apply_short(struct plan *p, const struct strvec *words, size_t *i, struct fault *f)
{
    for (const char *c = words->v[*i] + 1; *c; c++) {
        const struct flag *flag = find_letter(*c);
        if (!flag)
            return fault_set(f, FAULT_UNSUPPORTED, "\"-%c\" is not supported here", *c);
        if (flag->refused)
            return fault_set(f, FAULT_UNSUPPORTED, "-%c (--%s) is not possible: %s", *c, flag->name,
                             flag->refused);
        if (flag->apply)
            return apply_flag(p, flag, words, i, c[1] ? c + 1 + (c[1] == '=') : NULL, f);
    }
    return 0;
}

int runargs_apply(struct plan *p, const struct strvec *words, size_t *ret_index, struct fault *f)
{
    for (size_t i = 0; i < words->n; i++) {
        const char *w = words->v[i];
        int rc;
        if (w[0] == '-' && w[1] == '-' && w[2])
            rc = apply_long(p, words, &i, f);
        else if (w[0] == '-' && w[1] && w[1] != '-')
            rc = apply_short(p, words, &i, f);
        else
            rc = fault_set(
                f, FAULT_INVALID,
                "\"%.60s\" is no flag of docker run (the image and the command have keys "
                "of their own)",
                w);
        if (rc < 0) {
            *ret_index = i;    /* the value's position where that is a word of its own */
            return -1;
        }
    }
    return 0;
}

/* ---- volumes ---- */

static bool is_volume_name(const char *s)
{
    if (!isalnum((unsigned char)*s) || !s[1])
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}

static int parse_options(const char *word, const char *options, bool *ret_read_only,
                         struct fault *f)
{
    while (*options) {
        size_t n = strcspn(options, ",");
        if (n == 2 && strncmp(options, "ro", 2) == 0)
            *ret_read_only = true;
        else if (n == 2 && strncmp(options, "rw", 2) == 0)
            *ret_read_only = false;
        else
            return fault_set(f, FAULT_UNSUPPORTED,
                             "\"%.200s\": the option \"%.*s\" is not supported, only \"ro\" and "
                             "\"rw\" are",
                             word, (int)n, options);
        options += n + (options[n] == ',');
    }
    return 0;
}

static char *volume_source(const char *word, const char *source, bool *ret_is_volume,
                           struct fault *f)
{
    *ret_is_volume = false;
    if (source[0] == '/')
        return xstrdup(source);
    if (source[0] == '~' && (source[1] == '/' || !source[1])) {
        const char *home = getenv("HOME");
        if (home)
            return xasprintf("%s%s", home, source + 1);
        fault_set(f, FAULT_INVALID, "\"%.200s\": HOME is not set, so ~ has no meaning", word);
        return NULL;
    }
    if (is_volume_name(source)) {
        *ret_is_volume = true;
        return xstrdup(source);
    }
    fault_set(f, FAULT_INVALID,
              "\"%.200s\": the part before \":\" must be an absolute path (or a volume's name)",
              word);
    return NULL;
}

/* A later mount on the same target replaces the earlier one: later flags win. */
static void put_mount(struct plan *p, const struct plan_mount *m)
{
    for (size_t i = 0; i < p->mount_count; i++) {
        if (strcmp(p->mounts[i].target, m->target) == 0) {
            free(p->mounts[i].source);
            free(p->mounts[i].target);
            p->mounts[i] = *m;
            return;
        }
    }
    p->mounts = xrealloc(p->mounts, (p->mount_count + 1) * sizeof(*p->mounts));
    p->mounts[p->mount_count++] = *m;
}

int runargs_add_volume(struct plan *p, const char *word, struct fault *f)
{
    AUTO_FREE char *copy = xstrdup(word);
    char *target = strchr(copy, ':');
    if (!target)
        return fault_set(f, FAULT_INVALID,
                         "\"%.200s\" is no volume: write \"/host/path:/container/path[:ro]\"",
                         word);
    *target++ = '\0';
    char *options = strchr(target, ':');
    if (options)
        *options++ = '\0';
    struct plan_mount m = {0};
    if (target[0] != '/' || !target[1])
        return fault_set(f, FAULT_INVALID,
                         "\"%.200s\": the path in the container must be absolute, and not \"/\"",
                         word);
    if (options && parse_options(word, options, &m.read_only, f) < 0)
        return -1;
    m.source = volume_source(word, copy, &m.is_volume, f);
    if (!m.source)
        return -1;
    m.target = xstrdup(target);
    put_mount(p, &m);
    return 0;
}
