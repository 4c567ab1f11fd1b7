/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of its tools the clients of a server get, by its configuration and by what is known of
 * them. A change of that restarts nothing. */
#include "supervisor/server_private.h"
#include "supervisor/tool_watch.h"

void server_tools_configure(struct server *s)
{
    const struct config_server *c = s->config;

    if (!c)
        return;
    if (!s->row)
        tool_watch_look(s);
    /* Borrowed: the session copies what it is told. */
    struct tool_filter filter = {
        .quarantined = c->quarantined, .enabled = c->enabled_tools, .disabled = c->disabled_tools,
    };
    tool_watch_rules(server_row(s), &filter);
    session_set_tool_filter(s->session, &filter);
    for (size_t i = 0; i < s->member_count; i++)
        session_set_tool_filter(s->members[i]->session, &filter);
}
