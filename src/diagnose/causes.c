/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Causes: errno of exec, the engine's reply, OOM flag, exit status and signal. Only where the
 * engine's own sentence is all that tells one refusal from another are its words read. */
#include "diagnose/diagnose_internal.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "base/near.h"
#include "base/text.h"
#include "docker/credentials.h"
#include "isolation/runtime.h"

static bool has_any(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
}

static const char *program(const struct symptoms *s)
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
static bool has_its_arguments(const struct symptoms *s, struct finding *f)
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
    const char *base = runtime_base_name(program(s), scratch, sizeof scratch);
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
    const struct runtime *rt = runtime_detect(program(s));
    if (has_its_arguments(s, f))
        return;
    if (strncmp(program(s) + strcspn(program(s), ":"), ":\\", 2) == 0)
        finding_step(f, "that is a path of Windows: write the one of this machine");
    else if (strcmp(rt->name, "other") != 0 && !strchr(program(s), '/')) {
        finding_step(f, "install %s, or write its full path as the command", base);
        if (!s->engine_down)
            fix_isolate(f, s);
    } else {
        finding_step(f, "correct the command, or install it");
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
            finding_step(f, "%s", of[i].step);
            return true;
        }
    struct finding *f = findings_add(fs, FIND_SPAWN_FAILED, s->name, "%s", s->end->why.text);
    evidence_errno(s, f);
    return true;
}

/* ---- the engine -------------------------------------------------------------------------- */

bool cause_of_engine(const struct symptoms *s, struct findings *fs)
{
    bool waits = s->state == SERVER_BACKING_OFF || s->state == SERVER_STARTING ||
        s->state == SERVER_FAILED;
    if (s->plan->mode != PLAN_DOCKER || !s->engine_down || !waits)
        return false;
    const char *why = s->engine_error;
    bool denied = strcasestr(why, "permission denied") != NULL;
    struct finding *f = findings_add(
        fs, denied ? FIND_NO_PERMISSION : FIND_DAEMON_DOWN, s->name, denied
        ? "the engine's socket does not admit this user: %s"
        : "%s", why);
    f->of_engine = true;
    finding_evidence(f, "engine", 0, "%s", why);
    if (denied)
        finding_step(f, "sudo usermod -aG docker \"$USER\", then log in again");
    else
        finding_step(f, "start Docker; the server is started then by itself");
    fix_to_host(f, s);
    return true;
}

/* Which refusal the engine's words are about. */
static enum finding_kind pull_kind(const struct fault *why)
{
    static const char *const full[] = { "no space left", NULL };
    static const char *const arch[] = { "no matching manifest", "does not match the specified",
                                        "exec format error", NULL };
    static const char *const far[] = {
        "dial tcp", "no such host", "i/o timeout", "deadline exceeded", "connection refused",
        "connection reset", "tls handshake", "x509", "certificate", "client.timeout",
        "network is unreachable", "lookup ", "proxyconnect", "eof", "server misbehaving", NULL };
    if (why->code == ENOSPC || has_any(why->text, full))
        return FIND_DISK_FULL;
    if (has_any(why->text, arch))
        return FIND_IMAGE_ARCHITECTURE;
    if (why->code == EBUSY)
        return FIND_RATE_LIMIT;
    if (why->code == ENETUNREACH)
        return FIND_REGISTRY_UNREACHABLE;
    if (why->code == FAULT_CONFIG)
        return FIND_IMAGE_NOT_FOUND;             /* not here, and pull_policy is never */
    if (why->code == FAULT_DENIED)
        return FIND_REGISTRY_DENIED;
    if (why->code == FAULT_NOT_FOUND)
        return FIND_IMAGE_NOT_FOUND;
    return has_any(why->text, far) || why->code == FAULT_TIMEOUT ? FIND_REGISTRY_UNREACHABLE
        : FIND_IMAGE_PULL_FAILED;
}

/* The one of its command; its own, where the command names it (docker run). */
static const char *standard_image(const struct symptoms *s)
{
    return s->plan->adopted ? s->plan->image
        : runtime_detect(s->config->command)->default_image;
}

/* One that is here and whose name is nearly this one's; NULL = none. */
static const char *near_image(const struct symptoms *s)
{
    struct near near;
    const char *image = s->plan->image, *best = NULL;
    size_t same = credentials_registry_len(image);    /* would make all of its images look alike */
    near_init(&near, image + same);
    for (size_t i = 0; s->local_images && i < s->local_images->n; i++) {
        const char *other = s->local_images->v[i];
        size_t before = near.distance;
        if (strcmp(other, image) == 0 || strncmp(other, image, same) != 0)
            continue;
        near_try(&near, other + same);
        best = near.distance < before ? other : best;
    }
    return best;
}

