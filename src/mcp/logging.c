/* SPDX-License-Identifier: GPL-3.0-or-later */
/* logging/setLevel of many clients on one server: the server is told the most verbose level that
 * any of them wants, and each is handed what its own level lets through. Whose a message is, is
 * relay.c's affair. */
#include <stdio.h>
#include "base/mem.h"
#include "mcp/session_internal.h"

static const char *const levels[] = {"",        "debug", "info",     "notice", "warning",
                                     "error", "critical", "alert", "emergency"};
enum { LEVEL_INFO = 2, LEVELS = ARRAY_LEN(levels) };

const char *logging_name(int level)
{
    return levels[level];
}

int logging_level(struct span token)
{
    if (token.n < 2 || *token.p != '"')
        return 0;
    for (int i = 1; i < LEVELS; i++) {
        if (span_is((struct span){token.p + 1, token.n - 2}, levels[i]))
            return i;
    }
    return 0;
}

static bool server_logs(const struct session *s)
{
    struct span result = {s->init, s->init_n};

    return span_member(span_member(result, "capabilities"), "logging").n;
}

static void on_level_set(struct session *s, struct call *k, const struct envelope *e)
{
    (void)k;
    if (e && e->kind == ENVELOPE_ERROR)
        session_note(s, e->body.p, e->body.n, "logging/setLevel was answered by an error");
}

void logging_update(struct session *s)
{
    int wanted = 0;

    /* A modern server is told with each request. */
    if (!s->open || s->modern || !server_logs(s))
        return;
    for (const struct client *c = s->clients; c; c = c->next) {
        if (c->log_level && (!wanted || c->log_level < wanted))
            wanted = c->log_level;
    }
    /* The last one who had a wish has gone: what the server does by itself cannot be asked for. */
    if (!wanted && s->log_level)
        wanted = LEVEL_INFO;
    if (wanted == s->log_level)
        return;
    AUTO_FREE char *params = xasprintf("{\"level\":\"%s\"}", levels[wanted]);
    s->log_level = wanted;
    session_request(s, "logging/setLevel", params, on_level_set, NULL);
}

bool logging_is_level(struct span token)
{
    return logging_level(token);
}

void client_set_log_level(struct client *c, struct span level)
{
    session_enter(c->session);
    c->log_level = logging_level(level);
    logging_update(c->session);
    session_leave(c->session);
}

/* A server without logging answers for itself, and one that is not there yet has not said. */
bool logging_take(struct client *c, const struct envelope *e, call_reply_fn fn, void *ctx)
{
    struct session *s = c->session;
    int level = logging_level(span_member(e->params, "level"));

    if (!s->init || !server_logs(s))
        return false;
    if (!level) {
        router_refuse(s, e->id, SESSION_BAD_PARAMS, fn, ctx, LOGGING_LEVELS);
        return true;
    }
    c->log_level = level;
    logging_update(s);
    router_answer_empty(s, e->id, fn, ctx);
    return true;
}

bool logging_held(struct client *c, const struct envelope *e)
{
    int level = logging_level(span_member(e->params, "level"));

    if (!level || !server_logs(c->session))
        return false;
    c->log_level = level;
    logging_update(c->session);
    return true;
}

/* Who never said how much he wants gets what the server writes unasked: not the debugging that
 * another client wanted. */
bool logging_wants(const struct client *c, const struct envelope *e)
{
    int level = logging_level(span_member(e->params, "level"));
    int wanted = c->log_level ? c->log_level : c->session->log_level ? LEVEL_INFO : 0;

    if (c->modern && !c->log_level)
        return false;       /* it did not ask for any */
    return !level || level >= wanted;
}
