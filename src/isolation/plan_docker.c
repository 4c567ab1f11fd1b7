/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Everything a container of a server needs: image, limits, network, mounts, environment, log
 * options, each with a note that says where it comes from. Order matters in one place: extra_args
 * come last, because users write them to override keys that another program ignored. Values of
 * environment variables never reach a note. */
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "isolation/plan_make.h"
#include "isolation/runargs.h"

#define DEFAULT_MEMORY "512m"
#define DEFAULT_CPUS "1.0"
#define DEFAULT_NETWORK "bridge"
enum { DEFAULT_MEMORY_BYTES = 512 << 20, DEFAULT_NANO_CPUS = 1000000000 };
/* A browser that a server drives has two or three hundred threads. */
enum { DEFAULT_PIDS = 512 };

/* A note for a value that a key of some level (or a default) gives. */
static void note_value(struct maker *m, enum iso_key key, const char *value)
{
    const char *prefix;
    const struct iso_settings *from = plan_level(m, key, &prefix);
    if (from)
        plan_note_add(m->p, iso_key_name(key), value, from->line[key], false, "%s%s (line %d)",
                      prefix, iso_key_name(key), from->line[key]);
    else
        plan_note_add(m->p, iso_key_name(key), value, 0, false, "default");
}

/* ---- image ---- */

/* The image of a map for this command: its own name first ("python3.12", "my-tool"), then its
 * family's. */
static const char *image_in(const struct kvvec *images, const struct runtime *rt, const char *base,
                            const char **ret_key)
{
    const char *const keys[] = {base, rt->command, rt->family_key};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *image = keys[i] ? kvvec_get(images, keys[i]) : NULL;
        if (image && *image) {
            *ret_key = keys[i];
            return image;
        }
    }
    return NULL;
}

static const char *choose_image(struct maker *m, const struct runtime *rt, char **ret_why,
                                int *ret_line)
{
    char scratch[64];
    const char *base = runtime_base_name(m->server->command, scratch, sizeof(scratch));
    const char *key = NULL, *image;
    *ret_line = m->own->line[ISO_IMAGE];
    if (m->own->image) {
        *ret_why = xasprintf("isolation.image (line %d)", *ret_line);
        return m->own->image;
    }
    *ret_line = m->own->line[ISO_DEFAULT_IMAGES];
    if ((image = image_in(&m->own->default_images, rt, base, &key)) != NULL) {
        *ret_why = xasprintf("isolation.default_images.%s (line %d)", key, *ret_line);
        return image;
    }
    *ret_line = m->global->line[ISO_DEFAULT_IMAGES];
    if ((image = image_in(&m->global->default_images, rt, base, &key)) != NULL) {
        *ret_why = xasprintf("docker_isolation.default_images.%s (line %d)", key, *ret_line);
        return image;
    }
    *ret_line = 0;
    if (strcmp(rt->name, "other") == 0)
        *ret_why = xasprintf("default for a command of no known runtime: if the image has no %s, "
                             "set isolation.image", base);
    else
        *ret_why = xasprintf("default: %s runs in %s", base, rt->default_image);
    return rt->default_image;
}

static bool is_docker_hub(const char *registry)
{
    return strcmp(registry, "docker.io") == 0 || strcmp(registry, "index.docker.io") == 0;
}

static void fill_image(struct maker *m, const struct runtime *rt)
{
    AUTO_FREE char *why = NULL;
    int line = 0;
    const char *image = choose_image(m, rt, &why, &line);
    const char *prefix;
    const struct iso_settings *with_registry = plan_level(m, ISO_REGISTRY, &prefix);
    if (with_registry && !is_docker_hub(with_registry->registry) && !strchr(image, '/')) {
        size_t n = strlen(with_registry->registry);
        while (n > 0 && with_registry->registry[n - 1] == '/')
            n--;
        m->p->image = xasprintf("%.*s/%s", (int)n, with_registry->registry, image);
        plan_note_add(m->p, "image", m->p->image, line, false,
                      "%s; the registry is %sregistry (line %d)", why, prefix,
                      with_registry->line[ISO_REGISTRY]);
        return;
    }
    m->p->image = xstrdup(image);
    plan_note_add(m->p, "image", image, line, false, "%s", why);
}

void plan_take_pull_policy(struct maker *m)
{
    const char *prefix;
    const struct iso_settings *from = plan_level(m, ISO_PULL_POLICY, &prefix);
    m->p->pull_policy = from ? from->pull_policy : PULL_MISSING;
    if (from)
        m->p->pull_key = xasprintf("%spull_policy (line %d)", prefix, from->line[ISO_PULL_POLICY]);
    note_value(m, ISO_PULL_POLICY, pull_policy_name(m->p->pull_policy));
}

