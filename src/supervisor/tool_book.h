/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of a server's tools: the definition of each as it was first seen, or approved
 * later. As values and as the text of a file:
 *
 *   {"tools_of":"SERVER","canonical":1}
 *   {"name":"echo","sha256":"…","definition":{…}}       one a line, in the order of name and hash
 *
 * A definition stands there in canonical order (mcp/tool_digest.h). A tool is known when its hash
 * is; a server may list two of one name. */
#ifndef MCPTOP_SUPERVISOR_TOOL_BOOK_H
#define MCPTOP_SUPERVISOR_TOOL_BOOK_H

#include <stdbool.h>
#include "base/buf.h"
#include "mcp/tool_digest.h"

/* A longer list is not watched: its hashes would hold up the loop. */
enum { TOOL_LIST_MAX_BYTES = 1 << 20, TOOL_LIST_MAX = 2000 };

struct tool_known {
    char *name;                      /* "" where it has none that is clear */
    uint8_t digest[SHA256_BYTES];
    char *text;                      /* the definition; NULL: left in the file */
};
struct tool_book { struct tool_known *v; size_t n, cap; };

void tool_book_fini(struct tool_book *b);
#define AUTO_TOOL_BOOK __attribute__((cleanup(tool_book_fini)))
/* b is replaced. -1: it is not a book of this server, and b is empty. */
int tool_book_read(struct tool_book *b, const char *server, struct span file, bool with_texts);
/* Appends the file; all texts must be there. */
void tool_book_write(const struct tool_book *b, const char *server, struct buf *out);

/* A list's entries by their hashes: each is hashed once, however many are looked for. Entries are
 * borrowed from the list. */
struct tool_index { struct tool_indexed *v; size_t n, cap; };
#define AUTO_TOOL_INDEX __attribute__((cleanup(tool_index_fini)))
void tool_index_make(struct tool_index *x, struct span list);
void tool_index_fini(struct tool_index *x);
/* The entry with this hash; absent when there is none. */
struct span tool_index_find(const struct tool_index *x, const uint8_t digest[SHA256_BYTES]);

/* One that is known by this name, rather one that is not in the list any more; NULL. */
const struct tool_known *tool_book_find(const struct tool_book *b, const char *name,
                                        const struct tool_index *list);

/* A tool of a list that is not known as it is. */
struct tool_change {
    char *name;
    bool is_new;                     /* else another one of this name is known */
    uint8_t digest[SHA256_BYTES];
};
struct tool_changes { struct tool_change *v; size_t n, cap; };   /* in the order of the list */

void tool_changes_fini(struct tool_changes *c);
/* Whether the list (an array) is short enough to be watched. */
bool tool_list_fits(struct span list);
/* c is replaced. */
void tool_book_compare(const struct tool_book *b, struct span list, struct tool_changes *c);
/* Takes over those tools of the list whose hash is in `which` (NULL: all of them), in the place of
 * what was known by their names and is not listed any more. b has its texts. What is not listed is
 * forgotten where there would be too much. */
void tool_book_take(struct tool_book *b, struct span list, const struct tool_digests *which);

#endif
