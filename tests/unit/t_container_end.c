/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What ended a container, by the events that come before its end. */
#include <signal.h>
#include <string.h>
#include "base/mem.h"
#include "supervisor/container_end.h"
#include "tap.h"

struct scenario {
    const char *name;
    const char *events;              /* letters: o = oom, k = kill 9, t = TERM, h = HUP, - = a while */
    bool ours, flag;                 /* flag: the engine's own, of an inspection */
    int code;
    int want_signal;
    bool want_oom;
};

static const struct scenario scenarios[] = {
    { .name = "by itself", .events = "", .code = 3 },
    { .name = "out of memory", .events = "o", .code = 137, .want_oom = true },
    { .name = "out of memory, told by the inspection alone", .events = "", .flag = true,
      .code = 137, .want_oom = true },
    { .name = "killed", .events = "k", .code = 137, .want_signal = 9 },
    { .name = "a grandchild out of memory, later killed", .events = "ok", .flag = true,
      .code = 137, .want_signal = 9 },
    { .name = "137 and nothing more", .events = "", .code = 137 },
    { .name = "a grandchild out of memory", .events = "o", .code = 1 },
    { .name = "stopped", .events = "t", .code = 143, .want_signal = 15 },
    { .name = "stopped, and it obeyed", .events = "t", .code = 0, .want_signal = 15 },
    { .name = "stopped the hard way", .events = "tk", .code = 137, .want_signal = 9 },
    { .name = "told to read its file again, and it failed", .events = "h", .code = 1 },
    { .name = "ended by us", .events = "tk", .ours = true, .code = 137 },
    { .name = "killed by us after an oom", .events = "ot", .ours = true, .code = 137 },
    { .name = "killed by us; a flag of long ago", .events = "", .ours = true, .flag = true,
      .code = 137 },
    { .name = "a grandchild out of memory, 137 much later", .events = "o-", .flag = true,
      .code = 137 },
    { .name = "a grandchild, and much later itself", .events = "o-o", .flag = true, .code = 137,
      .want_oom = true },
};

static void run(const struct scenario *c)
{
    struct container_end seen = { 0 };
    struct run_end end = { .code = -1 };
    for (const char *p = c->events; *p; p++) {
        if (*p == '-') {
            seen.oom_ms -= 60 * 1000;
            continue;
        }
        json_t *attributes = *p == 'o' ? json_object()
            : json_pack("{s:s}", "signal", *p == 'k' ? "9" : *p == 't' ? "15" : "1");
        struct engine_event e = { .type = "container", .action = *p == 'o' ? "oom" : "kill",
                                  .attributes = attributes };
        container_end_event(&seen, &e, c->ours);
        json_decref(attributes);
    }
    container_end_set(&seen, c->code, c->flag, c->ours, &end);
    is_int(end.code, c->code, "%s: its status", c->name);
    is_int(end.engine_signal, c->want_signal, "%s: the signal", c->name);
    const char *last = strrchr(c->events, 'o');
    ok(end.oom_inside == (last && !strchr(last, '-') && !c->want_oom && !c->want_signal &&
                          !c->ours), "%s: of another process", c->name);
    ok(end.oom == c->want_oom, "%s: %s", c->name, c->want_oom ? "out of memory" : "not for memory");
}

int main(void)
{
    tap_deadline(30);
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
        run(&scenarios[i]);
    return done_testing();
}
