/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A session between clients and a scripted server, through the write/feed contract and a real loop:
 * handshake, restarts with held calls, ids and tokens of many clients, cancellation, late and
 * broken replies, silence, the catalogue. */
#include "session_rig.h"

/* ---- handshake ---- */

static void test_handshake(void)
{
    struct rig r;
    size_t n;

    rig_open(&r, NULL);
    is_int(session_get_phase(r.s), SESSION_DOWN, "a new session is down");
    is_int(session_get_tool_count(r.s), -1, "its tools are unknown");
    up(&r);
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"method\":\"initialize\"") &&
           strstr(line, "\"protocolVersion\":\"2025-11-25\"") &&
           strstr(line, "\"name\":\"mcptop\"") && strstr(line, "\"capabilities\":{\"sampling\":{},\"elicitation\":{\"form\":{},"),
       "initialize is sent");
    says_initialized(&r, "1");
    is_str(next_line(&r), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
           "initialized is told");
    is_str(next_line(&r), "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}",
           "tools are asked for");
    says_result(&r, "2",
                "{\"tools\":[{\"name\":\"a\"}, {\"name\":\"b\"} ],\"nextCursor\":\"p\\\"2\"}");
    is_str(
        next_line(&r),
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/list\",\"params\":{\"cursor\":\"p\\\"2\"}}",
        "with pages");
    is_str(buf_str(&r.phases), "handshake ", "not ready before the last page");
    says_result(&r, "3", "{\"tools\":[{\"name\":\"c\"}]}");
    is_str(buf_str(&r.phases), "handshake ready ", "ready");
    is_int(session_get_tool_count(r.s), 3, "three tools");
    is_str(session_get_tools(r.s, &n), "[{\"name\":\"a\"}, {\"name\":\"b\"} ,{\"name\":\"c\"}]",
           "their text");
    is_str(session_get_server_name(r.s), "srv", "the server's name");
    is_str(session_get_server_version(r.s), "1.2", "its version");
    is_str(session_get_protocol(r.s), "2025-06-18", "its protocol");
    is_int(r.catalogues, 1, "the catalogue was told once");
    rig_close(&r);
}

static void test_client_initialize(void)
{
    static const struct { const char *asked, *got; } cases[] = {
        {"2024-11-05", "2024-11-05"}, {"2025-03-26", "2025-03-26"}, {"2025-11-25", "2025-11-25"},
        {"2099-01-01", "2025-11-25"}, {"1", "2025-11-25"},
    };
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reply p = {0};
        struct client *c = client_open(r.s, "http", NULL, NULL);
        AUTO_FREE char *msg = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
            "\"%s\",\"clientInfo\":{\"name\":\"claude-code\",\"version\":\"2.0\"}}}",
            cases[i].asked);
        AUTO_FREE char *want = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"result\":{\"protocolVersion\":\"%s\",\"capabilities\":{\"tools\":{\"listChanged\":true}},"
            "\"serverInfo\":{\"name\":\"srv\",\"version\":\"1.2\"},\"instructions\":\"be \\u00e9\"}}",
            cases[i].got);
        ok(!sends(c, &p, msg), "initialize is answered at once");
        is_str(buf_str(&p.text), want, "asked %s", cases[i].asked);
        is_str(client_get_label(c), "claude-code 2.0", "the client is known by its name");
        is_str(client_get_protocol(c), cases[i].got, "its version");
        sends(c, &p, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
        ok(!sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}"),
           "ping is answered at once");
        is_str(buf_str(&p.text), "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"result\":{}}", "by us");
        client_close(c);
        buf_fini(&p.text);
    }
    is_str(next_line(&r), NULL, "the server saw nothing of it");
    rig_close(&r);
}

static void test_initialize_before_ready(void)
{
    struct rig r;
    struct reply p = {0}, q = {0};

    rig_open(&r, NULL);
    struct client *c = client_open(r.s, "", NULL, NULL);
    ok(sends(
           c, &p,
           "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}") !=
           NULL,
       "initialize waits for a server that was never ready");
    sends(c, &q, CALL("0", "t"));
    start(&r);
    ok(has(&p.text, "\"id\":0,\"result\":{\"protocolVersion\":\"2025-03-26\""),
       "and is answered by its handshake");
    is_str(next_line(&r),
           "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}",
           "a call that waited is not kept waiting by the tool list");
    finish_start(&r);
    says_result(&r, "2", "{}");
    is_str(buf_str(&q.text), "{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":0}", "its reply");
    client_close(c);
    buf_fini(&p.text);
    buf_fini(&q.text);
    rig_close(&r);
}

