/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of the questions. Of a run that ended only one cause is told: the first that speaks;
 * what is only a consequence of it stays unsaid. */
#include "diagnose/diagnose_internal.h"

#include "base/secret.h"

static void of_the_end(const struct symptoms *s, struct findings *fs)
{
    if (!s->end || cause_of_start(s, fs) || cause_of_oom(s, fs) || cause_of_kill(s, fs))
        return;
    if (denied_root(s, fs) || files_missing(s, fs, true) || denied_user(s, fs) ||
        files_absent(s, fs, true) || words_say(s, fs) || files_missing(s, fs, false) ||
        files_absent(s, fs, false))
        return;
    cause_of_end(s, fs);
}

/* A server that goes on may still complain of what its plan denies it. */
static void of_its_words(const struct symptoms *s, struct findings *fs)
{
    if (s->plan->mode == PLAN_DOCKER && !s->end && !denied_root(s, fs) && !denied_user(s, fs) &&
        !files_read_only(s, fs) && !files_named_missing(s, fs))
        words_say(s, fs);
}

/* What its plan keeps from it: where it is ready, or was, it lives with that. */
static void of_its_paths(const struct symptoms *s, struct findings *fs)
{
    if (s->state == SERVER_READY || s->state == SERVER_SILENT || s->well_before)
        standing_of_paths(s, fs);
    else if (!s->end)
        expected_of_plan(s, fs);
}

/* A server may say its own secrets, and an engine repeat them. */
static void hide_secrets(const struct symptoms *s, struct findings *fs)
{
    AUTO_STRVEC struct strvec values = { 0 };
    config_server_secrets(s->config, &values);
    secret_know_env(&s->plan->container_env, &values);
    for (size_t i = 0; i < fs->n; i++) {
        struct finding *f = &fs->v[i];
        secret_mask_known_in(&f->sentence, &values);
        for (size_t k = 0; k < f->evidence_count; k++)
            secret_mask_known_in(&f->evidence[k].text, &values);
        for (size_t k = 0; k < f->fix_count; k++)
            secret_mask_known_in(&f->fixes[k].title, &values);
        for (size_t k = 0; k < f->steps.n; k++)
            secret_mask_known_in(&f->steps.v[k], &values);
    }
}

void diagnose(const struct symptoms *s, struct findings *fs)
{
    findings_fini(fs);
    if (!s->wanted)
        return;
    if (s->plan->mode == PLAN_UNSUPPORTED) {
        standing_of_plan(s, fs);
        return;
    }
    if (!cause_of_engine(s, fs)) {
        of_the_end(s, fs);
        if (fs->n == 0)
            cause_of_slowness(s, fs);
        if (s->state == SERVER_READY || s->state == SERVER_SILENT) {
            standing_of_run(s, fs);
            if (fs->n == 0)
                of_its_words(s, fs);
        }
        if (fs->n == 0)
            of_its_paths(s, fs);
    }
    if (fs->n == 0)
        standing_of_mounts(s, fs);
    standing_of_plan(s, fs);
    standing_of_tools(s, fs);
    hide_secrets(s, fs);
    findings_sort(fs);
}
