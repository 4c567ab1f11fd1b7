/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the envelope scanner accepts, refuses and finds, and that rewriting changes the tokens and
 * no other byte. */
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/envelope.h"
#include "tap.h"

static int scan(const char *msg, struct envelope *e, struct fault *f)
{
    *f = FAULT_NONE;
    return envelope_scan(msg, strlen(msg), e, f);
}

static void is_span(struct span got, const char *want, const char *what)
{
    AUTO_FREE char *text = xstrndup(got.n ? got.p : "", got.n);

    is_str(text, want, "%s", what);
}

/* ---- what is refused, and in which words ---- */

static void test_refused(void)
{
    static const struct { const char *msg, *why; } cases[] = {
        {"", "an empty message"},
        {" \t\r\n ", "an empty message"},
        {"[]", "a JSON-RPC batch"},
        {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]", "a JSON-RPC batch"},
        {"\"x\"", "not a JSON object"},
        {"hello", "not a JSON object"},
        {"\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"method\":\"x\"}", "not a JSON object"},
        {"{", "not valid JSON at byte 2"},
        {"{}", "no \"jsonrpc\" member"},
        {"{\"jsonrpc\":\"2.0\"}", "none of"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1}", "none of"},
        {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"x\"}", "\"jsonrpc\" is not"},
        {"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"x\"}", "\"jsonrpc\" is not"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"} x", "more text after the message"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}{}", "more text after the message"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",}", "not valid JSON"},
        {"{\"jsonrpc\":\"2.0\" \"id\":1}", "not valid JSON"},
        {"{jsonrpc:\"2.0\"}", "not valid JSON at byte 2"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":01}}", "not valid JSON"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":\"\xC0\xAF\"}}",
         "not valid JSON"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":\"\xED\xA0\x80\"}}",
         "not valid JSON"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"a\":\"line\nbreak\"}}",
         "not valid JSON"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{\"_meta\":{\"a\":}}}",
         "not valid JSON"},
        /* ids */
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"x\"}", "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"x\"}", "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"x\"}", "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}", "\"id\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"result\":{}}", "a result without an \"id\""},
        /* shapes */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "\"method\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", "\"method\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"result\":1}",
         "a message with \"method\" and a result"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1,\"error\":{}}",
         "a reply with \"result\" and \"error\""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":\"no\"}", "\"error\" must be an object"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":[1]}",
         "\"params\" must be an object"},
        /* twice */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"x\"}", "\"id\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"\\u0069d\":2,\"method\":\"x\"}", "\"id\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"jsonrpc\":\"2.0\",\"method\":\"x\"}", "\"jsonrpc\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"method\":\"y\"}", "\"method\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":{},\"params\":{}}",
         "\"params\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"name\":\"b\"}}",
         "\"name\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{},\"_meta\":{}}}",
         "\"_meta\" stands twice"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":1,\"progressToken\":2}}}",
         "\"progressToken\" stands twice"},
        /* another letter case */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"Method\":\"x\"}", "\"Method\": a key of the protocol"},
        {"{\"jsonrpc\":\"2.0\",\"ID\":1,\"method\":\"x\"}", "\"ID\": a key of the protocol"},
        {"{\"JsonRPC\":\"2.0\",\"id\":1,\"method\":\"x\"}", "\"JsonRPC\": a key of the protocol"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"param\xC5\xBF\":{}}",
         "a key of the protocol"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"re\\u017fult\":{}}", "a key of the protocol"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"Name\":\"a\"}}",
         "\"name\" in another letter case"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_META\":{}}}",
         "\"_META\": a key of the protocol"},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"progressTo\xE2\x84\xAA"
         "en\":1}}}",
         "a key of the protocol"},
        /* tokens of progress and cancellation */
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":{}}}}",
         "\"progressToken\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1}}",
         "\"progressToken\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":null}}",
         "\"requestId\" must be"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestID\":1}}",
         "\"requestId\" in another letter case"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct envelope e;
        struct fault f;
        bool refused = scan(cases[i].msg, &e, &f) == -1;
        if (!ok(refused && strstr(f.text, cases[i].why), "refused, case %zu: %s", i, cases[i].why))
            printf("# said: %s\n", refused ? f.text : "(accepted)");
    }
}

