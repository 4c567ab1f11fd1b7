/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bridge's book-keeping: cli/rpc_scan.c and cli/inflight.c. */
#include "cli/inflight.h"
#include "cli/rpc_scan.h"
#include "base/buf.h"
#include "tap.h"

static struct rpc_head scan(const char *text)
{
    struct rpc_head h;
    rpc_scan(text, strlen(text), &h);
    return h;
}

static void is_scan(const char *text, const char *id, const char *method)
{
    struct rpc_head h = scan(text);
    is_mem(h.id.n ? h.id.p : "", h.id.n, id, strlen(id), "id of %.60s", text);
    is_mem(h.method.n ? h.method.p : "", h.method.n, method, strlen(method), "method of %.60s", text);
}

static void t_orders(void)
{
    is_scan("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}", "7", "\"ping\"");
    is_scan("{\"method\":\"tools/call\",\"params\":{\"id\":9},\"jsonrpc\":\"2.0\",\"id\":0}", "0", "\"tools/call\"");
    is_scan("{\"result\":{\"id\":9,\"method\":\"x\"},\"jsonrpc\":\"2.0\",\"id\":\"a\"}", "\"a\"", "");
    is_scan(" { \"id\" : -1.5e3 , \"result\" : { } } \r", "-1.5e3", "");
    is_scan("{\"method\":\"notifications/initialized\"}", "", "\"notifications/initialized\"");
    is_scan("{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1}}", "", "");
    is_scan("{\"id\":\"a\\\"b\",\"method\":\"m\"}", "\"a\\\"b\"", "\"m\"");
}

/* A payload long enough that the end is looked at before it. */
static void with_payload(const char *head, const char *inner, const char *tail, const char *id, const char *method)
{
    AUTO_BUF struct buf text = BUF_INIT;
    buf_add_str(&text, head);
    buf_add_str(&text, "{\"pad\":\"");
    for (int i = 0; i < 2000; i++)
        buf_add_char(&text, 'x');
    buf_printf(&text, "\",%s}", inner);
    buf_add_str(&text, tail);
    is_scan(buf_str(&text), id, method);
}

static void t_long(void)
{
    with_payload("{\"method\":\"m\",\"params\":", "\"a\":1", ",\"jsonrpc\":\"2.0\",\"id\":12}", "12", "\"m\"");
    with_payload("{\"result\":", "\"id\":5", ",\"jsonrpc\":\"2.0\",\"id\":\"x-1\"}", "\"x-1\"", "");
    with_payload("{\"result\":", "\"id\":5", ", \"id\" : 3 } ", "3", "");
    with_payload("{\"result\":", "\"id\":5", ",\"id\":\"q\\\"\"}", "\"q\\\"\"", "");
    with_payload("{\"method\":\"m\",\"params\":", "\"id\":5", "}", "", "\"m\"");
    with_payload("{\"method\":\"m\",\"params\":", "\"s\":\",\\\"id\\\":5\"", "}", "", "\"m\"");
    with_payload("{\"id\":1,\"result\":", "\"id\":5", "}", "1", "");
    with_payload("{\"id\":1,\"result\":", "\"bro", "ken", "1", "");
    with_payload("{\"result\":", "\"bro", "ken", "", "");
}

static void t_kinds(void)
{
    struct rpc_head h = scan("{\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    ok(rpc_is_request(&h) && !rpc_is_reply(&h) && rpc_method_is(&h, "initialize"), "a request");
    ok(!rpc_method_is(&h, "init"), "a method is compared whole");
    h = scan("{\"id\":1,\"result\":{}}");
    ok(rpc_is_reply(&h) && !rpc_is_request(&h), "a reply");
    h = scan("{\"method\":\"notifications/cancelled\",\"params\":{\"reason\":\"r\",\"requestId\":\"7\"}}");
    is_mem(h.cancels.p, h.cancels.n, "\"7\"", 3, "what is cancelled");
    h = scan("{\"params\":{\"requestId\":7},\"method\":\"notifications/cancelled\"}");
    is_mem(h.cancels.p, h.cancels.n, "7", 1, "in any order");
    h = scan("{\"params\":{\"requestId\":7},\"method\":\"notifications/progress\"}");
    ok(!h.cancels.n, "only of that method");
}

static void t_rubbish(void)
{
    static const char *const rubbish[] = { "", "{", "}", "[]", "{\"", "{\"id\"", "{\"id\":", "{\"id\":1", "hello", "{,}", "{\"id\":}",
                                           "{\"method\":\"m\" \"id\":1}", "\"id\":1}", "1" };
    for (size_t i = 0; i < sizeof rubbish / sizeof *rubbish; i++) {
        struct rpc_head h = scan(rubbish[i]);
        ok(!rpc_is_request(&h), "rubbish is no request: %s", rubbish[i]);
    }
    /* Every cut of a message, and it stays inside. */
    char text[] = "{\"method\":\"m\",\"params\":{\"a\":[1,\"\\u00e9\"]},\"jsonrpc\":\"2.0\",\"id\":\"abc\"}";
    bool inside = true;
    for (size_t n = 0; n < sizeof text; n++) {
        char *copy = malloc(n ? n : 1);     /* so that a sanitizer sees a step too far */
        struct rpc_head h;
        memcpy(copy, text, n);
        rpc_scan(copy, n, &h);
        inside = inside && (!h.id.n || (h.id.p >= copy && h.id.p + h.id.n <= copy + n));
        free(copy);
    }
    ok(inside, "spans stay inside of every cut");
}

#define ID(s) ((struct rpc_span){ (s), strlen(s) })

static void t_inflight(void)
{
    struct inflight f = { 0 };
    ok(inflight_add(&f, ID("1")) && inflight_add(&f, ID("\"1\"")), "1 and \"1\"");
    ok(!inflight_remove(&f, ID("2")), "2 is not there");
    ok(inflight_remove(&f, ID("1")), "1 is");
    is_int((long long)f.count, 1, "the other stays");
    ok(!inflight_remove(&f, ID("1")), "once only");
    inflight_clear(&f);
    for (int i = 0; i < INFLIGHT_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        if (!inflight_add(&f, ID(id)))
            bail_out("add %d", i);
    }
    ok(!inflight_add(&f, ID("x")), "bounded in number");
    inflight_clear(&f);
    char big[INFLIGHT_ID_MAX + 2];
    memset(big, '1', sizeof big);
    big[sizeof big - 1] = '\0';
    ok(!inflight_add(&f, ID(big)), "and in length");
    inflight_fini(&f);
}

int main(void)
{
    t_orders();
    t_long();
    t_kinds();
    t_rubbish();
    t_inflight();
    return done_testing();
}
