/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What plans take over from the docker client's own file and environment. The file is looked at
 * whenever a plan is made, as docker reads it at each run, and read when it is another one. */
#include "supervisor/fleet_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/log.h"
#include "base/mem.h"
#include "docker/cli_config.h"

struct fleet_client {
    struct client_defaults defaults;
    struct stat seen;                  /* zeroed: no file */
};

static bool is_other(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
           a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static const char *engine_host(const struct fleet *fl)
{
    const struct engine *e = fleet_get_engine(fl);
    return e ? engine_get_context(e)->host : "default";
}

/* A broken file leaves what was known. */
static void read_file(struct fleet *fl, struct fleet_client *c)
{
    struct fault f = FAULT_NONE;
    struct kvvec proxies = { 0 };
    if (cli_config_proxies(engine_host(fl), &proxies, &f) < 0) {
        log_warn("docker", "the proxies that docker run would set are not known: %s", f.text);
        return;
    }
    kvvec_fini(&c->defaults.proxies);
    c->defaults.proxies = proxies;
}

const struct client_defaults *fleet_client_defaults(struct fleet *fl)
{
    bool first = !fl->client;
    if (first) {
        AUTO_FREE char *dir = cli_config_dir();
        fl->client = xcalloc(1, sizeof *fl->client);
        fl->client->defaults.file = dir ? xasprintf("%s/config.json", dir) : xstrdup("");
        fl->client->defaults.platform = xstrdup(getenv("DOCKER_DEFAULT_PLATFORM"));
    }
    struct fleet_client *c = fl->client;
    struct stat now;
    if (stat(c->defaults.file, &now) < 0)
        memset(&now, 0, sizeof now);
    if (first || is_other(&now, &c->seen)) {
        c->seen = now;
        read_file(fl, c);
    }
    return &c->defaults;
}

void fleet_client_free(struct fleet_client *c)
{
    if (!c)
        return;
    kvvec_fini(&c->defaults.proxies);
    free(c->defaults.file);
    free(c->defaults.platform);
    free(c);
}
