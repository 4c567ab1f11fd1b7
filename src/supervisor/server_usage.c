/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of one server, once a second: by its probe, or, for a container whose cgroup is not
 * readable here, from the engine. */
#include "supervisor/server_private.h"

#include "base/clock.h"
#include "supervisor/fleet_private.h"

enum { PROBE_RETRY_MS = 5000 };

void server_usage_reset(struct server *s)
{
    usage_probe_free(s->p->probe);
    s->p->probe = NULL;
    s->p->probe_retry_ms = s->p->stats_due_ms = 0;
    engine_cancel(s->p->stats);
    s->p->stats = NULL;
    s->p->stats_last = (struct usage_last){ 0 };
    s->usage = USAGE_UNKNOWN;
}

static void on_stats(void *ctx, json_t *reply, const struct fault *f)
{
    struct server *s = ctx;
    s->p->stats = NULL;
    if (f || !reply)
        s->usage.known = false;
    else
        usage_from_stats(reply, clock_mono_ms(), &s->p->stats_last, &s->usage);
}

/* In turn with the others that only the engine can tell about. */
static void ask_engine(struct server *s, int64_t now_ms)
{
    struct engine *e = containers_get_engine(s->fleet->containers);
    s->fleet->stats_asked++;
    if (s->p->stats || !e || now_ms < s->p->stats_due_ms)
        return;
    s->p->stats_due_ms = now_ms + usage_stats_interval_ms(s->fleet->stats_count);
    s->p->stats = engine_stats_once(e, s->backend->container_id, on_stats, s);
}

void server_sample(struct server *s, int64_t now_ms)
{
    struct server_private *p = s->p;
    if (!s->backend || !p->feeding)
        return;
    bool docker = *s->backend->container_id != '\0';
    if (!p->probe && s->backend->pid && now_ms >= p->probe_retry_ms) {
        p->probe = usage_probe_new("", s->backend->pid, docker ? s->backend->container_id : NULL);
        p->probe_retry_ms = now_ms + PROBE_RETRY_MS;
    }
    if (p->probe && usage_probe_sample(p->probe, now_ms, &s->usage))
        return;
    usage_probe_free(p->probe);
    p->probe = NULL;
    if (docker)
        ask_engine(s, now_ms);
    else
        s->usage.known = false;
}
