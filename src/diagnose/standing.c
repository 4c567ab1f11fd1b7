/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong while a server runs: limits that are too low or soon will be, a stdout that is no
 * MCP, a silent protocol. And what is wrong with its plan, whether it runs or not. */
#include "diagnose/diagnose_internal.h"

#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

enum { THROTTLED_FOR_S = 15, NOISE_LINES = 1 };

/* ---- the plan ---------------------------------------------------------------------------- */

const struct plan_note *standing_warning(const struct plan *p, const char *what)
{
    for (size_t i = 0; i < p->note_count; i++)
        if (p->notes[i].warning && strcmp(p->notes[i].what, what) == 0)
            return &p->notes[i];
    return NULL;
}

/* Each is one thing to set. */
static void missing_env(const struct symptoms *s, struct findings *fs)
{
    const struct missing_env *m = &s->config->missing_env;
    for (size_t i = 0; i < m->n; i++) {
        AUTO_FREE char *words = missing_env_words(m, i, 1);
        struct finding *f = findings_add(fs, FIND_ENV_UNSET, s->name, "%s", words);
        finding_evidence(f, "config", 0, "line %d", m->v[i].line);
        finding_step(f, "set the variable where the supervisor is started, then restart the "
                        "supervisor; or write the value into env");
    }
}

static void not_started(const struct symptoms *s, struct findings *fs)
{
    const struct plan *p = s->plan;
    const char *mode = p->note_count ? p->notes[p->note_count - 1].value : "";
    bool other = strcmp(mode, "remote") == 0 || strcmp(mode, "sandbox") == 0;
    enum finding_kind kind = other ? FIND_UNSUPPORTED : FIND_CONFIG_REFUSED;
    if (s->config->missing_env.n && strcmp(mode, "remote") != 0) {
        missing_env(s, fs);
        return;
    }
    struct finding *f = findings_add(fs, kind, s->name, "%s", p->unsupported);
    finding_evidence(f, "config", 0, "line %d", s->config->line);
    if (kind == FIND_CONFIG_REFUSED)
        finding_step(f, "correct that key; the file is read again at once");
    else if (strcmp(mode, "sandbox") == 0)
        fix_isolate(f, s);
}

void standing_of_plan(const struct symptoms *s, struct findings *fs)
{
    const struct plan *p = s->plan;
    if (p->mode == PLAN_UNSUPPORTED) {
        not_started(s, fs);
        return;
    }
    const struct plan_note *ignored = plan_ignored_isolation(p, s->config);
    if (ignored) {
        struct finding *f = findings_add(fs, FIND_ISOLATION_IGNORED, s->name,
                                         "it is not isolated: %s", ignored->why);
        finding_evidence(f, "config", 0, "line %d", ignored->line);
        if (!strstr(ignored->why, "the command is"))
            fix_isolate(f, s);
    }
    if (p->mode == PLAN_DOCKER && p->weak) {
        struct finding *f = findings_add(fs, FIND_ISOLATION_WEAK, s->name,
                                         "its container isolates little: %s", p->weak_why);
        finding_evidence(f, "plan", 0, "%s", p->weak_why);
        bool host_network = p->network_mode && strcmp(p->network_mode, "host") == 0;
        if (host_network)
            fix_network(f, s, "bridge");
        if (!host_network || strchr(p->weak_why, ';'))
            finding_step(f, "take that away from isolation (volumes, extra_args)");
    }
}

/* ---- the tools --------------------------------------------------------------------------- */

void standing_of_tools(const struct symptoms *s, struct findings *fs)
{
    AUTO_BUF struct buf words = BUF_INIT, name = BUF_INIT;
    const char *held = s->tools_held ? "; clients do not get them until they are approved" : "";
    bool changed = s->tool_changes && s->tool_changes->n;

    if (s->tools_unwatched) {
        struct finding *f = findings_add(
            fs, FIND_TOOL_CHANGED, s->name,
            "its list of tools is too long to be watched for changes%s",
            s->tools_held ? "; clients get none of them (on_tool_change: hold)" : "");
        finding_evidence(f, "tools", 0, "more than %d tools, or %d bytes", TOOL_LIST_MAX,
                         TOOL_LIST_MAX_BYTES);
        finding_step(f, "on_tool_change: warn lets clients have them unwatched");
    } else if (changed) {
        tool_changes_words(s->tool_changes, &words);
        buf_add_shell(&name, s->name);
        struct finding *f = findings_add(fs, FIND_TOOL_CHANGED, s->name,
                                         "its tools are not what was first seen: %s%s",
                                         buf_str(&words), held);
        finding_evidence(f, "tools", 0, "%s", buf_str(&words));
        finding_step(f, "`mcptop tools --changes %s` shows what changed, `mcptop approve %s` "
                        "accepts it", buf_str(&name), buf_str(&name));
    }
}

