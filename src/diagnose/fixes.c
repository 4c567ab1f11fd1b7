/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each fix changes. A title is what the user reads before he says yes; where isolation gets
 * weaker its first word says so. Applying one is fix_apply() in doctor.c. */
#include "diagnose/diagnose_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "isolation/runtime.h"

#define WEAKENS "Weakens isolation: "

static struct fix *add(struct finding *f, const char *id, char *title)
{
    if (f->fix_count == FINDING_FIXES_MAX) {
        free(title);
        return NULL;
    }
    struct fix *x = &f->fixes[f->fix_count++];
    *x = (struct fix){ .id = id, .title = title, .act = FIX_CHANGE,
                       .weakens = strncmp(title, WEAKENS, sizeof WEAKENS - 1) == 0 };
    return x;
}

static char *json_text(const char *s)
{
    struct buf b = BUF_INIT;
    buf_add_json(&b, s, strlen(s));
    return buf_take(&b);
}

static void set_key(struct fix *x, enum fleet_key_op op, size_t index, const char *path,
                    char *json)
{
    if (!x || x->key_count == FIX_KEYS_MAX) {
        free(json);
        return;
    }
    x->keys[x->key_count++] = (struct fleet_key){ .path = xstrdup(path), .json = json, .op = op,
                                                  .index = index };
    x->needs_socket = true;
}

/* ---- limits ------------------------------------------------------------------------------ */

static char *size_words(int64_t bytes)
{
    int64_t gib = INT64_C(1) << 30, mib = 1 << 20;
    return bytes % gib == 0 ? xasprintf("%lldg", (long long)(bytes / gib))
        : xasprintf("%lldm", (long long)((bytes + mib - 1) / mib));
}

/* Less than this and it does not come to its first line: an interpreter; one that installs its
 * package first (npx, uvx) holds the package index beside it. 0 = any program, nothing is known. */
static int64_t memory_floor(const struct symptoms *s)
{
    enum { INTERPRETER_MIB = 128, INSTALLER_MIB = 256 };
    static const char *const interpreted[] = { "python", "node", "deno", "ruby", "php" };
    const struct plan *p = s->plan;
    const struct runtime *rt = runtime_detect(p->argv.n ? p->argv.v[0] : s->config->command);
    if (rt->cache_volume || p->bootstrap)
        return (int64_t)INSTALLER_MIB << 20;
    for (size_t i = 0; i < ARRAY_LEN(interpreted); i++)
        if (strcmp(rt->name, interpreted[i]) == 0 ||
            (p->image && strstr(p->image, interpreted[i])))
            return (int64_t)INTERPRETER_MIB << 20;
    return 0;
}

/* "killed at 64M, then at 128M" */
static void add_limits(const struct symptoms *s, struct buf *out)
{
    char size[16];
    for (size_t i = 0; i < s->oom_limit_count; i++)
        buf_printf(out, "%s at %s", i ? ", then" : "killed",
                   text_size(s->oom_limits[i], size, sizeof size));
    buf_printf(out, ", then at %s", text_size(s->plan->memory_bytes, size, sizeof size));
}

/* How much it would have used nobody sees: its limit stopped it. So it is twice the limit or the
 * highest use seen, whichever is more, in steps of 64 MiB where the use decides; four times when
 * more was given already and it was killed again, so that few steps lead from 64 MiB to 1 GiB; and
 * enough to start with: what was killed at 6 MiB has shown no more than that. */
static int64_t next_memory(const struct symptoms *s, struct buf *why)
{
    int64_t limit = s->plan->memory_bytes, step = 64 << 20, floor = memory_floor(s);
    int64_t by_peak = (2 * s->peak_bytes + step - 1) / step * step;
    bool killed = s->end || s->ooms > 0, again = killed && s->oom_limit_count;
    int64_t want = (again ? 4 : 2) * limit;
    if (floor > want && floor >= by_peak) {
        buf_add_str(why, "what runs it needs that much to start");
        return floor;
    }
    if (by_peak > want && 2 * s->peak_bytes > want) {
        buf_add_str(why, "twice the highest use seen");
        return by_peak;
    }
    if (again)
        add_limits(s, why);
    buf_add_str(why, again    ? ": four times as much is tried"
                     : killed ? "what it wants beyond its limit cannot be seen: twice as much is "
                                "tried"
                              : "twice its limit");
    return want;
}

