/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loader: values, and every problem of a text with its line and key. A table of texts against
 * the problems they must show, then the values of the guide's own snippets, word for word. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "config/mcp_config.h"
#include "tap.h"

static const char *test_env(void *ctx, const char *name)
{
    (void)ctx;
    if (strcmp(name, "TOKEN") == 0)
        return "s3cret";
    if (strcmp(name, "NOTHING") == 0)
        return "";
    return strcmp(name, "HOME") == 0 ? "/home/u" : NULL;
}

static struct config *parse(const char *text, struct problems *p)
{
    return config_parse("mcp_config.json", text, strlen(text), test_env, NULL, p);
}

/* "E4 key: text\n" a problem. */
static char *render(const struct problems *p)
{
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < p->n; i++)
        buf_printf(&out, "%c%d %s: %s\n", p->v[i].severity == PROBLEM_ERROR ? 'E' : 'W',
                   p->v[i].line, p->v[i].key, p->v[i].text);
    return buf_take(&out);
}

#define SERVER(members) "{\"mcpServers\":[{\"name\":\"a\",\"command\":\"uvx\"," members "}]}"
#define ISOLATION(members) SERVER("\n\"isolation\":{" members "}")

static const struct {
    const char *what, *text, *problems;
} problem_cases[] = {
    {"an empty object", "{}", ""},
    {"no servers, an array", "{\"mcpServers\": []}", ""},
    {"no servers, an object", "{\"mcpServers\": {}}", ""},
    {"comments and trailing commas", "{ // c\n \"mcpServers\": [ /* d */ ], }", ""},
    {"a byte order mark", "\xef\xbb\xbf{}", ""},
    {"null is absent", "{\"mcpServers\": null, \"docker_isolation\": null, \"logging\": null}", ""},
    {"null members", SERVER("\"isolation\":null,\"args\":null,\"env\":null,\"working_dir\":null"),
     ""},
    {"empty strings are absent",
     ISOLATION("\"image\":\"\",\"memory_limit\":\"\",\"mode\":\"\",\"timeout\":\"\""), ""},
    {"levels of the log", "{\"logging\":{\"level\":\"warn\"}}", ""},
    {"a level that is none", "{\"logging\":{\n\"level\":\"loud\"}}",
     "W2 logging.level: \"loud\" is no level and has no effect: write debug, info, warn or error\n"},
    {"a NUL in a key", "{\"a\\u0000b\":1}", "E1 ?: this name contains a NUL character\n"},
    {"a NUL in the name of a variable", SERVER("\"env\":{\"A\\u0000\":\"x\"}"),
     "E1 mcpServers[0].env.?: this name contains a NUL character\n"},
    {"a NUL in the name of a server",
     "{\"mcpServers\":{\"\\u0000\":{\"command\":\"x\",\"name\":\"y\"}}}",
     "E1 mcpServers.?: the name of a server must not contain a NUL character\n"},
    {"the root is an array", "[]", "E1 : must be an object ({ … }), but is an array\n"},
    {"mcpServers of a wrong type", "{\n\"mcpServers\": 3}",
     "E2 mcpServers: must be an array of servers or an object keyed by their names, but is a number\n"},
    {"a server that is a string", "{\"mcpServers\": [\"x\"]}",
     "E1 mcpServers[0]: must be an object, but is a string\n"},
    {"no name", "{\"mcpServers\": [\n{\"command\": \"x\"}]}",
     "E2 mcpServers[0]: has no \"name\"\n"},
    {"an empty name", "{\"mcpServers\": [{\"name\":\"\",\"command\": \"x\"}]}",
     "E1 mcpServers[0].name: the name of a server must not be empty\n"},
    {"a name with a control character",
     "{\"mcpServers\": [{\"name\":\"a\\nb\",\"command\": \"x\"}]}",
     "E1 mcpServers[0].name: the name of a server must not contain control characters\n"},
    {"a name that is a number", "{\"mcpServers\": [{\"name\":7,\"command\": \"x\"}]}",
     "E1 mcpServers[0].name: must be a string in quotes, but is a number\n"},
    {"a path as a name is fine", "{\"mcpServers\": [{\"name\":\"../../x\",\"command\": \"x\"}]}",
     ""},
    {"the same name twice, array",
     "{\"mcpServers\": [\n{\"name\":\"a\",\"command\": \"x\"},\n{\"name\":\"a\",\"command\": \"y\"}]}",
     "E3 mcpServers[1]: a server \"a\" is already on line 2: names must be unique\n"},
    {"the same name twice, object",
     "{\"mcpServers\": {\n\"a\":{\"command\": \"x\"},\n\"a\":{\"command\": \"y\"}}}",
     "E3 mcpServers.a: a server \"a\" is already on line 2: names must be unique\n"},
    {"a name inside a keyed server",
     "{\"mcpServers\": {\"a\":{\"name\":\"b\",\"command\": \"x\"}}}",
     "W1 mcpServers.a.name: has no effect: the name of this server is its key, \"a\"\n"},
    {"nothing to run", "{\"mcpServers\": {\"a\":{}}}",
     "E1 mcpServers.a: has no \"command\" (and no \"url\"): there is nothing to run\n"},
    {"remote needs no command",
     "{\"mcpServers\": {\"a\":{\"url\":\"https://x/mcp\",\"type\":\"http\"}}}", ""},
    {"an unknown protocol", SERVER("\"protocol\":\"stdo\""),
     "E1 mcpServers[0].protocol: \"stdo\" is no protocol: did you mean \"stdio\"\n"},
    {"an unknown era", SERVER("\"mcp_protocol\":\"2026\""),
     "E1 mcpServers[0].mcp_protocol: \"2026\" is none of \"auto\", \"legacy\" (initialize) and "
     "\"modern\" (2026-07-28)\n"},
    {"misspelt keys",
     ISOLATION("\"memory_limt\":\"1g\",\"networkmode\":\"none\",\n\"memory\":1,\"zzz\":2"),
     "W2 mcpServers[0].isolation.memory_limt: unknown key, it has no effect: did you mean \"memory_limit\"?\n"
     "W2 mcpServers[0].isolation.networkmode: unknown key, it has no effect: did you mean \"network_mode\"?\n"
     "W3 mcpServers[0].isolation.memory: unknown key, it has no effect: did you mean \"memory_limit\"?\n"
     "W3 mcpServers[0].isolation.zzz: unknown key, it has no effect\n"},
    {"misspelt at the root", "{\"servers\":{},\"mcpservers\":{},\"dockerIsolation\":{}}",
     "W1 servers: unknown key, it has no effect: did you mean \"mcpServers\"?\n"
     "W1 mcpservers: unknown key, it has no effect: did you mean \"mcpServers\"?\n"
     "W1 dockerIsolation: unknown key, it has no effect: did you mean \"docker_isolation\"?\n"},
    {"a repeated key", ISOLATION("\n\"enabled\":false,\n\"enabled\":true"),
     "W3 mcpServers[0].isolation.enabled: is repeated: the one on line 4 counts\n"},
    {"a repeated variable", SERVER("\"env\":{\n\"A\":\"1\",\n\"A\":\"2\"}"),
     "W2 mcpServers[0].env.A: is repeated: the one on line 3 counts\n"},
    {"a wrong size", ISOLATION("\"memory_limit\":\"lots\""),
     "E2 mcpServers[0].isolation.memory_limit: \"lots\" is no size: write it like \"512m\" or \"2g\"\n"},
    {"a size without its unit", ISOLATION("\"memory_limit\":512"),
     "E2 mcpServers[0].isolation.memory_limit: \"512\" is less than the engine's minimum of 6m: is the unit missing "
     "(\"m\", \"g\")?\n"},
    {"too little memory", ISOLATION("\"memory_limit\":\"4m\""),
     "E2 mcpServers[0].isolation.memory_limit: \"4m\" is less than the engine's minimum of 6m\n"},
    {"wrong cpus", ISOLATION("\"cpu_limit\":\"1,5\""),
     "E2 mcpServers[0].isolation.cpu_limit: \"1,5\" is no number of CPUs: write it like \"1.5\"\n"},
    {"too few cpus", ISOLATION("\"cpu_limit\":0.001"),
     "E2 mcpServers[0].isolation.cpu_limit: \"0.001\" is less than the engine's minimum of 0.01 CPUs\n"},
    {"no number of pids", ISOLATION("\"pids_limit\":\"many\""),
     "E2 mcpServers[0].isolation.pids_limit: \"many\" is no number of processes: write it like 100 (0: no limit)\n"},
    {"too many pids", ISOLATION("\"pids_limit\":99999999999"),
     "E2 mcpServers[0].isolation.pids_limit: \"99999999999\" is no number of processes: write it like 100 (0: no "
     "limit)\n"},
    {"a budget of one server", ISOLATION("\"total_memory\":\"4g\""),
     "W2 mcpServers[0].isolation.total_memory: has no effect here: set it in docker_isolation\n"},
    {"a duration without its unit", ISOLATION("\"timeout\":30"),
     "E2 mcpServers[0].isolation.timeout: a duration needs its unit: write \"30s\" for seconds\n"},
    {"a wrong duration", ISOLATION("\"timeout\":\"soon\""),
     "E2 mcpServers[0].isolation.timeout: \"soon\" is no duration: write it like \"30s\", \"2m\" or \"1h30m\"\n"},
    {"a quoted boolean", ISOLATION("\"enabled\":\"true\""),
     "E2 mcpServers[0].isolation.enabled: must be true or false (without quotes), but is a string\n"},
    {"a wrong mode", ISOLATION("\"mode\":\"dokcer\""),
     "E2 mcpServers[0].isolation.mode: \"dokcer\" is no mode: did you mean \"docker\"?\n"},
    {"a mode far off", ISOLATION("\"mode\":\"vm\""),
     "E2 mcpServers[0].isolation.mode: \"vm\" is no mode: write \"docker\", \"none\" or \"sandbox\"\n"},
    {"a wrong pull policy", ISOLATION("\"pull_policy\":\"alway\""),
     "E2 mcpServers[0].isolation.pull_policy: \"alway\" is no pull policy: did you mean \"always\"?\n"},
    {"a pull policy that is none", "{\"docker_isolation\":{\"pull_policy\":\"yes\"}}",
     "E1 docker_isolation.pull_policy: \"yes\" is no pull policy: write \"missing\", \"always\" or \"never\"\n"},
    {"a wrong cache volume", ISOLATION("\"enable_cache_volume\":\"mine\""),
     "E2 mcpServers[0].isolation.enable_cache_volume: must be true, false or \"shared\"\n"},
    {"volumes as a string", ISOLATION("\"volumes\":\"/a:/b\""),
     "E2 mcpServers[0].isolation.volumes: must be an array of strings, but is a string\n"},
    {"args with a number", SERVER("\"args\":[\"-p\",8080]"),
     "E1 mcpServers[0].args[1]: must be a string in quotes, but is a number\n"},
    {"an env value with a number", SERVER("\"env\":{\"PORT\":8080}"),
     "E1 mcpServers[0].env.PORT: must be a string in quotes, but is a number\n"},
    {"an env name with =", SERVER("\"env\":{\"A=B\":\"1\"}"),
     "E1 mcpServers[0].env.A=B: this name is empty or contains \"=\"\n"},
    {"an unset variable concerns its server", SERVER("\"env\":{\"A\":\"${env:NOPE}\"}"),
     "W1 mcpServers[0].env.A: the environment variable NOPE is not set: this server is not started; set it where mcptop "
     "starts\n"},
    {"one in two places is told once", SERVER("\"env\":{\"A\":\"${env:NOPE}\",\"B\":\"${env:NOPE}${env:NOR}\"}"),
     "W1 mcpServers[0].env.A: the environment variable NOPE is not set: this server is not started; set it where mcptop "
     "starts\n"
     "W1 mcpServers[0].env.B: the environment variable NOR is not set: this server is not started; set it where mcptop "
     "starts\n"},
    {"an unset variable elsewhere", "{\"api_key\":\"${env:NOPE}\"}",
     "E1 api_key: the environment variable NOPE is not set: set it where mcptop starts\n"},
    {"a keyring's secret", SERVER("\"env\":{\"A\":\"${keyring:x}\"}"),
     "W1 mcpServers[0].env.A: ${keyring:…} is not supported and stays as written: use ${env:NAME}\n"},
    {"a NUL", SERVER("\"args\":[\"a\\u0000b\"]"),
     "E1 mcpServers[0].args[0]: contains a NUL character or an escape that is none\n"},
    {"image in the global object", "{\"docker_isolation\":{\"image\":\"x\"}}",
     "W1 docker_isolation.image: has no effect here: set it in a server's isolation, or use default_images\n"},
    {"a wrong address", "{\"listen\":\"localhost\"}",
     "E1 listen: \"localhost\" is no address: write it like \"127.0.0.1:8080\", or \"none\"\n"},
    {"a max_message_size that is none", "{\"max_message_size\":\"big\"}",
     "E1 max_message_size: \"big\" is no size: write it like \"64m\"\n"},
    {"one without its unit", "{\"max_message_size\":\"64\"}",
     "E1 max_message_size: \"64\" is not between 1m and 100m\n"},
    {"one that is too large", "{\"max_message_size\":\"101m\"}",
     "E1 max_message_size: \"101m\" is not between 1m and 100m\n"},
    {"a wrong mcp_auth", "{\"mcp_auth\":\"open\"}",
     "E1 mcp_auth: \"open\" is neither \"key\" nor \"none\"\n"},
    {"a wrong on_tool_change", "{\"on_tool_change\":\"holt\"}",
     "E1 on_tool_change: \"holt\" is no answer to a changed tool: did you mean \"hold\"?\n"},
    {"all at once, in order of line",
     "{\n\"mcpServers\": [\n{\"command\": \"x\"},\n{\"name\": \"b\", \"command\": 1,\n\"isolation\": {\"cpu_limit\": \"x\"}}],\n"
     "\"listen\": 1}",
     "E3 mcpServers[0]: has no \"name\"\n"
     "E4 mcpServers[1].command: must be a string in quotes, but is a number\n"
     "E5 mcpServers[1].isolation.cpu_limit: \"x\" is no number of CPUs: write it like \"1.5\"\n"
     "E6 listen: must be a string in quotes, but is a number\n"},
    {"another program's keys",
     "{\"enable_tray\":true,\"top_k\":5,\"tools_limit\":15,\"tool_response_limit\":20000,\"features\":{},\"tls\":{},"
     "\"registries\":[],\"environment\":{},\"enable_socket\":true,\"mcpServers\":[{\"name\":\"a\",\"command\":\"x\","
     "\"created\":\"2026\",\"updated\":\"2026\",\"headers\":{},\"oauth\":null,\"shared\":false,\"autoApprove\":[]}]}",
     ""},
};

