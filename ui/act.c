/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keys and commands that change something: what is asked before, and what is sent (act_reply.c:
 * what is said afterwards). Everything goes through the API; nothing here knows how it is done. */
#include <stdio.h>
#include <string.h>
#include "base/mem.h"
#include "panes/pane.h"

/* The marked servers, or the selected one. A mark that is not on the screen (filtered away, or
 * another pane is shown) does not count: nobody acts on what he does not see. */
static void take_targets(struct view *v, struct strvec *out)
{
    for (int i = 0; view_shows_servers(v) && i < v->order_count; i++)
        if (v->order[i]->marked)
            strvec_add(out, v->order[i]->name);
    if (!out->n && view_server(v))
        strvec_add(out, view_server(v)->name);
}

static void target_words(struct view *v, const struct strvec *names, char *out, size_t n)
{
    const struct feed_server *s = feed_find(&v->feed, names->v[0]);

    if (names->n == 1)
        snprintf(out, n, "%s", s ? s->label : names->v[0]);
    else
        snprintf(out, n, "%zu servers", names->n);
}

void act_add_traffic(const struct feed_server *s, struct buf *out)
{
    if (s->calls.clients > 0)
        buf_printf(out, "%lld client%s", (long long)s->calls.clients,
                   s->calls.clients == 1 ? "" : "s");
    if (s->calls.in_flight > 0)
        buf_printf(out, "%s%lld call%s in flight", out->len ? ", " : "",
                   (long long)s->calls.in_flight, s->calls.in_flight == 1 ? "" : "s");
}

bool act_describe_targets(struct view *v, struct buf *out)
{
    bool busy = false;

    for (size_t i = 0; i < v->ask.targets.n; i++) {
        const struct feed_server *s = feed_find(&v->feed, v->ask.targets.v[i]);
        AUTO_BUF struct buf traffic = BUF_INIT;
        if (!s)
            continue;
        act_add_traffic(s, &traffic);
        busy |= traffic.len > 0;
        buf_printf(out, "%s: %s%s%s\n", s->label, s->state_word, traffic.len ? ", " : "",
                   buf_str(&traffic));
    }
    return busy;
}

static const struct action {
    enum request req;
    const char *verb, *effect;
    bool always_asks;
} actions[] = {
    {REQ_RESTART, "restart", "calls in flight are finished first, new ones wait", false},
    {REQ_STOP, "stop", "its clients get errors until it is started again", true},
    {REQ_START, "start", "", false},
    {REQ_KILL, "kill", "SIGKILL now: calls in flight fail, it is started again if wanted", true},
};

static const struct action *action_of(enum request req)
{
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (actions[i].req == req)
            return &actions[i];
    return NULL;
}

static void start_action(struct view *v, const struct action *act, struct strvec *targets)
{
    const struct feed_server *only = targets->n == 1 ? feed_find(&v->feed, targets->v[0]) : NULL;
    char who[128];
    AUTO_FREE char *title = NULL;
    bool busy;

    if (act->req == REQ_START && only && only->state == STATE_READY) {
        view_toast_of(v, only, false, "%s is running already", only->label);
        return;
    }
    target_words(v, targets, who, sizeof(who));
    title = xasprintf("%s %s?", act->verb, who);
    ask_open(v, ASK_CONFIRM, act->req, title, act->verb);
    strvec_copy(&v->ask.targets, targets);
    busy = act_describe_targets(v, &v->ask.text);
    if (*act->effect)
        buf_printf(&v->ask.text, "%s\n", act->effect);
    if (!act->always_asks && !(busy && act->req == REQ_RESTART) && targets->n == 1)
        act_commit(v);
}

