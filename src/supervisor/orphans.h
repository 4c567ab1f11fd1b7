/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Containers that some `docker run -i` left behind: they run, their input was that command's, and
 * no process that could be it is left. The engine does not tell who holds a container's input, so
 * this is a judgement from evidence, and the evidence is shown. Doubt counts for the container.
 * What can be told for certain where we may look (process_input.h): whether its input has ended.
 * Then nobody holds it, and what could still be its command must have ended a connection's own
 * direction, which the kernel shows.
 *
 * Asked for, never polled: a search lists the running containers, inspects those that may be
 * meant, reads their use twice, and looks once at this machine's processes. It takes little more
 * than a second, and changes nothing. */
#ifndef MCPTOP_SUPERVISOR_ORPHANS_H
#define MCPTOP_SUPERVISOR_ORPHANS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "docker/engine.h"
#include "io/process_input.h"
#include "io/unix_clients.h"

/* A container that was made as `docker run -i` makes one, of any owner but us. */
struct orphan_subject {
    char id[65], name[256], image[256], server[201], instance[64];
    bool managed;               /* labelled as ours and other instances' are */
    int64_t created_wall_ms;
    pid_t pid;                  /* its first process, as the engine counts */
    enum process_input input;
    double cpu_percent;         /* of a core, in the last second; -1 = not known */
    int64_t memory_bytes;       /* -1 = not known */
    bool orphan;                /* the verdict … */
    struct buf evidence;        /* … and why: sentences, one a line */
};

/* A container that runs, of anybody. */
struct orphan_other { char id[65], name[256], image[256]; int64_t created_wall_ms; };
struct orphan_others { struct orphan_other *v; size_t n; };

/* Sets orphan and evidence. clients: NULL = cannot be told. others: what runs, s among them. doubt:
 * why there may be other clients than these; NULL = there are none. */
void orphans_judge(struct orphan_subject *s, const struct unix_clients *clients,
                   const struct orphan_others *others, const char *doubt);

/* Whether others than this machine's programs can reach the engine; the text (a clause) says by
 * what door. info: its GET /info; NULL = not known. clients: with its own process, if that
 * shows. */
bool orphans_other_door(const json_t *info, const struct unix_clients *clients, char *ret_text,
                        size_t n);

/* The programs that make containers on behalf of a command, and the engine's own; for
 * unix_scan_new. */
extern const char *const orphans_programs[];

/* v: sorted as the engine lists them; borrowed, its strings may be taken. f: the engine could not
 * be asked. Comes once, not before orphans_search returned; not after orphans_cancel. */
typedef void (*orphans_fn)(void *ctx, struct orphan_subject *v, size_t n, const struct fault *f);
struct orphans_search;
/* Leaves out the containers of `instance`. */
struct orphans_search *orphans_search(struct ev_loop *loop, struct engine *engine,
                                      const char *instance, orphans_fn fn, void *ctx);
/* Looks again at one container, without reading its use anew: n is 1, or 0 when it is gone or is
 * no such container any more. Takes milliseconds. */
struct orphans_search *orphans_look_again(struct ev_loop *loop, struct engine *engine,
                                          const char *id, double cpu_percent, orphans_fn fn,
                                          void *ctx);
void orphans_cancel(struct orphans_search *s);      /* NULL is fine */

#endif
