/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Renders one server and its plan. The order of keys is part of the contract: `name`, then what the
 * state is, so that the guide's `grep -A 10 '"name": …'` shows it. */
#include <string.h>

#include "api/json.h"
#include "api/json_calls.h"
#include "api/json_finding.h"
#include "base/clock.h"
#include "base/secret.h"
#include "diagnose/doctor.h"
#include "supervisor/tool_watch.h"

static json_t *masked_env(const struct kvvec *env)
{
    json_t *o = json_object();

    for (size_t i = 0; i < env->n; i++)
        json_object_set_new(o, env->v[i].key, json_string(SECRET_MASK));
    return o;
}

static json_t *masked_args(const struct config_server *c)
{
    AUTO_STRVEC struct strvec shown = {0}, values = {0};

    config_server_secrets(c, &values);
    secret_mask_args(c->args.v, c->args.n, &shown);
    for (size_t i = 0; i < shown.n; i++)
        secret_mask_known_in(&shown.v[i], &values);
    return json_strings(&shown);
}

static json_t *masked_argv(const struct plan *p)
{
    AUTO_STRVEC struct strvec shown = {0};

    plan_masked_argv(p, &shown);
    return json_strings(&shown);
}

static json_t *plan_mounts(const struct plan *p)
{
    json_t *a = json_array();

    for (size_t i = 0; i < p->mount_count; i++)
        json_array_append_new(a, json_pack("{s:o, s:o, s:b, s:b}",
            "source", json_text(p->mounts[i].source), "target", json_text(p->mounts[i].target),
            "read_only", p->mounts[i].read_only, "volume", p->mounts[i].is_volume));
    return a;
}

static json_t *plan_notes(const struct plan *p)
{
    json_t *a = json_array();

    for (size_t i = 0; i < p->note_count; i++) {
        const struct plan_note *n = &p->notes[i];
        json_array_append_new(a, json_pack("{s:o, s:o, s:o, s:i, s:b}", "what", json_text(n->what),
            "value", json_text(n->value), "why", json_text(n->why), "line", n->line,
            "warning", n->warning));
    }
    return a;
}

json_t *json_plan(const struct plan *p)
{
    AUTO_STRVEC struct strvec run_args = {0};

    if (p->mode == PLAN_DOCKER)
        plan_run_args(p, NULL, true, &run_args);
    return json_pack("{s:s, s:b, s:o, s:s, s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:b, s:s, s:o, "
                     "s:o, s:o, s:o}",
        "mode", plan_mode_name(p->mode), "adopted", p->adopted, "image", json_text(p->image),
        "pull_policy", pull_policy_name(p->pull_policy), "memory", (json_int_t)p->memory_bytes,
        "memory_text", json_text(p->memory_text), "cpus", json_text(p->cpu_text),
        "pids", (json_int_t)p->pids_limit,
        "network", json_text(p->network_mode), "working_dir", json_text(p->working_dir),
        "mounts", plan_mounts(p), "argv", masked_argv(p), "bootstrap", p->bootstrap,
        "hardening", p->mode == PLAN_DOCKER ? hardening_name(p->hardening) : "",
        "weak", json_text(p->weak ? p->weak_why : NULL), "unsupported", json_text(p->unsupported),
        "notes", plan_notes(p), "run_args", json_strings(&run_args));
}

static json_t *exit_part(const struct run_end *x)
{
    if (x->at_wall_ms == 0)
        return json_null();
    return json_pack("{s:i, s:i, s:i, s:b, s:b, s:o, s:I}", "code", x->code, "signal", x->signal,
                     "engine_signal", x->engine_signal, "oom", x->oom,
                     "never_started", x->never_started,
                     "why", json_text(x->why.code ? x->why.text : ""),
                     "at_wall_ms", (json_int_t)x->at_wall_ms);
}

static json_t *usage_part(const struct usage *u)
{
    if (!u->known)
        return json_null();
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:i, s:I, s:I, s:f, s:I, s:I, s:I, s:{s:f, s:f, "
                     "s:f}}",
        "cpu", u->cpu_percent,
        "memory", (json_int_t)u->memory_bytes, "memory_peak", (json_int_t)u->memory_peak_bytes,
        "memory_high", (json_int_t)u->memory_high_bytes,
        "memory_limit", (json_int_t)u->memory_limit_bytes, "pids", (int)u->pids,
        "net_rx", (json_int_t)u->net_rx_bytes, "net_tx", (json_int_t)u->net_tx_bytes,
        "throttled", u->throttled_percent, "ooms", (json_int_t)u->ooms,
        "io_read", (json_int_t)u->io_read_bytes, "io_write", (json_int_t)u->io_write_bytes,
        "pressure", "cpu", u->pressure_cpu, "memory", u->pressure_memory, "io", u->pressure_io);
}

