/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The last failed container of each server, which is kept for who wants to look at it. */
#include "supervisor/containers_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

bool containers_is_kept(const struct containers *cs, const char *id)
{
    for (const struct kept *k = cs->kept; k; k = k->next)
        if (strcmp(k->id, id) == 0)
            return true;
    return false;
}

void containers_release(struct containers *cs, const char *server)
{
    for (struct kept **p = &cs->kept; *p;) {
        struct kept *k = *p;
        if (server && strcmp(k->server, server) != 0) {
            p = &k->next;
            continue;
        }
        *p = k->next;
        containers_remove(cs, k->id);
        free(k->server);
        free(k);
    }
}

void containers_keep(struct containers *cs, const char *server, const char *id)
{
    containers_release(cs, server);
    struct kept *k = xcalloc(1, sizeof *k);
    k->server = xstrdup(server);
    snprintf(k->id, sizeof k->id, "%s", id);
    k->next = cs->kept;
    cs->kept = k;
    struct fleet_container *c = containers_mirrored(cs, id);
    if (c)
        containers_tell_changed(cs, c);
}

void containers_forget_kept(struct containers *cs)
{
    while (cs->kept) {
        struct kept *k = cs->kept;
        cs->kept = k->next;
        free(k->server);
        free(k);
    }
}
