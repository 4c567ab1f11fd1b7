/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bytes of the configuration's file, for load and edit. Private to the config room. */
#ifndef MCPTOP_CONFIG_FILE_H
#define MCPTOP_CONFIG_FILE_H

#include <sys/stat.h>
#include "base/buf.h"
#include "base/fault.h"

enum { CONFIG_FILE_MAX_BYTES = 16 << 20 };

/* Reads a regular file (through symlinks) into out (replaced). ret_st (may be NULL) is its
 * fstat. */
int file_read(const char *path, struct buf *out, struct stat *ret_st, struct fault *f);

#endif
