/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cuts `docker run` words into flags and values as the docker client does (pflag without
 * interspersed words: the first that is no flag ends them), and hands each to its row. Never puts a
 * value of -e into a message. */
#include "isolation/runargs.h"

#include <limits.h>
#include <string.h>
#include "base/mem.h"
#include "isolation/plan_make.h"
#include "isolation/run_flag.h"

/* One flag as it was found. */
struct found {
    const struct run_flag *flag;
    const char *value;       /* "true", "false" of a switch */
};

/* Go's strconv.ParseBool. -1: no such word. */
static int parse_switch(const char *s)
{
    static const char *const words[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const others[] = {"0", "f", "F", "FALSE", "false", "False"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcmp(s, words[i]) == 0)
            return 1;
        if (strcmp(s, others[i]) == 0)
            return 0;
    }
    return -1;
}

/* The flag's own part of a word, for messages: what follows "=" may be a secret. */
static int unknown(const char *word, int n, struct fault *f)
{
    int first = (int)strcspn(word, " \t");
    if (word[first] && first < n)
        return fault_set(f, FAULT_UNSUPPORTED,
                         "\"%.*s …\" is several words in one: each flag and each value is a string "
                         "of its own, as in \"--memory\", \"64m\"",
                         first > 60 ? 60 : first, word);
    return fault_set(f, FAULT_UNSUPPORTED,
                     "\"%.*s\" is not supported here: leave it out (docs/configuration.md lists "
                     "the flags of docker run that are)",
                     n > 60 ? 60 : n, word);
}

/* ---- what a flag does ---- */

static void drop_earlier(struct plan *p, const struct run_flag *flag)
{
    for (size_t i = p->option_count; i > 0; i--)
        if (p->options[i - 1].flag == flag->name)
            plan_option_remove(p, i - 1);
}

static int add_option(const struct runargs *r, const struct run_flag *flag, const char *value,
                      struct fault *f)
{
    struct run_json scratch = {json_object(), json_object()};
    int rc = flag->put(flag, value, &scratch, f);
    json_decref(scratch.body);
    json_decref(scratch.host);
    if (rc < 0)
        return -1;
    if (!flag->list)
        drop_earlier(r->plan, flag);
    if (!flag->is_switch || strcmp(value, "true") == 0)
        plan_option_add(r->plan, flag->name, value, false);
    return 0;
}

/* docker takes all --env-file before all -e, wherever they stand: so there are two readings. */
enum reading { READ_FILES, READ_REST };

static int apply(const struct runargs *r, enum reading reading, const struct found *found,
                 struct fault *f)
{
    const struct run_flag *flag = found->flag;
    if ((flag->apply == run_field_env_file) != (reading == READ_FILES))
        return 0;
    bool off = flag->is_switch && strcmp(found->value, "false") == 0;
    if (flag->refused && !off && !(r->adopted && flag->ignored))
        return fault_set(f, FAULT_CONFLICT, "--%s is not possible: %s", flag->name, flag->refused);
    if (flag->ignored && *flag->ignored && !off)
        plan_note_add(r->plan, "flag", flag->name, r->line, flag->refused != NULL, "%s of %s: %s",
                      flag->name, r->where, flag->ignored);
    if (!flag->apply && !flag->put)
        return 0;
    int rc = flag->apply ? flag->apply(r, found->value, f) : add_option(r, flag, found->value, f);
    return rc < 0 ? fault_wrap(f, "--%s", flag->name) : 0;
}

/* ---- words ---- */

/* The value of a flag: joined to it, or the next word. NULL with a fault when there is none. */
static const char *flag_value(const struct run_flag *flag, const struct strvec *words, size_t *i,
                              const char *joined, struct fault *f)
{
    if (flag->is_switch) {
        int on = joined ? parse_switch(joined) : 1;
        if (on >= 0)
            return on ? "true" : "false";
        fault_set(f, FAULT_INVALID, "--%s is a switch: write it alone, or with =true or =false",
                  flag->name);
        return NULL;
    }
    if (joined)
        return joined;
    if (*i + 1 < words->n)
        return words->v[++*i];
    fault_set(f, FAULT_INVALID, "\"%.60s\" needs a value", words->v[*i]);
    return NULL;
}