/* No more than the machine can give: a limit above that would have the kernel kill somebody
 * else. */
void fix_memory(struct finding *f, const struct symptoms *s)
{
    int64_t limit = s->plan->memory_bytes, step = 64 << 20;
    int64_t room = s->host_free > 0 ? s->host_free + (s->end ? 0 : s->peak_bytes) : INT64_MAX;
    AUTO_BUF struct buf why = BUF_INIT;
    int64_t want = next_memory(s, &why);
    char free_text[16];
    text_size(room, free_text, sizeof free_text);
    if (want > room) {
        want = room / step * step;
        buf_printf(&why, "; the machine has %s free, so no more than that", free_text);
    }
    if (want <= limit) {
        finding_step(f, "the machine has no more memory to give: %s is free", free_text);
        return;
    }
    char *to = size_words(want);
    struct fix *x = add(f, "memory", xasprintf("memory_limit %s → %s", s->plan->memory_text, to));
    finding_evidence(f, "limits", 0, "%s", buf_str(&why));
    if (x)
        x->memory = TAKE(to);
    free(to);
}

void fix_cpus(struct finding *f, const struct symptoms *s)
{
    double now = (double)s->plan->nano_cpus / 1e9, want = 2 * now < .5 ? .5 : 2 * now;
    if (s->host_cpus > 0 && want > s->host_cpus)
        want = s->host_cpus;
    if (want <= now) {
        finding_step(f, "the machine has no more CPUs to give");
        return;
    }
    fix_cpus_to(f, s, want);
}

void fix_cpus_to(struct finding *f, const struct symptoms *s, double cpus)
{
    char *to = xasprintf("%g", cpus);
    struct fix *x = add(f, "cpus", xasprintf("cpu_limit %s → %s", s->plan->cpu_text, to));
    if (x)
        x->cpus = TAKE(to);
    free(to);
}

void fix_pids(struct finding *f, const struct symptoms *s)
{
    enum { ENOUGH_TO_START = 32 };   /* Node begins with a dozen threads */
    long long to = 2 * (long long)s->plan->pids_limit;
    to = to < ENOUGH_TO_START ? ENOUGH_TO_START : to;
    struct fix *x = add(f, "pids", xasprintf("pids_limit %lld → %lld",
                                             (long long)s->plan->pids_limit, to));
    if (x)
        x->pids = xasprintf("%lld", to);
}

/* ---- isolation --------------------------------------------------------------------------- */

static bool is_wider(const char *from, const char *to)
{
    static const char *const open_ones[] = { "bridge", "default", "host" };
    for (size_t i = 0; i < ARRAY_LEN(open_ones); i++)
        if (strcmp(from, open_ones[i]) == 0)
            return strcmp(to, "host") == 0 && strcmp(from, "host") != 0;
    return strcmp(to, "none") != 0;  /* from none, or from a network made to keep it in */
}

void fix_network(struct finding *f, const struct symptoms *s, const char *mode)
{
    const char *from = s->plan->network_mode ? s->plan->network_mode : "default";
    struct fix *x = add(f, strcmp(mode, "host") == 0 ? "network-host" : "network",
                        xasprintf("%snetwork_mode %s → %s", is_wider(from, mode) ? WEAKENS : "",
                                  from, mode));
    if (x)
        x->network = xstrdup(mode);
}

bool fix_host_has(const struct symptoms *s, const char *command, struct fault *why)
{
    return !s->look || s->look(command, &s->plan->env, s->config->working_dir, why) == 0;
}

/* Not where it would only fail in another way: then what is missing there is said instead. */
void fix_to_host(struct finding *f, const struct symptoms *s)
{
    struct fault why = FAULT_NONE;
    if (s->plan->adopted)
        return;                      /* its command starts a container anyway */
    if (s->config->command && !fix_host_has(s, s->config->command, &why)) {
        finding_step(f, "on the host it would not start either: %s", why.text);
        return;
    }
    struct fix *x = add(f, "host", xstrdup(WEAKENS "run it on the host, as you"));
    if (x)
        x->isolation = xstrdup("none");
}

void fix_isolate(struct finding *f, const struct symptoms *s)
{
    (void)s;
    struct fix *x = add(f, "isolate", xstrdup("run it in a container"));
    if (x)
        x->isolation = xstrdup("docker");
}

