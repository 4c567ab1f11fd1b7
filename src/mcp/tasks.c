/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tasks: requests that a server answers by a name under which the result is asked for later. The
 * server knows one client, so it tells of all tasks whoever asks; whose each is, is known here. In
 * the legacy era a task is its session's: no other can see or end it, and what the server says
 * about it goes there. The modern era has no sessions, and who has the name may use it, so there
 * only the two eras are kept apart.
 *
 * What is remembered is bounded: the oldest task is forgotten, and then nobody's. It is not bound
 * to a process of the server, which may keep its tasks; a new one that gives a name again says
 * whose it is now. */
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

enum { MAX_TASKS = 1024, MAX_NAME = 1024, MAX_MADE = 64 << 10 };

#define RELATED "io.modelcontextprotocol/related-task"

struct task {
    struct task *next;               /* an older one */
    char *name;
    bool modern;
    uint32_t owner;                  /* the client's number */
    uint64_t call;                   /* its id towards the server, for progress, … */
    struct span progress;            /* … and the client's own token; behind this struct */
    struct span tool;                /* that was called; none (n 0), or behind this struct */
    bool failed;                     /* it is counted among the tool's errors */
};

/* "" where it is none that can be a name. Caller frees. */
static char *name_from(struct span token)
{
    return token.n > MAX_NAME ? xstrdup("") : span_decode(token, MAX_NAME);
}

static char *name_of(struct span object)
{
    return name_from(span_member(object, "taskId"));
}

/* ---- where messages name them ---- */

enum task_use task_use_of(struct span method)
{
    static const struct { const char *method; enum task_use use; } uses[] = {
        {"tasks/get", TASK_ASKED}, {"tasks/cancel", TASK_ASKED}, {"tasks/update", TASK_ASKED},
        {"tasks/result", TASK_RESULT}};

    /* Nearly every request is another one; the letters may be escaped. */
    if (method.n < 2 || (*method.p != '\\' && (*method.p != 't' || (method.p[1] != 'a' &&
                                                                    method.p[1] != '\\'))))
        return TASK_MADE;
    for (size_t i = 0; i < ARRAY_LEN(uses); i++) {
        if (span_is(method, uses[i].method))
            return uses[i].use;
    }
    return TASK_MADE;
}

static struct span related(struct span meta)
{
    return span_member(span_member(meta, RELATED), "taskId");
}

struct span task_in_result(enum task_use use, struct span result)
{
    if (use == TASK_RESULT)
        return related(span_member(result, "_meta"));
    if (use == TASK_ASKED)
        return span_member(result, "taskId");
    if (result.n > MAX_MADE)
        return (struct span){0};
    struct span task = span_member(result, "task");
    if (!task.n && span_equal(span_member(result, "resultType"), span_of("\"task\"")))
        task = result;
    return span_member(task, "taskId");
}

static bool is_status(const struct envelope *e)
{
    return span_is(e->method, "notifications/tasks/status") ||
           span_is(e->method, "notifications/tasks");
}

int task_names(const struct envelope *e, struct span ret[TASK_NAMES])
{
    struct span meta = e->kind == ENVELOPE_RESULT ? span_member(e->result, "_meta") : e->meta;
    int n = 0;

    if (is_status(e))
        ret[n] = span_member(e->params, "taskId");
    n += is_status(e) && ret[0].n;
    ret[n] = related(meta);
    n += ret[n].n > 0;
    if (n == 2 && ret[1].p < ret[0].p) {
        struct span first = ret[1];
        ret[1] = ret[0];
        ret[0] = first;
    }
    return n;
}

static struct task **find(struct session *s, const char *name)
{
    struct task **at = &s->tasks;

    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    return at;
}

static void drop(struct session *s, struct task **at)
{
    struct task *t = *at;

    *at = t->next;
    s->task_count--;
    free(t->name);
    free(t);
}

void tasks_fini(struct session *s)
{
    while (s->tasks)
        drop(s, &s->tasks);
}

static struct client *client_of(const struct session *s, uint32_t number)
{
    struct client *c = s->clients;

    while (c && c->number != number)
        c = c->next;
    return c;
}

/* ---- made ---- */

static struct span keep(char *at, struct span text)
{
    if (text.n)
        memcpy(at, text.p, text.n);
    return (struct span){at, text.n};
}

static void remember(struct session *s, const struct call *k, char *name)
{
    struct span tool = seen_is_tool_call(k) ? k->name : (struct span){0};
    struct task *t = xcalloc(1, sizeof(*t) + k->progress.n + tool.n);
    struct task **at = find(s, name);

    if (*at)
        drop(s, at);
    t->name = name;
    t->modern = k->client && k->client->modern;
    t->owner = k->owner;
    t->call = k->id;
    t->progress = keep((char *)(t + 1), k->progress);
    t->tool = keep((char *)(t + 1) + k->progress.n, tool);
    t->next = s->tasks;
    s->tasks = t;
    if (++s->task_count <= MAX_TASKS)
        return;
    for (at = &s->tasks; (*at)->next;)
        at = &(*at)->next;
    drop(s, at);
}

