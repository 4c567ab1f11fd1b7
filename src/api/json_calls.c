/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls in flight, past ones, and figures by tool and client. No payload comes here. */
#include "api/json_calls.h"

#include "api/json.h"

struct open { json_t *calls; const struct server *server; };

static void add_open_call(void *ctx, const struct call_info *info)
{
    const struct open *open = ctx;
    json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:b}", "method",
                          json_foreign(info->method.p, info->method.n), "name",
                          json_foreign(info->name.n ? info->name.p : "", info->name.n), "client",
                          json_text(info->client), "age_ms", (json_int_t)info->age_ms, "held",
                          info->held);

    if (open->server)
        json_object_set_new(o, "server", json_text(open->server->name));
    json_array_append_new(open->calls, o);
}

json_t *json_open_calls(const struct server *s, bool with_server)
{
    struct open open = {json_array(), with_server ? s : NULL};

    session_each_call(s->session, add_open_call, &open);
    return open.calls;
}

static void add_tool(void *ctx, const struct tool_stats *t)
{
    json_array_append_new(ctx, json_pack(
        "{s:o, s:b, s:I, s:I, s:I, s:i, s:I, s:I, s:I, s:I, s:I}", "name",
        json_foreign(t->name.p, t->name.n), "other", t->other, "calls", (json_int_t)t->calls,
        "errors", (json_int_t)t->errors, "tool_errors", (json_int_t)t->tool_errors, "in_flight",
        (int)t->in_flight, "p50_us", (json_int_t)t->p50_us,
        "p95_us", (json_int_t)t->p95_us, "p99_us", (json_int_t)t->p99_us, "bytes_in",
        (json_int_t)t->bytes_in, "bytes_out", (json_int_t)t->bytes_out));
}

json_t *json_tool_figures(const struct server *s)
{
    json_t *a = json_array();

    session_each_tool(s->session, add_tool, a);
    return a;
}

static void add_client(void *ctx, const struct client_info *c)
{
    json_array_append_new(ctx, json_pack("{s:o, s:o, s:I, s:I, s:I, s:i}",
                                         "name", json_text(c->label),
                                         "protocol_version", json_text(c->protocol), "calls",
                                         (json_int_t)c->calls, "errors", (json_int_t)c->errors,
                                         "tool_errors", (json_int_t)c->tool_errors, "in_flight",
                                         (int)c->open));
}

json_t *json_clients(const struct server *s)
{
    json_t *a = json_array();

    session_each_client(s->session, add_client, a);
    return a;
}

static void add_name(void *ctx, const struct client_info *c)
{
    json_array_append_new(ctx, json_text(c->label));
}

json_t *json_clients_of(const struct server *s)
{
    json_t *a = json_array();

    session_each_own_client(s->session, add_name, a);
    return a;
}

json_t *json_call(const struct call_note *n)
{
    char id[CALL_ID_MAX];

    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b, s:b}", "id",
                     json_text(call_note_id(n, id, sizeof id)), "wall_ms", (json_int_t)n->wall_ms,
                     "server", json_text(n->server), "client", json_text(n->client), "method",
                     json_text(n->method), "tool", json_text(n->tool), "took_us",
                     (json_int_t)n->took_us, "bytes_out", (json_int_t)n->bytes_out, "bytes_in",
                     (json_int_t)n->bytes_in, "error", n->error, "tool_error", n->tool_error,
                     "recorded", n->recorded == RECORD_KEPT);
}
