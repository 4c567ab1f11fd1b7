/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Verbs that change servers and wait until the change has come to its end: they follow the event
 * stream first and act after its `hello`, so that no state in between is missed. Must not know how
 * the supervisor does it: only states count. */
#include "cli/verb.h"

#include <string.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/show.h"

enum { DEFAULT_TIMEOUT_S = 60 };

/* What a verb waits for. */
enum aim { AIM_NOTHING, AIM_READY, AIM_READY_ANEW, AIM_STOPPED };

static const struct {
    const char *verb;
    enum aim aim;
} aims[] = {
    { "start", AIM_READY },  { "restart", AIM_READY_ANEW }, { "stop", AIM_STOPPED },
    { "kill", AIM_NOTHING }, { "enable", AIM_READY },       { "disable", AIM_STOPPED },
};

struct act;
struct target {
    struct act *act;
    char *name;
    enum aim aim;
    int64_t since_before; /* when it entered the state it was in before we acted */
    bool sent, answered, settled;
    json_t *server; /* as last heard of; owned */
    json_t *change; /* what set and undo were answered; owned */
};

struct act {
    struct cli *cli;
    struct ev_loop *loop;
    struct api *api;
    struct api_stream *stream;
    ev_timer limit;
    const char *method, *route;
    json_t *body; /* of set; borrowed */
    enum aim aim;
    bool aim_by_change; /* set and undo: the answer tells whether there is something to wait for */
    struct target *targets;
    size_t count;
    int exit_code;
};

static void note_exit(struct act *a, int code)
{
    if (a->exit_code == EXIT_OK)
        a->exit_code = code;
}

static void finish_if_all_settled(struct act *a)
{
    for (size_t i = 0; i < a->count; i++)
        if (!a->targets[i].settled)
            return;
    ev_break(a->loop, EVBREAK_ALL);
}

static void settle(struct target *t)
{
    t->settled = true;
    finish_if_all_settled(t->act);
}

/* ---- what is said at the end ---- */

void act_print_diff(const char *diff)
{
    enum { LONGEST = 300 };     /* of a file that is all one line */
    for (const char *p = diff; *p;) {
        size_t n = strcspn(p, "\n");
        AUTO_FREE char *one = xasprintf("%.*s%s", (int)(n < LONGEST ? n : LONGEST), p,
                                        n < LONGEST ? "" : "…");
        fputs("  ", stdout);
        show_text(stdout, one);
        putchar('\n');
        p += n + (p[n] == '\n');
    }
}

void act_print_change(json_t *change)
{
    size_t i;
    json_t *sentence;
    const char *diff = doc_str(change, "diff");
    json_array_foreach(doc_get(change, "changes"), i, sentence) {
        show_text(stdout, json_is_string(sentence) ? json_string_value(sentence) : "");
        putchar('\n');
    }
    act_print_diff(diff);
}

static bool is_one_of(const char *state, const char *a, const char *b)
{
    return !strcmp(state, a) || !strcmp(state, b);
}

/* Of one that failed: what is known to repair it, or where to look. */
static void print_way_out(json_t *server, const char *name)
{
    json_t *fix = json_array_get(doc_get(doc_get(server, "diagnostic"), "fixes"), 0);
    int64_t retry_ms = doc_int(server, "retry_in_ms", 0);
    AUTO_BUF struct buf word = BUF_INIT;
    char span[24];
    buf_add_shell(&word, name);
    AUTO_FREE char *where = fix
        ? xasprintf("`mcptop doctor --fix %s` repairs it: %s", buf_str(&word),
                    doc_str(fix, "title"))
        : xasprintf("`mcptop doctor %s` tells what is wrong, `mcptop logs %s` what it said",
                    buf_str(&word), buf_str(&word));
    fputs("  ", stdout);
    show_text(stdout, where);
    if (retry_ms > 0)
        printf("; next try in %s", clock_span(retry_ms, span, sizeof span));
    putchar('\n');
}

