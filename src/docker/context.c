/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which engine the environment and the docker CLI's files name. It only reads words: whether
 * anybody answers there is engine.c's to find out. The CLI finds a context's directory by the
 * SHA-256 of its name; here all directories are read and the name inside counts, which is the
 * same. */
#include "docker/context.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/mem.h"
#include "docker/cli_config.h"

#define DEFAULT_HOST "unix:///var/run/docker.sock"
enum { META_MAX_BYTES = 64 * 1024, MAX_CONTEXTS = 256 };

/* ---- what a host says ---- */

/* "" or why this version cannot use it; the caller's. */
static char *host_error(const char *host)
{
    const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (host[0] == '/')
        return xasprintf("%.200s names no protocol: write unix://%.200s", host, host);
    if (!strstr(host, "://"))
        return xasprintf("%.200s names no protocol, so docker takes it for tcp://: engines by tcp "
                         "are not supported by this version yet, only unix:// sockets", host);
    if (strncmp(host, "unix://", 7) != 0)
        return xasprintf("%.200s: engines by %.*s are not supported by this version yet, only "
                         "unix:// sockets", host, (int)strcspn(host, ":"), host);
    if (host[7] != '/')
        return xasprintf("%.200s: the socket must be an absolute path, as in " DEFAULT_HOST, host);
    if (strlen(host + 7) > most)
        return xasprintf("the socket's path is longer than %zu bytes, the most the kernel takes",
                         most);
    return xstrdup("");
}

/* ---- the list ---- */

static void list_add(struct docker_contexts *c, const char *name, const char *description,
                     const char *host, const char *error)
{
    c->v = xrealloc(c->v, (c->n + 1) * sizeof *c->v);
    c->v[c->n++] = (struct docker_context_entry){
        .name = xstrdup(name),
        .description = xstrdup(description ? description : ""),
        .host = xstrdup(host ? host : ""),
        .error = error ? xstrdup(error) : host_error(host),
    };
}

static const struct docker_context_entry *list_find(const struct docker_contexts *c,
                                                    const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->v[i].name, name) == 0)
            return &c->v[i];
    return NULL;
}

static const char *text_at(const json_t *o, const char *key)
{
    return json_string_value(json_object_get(o, key));
}

static void read_meta(struct docker_contexts *c, const char *meta_dir, const char *entry)
{
    struct fault f = FAULT_NONE;
    AUTO_FREE char *path = xasprintf("%s/%s/meta.json", meta_dir, entry);
    json_t *root = cli_config_read(path, META_MAX_BYTES, &f);
    const char *name = text_at(root, "Name");
    const char *host =
        text_at(json_object_get(json_object_get(root, "Endpoints"), "docker"), "Host");
    if (!root && f.code == ENOENT)
        return;                 /* a directory that docker would not show either */
    if (!root || !name || !*name) {
        AUTO_FREE char *text = root ? xasprintf("%s holds no \"Name\"", path) : xstrdup(f.text);
        list_add(c, entry, NULL, NULL, text);
    } else if (!list_find(c, name)) {
        AUTO_FREE char *text = xasprintf("%s names no endpoint \"docker\" with a \"Host\"", path);
        list_add(c, name, text_at(json_object_get(root, "Metadata"), "Description"), host,
                 host && *host ? NULL : text);
    }
    json_decref(root);
}

