/* SPDX-License-Identifier: GPL-3.0-or-later */
/* docker_isolation.hardening: what is taken from a container that its server hardly needs. What the
 * user's own flags say stands above it, flag by flag.
 *
 *   off        the engine's defaults
 *   standard   no-new-privileges, fewer capabilities, a bound on processes, no swap beyond memory
 *   strict     and a read-only root with /tmp in memory, not root, no network unless the server's
 *              own keys say so
 *
 * CAP_DAC_OVERRIDE stays in standard, on purpose: servers run as root in their container, and
 * without it that root cannot look into a directory that its owner closed to others (0700), so a
 * home directory mounted for a server would be unreadable to it. What it may reach is what is
 * mounted. */
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "isolation/plan_make.h"

#define STRICT_USER "65534:65534"
#define TMPFS_OPTIONS "rw,exec,nosuid,nodev,mode=1777"

/* Of the engine's default set; what stays is CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID and SETUID,
 * which npm, pip and apt use as root. */
static const char *const dropped[] = {
    "AUDIT_WRITE", "FSETID", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETPCAP",
    "SYS_CHROOT"};
static const char *const in_memory[] = {"/tmp", "/var/tmp", "/run"};

enum hardening plan_hardening(const struct maker *m)
{
    const struct iso_settings *from = plan_level(m, ISO_HARDENING, NULL);
    return from ? from->hardening : HARDENING_STANDARD;
}

static bool names_cap(const char *value, const char *cap)
{
    return strcasecmp(strncasecmp(value, "CAP_", 4) == 0 ? value + 4 : value, cap) == 0;
}

/* Does a flag of the user's own already decide this one? */
static bool is_decided(const struct plan *p, const char *flag, const char *value)
{
    for (size_t i = 0; i < p->option_count; i++) {
        const struct plan_option *o = &p->options[i];
        if (strcmp(flag, "cap-drop") == 0 && strcmp(o->flag, "cap-add") == 0 &&
            (names_cap(o->value, value) || names_cap(o->value, "ALL")))
            return true;
        if (strcmp(flag, "cap-drop") == 0 && strcmp(o->flag, flag) == 0 &&
            (names_cap(o->value, value) || names_cap(o->value, "ALL")))
            return true;
        if (strcmp(flag, "security-opt") == 0 && strcmp(o->flag, flag) == 0 &&
            strncmp(o->value, "no-new-privileges", 17) == 0)
            return true;
    }
    return false;
}

static void add(struct plan *p, const char *flag, const char *value)
{
    if (!is_decided(p, flag, value))
        plan_option_add(p, flag, value, true);
}

static void add_standard(struct plan *p)
{
    add(p, "security-opt", "no-new-privileges");
    for (size_t i = 0; i < ARRAY_LEN(dropped); i++)
        add(p, "cap-drop", dropped[i]);
    if (p->memory_bytes && !p->memory_swap_bytes)
        p->memory_swap_bytes = p->memory_bytes;
}

/* ---- strict ---- */

static bool is_taken(const struct plan *p, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < p->mount_count; i++)
        if (strcmp(p->mounts[i].target, path) == 0)
            return true;
    for (size_t i = 0; i < p->option_count; i++)
        if (strcmp(p->options[i].flag, "tmpfs") == 0 &&
            strncmp(p->options[i].value, path, n) == 0 && strchr(":", p->options[i].value[n]))
            return true;
    return false;
}

bool plan_is_root(const struct plan *p)
{
    const char *user = plan_option(p, "user");
    return user && (strcmp(user, "root") == 0 || strncmp(user, "root:", 5) == 0 ||
                    strcmp(user, "0") == 0 || strncmp(user, "0:", 2) == 0);
}

static void add_strict(struct plan *p)
{
    if (!plan_option(p, "read-only"))
        plan_option_add(p, "read-only", "true", true);
    for (size_t i = 0; i < ARRAY_LEN(in_memory); i++) {
        AUTO_FREE char *tmpfs = xasprintf("%s:" TMPFS_OPTIONS, in_memory[i]);
        if (!is_taken(p, in_memory[i]))
            plan_option_add(p, "tmpfs", tmpfs, true);
    }
    if (!plan_option(p, "user"))
        plan_option_add(p, "user", STRICT_USER, true);
    /* The image's home is root's, or belongs to nobody that this user is. */
    if (!plan_is_root(p) && !kvvec_get(&p->container_env, "HOME"))
        kvvec_set(&p->container_env, "HOME", "/tmp");
}

static void warn(struct maker *m, int line, const char *text)
{
    plan_note_add(m->p, "hardening", "strict", line, true, "%s", text);
}

/* What strict takes from this server, by name. */
static void warn_strict(struct maker *m, int line, const struct runtime *rt)
{
    struct plan *p = m->p;
    bool network = strcmp(p->network_mode, "none") != 0, root = plan_is_root(p);
    const char *user = plan_option(p, "user");
    if (rt && rt->cache_volume && !network) {
        AUTO_FREE char *text = xasprintf(
            "there is no network, and %s fetches its package at the start: use an image that has "
            "it (isolation.image), or set isolation.network_mode to bridge",
            rt->command);
        warn(m, line, text);
    } else if (rt && rt->cache_volume && !root) {
        AUTO_FREE char *text = xasprintf(
            "the cache volume is root's and the server runs as %s, so %s fetches its package into "
            "/tmp at every start",
            user, rt->command);
        warn(m, line, text);
    }
    for (size_t i = 0; i < p->mount_count && !root; i++) {
        if (p->mounts[i].is_volume || p->mounts[i].is_tmpfs)
            continue;
        AUTO_FREE char *text = xasprintf(
            "the server runs as %s: what of %s is closed to that user is closed to the server; "
            "isolation.extra_args [\"--user\", \"UID:GID\"] gives it another",
            user, p->mounts[i].source);
        warn(m, line, text);
    }
}

void plan_harden(struct maker *m, const struct runtime *rt)
{
    static const char *const whats[] = {
        [HARDENING_OFF] = "the engine's defaults",
        [HARDENING_STANDARD] = "no new privileges, fewer capabilities, a bound on processes, no "
                               "swap beyond memory",
        [HARDENING_STRICT] = "as standard, and a read-only root, /tmp in memory, not root, no "
                             "network unless the server's own keys say so",
    };
    const char *prefix;
    const struct iso_settings *from = plan_level(m, ISO_HARDENING, &prefix);
    enum hardening level = plan_hardening(m);
    int line = from ? from->line[ISO_HARDENING] : 0;
    m->p->hardening = level;
    if (from)
        plan_note_add(m->p, "hardening", hardening_name(level), line, false,
                      "%shardening (line %d): %s", prefix, line, whats[level]);
    else
        plan_note_add(m->p, "hardening", hardening_name(level), 0, false, "default: %s",
                      whats[level]);
    if (level == HARDENING_OFF)
        return;
    if (plan_option(m->p, "privileged")) {
        plan_note_add(m->p, "hardening", hardening_name(level), line, true,
                      "--privileged undoes it");
        return;
    }
    add_standard(m->p);
    if (level == HARDENING_STRICT) {
        add_strict(m->p);
        warn_strict(m, line, rt);
    }
}
