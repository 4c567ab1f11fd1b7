/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tools clients get: lists cut without being written anew, calls refused, changes told, and
 * what a hostile server writes to get past it. */
#include "session_rig.h"

#define LIST(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"tools/list\"}"

static const struct strvec none = {0};

static struct tool_filter rules(const char *enabled, const char *disabled)
{
    struct tool_filter t = {0};

    if (enabled)
        strvec_add(&t.enabled, enabled);
    if (disabled)
        strvec_add(&t.disabled, disabled);
    return t;
}

static void is_cut(const struct tool_filter *t, const char *result, const char *want)
{
    AUTO_FREE char *text = xasprintf("{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":%s}", result);
    AUTO_FREE char *wanted = xasprintf("{\"id\":1,\"jsonrpc\":\"2.0\",\"result\":%s}", want);
    AUTO_BUF struct buf out = BUF_INIT;
    struct envelope e;
    struct fault f = FAULT_NONE;

    if (envelope_scan(text, strlen(text), &e, &f))
        ok(false, "the test's own message is wrong: %s", f.text);
    tool_filter_message(t, &e, &out);
    is_str(buf_str(&out), wanted, "cut: %s", result);
}

static void test_cut(void)
{
    struct tool_filter off = rules(NULL, "b"), on = rules("b", NULL), all = {.quarantined = true};

    is_cut(&off, "{\"tools\":[ {\"name\":\"a\",\"n\":1e400} ,{\"name\":\"b\"}, {\"name\":\"\\u0063\"}],"
                 "\"nextCursor\":\"x\"}",
           "{\"tools\":[{\"name\":\"a\",\"n\":1e400},{\"name\":\"\\u0063\"}],\"nextCursor\":\"x\"}");
    is_cut(&on, "{\"x\":[1],\"tools\":[{\"name\":\"a\"},{\"d\":{\"name\":\"a\"},\"name\":\"\\u0062\"}]}",
           "{\"x\":[1],\"tools\":[{\"d\":{\"name\":\"a\"},\"name\":\"\\u0062\"}]}");
    is_cut(&all, "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"}]}", "{\"tools\":[]}");
    is_cut(&off, "{\"tools\":[]}", "{\"tools\":[]}");
    is_cut(&off, "{}", "{}");
    is_cut(&off, "[{\"name\":\"b\"}]", "[{\"name\":\"b\"}]");
    is_cut(&off, "{\"tools\":[],\"tools\":[{\"name\":\"b\"}],\"TOOLS\":[{\"name\":\"b\"}]}",
           "{\"tools\":[],\"tools\":[],\"TOOLS\":[]}");
    is_cut(&off, "{\"to\\u006fls\":[{\"name\":\"b\"}]}", "{\"to\\u006fls\":[]}");
    is_cut(&off, "{\"tools\":[{\"name\":\"a\",\"name\":\"b\"},{\"name\":\"a\",\"Name\":\"b\"},{},7,"
                 "{\"name\":7},{\"name\":\"a\"}]}", "{\"tools\":[{\"name\":\"a\"}]}");
    is_cut(&off, "{\"tools\":{\"name\":\"b\"}}", "{\"tools\":[]}");
    tool_filter_fini(&off);
    tool_filter_fini(&on);
}

static void test_session(void)
{
    AUTO_BUF struct buf told = BUF_INIT;
    struct tool_filter off = rules(NULL, "b"), on = rules("a", NULL), all = {.quarantined = true};
    struct reply p = {0};
    struct rig r;

    rig_open(&r, NULL);
    start(&r);
    says_result(&r, next_id(&r), "{\"tools\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]}");
    struct client *c = client_open(r.s, "http", &notified, &told);
    client_restore(c, 9, 0);
    is_int(session_get_shown_count(r.s), 3, "all are shown");
    session_set_tool_filter(r.s, &off);
    is_int(session_get_shown_count(r.s), 2, "without the disabled one");
    is_int(session_get_tool_count(r.s), 3, "of three");
    ok(has(&told, "notifications/tools/list_changed"), "the client is told");
    buf_clear(&told);
    session_set_tool_filter(r.s, &off);
    is_int((int)told.len, 0, "once");
    sends(c, &p, LIST("\"x\""));
    says_result(&r, next_id(&r), "{\"tools\":[{\"name\":\"a\"}, {\"name\":\"b\"}]}");
    is_str(buf_str(&p.text), "{\"result\":{\"tools\":[{\"name\":\"a\"}]},\"jsonrpc\":\"2.0\",\"id\":\"x\"}",
           "a list is cut");
    sends(c, &p, CALL("1", "\\u0062"));
    ok(has(&p.text, "\"id\":1,\"error\":{\"code\":-32000") && has(&p.text, "disabled_tools"),
       "a call of a hidden tool is refused, with the key");
    is_str(next_line(&r), NULL, "and does not reach the server");
    sends(c, &p, CALL("2", "c"));
    says_result(&r, next_id(&r), "{}");
    ok(has(&p.text, "\"result\":{}"), "others do");
    session_set_tool_filter(r.s, &on);
    sends(c, &p, CALL("3", "c"));
    ok(has(&p.text, "enabled_tools"), "what is not enabled is refused");
    sends(c, &p, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\",\"params\":{}}");
    ok(has(&p.text, "needs a name"), "and what names no tool");
    session_set_tool_filter(r.s, &all);
    is_int(session_get_shown_count(r.s), 0, "in quarantine none is shown");
    sends(c, &p, CALL("5", "a"));
    ok(has(&p.text, "mcptop release x"), "the way out is told");
    session_set_tool_filter(r.s, &(struct tool_filter){.enabled = none});
    session_down(r.s, "restarting");
    sends(c, &p, CALL("6", "b"));
    session_set_tool_filter(r.s, &off);
    ok(has(&p.text, "\"id\":6,\"error\"") && has(&p.text, "disabled_tools"),
       "a call that waits falls under new rules");
    client_close(c);
    tool_filter_fini(&off);
    tool_filter_fini(&on);
    buf_fini(&p.text);
    rig_close(&r);
}