static void test_refused_sizes(void)
{
    struct envelope e;
    struct fault f = FAULT_NONE;
    AUTO_BUF struct buf b = BUF_INIT;

    buf_add_str(&b, "{\"jsonrpc\":\"2.0\",\"id\":\"");
    for (int i = 0; i < ENVELOPE_MAX_TOKEN; i++)
        buf_add_char(&b, 'x');
    buf_add_str(&b, "\",\"method\":\"x\"}");
    ok(envelope_scan(b.data, b.len, &e, &f) && strstr(f.text, "longer than"),
       "an id without end is refused");

    buf_clear(&b);
    buf_add_str(&b, "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":");
    for (int i = 0; i < 100000; i++)
        buf_add_str(&b, "{\"a\":");
    ok(envelope_scan(b.data, b.len, &e, &f) == -1, "endless depth is refused");

    static const char cut[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"tools/call\",\"params\":{\"name\":\"n\","
        "\"_meta\":{\"progressToken\":1}}}";
    int accepted = 0;
    for (size_t n = 0; n < sizeof(cut) - 1; n++) {
        /* so that a sanitizer sees a read behind the end */
        AUTO_FREE char *exact = xmalloc(n + 1);
        memcpy(exact, cut, n);
        accepted += envelope_scan(exact, n, &e, NULL) == 0;
    }
    is_int(accepted, 0, "no prefix of a message is a message");
}

static void test_id_after_failure(void)
{
    struct envelope e;
    struct fault f;

    scan("{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":5}", &e, &f);
    is_span(e.id, "\"q\"", "an id read before the mistake can be answered");
    ok(e.method.n, "and it is known that it was no reply");
    scan("{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2}", &e, &f);
    is_int(e.id.n, 0, "of two ids none is taken");
    scan("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"x\":\"\xFF\"}}", &e, &f);
    is_span(e.id, "5", "the id before a broken result");
    is_int(e.method.n, 0, "which is no call");
}

/* ---- what is found ---- */

static void test_ids(void)
{
    static const char *const ids[] = {
        "0",
        "1",
        "-7",
        "1.5",
        "9007199254740993",
        "18446744073709551616",
        "1e3",
        "-0.0",
        "\"1\"",
        "\"\"",
        "\"a\\\"b\"",
        "\"\\u00e9\"",
        "\"\xC3\xA9\"",
        "\"\xE2\x80\xA8\"",
        "\"\xF0\x9F\x98\x80\"",
        "\"null\"",
    };

    for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
        AUTO_FREE char *msg = xasprintf("{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"ping\"}",
                                        ids[i]);
        struct envelope e;
        struct fault f;
        is_int(scan(msg, &e, &f), 0, "accepted: %s", msg);
        is_span(e.id, ids[i], "the id's token is as written");
        is_int(e.kind, ENVELOPE_REQUEST, "a request");
    }
}

static void test_request(void)
{
    static const char msg[] =
        " \n{\"params\" : {\"arguments\":{\"jsonrpc\":\"1\",\"id\":9,\"method\":\"evil\",\"name\":\"inner\",\"Name\":1,"
        "\"progressToken\":3}, \"_meta\":{\"x\":{\"progressToken\":4},\"progressToken\":\"t\",\"ID\":1},\"name\":\"add\"},"
        "\"extra\":[{\"id\":1,\"id\":2}],\"id\":7,\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}\r\n ";
    struct envelope e;
    struct fault f;

    is_int(scan(msg, &e, &f), 0, "keys of the envelope inside the payload do not count (%s)",
           f.text);
    is_int(e.kind, ENVELOPE_REQUEST, "a request");
    is_span(e.id, "7", "id");
    is_span(e.method, "tools/call", "method");
    is_span(e.name, "\"add\"", "name");
    is_span(e.progress_token, "\"t\"", "progress token");
    ok(e.body.p == msg + 2 && e.body.p[e.body.n - 1] == '}',
       "the body has no white space around it");
    ok(envelope_has_newline(&e) == false, "a line break after the message is not in it");
}

static void test_failed_tools(void)
{
    static const struct { const char *result; bool failed; } cases[] = {
        {"{\"content\":[],\"isError\":true}", true},
        {"{\"isError\" : true ,\"content\":[{\"isError\":false}]}", true},
        {"{\"isError\":false,\"content\":[]}", false},
        {"{\"content\":[{\"isError\":true}]}", false},
        {"{\"structuredContent\":{\"isError\":true}}", false},
        {"{\"iserror\":true,\"text\":\"\\\"isError\\\":true\"}", false},
        {"{\"isError\":\"true\"}", false},
        {"{}", false}, {"null", false}, {"[\"isError\",true]", false},
    };
    static const char *const broken[] = {"{\"isError\":true", "{\"isError\":tru}", "{\"isError\" true}",
                                         "{\"a\":1,}", "{,}", "{\"isError\":}"};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO_BUF struct buf b = BUF_INIT;
        struct envelope e;
        buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":%s}", cases[i].result);
        ok(!envelope_scan(b.data, b.len, &e, NULL) && e.result_is_error == cases[i].failed,
           "%s: %s", cases[i].result, cases[i].failed ? "the tool failed" : "no failure");
        is_span(e.result, cases[i].result, "its result, whole");
    }
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        AUTO_BUF struct buf b = BUF_INIT;
        struct envelope e;
        buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":%s}", broken[i]);
        ok(envelope_scan(b.data, b.len, &e, NULL) < 0, "refused: %s", broken[i]);
    }
}

