/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The supervisor: its options, and its parts wired together on one loop. What the parts do
 * stands in their rooms.
 *
 *   on_term, on_int   stop everything in order; the second one changes nothing (a service
 *                     manager and the warden both send it)
 *   on_hup            read the configuration again */
#include "serve.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "api/api_server.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "client/api_client.h"
#include "config/mcp_config.h"
#include "io/child.h"
#include "io/turn.h"
#include "supervisor/fleet.h"
#include "supervisor/instance.h"
#include "supervisor/log_remover.h"
#include "warden.h"

#define DEFAULT_LISTEN "127.0.0.1:8080"
enum { EXIT_WRONG_USAGE = 2 };

struct serve {
    struct paths paths;          /* data_dir, socket; the rest NULL where not given */
    bool no_warden;
    int ready_fd;                /* -1 = none */

    char *config, *log_dir, *listen;
    struct instance instance;
    struct ev_loop *loop;
    struct turn turn;
    struct log_remover *log_remover;
    struct fleet *fleet;
    struct api_server *api;
    ev_signal on_term, on_int, on_hup;
    ev_timer stop_soon;
    bool stopping;
};

/* ---- options ------------------------------------------------------------------------------- */

static int usage(FILE *to)
{
    fputs("usage: mcptop serve [--config FILE] [--data-dir DIR] [--log-dir DIR] [--socket PATH]\n"
          "                    [--listen ADDR:PORT|none] [--no-warden]\n", to);
    return to == stdout ? 0 : EXIT_WRONG_USAGE;
}

/* 0, or an exit code + 1. */
static int parse_options(struct serve *sv, int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' },   { "data-dir", required_argument, NULL, 'd' },
        { "log-dir", required_argument, NULL, 'l' },  { "socket", required_argument, NULL, 's' },
        { "listen", required_argument, NULL, 'p' },   { "no-warden", no_argument, NULL, 'w' },
        { "ready-fd", required_argument, NULL, 'r' }, { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    char **texts[] = { ['c'] = &sv->paths.config, ['d'] = &sv->paths.data_dir,
                       ['l'] = &sv->paths.log_dir,
                       ['s'] = &sv->paths.socket, ['p'] = &sv->paths.listen };
    optind = 1;
    for (int o, at = 0; (o = getopt_long(argc, argv, "", options, &at)) != -1;) {
        if (o == 'h')
            return usage(stdout) + 1;
        if (o == '?')
            return usage(stderr) + 1;
        if (o == 'w') {
            sv->no_warden = true;
        } else if (o == 'r') {
            sv->ready_fd = atoi(optarg);
        } else if (!*optarg) {
            fprintf(stderr, "mcptop serve: the value of --%s is empty (from a variable of the "
                            "shell that is not set?)\n", options[at].name);
            return usage(stderr) + 1;
        } else {
            free(*texts[o]);
            *texts[o] = xstrdup(optarg);
        }
    }
    return optind < argc ? usage(stderr) + 1 : 0;
}

/* ---- telling whoever started us -------------------------------------------------------------- */

static void tell_ready(struct serve *sv, const char *what, const char *text)
{
    char line[1024];
    if (sv->ready_fd < 0)
        return;
    int n = snprintf(line, sizeof line, "%s%s\n", what, text);
    if (n > (int)sizeof line - 1)
        n = (int)sizeof line - 1;
    if (write(sv->ready_fd, line, (size_t)n) < 0) {
        /* Nobody waits any more: the warden started us again. */
    }
    close(sv->ready_fd);
    sv->ready_fd = -1;
}

static int give_up(struct serve *sv, const struct fault *f, int code)
{
    log_error("supervisor", "cannot start: %s", f->text);
    fprintf(stderr, "mcptop serve: %s\n", f->text);
    tell_ready(sv, code == SERVE_EXIT_LOCKED ? "busy: " : "error: ", f->text);
    return code;
}

/* ---- settings -------------------------------------------------------------------------------- */

static char *default_log_dir(const struct serve *sv, const struct config *c)
{
    if (c && c->log_dir)
        return xstrdup(c->log_dir);
    if (c && c->data_dir)
        return xasprintf("%s/logs", c->data_dir);
    if (!paths_data_dir_is_default(&sv->paths))
        return xasprintf("%s/logs", sv->paths.data_dir);
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && *state == '/')
        return xasprintf("%s/mcpproxy/logs", state);
    return home && *home == '/' ? xasprintf("%s/.local/state/mcpproxy/logs", home)
        : xasprintf("%s/logs", sv->paths.data_dir);
}

