/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tells when a file was written, touched, replaced, removed or made (inotify on its directory and,
 * through symlinks, on the directory of its target). Changes within 50 ms are told once. The file
 * need not exist; its directory must at first. A directory that vanishes later, the file's or a
 * target's, is looked for every second. */
#ifndef MCPTOP_IO_WATCH_H
#define MCPTOP_IO_WATCH_H

#include <ev.h>
#include "base/fault.h"

struct watch;
typedef void (*watch_fn)(void *ctx);
/* changed may watch_free. NULL with f when the directory cannot be watched. */
struct watch *watch_new(struct ev_loop *loop, const char *file, watch_fn changed, void *ctx,
                        struct fault *f);
void watch_free(struct watch *w);

#endif
