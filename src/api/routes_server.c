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

void server_post_start(struct api_server *a, struct request *r, struct server *s)
{
    server_start(s);
    server_get(a, r, s);
}

void server_post_stop(struct api_server *a, struct request *r, struct server *s)
{
    server_stop(s, "stopped by user");
    server_get(a, r, s);
}

void server_post_restart(struct api_server *a, struct request *r, struct server *s)
{
    server_restart(s, "restarted by user");
    server_get(a, r, s);
}

void server_post_kill(struct api_server *a, struct request *r, struct server *s)
{
    server_kill(s);
    server_get(a, r, s);
}

/* ---- changes ---- */

static void reply_change(struct request *r, struct fleet *fl, const char *name,
                         const struct fleet_change_result *result)
{
    static const char *const applied[] = {
        [CHANGE_NONE] = "none", [CHANGE_LIVE] = "live", [CHANGE_RESTART] = "restart"};
    const struct server *s = fleet_find(fl, name);     /* a reload may have replaced it */

    reply_data(r, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "applied", applied[result->applied],
                            "diff", json_foreign(buf_str(&result->diff), result->diff.len), "file",
                            json_text(fleet_get_config_path(fl)), "changes",
                            json_strings(&result->sentences), "undo",
                            json_text(s ? fleet_undo_text(fl, s) : NULL), "server",
                            s ? json_server(s, false) : json_null()));
}

static void change(struct api_server *a, struct request *r, struct server *s,
                   const struct fleet_change *c)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *name = xstrdup(s->name);

    if (fleet_change(a->fleet, s, c, &result, &f) < 0)
        reply_fault(r, &f);
    else
        reply_change(r, a->fleet, name, &result);
    fleet_change_result_fini(&result);
}

void server_post_enable(struct api_server *a, struct request *r, struct server *s)
{
    change(a, r, s, &(struct fleet_change){.enabled = TRI_YES});
}

void server_post_disable(struct api_server *a, struct request *r, struct server *s)
{
    change(a, r, s, &(struct fleet_change){.enabled = TRI_NO});
}

void server_post_undo(struct api_server *a, struct request *r, struct server *s)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *name = xstrdup(s->name);

    if (fleet_undo(a->fleet, s, &result, &f) < 0)
        reply_fault(r, &f);
    else
        reply_change(r, a->fleet, name, &result);
    fleet_change_result_fini(&result);
}

/* Reads the body of PATCH; -1 after an error was answered. */
static int parse_change(struct request *r, json_t *doc, struct fleet_change *c)
{
    const struct { const char *key; const char **to;
    } texts[] = {{"isolation", &c->isolation},
                 {"memory", &c->memory},
                 {"cpus", &c->cpus},
                 {"pids", &c->pids},
                 {"network", &c->network}};
    const char *key;
    json_t *value, *pids = json_object_get(doc, "pids");

    if (json_is_integer(pids))      /* the one limit that is a plain number */
        json_object_set_new(doc, "pids", json_sprintf("%lld", (long long)json_integer_value(pids)));
    json_object_foreach(doc, key, value) {
        size_t i = 0;
        while (i < ARRAY_LEN(texts) && strcmp(key, texts[i].key) != 0)
            i++;
        if (i < ARRAY_LEN(texts) && json_is_string(value))
            *texts[i].to = json_string_value(value);
        else if (strcmp(key, "enabled") == 0 && json_is_boolean(value))
            c->enabled = json_is_true(value) ? TRI_YES : TRI_NO;
        else if (strcmp(key, "dry_run") == 0 && json_is_boolean(value))
            c->dry_run = json_is_true(value);
        else {
            reply_error(
                r, 400,
                "\"%s\": unknown key or wrong type; known are isolation, memory, cpus, pids, network "
                "(strings), enabled and dry_run (true or false)",
                key);
            return -1;
        }
    }
    return 0;
}

void server_patch(struct api_server *a, struct request *r, struct server *s)
{
    size_t n;
    const char *body = request_get_body(r, &n);
    struct fleet_change c = {.enabled = TRI_UNSET};
    json_error_t e;
    json_t *doc = json_loadb(body, n, JSON_REJECT_DUPLICATES, &e);

    if (!json_is_object(doc))
        reply_error(r, 400, "the body must be a JSON object%s%s", doc ? "" : ": ",
                    doc ? "" : e.text);
    else if (parse_change(r, doc, &c) == 0)
        change(a, r, s, &c);
    json_decref(doc);
}

/* What the plan would be, as a change that is not made. */
void server_get_plan(struct api_server *a, struct request *r, struct server *s)
{
    char isolation[32];
    struct fleet_change c = {.enabled = TRI_UNSET, .dry_run = true};
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;

    if (query_text(r, "isolation", isolation, sizeof isolation))
        c.isolation = isolation;
    if (fleet_change(a->fleet, s, &c, &result, &f) < 0)
        reply_fault(r, &f);
    else
        reply_data(r, json_pack("{s:o, s:o, s:o}", "plan",
                                result.plan ? json_plan(result.plan) : json_plan(s->plan), "diff",
                                json_foreign(buf_str(&result.diff), result.diff.len), "changes",
                                json_strings(&result.sentences)));
    fleet_change_result_fini(&result);
}

/* ---- reading ---- */

void server_get_command(struct api_server *a, struct request *r, struct server *s)
{
    AUTO_BUF struct buf line = BUF_INIT;
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
    reply_data(r, json_pack("{s:o}", "line", json_foreign(buf_str(&line), line.len)));
}

/* The list goes out as the server sent it. */
void server_get_tools(struct api_server *a, struct request *r, struct server *s)
{
    size_t n = 0;
    const char *tools = session_get_tools(s->session, &n);
    const char head[] = "{\"success\":true,\"data\":{\"tools\":", tail[] = "}}\n";

    (void)a;
    if (!tools) {
        reply_error(r, 409, "the tools of \"%s\" are not known yet: it is %s", s->name,
                    server_state_name(s->state));
        return;
    }
    const struct iovec body[] = {{(void *)(uintptr_t)head, sizeof head - 1},
                                 {(void *)(uintptr_t)tools, n},
                                 {(void *)(uintptr_t)tail, sizeof tail - 1}};
    request_reply(r, 200, "application/json", NULL, body, 3);
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
