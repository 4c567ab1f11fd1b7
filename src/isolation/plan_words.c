/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as words: the command in the container, the `docker run` it equals, a line for a shell,
 * the container's name. Formats only. Where `masked` is asked for, neither a value of the
 * environment nor what looks like a secret (base/secret.h) leaves this file. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/secret.h"
#include "isolation/bootstrap.h"
#include "isolation/host_env.h"
#include "isolation/plan_make.h"
#include "isolation/run_flag.h"
#include "isolation/runtime.h"

enum { NAME_MAX_BYTES = 200 };

/* ---- the command in the container ---- */

void plan_container_argv(const struct plan *p, struct strvec *out)
{
    strvec_fini(out);
    if (p->bootstrap) {
        const struct runtime *rt = runtime_detect(p->argv.v[0]);
        const char *dir = "/tmp";
        for (size_t i = 0; i < p->mount_count; i++)
            if (rt->cache_path && strcmp(p->mounts[i].target, rt->cache_path) == 0 &&
                !p->mounts[i].read_only)
                dir = rt->cache_path;
        AUTO_BUF struct buf script = BUF_INIT;
        bootstrap_script(rt, p->argv.v[0], dir, &script);
        strvec_add(out, "sh");
        strvec_add(out, "-c");
        strvec_add(out, buf_str(&script));
        strvec_add(out, "sh");
    }
    for (size_t i = 0; i < p->argv.n; i++)
        strvec_add(out, p->argv.v[i]);
}

/* A script in the words may hold what the environment holds, too. */
static void add_masked(const struct plan *p, char *const *args, size_t n, struct strvec *out)
{
    AUTO_STRVEC struct strvec values = {0};
    size_t first = out->n;
    secret_know_env(&p->container_env, &values);
    secret_know_env(&p->env, &values);
    secret_mask_args(args, n, out);
    for (size_t i = first; i < out->n; i++)
        secret_mask_known_in(&out->v[i], &values);
}

static void add_argv(const struct plan *p, bool masked, struct strvec *out)
{
    AUTO_STRVEC struct strvec argv = {0};
    plan_container_argv(p, &argv);
    /* The bootstrap's, and the command; of a `docker run` the words are all its author's. */
    size_t own_words = argv.n - p->argv.n + !p->adopted;
    for (size_t i = 0; i < argv.n && (!masked || i < own_words); i++)
        strvec_add(out, argv.v[i]);
    if (masked && p->argv.n)
        add_masked(p, argv.v + own_words, argv.n - own_words, out);
}

/* ---- docker run ---- */

/* --mount's value is one CSV record: a field with a comma or a quote is quoted. */
static void add_mount_field(struct buf *out, const char *key, const char *value)
{
    bool quote = strpbrk(value, ",\"") != NULL;
    buf_printf(out, ",%s%s=", quote ? "\"" : "", key);
    for (; *value; value++) {
        if (*value == '"')
            buf_add_char(out, '"');
        buf_add_char(out, *value);
    }
    if (quote)
        buf_add_char(out, '"');
}

static void add_mount_rest(const struct plan_mount *m, struct buf *word)
{
    if (m->read_only)
        buf_add_str(word, ",readonly");
    if (m->propagation)
        add_mount_field(word, "bind-propagation", m->propagation);
    if (m->no_copy)
        buf_add_str(word, ",volume-nocopy");
    if (m->tmpfs_bytes)
        buf_printf(word, ",tmpfs-size=%lld", (long long)m->tmpfs_bytes);
    if (m->tmpfs_mode)
        buf_printf(word, ",tmpfs-mode=%o", (unsigned)m->tmpfs_mode);
}

static void add_mounts(const struct plan *p, struct strvec *out)
{
    for (size_t i = 0; i < p->mount_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        struct buf word = BUF_INIT;
        if (m->bind) {
            strvec_add(out, "--volume");
            strvec_add(out, m->bind);
            continue;
        }
        buf_printf(&word, "type=%s", m->is_tmpfs ? "tmpfs" : m->is_volume ? "volume" : "bind");
        if (*m->source)
            add_mount_field(&word, "source", m->source);
        add_mount_field(&word, "target", m->target);
        add_mount_rest(m, &word);
        strvec_add(out, "--mount");
        strvec_give(out, buf_take(&word));
    }
}

static void add_value(const char *flag, const char *value, bool masked, struct strvec *out)
{
    struct buf word = BUF_INIT;
    buf_printf(&word, "--%s=", flag);
    if (masked)
        secret_mask_value(value, &word);
    else
        buf_add_str(&word, value);
    strvec_give(out, buf_take(&word));
}

