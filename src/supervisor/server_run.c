/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run of a server: makes the backend, ties it to the log and the MCP session, and turns what
 * happens there into events of the state machine (server.c). Decides nothing about states or
 * retries. */
#include "supervisor/server_private.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "supervisor/chatter.h"
#include "supervisor/fleet_private.h"
#include "supervisor/tool_store.h"

enum { FETCH_MS = 120 * 1000, DEFAULT_INIT_MS = 30 * 1000, LAST_WORDS_COLUMNS = 200 };

/* ---- session -------------------------------------------------------------------- */

static int on_session_write(void *ctx, const struct iovec *iov, int count, struct fault *f)
{
    struct server *s = ctx;
    if (!s->backend || !s->p->feeding)
        return fault_set(f, EPIPE, "server %s is not running", s->name);
    return s->backend->ops->writev(s->backend, iov, count, f);
}

static void on_session_phase(void *ctx, enum session_phase phase, const char *why)
{
    struct server *s = ctx;
    if (!s->p->feeding)
        return;
    if (phase == SESSION_READY) {
        server_fire(s, EV_READY);
    } else if (phase == SESSION_SILENT) {
        server_set_cause(s, "protocol silent%s%s", why ? ": " : "", why ? why : "");
        server_fire(s, EV_SILENT);
    }
}

/* These fetch a package before they run it: a first start takes as long as the network does. */
static bool fetches_first(const struct server *s)
{
    static const char *const runners[] = { "npx", "pnpx", "bunx", "uvx", "pipx" };
    const char *command = s->plan->argv.n ? s->plan->argv.v[0] : "", *slash = strrchr(command, '/');
    for (size_t i = 0; i < ARRAY_LEN(runners); i++)
        if (strcmp(slash ? slash + 1 : command, runners[i]) == 0)
            return true;
    return false;
}

/* The user's word for this server counts. Where he says nothing, a start that has to fetch first is
 * given more, whatever is said of containers as such (the guide says 30 s to everybody): one that
 * is cut off leaves half a package in the cache. What we install ourselves does not count against
 * the server, as a pull does not. */
int64_t server_init_timeout_ms(const struct server *s)
{
    int64_t own = s->config && s->config->init_timeout_ms > 0 ? s->config->init_timeout_ms : 0;
    bool docker = s->plan->mode == PLAN_DOCKER, said = own > 0;
    int64_t ms = own ? own : DEFAULT_INIT_MS;
    if (docker) {
        said = said || (s->config && s->config->isolation.timeout_ms > 0);
        ms = s->plan->start_timeout_ms > own ? s->plan->start_timeout_ms : own;
    }
    if (docker && s->plan->bootstrap)
        return ms + FETCH_MS;
    bool fetching = !said && !s->p->ever_ready && fetches_first(s);
    return fetching && ms < FETCH_MS ? FETCH_MS : ms;
}

static void on_handshake_failed(void *ctx, const struct fault *why)
{
    struct server *s = ctx;
    s->p->trouble = why->code == FAULT_TIMEOUT ? TROUBLE_START_TIMEOUT : TROUBLE_HANDSHAKE;
    if (why->code == FAULT_TIMEOUT)
        server_set_cause(s, "start timeout after %gs: no answer to initialize",
                         (double)server_init_timeout_ms(s) / 1e3);
    else
        server_set_cause(s, "handshake failed: %s", why->text);
    server_fire(s, EV_UNWELL);
}

static void on_stray(void *ctx, const char *p, size_t n, unsigned flags, const char *why)
{
    (void)why;
    struct server *s = ctx;
    logstore_line(s->log, RING_STDOUT, flags, p, n);
}

/* Nobody waits for an answer any more; anything else is words that somebody may look for. */
static void on_late_line(void *ctx, const char *p, size_t n, unsigned flags)
{
    static const char mark[] = "\"jsonrpc\"";
    struct server *s = ctx;
    if (!(flags & LINE_CONT))
        s->p->late_is_message = n && *p == '{' && memmem(p, n, mark, sizeof mark - 1);
    if (!s->p->late_is_message)
        logstore_line(s->log, RING_STDOUT, flags, p, n);
}

