/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes one value of the configuration and leaves every other byte as it was: comments, order,
 * indentation, line ends, duplicate keys (the last one, which counts, is edited). */
#ifndef MCPTOP_CONFIG_EDIT_H
#define MCPTOP_CONFIG_EDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/fault.h"
#include "base/strvec.h"

/* Paths are split at ".", so a key that contains one cannot be named.
 *
 * Pure: sets `key` of the server's object (path "isolation.memory_limit", "enabled") or, with
 * server NULL, of the root ("docker_isolation.memory_limit") to json_value (valid JSON text).
 * Missing objects on the path and the key are inserted in the file's own indentation. json_value
 * NULL removes the member (all of its repetitions, or an earlier one would begin to count); a
 * comment beside it stays. The result goes to out (replaced). When the value is already that, out
 * equals the text. */
int edit_text(const char *text, size_t len, const char *server, const char *path,
              const char *json_value, struct buf *out, struct fault *f);

/* The same by whole keys, which may hold any character. */
int edit_text_keys(const char *text, size_t len, const char *server, const struct strvec *keys,
                   const char *json_value, struct buf *out, struct fault *f);
/* Appends {"key": json_value} to the array `list` of the root, in the form of its neighbours. */
int edit_text_append(const char *text, size_t len, const char *list, const char *key,
                     const char *json_value, struct buf *out, struct fault *f);
/* Adds the server `spec`, member by member, to mcpServers in the form that it has there (an array
 * or an object; an object where it is missing, or where the whole text is empty). FAULT_CONFLICT
 * where there is one of that name. */
int edit_add_server(const char *text, size_t len, const char *name, json_t *spec, struct buf *out,
                    struct fault *f);

/* The value at path as it stands there, replaced in out. 1 = there, 0 = absent, -1 with *f set. */
int edit_get(const char *text, size_t len, const char *server, const char *path, struct buf *out,
             struct fault *f);

/* The same of several paths in one look at the text; ret[n], whose texts are the caller's to fini,
 * also after a fault. */
struct edit_value { bool is_there; struct buf text; };
int edit_get_each(const char *text, size_t len, const char *server, const char *const *paths,
                  size_t n, struct edit_value *ret, struct fault *f);

/* edit_text on the file: reads it (again, whatever was known before), edits, checks that the result
 * still parses, writes a temporary file beside it, fsync, keeps mode and owner, renames; a symlink
 * stays a symlink. A file that changes between reading and renaming is read and edited again. A
 * result that would not load is a fault that names line and key, and the file stays untouched.
 * old_text/new_text (may be NULL) receive the whole file before and after, for undo and for showing
 * the diff. The caller's loop may stand for the fsync of a small file: bounded, and only on a key
 * press. */
struct edit_change { const char *path; const char *json_value; };
int edit_file(const char *file, const char *server, const struct edit_change *changes,
              size_t n_changes, struct buf *old_text, struct buf *new_text, struct fault *f);
/* The same where it was tried before: from and to are a text that loads, and what edit_text makes
 * of it by these changes, which loads too. A file that still is `from` becomes `to` without another
 * look; any other is edited as above. Both are then the file before and after. */
int edit_file_tried(const char *file, const char *server, const struct edit_change *changes,
                    size_t n_changes, struct buf *from, struct buf *to, struct fault *f);
/* Adds every server of `servers` ({name: spec}) as edit_add_server does, to the file, as edit_file
 * does; one that is missing is made, 0600. */
int edit_file_add(const char *file, json_t *servers, struct buf *old_text, struct buf *new_text,
                  struct fault *f);
/* The same on a text, with the check that it loads. */
int edit_text_add(const char *file, const struct buf *text, json_t *servers, struct buf *out,
                  struct fault *f);

#endif
