/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The modern era (2026-07-28) at either side of a session: handshakes, what is added to and taken
 * from messages between the eras, multi-round-trip requests both ways, subscriptions. */
#include "session_rig.h"

#define IO "io.modelcontextprotocol/"
#define META(more) \
    "\"_meta\":{\"" IO "protocolVersion\":\"2026-07-28\",\"" IO "clientInfo\":{\"name\":\"new\"," \
    "\"version\":\"2\"},\"" IO "clientCapabilities\":{\"elicitation\":{}}" more "}"
#define MODERN(id, method, more) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" META("") more "}}"
#define LEGACY(id, method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\"" params "}"
#define HELLO "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{" \
    "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"elicitation\":{}},"       \
    "\"clientInfo\":{\"name\":\"old\",\"version\":\"1\"}}}"
#define DISCOVERED "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"]," \
    "\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}}," \
    "\"instructions\":\"be kind\",\"ttlMs\":5,\"_meta\":{\"" IO "serverInfo\":{\"name\":\"srv\"," \
    "\"version\":\"3\"}}}"

static void start_modern(struct rig *r, const struct session_config *cfg)
{
    rig_open(r, cfg);
    up(r);
    const char *line = next_line(r);
    ok(line && strstr(line, "\"method\":\"server/discover\",\"params\":{\"_meta\":{\"" IO
                            "protocolVersion\":\"2026-07-28\""), "the server is discovered: %s", line);
    says_result(r, "1", DISCOVERED);
    line = next_line(r);
    ok(line && strstr(line, "\"subscriptions/listen\"") && strstr(line, "\"toolsListChanged\":true"),
       "its changes are listened to: %s", line);
    line = next_line(r);
    ok(line && strstr(line, "\"tools/list\",\"params\":{\"_meta\":{"), "and its tools read: %s", line);
    says_result(r, "3", "{\"tools\":[],\"resultType\":\"complete\"}");
    is_int(session_get_phase(r->s), SESSION_READY, "it is ready");
    is_str(session_get_server_version(r->s), "3", "it is known");
}

static void start_legacy(struct rig *r, const struct session_config *cfg)
{
    rig_open(r, cfg);
    up(r);
    AUTO_FREE char *id = xstrdup(next_id(r));
    says_result(r, id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{},"
                       "\"prompts\":{\"listChanged\":true},\"resources\":{\"subscribe\":true}},"
                       "\"serverInfo\":{\"name\":\"srv\",\"version\":\"3\"}}");
    next_line(r);
}

static void is_line(struct rig *r, const char *want, const char *what)
{
    is_str(next_line(r), want, "%s", what);
}

static void test_auto(void)
{
    struct rig r;

    rig_open(&r, NULL);
    up(&r);
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32022,\"message\":\"no\"}}",
         next_id(&r));
    const char *line = next_line(&r);
    ok(line && strstr(line, "server/discover"), "initialize refused: the other era is tried");
    says_result(&r, "2", DISCOVERED);
    is_str(session_get_protocol(r.s), "2026-07-28", "and spoken");
    session_down(r.s, "stopped");
    up(&r);
    line = next_line(&r);
    ok(line && strstr(line, "server/discover"), "the verdict is remembered: %s", line);
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":5,\"error\":{\"code\":-32601,\"message\":\"no\"}}");
    ok(strstr(r.failed.text, "server/discover was refused: no"), "a failure: %s", r.failed.text);
    session_down(r.s, "stopped");
    up(&r);
    line = next_line(&r);
    ok(line && strstr(line, "\"initialize\""), "forgets it");
    rig_close(&r);
}