static void test_problems(void)
{
    for (size_t i = 0; i < ARRAY_LEN(problem_cases); i++) {
        struct problems p = {0};
        struct config *c = parse(problem_cases[i].text, &p);
        AUTO_FREE char *got = render(&p);
        is_str(got, problem_cases[i].problems, "%s", problem_cases[i].what);
        ok((c == NULL) == (p.errors > 0), "%s: a config exactly when there is no error",
           problem_cases[i].what);
        config_free(c);
        problems_fini(&p);
    }
}

static void test_syntax_error(void)
{
    struct problems p = {0};
    ok(!parse("{\n\"a\": }", &p), "a syntax error gives no config");
    is_int(p.n, 1, "and one problem");
    is_int(p.n ? p.v[0].line : 0, 2, "with its line");
    problems_fini(&p);
}

static void test_long_name(void)
{
    struct problems p = {0};
    AUTO_BUF struct buf text = BUF_INIT;
    buf_add_str(&text, "{\"mcpServers\":{\"");
    for (int i = 0; i < 200; i++)
        buf_add_char(&text, 'n');
    size_t at = text.len;
    buf_add_str(&text, "\":{\"command\":\"x\"}}}");
    struct config *c = parse(buf_str(&text), &p);
    ok(c != NULL, "200 bytes are a name");
    config_free(c);
    text.len = at;
    buf_add_str(&text, "n\":{\"command\":\"x\"}}}");
    ok(!parse(buf_str(&text), &p), "201 are not");
    problems_fini(&p);
}

