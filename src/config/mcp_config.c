/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration as values: its life, its list of problems, where its file is looked for and how
 * it is read. What the keys mean is load.c's; what follows from them is isolation/plan's. */
#include "config/mcp_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "config/file.h"

static const char *const iso_key_names[ISO_KEYS] = {
    [ISO_ENABLED] = "enabled",
    [ISO_MODE] = "mode",
    [ISO_IMAGE] = "image",
    [ISO_MEMORY_LIMIT] = "memory_limit",
    [ISO_CPU_LIMIT] = "cpu_limit",
    [ISO_PIDS_LIMIT] = "pids_limit",
    [ISO_TIMEOUT] = "timeout",
    [ISO_NETWORK_MODE] = "network_mode",
    [ISO_WORKING_DIR] = "working_dir",
    [ISO_REGISTRY] = "registry",
    [ISO_VOLUMES] = "volumes",
    [ISO_EXTRA_ARGS] = "extra_args",
    [ISO_ENV] = "env",
    [ISO_DEFAULT_IMAGES] = "default_images",
    [ISO_LOG_DRIVER] = "log_driver",
    [ISO_LOG_MAX_SIZE] = "log_max_size",
    [ISO_LOG_MAX_FILES] = "log_max_files",
    [ISO_CACHE_VOLUME] = "enable_cache_volume",
    [ISO_PULL_POLICY] = "pull_policy",
    [ISO_HARDENING] = "hardening",
};

const char *iso_key_name(enum iso_key key)
{
    return iso_key_names[key];
}

void config_server_secrets(const struct config_server *c, struct strvec *values)
{
    secret_know_env(&c->env, values);
    secret_know_env(&c->isolation.env, values);
}

const char *hardening_name(enum hardening h)
{
    static const char *const names[] = {
        [HARDENING_OFF] = "off", [HARDENING_STANDARD] = "standard", [HARDENING_STRICT] = "strict",
    };
    return names[h == HARDENING_UNSET ? HARDENING_STANDARD : h];
}

const char *pull_policy_name(enum pull_policy p)
{
    static const char *const names[] = {
        [PULL_MISSING] = "missing", [PULL_ALWAYS] = "always", [PULL_NEVER] = "never",
    };
    return names[p == PULL_UNSET ? PULL_MISSING : p];
}

/* ---- problems ---- */

/* Kept in order of line, and in order of arrival within a line. */
struct problem *problems_add(struct problems *p, enum problem_severity s, int line, const char *key,
                             const char *fmt, ...)
{
    va_list ap;
    AUTO_BUF struct buf text = BUF_INIT;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);

    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 8;
        p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
    }
    size_t at = p->n;
    while (at > 0 && p->v[at - 1].line > line)
        at--;
    memmove(&p->v[at + 1], &p->v[at], (p->n - at) * sizeof(*p->v));
    p->v[at] = (struct problem){
        .severity = s, .line = line, .key = xstrdup(key), .text = buf_take(&text)};
    p->n++;
    if (s == PROBLEM_ERROR)
        p->errors++;
    return &p->v[at];
}

void problems_fini(struct problems *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].key);
        free(p->v[i].text);
    }
    free(p->v);
    *p = (struct problems){0};
}

/* ---- life ---- */

void iso_settings_fini(struct iso_settings *iso)
{
    free(iso->image);
    free(iso->memory_limit);
    free(iso->cpu_limit);
    free(iso->total_memory);
    free(iso->network_mode);
    free(iso->working_dir);
    free(iso->registry);
    strvec_fini(&iso->volumes);
    strvec_fini(&iso->extra_args);
    kvvec_fini(&iso->env);
    kvvec_fini(&iso->default_images);
    free(iso->log_driver);
    free(iso->log_max_size);
    free(iso->log_max_files);
    *iso = (struct iso_settings){0};
}

static void server_fini(struct config_server *s)
{
    if (s->same_as)
        return;                      /* nothing in it is its own */
    free(s->name);
    free(s->key);
    free(s->protocol);
    free(s->command);
    strvec_fini(&s->args);
    free(s->working_dir);
    kvvec_fini(&s->env);
    free(s->url);
    for (size_t i = 0; i < s->missing_env.n; i++)
        free(s->missing_env.v[i].name);
    free(s->missing_env.v);
    iso_settings_fini(&s->isolation);
    strvec_fini(&s->enabled_tools);
    strvec_fini(&s->disabled_tools);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    free(c->path);
    iso_settings_fini(&c->docker_isolation);
    for (size_t i = 0; i < c->server_count; i++)
        server_fini(&c->servers[i]);
    free(c->servers);
    free(c->by_name);
    free(c->listen);
    free(c->api_key);
    free(c->data_dir);
    free(c->log_dir);
    free(c->log_level);
    free(c->mcp_auth);
    free(c);
}

