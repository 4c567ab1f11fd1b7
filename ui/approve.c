/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tools that are not as they were first seen: what changed of each, as the supervisor tells it, and
 * the question. What is approved is what was shown: the answer carries the hashes. */
#include <string.h>
#include "base/mem.h"
#include "panes/pane.h"

void approve_start(struct view *v, const struct feed_server *s)
{
    AUTO_FREE char *title = xasprintf("approve the tools of %s as they are now?", s->label);

    if (s->tools_changed + s->tools_new == 0) {
        view_toast(v, false, "%s: its tools are as first seen, or approved", s->label);
        return;
    }
    ask_open(v, ASK_WAIT, REQ_APPROVE, title, "approve");
    strvec_add(&v->ask.targets, s->name);
    view_send(v, REPLY_TOOL_CHANGES, s->name, "approve", "GET", "/api/v1/servers/%s/tools/changes",
              NULL);
}

static void add_change(struct view *v, json_t *change, json_t *approved)
{
    const char *name = json_string_value(json_object_get(change, "name"));
    const char *status = json_string_value(json_object_get(change, "status"));
    const char *diff = json_string_value(json_object_get(change, "diff"));
    bool is_new = status && !strcmp(status, "pending");

    text_clean_plain(&v->ask.text, name ? name : "", name ? strlen(name) : 0);
    buf_printf(&v->ask.text, ": %s%s\n", is_new ? "it was not there before" : "changed",
               json_is_true(json_object_get(change, "held")) ? "; clients do not get it" : "");
    act_add_clean_lines(&v->ask.text, diff ? diff : "");
    buf_add_char(&v->ask.text, '\n');
    json_array_append_new(approved, json_pack("{s:O?, s:O?}",
                                              "name", json_object_get(change, "name"),
                                              "hash", json_object_get(change, "current_hash")));
}

void approve_changes(struct view *v, json_t *data)
{
    json_t *changes = json_object_get(data, "changes"), *approved = json_array();

    for (size_t i = 0; i < json_array_size(changes); i++)
        add_change(v, json_array_get(changes, i), approved);
    if (!json_array_size(changes)) {
        json_decref(approved);
        ask_close(v);
        view_toast(v, false, "nothing has changed any more");
        return;
    }
    v->ask.body = json_pack("{s:o}", "tools", approved);
    v->ask.kind = ASK_CONFIRM;
}
