/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes of one server, and of what all isolated ones inherit. The fleet writes the user's file
 * and applies it; where the engine has to agree, the answer waits for what it says. */
#include "api/routes_server.h"

#include <string.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/mem.h"

static const char *const applied_names[] = {
    [CHANGE_NONE] = "none", [CHANGE_LIVE] = "live", [CHANGE_RESTART] = "restart"};

/* A change under way. Its client may go before the engine has answered: then nobody is told. */
struct change {
    struct fleet *fleet;
    struct request *r;
    char *name;                     /* NULL: of all */
    size_t due;                     /* answers of the engine still to come */
    struct fleet_change_result result;
    json_t *servers;                /* of all: what became of each */
    json_t *fix;                    /* that it is; NULL = none */
    struct fault refused;           /* of one */
};

static void change_free(struct change *c)
{
    fleet_change_result_fini(&c->result);
    json_decref(c->servers);
    json_decref(c->fix);
    free(c->name);
    free(c);
}

/* The parts that both kinds of answers have. */
static json_t *change_json(const struct change *c, const char *undo)
{
    const struct fleet_change_result *res = &c->result;

    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "applied", applied_names[res->applied],
                     "diff", json_foreign(buf_str(&res->diff), res->diff.len), "file",
                     json_text(fleet_get_config_path(c->fleet)), "changes",
                     json_strings(&res->sentences), "no_effect", json_text(res->no_effect), "undo",
                     json_text(undo));
}

static void answer(struct change *c)
{
    const struct server *s = c->name ? fleet_find(c->fleet, c->name) : NULL;
    json_t *doc;

    if (!c->r)
        return;
    if (c->refused.code) {
        reply_fault(c->r, &c->refused);
        return;
    }
    if (!c->name) {
        doc = change_json(c, fleet_undo_text(c->fleet, NULL));
        json_object_set(doc, "servers", c->servers);
    } else {       /* a reload may have replaced it, or taken it away */
        doc = change_json(c, s ? fleet_undo_text(c->fleet, s) : "");
        json_object_set_new(doc, "server", s ? json_server(s, false) : json_null());
    }
    if (c->fix)
        json_object_set(doc, "fix", c->fix);
    reply_data(c->r, doc);
}

static void on_gone(void *ctx, struct request *r)
{
    (void)r;
    ((struct change *)ctx)->r = NULL;
}

static void add_server(struct change *c, const char *name, enum change_applied applied,
                       const struct fault *f)
{
    json_array_append_new(c->servers, json_pack("{s:o, s:s, s:o}", "name", json_text(name),
                                                "applied", applied_names[applied], "error",
                                                json_text(f ? f->text : NULL)));
}

static void on_settled(void *ctx, const char *server, enum change_applied applied,
                       const struct fault *f)
{
    struct change *c = ctx;

    if (!c->name) {
        add_server(c, server, applied, f);
        if (f)
            strvec_addf(&c->result.sentences, "%s: %s.", server, f->text);
    } else if (f) {
        c->refused = *f;
    } else {
        c->result.applied = applied;
    }
    if (--c->due)
        return;
    answer(c);
    change_free(c);
}

/* Takes result over. Answers now (planned: nothing was done), or when the engine has changed all
 * that changes live. */
static void finish(struct fleet *fl, struct request *r, const char *name,
                   struct fleet_change_result *result, bool planned,
                   enum change_refused on_refusal, json_t *fix)
{
    struct change *c = xcalloc(1, sizeof *c);

    *c = (struct change){.fleet = fl, .r = r, .name = xstrdup(name), .result = *result,
                         .fix = fix};
    *result = (struct fleet_change_result){0};
    c->servers = json_array();
    for (size_t i = 0; i < c->result.live.n; i++) {
        if (!planned && fleet_change_wait(fl, c->result.live.v[i], on_refusal, on_settled, c))
            c->due++;
        else if (!name)
            add_server(c, c->result.live.v[i], CHANGE_LIVE, NULL);
    }
    for (size_t i = 0; !name && i < c->result.restarts.n; i++)
        add_server(c, c->result.restarts.v[i], CHANGE_RESTART, NULL);
    if (c->due) {
        request_set_gone(r, on_gone, c);
        return;
    }
    answer(c);
    change_free(c);
}

