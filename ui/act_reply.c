/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The answers to what act.c sent: they complete the question that waits for them, or are said. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "panes/pane.h"

enum { ENGINE_REFUSED = 502 };    /* what the API answers then (docs/api.md) */

void act_add_clean_lines(struct buf *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        text_clean_plain(out, text, n);
        buf_add_char(out, '\n');
        text += n + (text[n] == '\n');
    }
}

void act_add_changes(struct view *v, json_t *data, const char *interrupts)
{
    json_t *changes = json_object_get(data, "changes");
    const char *diff = json_string_value(json_object_get(data, "diff"));

    for (size_t i = 0; i < json_array_size(changes); i++) {
        const char *text = json_string_value(json_array_get(changes, i));
        act_add_clean_lines(&v->ask.text, text ? text : "");
    }
    if (*interrupts)
        buf_printf(&v->ask.text, "it restarts: %s\n", interrupts);
    if (diff && *diff) {
        buf_add_str(&v->ask.text, "\n");
        act_add_clean_lines(&v->ask.text, diff);
    }
}

void act_add_plan(struct view *v, const struct feed_server *s, json_t *data)
{
    const char *applied = json_string_value(json_object_get(data, "applied"));
    AUTO_BUF struct buf traffic = BUF_INIT;

    if (s && strcmp(applied ? applied : "restart", "restart") == 0)
        act_add_traffic(s, &traffic);
    act_add_changes(v, data, buf_str(&traffic));
}

static void on_plan(struct view *v, const struct view_call *call, json_t *data)
{
    const struct feed_server *s = feed_find(&v->feed, call->name);

    if (v->ask.targets.n > 1)
        buf_printf(&v->ask.text, "%s:\n", s ? s->label : "?");
    act_add_plan(v, s, data);
    if (v->ask.plans_due && --v->ask.plans_due == 0)
        v->ask.kind = ASK_CONFIRM;
}

void act_ask_other_way(struct view *v)
{
    const struct feed_server *s = view_server(v);

    if (s && *s->where && view_is_live(v))
        view_send(v, REPLY_OTHER_WAY, s->name, NULL, "GET", !strcmp(s->where, "docker")
                  ? "/api/v1/servers/%s/plan?isolation=none"
                  : "/api/v1/servers/%s/plan?isolation=docker", NULL);
}

/* error: why it cannot be; that is an answer too. */
static void on_other_way(struct view *v, const struct view_call *call, json_t *data,
                         const char *error)
{
    json_t *changes = json_object_get(data, "changes");
    struct feed_server *s = feed_find(&v->feed, call->name);
    AUTO_BUF struct buf raw = BUF_INIT;
    struct buf clean = BUF_INIT;

    if (!s)
        return;
    buf_add_str(&raw, error ? error : "");
    for (size_t i = 0; i < json_array_size(changes); i++) {
        const char *text = json_string_value(json_array_get(changes, i));
        buf_printf(&raw, "%s%s", i ? " " : "", text ? text : "");
    }
    text_clean_plain(&clean, buf_str(&raw), raw.len);
    free(s->other_way);
    s->other_way = buf_take(&clean);
}

static void on_change(struct view *v, const struct view_call *call, json_t *data)
{
    json_t *server = json_object_get(data, "server");
    const char *undo = json_string_value(json_object_get(data, "undo"));
    const char *applied = json_string_value(json_object_get(data, "applied"));
    const char *no_effect = json_string_value(json_object_get(data, "no_effect"));
    bool undone = call->what && !strcmp(call->what, "undo");
    bool again = !undone && (!undo || !*undo) && applied && !strcmp(applied, "restart");
    const struct feed_server *s;

    view_take_server(v, server);
    s = feed_find(&v->feed, call->name);
    if (v->ask.kind == ASK_LIMITS && v->ask.serial == call->serial)
        ask_close(v);
    view_toast_of(v, s, false, "%s: %s%s%s%s%s",
               s ? s->label : *call->name ? call->name : "all isolated",
               undone           ? "taken back"
               : undo && *undo ? undo
               : again          ? "tried again"
                               : "changed",
               again                                    ? ""
               : applied && !strcmp(applied, "live")    ? ", in force now"
               : applied && !strcmp(applied, "restart") ? ", it restarts"
                                                        : "",
               no_effect && *no_effect ? ", " : "", no_effect ? no_effect : "",
               undone || !undo || !*undo ? ""
               : *call->name             ? " (u undoes)"
                                         : " (:undo * undoes)");
}

