/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan as the Engine's JSON (API 1.41, the oldest that the supported engines share). Only
 * formats; decides nothing.
 *
 * Host paths are Mounts of type bind, not Binds: a path that does not exist is then an error that
 * names it, where Binds would create it as an empty directory owned by root. */
#include <stdio.h>
#include <string.h>
#include "isolation/plan_make.h"

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
    return env;
}

static json_t *labels_json(const struct plan *p, const struct plan_identity *id)
{
    json_t *labels = json_object();
    json_object_set_new(labels, "com.mcpproxy.managed", json_string("true"));
    json_object_set_new(labels, "com.mcpproxy.instance", json_text(id->instance));
    json_object_set_new(labels, "com.mcpproxy.server", json_text(p->server));
    json_object_set_new(labels, "com.mcpproxy.plan",
                        json_sprintf("%016llx", (unsigned long long)p->hash));
    return labels;
}

static json_t *mounts_json(const struct plan *p)
{
    json_t *mounts = json_array();
    for (size_t i = 0; i < p->mount_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        json_t *j = json_object();
        json_object_set_new(j, "Type", json_string(m->is_volume ? "volume" : "bind"));
        json_object_set_new(j, "Source", json_text(m->source));
        json_object_set_new(j, "Target", json_text(m->target));
        json_object_set_new(j, "ReadOnly", json_boolean(m->read_only));
        json_array_append_new(mounts, j);
    }
    return mounts;
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
    json_t *log = json_object();
    json_object_set_new(log, "Type", json_text(p->log_driver));
    json_object_set_new(log, "Config", options);
    return log;
}

/* Memory-swap always goes with memory: the engine refuses a new limit above the old sum. Twice the
 * memory is what `docker run --memory` alone means. */
static void add_limits(const struct plan *p, json_t *to)
{
    if (p->memory_bytes) {
        json_object_set_new(to, "Memory", json_integer(p->memory_bytes));
        json_object_set_new(to, "MemorySwap", json_integer(p->memory_bytes * 2));
    }
    if (p->nano_cpus)
        json_object_set_new(to, "NanoCpus", json_integer(p->nano_cpus));
}

json_t *plan_create_json(const struct plan *p, const struct plan_identity *id)
{
    json_t *host = json_object();
    add_limits(p, host);
    if (p->pids_limit)
        json_object_set_new(host, "PidsLimit", json_integer(p->pids_limit));
    json_object_set_new(host, "NetworkMode", json_text(p->network_mode));
    json_object_set_new(host, "Mounts", mounts_json(p));
    /* A PID 1 without handlers ignores SIGTERM: every stop would take the whole grace time. */
    json_object_set_new(host, "Init", json_true());
    json_object_set_new(host, "AutoRemove", json_false());   /* its end is inspected first */
    json_object_set_new(host, "LogConfig", log_json(p));

    json_t *body = json_object();
    json_object_set_new(body, "Image", json_text(p->image));
    json_object_set_new(body, "Cmd", command_json(p));
    json_object_set_new(body, "Env", env_json(p));
    if (p->working_dir)
        json_object_set_new(body, "WorkingDir", json_text(p->working_dir));
    json_object_set_new(body, "Labels", labels_json(p, id));
    json_object_set_new(body, "OpenStdin", json_true());
    json_object_set_new(body, "StdinOnce", json_true());
    json_object_set_new(body, "AttachStdin", json_true());
    json_object_set_new(body, "AttachStdout", json_true());
    json_object_set_new(body, "AttachStderr", json_true());
    json_object_set_new(body, "Tty", json_false());
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
