/* SPDX-License-Identifier: GPL-3.0-or-later */
/* JSON of the API into plain structs. Tolerant: what is absent or of the wrong type counts as not
 * known, so that a supervisor of another version never breaks the view. Every string is made
 * harmless here, once. */
#include "feed.h"

#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "member.h"

static char *cleaned(const struct buf *raw)
{
    struct buf b = BUF_INIT;

    text_clean_plain(&b, buf_str(raw), raw->len);
    return buf_take(&b);
}

static void set_str(char **dst, char *taken)
{
    free(*dst);
    *dst = taken;
}

/* The first error, else the first warning. */
static json_t *worst_problem(json_t *problems)
{
    size_t i;
    json_t *p;

    json_array_foreach(problems, i, p) {
        const char *severity = json_string_value(json_object_get(p, "severity"));
        if (severity && strcmp(severity, "error") == 0)
            return p;
    }
    return json_array_get(problems, 0);
}

/* The line and the key's last word stand before the text. */
static void take_problem_place(struct feed_status *st, json_t *problem)
{
    AUTO_FREE char *key = NULL;
    const char *dot;

    member_take(&key, problem, "key");
    dot = strrchr(key, '.');
    set_str(&st->problem, xasprintf("line %lld: %s%s%s", (long long)member_int(problem, "line", 0),
                                    dot ? dot + 1 : key, *key ? ": " : "", st->problem));
}

static void parse_isolation(struct feed_isolation *i, json_t *o)
{
    member_take(&i->memory, o, "memory_limit");
    member_take(&i->cpus, o, "cpu_limit");
    member_take(&i->network, o, "network_mode");
    member_take(&i->warning, o, "warning");
    member_take(&i->undo, o, "undo");
    i->pids = member_int(o, "pids_limit", 0);
    i->limits_sum = member_int(o, "limits_sum", 0);
    i->total_memory = member_int(o, "total_memory", 0);
    i->servers = member_int32(o, "servers", 0);
}

void feed_parse_status(struct feed_status *st, json_t *o)
{
    json_t *host = json_object_get(o, "host"), *engine = json_object_get(o, "engine");
    json_t *config = json_object_get(o, "config"), *self = json_object_get(o, "self");
    json_t *problem = worst_problem(json_object_get(config, "problems"));

    st->known = json_is_object(o);
    member_take(&st->version, o, "version");
    member_take(&st->listen, o, "listen");
    member_take(&st->listen_error, o, "listen_error");
    member_take(&st->data_dir, o, "data_dir");
    member_take(&st->host, host, "name");
    member_take(&st->engine_state, engine, "state");
    member_take(&st->engine_context, engine, "context");
    member_take(&st->engine_endpoint, engine, "endpoint");
    member_take(&st->engine_version, engine, "version");
    member_take(&st->engine_error, engine, "error");
    member_take(&st->config_path, config, "path");
    member_take(&st->problem, problem, "text");
    if (member_int(problem, "line", 0) > 0)
        take_problem_place(st, problem);
    parse_isolation(&st->isolation, json_object_get(o, "isolation"));
    st->pid = member_int32(o, "pid", 0);
    st->started_ms = member_int(o, "started_wall_ms", 0);
    st->engine_since_ms = member_int(engine, "since_wall_ms", 0);
    st->kept = json_is_true(json_object_get(config, "kept"));
    st->missing = json_is_true(json_object_get(config, "missing"));
    st->loaded = member_int(config, "loaded_wall_ms", 0) > 0;
    st->errors = member_int32(config, "errors", 0);
    st->warnings = member_int32(config, "warnings", 0);
    st->cpus = member_int32(host, "cpus", 1);
    st->cpu = member_real(host, "cpu");
    st->memory_used = member_int(host, "memory_used", -1);
    st->memory_total = member_int(host, "memory_total", -1);
    st->self_cpu = member_real(self, "cpu");
    st->self_rss = member_int(self, "rss_anon", -1);
    st->sampling_us = member_int(self, "sampling_us", -1);
    st->longest_turn_ms = member_real(json_object_get(o, "loop"), "longest_turn_ms");
}

void feed_status_fini(struct feed_status *st)
{
    char **all[] = {&st->version, &st->host, &st->engine_state, &st->engine_context,
                    &st->engine_version, &st->engine_error, &st->engine_endpoint, &st->listen,
                    &st->listen_error, &st->config_path, &st->problem, &st->data_dir,
                    &st->isolation.memory, &st->isolation.cpus, &st->isolation.network,
                    &st->isolation.warning, &st->isolation.undo};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        set_str(all[i], NULL);
}

