/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which tools of a server its clients get, by the user's rules. The list of the server is cut,
 * never written anew: the entries that stay pass as they came. A server may be hostile: of what a
 * client could read in two ways (a name twice, "Tools" beside "tools") nothing passes while there
 * is any rule. */
#ifndef MCPTOP_MCP_TOOL_FILTER_H
#define MCPTOP_MCP_TOOL_FILTER_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/strvec.h"
#include "mcp/envelope.h"
#include "mcp/tool_digest.h"

enum tool_hidden {
    TOOL_SHOWN, TOOL_QUARANTINED, TOOL_NOT_ENABLED, TOOL_DISABLED, TOOL_AMBIGUOUS, TOOL_HELD,
};

struct tool_filter {
    bool quarantined;                    /* all are hidden */
    struct strvec enabled, disabled;     /* enabled: empty = all */
    /* on_tool_change: hold. A list passes those alone whose definition is approved, whatever the
     * server says meanwhile; calls are refused by the names that are known to wait. */
    bool hold, hold_all;                 /* all: the list cannot be judged */
    struct tool_digests approved;
    struct strvec held;                  /* sorted */
};

/* to is replaced */
void tool_filter_copy(struct tool_filter *to, const struct tool_filter *from);
bool tool_filter_equal(const struct tool_filter *a, const struct tool_filter *b);
void tool_filter_fini(struct tool_filter *t);
/* Whether anything could be hidden. */
bool tool_filter_is_set(const struct tool_filter *t);

/* name: the token of a string. */
enum tool_hidden tool_filter_name(const struct tool_filter *t, struct span name);
/* An entry of tools/list. */
enum tool_hidden tool_filter_entry(const struct tool_filter *t, struct span entry);
/* The key that hides it, in words: "disabled_tools"; "" for TOOL_SHOWN. */
const char *tool_hidden_by(enum tool_hidden why);

/* Appends the array without the entries that are hidden. Whether one was held back that is not
 * among those known to wait: the list has changed. */
bool tool_filter_array(const struct tool_filter *t, struct span array, struct buf *out);
/* Appends the message whose result is that of tools/list, cut; returns the same. */
bool tool_filter_message(const struct tool_filter *t, const struct envelope *e, struct buf *out);

/* The entries of an array token one by one: *at begins behind its '['. */
bool tool_next_entry(const char **at, const char *end, struct span *ret);
/* The token of an entry's name; absent where it has none, or two. */
struct span tool_entry_name(struct span entry);

#endif
