/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is wrong, and the repair of it. A fix is a change like any other: written to the user's file
 * first, shown before, undone by undo. */
#include "api/routes_finding.h"

#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/json_finding.h"
#include "api/reply.h"
#include "api/routes_server.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "diagnose/doctor.h"

/* What it has still to do, the caller's; NULL: it is not on its way. */
static char *waits_for(const struct server *s)
{
    if (*s->wait.text)
        return xasprintf("the engine: %s", s->wait.asked);
    return xstrdup(s->state == SERVER_PULLING ? "its image, which is being pulled"
        : s->state == SERVER_STARTING ? "its process or container to start"
        : s->state == SERVER_INITIALIZING ? "its answer to initialize" : NULL);
}

/* Its last lines of stderr in the run under way. */
static json_t *said_part(const struct server *s)
{
    enum { LINES = 3, LOOK_BACK = 100 };
    AUTO_STRVEC struct strvec said = {0}, secrets = {0};
    const struct ring *ring = logstore_get_ring(s->log);
    uint64_t first = server_run_first_seq(s), seq = ring_next_seq(ring);
    struct ring_line line;

    config_server_secrets(s->config, &secrets);
    for (int i = 0; i < LOOK_BACK && said.n < LINES && seq-- > first &&
         !ring_get(ring, seq, &line); i++) {
        struct buf text = BUF_INIT;
        text_clean_plain(&text, line.text, line.len < 500 ? line.len : 500);
        char *shown = buf_take(&text);
        secret_mask_known_in(&shown, &secrets);
        if (line.stream == RING_STDERR && shown[strspn(shown, " ")])
            strvec_give(&said, shown);
        else
            free(shown);
    }
    json_t *a = json_array();
    for (size_t i = said.n; i-- > 0;)
        json_array_append_new(a, json_text(said.v[i]));
    return a;
}

static json_t *unwell_part(struct fleet *fl)
{
    json_t *unwell = json_array();

    for (size_t i = 0; i < fleet_count(fl); i++) {
        const struct server *s = fleet_at(fl, i);
        AUTO_FREE char *waits = waits_for(s);
        bool limited = s->state == SERVER_INITIALIZING;
        if (waits || s->state == SERVER_FAILED || s->state == SERVER_BACKING_OFF ||
            s->state == SERVER_SILENT)
            json_array_append_new(unwell, json_pack("{s:o, s:s, s:o, s:s, s:I, s:I, s:o}", "name",
                json_text(s->name), "state", server_state_name(s->state), "reason",
                json_text(s->reason), "waits_for", waits ? waits : "", "since_wall_ms",
                (json_int_t)s->state_since_wall_ms, "limit_ms",
                (json_int_t)(limited ? server_init_timeout_ms(s) : 0), "stderr", said_part(s)));
    }
    return unwell;
}

/* Of the file; a warning that a finding of its server tells is not told twice. */
static json_t *problems_part(const struct fleet *fl)
{
    const struct problems *p = fleet_get_problems(fl);
    json_t *list = json_array();

    for (size_t i = 0; i < p->n; i++)
        if (!doctor_tells_warning(fl, &p->v[i]))
            json_array_append_new(list, json_problem(&p->v[i]));
    return list;
}

void get_diagnostics(struct api_server *a, struct request *r, const char *name)
{
    const struct doctor_place place = {a->cfg.data_dir, a->listen_error};
    struct findings own = {0};
    json_t *found = json_array();

    (void)name;
    doctor_of_supervisor(a->fleet, &place, &own);
    json_findings(found, &own, FINDINGS_ALL);
    size_t of_supervisor = own.n;
    findings_fini(&own);
    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        json_findings(found, doctor_findings(fleet_at(a->fleet, i)), FINDINGS_OWN);
    reply_data(r, json_pack("{s:o, s:I, s:o, s:o}", "findings", found, "of_supervisor",
                            (json_int_t)of_supervisor, "problems",
                            problems_part(a->fleet), "servers",
                            unwell_part(a->fleet)));
}

static void apply(struct api_server *a, struct request *r, struct server *s, const struct fix *x,
                  bool dry_run)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *name = xstrdup(s->name);
    json_t *fix = json_fix(x);

    if (x->needs_socket && !dry_run && request_get_via(r) != VIA_UNIX) {
        reply_error(r, 403, "this fix changes a command, a mount or an environment: it is done on "
                            "the unix socket only");
        json_decref(fix);
    } else if (doctor_fix(a->fleet, s, x, dry_run, &result, &f) < 0) {
        reply_fault(r, &f);
        json_decref(fix);
    } else {
        server_reply_fix(a->fleet, r, name, &result, dry_run, fix);
    }
    fleet_change_result_fini(&result);
}

void server_post_fix(struct api_server *a, struct request *r, struct server *s)
{
    size_t n;
    const char *body = request_get_body(r, &n), *code = NULL, *id = NULL;
    int dry_run = 0;
    json_t *doc = n ? json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL) : json_object();

    if (json_unpack(doc, "{s?:s, s?:s, s?:b !}", "code", &code, "fix", &id,
                    "dry_run", &dry_run) < 0) {
        reply_error(r, 400, "the body may be {\"code\":\"MCPX_…\",\"fix\":\"…\","
                            "\"dry_run\":true}, each optional");
    } else {
        const struct fix *x = doctor_find_fix(s, code, id);
        if (x)
            apply(a, r, s, x, dry_run);
        else if (!doctor_findings(s)->n)
            reply_error(r, 409, "nothing is wrong with \"%s\"", s->name);
        else if (id)
            reply_error(r, 409, "\"%s\" has no fix \"%s\" now", s->name, id);
        else if (code)
            reply_error(r, 409, "\"%s\" has no fix for %s now", s->name, code);
        else
            reply_error(r, 409, "what is wrong with \"%s\" only you can repair: %s", s->name,
                        doctor_findings(s)->v[0].steps.n ? doctor_findings(s)->v[0].steps.v[0]
                        : doctor_findings(s)->v[0].sentence);
    }
    json_decref(doc);
}