/* The guide, word for word (its indentation was lost in print). */
static const char guide_global[] =
    "{\n\"docker_isolation\": {\n\"enabled\": true, // Master switch\n\"memory_limit\": \"512m\", // Per-container memory "
    "limit\n\"cpu_limit\": \"1.0\", // CPU cores (1.0 = 1 core)\n\"timeout\": \"30s\", // Container startup timeout\n"
    "\"network_mode\": \"bridge\", // Docker network mode\n\"default_images\": {\n\"uvx\": \"python:3.11\", // Image for uvx "
    "commands\n\"npx\": \"node:20\", // Image for npx commands\n\"python\": \"python:3.11\", // Image for python commands\n"
    "\"node\": \"node:20\" // Image for node commands\n}\n}\n}\n";
static const char guide_server[] =
    "{\n\"name\": \"my-server\",\n\"command\": \"uvx\",\n\"args\": [\"mcp-server-name\"],\n\"isolation\": {\n\"enabled\": "
    "false, // Disable isolation for this server\n// OR customize settings:\n\"enabled\": true,\n\"image\": "
    "\"python:3.12-slim\", // Custom image\n\"memory_limit\": \"1g\", // More memory\n\"cpu_limit\": \"2.0\", // More CPU\n"
    "\"network_mode\": \"none\", // No network access\n\"working_dir\": \"/workspace\" // Working directory in "
    "container\n}\n}\n";
