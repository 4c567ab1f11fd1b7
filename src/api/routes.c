/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which handler a request goes to, and who may ask. One table; a new route is one line of it and
 * one function. */
#include "api/routes.h"

#include <string.h>

#include "api/api_internal.h"
#include "api/event_hub.h"
#include "api/guard.h"
#include "api/json.h"
#include "api/mcp_http.h"
#include "api/mcp_stdio.h"
#include "api/metrics.h"
#include "api/reply.h"
#include "api/routes_calls.h"
#include "api/routes_finding.h"
#include "api/routes_list.h"
#include "api/routes_server.h"
#include "api/urlpath.h"
#include "base/buf.h"
#include "base/mem.h"

enum { NAME_MAX_BYTES = 1024 };
enum route_flags {
    OPEN = 1,          /* no key needed over TCP */
    SOCKET_ONLY = 2,
    MCP = 4,           /* no key needed with mcp_auth: none */
};

typedef void (*route_handler)(struct api_server *a, struct request *r, const char *name);

struct route {
    const char *method;         /* NULL = any: the handler decides */
    const char *pattern;
    unsigned flags;
    route_handler handle;       /* one of the two */
    server_handler server;      /* {} is a server that exists */
};

/* ---- handlers that concern no single server ---- */

static void get_health(struct api_server *a, struct request *r, const char *name)
{
    (void)a, (void)name;
    request_reply(r, 200, "text/plain", NULL, &(struct iovec){(char[]){"ok\n"}, 3}, 1);
}

/* Ready: everything wanted was tried once. */
static void get_ready(struct api_server *a, struct request *r, const char *name)
{
    for (size_t i = 0; i < fleet_count(a->fleet); i++) {
        const struct server *s = fleet_at(a->fleet, i);
        bool trying = s->state == SERVER_PULLING || s->state == SERVER_STARTING ||
                      s->state == SERVER_INITIALIZING;
        if (s->wanted == WANTED_UP && (!server_has_begun(s) || (trying && s->failures == 0))) {
            if (request_get_via(r) == VIA_UNIX)
                reply_error(r, 503, "\"%s\" is %s", s->name, server_state_name(s->state));
            else       /* asked without a key */
                reply_error(r, 503, "a server is not ready yet");
            return;
        }
    }
    get_health(a, r, name);
}

static void get_status(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    reply_data(r, json_status(a));
}

static void post_restart_all(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        if (fleet_at(a->fleet, i)->wanted == WANTED_UP)
            server_restart(fleet_at(a->fleet, i), "restarted by user", haste_of(r));
    list_get_servers(a, r, name);
}

/* What the engine is asked for goes on when its client has gone: then nobody is answered. */
struct waiting { struct api_server *a; struct request *r; };

static void waiting_gone(void *ctx, struct request *r)
{
    struct waiting *w = ctx;

    (void)r;
    w->r = NULL;
}

static struct waiting *waiting_new(struct api_server *a, struct request *r)
{
    struct waiting *w = xcalloc(1, sizeof *w);

    w->a = a;
    w->r = r;
    request_set_gone(r, waiting_gone, w);
    return w;
}

static void removal_done(void *ctx, json_t *reply, const struct fault *f)
{
    struct waiting *w = ctx;

    (void)reply;
    if (w->r && f)
        reply_fault(w->r, f);
    else if (w->r)
        reply_data(w->r, json_object());
    free(w);
}

static void delete_container(struct api_server *a, struct request *r, const char *id)
{
    fleet_container_remove(a->fleet, id, removal_done, waiting_new(a, r));
}

static void search_done(void *ctx, const struct fault *f)
{
    struct waiting *w = ctx;

    if (w->r && f)
        reply_fault(w->r, f);
    else if (w->r)
        reply_data(w->r, json_pack("{s:o}", "containers", json_containers(w->a->fleet)));
    free(w);
}

static void get_containers(struct api_server *a, struct request *r, const char *name)
{
    const char *orphans = request_get_query(r, "orphans");

    (void)name;
    if (orphans && strcmp(orphans, "1") == 0)
        fleet_containers_search(a->fleet, search_done, waiting_new(a, r));
    else
        reply_data(r, json_pack("{s:o}", "containers", json_containers(a->fleet)));
}

static void get_events(struct api_server *a, struct request *r, const char *name)
{
    int64_t limit = query_int(r, "limit", 100, 1000);

    (void)name;
    if (limit < 0)
        reply_error(r, 400, "limit must be a whole number");
    else
        reply_data(r, json_pack("{s:o}", "events", json_events(a->fleet, (size_t)limit)));
}

static void get_event_stream(struct api_server *a, struct request *r, const char *name)
{
    char log[NAME_MAX_BYTES];
    int64_t tail = query_int(r, "tail", 200, 10000);
    bool with_log = query_text(r, "log", log, sizeof log);

    (void)name;
    if (tail < 0)
        reply_error(r, 400, "tail must be a whole number");
    else
        event_hub_subscribe(a->hub, r, with_log ? log : NULL, (uint64_t)tail);
}

