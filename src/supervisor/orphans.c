/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The search: the engine's account of itself → list → inspect each that may be meant → use of
 * each, twice → whose input has ended → who is connected → verdicts. Inspections come one after
 * another; readings of use, for which an engine may take a second each, some at a time. The order
 * matters: whoever holds the input of a container that was running when it was inspected, or ended
 * it before that was looked at, is connected when the connections are read, or has gone meanwhile.
 *
 *   request   the list or inspection under way
 *   timer     the time between two readings; then, at 0, the next few processes of the scan */
#include "supervisor/orphans.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"
#include "base/mem.h"
#include "docker/json_text.h"
#include "docker/stats.h"
#include "io/timer.h"

enum { MAX_SUBJECTS = 256, PROCESSES_A_TURN = 16, READINGS_AT_ONCE = 64 };
#define BETWEEN_READINGS_S .5       /* from the end of the first ones to the second ones */

struct reading {                    /* of one container */
    struct orphans_search *search;
    struct engine_request *request;
    int64_t cpu_ns, at_ns;          /* the first time; 0 = not read */
};

struct orphans_search {
    struct ev_loop *loop;
    struct engine *engine;
    char instance[64];
    char id[65];                    /* the one to look at again; "" = all */
    orphans_fn fn;
    void *ctx;

    json_t *info;                   /* NULL = it did not tell */
    json_t *list;                   /* what is still to be inspected, from the end */
    struct orphan_others others;    /* all that was in it */
    double cpu_percent;             /* of one that is looked at again */
    struct orphan_subject *v;
    struct reading *readings;       /* of v; made when v is complete */
    size_t n, at, reading;          /* at: the next to be read; reading: how many are under way */
    bool again;                     /* it is the second time */
    struct engine_request *request;
    ev_timer timer;
    struct unix_scan *scan;
};

static void put(char *to, size_t n, const char *from)
{
    snprintf(to, n, "%s", from ? from : "");
}

static void search_free(struct orphans_search *s)
{
    ev_timer_stop(s->loop, &s->timer);
    engine_cancel(s->request);
    unix_scan_free(s->scan);
    for (size_t i = 0; i < s->n; i++) {
        buf_fini(&s->v[i].evidence);
        if (s->readings)
            engine_cancel(s->readings[i].request);
    }
    json_decref(s->info);
    json_decref(s->list);
    free(s->others.v);
    free(s->v);
    free(s->readings);
    free(s);
}

static void finish(struct orphans_search *s, const struct fault *f)
{
    s->fn(s->ctx, s->v, f ? 0 : s->n, f);
    search_free(s);
}

/* ---- who is connected ---- */

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents);

static void in(struct orphans_search *s, double seconds)
{
    timer_arm(s->loop, &s->timer, seconds);
}

static void judge_all(struct orphans_search *s, const struct unix_clients *clients,
                      const char *doubt)
{
    for (size_t i = 0; i < s->n; i++)
        orphans_judge(&s->v[i], clients, &s->others, doubt);
    finish(s, NULL);
}

static void begin_scan(struct orphans_search *s)
{
    struct fault f = FAULT_NONE;
    const struct docker_context *context = engine_get_context(s->engine);
    for (size_t i = 0; i < s->n; i++)
        s->v[i].input = process_input(s->v[i].pid, s->v[i].id);
    if (s->n)
        s->scan = unix_scan_new(context->socket ? context->socket : "", orphans_programs, &f);
    if (s->scan)
        in(s, 0.);
    else
        judge_all(s, NULL, f.text);
}

static void go_on_scanning(struct orphans_search *s)
{
    struct unix_clients clients = {0};
    char doubt[300];
    if (unix_scan_step(s->scan, PROCESSES_A_TURN)) {
        in(s, 0.);
        return;
    }
    unix_scan_take(s->scan, &clients);
    bool door = orphans_other_door(s->info, &clients, doubt, sizeof doubt);
    judge_all(s, &clients, door ? doubt : NULL);
    unix_clients_fini(&clients);
}

/* ---- use ---- */

static void read_more(struct orphans_search *s);

static void take_reading(struct reading *r, struct orphan_subject *one, const json_t *reply)
{
    struct engine_stats stats;
    int64_t now_ns = clock_mono_ns();
    if (!reply || engine_stats_read(reply, &stats) < 0)
        return;
    one->memory_bytes = stats.memory_bytes;
    if (r->search->again && r->at_ns && now_ns > r->at_ns) {
        one->cpu_percent = 100. * (double)(stats.cpu_ns - r->cpu_ns) / (double)(now_ns - r->at_ns);
    } else {
        r->cpu_ns = stats.cpu_ns;
        r->at_ns = now_ns;
    }
}