static const char guide_docker[] =
    "{\n\"name\": \"docker-server\",\n\"command\": \"docker\",\n\"args\": [\"run\", \"-i\", \"--rm\", \"mcp-image:latest\"],"
    "\n\"isolation\": {\n\"enabled\": false // CRITICAL: Always disable for Docker commands\n}\n}\n";
static const char guide_network[] =
    "{\n\"isolation\": {\n\"enabled\": true,\n\"network_mode\": \"bridge\" // Default, allows external access\n// OR\n"
    "\"network_mode\": \"host\" // Full host network access\n// OR\n\"network_mode\": \"none\" // No network (most secure)\n"
    "}\n}\n";
static const char guide_volumes[] =
    "{\n\"isolation\": {\n\"enabled\": true,\n\"volumes\": [\n\"/host/path:/container/path:ro\" // Read-only mount\n]\n}\n}\n";

static void test_guide_global(void)
{
    struct problems p = {0};
    struct config *c = parse(guide_global, &p);
    is_int(p.n, 0, "the guide's global settings load without a problem");
    ok(c && c->has_docker_isolation, "and are there");
    const struct iso_settings *g = &c->docker_isolation;
    is_int(g->enabled, TRI_YES, "enabled");
    is_int(g->memory_bytes, 512 << 20, "memory_limit");
    is_int(g->nano_cpus, 1000000000, "cpu_limit");
    is_int(g->timeout_ms, 30000, "timeout");
    is_str(g->network_mode, "bridge", "network_mode");
    is_str(kvvec_get(&g->default_images, "node"), "node:20", "default_images");
    is_int(g->line[ISO_ENABLED], 3, "the line of enabled");
    is_int(g->line[ISO_DEFAULT_IMAGES], 8, "the line of default_images");
    is_int(g->line[ISO_IMAGE], 0, "no line where there is no key");
    config_free(c);
    problems_fini(&p);
}