static void post_reload(struct api_server *a, struct request *r, const char *name)
{
    fleet_reload(a->fleet);
    list_get_config(a, r, name);
}

static void get_docker_status(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    reply_data(r, json_engine(a->fleet));
}

/* The docker CLI's contexts, as they look from the supervisor's environment now, and which one it
 * has used since it started. */
static void get_docker_contexts(struct api_server *a, struct request *r, const char *name)
{
    const struct engine *e = fleet_get_engine(a->fleet);
    json_t *doc = docker_contexts_json();
    const struct docker_context *c = e ? engine_get_context(e) : NULL;

    (void)name;
    json_object_set_new(doc, "used", !c ? json_null() : json_pack("{s:o, s:o, s:o}",
        "name", json_text(c->name), "endpoint", json_text(c->host), "why", json_text(c->why)));
    json_object_set_new(doc, "used_error", json_text(e ? "" : fleet_get_engine_error(a->fleet)));
    reply_data(r, doc);
}

static void post_tools_call(struct api_server *a, struct request *r, const char *name)
{
    size_t n;
    const char *body = request_get_body(r, &n), *server = NULL, *tool = NULL;
    json_t *arguments = NULL, *doc = json_loadb(body, n, 0, NULL);

    (void)name;
    if (json_unpack(doc, "{s:s, s:s, s?:o}", "server", &server, "tool", &tool, "arguments",
                    &arguments) < 0)
        reply_error(r, 400, "the body must be {\"server\":\"…\",\"tool\":\"…\",\"arguments\":{…}}");
    else
        mcp_http_call_tool(a->mcp_http, r, server, tool, arguments);
    json_decref(doc);
}

static void get_metrics(struct api_server *a, struct request *r, const char *name)
{
    AUTO_BUF struct buf text = BUF_INIT;

    (void)name;
    metrics_write(a, &text);
    request_reply(r, 200, METRICS_TYPE, NULL, &(struct iovec){text.data, text.len}, 1);
}

static void post_shutdown(struct api_server *a, struct request *r, const char *name)
{
    int running = 0;

    (void)name;
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        running += fleet_at(a->fleet, i)->backend != NULL;
    reply_data(r, json_pack("{s:i}", "servers", running));
    a->cfg.shutdown(a->cfg.ctx);
}

static void any_mcp(struct api_server *a, struct request *r, const char *name)
{
    mcp_http_handle(a->mcp_http, r, name);
}

static void any_mcp_all(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    if (request_get_header(r, "Upgrade"))
        mcp_stdio_handle(a->mcp_stdio, r, NULL);
    else
        mcp_http_handle(a->mcp_http, r, NULL);
}

static void get_mcp_stdio(struct api_server *a, struct request *r, const char *name)
{
    mcp_stdio_handle(a->mcp_stdio, r, name);
}

/* ---- the table ---- */

#define SERVERS "/api/v1/servers"
static const struct route routes[] = {
    {NULL, "/mcp", MCP, any_mcp_all, NULL},
    {NULL, "/mcp/{}", MCP, any_mcp, NULL},
    {"GET", "/mcp/{}/stdio", SOCKET_ONLY, get_mcp_stdio, NULL},
    {"GET", "/healthz", OPEN, get_health, NULL},
    {"GET", "/readyz", OPEN, get_ready, NULL},
    {"GET", "/metrics", 0, get_metrics, NULL},
    {"GET", "/events", 0, get_event_stream, NULL},
    {"GET", "/api/v1/status", 0, get_status, NULL},
    {"GET", SERVERS, 0, list_get_servers, NULL},
    {"POST", SERVERS, SOCKET_ONLY, servers_post, NULL},
    {"POST", SERVERS "/restart_all", 0, post_restart_all, NULL},
    {"GET", SERVERS "/{}", 0, NULL, server_get},
    {"PATCH", SERVERS "/{}", 0, NULL, server_patch},
    {"POST", SERVERS "/{}/start", 0, NULL, server_post_start},
    {"POST", SERVERS "/{}/stop", 0, NULL, server_post_stop},
    {"POST", SERVERS "/{}/restart", 0, NULL, server_post_restart},
    {"POST", SERVERS "/{}/kill", 0, NULL, server_post_kill},
    {"POST", SERVERS "/{}/enable", 0, NULL, server_post_enable},
    {"POST", SERVERS "/{}/disable", 0, NULL, server_post_disable},
    {"POST", SERVERS "/{}/undo", 0, NULL, server_post_undo},
    {"POST", SERVERS "/{}/release", SOCKET_ONLY, NULL, server_post_release},
    {"POST", SERVERS "/{}/pull", 0, NULL, server_post_pull},
    {"DELETE", SERVERS "/{}/pull", 0, NULL, server_delete_pull},
    {"POST", SERVERS "/{}/fix", 0, NULL, server_post_fix},
    {"POST", SERVERS "/{}/test", 0, NULL, server_post_test},
    {"GET", SERVERS "/{}/plan", 0, NULL, server_get_plan},
    {"GET", SERVERS "/{}/command", 0, NULL, server_get_command},
    {"GET", SERVERS "/{}/tools", 0, NULL, server_get_tools},
    {"GET", SERVERS "/{}/tools/changes", 0, NULL, server_get_tool_changes},
    {"POST", SERVERS "/{}/tools/approve", SOCKET_ONLY, NULL, server_post_approve},
    {"GET", SERVERS "/{}/logs", 0, NULL, server_get_logs},
    {"GET", "/api/v1/containers", 0, get_containers, NULL},
    {"DELETE", "/api/v1/containers/{}", 0, delete_container, NULL},
    {"GET", "/api/v1/events", 0, get_events, NULL},
    {"GET", "/api/v1/config", 0, list_get_config, NULL},
    {"POST", "/api/v1/config/reload", 0, post_reload, NULL},
    {"GET", "/api/v1/diagnostics", 0, get_diagnostics, NULL},
    {"GET", "/api/v1/docker/status", 0, get_docker_status, NULL},
    {"GET", "/api/v1/docker_isolation", 0, isolation_get, NULL},
    {"PATCH", "/api/v1/docker_isolation", 0, isolation_patch, NULL},
    {"POST", "/api/v1/docker_isolation/undo", 0, isolation_post_undo, NULL},
    {"GET", "/api/v1/docker/contexts", 0, get_docker_contexts, NULL},
    {"GET", "/api/v1/calls", 0, calls_get, NULL},
    {"GET", "/api/v1/calls/{}", 0, call_get, NULL},
    {"POST", "/api/v1/calls/{}/replay", 0, call_post_replay, NULL},
    {"POST", "/api/v1/tools/call", 0, post_tools_call, NULL},
    {"POST", "/api/v1/shutdown", SOCKET_ONLY, post_shutdown, NULL},
};