/* Asks only when the plans of all are known: what is confirmed was shown. */
static void start_isolate(struct view *v, const struct strvec *targets, const char *mode)
{
    char who[128];
    AUTO_FREE char *title = NULL;

    target_words(v, targets, who, sizeof(who));
    title = xasprintf(!strcmp(mode, "docker") ? "isolate %s in Docker?"
                                              : "run %s on the host, without isolation?",
                      who);
    ask_open(v, ASK_WAIT, REQ_ISOLATE, title,
             !strcmp(mode, "docker") ? "isolate" : "run on the host");
    strvec_copy(&v->ask.targets, targets);
    v->ask.body = json_pack("{s:s}", "isolation", mode);
    v->ask.plans_due = targets->n;
    for (size_t i = 0; i < targets->n; i++)
        view_send(v, REPLY_PLAN, targets->v[i], "isolate", "GET",
                  !strcmp(mode, "docker") ? "/api/v1/servers/%s/plan?isolation=docker"
                                          : "/api/v1/servers/%s/plan?isolation=none",
                  NULL);
}

/* Asked dry first: what y does is what the supervisor showed. `which` counts round the fixes there
 * are. */
static void start_fix(struct view *v, const struct feed_server *s, const struct feed_finding *f,
                      size_t which)
{
    AUTO_FREE char *title = xasprintf("repair %s?", s->label);

    if (!f->known || !f->fix_count) {
        view_toast_of(v, s, f->known, "%s: %s", s->label, !f->known ? "nothing is wrong"
                   : *f->steps ? f->steps : f->message);
        return;
    }
    which %= f->fix_count;
    ask_open(v, ASK_WAIT, REQ_FIX, title, "apply");
    strvec_add(&v->ask.targets, s->name);
    v->ask.body = json_pack("{s:s, s:s}", "code", f->code, "fix", f->fixes[which].id);
    v->ask.plans_due = 1;
    v->ask.which = which;
    v->ask.ways = f->fix_count;
    buf_printf(&v->ask.text, "%s\n%s\n", f->fixes[which].title, f->message);
    view_send(v, REPLY_PLAN, s->name, "fix", "POST", "/api/v1/servers/%s/fix",
              json_pack("{s:s, s:s, s:b}", "code", f->code, "fix", f->fixes[which].id,
                        "dry_run", 1));
}

void act_other_fix(struct view *v)
{
    AUTO_FREE char *name = xstrdup(v->ask.targets.n ? v->ask.targets.v[0] : "");
    AUTO_FREE char *code = xstrdup(json_string_value(json_object_get(v->ask.body, "code")));
    const struct feed_server *s = feed_find(&v->feed, name);

    if (s)
        start_fix(v, s, found_of(v, s, code), v->ask.which + 1);
}

/* Asked dry first, as a repair is: s NULL: of all isolated servers. */
static void ask_undo(struct view *v, const struct feed_server *s, const char *change)
{
    AUTO_FREE char *title = xasprintf("take back the last change of %s?",
                                      s ? s->label : "all isolated servers");

    ask_open(v, ASK_WAIT, REQ_UNDO, title, "take back");
    if (s)
        strvec_add(&v->ask.targets, s->name);
    v->ask.plans_due = 1;
    buf_printf(&v->ask.text, "The change was: %s\n", change);
    view_send(v, REPLY_PLAN, s ? s->name : "", "undo", "POST",
              s ? "/api/v1/servers/%s/undo" : "/api/v1/docker_isolation/undo%s",
              json_pack("{s:b}", "dry_run", 1));
}

static void start_undo(struct view *v, const struct feed_server *s)
{
    if (!*s->undo) {
        view_toast(v, true, "%s: nothing to take back", s->label);
        return;
    }
    ask_undo(v, s, s->undo);
}

