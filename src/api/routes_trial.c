/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST …/test: answers when the trial is over; who goes before ends it. */
#include "api/routes_finding.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/json_finding.h"
#include "api/reply.h"
#include "base/mem.h"
#include "diagnose/doctor.h"
#include "supervisor/trial.h"

struct waiting { struct api_server *a; struct request *r; struct trial *trial; };

static json_t *steps_part(const struct trial_result *res)
{
    json_t *a = json_array();

    for (int i = 0; i < TRIAL_STEPS; i++) {
        const struct trial_step *s = &res->steps[i];
        if (s->reached)
            json_array_append_new(a, json_pack("{s:s, s:b, s:I, s:I, s:o}", "name",
                trial_step_name((enum trial_step_id)i), "ok", s->ok, "ms",
                (json_int_t)(s->us / 1000), "us", (json_int_t)s->us, "text", json_text(s->text)));
    }
    return a;
}

/* The cause of the step that failed; null. */
static json_t *finding_part(struct api_server *a, const struct trial_result *res)
{
    const struct server *s = fleet_find(a->fleet, res->server);
    struct findings fs = {0};

    if (s)
        doctor_of_trial(a->fleet, s, res, &fs);
    for (size_t i = 0; fs.n && i < fs.v[0].evidence_count; i++)
        fs.v[0].evidence[i].seq = 0;       /* its lines stand in no log */
    json_t *worst = fs.n ? json_finding(&fs.v[0]) : json_null();
    findings_fini(&fs);
    return worst;
}

static void on_done(void *ctx, const struct trial_result *res)
{
    struct waiting *w = ctx;

    reply_data(w->r, json_pack("{s:o, s:s, s:b, s:o, s:o, s:o, s:o}",
                               "server", json_text(res->server),
                               "where", plan_mode_name(res->mode), "ok", res->ok, "steps",
                               steps_part(res), "finding", finding_part(w->a, res), "stderr",
                               json_strings(&res->said), "stdout", json_strings(&res->strays)));
    free(w);
}

static void on_gone(void *ctx, struct request *r)
{
    struct waiting *w = ctx;

    (void)r;
    trial_cancel(w->trial);
    free(w);
}

void server_post_test(struct api_server *a, struct request *r, struct server *s)
{
    struct fault f = FAULT_NONE;
    struct waiting *w = xcalloc(1, sizeof *w);

    w->a = a;
    w->r = r;
    w->trial = trial_new(a->fleet, s, (struct span){0}, on_done, w, &f);
    if (w->trial) {
        request_set_gone(r, on_gone, w);
        return;
    }
    reply_fault(r, &f);
    free(w);
}
