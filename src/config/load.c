/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text of mcp_config.json → struct config. The tables below are the format: one row a key, for
 * the root, a server and an isolation object. Keys that only MCPProxy or a client knows are listed
 * too, because the same file serves them; they are accepted in silence. Knows no defaults and
 * decides nothing about how a server will run. */
#include "config/mcp_config.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/load_again.h"
#include "config/load_isolation.h"
#include "config/reader.h"

enum { SERVER_NAME_MAX_BYTES = 200, SESSIONS_MAX = 1000 };

#define IGNORED(k) {.key = (k), .kind = FIELD_IGNORED}

/* ---- a server ---- */

static void read_server_isolation(struct reader *r, int32_t node, void *object)
{
    struct config_server *s = object;
    s->has_isolation = load_isolation(r, node, AT_ISOLATION, &s->isolation);
}

static void read_protocol(struct reader *r, int32_t node, void *object)
{
    static const char *const known[] = {"stdio", "http", "sse", "streamable-http", "auto"};
    struct config_server *s = object;
    AUTO_FREE char *p = reader_string(r, node);
    if (!p || !*p || strcmp(p, "auto") == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcmp(p, known[i]) == 0) {
            free(s->protocol);
            s->protocol = TAKE(p);
            return;
        }
    }
    const char *meant = reader_nearest(p, known, ARRAY_LEN(known));
    reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is no protocol: %s%s\"", p,
                   meant ? "did you mean \"" : "write \"stdio\", \"http\", \"sse\" or \"",
                   meant ? meant : "streamable-http");
}

static void read_mcp_protocol(struct reader *r, int32_t node, void *object)
{
    static const char *const names[] = {
        [MCP_PROTOCOL_AUTO] = "auto", [MCP_PROTOCOL_LEGACY] = "legacy",
        [MCP_PROTOCOL_MODERN] = "modern",
    };
    struct config_server *s = object;
    AUTO_FREE char *p = reader_string(r, node);
    if (!p || !*p)
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(p, names[i]) == 0) {
            s->mcp_protocol = (enum mcp_protocol)i;
            return;
        }
    }
    reader_problem(r, PROBLEM_ERROR, node,
                   "\"%.40s\" is none of \"auto\", \"legacy\" (initialize) and \"modern\" "
                   "(2026-07-28)", p);
}

/* false, with its problem told, where it is neither. */
static bool take_bool(struct reader *r, int32_t node, bool *ret)
{
    enum jscan_type type = r->doc->nodes[node].type;
    if (type != JSCAN_TRUE && type != JSCAN_FALSE) {
        reader_problem(r, PROBLEM_ERROR, node, "must be true or false, but is %s",
                       reader_type_name(r, node));
        return false;
    }
    *ret = type == JSCAN_TRUE;
    return true;
}

static void read_quarantined(struct reader *r, int32_t node, void *object)
{
    take_bool(r, node, &((struct config_server *)object)->quarantined);
}

static void read_start(struct reader *r, int32_t node, void *object)
{
    static const char *const modes[] = {[START_EAGER] = "eager", [START_LAZY] = "lazy"};
    struct config_server *s = object;
    int mode = load_word(r, node, modes, ARRAY_LEN(modes), "way to start",
                         "\"eager\" or \"lazy\"");
    if (mode >= 0)
        s->start = (enum start_mode)mode;
}

static void read_sharing(struct reader *r, int32_t node, void *object)
{
    static const char *const words[] = {
        [SHARING_SHARED] = "shared", [SHARING_PER_SESSION] = "per-session"};
    struct config_server *s = object;
    int word = load_word(r, node, words, ARRAY_LEN(words), "way to share",
                         "\"shared\" or \"per-session\"");
    if (word >= 0)
        s->sharing = (enum sharing)word;
}

static void read_max_sessions(struct reader *r, int32_t node, void *object)
{
    struct config_server *s = object;
    if (r->doc->nodes[node].type == JSCAN_NULL)
        return;
    if (!jscan_int(r->doc, node, &s->max_sessions) || s->max_sessions < 1 ||
        s->max_sessions > SESSIONS_MAX) {
        s->max_sessions = 0;
        reader_problem(r, PROBLEM_ERROR, node, "must be a whole number from 1 to %d", SESSIONS_MAX);
    }
}