/* A runner is found by its name inside the image; the host's path to it means nothing there. */
static void fill_argv0(struct maker *m, const struct runtime *rt)
{
    struct plan *p = m->p;
    if (!strchr(p->argv.v[0], '/') || strcmp(rt->name, "other") == 0)
        return;
    if (strcmp(rt->name, "shell") == 0)
        return;                  /* /bin/sh is where it is everywhere */
    char scratch[64];
    char *base = xstrdup(runtime_base_name(p->argv.v[0], scratch, sizeof(scratch)));
    plan_note_add(p, "command", base, m->server->line, false,
                  "the path is the host's; in the container the name is enough");
    free(p->argv.v[0]);
    p->argv.v[0] = base;
}

/* ---- limits, network, log ---- */

static int64_t default_pids(enum hardening h)
{
    return h == HARDENING_OFF ? 0 : DEFAULT_PIDS;
}

void plan_take_limits(struct maker *m)
{
    struct plan *p = m->p;
    const struct iso_settings *from = plan_level(m, ISO_MEMORY_LIMIT, NULL);
    p->memory_text = xstrdup(from ? from->memory_limit : DEFAULT_MEMORY);
    p->memory_bytes = from ? from->memory_bytes : DEFAULT_MEMORY_BYTES;
    from = plan_level(m, ISO_CPU_LIMIT, NULL);
    p->cpu_text = xstrdup(from ? from->cpu_limit : DEFAULT_CPUS);
    p->nano_cpus = from ? from->nano_cpus : DEFAULT_NANO_CPUS;
    from = plan_level(m, ISO_PIDS_LIMIT, NULL);
    p->pids_limit = from ? from->pids_limit : default_pids(plan_hardening(m));
    /* strict: only the server itself asks for a network. */
    bool strict = plan_hardening(m) == HARDENING_STRICT;
    from = plan_level(m, ISO_NETWORK_MODE, NULL);
    free(p->network_mode);
    p->network_mode = xstrdup(strict && from != m->own ? "none"
                              : from ? from->network_mode : DEFAULT_NETWORK);
}

void plan_get_defaults(const struct config *c, struct plan_defaults *ret)
{
    const struct iso_settings *g = c ? &c->docker_isolation : NULL;
    *ret = (struct plan_defaults){
        .memory_limit = g && g->memory_limit ? g->memory_limit : DEFAULT_MEMORY,
        .cpu_limit = g && g->cpu_limit ? g->cpu_limit : DEFAULT_CPUS,
        .network_mode = g && g->network_mode ? g->network_mode : DEFAULT_NETWORK,
        .pids_limit = g && g->line[ISO_PIDS_LIMIT] ? g->pids_limit
                                                   : default_pids(g ? g->hardening
                                                                    : HARDENING_STANDARD),
    };
}

void plan_take_log(struct maker *m)
{
    struct plan *p = m->p;
    const struct iso_settings *driver = plan_level(m, ISO_LOG_DRIVER, NULL);
    const struct iso_settings *size = plan_level(m, ISO_LOG_MAX_SIZE, NULL);
    const struct iso_settings *files = plan_level(m, ISO_LOG_MAX_FILES, NULL);
    /* Podman knows no local driver, and its own knows no number of files. */
    bool podman = m->config->engine == ENGINE_KIND_PODMAN && !driver;
    p->log_driver = xstrdup(driver ? driver->log_driver : podman ? "k8s-file" : "local");
    /* Ours is small: the log store has the lines already. The other drivers have no such
     * options. */
    bool rotates = strcmp(p->log_driver, "local") == 0 || strcmp(p->log_driver, "json-file") == 0;
    const char *default_size = !rotates && !podman ? NULL : driver ? "100m" : "10m";
    const char *default_files = !rotates ? NULL : driver ? "3" : "1";
    p->log_max_size = xstrdup(size ? size->log_max_size : default_size);
    p->log_max_files = xstrdup(files ? files->log_max_files : default_files);
    note_value(m, ISO_LOG_DRIVER, p->log_driver);
}

bool plan_log_uncompressed(const struct plan *p)
{
    return strcmp(p->log_driver, "local") == 0 && p->log_max_files &&
           strcmp(p->log_max_files, "1") == 0 && !kvvec_get(&p->log_options, "compress");
}

void plan_take_timeout(struct maker *m)
{
    char text[16];
    const struct iso_settings *from = plan_level(m, ISO_TIMEOUT, NULL);
    if (from && from->timeout_ms > 0)
        m->p->start_timeout_ms = from->timeout_ms;
    note_value(m, ISO_TIMEOUT, clock_span(m->p->start_timeout_ms, text, sizeof(text)));
}