static void test_modern_both(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_modern(&r, &cfg);
    struct client *c = client_open(r.s, "http", &notified, &got);
    sends(c, &p, MODERN("\"a\"", "server/discover", ""));
    ok(has(&p.text, "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{\"resultType\":\"complete\","
                    "\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{\"tools\"") &&
           has(&p.text, "\"ttlMs\":5") && has(&p.text, "\"instructions\":\"be kind\""),
       "discover is answered here");
    is_str(client_get_label(c), "new 2", "the client is known");
    sends(c, &p, MODERN("7", "tools/call", ",\"name\":\"t\""));
    is_line(&r, MODERN("4", "tools/call", ",\"name\":\"t\""), "a call passes as it is");
    says_result(&r, "4", "{\"resultType\":\"input_required\",\"requestState\":\"s\"}");
    is_str(buf_str(&p.text), "{\"result\":{\"resultType\":\"input_required\",\"requestState\":\"s\"},"
                             "\"jsonrpc\":\"2.0\",\"id\":7}", "and so does its answer");
    static const struct { const char *message, *want; } refused[] = {
        {MODERN("1", "initialize", ""), "-32601"}, {MODERN("1", "ping", ""), "-32601"},
        {MODERN("1", "logging/setLevel", ""), "-32601"},
        {MODERN("1", "resources/subscribe", ""), "-32601"},
        {LEGACY("1", "tools/list", ""), "-32602,\"message\":\"params._meta must have "},
        {LEGACY("1", "tools/list", ",\"params\":{\"_meta\":{\"" IO
                "protocolVersion\":\"2026-07-28\"}}"), "clientCapabilities"},
        {LEGACY("1", "tools/list", ",\"params\":{\"_meta\":{\"" IO "protocolVersion\":\"v9\",\"" IO
                "clientCapabilities\":{}}}"),
         "-32022,\"message\":\"this protocol version is not supported\",\"data\":{\"supported\":["
         "\"2026-07-28\"],\"requested\":\"v9\"}}}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        sends(c, &p, refused[i].message);
        ok(has(&p.text, refused[i].want), "refused: %s", refused[i].message);
        is_line(&r, NULL, "and not passed on");
    }
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

#define OLD_META "\"" IO "protocolVersion\":\"2026-07-28\",\"" IO "clientInfo\":{\"name\":\"old\"," \
    "\"version\":\"1\"},\"" IO "clientCapabilities\":{\"elicitation\":{\"form\":{}}},\"" IO     \
    "logLevel\":\"info\""

static void test_legacy_client_modern_server(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_modern(&r, &cfg);
    struct client *c = client_open(r.s, "http", &notified, &got);
    sends(c, &p, HELLO);
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":"
           "\"2025-06-18\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"resources\":"
           "{\"subscribe\":true}},\"serverInfo\":{\"name\":\"srv\",\"version\":\"3\"},"
           "\"instructions\":\"be kind\"}}", "it is welcomed in its own era");
    sends(c, &p, LEGACY("1", "tools/list", ""));
    is_line(&r, LEGACY("4", "tools/list", ",\"params\":{\"_meta\":{" OLD_META "}}"),
            "a request without parameters says who asks");
    sends(c, &p, LEGACY("2", "tools/list", ",\"params\":{}"));
    is_line(&r, LEGACY("5", "tools/list", ",\"params\":{\"_meta\":{" OLD_META "}}"), "with none");
    sends(c, &p, LEGACY("3", "tools/call", ",\"params\":{\"_meta\":{\"progressToken\":\"x\"},"
                        "\"name\":\"t\"}"));
    is_line(&r, LEGACY("6", "tools/call", ",\"params\":{\"_meta\":{" OLD_META ",\"progressToken\":6},"
                       "\"name\":\"t\"}"), "beside its own _meta");
    sends(c, &p, LEGACY("4", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    is_line(&r, LEGACY("7", "tools/call", ",\"params\":{\"_meta\":{" OLD_META "},\"name\":\"t\"}"),
            "before the rest");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\",\"params\":"
             "{\"_meta\":{\"" IO "subscriptionId\":2}}}");
    is_str(buf_str(&got), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"};",
           "changes come without our subscription");
    buf_clear(&got);
    sends(c, &p, LEGACY("5", "resources/subscribe", ",\"params\":{\"uri\":\"a:b\"}"));
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{}}", "a resource is watched");
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"resourceSubscriptions\":[\"a:b\"]"), "by listening anew: %s", line);
    is_line(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2}}",
            "and not as before");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":"
             "{\"_meta\":{\"" IO "subscriptionId\":8},\"uri\":\"a:b\"}}");
    is_str(buf_str(&got), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
                          "\"params\":{\"uri\":\"a:b\"}};", "it is told");
    client_close(c);
    line = next_line(&r);
    ok(line && strstr(line, "cancelled") == NULL && !strstr(line, "resourceSubscriptions"),
       "nobody watches any more: %s", line);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_rounds_for_a_legacy_client(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_modern(&r, &cfg);
    struct client *c = client_open(r.s, "http", &notified, &got);
    sends(c, &p, HELLO);
    sends(c, &p, LEGACY("1", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    next_line(&r);
    says_result(&r, "4", "{\"resultType\":\"input_required\",\"requestState\":\"s1\",\"inputRequests\":{"
                "\"who\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"?\"}},"
                "\"why\":{\"method\":\"elicitation/create\",\"params\":{\"message\":\"!\"}}}}");
    is_str(buf_str(&got),
           "asks of a call:{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\","
           "\"params\":{\"message\":\"?\"}};asks of a call:{\"jsonrpc\":\"2.0\",\"id\":2,"
           "\"method\":\"elicitation/create\",\"params\":{\"message\":\"!\"}};", "it is asked");
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"action\":\"decline\"}}");
    is_line(&r, NULL, "one answer is not enough");
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\n\"accept\"}}");
    is_line(&r, LEGACY("5", "tools/call", ",\"params\":{\"_meta\":{" OLD_META "},\"inputResponses\":{"
            "\"why\":{\"action\":\"decline\"},\"who\":{\"action\": \"accept\"}},\"requestState\":\"s1\","
            "\"name\":\"t\"}"), "the call is made again with both");
    says_result(&r, "5", "{\"resultType\":\"input_required\",\"inputRequests\":{\"more\":{\"method\":"
                "\"elicitation/create\",\"params\":{}}}}");
    session_down(r.s, "exited 3");
    is_int(p.count, 1, "the end of the server does not matter meanwhile");
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"action\":\"cancel\"}}");
    up(&r);
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says_result(&r, id, DISCOVERED);
    next_line(&r);
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"inputResponses\":{\"more\":{\"action\":\"cancel\"}},\"name\":\"t\"}"),
       "the next one is asked: %s", line);
    AUTO_BUF struct buf text = BUF_INIT;
    buf_add_str(&text, line);
    struct envelope e;
    envelope_scan(text.data, text.len, &e, NULL);
    AUTO_FREE char *again = xstrndup(e.id.p, e.id.n);
    says_result(&r, again, "{\"content\":[],\"resultType\":\"complete\"}");
    ok(has(&p.text, "\"content\":[]") && has(&p.text, "\"id\":1}"), "the client gets its answer");

    buf_clear(&r.out);
    sends(c, &p, LEGACY("2", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    AUTO_FREE char *third = xstrdup(next_id(&r));
    says_result(&r, third, "{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{\"method\":"
                "\"sampling/createMessage\",\"params\":{}}}}");
    ok(has(&p.text, "\"error\"") && has(&p.text, "does not have this capability"),
       "what it cannot be asked fails the call");
    sends(c, &p, LEGACY("3", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    AUTO_FREE char *fourth = xstrdup(next_id(&r));
    says_result(&r, fourth, "{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{\"method\":"
                "\"elicitation/create\",\"params\":{}}}}");
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3}}");
    ok(has(&p.text, "\"id\":3,\"error\"") && has(&p.text, "cancelled by the client"),
       "a client can cancel instead of answering");
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"action\":\"accept\"}}");
    is_line(&r, NULL, "and its late answer is dropped");
    sends(c, &p, LEGACY("4", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    AUTO_FREE char *fifth = xstrdup(next_id(&r));
    says_result(&r, fifth, "{\"resultType\":\"input_required\",\"inputRequests\":{\"a\":{\"method\":"
                "\"elicitation/create\",\"params\":{}}}}");
    client_close(c);
    is_line(&r, NULL, "a client that leaves takes its call along");
    buf_fini(&p.text);
    rig_close(&r);
}

/* HTTP clients may write a message over several lines; what is kept of it goes into others. */
static void test_lines_of_a_client(void)
{
    static const char pretty[] =
        "{\n \"jsonrpc\": \"2.0\", \"id\": 0, \"method\": \"initialize\", \"params\": {\n"
        " \"protocolVersion\": \"2025-06-18\", \"capabilities\": {\r\n}, \"clientInfo\": {\r\n"
        " \"name\": \"old\",\n \"version\": \"1\",\n \"more\":\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/injected\"}\n} } }";
    struct session_config cfg = {.era = ERA_MODERN};
    struct reply p = {0};
    struct rig r;

    start_modern(&r, &cfg);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    sends(c, &p, pretty);
    sends(c, &p, LEGACY("1", "tools/call", ",\"params\":\n{\"name\":\n\"t\"}"));
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"name\": \"t\"}") && strstr(line, "\"more\": {\"jsonrpc\"") &&
           !strchr(line, '\r'), "a call that says who asks is one line: %s", line);
    is_line(&r, NULL, "and only one");
    sends(c, &p, LEGACY("2", "tools/list", ",\"params\":{\"_meta\":{\"" IO
                        "protocolVersion\":{\n},\"" IO "clientCapabilities\":{}}}"));
    ok(has(&p.text, "\"requested\":{ }"), "what is said of a version is one line, too");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

/* Between two handshakes all that is known of the server is of the last one. */
static void test_legacy_client_while_it_restarts(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_modern(&r, &cfg);
    session_down(r.s, "exited 3");
    up(&r);
    ok(strstr(buf_str(&r.out), "server/discover"), "it is being discovered again");
    struct client *c = client_open(r.s, "http", &notified, &got);
    sends(c, &p, HELLO);
    ok(has(&p.text, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":"
                    "\"2025-06-18\",\"capabilities\":{\"tools\"") &&
           has(&p.text, "\"serverInfo\":{\"name\":\"srv\""),
       "a new client is welcomed from what is known");
    sends(c, &p, LEGACY("1", "resources/subscribe", ",\"params\":{\"uri\":\"a:b\"}"));
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "a resource is watched");
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says_result(&r, id, DISCOVERED);
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"subscriptions/listen\"") && strstr(line, "\"a:b\""),
       "the server is told in its own era: %s", line);
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

