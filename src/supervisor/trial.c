/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One trial: a backend and a session of its own, driven by their events through the steps.
 *
 *   over    tells the end from the loop: an event of the session or backend may be under way
 *
 * A step that fails ends the run; what was found out about the image (its runner) stays the
 * trial's own. */
#include "supervisor/trial.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/lines.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "supervisor/fleet_private.h"
#include "supervisor/server_private.h"

enum { SAID_MAX = 20, STRAYS_MAX = 5, LINE_BYTES_MAX = 2000 };

struct trial {
    struct fleet *fleet;
    char *server;
    struct plan *plan, *old_plan;    /* old: before what was learned about the image */
    struct config_server *config;    /* borrowed from the fleet's; only while beginning */
    struct backend *backend;
    struct session *session;
    struct buf request;              /* empty: none */
    bool feeding, stopping;
    int writes;                      /* messages sent: the second says that initialize is done */
    enum trial_step_id step;
    int64_t step_ns;                 /* when it began; monotonic */
    struct lines lines;
    struct trial_result result;
    char run_id[80];
    ev_timer over;
    trial_done_fn done;              /* NULL: cancelled */
    void *ctx;
    struct trial *next;
};

const char *trial_step_name(enum trial_step_id id)
{
    static const char *const names[TRIAL_STEPS] = {
        [TRIAL_IMAGE] = "image", [TRIAL_START] = "start", [TRIAL_INITIALIZE] = "initialize",
        [TRIAL_TOOLS] = "tools", [TRIAL_CALL] = "call", [TRIAL_STOP] = "stop",
    };
    return names[id];
}

/* ---- steps ---------------------------------------------------------------------------------- */

static void end_step(struct trial *t, bool ok, const char *text)
{
    struct trial_step *s = &t->result.steps[t->step];
    int64_t now = clock_mono_ns();
    if (s->reached)
        return;
    *s = (struct trial_step){ true, ok, (now - t->step_ns) / 1000, xstrdup(text) };
    t->step_ns = now;
}

__attribute__((format(printf, 2, 3)))
static void pass(struct trial *t, const char *fmt, ...)
{
    struct buf b = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&b, fmt, ap);
    va_end(ap);
    end_step(t, true, buf_str(&b));
    buf_fini(&b);
    if (t->step < TRIAL_STOP)
        t->step++;
}

/* Ends what runs; `over` of the backend follows. */
static void stop(struct trial *t)
{
    t->stopping = true;
    t->step = TRIAL_STOP;
    t->step_ns = clock_mono_ns();
    t->feeding = false;
    if (t->backend)
        t->backend->ops->stop(t->backend);
}

static void fail(struct trial *t, const char *why)
{
    if (t->stopping)
        return;
    end_step(t, false, why);
    t->result.ok = false;
    stop(t);
}

/* ---- the session
 * ------------------------------------------------------------------------------ */

static int on_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    struct trial *t = ctx;
    if (!t->feeding)
        return fault_set(f, EPIPE, "it is not running");
    /* After its answer `initialized` is sent, then the tools are asked for. */
    if (++t->writes == 2 && t->step == TRIAL_INITIALIZE)
        pass(t, "%s %s, MCP %s", session_get_server_name(t->session),
             session_get_server_version(t->session), session_get_protocol(t->session));
    return t->backend->ops->writev(t->backend, iov, count, f);
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct trial *t = ctx;
    for (int i = 0; i < count; i++)
        buf_add(&t->result.answer, iov[i].iov_base, iov[i].iov_len);
    t->result.answer_is_error = is_error;
    if (t->stopping)
        return;
    pass(t, "answered%s with %zu bytes", is_error ? " by an error," : "", t->result.answer.len);
    stop(t);
}

/* Its client is closed with the session. */
static void send_request(struct trial *t)
{
    struct client *c = client_open(t->session, "test", NULL, NULL);
    struct envelope e;
    struct fault f = FAULT_NONE;
    if (envelope_scan(buf_str(&t->request), t->request.len, &e, &f) < 0)
        fail(t, f.text);
    else
        client_send(c, &e, on_reply, t);
}

static void on_phase(void *ctx, enum session_phase phase, const char *why)
{
    struct trial *t = ctx;
    (void)why;
    if (phase != SESSION_READY || !t->feeding)
        return;
    int n = session_get_tool_count(t->session);
    pass(t, "%d tool%s", n < 0 ? 0 : n, n == 1 ? "" : "s");
    if (t->request.len)
        send_request(t);
    else
        stop(t);
}

static void on_handshake_failed(void *ctx, const struct fault *why)
{
    struct trial *t = ctx;
    if (!t->stopping)
        t->result.trouble = why->code == FAULT_TIMEOUT ? TROUBLE_START_TIMEOUT : TROUBLE_HANDSHAKE;
    fail(t, why->text);
}

