/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where a request to all servers goes: see mcp_aggregate.h. */
#include "api/mcp_aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { SERVER_ERROR = -32000, NO_METHOD = -32601, BAD_PARAMS = -32602, BAD_VERSION = -32022 };

#define META "io.modelcontextprotocol/"

/* By moving the quote: white space before a value is legal, and nothing has to be copied. */
struct span aggregate_cut(struct span token, size_t n)
{
    char *text = (char *)(uintptr_t)token.p;

    memset(text, ' ', n);
    text[n] = '"';
    return (struct span){text + n, token.n - n};
}

/* The server that a name begins with, and the name behind it. Takes the prefix out of the
 * message. */
static struct server *route(const struct aggregate *a, struct span *name)
{
    struct span inside = {name->p + 1, name->n - 2};
    size_t prefix;
    struct server *found = name->n > 2 ? aggregate_route(a->names, inside, &prefix) : NULL;

    if (found)
        *name = aggregate_cut(*name, prefix);
    return found;
}

/* ---- answers of our own ---- */

void aggregate_answer(struct span id, const char *result, size_t n, call_reply_fn fn, void *ctx)
{
    const struct iovec pieces[] = {
        {(char[]){"{\"jsonrpc\":\"2.0\",\"id\":"}, 22}, {(void *)(uintptr_t)id.p, id.n},
        {(char[]){",\"result\":"}, 10}, {(void *)(uintptr_t)result, n}, {(char[]){"}"}, 1},
    };

    fn(ctx, pieces, ARRAY_LEN(pieces), false);
}

void aggregate_refuse(struct span id, int code, const char *why, call_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf out = BUF_INIT;

    envelope_error(&out, id, code, why);
    fn(ctx, &(struct iovec){out.data, out.len}, 1, true);
}

#define CAPABILITIES "\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{" \
    "\"listChanged\":true},\"resources\":{\"listChanged\":true,\"subscribe\":true}," \
    "\"completions\":{},\"logging\":{}"
#define LEGACY_TASKS \
    ",\"tasks\":{\"list\":{},\"cancel\":{},\"requests\":{\"tools\":{\"call\":{}}}}}"
#define MODERN_TASKS ",\"extensions\":{\"" TASKS_EXTENSION "\":{}}}"
#define SERVER_INFO "{\"name\":\"mcptop\",\"version\":\"" PACKAGE_VERSION "\"}"
#define INSTRUCTIONS "\"instructions\":\"All servers of this mcptop: tools and prompts are named " \
    "SERVER__NAME.\""

static void initialize(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span wanted = span_member(e->params, "protocolVersion");
    struct span capabilities = span_member(e->params, "capabilities");
    struct span info = span_member(e->params, "clientInfo");
    const char *version = protocol_known(wanted);

    a->version = protocol_index(version ? version : protocol_latest);
    a->features = protocol_features(capabilities);
    free(a->label);
    a->label = span_decode(span_member(info, "name"), 80);
    AUTO_FREE char *result = xasprintf("{\"protocolVersion\":\"%s\"," CAPABILITIES LEGACY_TASKS
                                       ",\"serverInfo\":" SERVER_INFO "," INSTRUCTIONS "}",
                                       protocol_at(a->version));
    aggregate_join_all(a);
    aggregate_answer(e->id, result, strlen(result), fn, ctx);
}

static void discover(const struct envelope *e, call_reply_fn fn, void *ctx)
{
    static const char result[] =
        "{\"resultType\":\"complete\",\"supportedVersions\":[\"" PROTOCOL_MODERN "\"],"
        CAPABILITIES MODERN_TASKS "," INSTRUCTIONS ",\"ttlMs\":0,\"cacheScope\":\"private\","
        "\"_meta\":{\"" META "serverInfo\":" SERVER_INFO "}}";

    aggregate_answer(e->id, result, sizeof(result) - 1, fn, ctx);
}

/* ---- which servers there are ---- */

/* Of a server with a process for every session our own is the one that counts. */
static bool is_up(const struct aggregate *a, const struct server *s)
{
    const struct peer *m = a->seat != SEAT_NO_SESSION && server_is_per_session(s)
                               ? aggregate_peer(a, s) : NULL;

    if (!m)
        return s->state == SERVER_READY || s->state == SERVER_SILENT;
    enum session_phase phase = client_get_phase(m->client);
    return phase == SESSION_READY || phase == SESSION_SILENT;
}