static void print_server(const struct target *t)
{
    char where[160] = "", waits[200];
    const char *state = doc_str(t->server, "state"),
               *reason = *show_wait(t->server, waits, sizeof waits) ? waits
                   : doc_str(t->server, "reason");
    if (!strcmp(state, "ready"))
        snprintf(where, sizeof where, " (%s%s%s)", doc_str(t->server, "where"),
                 *doc_str(t->server, "image") ? ", " : "", doc_str(t->server, "image"));
    show_text(stdout, t->name);
    printf(": %s%s %s%s", show_state_colour(state), show_mark(state), state, show_colour_off());
    show_text(stdout, where);
    if (*reason && strcmp(state, "ready") != 0) {
        fputs(": ", stdout);
        show_text(stdout, reason);
    }
    putchar('\n');
    if (is_one_of(state, "failed", "backing-off"))
        print_way_out(t->server, t->name);
}

static void print_results(struct act *a)
{
    bool json = cli_has(a->cli, OPT_JSON);
    json_t *list = json_array();
    for (size_t i = 0; i < a->count; i++) {
        struct target *t = &a->targets[i];
        json_t *data = t->change ? t->change : t->server;
        if (t->change && t->server)
            json_object_set(t->change, "server", t->server);
        if (!t->answered || !data)
            continue;
        if (json)
            json_array_append(list, data);
        else if (t->change)
            act_print_change(t->change);
        if (!json && t->server && !cli_has(a->cli, OPT_DRY_RUN))
            print_server(t);
    }
    if (json)
        show_json(a->count == 1 && json_array_size(list) == 1 ? json_array_get(list, 0) : list);
    json_decref(list);
}

/* Started with what was read before the file got an error: who has edited it would wonder. */
static void note_not_applied(const struct act *a)
{
    bool done = false;
    for (size_t i = 0; i < a->count; i++)
        done |= a->targets[i].answered;
    json_t *status = NULL, *p;
    if (!done || api_ask(a->cli->paths.socket, "GET", "/api/v1/status", NULL, &status, NULL, NULL))
        return;
    size_t i;
    json_array_foreach(doc_get(status, "config.problems"), i, p) {
        const char *key = doc_str(p, "key");
        if (!doc_true(status, "config.kept") || strcmp(doc_str(p, "severity"), "error") != 0)
            continue;
        show_error("%s:%d: %s%s%s: the file is not applied, what was read before runs",
                   doc_str(status, "config.path"), (int)doc_int(p, "line", 0), key,
                   *key ? ": " : "", doc_str(p, "text"));
        break;
    }
    json_decref(status);
}

/* ---- waiting ---- */

/* Has it come to an end, good or bad? What was so before we acted does not count, except where it
 * is what is wanted. */
static bool is_settled(struct target *t)
{
    const char *state = doc_str(t->server, "state");
    bool anew = doc_int(t->server, "since_wall_ms", 0) != t->since_before;
    switch (t->aim) {
    case AIM_NOTHING:
        return true;
    case AIM_STOPPED:
        return !strcmp(state, "stopped");
    case AIM_READY_ANEW:
        if (!anew)
            return false;
        /* fall through */
    case AIM_READY:
        if (is_one_of(state, "ready", "silent"))
            return true;
        if (anew && is_one_of(state, "failed", "backing-off")) {
            note_exit(t->act, EXIT_REFUSED);
            return true;
        }
        /* Down on purpose: disabled, or of a kind that this version does not run. */
        if (!strcmp(doc_str(t->server, "wanted"), "down") && !strcmp(state, "stopped")) {
            note_exit(t->act, EXIT_REFUSED);
            return true;
        }
        return false;
    }
    return true;
}

/* Answers and events come over two connections and may cross: the later state counts, and where two
 * began within one millisecond the event, for events come in order and none is left out. */