static int by_name(const void *a, const void *b)
{
    const struct docker_context_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void read_all_meta(struct docker_contexts *c)
{
    AUTO_FREE char *dir = cli_config_dir();
    AUTO_FREE char *meta = dir ? xasprintf("%s/contexts/meta", dir) : NULL;
    DIR *d = meta ? opendir(meta) : NULL;
    if (!d)
        return;
    const struct dirent *e;
    while ((e = readdir(d)) && c->n < MAX_CONTEXTS)
        if (e->d_name[0] != '.')
            read_meta(c, meta, e->d_name);
    closedir(d);
    qsort(c->v + 1, c->n - 1, sizeof *c->v, by_name);
}

/* The CLI's order: DOCKER_HOST wins over everything, then DOCKER_CONTEXT, then config.json. */
static void choose(struct docker_contexts *c, const char *host)
{
    const char *named = getenv("DOCKER_CONTEXT");
    struct fault f = FAULT_NONE;
    AUTO_FREE char *dir = cli_config_dir();
    json_t *config = cli_config_load(&f);
    const char *current = text_at(config, "currentContext");
    c->error = xstrdup(config ? "" : f.text);
    if (host) {
        c->chosen = xstrdup("default");
        c->why = xstrdup("DOCKER_HOST is set");
    } else if (named && *named) {
        c->chosen = xstrdup(named);
        c->why = xstrdup("DOCKER_CONTEXT is set");
    } else if (current && *current) {
        c->chosen = xstrdup(current);
        c->why = xasprintf("currentContext of %s/config.json", dir);
    } else {
        c->chosen = xstrdup("default");
        c->why = config ? xstrdup("no DOCKER_HOST, no DOCKER_CONTEXT, no currentContext: the "
                                  "default socket")
                        : xasprintf("the default socket, as docker does: %s", f.text);
    }
    json_decref(config);
}

/* As docker reads it: without blanks around it; "unix://" alone is the default socket. */
static char *host_of_environment(void)
{
    static const char blanks[] = " \t\r\n";
    const char *s = getenv("DOCKER_HOST");
    if (!s || !*s)
        return NULL;
    s += strspn(s, blanks);
    size_t n = strlen(s);
    while (n > 0 && strchr(blanks, s[n - 1]))
        n--;
    AUTO_FREE char *host = xstrndup(s, n);
    return xstrdup(n == 0 || strcmp(host, "unix://") == 0 ? DEFAULT_HOST : host);
}

void docker_contexts_list(struct docker_contexts *ret)
{
    AUTO_FREE char *host = host_of_environment();
    bool given = host != NULL;
    *ret = (struct docker_contexts){0};
    list_add(ret, "default", given ? "DOCKER_HOST" : "the engine of this machine",
             given ? host : DEFAULT_HOST, NULL);
    read_all_meta(ret);
    choose(ret, given ? host : NULL);
}

void docker_contexts_fini(struct docker_contexts *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->v[i].name);
        free(c->v[i].description);
        free(c->v[i].host);
        free(c->v[i].error);
    }
    free(c->v);
    free(c->chosen);
    free(c->why);
    free(c->error);
    *c = (struct docker_contexts){0};
}

static json_t *foreign(const char *s)
{
    json_t *j = json_string(s);
    return j ? j : json_string("(not UTF-8)");
}

json_t *docker_contexts_json(void)
{
    struct docker_contexts c;
    docker_contexts_list(&c);
    json_t *list = json_array();
    for (size_t i = 0; i < c.n; i++)
        json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:b, s:o}", "name", foreign(c.v[i].name), "endpoint",
                            foreign(c.v[i].host), "description", foreign(c.v[i].description),
                            "current", strcmp(c.v[i].name, c.chosen) == 0, "error",
                            foreign(c.v[i].error)));
    json_t *doc = json_pack("{s:o, s:o, s:o, s:o}", "chosen", foreign(c.chosen), "why",
                            foreign(c.why), "error", foreign(c.error), "contexts", list);
    docker_contexts_fini(&c);
    return doc;
}

/* ---- the one ---- */

static int fault_no_such(const struct docker_contexts *c, struct fault *f)
{
    AUTO_BUF struct buf names = BUF_INIT;
    for (size_t i = 0; i < c->n; i++)
        buf_printf(&names, "%s%.60s", i ? ", " : "", c->v[i].name);
    return fault_set(f, FAULT_NOT_FOUND,
                     "there is no Docker context \"%.80s\" (%s): there are %.300s; choose one with "
                     "`docker context use`, or set DOCKER_HOST",
                     c->chosen, c->why, buf_str(&names));
}

static int resolve_in(const struct docker_contexts *c, struct docker_context *ret, struct fault *f)
{
    const struct docker_context_entry *e = list_find(c, c->chosen);
    if (!e)
        return fault_no_such(c, f);
    if (*e->error)
        return fault_set(f, strncmp(e->host, "unix://", 7) ? FAULT_UNSUPPORTED : FAULT_INVALID,
                         "Docker context \"%.80s\" (%s) cannot be used: %s", e->name, c->why,
                         e->error);
    *ret = (struct docker_context){
        .name = xstrdup(e->name), .host = xstrdup(e->host), .socket = xstrdup(e->host + 7),
        .why = xstrdup(c->why),
    };
    return 0;
}

int docker_context_resolve(struct docker_context *ret, struct fault *f)
{
    struct docker_contexts c;
    docker_contexts_list(&c);
    int rc = resolve_in(&c, ret, f);
    docker_contexts_fini(&c);
    return rc;
}

void docker_context_fini(struct docker_context *c)
{
    free(c->name);
    free(c->host);
    free(c->socket);
    free(c->why);
    *c = (struct docker_context){0};
}
