/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads events. Podman writes the same objects; where the two differ (the key of the exit status,
 * which it has in every event, and the word for a removal) both are read. Events of health checks'
 * processes (exec_*) and of `docker top` are dropped: they come every few seconds and change
 * nothing.
 *
 * It knows no connection: engine.c feeds it. */
#include "docker/events.h"

#include <stdlib.h>
#include <string.h>

#include "docker/json_text.h"

enum { MAX_EVENT = 1024 * 1024 };      /* labels are in it */

static int exit_code(const char *action, const json_t *attributes)
{
    const char *code = json_text_at(attributes, "exitCode");
    if (!*code)
        code = json_text_at(attributes, "containerExitCode");
    return *code && strcmp(action, "die") == 0 ? atoi(code) : -1;
}

static const char *action_of(const json_t *root)
{
    const char *action = json_text_at(root, "Action");
    bool container = strcmp(json_text_at(root, "Type"), "container") == 0;
    return container && strcmp(action, "remove") == 0 ? "destroy" : action;
}

static bool is_noise(const struct engine_event *e)
{
    return !*e->type || !*e->action || !strncmp(e->action, "exec_", 5) || !strcmp(e->action, "top");
}

static void read_event(struct events_reader *r, const json_t *root)
{
    const json_t *actor = json_object_get(root, "Actor");
    json_t *attributes = json_object_get(actor, "Attributes");
    int64_t ns = json_integer_value(json_object_get(root, "timeNano"));
    int64_t s = json_integer_value(json_object_get(root, "time"));
    if (ns == 0 && __builtin_mul_overflow(s, INT64_C(1000000000), &ns))
        ns = 0;
    struct engine_event e = {
        .type = json_text_at(root, "Type"),
        .action = action_of(root),
        .id = json_text_at(actor, "ID"),
        .name = json_text_at(attributes, "name"),
        .server = json_text_at(attributes, "com.mcpproxy.server"),
        .instance = json_text_at(attributes, "com.mcpproxy.instance"),
        .exit_code = exit_code(action_of(root), attributes),
        .wall_ms = ns / 1000000,
        .wall_ns = ns,
        .attributes = attributes,
    };
    if (ns != 0 && ns <= r->skip_ns)
        return;
    r->last_ns = ns > r->last_ns ? ns : r->last_ns;
    if (!is_noise(&e))
        r->fn(r->ctx, &e);
}

static void on_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct events_reader *r = ctx;
    if (n == 0 || (n == 1 && *p == '\r'))
        return;
    json_t *root = flags & LINE_OVERSIZE ? NULL : json_loadb(p, n, 0, NULL);
    if (json_is_object(root))
        read_event(r, root);
    else
        r->unreadable++;
    json_decref(root);
}

void events_reader_init(struct events_reader *r, engine_event_fn fn, void *ctx)
{
    *r = (struct events_reader){.fn = fn, .ctx = ctx};
    lines_init(&r->lines, MAX_EVENT, LINES_DISCARD);
}

void events_reader_fini(struct events_reader *r)
{
    lines_fini(&r->lines);
}

void events_reader_feed(struct events_reader *r, const char *p, size_t n)
{
    lines_feed(&r->lines, p, n, on_line, r);
}

void events_reader_restart(struct events_reader *r)
{
    lines_fini(&r->lines);
    lines_init(&r->lines, MAX_EVENT, LINES_DISCARD);
    /* Only here, not for every event: within one stream two events may come in another order than
     * their times. */
    r->skip_ns = r->last_ns;
}