/* It is protocol, only for nobody: no line to be marked as one that does not belong there. */
static void on_session_note(void *ctx, const char *p, size_t n, bool cut, const char *why)
{
    struct server *s = ctx;
    logstore_say(s->log, "%s: %.*s%s", why, (int)n, p, cut ? " …" : "");
}

static void on_drained(void *ctx)
{
    server_fire(ctx, EV_DRAINED);
}

static void on_wanted(void *ctx)
{
    server_fire(ctx, EV_WAKE);
}

static void on_left(void *ctx)
{
    members_left(ctx);
}

static void on_catalogue(void *ctx)
{
    struct server *s = ctx;
    members_learn(s);
    server_tools_configure(s);
    tool_store_save(s);
    fleet_server_changed(s->fleet, s);
}

static enum session_era era_of(enum mcp_protocol protocol)
{
    return protocol == MCP_PROTOCOL_LEGACY   ? ERA_LEGACY
           : protocol == MCP_PROTOCOL_MODERN ? ERA_MODERN
                                             : ERA_AUTO;
}

static void on_call_ended(void *ctx, const struct call_ended *call)
{
    struct server *s = ctx;
    struct recorder *recorder = server_row(s)->recorder;
    struct call_note *note = traffic_add(s->fleet->traffic, server_row_name(s), call);
    if (recorder)
        recorder_take(recorder, note, call);
}

/* As its configuration says now. */
static void follow_record(struct server *s)
{
    bool wanted = s->fleet->record_dir && s->config && s->config->record == TRI_YES && !s->row;
    if (wanted && !s->recorder)
        s->recorder = recorder_new(s->fleet->loop, s->fleet->record_dir, s->name);
    else if (!wanted && s->config)
        recorder_free(TAKE(s->recorder));
}

int64_t server_call_timeout_ms(const struct server *s)
{
    return s->config && s->config->call_timeout_ms > 0 ? s->config->call_timeout_ms
           : s->fleet->config                          ? s->fleet->config->call_timeout_ms
                                                       : 0;
}

static struct session_config session_settings(const struct server *s)
{
    const struct config_server *c = s->config;
    return (struct session_config){
        .server = server_row_name(s), .init_timeout_ms = s->plan ? server_init_timeout_ms(s) : 0,
        .ping_interval_ms = c ? c->health_interval_ms : 0,
        .call_timeout_ms = server_call_timeout_ms(s),
        .max_message_bytes = fleet_get_max_message(s->fleet),
        .era = c ? era_of(c->mcp_protocol) : ERA_AUTO,
        .record = s->row ? s->row->recorder : s->recorder,
        .ledger = s->row ? s->row->session : NULL,
    };
}

static void session_begin(struct server *s)
{
    static const struct session_events events = {
        .write = on_session_write, .phase = on_session_phase,
        .handshake_failed = on_handshake_failed,
        .stray = on_stray, .note = on_session_note, .catalogue = on_catalogue,
        .ended = on_call_ended,
        .drained = on_drained, .wanted = on_wanted, .left = on_left,
    };
    static uint64_t sessions;
    follow_record(s);
    struct session_config cfg = session_settings(s);
    cfg.ask_base = ++sessions << 32;
    s->session = session_new(s->fleet->loop, &cfg, &events, s);
    server_tools_configure(s);
}

void server_session_configure(struct server *s)
{
    follow_record(s);
    struct session_config cfg = session_settings(s);
    session_configure(s->session, &cfg);
    server_tools_configure(s);
}

void server_run_silence(struct server *s, const char *cause)
{
    if (!s->p->feeding)
        return;
    s->p->feeding = false;
    session_down(s->session, cause);
}