static void test_handshake_failures(void)
{
    struct session_config cfg = {.init_timeout_ms = 30, .era = ERA_LEGACY};
    struct rig r;

    rig_open(&r, &cfg);
    up(&r);
    says(&r, "Server started on stdio");
    run_until(r.loop, r.failures, 5);
    is_int(r.failed.code, FAULT_TIMEOUT, "no answer: a timeout");
    ok(strstr(r.failed.text, "no answer to initialize within") &&
           strstr(r.failed.text, "the first: Server started on stdio"),
       "which shows the rubbish: %s", r.failed.text);
    ok(has(&r.phases, "handshake down(no answer"), "the session is down");
    session_down(r.s, "killed");
    is_int(r.failures, 1, "told once");

    r.down_on_failure = true;
    up(&r);
    says(
        &r,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32602,\"message\":\"no \\\"such\\\" thing\"}}\nnoise",
        next_id(&r));
    is_int(r.failed.code, FAULT_DENIED, "refused");
    ok(strstr(r.failed.text, "refused: no \"such\" thing (code -32602)"), "with its words: %s",
       r.failed.text);
    ok(has(&r.strays, "[not JSON|noise]"),
       "what came behind it is not lost, though the run ended meanwhile");

    up(&r);
    says_result(&r, next_id(&r), "{\"protocolVersion\":\"2031-01-01\",\"capabilities\":{}}");
    is_int(r.failed.code, FAULT_UNSUPPORTED, "an unknown version");
    ok(strstr(r.failed.text, "\"2031-01-01\""), "named: %s", r.failed.text);

    up(&r);
    says_result(&r, next_id(&r), "{}");
    is_int(r.failed.code, FAULT_INVALID, "no version");

    r.failures = 0;
    buf_clear(&r.phases);
    up(&r);
    session_down(r.s, "exited 3");
    is_int(r.failures, 0, "an end of the process is no failure of the handshake");
    is_str(buf_str(&r.phases),
           "handshake down(the server ended (exited 3) before its handshake was done) ",
           "but told");
    rig_close(&r);
}

static void test_no_tools(void)
{
    struct rig r;
    size_t n;

    rig_open(&r, NULL);
    up(&r);
    says_result(
        &r, next_id(&r),
        "{\"protocolVersion\":\"2024-11-05\",\"capabilities\":{\"prompts\":{}},\"serverInfo\":{\"name\":\"p\"}}");
    ok(session_get_phase(r.s) == SESSION_READY, "a server without tools is ready at once");
    is_int(session_get_tool_count(r.s), 0, "it has none");
    is_str(session_get_tools(r.s, &n), "[]", "an empty list");
    session_down(r.s, "exited 0");
    start(&r);
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":1,\"message\":\"m\"}}",
         next_id(&r));
    ok(session_get_phase(r.s) == SESSION_READY, "one that refuses the list is ready too");
    is_int(session_get_tool_count(r.s), -1, "but its tools are unknown");
    ok(has(&r.strays, "tools are unknown"), "and the operator is told");
    rig_close(&r);
}

/* ---- calls ---- */