static enum tool_change_policy tool_change(struct reader *r, int32_t node)
{
    static const char *const words[] = {"warn", "hold"};
    int word = load_word(r, node, words, ARRAY_LEN(words), "answer to a changed tool",
                         "\"warn\" or \"hold\"");
    return word < 0 ? TOOL_CHANGE_UNSET : word ? TOOL_CHANGE_HOLD : TOOL_CHANGE_WARN;
}

static void read_tool_change(struct reader *r, int32_t node, void *object)
{
    ((struct config_server *)object)->on_tool_change = tool_change(r, node);
}

static void read_disabled(struct reader *r, int32_t node, void *object)
{
    struct config_server *s = object;
    bool disabled;
    if (take_bool(r, node, &disabled))
        s->enabled = disabled ? TRI_NO : TRI_YES;
}

#define SRV(member) offsetof(struct config_server, member)
static const struct field server_fields[] = {
    IGNORED("name"), /* read before the others */
    {.key = "protocol", .kind = FIELD_CALL, .call = read_protocol},
    {.key = "type", .kind = FIELD_CALL, .call = read_protocol, .other_name_of = "protocol"},
    {.key = "transport", .kind = FIELD_CALL, .call = read_protocol, .other_name_of = "protocol"},
    {.key = "command", .kind = FIELD_PATH, .offset = SRV(command)},
    {.key = "args", .kind = FIELD_STRINGS, .offset = SRV(args)},
    {.key = "working_dir", .kind = FIELD_PATH, .offset = SRV(working_dir)},
    {.key = "cwd", .kind = FIELD_PATH, .offset = SRV(working_dir), .other_name_of = "working_dir"},
    {.key = "env", .kind = FIELD_MAP, .offset = SRV(env)},
    {.key = "url", .kind = FIELD_STRING, .offset = SRV(url)},
    {.key = "enabled", .kind = FIELD_BOOL, .offset = SRV(enabled)},
    {.key = "disabled", .kind = FIELD_CALL, .call = read_disabled, .other_name_of = "enabled"},
    {.key = "quarantined", .kind = FIELD_CALL, .call = read_quarantined},
    {.key = "record", .kind = FIELD_BOOL, .offset = SRV(record)},
    {.key = "isolation", .kind = FIELD_CALL, .call = read_server_isolation},
    {.key = "mcp_protocol", .kind = FIELD_CALL, .call = read_mcp_protocol},
    {.key = "init_timeout", .kind = FIELD_DURATION, .offset = SRV(init_timeout_ms)},
    {.key = "health_check_interval", .kind = FIELD_DURATION, .offset = SRV(health_interval_ms)},
    {.key = "call_tool_timeout", .kind = FIELD_DURATION, .offset = SRV(call_timeout_ms)},
    {.key = "start", .kind = FIELD_CALL, .call = read_start},
    {.key = "idle_stop", .kind = FIELD_DURATION, .offset = SRV(idle_stop_ms)},
    {.key = "sharing", .kind = FIELD_CALL, .call = read_sharing},
    {.key = "max_sessions", .kind = FIELD_CALL, .call = read_max_sessions},
    {.key = "enabled_tools", .kind = FIELD_STRINGS, .offset = SRV(enabled_tools)},
    {.key = "disabled_tools", .kind = FIELD_STRINGS, .offset = SRV(disabled_tools)},
    {.key = "on_tool_change", .kind = FIELD_CALL, .call = read_tool_change},
    /* MCPProxy's */
    IGNORED("headers"), IGNORED("oauth"), IGNORED("skip_quarantine"),
    IGNORED("auto_approve_tool_changes"), IGNORED("trust_mode"), IGNORED("shared"),
    IGNORED("created"), IGNORED("updated"), IGNORED("reconnect_on_use"), IGNORED("expose_prompts"),
    IGNORED("launcher_wait_timeout"), IGNORED("tool_discovery_interval"),
    IGNORED("max_concurrent_requests"), IGNORED("queue_size"), IGNORED("queue_timeout"),
    IGNORED("toon_output"), IGNORED("annotation_overrides"), IGNORED("source_registry_id"),
    IGNORED("source_registry_provenance"), IGNORED("auth_broker"),
    /* the clients' */
    IGNORED("description"), IGNORED("autoApprove"), IGNORED("alwaysAllow"), IGNORED("timeout"),
    IGNORED("trust"), IGNORED("tools"), IGNORED("includeTools"), IGNORED("excludeTools"),
    IGNORED("$schema"),
};