static void test_guide_server(void)
{
    struct problems p = {0};
    AUTO_FREE char *text = xasprintf("{\"mcpServers\": [\n%s,\n%s]}", guide_server, guide_docker);
    struct config *c = parse(text, &p);
    AUTO_FREE char *got = render(&p);
    is_str(got, "W7 mcpServers[0].isolation.enabled: is repeated: the one on line 9 counts\n",
           "the guide's server repeats a key: a warning");
    is_int(c ? c->server_count : 0, 2, "two servers");
    const struct config_server *s = config_find(c, "my-server");
    is_int(s->isolation.enabled, TRI_YES, "the last enabled counts");
    is_int(s->isolation.line[ISO_ENABLED], 9, "and so does its line");
    is_str(s->isolation.image, "python:3.12-slim", "image");
    is_int(s->isolation.memory_bytes, 1 << 30, "memory_limit");
    is_int(s->isolation.nano_cpus, 2000000000, "cpu_limit");
    is_str(s->isolation.network_mode, "none", "network_mode");
    is_str(s->isolation.working_dir, "/workspace", "working_dir");
    is_str(s->args.v[0], "mcp-server-name", "args");
    is_str(s->key, "mcpServers[0]", "where it stands");
    is_int(config_find(c, "docker-server")->isolation.enabled, TRI_NO,
           "docker-server is not isolated");
    is_int(config_find(c, "docker-server")->args.n, 4, "and has its args");
    config_free(c);
    problems_fini(&p);
}

