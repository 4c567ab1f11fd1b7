/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `docker run` adds to a container by itself, from the client's own file and environment: the
 * variables of its proxies, and a platform. A container that equals a `docker run` has them too.
 *
 * As docker does, a variable of `-e` stands above the proxies', one of an --env-file does not. */
#include <string.h>
#include "base/mem.h"
#include "isolation/plan_make.h"

static bool is_given(const struct plan *p, const char *key)
{
    if (strvec_find(&p->env_unset, key) >= 0)
        return true;
    return kvvec_get(&p->container_env, key) && strvec_find(&p->env_of_files, key) < 0;
}

static void take_proxies(struct maker *m, const struct client_defaults *c)
{
    struct plan *p = m->p;
    AUTO_BUF struct buf names = BUF_INIT;
    for (size_t i = 0; i < c->proxies.n; i++) {
        const struct kv *kv = &c->proxies.v[i];
        if (is_given(p, kv->key))
            continue;
        kvvec_set(&p->client_env, kv->key, kv->value);
        buf_printf(&names, "%s%s", names.len ? ", " : "", kv->key);
    }
    if (names.len)
        plan_note_add(p, "env", buf_str(&names), 0, false, "proxies of %s, as docker run sets them",
                      c->file);
}

/* A server that is `docker` itself would hand docker its own env. */
static const char *platform_of(const struct maker *m, const struct client_defaults *c)
{
    const char *own = m->p->adopted ? kvvec_get(&m->server->env, "DOCKER_DEFAULT_PLATFORM") : NULL;
    return own ? own : c ? c->platform : NULL;
}

/* Podman's client has files of its own. */
static bool is_podmans(const struct maker *m)
{
    char scratch[64];
    return m->p->adopted && strcmp(runtime_base_name(m->server->command, scratch, sizeof(scratch)),
                                   "podman") == 0;
}

void plan_take_client(struct maker *m)
{
    const struct client_defaults *c = m->config->client;
    if (is_podmans(m))
        return;
    const char *platform = platform_of(m, c);
    if (c)
        take_proxies(m, c);
    if (platform && *platform && !plan_option(m->p, "platform")) {
        plan_option_add(m->p, "platform", platform, false);
        plan_note_add(m->p, "platform", platform, 0, false,
                      "DOCKER_DEFAULT_PLATFORM, as docker run takes it");
    }
}