static void test_unanswered_list(void)
{
    static const char changed[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
    struct session_config cfg = {.init_timeout_ms = 100};
    struct rig r;

    rig_open(&r, &cfg);
    start_ready(&r);
    says(&r, "%s", changed);
    run_until(r.loop, r.out.len > 0, 2.);
    AUTO_FREE char *lost = xstrdup(next_id(&r));
    says(&r, "%s", changed);
    run_for(r.loop, 0.4);
    is_int((int)r.out.len, 0, "the list is asked for once at a time");
    says(&r, "%s", changed);
    run_until(r.loop, r.out.len > 0, 2.);
    says_result(&r, next_id(&r), "{\"tools\":[{},{},{}]}");
    is_int(session_get_tool_count(r.s), 3,
           "an answer that never came does not end the reading for good");
    says_result(&r, lost, "{\"tools\":[]}");
    is_int(session_get_tool_count(r.s), 3, "and counts no more when it comes late");
    ok(has(&r.strays, "after its call was given up"), "which is told");
    rig_close(&r);
}

static void test_ids_of_two_clients(void)
{
    static const char *const ids[] = {"1", "\"1\"", "9007199254740993", "1.5",
                                      "\"\\u00e9\xE2\x80\xA8\""};
    struct reply p[2][ARRAY_LEN(ids)] = {{{{0}, 0, 0}}};
    char at_server[2][ARRAY_LEN(ids)][32];
    struct client *c[2];
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    for (int i = 0; i < 2; i++)
        c[i] = client_open(r.s, "", NULL, NULL);
    for (size_t j = 0; j < ARRAY_LEN(ids); j++) {
        for (int i = 0; i < 2; i++) {
            AUTO_FREE char *msg = xasprintf(
                "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"tools/call\",\"params\":{\"name\":\"t%d\"}}",
                ids[j], i);
            sends(c[i], &p[i][j], msg);
            snprintf(at_server[i][j], 32, "%s", next_id(&r));
        }
    }
    for (size_t j = ARRAY_LEN(ids); j-- > 0;) {
        for (int i = 1; i >= 0; i--) {
            AUTO_FREE char *result = xasprintf(
                "{\"for\":\"%d-%zu \xC2\xA0\xE2\x80\x8D\xEF\xBB\xBF\xEF\xBF\xBD\"}", i, j);
            AUTO_FREE char *want = xasprintf("{\"result\":%s,\"jsonrpc\":\"2.0\",\"id\":%s}",
                                             result, ids[j]);
            says_result(&r, at_server[i][j], result);
            is_str(buf_str(&p[i][j].text), want, "client %d, id %s", i, ids[j]);
            is_int(p[i][j].count, 1, "once");
            buf_fini(&p[i][j].text);
        }
    }
    struct session_stats st;
    session_get_stats(r.s, &st);
    is_int(st.calls, 2 * (int)ARRAY_LEN(ids), "all counted");
    is_int(st.in_flight, 0, "none left");
    ok(st.p50_us >= 0 && st.p50_us <= st.p95_us && st.p95_us <= st.p99_us,
       "latencies %lld %lld %lld", (long long)st.p50_us, (long long)st.p95_us,
       (long long)st.p99_us);
    for (int i = 0; i < 2; i++)
        client_close(c[i]);
    rig_close(&r);
}

static void test_many_in_flight(void)
{
    enum { N = 3000 };
    struct reply *p = xcalloc(N, sizeof(*p));
    int wrong = 0;
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    for (int i = 0; i < N; i++) {
        AUTO_FREE char *msg = xasprintf(CALL("%d", "t"), i);
        sends(c, &p[i], msg);
    }
    /* Ids 3 … N+2 stand for 0 … N-1; answered in an order that leaves gaps everywhere in the
     * table. */
    for (int i = 0, k = 0; i < N; i++, k = (k + 1009) % N) {
        char id[16];
        snprintf(id, sizeof(id), "%d", k + 3);
        says_result(&r, id, "{}");
        AUTO_FREE char *want = xasprintf("{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":%d}", k);
        wrong += strcmp(buf_str(&p[k].text), want) != 0;
    }
    is_int(wrong, 0, "%d calls in flight get their own replies", N);
    for (int i = 0; i < N; i++)
        buf_fini(&p[i].text);
    free(p);
    client_close(c);
    rig_close(&r);
}

static void test_progress(void)
{
    struct buf got[2] = {{0}};
    struct reply p[2] = {{{0}, 0, 0}};
    struct client *c[2];
    char id[2][32];
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    for (int i = 0; i < 2; i++) {
        c[i] = client_open(r.s, "", &notified, &got[i]);
        sends(
            c[i], &p[i],
            i ? "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":0}}}"
              : "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":\"0\"}}}");
        const char *line = next_line(&r);
        struct envelope e;
        envelope_scan(line, strlen(line), &e, NULL);
        snprintf(id[i], sizeof(id[i]), "%.*s", (int)e.progress_token.n, e.progress_token.p);
    }
    ok(strcmp(id[0], id[1]) != 0, "equal tokens differ at the server: %s, %s", id[0], id[1]);
    says(
        &r,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":1}}",
        id[1]);
    says(
        &r,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":2}}",
        id[0]);
    is_str(
        buf_str(&got[0]),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"0\",\"progress\":2}};",
        "one owner with a string token");
    is_str(
        buf_str(&got[1]),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":0,\"progress\":1}};",
        "the other with a number");
    for (int i = 0; i < 2; i++) {
        buf_clear(&got[i]);
        says_result(&r, id[i], "{}");
        says(
            &r,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":3}}",
            id[i]);
        is_int(got[i].len, 0, "late progress reaches nobody");
        client_close(c[i]);
        buf_fini(&p[i].text);
        buf_fini(&got[i]);
    }
    rig_close(&r);
}