/* Any text is a name, "../../x" too: file and container names are made from it elsewhere. */
static bool name_ok(struct reader *r, int32_t node, const char *name)
{
    size_t len = strlen(name);
    if (len == 0) {
        reader_problem(r, PROBLEM_ERROR, node, "the name of a server must not be empty");
        return false;
    }
    if (len > SERVER_NAME_MAX_BYTES) {
        reader_problem(r, PROBLEM_ERROR, node,
                       "the name of a server must not be longer than %d bytes",
                       SERVER_NAME_MAX_BYTES);
        return false;
    }
    for (size_t i = 0; i < len;) {
        uint32_t cp = 0;
        i += text_decode(name + i, len - i, &cp);
        if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            reader_problem(r, PROBLEM_ERROR, node,
                           "the name of a server must not contain control characters");
            return false;
        }
    }
    return true;
}

/* The server's name: in an array its "name", in an object its key (which a "name" inside does not
 * change). */
static char *server_name(struct reader *r, int32_t node)
{
    int32_t inner = jscan_member(r->doc, node, "name");
    if (inner >= 0 && r->doc->nodes[inner].type == JSCAN_NULL)
        inner = -1;
    bool keyed = r->doc->nodes[node].key_end > r->doc->nodes[node].key_start;
    if (!keyed && inner < 0) {
        reader_problem(r, PROBLEM_ERROR, node, "has no \"name\"");
        return NULL;
    }
    AUTO_FREE char *name = keyed ? jscan_key(r->doc, node) : reader_plain_string(r, inner);
    if (keyed && !name)
        reader_problem(r, PROBLEM_ERROR, node,
                       "the name of a server must not contain a NUL character");
    AUTO_FREE char *inside = name && keyed && inner >= 0 ? jscan_str(r->doc, inner) : NULL;
    if (inside && strcmp(inside, name) != 0)
        reader_problem(r, PROBLEM_WARNING, inner,
                       "has no effect: the name of this server is its key, \"%s\"", name);
    if (!name || !name_ok(r, keyed ? node : inner, name))
        return NULL;
    return TAKE(name);
}

static void check_server(struct reader *r, int32_t node, const struct config_server *s)
{
    if (s->command || s->url)
        return;
    /* A command that was there but wrong has its own problem already. */
    int32_t at = jscan_member(r->doc, node, "command");
    if (at < 0 || load_is_unset(&r->doc->nodes[at]))
        reader_problem(r, PROBLEM_ERROR, node,
                       "has no \"command\" (and no \"url\"): there is nothing to run");
}

static void check_unique(struct reader *r, int32_t node, const struct config *c, const char *name)
{
    const struct config_server *other = name ? config_find(c, name) : NULL;
    if (other)
        reader_problem(r, PROBLEM_ERROR, node,
                       "a server \"%s\" is already on line %d: names must be unique", name,
                       other->line);
}

static void read_server(struct reader *r, int32_t node, struct config *c)
{
    if (!reader_expect(r, node, JSCAN_OBJECT, "an object"))
        return;
    char *name = server_name(r, node);
    check_unique(r, node, c, name);
    struct config_server *s = &c->servers[c->server_count++];
    s->name = name ? name : xstrdup("");
    config_name_last(c);
    s->key = reader_path(r, node);
    s->line = (int)r->doc->nodes[node].line;
    s->key_from = jscan_from(&r->doc->nodes[node]);
    s->from = r->doc->nodes[node].start;
    s->to = r->doc->nodes[node].end;
    s->enabled = TRI_UNSET;
    load_isolation_init(&s->isolation);
    r->ret_missing_env = &s->missing_env;
    reader_object(r, node, server_fields, ARRAY_LEN(server_fields), s);
    r->ret_missing_env = NULL;
    check_server(r, node, s);
}

