/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the bridge says again to a new supervisor: cli/again.c. */
#include <stdio.h>
#include "base/buf.h"
#include "base/mem.h"
#include "cli/again.h"
#include "tap.h"

static void asks(struct again *a, const char *line)
{
    struct rpc_head h;

    rpc_scan(line, strlen(line), &h);
    again_request(a, line, strlen(line), &h);
}

static bool answers(struct again *a, const char *line)
{
    struct rpc_head h;

    rpc_scan(line, strlen(line), &h);
    return again_reply(a, &h);
}

#define DONE(id) "{\"result\":{},\"jsonrpc\":\"2.0\",\"id\":" id "}"
#define SUBSCRIBE(id, uri) \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"" uri "\"}}"
#define UNSUBSCRIBE(id, uri) \
    "{\"id\":" id ",\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"" uri "\"},\"jsonrpc\":\"2.0\"}"
#define LEVEL(id, level) \
    "{\"method\":\"logging/setLevel\",\"params\":{\"level\":\"" level "\"},\"jsonrpc\":\"2.0\",\"id\":" id "}"

/* All that is said, with # for what is new in each id. */
static void is_said(struct again *a, const char *want, const char *what)
{
    AUTO_BUF struct buf out = BUF_INIT, plain = BUF_INIT;

    again_say(a, &out);
    for (const char *p = buf_str(&out); *p; p++) {
        buf_add_char(&plain, *p);
        if (strncmp(p, "mcptop-again-", 13) == 0) {
            buf_add_str(&plain, "#");
            p += strcspn(p, "\"") - 1;
        }
    }
    is_str(buf_str(&plain), want, "%s", what);
}

#define AGAIN_HELLO \
    " {\"id\":\"m#\",\"method\":\"initialize\",\"params\":{\"id\":1}}\n" \
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n"
#define AGAIN(method, params) \
    "{\"jsonrpc\":\"2.0\",\"id\":\"m#\",\"method\":\"" method "\",\"params\":" params "}\n"

int main(void)
{
    struct again a = {0};

    is_said(&a, "", "nothing of a client that said nothing");
    asks(&a, " {\"id\":0,\"method\":\"initialize\",\"params\":{\"id\":1}}");
    is_said(&a, "", "nor where its initialize has no answer");
    ok(!answers(&a, DONE("0")) && a.answered, "its answer is the client's");
    is_said(&a, " {\"id\":\"m#\",\"method\":\"initialize\",\"params\":{\"id\":1}}\n", "then it is said");
    again_initialized(&a);
    is_said(&a, AGAIN_HELLO, "and that it is initialized");
    asks(&a, SUBSCRIBE("1", "a\\u0041"));
    asks(&a, SUBSCRIBE("\"1\"", "b"));
    asks(&a, SUBSCRIBE("2", "c"));
    is_said(&a, AGAIN_HELLO, "what has no answer does not count");
    answers(&a, DONE("\"1\""));
    answers(&a, DONE("1"));
    answers(&a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":1}}");
    is_said(&a, AGAIN_HELLO AGAIN("resources/subscribe", "{\"uri\":\"aA\"}")
            AGAIN("resources/subscribe", "{\"uri\":\"b\"}"), "what was granted does; what was refused not");
    asks(&a, SUBSCRIBE("3", "b"));
    answers(&a, DONE("3"));
    asks(&a, LEVEL("4", "debug"));
    answers(&a, DONE("4"));
    asks(&a, LEVEL("5", "error"));
    asks(&a, UNSUBSCRIBE("6", "\\u0061A"));
    is_said(&a, AGAIN_HELLO AGAIN("resources/subscribe", "{\"uri\":\"b\"}")
            AGAIN("logging/setLevel", "{\"level\":\"debug\"}"), "each once, and nothing that was taken back");
    answers(&a, DONE("5"));
    asks(&a, SUBSCRIBE("7", "d"));
    asks(&a, UNSUBSCRIBE("8", "d"));
    answers(&a, DONE("7"));
    asks(&a, SUBSCRIBE("9", "e"));
    again_lost(&a);
    answers(&a, DONE("9"));
    AUTO_BUF struct buf out = BUF_INIT;
    again_say(&a, &out);
    const char *last = strstr(buf_str(&out), "\"id\":\"mcptop-again-");
    AUTO_FREE char *ours = xasprintf(DONE("%.*s"), (int)strcspn(last + 6, "\"") + 2, last + 5);
    ok(answers(&a, ours), "its answer is ours: %s", ours);
    AUTO_BUF struct buf more = BUF_INIT;
    again_changed(&a, &more);
    is_str(buf_str(&more), "", "what is granted is not asked for a third time");
    AUTO_FREE char *refused = xasprintf("{\"id\":%.*s1\",\"error\":{}}", (int)a.mark.len, a.mark.data);
    ok(answers(&a, refused), "refused: %s", refused);
    again_changed(&a, &more);
    ok(strstr(buf_str(&more), "\"uri\":\"b\"") && !strstr(buf_str(&more), "setLevel"),
       "what is refused is, when others are there: %s", buf_str(&more));
    buf_clear(&more);
    again_changed(&a, &more);
    is_str(buf_str(&more), "", "once");
    ok(!answers(&a, DONE("\"mcptop-again-1-0\"")), "not one of before");
    is_said(&a, AGAIN_HELLO AGAIN("resources/subscribe", "{\"uri\":\"b\"}")
            AGAIN("logging/setLevel", "{\"level\":\"error\"}"), "the last level; not what was lost on its way");
    for (int i = 0; i < AGAIN_MAX_WISHES + 10; i++) {
        AUTO_FREE char *line = xasprintf(SUBSCRIBE("%d", "x%d"), i, i);
        AUTO_FREE char *done = xasprintf(DONE("%d"), i);
        asks(&a, line);
        answers(&a, done);
    }
    is_int((long)a.count, AGAIN_MAX_WISHES, "so many are kept");
    again_fini(&a);
    return done_testing();
}
