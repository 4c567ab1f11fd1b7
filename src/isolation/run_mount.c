/* SPDX-License-Identifier: GPL-3.0-or-later */
/* -v and --mount: words to mounts of a plan, and those to the Engine's Binds, Volumes and Mounts.
 *
 * In extra_args and isolation.volumes a host path is a mount of type bind: a path that does not
 * exist is then an error that names it. A `docker run` that is adopted keeps docker's way (Binds):
 * the engine makes it as an empty directory owned by root. */
#include "isolation/run_flag.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"
#include "isolation/plan_make.h"

/* A later mount on the same target replaces the earlier one: later flags win. */
static void put_mount(struct plan *p, const struct plan_mount *m)
{
    for (size_t i = 0; i < p->mount_count; i++) {
        if (strcmp(p->mounts[i].target, m->target) == 0) {
            plan_mount_fini(&p->mounts[i]);
            p->mounts[i] = *m;
            return;
        }
    }
    p->mounts = xrealloc(p->mounts, (p->mount_count + 1) * sizeof(*p->mounts));
    p->mounts[p->mount_count++] = *m;
}

/* ---- volumes ---- */

static bool is_volume_name(const char *s)
{
    if (!isalnum((unsigned char)*s) || !s[1])
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}

/* "ro,z": *ret_other when there is one that a mount proper cannot express. */
static int parse_options(const char *word, const char *options, bool *ret_read_only,
                         bool *ret_other, struct fault *f)
{
    static const char *const others[] = {
        "z", "Z", "nocopy", "shared", "slave", "private", "rshared", "rslave", "rprivate",
        "cached", "delegated", "consistent"};
    while (*options) {
        size_t n = strcspn(options, ",");
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
            known = known || (strlen(others[i]) == n && strncmp(others[i], options, n) == 0);
        if (n == 2 && (strncmp(options, "ro", 2) == 0 || strncmp(options, "rw", 2) == 0))
            *ret_read_only = options[1] == 'o';
        else if (known)
            *ret_other = true;
        else
            return fault_set(f, FAULT_UNSUPPORTED,
                             "\"%.200s\": the option \"%.*s\" is not supported: use ro, rw, z, Z, "
                             "nocopy or a propagation",
                             word, (int)n, options);
        options += n + (options[n] == ',');
    }
    return 0;
}

/* What a user's own words mean: ~ is his home directory. */
static char *volume_source(const char *word, const char *source, bool *ret_is_volume,
                           struct fault *f)
{
    *ret_is_volume = false;
    if (source[0] == '/')
        return xstrdup(source);
    if (source[0] == '~' && (source[1] == '/' || !source[1])) {
        const char *home = getenv("HOME");
        if (home)
            return xasprintf("%s%s", home, source + 1);
        fault_set(f, FAULT_INVALID, "\"%.200s\": HOME is not set, so ~ has no meaning", word);
        return NULL;
    }
    if (is_volume_name(source)) {
        *ret_is_volume = true;
        return xstrdup(source);
    }
    if (source[0] == '$') {
        fault_set(f, FAULT_INVALID,
                  "\"%.200s\": no shell reads this, so $NAME stands for itself: write the path "
                  "out, begin it with ~, or use ${env:NAME}", word);
        return NULL;
    }
    fault_set(f, FAULT_INVALID,
              "\"%.200s\": the part before \":\" must be an absolute path (or a volume's name)",
              word);
    return NULL;
}

/* What docker makes of it: what begins with "." (./x, ../x, .x) is a path, everything else goes to
 * the engine as it stands. */
static char *docker_source(const struct runargs *r, const char *source, bool *ret_is_volume)
{
    *ret_is_volume = is_volume_name(source);
    if ((source[0] == '~' && !isalnum((unsigned char)source[1])) || strchr(source, '$'))
        plan_note_add(r->plan, "volume", source, r->line, true,
                      "%s: no shell is involved, so ~ and $NAME stand for themselves: write the "
                      "path out (${env:HOME} is replaced)",
                      r->where);
    return source[0] == '.' ? run_field_path(r, source) : xstrdup(source);
}