/* Notes whether anything is wrong with it. */
static void read_one(struct reader *r, int32_t node, struct config *c)
{
    size_t errors = r->problems->errors, told = r->problems->n, count = c->server_count;
    if (load_again_take(c, r->doc, node)) {
        check_unique(r, node, c, c->servers[count].name);
        config_name_last(c);
    } else {
        read_server(r, node, c);
    }
    errors = r->problems->errors - errors;
    c->server_errors += errors;
    if (c->server_count == count)
        return;
    c->servers[count].broken = errors > 0;
    c->servers[count].has_problems = r->problems->n > told;
}

static void read_servers(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    const struct jscan_node *n = &r->doc->nodes[node];
    if (n->type != JSCAN_ARRAY && n->type != JSCAN_OBJECT) {
        reader_problem(r, PROBLEM_ERROR, node,
                       "must be an array of servers or an object keyed by their names, but is %s",
                       reader_type_name(r, node));
        return;
    }
    config_reserve(c, n->children);
    c->servers_start = n->start;
    c->servers_end = n->end;
    load_again_begin(c, r->doc->len);
    for (int32_t at = n->first_child; at >= 0; at = r->doc->nodes[at].next)
        read_one(r, at, c);
}

/* ---- the root ---- */

static void read_docker_isolation(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    c->has_docker_isolation =
        load_isolation(r, node, AT_DOCKER_ISOLATION, &c->docker_isolation);
}

static void read_log_level(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    enum log_level level;
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return;
    if (log_level_parse(s, &level))
        c->log_level = TAKE(s);
    else
        reader_problem(r, PROBLEM_WARNING, node,
                       "\"%.40s\" is no level and has no effect: write debug, info, warn or error",
                       s);
}

static const struct field logging_fields[] = {
    {.key = "level", .kind = FIELD_CALL, .call = read_log_level},
    {.key = "log_dir", .kind = FIELD_PATH, .offset = offsetof(struct config, log_dir)},
    IGNORED("enable_file"), IGNORED("enable_console"), IGNORED("filename"), IGNORED("max_size"),
    IGNORED("max_backups"), IGNORED("max_age"), IGNORED("compress"), IGNORED("json_format"),
};

static void read_logging(struct reader *r, int32_t node, void *object)
{
    if (reader_expect(r, node, JSCAN_OBJECT, "an object"))
        reader_object(r, node, logging_fields, ARRAY_LEN(logging_fields), object);
}

static void read_max_message(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    AUTO_FREE char *s = reader_string(r, node);
    int64_t bytes = s ? text_parse_size(s) : 0;
    if (!s || !*s)
        return;
    if (bytes < 0)
        reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is no size: write it like \"64m\"", s);
    else if (bytes < MESSAGE_LEAST_BYTES || bytes > MESSAGE_MOST_BYTES)
        reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is not between 1m and 100m", s);
    else
        c->max_message_bytes = (size_t)bytes;
}

static void read_mcp_auth(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return;
    if (strcmp(s, "key") != 0 && strcmp(s, "none") != 0)
        reader_problem(r, PROBLEM_ERROR, node, "\"%.40s\" is neither \"key\" nor \"none\"", s);
    else
        c->mcp_auth = TAKE(s);
}

static bool listen_ok(const char *s)
{
    const char *colon = strrchr(s, ':');
    if (strcmp(s, "none") == 0)
        return true;
    if (!colon || !colon[1] || strlen(colon + 1) > 5)
        return false;
    long port = 0;
    for (const char *p = colon + 1; *p; p++) {
        if (*p < '0' || *p > '9')
            return false;
        port = port * 10 + (*p - '0');
    }
    return port <= 65535;
}

