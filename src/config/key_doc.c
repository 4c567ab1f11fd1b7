/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The texts of the configuration reference, in the order in which they are read there. Types:
 * size = Docker's "512m", duration = "30s", cpus = "1.5". */
#include "config/key_doc.h"

#include "base/mem.h"

#define ROOT AT_BIT(AT_ROOT)
#define LOGGING AT_BIT(AT_LOGGING)
#define SERVER AT_BIT(AT_SERVER)
#define GLOBAL AT_BIT(AT_DOCKER_ISOLATION)
#define ONE AT_BIT(AT_ISOLATION)
#define BOTH (GLOBAL | ONE)

static const struct key_doc table[] = {
    {ROOT, "mcpServers", "array of objects with `name`, or object keyed by name", NULL, "none",
     "{\"time\": {\"command\": \"uvx\", \"args\": [\"mcp-server-time\"]}}", "the servers"},
    {ROOT, "docker_isolation", "object", NULL, "isolation is off",
     "{\"enabled\": true, \"memory_limit\": \"512m\"}", "isolation for all servers, see below"},
    {ROOT, "listen", "`\"ADDR:PORT\"` or `\"none\"`", "\"127.0.0.1:8080\"", NULL,
     "\"127.0.0.1:9090\"", "where HTTP is served beside the socket"},
    {ROOT, "api_key", "string", NULL, "generated, in `DATA_DIR/mcptop.key`",
     "\"${env:MCPTOP_KEY}\"", "what requests over TCP must carry"},
    {ROOT, "mcp_auth", "`\"key\"` or `\"none\"`", "\"key\"", NULL, "\"none\"",
     "whether `/mcp` over TCP needs the key"},
    {ROOT, "data_dir", "path", "\"~/.mcpproxy\"", NULL, "\"~/.mcpproxy-work\"",
     "socket, lock, instance id, key"},
    {ROOT, "logging", "object", NULL, "see below", "{\"level\": \"debug\"}", "logs, see below"},
    {ROOT, "call_tool_timeout", "duration", "\"2m\"", NULL, "\"10m\"",
     "for servers without their own"},
    {ROOT, "max_message_size", "size", "\"64m\"", NULL, "\"16m\"",
     "of a message of MCP, in either direction, `1m` to `100m`; a larger one fails alone. A change "
     "counts at once"},
    {ROOT, "init_timeout", "duration", "\"30s\"", NULL, "\"1m\"", "for servers without their own"},
    {ROOT, "health_check_interval", "duration", "\"30s\"", NULL, "\"1m\"",
     "for servers without their own"},
    {ROOT, "on_tool_change", "`\"warn\"` or `\"hold\"`", "\"warn\"", NULL, "\"hold\"",
     "for servers without their own"},

    {LOGGING, "level", "`\"debug\"`, `\"info\"`, `\"warn\"` or `\"error\"`", "\"info\"", NULL,
     "\"debug\"", "what `main.log` takes; a change counts at once"},
    {LOGGING, "log_dir", "path", NULL,
     "`$XDG_STATE_HOME/mcpproxy/logs`, else `~/.local/state/mcpproxy/logs`", "\"~/logs\"",
     "the directory of `main.log` and `server-NAME.log`"},

    {SERVER, "name", "string", NULL, "none", "\"git\"",
     "unique, at most 200 bytes; with an object of servers the key is the name"},
    {SERVER, "command", "string", NULL, "none", "\"uvx\"", "the program; no shell is involved"},
    {SERVER, "args", "array of strings", "[]", NULL, "[\"mcp-server-git\"]", "its arguments"},
    {SERVER, "env", "object of strings", "{}", NULL, "{\"TOKEN\": \"${env:TOKEN}\"}",
     "added to its environment"},
    {SERVER, "working_dir", "path", NULL, "mcptop's own", "\"~/projects\"",
     "on the host; a container uses `isolation.working_dir`"},
    {SERVER, "enabled", "boolean", "true", NULL, "false",
     "whether it is started. `disabled` says the opposite"},
    {SERVER, "quarantined", "boolean", "false", NULL, "true",
     "it runs and is shown, but no client gets its tools, prompts and resources until `mcptop "
     "release NAME`"},
    {SERVER, "record", "boolean", "false", NULL, "true",
     "its calls and their answers are kept as they were, secrets in them too, in "
     "`DATA_DIR/recorded/server-NAME.log` (0600) and one older file of 4 MiB each at most; a call "
     "or an answer over 1 MiB is not kept. `mcptop replay` sends one again"},
    {SERVER, "isolation", "object", NULL, "as `docker_isolation` says", "{\"enabled\": false}",
     "isolation of this server, see below"},
    {SERVER, "mcp_protocol", "`\"auto\"`, `\"legacy\"` or `\"modern\"`", "\"auto\"",
     NULL, "\"modern\"",
     "which MCP is spoken with it: `initialize` (2024-11-05 to 2025-11-25) or the stateless "
     "2026-07-28; auto begins with the first and takes the second where that is refused; clients "
     "of both are served either way"},
    {SERVER, "init_timeout", "duration", "\"30s\"", NULL, "\"1m\"",
     "from its start to its answer to `initialize`; where neither this nor `isolation.timeout` is "
     "set, `npx`, `uvx` and others that fetch a package first have 2 minutes until they have been "
     "ready once"},
    {SERVER, "health_check_interval", "duration", "\"30s\"", NULL, "\"1m\"", "between pings"},
    {SERVER, "call_tool_timeout", "duration", "\"2m\"", NULL, "\"10m\"", "for one call"},
    {SERVER, "start", "`\"eager\"` or `\"lazy\"`", "\"eager\"", NULL, "\"lazy\"",
     "lazy: it is started by the first call; its tools are listed from what it had last time, and "
     "when that is not known the first client starts it"},
    {SERVER, "idle_stop", "duration", NULL, "never", "\"10m\"",
     "stopped when no call came for so long; a call starts it again and waits for it"},
    {SERVER, "sharing", "`\"shared\"` or `\"per-session\"`", "\"shared\"", NULL, "\"per-session\"",
     "per-session: every session of a client (over HTTP, or one `mcptop stdio`) has a process or "
     "container of its own, started by its first call and ended with it, or after `idle_stop` "
     "(half an hour where that is not set; a stdio session that is open does not count as idle "
     "then)"},
    {SERVER, "max_sessions", "number", "16", NULL, "4",
     "of `sharing: per-session`: how many sessions may have a process at once; a call of one more "
     "gets an error. What comes without a session shares one process beside these"},
    {SERVER, "enabled_tools", "array of strings", NULL, "all tools", "[\"git_log\"]",
     "the only tools that clients see and can call; empty: all. A change counts at once, without "
     "a restart"},
    {SERVER, "disabled_tools", "array of strings", "[]", NULL, "[\"git_reset\"]",
     "tools that clients do not see and cannot call, above `enabled_tools`"},
    {SERVER, "on_tool_change", "`\"warn\"` or `\"hold\"`", "\"warn\"", NULL, "\"hold\"",
     "what becomes of a tool whose definition is not the one that was first seen, or that came "
     "later: warn says so and shows what changed, hold also keeps it from clients until `mcptop "
     "approve`"},
    {SERVER, "protocol", "string", "\"stdio\"", NULL, "\"stdio\"",
     "`http`, `sse` and `streamable-http` are remote servers: shown, not started by this version"},
    {SERVER, "url", "string", NULL, "none", "\"http://127.0.0.1:3000/mcp\"",
     "of a remote server: shown, not started by this version"},

    {GLOBAL, "enabled", "boolean", "false", NULL, "true", "run servers in containers"},
    {ONE, "enabled", "boolean", NULL, "as `docker_isolation` says", "false",
     "run this one in a container, or not"},
    {BOTH, "mode", "`\"docker\"`, `\"none\"` or `\"sandbox\"`", NULL, "as `enabled` says",
     "\"docker\"",
     "stands above `enabled` of the same object. `sandbox` is MCPProxy's: not started by this "
     "version"},
    {ONE, "image", "image name", NULL, "by command, see below", "\"python:3.12-slim\"",
     "what the container is made from"},
    {BOTH, "memory_limit", "size", "\"512m\"", NULL, "\"1g\"",
     "at least `6m`; `\"0\"`: no limit. Set and changed on a running container, taken away "
     "by a restart"},
    {BOTH, "cpu_limit", "cpus", "\"1.0\"", NULL, "\"0.5\"",
     "at least `0.01`; `\"0\"`: no limit. Set and changed on a running container, taken away "
     "by a restart"},
    {BOTH, "pids_limit", "number", "512", "no limit where `hardening` is `off`", "100",
     "processes and threads; `0`: no limit. Changed on a running container"},
    {BOTH, "hardening", "`\"standard\"`, `\"strict\"` or `\"off\"`", "\"standard\"", NULL,
     "\"strict\"",
     "new privileges, capabilities and swap are taken away; strict: root, writing and the network "
     "too"},
    {BOTH, "network_mode", "string", "\"bridge\"", NULL, "\"none\"",
     "`bridge`, `none`, `host` (isolates little) or a network's name"},
    {ONE, "volumes", "array of `\"/host:/container[:ro]\"`", "[]", NULL, "[\"/srv/docs:/docs:ro\"]",
     "what the container sees of the host's files; the host path must exist"},
    {ONE, "working_dir", "absolute path", NULL, "the image's", "\"/docs\"", "in the container"},
    {BOTH, "env", "object of strings", "{}", NULL, "{\"TZ\": \"UTC\"}",
     "in the container, under the server's own `env`"},
    {BOTH, "timeout", "duration", "\"30s\"", NULL, "\"1m\"",
     "how long the engine may take to start the container (create, attach and start together), and "
     "at least what `initialize` may take after that; a pull does not count"},
    {BOTH, "default_images", "object", NULL, "by command, see below", "{\"uvx\": \"python:3.12\"}",
     "image by command, merged key by key"},
    {BOTH, "pull_policy", "`\"missing\"`, `\"always\"` or `\"never\"`", "\"missing\"", NULL,
     "\"always\"", "whether the image is pulled before a start"},
    {BOTH, "registry", "string", "\"docker.io\"", NULL, "\"localhost:5000\"",
     "put before image names without a slash"},
    {BOTH, "extra_args", "array of `docker run` words", "[]", NULL, "[\"--read-only\"]",
     "the global ones, then the server's; they come after the other keys and win, see below"},
    {BOTH, "enable_cache_volume", "boolean or `\"shared\"`", "true", NULL, "\"shared\"",
     "a volume per server for downloaded packages; `\"shared\"`: one for all servers"},
    {BOTH, "log_driver", "string", NULL, "`\"local\"`, small", "\"json-file\"",
     "of the container's own log, which `docker logs` reads"},
    {BOTH, "log_max_size", "size", "\"10m\"", "`\"100m\"` where `log_driver` is set", "\"50m\"",
     "of one file of that log"},
    {BOTH, "log_max_files", "number", "1", "`3` where `log_driver` is set", "5",
     "how many files of it are kept"},
    {GLOBAL, "total_memory", "size", NULL, "no budget", "\"8g\"",
     "when the memory limits of all isolated servers together pass it, or one has none, mcptop "
     "warns and goes on"},
};

const struct key_doc *key_doc_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(table);
    return table;
}
