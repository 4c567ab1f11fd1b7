/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop events`: what the engine and the supervisor saw, the latest and with -f what follows. */
#include "cli/verb.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

enum { DEFAULT_EVENTS = 100, MAX_EVENTS = 10000 };

struct watch_events {
    struct cli *cli;
    struct ev_loop *loop;
    int64_t tail;
    int exit_code;
};

static void print_event(const struct cli *c, json_t *e)
{
    if (cli_has(c, OPT_JSON)) {
        show_json_as(e, JSON_COMPACT);
        return;
    }
    char when[48];
    clock_iso(doc_int(e, "wall_ms", 0), when, sizeof when);
    const char *name = *doc_str(e, "server") ? doc_str(e, "server") : doc_str(e, "name");
    AUTO_FREE char *line =
        xasprintf("%.19s %-10s %-10s %-14s %s  %s", when, doc_str(e, "source"), doc_str(e, "type"),
                  doc_str(e, "action"), name, doc_str(e, "detail"));
    show_text(stdout, line);
    putchar('\n');
}

static void print_last(const struct cli *c, json_t *events, int64_t count)
{
    size_t n = json_array_size(events), from = n > (size_t)count ? n - (size_t)count : 0;
    for (size_t i = from; i < n; i++)
        print_event(c, json_array_get(events, i));
}

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct watch_events *w = ctx;
    bool hello = !strcmp(name, "hello");
    if (!hello && strcmp(name, "docker") != 0)
        return;
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    if (hello)
        print_last(w->cli, doc_get(doc, "events"), w->tail);
    else
        print_event(w->cli, doc);
    json_decref(doc);
    fflush(stdout);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct watch_events *w = ctx;
    w->exit_code = cli_fail(why);
    ev_break(w->loop, EVBREAK_ALL);
}

static int follow(struct cli *c, int64_t tail)
{
    static const struct api_stream_events events = { on_event, on_end };
    struct watch_events w = { .cli = c, .loop = ev_loop_new(EVFLAG_AUTO), .tail = tail };
    struct api *api = api_new(w.loop, c->paths.socket);
    api_follow(api, "/events", &events, &w);
    ev_run(w.loop, 0);
    api_free(api);
    ev_loop_destroy(w.loop);
    return w.exit_code;
}

int verb_events(struct cli *c)
{
    struct fault f = FAULT_NONE;
    int64_t tail;
    if (args_number(&c->args, OPT_LINES, 0, MAX_EVENTS, DEFAULT_EVENTS, &tail, &f))
        return cli_usage(c, "%s", f.text);
    if (cli_has(c, OPT_FOLLOW))
        return follow(c, tail);
    AUTO_FREE char *path = xasprintf("/api/v1/events?limit=%lld", (long long)tail);
    json_t *data;
    int rc = cli_ask(c, "GET", path, NULL, &data);
    if (!rc && !cli_has(c, OPT_JSON))
        print_last(c, doc_get(data, "events"), tail);
    json_decref(data);
    return rc;
}
