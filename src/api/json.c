/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Renders status, containers, events and problems. Servers and plans are in json_server.c. */
#include "api/json.h"

#include <string.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

json_t *json_foreign(const char *p, size_t n)
{
    json_t *s = json_stringn(p, n);

    if (s)
        return s;
    AUTO_BUF struct buf b = BUF_INIT;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t len = text_decode(p + i, n - i, &cp);
        if (cp == 0xFFFD)
            buf_add_str(&b, "\xEF\xBF\xBD");
        else
            buf_add(&b, p + i, len);
        i += len;
    }
    return json_stringn(buf_str(&b), b.len);
}

json_t *json_text(const char *s)
{
    return json_foreign(s ? s : "", s ? strlen(s) : 0);
}

json_t *json_strings(const struct strvec *s)
{
    json_t *a = json_array();

    for (size_t i = 0; i < s->n; i++)
        json_array_append_new(a, json_text(s->v[i]));
    return a;
}

json_t *json_problem(const struct problem *p)
{
    return json_pack("{s:s, s:i, s:o, s:o}", "severity",
                     p->severity == PROBLEM_ERROR ? "error" : "warning", "line", p->line, "key",
                     json_text(p->key), "text", json_text(p->text));
}

json_t *json_problems(const struct problems *p)
{
    json_t *a = json_array();

    for (size_t i = 0; p && i < p->n; i++)
        json_array_append_new(a, json_problem(&p->v[i]));
    return a;
}

json_t *json_engine(const struct fleet *fl)
{
    static const char *const names[] = {[ENGINE_UNKNOWN] = "unknown", [ENGINE_UP] = "up",
                                        [ENGINE_DOWN] = "down"};
    const struct engine *e = fleet_get_engine(fl);

    if (!e)
        return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I}", "state", "down", "context", "",
                         "endpoint", "", "version", "",
                         "error", json_text(fleet_get_engine_error(fl)),
                         "since_wall_ms", (json_int_t)0);
    const struct docker_context *c = engine_get_context(e);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "state", names[engine_get_state(e)],
                     "context", json_text(c->name), "endpoint", json_text(c->host),
                     "version", json_text(engine_get_version(e)),
                     "error", json_text(engine_get_error(e)),
                     "since_wall_ms", (json_int_t)engine_get_state_since_ms(e));
}

json_t *json_isolation(const struct fleet *fl)
{
    struct plan_defaults d;
    struct fleet_budget b;
    AUTO_FREE char *warning = fleet_budget_warning(fl);

    plan_get_defaults(fleet_get_config(fl), &d);
    fleet_get_budget(fl, &b);
    return json_pack("{s:o, s:o, s:I, s:o, s:i, s:i, s:I, s:I, s:o, s:o}",
        "memory_limit", json_text(d.memory_limit), "cpu_limit", json_text(d.cpu_limit),
        "pids_limit", (json_int_t)d.pids_limit, "network_mode", json_text(d.network_mode),
        "servers", (int)b.servers, "unlimited", (int)b.unlimited,
        "limits_sum", (json_int_t)b.limits_bytes, "total_memory", (json_int_t)b.total_bytes,
        "warning", json_text(warning), "undo", json_text(fleet_undo_text(fl, NULL)));
}

static json_t *config_part(const struct fleet *fl)
{
    const struct problems *p = fleet_get_problems(fl);
    size_t errors = p ? p->errors : 0, all = p ? p->n : 0;

    return json_pack("{s:o, s:I, s:b, s:b, s:i, s:i, s:o}", "path",
                     json_text(fleet_get_config_path(fl)),
                     "loaded_wall_ms", (json_int_t)fleet_get_loaded_wall_ms(fl),
                     "kept", (int)fleet_config_is_broken(fl),
                     "missing", (int)fleet_config_is_missing(fl),
                     "errors", (int)errors, "warnings", (int)(all - errors),
                     "problems", json_problems(p));
}

json_t *json_counts(const struct fleet *fl)
{
    int ready = 0, failed = 0, stopped = 0, n = (int)fleet_count(fl);

    for (int i = 0; i < n; i++) {
        enum server_state state = server_shown(fleet_at(fl, (size_t)i))->state;
        ready += state == SERVER_READY;
        failed += state == SERVER_FAILED || state == SERVER_BACKING_OFF || state == SERVER_SILENT;
        stopped += state == SERVER_STOPPED;
    }
    return json_pack("{s:i, s:i, s:i, s:i, s:i}", "total", n, "ready", ready,
                     "starting", n - ready - failed - stopped, "failed", failed,
                     "stopped", stopped);
}

