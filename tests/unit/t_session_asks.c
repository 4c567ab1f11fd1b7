/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server asks of its clients and tells them unasked, with several clients on it: questions
 * and their answers, log levels, watched resources. */
#include "session_rig.h"

enum { CLIENTS = 3 };

struct many {
    struct rig r;
    struct client *c[CLIENTS];
    struct buf got[CLIENTS];
    struct reply p[CLIENTS];
};

#define INITIALIZE(capabilities) \
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"capabilities\":" \
    capabilities "}}"
#define ASK(id, method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"
#define LOG(level, data) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"" level \
    "\",\"data\":\"" data "\"}}"
#define UPDATED(uri) \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\"params\":{\"uri\":\"" \
    uri "\"}}"
#define REQUEST(id, method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":" params "}"

static void start_logging(struct rig *r)
{
    up(r);
    AUTO_FREE char *id = xstrdup(next_id(r));
    says_result(r, id, "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{},"
                       "\"resources\":{\"subscribe\":true}},\"serverInfo\":{\"name\":\"srv\"}}");
    next_line(r);
}

static void forget(struct many *m)
{
    for (int i = 0; i < CLIENTS; i++) {
        buf_clear(&m->got[i]);
        buf_clear(&m->p[i].text);
    }
}

/* Client 0 can everything, client 1 elicitation forms, client 2 nothing. */
static void open_many(struct many *m)
{
    static const char *const hello[CLIENTS] = {
        INITIALIZE("{\"sampling\":{},\"elicitation\":{\"url\":{}},\"roots\":{}}"),
        INITIALIZE("{\"elicitation\":{}}"), INITIALIZE("{}")};

    *m = (struct many){0};
    rig_open(&m->r, NULL);
    start_logging(&m->r);
    for (int i = 0; i < CLIENTS; i++) {
        m->c[i] = client_open(m->r.s, "", &notified, &m->got[i]);
        sends(m->c[i], &m->p[i], hello[i]);
    }
    forget(m);
}

static void close_many(struct many *m)
{
    for (int i = 0; i < CLIENTS; i++) {
        client_close(m->c[i]);
        buf_fini(&m->got[i]);
        buf_fini(&m->p[i].text);
    }
    rig_close(&m->r);
}