static json_t *calls_part(const struct server *s, bool with_open)
{
    struct session_stats st;

    session_get_stats(s->session, &st);
    json_t *o = json_pack("{s:I, s:I, s:I, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I}",
        "total", (json_int_t)st.calls, "errors", (json_int_t)st.errors, "tool_errors",
        (json_int_t)st.tool_errors, "in_flight", (int)st.in_flight,
        "held", (int)st.held, "clients", (int)st.clients, "p50_us", (json_int_t)st.p50_us,
        "p95_us", (json_int_t)st.p95_us, "p99_us", (json_int_t)st.p99_us,
        "ping_us", (json_int_t)st.last_ping_us,
        "stray_lines", (json_int_t)st.stray_lines, "oversize", (json_int_t)st.oversize);
    if (with_open) {
        json_object_set_new(o, "open", json_open_calls(s, false));
        json_object_set_new(o, "by_tool", json_tool_figures(s));
        json_object_set_new(o, "by_client", json_clients(s));
        json_object_set_new(o, "recorded", json_boolean(s->recorder));
        json_object_set_new(o, "unrecorded",
                            json_integer((json_int_t)recorder_get_lost(s->recorder)));
    }
    return o;
}

static json_t *container_part(const struct server *s)
{
    if (!s->backend || !s->backend->container_id[0])
        return json_null();
    return json_pack("{s:s%, s:s, s:o, s:s}", "id", s->backend->container_id, (size_t)12,
                     "name", s->backend->container_name, "image", json_text(s->plan->image),
                     "state", s->backend->pid ? "running" : "created");
}

static json_t *isolation_part(const struct iso_settings *iso, bool present)
{
    if (!present)
        return json_null();

    json_t *o = json_object();
    if (iso->enabled != TRI_UNSET)
        json_object_set_new(o, "enabled", json_boolean(iso->enabled == TRI_YES));
    const struct { enum iso_key key; const char *value; } texts[] = {
        {ISO_IMAGE, iso->image}, {ISO_MEMORY_LIMIT, iso->memory_limit},
        {ISO_CPU_LIMIT, iso->cpu_limit},
        {ISO_NETWORK_MODE, iso->network_mode}, {ISO_WORKING_DIR, iso->working_dir},
        {ISO_LOG_DRIVER, iso->log_driver},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].value)
            json_object_set_new(o, iso_key_name(texts[i].key), json_text(texts[i].value));
    if (iso->pull_policy != PULL_UNSET)
        json_object_set_new(o, iso_key_name(ISO_PULL_POLICY),
                            json_string(pull_policy_name(iso->pull_policy)));
    if (iso->pids_limit >= 0)
        json_object_set_new(o, iso_key_name(ISO_PIDS_LIMIT), json_integer(iso->pids_limit));
    if (iso->volumes.n)
        json_object_set_new(o, iso_key_name(ISO_VOLUMES), json_strings(&iso->volumes));
    return o;
}

static json_t *health_part(const struct server *s)
{
    static const struct { const char *level, *action; } of[SERVER_STATES] = {
        [SERVER_STOPPED] = {"unhealthy", "start"}, [SERVER_PULLING] = {"degraded", ""},
        [SERVER_STARTING] = {"degraded", ""}, [SERVER_INITIALIZING] = {"degraded", ""},
        [SERVER_READY] = {"healthy", ""}, [SERVER_SILENT] = {"degraded", "restart"},
        [SERVER_STOPPING] = {"degraded", ""}, [SERVER_BACKING_OFF] = {"unhealthy", "restart"},
        [SERVER_FAILED] = {"unhealthy", "view_logs"},
    };

    return json_pack("{s:s, s:s, s:o, s:s}", "level", of[s->state].level,
                     "summary", server_state_name(s->state),
                     "detail", json_text(s->state == SERVER_READY ? "" : s->reason),
                     "action", of[s->state].action);
}

static json_t *pull_parts(const struct pull_progress *p)
{
    json_t *parts = json_array();

    for (int i = 0; i < p->count; i++)
        json_array_append_new(parts, json_pack("[o, I, I, b]", json_text(p->layers[i].id),
            (json_int_t)p->layers[i].done, (json_int_t)p->layers[i].total, p->layers[i].complete));
    return parts;
}