json_t *json_status(const struct api_server *a)
{
    const struct fleet *fl = a->fleet;
    const struct host_usage *host = fleet_get_host_usage(fl);
    const struct self_usage *self = fleet_get_self_usage(fl);
    const struct turn *turn = a->cfg.turn;
    char name[256] = "";

    gethostname(name, sizeof name - 1);
    json_t *doc = json_pack("{s:s, s:i, s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}",
        "version", PACKAGE_VERSION, "pid", (int)getpid(),
        "started_wall_ms", (json_int_t)a->started_wall_ms,
        "uptime_ms", (json_int_t)(clock_mono_ms() - a->started_mono_ms),
        "instance", fleet_get_instance(fl), "socket", json_text(a->cfg.socket),
        "listen", json_text(a->cfg.listen), "listen_error", json_text(a->listen_error),
        "data_dir", json_text(a->cfg.data_dir), "log_dir", json_text(fleet_get_log_dir(fl)));
    json_object_set_new(doc, "loop", json_pack("{s:f, s:I, s:I, s:I}",
        "longest_turn_ms", turn ? (double)turn->longest_ns / 1e6 : 0.0,
        "longest_turn_wall_ms", (json_int_t)(turn ? turn->longest_wall_ms : 0),
        "turns", (json_int_t)(turn ? turn->turns : 0),
        "long_turns", (json_int_t)(turn ? turn->long_turns : 0)));
    json_object_set_new(doc, "self", json_pack("{s:f, s:I, s:I, s:I}", "cpu", self->cpu_percent,
        "rss_anon", (json_int_t)self->rss_anon_bytes,
        "sampling_us", (json_int_t)self->sampling_us, "log_lost", (json_int_t)log_lost_lines()));
    json_object_set_new(doc, "host", json_pack("{s:o, s:i, s:f, s:I, s:I}", "name", json_text(name),
        "cpus", host->cpus, "cpu", host->cpu_percent, "memory_used", (json_int_t)host->memory_used,
        "memory_total", (json_int_t)host->memory_total));
    json_object_set_new(doc, "engine", json_engine(fl));
    json_object_set_new(doc, "config", config_part(fl));
    json_object_set_new(doc, "isolation", json_isolation(fl));
    json_object_set_new(doc, "servers", json_counts(fl));
    return doc;
}

static json_t *json_lines(const char *text)
{
    json_t *a = json_array();

    for (const char *p = text ? text : ""; *p; p += *p == '\n') {
        size_t n = strcspn(p, "\n");
        AUTO_FREE char *line = xstrndup(p, n);
        json_array_append_new(a, json_text(line));
        p += n;
    }
    return a;
}

json_t *json_container(const struct fleet_container *c)
{
    json_t *doc = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:I, s:i, s:b}",
        "id", json_text(c->id), "name", json_text(c->name), "image", json_text(c->image),
        "state", json_text(c->state), "status", json_text(c->status),
        "server", json_text(c->server), "instance", json_text(c->instance),
        "owner", c->ours ? "ours" : c->foreign ? "foreign" : "other", "in_use", c->in_use,
        "created_wall_ms", (json_int_t)c->created_wall_ms, "exit_code", c->exit_code,
        "oom", c->oom);

    json_object_set_new(doc, "kept", json_boolean(c->kept));
    json_object_set_new(doc, "orphan", json_boolean(c->orphan));
    json_object_set_new(doc, "evidence", json_lines(c->evidence));
    json_object_set_new(doc, "cpu", json_real(c->cpu_percent));
    json_object_set_new(doc, "memory", json_integer((json_int_t)c->memory_bytes));
    return doc;
}

json_t *json_containers(const struct fleet *fl)
{
    json_t *a = json_array();

    for (size_t i = 0; i < fleet_container_count(fl); i++) {
        const struct fleet_container *c = fleet_container_at(fl, i);
        const struct server *s = c->in_use && !c->kept ? fleet_find(fl, c->server) : NULL;
        json_t *doc = json_container(c);
        if (s && s->usage.known) {
            json_object_set_new(doc, "cpu", json_real(s->usage.cpu_percent));
            json_object_set_new(doc, "memory", json_integer((json_int_t)s->usage.memory_bytes));
        }
        json_array_append_new(a, doc);
    }
    return a;
}

json_t *json_event(const struct fleet_event *e)
{
    return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "wall_ms", (json_int_t)e->wall_ms,
        "source", e->docker ? "docker" : "supervisor", "type", json_text(e->type),
        "action", json_text(e->action),
        "server", json_text(e->server), "name", json_text(e->name),
        "detail", json_text(e->detail));
}

json_t *json_events(const struct fleet *fl, size_t limit)
{
    json_t *a = json_array();
    size_t n = fleet_event_count(fl);

    for (size_t i = n > limit ? n - limit : 0; i < n; i++)
        json_array_append_new(a, json_event(fleet_event_at(fl, i)));
    return a;
}
