/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of a small file of the user's: read whole, replaced whole. */
#ifndef MCPTOP_CONFIG_FILE_H
#define MCPTOP_CONFIG_FILE_H

#include <sys/stat.h>
#include "base/buf.h"
#include "base/fault.h"

enum { CONFIG_FILE_MAX_BYTES = 16 << 20 };

/* Reads a regular file (through symlinks) into out (replaced). ret_st (may be NULL) is its
 * fstat. */
int file_read(const char *path, struct buf *out, struct stat *ret_st, struct fault *f);

/* Makes the new text from the old one ("" where there is no file); may be called again when
 * somebody else changed the file meanwhile. */
typedef int (*file_edit_fn)(void *ctx, const struct buf *old, struct buf *new, struct fault *f);
/* Reads the file, edits, writes a temporary one beside it, fsync, keeps mode and owner, renames; a
 * symlink stays a symlink, and an equal text writes nothing. create: the mode of a file that is not
 * there yet; 0: that is a fault. old_text/new_text (may be NULL) receive the whole file before and
 * after. */
int file_edit(const char *file, mode_t create, file_edit_fn fn, void *ctx, struct buf *old_text,
              struct buf *new_text, struct fault *f);
/* The whole file (absolute path, its user's alone) with this text, without waiting for the disk:
 * for what can be made again. After a power cut it may be empty. */
int file_put(const char *path, const struct buf *text, struct fault *f);
/* A new file (absolute path) with this mode; EEXIST where there is one. */
int file_create(const char *path, mode_t mode, const struct buf *text, struct fault *f);

#endif