static void start_remove(struct view *v)
{
    const struct feed_container *c = view_container(v);
    AUTO_FREE char *title = NULL;

    if (!c)
        return;
    if (c->in_use && !c->kept) {
        view_toast(v, true, "%s is in use by %s: stop that server instead (s)", c->name,
                   *c->server ? c->server : "a server");
        return;
    }
    if (!strcmp(c->owner, "foreign") && !c->orphan) {
        view_toast(v, true, "%s is not known to be left behind: %.*s", c->name,
                   (int)strcspn(c->evidence, "\n"), c->evidence);
        return;
    }
    title = xasprintf("remove container %s?", c->name);
    ask_open(v, ASK_CONFIRM, REQ_REMOVE, title, "remove");
    strvec_add(&v->ask.targets, c->id);
    buf_printf(&v->ask.text, "%s, %s, of server %s\n", c->image, *c->status ? c->status : c->state,
               *c->server ? c->server : "-");
    if (c->kept)
        buf_printf(&v->ask.text, "the last failed one, kept for `docker logs` and `docker inspect` "
                   "until %s is ready\n", c->server);
    if (!strcmp(c->owner, "other") && !c->orphan)
        buf_add_str(&v->ask.text, "! it belongs to another mcptop, which may be running\n");
    if (*c->evidence)
        buf_printf(&v->ask.text, "%s\n", c->evidence);
}

/* Where x takes them: away from where the first of them is. */
static const char *other_mode(const struct view *v, const struct strvec *targets)
{
    const struct feed_server *first = feed_find(&v->feed, targets->v[0]);

    return first && !strcmp(first->where, "docker") ? "none" : "docker";
}

void act_request(struct view *v, enum request req)
{
    AUTO_STRVEC struct strvec targets = {0};
    struct feed_server *s = view_server(v);

    if (!view_is_live(v)) {
        view_toast(v, true, "no supervisor to ask");
        return;
    }
    if (req == REQ_REMOVE) {
        start_remove(v);
        return;
    }
    if (v->top == TOP_FINDINGS)
        found_choose(v);
    if (!s && req == REQ_FIX && found_selected(v))
        view_toast(v, true, "mcptop itself: %s", *found_selected(v)->steps
                   ? found_selected(v)->steps : found_selected(v)->message);
    if (!s)
        return;
    take_targets(v, &targets);
    if (action_of(req))
        start_action(v, action_of(req), &targets);
    else if (req == REQ_ISOLATE)
        start_isolate(v, &targets, other_mode(v, &targets));
    else if (req == REQ_LIMITS)
        limits_open(v, s);
    else if (req == REQ_FIX)
        start_fix(v, s, v->top == TOP_FINDINGS ? found_selected(v) : &s->finding, 0);
    else if (req == REQ_UNDO)
        start_undo(v, s);
    else if (req == REQ_APPROVE)
        approve_start(v, s);
    else if (req == REQ_COPY_COMMAND)
        view_send(v, REPLY_COMMAND, s->name, "copy", "GET", "/api/v1/servers/%s/command", NULL);
}

/* ---- the palette's words ---- */

void act_isolate_to(struct view *v, const char *name, const char *mode)
{
    AUTO_STRVEC struct strvec targets = {0};

    if (!feed_find(&v->feed, name)) {
        view_toast(v, true, "no server \"%s\"", name);
        return;
    }
    strvec_add(&targets, name);
    start_isolate(v, &targets, mode);
}

void act_set(struct view *v, const char *name, json_t *body)
{
    if (!strcmp(name, "*")) {
        limits_set_all(v, body);
        return;
    }
    if (feed_find(&v->feed, name)) {
        view_send(v, REPLY_CHANGE, name, "set", "PATCH", "/api/v1/servers/%s", body);
        return;
    }
    json_decref(body);
    view_toast(v, true, "no server \"%s\"", name);
}

static void shutdown_all(struct view *v)
{
    ask_open(v, ASK_CONFIRM, REQ_QUIT, "shut down the supervisor and every server?", "shut down");
    for (size_t i = 0; i < v->feed.server_count; i++)
        if (v->feed.servers[i]->wanted_up)
            strvec_add(&v->ask.targets, v->feed.servers[i]->name);
    act_describe_targets(v, &v->ask.text);
    buf_add_str(&v->ask.text, "AI clients lose them until mcptop is started again\n");
}

