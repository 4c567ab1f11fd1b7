/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A server whose command is `docker run …` runs as the container that docker would have made, made
 * by us: same image, words, environment, flags. Decides whether that can be, and fills the plan.
 *
 *   docker_isolation's limits and hardening      only where the server's own isolation asks
 *   the flags of docker run                      as their author wrote them
 *   the server's own isolation keys, extra_args  the user's last word: where the limits dialog
 *                                                writes
 *
 * What cannot be taken over runs as written, on the host: a flag outside the mapping, a wrapper
 * before docker, an option of docker's own, an environment that leads docker to another engine. */
#include <string.h>
#include "base/mem.h"
#include "isolation/host_env.h"
#include "isolation/plan_make.h"
#include "isolation/runargs.h"

/* Variables of the server that docker itself would obey: its engine may be another one. */
static const char *const steering[] = {"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
                                       "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "CONTAINER_HOST",
                                       "CONTAINER_CONNECTION"};

/* Position of the first word after "run"; 0 = no `docker run`. */
static size_t flags_at(const struct strvec *args)
{
    if (args->n > 0 && strcmp(args->v[0], "run") == 0)
        return 1;
    bool container = args->n > 1 && strcmp(args->v[0], "container") == 0;
    return container && strcmp(args->v[1], "run") == 0 ? 2 : 0;
}

static struct runargs words_of(const struct maker *m, struct plan *p)
{
    return (struct runargs){.plan = p, .where = "args", .line = m->server->line,
                            .env = &m->server->env, .dir = m->server->working_dir,
                            .adopted = true};
}

/* What a reading of the words would come to, without touching the plan. */
static int try_words(const struct maker *m, size_t *ret_index, struct fault *f)
{
    struct plan *scratch = xcalloc(1, sizeof(*scratch));
    const struct runargs r = words_of(m, scratch);
    const struct strvec *args = &m->server->args;
    int rc = runargs_read(&r, args, flags_at(args), ret_index, f);
    plan_free(scratch);
    if (rc == 0 && *ret_index >= args->n)
        rc = fault_set(f, FAULT_INVALID, "there is no image");
    return rc;
}

/* Why docker would not take the words to our engine, or NULL. */
static char *another_way(const struct maker *m)
{
    char scratch[64];
    const struct strvec *args = &m->server->args;
    const char *base = runtime_base_name(m->server->command, scratch, sizeof(scratch));
    if (strcmp(base, "docker") != 0 && strcmp(base, "podman") != 0)
        return xasprintf("it is started by %s", base);
    if (args->n > 0 && args->v[0][0] == '-')
        return xasprintf("%s's own option %s (args[0]) stands before run", base, args->v[0]);
    for (size_t i = 0; i < ARRAY_LEN(steering); i++)
        if (kvvec_get(&m->server->env, steering[i]))
            return xasprintf("its env has %s, which leads %s elsewhere", steering[i], base);
    if (m->config->engine == ENGINE_KIND_NONE)
        return xstrdup("docker's context is one that mcptop cannot use itself (over TCP or ssh, "
                       "or broken)");
    return NULL;
}

/* Podman's client keeps its containers where only Podman's engine sees them. */
static bool is_of_another_engine(const struct maker *m)
{
    char scratch[64];
    const char *base = runtime_base_name(m->server->command, scratch, sizeof(scratch));
    return strcmp(base, "podman") == 0 && m->config->engine != ENGINE_KIND_PODMAN;
}

enum adoption plan_adopt(struct maker *m, char **ret_why)
{
    struct fault f = FAULT_NONE;
    size_t index = 0;
    const struct strvec *args = &m->server->args;
    *ret_why = another_way(m);
    if (*ret_why || !flags_at(args))
        return ADOPT_NOT;
    if (m->own->mode == MODE_NONE) {
        *ret_why = xasprintf("isolation.mode is \"none\" (line %d)", m->own->line[ISO_MODE]);
        return ADOPT_NOT;
    }
    if (try_words(m, &index, &f) == 0 && is_of_another_engine(m)) {
        m->p->awaits_engine = true;
        *ret_why = xstrdup("the engine is not Podman's");
        return ADOPT_NOT;
    }
    if (!f.code)
        return ADOPT_YES;
    if (f.code == FAULT_UNSUPPORTED || f.code == FAULT_INVALID) {
        *ret_why = xasprintf("args[%zu]: %s", index, f.text);
        return ADOPT_NOT;
    }
    AUTO_FREE char *key = xasprintf("%s.args[%zu]", m->server->key, index);
    plan_refuse(m, m->server->line, key, f.text);
    return ADOPT_REFUSED;
}

/* ---- the plan ---- */

/* Do docker_isolation's limits and hardening hold for it too? */
static bool asks_for_more(const struct maker *m)
{
    return m->own->enabled == TRI_YES || m->own->mode == MODE_DOCKER;
}

static void take_image(struct maker *m, size_t at)
{
    struct plan *p = m->p;
    const struct strvec *args = &m->server->args;
    strvec_fini(&p->argv);
    for (size_t i = at + 1; i < args->n; i++)
        strvec_add(&p->argv, args->v[i]);
    const char *image = m->own->image ? m->own->image : args->v[at];
    int line = m->own->image ? m->own->line[ISO_IMAGE] : m->server->line;
    p->image = xstrdup(image);
    if (m->own->image)
        plan_note_add(p, "image", image, line, false, "isolation.image (line %d) stands above %s",
                      line, args->v[at]);
    else
        plan_note_add(p, "image", image, line, false, "args[%zu] of docker run", at);
}

static void set_text(char **to, const char *s)
{
    free(*to);
    *to = xstrdup(s);
}

