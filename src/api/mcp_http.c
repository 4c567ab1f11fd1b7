/* SPDX-License-Identifier: GPL-3.0-or-later */
/* HTTP requests of AI clients → calls on a server's session. One http_session per Mcp-Session-Id;
 * it holds the client's open session and is made again from its id after a restart. Payloads are
 * not looked into: the envelope scan is all. */
#include "api/mcp_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/api_internal.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "mcp/session.h"

enum {
    ID_RANDOM = 32,                 /* hex digits, then 16 of the check */
    ID_LEN = ID_RANDOM + 16,
    BUCKETS = 256,
    SESSIONS_MAX = 4096,            /* then the one unused for longest is closed */
    REMEMBERED_ENDS = 1024,         /* terminated ids that are still told apart from unknown ones */
};

struct http_session {
    char id[ID_LEN + 1];
    struct mcp_http *m;
    struct client *client;          /* NULL once the server is gone */
    char *server;
    int64_t used_ms;
    struct waiting *waits;          /* its requests that wait for an answer */
    struct http_session *next;      /* in its bucket */
};

struct mcp_http {
    struct api_server *api;
    uint8_t key[16];
    struct http_session *bucket[BUCKETS];
    size_t count;
    char ended[REMEMBERED_ENDS][ID_LEN + 1];
    size_t ended_next;
};

/* What a waiting HTTP request waits for. */
struct waiting {
    struct request *request;
    struct call *call;
    char session_id[ID_LEN + 1];    /* goes into the answer's header; "" = none */
    bool envelope;                  /* answer in the API's envelope (tools/call) */
    struct client *own_client;      /* closed with the answer */
    struct http_session *session;   /* whose list it is in; NULL = none */
    bool answered;
    struct waiting *next, *prev;
};

static void waiting_free(struct waiting *w)
{
    if (w->next)
        w->next->prev = w->prev;
    if (w->prev)
        w->prev->next = w->next;
    else if (w->session)
        w->session->waits = w->next;
    client_close(w->own_client);
    free(w);
}

static void waiting_join(struct waiting *w, struct http_session *hs)
{
    w->session = hs;
    w->next = hs->waits;
    if (w->next)
        w->next->prev = w;
    hs->waits = w;
}

/* ---- session ids ---- */

static void id_check(const struct mcp_http *m, const char *id, char out[17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)siphash24(m->key, id, ID_RANDOM));
}

