/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A shell script for an image that lacks its runner (python:3.11 has no uvx): installs it, once,
 * and becomes the command. Private to the isolation room. */
#ifndef MCPTOP_ISOLATION_BOOTSTRAP_H
#define MCPTOP_ISOLATION_BOOTSTRAP_H

#include "base/buf.h"
#include "isolation/runtime.h"

/* For `sh -c SCRIPT sh ARGV…`. dir: where the runner is kept; a path of the cache volume, so that
 * the next start finds it, or any other. command: the runner's name ("uvx"). rt->installer must not
 * be INSTALL_NONE. */
void bootstrap_script(const struct runtime *rt, const char *command, const char *dir,
                      struct buf *out);

#endif