static void add_options(const struct plan *p, bool masked, struct strvec *out)
{
    for (size_t i = 0; i < p->option_count; i++) {
        const struct plan_option *o = &p->options[i];
        if (run_flag_long(o->flag, strlen(o->flag))->is_switch)
            strvec_addf(out, "--%s", o->flag);
        else
            add_value(o->flag, o->value, masked, out);
    }
}

static void add_limits(const struct plan *p, struct strvec *out)
{
    if (p->memory_bytes)
        strvec_addf(out, "--memory=%s", p->memory_text);
    if (p->memory_swap_bytes && p->memory_swap_bytes == p->memory_bytes)
        strvec_addf(out, "--memory-swap=%s", p->memory_text);
    else if (p->memory_swap_bytes)
        strvec_addf(out, "--memory-swap=%lld", (long long)p->memory_swap_bytes);
    if (p->nano_cpus)
        strvec_addf(out, "--cpus=%s", p->cpu_text);
}

static void add_log(const struct plan *p, bool masked, struct strvec *out)
{
    strvec_addf(out, "--log-driver=%s", p->log_driver);
    if (p->log_max_size)
        strvec_addf(out, "--log-opt=max-size=%s", p->log_max_size);
    if (p->log_max_files)
        strvec_addf(out, "--log-opt=max-file=%s", p->log_max_files);
    if (plan_log_uncompressed(p))
        strvec_add(out, "--log-opt=compress=false");
    for (size_t i = 0; i < p->log_options.n; i++) {
        const struct kv *kv = &p->log_options.v[i];
        AUTO_FREE char *pair = xasprintf("%s=%s", kv->key, kv->value);
        add_value("log-opt", pair, masked, out);
    }
}

/* All flags but those about identity and environment, in the guide's order. */
static void add_flags(const struct plan *p, bool masked, struct strvec *out)
{
    if (p->pull_policy != PULL_MISSING)
        strvec_addf(out, "--pull=%s", pull_policy_name(p->pull_policy));
    add_limits(p, out);
    if (!p->adopted || strcmp(p->network_mode, "default") != 0)
        strvec_addf(out, "--network=%s", p->network_mode);
    if (p->pids_limit)
        strvec_addf(out, "--pids-limit=%lld", (long long)p->pids_limit);
    if (p->init)
        strvec_add(out, "--init");
    else if (p->init_denied)
        strvec_add(out, "--init=false");
    if (p->working_dir)
        strvec_addf(out, "--workdir=%s", p->working_dir);
    add_options(p, masked, out);
    add_mounts(p, out);
    add_log(p, masked, out);
}

static void add_unset(const struct plan *p, struct strvec *out)
{
    for (size_t i = 0; i < p->env_unset.n; i++) {
        strvec_add(out, "-e");
        strvec_add(out, p->env_unset.v[i]);
    }
}

static void add_identity(const struct plan *p, const struct plan_identity *id, struct strvec *out)
{
    strvec_add(out, "--name");
    strvec_add(out, id->container_name);
    strvec_add(out, "--label");
    strvec_add(out, "com.mcpproxy.managed=true");
    strvec_add(out, "--label");
    strvec_addf(out, "com.mcpproxy.instance=%s", id->instance);
    strvec_add(out, "--label");
    strvec_addf(out, "com.mcpproxy.server=%s", p->server);
    strvec_add(out, "--label");
    strvec_addf(out, "com.mcpproxy.plan=%016llx", (unsigned long long)p->hash);
}

void plan_masked_argv(const struct plan *p, struct strvec *out)
{
    strvec_fini(out);
    add_masked(p, p->argv.v, p->argv.n, out);
}

void plan_run_args(const struct plan *p, const struct plan_identity *id, bool masked,
                   struct strvec *out)
{
    strvec_fini(out);
    strvec_add(out, "run");
    strvec_add(out, "-i");
    strvec_add(out, "--rm");
    if (id)
        add_identity(p, id, out);
    add_flags(p, masked, out);
    for (size_t i = 0; i < p->container_env.n; i++) {
        const struct kv *kv = &p->container_env.v[i];
        strvec_add(out, "-e");
        strvec_addf(out, "%s=%s", kv->key, masked ? SECRET_MASK : kv->value);
    }
    add_unset(p, out);
    strvec_add(out, p->image);
    add_argv(p, masked, out);
}

void plan_run_args_text(const struct plan *p, const struct plan_identity *id, struct buf *out)
{
    AUTO_STRVEC struct strvec args = {0};
    plan_run_args(p, id, true, &args);
    for (size_t i = 0; i < args.n; i++) {
        buf_add_str(out, i ? ", " : "[");
        buf_add_json(out, args.v[i], strlen(args.v[i]));
    }
    buf_add_char(out, ']');
}

/* ---- a line for a shell ---- */

static bool is_shell_name(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_')
            return false;
    return true;
}