static enum feed_state parse_state(const char *word)
{
    static const struct { const char *word; enum feed_state state; } words[] = {
        {"ready", STATE_READY}, {"failed", STATE_FAILED}, {"backing-off", STATE_BACKING_OFF},
        {"silent", STATE_SILENT},
        {"pulling", STATE_PULLING}, {"starting", STATE_STARTING},
        {"initializing", STATE_INITIALIZING},
        {"stopping", STATE_STOPPING}, {"stopped", STATE_STOPPED},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i].word, word))
            return words[i].state;
    return STATE_UNKNOWN;
}

static void parse_usage(struct feed_usage *u, json_t *o)
{
    u->known = json_is_object(o);
    u->cpu = member_real(o, "cpu");
    u->throttled = member_real(o, "throttled");
    u->memory = member_int(o, "memory", -1);
    u->peak_cache = member_int(o, "memory_peak", -1);
    u->peak = member_int(o, "memory_high", u->peak_cache);
    u->limit = member_int(o, "memory_limit", -1);
    u->net_rx = member_int(o, "net_rx", -1);
    u->net_tx = member_int(o, "net_tx", -1);
    u->pids = member_int32(o, "pids", -1);
    u->ooms = member_int(o, "ooms", 0);
    u->io_read = member_int(o, "io_read", -1);
    u->io_write = member_int(o, "io_write", -1);
    u->wait_cpu = member_real(json_object_get(o, "pressure"), "cpu");
    u->wait_memory = member_real(json_object_get(o, "pressure"), "memory");
    u->wait_disk = member_real(json_object_get(o, "pressure"), "io");
}

static void drop_open(struct feed_calls *c)
{
    for (size_t i = 0; i < c->open_count; i++) {
        free(c->open[i].method);
        free(c->open[i].name);
        free(c->open[i].client);
    }
    free(c->open);
    c->open = NULL;
    c->open_count = 0;
}

static void parse_open(struct feed_calls *c, json_t *list)
{
    size_t n = json_array_size(list);

    drop_open(c);
    c->open = n ? xcalloc(n, sizeof(*c->open)) : NULL;
    c->open_count = n;
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_array_get(list, i);
        member_take(&c->open[i].method, o, "method");
        member_take(&c->open[i].name, o, "name");
        member_take(&c->open[i].client, o, "client");
        c->open[i].since_ms = clock_wall_ms() - member_int(o, "age_ms", 0);
        c->open[i].held = member_bool(o, "held", false);
    }
}

static void drop_shares(struct feed_shares *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].name);
        free(s->v[i].protocol);
    }
    free(s->v);
    *s = (struct feed_shares){0};
}

static int most_used(const void *a, const void *b)
{
    const struct feed_share *x = a, *y = b;

    if (x->calls != y->calls)
        return x->calls < y->calls ? 1 : -1;
    return strcmp(x->name, y->name);
}

static void parse_shares(struct feed_shares *s, json_t *list)
{
    size_t n = json_array_size(list);

    drop_shares(s);
    s->v = n ? xcalloc(n, sizeof(*s->v)) : NULL;
    s->n = n;
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_array_get(list, i);
        struct feed_share *share = &s->v[i];
        if (member_bool(o, "other", false))
            share->name = xstrdup("other tools");
        else
            member_take(&share->name, o, "name");
        member_take(&share->protocol, o, "protocol_version");
        share->calls = member_int(o, "calls", 0);
        share->errors = member_int(o, "errors", 0);
        share->tool_errors = member_int(o, "tool_errors", 0);
        share->in_flight = member_int(o, "in_flight", 0);
        share->p50_us = member_int(o, "p50_us", -1);
        share->p95_us = member_int(o, "p95_us", -1);
        share->p99_us = member_int(o, "p99_us", -1);
        share->bytes_in = member_int(o, "bytes_in", -1);
        share->bytes_out = member_int(o, "bytes_out", -1);
    }
    if (n)
        qsort(s->v, n, sizeof(*s->v), most_used);
}

