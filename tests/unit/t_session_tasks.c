/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tasks of several clients on one server that knows of none of them. */
#include "session_rig.h"

#define REQUEST(id, method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define MADE(name) "{\"task\":{\"taskId\":\"" name "\",\"status\":\"working\"}}"
#define STATUS(name) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"" name \
    "\",\"status\":\"completed\"}}"
#define RELATED(name) "\"_meta\":{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"" name "\"}}"
#define MODERN "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
    "\"io.modelcontextprotocol/clientCapabilities\":{}}"

struct two {
    struct rig r;
    struct client *c[2];
    struct buf got[2];
    struct reply p[2];
};

static void open_two(struct two *w)
{
    *w = (struct two){0};
    rig_open(&w->r, NULL);
    up(&w->r);
    AUTO_FREE char *id = xstrdup(next_id(&w->r));
    says_result(&w->r, id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tasks\":{\"list\":{}}},"
                           "\"serverInfo\":{\"name\":\"srv\"}}");
    next_line(&w->r);
    for (int i = 0; i < 2; i++) {
        w->c[i] = client_open(w->r.s, "", &notified, &w->got[i]);
        sends(w->c[i], &w->p[i], "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{"
                                 "\"capabilities\":{\"elicitation\":{}}}}");
    }
}

static void close_two(struct two *w)
{
    for (int i = 0; i < 2; i++) {
        client_close(w->c[i]);
        buf_fini(&w->got[i]);
        buf_fini(&w->p[i].text);
    }
    rig_close(&w->r);
}

/* The client's call becomes a task of this name; its id towards the server. Caller frees. */
static char *make(struct two *w, int i, const char *made)
{
    sends(w->c[i], &w->p[i], REQUEST("3", "tools/call", "{\"name\":\"t\",\"task\":{},\"_meta\":{"
                                                        "\"progressToken\":\"tok\"}}"));
    char *id = xstrdup(next_id(&w->r));
    says_result(&w->r, id, made);
    return id;
}

static void test_a_task_is_its_clients(void)
{
    struct two w;

    open_two(&w);
    free(make(&w, 0, MADE("a \\u00e9")));
    ok(has(&w.p[0].text, "\"taskId\":\"a \\u00e9\""), "the name passes as it is");
    free(make(&w, 1, MADE("b")));
    static const char *const methods[] = {"tasks/get", "tasks/result", "tasks/cancel", "tasks/update",
                                          "tasks\\/get", "t\\u0061sks/get", "\\u0074asks/get"};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        AUTO_FREE char *text = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"%s\",\"params\":{"
                                         "\"taskId\":\"a \xc3\xa9\"}}", methods[i]);
        sends(w.c[1], &w.p[1], text);
        ok(has(&w.p[1].text, "no such task") && !next_line(&w.r), "%s of another's is refused",
           methods[i]);
        sends(w.c[0], &w.p[0], text);
        ok(strcmp(next_id(&w.r), "none") != 0, "of one's own it goes on");
    }
    sends(w.c[0], &w.p[0], REQUEST("5", "tasks/get", "{\"taskId\":\"never\"}"));
    ok(has(&w.p[0].text, "no such task"), "what was never made is refused in the same words");
    sends(w.c[0], &w.p[0], REQUEST("5", "tasks/get", "{}"));
    ok(has(&w.p[0].text, "no such task"), "no name is none");
    close_two(&w);
}

static void test_lists(void)
{
    struct two w;

    open_two(&w);
    free(make(&w, 0, MADE("a")));
    free(make(&w, 1, MADE("b")));
    sends(w.c[1], &w.p[1], REQUEST("6", "tasks/list", "{}"));
    says_result(&w.r, next_id(&w.r),
                "{\"x\":1,\"tasks\":[{\"taskId\":\"a\"},{\"taskId\":\"b\",\"y\": 2},{\"taskId\":\"c\"}],"
                "\"nextCursor\":\"n\"}");
    is_str(buf_str(&w.p[1].text),
           "{\"result\":{\"x\":1,\"tasks\":[{\"taskId\":\"b\",\"y\": 2}],\"nextCursor\":\"n\"},"
           "\"jsonrpc\":\"2.0\",\"id\":6}", "of a list the own tasks are left, as they came");
    sends(w.c[0], &w.p[0], REQUEST("6", "tasks/list", "{}"));
    says_result(&w.r, next_id(&w.r), "{\"tasks\":7}");
    ok(has(&w.p[0].text, "[]"), "what is no list becomes an empty one");
    close_two(&w);
}

