/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be asked of one server. Changes go through the fleet, which writes the user's file
 * first. */
#include "api/routes_server.h"

#include <string.h>

#include "api/api_internal.h"
#include "api/event_hub.h"
#include "api/json.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/mem.h"

void server_get(struct api_server *a, struct request *r, struct server *s)
{
    (void)a;
    reply_data(r, json_server(s, true));
}

/* ---- start, stop ---- */

enum server_haste haste_of(const struct request *r)
{
    return query_flag(r, "now") ? AT_ONCE : DRAINED;
}

void server_post_start(struct api_server *a, struct request *r, struct server *s)
{
    server_start(s);
    server_get(a, r, s);
}

void server_post_stop(struct api_server *a, struct request *r, struct server *s)
{
    server_stop(s, "stopped by user", haste_of(r));
    server_get(a, r, s);
}

void server_post_restart(struct api_server *a, struct request *r, struct server *s)
{
    server_restart(s, "restarted by user", haste_of(r));
    server_get(a, r, s);
}

void server_post_kill(struct api_server *a, struct request *r, struct server *s)
{
    server_kill(s);
    server_get(a, r, s);
}

/* ---- reading ---- */

void server_get_command(struct api_server *a, struct request *r, struct server *s)
{
    AUTO_BUF struct buf line = BUF_INIT, whole = BUF_INIT;
    bool secrets = query_flag(r, "secrets");

    (void)a;
    if (secrets && request_get_via(r) != VIA_UNIX) {
        reply_error(r, 403, "secrets are shown on the unix socket only");
        return;
    }
    if (s->plan->mode == PLAN_UNSUPPORTED) {
        reply_error(r, 409, "%s", s->plan->unsupported);
        return;
    }
    plan_shell_line(s->plan, secrets, &line);
    plan_shell_line(s->plan, true, &whole);
    reply_data(r, json_pack("{s:o, s:b}", "line", json_foreign(buf_str(&line), line.len), "masked",
                            strcmp(buf_str(&line), buf_str(&whole)) != 0));
}

static void log_page(struct request *r, const struct server *s, uint64_t from, uint64_t to)
{
    const struct ring *ring = logstore_get_ring(s->log);
    AUTO_BUF struct buf b = BUF_INIT;
    struct ring_line line;

    buf_add_str(&b, "{\"success\":true,\"data\":{\"server\":");
    buf_add_json(&b, s->name, strlen(s->name));
    buf_printf(&b, ",\"first_seq\":%llu,\"next_seq\":%llu,\"lost\":%llu,\"lines\":[",
               (unsigned long long)ring_first_seq(ring), (unsigned long long)ring_next_seq(ring),
               (unsigned long long)logstore_get_lost(s->log));
    for (uint64_t seq = from; seq < to && ring_get(ring, seq, &line) == 0; seq++) {
        if (seq > from)
            buf_add_str(&b, ",\n");
        event_hub_line_json(&b, &line);
    }
    buf_add_str(&b, "]}}\n");
    request_reply(r, 200, "application/json", NULL, &(struct iovec){b.data, b.len}, 1);
}

void server_get_logs(struct api_server *a, struct request *r, struct server *s)
{
    const struct ring *ring = logstore_get_ring(s->log);
    int64_t tail = query_int(r, "tail", 100, 10000), limit = query_int(r, "limit", 1000, 10000);
    int64_t since = query_int(r, "since", -2, INT64_MAX),
            before = query_int(r, "before", -2, INT64_MAX);
    uint64_t first = ring_first_seq(ring), next = ring_next_seq(ring), from, to = next;

    if (tail < 0 || limit < 0 || since == -1 || before == -1) {
        reply_error(r, 400, "tail, limit, since and before must be whole numbers");
        return;
    }
    if (query_flag(r, "follow")) {
        event_hub_follow_log(a->hub, r, s, since >= 0 ? (uint64_t)since : UINT64_MAX,
                             (uint64_t)tail);
        return;
    }
    if (since >= 0) {
        from = (uint64_t)since + 1 > first ? (uint64_t)since + 1 : first;
        to = from + (uint64_t)limit;
    } else {
        if (before >= 0)
            to = (uint64_t)before < next ? (uint64_t)before : next;
        uint64_t count = (uint64_t)(before >= 0 ? limit : tail);
        from = to > first + count ? to - count : first;
    }
    log_page(r, s, from, to);
}
