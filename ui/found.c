/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The list of all findings: what is asked of the API and when, its order, its selection. */
#include "found.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "member.h"
#include "view.h"

enum { ASK_AGAIN_MS = 1000, WANTED_MS = 15 * 1000 };

static void forget_rows(struct found *f)
{
    for (size_t i = 0; i < f->n; i++) {
        feed_finding_fini(&f->rows[i].finding);
        free(f->rows[i].key);
    }
    f->n = 0;
    f->shown_count = f->own = f->own_errors = 0;
}

void found_fini(struct found *f)
{
    forget_rows(f);
    free(f->rows);
    free(f->shown);
    free(f->wanted);
    free(f->opened);
}

/* ---- from JSON ---- */

/* Two of a server may have one code: they are told apart by their place. */
static char *key_of(const struct found *f, const struct feed_finding *one)
{
    int before = 0;

    for (size_t i = 0; i < f->n; i++)
        before += !strcmp(f->rows[i].finding.server, one->server) &&
                  !strcmp(f->rows[i].finding.code, one->code);
    return xasprintf("%s\n%s\n%d", one->server, one->code, before);
}

static void add_row(struct found *f, struct feed_finding *one)
{
    char *key = key_of(f, one);

    f->rows[f->n++] = (struct finding_row){*one, key};
}

static void add_all(struct found *f, json_t *list, bool errors)
{
    size_t i;
    json_t *o;

    json_array_foreach(list, i, o) {
        struct feed_finding one = {0};
        feed_parse_finding(&one, o);
        if (one.known && one.error == errors)
            add_row(f, &one);
        else
            feed_finding_fini(&one);
    }
}

/* A warning of the file is no finding of its own, but stands where one looks for what is wrong. */
static void add_warnings(struct found *f, json_t *problems)
{
    size_t i;
    json_t *o;

    json_array_foreach(problems, i, o) {
        const char *severity = json_string_value(json_object_get(o, "severity"));
        struct feed_finding one = {.known = true};
        AUTO_FREE char *key = NULL, *text = NULL;
        if (severity && !strcmp(severity, "error"))
            continue;      /* a finding already */
        member_take(&key, o, "key");
        member_take(&text, o, "text");
        one.server = xstrdup("");
        one.label = xstrdup("");
        one.code = xstrdup("config");
        one.message = xasprintf("line %lld: %s%s%s", (long long)member_int(o, "line", 0), key,
                                *key ? ": " : "", text);
        one.steps = xstrdup("correct it there; the file is read again at once");
        add_row(f, &one);
        f->own++;
    }
}

/* The first of the list are what the supervisor looked for when it was asked. */
static void count_own(struct found *f, json_t *list, int64_t n)
{
    for (size_t i = 0; i < json_array_size(list) && (int64_t)i < n; i++) {
        json_t *one = json_array_get(list, i);
        const char *severity = json_string_value(json_object_get(one, "severity"));
        f->own++;
        f->own_errors += severity && !strcmp(severity, "error");
    }
}

void found_reply(struct view *v, json_t *data)
{
    struct found *f = &v->found;
    json_t *list = json_object_get(data, "findings"), *problems = json_object_get(data, "problems");

    forget_rows(f);
    f->rows = xrealloc(f->rows, (json_array_size(list) + json_array_size(problems) + 1) *
                                    sizeof(*f->rows));
    count_own(f, list, member_int(data, "of_supervisor", 0));
    add_all(f, list, true);
    add_all(f, list, false);
    add_warnings(f, problems);
    f->known = true;
}

/* ---- asking ---- */

/* What concerns no server changes with the status, and is looked for anew by who looks at it. */
void found_note(struct view *v, int changed, const char *event)
{
    if (changed <= 0)
        return;
    if ((changed & FEED_HELLO) || !strcmp(event, "status") ||
        (v->top == TOP_FINDINGS && (changed & FEED_LISTS)))
        v->found.stale = true;
}

void found_ask(struct view *v)
{
    struct found *f = &v->found;
    int64_t now = clock_wall_ms();

    if (!f->stale || !view_is_live(v) || (f->asked_ms && now - f->asked_ms < ASK_AGAIN_MS))
        return;
    f->asked_ms = now;
    f->stale = false;
    view_send(v, REPLY_FINDINGS, "", NULL, "GET", "/api/v1/diagnostics%s", NULL);
}

