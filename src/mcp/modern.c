/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The modern era (2026-07-28) beside the legacy one: server/discover in place of initialize, what
 * every request says of its client in _meta, what every result says of itself. Where both sides
 * are of one era nothing here touches a message; where they are not, members are added to it and
 * nothing is taken away. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

#define KEY(name) "io.modelcontextprotocol/" name

/* ---- the server ---- */

/* Our own identity, or the client's. We listen to tasks for clients. */
void modern_meta(const struct client *c, struct buf *out)
{
    static const struct { unsigned feature; const char *text; } features[] = {
        {CLIENT_SAMPLING, "\"sampling\":{}"}, {CLIENT_ELICITATION, "\"elicitation\":{\"form\":{}"},
        {CLIENT_ROOTS, "\"roots\":{}"},
    };
    const char *comma = "";

    buf_add_str(out, "{\"" KEY("protocolVersion") "\":\"" PROTOCOL_MODERN "\",\""
                     KEY("clientInfo") "\":");
    buf_add_str(out, c && c->info ? c->info
                                  : "{\"name\":\"mcptop\",\"version\":\"" PACKAGE_VERSION "\"}");
    buf_add_str(out, ",\"" KEY("clientCapabilities") "\":{");
    buf_add_str(out, c ? "" : "\"extensions\":{\"" TASKS_EXTENSION "\":{}}");
    for (size_t i = 0; c && i < ARRAY_LEN(features); i++) {
        if (!(c->features & features[i].feature))
            continue;
        buf_printf(out, "%s%s", comma, features[i].text);
        if (features[i].feature == CLIENT_ELICITATION)
            buf_add_str(out, c->features & CLIENT_ELICITATION_URL ? ",\"url\":{}}" : "}");
        comma = ",";
    }
    buf_add_char(out, '}');
    /* Legacy servers write their log unasked; a modern one has to be asked. */
    if (c)
        buf_printf(out, ",\"" KEY("logLevel") "\":\"%s\"",
                   logging_name(c->log_level ? c->log_level : 2));
    buf_add_char(out, '}');
}

const char *modern_meta_place(const struct client *c, const struct envelope *e, struct buf *text)
{
    AUTO_BUF struct buf meta = BUF_INIT;

    modern_meta(c, &meta);
    if (e->meta.n) {
        buf_add(text, meta.data + 1, meta.len - 2);
        buf_add_str(text, span_is_empty(e->meta) ? "" : ",");
        return e->meta.p + 1;
    }
    if (e->params.n && *e->params.p == '{') {
        buf_printf(text, "\"_meta\":%s%s", meta.data, span_is_empty(e->params) ? "" : ",");
        return e->params.p + 1;
    }
    buf_printf(text, ",\"params\":{\"_meta\":%s}", meta.data);
    return e->body.p + e->body.n - 1;
}

static bool has_version(struct span versions)
{
    static const char wanted[] = "\"" PROTOCOL_MODERN "\"";

    return versions.n && memmem(versions.p, versions.n, wanted, sizeof(wanted) - 1);
}

static void on_discovered(struct session *s, struct call *k, const struct envelope *e)
{
    (void)k;
    if (!e || s->phase != SESSION_HANDSHAKE)
        return;
    if (e->kind == ENVELOPE_ERROR) {
        s->found_modern = false;
        handshake_refused(s, s->cfg.era == ERA_AUTO
                                 ? "initialize was refused, and server/discover was"
                                 : "server/discover was", e);
        return;
    }
    struct span versions = span_member(e->result, "supportedVersions");
    if (!has_version(versions)) {
        handshake_fail(s, FAULT_UNSUPPORTED, "the server speaks %.*s; known is %s",
                       (int)(versions.n < 200 ? versions.n : 200), versions.n ? versions.p : "",
                       PROTOCOL_MODERN);
        return;
    }
    s->found_modern = true;
    handshake_cache(s, modern_version, e->result);
    handshake_go_on(s);
}

void modern_discover(struct session *s)
{
    handshake_expect(s, "server/discover");
    session_request_as(s, true, "server/discover", NULL, on_discovered, NULL);
}

/* ---- what clients are welcomed with ---- */

static void add_member(struct buf *out, const char *key, struct span value)
{
    if (!value.n)
        return;
    buf_printf(out, ",\"%s\":", key);
    buf_add(out, value.p, value.n);
}

