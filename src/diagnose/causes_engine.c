/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Causes that the engine tells: it is down, it has no such image, it refuses the container. Where
 * its own sentence is all that tells one refusal from another its words are read. */
#include "diagnose/diagnose_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/near.h"
#include "config/reader.h"
#include "docker/credentials.h"
#include "isolation/runtime.h"

static bool has_any(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcasestr(text, *words))
            return true;
    return false;
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
        "network is unreachable", "lookup ", "proxyconnect", "eof", "server misbehaving",
        "response to https client", NULL };
    if (why->code == ENOSPC || has_any(why->text, full))
        return FIND_DISK_FULL;
    if (strstr(why->text, "invalid reference format"))
        return FIND_IMAGE_NOT_FOUND;             /* no name at all */
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
    static const char *const plain[] = { "first record does not look like a TLS handshake",
                                         "HTTP response to HTTPS client", NULL };
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
        if (has_any(s->end->why.text, plain))
            finding_step(f, "it speaks no TLS: name it in \"insecure-registries\" of the engine's "
                            "daemon.json, or give it a certificate");
        else
            finding_step(f, "check the network of the engine's machine, then docker pull %s",
                         image);
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

/* What could not be started in the container, as the engine says it (exec: "x": …), else by the
 * plan. The caller's. */
static char *contained_program(const struct symptoms *s)
{
    static const char exec[] = "exec: \"";
    const char *p = strstr(s->end->why.text, exec);
    return p ? xstrndup(p + sizeof exec - 1, strcspn(p + sizeof exec - 1, "\""))
             : xstrdup(plan_program(s->plan));
}

/* ENOENT and EACCES of a container: the image has no such program, or may not execute it. */
static bool cause_of_container_exec(const struct symptoms *s, struct findings *fs)
{
    const struct fault *why = &s->end->why;
    const char *standard = standard_image(s);
    AUTO_FREE char *name = contained_program(s);
    AUTO_BUF struct buf init = BUF_INIT;       /* the engine's init says it on stderr */
    if (strcasestr(why->text, "exec format error") ||
        (why->code == EACCES && words_find(s, RING_STDERR, "exec format error", &init))) {
        struct finding *f = findings_add(
            fs, FIND_IMAGE_ARCHITECTURE, s->name,
            "%s in %s is a program for another processor than this machine has", name,
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
        s->plan->image, name);
    finding_evidence(f, "engine", 0, "%s", why->text);
    if (cause_in_command(s, f))
        return true;
    if (why->code == ENOENT && !s->config->isolation.image && s->config->command &&
        strcmp(name, s->config->command) == 0)
        meant_command(s, f);
    if (strcmp(s->plan->image, standard) != 0)
        fix_image(f, s, standard);
    if (why->code == ENOENT && strchr(name, '/') && s->exists(name))
        fix_mount(f, s, name, true);
    fix_to_host(f, s);
    finding_step(f, "choose an image that has it: isolation.image");
    if (plan_option(s->plan, "entrypoint"))
        finding_step(f, "or correct --entrypoint");
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
                                     "the server's mount of %s: there is no such file or "
                                     "directory", path);
    finding_evidence(f, "host", 0, "no %s on this machine", path);
    meant_path_step(s, f, path);
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

/* Of a word that is likely a slip of the pen, what was meant: a server that was to have no network
 * gets no other one for it. To guess at one that lets it out is its user's. */
static void advise_network(const struct symptoms *s, struct finding *f, const char *network)
{
    static const char *const own[] = { "none", "bridge", "host" };
    const char *meant = reader_nearest(network, own, ARRAY_LEN(own));
    if (!meant)
        fix_network(f, s, "bridge");
    else if (strcmp(meant, "none") == 0)
        fix_network(f, s, meant);
    else
        finding_step(f, "no network is called %s: if %s is meant, mcptop set %s network=%s",
                     network, meant, s->name, meant);
}

/* What the engine does not have of what the plan asks for, where another value is sure to be
 * had. */
static void advise_refused(const struct symptoms *s, struct finding *f, const char *text)
{
    static const char range[] = "Range of CPUs is from 0.01 to ";
    const char *cpus = strstr(text, range), *network = s->plan->network_mode;
    if (cpus)
        fix_cpus_to(f, s, strtod(cpus + sizeof range - 1, NULL));
    if (network && strstr(text, "network ") && strstr(text, " not found") && strstr(text, network))
        advise_network(s, f, network);
    if (f->kind == FIND_DISK_FULL)
        finding_step(f, "free space: docker system df, docker image prune");
    else if (f->kind == FIND_SNAP_APPARMOR)
        finding_step(f, "AppArmor on the engine's machine refuses it: `aa-status` and `dmesg` "
                        "there tell which profile; Docker's own packages instead of a snap often "
                        "help");
    else
        finding_step(f, "its words name what it did not like; `mcptop command %s` runs the same "
                        "by hand", s->name);
}

bool cause_of_container(const struct symptoms *s, struct findings *fs)
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
    advise_refused(s, f, text);
    return true;
}