void server_run_init(struct server *s)
{
    enum { PIECE_BYTES = 64 * 1024 };
    lines_init(&s->p->late, PIECE_BYTES, LINES_SPLIT);
    session_begin(s);
}

void server_run_fini(struct server *s)
{
    session_free(s->session);
    lines_fini(&s->p->late);
}

/* ---- how it ended ----------------------------------------------------------------- */

static void describe_signal(int sig, char *out, size_t n)
{
    const char *text = strsignal(sig);
    snprintf(out, n, "%d (%s)", sig, text ? text : "unknown");
    char *p = strchr(out, '(');
    if (p && p[1] >= 'A' && p[1] <= 'Z')
        p[1] = (char)(p[1] - 'A' + 'a');
}

void server_run_describe(const struct server *s, const struct run_end *end, char *out, size_t n)
{
    char part[64];
    if (end->why.code) {
        snprintf(out, n, "%.*s", (int)(n - 1), end->why.text);
    } else if (end->oom) {
        const struct plan *p = s->p->run_plan ? s->p->run_plan : s->plan;
        if (p->memory_bytes)
            snprintf(out, n, "OOM-killed at %s (exit %d)",
                     text_size(p->memory_bytes, part, sizeof part), end->code);
        else
            snprintf(out, n, "OOM-killed (exit %d)", end->code);
    } else if (end->engine_signal) {
        describe_signal(end->engine_signal, part, sizeof part);
        snprintf(out, n, "exited %d: somebody sent it signal %s through the engine", end->code,
                 part);
    } else if (end->signal) {
        describe_signal(end->signal, part, sizeof part);
        snprintf(out, n, "signal %s", part);
    } else if (end->code > 128 && end->code < 128 + 65) {
        /* A container's or a shell's way to tell of a signal. */
        describe_signal(end->code - 128, part, sizeof part);
        snprintf(out, n, "exited %d: signal %s", end->code, part);
    } else {
        snprintf(out, n, "exited %d", end->code);
    }
}

static void hide_secrets(const struct server *s, struct buf *text)
{
    AUTO_STRVEC struct strvec values = { 0 };
    AUTO_FREE char *shown = xstrdup(buf_str(text));
    if (s->config)
        config_server_secrets(s->config, &values);
    secret_mask_known_in(&shown, &values);
    buf_clear(text);
    buf_add_str(text, shown);
}

/* What it said last on stderr in this run that tells something; "" when nothing. */
static void last_words(const struct server *s, struct buf *out)
{
    const struct ring *ring = logstore_get_ring(s->log);
    struct ring_line line;
    uint64_t seq = ring_next_seq(ring);
    while (seq-- > s->p->run_seq && ring_get(ring, seq, &line) == 0) {
        if (line.stream != RING_STDERR)
            continue;
        buf_clear(out);
        text_clean_plain(out, line.text, line.len);
        if (!chatter_is(buf_str(out)))
            return;
    }
    buf_clear(out);
}

bool server_run_is_hopeless(const struct run_end *end)
{
    switch (end->why.code) {
    case ENOENT: case ENOTDIR: case EACCES: case EPERM: case ENOEXEC: case EISDIR: case ELOOP:
    case FAULT_UNSUPPORTED: case FAULT_CONFIG: case FAULT_INVALID:
        return end->never_started;
    case EBUSY:                        /* a registry's rate limit: each try counts */
        return end->no_image;
    default:
        return false;
    }
}

void server_run_reason(const struct server *s, char *out, size_t n)
{
    const struct run_end *end = &s->last_end;
    AUTO_BUF struct buf words = BUF_INIT;
    server_run_describe(s, end, out, n);
    if (end->why.code || end->oom || end->signal || end->engine_signal || end->code < 1 ||
        end->code > 128)
        return;
    last_words(s, &words);
    hide_secrets(s, &words);
    const char *text = buf_str(&words) + strspn(buf_str(&words), " ");
    size_t fits = text_fit(text, strlen(text), LAST_WORDS_COLUMNS, NULL), at = strlen(out);
    if (fits)
        snprintf(out + at, n - at, ": %.*s%s", (int)fits, text, text[fits] ? "…" : "");
}

