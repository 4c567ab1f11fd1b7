/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run in a container, made through the engine: image (images.h brings it) → create → [does the
 * image have the runner? else again with a bootstrap] → attach → start → running → ended →
 * post-mortem. Knows the engine and the plan; nothing of states, retries or MCP.
 *
 *   want      the image, until it is here
 *   search    for the runner, in the container that was made and not started
 *   request   the one engine request whose reply the next step waits for
 *   update    a change of limits beside it
 *   timer     stop: 2 s after stdin was closed → engine's stop; then the limit of each wait for
 *             the end
 *
 * The end is known from two sides, the `die` event and the end of the attached stream, in either
 * order. How it ended, `die` and an `oom` before it tell at once; an inspection, which the
 * engine answers only when it has taken the container apart (50 to 250 ms), is waited for where
 * they leave something open. */
#include "supervisor/backend.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "supervisor/container_end.h"
#include "supervisor/containers.h"
#include "supervisor/images.h"
#include "supervisor/runner_search.h"

enum {
    STDIN_GRACE_S = 2, TERM_GRACE_S = 5, TERM_GRACE_MAX_S = 60, END_LIMIT_S = 5,
    OUTPUT_GRACE_S = 1, NAME_TRIES = 3,
};
#define VERDICT_S .02    /* of an engine that sends no `oom`, whether it was one */

enum step {
    STEP_IMAGE, STEP_CREATE, STEP_RUNNER, STEP_ATTACH, STEP_START, STEP_RUNNING,
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
    struct run_end end;
};

static void create(struct backend_docker *d);

static void arm(struct backend_docker *d, double seconds)
{
    ev_timer_stop(d->loop, &d->timer);
    ev_timer_set(&d->timer, seconds, 0.);
    ev_timer_start(d->loop, &d->timer);
}

/* ---- the end --------------------------------------------------------------------------------- */

/* For a look at how it failed. */
static bool is_worth_keeping(const struct backend_docker *d)
{
    bool failed = !d->stopping && (d->end.code > 0 || d->end.oom);
    return failed && d->started && !d->apart && d->end.why.code != FAULT_ENGINE_DOWN;
}

/* An engine that is told to stop closes its door, then ends all containers: whatever such an end
 * looks like, the server is not to blame for it. */
static void blame_engine(struct backend_docker *d)
{
    if (d->started && !d->stopping && !d->end.why.code && !d->end.oom &&
        engine_look(d->engine, &d->end.why) < 0)
        fault_wrap(&d->end.why, "engine down");
}

/* The last event; the owner may free us in it. */
static void tell_over(struct backend_docker *d)
{
    assert(d->step != STEP_OVER);
    d->step = STEP_OVER;
    if (d->init_failed && (d->end.code == 126 || d->end.code == 127)) {
        d->end.never_started = true;
        fault_set(&d->end.why, d->end.code == 127 ? ENOENT : EACCES, "image %s cannot run \"%s\"",
                  d->plan->image, d->plan->argv.n ? d->plan->argv.v[0] : "its own command");
    }
    blame_engine(d);
    ev_timer_stop(d->loop, &d->timer);
    engine_cancel(TAKE(d->request));
    engine_cancel(TAKE(d->update));
    if (*d->b.container_id && is_worth_keeping(d))
        containers_keep(d->containers, d->plan->server, d->b.container_id);
    else if (*d->b.container_id)
        containers_remove(d->containers, d->b.container_id);
    if (!d->end.at_wall_ms)
        d->end.at_wall_ms = clock_wall_ms();
    d->b.events.over(d->b.ctx, &d->end);
}

/* It did not come to run. */
static void fail(struct backend_docker *d, const struct fault *f)
{
    d->end.never_started = true;
    d->end.why = *f;
    if (f->code == FAULT_ENGINE_DOWN && strncmp(f->text, "engine down", 11) != 0)
        fault_wrap(&d->end.why, "engine down");
    tell_over(d);
}

/* Asked to stop before it ran: the end comes from the loop. */
static void give_up(struct backend_docker *d)
{
    image_want_cancel(TAKE(d->want));
    runner_search_cancel(TAKE(d->search));
    engine_cancel(TAKE(d->request));
    d->end.never_started = true;
    fault_set(&d->end.why, FAULT_CONFLICT, "stopped before it ran");
    d->step = STEP_POST_MORTEM;
    d->died = d->examined = d->stream_ended = true;
    arm(d, 0.);
}