int found_count(const struct view *v, bool *ret_error)
{
    int n = v->found.own;

    *ret_error = v->found.own_errors > 0;
    for (size_t i = 0; i < v->feed.server_count; i++) {
        const struct feed_server *s = v->feed.servers[i];
        n += s->finding_count;
        *ret_error |= s->finding.known && s->finding.error;
    }
    return n;
}

/* ---- the list ---- */

static void want(struct found *f, const char *server, size_t n)
{
    free(f->wanted);
    f->wanted = xstrndup(server, n);
    f->wanted_until_ms = clock_wall_ms() + WANTED_MS;
}

/* A server that is being repaired has no finding for a moment: when it has one again, that is the
 * selected one, so that the next F is not for another. */
static void select_wanted(struct view *v)
{
    struct found *f = &v->found;
    const char *key = v->finding_list.key;
    bool lost = key && *key != '\n';

    for (int i = 0; lost && i < f->shown_count; i++)
        lost = strcmp(f->shown[i]->key, key) != 0;
    if (lost)
        want(f, key, strcspn(key, "\n"));
    if (f->wanted && clock_wall_ms() >= f->wanted_until_ms)
        free(TAKE(f->wanted));
    for (int i = 0; f->wanted && i < f->shown_count; i++)
        if (!strcmp(f->shown[i]->finding.server, f->wanted)) {
            free(v->finding_list.key);
            v->finding_list.key = xstrdup(f->shown[i]->key);
            free(TAKE(f->wanted));
        }
}

void found_enter(struct view *v)
{
    const struct feed_server *s = view_server(v);

    if (s)
        want(&v->found, s->name, strlen(s->name));
    if (!s || !s->finding.known) {      /* the worst one, and not the row of the last look */
        free(TAKE(v->finding_list.key));
        v->finding_list.at = 0;
    }
    v->found.chosen = false;
}

void found_choose(struct view *v)
{
    free(TAKE(v->found.wanted));
    v->found.chosen = true;
}

void found_leave(struct view *v)
{
    const struct feed_finding *f = found_selected(v);

    if (!v->found.chosen || !f || !feed_find(&v->feed, f->server))
        return;
    free(v->servers.key);
    v->servers.key = xstrdup(f->server);
}

void found_build(struct view *v)
{
    struct found *f = &v->found;
    const char *filter = v->finding_list.filter;
    int kept = 0;

    f->shown = xrealloc(f->shown, (f->n + 1) * sizeof(struct finding_row *));
    for (size_t i = 0; i < f->n; i++) {
        const struct feed_finding *one = &f->rows[i].finding;
        const char *const fields[] = {one->label, one->code, one->message};
        bool passes = !*filter;
        for (size_t k = 0; k < ARRAY_LEN(fields) && !passes; k++)
            passes = view_contains(fields[k], strlen(fields[k]), filter);
        if (passes)
            f->shown[kept++] = &f->rows[i];
    }
    f->shown_count = kept;
    select_wanted(v);
}

const char *found_key(const struct view *v, int i)
{
    return v->found.shown[i]->key;
}

const struct feed_finding *found_selected(const struct view *v)
{
    return v->finding_list.at < v->found.shown_count
               ? &v->found.shown[v->finding_list.at]->finding
               : NULL;
}

const struct feed_finding *found_of(const struct view *v, const struct feed_server *s,
                                    const char *code)
{
    for (size_t i = 0; i < v->found.n; i++) {
        const struct feed_finding *one = &v->found.rows[i].finding;
        if (!strcmp(one->server, s->name) && !strcmp(one->code, code))
            return one;
    }
    return &s->finding;
}

void found_open(struct view *v)
{
    const struct feed_finding *f = found_selected(v);

    if (!f || !feed_find(&v->feed, f->server)) {
        view_toast(v, false, f ? "it concerns no server: all there is to know stands here"
                               : "nothing is wrong");
        return;
    }
    free(v->found.opened);
    v->found.opened = xstrdup(f->server);
    view_show(v, TOP_DETAIL);
}