/* ---- backend ---------------------------------------------------------------------- */

static const struct plan *on_runner(void *ctx, bool present)
{
    struct server *s = ctx;
    if (!s->config)
        return s->p->run_plan;
    s->runner = present ? RUNNER_PRESENT : RUNNER_MISSING;
    server_replan(s);
    server_run_drop_plan(s);
    s->p->run_plan = s->plan;
    if (s->plan->bootstrap)
        logstore_say(s->log, "image %s has no %s: it is installed first (kept in a cache volume)",
                     s->plan->image, s->plan->argv.v[0]);
    return s->plan;
}

static void on_up(void *ctx)
{
    struct server *s = ctx;
    if (s->state == SERVER_STOPPING)
        return;
    server_session_configure(s);
    if (s->plan->mode == PLAN_HOST)
        logstore_say(s->log, "started: pid %ld", (long)s->backend->pid);
    s->p->feeding = true;
    server_fire(s, EV_UP);
    session_up(s->session);
}

static void on_pulling(void *ctx, bool under_way)
{
    struct server *s = ctx;
    if (s->state != SERVER_STOPPING)
        server_fire(s, under_way ? EV_PULLING : EV_PULLED);
}

static void on_data(void *ctx, enum stream_channel ch, const char *p, size_t n)
{
    struct server *s = ctx;
    if (ch == STREAM_ERR) {
        logstore_stderr(s->log, p, n);
    } else if (s->p->feeding) {
        logstore_hold(s->log);
        session_feed(s->session, p, n);
        logstore_release(s->log);
    } else {
        lines_feed(&s->p->late, p, n, on_late_line, s);
    }
}

static void on_note(void *ctx, const char *text)
{
    struct server *s = ctx;
    logstore_say(s->log, "%s", text);
}

static void keep_past(struct server *s)
{
    const struct plan *plan = s->p->run_plan ? s->p->run_plan : s->plan;
    s->past = (struct server_past){
        .asked = s->state == SERVER_STOPPING && s->p->ending == ENDING_AS_WANTED,
        .was_ready = s->p->was_ready, .ever_ready = s->p->ever_ready,
        .trouble = s->p->trouble,
        .first_seq = s->p->run_seq, .next_seq = ring_next_seq(logstore_get_ring(s->log)),
        .plan_hash = plan->hash, .plan_live_hash = plan->live_hash,
    };
}

static void on_over(void *ctx, const struct run_end *end)
{
    struct server *s = ctx;
    struct backend *b = s->backend;
    char how[512];
    assert(b);
    s->last_end = *end;
    server_run_describe(s, end, how, sizeof how);
    logstore_stderr_end(s->log);
    session_undelivered(s->session, end->undelivered);
    server_run_silence(s, how);     /* with the last half of a line that it said */
    lines_end(&s->p->late, on_late_line, s);
    keep_past(s);
    logstore_say(s->log, "%s%s", end->never_started ? "could not be started: " : "ended: ", how);
    server_usage_reset(s);
    s->backend = NULL;
    b->ops->free(b);
    bool updating = s->p->updating;
    s->p->updating = s->p->putting_back = false;
    server_run_drop_plan(s);
    server_fire(s, EV_OVER);
    /* The next run is made by it. What others refused may change the plan now: that wants a state
     * that fits having no run. */
    if (updating)
        fleet_change_settled(s->fleet, s, NULL);
    members_have_ended(s);
}

/* A program that the image may lack and that we could install: then the plan for the lacking
 * image has a bootstrap. */
