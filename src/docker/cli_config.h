/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The docker CLI's own files (~/.docker, or DOCKER_CONFIG): where they are, and one of them as
 * JSON. They are foreign: sizes are bounded, and what is broken is told, never guessed at. */
#ifndef MCPTOP_DOCKER_CLI_CONFIG_H
#define MCPTOP_DOCKER_CLI_CONFIG_H

#include <jansson.h>
#include <stddef.h>
#include "base/fault.h"
#include "base/strvec.h"

/* "/home/u/.docker"; the caller's. NULL when neither DOCKER_CONFIG nor HOME is set. */
char *cli_config_dir(void);
/* The object in a file of at most max bytes; a new reference. NULL with f: ENOENT … when it cannot
 * be read, FAULT_TOO_BIG, FAULT_INVALID when it is no JSON object. The text names the file, and
 * never what stands in it. */
json_t *cli_config_read(const char *path, size_t max, struct fault *f);
/* DIR/config.json. A missing file is an empty object: most people have none. */
json_t *cli_config_load(struct fault *f);
/* The variables that `docker run` sets by its `proxies`, each in capitals and small: those of the
 * engine at host ("unix:///…"), else of "default". ret is set to them, nothing where there are
 * none. */
int cli_config_proxies(const char *host, struct kvvec *ret, struct fault *f);

#endif