void plan_take_working_dir(struct maker *m)
{
    const struct iso_settings *from = plan_level(m, ISO_WORKING_DIR, NULL);
    if (from && from->working_dir[0] != '/') {
        AUTO_FREE char *key = xasprintf("%s.isolation.working_dir", m->server->key);
        plan_refuse(m, from->line[ISO_WORKING_DIR], key,
                    "must be an absolute path in the container");
    } else if (from) {
        m->p->working_dir = xstrdup(from->working_dir);
        note_value(m, ISO_WORKING_DIR, from->working_dir);
    }
    if (m->server->working_dir && !m->p->adopted)
        plan_note_add(
            m->p, "working_dir", m->server->working_dir, m->server->line, true,
            "working_dir is a directory of the host and has no effect in a container: add it to "
            "isolation.volumes and set isolation.working_dir");
}

/* ---- mounts ---- */

void plan_take_volumes(struct maker *m)
{
    const struct strvec *volumes = &m->own->volumes;
    int line = m->own->line[ISO_VOLUMES];
    for (size_t i = 0; i < volumes->n; i++) {
        struct fault f = FAULT_NONE;
        if (runargs_add_volume(m->p, volumes->v[i], &f) < 0) {
            AUTO_FREE char *key = xasprintf("%s.isolation.volumes[%zu]", m->server->key, i);
            plan_refuse(m, line, key, f.text);
        } else {
            plan_note_add(m->p, "volume", volumes->v[i], line, false,
                          "isolation.volumes[%zu] (line %d)", i, line);
        }
    }
}