/* Variables that the docker client itself would obey when they stand before it. */
static bool steers_client(const char *key)
{
    static const char *const names[] = {
        "PATH",  "HOME",     "DOCKER",   "LD_",       "XDG_", "HTTP", "http", "HTTPS",
        "https", "NO_PROXY", "no_proxy", "ALL_PROXY", "SSL_", "IFS",  "ENV",  "PS"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strncmp(key, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void add_words(const struct strvec *words, struct buf *out)
{
    for (size_t i = 0; i < words->n; i++) {
        if (out->len > 0 && out->data[out->len - 1] != ' ' && out->data[out->len - 1] != '(')
            buf_add_char(out, ' ');
        buf_add_shell(out, words->v[i]);
    }
}

static void add_docker_line(const struct plan *p, bool with_secrets, struct buf *out)
{
    AUTO_STRVEC struct strvec words = {0};
    strvec_add(&words, "docker");
    strvec_add(&words, "run");
    strvec_add(&words, "-i");
    strvec_add(&words, "--rm");
    add_flags(p, !with_secrets, &words);
    for (size_t i = 0; i < p->container_env.n; i++) {
        const struct kv *kv = &p->container_env.v[i];
        strvec_add(&words, "-e");
        /* An assignment before the command is in no argv that ps shows. */
        bool before = with_secrets && is_shell_name(kv->key) && !steers_client(kv->key);
        if (before) {
            buf_printf(out, "%s=", kv->key);
            buf_add_shell(out, kv->value);
            buf_add_char(out, ' ');
        }
        if (with_secrets && !before)
            strvec_addf(&words, "%s=%s", kv->key, kv->value);
        else
            strvec_add(&words, kv->key);
    }
    strvec_add(&words, p->image);
    add_argv(p, !with_secrets, &words);
    add_words(&words, out);
}

/* env -i with what a server on the host gets: the names of ours that are set here, with the shell's
 * values. */
static void add_host_line(const struct plan *p, bool with_secrets, struct buf *out)
{
    if (p->working_dir) {
        buf_add_str(out, "(cd ");
        buf_add_shell(out, p->working_dir);
        buf_add_str(out, " && exec ");
    }
    buf_add_str(out, "env -i");
    for (char *const *e = environ; e && *e; e++) {
        AUTO_FREE char *name = xstrndup(*e, strcspn(*e, "="));
        if (host_env_passes(name, strlen(name)) && is_shell_name(name) && !kvvec_get(&p->env, name))
            buf_printf(out, " %s=\"$%s\"", name, name);
    }
    for (size_t i = 0; i < p->env.n; i++) {
        const struct kv *kv = &p->env.v[i];
        buf_add_char(out, ' ');
        if (!with_secrets && is_shell_name(kv->key)) {
            buf_printf(out, "%s=\"$%s\"", kv->key, kv->key);
        } else {
            AUTO_FREE char *word = xasprintf("%s=%s", kv->key, with_secrets ? kv->value : "");
            buf_add_shell(out, word);
        }
    }
    AUTO_STRVEC struct strvec words = {0};
    add_argv(p, !with_secrets, &words);
    add_words(&words, out);
    if (p->working_dir)
        buf_add_char(out, ')');
}

/* One line whatever the text holds: what follows a newline would be run. */
static void add_comment(const char *text, struct buf *out)
{
    buf_add_str(out, "# ");
    for (; *text; text++)
        buf_add_char(out, (unsigned char)*text < ' ' ? ' ' : *text);
}

void plan_shell_line(const struct plan *p, bool with_secrets, struct buf *out)
{
    buf_clear(out);
    if (p->mode == PLAN_DOCKER)
        add_docker_line(p, with_secrets, out);
    else if (p->mode == PLAN_HOST)
        add_host_line(p, with_secrets, out);
    else
        add_comment(p->unsupported, out);
}

/* ---- names ---- */

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

char *plan_container_name(const char *server, const char *random4)
{
    struct buf name = BUF_INIT;
    for (const char *c = server; *c; c++) {
        char keep = in_name(*c) ? *c : '-';
        bool doubled = keep == '-' && name.len > 0 && name.data[name.len - 1] == '-';
        if (!doubled && name.len < NAME_MAX_BYTES)
            buf_add_char(&name, keep);
    }
    while (name.len > 0 && strchr("-.", name.data[name.len - 1]))
        name.data[--name.len] = '\0';
    if (name.len == 0)
        buf_add_str(&name, "server");
    bool bare = isalnum((unsigned char)name.data[0]);
    const char *front = bare ? "" : name.data[0] == '-' ? "server" : "server-";
    char *full = xasprintf("mcpproxy-%s%s-%s", front, buf_str(&name), random4);
    buf_fini(&name);
    return full;
}
