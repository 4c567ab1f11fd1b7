/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A finding for people. */
#include "cli/show_finding.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

void show_line(const char *before, const char *text)
{
    fputs(before, stdout);
    show_text(stdout, text);
    putchar('\n');
}

static void print_times(json_t *f)
{
    int64_t times = doc_int(f, "times", 0);
    time_t since = (time_t)(doc_int(f, "since_wall_ms", 0) / 1000);
    struct tm tm;
    char when[16];
    if (times < 2)
        return;
    strftime(when, sizeof when, "%H:%M", localtime_r(&since, &tm));
    printf(", %lld times since %s", (long long)times, when);
}

/* What the sentence says word for word is not said again. */
static void print_evidence(json_t *f)
{
    size_t i;
    json_t *e;
    json_array_foreach(doc_get(f, "evidence"), i, e) {
        int64_t seq = doc_int(e, "seq", 0);
        if (!seq && strstr(doc_str(f, "user_message"), doc_str(e, "text")))
            continue;
        AUTO_FREE char *left = seq ? xasprintf("%s %lld", doc_str(e, "what"), (long long)seq)
            : xstrdup(doc_str(e, "what"));
        printf("    %-12s ", left);
        show_text(stdout, doc_str(e, "text"));
        putchar('\n');
    }
}

void show_finding(json_t *f)
{
    size_t i;
    json_t *x;
    const char *server = doc_str(f, "server");
    show_text(stdout, *server ? server : "mcptop");
    printf(": %s %s%s\n  ", doc_str(f, "severity"), doc_str(f, "code"),
           doc_true(f, "guess") ? " (a guess, by what it wrote)"
           : doc_true(f, "expected") ? " (by its plan: it has not come true yet)" : "");
    show_text(stdout, doc_str(f, "user_message"));
    print_times(f);
    putchar('\n');
    print_evidence(f);
    size_t fixes = json_array_size(doc_get(f, "fixes"));
    json_array_foreach(doc_get(f, "fix_steps"), i, x)
        show_line(i == 0 && fixes ? "  fix:  " : i < fixes ? "  or:   " : "  do:   ",
            json_is_string(x) ? json_string_value(x) : "");
}