static void check_over(struct backend_docker *d)
{
    if (d->examined && d->stream_ended)
        tell_over(d);
    else if (d->examined)
        arm(d, OUTPUT_GRACE_S);
}

static void on_post_mortem(void *ctx, json_t *reply, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->request = NULL;
    json_t *state = json_object_get(reply, "State");
    if (f && f->code == FAULT_ENGINE_DOWN && !d->died) {
        d->end.why = *f;
        fault_wrap(&d->end.why, "engine down");
        d->stream_ended = true;
    } else if (!f && json_is_true(json_object_get(state, "Running")) && !d->died) {
        /* The stream broke, the container lives on: of no use without its stdin. */
        backend_note(&d->b, "the connection to the container broke: it is killed");
        d->step = STEP_RUNNING;
        containers_remove(d->containers, d->b.container_id);
        fault_set(&d->end.why, EPIPE, "the connection to the container broke");
        d->died = true;
    } else if (!f) {
        container_end_set(&d->seen, (int)json_integer_value(json_object_get(state, "ExitCode")),
                          json_is_true(json_object_get(state, "OOMKilled")), &d->end);
    } else if (!d->died) {
        fault_set(&d->end.why, f->code, "its container is gone: %s", f->text);
    }
    d->examined = true;
    check_over(d);
}

static void examined(struct backend_docker *d)
{
    engine_cancel(TAKE(d->request));
    d->examined = true;
    check_over(d);
}

/* How long an answer is worth waiting for. */
static double post_mortem_limit_s(const struct backend_docker *d)
{
    if (!d->died || d->end.code < 0)
        return END_LIMIT_S;
    return d->end.code == 137 && !d->end.oom && !d->end.engine_signal ? VERDICT_S : 0.;
}

static void examine(struct backend_docker *d)
{
    if (d->step == STEP_RUNNING) {
        d->step = STEP_POST_MORTEM;
        engine_cancel(d->request);     /* the inspection for the pid, if it still runs */
        d->request = engine_inspect(d->engine, d->b.container_id, on_post_mortem, d);
    }
    if (d->step == STEP_POST_MORTEM && !d->examined)
        arm(d, post_mortem_limit_s(d));
}

static void docker_engine_event(struct backend *b, const struct engine_event *e)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (!d->died)
        container_end_event(&d->seen, e, d->stopping);
    if (strcmp(e->action, "die") != 0 || d->step < STEP_START || d->step >= STEP_OVER || d->died)
        return;
    d->died = true;
    container_end_set(&d->seen, e->exit_code, d->seen.oom, &d->end);
    d->end.at_wall_ms = clock_wall_ms();
    examine(d);                    /* while it is being started: once the start was answered */
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

static void on_stream_end(void *ctx, const struct fault *why)
{
    struct backend_docker *d = ctx;
    d->stream_ended = true;
    if (d->step == STEP_ATTACH) {
        struct fault f = why ? *why : FAULT_NONE;
        if (!why)
            fault_set(&f, EPIPE, "the engine closed the attached connection");
        fault_wrap(&f, "attach to the container");
        fail(d, &f);
    } else if (d->step == STEP_RUNNING) {
        examine(d);
    } else if (d->step == STEP_POST_MORTEM) {
        check_over(d);
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
        if (strstr(f->text, "executable file not found") ||
            strstr(f->text, "no such file or directory"))
            why.code = ENOENT;
        fault_wrap(&why, "start in %s", d->plan->image);
        fail(d, &why);
        return;
    }
    d->step = STEP_RUNNING;
    d->started = true;
    backend_note(&d->b, "Docker isolation setup successful: container %s (%.12s), image %s",
         d->b.container_name, d->b.container_id, d->plan->image);
    d->b.events.up(d->b.ctx);
    if (d->died || d->stream_ended)
        examine(d);
    else if (d->step == STEP_RUNNING)
        d->request = engine_inspect(d->engine, d->b.container_id, on_pid, d);
}

static void on_attached(void *ctx)
{
    struct backend_docker *d = ctx;
    if (d->step != STEP_ATTACH)
        return;
    d->step = STEP_START;
    d->request = engine_start(d->engine, d->b.container_id, on_started, d);
}

static void attach(struct backend_docker *d)
{
    static const struct stream_events events = { .data = on_data, .end = on_stream_end };
    d->step = STEP_ATTACH;
    d->stream = engine_attach(d->engine, d->b.container_id, &events, on_attached, d);
    if (!d->stream) {
        struct fault f;
        fault_set(&f, FAULT_ENGINE_DOWN, "the engine cannot be reached");
        fail(d, &f);
    }
}