static void undo_all(struct view *v)
{
    if (!*v->feed.status.isolation.undo) {
        view_toast(v, true, "all isolated servers: nothing to take back");
        return;
    }
    ask_undo(v, NULL, v->feed.status.isolation.undo);
}

void act_simple(struct view *v, const char *name, const char *verb)
{
    AUTO_STRVEC struct strvec targets = {0};
    const struct feed_server *s = feed_find(&v->feed, name);
    AUTO_FREE char *path = xasprintf("/api/v1/servers/%%s/%s", verb);

    if (!strcmp(verb, "shutdown")) {
        shutdown_all(v);
        return;
    }
    if (!strcmp(verb, "reload") || !strcmp(verb, "restart-all")) {
        view_send(v, REPLY_DONE, "", verb, "POST",
                  !strcmp(verb, "reload") ? "/api/v1/config/reload" : "/api/v1/servers/restart_all",
                  NULL);
        return;
    }
    if (!s && !strcmp(verb, "undo") && !strcmp(name, "*")) {
        undo_all(v);
        return;
    }
    if (!s) {
        view_toast(v, true, "no server \"%s\"", name);
        return;
    }
    strvec_add(&targets, s->name);
    for (size_t i = 0; i < ARRAY_LEN(actions); i++)
        if (!strcmp(actions[i].verb, verb)) {
            start_action(v, &actions[i], &targets);
            return;
        }
    if (!strcmp(verb, "undo"))
        start_undo(v, s);
    else if (!strcmp(verb, "fix"))
        start_fix(v, s, &s->finding, 0);
    else if (!strcmp(verb, "approve"))
        approve_start(v, s);
    else if (!strcmp(verb, "command"))
        view_send(v, REPLY_COMMAND, s->name, "copy", "GET", "/api/v1/servers/%s/command", NULL);
    else
        view_send(v, REPLY_DONE, s->name, verb, "POST", path, NULL);
}

/* ---- yes ---- */

static void send_all(struct view *v, enum reply_kind kind, const char *what, const char *method,
                     const char *path)
{
    for (size_t i = 0; i < v->ask.targets.n; i++)
        view_send(v, kind, v->ask.targets.v[i], what, method, path, json_incref(v->ask.body));
}

void act_commit(struct view *v)
{
    const struct action *act = action_of(v->ask.req);
    AUTO_FREE char *path = act ? xasprintf("/api/v1/servers/%%s/%s", act->verb) : NULL;

    if (act)
        send_all(v, REPLY_DONE, act->verb, "POST", path);
    else if (v->ask.req == REQ_ISOLATE)
        send_all(v, REPLY_CHANGE, "isolate", "PATCH", "/api/v1/servers/%s");
    else if (v->ask.req == REQ_UNDO && !v->ask.targets.n)
        view_send(v, REPLY_CHANGE, "", "undo", "POST", "/api/v1/docker_isolation/undo", NULL);
    else if (v->ask.req == REQ_FIX)
        send_all(v, REPLY_CHANGE, "fix", "POST", "/api/v1/servers/%s/fix");
    else if (v->ask.req == REQ_UNDO)
        send_all(v, REPLY_CHANGE, "undo", "POST", "/api/v1/servers/%s/undo");
    else if (v->ask.req == REQ_APPROVE)
        send_all(v, REPLY_DONE, "approve", "POST", "/api/v1/servers/%s/tools/approve");
    else if (v->ask.req == REQ_REPLAY)
        calls_commit(v);
    else if (v->ask.req == REQ_LIMITS)
        limits_commit(v);
    else if (v->ask.req == REQ_REMOVE)
        send_all(v, REPLY_DONE, "remove", "DELETE", "/api/v1/containers/%s");
    else if (v->ask.req == REQ_QUIT)
        view_send(v, REPLY_SHUTDOWN, "", "shutdown", "POST", "/api/v1/shutdown", NULL);
    ask_close(v);
}
