/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a server ended, or how it runs, and what must be found of it: what t_diagnose and
 * t_diagnose_words are tables of. On this imaginary host only /home, /home/u and what is below exists
 * (but for names with "new"), and /srv is root's. */
#ifndef MCPTOP_UNIT_SCENARIO_H
#define MCPTOP_UNIT_SCENARIO_H

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "diagnose/symptoms.h"
#include "tap.h"

#define DOCKER "{\"docker_isolation\":{\"enabled\":true},\"mcpServers\":{\"s\":{%s}}}"
#define HOST "{\"mcpServers\":{\"s\":{%s}}}"
#define STRICT \
    "{\"docker_isolation\":{\"enabled\":true,\"hardening\":\"strict\"},\"mcpServers\":{\"s\":{%s}}}"
#define NODE "\"command\":\"node\",\"args\":[\"x.js\"]"
#define UVX "\"command\":\"uvx\",\"args\":[\"mcp-server-x\"]"

struct scenario {
    const char *name;
    const char *config, *server;
    /* how it ended */
    int code, signal, engine_signal;
    bool oom, oom_inside, ready, ever_ready;
    int why;
    const char *why_text;
    bool never_started;
    bool no_image;                   /* why is a pull's */
    bool engine_silent;
    enum server_trouble trouble;
    const char *err, *out;           /* lines of stderr, of stdout */
    bool running;                    /* it has not ended */
    bool snap;                       /* Docker is a snap's */
    int64_t slow_ms;                 /* … and is initializing for so long */
    uint64_t stray;
    int64_t peak, ooms;
    int64_t oom_limits[2], host_free;
    int32_t pids;
    int throttled_s;
    int32_t start_pids;              /* and … while it started */
    bool start_throttled;
    int64_t start_rx;                /* bytes; 0 = not known */
    bool not_here;                   /* the host has no such command */
    bool engine_down;
    const char *engine_error;
    /* what must come of it */
    const char *want;                /* "CODE" or "CODE CODE"; "" = nothing */
    const char *fix;                 /* title of the first fix of the first; NULL = none */
    const char *says;                /* in its evidence or steps */
    bool guess;
    bool expected;                   /* by the plan; a warning */
};

static const char *no_env(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return NULL;
}

static char *images[] = { (char[]){ "alpine:3.18" }, (char[]){ "ghcr.io/acme/tools:1" } };

static bool docker_is_a_snap;

static bool exists(const char *path)
{
    if (strcmp(path, "/var/snap/docker") == 0)
        return docker_is_a_snap;
    return strcmp(path, "/home") == 0 ||
        (strncmp(path, "/home/u", 7) == 0 && !strstr(path, "new"));
}

static char *nearest(const char *dir, const char *name)
{
    bool near = strcmp(dir, "/home/u/") == 0 && strcmp(name, "newDocumnets") == 0;
    return near ? xstrdup("Documents") : NULL;
}

/* /home/u is u's (1000) and closed; below /srv all is root's. */
static bool status(const char *path, struct stat *ret)
{
    bool home = strncmp(path, "/home/u", 7) == 0;
    bool file = strlen(path) > 3 && strcmp(path + strlen(path) - 3, ".py") == 0;
    *ret = (struct stat){ .st_mode = (file ? S_IFREG : S_IFDIR) | (home ? 0700 : 0755), .st_uid = home ? 1000 : 0,
                          .st_gid = home ? 1000 : 0 };
    return home || strncmp(path, "/srv", 4) == 0;
}

static int not_here(const char *command, const struct kvvec *env, const char *working_dir,
                    struct fault *f)
{
    (void)env;
    (void)working_dir;
    return fault_set(f, FAULT_NOT_FOUND, "command \"%s\" is not in PATH", command);
}

static bool says(const struct finding *f, const char *text)
{
    for (size_t i = 0; i < f->evidence_count; i++)
        if (strstr(f->evidence[i].text, text))
            return true;
    for (size_t i = 0; i < f->steps.n; i++)
        if (strstr(f->steps.v[i], text))
            return true;
    return false;
}

static void push_lines(struct ring *ring, enum ring_stream stream, const char *text)
{
    for (const char *p = text; p && *p;) {
        size_t n = strcspn(p, "\n");
        ring_push(ring, 1, stream, 0, p, n);
        p += n + (p[n] == '\n');
    }
}

static void join_codes(const struct findings *fs, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < fs->n; i++)
        buf_printf(out, "%s%s", i ? " " : "", finding_type(fs->v[i].kind)->code);
}

