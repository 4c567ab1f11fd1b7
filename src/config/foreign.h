/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The configuration of AI clients, which is theirs: where it lies, which servers it names, and how
 * mcptop gets into it and out of it with every other byte as it was. Texts in, texts out; files are
 * file.h's. Formats: JSON with comments (an object of servers under "mcpServers" or "servers") and,
 * for Codex, TOML ([mcp_servers.NAME]). */
#ifndef MCPTOP_CONFIG_FOREIGN_H
#define MCPTOP_CONFIG_FOREIGN_H

#include <jansson.h>
#include <stdbool.h>
#include "base/buf.h"
#include "base/fault.h"
#include "base/strvec.h"

enum foreign_format { FOREIGN_JSON, FOREIGN_TOML };

struct foreign_client {
    const char *id, *label;      /* "claude-code", "Claude Code" */
    enum foreign_format format;
    const char *key;             /* of its servers: "mcpServers" */
    bool typed;                  /* it writes "type": "stdio" itself */
};
extern const struct foreign_client foreign_clients[];
extern const size_t foreign_client_count;
const struct foreign_client *foreign_find(const char *id);   /* NULL: none of that name */

/* getenv of the caller; NULL = the process's environment. home is used where the environment names
 * no other place. Callers free. */
typedef const char *(*foreign_getenv_fn)(const char *name);
char *foreign_path(const struct foreign_client *c, const char *home, foreign_getenv_fn env);
/* Its own directory, which is there when the client is. */
char *foreign_dir(const struct foreign_client *c, const char *home, foreign_getenv_fn env);
/* Of a project, relative to the project's directory (".cursor/mcp.json"); NULL: it has none. */
const char *foreign_project_file(const struct foreign_client *c);

/* ---- what a file names ---- */

struct foreign_server {
    char *name;
    char *where;                 /* "" or the project it is for (of Claude Code) */
    int line;                    /* 1-based; 0 where the format does not tell */
    json_t *spec;                /* its object, owned */
    bool is_mcptop;              /* its command is mcptop stdio */
    bool is_remote;              /* it has a URL, or a type that needs one */
};
struct foreign_servers { struct foreign_server *v; size_t n; };
/* Every server of a client's file, or of any file with an object or array of them under mcpServers,
 * servers or mcp.servers (JSON), or mcp_servers (TOML). An empty text has none. -1 with *ret_line
 * (0 = unknown) and a sentence without the file's name. */
int foreign_read(enum foreign_format format, const char *text, size_t len,
                 struct foreign_servers *ret, int *ret_line, struct fault *f);
void foreign_servers_fini(struct foreign_servers *s);
/* TOML when the name ends in .toml. */
enum foreign_format foreign_format_of(const char *path);

/* The server as mcp_config.json writes it (a new reference). notes: what was left out, or means
 * something else there. Values of env stay as they are. */
json_t *foreign_import(json_t *spec, struct strvec *notes);

/* ---- getting in and out ---- */

struct foreign_entry { const char *name; const char *command; const struct strvec *args; };
/* out (replaced) is the text with these entries, each `command args…`. One that is mcptop's
 * already gets the new command and keeps what else it holds; one of that name that is not is a
 * FAULT_CONFLICT. */
int foreign_connect(const struct foreign_client *c, const char *text, size_t len,
                    const struct foreign_entry *entries, size_t n, struct buf *out, int *ret_line,
                    struct fault *f);
struct foreign_undone {
    size_t removed;              /* how many entries were mcptop's */
    bool exact;                  /* nobody else has changed the text: out is `before` */
};
/* out (replaced) is the text without mcptop's entries. before: what it was before mcptop came, NULL
 * = there was no file. It comes back byte for byte where text is exactly what foreign_connect makes
 * of it; else the entries are cut out of text, and of the object that held them what `before` did
 * not have. */
int foreign_disconnect(const struct foreign_client *c, const struct buf *text,
                       const struct buf *before, struct buf *out, struct foreign_undone *ret,
                       int *ret_line, struct fault *f);

#endif