void server_reply_fix(struct fleet *fl, struct request *r, const char *name,
                      struct fleet_change_result *result, bool planned, json_t *fix)
{
    finish(fl, r, name, result, planned, REFUSED_RESTARTS, fix);
}

/* ---- what is asked for ---- */

struct wanted { struct fleet_change change; bool restart; };

static int take_bool(struct wanted *w, const char *key, json_t *value)
{
    if (!json_is_boolean(value))
        return -1;
    if (strcmp(key, "enabled") == 0)
        w->change.enabled = json_is_true(value) ? TRI_YES : TRI_NO;
    else if (strcmp(key, "dry_run") == 0)
        w->change.dry_run = json_is_true(value);
    else if (strcmp(key, "restart") == 0)
        w->restart = json_is_true(value);
    else
        return -1;
    return 0;
}

/* Reads the body of PATCH; -1 after an error was answered. */
static int parse_change(struct request *r, json_t *doc, bool all, struct wanted *w)
{
    struct fleet_change *c = &w->change;
    const struct { const char *key; const char **to;
    } texts[] = {{"memory", &c->memory},   {"cpus", &c->cpus},
                 {"pids", &c->pids},       {"network", &c->network},
                 {all ? "total_memory" : "isolation", all ? &c->total_memory : &c->isolation}};
    const char *key;
    json_t *value, *pids = json_object_get(doc, "pids");

    if (json_is_integer(pids))      /* the one limit that is a plain number */
        json_object_set_new(doc, "pids", json_sprintf("%lld", (long long)json_integer_value(pids)));
    json_object_foreach(doc, key, value) {
        size_t i = 0;
        while (i < ARRAY_LEN(texts) && strcmp(key, texts[i].key) != 0)
            i++;
        if (i < ARRAY_LEN(texts) && json_is_string(value)) {
            *texts[i].to = json_string_value(value);
        } else if (take_bool(w, key, value) < 0) {
            reply_error(r, 400,
                        "\"%s\": unknown key or wrong type; known are memory, cpus, pids, network, "
                        "%s (strings)%s, restart and dry_run (true or false)",
                        key, texts[ARRAY_LEN(texts) - 1].key, all ? "" : ", enabled");
            return -1;
        }
    }
    return 0;
}

/* The body as an object, the caller's; NULL after an error was answered. */
static json_t *read_body(struct request *r, bool all, struct wanted *w)
{
    size_t n;
    const char *body = request_get_body(r, &n);
    json_error_t e;
    json_t *doc = json_loadb(body, n, JSON_REJECT_DUPLICATES, &e);

    *w = (struct wanted){.change = {.enabled = TRI_UNSET}};
    if (!json_is_object(doc))
        reply_error(r, 400, "the body must be a JSON object%s%s", doc ? "" : ": ",
                    doc ? "" : e.text);
    else if (parse_change(r, doc, all, w) == 0)
        return doc;
    json_decref(doc);
    return NULL;
}

/* ---- one server ---- */

static void change(struct api_server *a, struct request *r, struct server *s,
                   const struct wanted *w)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    AUTO_FREE char *name = xstrdup(s->name);

    if (fleet_change(a->fleet, s, &w->change, &result, &f) < 0)
        reply_fault(r, &f);
    else
        finish(a->fleet, r, name, &result, w->change.dry_run,
               w->restart ? REFUSED_RESTARTS : REFUSED_PUT_BACK, NULL);
    fleet_change_result_fini(&result);
}

void server_post_enable(struct api_server *a, struct request *r, struct server *s)
{
    change(a, r, s, &(struct wanted){.change = {.enabled = TRI_YES}});
}

void server_post_disable(struct api_server *a, struct request *r, struct server *s)
{
    change(a, r, s, &(struct wanted){.change = {.enabled = TRI_NO}});
}

