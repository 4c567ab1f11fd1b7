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

int main(void)
{
    test_cut();
    test_session();
    return done_testing();
}
