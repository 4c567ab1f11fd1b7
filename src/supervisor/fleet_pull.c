/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pulls as users ask for them: of a server's image, now, whatever the policy; and their end. Pulls
 * that a start needs are the run's own (backend_docker.c); images.c makes one of all that are for
 * the same image. */
#include <string.h>
#include "base/mem.h"
#include "supervisor/fleet_private.h"
#include "supervisor/server_private.h"

static const char *image_of(const struct server *s)
{
    const struct plan *p = s->backend && s->p->run_plan ? s->p->run_plan : s->plan;
    return p->mode == PLAN_DOCKER ? p->image : NULL;
}

static int refuse(const struct server *s, struct fault *f)
{
    if (s->plan->mode == PLAN_UNSUPPORTED)
        return fault_set(f, FAULT_CONFLICT, "%s", s->plan->unsupported);
    return fault_set(f, FAULT_CONFLICT, "server %s runs on the host: it has no image", s->name);
}

bool fleet_uses_image(const struct server *s, const char *image)
{
    const char *own = image_of(s);
    return own && strcmp(own, image) == 0;
}

const struct image_pull_status *fleet_get_pull(const struct fleet *fl, const struct server *s)
{
    const char *image = image_of(s);
    return image ? images_find_pull(fl->images, image) : NULL;
}

const struct image_pull_status *fleet_find_pull(const struct fleet *fl, const char *image)
{
    return images_find_pull(fl->images, image);
}

struct image_want *fleet_pull(struct fleet *fl, const struct server *s,
                              const struct image_want_events *events, void *ctx, struct fault *f)
{
    if (s->plan->mode != PLAN_DOCKER) {
        refuse(s, f);
        return NULL;
    }
    if (!fleet_get_engine(fl) || engine_get_state(fleet_get_engine(fl)) == ENGINE_DOWN) {
        fault_set(f, FAULT_ENGINE_DOWN, "engine down: %s", fleet_get_engine_error(fl));
        return NULL;
    }
    struct image_spec spec = { .image = s->plan->image,
                               .platform = plan_option(s->plan, "platform"),
                               .policy = PULL_ALWAYS };
    return images_want(fl->images, &spec, events, ctx);
}

static bool is_pulling(const struct server *s)
{
    bool any = s->state == SERVER_PULLING;
    for (size_t i = 0; i < s->member_count; i++)
        any |= s->members[i]->state == SERVER_PULLING;
    return any;
}

int fleet_pull_cancel(struct fleet *fl, const struct server *s, struct strvec *ret_stopped,
                      struct fault *f)
{
    const char *own = image_of(s);
    if (!own)
        return refuse(s, f);
    AUTO_FREE char *image = xstrdup(own);
    if (!images_find_pull(fl->images, image))
        return fault_set(f, FAULT_CONFLICT, "no pull of %s, the image of server %s, is under way",
                         image, s->name);
    AUTO_FREE char *why = xasprintf("pull of image %s cancelled by user", image);
    /* Else their next try would begin the same pull again. */
    for (size_t i = 0; i < fl->count; i++) {
        struct server *waits = fl->servers[i];
        if (!is_pulling(waits) || !fleet_uses_image(waits, image))
            continue;
        strvec_add(ret_stopped, waits->name);
        server_stop(waits, why, AT_ONCE);
    }
    images_cancel(fl->images, image);     /* for those who asked by key or verb */
    return 0;
}

/* "python" in a plan is the engine's "python:latest". */
static bool is_same_image(const char *planned, const char *told)
{
    size_t n = strlen(planned);
    const char *last = strrchr(planned, '/');
    if (strcmp(planned, told) == 0)
        return true;
    return !strchr(last ? last : planned, ':') && strncmp(planned, told, n) == 0 &&
        strcmp(told + n, ":latest") == 0;
}

/* Where the policy is `always` a try pulls by itself, and its pull would be news in turn. */
static bool waits_for_image(const struct server *s, const char *image)
{
    return (s->state == SERVER_FAILED || s->state == SERVER_BACKING_OFF) &&
        s->last_end.never_started && s->plan->mode == PLAN_DOCKER &&
        s->plan->pull_policy != PULL_ALWAYS && is_same_image(s->plan->image, image);
}

static void start_if_waits(struct server *s, const char *image)
{
    if (s->wanted != WANTED_UP || !waits_for_image(s, image))
        return;
    logstore_say(s->log, "image %s is here now: started again", s->plan->image);
    server_restart_alone(s, "its image is here now", AT_ONCE);
}

void fleet_image_came(struct fleet *fl, const struct engine_event *e)
{
    const char *image;
    if (strcmp(e->action, "pull") == 0)
        image = e->id;
    else if (strcmp(e->action, "tag") == 0 || strcmp(e->action, "load") == 0)
        image = e->name;
    else
        return;
    for (size_t i = 0; i < fl->count; i++) {
        start_if_waits(fl->servers[i], image);
        for (size_t k = 0; k < fl->servers[i]->member_count; k++)
            start_if_waits(fl->servers[i]->members[k], image);
    }
}