static void add_cache_name(const char *server, struct buf *out)
{
    uint32_t hash = 2166136261u;
    bool changed = false;
    for (const char *c = server; *c; c++) {
        bool ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                  (*c >= '0' && *c <= '9') || strchr("_.-", *c);
        buf_add_char(out, ok ? *c : '-');
        changed = changed || !ok;
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    /* "a b" and "a/b" must not come to share what they execute. */
    if (changed)
        buf_printf(out, "-%08x", hash);
}

static bool has_target(const struct plan *p, const char *target)
{
    for (size_t i = 0; i < p->mount_count; i++)
        if (strcmp(p->mounts[i].target, target) == 0)
            return true;
    return false;
}

static void fill_cache(struct maker *m, const struct runtime *rt)
{
    const struct iso_settings *from = plan_level(m, ISO_CACHE_VOLUME, NULL);
    enum cache_volume kind = from ? from->cache_volume : CACHE_PER_SERVER;
    if (!rt->cache_volume || kind == CACHE_NO || has_target(m->p, rt->cache_path))
        return;
    /* A fresh volume is root's. */
    if (plan_hardening(m) == HARDENING_STRICT && !plan_is_root(m->p))
        return;
    AUTO_BUF struct buf word = BUF_INIT;
    buf_printf(&word, "mcpproxy-%s", rt->cache_volume);
    if (kind != CACHE_SHARED) {
        buf_add_char(&word, '-');
        add_cache_name(m->server->name, &word);
    }
    buf_printf(&word, ":%s", rt->cache_path);
    runargs_add_volume(m->p, buf_str(&word), NULL);
    note_value(m, ISO_CACHE_VOLUME, buf_str(&word));
}

/* A program that is no known runner is where the image, or a mount, has it. */
static void note_command(struct maker *m, const struct runtime *rt)
{
    const char *command = m->p->argv.v[0];
    if (!strchr(command, '/') || strcmp(rt->name, "other") != 0 || plan_has_path(m->p, command))
        return;
    plan_note_add(m->p, "command", command, m->server->line, true,
                  "the command is a path of the host, the container has only the image's files: "
                  "set isolation.image to an image that has it, add it to isolation.volumes, or "
                  "set isolation.enabled to false");
}

/* Arguments that look like files of the host: inside, the same path is another place. */
static void note_paths(struct maker *m)
{
    const struct strvec *args = &m->server->args;
    for (size_t i = 0; i < args->n; i++) {
        const char *a = args->v[i];
        bool looks = (a[0] == '/' && a[1] && a[1] != '/') || strncmp(a, "~/", 2) == 0;
        if (!looks || plan_has_path(m->p, a))
            continue;
        AUTO_FREE char *which = xasprintf("args[%zu]", i);
        plan_note_add(m->p, "path", which, m->server->line, false,
                      "this path is not mounted, so it is the container's own: add it to "
                      "isolation.volumes if it is a file of the host");
    }
}

/* ---- what is left ---- */

void plan_apply_extra_args(struct maker *m, const struct iso_settings *level)
{
    struct fault f = FAULT_NONE;
    size_t i = 0;
    const struct runargs r = {
        .plan = m->p,
        .where = level == m->own ? "isolation.extra_args" : "docker_isolation.extra_args",
        .line = level->line[ISO_EXTRA_ARGS],
    };
    if (runargs_apply(&r, &level->extra_args, &i, &f) < 0) {
        AUTO_FREE char *key = level == m->own
            ? xasprintf("%s.isolation.extra_args[%zu]", m->server->key, i)
            : xasprintf("docker_isolation.extra_args[%zu]", i);
        plan_refuse(m, level->line[ISO_EXTRA_ARGS], key, f.text);
    }
}

static const char *or_none(const char *text, int64_t value)
{
    return value ? text : "none";
}

static void note_limit(struct maker *m, enum iso_key key, const char *value, bool overridden)
{
    const char *prefix;
    const struct iso_settings *args = plan_level(m, ISO_EXTRA_ARGS, &prefix);
    if (!overridden || !args)
        note_value(m, key, value);
    else
        plan_note_add(m->p, iso_key_name(key), value, args->line[ISO_EXTRA_ARGS], false,
                      "%sextra_args (line %d) come after %s", prefix, args->line[ISO_EXTRA_ARGS],
                      iso_key_name(key));
}

/* Said where somebody decided it. */
static void note_pids(struct maker *m, int64_t before)
{
    char text[24] = "none";
    if (m->p->pids_limit)
        snprintf(text, sizeof(text), "%lld", (long long)m->p->pids_limit);
    if (plan_level(m, ISO_PIDS_LIMIT, NULL) || m->p->pids_limit != before)
        note_limit(m, ISO_PIDS_LIMIT, text, m->p->pids_limit != before);
}

/* The global words, then the server's; and what they changed is said. */
static void fill_extra_args(struct maker *m)
{
    struct plan *p = m->p;
    AUTO_FREE char *memory = xstrdup(p->memory_text);
    AUTO_FREE char *cpus = xstrdup(p->cpu_text);
    AUTO_FREE char *network = xstrdup(p->network_mode);
    int64_t pids = p->pids_limit;
    plan_apply_extra_args(m, m->global);
    plan_apply_extra_args(m, m->own);
    note_limit(m, ISO_MEMORY_LIMIT, or_none(p->memory_text, p->memory_bytes),
               strcmp(memory, p->memory_text) != 0);
    note_limit(m, ISO_CPU_LIMIT, or_none(p->cpu_text, p->nano_cpus),
               strcmp(cpus, p->cpu_text) != 0);
    note_pids(m, pids);
    bool changed = strcmp(network, p->network_mode) != 0;
    if (!changed && plan_hardening(m) == HARDENING_STRICT && !m->own->line[ISO_NETWORK_MODE])
        plan_note_add(p, iso_key_name(ISO_NETWORK_MODE), p->network_mode, 0, false,
                      "hardening is strict: no network unless isolation.network_mode of the server "
                      "says otherwise");
    else
        note_limit(m, ISO_NETWORK_MODE, p->network_mode, changed);
}

static void fill_env(struct maker *m)
{
    const struct kvvec *const sources[] = {&m->global->env, &m->own->env, &m->server->env};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        for (size_t k = 0; k < sources[i]->n; k++)
            plan_env_set(m->p, sources[i]->v[k].key, sources[i]->v[k].value);
}

static void fill_bootstrap(struct maker *m, const struct runtime *rt, enum image_runner runner)
{
    struct plan *p = m->p;
    if (runner != RUNNER_MISSING)
        return;
    if (rt->installer == INSTALL_NONE) {
        plan_note_add(p, "image", p->image, 0, true,
                      "this image has no %s: choose another with isolation.image", p->argv.v[0]);
        return;
    }
    const char *kept = has_target(p, rt->cache_path)
                           ? "and kept in the cache volume"
                           : "and again at every one, because there is no cache volume";
    p->bootstrap = true;
    plan_note_add(p, "bootstrap", rt->package, 0, false,
                  "%s has no %s: %s is installed at the first start %s", p->image, p->argv.v[0],
                  rt->package, kept);
}

void plan_fill_docker(struct maker *m, enum image_runner runner)
{
    const struct runtime *rt = runtime_detect(m->server->command);
    m->p->runtime = xstrdup(rt->name);
    /* A PID 1 without handlers ignores SIGTERM: every stop would take the whole grace time. */
    m->p->init = true;
    fill_image(m, rt);
    plan_take_pull_policy(m);
    fill_argv0(m, rt);
    plan_take_limits(m);
    plan_take_timeout(m);
    plan_take_working_dir(m);
    plan_take_volumes(m);
    plan_take_log(m);
    fill_extra_args(m);
    fill_cache(m, rt);
    fill_env(m);
    plan_take_client(m);
    plan_harden(m, rt);
    note_command(m, rt);
    note_paths(m);
    plan_find_weakness(m);
    fill_bootstrap(m, rt, runner);
}