static void on_stats(void *ctx, json_t *reply, const struct fault *f)
{
    struct reading *r = ctx;
    struct orphans_search *s = r->search;
    r->request = NULL;
    s->reading--;
    if (f && f->code == FAULT_ENGINE_DOWN) {
        finish(s, f);
        return;
    }
    take_reading(r, &s->v[r - s->readings], f ? NULL : reply);
    read_more(s);
}

static void round_done(struct orphans_search *s)
{
    if (s->again || !s->n) {
        begin_scan(s);
        return;
    }
    s->again = true;
    s->at = 0;
    in(s, BETWEEN_READINGS_S);
}

static void read_more(struct orphans_search *s)
{
    if (!s->readings)
        s->readings = xcalloc(s->n + 1, sizeof *s->readings);
    for (; s->at < s->n && s->reading < READINGS_AT_ONCE; s->at++, s->reading++) {
        struct reading *r = &s->readings[s->at];
        r->search = s;
        r->request = engine_stats_once(s->engine, s->v[s->at].id, on_stats, r);
    }
    if (!s->reading)
        round_done(s);
}

/* ---- which are meant ---- */

/* Somebody else's orchestrator looks after these, whatever their input is like. */
static bool is_looked_after(const json_t *labels)
{
    static const char *const beginnings[] = {
        "com.docker.compose.", "io.podman.compose.", "com.docker.swarm.", "io.kubernetes.",
        "org.testcontainers", "devcontainer.", "com.docker.stack.", "com.docker.extension",
    };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)labels, key, value)
        for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
            if (strncmp(key, beginnings[i], strlen(beginnings[i])) == 0)
                return true;
    return false;
}

static pid_t pid_of(const json_t *inspected)
{
    return (pid_t)json_integer_value(json_object_get(json_object_get(inspected, "State"), "Pid"));
}

/* As `docker run -i` makes it; not a terminal's, which no MCP server has. Podman does not tell the
 * half of it: there an input that somebody had and has no more tells. */
static bool is_meant(const json_t *inspected)
{
    json_t *config = json_object_get(inspected, "Config"), *state = json_object_get(inspected,
                                                                                    "State");
    if (!json_is_true(json_object_get(config, "OpenStdin")) ||
        json_is_true(json_object_get(config, "Tty")) ||
        !json_is_true(json_object_get(state, "Running")))
        return false;
    return (json_is_true(json_object_get(config, "StdinOnce")) &&
            json_is_true(json_object_get(config, "AttachStdin"))) ||
        process_input(pid_of(inspected), json_text_at(inspected, "Id")) == INPUT_ENDED;
}

static void inspect_next(struct orphans_search *s);

/* "2026-11-25T09:36:13.011234567Z" */
static int64_t created_wall_ms(const json_t *inspected)
{
    struct tm tm = {0};
    const char *s = json_text_at(inspected, "Created");
    return strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) ? (int64_t)timegm(&tm) * 1000 : 0;
}

static void add_subject(struct orphans_search *s, json_t *inspected)
{
    json_t *labels = json_object_get(json_object_get(inspected, "Config"), "Labels");
    const char *name = json_text_at(inspected, "Name");
    struct orphan_subject *one;
    s->v = xrealloc(s->v, (s->n + 1) * sizeof *s->v);
    one = &s->v[s->n++];
    *one = (struct orphan_subject){.cpu_percent = -1, .memory_bytes = -1};
    put(one->id, sizeof one->id, json_text_at(inspected, "Id"));
    put(one->name, sizeof one->name, *name == '/' ? name + 1 : name);
    put(one->image, sizeof one->image, json_text_at(json_object_get(inspected, "Config"), "Image"));
    put(one->server, sizeof one->server, json_text_at(labels, "com.mcpproxy.server"));
    put(one->instance, sizeof one->instance, json_text_at(labels, "com.mcpproxy.instance"));
    one->managed = strcmp(json_text_at(labels, "com.mcpproxy.managed"), "true") == 0;
    one->created_wall_ms = created_wall_ms(inspected);
    one->pid = pid_of(inspected);
}

