/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run in a container, made through the engine: image (images.h brings it) → its turn → create →
 * [does the image have the runner? else again with a bootstrap] → attach → start → running → ended
 * → post-mortem. Knows the engine and the plan; nothing of states, retries or MCP.
 *
 *   want      the image, until it is here
 *   search    for the runner, in the container that was made and not started
 *   request   the one engine request whose reply the next step waits for
 *   update    a change of limits beside it
 *   timer     before it runs: how long the engine may take for the start, all steps together; it
 *             stands still during a pull and while other starts come first. stop: 2 s after stdin
 *             was closed → engine's stop; then
 *             the limit of each wait for the end
 *
 * An engine that never answers a create may still carry it out later: its container is known by the
 * name that we gave it (containers_abandon). */
#include "supervisor/backend_docker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/timer.h"

enum { STDIN_GRACE_S = 2, TERM_GRACE_S = 5, TERM_GRACE_MAX_S = 60, NAME_TRIES = 3 };

static void create(struct backend_docker *d);

void backend_docker_arm(struct backend_docker *d, double seconds)
{
    timer_arm(d->loop, &d->timer, seconds);
}

/* ---- its steps, and an engine that keeps one waiting ----------------------------------------- */

/* What the engine is asked in a step; NULL = its answer is not what is waited for. */
static const char *const asked[] = {
    [STEP_IMAGE] = "looking for the image",
    [STEP_TURN] = "other servers are started first",
    [STEP_CREATE] = "creating the container",
    [STEP_RUNNER] = "looking into the container",
    [STEP_ATTACH] = "attaching to the container",
    [STEP_START] = "starting the container",
    [STEP_OVER] = NULL,
};

/* The time for the start stands still. */
static void pause_time(struct backend_docker *d)
{
    if (ev_is_active(&d->timer))
        d->left_s = ev_timer_remaining(d->loop, &d->timer);
    ev_timer_stop(d->loop, &d->timer);
}

static void enter(struct backend_docker *d, enum step step)
{
    d->step = step;
    d->b.awaits = asked[step];
    d->b.awaits_since_ms = clock_mono_ms();
    if (!asked[step] || step == STEP_TURN)
        pause_time(d);
    else if (!ev_is_active(&d->timer))
        backend_docker_arm(d, d->left_s);
}

/* The engine answers nobody, or not this. */
static void too_slow(struct backend_docker *d)
{
    struct engine *e = d->engine;
    struct fault f;
    char span[32];
    bool down = engine_get_state(e) == ENGINE_DOWN;
    /* The cause comes first: a row of 80 columns shows no more of it. */
    fault_set(&f, down ? FAULT_ENGINE_DOWN : FAULT_TIMEOUT,
              "%s not answer: %s, and the start took over %s (the Docker engine at %s). See "
              "whether `docker ps` answers, restart the engine, or give it more time "
              "(isolation.timeout)", down ? "engine down: it does" : "engine does", asked[d->step],
              clock_span(d->plan->start_timeout_ms, span, sizeof span),
              engine_get_context(e)->host);
    d->end.engine_silent = true;
    if (d->step == STEP_CREATE)
        containers_abandon(d->containers, d->b.container_name);
    image_want_cancel(TAKE(d->want));
    runner_search_cancel(TAKE(d->search));
    backend_docker_fail(d, &f);
}

/* ---- the stream ------------------------------------------------------------------------------ */

/* The engine starts its own init (tini), so a program that the image lacks shows as 127 and
 * these words of init, not as a refused start. */
static void watch_init(struct backend_docker *d, const char *p, size_t n)
{
    static const char words[] = "[FATAL tini";
    if (n >= sizeof words - 1 && memmem(p, n, words, sizeof words - 1) && memmem(p, n, "exec ", 5))
        d->init_failed = true;
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct backend_docker *d = ctx;
    if (ch == STREAM_ERR && !d->spoke)
        watch_init(d, p, n);
    d->spoke = true;
    d->b.events.data(d->b.ctx, ch, p, n);
}

/* A refusal that blames a program is told from others (a device, a mount that is not there) by its
 * words alone: exec: "x": executable file not found in $PATH, exec: "/x": stat /x: no such file. */
static void tell_missing_program(struct fault *f)
{
    const char *exec = strstr(f->text, "exec: \"");
    if (exec && (strstr(exec, "executable file not found") ||
                 strstr(exec, "no such file or directory")))
        f->code = ENOENT;
}