static void hear(struct target *t, json_t *server, bool is_event)
{
    if (t->settled)
        return;         /* what comes of it later is another story */
    int64_t since = doc_int(server, "since_wall_ms", 0);
    int64_t known = doc_int(t->server, "since_wall_ms", -1);
    if (since > known || (since == known && is_event)) {
        json_t *old = t->server;
        t->server = json_incref(server);
        json_decref(old);
    }
    if (!t->answered)
        return;
    if (is_settled(t))
        settle(t);
    else if (!strcmp(doc_str(t->server, "state"), "pulling"))
        ev_timer_again(t->act->loop, &t->act->limit);      /* a pull takes what it takes */
}

static enum aim aim_of_change(const struct target *t, json_t *server)
{
    bool restarts = !strcmp(doc_str(t->change, "applied"), "restart") &&
                    !strcmp(doc_str(server, "wanted"), "up");
    bool waits = !cli_has(t->act->cli, OPT_NO_WAIT) && !cli_has(t->act->cli, OPT_DRY_RUN);
    return restarts && waits ? AIM_READY_ANEW : AIM_NOTHING;
}

static void on_reply(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct target *t = ctx;
    if (f) {
        note_exit(t->act, cli_fail(f));
        if (status == HTTP_ENGINE_REFUSED && t->act->body)
            set_hint_restart(t->act->cli);
        /* Another key decides it: "the memory limit would still be 1g: …" */
        if (status == HTTP_CONFLICT && strstr(f->text, "would still "))
            show_error("`mcptop why %s` tells every decision about it, and the line that made it",
                       t->name);
        settle(t);
        return;
    }
    t->answered = true;
    if (json_is_string(doc_get(data, "applied"))) {
        t->change = json_incref(data);
        data = doc_get(data, "server");
        if (t->act->aim_by_change)
            t->aim = aim_of_change(t, data);
    }
    if (json_is_object(data))
        hear(t, data, false);
    else
        settle(t);
}

static void send_target(struct target *t)
{
    struct act *a = t->act;
    AUTO_FREE char *path = api_path(a->route, t->name);
    t->sent = true;
    api_send(a->api, a->method, path, json_incref(a->body), on_reply, t);
}

/* --all: every server that the verb has something to do for. */
static bool is_meant(const char *verb, json_t *server)
{
    bool up = !strcmp(doc_str(server, "wanted"), "up");
    if (!strcmp(verb, "start"))
        return doc_true(server, "enabled");
    if (is_one_of(verb, "enable", "disable"))
        return doc_true(server, "enabled") == !strcmp(verb, "disable");
    return up;
}

static void add_target(struct act *a, const char *name)
{
    a->targets = xrealloc(a->targets, (a->count + 1) * sizeof *a->targets);
    a->targets[a->count++] = (struct target){ .act = a, .name = xstrdup(name), .aim = a->aim };
}

static void on_hello(struct act *a, json_t *hello)
{
    json_t *s;
    size_t i;
    if (cli_has(a->cli, OPT_ALL))
        json_array_foreach(doc_get(hello, "servers"), i, s)
            if (is_meant(a->cli->verb->name, s))
                add_target(a, doc_str(s, "name"));
    for (size_t k = 0; k < a->count; k++) {
        struct target *t = &a->targets[k];
        json_array_foreach(doc_get(hello, "servers"), i, s)
            if (!strcmp(doc_str(s, "name"), t->name))
                t->since_before = doc_int(s, "since_wall_ms", 0);
        send_target(t);
    }
    if (!a->count)
        puts("nothing to do");
    finish_if_all_settled(a);
}

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct act *a = ctx;
    bool hello = !strcmp(name, "hello");
    if (!hello && strcmp(name, "server") != 0)
        return;
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    if (hello) {
        on_hello(a, doc);
    } else {
        for (size_t i = 0; i < a->count; i++)
            if (a->targets[i].sent && !strcmp(a->targets[i].name, doc_str(doc, "name")))
                hear(&a->targets[i], doc, true);
    }
    json_decref(doc);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct act *a = ctx;
    a->stream = NULL;
    note_exit(a, cli_fail(why));
    ev_break(a->loop, EVBREAK_ALL);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct act *a = w->data;
    (void)revents;
    for (size_t i = 0; i < a->count; i++)
        if (!a->targets[i].settled)
            show_error("%s is still %s after %d s "
                       "(`mcptop why %s` tells what for, `mcptop logs %s` what it says; --timeout "
                       "waits longer)", a->targets[i].name,
                       doc_str(a->targets[i].server, "state"), (int)w->repeat,
                       a->targets[i].name, a->targets[i].name);
    if (!a->count)
        show_error("the supervisor does not answer");
    note_exit(a, EXIT_REFUSED);
    ev_break(loop, EVBREAK_ALL);
}