static void test_cancel(void)
{
    struct reply p = {0}, q = {0};
    char id[32];
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *owner = client_open(r.s, "", NULL, NULL),
                  *other = client_open(r.s, "", NULL, NULL);
    sends(owner, &p, CALL("5", "slow"));
    snprintf(id, sizeof(id), "%s", next_id(&r));
    static const char cancel[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5,\"reason\":\"r\"}}";
    sends(other, &q, cancel);
    is_str(next_line(&r), NULL, "another client cannot cancel it");
    sends(
        owner, &p,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":\"5\"}}");
    is_str(next_line(&r), NULL, "nor does \"5\" mean 5");
    sends(owner, &p, cancel);
    AUTO_FREE char *want = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%s,\"reason\":\"r\"}}",
        id);
    is_str(next_line(&r), want, "its owner can; the id is the server's");
    ok(p.count == 1 &&
           has(&p.text,
               "\"id\":5,\"error\":{\"code\":-32000,\"message\":\"cancelled by the client\"}"),
       "the call is over");
    says_result(&r, id, "{\"late\":1}");
    is_int(p.count, 1, "its late reply reaches nobody");
    is_int(r.strays.len, 0, "and is nothing to complain of");
    says_result(&r, id, "{\"late\":2}");
    ok(has(&r.strays, "came twice"), "a second one is");

    session_down(r.s, "stopped");
    sends(owner, &p, CALL("5", "slow"));
    sends(owner, &p, cancel);
    is_int(p.count, 2, "a waiting call can be cancelled too");
    start_ready(&r);
    is_str(next_line(&r), NULL, "and is not sent any more");
    client_close(owner);
    client_close(other);
    buf_fini(&p.text);
    rig_close(&r);
}

/* ---- restarts ---- */

static void test_restart(void)
{
    struct reply before = {0}, during = {0}, init = {0};
    AUTO_BUF struct buf got = BUF_INIT;
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "", &notified, &got);
    sends(c, &before, CALL("1", "kill"));
    next_line(&r);
    session_down(r.s, "exited 3");
    ok(before.errors == 1 &&
           has(&before.text, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":"
                             "\"server \\\"x\\\" ended (exited 3) before it answered"),
       "a call in flight fails at once and says why");
    is_str(buf_str(&r.phases), "down ", "the phase is told");
    sends(
        c, &during,
        "{\n \"jsonrpc\":\"2.0\",\r\n\"id\":\"w\",\"method\":\"tools/call\",\n\"params\":{\"name\":\"a\\nb\"}}\n");
    sends(c, &init, "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"initialize\",\"params\":{}}");
    ok(init.count == 1 && !init.errors, "a new client is welcomed meanwhile");
    struct session_stats st;
    session_get_stats(r.s, &st);
    is_int(st.held, 1, "one call waits");
    start(&r);
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"params\":{\"name\":\"a\\nb\"}}") && !strchr(line, '\r'),
       "it goes on, on one line: %s", line);
    finish_start(&r);
    says_result(&r, "5", "{\"ok\":1}");
    is_str(buf_str(&during.text), "{\"result\":{\"ok\":1},\"jsonrpc\":\"2.0\",\"id\":\"w\"}",
           "and is answered");
    client_close(c);
    buf_fini(&before.text);
    buf_fini(&during.text);
    buf_fini(&init.text);
    rig_close(&r);
}

static void test_hold_deadline(void)
{
    struct session_config cfg = {.hold_timeout_ms = 40};
    struct reply p = {0}, q = {0}, z = {0};
    struct rig r;

    rig_open(&r, &cfg);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    session_down(r.s, "exited 3");
    session_set_cause(r.s, "exited 3, retry in 4 s");
    sends(c, &p, CALL("1", "t"));
    ok(run_until(r.loop, p.count, 5), "a call does not wait for ever");
    ok(has(&p.text, "server \\\"x\\\" is not ready: exited 3, retry in 4 s; waited 1 s"),
       "and says what it waited for");
    up(&r);
    sends(c, &q, CALL("2", "t"));
    ok(run_until(r.loop, q.count, 5) &&
           has(&q.text, "is not ready: it is starting again after: exited 3"),
       "also during a start");
    sends(c, &z, CALL("3", "t"));
    session_refuse(r.s, "server \"x\" is disabled");
    ok(z.errors == 1 && has(&z.text, "\"server \\\"x\\\" is disabled\""),
       "a refusal ends the waiting");
    ok(!sends(c, &z, CALL("4", "t")) && z.errors == 2, "and new calls");
    session_refuse(r.s, NULL);
    ok(sends(c, &z, CALL("5", "t")) && z.count == 2, "until it is lifted");
    client_close(c);
    buf_fini(&p.text);
    buf_fini(&q.text);
    buf_fini(&z.text);
    rig_close(&r);
}