/* The fragments of the guide are members of a server. */
static struct config *parse_fragment(const char *fragment, struct problems *p)
{
    AUTO_FREE char *text = xasprintf(
        "{\"mcpServers\": [{\"name\": \"x\", \"command\": \"uvx\", %s]}",
        strchr(fragment, '{') + 1);
    return parse(text, p);
}

static void test_guide_fragments(void)
{
    struct problems p = {0};
    /* Three choices under each other, without commas: no configuration, and the message must say
     * so. */
    struct config *c = parse_fragment(guide_network, &p);
    ok(!c && p.n == 1 && p.v[0].line == 6,
       "three choices of network_mode are a syntax error on the second's line");
    ok(p.n == 1 && strstr(p.v[0].text, "','"), "that asks for the comma: %s",
       p.n ? p.v[0].text : "");
    problems_fini(&p);
    c = parse_fragment(
        "{\"isolation\": {\"network_mode\": \"bridge\", // OR\n\"network_mode\": \"host\", // OR\n"
        "\"network_mode\": \"none\" }}",
        &p);
    is_int(p.n, 2, "with commas: two warnings");
    ok(c && strcmp(c->servers[0].isolation.network_mode, "none") == 0, "and the last one counts");
    config_free(c);
    problems_fini(&p);
    c = parse_fragment(guide_volumes, &p);
    is_int(p.n, 0, "volumes load");
    is_str(c ? c->servers[0].isolation.volumes.v[0] : NULL, "/host/path:/container/path:ro",
           "as written");
    config_free(c);
    problems_fini(&p);
}

static void test_tool_change(void)
{
    static const char text[] =
        "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"on_tool_change\": \"warn\"}, \"b\": {\"command\": \"x\"}},"
        "\"on_tool_change\": \"hold\"}";
    struct problems p = {0};
    struct config *c = parse(text, &p);

    is_int(c ? (int)c->servers[0].on_tool_change : -1, TOOL_CHANGE_WARN, "on_tool_change of a server");
    is_int(c ? (int)c->servers[1].on_tool_change : -1, TOOL_CHANGE_HOLD, "and of one that has none");
    config_free(c);
    problems_fini(&p);
}

