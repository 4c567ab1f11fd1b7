/* SPDX-License-Identifier: GPL-3.0-or-later */
/* events_reader: pieces of every size, Podman's shape, noise, rubbish, what a new stream
 * repeats. */
#include "docker/events.h"

#include <stdio.h>

#include "base/buf.h"
#include "tap.h"

static const char text[] =
    "{\"status\":\"start\",\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"name\":\"n\","
    "\"com.mcpproxy.server\":\"git\",\"com.mcpproxy.instance\":\"i\"}},\"time\":1,\"timeNano\":1000000001}\n"
    "{\"Type\":\"container\",\"Action\":\"exec_start: true\",\"Actor\":{\"ID\":\"c1\"},\"timeNano\":1500000000}\n"
    "no JSON at all\n"
    "[1,2]\n"
    "\n"
    "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"exitCode\":\"137\"}},\"timeNano\":2000000000}\r\n"
    "{\"Type\":\"container\",\"Action\":\"die\",\"Actor\":{\"ID\":\"p\",\"Attributes\":{\"containerExitCode\":\"4\"}},\"time\":3}\n"
    "{\"Type\":\"container\",\"Action\":\"remove\",\"Actor\":{\"ID\":\"p\",\"Attributes\":{\"containerExitCode\":\"0\"}},\"time\":3}\n"
    "{\"Type\":\"container\",\"Action\":7,\"Actor\":\"x\",\"timeNano\":\"y\"}\n"
    "{\"Type\":\"image\",\"Action\":\"pull\",\"Actor\":{\"ID\":\"python:3.11\",\"Attributes\":null},\"timeNano\":2999000000}\n";

static void on_event(void *ctx, const struct engine_event *e)
{
    buf_printf(ctx, "%s %s %s name=%s server=%s instance=%s exit=%d at=%lld;", e->type, e->action,
               e->id, e->name, e->server, e->instance, e->exit_code, (long long)e->wall_ms);
}

static const char *const want =
    "container start c1 name=n server=git instance=i exit=-1 at=1000;"
    "container die c1 name= server= instance= exit=137 at=2000;"
    "container die p name= server= instance= exit=4 at=3000;"
    "container destroy p name= server= instance= exit=-1 at=3000;"
    "image pull python:3.11 name= server= instance= exit=-1 at=2999;";

int main(void)
{
    struct buf got = BUF_INIT;
    struct events_reader r;
    int same = 0;
    size_t n = sizeof(text) - 1;
    tap_deadline(20);
    events_reader_init(&r, on_event, &got);
    events_reader_feed(&r, text, n);
    is_str(buf_str(&got), want, "all events; one that is out of order too");
    is_int(r.unreadable, 2, "rubbish is counted");
    buf_clear(&got);
    events_reader_restart(&r);
    events_reader_feed(&r, text, n);
    is_str(buf_str(&got), "", "a new stream that repeats them tells none again");
    events_reader_feed(&r, "{\"Type\":\"container\",\"Act", 24);
    events_reader_restart(&r);
    const char *next = "{\"Type\":\"volume\",\"Action\":\"create\",\"timeNano\":4000000000}\n";
    events_reader_feed(&r, next, strlen(next));
    is_str(buf_str(&got), "volume create  name= server= instance= exit=-1 at=4000;",
           "half a line of the old stream is forgotten");
    events_reader_fini(&r);

    for (size_t cut = 1; cut < n; cut++) {
        struct events_reader c;
        buf_clear(&got);
        events_reader_init(&c, on_event, &got);
        for (size_t at = 0; at < n; at += cut)
            events_reader_feed(&c, text + at, at + cut < n ? cut : n - at);
        same += !strcmp(buf_str(&got), want);
        events_reader_fini(&c);
    }
    is_int(same, (int)n - 1, "in pieces of every size");

    buf_clear(&got);
    events_reader_init(&r, on_event, &got);
    const char *late = "{\"Type\":\"volume\",\"Action\":\"x\",\"time\":9000000000000000000}\n";
    events_reader_feed(&r, late, strlen(late));
    is_str(buf_str(&got), "volume x  name= server= instance= exit=-1 at=0;",
           "a time that no clock shows counts as none");
    events_reader_fini(&r);

    struct buf huge = BUF_INIT;
    buf_add_str(&huge, "{\"Type\":\"container\",\"Action\":\"");
    for (int i = 0; i < 300000; i++)
        buf_add_str(&huge, "aaaaaaaa");
    buf_add_str(&huge, "\"}\n");
    buf_add_str(&huge, next);
    buf_clear(&got);
    events_reader_init(&r, on_event, &got);
    events_reader_feed(&r, huge.data, huge.len);
    ok(!strncmp(buf_str(&got), "volume create", 13), "a line without bound is skipped");
    events_reader_fini(&r);
    buf_fini(&huge);
    buf_fini(&got);
    return done_testing();
}