/* ---- the run ----------------------------------------------------------------------------- */

static bool has_kind(const struct findings *fs, enum finding_kind kind)
{
    for (size_t i = 0; i < fs->n; i++)
        if (fs->v[i].kind == kind)
            return true;
    return false;
}

static void memory(const struct symptoms *s, struct findings *fs)
{
    char used[16], limit[16];
    int64_t bytes = s->plan->memory_bytes;
    if (bytes <= 0 || has_kind(fs, FIND_OOM_KILLED) ||
        (s->peak_bytes < bytes / 10 * 9 && s->ooms <= 0))
        return;
    text_size(bytes, limit, sizeof limit);
    struct finding *f = s->ooms > 0
        ? findings_add(fs, FIND_MEMORY_TIGHT, s->name,
                       "a process in it was killed for memory at %s; the server lives on", limit)
        : findings_add(fs, FIND_MEMORY_TIGHT, s->name,
                       "its memory is tight: it has used %s of %s",
                       text_size(s->peak_bytes, used, sizeof used), limit);
    if (s->ooms > 0)
        finding_evidence(f, "oom", 0, "the kernel counts %lld OOM kills inside",
                         (long long)s->ooms);
    finding_evidence(f, "usage", 0, "highest use %lld bytes, limit %lld bytes",
                     (long long)s->peak_bytes, (long long)bytes);
    fix_memory(f, s);
}

static void cpu(const struct symptoms *s, struct findings *fs)
{
    if (s->plan->nano_cpus <= 0 || s->throttled_s < THROTTLED_FOR_S)
        return;
    struct finding *f = findings_add(fs, FIND_CPU_THROTTLED, s->name,
                                     "its CPU limit of %s holds it back most of the time",
                                     s->plan->cpu_text);
    finding_evidence(f, "usage", 0, "throttled in most periods for the last %d s and more",
                     THROTTLED_FOR_S);
    fix_cpus(f, s);
}

static void pids(const struct symptoms *s, struct findings *fs)
{
    int64_t limit = s->plan->pids_limit;
    if (limit <= 0 || s->pids_peak < limit - limit / 10 || has_kind(fs, FIND_PIDS_EXHAUSTED))
        return;
    struct finding *f = findings_add(fs, FIND_PIDS_EXHAUSTED, s->name,
                                     "it had %d processes and threads of at most %lld",
                                     (int)s->pids_peak, (long long)limit);
    finding_evidence(f, "usage", 0, "highest count %d, limit %lld", (int)s->pids_peak,
                     (long long)limit);
    fix_pids(f, s);
}

void standing_of_run(const struct symptoms *s, struct findings *fs)
{
    AUTO_BUF struct buf line = BUF_INIT;
    if (s->plan->mode == PLAN_DOCKER) {
        memory(s, fs);
        cpu(s, fs);
        pids(s, fs);
    }
    if (s->stray_lines >= NOISE_LINES) {
        uint64_t seq = words_find(s, RING_STDOUT, "", &line);
        struct finding *f = findings_add(
            fs, FIND_STDOUT_NOISE, s->name, "it writes lines to stdout that are no MCP%s%.80s%s",
            seq ? ": \"" : "", buf_str(&line), seq ? "\"" : "");
        if (seq)
            finding_evidence(f, "stdout", seq, "%s", buf_str(&line));
        finding_step(f, "have it log to stderr; other clients may fail on these lines");
    }
    if (s->state == SERVER_SILENT) {
        bool paused = strncmp(s->reason, "paused: ", 8) == 0;
        struct finding *f = findings_add(fs, FIND_SILENT, s->name, "%s",
                                         paused ? s->reason + 8
                                                : "the process runs and does not answer pings");
        finding_evidence(f, "ping", 0, "%s", s->reason);
        if (!paused)
            words_last(s, f, 3);
    }
}