json_t *json_pull(const struct image_pull_status *p, bool with_parts)
{
    if (!p)
        return json_null();
    json_t *o = json_pack("{s:o, s:s, s:i, s:i, s:I, s:I, s:I, s:I}", "image", json_text(p->image),
        "text", p->text, "layer", p->complete, "layers", p->layers,
        "done", (json_int_t)p->done_bytes,
        "total", (json_int_t)p->total_bytes, "rate", (json_int_t)p->rate_bytes,
        "since_wall_ms", (json_int_t)p->since_wall_ms);
    if (with_parts)
        json_object_set_new(o, "parts", pull_parts(p->progress));
    return o;
}

static json_t *wait_part(const struct server_wait *w)
{
    if (!*w->text)
        return json_null();
    return json_pack("{s:s, s:I}", "text", w->text, "since_wall_ms", (json_int_t)w->since_wall_ms);
}

/* row: that the configuration names; s: whose state stands for it. */
static void add_state(json_t *o, const struct server *row, const struct server *s)
{
    const char *state = server_state_name(s->state);
    bool ready = s->state == SERVER_READY || s->state == SERVER_SILENT;
    bool coming = s->state == SERVER_PULLING || s->state == SERVER_STARTING ||
        s->state == SERVER_INITIALIZING;
    int64_t retry = s->retry_at_ms ? s->retry_at_ms - clock_mono_ms() : 0;

    json_object_set_new(o, "name", json_text(row->name));
    json_object_set_new(o, "state", json_string(state));
    json_object_set_new(o, "status", json_string(state));
    json_object_set_new(o, "reason", json_text(s->reason));
    json_object_set_new(o, "wanted", json_string(row->wanted == WANTED_UP ? "up" : "down"));
    json_object_set_new(o, "asleep", json_boolean(server_is_asleep(s)));
    json_object_set_new(o, "enabled", json_boolean(s->config->enabled != TRI_NO));
    json_object_set_new(o, "connected", json_boolean(ready));
    json_object_set_new(o, "connecting", json_boolean(coming));
    json_object_set_new(o, "last_error", json_text(ready ? "" : s->reason));
    json_object_set_new(o, "retry_count", json_integer(s->failures));
    json_object_set_new(o, "restarts", json_integer(row->restarts));
    json_object_set_new(o, "retry_in_ms", json_integer(retry > 0 ? retry : 0));
    json_object_set_new(o, "since_wall_ms", json_integer(s->state_since_wall_ms));
    json_object_set_new(o, "up_since_wall_ms", json_integer(s->up_since_wall_ms));
    json_object_set_new(o, "revision", json_integer((json_int_t)row->revision));
    json_object_set_new(o, "waits", wait_part(&s->wait));
}

/* As a member of a row with a process for every session, and of the row where it runs itself. */
static json_t *member_json(const struct server *s)
{
    pid_t pid = s->backend ? s->backend->pid : 0;

    return json_pack("{s:o, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:o}", "name", json_text(s->name),
                     "session", s->row != NULL, "state", server_state_name(s->state), "reason",
                     json_text(s->reason), "pid", pid > 0 ? json_integer(pid) : json_null(),
                     "container", container_part(s), "usage", usage_part(&s->usage),
                     "since_wall_ms",
                     (json_int_t)s->state_since_wall_ms, "clients", json_clients_of(s));
}

static json_t *members_part(const struct server *s)
{
    if (!server_is_per_session(s) && !s->member_count)
        return json_null();
    json_t *a = json_array();
    if (s->backend)
        json_array_append_new(a, member_json(s));
    for (size_t i = 0; i < s->member_count; i++)
        json_array_append_new(a, member_json(s->members[i]));
    return a;
}

/* What the mark beside WHERE stands for. */
static json_t *where_weak_part(const struct server *s)
{
    const struct plan_note *ignored = plan_ignored_isolation(s->plan, s->config);

    return json_text(ignored ? ignored->why : s->plan->weak ? s->plan->weak_why : "");
}

