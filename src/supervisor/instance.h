/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The data directory as one supervisor's own: 0700, locked, with the instance id that marks its
 * containers and the key that TCP clients show. */
#ifndef MCPTOP_SUPERVISOR_INSTANCE_H
#define MCPTOP_SUPERVISOR_INSTANCE_H

#include <stdbool.h>
#include "base/fault.h"

struct instance {
    char *data_dir;      /* owned */
    char id[37];         /* uuid; made at the first start, kept in DATA_DIR/mcptop.instance */
    char api_key[65];    /* 64 hex; made at the first start, kept 0600 in DATA_DIR/mcptop.key */
    /* flock on DATA_DIR/mcptop.lock, which holds our pid; kept until instance_close */
    int lock_fd;
    bool is_copy;        /* the directory was copied from another one: the id is a new one */
};

/* Makes the directory (and those above it) where it is missing. FAULT_CONFLICT: another
 * supervisor holds the lock; the text names its pid. On failure nothing is held. */
int instance_open(struct instance *i, const char *data_dir, struct fault *f);
void instance_close(struct instance *i);

/* mkdir -p with this mode for what is new. */
int instance_make_dirs(const char *path, unsigned mode, struct fault *f);

#endif
