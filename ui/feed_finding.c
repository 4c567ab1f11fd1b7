/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding's JSON into its struct: the worst one of a server, or one of the list of all. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "feed.h"
#include "member.h"

void feed_finding_fini(struct feed_finding *f)
{
    for (size_t i = 0; i < f->fix_count; i++) {
        free(f->fixes[i].id);
        free(f->fixes[i].title);
    }
    for (size_t i = 0; i < f->evidence_count; i++) {
        free(f->evidence[i].what);
        free(f->evidence[i].text);
    }
    free(f->fixes);
    free(f->evidence);
    free(f->server);
    free(f->label);
    free(f->code);
    free(f->message);
    free(f->steps);
    *f = (struct feed_finding){0};
}

static void parse_fixes(struct feed_finding *f, json_t *list)
{
    f->fix_count = json_array_size(list);
    f->fixes = f->fix_count ? xcalloc(f->fix_count, sizeof(*f->fixes)) : NULL;
    for (size_t i = 0; i < f->fix_count; i++) {
        json_t *o = json_array_get(list, i);
        member_take_raw(&f->fixes[i].id, o, "id");
        member_take(&f->fixes[i].title, o, "title");
    }
}

static void parse_evidence(struct feed_finding *f, json_t *list)
{
    f->evidence_count = json_array_size(list);
    f->evidence = f->evidence_count ? xcalloc(f->evidence_count, sizeof(*f->evidence)) : NULL;
    for (size_t i = 0; i < f->evidence_count; i++) {
        json_t *o = json_array_get(list, i);
        member_take(&f->evidence[i].what, o, "what");
        member_take(&f->evidence[i].text, o, "text");
        f->evidence[i].seq = member_int(o, "seq", 0);
    }
}

/* fix_steps begins with the fixes' titles: what comes after them is left. */
void feed_parse_finding(struct feed_finding *f, json_t *o)
{
    json_t *steps = json_object_get(o, "fix_steps");
    const char *severity = json_string_value(json_object_get(o, "severity"));
    struct buf b = BUF_INIT;

    feed_finding_fini(f);
    f->known = json_is_object(o);
    f->guess = member_bool(o, "guess", false);
    f->expected = member_bool(o, "expected", false);
    f->error = severity && !strcmp(severity, "error");
    member_take_raw(&f->server, o, "server");
    member_take(&f->label, o, "server");
    member_take(&f->code, o, "code");
    member_take(&f->message, o, "user_message");
    f->times = member_int32(o, "times", 0);
    f->since_ms = member_int(o, "since_wall_ms", 0);
    parse_fixes(f, json_object_get(o, "fixes"));
    parse_evidence(f, json_object_get(o, "evidence"));
    for (size_t i = f->fix_count; i < json_array_size(steps); i++) {
        AUTO_FREE char *step = member_text(json_array_get(steps, i));
        buf_printf(&b, "%s%s", b.len ? "; " : "", step);
    }
    f->steps = buf_take(&b);
}