static void test_question_and_answer(void)
{
    struct many m;

    open_many(&m);
    is_int(client_get_features(m.c[0]), 15, "all features are seen");
    is_int(client_get_features(m.c[1]), CLIENT_ELICITATION, "one feature is seen");
    sends(m.c[1], &m.p[1], CALL("7", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    says(&m.r, ASK("\"s\\u0031\"", "elicitation/create",
                   "{\"message\":\"?\",\"_meta\":{\"progressToken\":\"tok\"}}"));
    is_str(buf_str(&m.got[1]),
           "asks of a call:{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"elicitation/create\","
           "\"params\":{\"message\":\"?\",\"_meta\":{\"progressToken\":1}}};",
           "the client with the call is asked, under an id of ours");
    ok(!m.got[0].len && !m.got[2].len, "nobody else is");
    sends(m.c[0], NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"action\":\"accept\"}}");
    is_str(next_line(&m.r), NULL, "nobody else can answer");
    sends(m.c[1], NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
                        "\"params\":{\"progressToken\":1,\"progress\":1}}");
    is_str(next_line(&m.r), "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\","
                            "\"params\":{\"progressToken\":\"tok\",\"progress\":1}}",
           "its progress has the server's token");
    sends(m.c[1], NULL, "{\"jsonrpc\":\"2.0\",\n\"id\":1,\"result\":{\"action\":\"accept\"}}");
    is_str(next_line(&m.r),
           "{\"jsonrpc\":\"2.0\", \"id\":\"s\\u0031\",\"result\":{\"action\":\"accept\"}}",
           "its answer has the server's id, on one line");
    sends(m.c[1], NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    is_str(next_line(&m.r), NULL, "a second answer is dropped");
    says_result(&m.r, id, "{}");
    ok(has(&m.p[1].text, "\"id\":7"), "the call is answered");
    close_many(&m);
}

static void refused(struct many *m, const char *what, const char *why)
{
    const char *line = next_line(&m->r);

    ok(line && strstr(line, "\"error\"") && strstr(line, why), "%s: %s", what, line);
    ok(!strstr(buf_str(&m->got[0]), "asks") && !strstr(buf_str(&m->got[1]), "asks"),
       "and nobody is asked");
}

static void test_refusals(void)
{
    struct many m;

    open_many(&m);
    says(&m.r, ASK("1", "roots/list", "{}"));
    refused(&m, "of three clients none is meant", "cannot be told");
    sends(m.c[1], &m.p[1], CALL("1", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    says(&m.r, ASK("2", "sampling/createMessage", "{}"));
    refused(&m, "a client without sampling", "sampling/createMessage was refused: the client does");
    says(&m.r, ASK("3", "elicitation/create", "{\"mode\":\"url\"}"));
    refused(&m, "forms are no urls", "elicitation.url");
    says(&m.r, ASK("4", "tasks/list", "{}"));
    refused(&m, "what no client can be asked", "-32601");
    says_result(&m.r, id, "{}");
    sends(m.c[0], &m.p[0], CALL("1", "t"));
    next_line(&m.r);
    client_close(TAKE(m.c[0]));
    sends(m.c[1], &m.p[1], CALL("2", "t"));
    says(&m.r, ASK("5", "elicitation/create", "{}"));
    refused(&m, "a call whose client has gone may have asked", "cannot be told");
    close_many(&m);
}

static void test_ends(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], CALL("1", "t"));
    next_line(&m.r);
    says(&m.r, ASK("41", "roots/list", "{}"));
    says(&m.r, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
               "\"params\":{\"requestId\":41}}");
    ok(has(&m.got[0], "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,"),
       "a question that is taken back");
    says(&m.r, ASK("42", "roots/list", "{}"));
    client_close(TAKE(m.c[0]));
    const char *line = next_line(&m.r);
    ok(line && strstr(line, "\"id\":42,\"error\"") && strstr(line, "has gone"),
       "the server is told that nobody will answer: %s", line);
    sends(m.c[1], &m.p[1], CALL("1", "t"));
    session_down(m.r.s, "exited 3");
    start_logging(&m.r);
    sends(m.c[1], &m.p[1], CALL("2", "t"));
    next_line(&m.r);
    says(&m.r, ASK("43", "elicitation/create", "{}"));
    session_down(m.r.s, "exited 3");
    ok(has(&m.got[1], "the server has ended"), "the end of a server takes its questions back");
    sends(m.c[1], NULL, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}");
    close_many(&m);
}

static void test_one_at_a_time(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], CALL("1", "t"));
    AUTO_FREE char *first = xstrdup(next_id(&m.r));
    sends(m.c[1], &m.p[1], CALL("1", "t"));
    AUTO_FREE char *second = xstrdup(next_id(&m.r));
    says(&m.r, ASK("1", "elicitation/create", "{}"));
    refused(&m, "of two with calls none is meant", "cannot be told");
    says_result(&m.r, first, "{}");
    sends(m.c[0], &m.p[0], CALL("2", "t"));
    is_str(next_line(&m.r), NULL, "from now on a call waits for another client's");
    sends(m.c[0], &m.p[0], REQUEST("3", "tools/list", "{}"));
    AUTO_FREE char *list = xstrdup(next_id(&m.r));
    ok(strcmp(list, "none") != 0, "lists do not");
    says_result(&m.r, list, "{}");
    says(&m.r, ASK("2", "elicitation/create", "{}"));
    ok(has(&m.got[1], "asks of a call:"), "the next question has an owner");
    sends(m.c[1], NULL, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    next_line(&m.r);
    says_result(&m.r, second, "{}");
    ok(strcmp(next_id(&m.r), "none") != 0, "then it is the other's turn");
    sends(m.c[1], &m.p[1], CALL("2", "t"));
    sends(m.c[1], &m.p[1], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                           "\"params\":{\"requestId\":2}}");
    ok(has(&m.p[1].text, "cancelled by the client"), "a call that waits for its turn is cancelled");
    close_many(&m);
}

/* Most servers answer a cancelled call no more. */
static void test_a_cancelled_call_is_not_waited_for(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], CALL("1", "t"));
    next_line(&m.r);
    says(&m.r, ASK("1", "elicitation/create", "{}"));
    sends(m.c[0], NULL, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
                        "\"params\":{\"requestId\":1}}");
    next_line(&m.r);
    sends(m.c[1], &m.p[1], CALL("2", "t"));
    is_str(next_line(&m.r), NULL, "it may still speak, so another client's call waits");
    ok(run_until(m.r.loop, m.r.out.len > 0, 10), "but not for ever");
    ok(strcmp(next_id(&m.r), "none") != 0, "then it is its turn");
    close_many(&m);
}

