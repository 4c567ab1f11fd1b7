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
    struct image_spec spec = { .image = s->plan->image, .policy = PULL_ALWAYS };
    return images_want(fl->images, &spec, events, ctx);
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
        if (waits->state != SERVER_PULLING || !fleet_uses_image(waits, image))
            continue;
        strvec_add(ret_stopped, waits->name);
        server_stop(waits, why);
    }
    images_cancel(fl->images, image);     /* for those who asked by key or verb */
    return 0;
}