static int add_volume(const struct runargs *r, const char *word, struct fault *f)
{
    AUTO_FREE char *copy = xstrdup(word);
    char *target = strchr(copy, ':');
    if (!target && r->adopted && word[0] == '/' && word[1]) {
        struct plan_mount anonymous = {
            .source = xstrdup(""), .target = xstrdup(word), .bind = xstrdup(word),
            .is_volume = true};
        put_mount(r->plan, &anonymous);
        return 0;
    }
    if (!target)
        return fault_set(f, FAULT_INVALID,
                         "\"%.200s\" is no volume: write \"/host/path:/container/path[:ro]\"",
                         word);
    *target++ = '\0';
    char *options = strchr(target, ':');
    if (options)
        *options++ = '\0';
    struct plan_mount m = {0};
    bool other = false;
    if (target[0] != '/' || !target[1])
        return fault_set(f, FAULT_INVALID,
                         "\"%.200s\": the path in the container must be absolute, and not \"/\"",
                         word);
    if (options && parse_options(word, options, &m.read_only, &other, f) < 0)
        return -1;
    m.source = r->adopted ? docker_source(r, copy, &m.is_volume)
                          : volume_source(word, copy, &m.is_volume, f);
    if (!m.source)
        return -1;
    m.target = xstrdup(target);
    if (r->adopted || other)
        m.bind = xasprintf("%s:%s%s%s", m.source, m.target, options ? ":" : "",
                           options ? options : "");
    put_mount(r->plan, &m);
    return 0;
}

int run_mount_volume(const struct runargs *r, const char *value, struct fault *f)
{
    return add_volume(r, value, f);
}

int runargs_add_volume(struct plan *p, const char *word, struct fault *f)
{
    const struct runargs r = {.plan = p, .where = "isolation.volumes"};
    return add_volume(&r, word, f);
}

/* ---- --mount ---- */

int run_mount_fields(const char *record, struct strvec *out)
{
    const char *p = record;
    do {
        struct buf field = BUF_INIT;
        bool quoted = *p == '"';
        for (p += quoted; *p && (quoted || *p != ','); p++) {
            if (*p == '"' && (!quoted || p[1] != '"'))
                break;
            p += *p == '"';
            buf_add_char(&field, *p);
        }
        strvec_give(out, buf_take(&field));
        if (quoted && *p++ != '"')
            return -1;
        if (*p && *p != ',')
            return -1;
    } while (*p++ == ',');
    return 0;
}

/* key, key=true, key=false. */
static int parse_bool(const char *key, const char *value, bool *ret, struct fault *f)
{
    *ret = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
    if (*ret || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        return 0;
    return fault_set(f, FAULT_INVALID, "%s is true or false, not \"%.40s\"", key, value);
}

static int set_type(struct plan_mount *m, const char *value, struct fault *f)
{
    m->is_volume = strcmp(value, "volume") == 0;
    m->is_tmpfs = strcmp(value, "tmpfs") == 0;
    if (m->is_volume || m->is_tmpfs || strcmp(value, "bind") == 0)
        return 0;
    return fault_set(f, FAULT_UNSUPPORTED, "the type \"%.40s\" is none of bind, volume and tmpfs",
                     value);
}

static bool is_key(const char *key, const char *a, const char *b, const char *c)
{
    return strcmp(key, a) == 0 || (b && strcmp(key, b) == 0) || (c && strcmp(key, c) == 0);
}

static void set_str(char **to, const char *s)
{
    free(*to);
    *to = xstrdup(s);
}

static int set_tmpfs(struct plan_mount *m, const char *key, const char *value, struct fault *f)
{
    char *end = NULL;
    if (strcmp(key, "tmpfs-size") == 0 && (m->tmpfs_bytes = text_parse_size(value)) > 0)
        return 0;
    long mode = strcmp(key, "tmpfs-mode") == 0 ? strtol(value, &end, 8) : -1;
    m->tmpfs_mode = (int)mode;
    if (mode > 0 && mode <= 07777 && end && !*end)
        return 0;
    return fault_set(f, FAULT_INVALID, "%s: \"%.40s\" is no such value", key, value);
}

static int set_mount_field(struct plan_mount *m, const char *key, const char *value,
                           struct fault *f)
{
    if (is_key(key, "readonly", "ro", NULL))
        return parse_bool(key, value, &m->read_only, f);
    if (is_key(key, "volume-nocopy", NULL, NULL))
        return parse_bool(key, value, &m->no_copy, f);
    if (!value)
        return fault_set(f, FAULT_INVALID, "\"%.60s\" needs a value: write key=value,…", key);
    if (is_key(key, "type", NULL, NULL))
        return set_type(m, value, f);
    if (is_key(key, "source", "src", NULL))
        set_str(&m->source, value);
    else if (is_key(key, "target", "dst", "destination"))
        set_str(&m->target, value);
    else if (is_key(key, "bind-propagation", NULL, NULL))
        set_str(&m->propagation, value);
    else if (is_key(key, "tmpfs-size", "tmpfs-mode", NULL))
        return set_tmpfs(m, key, value, f);
    else if (!is_key(key, "consistency", NULL, NULL))    /* of other systems than Linux */
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.60s\" is not supported: use type, source, target, readonly, "
                         "bind-propagation, volume-nocopy, tmpfs-size or tmpfs-mode",
                         key);
    return 0;
}

