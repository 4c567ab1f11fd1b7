/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of the questions. Of a run that ended only one cause is told: the first that speaks;
 * what is only a consequence of it stays unsaid. */
#include "diagnose/diagnose_internal.h"

static void of_the_end(const struct symptoms *s, struct findings *fs)
{
    if (!s->end || cause_of_start(s, fs) || cause_of_oom(s, fs) || cause_of_kill(s, fs))
        return;
    if (files_missing(s, fs, true) || words_say(s, fs) || files_missing(s, fs, false))
        return;
    cause_of_end(s, fs);
}

/* A server that goes on may still complain of what its plan denies it. */
static void of_its_words(const struct symptoms *s, struct findings *fs)
{
    if (s->plan->mode == PLAN_DOCKER && !s->end)
        words_say(s, fs);
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
    }
    standing_of_plan(s, fs);
    standing_of_tools(s, fs);
    findings_sort(fs);
}