static struct span init_member(const struct session *s, const char *key)
{
    return span_member((struct span){s->init, s->init_n}, key);
}

struct span modern_server_info(const struct session *s)
{
    return s->modern ? span_member(init_member(s, "_meta"), KEY("serverInfo"))
                     : init_member(s, "serverInfo");
}

/* Text for the client's AI. */
static void add_instructions(const struct session *s, struct buf *out)
{
    if (!s->filter.quarantined)
        add_member(out, "instructions", init_member(s, "instructions"));
}

static void add_head(struct buf *out, struct span id)
{
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    buf_add(out, id.p, id.n);
    buf_add_str(out, ",\"result\":{");
}

/* Also for a modern server: it may speak versions that we do not. */
void modern_compose_discover(const struct session *s, struct span id, struct buf *out)
{
    struct span info = modern_server_info(s), ttl = init_member(s, "ttlMs");

    add_head(out, id);
    buf_add_str(out, "\"resultType\":\"complete\",\"supportedVersions\":[\"" PROTOCOL_MODERN "\"]");
    add_member(out, "capabilities", init_member(s, "capabilities"));
    add_instructions(s, out);
    add_member(out, "ttlMs", s->modern && ttl.n ? ttl : span_of("0"));
    buf_add_str(out, ",\"cacheScope\":\"private\"");
    if (info.n) {
        buf_add_str(out, ",\"_meta\":{\"" KEY("serverInfo") "\":");
        buf_add(out, info.p, info.n);
        buf_add_char(out, '}');
    }
    buf_add_str(out, "}}");
}

void modern_compose_initialize(const struct session *s, struct span id, const char *version,
                               struct buf *out)
{
    static const char unknown[] = "{\"name\":\"unknown\",\"version\":\"\"}";
    struct span info = modern_server_info(s);

    add_head(out, id);
    buf_printf(out, "\"protocolVersion\":\"%s\"", version);
    add_member(out, "capabilities", init_member(s, "capabilities"));
    add_member(out, "serverInfo", info.n ? info : span_of(unknown));
    add_instructions(s, out);
    buf_add_str(out, "}}");
}

/* ---- clients ---- */

static void refuse_version(struct session *s, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf out = BUF_INIT;
    AUTO_FREE char *version = span_line(e->version);

    envelope_error(&out, e->id, SESSION_BAD_VERSION, "this protocol version is not supported");
    out.len -= 2;
    buf_add_str(&out, ",\"data\":{\"supported\":[\"" PROTOCOL_MODERN "\"],\"requested\":");
    buf_add(&out, version, e->version.n);
    buf_add_str(&out, "}}}");
    s->ledger->stats.calls++;
    s->ledger->stats.errors++;
    fn(ctx, &(struct iovec){out.data, out.len}, 1, true);
}

/* Not of this era: they belong to sessions. */
static bool is_removed(struct span method)
{
    static const char *const removed[] = {"initialize", "ping", "logging/setLevel",
                                          "resources/subscribe", "resources/unsubscribe"};

    for (size_t i = 0; i < ARRAY_LEN(removed); i++) {
        if (span_is(method, removed[i]))
            return true;
    }
    return false;
}

bool modern_admit(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span capabilities = span_member(e->meta, KEY("clientCapabilities"));

    if (!e->version.n || !capabilities.n || *capabilities.p != '{') {
        router_refuse(c->session, e->id, SESSION_BAD_PARAMS, fn, ctx,
                      "params._meta must have %s", e->version.n ? KEY("clientCapabilities")
                                                                : KEY("protocolVersion"));
        return false;
    }
    if (!span_equal(e->version, span_of("\"" PROTOCOL_MODERN "\""))) {
        refuse_version(c->session, e, fn, ctx);
        return false;
    }
    if (is_removed(e->method)) {
        router_refuse(c->session, e->id, SESSION_NO_METHOD, fn, ctx,
                      "Method not found: %.*s is not part of " PROTOCOL_MODERN, (int)e->method.n,
                      e->method.p);
        return false;
    }
    c->modern = true;
    c->protocol = modern_version;
    c->features = protocol_features(capabilities);
    c->log_level = logging_level(span_member(e->meta, KEY("logLevel")));
    handshake_name_client(c, span_member(e->meta, KEY("clientInfo")));
    return true;
}

