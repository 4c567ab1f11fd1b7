/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /api/v1/tools/call: one request on a client of the API's own. The answer is in the API's
 * envelope; who asks for an event stream gets what the server says of its progress before it. Who
 * goes away has cancelled the call: nobody else could ask for the answer. */
#include <string.h>

#include "api/api_internal.h"
#include "api/mcp_http_internal.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/mem.h"

/* ---- the answer ---- */

static void answer_error(struct waiting *w, const struct iovec *iov, int count)
{
    AUTO_BUF struct buf b = BUF_INIT, out = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_add(&b, iov[i].iov_base, iov[i].iov_len);
    struct span error = span_member((struct span){b.data, b.len}, "error");
    AUTO_FREE char *why = span_decode(span_member(error, "message"), 900);
    const char *said = *why ? why : "the server answered with an error";
    if (!w->stream) {
        reply_error(w->request, 502, "%s", said);
        return;
    }
    buf_add_str(&out, "{\"success\":false,\"error\":");
    buf_add_json(&out, said, strlen(said));
    buf_add_char(&out, '}');
    mcp_stream_send(w->stream, &(struct iovec){out.data, out.len}, 1);
}

/* The result's bytes go out as the server wrote them: they may be many. */
void mcp_api_answer(struct waiting *w, const struct iovec *iov, int count, bool is_error)
{
    static const char head[] = "{\"success\":true,\"data\":";
    struct span result = is_error ? (struct span){0} : session_get_result(w->of);

    if (!result.n) {
        answer_error(w, iov, count);
        return;
    }
    const struct iovec body[] = {{(void *)(uintptr_t)head, sizeof head - 1},
                                 {(void *)(uintptr_t)result.p, result.n},
                                 {(char[]){"}\n"}, w->stream ? 1 : 2}};
    if (w->stream)
        mcp_stream_send(w->stream, body, ARRAY_LEN(body));
    else
        request_reply(w->request, 200, "application/json", NULL, body, ARRAY_LEN(body));
}

/* ---- the request ---- */

static void on_stream_gone(void *ctx)
{
    struct waiting *w = ctx;

    waiting_drop_call(w);
    waiting_end(w);
}

/* All else that the server says belongs to no client that could do something with it. */
static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct waiting *w = ctx;
    struct envelope e;

    if (asks || call_ctx != w || envelope_scan(msg, n, &e, NULL) < 0 ||
        !span_is(e.method, "notifications/progress"))
        return false;
    mcp_stream_send(w->stream, &(struct iovec){(void *)(uintptr_t)msg, n}, 1);
    if (w->stream->slow)
        on_stream_gone(w);
    return true;
}

static bool wants_events(const struct request *r)
{
    const char *accept = request_get_header(r, "Accept");

    return accept && strstr(accept, "text/event-stream");
}

static char *compose(const char *tool, json_t *arguments, bool with_progress)
{
    json_t *params = json_pack("{s:s, s:o}", "name", tool, "arguments",
                               arguments ? json_incref(arguments) : json_object());

    if (with_progress)
        json_object_set_new(params, "_meta", json_pack("{s:i}", "progressToken", 1));
    json_t *doc = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method",
                            "tools/call", "params", params);
    char *msg = json_dumps(doc, JSON_COMPACT);
    json_decref(doc);
    return msg;
}

void mcp_http_call_tool(struct mcp_http *m, struct request *r, const char *server, const char *tool,
                        json_t *arguments)
{
    static const struct client_events events = {.message = on_message, .gone = NULL};
    struct server *s = fleet_find(m->api->fleet, server);
    bool streams = wants_events(r);
    struct envelope e;

    if (!s) {
        reply_no_server(r, m->api->fleet, server);
        return;
    }
    AUTO_FREE char *msg = compose(tool, arguments, streams);
    if (!msg || envelope_scan(msg, strlen(msg), &e, NULL) < 0) {
        reply_error(r, 400, "the tool's name or arguments cannot be sent");
        return;
    }
    struct waiting *w = waiting_new(r, &e);
    w->of = s->session;
    w->own_client = client_open(s->session, "api", streams ? &events : NULL, w);
    if (streams) {
        w->stream = mcp_stream_new_plain(on_stream_gone, w);
        waiting_join(m, w, &m->alone);
        mcp_stream_attach(w->stream, TAKE(w->request), NULL, 0);
    }
    waiting_begin(w, w->own_client, NULL, &e);
}