static void test_kinds(void)
{
    static const struct { const char *msg; enum envelope_kind kind; const char *id; } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}", ENVELOPE_NOTIFICATION,
         ""},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":null}", ENVELOPE_NOTIFICATION, ""},
        {"{\"result\":{\"a\":1},\"jsonrpc\":\"2.0\",\"id\":3}", ENVELOPE_RESULT, "3"},
        {"{\"result\":null,\"jsonrpc\":\"2.0\",\"id\":3}", ENVELOPE_RESULT, "3"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":1,\"message\":\"m\"}}",
         ENVELOPE_ERROR, "\"a\""},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"m\"}}",
         ENVELOPE_ERROR, ""},
        {"{\"jsonrpc\":\"2.0\",\"error\":{}}", ENVELOPE_ERROR, ""},
        {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources\\/read\",\"params\":{\"Name\":1}}",
         ENVELOPE_REQUEST, "1"},
        {"{\"jsonrpc\":\"2.0\",\"i\\u0064\":1,\"method\":\"x\"}", ENVELOPE_REQUEST, "1"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct envelope e;
        struct fault f;
        is_int(scan(cases[i].msg, &e, &f), 0, "accepted: %s (%s)", cases[i].msg, f.text);
        is_int(e.kind, cases[i].kind, "its kind");
        is_span(e.id, cases[i].id, "its id");
    }
}

static void test_spans(void)
{
    struct span object = span_of("{ \"a\" : [1,{\"b\":2}] , \"b\\u0063\":\"x\\ny\", \"d\":{} }");
    uint64_t id = 0;

    is_span(span_member(object, "a"), "[1,{\"b\":2}]", "a member");
    is_span(span_member(object, "bc"), "\"x\\ny\"", "a member with an escaped key");
    is_span(span_member(object, "b"), "", "a key further in is no member");
    is_span(span_member(span_of("[1]"), "a"), "", "an array has no members");
    is_span(span_member((struct span){0}, "a"), "", "nothing has no members");
    AUTO_FREE char *text = span_decode(span_member(object, "bc"), 100);
    is_str(text, "x\ny", "a string decoded");
    AUTO_FREE char *cut = span_decode(span_of("\"ab\xC3\xA9\""), 3);
    is_str(cut, "ab", "cut before a character that does not fit");
    struct span method = span_member(span_of("{\"m\":\"tools\\/call\"}"), "m");
    ok(span_is((struct span){method.p + 1, method.n - 2}, "tools/call"),
       "escapes are undone for a comparison");
    ok(span_to_id(span_of("42"), &id) && id == 42, "42 is an id");
    ok(!span_to_id(span_of("042"), &id) && !span_to_id(span_of("4.0"), &id) &&
           !span_to_id(span_of("\"42\""), &id) && !span_to_id(span_of("-1"), &id) &&
           !span_to_id(span_of("99999999999999999999"), &id) && !span_to_id((struct span){0}, &id),
       "and nothing else is");
}

/* ---- rewriting ---- */

static void is_rewritten(const char *msg, const char *id, const char *token, const char *want)
{
    struct envelope e;
    struct fault f;
    struct iovec iov[ENVELOPE_IOV];
    AUTO_BUF struct buf out = BUF_INIT;

    if (!ok(!scan(msg, &e, &f), "scanned (%s)", f.text))
        return;
    int n = envelope_rewrite(&e, span_of(id), span_of(token), false, iov);
    ok(n <= ENVELOPE_IOV, "%d pieces", n);
    for (int i = 0; i < n; i++)
        buf_add(&out, iov[i].iov_base, iov[i].iov_len);
    is_str(buf_str(&out), want, "id %s, token %s", id, token);
}