void config_take_over(struct config *c, struct config *before)
{
    for (size_t i = 0; i < c->server_count; i++) {
        struct config_server *s = &c->servers[i];
        if (s->same_as)
            before->servers[s->same_as - 1] = (struct config_server){ 0 };
        s->same_as = 0;
    }
}

void config_reserve(struct config *c, size_t servers)
{
    c->servers = xcalloc(servers ? servers : 1, sizeof(*c->servers));
    for (c->slots = 16; c->slots < 2 * servers; c->slots *= 2)
        ;
    c->by_name = xcalloc(c->slots, sizeof(*c->by_name));
}

/* Where the server of this name is, or would be: there are always free slots. */
static uint32_t *slot_of(const struct config *c, const char *name)
{
    uint32_t h = 2166136261u;
    for (const char *p = name; *p; p++)
        h = (h ^ (unsigned char)*p) * 16777619u;
    size_t i = h & (c->slots - 1);
    while (c->by_name[i] && strcmp(c->servers[c->by_name[i] - 1].name, name) != 0)
        i = (i + 1) & (c->slots - 1);
    return &c->by_name[i];
}

void config_name_last(struct config *c)
{
    uint32_t *slot = slot_of(c, c->servers[c->server_count - 1].name);
    if (!*slot)
        *slot = (uint32_t)c->server_count;
}

void config_drop_broken(struct config *c)
{
    size_t count = c->server_count;
    memset(c->by_name, 0, c->slots * sizeof *c->by_name);
    c->server_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (c->servers[i].broken) {
            server_fini(&c->servers[i]);
            continue;
        }
        c->servers[c->server_count++] = c->servers[i];
        config_name_last(c);
    }
}

const struct config_server *config_find(const struct config *c, const char *name)
{
    uint32_t at = c->slots ? *slot_of(c, name) : 0;
    return at ? &c->servers[at - 1] : NULL;
}

char *missing_env_words(const struct missing_env *m, size_t from, size_t n)
{
    struct buf out = BUF_INIT;
    buf_printf(&out, "the environment variable%s ", n == 1 ? "" : "s");
    for (size_t i = from; i < from + n; i++)
        buf_printf(&out, "%s%s (line %d)", i == from ? "" : i + 1 == from + n ? " and " : ", ",
                   m->v[i].name, m->v[i].line);
    buf_printf(&out, " %s not set: set %s where mcptop starts, then restart mcptop",
               n == 1 ? "is" : "are", n == 1 ? "it" : "them");
    return buf_take(&out);
}

/* ---- the file ---- */

/* A file that reads the same was touched: all of it is to be read again. */
static struct config *parse(const char *path, bool good_ones, const struct config_before *before,
                            const struct buf *text, struct problems *problems)
{
    if (good_ones)
        return config_parse_good(path, buf_str(text), text->len, NULL, NULL, problems);
    if (before && before->len == text->len &&
        memcmp(before->text, buf_str(text), text->len) == 0)
        before = NULL;
    return config_parse_after(before, path, buf_str(text), text->len, problems);
}

struct config *config_load(const char *path, bool good_ones, const struct config_before *before,
                           struct problems *problems, char **ret_text, size_t *ret_len)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (ret_text) {
        *ret_text = NULL;
        *ret_len = 0;
    }
    if (file_read(path, &text, NULL, &f) < 0) {
        if (f.code != ENOENT)
            problems_add(problems, PROBLEM_ERROR, 0, "", "%s", f.text);
        return NULL;
    }
    struct config *c = parse(path, good_ones, before, &text, problems);
    if (ret_text) {
        *ret_len = text.len;
        *ret_text = buf_take(&text);
    }
    return c;
}

char *config_find_path(const char *explicit_path, const char *data_dir)
{
    if (explicit_path)
        return xstrdup(explicit_path);
    if (access("mcp_config.json", F_OK) == 0)
        return xstrdup("mcp_config.json");
    return xasprintf("%s/mcp_config.json", data_dir);
}