/* ---- on_tool_change: hold ---- */

#define A1 "{\"name\":\"a\",\"v\":1}"
#define A2 "{\"v\":2,\"name\":\"a\"}"
#define B1 "{\"name\":\"b\",\"v\":1}"

static void approve(struct tool_filter *t, const char *definition)
{
    uint8_t digest[SHA256_BYTES];

    tool_digest(span_of(definition), digest);
    tool_digests_add(&t->approved, digest);
}

static void test_hold(void)
{
    struct tool_filter t = {.hold = true};

    approve(&t, A1);
    approve(&t, B1);
    is_cut(&t, "{\"tools\":[ " A1 ", " B1 "]}", "{\"tools\":[" A1 "," B1 "]}");
    is_cut(&t, "{\"tools\":[{ \"v\":1, \"name\":\"\\u0061\" }]}",
           "{\"tools\":[{ \"v\":1, \"name\":\"\\u0061\" }]}");
    is_cut(&t, "{\"tools\":[" A2 "," B1 ",{\"name\":\"c\"}]}", "{\"tools\":[" B1 "]}");
    is_cut(&t, "{\"tools\":[{\"name\":\"a\",\"v\":1,\"Name\":\"b\"}]}", "{\"tools\":[]}");
    strvec_add(&t.disabled, "b");
    is_cut(&t, "{\"tools\":[" A1 "," B1 "]}", "{\"tools\":[" A1 "]}");
    t.hold_all = true;
    is_cut(&t, "{\"tools\":[" A1 "]}", "{\"tools\":[]}");
    tool_filter_fini(&t);
}

static void test_held_calls(void)
{
    struct tool_filter t = {.hold = true};
    AUTO_BUF struct buf told = BUF_INIT;
    struct reply p = {0};
    struct rig r;

    approve(&t, A1);
    approve(&t, B1);
    rig_open(&r, NULL);
    session_set_tool_filter(r.s, &t);
    start(&r);
    says_result(&r, next_id(&r), "{\"tools\":[" A1 "," B1 "]}");
    struct client *c = client_open(r.s, "http", &notified, &told);
    client_restore(c, 9, 0);
    unsigned serial = session_get_tools_serial(r.s);
    is_int(session_get_shown_count(r.s), 2, "all are approved");
    sends(c, &p, CALL("1", "a"));
    says_result(&r, next_id(&r), "{}");
    ok(has(&p.text, "\"result\":{}"), "and can be called");

    /* The server changes one without a word: the client does not get it, and the list is read. */
    sends(c, &p, LIST("2"));
    says_result(&r, next_id(&r), "{\"tools\":[" A2 "," B1 "]}");
    ok(has(&p.text, "{\"tools\":[" B1 "]}"), "a changed definition is kept back at once");
    run_until(r.loop, r.out.len > 0, 5);
    says_result(&r, next_id(&r), "{\"tools\":[" A2 "," B1 "]}");
    ok(session_get_tools_serial(r.s) != serial, "and the list is read again");
    is_int(session_get_shown_count(r.s), 1, "one is shown");

    strvec_add(&t.held, "a");
    session_set_tool_filter(r.s, &t);
    buf_clear(&told);
    sends(c, &p, CALL("3", "\\u0061"));
    ok(has(&p.text, "\"id\":3,\"error\":{\"code\":-32000") && has(&p.text, "on_tool_change") &&
       has(&p.text, "mcptop approve x a") && has(&p.text, "mcptop tools --changes x"),
       "a call of it is refused, with the way to approve it");
    is_str(next_line(&r), NULL, "and does not reach the server");
    sends(c, &p, CALL("4", "b"));
    says_result(&r, next_id(&r), "{}");
    ok(has(&p.text, "\"id\":4") && has(&p.text, "\"result\":{}"), "others go on");
    sends(c, &p, LIST("5"));
    says_result(&r, next_id(&r), "{\"tools\":[" A2 "," B1 "]}");
    run_for(r.loop, 0.4);
    is_str(next_line(&r), NULL, "what is known to wait is no news");

    approve(&t, A2);
    strvec_fini(&t.held);
    session_set_tool_filter(r.s, &t);
    ok(has(&told, "notifications/tools/list_changed"), "approval is told to clients");
    sends(c, &p, CALL("6", "a"));
    says_result(&r, next_id(&r), "{}");
    ok(has(&p.text, "\"result\":{}"), "and it can be called");
    client_close(c);
    tool_filter_fini(&t);
    buf_fini(&p.text);
    rig_close(&r);
}

int main(void)
{
    test_hold();
    test_held_calls();
    test_cut();
    test_session();
    return done_testing();
}
