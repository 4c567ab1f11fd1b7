/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Makes plans: the order of the decisions, and what a plan for the host holds. Pure but for HOME
 * and for `-e KEY`, which are looked up in our environment as docker run would. plan_mode.c decides
 * the mode, plan_docker.c fills a container's plan, plan_engine.c and plan_words.c put it into the
 * engine's and the shell's language. */
#include "isolation/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "isolation/plan_make.h"

enum { START_TIMEOUT_MS = 30 * 1000 };

const char *plan_mode_name(enum plan_mode m)
{
    static const char *const names[] = {
        [PLAN_HOST] = "host", [PLAN_DOCKER] = "docker", [PLAN_UNSUPPORTED] = "unsupported",
    };
    return names[m];
}

const struct iso_settings *plan_level(const struct maker *m, enum iso_key key,
                                      const char **ret_prefix)
{
    const char *ignored;
    const char **prefix = ret_prefix ? ret_prefix : &ignored;
    if (m->own->line[key]) {
        *prefix = "isolation.";
        return m->own;
    }
    *prefix = "docker_isolation.";
    return m->global->line[key] ? m->global : NULL;
}

void plan_note_add(struct plan *p, const char *what, const char *value, int line, bool warning,
                   const char *why, ...)
{
    struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, why);
    buf_vprintf(&text, why, ap);
    va_end(ap);
    p->notes = xrealloc(p->notes, (p->note_count + 1) * sizeof(*p->notes));
    p->notes[p->note_count++] = (struct plan_note){
        .what = xstrdup(what),
        .value = xstrdup(value),
        .why = buf_take(&text),
        .line = line,
        .warning = warning,
    };
}

static bool problem_known(const struct problems *problems, const char *key, const char *text)
{
    for (size_t i = 0; i < problems->n; i++)
        if (strcmp(problems->v[i].key, key) == 0 && strcmp(problems->v[i].text, text) == 0)
            return true;
    return false;
}

void plan_refuse(struct maker *m, int line, const char *key, const char *text)
{
    m->p->mode = PLAN_UNSUPPORTED;
    if (!m->p->unsupported) {
        /* "mcpServers[2].isolation.volumes[0]": the server is known, its own part of the path is
         * what helps. */
        size_t n = strlen(m->server->key);
        const char *own = strncmp(key, m->server->key, n) == 0 && key[n] == '.' ? key + n + 1 : key;
        m->p->unsupported = xasprintf("%s (line %d): %s", own, line, text);
    }
    /* A global key is the problem of every server, and one problem of the file. */
    if (m->problems && !problem_known(m->problems, key, text))
        problems_add(m->problems, PROBLEM_ERROR, line, key, "%s", text);
}

static void fill_command(struct maker *m)
{
    const struct config_server *s = m->server;
    if (s->command)
        strvec_add(&m->p->argv, s->command);
    for (size_t i = 0; s->command && i < s->args.n; i++)
        strvec_add(&m->p->argv, s->args.v[i]);
    kvvec_copy(&m->p->env, &s->env);
}

struct plan *plan_make(const struct config *c, const struct config_server *s,
                       enum image_runner runner, struct problems *problems)
{
    struct maker m = {
        .config = c,
        .server = s,
        .global = &c->docker_isolation,
        .own = &s->isolation,
        .problems = problems,
        .p = xcalloc(1, sizeof(*m.p)),
    };
    m.p->server = xstrdup(s->name);
    m.p->start_timeout_ms = START_TIMEOUT_MS;
    fill_command(&m);
    plan_decide_mode(&m);
    if (m.p->mode == PLAN_HOST)
        m.p->working_dir = xstrdup(s->working_dir);
    else if (m.p->mode == PLAN_DOCKER && m.p->adopted)
        plan_fill_adopted(&m);
    else if (m.p->mode == PLAN_DOCKER)
        plan_fill_docker(&m, runner);
    plan_set_hashes(m.p);
    return m.p;
}

const char *plan_why(const struct plan *p, const char *what)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (strcmp(p->notes[i].what, what) == 0)
            return p->notes[i].why;
    return "another key of the configuration decides it";
}

const char *plan_option(const struct plan *p, const char *flag)
{
    for (size_t i = p->option_count; i > 0; i--)
        if (strcmp(p->options[i - 1].flag, flag) == 0)
            return p->options[i - 1].value;
    return NULL;
}

const char *plan_program(const struct plan *p)
{
    const char *entrypoint = plan_option(p, "entrypoint");
    return entrypoint && *entrypoint ? entrypoint : p->argv.n ? p->argv.v[0] : "";
}

void plan_option_add(struct plan *p, const char *flag, const char *value, bool hardening)
{
    p->options = xrealloc(p->options, (p->option_count + 1) * sizeof(*p->options));
    p->options[p->option_count++] = (struct plan_option){flag, xstrdup(value), hardening};
}

void plan_option_remove(struct plan *p, size_t i)
{
    free(p->options[i].value);
    memmove(&p->options[i], &p->options[i + 1],
            (--p->option_count - i) * sizeof(*p->options));
}

bool plan_has_path(const struct plan *p, const char *path)
{
    for (size_t i = 0; i < p->mount_count; i++) {
        size_t n = strlen(p->mounts[i].target);
        if (strncmp(path, p->mounts[i].target, n) == 0 && (path[n] == '/' || path[n] == '\0'))
            return true;
    }
    return false;
}

void plan_mount_fini(struct plan_mount *m)
{
    free(m->source);
    free(m->target);
    free(m->bind);
    free(m->propagation);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free(p->unsupported);
    free(p->server);
    strvec_fini(&p->argv);
    kvvec_fini(&p->env);
    free(p->working_dir);
    free(p->image);
    free(p->pull_key);
    free(p->runtime);
    free(p->memory_text);
    free(p->cpu_text);
    free(p->network_mode);
    for (size_t i = 0; i < p->mount_count; i++)
        plan_mount_fini(&p->mounts[i]);
    free(p->mounts);
    kvvec_fini(&p->container_env);
    strvec_fini(&p->env_unset);
    strvec_fini(&p->env_of_files);
    kvvec_fini(&p->client_env);
    for (size_t i = 0; i < p->option_count; i++)
        free(p->options[i].value);
    free(p->options);
    free(p->log_driver);
    free(p->log_max_size);
    free(p->log_max_files);
    kvvec_fini(&p->log_options);
    free(p->weak_why);
    for (size_t i = 0; i < p->note_count; i++) {
        free(p->notes[i].what);
        free(p->notes[i].value);
        free(p->notes[i].why);
    }
    free(p->notes);
    free(p);
}