/* A client from before a restart of the supervisor is there before anything is known. */
static void test_held_until_it_is_known(void)
{
    static const char logs[] =
        "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{"
        "\"tools\":{},\"logging\":{},\"resources\":{\"subscribe\":true}}}";
    struct session_config cfg = {.era = ERA_MODERN};
    struct reply p[3] = {{{0}, 0, 0}};
    struct rig r;

    rig_open(&r, &cfg);
    up(&r);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    client_restore(c, 3, 0);
    sends(c, &p[0], LEGACY("1", "resources/subscribe", ",\"params\":{\"uri\":\"a:b\"}"));
    sends(c, &p[1], LEGACY("2", "logging/setLevel", ",\"params\":{\"level\":\"error\"}"));
    sends(c, &p[2], LEGACY("3", "tools/call", ",\"params\":{\"name\":\"t\"}"));
    is_int(p[0].count + p[1].count + p[2].count, 0, "all have to wait");
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says_result(&r, id, logs);
    is_str(buf_str(&p[0].text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "it watches");
    is_str(buf_str(&p[1].text), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}", "its level is known");
    ok(!strstr(buf_str(&r.out), "resources/subscribe\"") && !strstr(buf_str(&r.out), "setLevel"),
       "no request of the other era reaches the server: %s", buf_str(&r.out));
    ok(has(&r.out, "\"resourceSubscriptions\":[\"a:b\"]"), "the server hears of the resource");
    ok(has(&r.out, "\"method\":\"tools/call\"") && has(&r.out, "logLevel\":\"error\""),
       "and with each call of the level");
    client_close(c);
    for (int i = 0; i < 3; i++)
        buf_fini(&p[i].text);
    rig_close(&r);
}

/* What was configured for it may have changed: its first words are of the era that is tried. */
static void test_another_era(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    struct rig r;

    start_modern(&r, &cfg);
    session_down(r.s, "stopped");
    cfg.era = ERA_LEGACY;
    cfg.server = "x";
    session_configure(r.s, &cfg);
    up(&r);
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"initialize\",\"params\":{\"protocolVersion\"") && !strstr(line, IO),
       "a legacy server is not told of another era: %s", line);
    rig_close(&r);
}