static void advise_pull(const struct symptoms *s, struct finding *f)
{
    const char *image = s->plan->image, *near = near_image(s);
    const char *standard = standard_image(s);
    int registry = (int)credentials_registry_len(image);
    switch (f->kind) {
    case FIND_IMAGE_NOT_FOUND:
        if (s->end->why.code == FAULT_CONFIG)
            fix_pull_policy(f, s);
        if (near)
            fix_image_name(f, s, near);
        if (strcmp(image, standard) != 0 && (!near || strcmp(near, standard) != 0))
            fix_image(f, s, standard);
        finding_step(f, "correct the image's name: docker pull %s shows the same", image);
        break;
    case FIND_REGISTRY_DENIED:
        finding_step(f, "docker login%s%.*s", registry ? " " : "", registry, image);
        break;
    case FIND_RATE_LIMIT:
        if (near)
            fix_image_name(f, s, near);
        finding_step(f, "docker login%s%.*s, so that pulls count as yours", registry ? " " : "",
                     registry, image);
        finding_step(f, "or wait: Docker Hub counts over six hours");
        fix_retry(f, "try the pull again");
        break;
    case FIND_REGISTRY_UNREACHABLE:
        if (near)
            fix_image_name(f, s, near);
        finding_step(f, "check the network of the engine's machine, then docker pull %s", image);
        fix_retry(f, "try the pull again");
        break;
    case FIND_DISK_FULL:
        finding_step(f, "free space: docker system df, docker image prune");
        fix_retry(f, "try the pull again, when there is room");
        break;
    case FIND_IMAGE_ARCHITECTURE:
        finding_step(f, "choose an image for this machine's architecture");
        if (strcmp(image, standard) != 0)
            fix_image(f, s, standard);
        break;
    default:
        finding_step(f, "docker pull %s", image);
    }
}

static bool cause_of_pull(const struct symptoms *s, struct findings *fs)
{
    const struct fault *why = &s->end->why;
    if (!s->end->no_image || why->code == FAULT_CONFLICT)     /* cancelled */
        return false;
    struct finding *f = findings_add(fs, pull_kind(why), s->name, "%s", why->text);
    finding_evidence(f, "engine", 0, "%s", why->text);
    finding_evidence(f, "image", 0, "%s", s->plan->image);
    advise_pull(s, f);
    return true;
}

/* ENOENT and EACCES of a container: the image has no such program, or may not execute it. */
static bool cause_of_container_exec(const struct symptoms *s, struct findings *fs)
{
    const struct fault *why = &s->end->why;
    const char *standard = standard_image(s);
    AUTO_BUF struct buf init = BUF_INIT;       /* the engine's init says it on stderr */
    if (strcasestr(why->text, "exec format error") ||
        (why->code == EACCES && words_find(s, RING_STDERR, "exec format error", &init))) {
        struct finding *f = findings_add(
            fs, FIND_IMAGE_ARCHITECTURE, s->name,
            "%s in %s is a program for another processor than this machine has", program(s),
            s->plan->image);
        finding_evidence(f, "engine", 0, "%s", why->text);
        if (strcmp(s->plan->image, standard) != 0)
            fix_image(f, s, standard);
        finding_step(f, "choose an image for this machine's architecture");
        return true;
    }
    if (why->code != ENOENT && why->code != EACCES)
        return false;
    struct finding *f = findings_add(
        fs, FIND_EXEC_NOT_FOUND, s->name, why->code == ENOENT
        ? "image %s has no \"%s\"" : "image %s has \"%s\", but it may not be executed",
        s->plan->image, program(s));
    finding_evidence(f, "engine", 0, "%s", why->text);
    if (has_its_arguments(s, f))
        return true;
    if (strcmp(s->plan->image, standard) != 0)
        fix_image(f, s, standard);
    if (strchr(program(s), '/') && s->exists(program(s)))
        fix_mount(f, s, program(s), true);
    fix_to_host(f, s);
    finding_step(f, "choose an image that has it: isolation.image");
    return true;
}

/* The directory of a volume that the engine does not find: "… bind source path does not exist:
 * /x", "error while creating mount source path '/x': mkdir /x: read-only file system". The
 * caller's; NULL = that is not it. */
static char *unseen_source(const char *text)
{
    static const char gone[] = "bind source path does not exist: ", made[] = "mount source path '";
    const char *p = strstr(text, gone);
    if (p)
        return xstrndup(p + sizeof gone - 1, strcspn(p + sizeof gone - 1, " \n"));
    p = strstr(text, made);
    return p ? xstrndup(p + sizeof made - 1, strcspn(p + sizeof made - 1, "'")) : NULL;
}

