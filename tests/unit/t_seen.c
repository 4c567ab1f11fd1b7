/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a session knows of past calls: figures by tool (bounded) and by client, and what is told at
 * the end of every call. */
#include <stdio.h>
#include "session_rig.h"

struct told { struct call_ended c; int count; struct buf text, request; char client[40], name[40]; };
static struct told told;

static void on_ended(void *ctx, const struct call_ended *c)
{
    (void)ctx;
    told.c = *c;
    told.count++;
    snprintf(told.client, sizeof(told.client), "%s", c->client);
    snprintf(told.name, sizeof(told.name), "%.*s", (int)c->name.n, c->name.p);
    buf_clear(&told.text);
    buf_clear(&told.request);
    for (int i = 0; i < c->iov_count; i++)
        buf_add(&told.text, c->iov[i].iov_base, c->iov[i].iov_len);
    buf_add(&told.request, c->request.n ? c->request.p : "", c->request.n);
}

static void seen_open(struct rig *r, bool record)
{
    struct session_config c = {.server = "x", .record = record};
    struct session_events events = rig_events;

    events.ended = on_ended;
    *r = (struct rig){.loop = ev_loop_new(0)};
    r->s = session_new(r->loop, &c, &events, r);
    told.count = 0;
    start_ready(r);
}

struct row { char name[200]; struct tool_stats st; };
struct rows { struct row v[100]; size_t n; };

static void take_row(void *ctx, const struct tool_stats *t)
{
    struct rows *rows = ctx;
    struct row *row = &rows->v[rows->n++];

    row->st = *t;
    snprintf(row->name, sizeof(row->name), "%.*s", (int)t->name.n, t->name.p);
}

static const struct row *find_row(const struct rows *rows, const char *name)
{
    for (size_t i = 0; i < rows->n; i++)
        if (!rows->v[i].st.other && !strcmp(rows->v[i].name, name))
            return &rows->v[i];
    return NULL;
}

static void count_client(void *ctx, const struct client_info *info)
{
    (void)info;
    ++*(int *)ctx;
}

