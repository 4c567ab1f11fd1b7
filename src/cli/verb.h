/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One verb, for the files that implement them; verbs.c holds the table. */
#ifndef MCPTOP_CLI_VERB_H
#define MCPTOP_CLI_VERB_H

#include "cli/args.h"
#include "cli/verbs.h"

struct verb;
struct cli {
    const struct verb *verb;
    const struct cli_roles *roles;
    struct args args;
    struct paths paths; /* resolved */
    char **words;       /* after the verb; NULL-terminated; borrowed from args */
    size_t word_count;
};

/* ALONE needs no supervisor, ASKS a running one, STARTS one that is started if need be. */
struct verb {
    const char *name, *words, *summary;
    unsigned min_words, max_words;  /* max: ANY_WORDS = no limit */
    unsigned options;               /* OPT_BIT()s beyond the global ones */
    enum verb_needs { ALONE, ASKS, STARTS } needs;
    int (*run)(struct cli *c);      /* exit code */
    const char *more;               /* further lines of its help; may be NULL */
};
enum { ANY_WORDS = 1000 };
const struct verb *verb_table(size_t *ret_n);

static inline bool cli_has(const struct cli *c, enum option_id id)
{
    return c->args.value[id] != NULL;
}
/* Says the fault on stderr; the exit code that goes with it. */
int cli_fail(const struct fault *f);
/* Of a request that waits for a server's work: the time it had was for that, so a time-out is no
 * missing supervisor. */
int cli_fail_work(const struct fault *f);
/* Says "mcptop VERB: SENTENCE" and how to get help. EXIT_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Asks and, with --json, prints the data. 0 with *ret_data (a new reference), else an exit code
 * after saying why. */
int cli_ask(struct cli *c, const char *method, const char *path, json_t *body, json_t **ret_data);

/* Asks "QUESTION [y/N] " unless --yes was given. */
bool cli_confirm(const struct cli *c, const char *question);

/* verbs_ask.c */
int verb_ls(struct cli *c);
int verb_status(struct cli *c);
int verb_command(struct cli *c);
int verb_events(struct cli *c);
int verb_reload(struct cli *c);
/* verbs_containers.c */
int verb_ps(struct cli *c);
int verb_rm(struct cli *c);
/* verbs_act.c */
int verb_act(struct cli *c);          /* start stop restart kill enable disable */
/* PATCH or POST of one server (route has its %s); waits for the restart that may follow. body is
 * borrowed. */
int act_change(struct cli *c, const char *method, const char *route, const char *name,
               json_t *body);
void act_print_change(json_t *change);
void act_print_diff(const char *diff);   /* lines cut where they are too long to read */
enum { HTTP_CONFLICT = 409, HTTP_ENGINE_REFUSED = 502 };
int verb_shutdown(struct cli *c);
/* verbs_set.c */
int verb_set(struct cli *c);
int verb_undo(struct cli *c);
int verb_release(struct cli *c);
void set_hint_restart(const struct cli *c);
/* verbs_doctor.c, verbs_why.c */
int verb_doctor(struct cli *c);
int verb_test(struct cli *c);         /* verbs_test.c */
int verb_why(struct cli *c);
/* verbs_pull.c, verbs_context.c */
int verb_pull(struct cli *c);
int verb_context(struct cli *c);
/* verbs_call.c, verbs_logs.c, verbs_tools.c */
int verb_call(struct cli *c);
int verb_tools(struct cli *c);
int verb_approve(struct cli *c);      /* verbs_approve.c */
/* `mcptop tools --changes` of one server; appends the data to `all`. Exit code. */
int approve_show_changes(struct cli *c, const char *server, json_t *all);
int verb_calls(struct cli *c);        /* verbs_calls.c */
int verb_replay(struct cli *c);
/* verbs_connect.c, verbs_import.c */
int verb_connect(struct cli *c);
int verb_import(struct cli *c);
int verb_logs(struct cli *c);

#endif