static void keep_line(struct strvec *v, size_t max, bool last, const char *p, size_t n)
{
    struct buf b = BUF_INIT;
    text_clean_plain(&b, p, n < LINE_BYTES_MAX ? n : LINE_BYTES_MAX);
    if (!last && v->n >= max) {
        buf_fini(&b);
        return;
    }
    if (v->n >= max) {
        free(v->v[0]);
        memmove(v->v, v->v + 1, v->n * sizeof *v->v);     /* its NULL with it */
        v->n--;
    }
    strvec_give(v, buf_take(&b));
}

static void on_stray(void *ctx, const char *p, size_t n, unsigned flags, const char *why)
{
    struct trial *t = ctx;
    (void)why;
    if (!(flags & LINE_CONT))
        keep_line(&t->result.strays, STRAYS_MAX, false, p, n);
}

static void on_catalogue(void *ctx)
{
    (void)ctx;
}

/* ---- the run
 * ----------------------------------------------------------------------------------- */

static const struct plan *on_runner(void *ctx, bool present)
{
    struct trial *t = ctx;
    const struct config_server *c = config_find(t->fleet->config, t->server);
    if (!c)
        return t->plan;
    t->old_plan = t->plan;
    t->plan = plan_make(t->fleet->config, c, present ? RUNNER_PRESENT : RUNNER_MISSING, NULL);
    return t->plan;
}

static void on_up(void *ctx)
{
    struct trial *t = ctx;
    if (t->stopping)
        return;
    if (t->plan->mode == PLAN_DOCKER) {
        t->step = TRIAL_START;
        pass(t, "container %s, network %s", t->backend->container_name, t->plan->network_mode);
    } else {
        pass(t, "pid %ld", (long)t->backend->pid);
    }
    t->feeding = true;
    session_up(t->session);
}

static void on_pulling(void *ctx, bool under_way)
{
    struct trial *t = ctx;
    if (!under_way && t->step == TRIAL_IMAGE && !t->stopping)
        pass(t, "%s, pulled", t->plan->image);
}

static void on_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    struct trial *t = ctx;
    (void)flags;
    keep_line(&t->result.said, SAID_MAX, true, p, n);
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct trial *t = ctx;
    if (ch == STREAM_ERR)
        lines_feed(&t->lines, p, n, on_line, t);
    else if (t->feeding)
        session_feed(t->session, p, n);
}

static void on_creating(void *ctx)
{
    struct trial *t = ctx;
    if (t->step == TRIAL_IMAGE && !t->stopping)
        pass(t, "%s", t->plan->image);
}

static void on_note(void *ctx, const char *text)
{
    (void)ctx;
    (void)text;
}

static void on_over(void *ctx, const struct run_end *end)
{
    struct trial *t = ctx;
    struct backend *b = t->backend;
    const struct server *s = fleet_find(t->fleet, t->server);
    char how[512] = "it ended";
    lines_end(&t->lines, on_line, t);
    t->result.end = *end;
    if (s)
        server_run_describe(s, end, how, sizeof how);
    if (t->stopping) {
        end_step(t, true, "");
    } else {
        end_step(t, false, how);
        t->result.ok = false;
    }
    t->stopping = true;
    t->feeding = false;
    t->backend = NULL;
    b->ops->free(b);
    ev_timer_start(t->fleet->loop, &t->over);
}

/* ---- life
 * -------------------------------------------------------------------------------------- */

static void trial_free(struct trial *t)
{
    for (struct trial **p = &t->fleet->trials; *p; p = &(*p)->next)
        if (*p == t) {
            *p = t->next;
            break;
        }
    ev_timer_stop(t->fleet->loop, &t->over);
    if (t->backend)
        t->backend->ops->free(t->backend);
    session_free(t->session);
    buf_fini(&t->request);
    buf_fini(&t->result.answer);
    lines_fini(&t->lines);
    plan_free(t->plan);
    plan_free(t->old_plan);
    for (size_t i = 0; i < TRIAL_STEPS; i++)
        free(t->result.steps[i].text);
    strvec_fini(&t->result.said);
    strvec_fini(&t->result.strays);
    free(t->server);
    free(t);
}