static void add_run(json_t *o, const struct server *row, const struct server *s)
{
    struct usage usage;
    const char *where = s->plan->mode == PLAN_UNSUPPORTED ? "" : plan_mode_name(s->plan->mode);
    pid_t pid = s->backend ? s->backend->pid : 0;

    json_object_set_new(o, "where", json_string(where));
    json_object_set_new(o, "where_weak", where_weak_part(s));
    json_object_set_new(o, "where_client", json_text(s->plan->client ? s->plan->client : ""));
    json_object_set_new(o, "image", json_text(s->plan->mode == PLAN_DOCKER ? s->plan->image : ""));
    json_object_set_new(o, "pid", pid > 0 ? json_integer(pid) : json_null());
    json_object_set_new(o, "container", container_part(s));
    json_object_set_new(o, "exit", exit_part(&s->last_end));
    server_get_usage(row, &usage);
    json_object_set_new(o, "usage", usage_part(&usage));
    json_object_set_new(o, "sharing", json_string(server_is_per_session(row) ? "per-session"
                                                                             : "shared"));
    json_object_set_new(o, "members", members_part(row));
    json_object_set_new(o, "pull", json_pull(fleet_get_pull(s->fleet, s), false));
}

static void add_protocol(json_t *o, const struct server *s, bool with_open_calls)
{
    const struct ring *ring = logstore_get_ring(s->log);

    json_object_set_new(o, "tool_count", json_integer(session_get_tool_count(s->session)));
    json_object_set_new(o, "tools_shown", json_integer(session_get_shown_count(s->session)));
    json_object_set_new(o, "protocol_version", json_text(session_get_protocol(s->session)));
    json_object_set_new(o, "server_info", json_pack("{s:o, s:o}",
        "name", json_text(session_get_server_name(s->session)),
        "version", json_text(session_get_server_version(s->session))));
    json_object_set_new(o, "calls", calls_part(s, with_open_calls));
    json_object_set_new(o, "log", json_pack("{s:I, s:I, s:I, s:o}",
        "first_seq", (json_int_t)ring_first_seq(ring),
        "next_seq", (json_int_t)ring_next_seq(ring), "lost", (json_int_t)logstore_get_lost(s->log),
        "file", json_text(logstore_get_path(s->log))));
}

/* MCPProxy's name for what is not as it was first seen. */
static void add_tool_changes(json_t *o, const struct server *s)
{
    const struct tool_changes *c = tool_watch_changes(s);
    int pending = 0;

    json_object_set_new(o, "on_tool_change", json_string(tool_watch_holds(s) ? "hold" : "warn"));
    for (size_t i = 0; i < c->n; i++)
        pending += c->v[i].is_new;
    json_object_set_new(o, "quarantine", !c->n ? json_null()
                        : json_pack("{s:i, s:i}", "pending_count", pending, "changed_count",
                                    (int)c->n - pending));
}

static json_t *isolation_defaults(const struct config *c)
{
    struct plan_defaults d;

    plan_get_defaults(c, &d);
    return json_pack("{s:o, s:o, s:I, s:o}", "memory_limit", json_text(d.memory_limit),
                     "cpu_limit", json_text(d.cpu_limit), "pids_limit", (json_int_t)d.pids_limit,
                     "network_mode", json_text(d.network_mode));
}

static void add_findings(json_t *o, const struct server *s, bool all)
{
    const struct findings *fs = doctor_findings(s);

    json_object_set_new(o, "diagnostic", fs->n ? json_finding(&fs->v[0]) : json_null());
    json_object_set_new(o, "finding_count", json_integer((json_int_t)findings_own(fs)));
    if (!all)
        return;
    json_t *list = json_array();
    json_findings(list, fs, FINDINGS_ALL);
    json_object_set_new(o, "findings", list);
}

json_t *json_server(const struct server *s, bool with_open_calls)
{
    const struct config_server *c = s->config;
    const struct server *shown = server_shown(s);
    json_t *o = json_object();

    add_state(o, s, shown);
    add_run(o, s, shown);
    add_protocol(o, s, with_open_calls);
    json_object_set_new(o, "health", health_part(shown));
    add_findings(o, s, with_open_calls);
    json_object_set_new(o, "protocol",
                        json_text(c->protocol ? c->protocol : c->url ? "http" : "stdio"));
    json_object_set_new(o, "command", json_text(c->command));
    json_object_set_new(o, "args", masked_args(c));
    json_object_set_new(o, "env", masked_env(&c->env));
    json_object_set_new(o, "quarantined", json_boolean(c->quarantined));
    add_tool_changes(o, s);
    json_object_set_new(o, "isolation", isolation_part(&c->isolation, c->has_isolation));
    json_object_set_new(o, "isolation_defaults", isolation_defaults(fleet_get_config(s->fleet)));
    json_object_set_new(o, "plan", json_plan(s->plan));
    json_object_set_new(o, "config_line", json_integer(c->line));
    json_object_set_new(o, "config_key", json_text(c->key));
    json_object_set_new(o, "undo", json_text(fleet_undo_text(s->fleet, s)));
    return o;
}