static void test_tools(void)
{
    struct rig r;
    struct rows rows = {0}, later = {0}, flying = {0};
    struct reply p = {0};

    seen_open(&r, false);
    session_each_tool(r.s, take_row, &rows);
    is_int(rows.n, 0, "no call, no row");
    struct client *c = client_open(r.s, "cli", NULL, NULL);
    sends(c, &p, CALL("1", "add"));
    session_each_tool(r.s, take_row, &flying);
    ok(flying.n == 1 && flying.v[0].st.in_flight == 1 && flying.v[0].st.calls == 0,
       "a first call in flight has a row");
    is_int(flying.v[0].st.p50_us, -1, "without a latency");
    says_result(&r, next_id(&r), "{}");
    sends(c, &p, CALL("2", "add"));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":1,\"message\":\"no\"}}", next_id(&r));
    sends(c, &p, CALL("3", "a\\u0064d"));
    says_result(&r, next_id(&r), "{}");
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"resources/list\"}");
    says_result(&r, next_id(&r), "{}");
    sends(c, &p, CALL("5", "add"));
    says_result(&r, next_id(&r), "{\"content\":[],\"isError\":true}");
    ok(told.c.tool_error && !told.c.is_error, "a tool that failed is told as that, and as no error");
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"prompts/get\",\"params\":{\"name\":\"add\"}}");
    says_result(&r, next_id(&r), "{\"isError\":true}");
    ok(!told.c.tool_error, "no other method has that");
    struct session_stats st;
    session_get_stats(r.s, &st);
    ok(st.calls == 6 && st.errors == 1 && st.tool_errors == 1, "counted apart in the server's figures");
    session_each_tool(r.s, take_row, &later);
    const struct row *add = find_row(&later, "add");
    ok(later.n == 1 && add, "one tool, however its name is escaped, and no other method");
    is_int(add->st.calls, 4, "its calls");
    is_int(add->st.errors, 1, "its errors");
    is_int(add->st.tool_errors, 1, "those that the tool tells itself");
    is_int(add->st.in_flight, 0, "none in flight");
    is_int(add->st.timed, 4, "all were measured");
    ok(add->st.p50_us >= 0 && add->st.p99_us >= add->st.p50_us, "percentiles");
    is_int(add->st.bytes_out, 3 * strlen(CALL("1", "add")) + strlen(CALL("3", "a\\u0064d")),
           "bytes of the calls as the client sent them");
    is_int(told.count, 6, "every end was told");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_bounded(void)
{
    enum { NAMES = 90 };
    struct rig r;
    struct rows rows = {0};
    struct reply p = {0};
    uint64_t calls = 0;
    const struct row *other = NULL;

    seen_open(&r, false);
    struct client *c = client_open(r.s, "cli", NULL, NULL);
    for (int i = 0; i < 2 * NAMES; i++) {
        AUTO_FREE char *msg = xasprintf(CALL("%d", "tool%d"), i, i % NAMES);
        sends(c, &p, msg);
        says_result(&r, next_id(&r), "{}");
    }
    session_each_tool(r.s, take_row, &rows);
    is_int(rows.n, 65, "64 tools and one row for the others");
    for (size_t i = 0; i < rows.n; i++) {
        calls += rows.v[i].st.calls;
        if (rows.v[i].st.other)
            other = &rows.v[i];
    }
    is_int(calls, 2 * NAMES, "no call is missing");
    ok(other && other->st.calls == 2 * (NAMES - 64), "the others' calls");
    ok(find_row(&rows, "tool63") && !find_row(&rows, "tool64"), "the first 64 have rows");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_ends(void)
{
    struct rig r;
    struct reply p = {0};

    seen_open(&r, false);
    struct client *c = client_open(r.s, "cli 1.0", NULL, NULL);
    sends(c, &p, CALL("\"id 7\"", "add"));
    says_result(&r, next_id(&r), "{\"content\":[]}");
    is_str(told.client, "cli 1.0", "whose call it was");
    is_str(told.name, "add", "which tool");
    is_str(buf_str(&told.text), "{\"result\":{\"content\":[]},\"jsonrpc\":\"2.0\",\"id\":\"id 7\"}",
           "its answer as the client gets it");
    is_int(told.c.bytes_in, told.text.len, "its bytes");
    is_str(buf_str(&told.request), CALL("\"id 7\"", "add"), "a short call is there");
    ok(told.c.answered_us >= 0 && told.c.took_us == told.c.answered_us && !told.c.is_error, "how long");
    sends(c, &p, CALL("8", "add"));
    next_line(&r);
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":8}}");
    ok(told.count == 2 && told.c.is_error && told.c.answered_us == -1, "a cancelled call ends");
    session_down(r.s, "exited 1");
    sends(c, &p, CALL("9", "add"));
    session_refuse(r.s, "it is stopped");
    ok(told.count == 3 && told.c.is_error && told.c.answered_us == -1, "a held call ends");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

/* A call of n bytes and a little. */
static char *long_call(size_t n)
{
    char *msg = xmalloc(n + 200);
    int head = sprintf(msg, "{\"jsonrpc\":\"2.0\",\"id\":1,\n\"method\":\"tools/call\",\"params\":"
                            "{\"name\":\"add\",\"x\":\"");
    memset(msg + head, 'x', n);
    strcpy(msg + head + n, "\"}}");
    return msg;
}

static size_t request_kept(bool record, size_t n)
{
    struct rig r;
    struct reply p = {0};
    AUTO_FREE char *msg = long_call(n);

    seen_open(&r, record);
    struct client *c = client_open(r.s, "cli", NULL, NULL);
    sends(c, &p, msg);
    says_result(&r, next_id(&r), "{}");
    size_t kept = told.request.len;
    ok(!kept || (kept == strlen(msg) && !memchr(told.request.data, '\n', kept)), "whole, on one line");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
    return kept;
}

static void test_record(void)
{
    ok(!request_kept(false, 100 << 10), "a long call is not kept");
    ok(request_kept(true, 100 << 10), "but where calls are recorded");
    ok(request_kept(true, 900 << 10), "up to 1 MiB");
    ok(!request_kept(true, 1100 << 10), "and no longer ones");
}

struct clients { char text[400]; };

static void take_client(void *ctx, const struct client_info *c)
{
    struct clients *l = ctx;
    size_t n = strlen(l->text);

    snprintf(l->text + n, sizeof(l->text) - n, "%s %d/%d/%d %s;", c->label, (int)c->calls,
             (int)c->errors, (int)c->open, c->protocol ? c->protocol : "-");
}

static void test_clients(void)
{
    struct rig r;
    struct reply p = {0};
    struct clients l = {0};

    seen_open(&r, false);
    struct client *a = client_open(r.s, "a", NULL, NULL), *b = client_open(r.s, "b", NULL, NULL);
    sends(a, &p, CALL("1", "add"));
    says_result(&r, next_id(&r), "{}");
    sends(a, &p, CALL("2", "add"));
    sends(b, &p, CALL("1", "add"));
    session_each_client(r.s, take_client, &l);
    is_str(l.text, "b 0/0/1 -;a 1/0/1 -;", "each client's calls");
    client_close(a);
    client_close(b);
    buf_fini(&p.text);
    rig_close(&r);
}

/* Figures of one session among those of another. */
static void test_ledger(void)
{
    struct rig r, m;
    struct rows rows = {0};
    struct session_stats st;
    struct reply p = {0};
    int clients = 0;

    seen_open(&r, false);
    struct session_config c = {.server = "x", .ledger = r.s};
    struct session_events events = rig_events;
    events.ended = on_ended;
    m = (struct rig){.loop = r.loop};
    m.s = session_new(r.loop, &c, &events, &m);
    start_ready(&m);
    struct client *one = client_open(r.s, "one", NULL, NULL), *two = client_open(m.s, "two", NULL, NULL);
    client_restore(one, 9, 0);
    client_restore(two, 9, 0);
    sends(one, &p, CALL("1", "a"));
    says_result(&r, next_id(&r), "{}");
    sends(two, &p, CALL("1", "a"));
    says_result(&m, next_id(&m), "{}");
    sends(two, &p, CALL("2", "b"));
    session_get_stats(r.s, &st);
    is_int((int)st.calls, 2, "calls of both");
    is_int((int)st.in_flight, 1, "and those in flight");
    is_int((int)st.clients, 2, "and clients");
    is_int((int)session_get_in_flight(r.s), 0, "none of it is its own");
    session_each_tool(r.s, take_row, &rows);
    is_int((int)find_row(&rows, "a")->st.calls, 2, "figures of a tool are one row");
    is_int((int)find_row(&rows, "b")->st.in_flight, 1, "what is in flight is found");
    session_each_client(r.s, count_client, &clients);
    is_int(clients, 2, "clients of both");
    clients = 0;
    session_each_own_client(m.s, count_client, &clients);
    is_int(clients, 1, "or of one alone");
    uint64_t bytes = st.bytes_in;
    client_close(two);
    session_free(TAKE(m.s));
    session_get_stats(r.s, &st);
    ok(st.calls == 2 && st.clients == 1 && st.bytes_in == bytes, "what it counted stays when it goes");
    client_close(one);
    buf_fini(&p.text);
    buf_fini(&m.out);
    buf_fini(&m.phases);
    rig_close(&r);
}

int main(void)
{
    test_ledger();
    tap_deadline(60);
    test_tools();
    test_bounded();
    test_ends();
    test_record();
    test_clients();
    buf_fini(&told.text);
    buf_fini(&told.request);
    return done_testing();
}
