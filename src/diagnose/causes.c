/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Causes: errno of exec, OOM flag, exit status and signal. What the engine refuses:
 * causes_engine.c. */
#include "diagnose/diagnose_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "isolation/runtime.h"

const char *cause_program(const struct symptoms *s)
{
    return s->plan->argv.n ? s->plan->argv.v[0] : "";
}

/* ---- it could not be started on the host ------------------------------------------------- */

static void evidence_errno(const struct symptoms *s, struct finding *f)
{
    int code = s->end->why.code;
    if (code < FAULT_INVALID)
        finding_evidence(f, "errno", 0, "%d (%s)", code, strerror(code));
    finding_evidence(f, "error", 0, "%s", s->end->why.text);
}

/* "npx -y pkg" as the command: its arguments belong into args. */
bool cause_in_command(const struct symptoms *s, struct finding *f)
{
    const char *command = s->config->command ? s->config->command : "";
    size_t first = strcspn(command, " ");
    if (!command[first] || !first || s->exists(command))
        return false;
    free(f->sentence);
    f->sentence = xasprintf("the command \"%s\" holds its arguments, too: they belong into args",
                            command);
    fix_split_command(f, s);
    finding_step(f, "write \"command\": \"%.*s\", and each of the other words as one of args",
                 (int)first, command);
    return true;
}

static void on_no_command(const struct symptoms *s, struct findings *fs)
{
    const char *client = runtime_container_client(s->config->command, &s->config->args);
    char scratch[64];
    const char *base = runtime_base_name(cause_program(s), scratch, sizeof scratch);
    if (client && strcmp(base, client) == 0) {
        struct finding *f = findings_add(fs, FIND_CLI_NOT_FOUND, s->name,
                                         "the command is %s, and this machine has no %s", client,
                                         client);
        evidence_errno(s, f);
        finding_step(f, "install %s, or write its full path as the command", client);
        return;
    }
    struct finding *f = findings_add(fs, FIND_SPAWN_ENOENT, s->name, "%s", s->end->why.text);
    AUTO_BUF struct buf path = BUF_INIT;
    uint64_t seq = words_find(s, RING_SUPERVISOR, "PATH is ", &path);
    evidence_errno(s, f);
    if (seq)
        finding_evidence(f, "log", seq, "%s", buf_str(&path));
    const struct runtime *rt = runtime_detect(cause_program(s));
    if (cause_in_command(s, f))
        return;
    meant_command(s, f);
    meant_path_step(s, f, cause_program(s));
    if (strncmp(cause_program(s) + strcspn(cause_program(s), ":"), ":\\", 2) == 0)
        finding_step(f, "that is a path of Windows: write the one of this machine");
    else if (strcmp(rt->name, "other") != 0 && !strchr(cause_program(s), '/')) {
        finding_step(f, "install %s, or write its full path as the command", base);
        if (!s->engine_down)
            fix_isolate(f, s);
    } else {
        finding_step(f, "correct the command, or install it");
        if (s->config->isolation.image && !s->engine_down)
            fix_isolate(f, s);       /* its own image, named for that, is where it comes from */
    }
}

static bool cause_of_host_start(const struct symptoms *s, struct findings *fs)
{
    static const struct { int code; enum finding_kind kind; const char *step; } of[] = {
        { EACCES, FIND_SPAWN_EACCES, "chmod +x the file, or run it through its interpreter" },
        { EPERM, FIND_SPAWN_EACCES, "this user may not execute it" },
        { ENOEXEC, FIND_SPAWN_EXEC_FORMAT,
          "install the build for this machine, or give the script a #! line" },
        { EISDIR, FIND_SPAWN_ENOENT, "the command is a directory: name the program in it" },
        { FAULT_CONFIG, FIND_SPAWN_WORKDIR, "make the directory, or correct working_dir" },
    };
    int code = s->end->why.code;
    if (code == ENOENT || code == ENOTDIR) {
        on_no_command(s, fs);
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(of); i++)
        if (of[i].code == code) {
            struct finding *f = findings_add(fs, of[i].kind, s->name, "%s", s->end->why.text);
            evidence_errno(s, f);
            if (of[i].kind == FIND_SPAWN_WORKDIR && s->config->working_dir)
                meant_path_step(s, f, s->config->working_dir);
            finding_step(f, "%s", of[i].step);
            return true;
        }
    struct finding *f = findings_add(fs, FIND_SPAWN_FAILED, s->name, "%s", s->end->why.text);
    evidence_errno(s, f);
    return true;
}

