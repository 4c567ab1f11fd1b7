/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one run of a server needs from the place where it runs: a child on the host
 * (backend_host.c) or a container (backend_docker.c). A backend is one run: made, started,
 * stopped, freed; a restart makes a new one.
 *
 * Events come from the loop, never from inside backend_*: up (once) → data … → over (once, the
 * last event; also when it never came up). The owner frees the backend in or after `over`. */
#ifndef MCPTOP_SUPERVISOR_BACKEND_H
#define MCPTOP_SUPERVISOR_BACKEND_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/fault.h"
#include "docker/engine.h"
#include "io/stream.h"
#include "isolation/plan.h"

/* How and why a run ended. */
struct run_end {
    int code;               /* exit status; -1 = none */
    int signal;             /* 0 = none */
    /* killed for memory: the engine's flag and 137, or the cgroup's count */
    bool oom;
    bool oom_inside;        /* … or, it not, another process in its container */
    bool never_started;     /* why holds the cause: exec errno, pull refused, engine down … */
    bool no_image;          /* … because the image could not be had */
    bool engine_silent;     /* … because the engine did not answer in time */
    /* It ended by this signal, which somebody else sent it through the engine (`docker kill`,
     * `docker stop`, `docker rm -f`); 0 = none is known. */
    int engine_signal;
    struct fault why;       /* code 0 where the end speaks for itself */
    int64_t at_wall_ms;
    /* bytes of its input that nobody has read; on the host only (an engine does not tell) */
    size_t undelivered;
};

struct backend_events {
    /* Docker only, before `up`: the image has (or lacks) the program asked for in check_runner.
     * Returns the plan to go on with. */
    const struct plan *(*runner)(void *ctx, bool present);
    /* Docker only, may be NULL: its image is here, and a container is asked for (again, when the
     * first lacks the runner) */
    void (*creating)(void *ctx);
    /* runs; stdin may be written */
    void (*up)(void *ctx);
    /* it waits for its image to be pulled; then the image is here (or `over` follows) */
    void (*pulling)(void *ctx, bool under_way);
    void (*data)(void *ctx, enum stream_channel ch, const char *p, size_t n);
    /* a line for the server's log */
    void (*note)(void *ctx, const char *text);
    void (*over)(void *ctx, const struct run_end *end);
};

struct backend;
struct containers;
struct images;

struct backend_spec {
    struct ev_loop *loop;
    /* borrowed until `over` or free; update and `runner` replace it */
    const struct plan *plan;
    /* copied; the mark of the run's processes and the last part of its container's name */
    const char *run_id;
    struct containers *containers;   /* docker: whose engine, whose labels */
    struct images *images;           /* docker: who brings the image */
    /* docker: a program the image may lack ("uvx"); NULL = nothing to find out. Borrowed as plan */
    const char *check_runner;
    /* docker: nothing of it is kept for a look afterwards */
    bool apart;
    struct backend_events events;
    void *ctx;
};

struct backend_ops {
    int (*writev)(struct backend *b, const struct iovec *iov, int count, struct fault *f);
    /* Orderly: close stdin, wait 2 s; SIGTERM to all of it, wait 5 s; SIGKILL. Idempotent;
     * `over` follows. */
    void (*stop)(struct backend *b);
    void (*kill)(struct backend *b);                      /* hard, now; `over` follows */
    /* The plan the run goes by is p from now on; what differs in limits is changed on what runs.
     * done (may be NULL) comes at most once, with NULL or why it failed; not after free. NULL
     * where nothing can be changed live. */
    void (*update)(struct backend *b, const struct plan *p,
                   void (*done)(void *ctx, const struct fault *f));
    /* What the engine says about the run's container; NULL on the host. */
    void (*engine_event)(struct backend *b, const struct engine_event *e);
    /* no event any more; what still runs is killed in the background */
    void (*free)(struct backend *b);
};
struct backend {                                          /* embed as the first member */
    const struct backend_ops *ops;
    struct backend_events events;
    void *ctx;
    /* readable by anybody */
    pid_t pid;                       /* of the main process on this host; 0 = unknown */
    char container_id[65];           /* "" on the host */
    char container_name[256];
    /* docker, before `up`: what the engine is asked and has not answered yet ("creating the
     * container"), and since when (monotonic). NULL = nothing, or a pull, which tells for itself.
     * plan->start_timeout_ms bounds each such wait: then `over`. */
    const char *awaits;
    int64_t awaits_since_ms;
};

/* Begins a run. Never NULL: what goes wrong comes as `over`. */
typedef struct backend *(*backend_new_fn)(const struct backend_spec *spec);
/* by plan->mode: one of the next two */
struct backend *backend_new(const struct backend_spec *spec);
struct backend *backend_host_new(const struct backend_spec *spec);
struct backend *backend_docker_new(const struct backend_spec *spec);
/* Would this command be found on the host, and its directory (NULL: any)? 0, or -1 with what a
 * start would fail with. env: the server's own. Looks only, at some files. */
int backend_host_look(const char *command, const struct kvvec *env, const char *working_dir,
                      struct fault *f);
/* Is this container its own? While it is being created its id is not known yet, but its name is. */
bool backend_is_in(const struct backend *b, const char *id, const char *name);
/* For backends: a line for the server's log. */
void backend_note(struct backend *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