static void test_the_queue_has_an_end(void)
{
    enum { MOST = 1024 };
    AUTO_FREE char *big = xmalloc((40 << 20) + 1);
    struct session_stats stats;
    struct many m;

    memset(big, 'x', 40 << 20);
    big[40 << 20] = '\0';
    AUTO_FREE char *big_call = xasprintf(REQUEST("8", "tools/call", "{\"name\":\"%s\"}"), big);
    open_many(&m);
    sends(m.c[1], &m.p[1], CALL("1", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    says(&m.r, ASK("1", "elicitation/create", "{}"));
    for (int i = 0; i < MOST; i++)
        sends(m.c[0], &m.p[0], CALL("7", "t"));
    session_get_stats(m.r.s, &stats);
    is_int(stats.held, MOST, "so many wait for another client's call");
    is_int(m.p[0].errors, 0, "none is refused");
    sends(m.c[2], &m.p[2], CALL("9", "t"));
    ok(has(&m.p[2].text, "\"id\":9,\"error\"") && has(&m.p[2].text, "too many calls wait for their turn"),
       "the next one is refused, with the cause");
    sends(m.c[2], &m.p[2], REQUEST("3", "tools/list", "{}"));
    ok(strcmp(next_id(&m.r), "none") != 0, "what need not wait is not");
    client_close(TAKE(m.c[0]));
    sends(m.c[2], &m.p[2], big_call);
    is_int(m.p[2].errors, 1, "there is room again");
    sends(m.c[2], &m.p[2], big_call);
    is_int(m.p[2].errors, 2, "but not for so many bytes");
    says_result(&m.r, id, "{}");
    ok(strcmp(next_id(&m.r), "none") != 0, "then it is their turn");
    close_many(&m);
}

static void test_one_at_a_time_after_a_restart(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], CALL("1", "t"));
    next_line(&m.r);
    says(&m.r, ASK("1", "elicitation/create", "{}"));
    session_down(m.r.s, "exited 3");
    for (int i = 0; i < CLIENTS; i++) {
        buf_clear(&m.p[i].text);
        sends(m.c[i], &m.p[i], CALL("2", "t"));
    }
    sends(m.c[2], &m.p[2], REQUEST("3", "prompts/list", "{}"));
    forget(&m);
    start_logging(&m.r);
    AUTO_FREE char *first = xstrdup(next_id(&m.r));
    AUTO_FREE char *list = xstrdup(next_id(&m.r));
    says_result(&m.r, list, "{}");
    ok(has(&m.p[2].text, "\"id\":3"), "of what was held, lists need not wait");
    is_str(next_line(&m.r), NULL, "nor one client's calls, but the others'");
    says(&m.r, ASK("2", "elicitation/create", "{}"));
    ok(has(&m.got[0], "asks of a call:"), "so that a question has an owner");
    for (int i = 1; i < CLIENTS; i++) {
        says_result(&m.r, i == 1 ? first : next_id(&m.r), "{}");
        ok(m.p[i - 1].text.len, "client %d has its answer", i - 1);
    }
    ok(strcmp(next_id(&m.r), "none") != 0, "and the last one its turn");
    close_many(&m);
}