static void test_hold_caps(void)
{
    struct reply p = {0};
    struct rig r;
    struct session_stats st;

    rig_open(&r, NULL);
    struct client *c = client_open(r.s, "", NULL, NULL);
    for (int i = 0; i < 1030; i++)
        sends(c, &p, CALL("1", "t"));
    is_int(p.errors, 6, "not more than 1024 calls wait");
    ok(has(&p.text, "too many calls wait"), "the rest is told");
    client_close(c);
    session_get_stats(r.s, &st);
    is_int(st.held, 0, "a client takes its waiting calls along");

    AUTO_BUF struct buf big = BUF_INIT;
    buf_add_str(&big, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"a\":\"");
    buf_reserve(&big, (30 << 20) + 8);
    memset(big.data + big.len, 'x', 30 << 20);
    big.len += 30 << 20;
    buf_add_str(&big, "\"}}");
    c = client_open(r.s, "", NULL, NULL);
    p.errors = 0;
    for (int i = 0; i < 3; i++)
        sends(c, &p, buf_str(&big));
    is_int(p.errors, 1, "nor more than 64 MiB of them");
    static const size_t sizes[] = {100 << 20, 1 << 20};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct session_config cfg = {.server = "x", .max_message_bytes = sizes[i]};
        session_configure(r.s, &cfg);
        sends(c, &p, buf_str(&big));
        is_int(p.errors, 1 + (int)i, "%s", i ? "a smaller limit counts at once, for those that come"
                                             : "but for a message that may be larger there is room");
    }
    client_close(c);
    c = client_open(r.s, "", NULL, NULL);
    sends(c, &p, buf_str(&big));
    sends(c, &p, buf_str(&big));
    is_int(p.errors, 2, "where one may be but small they are 64 MiB all the same");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_write_failures(void)
{
    struct reply p = {0}, q = {0};
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    r.write_errno = FAULT_TOO_BIG;
    ok(!sends(c, &p, CALL("1", "t")) && p.errors == 1 && has(&p.text, "does not take input"),
       "a full queue fails the call");
    r.write_errno = EPIPE;
    ok(sends(c, &q, CALL("2", "t")) && !q.count, "a closed one holds it: nothing was written");
    session_down(r.s, "exited 1");
    is_int(q.count, 0, "the end of that run is not its affair");
    r.write_errno = 0;
    start(&r);
    says_result(&r, next_id(&r), "{\"ok\":1}");
    is_str(buf_str(&q.text), "{\"result\":{\"ok\":1},\"jsonrpc\":\"2.0\",\"id\":2}",
           "the next run answers it");
    client_close(c);
    buf_fini(&p.text);
    buf_fini(&q.text);
    rig_close(&r);
}

static void test_undelivered(void)
{
    static const char *const calls[] = {CALL("0", "read"), CALL("1", "half"), CALL("2", "unread"),
                                        CALL("3", "unread too")};
    struct session_config cfg = {.hold_timeout_ms = 60};
    struct reply p[5] = {{{0}, 0, 0}};
    size_t sizes[4];
    struct rig r;

    rig_open(&r, &cfg);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    for (int i = 0; i < 4; i++) {
        sends(c, &p[i], calls[i]);
        sizes[i] = strlen(next_line(&r)) + 1;
    }
    session_undelivered(r.s, sizes[1] / 2 + sizes[2] + sizes[3]);
    session_down(r.s, "signal 9 (killed)");
    ok(p[0].errors == 1 && p[1].errors == 1, "what was read, or begun to be read, fails");
    ok(!p[2].count && !p[3].count, "what nobody read waits");
    sends(c, &p[4], CALL("4", "later"));
    start(&r);
    ok(strstr(next_line(&r), "\"name\":\"unread\"") &&
           strstr(next_line(&r), "\"name\":\"unread too\""),
       "and is written again");
    ok(strstr(next_line(&r), "\"name\":\"later\""), "before what came later");
    finish_start(&r);
    for (int i = 2; i < 5; i++) {
        AUTO_FREE char *id = xasprintf("%d", 6 + i);
        AUTO_FREE char *want = xasprintf("{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":%d}", i);
        says_result(&r, id, "{}");
        is_str(buf_str(&p[i].text), want, "answered by the next run");
    }
    sends(c, &p[0], CALL("0", "x"));
    session_down(r.s, "exited 1");
    is_int(p[0].errors, 2, "the figure counts for one end only");

    up(&r);
    says_initialized(&r, next_id(&r));
    sends(c, &p[1], CALL("1", "x"));
    session_undelivered(r.s, 100000);
    session_down(r.s, "exited 1");
    is_int(p[1].count, 1, "taken back, it waits");
    ok(run_until(r.loop, p[1].count == 2, 5), "but not for ever");
    client_close(c);
    for (int i = 0; i < 5; i++)
        buf_fini(&p[i].text);
    rig_close(&r);
}

/* ---- what the server may do wrong ---- */