/* Out of quarantine: its tools go to clients from now on. */
void server_post_release(struct api_server *a, struct request *r, struct server *s)
{
    static const struct fleet_key key = {.path = "quarantined", .json = "false"};

    if (!s->config->quarantined) {
        reply_error(r, 409, "\"%s\" is not quarantined: there is nothing to release", s->name);
        return;
    }
    change(a, r, s, &(struct wanted){
        .change = {.enabled = TRI_UNSET, .keys = &key, .key_count = 1}});
}

void server_patch(struct api_server *a, struct request *r, struct server *s)
{
    struct wanted w;
    json_t *doc = read_body(r, false, &w);

    if (doc)
        change(a, r, s, &w);
    json_decref(doc);
}

/* The body of an undo is optional, and has but this; -1 after an error was answered. */
static int read_dry_run(struct request *r, bool *ret)
{
    size_t n;
    const char *body = request_get_body(r, &n);
    json_t *doc = n ? json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL) : json_object();
    int dry_run = 0, rc = json_unpack(doc, "{s?:b !}", "dry_run", &dry_run);

    json_decref(doc);
    *ret = dry_run;
    if (rc < 0)
        reply_error(r, 400, "the body may be {\"dry_run\":true}");
    return rc;
}

void server_post_undo(struct api_server *a, struct request *r, struct server *s)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    bool dry_run;

    if (read_dry_run(r, &dry_run) < 0)
        return;
    if (!dry_run && fleet_undo_is_of_keys(a->fleet, s) && request_get_via(r) != VIA_UNIX) {
        reply_error(r, 403, "what this takes back can be changed on the unix socket only: %s",
                    fleet_undo_text(a->fleet, s));
        return;
    }
    AUTO_FREE char *name = xstrdup(s->name);

    if (fleet_undo(a->fleet, s, dry_run, &result, &f) < 0)
        reply_fault(r, &f);
    else
        finish(a->fleet, r, name, &result, dry_run, REFUSED_STAYS, NULL);
    fleet_change_result_fini(&result);
}

/* What the plan would be, as a change that is not made. */
void server_get_plan(struct api_server *a, struct request *r, struct server *s)
{
    char isolation[32];
    struct fleet_change c = {.enabled = TRI_UNSET, .dry_run = true};
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;

    if (query_text(r, "isolation", isolation, sizeof isolation))
        c.isolation = isolation;
    if (fleet_change(a->fleet, s, &c, &result, &f) < 0)
        reply_fault(r, &f);
    else
        reply_data(r, json_pack("{s:o, s:o, s:o}", "plan",
                                result.plan ? json_plan(result.plan) : json_plan(s->plan), "diff",
                                json_foreign(buf_str(&result.diff), result.diff.len), "changes",
                                json_strings(&result.sentences)));
    fleet_change_result_fini(&result);
}

/* ---- what all isolated servers inherit ---- */

void isolation_get(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    reply_data(r, json_isolation(a->fleet));
}

void isolation_patch(struct api_server *a, struct request *r, const char *name)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    struct wanted w;
    json_t *doc = read_body(r, true, &w);

    (void)name;
    if (doc && fleet_change_all(a->fleet, &w.change, &result, &f) < 0)
        reply_fault(r, &f);
    else if (doc)
        finish(a->fleet, r, NULL, &result, w.change.dry_run,
               w.restart ? REFUSED_RESTARTS : REFUSED_STAYS, NULL);
    fleet_change_result_fini(&result);
    json_decref(doc);
}

void isolation_post_undo(struct api_server *a, struct request *r, const char *name)
{
    struct fleet_change_result result = {0};
    struct fault f = FAULT_NONE;
    bool dry_run;

    (void)name;
    if (read_dry_run(r, &dry_run) < 0)
        return;
    if (fleet_undo_all(a->fleet, dry_run, &result, &f) < 0)
        reply_fault(r, &f);
    else
        finish(a->fleet, r, NULL, &result, dry_run, REFUSED_STAYS, NULL);
    fleet_change_result_fini(&result);
}