static void test_what_is_told(void)
{
    struct two w;

    open_two(&w);
    AUTO_FREE char *id = make(&w, 0, MADE("a"));
    free(make(&w, 1, MADE("b")));
    says(&w.r, STATUS("a"));
    is_str(buf_str(&w.got[0]), STATUS("a") ";", "the owner is told how it stands");
    ok(!w.got[1].len, "and nobody else");
    says(&w.r, STATUS("z"));
    ok(!w.got[1].len && has(&w.r.strays, "no client has made"), "of what is nobody's the operator is");
    buf_clear(&w.got[0]);
    says(&w.r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s,"
               "\"progress\":1}}", id);
    ok(has(&w.got[0], "\"progressToken\":\"tok\"") && !w.got[1].len,
       "progress goes on after the call was answered");
    says(&w.r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\","
               "\"data\":1," RELATED("b") "}}");
    ok(has(&w.got[1], "notifications/message"), "a message about a task goes to its client");
    buf_clear(&w.got[1]);
    says(&w.r, REQUEST("9", "elicitation/create", "{" RELATED("b") "}"));
    ok(has(&w.got[1], "elicitation/create"), "and so does a question, with no call open");
    sends(w.c[1], &w.p[1], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"cancel\"}}");
    ok(strstr(next_line(&w.r), "\"id\":9"), "whose answer finds back");
    says(&w.r, REQUEST("10", "elicitation/create", "{" RELATED("z") "}"));
    ok(strstr(next_line(&w.r), "error"), "of no task it is refused");
    buf_clear(&w.got[0]);
    buf_clear(&w.got[1]);
    client_close(TAKE(w.c[0]));
    says(&w.r, STATUS("a"));
    says(&w.r, REQUEST("11", "elicitation/create", "{" RELATED("a") "}"));
    ok(strstr(next_line(&w.r), "has gone") && !w.got[0].len && !w.got[1].len,
       "what is a client's that has gone is nobody's");
    close_two(&w);
}

static void test_eras_and_bounds(void)
{
    struct two w;

    open_two(&w);
    free(make(&w, 0, MADE("a")));
    sends(w.c[1], &w.p[1], REQUEST("4", "tasks/get", "{\"taskId\":\"a\"," MODERN "}"));
    ok(has(&w.p[1].text, "no such task"), "a modern client has no legacy one's");
    sends(w.c[1], &w.p[1], REQUEST("4", "tasks/get", "{\"taskId\":\"m\"," MODERN "}"));
    ok(strcmp(next_id(&w.r), "none") != 0, "but what it has a name of");
    sends(w.c[1], &w.p[1], REQUEST("5", "tools/call", "{\"name\":\"t\"," MODERN "}"));
    says_result(&w.r, next_id(&w.r), "{\"resultType\":\"task\",\"taskId\":\"m\"}");
    sends(w.c[0], &w.p[0], REQUEST("6", "tasks/get", "{\"taskId\":\"m\"}"));
    ok(has(&w.p[0].text, "no such task"), "which a legacy client has not");
    for (int i = 0; i < 1100; i++) {
        AUTO_FREE char *made = xasprintf("{\"task\":{\"taskId\":\"n%d\"}}", i);
        free(make(&w, 0, made));
    }
    sends(w.c[0], &w.p[0], REQUEST("7", "tasks/get", "{\"taskId\":\"a\"}"));
    ok(has(&w.p[0].text, "no such task"), "the oldest are forgotten");
    sends(w.c[0], &w.p[0], REQUEST("7", "tasks/get", "{\"taskId\":\"n1099\"}"));
    ok(strcmp(next_id(&w.r), "none") != 0, "the latest are not");
    free(make(&w, 1, MADE("n1099")));
    sends(w.c[0], &w.p[0], REQUEST("7", "tasks/get", "{\"taskId\":\"n1099\"}"));
    ok(has(&w.p[0].text, "no such task"), "a name that is given again is the new one's");
    close_two(&w);
}

struct failures { uint64_t server, tool, client; };