/* The answer may be one that names a task. Before its client gets it. */
void tasks_made(struct session *s, const struct call *k, const struct envelope *e)
{
    if (e->kind != ENVELOPE_RESULT || task_use_of(k->method) != TASK_MADE)
        return;
    char *name = name_from(task_in_result(TASK_MADE, e->result));
    if (*name)
        remember(s, k, name);
    else
        free(name);
}

/* ---- asked for ---- */

static bool may_use(const struct client *c, const struct task *t)
{
    return c->modern ? !t || t->modern : t && t->owner == c->number;
}

bool tasks_is_for(struct session *s, const struct client *c, const char *name)
{
    return may_use(c, *find(s, name));
}

bool tasks_refuse(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx,
                  uint64_t *ret_task)
{
    struct session *s = c->session;

    if (task_use_of(e->method) == TASK_MADE)
        return false;
    AUTO_FREE char *name = name_of(e->params);
    const struct task *t = *find(s, name);
    if (may_use(c, t)) {
        *ret_task = t ? t->call : 0;
        return false;
    }
    /* The same words for what is another's and for what does not exist. */
    router_refuse(s, e->id, SESSION_BAD_PARAMS, fn, ctx, TASKS_NONE);
    return true;
}

static bool is_own(struct session *s, const struct call *k, struct span entry)
{
    AUTO_FREE char *name = name_of(entry);
    const struct task *t = *find(s, name);

    return t && !t->modern && t->owner == k->owner;
}

static void add_own(struct session *s, const struct call *k, struct span array, struct buf *out)
{
    const char *end = array.p + array.n, *at = array.p + 1, *comma = "";
    struct span entry;

    buf_add_char(out, '[');
    while (*array.p == '[' && tool_next_entry(&at, end, &entry)) {
        if (!is_own(s, k, entry))
            continue;
        buf_add_str(out, comma);
        buf_add(out, entry.p, entry.n);
        comma = ",";
    }
    buf_add_char(out, ']');
}

const struct envelope *tasks_cut(struct session *s, const struct call *k, const struct envelope *e,
                                 struct envelope *own, struct buf *text)
{
    if (e->kind != ENVELOPE_RESULT || !span_is(k->method, "tasks/list"))
        return e;
    const char *from = e->body.p, *end = e->result.p + e->result.n;
    struct member m;
    for (const char *at = e->result.p + 1; *e->result.p == '{' && span_next_member(&at, end, &m);) {
        if (!span_is((struct span){m.key.p + 1, m.key.n - 2}, "tasks"))
            continue;
        buf_add(text, from, (size_t)(m.value.p - from));
        add_own(s, k, m.value, text);
        from = m.value.p + m.value.n;
    }
    buf_add(text, from, (size_t)(e->body.p + e->body.n - from));
    return envelope_scan(buf_str(text), text->len, own, NULL) ? e : own;
}

/* ---- how it ended ---- */

static struct task *made_by(const struct session *s, uint64_t call)
{
    struct task *t = s->tasks;

    while (t && t->call != call)
        t = t->next;
    return t;
}

/* The modern era has the result in what is told of the task. */
static bool says_failed(struct span task)
{
    return span_equal(span_member(span_member(task, "result"), "isError"), span_of("true"));
}

static void count_failed(struct session *s, struct task *t)
{
    if (t->failed || !t->tool.n)
        return;
    t->failed = true;
    seen_tool_failed(s, client_of(s, t->owner), t->tool);
}

bool tasks_failed(struct session *s, const struct call *k, const struct envelope *e)
{
    struct task *t = made_by(s, k->task);

    if (!k->client || e->kind != ENVELOPE_RESULT || !t || !t->tool.n)
        return false;
    bool failed = task_use_of(k->method) == TASK_RESULT ? e->result_is_error
                                                        : says_failed(e->result);
    if (failed)
        count_failed(s, t);
    return failed;
}

/* ---- told ---- */

bool tasks_related(struct session *s, const struct envelope *e, struct client **ret)
{
    struct span related = span_member(e->meta, RELATED);

    if (!related.n)
        return false;
    AUTO_FREE char *name = name_of(related);
    const struct task *t = *find(s, name);
    *ret = t && !t->modern ? client_of(s, t->owner) : NULL;
    return true;
}

/* In the modern era who listens to the task is told. */
bool tasks_tell_status(struct session *s, const struct envelope *e)
{
    if (!is_status(e))
        return false;
    AUTO_FREE char *name = name_of(e->params);
    struct task *t = *find(s, name);
    if (span_is(e->method, "notifications/tasks")) {
        if (t && says_failed(e->params))
            count_failed(s, t);
        listen_tell_task(s, e, name);
        return true;
    }
    struct client *c = t && !t->modern ? client_of(s, t->owner) : NULL;
    if (c)
        relay_tell(c, call_of(c), e, (struct span){0});
    else if (!t)
        session_note(s, e->body.p, e->body.n, "about a task that no client has made");
    return true;
}

bool tasks_tell_progress(struct session *s, uint64_t call, const struct envelope *e)
{
    const struct task *t = made_by(s, call);
    struct client *c = t && !t->modern && t->progress.n ? client_of(s, t->owner) : NULL;
    if (c)
        relay_tell(c, call_of(c), e, t->progress);
    return t;
}