static void on_stream_end(void *ctx, const struct fault *why)
{
    struct backend_docker *d = ctx;
    d->stream_ended = true;
    if (d->step == STEP_ATTACH) {
        struct fault f = why ? *why : FAULT_NONE;
        if (!why)
            fault_set(&f, EPIPE, "the engine closed the attached connection");
        else
            tell_missing_program(&f);      /* Podman prepares the program here */
        fault_wrap(&f, "attach to the container");
        backend_docker_fail(d, &f);
    } else if (d->step == STEP_RUNNING) {
        backend_docker_examine(d);
    } else if (d->step == STEP_POST_MORTEM) {
        backend_docker_check_over(d);
    }
}

/* ---- running --------------------------------------------------------------------------------- */

static void on_pid(void *ctx, json_t *reply, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->request = NULL;
    if (!f)
        d->b.pid = (pid_t)json_integer_value(json_object_get(json_object_get(reply, "State"),
                                                             "Pid"));
}

static void on_started(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    struct backend_docker *d = ctx;
    d->request = NULL;
    if (f) {
        struct fault why = *f;
        tell_missing_program(&why);
        fault_wrap(&why, "start in %s", d->plan->image);
        backend_docker_fail(d, &why);
        return;
    }
    enter(d, STEP_RUNNING);
    start_queue_leave(&d->place);
    d->started = true;
    backend_note(&d->b, "Docker isolation setup successful: container %s (%.12s), image %s",
         d->b.container_name, d->b.container_id, d->plan->image);
    d->b.events.up(d->b.ctx);
    if (d->died || d->stream_ended)
        backend_docker_examine(d);
    else if (d->step == STEP_RUNNING)
        d->request = engine_inspect(d->engine, d->b.container_id, on_pid, d);
}

static void on_attached(void *ctx)
{
    struct backend_docker *d = ctx;
    if (d->step != STEP_ATTACH)
        return;
    enter(d, STEP_START);
    d->request = engine_start(d->engine, d->b.container_id, on_started, d);
}

static void attach(struct backend_docker *d)
{
    static const struct stream_events events = { .data = on_data, .end = on_stream_end };
    enter(d, STEP_ATTACH);
    d->stream = engine_attach(d->engine, d->b.container_id, &events, on_attached, d);
    if (!d->stream) {
        struct fault f;
        fault_set(&f, FAULT_ENGINE_DOWN, "the engine cannot be reached");
        backend_docker_fail(d, &f);
    }
}

/* ---- does the image have the runner? --------------------------------------------------------- */

static void on_runner(void *ctx, bool present, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->search = NULL;
    if (f) {
        backend_docker_fail(d, f);
        return;
    }
    free(TAKE(d->runner));
    d->plan = d->b.events.runner(d->b.ctx, present);
    if (!d->plan->bootstrap) {
        attach(d);
        return;
    }
    engine_cancel(TAKE(d->update));
    containers_remove(d->containers, d->b.container_id);
    d->b.container_id[0] = '\0';
    create(d);
}

/* ---- create ---------------------------------------------------------------------------------- */

static void log_run_args(struct backend_docker *d, const struct plan_identity *id)
{
    AUTO_BUF struct buf line = BUF_INIT, fields = BUF_INIT;
    plan_run_args_text(d->plan, id, &line);
    buf_add_str(&fields, "{\"server\":");
    buf_add_json(&fields, d->plan->server, strlen(d->plan->server));
    buf_add_char(&fields, '}');
    log_write(LOG_INFO_, "docker", buf_str(&fields), "docker_run_args: %s", buf_str(&line));
}

static void on_updated(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    struct backend_docker *d = ctx;
    d->update = NULL;
    if (d->updated)
        d->updated(d->b.ctx, f);
}

static void send_update(struct backend_docker *d)
{
    engine_cancel(d->update);
    d->update_late = false;
    d->update = engine_update(d->engine, d->b.container_id, plan_update_json(d->plan), on_updated,
                              d);
}