static void test_strays(void)
{
    struct reply p = {0};
    struct rig r;
    struct session_stats st;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends(c, &p, CALL("1", "t"));
    const char *id = next_id(&r);
    says(&r, "Debug: starting\n\n{\"level\":\"info\"}\n[]");
    ok(has(&r.strays,
           "[not JSON|Debug: starting][no \"jsonrpc\" member|{\"level\":\"info\"}][not JSON|[]]"),
       "three stray lines");
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":777,\"result\":{}}");
    ok(has(&r.strays, "never made"), "a reply to nothing");
    says_result(&r, id, "{}");
    is_int(p.count, 1, "the call is not disturbed");
    session_get_stats(r.s, &st);
    is_int(st.stray_lines, 3, "they are counted");

    buf_clear(&r.strays);
    sends(c, &p, CALL("2", "t"));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"x\":\"\xFF\"}}", next_id(&r));
    ok(p.errors == 1 && has(&p.text, "cannot be read: not valid JSON at byte"),
       "a broken reply fails its call");
    sends(c, &p, CALL("3", "t"));
    says(&r, "{\"result\":{\"x\":\"\xFF\"},\"jsonrpc\":\"2.0\",\"id\":%s}", next_id(&r));
    ok(p.errors == 2, "also when the id stands at its end");
    sends(c, &p, CALL("4", "t"));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":7}", next_id(&r));
    is_int(p.count, 3, "but a broken request with the same number does not");
    session_feed(r.s, "half a line", 11);
    session_down(r.s, "exited 0");
    ok(has(&r.strays, "[not JSON|half a line]"), "a line without an end is not lost");
    client_close(c);
    buf_fini(&p.text);
    rig_close(&r);
}

static void test_oversize(void)
{
    struct session_config cfg = {.max_message_bytes = 100000};
    AUTO_BUF struct buf filler = BUF_INIT;
    struct reply p = {0}, q = {0};
    struct session_stats st;
    struct rig r;

    for (int i = 0; i < 200000; i++)
        buf_add_char(&filler, 'f');
    rig_open(&r, &cfg);
    start_ready(&r);
    struct client *c = client_open(r.s, "", NULL, NULL);
    sends(c, &p, CALL("1", "t"));
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":\"%s\"}", next_id(&r), buf_str(&filler));
    ok(p.errors == 1 && has(&p.text, "over the limit of 100000 bytes"),
       "a reply over the limit fails its call");
    sends(c, &p, CALL("2", "t"));
    sends(c, &q, CALL("3", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&r)), *id2 = xstrdup(next_id(&r));
    says(&r, "{\"result\":\"%s\",\"jsonrpc\":\"2.0\",\"id\":%s}", buf_str(&filler), id);
    is_int(p.errors, 2, "also when the id stands at its end");
    says(&r,
         "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":\"%s\",\"id\":%s}",
         buf_str(&filler), id2);
    is_int(q.count, 0, "a notification that looks like it does not");
    says_result(&r, id2, "{}");
    ok(q.count == 1 && !q.errors, "the session goes on");
    session_get_stats(r.s, &st);
    is_int(st.oversize, 3, "three counted");
    client_close(c);
    buf_fini(&p.text);
    buf_fini(&q.text);
    rig_close(&r);
}