/* "-v /a:/b" in one string: docker takes the blank for a part of the value. What it makes of that
 * is for docker to say; in extra_args nobody means it. */
static int check_blank(const struct runargs *r, const char *word, const char *joined,
                       struct fault *f)
{
    static const char text[] = "a value that begins with a blank: a flag and its value are two "
                               "strings, as in \"--memory\", \"64m\"";
    char letter[] = {'-', word[0], '\0'};
    if (!joined || *joined != ' ')
        return 0;
    if (!r->adopted)
        return fault_set(f, FAULT_INVALID, "\"%s …\" has %s", letter, text);
    plan_note_add(r->plan, "flag", letter, r->line, true, "%s of %s has %s", letter, r->where,
                  text);
    return 0;
}

static int read_long(const struct runargs *r, enum reading reading, const struct strvec *words,
                     size_t *i, struct fault *f)
{
    const char *word = words->v[*i] + 2;
    size_t n = strcspn(word, "=");
    struct found found = {.flag = run_flag_long(word, n)};
    if (!found.flag)
        return unknown(words->v[*i], (int)n + 2, f);
    found.value = flag_value(found.flag, words, i, word[n] ? word + n + 1 : NULL, f);
    return found.value ? apply(r, reading, &found, f) : -1;
}

/* "-m 1g", "-m1g", "-m=1g", "-iv /a:/b": switches may be joined before one that has a value. */
static int read_short(const struct runargs *r, enum reading reading, const struct strvec *words,
                      size_t *i, struct fault *f)
{
    for (const char *c = words->v[*i] + 1; *c; c++) {
        char letter[] = {'-', *c, '\0'};
        struct found found = {.flag = run_flag_letter(*c)};
        if (!found.flag)
            return *c == ' ' ? unknown(words->v[*i], INT_MAX, f) : unknown(letter, 2, f);
        bool takes_rest = c[1] == '=' || (!found.flag->is_switch && c[1]);
        const char *joined = !takes_rest ? NULL : c[1] == '=' ? c + 2 : c + 1;
        if (reading == READ_REST && check_blank(r, c, joined, f) < 0)
            return -1;
        found.value = flag_value(found.flag, words, i, joined, f);
        if (!found.value || apply(r, reading, &found, f) < 0)
            return -1;
        if (takes_rest || !found.flag->is_switch)
            return 0;
    }
    return 0;
}

static int read_words(const struct runargs *r, enum reading reading, const struct strvec *words,
                      size_t from, size_t *ret_index, struct fault *f)
{
    size_t i = from;
    for (; i < words->n; i++) {
        const char *w = words->v[i];
        if (strcmp(w, "--") == 0) {
            i++;
            break;
        }
        if (w[0] != '-' || !w[1])
            break;
        int rc = w[1] == '-' ? read_long(r, reading, words, &i, f)
                            : read_short(r, reading, words, &i, f);
        if (rc < 0) {
            *ret_index = i;    /* the value's position where that is a word of its own */
            return -1;
        }
    }
    *ret_index = i;
    return 0;
}

int runargs_read(const struct runargs *r, const struct strvec *words, size_t from,
                 size_t *ret_index, struct fault *f)
{
    if (read_words(r, READ_FILES, words, from, ret_index, f) < 0)
        return -1;
    return read_words(r, READ_REST, words, from, ret_index, f);
}

int runargs_apply(const struct runargs *r, const struct strvec *words, size_t *ret_index,
                  struct fault *f)
{
    if (runargs_read(r, words, 0, ret_index, f) < 0)
        return -1;
    bool dashes = *ret_index > 0 && strcmp(words->v[*ret_index - 1], "--") == 0;
    if (*ret_index >= words->n && !dashes)
        return 0;
    *ret_index -= dashes;
    return fault_set(f, FAULT_INVALID,
                     "\"%.60s\" is no flag of docker run (the image and the command have keys of "
                     "their own)",
                     words->v[*ret_index]);
}

void runargs_put(const struct plan *p, json_t *body, json_t *host)
{
    struct run_json to = {body, host};
    run_mount_put(p, &to);
    for (size_t i = 0; i < p->option_count; i++) {
        const char *name = p->options[i].flag;
        const struct run_flag *flag = run_flag_long(name, strlen(name));
        flag->put(flag, p->options[i].value, &to, NULL);
    }
}