/* What the options leave open the configuration says, whatever its servers are; one that is broken
 * elsewhere (the fleet tells its problems) leaves the defaults. */
static void read_settings(struct serve *sv)
{
    struct problems ignored = { 0 };
    sv->config = config_find_path(sv->paths.config, sv->paths.data_dir);
    struct config *c = config_load(sv->config, true, NULL, &ignored, NULL, NULL);
    const char *listen = sv->paths.listen ? sv->paths.listen : c && c->listen ? c->listen
        : DEFAULT_LISTEN;
    sv->listen = *listen && strcmp(listen, "none") != 0 ? xstrdup(listen) : NULL;
    sv->log_dir = sv->paths.log_dir ? xstrdup(sv->paths.log_dir) : default_log_dir(sv, c);
    config_free(c);
    problems_fini(&ignored);
}

static int open_log(struct serve *sv, struct fault *f)
{
    AUTO_FREE char *path = xasprintf("%s/main.log", sv->log_dir);
    const char *previous = getenv("MCPTOP_PREVIOUS_END");
    if (instance_make_dirs(sv->log_dir, 0700, f) < 0 || log_open(path, f) < 0)
        return -1;
    if (isatty(STDERR_FILENO))
        log_set_stderr(true);
    if (previous)
        log_error("supervisor", "started again by the warden: the one before ended by %s",
                  previous);
    unsetenv("MCPTOP_PREVIOUS_END");
    log_info("supervisor", "mcptop %s, pid %ld, configuration %s, data directory %s, instance %s",
             PACKAGE_VERSION, (long)getpid(),
             sv->config, sv->paths.data_dir, sv->instance.id);
    if (sv->instance.is_copy)
        log_warn("supervisor", "the data directory is a copy of another one: from now on it has an "
                 "instance id of its own, and containers of the other are none of its");
    return 0;
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void on_stopped(void *ctx)
{
    struct serve *sv = ctx;
    ev_break(sv->loop, EVBREAK_ALL);
}

static void begin_stop(struct serve *sv, const char *why)
{
    if (sv->stopping)
        return;
    sv->stopping = true;
    log_info("supervisor", "stopping: %s", why);
    fleet_shutdown(sv->fleet, on_stopped, sv);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    (void)loop;
    (void)revents;
    begin_stop(w->data, w->signum == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void on_reload_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
    (void)loop;
    (void)revents;
    struct serve *sv = w->data;
    fleet_reload(sv->fleet);
}

static void on_stop_soon(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    begin_stop(w->data, "asked for through the API");
}

/* The reply to the request goes out first. */
static void on_api_shutdown(void *ctx)
{
    enum { REPLY_MS = 50 };
    struct serve *sv = ctx;
    ev_timer_set(&sv->stop_soon, REPLY_MS / 1e3, 0.);
    ev_timer_start(sv->loop, &sv->stop_soon);
}

/* ---- running --------------------------------------------------------------------------------- */

static void watch_signals(struct serve *sv)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_IGN);
    ev_signal_init(&sv->on_term, on_signal, SIGTERM);
    ev_signal_init(&sv->on_int, on_signal, SIGINT);
    ev_signal_init(&sv->on_hup, on_reload_signal, SIGHUP);
    ev_timer_init(&sv->stop_soon, on_stop_soon, 0., 0.);
    sv->on_term.data = sv->on_int.data = sv->on_hup.data = sv->stop_soon.data = sv;
    ev_signal_start(sv->loop, &sv->on_term);
    ev_signal_start(sv->loop, &sv->on_int);
    ev_signal_start(sv->loop, &sv->on_hup);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The warden does this for a supervisor that died; here it is for the two of them, killed at
 * once. */
static void sweep_before(const struct serve *sv)
{
    AUTO_FREE char *prefix = xasprintf("%s.", sv->instance.id);
    int swept = child_sweep_before(prefix);
    if (swept)
        log_warn("supervisor",
                 "killed %d processes of servers that an earlier supervisor left behind", swept);
}

static int start_parts(struct serve *sv, struct fault *f)
{
    AUTO_FREE char *record_dir = xasprintf("%s/recorded", sv->paths.data_dir);
    AUTO_FREE char *state_dir = xasprintf("%s/tools", sv->paths.data_dir);
    AUTO_FREE char *undo_file = xasprintf("%s/undo.json", sv->paths.data_dir);
    struct fleet_options options = { .config = sv->config, .log_dir = sv->log_dir,
                                     .record_dir = record_dir, .state_dir = state_dir,
                                     .undo_file = undo_file, .instance = sv->instance.id };
    struct api_config api = { .socket = sv->paths.socket, .data_dir = sv->paths.data_dir,
                              .listen = sv->listen,
                              .api_key = sv->instance.api_key, .turn = &sv->turn,
                              .shutdown = on_api_shutdown, .ctx = sv };
    sweep_before(sv);
    if (child_reaper_start(sv->loop, f) < 0)
        return -1;
    sv->log_remover = log_remover_new(sv->loop, sv->log_dir);
    log_remover_sweep(sv->log_remover, record_dir);
    sv->fleet = fleet_new(sv->loop, &options, f);
    if (!sv->fleet)
        return -1;
    sv->api = api_server_new(sv->loop, sv->fleet, &api, f);
    return sv->api ? 0 : -1;
}

static void free_parts(struct serve *sv)
{
    api_server_free(sv->api);
    fleet_free(sv->fleet);
    log_remover_free(sv->log_remover);
    child_sweep_all();
    child_reaper_stop(sv->loop);
    ev_signal_stop(sv->loop, &sv->on_term);
    ev_signal_stop(sv->loop, &sv->on_int);
    ev_signal_stop(sv->loop, &sv->on_hup);
    ev_timer_stop(sv->loop, &sv->stop_soon);
    turn_stop(&sv->turn, sv->loop);
    ev_loop_destroy(sv->loop);
}

static int run(struct serve *sv)
{
    struct fault f = FAULT_NONE;
    sv->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!sv->loop) {
        fault_set(&f, errno, "no event loop");
        return give_up(sv, &f, SERVE_EXIT_CANNOT_START);
    }
    watch_signals(sv);
    turn_start(&sv->turn, sv->loop);
    int code = 0;
    if (start_parts(sv, &f) < 0) {
        code = give_up(sv, &f, SERVE_EXIT_CANNOT_START);
    } else {
        log_info("supervisor", "serving on %s", sv->paths.socket);
        tell_ready(sv, "ok", "");
        ev_run(sv->loop, 0);
    }
    free_parts(sv);
    return code;
}