/* The server's own keys stand above its flags: a limit that is changed in the view counts. */
static void take_own_keys(struct maker *m)
{
    struct plan *p = m->p;
    const struct iso_settings *own = m->own;
    if (own->line[ISO_MEMORY_LIMIT]) {
        set_text(&p->memory_text, own->memory_limit);
        p->memory_bytes = own->memory_bytes;
        /* The flag's sum belongs to the flag's memory. */
        p->memory_swap_bytes = 0;
    }
    if (own->line[ISO_CPU_LIMIT]) {
        set_text(&p->cpu_text, own->cpu_limit);
        p->nano_cpus = own->nano_cpus;
    }
    if (own->line[ISO_PIDS_LIMIT])
        p->pids_limit = own->pids_limit;
    if (own->line[ISO_NETWORK_MODE])
        set_text(&p->network_mode, own->network_mode);
    if (own->line[ISO_PULL_POLICY]) {
        p->pull_policy = own->pull_policy;
        free(p->pull_key);
        p->pull_key = xasprintf("isolation.pull_policy (line %d)", own->line[ISO_PULL_POLICY]);
    }
    plan_take_working_dir(m);
    plan_take_volumes(m);
    plan_apply_extra_args(m, own);
    for (size_t i = 0; i < own->env.n; i++)
        plan_env_set(p, own->env.v[i].key, own->env.v[i].value);
}

/* ---- notes ---- */

static void note_limit(struct maker *m, enum iso_key key, const char *value, const char *by_flags)
{
    const char *prefix;
    const struct iso_settings *more = asks_for_more(m) ? plan_level(m, key, &prefix) : NULL;
    const char *name = iso_key_name(key);
    if (m->own->line[key])
        plan_note_add(m->p, name, value, m->own->line[key], false, "isolation.%s (line %d)", name,
                      m->own->line[key]);
    else if (by_flags)
        plan_note_add(m->p, name, value, m->server->line, false, "a flag of docker run");
    else if (more)
        plan_note_add(m->p, name, value, more->line[key], false, "%s%s (line %d)", prefix, name,
                      more->line[key]);
    else
        plan_note_add(m->p, name, value, 0, false,
                      asks_for_more(m) ? "default"
                                       : "docker run does not say: isolation.enabled: true adds "
                                         "docker_isolation's limits");
}

static void note_limits(struct maker *m, const struct plan *flags)
{
    struct plan *p = m->p;
    note_limit(m, ISO_MEMORY_LIMIT, p->memory_bytes ? p->memory_text : "none",
               flags->memory_text);
    note_limit(m, ISO_CPU_LIMIT, p->nano_cpus ? p->cpu_text : "none", flags->cpu_text);
    note_limit(m, ISO_NETWORK_MODE, p->network_mode, flags->network_mode);
}

/* The mistakes that are easy to make: a variable named and not set, and one set and not named
 * (PATH and the like are docker's own to use). */
static void note_env(struct maker *m)
{
    struct plan *p = m->p;
    const struct kvvec *env = &m->server->env;
    for (size_t i = 0; i < p->env_unset.n; i++)
        plan_note_add(p, "env", p->env_unset.v[i], m->server->line, true,
                      "-e %s has no value: the server's env has none, and mcptop's own environment "
                      "has none",
                      p->env_unset.v[i]);
    for (size_t i = 0; i < env->n; i++)
        if (!kvvec_get(&p->container_env, env->v[i].key) &&
            !kvvec_get(&p->client_env, env->v[i].key) &&
            !host_env_passes(env->v[i].key, strlen(env->v[i].key)))
            plan_note_add(p, "env", env->v[i].key, m->server->line, true,
                          "env sets %s, but no -e of docker run hands it to the container: add "
                          "\"-e\", \"%s\" before the image",
                          env->v[i].key, env->v[i].key);
}

/* What docker run's words would be in a shell is a warning of the file, too: with the line. */
static void warn_of_volumes(struct maker *m)
{
    AUTO_FREE char *key = xasprintf("%s.args", m->server->key);
    for (size_t i = 0; m->problems && i < m->p->note_count; i++) {
        const struct plan_note *note = &m->p->notes[i];
        if (note->warning && strcmp(note->what, "volume") == 0)
            problems_add(m->problems, PROBLEM_WARNING, note->line, key, "%s: %s", note->value,
                         note->why);
    }
}

void plan_fill_adopted(struct maker *m)
{
    struct plan *p = m->p;
    const struct strvec *args = &m->server->args;
    /* The flags alone, to tell what they said from what was added. */
    struct plan *flags = xcalloc(1, sizeof(*flags));
    const struct runargs alone = words_of(m, flags), all = words_of(m, p);
    size_t image_at = 0;
    runargs_read(&alone, args, flags_at(args), &image_at, NULL);
    p->runtime = xstrdup("image");
    p->network_mode = xstrdup("default");
    take_image(m, image_at);
    plan_take_pull_policy(m);
    plan_take_timeout(m);
    plan_take_log(m);
    if (asks_for_more(m)) {
        plan_take_limits(m);
        for (size_t i = 0; i < m->global->env.n; i++)
            plan_env_set(p, m->global->env.v[i].key, m->global->env.v[i].value);
        plan_apply_extra_args(m, m->global);
    }
    if (flags->memory_text)
        p->memory_swap_bytes = 0;
    runargs_read(&all, args, flags_at(args), &image_at, NULL);
    take_own_keys(m);
    plan_take_client(m);
    if (asks_for_more(m) || m->own->line[ISO_HARDENING])
        plan_harden(m, NULL);
    note_limits(m, flags);
    note_env(m);
    warn_of_volumes(m);
    plan_find_weakness(m);
    plan_free(flags);
}
