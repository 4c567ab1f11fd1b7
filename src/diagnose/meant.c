/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What was meant by a command or a path that is nowhere. */
#include "diagnose/diagnose_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/near.h"
#include "isolation/runtime.h"

enum { SHORTEST = 3, RUNNERS_MAX = 4 };

/* Programs of their own, one letter from a runner. */
static bool is_another(const char *command)
{
    static const char *const others[] = { "nix", "code" };
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        if (strcmp(command, others[i]) == 0)
            return true;
    return false;
}

/* uv is not meant by who writes uvx; python3 may be by who writes python. */
static bool stands_for(const struct runtime *rt, const char *command)
{
    if (strcmp(rt->name, "other") == 0 || strcmp(rt->name, "shell") == 0)
        return false;
    return strcmp(runtime_detect(command)->name, "other") == 0 ||
        (rt->family_key && strcmp(rt->family_key, command) == 0 && !rt->cache_volume);
}

struct runners {
    const char *v[RUNNERS_MAX];      /* all as near as the first */
    size_t n, distance;
};

static void runners_try(struct runners *r, const struct symptoms *s, const char *candidate)
{
    const char *command = s->config->command;
    size_t a = strlen(command), b = strlen(candidate);
    struct near near = { .word = command, .distance = r->distance + 1 };
    if ((a > b ? a - b : b - a) > 1 || strcmp(command, candidate) == 0)
        return;
    near_try(&near, candidate);
    if (!near.best || (s->plan->mode == PLAN_HOST && !fix_host_has(s, candidate, NULL)))
        return;
    if (near.distance < r->distance)
        r->n = 0;
    r->distance = near.distance;
    if (r->n < RUNNERS_MAX)
        r->v[r->n++] = candidate;
}

void meant_command(const struct symptoms *s, struct finding *f)
{
    static const char *const engines[] = { "docker", "podman", "nerdctl" };
    const char *command = s->config->command ? s->config->command : "";
    struct runners r = { .distance = 1 };
    size_t n;
    const struct runtime *table = runtime_table(&n);
    if (strlen(command) < SHORTEST || strchr(command, '/') || s->plan->adopted ||
        is_another(command))
        return;
    for (size_t i = 0; i < n; i++)
        if (stands_for(&table[i], command))
            runners_try(&r, s, table[i].command);
    for (size_t i = 0; i < ARRAY_LEN(engines); i++)
        if (strcmp(runtime_detect(command)->name, "other") == 0)
            runners_try(&r, s, engines[i]);
    if (r.n == 1)
        fix_command(f, s, r.v[0]);
    if (r.n < 2)
        return;
    AUTO_BUF struct buf names = BUF_INIT;
    for (size_t i = 0; i < r.n; i++)
        buf_printf(&names, "%s%s", i ? " or " : "", r.v[i]);
    finding_step(f, "did you mean %s?", buf_str(&names));
}

/* /home/u/Documents/notes of /home/u/Documnets/notes: the first part that is missing is the one
 * that is misspelt. */
static char *meant_path(const struct symptoms *s, const char *path)
{
    for (const char *end = path; *path == '/' && *end;) {
        const char *name = end + strspn(end, "/");
        end = name + strcspn(name, "/");
        AUTO_FREE char *part = xstrndup(path, (size_t)(end - path));
        if (end == name || s->exists(part))
            continue;
        AUTO_FREE char *dir = xstrndup(path, (size_t)(name - path));
        AUTO_FREE char *word = xstrndup(name, (size_t)(end - name));
        AUTO_FREE char *entry = s->nearest(dir, word);
        if (!entry)
            return NULL;
        char *whole = xasprintf("%s%s%s", dir, entry, end);
        if (s->exists(whole))
            return whole;
        free(whole);
        return xasprintf("%s%s", dir, entry);
    }
    return NULL;
}

void meant_path_step(const struct symptoms *s, struct finding *f, const char *path)
{
    AUTO_FREE char *meant = s->nearest ? meant_path(s, path) : NULL;
    if (meant)
        finding_step(f, "did you mean %s?", meant);
}