bool aggregate_asks(const struct aggregate *a, const struct server *s, const char *capability)
{
    return is_up(a, s) && !s->config->quarantined && session_has_capability(s->session, capability);
}

/* ---- parts ---- */

struct part *part_new(struct aggregate *a, call_reply_fn fn, void *ctx)
{
    struct part *p = xcalloc(1, sizeof *p);

    p->a = a;
    p->fn = fn;
    p->ctx = ctx;
    p->next = a->parts;
    a->parts = p;
    return p;
}

void part_free(struct part *p)
{
    struct part **at = &p->a->parts;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->alive)
        *p->alive = false;
    buf_fini(&p->answer);
    free(p->again);
    free(p->token);
    free(p);
}

/* Nobody waits for it any more. */
static void part_gone(struct part *p)
{
    if (p->gone)
        p->gone(p);
    part_free(p);
}

bool part_send(struct part *p, struct peer *m, const struct envelope *e, call_reply_fn fn)
{
    p->sending = true;
    p->done = false;
    p->peer = m;
    p->call = NULL;         /* that of the server before is over */
    p->call = client_send(m->client, e, fn, p);
    p->sending = false;
    return !p->done;
}

/* Who is answered may close the whole: nothing is touched after that. */
static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    struct iovec named[ENVELOPE_IOV];
    struct part *p = ctx;
    call_reply_fn fn = p->fn;
    void *owner = p->ctx;

    if (!is_error) {
        count = aggregate_name_result(p, iov, count, named, &prefix);
        iov = named;
    }
    p->done = true;
    if (!p->sending)
        part_free(p);
    fn(owner, iov, count, is_error);
}

void part_over(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct part *p = ctx;

    (void)iov, (void)count, (void)is_error;
    p->done = true;
    if (!p->sending)
        part_free(p);
}

void part_send_alone(struct aggregate *a, struct peer *m, const struct envelope *e)
{
    struct part *p = part_new(a, NULL, NULL);

    p->id = e->id;          /* of no request of the client's: its ctx is NULL */
    if (!part_send(p, m, e, part_over))
        part_free(p);
}

static bool send_to(struct aggregate *a, struct server *s, const struct envelope *e,
                    call_reply_fn fn, void *ctx)
{
    struct part *p = part_new(a, fn, ctx);

    p->use = task_use_of(e->method);
    bool waits = part_send(p, aggregate_member(a, s), e, on_reply);
    if (!waits)
        part_free(p);
    return waits;
}

/* ---- requests ---- */

static bool refuse_name(const struct envelope *e, call_reply_fn fn, void *ctx)
{
    aggregate_refuse(e->id, BAD_PARAMS,
                     "no server has this: names are SERVER__NAME, as the lists give them", fn, ctx);
    return false;
}

static bool complete(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span name = span_member(span_member(e->params, "ref"), "name");

    if (!name.n)
        return aggregate_seek(a, e, "completions", fn, ctx);
    struct server *s = route(a, &name);
    return s ? send_to(a, s, e, fn, ctx) : refuse_name(e, fn, ctx);
}

static bool ask_of_task(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span name = span_member(e->params, "taskId");
    struct server *s = aggregate_task_server(a, &name);

    if (s)
        return send_to(a, s, e, fn, ctx);
    aggregate_refuse(e->id, BAD_PARAMS, TASKS_NONE, fn, ctx);
    return false;
}

/* Servers that come later are told, too. */
static void set_level(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span level = span_member(e->params, "level");

    if (!logging_is_level(level)) {
        aggregate_refuse(e->id, BAD_PARAMS, LOGGING_LEVELS, fn, ctx);
        return;
    }
    buf_clear(&a->level);
    buf_add(&a->level, level.p, level.n);
    for (struct peer *m = a->peers; m; m = m->next)
        client_set_log_level(m->client, level);
    aggregate_answer(e->id, "{}", 2, fn, ctx);
}

/* 0, or the code of what is wrong with a modern request that no server will look at. */
static int check_modern(const struct envelope *e)
{
    if (!e->version.n || !span_member(e->meta, META "clientCapabilities").n)
        return BAD_PARAMS;
    return span_equal(e->version, span_of("\"" PROTOCOL_MODERN "\"")) ? 0 : BAD_VERSION;
}