const char *server_runner_to_check(const struct server *s)
{
    if (s->plan->mode != PLAN_DOCKER || s->runner != RUNNER_UNKNOWN || !s->plan->argv.n)
        return NULL;
    struct plan *lacking = plan_make(s->fleet->config, s->config, RUNNER_MISSING, NULL);
    bool matters = lacking->bootstrap;
    plan_free(lacking);
    return matters ? s->plan->argv.v[0] : NULL;
}

/* What the guide has its readers grep for. Where nobody isolates anything, nobody asks. */
static void say_isolation(struct server *s)
{
    const struct iso_settings *all = &s->fleet->config->docker_isolation;
    if (s->plan->mode == PLAN_DOCKER)
        logstore_say(s->log, "Docker isolation enabled for server: %s", server_row_name(s));
    else if (s->config->has_isolation || all->enabled == TRI_YES || all->mode == MODE_DOCKER)
        logstore_say(s->log, "Docker isolation is off for server: %s (%s)", server_row_name(s),
                     plan_why(s->plan, "mode"));
}

enum run_begin server_run_begin(struct server *s)
{
    static const struct backend_events events = {
        .runner = on_runner, .up = on_up, .pulling = on_pulling, .data = on_data,
        .note = on_note, .over = on_over,
    };
    assert(!s->backend && s->config);
    enum containers_state cs = containers_get_state(s->fleet->containers);
    if (s->plan->awaits_engine && cs != CONTAINERS_READY && cs != CONTAINERS_DOWN)
        return RUN_WAITS_FOR_ENGINE;
    if (s->plan->mode == PLAN_DOCKER && cs != CONTAINERS_READY)
        return cs == CONTAINERS_DOWN ? RUN_ENGINE_DOWN : RUN_WAITS_FOR_ENGINE;
    server_usage_reset(s);
    server_run_drop_plan(s);
    s->p->run_plan = s->plan;
    s->p->was_ready = false;
    s->p->trouble = TROUBLE_NONE;
    s->p->run_seq = ring_next_seq(logstore_get_ring(s->log));
    s->p->ending = ENDING_AS_WANTED;
    if (s->p->runs++ && !s->p->asleep) {
        s->restarts++;
        if (s->row)
            s->row->restarts++;
    }
    snprintf(s->run_id, sizeof s->run_id, "%s.%08x%08x%08x", s->fleet->instance,
             fleet_random(s->fleet), fleet_random(s->fleet),
             fleet_random(s->fleet));
    say_isolation(s);
    struct backend_spec spec = { .loop = s->fleet->loop, .plan = s->plan, .run_id = s->run_id,
                                 .containers = s->fleet->containers,
                                 .images = s->fleet->images,
                                 .check_runner = server_runner_to_check(s),
                                 .events = events, .ctx = s };
    s->backend = s->fleet->backend(&spec);
    return RUN_BEGUN;
}

bool server_is_paused(const struct server *s)
{
    const struct fleet_container *c =
        s->backend && *s->backend->container_id
        ? containers_find(s->fleet->containers, s->backend->container_id) : NULL;
    return c && strcmp(c->state, "paused") == 0;
}

enum silence server_whose_silence(const struct server *s)
{
    struct engine *e = containers_get_engine(s->fleet->containers);
    if (!s->backend || !*s->backend->container_id || !e)
        return SILENCE_OWN;
    if (server_is_paused(s))
        return SILENCE_PAUSED;
    if (engine_get_state(e) == ENGINE_DOWN)
        return SILENCE_OF_ENGINE;
    if (engine_get_answered_ms(e) > s->state_since_ms)
        return SILENCE_OWN;
    engine_check(e);
    return SILENCE_NOT_KNOWN;
}

void server_run_drop_plan(struct server *s)
{
    if (s->p->run_plan != s->plan)
        plan_free(s->p->run_plan);
    s->p->run_plan = NULL;
}

uint64_t server_run_first_seq(const struct server *s)
{
    return s->p->run_seq;
}

bool server_in_use(const struct server *s, const char *container_id, const char *container_name)
{
    return s->backend && backend_is_in(s->backend, container_id, container_name);
}