static void test_values(void)
{
    static const char text[] =
        "{\r\n\"listen\": \"127.0.0.1:0\", \"api_key\": \"${env:TOKEN}\", \"data_dir\": \"~/d\",\r\n"
        "\"logging\": {\"level\": \"debug\", \"log_dir\": \"~/l\", \"max_size\": 10}, \"mcp_auth\": \"none\", \"max_message_size\": \"1.5m\",\r\n"
        "\"call_tool_timeout\": \"1h30m\",\r\n"
        "\"mcpServers\": {\"g\": {\"command\": \"~/bin/x\", \"cwd\": \"~/w\", \"env\": {\"T\": \"a${env:TOKEN}b\", "
        "\"E\": \"\"}, \"disabled\": true, \"quarantined\": true, \"init_timeout\": \"5s\", \"type\": \"stdio\", "
        "\"mcp_protocol\": \"modern\",\r\n"
        "\"args\": [\"\", \"${env:TOKEN}\", \"${other}\", \"$\"], \"isolation\": {\"memory_limit\": \"0\", \"cpu_limit\": 1.5,"
        "\r\n\"enable_cache_volume\": \"shared\", \"mode\": \"none\", \"log_max_files\": 2, \"pids_limit\": \"100\"}}},\n"
        "\"docker_isolation\": {\"total_memory\": \"4g\", \"pids_limit\": -1}}";
    struct problems p = {0};
    struct config *c = parse(text, &p);
    AUTO_FREE char *got = render(&p);
    is_str(got, "", "a file with CRLF and an object of servers loads");
    if (!c)
        return;
    const struct config_server *s = &c->servers[0];
    is_int(s->isolation.pids_limit, 100, "pids_limit");
    is_int(c->docker_isolation.pids_limit, 0, "docker's own -1 is no limit");
    is_int(c->docker_isolation.total_memory_bytes, INT64_C(4) << 30, "total_memory");
    is_str(c->listen, "127.0.0.1:0", "listen");
    is_str(c->api_key, "s3cret", "${env:X} in api_key");
    is_str(c->data_dir, "/home/u/d", "~ in data_dir");
    is_str(c->log_dir, "/home/u/l", "~ in logging.log_dir");
    is_str(c->log_level, "debug", "logging.level");
    is_str(c->mcp_auth, "none", "mcp_auth");
    is_int(c->max_message_bytes, 1536 * 1024, "max_message_size");
    is_int(c->call_timeout_ms, 5400000, "call_tool_timeout");
    is_str(s->name, "g", "the name is the key");
    is_str(s->key, "mcpServers.g", "its place");
    is_str(s->command, "/home/u/bin/x", "~ in command");
    is_str(s->working_dir, "/home/u/w", "cwd is working_dir");
    is_str(kvvec_get(&s->env, "T"), "as3cretb", "${env:X} inside a value");
    is_str(kvvec_get(&s->env, "E"), "", "an empty value stays");
    is_int(s->enabled, TRI_NO, "disabled is enabled: false");
    ok(s->quarantined, "quarantined");
    is_int(s->mcp_protocol, MCP_PROTOCOL_MODERN, "mcp_protocol");
    is_int(s->init_timeout_ms, 5000, "init_timeout");
    is_str(s->protocol, "stdio", "type is protocol");
    is_int(s->args.n, 4, "empty arguments stay");
    is_str(s->args.v[1], "s3cret", "${env:X} in args");
    is_str(s->args.v[2], "${other}", "other ${…} stay");
    is_int(s->isolation.memory_bytes, 0, "memory_limit 0 is no limit");
    ok(s->isolation.line[ISO_MEMORY_LIMIT] == 6, "and set");
    is_int(s->isolation.nano_cpus, 1500000000, "a bare number of cpus");
    is_int(s->isolation.cache_volume, CACHE_SHARED, "a shared cache volume");
    is_int(s->isolation.mode, MODE_NONE, "mode");
    is_str(s->isolation.log_max_files, "2", "log_max_files as a number");
    config_free(c);
    problems_fini(&p);
}

static void test_own_key_wins(void)
{
    struct problems p = {0};
    struct config *c = parse(
        "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"disabled\":true,\"enabled\":true,\"cwd\":\"/c\","
        "\"working_dir\":\"/w\"}}}",
        &p);
    is_int(c->servers[0].enabled, TRI_YES, "enabled stands above disabled");
    is_str(c->servers[0].working_dir, "/w", "working_dir stands above cwd");
    is_int(p.n, 2, "both are told");
    is_int(p.errors, 0, "as warnings");
    config_free(c);
    problems_fini(&p);
}

static void test_disabled(void)
{
    struct problems p = {0};
    struct config *c = parse("{\"mcpServers\":{\"a\":{\"command\":\"x\",\"enabled\":null,"
                             "\"disabled\":true}}}", &p);
    is_int(c->servers[0].enabled, TRI_NO, "null is no value: disabled counts");
    is_int(p.n, 0, "without a word");
    config_free(c);
    problems_fini(&p);
    c = parse("{\"mcpServers\":{\"a\":{\"command\":\"x\",\"disabled\":\"true\"}}}", &p);
    ok(!c && p.errors == 1, "a string is not taken for true");
    config_free(c);
    problems_fini(&p);
}

static void test_inherited(void)
{
    struct problems p = {0};
    struct config *c = parse(
        "{\"mcpServers\":{\"a\":{\"command\":\"x\",\"init_timeout\":\"5s\"},\"b\":{\"command\":\"x\"}},"
        "\"init_timeout\":\"1m\",\"health_check_interval\":\"10s\"}",
        &p);
    is_int(c->servers[0].init_timeout_ms, 5000, "a server's own init_timeout");
    is_int(c->servers[1].init_timeout_ms, 60000, "the root's for one without");
    is_int(c->servers[1].health_interval_ms, 10000, "and its health_check_interval");
    config_free(c);
    problems_fini(&p);
}