static void test_modern_client_legacy_server(void)
{
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, &got);
    sends(c, &p, MODERN("1", "server/discover", ""));
    ok(has(&p.text, "\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"],"
                    "\"capabilities\":{\"logging\":{},") &&
           has(&p.text, "\"_meta\":{\"" IO "serverInfo\":{\"name\":\"srv\",\"version\":\"3\"}}"),
       "it is welcomed in its own era");
    sends(c, &p, LEGACY("\"x\"", "tools/call", ",\"params\":{\"name\":\"t\",\"arguments\":{},"
                        META(",\"progressToken\":\"x\",\"org.example/a\":1") "}"));
    AUTO_FREE char *id = NULL;
    const char *line = next_line(&r);
    AUTO_FREE char *call = xstrdup(line ? line : "");
    ok(strstr(call, "\"arguments\":{},\"_meta\":{\"progressToken\":") &&
           strstr(call, ",\"org.example/a\":1}}}") && !strstr(call, IO),
       "what is of the era is taken out of _meta: %s", call);
    struct envelope e;
    envelope_scan(call, strlen(call), &e, NULL);
    id = xstrndup(e.id.p, e.id.n);
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"error\"}}");
    is_int((long)got.len, 0, "no log without a level");
    says_result(&r, id, "{\"content\":[]}");
    is_str(buf_str(&p.text), "{\"result\":{\"resultType\":\"complete\",\"content\":[]},"
                             "\"jsonrpc\":\"2.0\",\"id\":\"x\"}", "its result says what it is");
    sends(c, &p, MODERN("2", "resources/list", ""));
    AUTO_FREE char *list = xstrdup(next_id(&r));
    says_result(&r, list, "{ }");
    is_str(buf_str(&p.text), "{\"result\":{\"resultType\":\"complete\",\"ttlMs\":0,"
           "\"cacheScope\":\"private\" },\"jsonrpc\":\"2.0\",\"id\":2}", "a list how long it lasts");
    sends(c, &p, MODERN("3", "resources/read", ",\"uri\":\"a\""));
    AUTO_FREE char *read = xstrdup(next_id(&r));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32002,\"message\":\"m\"}}", read);
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32602,"
                             "\"message\":\"m\"}}", "an error has the era's code");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static bool has_text(const struct buf *b, const char *text)
{
    return b->len && memmem(b->data, b->len, text, strlen(text));
}

/* The value of "requestState" in a reply. */
static char *state_in(const struct buf *text)
{
    const char *at = strstr(buf_str(text), "\"requestState\":\"");

    return at ? xstrndup(at + 16, strcspn(at + 16, "\"")) : xstrdup("none");
}