bool cause_of_start(const struct symptoms *s, struct findings *fs)
{
    if (!s->end || !s->end->why.code || s->end->why.code == FAULT_ENGINE_DOWN)
        return false;
    if (s->plan->mode == PLAN_HOST)
        return s->end->never_started && cause_of_host_start(s, fs);
    return cause_of_container(s, fs);
}

/* ---- memory ------------------------------------------------------------------------------ */

bool cause_of_oom(const struct symptoms *s, struct findings *fs)
{
    char limit[16], peak[16];
    if (!s->end || s->plan->mode != PLAN_DOCKER)
        return false;
    /* What installs it was killed, and it gave up: 127, or what the installer says. */
    bool inside = s->end->oom_inside && !s->was_ready && s->end->code > 0;
    if (!s->end->oom && !inside)
        return false;
    int64_t bytes = s->plan->memory_bytes;
    struct finding *f = bytes && inside
        ? findings_add(fs, FIND_OOM_KILLED, s->name,
                       "a process in it was OOM-killed at %s while it started (exit %d)",
                       text_size(bytes, limit, sizeof limit), s->end->code)
        : bytes
        ? findings_add(fs, FIND_OOM_KILLED, s->name, "OOM-killed at %s (exit %d)",
                       text_size(bytes, limit, sizeof limit), s->end->code)
        : findings_add(fs, FIND_OOM_KILLED, s->name,
                       "OOM-killed without a limit of its own (exit %d): the engine's machine is "
                       "short of memory", s->end->code);
    finding_evidence(f, "oom", 0, "the engine saw it killed for memory");
    finding_evidence(f, "exit", 0, "status %d", s->end->code);
    if (s->peak_bytes > 0)
        finding_evidence(f, "usage", 0, "highest use seen: %s",
                         text_size(s->peak_bytes, peak, sizeof peak));
    if (bytes)
        fix_memory(f, s);
    return true;
}

/* ---- somebody else ended it ------------------------------------------------------------- */

/* The engine's own event: no guess what it was. */
bool cause_of_kill(const struct symptoms *s, struct findings *fs)
{
    int sig = s->end ? s->end->engine_signal : 0;
    if (!sig)
        return false;
    struct finding *f = findings_add(fs, FIND_KILLED, s->name,
                                     "somebody ended its container through the engine, by signal "
                                     "%d (%s), as %s does", sig, strsignal(sig), sig == SIGKILL
                                     ? "docker kill or docker rm -f" : "docker stop");
    finding_evidence(f, "engine", 0, "event: kill, signal %d", sig);
    finding_evidence(f, "exit", 0, "status %d", s->end->code);
    finding_step(f, "it is started again by itself; to keep it down: mcptop stop %s", s->name);
    return true;
}

/* ---- how it ended, and nothing more ------------------------------------------------------ */

static void evidence_end(const struct symptoms *s, struct finding *f)
{
    if (s->end->signal)
        finding_evidence(f, "exit", 0, "signal %d (%s)", s->end->signal,
                         strsignal(s->end->signal));
    else if (s->end->code >= 0)
        finding_evidence(f, "exit", 0, "status %d", s->end->code);
    words_last(s, f, 4);
}

/* npm and uv try for long, and say nothing meanwhile. */
static bool on_cut_off(const struct symptoms *s, struct findings *fs)
{
    if (!network_cuts_off(s))
        return false;
    struct finding *f = tell_cut_off(s, fs, "");
    if (*s->reason)
        finding_evidence(f, "timeout", 0, "%s", s->reason);
    return true;
}