/* One life of the supervisor; what the warden guards. */
static int supervise(void *arg)
{
    struct serve *sv = arg;
    struct fault f = FAULT_NONE;
#ifdef M_MMAP_THRESHOLD
    /* A large message goes back to the system when it is freed, instead of raising what is kept. */
    enum { LARGE_BYTES = 256 * 1024 };
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
#endif
    child_raise_nofile();
    if (instance_open(&sv->instance, sv->paths.data_dir, &f) < 0)
        return give_up(sv, &f, f.code == FAULT_CONFLICT ? SERVE_EXIT_LOCKED
                                                        : SERVE_EXIT_CANNOT_START);
    read_settings(sv);
    int code = open_log(sv, &f) < 0 ? give_up(sv, &f, SERVE_EXIT_CANNOT_START) : run(sv);
    log_info("supervisor", "stopped");
    log_close();
    instance_close(&sv->instance);
    free(sv->config);
    free(sv->log_dir);
    free(sv->listen);
    return code;
}

int serve_main(int argc, char **argv)
{
    struct serve sv = { .ready_fd = -1, .instance.lock_fd = -1 };
    struct fault f = FAULT_NONE;
    int code = parse_options(&sv, argc, argv);
    if (sv.ready_fd >= 0)
        fcntl(sv.ready_fd, F_SETFD, FD_CLOEXEC);
    if (code) {
        code--;
        tell_ready(&sv, "error: ", "wrong usage");
    } else if (paths_resolve(&sv.paths, &f) < 0) {
        code = give_up(&sv, &f, SERVE_EXIT_CANNOT_START);
    } else {
        code = sv.no_warden ? supervise(&sv) : warden_run(supervise, &sv);
    }
    paths_fini(&sv.paths);
    return code;
}