static void test_rewrite(void)
{
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":1.5}}}";
    static const char turned[] =
        "{\"params\":{\"_meta\":{\"progressToken\":\"\\u2028\"},\"t\":\"\xC2\xA0\xE2\x80\x8D\xE2\x80\xA8"
        "\xEF\xBB\xBF\xEF\xBF\xBD\"},\"method\":\"x\",\"id\":9007199254740993,\"jsonrpc\":\"2.0\"}";

    is_rewritten(call, "", "", call);
    is_rewritten(
        call, "77", "",
        "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":1.5}}}");
    is_rewritten(
        call, "77", "78",
        "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"x\",\"params\":{\"_meta\":{\"progressToken\":78}}}");
    is_rewritten(
        turned, "1", "2",
        "{\"params\":{\"_meta\":{\"progressToken\":2},\"t\":\"\xC2\xA0\xE2\x80\x8D\xE2\x80\xA8"
        "\xEF\xBB\xBF\xEF\xBF\xBD\"},\"method\":\"x\",\"id\":1,\"jsonrpc\":\"2.0\"}");
    is_rewritten(" {\"id\":1,\"jsonrpc\":\"2.0\",\"result\":[]} ", "\"x\"", "9",
                 "{\"id\":\"x\",\"jsonrpc\":\"2.0\",\"result\":[]}");
    is_rewritten(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"requestId\":\"r\"}}",
        "1", "5",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"requestId\":5}}");
    is_rewritten(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":5,\"progress\":1}}",
        "", "\"mine\"",
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"mine\","
        "\"progress\":1}}");
}

static void test_flatten(void)
{
    static const char msg[] =
        "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 1,\n  \"method\": \"x\",\n"
        "  \"params\": {\"t\": \"a\\nb\",\n \"_meta\": {\"progressToken\":\r2}}\n}\n";
    struct envelope e;
    struct fault f;
    AUTO_BUF struct buf out = BUF_INIT;
    struct iovec iov[ENVELOPE_IOV];

    is_int(scan(msg, &e, &f), 0, "a pretty-printed message");
    ok(envelope_has_newline(&e), "has line breaks");
    AUTO_FREE char *flat = xmalloc(e.body.n);
    envelope_flatten(&e, flat);
    ok(!envelope_has_newline(&e), "flattened it has none");
    int n = envelope_rewrite(&e, span_of("8"), span_of("9"), true, iov);
    for (int i = 0; i < n; i++)
        buf_add(&out, iov[i].iov_base, iov[i].iov_len);
    is_str(
        buf_str(&out),
        "{   \"jsonrpc\": \"2.0\",    \"id\": 8,   \"method\": \"x\",   \"params\": {\"t\": \"a\\nb\","
        "  \"_meta\": {\"progressToken\": 9}} }\n",
        "rewritten on one line, strings untouched");
}

static void test_error(void)
{
    AUTO_BUF struct buf out = BUF_INIT;
    struct envelope e;
    struct fault f;

    envelope_error(&out, span_of("\"q\\\"\""), -32000, "say \"no\"\n\xFF");
    is_str(
        buf_str(&out),
        "{\"jsonrpc\":\"2.0\",\"id\":\"q\\\"\",\"error\":{\"code\":-32000,\"message\":\"say \\\"no\\\"\\n"
        "\xEF\xBF\xBD\"}}",
        "an error of our own");
    is_int(scan(buf_str(&out), &e, &f), 0, "which we accept ourselves");
    buf_clear(&out);
    envelope_error(&out, (struct span){0}, -32700, "x");
    is_str(buf_str(&out),
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"x\"}}",
           "for nobody");
}

static void guessed(const char *head, const char *tail, const char *want, bool has_method)
{
    bool method;
    struct span id = envelope_guess_id(head, strlen(head), tail, strlen(tail), &method);

    is_mem(id.n ? id.p : "", id.n, want, strlen(want), "the id of %s … %s", head, tail);
    ok(method == has_method, "and whether it is a request");
}

static void test_guess_id(void)
{
    static const char reply[] = "{\"result\":{\"a\":\"xxx", call[] = "{\"method\":\"m\",\"params\":{\"a\":\"xxx";

    guessed("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"a\":\"xxx", "xxx\"}}", "7", false);
    guessed("{\"id\":\"q\\\"\",\"method\":\"m\",\"params\":[1", "2]}", "\"q\\\"\"", true);
    guessed(reply, "xxx\"},\"id\":12}", "12", false);
    guessed(reply, "xxx\"},\"id\":12,\"jsonrpc\":\"2.0\"} \r", "12", false);
    guessed(call, "xxx\"},\"jsonrpc\":\"2.0\",\"id\":\"a b\"}", "\"a b\"", true);
    guessed(reply, "xxx\",\"id\":12}}", "", false);
    guessed(reply, "xxx\"},\"id\": 12}", "", false);
    guessed(reply, "xxx\"},\"id\":1.5}", "", false);
    guessed(reply, "xxx\"},\"id\":\"a\\\"b\"}", "", false);
    guessed(reply, "12}", "", false);
    guessed(reply, "\"}", "", false);
    guessed(reply, "}", "", false);
    guessed(reply, "", "", false);
}

int main(void)
{
    tap_deadline(60);
    test_refused();
    test_refused_sizes();
    test_id_after_failure();
    test_ids();
    test_request();
    test_failed_tools();
    test_kinds();
    test_spans();
    test_rewrite();
    test_flatten();
    test_error();
    test_guess_id();
    return done_testing();
}