/* What waits for a CPU, or for a thread that it may not have, says nothing of it. */
static bool on_held_back(const struct symptoms *s, struct findings *fs)
{
    bool crowded = s->plan->pids_limit > 0 && s->start_pids >= s->plan->pids_limit;
    if (s->plan->mode != PLAN_DOCKER || (!crowded && !s->start_throttled))
        return false;
    struct finding *f = crowded
        ? findings_add(fs, FIND_PIDS_EXHAUSTED, s->name,
                       "it did not start in time: it had %d processes and threads of at most %lld",
                       (int)s->start_pids, (long long)s->plan->pids_limit)
        : findings_add(fs, FIND_CPU_THROTTLED, s->name,
                       "it did not start in time: its CPU limit of %s held it back",
                       s->plan->cpu_text);
    finding_evidence(f, "timeout", 0, "%s", s->reason);
    finding_evidence(f, "usage", 0, crowded ? "as many as its limit allows, while it started"
                     : "throttled in most periods while it started");
    if (crowded)
        fix_pids(f, s);
    else
        fix_cpus(f, s);
    return true;
}

/* A runner that received next to nothing, of a package index or of anybody: npm tries for minutes
 * and says nothing. */
static bool on_nothing_received(const struct symptoms *s, struct findings *fs)
{
    enum { NEXT_TO_NOTHING = 8 * 1024 };     /* a handshake of TLS is more */
    const char *mode = s->plan->network_mode ? s->plan->network_mode : "bridge";
    const struct runtime *rt = runtime_detect(cause_program(s));
    if (s->plan->mode != PLAN_DOCKER || s->ever_ready || !rt->cache_volume ||
        strcmp(mode, "host") == 0 || s->start_rx_bytes < 0 || s->start_rx_bytes > NEXT_TO_NOTHING)
        return false;
    struct finding *f = findings_add(fs, FIND_NETWORK_BLOCKED, s->name,
                                     "%s fetches its package at the start, and nothing came from "
                                     "network %s", rt->command, mode);
    f->guess = true;
    finding_evidence(f, "usage", 0, "it received %lld bytes while it started",
                     (long long)s->start_rx_bytes);
    finding_evidence(f, "timeout", 0, "%s", s->reason);
    if (strcmp(mode, "bridge") != 0)
        fix_network(f, s, "bridge");
    fix_network(f, s, "host");
    finding_step(f, "does the engine's machine reach it? its DNS, proxy and firewall decide");
    return true;
}

static void on_timeout(const struct symptoms *s, struct findings *fs)
{
    if (on_cut_off(s, fs) || on_held_back(s, fs) || on_nothing_received(s, fs))
        return;
    struct finding *f = findings_add(fs, FIND_HANDSHAKE_TIMEOUT, s->name, "%s", s->reason);
    finding_evidence(f, "timeout", 0, "%s", s->reason);
    words_last(s, f, 4);
    fix_more_time(f, s);
    finding_step(f, "is it a stdio MCP server? `mcptop logs %s` shows what it does meanwhile",
                 s->name);
}

bool cause_of_slowness(const struct symptoms *s, struct findings *fs)
{
    char slow[16], most[16], since[40];
    if (s->state != SERVER_INITIALIZING || s->slow_ms <= 0)
        return false;
    if (on_cut_off(s, fs))
        return true;
    const struct runtime *rt = runtime_detect(cause_program(s));
    clock_span(s->slow_ms, slow, sizeof slow);
    clock_span(s->init_timeout_ms, most, sizeof most);
    struct finding *f = findings_add(fs, FIND_START_SLOW, s->name,
                                     "it runs, and has not answered initialize yet%s%s%s",
                                     rt->cache_volume ? ": " : "",
                                     rt->cache_volume ? rt->command : "", rt->cache_volume
                                     ? " may still be fetching its package" : "");
    finding_evidence(f, "waiting", 0, "since %.19s, for %s of at most %s",
                     clock_iso(s->slow_since_wall_ms, since, sizeof since), slow, most);
    words_last(s, f, 4);
    if (f->evidence_count == 1)
        finding_evidence(f, "stderr", 0, "it has said nothing on stderr yet");
    AUTO_BUF struct buf line = BUF_INIT;
    bool arrives = words_find(s, RING_STDERR, "download", &line) ||
        words_find(s, RING_STDERR, "installed ", &line);
    if (rt->cache_volume && !arrives)
        finding_step(f, "does %s reach its package index? a registry that does not answer looks "
                        "like this",
                     s->plan->mode == PLAN_DOCKER ? "the container" : "this machine");
    finding_step(f, "`mcptop logs -f %s` shows what it does; init_timeout is how long it may take",
                 s->name);
    return true;
}

