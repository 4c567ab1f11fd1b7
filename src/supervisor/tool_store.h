/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a server said of itself in its last run, on disk for the time when it is asleep: one file of
 * three lines in STATE_DIR (0700), 0600: whose it is, the result of initialize, the tools. It
 * counts only for the command that said it. */
#ifndef MCPTOP_SUPERVISOR_TOOL_STORE_H
#define MCPTOP_SUPERVISOR_TOOL_STORE_H

struct server;

/* Where the server may sleep; nothing where no directory is set. A failure is logged. */
void tool_store_save(struct server *s);
/* Into a session that knows nothing yet. */
void tool_store_restore(struct server *s);
/* "NAME-HASH.KIND" for a file of the server's own, caller frees: no two names share one. */
char *tool_store_file_name(const char *server, const char *kind);

#endif
