/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What makes a container isolate little: the reasons, for the row and for the question before a
 * change. Knows flags and mounts, changes nothing. */
#include <string.h>
#include <strings.h>
#include "base/buf.h"
#include "base/mem.h"
#include "isolation/plan_make.h"

char *plan_normal_path(const char *path)
{
    struct buf out = BUF_INIT;
    while (*path) {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 2 && strncmp(path, "..", 2) == 0) {
            while (out.len > 0 && out.data[--out.len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && path[0] == '.')) {
            buf_add_char(&out, '/');
            buf_add(&out, path, n);
        }
        path += n;
    }
    buf_add_str(&out, out.len ? "" : "/");
    out.data[out.len] = '\0';
    return buf_take(&out);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static bool is_one_of(const char *path, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(path, list[i]) == 0)
            return true;
    return false;
}

/* Why a mount undoes the isolation, or NULL. Who can write to a system directory as root is the
 * machine's root before long (cron, core_pattern, a program that root runs). */
static char *weak_mount(const struct plan_mount *mount)
{
    static const char *const socket_dirs[] = {"/var", "/var/run", "/run", "/run/podman"};
    static const char *const system_dirs[] = {"/etc", "/proc", "/sys", "/dev", "/boot", "/usr",
                                              "/var/lib", "/var/lib/docker"};
    if (mount->is_volume || mount->is_tmpfs)
        return NULL;
    AUTO_FREE char *path = plan_normal_path(mount->source);
    if (strcmp(path, "/") == 0)
        return xstrdup("the host's whole file system is mounted");
    bool has_socket = ends_with(path, "docker.sock") || ends_with(path, "podman.sock") ||
                      ends_with(path, "containerd.sock");
    if (has_socket || is_one_of(path, socket_dirs, ARRAY_LEN(socket_dirs)))
        return xasprintf("the engine's socket is mounted (%s)", mount->source);
    if (!mount->read_only && is_one_of(path, system_dirs, ARRAY_LEN(system_dirs)))
        return xasprintf("a system directory of the host can be written to (%s)", mount->source);
    return NULL;
}

/* A capability or a profile that opens the way to the host. */
static bool opens_host(const char *flag, const char *value)
{
    static const char *const caps[] = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO",
                                       "DAC_READ_SEARCH", "NET_ADMIN", "BPF"};
    if (strcmp(flag, "security-opt") == 0)
        return ends_with(value, "unconfined") || ends_with(value, "disable");
    const char *cap = strncasecmp(value, "CAP_", 4) == 0 ? value + 4 : value;
    for (size_t i = 0; strcmp(flag, "cap-add") == 0 && i < ARRAY_LEN(caps); i++)
        if (strcasecmp(cap, caps[i]) == 0)
            return true;
    return false;
}

/* Why an option undoes the isolation, or NULL. */
static char *weak_option(const struct plan_option *o)
{
    if (strcmp(o->flag, "privileged") == 0)
        return xstrdup("it is privileged: it may do what the host's root may");
    if (strcmp(o->flag, "pid") == 0 && strcmp(o->value, "host") == 0)
        return xstrdup("the processes are the host's (--pid=host)");
    if ((strcmp(o->flag, "ipc") == 0 || strcmp(o->flag, "userns") == 0) &&
        strcmp(o->value, "host") == 0)
        return xasprintf("--%s=host shares it with the host", o->flag);
    if (strcmp(o->flag, "device") == 0)
        return xasprintf("a device of the host is given to it (%s)", o->value);
    return opens_host(o->flag, o->value) ? xasprintf("--%s=%s", o->flag, o->value) : NULL;
}

static void add_reason(struct buf *why, char *reason)
{
    if (reason)
        buf_printf(why, "%s%s", why->len ? "; " : "", reason);
    free(reason);
}

void plan_find_weakness(struct maker *m)
{
    struct plan *p = m->p;
    struct buf why = BUF_INIT;
    if (strcmp(p->network_mode, "host") == 0)
        add_reason(&why, xstrdup("the network is the host's"));
    for (size_t i = 0; i < p->option_count; i++)
        add_reason(&why, weak_option(&p->options[i]));
    for (size_t i = 0; i < p->mount_count; i++)
        add_reason(&why, weak_mount(&p->mounts[i]));
    if (!why.len)
        return;
    p->weak = true;
    p->weak_why = buf_take(&why);
    plan_note_add(p, "isolation", "weak", m->server->line, true, "%s", p->weak_why);
}

const struct plan_note *plan_ignored_isolation(const struct plan *p, const struct config_server *s)
{
    if (p->mode != PLAN_HOST || s->isolation.enabled != TRI_YES)
        return NULL;
    for (size_t i = 0; i < p->note_count; i++)
        if (p->notes[i].warning && strcmp(p->notes[i].what, "mode") == 0)
            return &p->notes[i];
    return NULL;
}