static void on_rubbish(const struct symptoms *s, struct findings *fs)
{
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = words_find(s, RING_STDOUT, "", &line);
    struct finding *f = seq
        ? findings_add(fs, FIND_HANDSHAKE_INVALID, s->name,
                       "its stdout is no MCP: \"%.120s\"", buf_str(&line))
        : findings_add(fs, FIND_HANDSHAKE_INVALID, s->name, "%s", s->reason);
    if (seq)
        finding_evidence(f, "stdout", seq, "%s", buf_str(&line));
    finding_evidence(f, "handshake", 0, "%s", s->reason);
    words_last(s, f, 2);
    finding_step(f, "start it in its stdio mode; logs belong on stderr");
}

static void on_signal(const struct symptoms *s, struct findings *fs, int sig)
{
    struct finding *f = findings_add(fs, FIND_KILLED, s->name,
                                     "ended by signal %d (%s), which mcptop did not send", sig,
                                     strsignal(sig));
    evidence_end(s, f);
    finding_step(f, sig == 9 ? "SIGKILL is somebody's kill -9, or the machine's own OOM killer: "
                 "dmesg tells which"
                 : "a crash of the program: its last lines, or a core file, tell where");
}

static void on_early_exit(const struct symptoms *s, struct findings *fs)
{
    AUTO_BUF struct buf line = BUF_INIT;
    uint64_t seq = words_find(s, RING_STDERR, "", &line);
    bool on_stdout = !seq && s->end->code == 0 &&
        (seq = words_find(s, RING_STDOUT, "", &line)) != 0;
    struct finding *f = findings_add(
        fs, FIND_EXIT_BEFORE_INITIALIZE, s->name, "ended before initialize (exit %d)%s%.200s",
        s->end->code, seq ? ": " : "", buf_str(&line));
    evidence_end(s, f);
    if (on_stdout)
        finding_evidence(f, "stdout", seq, "%s", buf_str(&line));
    finding_step(f, "`mcptop test %s` runs it apart, `mcptop command %s` prints the line for a "
                    "terminal", s->name, s->name);
}

void cause_of_end(const struct symptoms *s, struct findings *fs)
{
    const struct run_end *end = s->end;
    AUTO_BUF struct buf scratch = BUF_INIT;
    bool stray = end && words_find(s, RING_STDOUT, "", &scratch) != 0;
    if (!end)
        return;
    int sig = end->signal ? end->signal : end->code > 128 && end->code < 193 ? end->code - 128 : 0;
    if (s->trouble == TROUBLE_HANDSHAKE || (s->trouble == TROUBLE_START_TIMEOUT && stray)) {
        on_rubbish(s, fs);
    } else if (s->trouble == TROUBLE_START_TIMEOUT) {
        on_timeout(s, fs);
    } else if (s->trouble == TROUBLE_SILENT) {
        struct finding *f = findings_add(fs, FIND_SILENT, s->name,
                                         "it did not answer pings any more and was restarted");
        words_last(s, f, 3);
    } else if (end->why.code) {
        struct finding *f = findings_add(fs, FIND_EXIT_NONZERO, s->name, "%s", end->why.text);
        finding_evidence(f, "engine", 0, "%s", end->why.text);
    } else if (sig) {
        on_signal(s, fs, sig);
    } else if (!s->ever_ready) {
        on_early_exit(s, fs);
    } else {
        AUTO_BUF struct buf line = BUF_INIT;
        words_find(s, RING_STDERR, "", &line);
        struct finding *f = findings_add(
            fs, s->failures > 3 ? FIND_CRASH_LOOP : FIND_EXIT_NONZERO, s->name,
            "%s (exit %d)%s%.200s", s->failures > 3
            ? "it becomes ready and ends again, over and over" : "ended by itself",
            end->code, line.len ? ": " : "", buf_str(&line));
        evidence_end(s, f);
        finding_step(f, "`mcptop logs %s` has what it did before", s->name);
    }
}
