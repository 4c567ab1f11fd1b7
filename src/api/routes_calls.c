/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /calls and /calls/ID: the ring of the last calls first, then what is recorded on disk. */
#include "api/routes_calls.h"

#include <string.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/json_calls.h"
#include "api/reply.h"
#include "base/mem.h"

enum { CALLS_DEFAULT = 100, CALLS_MAX = 500, SERVER_MAX = 1024 };

struct listing {
    const struct traffic *traffic;
    json_t *calls;
    const char *server;              /* NULL = all */
    bool recorded_only;
    size_t limit;
};

static bool is_full(const struct listing *l)
{
    return json_array_size(l->calls) >= l->limit;
}

static void list_ring(struct listing *l)
{
    for (size_t i = 0; i < traffic_count(l->traffic) && !is_full(l); i++) {
        const struct call_note *n = traffic_at(l->traffic, i);
        if (l->server && strcmp(n->server, l->server) != 0)
            continue;
        if (!l->recorded_only || n->recorded == RECORD_KEPT)
            json_array_append_new(l->calls, json_call(n));
    }
}

static bool in_ring(const struct traffic *t, const struct call_note *n)
{
    size_t count = traffic_count(t);

    return count && strcmp(traffic_at(t, 0)->tag, n->tag) == 0 &&
           n->number >= traffic_at(t, count - 1)->number;
}

static void list_record(void *ctx, const struct call_note *n)
{
    struct listing *l = ctx;

    if (!is_full(l) && !in_ring(l->traffic, n))
        json_array_append_new(l->calls, json_call(n));
}

static void list_open(const struct fleet *fl, const char *server, json_t *open)
{
    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        if (server && strcmp(s->name, server) != 0)
            continue;
        json_t *calls = json_open_calls(s, true);
        json_array_extend(open, calls);
        json_decref(calls);
    }
}

/* What of this server waits in memory has to be in its file before that is read. */
static void flush(const struct fleet *fl, const char *server)
{
    struct server *s = fleet_find(fl, server);

    if (s)
        recorder_flush(s->recorder);
}

void calls_get(struct api_server *a, struct request *r, const char *name)
{
    char server[SERVER_MAX];
    int64_t limit = query_int(r, "limit", CALLS_DEFAULT, CALLS_MAX);
    bool one = query_text(r, "server", server, sizeof server);
    struct listing l = {.traffic = fleet_get_traffic(a->fleet), .server = one ? server : NULL,
                        .recorded_only = query_flag(r, "recorded"), .limit = (size_t)limit};

    (void)name;
    if (limit < 0) {
        reply_error(r, 400, "limit must be a whole number");
        return;
    }
    if (one && !fleet_find(a->fleet, server)) {
        reply_no_server(r, a->fleet, server);
        return;
    }
    json_t *open = json_array();
    l.calls = json_array();
    list_open(a->fleet, l.server, open);
    list_ring(&l);
    if (one && fleet_get_record_dir(a->fleet)) {
        flush(a->fleet, server);
        record_each(fleet_get_record_dir(a->fleet), server, l.limit + traffic_count(l.traffic),
                    list_record, &l);
    }
    reply_data(r, json_pack("{s:o, s:o}", "open", open, "calls", l.calls));
}

/* ---- one ---- */

static const struct call_note *ring_find(const struct traffic *t, const char *id)
{
    char text[CALL_ID_MAX];

    for (size_t i = 0; i < traffic_count(t); i++)
        if (strcmp(call_note_id(traffic_at(t, i), text, sizeof text), id) == 0)
            return traffic_at(t, i);
    return NULL;
}

static void reply_record(struct request *r, struct record *rec)
{
    json_t *call = json_call(&rec->note);

    json_object_set_new(call, "request", json_foreign(rec->request.p, rec->request.n));
    json_object_set_new(call, "result", json_foreign(rec->result.p, rec->result.n));
    record_fini(rec);
    reply_data(r, call);
}

int call_read(struct api_server *a, const char *id, struct record *ret, struct fault *f)
{
    const struct call_note *n = ring_find(fleet_get_traffic(a->fleet), id);
    const char *colon = strrchr(id, ':');

    if (n && n->recorded != RECORD_KEPT)
        return fault_set(f, FAULT_CONFLICT, "the texts of call %s are not kept: %s", id,
                         record_state_why(n->recorded));
    if (!colon || !fleet_get_record_dir(a->fleet))
        return fault_set(f, FAULT_NOT_FOUND,
                         "there is no call %s: `mcptop calls` lists those there are, as "
                         "SERVER:RUN-NUMBER", id);
    AUTO_FREE char *server = xstrndup(id, (size_t)(colon - id));
    flush(a->fleet, server);
    return record_find(fleet_get_record_dir(a->fleet), server, id, ret, f);
}

void call_get(struct api_server *a, struct request *r, const char *id)
{
    const struct call_note *n = ring_find(fleet_get_traffic(a->fleet), id);
    struct fault f = FAULT_NONE;
    struct record rec;

    if (call_read(a, id, &rec, &f) == 0) {
        reply_record(r, &rec);
    } else if (n) {
        json_t *call = json_call(n);
        json_object_set_new(call, "why_not_recorded",
                            json_text(n->recorded == RECORD_KEPT ? f.text
                                                                 : record_state_why(n->recorded)));
        reply_data(r, call);
    } else {
        reply_fault(r, &f);
    }
}
