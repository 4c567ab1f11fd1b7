/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run in a container, inside: for backend_docker.c (how it comes to run, and is told to stop) and
 * backend_docker_end.c (how it ends). */
#ifndef MCPTOP_SUPERVISOR_BACKEND_DOCKER_H
#define MCPTOP_SUPERVISOR_BACKEND_DOCKER_H

#include "supervisor/backend.h"
#include "supervisor/container_end.h"
#include "supervisor/containers.h"
#include "supervisor/images.h"
#include "supervisor/runner_search.h"
#include "supervisor/start_queue.h"

enum { END_LIMIT_S = 5 };      /* each wait for its end, once it was told to */

enum step {
    STEP_IMAGE, STEP_TURN, STEP_CREATE, STEP_RUNNER, STEP_ATTACH, STEP_START, STEP_RUNNING,
    STEP_POST_MORTEM, STEP_OVER,
};
enum stopping { STOP_NOT, STOP_STDIN_CLOSED, STOP_TERMINATED, STOP_KILLED };

struct backend_docker {
    struct backend b;
    struct ev_loop *loop;
    struct containers *containers;
    struct engine *engine;
    const struct plan *plan;          /* borrowed */
    char *runner;                     /* to be looked for; NULL = nothing to find out */
    struct strvec dirs;               /* where: the image's PATH */
    uint32_t noise;
    int name_tries;

    enum step step;
    enum stopping stopping;
    struct image_want *want;
    struct start_place place;         /* from before the create until it runs */
    struct runner_search *search;
    struct engine_request *request, *update;
    void (*updated)(void *ctx, const struct fault *f);
    bool update_late;                 /* the plan changed while the container was being created */
    struct stream *stream;
    bool started, stream_ended, died, examined;
    struct container_end seen;
    bool apart;                       /* as in the spec */
    bool spoke, init_failed;          /* see watch_init */
    ev_timer timer;
    double left_s;                    /* of the time for the start, while the timer stands still */
    struct run_end end;
};

void backend_docker_arm(struct backend_docker *d, double seconds);

/* It did not come to run, for f. The last event; the owner may free us in it. */
void backend_docker_fail(struct backend_docker *d, const struct fault *f);
/* Asked to stop before it ran: the end comes from the loop. */
void backend_docker_give_up(struct backend_docker *d);
/* Its output ended, or the engine says that it died: how? */
void backend_docker_examine(struct backend_docker *d);
/* After the stream, or a limit, has ended: over when the rest is in too. */
void backend_docker_check_over(struct backend_docker *d);
/* Without what still was to come. */
void backend_docker_examined(struct backend_docker *d);
void backend_docker_over(struct backend_docker *d);
void backend_docker_event(struct backend *b, const struct engine_event *e);

#endif