static struct call *comes_back(struct client *c, struct reply *p, const char *state,
                               const char *responses)
{
    AUTO_FREE char *text = xasprintf(
        MODERN("9", "tools/call", ",\"name\":\"t\",\"requestState\":\"%s\",\"inputResponses\":{%s}"),
        state, responses);

    return sends(c, p, text);
}

/* The first question waits a moment for others beside it; then the call is answered. */
static bool asked(struct rig *r, const struct reply *p)
{
    return run_until(r->loop, has_text(&p->text, "\"input_required\""), 5);
}

static void test_rounds_for_a_modern_client(void)
{
    struct session_config cfg = {.call_timeout_ms = 300};
    struct reply p[3] = {{{0}, 0, 0}};
    struct client *c[3];
    struct rig r;

    start_legacy(&r, &cfg);
    for (int i = 0; i < 3; i++)
        c[i] = client_open(r.s, "http", &notified, NULL);
    sends(c[0], &p[0], MODERN("1", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"elicitation/create\",\"params\":{\"m\":1}}");
    is_int(p[0].count, 0, "a question may not be the only one");
    asked(&r, &p[0]);
    ok(has(&p[0].text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"resultType\":\"input_required\","
                       "\"inputRequests\":{\"q1\":{\"method\":\"elicitation/create\",\"params\":{"
                       "\"m\":1}}},\"requestState\":\"mcptop-"), "its call is answered by the question");
    client_close(TAKE(c[0]));
    is_line(&r, NULL, "to go away does not cancel");
    AUTO_FREE char *state = state_in(&p[0].text);
    comes_back(c[1], &p[1], "mcptop-00000000000000000000000000000000", "");
    ok(has(&p[1].text, "-32602"), "a state that is not ours");
    AUTO_FREE char *tampered = xstrdup(state);
    tampered[10] = tampered[10] == 'a' ? 'b' : 'a';
    comes_back(c[1], &p[1], tampered, "");
    ok(has(&p[1].text, "unknown or has expired"), "or was changed");
    comes_back(c[1], &p[1], state, "\"other\":{}");
    ok(has(&p[1].text, "\"input_required\"") && has(&p[1].text, "\"q1\""), "an answer is missing");
    AUTO_FREE char *second = state_in(&p[1].text);
    ok(strcmp(state, second) != 0, "each state is new");
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q2\",\"method\":\"elicitation/create\"}");
    is_line(&r, NULL, "a second question beside it waits");
    ok(comes_back(c[2], &p[2], second, "\"q1\":{\"action\":\n\"accept\"}") == NULL, "it is asked then");
    is_line(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"result\":{\"action\": \"accept\"}}",
            "the server has its first answer");
    ok(has(&p[2].text, "\"q2\":{\"method\":\"elicitation/create\",\"params\":{}}"), "the second question");
    AUTO_FREE char *third = state_in(&p[2].text);
    ok(comes_back(c[2], &p[2], third, "\"q2\":{\"action\":\"decline\"}") != NULL, "answered, it goes on");
    is_line(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q2\",\"result\":{\"action\":\"decline\"}}", "as the server asked");
    says_result(&r, id, "{\"content\":[]}");
    ok(has(&p[2].text, "\"resultType\":\"complete\",\"content\":[]") && has(&p[2].text, "\"id\":9}"),
       "the answer goes to who came back last");

    sends(c[1], &p[1], MODERN("1", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *late = xstrdup(next_id(&r));
    buf_clear(&p[1].text);
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q3\",\"method\":\"elicitation/create\"}");
    asked(&r, &p[1]);
    AUTO_FREE char *fourth = state_in(&p[1].text);
    says_result(&r, late, "{\"content\":[1]}");
    comes_back(c[2], &p[2], fourth, "");
    ok(has(&p[2].text, "\"content\":[1]"), "a server that did not wait has answered all the same");
    sends(c[1], &p[1], MODERN("1", "tools/call", ",\"name\":\"t\""));
    buf_clear(&r.out);
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"q4\",\"method\":\"elicitation/create\"}");
    ok(run_until(r.loop, r.out.len > 150, 5), "who does not come back is given up");
    ok(has(&r.out, "notifications/cancelled") && has(&r.out, "\"id\":\"q4\",\"error\""),
       "and the server told");
    client_close(c[1]);
    client_close(c[2]);
    for (int i = 0; i < 3; i++)
        buf_fini(&p[i].text);
    rig_close(&r);
}

/* Its client comes back without an answer first: only what is asked soon after a call was parked
 * belongs to it. */
static void asks_more(struct rig *r, struct client *c, struct reply *p, size_t n, const char *id)
{
    AUTO_FREE char *state = state_in(&p->text), *text = xmalloc(n + 1);

    memset(text, 'x', n);
    text[n] = '\0';
    if (strcmp(state, "none") != 0)
        comes_back(c, p, state, "");
    bool first = !p->count;
    says(r, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"elicitation/create\",\"params\":{\"m\":\"%s\"}}",
         id, text);
    if (first && !r->out.len)      /* it was not refused */
        asked(r, p);
}