static void test_call_timeout(void)
{
    struct session_config cfg = {.call_timeout_ms = 1000};
    struct reply p = {0}, q = {0};
    AUTO_BUF struct buf got = BUF_INIT;
    struct rig r;

    rig_open(&r, &cfg);
    start_ready(&r);
    struct client *c = client_open(r.s, "", &notified, &got);
    sends(c, &p, CALL("1", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    ok(run_until(r.loop, p.count, 5) && has(&p.text, "did not answer tools/call within") &&
           !has(&p.text, "within 0 s"), "a call times out, after no less than was set");
    const char *line = next_line(&r);
    ok(line && strstr(line, "notifications/cancelled") && strstr(line, id),
       "the server is told: %s", line);
    says_result(&r, id, "{}");
    ok(p.count == 1 && has(&r.strays, "given up"), "its late reply is dropped");

    sends(
        c, &q,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":7}}}");
    AUTO_FREE char *token = xstrdup(next_id(&r));
    for (int i = 0; i < 25; i++) {
        run_for(r.loop, 0.05);
        says(
            &r,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":%d}}",
            token, i);
    }
    is_int(q.count, 0, "one that shows progress does not");
    int told = 0;
    while (!q.count && told++ < 200) {
        run_for(r.loop, 0.05);
        says(
            &r,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,\"progress\":%d}}",
            token, told);
    }
    is_int(q.errors, 1, "but not for ever");
    client_close(c);
    buf_fini(&p.text);
    buf_fini(&q.text);
    rig_close(&r);
}

static void test_server_requests(void)
{
    struct buf got[2] = {{0}};
    struct reply p = {0};
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "", &notified, &got[0]);
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":\"s-1\",\"method\":\"ping\"}");
    is_str(next_line(&r), "{\"jsonrpc\":\"2.0\",\"id\":\"s-1\",\"result\":{}}",
           "its ping is answered");
    says(&r, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"sampling/createMessage\",\"params\":{}}");
    const char *line = next_line(&r);
    ok(line && strstr(line, "\"id\":0,\"error\":{\"code\":-32601") &&
           strstr(line, "sampling/createMessage"),
       "sampling is not: %s", line);
    says(
        &r,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":1}}");
    ok(has(&got[0], "notifications/message"), "the only client gets the log");
    struct client *d = client_open(r.s, "", &notified, &got[1]);
    sends(d, &p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    for (int i = 0; i < 2; i++)
        buf_clear(&got[i]);
    says(
        &r,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":2}}");
    ok(!got[0].len && !got[1].len && has(&r.strays, "for no client in particular"),
       "of two clients none does");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    ok(has(&got[0], "list_changed") && has(&got[1], "list_changed"), "changes of lists reach both");
    is_str(next_line(&r), NULL, "the list is not read at once");
    ok(run_until(r.loop, r.out.len, 5), "but soon");
    says_result(&r, next_id(&r), "{\"tools\":[]}");
    is_int(session_get_tool_count(r.s), 0, "the new list is known");
    is_str(next_line(&r), NULL, "it was read once");
    client_close(c);
    client_close(d);
    buf_fini(&p.text);
    for (int i = 0; i < 2; i++)
        buf_fini(&got[i]);
    rig_close(&r);
}

static void test_silence(void)
{
    struct session_config cfg = {.ping_interval_ms = 40};
    struct session_stats st;
    struct rig r;

    rig_open(&r, &cfg);
    start_ready(&r);
    ok(run_until(r.loop, r.out.len, 5), "a ping is sent");
    says_result(&r, next_id(&r), "{}");
    session_get_stats(r.s, &st);
    ok(st.last_ping_us >= 0, "its time is known");
    is_str(buf_str(&r.phases), "", "all is well");
    ok(run_until(r.loop, r.phases.len, 5) &&
           has(&r.phases, "silent(no answer to a ping within 1 s) "),
       "no answer is silence");
    run_for(r.loop, 0.4);
    session_feed(r.s, "rubbish\n", 8);
    is_int(session_get_phase(r.s), SESSION_SILENT, "rubbish is no sign of life");
    says(&r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{}}");
    is_int(session_get_phase(r.s), SESSION_READY, "a message is");
    r.free_on_silent = true;
    ok(run_until(r.loop, !r.s, 5), "a session may be freed by its own event");
    rig_close(&r);
}

/* ---- callbacks that strike back ---- */

struct striker { struct rig *r; struct client *c; struct reply next; int what, count; };

static void on_strike(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct striker *k = ctx;

    (void)iov;
    (void)count;
    (void)is_error;
    k->count++;
    if (k->what == 0)
        client_close(TAKE(k->c));
    else if (k->what == 1)
        sends(k->c, &k->next, CALL("8", "again"));
    else if (k->what == 2 && k->r->s)
        session_down(k->r->s, "stopped by a reply");
    else if (k->what == 3)
        session_free(TAKE(k->r->s));
}

static void test_strikes(void)
{
    for (int what = 0; what < 4; what++) {
        for (int how = 0; how < 3; how++) {
            struct rig r;
            struct envelope e;
            rig_open(&r, NULL);
            start_ready(&r);
            struct striker k = {.r = &r, .what = what, .c = client_open(r.s, "", NULL, NULL)};
            static const char msg[] = CALL("1", "t");
            envelope_scan(msg, sizeof(msg) - 1, &e, NULL);
            for (int i = 0; i < 3; i++)
                client_send(k.c, &e, on_strike, &k);
            if (how == 0)
                says(
                    &r,
                    "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{}}\nx");
            else if (how == 1)
                session_down(r.s, "exited 3");
            else
                session_free(TAKE(r.s));
            static const int want[4][3] = {{1, 1, 1}, {2, 3, 3}, {3, 3, 3}, {3, 3, 3}};
            is_int(k.count, want[what][how], "strike %d at %d", what, how);
            if (what == 1 && how == 1)
                is_int(k.next.count, 0, "calls made meanwhile wait");
            if (r.s && k.c && what != 0)
                client_close(k.c);
            rig_close(&r);
            buf_fini(&k.next.text);
        }
    }
}

/* What the server wrote is told to the operator, who may end the run over it. */
static void test_strikes_of_strays(void)
{
    static const char *const members[] = {
        "\"result\":{\"x\":\"\xFF\"}",
        "\"result\":\"0123456789012345678901234567890123456789\"",
        "\"method\":\"roots/list\"",
    };
    struct session_config cfg = {.max_message_bytes = 64};
    for (int strike = 1; strike <= 3; strike++) {
        for (size_t i = 0; i < ARRAY_LEN(members); i++) {
            struct reply p = {0};
            struct rig r;
            rig_open(&r, NULL);
            start_ready(&r);
            cfg.server = "x";
            if (i == 1)
                session_configure(r.s, &cfg);
            r.struck = client_open(r.s, "", NULL, NULL);
            struct client *c = r.struck;
            sends(c, &p, CALL("1", "t"));
            const char *id = next_id(&r);
            r.strike_on_stray = strike;
            AUTO_FREE char *line = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,%s}\nrest", id,
                                             members[i]);
            session_feed(r.s, line, strlen(line));
            /* A request of the server ends no call by itself. */
            is_int(p.count, strike == 3 ? 0 : 1, "strike %d at line %zu", strike, i);
            if (r.s && strike == 1)
                client_close(c);
            rig_close(&r);
            buf_fini(&p.text);
        }
    }
}

