/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as the Engine's JSON (API 1.41, the oldest that the supported engines share). Only
 * formats; decides nothing. Mounts and the flags of docker run are runargs_put's. */
#include <stdio.h>
#include <string.h>
#include "isolation/plan_make.h"
#include "isolation/runargs.h"

static json_t *json_text(const char *s)
{
    json_t *j = json_string(s);
    /* Bytes that are no UTF-8 cannot come from a configuration that was parsed; a NULL here would
     * end as a crash. */
    return j ? j : json_string("");
}

static json_t *command_json(const struct plan *p)
{
    AUTO_STRVEC struct strvec argv = {0};
    plan_container_argv(p, &argv);
    json_t *cmd = json_array();
    for (size_t i = 0; i < argv.n; i++)
        json_array_append_new(cmd, json_text(argv.v[i]));
    return cmd;
}

static json_t *env_json(const struct plan *p)
{
    json_t *env = json_array();
    for (size_t i = 0; i < p->container_env.n; i++)
        json_array_append_new(
            env, json_sprintf("%s=%s", p->container_env.v[i].key, p->container_env.v[i].value));
    /* After those of files, above which they stand. */
    for (size_t i = 0; i < p->client_env.n; i++)
        json_array_append_new(
            env, json_sprintf("%s=%s", p->client_env.v[i].key, p->client_env.v[i].value));
    for (size_t i = 0; i < p->env_unset.n; i++)
        json_array_append_new(env, json_text(p->env_unset.v[i]));
    return env;
}

/* After the flags' own labels, so that none of these can be another's. */
static void add_labels(const struct plan *p, const struct plan_identity *id, json_t *body)
{
    json_t *labels = json_object_get(body, "Labels");
    if (!labels)
        json_object_set_new(body, "Labels", labels = json_object());
    json_object_set_new(labels, "com.mcpproxy.managed", json_string("true"));
    json_object_set_new(labels, "com.mcpproxy.instance", json_text(id->instance));
    json_object_set_new(labels, "com.mcpproxy.server", json_text(p->server));
    json_object_set_new(labels, "com.mcpproxy.plan",
                        json_sprintf("%016llx", (unsigned long long)p->hash));
}

static json_t *log_json(const struct plan *p)
{
    json_t *options = json_object();
    if (p->log_max_size)
        json_object_set_new(options, "max-size", json_text(p->log_max_size));
    if (p->log_max_files)
        json_object_set_new(options, "max-file", json_text(p->log_max_files));
    if (plan_log_uncompressed(p))
        json_object_set_new(options, "compress", json_string("false"));
    for (size_t i = 0; i < p->log_options.n; i++)
        json_object_set_new(options, p->log_options.v[i].key,
                            json_text(p->log_options.v[i].value));
    json_t *log = json_object();
    json_object_set_new(log, "Type", json_text(p->log_driver));
    json_object_set_new(log, "Config", options);
    return log;
}

/* Memory-swap always goes with memory: the engine refuses a new limit above the old sum. Twice the
 * memory is what `docker run --memory` alone means. */
static int64_t memory_swap(const struct plan *p)
{
    return p->memory_swap_bytes ? p->memory_swap_bytes : p->memory_bytes * 2;
}

static void add_limits(const struct plan *p, json_t *to)
{
    if (p->memory_bytes)
        json_object_set_new(to, "Memory", json_integer(p->memory_bytes));
    if (memory_swap(p))
        json_object_set_new(to, "MemorySwap", json_integer(memory_swap(p)));
    if (p->nano_cpus)
        json_object_set_new(to, "NanoCpus", json_integer(p->nano_cpus));
}

static json_t *host_config(const struct plan *p)
{
    json_t *host = json_object();
    add_limits(p, host);
    if (p->pids_limit)
        json_object_set_new(host, "PidsLimit", json_integer(p->pids_limit));
    json_object_set_new(host, "NetworkMode", json_text(p->network_mode));
    /* Of a `docker run` that does not say, the engine decides. */
    if (p->init || p->init_denied || !p->adopted)
        json_object_set_new(host, "Init", json_boolean(p->init));
    json_object_set_new(host, "AutoRemove", json_false());   /* its end is inspected first */
    json_object_set_new(host, "LogConfig", log_json(p));
    return host;
}

json_t *plan_create_json(const struct plan *p, const struct plan_identity *id)
{
    json_t *host = host_config(p), *body = json_object();
    json_object_set_new(body, "Image", json_text(p->image));
    if (p->argv.n)
        json_object_set_new(body, "Cmd", command_json(p));
    json_object_set_new(body, "Env", env_json(p));
    if (p->working_dir)
        json_object_set_new(body, "WorkingDir", json_text(p->working_dir));
    json_object_set_new(body, "OpenStdin", json_true());
    json_object_set_new(body, "StdinOnce", json_true());
    json_object_set_new(body, "AttachStdin", json_true());
    json_object_set_new(body, "AttachStdout", json_true());
    json_object_set_new(body, "AttachStderr", json_true());
    json_object_set_new(body, "Tty", json_false());
    runargs_put(p, body, host);
    add_labels(p, id, body);
    json_object_set_new(body, "HostConfig", host);
    return body;
}

json_t *plan_update_json(const struct plan *p)
{
    json_t *body = json_object();
    add_limits(p, body);
    json_object_set_new(body, "PidsLimit", json_integer(p->pids_limit ? p->pids_limit : -1));
    return body;
}