static void test_bounds_for_a_modern_client(void)
{
    struct session_config cfg = {.park_grace_ms = 60000};
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, &cfg);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    sends(c, &p, MODERN("1", "tools/call", ",\"name\":\"t\""));
    next_line(&r);
    asks_more(&r, c, &p, 1 << 20, "big");
    ok(has(&r.out, "\"id\":\"big\",\"error\"") && has(&r.out, "over the 1 MiB"), "a question has a size");
    buf_clear(&r.out);
    for (int i = 0; i < 8; i++)
        asks_more(&r, c, &p, 1000 << 10, "many");
    is_line(&r, NULL, "so many bytes are kept");
    asks_more(&r, c, &p, 1000 << 10, "more");
    ok(has(&r.out, "\"id\":\"more\",\"error\"") && has(&r.out, "too much waits"), "and no more");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

#define ASKS(id, method) \
    "{\"jsonrpc\":\"2.0\",\"id\":\"" id "\",\"method\":\"" method "\",\"params\":{}}"

static void test_questions_at_once(void)
{
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    sends(c, &p, MODERN("1", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says(&r, ASKS("a", "elicitation/create"));
    says(&r, ASKS("b", "elicitation/create"));
    says(&r, ASKS("c", "sampling/createMessage"));
    ok(has(&r.out, "\"id\":\"c\",\"error\":{\"code\":-32601"), "what the client cannot is refused, also beside others");
    buf_clear(&r.out);
    asked(&r, &p);
    ok(has(&p.text, "\"q1\"") && has(&p.text, "\"q2\"") && !has_text(&p.text, "\"q3\""),
       "what is asked at once is one answer");
    AUTO_FREE char *state = state_in(&p.text);
    comes_back(c, &p, state, "\"q1\":{},\"q2\":{}");
    ok(strstr(next_line(&r), "\"result\"") && strstr(next_line(&r), "\"result\""), "both are answered");
    says_result(&r, id, "{\"content\":[],\"isError\":true}");
    is_str(buf_str(&p.text),
           "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":-32021,\"message\":\"server \\\"x\\\" asked its "
           "client for sampling and gave up without it: the client did not declare that it can be asked\","
           "\"data\":{\"requiredCapabilities\":{\"sampling\":{}},\"answer\":{\"content\":[],\"isError\":true}}}}",
           "a call that fails for what its client cannot says so");

    sends(c, &p, MODERN("2", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *second = xstrdup(next_id(&r));
    says(&r, ASKS("d", "roots/list"));
    says_result(&r, second, "{\"content\":[1]}");
    ok(has(&p.text, "\"content\":[1]"), "one that does without it is what it is");
    buf_clear(&r.out);

    sends(c, &p, MODERN("3", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *third = xstrdup(next_id(&r));
    says(&r, ASKS("e", "elicitation/create"));
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"e\"}}");
    run_for(r.loop, 0.05);
    says_result(&r, third, "{\"content\":[3]}");
    ok(has(&p.text, "\"content\":[3]"), "a question that is taken back at once is never asked");

    sends(c, &p, MODERN("4", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *fourth = xstrdup(next_id(&r));
    says(&r, ASKS("f", "elicitation/create"));
    says_result(&r, fourth, "{\"content\":[4]}");
    ok(run_until(r.loop, has_text(&p.text, "\"content\":[4]"), 5), "nor one that the server did not wait for");
    buf_clear(&r.out);

    struct call *k = sends(c, &p, MODERN("5", "tools/call", ",\"name\":\"t\""));
    next_line(&r);
    says(&r, ASKS("g", "elicitation/create"));
    call_cancel(k);
    ok(has(&r.out, "notifications/cancelled") && has(&r.out, "\"id\":\"g\",\"error\""),
       "who leaves meanwhile cancels, and the server's question is answered");
    run_for(r.loop, 0.05);
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

#define CANCEL(id) "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"," \
    "\"params\":{\"requestId\":" id "}}"

/* Its call has asked and is not answered yet: other questions may come beside the first one. */
static void test_cancelled_while_gathering(void)
{
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    sends(c, &p, MODERN("7", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    says(&r, ASKS("a", "elicitation/create"));
    sends(c, NULL, CANCEL("7"));
    AUTO_FREE char *want = xasprintf(CANCEL("%s"), id);
    is_line(&r, want, "the server is told, by its own id");
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"id\":\"a\",\"error\"") && strstr(line, "was cancelled"),
       "and its question answered: %s", line);
    ok(p.count == 1 && has(&p.text, "\"id\":7,\"error\"") && has(&p.text, "cancelled by the client"),
       "the call is over");
    run_for(r.loop, 0.05);
    is_int(p.count, 1, "its question reaches nobody");
    says(&r, ASKS("b", "elicitation/create"));
    line = next_line(&r);
    ok(line && strstr(line, "\"id\":\"b\",\"error\""), "nor does another one: %s", line);
    says_result(&r, id, "{\"content\":[]}");
    is_int(p.count, 1, "nor its late reply");
    ok(!strstr(buf_str(&r.strays), "given up"), "which is known: %s", buf_str(&r.strays));

    sends(c, &p, MODERN("8", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *second = xstrdup(next_id(&r));
    says(&r, ASKS("c", "elicitation/create"));
    says_result(&r, second, "{\"content\":[]}");
    sends(c, NULL, CANCEL("8"));
    line = next_line(&r);
    ok(p.count == 2 && has(&p.text, "\"id\":8,\"error\"") && line && strstr(line, "\"id\":\"c\""),
       "a server that has answered is not told, but its question is answered: %s", line);
    is_line(&r, NULL, "that is all");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_many_questions_to_a_modern_client(void)
{
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, NULL);
    sends(c, &p, MODERN("1", "tools/call", ",\"name\":\"t\""));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    asks_more(&r, c, &p, 1, "first");
    for (int i = 1; i < 256; i++)
        asks_more(&r, c, &p, 1, "later");
    is_line(&r, NULL, "so many questions are kept");
    asks_more(&r, c, &p, 1, "last");
    ok(has(&r.out, "\"id\":\"first\",\"error\"") && has(&r.out, "did not answer"), "then the oldest goes");
    AUTO_FREE char *state = state_in(&p.text), *late = xmalloc((1 << 20) + 1);
    memset(late, 'x', 1 << 20);
    late[1 << 20] = '\0';
    AUTO_FREE char *result = xasprintf("{\"late\":\"%s\"}", late);
    says_result(&r, id, result);
    comes_back(c, &p, state, "");
    ok(has(&p.text, "\"id\":9,\"error\"") && has(&p.text, "too long to be kept"),
       "an answer that could not be kept is an error");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_listen(void)
{
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, &got);
    struct call *k = sends(c, &p, MODERN("\"L\"", "subscriptions/listen", ",\"notifications\":{"
        "\"toolsListChanged\":true,\"promptsListChanged\":true,\"resourceSubscriptions\":[\"a:1\", \"b\"]}"));
    is_str(buf_str(&got), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\","
           "\"params\":{\"_meta\":{\"" IO "subscriptionId\":\"L\"},\"notifications\":{"
           "\"promptsListChanged\":true,\"resourceSubscriptions\":[\"a:1\",\"b\"]}}};",
           "what the server can tell is acknowledged");
    ok(k && !p.count, "it stays open");
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"resources/subscribe\",\"params\":{\"uri\":\"a:1\"}"), "watched: %s", line);
    next_line(&r);
    buf_clear(&got);
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    is_int((long)got.len, 0, "nothing that was not acknowledged");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\"}");
    is_str(buf_str(&got), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/prompts/list_changed\","
           "\"params\":{\"_meta\":{\"" IO "subscriptionId\":\"L\"}}};", "a change, with its subscription");
    buf_clear(&got);
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"b\"}}");
    is_str(buf_str(&got), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\","
           "\"params\":{\"_meta\":{\"" IO "subscriptionId\":\"L\"},\"uri\":\"b\"}};", "a resource");
    session_down(r.s, "exited 3");
    is_int(p.count, 0, "it outlives the server");
    call_cancel(k);
    k = sends(c, &p, MODERN("8", "subscriptions/listen", ",\"notifications\":{}"));
    buf_clear(&got);
    sends(c, NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":8}}");
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":{\"resultType\":\"complete\","
           "\"_meta\":{\"" IO "subscriptionId\":8}}}", "who cancels it gets its last word");
    sends(c, &p, MODERN("9", "subscriptions/listen", ",\"notifications\":{}"));
    session_free(TAKE(r.s));
    is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{\"resultType\":\"complete\","
           "\"_meta\":{\"" IO "subscriptionId\":9}}}", "the end of all is told");
    buf_fini(&p.text);
    rig_close(&r);
}

/* What is one too many is not said to be watched. */
static void test_listen_is_bounded(void)
{
    enum { AT_ONCE = 256, ALL = 1024 };
    AUTO_BUF struct buf got = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    start_legacy(&r, NULL);
    struct client *c = client_open(r.s, "http", &notified, &got);
    for (int i = 0; i <= ALL / AT_ONCE; i++) {
        AUTO_BUF struct buf uris = BUF_INIT;
        for (int k = 0; k < AT_ONCE; k++)
            buf_printf(&uris, "%s\"u:%d\"", k ? "," : "", i * AT_ONCE + k);
        AUTO_FREE char *text = xasprintf(MODERN("\"%d\"", "subscriptions/listen",
            ",\"notifications\":{\"resourceSubscriptions\":[%s]}"), i, buf_str(&uris));
        buf_clear(&got);
        sends(c, &p, text);
        ok(has(&got, "\"u:1023\"") == (i == ALL / AT_ONCE - 1), "the last one that is watched");
    }
    ok(has(&got, "subscriptionId\":\"4\"},\"notifications\":{}}}"), "what is over it is not: %s",
       buf_str(&got));
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

#define WITH_TASKS "{\"resultType\":\"complete\",\"supportedVersions\":[\"2026-07-28\"]," \
    "\"capabilities\":{\"extensions\":{\"" IO "tasks\":{}}}}"
#define LISTENS(id, extension, ids) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"subscriptions/listen\",\"params\":{\"_meta\":{\"" IO \
    "protocolVersion\":\"2026-07-28\",\"" IO "clientCapabilities\":{" extension "}}," \
    "\"notifications\":{\"taskIds\":[" ids "]}}}"
#define EXTENSION "\"extensions\":{\"" IO "tasks\":{}}"
#define TASK_IS(name, subscription) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{\"taskId\":\"" name "\"," \
    "\"status\":\"completed\",\"_meta\":{\"x\":1,\"" IO "subscriptionId\":" subscription "}}}"

/* What a server says of a task reaches those who listen to it, and no other client. */
static void test_listen_to_tasks(void)
{
    struct session_config cfg = {.era = ERA_MODERN};
    struct buf got[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
    struct reply p = {0};
    struct client *c[3];
    struct rig r;

    rig_open(&r, &cfg);
    up(&r);
    says_result(&r, next_id(&r), WITH_TASKS);
    next_line(&r);
    next_line(&r);
    for (int i = 0; i < 3; i++)
        c[i] = client_open(r.s, "http", &notified, &got[i]);
    sends(c[0], &p, LISTENS("1", "", "\"a\""));
    ok(has(&p.text, "\"id\":1,\"error\":{\"code\":-32021") &&
           has(&p.text, "\"data\":{\"requiredCapabilities\":{" EXTENSION "}}}}"),
       "who does not know tasks cannot listen to them");
    is_line(&r, NULL, "nor does the server hear of it");
    struct call *first = sends(c[0], &p, LISTENS("\"L\"", EXTENSION, "\"a\", \"b\""));
    ok(has(&got[0], "\"notifications\":{\"taskIds\":[\"a\",\"b\"]}}}"), "what is listened to is acknowledged");
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"taskIds\":[\"b\",\"a\"]") &&
           strstr(line, EXTENSION), "the server is told of both at once: %s", line);
    line = next_line(&r);
    ok(line && strstr(line, "notifications/cancelled"), "in the place of what it was told: %s", line);
    is_line(&r, NULL, "and of nothing else");
    sends(c[1], &p, LISTENS("2", EXTENSION, "\"b\""));
    buf_clear(&got[0]);
    buf_clear(&got[1]);
    says(&r, TASK_IS("a", "4"));
    is_str(buf_str(&got[0]), TASK_IS("a", "\"L\"") ";", "it is told, with its own subscription");
    is_int((long)(got[1].len + got[2].len), 0, "and nobody else");
    says(&r, TASK_IS("b", "4"));
    is_str(buf_str(&got[1]), TASK_IS("b", "2") ";", "each who listens is");
    is_int((long)got[2].len, 0, "the only one without a call is not guessed");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{\"taskId\":\"b\"}}");
    ok(has(&r.strays, "names no subscription"), "what names none is the operator's");
    buf_clear(&r.out);
    call_cancel(first);
    line = next_line(&r);
    ok(line && strstr(line, "\"taskIds\":[\"b\"]"), "what nobody listens to any more is let go: %s", line);
    session_down(r.s, "exited 3");
    up(&r);
    says_result(&r, next_id(&r), WITH_TASKS);
    line = next_line(&r);
    ok(line && strstr(line, "\"taskIds\":[\"b\"]"), "a new server is told again: %s", line);
    for (int i = 0; i < 3; i++) {
        client_close(c[i]);
        buf_fini(&got[i]);
    }
    buf_fini(&p.text);
    rig_close(&r);
}

int main(void)
{
    test_auto();
    test_modern_both();
    test_legacy_client_modern_server();
    test_lines_of_a_client();
    test_legacy_client_while_it_restarts();
    test_held_until_it_is_known();
    test_another_era();
    test_rounds_for_a_legacy_client();
    test_modern_client_legacy_server();
    test_rounds_for_a_modern_client();
    test_bounds_for_a_modern_client();
    test_many_questions_to_a_modern_client();
    test_questions_at_once();
    test_cancelled_while_gathering();
    test_listen();
    test_listen_is_bounded();
    test_listen_to_tasks();
    return done_testing();
}