/* ---- for people ---- */

static void on_info(void *ctx, const struct call_info *i)
{
    buf_printf(ctx, "%s %.*s %.*s %s;", i->client, (int)i->method.n, i->method.p, (int)i->name.n,
               i->name.p, i->held ? "held" : "");
}

static void test_infos(void)
{
    struct reply p = {0};
    AUTO_BUF struct buf text = BUF_INIT;
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "me", NULL, NULL);
    sends(
        c, &p,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools\\/call\",\"params\":{\"name\":\"n\\u00e4me\"}}");
    call_abandon(sends(c, &p, CALL("2", "gone")));
    r.write_errno = EPIPE;
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"prompts/list\"}");
    session_each_call(r.s, on_info, &text);
    is_str(buf_str(&text), "me tools/call n\xC3\xA4me ;me prompts/list  held;",
           "calls as people see them");
    client_close(c);
    rig_close(&r);
}

static void test_drain(void)
{
    struct reply p = {0}, later = {0};
    struct rig r;

    rig_open(&r, NULL);
    start_ready(&r);
    struct client *c = client_open(r.s, "http", NULL, NULL);
    sends(c, &p, CALL("1", "a"));
    AUTO_FREE char *id = xstrdup(next_id(&r));
    session_drain(r.s);
    is_int(r.drained, 0, "a call is in flight");
    sends(c, &later, CALL("2", "b"));
    is_str(next_line(&r), NULL, "a new one is not written");
    says_result(&r, id, "{}");
    is_int(p.count, 1, "the call is answered");
    is_int(r.drained, 1, "and then nobody waits");
    session_down(r.s, "restarted");
    is_int(later.count, 0, "the new one waits");
    start(&r);
    next_line(&r);     /* the call */
    finish_start(&r);
    is_int(r.drained, 1, "it is told once");
    session_drain(r.s);
    is_int(r.drained, 1, "the new one is in flight");
    client_close(c);
    is_int(r.drained, 2, "whose client goes is not waited for");
    buf_fini(&p.text);
    buf_fini(&later.text);
    rig_close(&r);
}

static void test_left_and_learnt(void)
{
    struct rig r, other;
    struct reply p = {0};

    rig_open(&r, NULL);
    rig_open(&other, NULL);
    ok(!session_learn(other.s, r.s), "nothing is known yet");
    start_ready(&r);
    ok(session_learn(other.s, r.s), "what one knows the other can learn");
    is_str(session_get_server_name(other.s), "srv", "who the server is");
    is_int(session_get_tool_count(other.s), 1, "and its tools");
    session_sleep(other.s, true);
    struct client *c = client_open(other.s, "http", NULL, NULL), *d = client_open(other.s, "b", NULL, NULL);
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                 "\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}}");
    ok(has(&p.text, "\"name\":\"srv\""), "its clients are welcomed");
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\"}");
    ok(has(&p.text, "\"name\":\"add\""), "and told the tools");
    says_result(&r, "9", "{}");
    up(&other);
    ok(!session_learn(other.s, r.s), "one that runs asks for itself");
    client_close(c);
    is_int(other.left, 0, "one client has closed, another is there");
    client_close(d);
    is_int(other.left, 1, "with the last one that is told");
    buf_fini(&p.text);
    rig_close(&r);
    rig_close(&other);
}

int main(void)
{
    test_left_and_learnt();
    tap_deadline(120);
    test_handshake();
    test_client_initialize();
    test_initialize_before_ready();
    test_handshake_failures();
    test_no_tools();
    test_unanswered_list();
    test_ids_of_two_clients();
    test_many_in_flight();
    test_progress();
    test_cancel();
    test_restart();
    test_hold_deadline();
    test_hold_caps();
    test_write_failures();
    test_undelivered();
    test_strays();
    test_oversize();
    test_call_timeout();
    test_server_requests();
    test_silence();
    test_strikes();
    test_strikes_of_strays();
    test_infos();
    test_drain();
    return done_testing();
}