/* Whether it was answered. */
static bool modern_request(struct aggregate *a, const struct envelope *e, call_reply_fn fn,
                           void *ctx)
{
    int wrong = check_modern(e);

    a->modern = true;
    if (wrong == BAD_VERSION)
        aggregate_refuse(e->id, wrong, "this protocol version is not supported: 2026-07-28 is", fn,
                         ctx);
    else if (wrong)
        aggregate_refuse(e->id, wrong, "params._meta must have " META "protocolVersion and "
                         META "clientCapabilities", fn, ctx);
    else if (span_is(e->method, "server/discover"))
        discover(e, fn, ctx);
    else
        return false;
    return true;
}

static bool request(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct span name = e->name;
    struct envelope routed = *e;
    bool waits = false;

    if (e->version.n || span_is(e->method, "server/discover")) {
        if (modern_request(a, e, fn, ctx))
            return false;
    } else if (span_is(e->method, "initialize")) {
        initialize(a, e, fn, ctx);
        return false;
    } else if (span_is(e->method, "ping")) {
        aggregate_answer(e->id, "{}", 2, fn, ctx);
        return false;
    } else if (span_is(e->method, "logging/setLevel")) {
        set_level(a, e, fn, ctx);
        return false;
    }
    if (aggregate_list(a, e, fn, ctx, &waits))
        return waits;
    if (span_is(e->method, "tools/call") || span_is(e->method, "prompts/get")) {
        struct server *s = route(a, &name);
        routed.name = name;
        return s ? send_to(a, s, &routed, fn, ctx) : refuse_name(e, fn, ctx);
    }
    if (span_is(e->method, "completion/complete"))
        return complete(a, e, fn, ctx);
    if (task_use_of(e->method) != TASK_MADE)
        return ask_of_task(a, e, fn, ctx);
    if (span_is(e->method, "resources/read"))
        return aggregate_seek(a, e, "resources", fn, ctx);
    if (!e->version.n && (span_is(e->method, "resources/subscribe") ||
                          span_is(e->method, "resources/unsubscribe")))
        return aggregate_spread(a, e, fn, ctx);
    if (e->version.n && span_is(e->method, "subscriptions/listen"))
        return aggregate_listen(a, e, fn, ctx);
    aggregate_refuse(e->id, NO_METHOD, "Method not found: ask the server itself, at /mcp/NAME", fn,
                     ctx);
    return false;
}

/* ---- for its owner ---- */

bool aggregate_send(struct aggregate *a, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    if (e->kind == ENVELOPE_REQUEST)
        return request(a, e, fn, ctx);
    aggregate_said(a, e);
    return false;
}

void aggregate_forget(struct aggregate *a, const void *ctx, bool cancel)
{
    for (struct part *p = a->parts, *next; p; p = next) {
        next = p->next;
        if (p->ctx != ctx)
            continue;
        if (p->call && cancel)
            call_cancel(p->call);
        else if (p->call)
            call_abandon(p->call);
        part_gone(p);
    }
    aggregate_listen_forget(a, ctx);
}

struct aggregate *aggregate_open(struct aggregate_names *names, enum server_seat seat,
                                 const struct client_events *events, void *ctx)
{
    struct aggregate *a = xcalloc(1, sizeof *a);

    a->names = names;
    a->fleet = aggregate_names_get_fleet(names);
    a->seat = seat;
    a->events = *events;
    a->ctx = ctx;
    a->version = protocol_index(protocol_latest);
    presence_add(aggregate_names_get_presence(names), a);
    return a;
}

void aggregate_close(struct aggregate *a)
{
    if (!a)
        return;
    presence_remove(aggregate_names_get_presence(a->names), a);
    aggregate_peers_fini(a);
    while (a->parts)
        part_gone(a->parts);
    aggregate_listen_fini(a);
    if (a->closed)
        *a->closed = true;
    aggregate_watched_fini(a);
    buf_fini(&a->level);
    free(a->label);
    free(a);
}

unsigned aggregate_get_features(const struct aggregate *a)
{
    return a->features;
}

unsigned aggregate_get_version(const struct aggregate *a)
{
    return a->version;
}

void aggregate_restore(struct aggregate *a, unsigned version, unsigned features)
{
    a->version = protocol_index(protocol_at(version));
    a->features = features;
    a->label = a->label ? a->label : xstrdup("");
    aggregate_join_all(a);
}