static void read_listen(struct reader *r, int32_t node, void *object)
{
    struct config *c = object;
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return;
    if (!listen_ok(s))
        reader_problem(r, PROBLEM_ERROR, node,
                       "\"%.60s\" is no address: write it like \"127.0.0.1:8080\", or \"none\"", s);
    else
        c->listen = TAKE(s);
}

static void read_all_tool_change(struct reader *r, int32_t node, void *object)
{
    ((struct config *)object)->on_tool_change = tool_change(r, node);
}

#define CFG(member) offsetof(struct config, member)
static const struct field root_fields[] = {
    {.key = "mcpServers", .kind = FIELD_CALL, .call = read_servers},
    {.key = "docker_isolation", .kind = FIELD_CALL, .call = read_docker_isolation},
    {.key = "listen", .kind = FIELD_CALL, .call = read_listen},
    {.key = "api_key", .kind = FIELD_STRING, .offset = CFG(api_key)},
    {.key = "data_dir", .kind = FIELD_PATH, .offset = CFG(data_dir)},
    {.key = "logging", .kind = FIELD_CALL, .call = read_logging},
    {.key = "mcp_auth", .kind = FIELD_CALL, .call = read_mcp_auth},
    {.key = "call_tool_timeout", .kind = FIELD_DURATION, .offset = CFG(call_timeout_ms)},
    {.key = "max_message_size", .kind = FIELD_CALL, .call = read_max_message},
    {.key = "init_timeout", .kind = FIELD_DURATION, .offset = CFG(init_timeout_ms)},
    {.key = "health_check_interval", .kind = FIELD_DURATION, .offset = CFG(health_interval_ms)},
    {.key = "on_tool_change", .kind = FIELD_CALL, .call = read_all_tool_change},
    /* MCPProxy's */
    IGNORED("tray_endpoint"), IGNORED("enable_socket"), IGNORED("enable_tray"),
    IGNORED("debug_search"), IGNORED("profiles"), IGNORED("top_k"), IGNORED("tools_limit"),
    IGNORED("tool_response_limit"), IGNORED("max_result_size_chars"),
    IGNORED("max_concurrent_requests"), IGNORED("queue_size"), IGNORED("queue_timeout"),
    IGNORED("server_concurrency_defaults"), IGNORED("toon_output"),
    IGNORED("toon_min_savings_pct"), IGNORED("tool_discovery_interval"),
    IGNORED("http_read_timeout"), IGNORED("http_write_timeout"), IGNORED("http_idle_timeout"),
    IGNORED("environment"), IGNORED("forward_proxy_env"), IGNORED("require_mcp_auth"),
    IGNORED("trusted_hosts"), IGNORED("trusted_proxies"), IGNORED("audit_log"),
    IGNORED("read_only_mode"), IGNORED("disable_management"), IGNORED("allow_server_add"),
    IGNORED("allow_server_remove"), IGNORED("enable_prompts"),
    IGNORED("aggregate_upstream_prompts"), IGNORED("check_server_repo"),
    IGNORED("docker_recovery"), IGNORED("registries"), IGNORED("registries_locked"),
    IGNORED("allow_private_registry_fetch"), IGNORED("features"), IGNORED("tls"),
    IGNORED("tokenizer"), IGNORED("enable_code_execution"), IGNORED("code_execution_timeout_ms"),
    IGNORED("code_execution_max_tool_calls"), IGNORED("code_execution_pool_size"),
    IGNORED("code_execution_max_parallel"), IGNORED("tool_response_session_risk_warning"),
    IGNORED("oauth_expiry_warning_hours"), IGNORED("activity_retention_days"),
    IGNORED("activity_max_records"), IGNORED("activity_max_size_mb"),
    IGNORED("activity_max_response_size"), IGNORED("activity_cleanup_interval_min"),
    IGNORED("tool_call_max_response_size"), IGNORED("tool_call_max_records_per_server"),
    IGNORED("intent_declaration"), IGNORED("sensitive_data_detection"),
    IGNORED("output_validation"), IGNORED("output_sanitisation"), IGNORED("telemetry"),
    IGNORED("observability"), IGNORED("update_check"), IGNORED("routing_mode"),
    IGNORED("tool_response_mode"), IGNORED("direct_tool_response_mode"), IGNORED("instructions"),
    IGNORED("quarantine_enabled"), IGNORED("security"), IGNORED("reveal_secret_headers"),
    IGNORED("server_edition"), IGNORED("teams"), IGNORED("log_level"),
    /* the clients' */
    IGNORED("$schema"), IGNORED("inputs"),
};