static void on_error(struct view *v, const struct view_call *call, const char *error)
{
    bool same = v->ask.serial == call->serial && v->ask.kind != ASK_NONE;
    bool refused = call->kind == REPLY_CHANGE && call->status == ENGINE_REFUSED && call->body;

    if (refused && *call->name && (same || v->ask.kind == ASK_NONE)) {
        limits_refused(v, call, error);
        return;
    }
    if (same && v->ask.kind == ASK_LIMITS) {
        struct buf clean = BUF_INIT;
        text_clean_plain(&clean, error, strlen(error));
        free(v->ask.error);
        v->ask.error = buf_take(&clean);
        return;
    }
    if (same && (call->kind == REPLY_PLAN || call->kind == REPLY_TOOL_CHANGES))
        ask_close(v);
    view_toast_of(v, feed_find(&v->feed, call->name), true, "%s %s: %s",
               call->what ? call->what : "",
               *call->name ? call->name : "all", error);
}

static void on_command(struct view *v, const struct view_call *call, json_t *data)
{
    const char *line = json_string_value(json_object_get(data, "line"));

    if (!line)
        return;
    v->io->copy(v->ctx, line, strlen(line));
    view_toast(v, false, "copied for %s: %s", call->name, line);
}

static void say_done(struct view *v, const struct view_call *call)
{
    static const struct { const char *verb, *said; } words[] = {
        {"restart", "restarting"}, {"stop", "stopping"}, {"start", "starting"}, {"kill", "killed"},
        {"enable", "enabled"},
        {"disable", "disabled"}, {"approve", "approved the tools of"},
        {"remove", "removed container"},
        {"reload", "the configuration was read again"},
        {"restart-all", "restarting every server"},
    };
    const struct feed_server *s = feed_find(&v->feed, call->name);
    const char *said = call->what;

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i].verb, call->what))
            said = words[i].said;
    if (s)
        view_toast_of(v, s, false, "%s %s", said, s->label);
    else
        /* of an id, what people know it by */
        view_toast(v, false, "%s %.12s", said, call->name);
}

void act_reply(struct view *v, struct view_call *call, json_t *data, const char *error)
{
    if (call->kind == REPLY_OTHER_WAY) {
        on_other_way(v, call, data, error);
        return;
    }
    if (error) {
        on_error(v, call, error);
        return;
    }
    switch (call->kind) {
    case REPLY_PLAN:
        if (v->ask.serial == call->serial && v->ask.kind != ASK_NONE)
            on_plan(v, call, data);
        break;
    case REPLY_TOOL_CHANGES:
        if (v->ask.serial == call->serial && v->ask.kind != ASK_NONE)
            approve_changes(v, data);
        break;
    case REPLY_PREVIEW:
        if (v->ask.serial == call->serial)
            limits_preview(v, call, data);
        break;
    case REPLY_CHANGE: on_change(v, call, data); break;
    case REPLY_COMMAND: on_command(v, call, data); break;
    case REPLY_SHUTDOWN:
        v->leaving = true;
        v->stopped = (int)json_integer_value(json_object_get(data, "servers"));
        view_toast(v, false, "the supervisor stops every server, then itself");
        break;
    default:
        if (json_is_string(json_object_get(data, "state")))
            view_take_server(v, data);
        say_done(v, call);
    }
}