static void on_created(void *ctx, json_t *reply, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->request = NULL;
    if (f && f->code == FAULT_CONFLICT && ++d->name_tries < NAME_TRIES && !d->stopping) {
        create(d);
        return;
    }
    if (f) {
        struct fault why = *f;
        if (f->code == FAULT_TIMEOUT || f->code == FAULT_ENGINE_DOWN)
            containers_abandon(d->containers, d->b.container_name);
        fault_wrap(&why, "create a container from %s", d->plan->image);
        backend_docker_fail(d, &why);
        return;
    }
    const char *id = json_string_value(json_object_get(reply, "Id"));
    snprintf(d->b.container_id, sizeof d->b.container_id, "%s", id ? id : "");
    if (d->stopping) {
        backend_docker_give_up(d);
        return;
    }
    if (d->update_late)
        send_update(d);
    if (!d->runner) {
        attach(d);
        return;
    }
    enter(d, STEP_RUNNER);
    d->search = runner_search_begin(d->engine, d->b.container_id, d->runner, &d->dirs,
                                    on_runner, d);
}

static void create(struct backend_docker *d)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    char random4[5] = "";
    for (int i = 0; i < 4; i++, d->noise = d->noise * 1664525u + 1013904223u)
        random4[i] = letters[(d->noise >> 16) % (sizeof letters - 1)];
    AUTO_FREE char *name = plan_container_name(d->plan->server, random4);
    snprintf(d->b.container_name, sizeof d->b.container_name, "%s", name);
    struct plan_identity id = { containers_get_instance(d->containers), d->b.container_name };
    enter(d, STEP_CREATE);
    d->update_late = false;
    if (d->b.events.creating)
        d->b.events.creating(d->b.ctx);
    log_run_args(d, &id);
    d->request = engine_create(d->engine, d->b.container_name,
                               plan_option(d->plan, "platform"), plan_create_json(d->plan, &id),
                               on_created, d);
}

static void on_turn(void *ctx)
{
    create(ctx);
}

/* ---- image ----------------------------------------------------------------------------------- */

static void on_image_note(void *ctx, const char *text)
{
    struct backend_docker *d = ctx;
    d->b.events.note(d->b.ctx, text);
}

static void on_image_pulling(void *ctx, bool under_way)
{
    struct backend_docker *d = ctx;
    if (under_way) {
        d->b.awaits = NULL;
        pause_time(d);
    } else {
        enter(d, STEP_IMAGE);
    }
    d->b.events.pulling(d->b.ctx, under_way);
}

static void on_image(void *ctx, json_t *image, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->want = NULL;
    if (f && f->code == FAULT_TIMEOUT && d->b.awaits) {
        too_slow(d);
        return;
    }
    if (f) {
        if (f->code == FAULT_CONFIG)
            backend_note(&d->b, "%s", f->text);
        else
            backend_note(&d->b, "pull of image %s failed: %s", d->plan->image, f->text);
        d->end.no_image = true;
        backend_docker_fail(d, f);
        return;
    }
    images_search_path(image, &d->dirs);
    enter(d, STEP_TURN);
    start_queue_enter(containers_get_starts(d->containers), &d->place, on_turn, d);
}

static void want_image(struct backend_docker *d, struct images *images)
{
    static const struct image_want_events events = {
        .pulling = on_image_pulling, .note = on_image_note, .done = on_image };
    struct image_spec spec = { d->plan->image, plan_option(d->plan, "platform"),
                               d->plan->pull_policy, d->plan->pull_key };
    enter(d, STEP_IMAGE);
    d->want = images_want(images, &spec, &events, d);
}

/* ---- stopping -------------------------------------------------------------------------------- */

/* Stop and kill need no reply: the end shows by the event and the stream. */
static void on_told(void *ctx, json_t *reply, const struct fault *f)
{
    (void)reply;
    (void)f;
    struct backend_docker *d = ctx;
    d->request = NULL;
}