const struct field *config_fields(enum config_place place, size_t *ret_n)
{
#define TABLE(t) {(t), ARRAY_LEN(t)}
    static const struct { const struct field *fields; size_t n; } tables[CONFIG_PLACES] = {
        [AT_ROOT] = TABLE(root_fields),
        [AT_LOGGING] = TABLE(logging_fields),
        [AT_SERVER] = TABLE(server_fields),
    };
#undef TABLE
    if (!tables[place].n)
        return load_isolation_fields(place, ret_n);
    *ret_n = tables[place].n;
    return tables[place].fields;
}

/* The root's values for the servers that have none of their own; the root may stand behind them in
 * the file. */
static void inherit(struct config *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        struct config_server *s = &c->servers[i];
        if (!s->init_timeout_ms)
            s->init_timeout_ms = c->init_timeout_ms;
        if (!s->health_interval_ms)
            s->health_interval_ms = c->health_interval_ms;
        if (!s->on_tool_change)
            s->on_tool_change = c->on_tool_change;
    }
}

static struct config *without_errors(struct config *c)
{
    if (!c || !c->server_errors)
        return c;
    config_free(c);
    return NULL;
}

struct config *config_parse(const char *path, const char *text, size_t len, config_getenv_fn env,
                            void *env_ctx, struct problems *problems)
{
    return without_errors(config_parse_good(path, text, len, env, env_ctx, problems));
}

/* again: what was read before; NULL = nothing was. */
static struct config *read_text(const char *path, const char *text, size_t len,
                                config_getenv_fn env, void *env_ctx, struct load_again *again,
                                struct problems *problems)
{
    struct jscan_doc doc;
    struct fault f = FAULT_NONE;
    int line = 0;
    if (jscan_parse(&doc, text, len, JSCAN_LENIENT, &line, &f) < 0) {
        char place[32];     /* a problem names its line itself */
        size_t n = (size_t)snprintf(place, sizeof place, "line %d, ", line);
        problems_add(problems, PROBLEM_ERROR, line, "", "%s",
                     strncmp(f.text, place, n) == 0 ? f.text + n : f.text);
        return NULL;
    }
    size_t errors_before = problems->errors;
    struct reader r = {.doc = &doc, .problems = problems, .env = env, .env_ctx = env_ctx};
    struct config *c = xcalloc(1, sizeof(*c));
    c->path = xstrdup(path);
    c->again = again;
    load_isolation_init(&c->docker_isolation);
    if (reader_expect(&r, 0, JSCAN_OBJECT, "an object ({ … })"))
        reader_object(&r, 0, root_fields, ARRAY_LEN(root_fields), c);
    jscan_fini(&doc);
    c->again = NULL;
    inherit(c);
    if (problems->errors - errors_before > c->server_errors) {
        config_free(c);
        return NULL;
    }
    if (c->server_errors)
        config_drop_broken(c);
    return c;
}

struct config *config_parse_good(const char *path, const char *text, size_t len,
                                 config_getenv_fn env, void *env_ctx, struct problems *problems)
{
    return read_text(path, text, len, env, env_ctx, NULL, problems);
}

struct config *config_parse_after(const struct config_before *before, const char *path,
                                  const char *text, size_t len, struct problems *problems)
{
    struct load_again again;
    bool can = before && load_again_look(&again, before, text, len);
    struct config *c = read_text(path, text, len, NULL, NULL, can ? &again : NULL, problems);
    return without_errors(c);
}