static int run_act(struct act *a)
{
    static const struct api_stream_events events = { on_event, on_end };
    int64_t seconds;
    struct fault f = FAULT_NONE;
    if (args_number(&a->cli->args, OPT_TIMEOUT, 1, 24 * 3600, DEFAULT_TIMEOUT_S, &seconds, &f))
        return cli_usage(a->cli, "%s", f.text);
    a->loop = ev_loop_new(EVFLAG_AUTO);
    a->api = api_new(a->loop, a->cli->paths.socket);
    a->stream = api_follow(a->api, "/events", &events, a);
    ev_timer_init(&a->limit, on_limit, 0, (double)seconds);
    a->limit.data = a;
    ev_timer_again(a->loop, &a->limit);
    ev_run(a->loop, 0);
    print_results(a);
    if (is_one_of(a->cli->verb->name, "start", "restart"))
        note_not_applied(a);
    ev_timer_stop(a->loop, &a->limit);
    api_free(a->api);
    ev_loop_destroy(a->loop);
    for (size_t i = 0; i < a->count; i++) {
        free(a->targets[i].name);
        json_decref(a->targets[i].server);
        json_decref(a->targets[i].change);
    }
    free(a->targets);
    return a->exit_code;
}

int verb_act(struct cli *c)
{
    AUTO_FREE char *route = xasprintf("/api/v1/servers/%%s/%s%s", c->verb->name,
                                      cli_has(c, OPT_NOW) ? "?now=1" : "");
    struct act a = { .cli = c, .method = "POST", .route = route };
    for (size_t i = 0; i < ARRAY_LEN(aims); i++)
        if (!strcmp(aims[i].verb, c->verb->name) && !cli_has(c, OPT_NO_WAIT))
            a.aim = aims[i].aim;
    for (size_t i = 0; i < c->word_count; i++)
        add_target(&a, c->words[i]);
    return run_act(&a);
}

int act_change(struct cli *c, const char *method, const char *route, const char *name, json_t *body)
{
    struct act a = {
        .cli = c, .method = method, .route = route, .body = body, .aim_by_change = true
    };
    add_target(&a, name);
    return run_act(&a);
}

/* ---- shutdown ---- */

int verb_shutdown(struct cli *c)
{
    int64_t seconds;
    struct fault f = FAULT_NONE;
    json_t *data;
    if (args_number(&c->args, OPT_TIMEOUT, 1, 24 * 3600, DEFAULT_TIMEOUT_S, &seconds, &f))
        return cli_usage(c, "%s", f.text);
    int rc = cli_ask(c, "POST", "/api/v1/shutdown", NULL, &data);
    int count = (int)doc_int(data, "servers", 0);
    const char *servers = count == 1 ? "server" : "servers";
    json_decref(data);
    if (!rc && cli_has(c, OPT_NO_WAIT))
        printf("the supervisor stops %d %s, then itself\n", count, servers);
    if (rc || cli_has(c, OPT_NO_WAIT))
        return rc;
    for (int64_t limit = clock_mono_ms() + seconds * 1000;;) {
        if (supervisor_probe(c->paths.socket, &f) && f.code == FAULT_NOT_FOUND) {
            printf("stopped %d %s and the supervisor\n", count, servers);
            return EXIT_OK;
        }
        if (clock_mono_ms() > limit) {
            show_error("the supervisor has not ended within %d s", (int)seconds);
            return EXIT_REFUSED;
        }
        ev_sleep(0.05);
    }
}