/* ---- requests to and replies of a legacy server ---- */

static bool is_of_the_era(struct span key)
{
    static const char *const keys[] = {KEY("protocolVersion"), KEY("clientInfo"),
                                       KEY("clientCapabilities"), KEY("logLevel")};

    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (span_is((struct span){key.p + 1, key.n - 2}, keys[i]))
            return true;
    }
    return false;
}

void modern_strip_meta(const struct envelope *e, struct span token, struct buf *out)
{
    const char *end = e->meta.p + e->meta.n, *at = e->meta.p + 1;
    struct member m;
    const char *comma = "";

    buf_add_char(out, '{');
    while (span_next_member(&at, end, &m)) {
        if (is_of_the_era(m.key))
            continue;
        struct span value = m.value.p == e->progress_token.p ? token : m.value;
        buf_add_str(out, comma);
        buf_add(out, m.key.p, m.key.n);
        buf_add_char(out, ':');
        buf_add(out, value.p, value.n);
        comma = ",";
    }
    buf_add_char(out, '}');
}

static bool is_cacheable(struct span method)
{
    static const char *const cacheable[] = {"tools/list", "prompts/list", "resources/list",
                                            "resources/templates/list", "resources/read"};

    for (size_t i = 0; i < ARRAY_LEN(cacheable); i++) {
        if (span_is(method, cacheable[i]))
            return true;
    }
    return false;
}

bool modern_failed_lacking(const struct call *k, const struct envelope *e)
{
    return k->lacks && (e->kind == ENVELOPE_ERROR ||
                        span_equal(span_member(e->result, "isError"), span_of("true")));
}

void modern_compose_lacking(const struct session *s, const struct call *k, const struct envelope *e,
                            struct buf *out)
{
    static const struct { unsigned feature; const char *name; } names[] = {
        {CLIENT_SAMPLING, "sampling"}, {CLIENT_ELICITATION, "elicitation"},
        {CLIENT_ROOTS, "roots"}};
    struct span said = e->kind == ENVELOPE_ERROR ? e->error : e->result;
    AUTO_BUF struct buf why = BUF_INIT, needed = BUF_INIT;

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!(k->lacks & names[i].feature))
            continue;
        buf_printf(&why, "%s%s", why.len ? ", " : "", names[i].name);
        buf_printf(&needed, "%s\"%s\":{}", needed.len ? "," : "", names[i].name);
    }
    AUTO_FREE char *text = xasprintf("server \"%s\" asked its client for %s and gave up without "
                                     "it: the client did not declare that it can be asked",
                                     s->cfg.server, buf_str(&why));
    envelope_error(out, k->token, SESSION_NO_CAPABILITY, text);
    out->len -= 2;
    buf_printf(out, ",\"data\":{\"requiredCapabilities\":{%s},\"answer\":", buf_str(&needed));
    buf_add(out, said.p, said.n);
    buf_add_str(out, "}}}");
}

#define COMPLETE "\"resultType\":\"complete\""
#define NOT_CACHED ",\"ttlMs\":0,\"cacheScope\":\"private\""

/* "Resource not found" had a code of its own. */
static int dress_error(const struct envelope *e, struct iovec *iov, int count)
{
    struct span code = span_member(e->error, "code");

    if (!span_equal(code, span_of("-32002")))
        return count;
    /* -32 | 602 in place of -32 | 002: the digit is left out by splitting around it. */
    count = envelope_insert(iov, count, code.p + 3, span_of("6"));
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_base == code.p + 3) {
            iov[i].iov_base = (char *)iov[i].iov_base + 1;
            iov[i].iov_len--;
        }
    }
    return count;
}

int modern_dress(const struct call *k, const struct envelope *e, struct iovec *iov, int count)
{
    static const char *const texts[2][2] = {{COMPLETE ",", COMPLETE NOT_CACHED ","},
                                            {COMPLETE, COMPLETE NOT_CACHED}};

    if (e->kind == ENVELOPE_ERROR)
        return dress_error(e, iov, count);
    if (*e->result.p != '{')
        return count;
    const char *text = texts[span_is_empty(e->result)][is_cacheable(k->method)];
    return envelope_insert(iov, count, e->result.p + 1, span_of(text));
}