struct finding *tell_no_volume(const struct symptoms *s, struct findings *fs, const char *path)
{
    struct finding *f = findings_add(fs, FIND_OCI_RUNTIME, s->name,
                                     "the server's mount of %s: there is no such file or directory", path);
    finding_evidence(f, "host", 0, "no %s on this machine", path);
    finding_step(f, "make that directory, or correct the path in isolation.volumes (or in -v, "
                    "--mount)");
    return f;
}

/* Of a directory that is here the engine says that it is not: it looks at other files than we do,
 * because a snap confines it or it runs in a machine of its own. */
static bool cause_of_unseen_source(const struct symptoms *s, struct findings *fs)
{
    const char *text = s->end->why.text;
    AUTO_FREE char *path = unseen_source(text);
    if (!path)
        return false;
    if (!s->exists(path)) {
        finding_evidence(tell_no_volume(s, fs, path), "engine", 0, "%s", text);
        return true;
    }
    bool snap = s->exists("/var/snap/docker");
    struct finding *f = findings_add(
        fs, snap ? FIND_SNAP_APPARMOR : FIND_OCI_RUNTIME, s->name, snap
        ? "Docker comes from a snap, which sees no directory outside your home: %s is none to it"
        : "%s is on this machine, and the engine does not see it: it has files of its own", path);
    finding_evidence(f, "engine", 0, "%s", text);
    if (snap)
        finding_step(f, "mount only directories below your home, or install Docker from its own "
                        "packages");
    else
        finding_step(f, "share the directory with the engine's machine (Colima: mounts in its "
                        "configuration; Docker Desktop: file sharing), or mount one that it has");
    return true;
}

static void on_engine_silent(const struct symptoms *s, struct findings *fs)
{
    struct finding *f = findings_add(fs, FIND_ENGINE_TIMEOUT, s->name, "%s", s->end->why.text);
    finding_evidence(f, "engine", 0, "%s", s->end->why.text);
    if (s->end->never_started)
        fix_more_start_time(f, s);
    finding_step(f, "see whether `docker ps` answers, and restart the engine");
    fix_to_host(f, s);
}

static bool cause_of_container_start(const struct symptoms *s, struct findings *fs)
{
    static const char *const full[] = { "no space left", NULL };
    static const char *const snap[] = { "/snap/", "snap.docker", "apparmor", NULL };
    static const char *const port[] = { "port is already allocated", "address already in use",
                                        NULL };
    const char *text = s->end->why.text;
    /* Before the start, or when it was asked how a run had ended. */
    if (s->end->engine_silent || (!s->end->never_started && s->end->why.code == FAULT_TIMEOUT)) {
        on_engine_silent(s, fs);
        return true;
    }
    if (cause_of_pull(s, fs) || cause_of_container_exec(s, fs) || cause_of_unseen_source(s, fs))
        return true;
    enum finding_kind kind = has_any(text, full) ? FIND_DISK_FULL
        : has_any(text, snap) ? FIND_SNAP_APPARMOR
        : has_any(text, port) ? FIND_PORT_IN_USE : FIND_OCI_RUNTIME;
    struct finding *f = findings_add(fs, kind, s->name, "the engine refused the container: %s",
                                     text);
    finding_evidence(f, "engine", 0, "%s", text);
    const struct plan_note *volume = standing_warning(s->plan, "volume");
    if (volume)
        finding_step(f, "%s: %s", volume->value, volume->why);
    if (kind == FIND_DISK_FULL)
        finding_step(f, "free space: docker system df, docker image prune");
    else if (kind == FIND_SNAP_APPARMOR)
        finding_step(f, "AppArmor on the engine's machine refuses it: `aa-status` and `dmesg` "
                        "there tell which profile; Docker's own packages instead of a snap often "
                        "help");
    else
        finding_step(f, "its words name what it did not like; `mcptop command %s` runs the same "
                        "by hand", s->name);
    return true;
}

bool cause_of_start(const struct symptoms *s, struct findings *fs)
{
    if (!s->end || !s->end->why.code || s->end->why.code == FAULT_ENGINE_DOWN)
        return false;
    if (s->plan->mode == PLAN_HOST)
        return s->end->never_started && cause_of_host_start(s, fs);
    return cause_of_container_start(s, fs);
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

static void on_timeout(const struct symptoms *s, struct findings *fs)
{
    if (on_cut_off(s, fs))
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
    const struct runtime *rt = runtime_detect(program(s));
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
