/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a command needs to run: the image family by its base name, and whether it is itself a
 * container command. */
#ifndef MCPTOP_ISOLATION_RUNTIME_H
#define MCPTOP_ISOLATION_RUNTIME_H

#include <stdbool.h>
#include "base/strvec.h"

/* How a runner is put into an image that lacks it (see bootstrap.h). */
enum runtime_installer { INSTALL_NONE, INSTALL_PIP, INSTALL_VENV, INSTALL_NPM };

struct runtime {
    const char *name;           /* "python", "node", "go", … "other" */
    const char *command;        /* the key into default_images that matched: "uvx" */
    const char *family_key;     /* the key tried after it: "python" for python3.12; NULL = none */
    const char *default_image;  /* "python:3.11" */
    const char *cache_volume;   /* "uv-cache", "npm-cache", …; NULL = none */
    const char *cache_path;     /* "/root/.cache/uv" */
    enum runtime_installer installer;
    const char *package;        /* what the installer installs: "uv" */
};
/* By the base name of command ("/usr/bin/python3.12" → python). Never NULL: the last one is
 * "other". */
const struct runtime *runtime_detect(const char *command);

/* All of them, for the documentation. */
const struct runtime *runtime_table(size_t *ret_n);

/* The part after the last '/', without ".exe". Borrowed from command, or static. */
const char *runtime_base_name(const char *command, char *scratch, size_t n);

/* Does this command line start a container engine's client (docker, podman, nerdctl), also behind
 * sh -c '…', bash -lc, env [-i] [X=y …], sudo, exec, nice, nohup, timeout? Returns its name
 * ("docker") or NULL. */
const char *runtime_container_client(const char *command, const struct strvec *args);

#endif
