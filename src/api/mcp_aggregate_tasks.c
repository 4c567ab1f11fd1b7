/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tasks on the endpoint of all servers. A task is named SERVER:NAME there, and no SERVER has a
 * colon in it: so whoever comes with a name, also another request of the modern era or after a
 * restart, is at the right server, and two servers that count theirs from 1 do not meet. The names
 * are put in and taken out as bytes; whose a task is, each server's session knows. */
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

/* "SERVER:"; "" when it has left the list. */
static void add_prefix(struct aggregate *a, const char *server, struct buf *out)
{
    const char *prefix = aggregate_prefix_of(a->names, server);

    if (prefix) {
        buf_add(out, prefix, strlen(prefix) - 2);
        buf_add_char(out, ':');
    }
}

static bool is_string(struct span token)
{
    return token.n >= 2 && *token.p == '"';
}

/* The message with SERVER: in each of these places. */
static void add_named(const char *p, size_t n, const struct span *names, int count,
                      struct span prefix, struct buf *out)
{
    const char *from = p;

    for (int i = 0; i < count; i++) {
        if (!is_string(names[i]))
            continue;
        buf_add(out, from, (size_t)(names[i].p + 1 - from));
        buf_add(out, prefix.p, prefix.n);
        from = names[i].p + 1;
    }
    buf_add(out, from, (size_t)(p + n - from));
}

/* ---- of a server ---- */

int aggregate_name_result(const struct part *p, const struct iovec *iov, int count,
                          struct iovec out[ENVELOPE_IOV], struct buf *prefix)
{
    struct session *s = client_get_session(p->peer->client);
    struct span name = {0};

    if (session_has_tasks(s))
        name = task_in_result(p->use, session_get_result(s));
    memcpy(out, iov, (size_t)count * sizeof *iov);
    if (!is_string(name) || count + 2 > ENVELOPE_IOV)
        return count;
    add_prefix(p->a, p->peer->name, prefix);
    return envelope_insert(out, count, name.p + 1, (struct span){prefix->data, prefix->len});
}

bool aggregate_name_message(const struct peer *m, const char *msg, size_t n, struct buf *out)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    struct span names[TASK_NAMES];
    struct envelope e;
    int count;

    if (!session_has_tasks(client_get_session(m->client)) || envelope_scan(msg, n, &e, NULL) ||
        !(count = task_names(&e, names)))
        return false;
    add_prefix(m->a, m->name, &prefix);
    add_named(msg, n, names, count, (struct span){prefix.data, prefix.len}, out);
    buf_str(out);
    return true;
}

/* ---- of a client ---- */

struct server *aggregate_task_server(struct aggregate *a, struct span *name)
{
    const char *colon = is_string(*name) ? memchr(name->p + 1, ':', name->n - 2) : NULL;

    if (!colon)
        return NULL;
    struct span server = {name->p + 1, (size_t)(colon - name->p) - 1};
    struct server *found = aggregate_server_of(a->names, server);
    if (found)
        *name = aggregate_cut(*name, server.n + 1);
    return found;
}

struct server *aggregate_related_server(struct aggregate *a, const struct envelope *e)
{
    struct span names[TASK_NAMES];
    struct server *found = NULL;
    int count = a->peers ? task_names(e, names) : 0;

    for (int i = 0; i < count; i++)
        found = aggregate_task_server(a, &names[i]);
    return found;
}

/* ---- subscriptions ---- */

static struct span ids_of(struct span params)
{
    return span_member(span_member(params, "notifications"), "taskIds");
}

void aggregate_listen_message(struct aggregate *a, const struct envelope *e, const char *server,
                              struct buf *out)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    struct span ids = ids_of(e->params), id;
    const char *comma = "";

    if (ids.n < 2 || *ids.p != '[') {
        buf_add(out, e->body.p, e->body.n);
        return;
    }
    const char *at = ids.p + 1, *end = ids.p + ids.n;
    add_prefix(a, server, &prefix);
    buf_add(out, e->body.p, (size_t)(at - e->body.p));
    while (tool_next_entry(&at, end, &id)) {
        if (!is_string(id) || id.n - 2 < prefix.len || memcmp(id.p + 1, prefix.data, prefix.len))
            continue;
        buf_printf(out, "%s\"", comma);
        buf_add(out, id.p + 1 + prefix.len, id.n - 1 - prefix.len);
        comma = ",";
    }
    buf_add(out, end - 1, (size_t)(e->body.p + e->body.n - end) + 1);
}

void aggregate_add_task_ids(const struct peer *m, const struct envelope *acknowledged,
                            struct buf *out)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    struct span ids = ids_of(acknowledged->params), id;
    const char *at = ids.n ? ids.p + 1 : NULL;

    add_prefix(m->a, m->name, &prefix);
    while (ids.n && tool_next_entry(&at, ids.p + ids.n, &id)) {
        buf_add_str(out, out->len ? "," : "");
        add_named(id.p, id.n, &id, 1, (struct span){prefix.data, prefix.len}, out);
    }
}
