/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The servers that a client of all has used: with each it is a client of its own. Found by the hash
 * of their names, as there may be hundreds. One that was taken out of the configuration is a
 * client's until its last call is answered; the next one of the same name is another. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { FIRST_SLOTS = 8 };

static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    AUTO_BUF struct buf named = BUF_INIT;
    struct peer *m = ctx;
    struct part *p = call_ctx;
    struct aggregate *a = m->a;

    if (p && p->listens && aggregate_listen_acknowledged(p, msg, n))
        return true;
    if (!a->events.message)
        return false;
    if (aggregate_name_message(m, msg, n, &named))
        return a->events.message(a->ctx, p ? p->ctx : NULL, named.data, named.len, asks);
    return a->events.message(a->ctx, p ? p->ctx : NULL, msg, n, asks);
}

/* ---- the table ---- */

static struct peer **slot_of(const struct aggregate *a, const char *name)
{
    return &a->peer_slots[aggregate_hash(name) & (a->peer_cap - 1)];
}

static void grow(struct aggregate *a)
{
    free(a->peer_slots);
    a->peer_cap = a->peer_cap ? 2 * a->peer_cap : FIRST_SLOTS;
    a->peer_slots = xcalloc(a->peer_cap, sizeof *a->peer_slots);
    for (struct peer *m = a->peers; m; m = m->next) {
        struct peer **slot = slot_of(a, m->name);
        m->same = *slot;
        *slot = m;
    }
}

static void put(struct aggregate *a, struct peer *m)
{
    m->next = a->peers;
    if (m->next)
        m->next->prev = m;
    a->peers = m;
    if (++a->peer_count > a->peer_cap) {
        grow(a);
    } else {
        struct peer **slot = slot_of(a, m->name);
        m->same = *slot;
        *slot = m;
    }
}

struct peer *aggregate_peer(const struct aggregate *a, const struct server *s)
{
    struct peer *m = a->peer_cap ? *slot_of(a, s->name) : NULL;

    for (; m; m = m->same) {
        aggregate_names_looked(a->names);
        if (strcmp(m->name, s->name) == 0 && server_has_session(s, client_get_session(m->client)))
            break;
    }
    return m;
}

static void drop(struct peer *m)
{
    struct aggregate *a = m->a;
    struct peer **at = slot_of(a, m->name);

    while (*at != m)
        at = &(*at)->same;
    *at = m->same;
    *(m->prev ? &m->prev->next : &a->peers) = m->next;
    if (m->next)
        m->next->prev = m->prev;
    a->peer_count--;
    client_close(m->client);
    free(m->name);
    free(m);
}

static void on_gone(void *ctx)
{
    struct peer *m = ctx;

    m->client = NULL;       /* closed by the session that goes */
    drop(m);
}

struct peer *aggregate_member(struct aggregate *a, struct server *s)
{
    static const struct client_events events = {.message = on_message, .gone = on_gone};
    struct peer *m = aggregate_peer(a, s);

    if (m)
        return m;
    m = xcalloc(1, sizeof *m);
    m->a = a;
    m->name = xstrdup(s->name);
    m->client = client_open(server_seat(s, a->seat), a->label && *a->label ? a->label : "all",
                            &events, m);
    if (a->modern)
        client_set_modern(m->client);
    else
        client_restore(m->client, a->version, a->features);
    if (a->level.len)
        client_set_log_level(m->client, (struct span){a->level.data, a->level.len});
    put(a, m);
    aggregate_watch(m, s);
    return m;
}

void aggregate_peers_fini(struct aggregate *a)
{
    while (a->peers)
        drop(a->peers);
    free(TAKE(a->peer_slots));
}