static void add_member(struct feed_server *s, json_t *o)
{
    AUTO_BUF struct buf raw = BUF_INIT;
    json_t *clients = json_object_get(o, "clients");
    const char *name = json_string_value(json_object_get(o, "name"));
    const char *state = json_string_value(json_object_get(o, "state"));
    const char *container =
        json_string_value(json_object_get(json_object_get(o, "container"), "name"));
    int pid = member_int32(o, "pid", 0);

    buf_printf(&raw, "%s %s", name ? name : "?", state ? state : "?");
    for (size_t i = 0; i < json_array_size(clients); i++) {
        const char *client = json_string_value(json_array_get(clients, i));
        buf_printf(&raw, ", %s", client ? client : "?");
    }
    if (container)
        buf_printf(&raw, ", container %s", container);
    if (pid > 0)
        buf_printf(&raw, ", pid %d", pid);
    s->processes += pid > 0;
    strvec_give(&s->members, cleaned(&raw));
}

static void parse_members(struct feed_server *s, json_t *list)
{
    strvec_fini(&s->members);
    s->processes = 0;
    for (size_t i = 0; i < json_array_size(list); i++)
        add_member(s, json_array_get(list, i));
}

static void parse_calls(struct feed_calls *c, json_t *o)
{
    c->total = member_int(o, "total", -1);
    c->errors = member_int(o, "errors", -1);
    c->tool_errors = member_int(o, "tool_errors", 0);
    c->in_flight = member_int(o, "in_flight", 0);
    c->held = member_int(o, "held", 0);
    c->clients = member_int(o, "clients", 0);
    c->p50_us = member_int(o, "p50_us", -1);
    c->p95_us = member_int(o, "p95_us", -1);
    c->p99_us = member_int(o, "p99_us", -1);
    c->ping_us = member_int(o, "ping_us", -1);
    if (json_is_array(json_object_get(o, "open")))
        parse_open(c, json_object_get(o, "open"));
    else if (!c->in_flight)
        drop_open(c);
    if (!json_is_array(json_object_get(o, "by_tool")))
        return;
    parse_shares(&c->by_tool, json_object_get(o, "by_tool"));
    parse_shares(&c->by_client, json_object_get(o, "by_client"));
    c->recorded = member_bool(o, "recorded", false);
    c->unrecorded = member_int(o, "unrecorded", 0);
}

static char *joined(const char *first, json_t *words)
{
    struct buf raw = BUF_INIT;
    char *text;

    if (first && *first)
        buf_add_shell(&raw, first);
    for (size_t i = 0; i < json_array_size(words); i++) {
        const char *word = json_string_value(json_array_get(words, i));
        if (raw.len)
            buf_add_char(&raw, ' ');
        buf_add_shell(&raw, word ? word : "?");
    }
    text = cleaned(&raw);
    buf_fini(&raw);
    return text;
}

static char *env_text(json_t *env)
{
    struct buf b = BUF_INIT;
    const char *key;
    json_t *value;
    char *text;

    json_object_foreach(env, key, value) {
        const char *s = json_string_value(value);
        buf_printf(&b, "%s%s=%s", b.len ? "  " : "", key, s ? s : "?");
    }
    text = cleaned(&b);
    buf_fini(&b);
    return text;
}

static void plan_fini(struct feed_plan *p)
{
    for (size_t i = 0; i < p->note_count; i++) {
        free(p->notes[i].what);
        free(p->notes[i].value);
        free(p->notes[i].why);
    }
    free(p->notes);
    free(p->mode);
    free(p->image);
    free(p->memory);
    free(p->cpus);
    free(p->network);
    free(p->working_dir);
    free(p->weak);
    free(p->run_line);
    strvec_fini(&p->mounts);
    *p = (struct feed_plan){0};
}

static void parse_notes(struct feed_plan *p, json_t *list)
{
    p->note_count = json_array_size(list);
    p->notes = p->note_count ? xcalloc(p->note_count, sizeof(*p->notes)) : NULL;
    for (size_t i = 0; i < p->note_count; i++) {
        json_t *o = json_array_get(list, i);
        member_take(&p->notes[i].what, o, "what");
        member_take(&p->notes[i].value, o, "value");
        member_take(&p->notes[i].why, o, "why");
        p->notes[i].line = member_int32(o, "line", 0);
        p->notes[i].warning = member_bool(o, "warning", false);
    }
}