static void hide_secrets(struct trial *t)
{
    AUTO_STRVEC struct strvec values = { 0 };
    secret_know_env(&t->plan->env, &values);
    secret_know_env(&t->plan->container_env, &values);
    for (size_t i = 0; i < TRIAL_STEPS; i++)
        secret_mask_known_in(&t->result.steps[i].text, &values);
    for (size_t i = 0; i < t->result.said.n; i++)
        secret_mask_known_in(&t->result.said.v[i], &values);
    for (size_t i = 0; i < t->result.strays.n; i++)
        secret_mask_known_in(&t->result.strays.v[i], &values);
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct trial *t = w->data;
    (void)revents;
    ev_timer_stop(loop, w);
    if (t->done) {
        hide_secrets(t);
        t->result.plan = t->plan;
        t->done(t->ctx, &t->result);
    }
    trial_free(t);
}

void trial_cancel(struct trial *t)
{
    t->done = NULL;
    trial_free(t);
}

static int check(const struct fleet *fl, const struct server *s, struct fault *f)
{
    if (fl->stopping)
        return fault_set(f, FAULT_CONFLICT, "mcptop is stopping");
    if (s->plan->mode == PLAN_UNSUPPORTED)
        return fault_set(f, FAULT_CONFLICT, "%s", s->plan->unsupported);
    if (s->plan->mode == PLAN_DOCKER &&
        containers_get_state(fl->containers) != CONTAINERS_READY)
        return fault_set(f, FAULT_ENGINE_DOWN, "engine down: %s",
                         containers_get_error(fl->containers));
    for (const struct trial *t = fl->trials; t; t = t->next)
        if (strcmp(t->server, s->name) == 0)
            return fault_set(f, FAULT_CONFLICT, "a test of %s is under way already", s->name);
    return 0;
}

static void begin(struct trial *t, const struct server *s)
{
    static const struct session_events session_events = {
        .write = on_write, .phase = on_phase, .handshake_failed = on_handshake_failed,
        .stray = on_stray, .catalogue = on_catalogue,
    };
    static const struct backend_events events = {
        .runner = on_runner, .creating = on_creating, .up = on_up, .pulling = on_pulling,
        .data = on_data, .note = on_note, .over = on_over,
    };
    struct session_config cfg = { .server = t->server, .ping_interval_ms = -1,
                                  .init_timeout_ms = server_init_timeout_ms(s),
                                  .call_timeout_ms = server_call_timeout_ms(s),
                                  .max_message_bytes = fleet_get_max_message(s->fleet) };
    t->session = session_new(t->fleet->loop, &cfg, &session_events, t);
    struct backend_spec spec = {
        .loop = t->fleet->loop, .plan = t->plan, .run_id = t->run_id, .apart = true,
        .containers = t->fleet->containers, .images = t->fleet->images,
        .check_runner = server_runner_to_check(s),
        .events = events, .ctx = t,
    };
    t->backend = t->fleet->backend(&spec);
}

struct trial *trial_new(struct fleet *fl, const struct server *s, struct span request,
                        trial_done_fn done, void *ctx, struct fault *f)
{
    if (check(fl, s, f) < 0)
        return NULL;
    struct trial *t = xcalloc(1, sizeof *t);
    t->fleet = fl;
    t->server = xstrdup(s->name);
    t->plan = plan_make(fl->config, s->config, s->runner, NULL);
    buf_add(&t->request, request.p, request.n);
    t->done = done;
    t->ctx = ctx;
    t->result = (struct trial_result){ .server = t->server, .mode = t->plan->mode, .ok = true };
    t->step = t->plan->mode == PLAN_DOCKER ? TRIAL_IMAGE : TRIAL_START;
    t->step_ns = clock_mono_ns();
    lines_init(&t->lines, LINE_BYTES_MAX, LINES_SPLIT);
    ev_timer_init(&t->over, on_end, 0., 0.);
    t->over.data = t;
    snprintf(t->run_id, sizeof t->run_id, "%s.%08x%08x%08x", fl->instance, fleet_random(fl),
             fleet_random(fl), fleet_random(fl));
    t->next = fl->trials;
    fl->trials = t;
    begin(t, s);
    return t;
}

bool trial_uses(const struct fleet *fl, const char *container_id, const char *container_name)
{
    for (const struct trial *t = fl->trials; t; t = t->next)
        if (t->backend && backend_is_in(t->backend, container_id, container_name))
            return true;
    return false;
}

void trial_engine_event(struct fleet *fl, const struct engine_event *e)
{
    for (struct trial *t = fl->trials; t; t = t->next)
        if (t->backend && strcmp(t->backend->container_id, e->id) == 0 &&
            t->backend->ops->engine_event) {
            t->backend->ops->engine_event(t->backend, e);
            return;
        }
}

void trial_end_all(struct fleet *fl)
{
    while (fl->trials) {
        struct trial *t = fl->trials;
        end_step(t, false, "mcptop is stopping");
        t->result.ok = false;
        hide_secrets(t);
        t->result.plan = t->plan;
        if (t->done)
            t->done(t->ctx, &t->result);
        trial_free(t);
    }
}
