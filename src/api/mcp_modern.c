/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST of the modern era (2026-07-28): no sessions. Each request is a client of its own, which goes
 * with its answer; its event stream has no ids, and who closes it cancels the call. */
#include <string.h>

#include "api/api_internal.h"
#include "api/mcp_headers.h"
#include "api/mcp_http_internal.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

enum { NO_METHOD = -32601, BAD_PARAMS = -32602, HEADER_MISMATCH = -32020, NO_CAPABILITY = -32021,
       BAD_VERSION = -32022 };

/* By the body. The header alone decides only for what is of no session and would be refused as
 * such: so a request whose _meta is missing is told that. */
bool mcp_is_modern(const struct request *r, const struct envelope *e)
{
    const char *version = request_get_header(r, "MCP-Protocol-Version");

    if (e->kind != ENVELOPE_REQUEST && e->kind != ENVELOPE_NOTIFICATION)
        return false;
    if (e->version.n || span_is(e->method, "server/discover"))
        return true;
    return version && strcmp(version, PROTOCOL_MODERN) == 0 &&
           !request_get_header(r, "Mcp-Session-Id") && !span_is(e->method, "initialize");
}

static const char *get_header(const void *ctx, const char *name)
{
    return request_get_header(ctx, name);
}

/* ---- answers ---- */

static int code_of(const struct iovec *iov, int count)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct envelope e;

    for (int i = 0; i < count; i++)
        buf_add(&text, iov[i].iov_base, iov[i].iov_len);
    if (envelope_scan(buf_str(&text), text.len, &e, NULL))
        return 0;
    AUTO_FREE char *code = xstrndup(span_member(e.error, "code").p, span_member(e.error, "code").n);
    return code ? atoi(code) : 0;
}

/* local: it is our own word about the request, not a server's. */
static int status_of(int code, bool local)
{
    switch (code) {
    case NO_METHOD:
        return 404;
    case BAD_PARAMS:
        return local ? 400 : 200;
    case HEADER_MISMATCH:
    case NO_CAPABILITY:
    case BAD_VERSION:
        return 400;
    default:
        return 200;
    }
}

void mcp_modern_answer(struct waiting *w, const struct iovec *iov, int count, bool is_error)
{
    int status = is_error ? status_of(code_of(iov, count), !w->begun) : 200;

    request_reply(w->request, status, "application/json", NULL, iov, count);
}

static void refuse(struct request *r, struct span id, int code, const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT;

    envelope_error(&out, id, code, text);
    request_reply(r, 400, "application/json", NULL, &(struct iovec){out.data, out.len}, 1);
}

/* ---- streams ---- */

/* To close the stream is to cancel. */
static void on_stream_gone(void *ctx)
{
    struct waiting *w = ctx;

    waiting_drop_call(w);
    waiting_end(w);
}

bool mcp_modern_open_stream(struct waiting *w)
{
    if (w->stream || !w->accepts_stream)
        return w->stream;
    w->stream = mcp_stream_new_plain(on_stream_gone, w);
    mcp_stream_attach(w->stream, TAKE(w->request), NULL, 0);
    return true;
}

/* A subscription says its first word before client_send returns. */
static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct waiting *w = ctx;

    (void)call_ctx;
    if (asks || w->answered || !mcp_modern_open_stream(w))
        return false;
    mcp_stream_send(w->stream, &(struct iovec){(void *)(uintptr_t)msg, n}, 1);
    if (w->stream->slow && w->begun)
        on_stream_gone(w);
    return true;
}

/* ---- requests ---- */

/* The list that has the tool of a call, and what of the call's name is not in it. */
static struct span tools_of(const struct mcp_http *m, const struct server *s,
                            const struct envelope *e, size_t *ret_prefix)
{
    struct span tools = {0};

    *ret_prefix = 0;
    if (!s && e->name.n > 2)
        s = aggregate_route(m->api->names, (struct span){e->name.p + 1, e->name.n - 2}, ret_prefix);
    if (s)
        tools.p = session_get_tools(s->session, &tools.n);
    return tools;
}

void mcp_modern_post(struct mcp_http *m, struct request *r, struct server *s,
                     const struct envelope *e)
{
    static const struct client_events events = {.message = on_message, .gone = NULL};
    const char *accept = request_get_header(r, "Accept");
    struct fault f = FAULT_NONE;
    size_t prefix;

    if (e->kind != ENVELOPE_REQUEST) {
        request_reply(r, 202, NULL, NULL, NULL, 0);
        return;
    }
    struct span tools = tools_of(m, s, e, &prefix);
    /* What has no version at all is told so by the session. */
    if (e->version.n && mcp_headers_check(e, tools, prefix, get_header, r, &f)) {
        refuse(r, e->id, HEADER_MISMATCH, f.text);
        return;
    }
    struct waiting *w = waiting_new(r, e);
    w->modern = true;
    w->accepts_stream = !accept || strstr(accept, "text/event-stream") || strstr(accept, "*/*");
    if (s) {
        w->own_client = client_open(s->session, "http", &events, w);
        client_set_modern(w->own_client);
    } else {
        w->own_aggregate = aggregate_open(m->api->names, SEAT_NO_SESSION, &events, w);
    }
    waiting_join(m, w, &m->alone);
    waiting_begin(w, w->own_client, w->own_aggregate, e);
}