static void parse_plan(struct feed_plan *p, json_t *o)
{
    json_t *mounts = json_object_get(o, "mounts");

    plan_fini(p);
    p->known = json_is_object(o);
    member_take(&p->mode, o, "mode");
    member_take(&p->image, o, "image");
    member_take(&p->memory, o, "memory_text");
    member_take(&p->cpus, o, "cpus");
    member_take(&p->network, o, "network");
    member_take(&p->working_dir, o, "working_dir");
    member_take(&p->weak, o, "weak");
    p->bootstrap = member_bool(o, "bootstrap", false);
    p->pids = member_int(o, "pids", 0);
    p->run_line = joined(NULL, json_object_get(o, "run_args"));
    parse_notes(p, json_object_get(o, "notes"));
    for (size_t i = 0; i < json_array_size(mounts); i++) {
        json_t *m = json_array_get(mounts, i);
        AUTO_FREE char *source = member_text(json_object_get(m, "source"));
        AUTO_FREE char *target = member_text(json_object_get(m, "target"));
        strvec_addf(&p->mounts, "%s → %s%s", source, target,
                    member_bool(m, "read_only", false) ? " (read only)" : "");
    }
}

static void parse_exit(struct feed_server *s, json_t *o)
{
    s->has_exit = json_is_object(o);
    s->exit_code = member_int32(o, "code", -1);
    s->exit_signal = member_int32(o, "signal", 0);
    s->exit_oom = member_bool(o, "oom", false);
    s->never_started = member_bool(o, "never_started", false);
    s->exit_ms = member_int(o, "at_wall_ms", 0);
}

/* The limit in force: the server's own key, else the default's; what docker run says is all of it
 * for one that is taken over. */
static void take_limit(char **dst, json_t *o, const char *key, const char *planned)
{
    json_t *v = json_object_get(json_object_get(o, "isolation"), key);

    if (member_bool(json_object_get(o, "plan"), "adopted", false)) {
        set_str(dst, xstrdup(*planned ? planned : "none"));
        return;
    }

    if (!json_is_string(v) || !json_string_length(v))
        v = json_object_get(json_object_get(o, "isolation_defaults"), key);
    set_str(dst, member_text(v));
}

static void parse_parts(struct feed_server *s, json_t *o)
{
    json_t *container = json_object_get(o, "container"), *pull = json_object_get(o, "pull");
    json_t *info = json_object_get(o, "server_info"), *log = json_object_get(o, "log");
    AUTO_FREE char *info_name = member_text(json_object_get(info, "name"));
    AUTO_FREE char *info_version = member_text(json_object_get(info, "version"));

    member_take(&s->container_id, container, "id");
    member_take(&s->container_name, container, "name");
    feed_parse_pull(s, pull);
    set_str(&s->server_info,
            *info_version ? xasprintf("%s %s", info_name, info_version) : TAKE(info_name));
    member_take(&s->log_file, log, "file");
    s->log_lost = member_int(log, "lost", 0);
    parse_exit(s, json_object_get(o, "exit"));
    feed_parse_finding(&s->finding, json_object_get(o, "diagnostic"));
    s->finding_count = member_int32(o, "finding_count", s->finding.known);
    parse_usage(&s->usage, json_object_get(o, "usage"));
    parse_calls(&s->calls, json_object_get(o, "calls"));
    parse_members(s, json_object_get(o, "members"));
    parse_plan(&s->plan, json_object_get(o, "plan"));
    take_limit(&s->limit_memory, o, "memory_limit", s->plan.memory);
    take_limit(&s->limit_cpus, o, "cpu_limit", s->plan.cpus);
    take_limit(&s->limit_network, o, "network_mode", s->plan.network);
}

