/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a server's tools are what they were when they were first seen, or approved. What is known
 * lies in STATE_DIR (NAME-HASH.known, 0600; tool_book.h) and outlives the server's configuration: a
 * server that comes back under its name, with another command too, is the one that is known.
 *
 * First sight is the first list of a server that is not in quarantine; a file that cannot be read
 * is no first sight: then nothing is known. */
#ifndef MCPTOP_SUPERVISOR_TOOL_WATCH_H
#define MCPTOP_SUPERVISOR_TOOL_WATCH_H

#include "base/fault.h"
#include "mcp/tool_filter.h"
#include "supervisor/tool_book.h"

struct server;
struct tool_watch;                   /* of one server; made and freed with it */

struct tool_watch *tool_watch_new(void);
void tool_watch_free(struct tool_watch *w);

/* Judges the list as the session knows it now, and tells what has changed since the last time. */
void tool_watch_look(struct server *s);
/* What on_tool_change says of it: borrowed into filter, for session_set_tool_filter. */
void tool_watch_rules(const struct server *s, struct tool_filter *filter);

/* As judged last: what differs. */
const struct tool_changes *tool_watch_changes(const struct server *s);
/* Its list is too long to be judged. */
bool tool_watch_is_blind(const struct server *s);
bool tool_watch_holds(const struct server *s);
/* Grows with every other judgement. */
uint64_t tool_watch_serial(const struct server *s);

/* "changed: a, b; new: c", names made harmless and cut. Appended. */
void tool_changes_words(const struct tool_changes *c, struct buf *out);

/* A unified diff of the definitions laid out for reading, nothing hidden in it; of a new one all
 * lines are added. *ret_was: the hash that was known, or zeros. */
struct tool_diff { struct buf text; uint8_t was[SHA256_BYTES]; };
/* One for each of the changes, in their order; caller frees by tool_diffs_free. */
struct tool_diff *tool_watch_diffs(const struct server *s);
void tool_diffs_free(struct tool_diff *d, size_t n);

/* hash: hexadecimal, of the definition that was looked at; NULL = as it is now. */
struct tool_approval { const char *name, *hash; };
/* They are what is known from now on; n 0: all that differ. FAULT_CONFLICT where nothing differs,
 * or not in this way; or why it could not be kept. */
int tool_watch_approve(struct server *s, const struct tool_approval *v, size_t n, struct fault *f);

#endif