/* An entry of isolation.volumes that mounts this source; -1 = none. */
static ssize_t volume_of(const struct symptoms *s, const char *source)
{
    const struct strvec *v = &s->config->isolation.volumes;
    size_t n = strlen(source);
    for (size_t i = 0; i < v->n; i++)
        if (strncmp(v->v[i], source, n) == 0 && v->v[i][n] == ':')
            return (ssize_t)i;
    return -1;
}

/* The whole line of volumes, as it will stand in the file. */
void fix_mount(struct finding *f, const struct symptoms *s, const char *path, bool read_only)
{
    if (s->plan->adopted) {
        finding_step(f, "add -v %s:%s%s to its docker run", path, path, read_only ? ":ro" : "");
        return;
    }
    ssize_t at = volume_of(s, path);
    AUTO_FREE char *word = NULL;
    if (at >= 0) {
        const char *old = s->config->isolation.volumes.v[at], *end = strrchr(old, ':');
        bool has_ro = end && strcmp(end, ":ro") == 0;
        word = xstrndup(old, has_ro && !read_only ? (size_t)(end - old) : strlen(old));
    } else {
        word = xasprintf("%s:%s%s", path, path, read_only ? ":ro" : "");
    }
    struct fix *x = add(f, read_only ? "mount" : "mount-writable",
                        xasprintf(WEAKENS "mount %s", word));
    set_key(x, at >= 0 ? FLEET_KEY_ITEM : FLEET_KEY_APPEND, at >= 0 ? (size_t)at : 0,
            "isolation.volumes", json_text(word));
    const char *dir = s->config->working_dir;
    if (x && dir && strcmp(dir, path) == 0)
        set_key(x, FLEET_KEY_SET, 0, "isolation.working_dir", json_text(dir));
}

/* ---- what runs --------------------------------------------------------------------------- */

void fix_image(struct finding *f, const struct symptoms *s, const char *image)
{
    if (s->plan->adopted)
        return;                      /* its docker run names the image */
    struct fix *x = add(f, "image", xasprintf("image %s → %s", s->plan->image, image));
    set_key(x, FLEET_KEY_SET, 0, "isolation.image", json_text(image));
}

void fix_image_name(struct finding *f, const struct symptoms *s, const char *image)
{
    const struct strvec *args = &s->config->args;
    if (!s->plan->adopted) {
        fix_image(f, s, image);
        return;
    }
    for (size_t i = 0; i < args->n; i++) {
        if (strcmp(args->v[i], s->plan->image) != 0)
            continue;
        struct fix *x = add(f, "image", xasprintf("image %s → %s", s->plan->image, image));
        set_key(x, FLEET_KEY_ITEM, i, "args", json_text(image));
        return;
    }
}

void fix_pull_policy(struct finding *f, const struct symptoms *s)
{
    (void)s;
    struct fix *x = add(f, "pull", xstrdup("pull_policy never → missing: the image is pulled"));
    set_key(x, FLEET_KEY_SET, 0, "isolation.pull_policy", json_text("missing"));
    if (x)
        x->needs_socket = false;
}

/* Only the words that differ are written, so that the others stay as they stand in the file. */
void fix_args(struct finding *f, const struct symptoms *s, const struct strvec *args,
              const char *title)
{
    const struct strvec *old = &s->config->args;
    struct fix *x = add(f, "args", xstrdup(title));
    size_t more = args->n > old->n ? args->n - old->n : 0;
    for (size_t i = more; i-- > 0;)
        set_key(x, FLEET_KEY_PREPEND, 0, "args", json_text(args->v[i]));
    for (size_t i = 0; !more && i < args->n; i++)
        if (strcmp(args->v[i], old->v[i]) != 0)
            set_key(x, FLEET_KEY_ITEM, i, "args", json_text(args->v[i]));
}

void fix_command(struct finding *f, const struct symptoms *s, const char *command)
{
    struct fix *x = add(f, "command", xasprintf("command %s → %s", s->config->command, command));
    set_key(x, FLEET_KEY_SET, 0, "command", json_text(command));
}

/* The words of the command: the first stays, the others go before its args. Quotes are the user's
 * to read. */