/* Of a file whose errors all stand in servers, the others. */
static void test_good_ones(void)
{
    static const char text[] =
        "{\"mcpServers\": {\"a\": {\"command\": \"x\"}, \"b\": {\"command\": 3},"
        " \"c\": 4, \"a\\u0001\": {\"command\": \"x\"}, \"d\": {\"comand\": \"x\"},"
        " \"e\": {\"command\": \"y\"}}%s}";
    struct problems p = {0};
    AUTO_FREE char *servers = xasprintf(text, ""), *root = xasprintf(text, ", \"listen\": []");
    struct config *c = config_parse_good("f", servers, strlen(servers), NULL, NULL, &p);
    ok(c && c->server_count == 2 && c->server_errors == 4 && p.errors == 4, "the good ones come");
    ok(c && config_find(c, "a") == &c->servers[0] && config_find(c, "e") == &c->servers[1] &&
           !config_find(c, "b") && !config_find(c, "d"), "and are found by their names");
    config_free(c);
    problems_fini(&p);
    ok(!config_parse("f", servers, strlen(servers), NULL, NULL, &p) && p.errors == 4,
       "who wants all gets none");
    problems_fini(&p);
    ok(!config_parse_good("f", root, strlen(root), NULL, NULL, &p),
       "an error elsewhere concerns all");
    problems_fini(&p);
}

static void test_files(void)
{
    struct problems p = {0};
    char *text = NULL;
    size_t len = 0;
    char dir[] = "/tmp/t_config_load.XXXXXX";
    ok(mkdtemp(dir) != NULL, "a directory of its own");
    AUTO_FREE char *path = config_find_path(NULL, dir);
    AUTO_FREE char *want = xasprintf("%s/mcp_config.json", dir);
    is_str(path, want, "without a file the data directory's is meant");
    ok(!config_load(path, false, NULL, &p, &text, &len) && !p.n && !text,
       "nothing is wrong in a file that does not exist");
    problems_fini(&p);

    bool refused = !config_load(dir, false, NULL, &p, NULL, NULL) && p.errors == 1;
    ok(refused, "a directory is no configuration: %s", refused ? p.v[0].text : "it loaded");
    problems_fini(&p);

    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ok(write(fd, "{}", 2) == 2, "written");
    struct config *c = config_load(path, false, NULL, &p, &text, &len);
    ok(c && len == 2 && strcmp(text, "{}") == 0, "loaded, with its text");
    is_str(c ? c->path : NULL, path, "and its path");
    config_free(c);
    free(text);
    ok(ftruncate(fd, (16 << 20) + 1) == 0 && !config_load(path, false, NULL, &p, NULL, NULL),
       "over 16 MiB is refused");
    close(fd);
    problems_fini(&p);
    unlink(path);
    rmdir(dir);
    AUTO_FREE char *explicit_path = config_find_path("/x/y.json", dir);
    is_str(explicit_path, "/x/y.json", "an explicit path is taken as it is");
}

/* What the documentation shows must load. */
static void test_documentation(void)
{
    const char *srcdir = getenv("MCPTOP_SRCDIR");
    AUTO_FREE char *path = xasprintf("%s/docs/configuration.md", srcdir ? srcdir : ".");
    AUTO_BUF struct buf text = BUF_INIT;
    FILE *f = fopen(path, "re");
    for (int ch; f && (ch = getc(f)) != EOF;)
        buf_add_char(&text, (char)ch);
    if (f)
        fclose(f);
    else
        printf("# cannot read %s: run with make check\n", path);
    char *head = strstr(buf_str(&text), "\n## Example\n"), *example = head ? strstr(head, "```json\n") : NULL;
    char *end = example ? strstr(example + 8, "```") : NULL;
    struct problems p = {0};
    setenv("GITHUB_TOKEN", "t", 0);
    struct config *c = end ? config_parse(path, example + 8, (size_t)(end - example) - 8, NULL,
                                          NULL, &p)
                           : NULL;
    ok(!f || (c && p.n == 0 && c->server_count == 2),
       "the example of docs/configuration.md loads without a problem");
    config_free(c);
    problems_fini(&p);
}

int main(void)
{
    tap_deadline(30);
    test_documentation();
    test_problems();
    test_syntax_error();
    test_long_name();
    test_guide_global();
    test_guide_server();
    test_guide_fragments();
    test_tool_change();
    test_values();
    test_own_key_wins();
    test_disabled();
    test_inherited();
    test_good_ones();
    test_files();
    return done_testing();
}