static void id_make(const struct mcp_http *m, char out[ID_LEN + 1])
{
    unsigned char random[ID_RANDOM / 2];

    while (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        ;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
    id_check(m, out, out + ID_RANDOM);
}

static bool id_is_ended(const struct mcp_http *m, const char *id)
{
    for (size_t i = 0; i < REMEMBERED_ENDS; i++)
        if (strcmp(m->ended[i], id) == 0)
            return true;
    return false;
}

static bool id_is_ours(const struct mcp_http *m, const char *id)
{
    char check[17];

    if (strlen(id) != ID_LEN)
        return false;
    id_check(m, id, check);
    return memcmp(check, id + ID_RANDOM, 16) == 0 && !id_is_ended(m, id);
}

/* ---- sessions ---- */

static struct http_session **slot(struct mcp_http *m, const char *id)
{
    unsigned h = 0;

    for (const char *p = id; *p; p++)
        h = h * 31 + (unsigned char)*p;
    struct http_session **at = &m->bucket[h % BUCKETS];
    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

/* Requests that still wait are told; their calls go with the client. */
static void session_close(struct http_session **at)
{
    struct http_session *hs = *at;

    while (hs->waits) {
        struct waiting *w = hs->waits;
        reply_error(w->request, 404, "this session was ended while the call was running");
        waiting_free(w);
    }
    *at = hs->next;
    hs->m->count--;
    client_close(hs->client);
    free(hs->server);
    free(hs);
}

static void on_gone(void *ctx)
{
    struct http_session *hs = ctx;

    hs->client = NULL;      /* closed by the session that went */
    session_close(slot(hs->m, hs->id));
}

static void evict_oldest(struct mcp_http *m)
{
    struct http_session **oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++)
        for (struct http_session **at = &m->bucket[i]; *at; at = &(*at)->next)
            if (!(*at)->waits && (!oldest || (*at)->used_ms < (*oldest)->used_ms))
                oldest = at;
    if (oldest)
        session_close(oldest);
}

static struct http_session *session_open(struct mcp_http *m, const char *id, struct server *s)
{
    static const struct client_events events = {.notify = NULL, .gone = on_gone};
    struct http_session *hs = xcalloc(1, sizeof *hs);

    if (m->count >= SESSIONS_MAX)
        evict_oldest(m);
    snprintf(hs->id, sizeof hs->id, "%s", id);
    hs->m = m;
    hs->server = xstrdup(s->name);
    hs->client = client_open(s->session, "http", &events, hs);
    *slot(m, id) = hs;
    m->count++;
    return hs;
}

/* The session of this request, opened where it is new; NULL after an error was answered. */
static struct http_session *session_of(struct mcp_http *m, struct request *r, struct server *s,
                                       bool initialize)
{
    const char *id = request_get_header(r, "Mcp-Session-Id");
    char fresh[ID_LEN + 1];

    if (initialize) {
        id_make(m, fresh);
        return session_open(m, fresh, s);
    }
    if (!id) {
        reply_error(
            r, 400,
            "no Mcp-Session-Id header: send initialize first and use the id its answer carries");
        return NULL;
    }
    /* An open session proves its id; the check and the list of ended ones are for those that are
     * made again. */
    struct http_session *hs = *slot(m, id);
    if (!hs && !id_is_ours(m, id)) {
        reply_error(r, 404, "this session has ended: send initialize again");
        return NULL;
    }
    if (hs && strcmp(hs->server, s->name) != 0) {
        reply_error(r, 404, "this session belongs to server \"%s\": send initialize to /mcp/%s",
                    hs->server, s->name);
        return NULL;
    }
    return hs ? hs : session_open(m, id, s);
}

/* ---- calls ---- */

static void answer_plain(struct waiting *w, const struct iovec *iov, int count)
{
    const struct reply_header headers[] = {{"Mcp-Session-Id", w->session_id}, {NULL, NULL}};

    request_reply(w->request, 200, "application/json", w->session_id[0] ? headers : NULL, iov,
                  count);
}

static void answer_enveloped(struct waiting *w, const struct iovec *iov, int count)
{
    AUTO_BUF struct buf b = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_add(&b, iov[i].iov_base, iov[i].iov_len);
    json_t *doc = json_loadb(b.data, b.len, JSON_ALLOW_NUL, NULL);
    json_t *error = json_object_get(doc, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    if (!doc)
        reply_error(w->request, 502, "the server's reply is no JSON that can be shown");
    else if (error)
        reply_error(w->request, 502, "%s", message ? message : "the server answered with an error");
    else
        reply_data(w->request, json_incref(json_object_get(doc, "result")));
    json_decref(doc);
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct waiting *w = ctx;

    (void)is_error;
    if (w->envelope)
        answer_enveloped(w, iov, count);
    else
        answer_plain(w, iov, count);
    w->answered = true;
    if (w->call)         /* later, from the loop: nobody else will free it */
        waiting_free(w);
}

static void on_request_gone(void *ctx, struct request *r)
{
    struct waiting *w = ctx;

    (void)r;
    call_abandon(w->call);
    waiting_free(w);
}

/* Sends and waits. Frees w here when the answer came at once. */
static void begin(struct waiting *w, struct client *client, const struct envelope *e)
{
    w->call = client_send(client, e, on_reply, w);
    if (w->answered)
        waiting_free(w);
    else
        request_set_gone(w->request, on_request_gone, w);
}

static bool version_is_known(const char *v)
{
    static const char *const known[] = {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(v, known[i]) == 0)
            return true;
    return false;
}

static void handle_post(struct mcp_http *m, struct request *r, struct server *s)
{
    const char *version = request_get_header(r, "MCP-Protocol-Version");
    struct envelope e;
    struct fault f = FAULT_NONE;
    size_t n;
    const char *msg = request_get_body(r, &n);

    if (version && !version_is_known(version)) {
        reply_error(r, 400,
                    "MCP-Protocol-Version %.40s is not supported: use 2025-11-25 or earlier",
                    version);
        return;
    }
    if (envelope_scan(msg, n, &e, &f) < 0) {
        AUTO_BUF struct buf b = BUF_INIT;
        envelope_error(&b, e.id, -32700, f.text);
        request_reply(r, 400, "application/json", NULL, &(struct iovec){b.data, b.len}, 1);
        return;
    }
    bool initialize = e.kind == ENVELOPE_REQUEST && span_is(e.method, "initialize");
    struct http_session *hs = session_of(m, r, s, initialize);
    if (!hs)
        return;
    hs->used_ms = clock_mono_ms();
    if (e.kind != ENVELOPE_REQUEST) {
        client_send(hs->client, &e, NULL, NULL);
        request_reply(r, 202, NULL, NULL, NULL, 0);
        return;
    }
    struct waiting *w = xcalloc(1, sizeof *w);
    w->request = r;
    if (initialize)
        memcpy(w->session_id, hs->id, sizeof w->session_id);
    waiting_join(w, hs);
    begin(w, hs->client, &e);
}

static void handle_delete(struct mcp_http *m, struct request *r)
{
    const char *id = request_get_header(r, "Mcp-Session-Id");

    if (!id || !id_is_ours(m, id)) {
        reply_error(r, id ? 404 : 400,
                    id ? "there is no such session" : "no Mcp-Session-Id header");
        return;
    }
    struct http_session **at = slot(m, id);
    snprintf(m->ended[m->ended_next++ % REMEMBERED_ENDS], ID_LEN + 1, "%s", id);
    if (*at)
        session_close(at);
    request_reply(r, 200, NULL, NULL, NULL, 0);
}

void mcp_http_handle(struct mcp_http *m, struct request *r, const char *server)
{
    static const struct reply_header allow[] = {{"Allow", "POST, DELETE"}, {NULL, NULL}};
    const char *method = request_get_method(r);
    struct server *s = fleet_find(m->api->fleet, server);

    if (!s)
        reply_no_server(r, m->api->fleet, server);
    else if (strcmp(method, "POST") == 0)
        handle_post(m, r, s);
    else if (strcmp(method, "DELETE") == 0)
        handle_delete(m, r);
    else
        request_reply(r, 405, NULL, allow, NULL, 0);
}

void mcp_http_call_tool(struct mcp_http *m, struct request *r, const char *server, const char *tool,
                        json_t *arguments)
{
    struct server *s = fleet_find(m->api->fleet, server);
    struct envelope e;

    if (!s) {
        reply_no_server(r, m->api->fleet, server);
        return;
    }
    json_t *doc = json_pack("{s:s, s:i, s:s, s:{s:s, s:o}}", "jsonrpc", "2.0", "id", 1, "method",
                            "tools/call", "params", "name", tool, "arguments",
                            arguments ? json_incref(arguments) : json_object());
    AUTO_FREE char *msg = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    if (!msg || envelope_scan(msg, strlen(msg), &e, NULL) < 0) {
        reply_error(r, 400, "the tool's name or arguments cannot be sent");
        return;
    }
    struct waiting *w = xcalloc(1, sizeof *w);
    w->request = r;
    w->envelope = true;
    w->own_client = client_open(s->session, "api", NULL, NULL);
    begin(w, w->own_client, &e);
}

size_t mcp_http_get_sessions(const struct mcp_http *m)
{
    return m->count;
}

struct mcp_http *mcp_http_new(struct api_server *a)
{
    struct mcp_http *m = xcalloc(1, sizeof *m);
    const char *instance = fleet_get_instance(a->fleet);
    const uint8_t zero[16] = {0};

    m->api = a;
    for (int half = 0; half < 2; half++) {
        uint64_t h =
            siphash24(zero, instance, strlen(instance)) + (uint64_t)half * 0x9e3779b97f4a7c15;
        memcpy(m->key + 8 * half, &h, 8);
    }
    return m;
}

void mcp_http_free(struct mcp_http *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (m->bucket[i])
            session_close(&m->bucket[i]);
    free(m);
}