void fix_split_command(struct finding *f, const struct symptoms *s)
{
    AUTO_STRVEC struct strvec words = { 0 };
    for (const char *p = s->config->command; *(p += strspn(p, " ")); p += strcspn(p, " "))
        strvec_give(&words, xstrndup(p, strcspn(p, " ")));
    if (words.n < 2 || words.n > FIX_KEYS_MAX || strpbrk(s->config->command, "'\"\\$"))
        return;
    struct fix *x = add(f, "split", xasprintf("command %s, and the other words into args",
                                              words.v[0]));
    set_key(x, FLEET_KEY_SET, 0, "command", json_text(words.v[0]));
    for (size_t i = words.n; i-- > 1;)
        set_key(x, FLEET_KEY_PREPEND, 0, "args", json_text(words.v[i]));
}

/* Where the common runtimes look for it: OpenSSL and uv, requests, node, pip. */
void fix_ca(struct finding *f, const struct symptoms *s)
{
    static const char *const variables[] = { "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
                                             "NODE_EXTRA_CA_CERTS", "PIP_CERT" };
    static const char inside[] = "/etc/ssl/certs/mcptop-host-ca.crt";
    if (s->plan->adopted) {
        finding_step(f, "give its docker run -v %s:%s:ro -e SSL_CERT_FILE=%s", s->ca_bundle,
                     inside, inside);
        return;
    }
    struct fix *x = add(f, "ca", xasprintf("mount the host's CA bundle %s read-only and point to "
                                           "it", s->ca_bundle));
    AUTO_FREE char *word = xasprintf("%s:%s:ro", s->ca_bundle, inside);
    set_key(x, FLEET_KEY_APPEND, 0, "isolation.volumes", json_text(word));
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        AUTO_FREE char *path = xasprintf("isolation.env.%s", variables[i]);
        set_key(x, FLEET_KEY_SET, 0, path, json_text(inside));
    }
}

static void more_time(struct finding *f, const char *key, int64_t ms)
{
    AUTO_FREE char *to = xasprintf("%llds", (long long)(ms * 4 / 1000 < 120 ? 120
                                                        : ms * 4 / 1000));
    struct fix *x = add(f, "time", xasprintf("%s %gs → %s", key, (double)ms / 1e3, to));
    set_key(x, FLEET_KEY_SET, 0, key, json_text(to));
    if (x)
        x->needs_socket = false;
}

void fix_more_time(struct finding *f, const struct symptoms *s)
{
    more_time(f, "init_timeout", s->init_timeout_ms);
}

void fix_more_start_time(struct finding *f, const struct symptoms *s)
{
    more_time(f, "isolation.timeout", s->plan->start_timeout_ms);
}

/* A flag of docker run and its value, behind all others of the server's own. */
static void add_flag(struct finding *f, const struct symptoms *s, const char *id, const char *flag,
                     const char *value, char *title)
{
    if (s->plan->adopted) {
        finding_step(f, "add %s %s to its docker run", flag, value);
        free(title);
        return;
    }
    struct fix *x = add(f, id, title);
    set_key(x, FLEET_KEY_APPEND, 0, "isolation.extra_args", json_text(flag));
    set_key(x, FLEET_KEY_APPEND, 0, "isolation.extra_args", json_text(value));
}

void fix_tmpfs(struct finding *f, const struct symptoms *s, const char *dir)
{
    AUTO_FREE char *value = xasprintf("%s:mode=1777", dir);
    add_flag(f, s, "tmpfs", "--tmpfs", value,
             xasprintf("%s in memory: what it writes there is gone when it ends", dir));
}

void fix_user(struct finding *f, const struct symptoms *s, unsigned uid, unsigned gid,
              const char *path)
{
    AUTO_FREE char *value = xasprintf("%u:%u", uid, gid);
    add_flag(f, s, "user", "--user", value,
             xasprintf(WEAKENS "run it as %s, who owns %s", value, path));
}

void fix_standard(struct finding *f, const struct symptoms *s)
{
    if (s->plan->hardening != HARDENING_STRICT)
        return;
    struct fix *x = add(f, "hardening", xstrdup(WEAKENS "hardening strict → standard"));
    set_key(x, FLEET_KEY_SET, 0, "isolation.hardening", json_text("standard"));
}

void fix_retry(struct finding *f, const char *title)
{
    struct fix *x = add(f, "retry", xstrdup(title));
    if (x)
        x->act = FIX_RETRY;
}