/* The route of this request; *ret_path_known tells 404 from 405. name is valid when a route is
 * returned. */
static const struct route *find_route(const struct request *r, char *name, size_t n,
                                      bool *ret_path_known)
{
    const char *method = request_get_method(r), *path = request_get_path(r);

    *ret_path_known = false;
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        if (!urlpath_match(path, routes[i].pattern, name, n))
            continue;
        *ret_path_known = true;
        if (!routes[i].method || strcmp(routes[i].method, method) == 0)
            return &routes[i];
    }
    return NULL;
}

static int refuse(char *scratch, size_t n, const char **ret_text, int status, const char *sentence)
{
    reply_error_text(scratch, n, sentence);
    *ret_text = scratch;
    return status;
}

static const char *key_in_force(const struct api_server *a)
{
    const struct config *c = fleet_get_config(a->fleet);
    return c && c->api_key ? c->api_key : a->cfg.api_key;
}

static bool mcp_is_open(const struct api_server *a)
{
    const struct config *c = fleet_get_config(a->fleet);
    return c && c->mcp_auth && strcmp(c->mcp_auth, "none") == 0;
}

int routes_admit(const struct api_server *a, const struct request *r, char *scratch, size_t n,
                 const char **ret_text)
{
    char name[NAME_MAX_BYTES], query_key[256];
    bool known, get = strcmp(request_get_method(r), "GET") == 0;

    if (request_get_via(r) == VIA_UNIX)
        return 0;
    if (!guard_host_ok(request_get_header(r, "Host"), a->cfg.listen))
        return refuse(scratch, n, ret_text, 403,
                      "this Host is not served: use localhost or 127.0.0.1");
    if (!guard_origin_ok(request_get_header(r, "Origin")))
        return refuse(
            scratch, n, ret_text, 403,
            "requests of this Origin are refused: only pages served from this machine may ask");
    const struct route *route = find_route(r, name, sizeof name, &known);
    if (route && ((route->flags & OPEN) || ((route->flags & MCP) && mcp_is_open(a))))
        return 0;
    bool in_query = get && query_text(r, "apikey", query_key, sizeof query_key);
    if (!guard_key_ok(key_in_force(a), request_get_header(r, "X-API-Key"),
                      request_get_header(r, "Authorization"), in_query ? query_key : NULL))
        return refuse(
            scratch, n, ret_text, 401,
            "no or wrong API key: send it as X-API-Key or Authorization: Bearer (GET also "
            "?apikey=); it is in the file mcptop.key of the data directory, or api_key of the "
            "configuration");
    if (route && (route->flags & SOCKET_ONLY))
        return refuse(scratch, n, ret_text, 403, "this is served on the unix socket only");
    return 0;
}

void routes_handle(struct api_server *a, struct request *r)
{
    char name[NAME_MAX_BYTES] = "";
    bool known;
    const struct route *route = find_route(r, name, sizeof name, &known);

    if (!route) {
        if (known)
            reply_error(r, 405, "%s is not possible on %s", request_get_method(r),
                        request_get_path(r));
        else
            reply_error(r, 404, "there is no %s: the routes are listed in docs/api.md",
                        request_get_path(r));
        return;
    }
    if (!route->server) {
        route->handle(a, r, name);
        return;
    }
    struct server *s = fleet_find(a->fleet, name);
    if (s)
        route->server(a, r, s);
    else
        reply_no_server(r, a->fleet, name);
}