/* A server's own --stop-timeout, within reason. */
static int term_grace_s(const struct plan *p)
{
    const char *own = plan_option(p, "stop-timeout");
    long s = own ? strtol(own, NULL, 10) : TERM_GRACE_S;
    return s < 0 || s > TERM_GRACE_MAX_S ? TERM_GRACE_MAX_S : (int)s;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct backend_docker *d = w->data;
    ev_timer_stop(loop, w);
    if (d->step == STEP_POST_MORTEM && d->died && !d->examined) {
        backend_docker_examined(d);
    } else if (d->step == STEP_POST_MORTEM) {
        backend_docker_over(d);
    } else if (d->step < STEP_RUNNING && !d->stopping) {
        too_slow(d);
    } else if (d->step == STEP_CREATE) {
        containers_abandon(d->containers, d->b.container_name);
        backend_docker_give_up(d);
    } else if (d->stopping == STOP_STDIN_CLOSED) {
        d->stopping = STOP_TERMINATED;
        engine_cancel(d->request);
        int grace_s = term_grace_s(d->plan);
        d->request = engine_stop(d->engine, d->b.container_id, grace_s, on_told, d);
        backend_docker_arm(d, grace_s + END_LIMIT_S);
    } else {
        /* The engine neither stopped nor killed it in time. */
        backend_note(&d->b, "the container did not end in time: it is removed by force");
        d->end.code = 137;
        backend_docker_over(d);
    }
}

static void docker_stop(struct backend *b)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (d->stopping || d->step >= STEP_POST_MORTEM)
        return;
    d->stopping = STOP_STDIN_CLOSED;
    if (d->step == STEP_CREATE) {
        /* Its id comes with the reply: on_created goes on. An engine that hangs has 2 s. */
        backend_docker_arm(d, STDIN_GRACE_S);
        return;
    }
    if (d->step < STEP_RUNNING) {
        backend_docker_give_up(d);
        return;
    }
    stream_close_input(d->stream);
    backend_docker_arm(d, STDIN_GRACE_S);
}

static void docker_kill(struct backend *b)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (d->step >= STEP_POST_MORTEM)
        return;
    if (d->step < STEP_RUNNING) {
        docker_stop(b);
        return;
    }
    d->stopping = STOP_KILLED;
    engine_cancel(d->request);
    d->request = engine_kill(d->engine, d->b.container_id, "KILL", on_told, d);
    backend_docker_arm(d, END_LIMIT_S);
}

/* ---- the rest of the operations -------------------------------------------------------------- */

static int docker_writev(struct backend *b, const struct iovec *iov, int count, struct fault *f)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (d->step != STEP_RUNNING || d->stopping)
        return fault_set(f, EPIPE, "its container is not running");
    return stream_writev(d->stream, iov, count, f);
}

static void docker_update(struct backend *b, const struct plan *p,
                          void (*done)(void *ctx, const struct fault *f))
{
    struct backend_docker *d = (struct backend_docker *)b;
    d->plan = p;
    d->updated = done;
    if (d->stopping || d->step >= STEP_POST_MORTEM)
        return;     /* it is on its way out */
    if (*d->b.container_id)
        send_update(d);
    else            /* else it will be created by the new plan */
        d->update_late = d->step == STEP_CREATE;
}

static void docker_free(struct backend *b)
{
    struct backend_docker *d = (struct backend_docker *)b;
    start_queue_leave(&d->place);
    ev_timer_stop(d->loop, &d->timer);
    image_want_cancel(d->want);
    runner_search_cancel(d->search);
    engine_cancel(d->request);
    engine_cancel(d->update);
    stream_free(d->stream);
    if (d->step == STEP_CREATE)
        containers_abandon(d->containers, d->b.container_name);
    else if (d->step != STEP_OVER)
        containers_remove(d->containers, d->b.container_id);
    strvec_fini(&d->dirs);
    free(d->runner);
    free(d);
}

static const struct backend_ops docker_ops = {
    .writev = docker_writev,
    .stop = docker_stop,
    .kill = docker_kill,
    .update = docker_update,
    .engine_event = backend_docker_event,
    .free = docker_free,
};

struct backend *backend_docker_new(const struct backend_spec *spec)
{
    struct backend_docker *d = xcalloc(1, sizeof *d);
    d->b = (struct backend){ .ops = &docker_ops, .events = spec->events, .ctx = spec->ctx };
    d->loop = spec->loop;
    d->containers = spec->containers;
    d->engine = containers_get_engine(spec->containers);
    d->plan = spec->plan;
    d->apart = spec->apart;
    d->end.code = -1;
    d->left_s = (double)spec->plan->start_timeout_ms / 1e3;
    d->runner = xstrdup(spec->check_runner);
    for (const char *p = spec->run_id; *p; p++)
        d->noise = d->noise * 31 + (unsigned char)*p;
    ev_timer_init(&d->timer, on_timer, 0., 0.);
    d->timer.data = d;
    want_image(d, spec->images);
    return &d->b;
}
