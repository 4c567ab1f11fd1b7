/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A fix by its code and id, and applying it. */
#include "diagnose/doctor.h"

#include <string.h>
#include "base/mem.h"

const struct fix *doctor_find_fix(const struct server *s, const char *code, const char *id)
{
    const struct findings *fs = doctor_findings(s);
    for (size_t i = 0; i < fs->n; i++)
        for (size_t k = 0; k < fs->v[i].fix_count &&
             (!code || strcmp(finding_type(fs->v[i].kind)->code, code) == 0); k++)
            if (!id || strcmp(fs->v[i].fixes[k].id, id) == 0)
                return &fs->v[i].fixes[k];
    return NULL;
}

static bool tries(const struct server *s)
{
    return s->state == SERVER_STARTING || s->state == SERVER_INITIALIZING;
}

/* A server that waits for its next try has not to wait once it is repaired; one that is trying by
 * what was wrong, where no change of its plan has restarted it, begins anew: what hangs is not
 * helped by a limit that is raised, and this try's end is not held against what is right now. */
static void try_again(struct fleet *fl, const char *name, const char *why, bool restarted)
{
    struct server *s = fleet_find(fl, name);
    if (!s || s->wanted != WANTED_UP)
        return;
    bool waits = s->state == SERVER_BACKING_OFF || s->state == SERVER_FAILED;
    if (waits || (!restarted && (tries(s) || s->state == SERVER_STOPPING)))
        server_restart(s, why, DRAINED);
}

int doctor_fix(struct fleet *fl, struct server *s, const struct fix *x, bool dry_run,
               struct fleet_change_result *ret, struct fault *f)
{
    AUTO_FREE char *name = xstrdup(s->name), *why = xasprintf("repaired: %s", x->title);
    if (x->act == FIX_RETRY) {
        strvec_add(&ret->sentences, "It is started again now; nothing in the file changes.");
        ret->applied = CHANGE_RESTART;
        if (!dry_run)
            server_restart(s, why, DRAINED);
        return 0;
    }
    struct fleet_change c = {
        .isolation = x->isolation, .memory = x->memory, .cpus = x->cpus, .pids = x->pids,
        .network = x->network, .enabled = TRI_UNSET, .keys = x->keys,
        .key_count = x->key_count, .dry_run = dry_run,
    };
    bool begins_anew = tries(s);
    /* x is gone once the server is judged anew: not used below. */
    if (fleet_change(fl, s, &c, ret, f) < 0)
        return -1;
    if (begins_anew && ret->applied == CHANGE_LIVE)
        strvec_add(&ret->sentences, "It has not started yet: it begins anew.");
    if (!dry_run)
        try_again(fl, name, why, ret->applied == CHANGE_RESTART);
    return 0;
}