static void on_inspected(void *ctx, json_t *reply, const struct fault *f)
{
    struct orphans_search *s = ctx;
    size_t last = json_array_size(s->list) - 1;
    s->request = NULL;
    if (f && f->code == FAULT_ENGINE_DOWN) {
        finish(s, f);
        return;
    }
    if (!f && is_meant(reply) && s->n < MAX_SUBJECTS)
        add_subject(s, reply);
    json_array_remove(s->list, last);
    inspect_next(s);
}

static void inspect_next(struct orphans_search *s)
{
    for (size_t n; (n = json_array_size(s->list)) > 0; json_array_remove(s->list, n - 1)) {
        json_t *one = json_array_get(s->list, n - 1), *labels = json_object_get(one, "Labels");
        if (is_looked_after(labels) ||
            strcmp(json_text_at(labels, "com.mcpproxy.instance"), s->instance) == 0)
            continue;
        s->request = engine_inspect(s->engine, json_text_at(one, "Id"), on_inspected, s);
        return;
    }
    read_more(s);
}

static void on_looked(void *ctx, json_t *reply, const struct fault *f)
{
    struct orphans_search *s = ctx;
    s->request = NULL;
    if (f && f->code != FAULT_NOT_FOUND) {
        finish(s, f);
        return;
    }
    if (!f && is_meant(reply)) {
        add_subject(s, reply);
        s->v[0].cpu_percent = s->cpu_percent;
    }
    begin_scan(s);
}

static void take_others(struct orphans_search *s, const json_t *list)
{
    json_t *one;
    size_t i;
    s->others.v = xcalloc(json_array_size(list) + 1, sizeof *s->others.v);
    json_array_foreach(list, i, one) {
        struct orphan_other *o = &s->others.v[s->others.n++];
        const char *name = json_string_value(json_array_get(json_object_get(one, "Names"), 0));
        put(o->id, sizeof o->id, json_text_at(one, "Id"));
        put(o->name, sizeof o->name, name && *name == '/' ? name + 1 : name);
        put(o->image, sizeof o->image, json_text_at(one, "Image"));
        o->created_wall_ms =
            (int64_t)json_integer_value(json_object_get(one, "Created")) * 1000;
    }
}

static void on_list(void *ctx, json_t *reply, const struct fault *f)
{
    struct orphans_search *s = ctx;
    s->request = NULL;
    if (f) {
        finish(s, f);
        return;
    }
    take_others(s, reply);
    if (*s->id) {
        s->request = engine_inspect(s->engine, s->id, on_looked, s);
        return;
    }
    s->list = json_incref(reply);
    inspect_next(s);
}

static void on_info(void *ctx, json_t *reply, const struct fault *f)
{
    struct orphans_search *s = ctx;
    s->request = NULL;
    if (f && f->code == FAULT_ENGINE_DOWN) {
        finish(s, f);
        return;
    }
    s->info = json_incref(reply);
    s->request = engine_list_running(s->engine, on_list, s);
}

/* ---- life ---- */

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)revents;
    struct orphans_search *s = w->data;
    ev_timer_stop(loop, w);
    if (s->scan)
        go_on_scanning(s);
    else
        read_more(s);
}

static struct orphans_search *search_new(struct ev_loop *loop, struct engine *engine,
                                         orphans_fn fn, void *ctx)
{
    struct orphans_search *s = xcalloc(1, sizeof *s);
    s->loop = loop;
    s->engine = engine;
    s->fn = fn;
    s->ctx = ctx;
    ev_timer_init(&s->timer, on_timer, 0., 0.);
    s->timer.data = s;
    s->request = engine_info(engine, on_info, s);
    return s;
}

struct orphans_search *orphans_look_again(struct ev_loop *loop, struct engine *engine,
                                          const char *id, double cpu_percent, orphans_fn fn,
                                          void *ctx)
{
    struct orphans_search *s = search_new(loop, engine, fn, ctx);
    s->cpu_percent = cpu_percent;
    put(s->id, sizeof s->id, id);
    return s;
}

struct orphans_search *orphans_search(struct ev_loop *loop, struct engine *engine,
                                      const char *instance, orphans_fn fn, void *ctx)
{
    struct orphans_search *s = search_new(loop, engine, fn, ctx);
    put(s->instance, sizeof s->instance, instance);
    return s;
}

void orphans_cancel(struct orphans_search *s)
{
    if (s)
        search_free(s);
}
