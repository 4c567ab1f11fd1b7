/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the plan tells of a start before the server has shown it: a package that no network can
 * bring, a path that will not be there. Told only of a server that has never been ready by this
 * plan, as a warning: it may turn out well (a warm cache, a directory that the server makes
 * itself). */
#include "diagnose/diagnose_internal.h"

#include <string.h>
#include <sys/stat.h>
#include "base/mem.h"
#include "isolation/runtime.h"

/* ---- a package ---------------------------------------------------------------------------- */

bool network_cuts_off(const struct symptoms *s)
{
    const struct plan *p = s->plan;
    return p->mode == PLAN_DOCKER && !p->adopted && !s->ever_ready && p->network_mode &&
           strcmp(p->network_mode, "none") == 0 && p->argv.n &&
           runtime_detect(p->argv.v[0])->cache_volume;
}

struct finding *tell_cut_off(const struct symptoms *s, struct findings *fs, const char *unless)
{
    struct finding *f = findings_add(fs, FIND_NETWORK_BLOCKED, s->name,
                                     "%s fetches its package at the start%s, and the container has "
                                     "no network (network_mode none)",
                                     runtime_detect(s->plan->argv.v[0])->command, unless);
    finding_evidence(f, "plan", 0, "network_mode is none: %s", plan_why(s->plan, "network_mode"));
    fix_network(f, s, "bridge");
    finding_step(f, "or an image that has the package: isolation.image");
    return f;
}

/* Its user has seen to it: an image of its own choice, a runner that is told to stay offline. */
static bool is_prepared(const struct symptoms *s)
{
    static const char *const words[] = { "--offline", "--prefer-offline", "--no-install" };
    static const char *const variables[] = { "UV_OFFLINE", "NPM_CONFIG_OFFLINE",
                                             "npm_config_offline", "npm_config_prefer_offline" };
    if (s->config->isolation.image)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        for (size_t k = 0; k < s->plan->argv.n; k++)
            if (strcmp(s->plan->argv.v[k], words[i]) == 0)
                return true;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++)
        if (kvvec_get(&s->plan->container_env, variables[i]))
            return true;
    return false;
}

static bool expect_no_package(const struct symptoms *s, struct findings *fs)
{
    if (!network_cuts_off(s) || is_prepared(s))
        return false;
    tell_cut_off(s, fs, " unless its cache has it")->expected = true;
    return true;
}

/* ---- paths -------------------------------------------------------------------------------- */

/* The engine refuses a mount proper whose source is missing. */
static bool expect_no_volume(const struct symptoms *s, struct findings *fs)
{
    for (size_t i = 0; i < s->plan->mount_count; i++) {
        const struct plan_mount *m = &s->plan->mounts[i];
        if (m->is_volume || m->is_tmpfs || m->bind || m->source[0] != '/' || s->exists(m->source))
            continue;
        tell_no_volume(s, fs, m->source)->expected = true;
        return true;
    }
    return false;
}

static bool is_file(const struct symptoms *s, const char *path)
{
    struct stat st;
    return s->status(path, &st) && S_ISREG(st.st_mode);
}

/* A script that lies in the host's working_dir. An image of the user's choice may have it, too. */
static bool expect_no_script(const struct symptoms *s, struct findings *fs)
{
    const char *dir = files_unmounted_working_dir(s);
    for (size_t i = 0; dir && !s->config->isolation.image && i < s->config->args.n; i++) {
        const char *word = s->config->args.v[i];
        AUTO_FREE char *path = xasprintf("%s/%s", dir, word);
        if (word[0] == '/' || word[0] == '-' || !is_file(s, path))
            continue;
        struct finding *f = files_tell_working_dir(s, fs, 0, "");
        finding_evidence(f, "host", 0, "%s lies there", word);
        f->expected = true;
        return true;
    }
    return false;
}

static bool expect_no_path(const struct symptoms *s, struct findings *fs)
{
    const char *path = files_unmounted_argument(s);
    if (!path)
        return false;
    files_tell_not_mounted(s, fs, path, path, 0, "")->expected = true;
    return true;
}

void expected_of_plan(const struct symptoms *s, struct findings *fs)
{
    if (s->plan->mode != PLAN_DOCKER)
        return;
    if (!expect_no_volume(s, fs) && !expect_no_script(s, fs) && !expect_no_path(s, fs))
        expect_no_package(s, fs);
}