/* ---- does the image have the runner? --------------------------------------------------------- */

static void on_runner(void *ctx, bool present, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->search = NULL;
    if (f) {
        fail(d, f);
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
        fault_wrap(&why, "create a container from %s", d->plan->image);
        fail(d, &why);
        return;
    }
    const char *id = json_string_value(json_object_get(reply, "Id"));
    snprintf(d->b.container_id, sizeof d->b.container_id, "%s", id ? id : "");
    if (d->stopping) {
        give_up(d);
        return;
    }
    if (d->update_late)
        send_update(d);
    if (!d->runner) {
        attach(d);
        return;
    }
    d->step = STEP_RUNNER;
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
    d->step = STEP_CREATE;
    d->update_late = false;
    if (d->b.events.creating)
        d->b.events.creating(d->b.ctx);
    log_run_args(d, &id);
    d->request = engine_create(d->engine, d->b.container_name,
                               plan_option(d->plan, "platform"), plan_create_json(d->plan, &id),
                               on_created, d);
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
    d->b.events.pulling(d->b.ctx, under_way);
}

static void on_image(void *ctx, json_t *image, const struct fault *f)
{
    struct backend_docker *d = ctx;
    d->want = NULL;
    if (f) {
        if (f->code == FAULT_CONFIG)
            backend_note(&d->b, "%s", f->text);
        else
            backend_note(&d->b, "pull of image %s failed: %s", d->plan->image, f->text);
        d->end.no_image = true;
        fail(d, f);
        return;
    }
    images_search_path(image, &d->dirs);
    create(d);
}

static void want_image(struct backend_docker *d, struct images *images)
{
    static const struct image_want_events events = {
        .pulling = on_image_pulling, .note = on_image_note, .done = on_image };
    struct image_spec spec = { d->plan->image, plan_option(d->plan, "platform"),
                               d->plan->pull_policy, d->plan->pull_key };
    d->step = STEP_IMAGE;
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
        examined(d);
    } else if (d->step == STEP_POST_MORTEM) {
        tell_over(d);
    } else if (d->stopping == STOP_STDIN_CLOSED) {
        d->stopping = STOP_TERMINATED;
        engine_cancel(d->request);
        int grace_s = term_grace_s(d->plan);
        d->request = engine_stop(d->engine, d->b.container_id, grace_s, on_told, d);
        arm(d, grace_s + END_LIMIT_S);
    } else {
        /* The engine neither stopped nor killed it in time. */
        backend_note(&d->b, "the container did not end in time: it is removed by force");
        d->end.code = 137;
        tell_over(d);
    }
}

static void docker_stop(struct backend *b)
{
    struct backend_docker *d = (struct backend_docker *)b;
    if (d->stopping || d->step >= STEP_POST_MORTEM)
        return;
    d->stopping = STOP_STDIN_CLOSED;
    if (d->step == STEP_CREATE)
        return;                 /* whose id comes with the reply: on_created goes on */
    if (d->step < STEP_RUNNING) {
        give_up(d);
        return;
    }
    stream_close_input(d->stream);
    arm(d, STDIN_GRACE_S);
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
    arm(d, END_LIMIT_S);
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
    ev_timer_stop(d->loop, &d->timer);
    image_want_cancel(d->want);
    runner_search_cancel(d->search);
    engine_cancel(d->request);
    engine_cancel(d->update);
    stream_free(d->stream);
    const char *made = *d->b.container_id ? d->b.container_id
        : d->step == STEP_CREATE          ? d->b.container_name : "";
    if (d->step != STEP_OVER)
        containers_remove(d->containers, made);
    strvec_fini(&d->dirs);
    free(d->runner);
    free(d);
}

static const struct backend_ops docker_ops = {
    .writev = docker_writev,
    .stop = docker_stop,
    .kill = docker_kill,
    .update = docker_update,
    .engine_event = docker_engine_event,
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
    d->runner = xstrdup(spec->check_runner);
    for (const char *p = spec->run_id; *p; p++)
        d->noise = d->noise * 31 + (unsigned char)*p;
    ev_timer_init(&d->timer, on_timer, 0., 0.);
    d->timer.data = d;
    want_image(d, spec->images);
    return &d->b;
}