static void check(const struct scenario *c, const struct findings *fs)
{
    AUTO_BUF struct buf codes = BUF_INIT;
    join_codes(fs, &codes);
    is_str(buf_str(&codes), c->want, "%s", c->name);
    if (!fs->n)
        return;
    const struct finding *f = &fs->v[0];
    is_str(f->fix_count ? f->fixes[0].title : "(none)", c->fix ? c->fix : "(none)", "%s: its fix",
           c->name);
    ok(f->guess == c->guess, "%s: %s", c->name, c->guess ? "a guess" : "known");
    ok(f->expected == c->expected && (!f->expected || finding_severity(f) == SEVERITY_WARNING),
       "%s: %s", c->name, c->expected ? "expected, a warning" : "it has come true");
    ok(f->evidence_count > 0, "%s: has evidence", c->name);
    if (c->says)
        ok(says(f, c->says), "%s: says \"%s\"", c->name, c->says);
    ok(f->fix_count + f->steps.n > 0 || f->kind == FIND_UNSUPPORTED ||
       f->kind == FIND_SPAWN_FAILED, "%s: says what helps", c->name);
    for (size_t i = 0; i < f->fix_count; i++)
        if (f->fixes[i].weakens != (strncmp(f->fixes[i].title, "Weakens ", 8) == 0))
            ok(false, "%s: %s says what it costs", c->name, f->fixes[i].title);
}

static void scenario_run(const struct scenario *c)
{
    AUTO_BUF struct buf text = BUF_INIT;
    char *cut = strstr(c->config, "%s");
    buf_printf(&text, "%.*s%s%s", (int)(cut - c->config), c->config, c->server, cut + 2);
    struct problems problems = { 0 };
    struct config *config = config_parse("x", buf_str(&text), text.len, no_env, NULL, &problems);
    if (!config)
        bail_out("%s: its configuration does not load: %s", c->name, buf_str(&text));
    struct plan *plan = plan_make(config, &config->servers[0], RUNNER_UNKNOWN, NULL);
    struct ring *ring = ring_new(64 * 1024);
    push_lines(ring, RING_STDERR, c->err);
    push_lines(ring, RING_STDOUT, c->out);
    push_lines(ring, RING_SUPERVISOR, "ended: no such file, ENOTFOUND, not a TTY");
    struct run_end end = { .code = c->code, .signal = c->signal, .oom = c->oom, .at_wall_ms = 1,
                           .engine_signal = c->engine_signal, .oom_inside = c->oom_inside,
                           .never_started = c->never_started, .no_image = c->no_image,
                           .engine_silent = c->engine_silent };
    if (c->why) {
        end.why.code = c->why;
        snprintf(end.why.text, sizeof end.why.text, "%s", c->why_text);
    }
    struct symptoms s = {
        .name = "s", .whole = config, .config = &config->servers[0], .plan = plan,
        .state = c->slow_ms ? SERVER_INITIALIZING
            : c->running && c->ready ? SERVER_READY : SERVER_BACKING_OFF,
        .reason = "why", .slow_ms = c->slow_ms, .slow_since_wall_ms = 1, .init_timeout_ms = 30000,
        .wanted = true, .failures = c->running ? 0 : 1, .end = c->running ? NULL : &end,
        .was_ready = c->ready, .ever_ready = c->ever_ready, .trouble = c->trouble, .ring = ring,
        .first_seq = 1, .next_seq = ring_next_seq(ring), .stray_lines = c->stray,
        .engine_down = c->engine_down, .engine_error = c->engine_error ? c->engine_error : "",
        .peak_bytes = c->peak, .pids_peak = c->pids, .ooms = c->ooms, .throttled_s = c->throttled_s,
        .start_pids = c->start_pids, .start_throttled = c->start_throttled,
        .start_rx_bytes = c->start_rx ? c->start_rx : -1,
        .local_images = &(struct strvec){ .v = images, .n = ARRAY_LEN(images) }, .host_cpus = 4, .host_free = c->host_free ? c->host_free : INT64_C(8) << 30,
        .oom_limits = c->oom_limits, .oom_limit_count = c->oom_limits[1] ? 2 : c->oom_limits[0] ? 1 : 0,
        .look = c->not_here ? not_here : NULL,
        .ca_bundle = "/etc/ca.pem",
        .home = "/home/u",
        .exists = exists, .status = status, .nearest = nearest,
    };
    struct findings fs = { 0 };
    docker_is_a_snap = c->snap;
    diagnose(&s, &fs);
    check(c, &fs);
    s.wanted = false;
    diagnose(&s, &fs);
    ok(fs.n == 0, "%s: nothing of a server that is not wanted", c->name);
    findings_fini(&fs);
    ring_free(ring);
    plan_free(plan);
    config_free(config);
    problems_fini(&problems);
}

#endif
