/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Renders findings. The first keys are MCPProxy's `diagnostic`, the rest is ours. */
#include "api/json_finding.h"

#include "api/json.h"

static json_t *evidence_part(const struct finding *f)
{
    json_t *a = json_array();

    for (size_t i = 0; i < f->evidence_count; i++) {
        const struct evidence *e = &f->evidence[i];
        json_array_append_new(a, json_pack("{s:s, s:o, s:I}", "what", e->what, "text",
                                           json_text(e->text), "seq", (json_int_t)e->seq));
    }
    return a;
}

json_t *json_fix(const struct fix *x)
{
    return json_pack("{s:s, s:o, s:b}", "id", x->id, "title", json_text(x->title), "weakens",
                     x->weakens);
}

static json_t *fixes_part(const struct finding *f)
{
    json_t *a = json_array();

    for (size_t i = 0; i < f->fix_count; i++)
        json_array_append_new(a, json_fix(&f->fixes[i]));
    return a;
}

/* For people: what can be done, by a key first. */
static json_t *steps_part(const struct finding *f)
{
    json_t *a = json_array();

    for (size_t i = 0; i < f->fix_count; i++)
        json_array_append_new(a, json_text(f->fixes[i].title));
    for (size_t i = 0; i < f->steps.n; i++)
        json_array_append_new(a, json_text(f->steps.v[i]));
    return a;
}

json_t *json_finding(const struct finding *f)
{
    const struct finding_type *t = finding_type(f->kind);

    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o, s:I, s:I}",
        "code", t->code, "severity", finding_severity_name(finding_severity(f)), "cause", t->cause,
        "user_message", json_text(f->sentence), "fix_steps", steps_part(f),
        "server", json_text(f->server), "servers", json_strings(&f->servers), "guess", f->guess,
        "expected", f->expected, "evidence", evidence_part(f),
        "fixes", fixes_part(f), "times", (json_int_t)f->times,
        "since_wall_ms", (json_int_t)f->since_wall_ms);
}

void json_findings(json_t *array, const struct findings *fs, enum findings_part part)
{
    for (size_t i = 0; i < fs->n; i++)
        if (part == FINDINGS_ALL || !fs->v[i].of_engine)
            json_array_append_new(array, json_finding(&fs->v[i]));
}