static int check_mount(const struct plan_mount *m, struct fault *f)
{
    bool bind = !m->is_volume && !m->is_tmpfs;
    if (!m->target || m->target[0] != '/' || !m->target[1])
        return fault_set(f, FAULT_INVALID,
                         "it needs an absolute target in the container, and not \"/\"");
    if (bind && (!m->source || m->source[0] != '/'))
        return fault_set(f, FAULT_INVALID,
                         "a bind mount needs a source that is an absolute path of the host%s",
                         m->source && m->source[0] == '~' ? " (~ is not replaced)" : "");
    if ((m->is_tmpfs && m->source) || (!bind && m->propagation) || (!m->is_volume && m->no_copy) ||
        (!m->is_tmpfs && (m->tmpfs_bytes || m->tmpfs_mode)))
        return fault_set(f, FAULT_INVALID, "it has a key of another type of mount");
    return 0;
}

int run_mount_mount(const struct runargs *r, const char *value, struct fault *f)
{
    AUTO_STRVEC struct strvec fields = {0};
    struct plan_mount m = {.is_volume = true};     /* docker's default */
    int rc = run_mount_fields(value, &fields);
    if (rc < 0)
        return fault_set(f, FAULT_INVALID, "\"%.200s\": a quote is misplaced", value);
    for (size_t i = 0; rc == 0 && i < fields.n; i++) {
        char *v = strchr(fields.v[i], '=');
        if (v)
            *v++ = '\0';
        rc = set_mount_field(&m, fields.v[i], v, f);
    }
    if (r->adopted && m.source && m.source[0] == '.') {
        char *path = run_field_path(r, m.source);      /* as docker's client does */
        free(m.source);
        m.source = path;
    }
    if (rc == 0)
        rc = check_mount(&m, f);
    if (rc < 0) {
        plan_mount_fini(&m);
        return -1;
    }
    m.source = m.source ? m.source : xstrdup("");
    put_mount(r->plan, &m);
    return 0;
}

/* ---- the Engine's JSON ---- */

static json_t *member(json_t *object, const char *key, json_t *(*make)(void))
{
    json_t *j = json_object_get(object, key);
    if (!j)
        json_object_set_new(object, key, j = make());
    return j;
}

static json_t *json_text(const char *s)
{
    json_t *j = json_string(s);
    return j ? j : json_string("");
}

static void add_options(const struct plan_mount *m, json_t *j)
{
    if (m->propagation)
        json_object_set_new(j, "BindOptions",
                            json_pack("{s:o}", "Propagation", json_text(m->propagation)));
    if (m->no_copy)
        json_object_set_new(j, "VolumeOptions", json_pack("{s:b}", "NoCopy", 1));
    if (!m->tmpfs_bytes && !m->tmpfs_mode)
        return;
    json_t *tmpfs = json_object();
    if (m->tmpfs_bytes)
        json_object_set_new(tmpfs, "SizeBytes", json_integer(m->tmpfs_bytes));
    if (m->tmpfs_mode)
        json_object_set_new(tmpfs, "Mode", json_integer(m->tmpfs_mode));
    json_object_set_new(j, "TmpfsOptions", tmpfs);
}

static json_t *mount_json(const struct plan_mount *m)
{
    json_t *j = json_object();
    json_object_set_new(j, "Type",
                        json_string(m->is_tmpfs ? "tmpfs" : m->is_volume ? "volume" : "bind"));
    if (*m->source)
        json_object_set_new(j, "Source", json_text(m->source));
    json_object_set_new(j, "Target", json_text(m->target));
    json_object_set_new(j, "ReadOnly", json_boolean(m->read_only));
    add_options(m, j);
    return j;
}

void run_mount_put(const struct plan *p, const struct run_json *to)
{
    json_t *mounts = json_array();
    for (size_t i = 0; i < p->mount_count; i++) {
        const struct plan_mount *m = &p->mounts[i];
        if (m->bind && strchr(m->bind, ':'))
            json_array_append_new(member(to->host, "Binds", json_array), json_text(m->bind));
        else if (m->bind)
            json_object_set_new(member(to->body, "Volumes", json_object), m->target, json_object());
        else
            json_array_append_new(mounts, mount_json(m));
    }
    json_object_set_new(to->host, "Mounts", mounts);
}
