/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An engine that takes requests and answers late or never: a server that is kept waiting by it says
 * so, with what the engine was asked. How long that may take is the backend's to decide. */
#include "supervisor/server_private.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "supervisor/fleet_private.h"

enum {
    WAIT_TOLD_MS = 2000,       /* the ticks are a second apart */
    CHECK_EVERY_MS = 5000,
};

static const char *awaited(const struct server *s, int64_t *ret_since_ms)
{
    if (s->state != SERVER_STARTING)
        return NULL;
    if (s->p->waits_for_engine) {
        *ret_since_ms = s->state_since_ms;
        return containers_get_awaits(s->fleet->containers);
    }
    if (!s->backend)
        return NULL;
    *ret_since_ms = s->backend->awaits_since_ms;
    return s->backend->awaits;
}

/* Whether it answers others meanwhile; asks it, unless that is known. */
static bool answers_others(struct engine *e, int64_t since_ms, int64_t now_ms)
{
    int64_t answered_ms = engine_get_answered_ms(e);
    if (now_ms - answered_ms >= CHECK_EVERY_MS)
        engine_check(e);
    return answered_ms > since_ms;
}

void server_watch_wait(struct server *s, int64_t now_ms)
{
    struct engine *e = containers_get_engine(s->fleet->containers);
    int64_t since_ms = 0;
    const char *what = e ? awaited(s, &since_ms) : NULL;
    char text[sizeof s->wait.text] = "";
    if (what && now_ms - since_ms >= WAIT_TOLD_MS) {
        bool busy = answers_others(e, since_ms, now_ms);
        snprintf(text, sizeof text, "engine %s: %s", busy ? "is slow" : "does not answer", what);
    }
    if (strcmp(text, s->wait.text) == 0)
        return;
    memcpy(s->wait.text, text, sizeof text);
    s->wait.asked = what;
    s->wait.since_wall_ms = clock_wall_ms() - (now_ms - since_ms);
    fleet_server_changed(s->fleet, s);
}