static void add_tool(void *ctx, const struct tool_stats *t)
{
    struct failures *f = ctx;

    if (span_is(t->name, "t"))
        f->tool += t->tool_errors;
}

static void add_client(void *ctx, const struct client_info *info)
{
    ((struct failures *)ctx)->client += info->tool_errors;
}

static bool failed_are(struct two *w, uint64_t n)
{
    struct failures f = {0};
    struct session_stats st;

    session_get_stats(w->r.s, &st);
    f.server = st.tool_errors;
    session_each_tool(w->r.s, add_tool, &f);
    session_each_client(w->r.s, add_client, &f);
    if (f.server == n && f.tool == n && f.client == n)
        return true;
    printf("# of the server %d, the tool %d, the clients %d\n", (int)f.server, (int)f.tool,
           (int)f.client);
    return false;
}

static void asks(struct two *w, int i, const char *request, const char *result)
{
    sends(w->c[i], &w->p[i], request);
    says_result(&w->r, next_id(&w->r), result);
}

static void test_failures(void)
{
    static const char *const get = REQUEST("4", "tasks/get", "{\"taskId\":\"a\"}");
    static const char *const result = REQUEST("5", "tasks/result", "{\"taskId\":\"a\"}");
    static const char *const failed = "{\"content\":[],\"isError\":true," RELATED("a") "}";
    struct two w;

    open_two(&w);
    free(make(&w, 0, MADE("a")));
    free(make(&w, 0, MADE("b")));
    asks(&w, 0, get, "{\"taskId\":\"a\",\"status\":\"failed\",\"isError\":true}");
    ok(failed_are(&w, 0), "how a task stands is no result of its tool");
    asks(&w, 0, result, failed);
    ok(failed_are(&w, 1), "that its tool failed is counted when its result says so");
    asks(&w, 0, result, failed);
    ok(failed_are(&w, 1), "once, however often the result is asked for");
    asks(&w, 0, REQUEST("6", "tasks/result", "{\"taskId\":\"b\"}"), "{\"content\":[]}");
    ok(failed_are(&w, 1), "a tool that did not fail is not");
    sends(w.c[0], &w.p[0], REQUEST("7", "prompts/get", "{\"name\":\"t\",\"task\":{}}"));
    says_result(&w.r, next_id(&w.r), MADE("p"));
    asks(&w, 0, REQUEST("8", "tasks/result", "{\"taskId\":\"p\"}"), "{\"isError\":true}");
    ok(failed_are(&w, 1), "and what is no tool cannot");
    session_drain(w.r.s);
    sends(w.c[0], &w.p[0], REQUEST("9", "tasks/result", "{\"taskId\":\"b\"}"));
    session_down(w.r.s, "test");
    start(&w.r);
    says_result(&w.r, next_id(&w.r), "{\"isError\":true}");
    ok(failed_are(&w, 2), "a request that had to wait still knows its tool");
    close_two(&w);
}

static void test_modern_failures(void)
{
    static const char *const get = REQUEST("4", "tasks/get", "{\"taskId\":\"m\"," MODERN "}");
    struct two w;

    open_two(&w);
    for (int i = 0; i < 2; i++) {
        AUTO_FREE char *made = xasprintf("{\"resultType\":\"task\",\"taskId\":\"%s\"}",
                                         i ? "n" : "m");
        asks(&w, 0, REQUEST("3", "tools/call", "{\"name\":\"t\"," MODERN "}"), made);
    }
    asks(&w, 1, get, "{\"taskId\":\"m\",\"status\":\"working\"}");
    ok(failed_are(&w, 0), "a modern task that works has not failed");
    asks(&w, 1, get, "{\"taskId\":\"m\",\"result\":{\"content\":[{\"x\":1}],\"isError\":true}}");
    ok(failed_are(&w, 1), "one whose result says so has, whoever asks");
    says(&w.r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{"
               "\"taskId\":\"m\",\"result\":{\"isError\":true}}}");
    ok(failed_are(&w, 1), "once");
    says(&w.r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{"
               "\"taskId\":\"n\",\"result\":{\"isError\":true}}}");
    ok(failed_are(&w, 2), "or is told to who listens");
    close_two(&w);
}

int main(void)
{
    test_a_task_is_its_clients();
    test_lists();
    test_what_is_told();
    test_eras_and_bounds();
    test_failures();
    test_modern_failures();
    return done_testing();
}