void feed_parse_server(struct feed_server *s, json_t *o)
{
    const char *wanted = json_string_value(json_object_get(o, "wanted"));
    const char *command = json_string_value(json_object_get(o, "command"));
    const char *policy = json_string_value(json_object_get(o, "on_tool_change"));
    json_t *quarantine = json_object_get(o, "quarantine");
    int64_t retry_in_ms = member_int(o, "retry_in_ms", 0);
    json_t *waits = json_object_get(o, "waits");

    member_take_raw(&s->name, o, "name");
    member_take(&s->label, o, "name");
    member_take(&s->state_word, o, "state");
    s->state = parse_state(s->state_word);
    member_take(&s->reason, o, "reason");
    member_take(&s->last_error, o, "last_error");
    member_take(&s->waits, waits, "text");
    s->waits_since_ms = member_int(waits, "since_wall_ms", 0);
    member_take(&s->where, o, "where");
    member_take(&s->where_weak, o, "where_weak");
    member_take(&s->where_client, o, "where_client");
    member_take(&s->image, o, "image");
    member_take(&s->undo, o, "undo");
    member_take(&s->protocol_version, o, "protocol_version");
    set_str(&s->command, joined(command, json_object_get(o, "args")));
    set_str(&s->env, env_text(json_object_get(o, "env")));
    s->wanted_up = wanted && !strcmp(wanted, "up");
    s->enabled = member_bool(o, "enabled", true);
    s->asleep = member_bool(o, "asleep", false);
    s->restarts = member_int32(o, "restarts", 0);
    s->retry_count = member_int32(o, "retry_count", 0);
    s->pid = member_int32(o, "pid", 0);
    s->tool_count = member_int32(o, "tool_count", -1);
    s->tools_shown = member_int32(o, "tools_shown", s->tool_count);
    s->tools_changed = member_int32(quarantine, "changed_count", 0);
    s->tools_new = member_int32(quarantine, "pending_count", 0);
    s->tools_held = policy && !strcmp(policy, "hold");
    s->config_line = member_int32(o, "config_line", 0);
    s->since_ms = member_int(o, "since_wall_ms", 0);
    s->up_since_ms = member_int(o, "up_since_wall_ms", 0);
    s->revision = member_int(o, "revision", 0);
    s->retry_at_ms = retry_in_ms > 0 ? clock_wall_ms() + retry_in_ms : 0;
    parse_parts(s, o);
}

void feed_server_fini(struct feed_server *s)
{
    char **all[] = {&s->name, &s->label, &s->state_word, &s->reason, &s->last_error, &s->where,
                    &s->waits, &s->where_weak, &s->where_client, &s->image, &s->command, &s->env,
                    &s->undo,
                    &s->container_id, &s->container_name, &s->protocol_version, &s->server_info,
                    &s->pull_text, &s->limit_memory,
                    &s->limit_cpus, &s->limit_network, &s->log_file};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        set_str(all[i], NULL);
    drop_open(&s->calls);
    drop_shares(&s->calls.by_tool);
    drop_shares(&s->calls.by_client);
    strvec_fini(&s->members);
    plan_fini(&s->plan);
    feed_finding_fini(&s->finding);
    set_str(&s->other_way, NULL);
    feed_pull_fini(s);
}

static void take_evidence(struct feed_container *c, json_t *list)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t i;
    json_t *one;

    json_array_foreach(list, i, one) {
        const char *s = json_is_string(one) ? json_string_value(one) : "";
        if (i)
            buf_add_char(&text, '\n');
        text_clean_plain(&text, s, strlen(s));
    }
    set_str(&c->evidence, buf_take(&text));
}

void feed_parse_container(struct feed_container *c, json_t *o)
{
    member_take_raw(&c->id, o, "id");
    member_take(&c->name, o, "name");
    member_take(&c->image, o, "image");
    member_take(&c->state, o, "state");
    member_take(&c->status, o, "status");
    member_take(&c->server, o, "server");
    member_take(&c->owner, o, "owner");
    c->in_use = member_bool(o, "in_use", false);
    c->kept = member_bool(o, "kept", false);
    c->orphan = member_bool(o, "orphan", !c->in_use && strcmp(c->owner, "ours") == 0);
    take_evidence(c, json_object_get(o, "evidence"));
    c->cpu = member_real(o, "cpu");
    c->memory = member_int(o, "memory", -1);
    c->oom = member_bool(o, "oom", false);
    c->exit_code = member_int32(o, "exit_code", -1);
    c->created_ms = member_int(o, "created_wall_ms", 0);
}

void feed_container_fini(struct feed_container *c)
{
    char **all[] = {&c->id, &c->name, &c->image, &c->state, &c->status, &c->server, &c->owner,
                    &c->evidence};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        set_str(all[i], NULL);
}

void feed_parse_event(struct feed_event *e, json_t *o)
{
    e->wall_ms = member_int(o, "wall_ms", 0);
    member_take(&e->source, o, "source");
    member_take(&e->type, o, "type");
    member_take(&e->action, o, "action");
    member_take(&e->server, o, "server");
    member_take(&e->name, o, "name");
    member_take(&e->detail, o, "detail");
}

void feed_event_fini(struct feed_event *e)
{
    char **all[] = {&e->source, &e->type, &e->action, &e->server, &e->name, &e->detail};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        set_str(all[i], NULL);
}