static void test_log_levels(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], REQUEST("1", "logging/setLevel", "{\"level\":\"loud\"}"));
    ok(has(&m.p[0].text, "-32602"), "no such level");
    sends(m.c[0], &m.p[0], REQUEST("2", "logging/setLevel", "{\"level\":\"warning\"}"));
    is_str(buf_str(&m.p[0].text), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}", "answered here");
    const char *line = next_line(&m.r);
    ok(line && strstr(line, "\"params\":{\"level\":\"warning\"}"), "the server is told: %s", line);
    sends(m.c[1], &m.p[1], REQUEST("1", "logging/setLevel", "{\"level\":\"debug\"}"));
    line = next_line(&m.r);
    ok(line && strstr(line, "\"level\":\"debug\""), "the most verbose wish counts: %s", line);
    sends(m.c[2], &m.p[2], REQUEST("1", "logging/setLevel", "{\"level\":\"error\"}"));
    is_str(next_line(&m.r), NULL, "a quieter one changes nothing");

    sends(m.c[0], &m.p[0], CALL("3", "t"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    says(&m.r, LOG("info", "quiet"));
    says(&m.r, LOG("error", "loud"));
    ok(!strstr(buf_str(&m.got[0]), "quiet") && has(&m.got[0], "loud"), "each gets his own level");
    ok(!m.got[1].len, "and only what is his");
    says_result(&m.r, id, "{}");
    says(&m.r, LOG("error", "whose"));
    ok(!strstr(buf_str(&m.got[0]), "whose") && has(&m.r.strays, "for no client in particular"),
       "what is nobody's goes to the operator");
    client_close(TAKE(m.c[1]));
    line = next_line(&m.r);
    ok(line && strstr(line, "\"level\":\"warning\""), "a wish ends with its client: %s", line);
    session_down(m.r.s, "exited 3");
    start_logging(&m.r);
    line = next_line(&m.r);
    ok(line && strstr(line, "\"level\":\"warning\""), "a new server is told again: %s", line);
    close_many(&m);
}

static void test_subscriptions(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], REQUEST("1", "resources/subscribe", "{\"uri\":\"file:\\/\\/a\"}"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    says_result(&m.r, id, "{}");
    sends(m.c[1], &m.p[1], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://a\"}"));
    is_str(buf_str(&m.p[1].text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "known already");
    is_str(next_line(&m.r), NULL, "the server is asked once");
    says(&m.r, UPDATED("file://a"));
    ok(has(&m.got[0], "updated") && has(&m.got[1], "updated") && !m.got[2].len,
       "those who watch are told");
    forget(&m);
    says(&m.r, UPDATED("file://a/b"));
    ok(has(&m.got[0], "updated"), "of what lies below, too");
    forget(&m);
    says(&m.r, UPDATED("file://ab"));
    ok(!m.got[0].len, "not of a neighbour");
    sends(m.c[0], &m.p[0], REQUEST("2", "resources/unsubscribe", "{\"uri\":\"file://a\"}"));
    is_str(next_line(&m.r), NULL, "another still watches");
    ok(has(&m.p[0].text, "\"id\":2,\"result\":{}"), "answered here");
    session_down(m.r.s, "exited 3");
    start_logging(&m.r);
    const char *line = next_line(&m.r);
    ok(line && strstr(line, "\"resources/subscribe\",\"params\":{\"uri\":\"file://a\"}"),
       "a new server is asked again: %s", line);
    client_close(TAKE(m.c[1]));
    line = next_line(&m.r);
    ok(line && strstr(line, "\"resources/unsubscribe\""), "the last one ends it: %s", line);
    sends(m.c[2], &m.p[2], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://x\"}"));
    AUTO_FREE char *bad = xstrdup(next_id(&m.r));
    says(&m.r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32002,\"message\":\"no\"}}", bad);
    says(&m.r, UPDATED("file://x"));
    ok(!m.got[2].len, "what was refused is not watched");
    close_many(&m);
}

/* Who was told that it is watched already still watches it when the one that asked for it fails. */
static void test_failed_subscription(void)
{
    struct many m;

    open_many(&m);
    sends(m.c[0], &m.p[0], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://a\"}"));
    next_line(&m.r);
    sends(m.c[1], &m.p[1], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://a\"}"));
    ok(has(&m.p[1].text, "\"result\":{}"), "known already");
    session_down(m.r.s, "exited 3");
    ok(has(&m.p[0].text, "before it answered"), "the first one fails: %s", buf_str(&m.p[0].text));
    start_logging(&m.r);
    const char *line = next_line(&m.r);
    ok(line && strstr(line, "\"resources/subscribe\",\"params\":{\"uri\":\"file://a\"}"),
       "the new server is asked for the other: %s", line);
    says(&m.r, UPDATED("file://a"));
    ok(!m.got[0].len && has(&m.got[1], "updated"), "who is told, and nobody else");

    sends(m.c[0], &m.p[0], REQUEST("2", "resources/subscribe", "{\"uri\":\"file://b\"}"));
    AUTO_FREE char *id = xstrdup(next_id(&m.r));
    sends(m.c[2], &m.p[2], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://b\"}"));
    says(&m.r, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32002,\"message\":\"no\"}}", id);
    line = next_line(&m.r);
    ok(line && strstr(line, "\"resources/subscribe\",\"params\":{\"uri\":\"file://b\"}"),
       "a server that goes on is asked again for the other: %s", line);
    close_many(&m);
}

/* A client that was there before the server asks for what it watches at once. */
static void test_held_subscription(void)
{
    struct many m = {0};

    rig_open(&m.r, NULL);
    m.c[0] = client_open(m.r.s, "", &notified, &m.got[0]);
    client_restore(m.c[0], 3, 0);
    sends(m.c[0], &m.p[0], REQUEST("1", "resources/subscribe", "{\"uri\":\"file://a\"}"));
    start_logging(&m.r);
    const char *line = next_line(&m.r);
    ok(line && strstr(line, "\"resources/subscribe\""), "its request goes on: %s", line);
    is_str(next_line(&m.r), NULL, "and the server hears of the resource once");
    close_many(&m);
}

static void test_roots_changed(void)
{
    static const char changed[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}";
    struct many m;

    open_many(&m);
    sends(m.c[0], NULL, changed);
    is_str(next_line(&m.r), NULL, "one client's roots are not another's");
    client_close(TAKE(m.c[1]));
    client_close(TAKE(m.c[2]));
    sends(m.c[0], NULL, changed);
    is_str(next_line(&m.r), changed, "an only client's are the server's affair");
    says(&m.r, ASK("1", "roots/list", "{}"));
    ok(has(&m.got[0], "asks:{"), "and it can be asked without a call");
    close_many(&m);
}

static void test_restored_client(void)
{
    struct many m;

    open_many(&m);
    struct client *c = client_open(m.r.s, "http", &notified, &m.got[0]);
    client_restore(c, client_get_version(m.c[0]), client_get_features(m.c[0]));
    is_str(client_get_protocol(c), client_get_protocol(m.c[0]), "its version");
    sends(c, &m.p[0], CALL("1", "t"));
    next_line(&m.r);
    says(&m.r, ASK("1", "sampling/createMessage", "{}"));
    ok(has(&m.got[0], "asks of a call:"), "it can be asked what its initialize said");
    client_close(c);
    close_many(&m);
}

int main(void)
{
    test_question_and_answer();
    test_refusals();
    test_ends();
    test_one_at_a_time();
    test_a_cancelled_call_is_not_waited_for();
    test_the_queue_has_an_end();
    test_one_at_a_time_after_a_restart();
    test_log_levels();
    test_subscriptions();
    test_failed_subscription();
    test_held_subscription();
    test_roots_changed();
    test_restored_client();
    return done_testing();
}
