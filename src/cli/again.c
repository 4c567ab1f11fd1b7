/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A wish is kept from its request on and counts from its answer on; what is taken back is forgotten
 * with the request that says so, as nobody wants it any more whatever comes of that. */
#include "cli/again.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jscan.h"
#include "base/mem.h"

/* ---- wishes ---- */

static void forget(struct again *a, size_t i)
{
    struct wish *w = &a->wishes[i];

    free(w->uri);
    free(w->level);
    free(w->id);
    memmove(w, w + 1, (a->count - i - 1) * sizeof *w);
    a->count--;
}

static bool same_uri(const struct wish *w, const char *uri)
{
    return uri ? w->uri && strcmp(w->uri, uri) == 0 : !w->uri;
}

/* All of this resource, or (NULL) of the level, before the end-th. */
static void forget_like(struct again *a, const char *uri, size_t end)
{
    for (size_t i = 0; i < end && i < a->count;) {
        if (same_uri(&a->wishes[i], uri)) {
            forget(a, i);
            end--;
        } else {
            i++;
        }
    }
}

static char *keep(struct rpc_span token)
{
    char *p = xmalloc(token.n + 1);

    memcpy(p, token.p, token.n);
    p[token.n] = '\0';
    return p;
}

static void add(struct again *a, struct rpc_span id, char *uri, char *level)
{
    if (a->count == AGAIN_MAX_WISHES)
        forget(a, 0);
    if (a->count == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 8;
        a->wishes = xrealloc(a->wishes, a->cap * sizeof *a->wishes);
    }
    a->wishes[a->count++] = (struct wish){ .uri = uri, .level = level, .id = keep(id),
                                            .id_n = id.n };
}

static struct rpc_span param(const char *line, size_t n, const char *name)
{
    const char *p = jscan_space(line, line + n);
    struct rpc_span message = { p, (size_t)(line + n - p) };

    return rpc_member(rpc_member(message, "params"), name);
}

/* The text of params.uri; NULL where it is none that is kept. Caller frees. */
static char *uri_of(const char *line, size_t n)
{
    AUTO_BUF struct buf uri = BUF_INIT;
    struct rpc_span token = param(line, n, "uri");

    if (token.n < 2 || token.n > AGAIN_MAX_URI || *token.p != '"' ||
        jscan_decode(token.p, token.n, &uri))
        return NULL;
    return xstrdup(buf_str(&uri));
}

/* ---- from the client ---- */

static void take_initialize(struct again *a, const char *line, size_t n, struct rpc_span id)
{
    buf_clear(&a->initialize);
    buf_add(&a->initialize, line, n);
    a->id_at = (size_t)(id.p - line);
    a->id_n = id.n;
    a->answered = a->initialized = false;
}

void again_request(struct again *a, const char *line, size_t n, const struct rpc_head *head)
{
    char *uri = NULL;

    if (rpc_method_is(head, "initialize")) {
        take_initialize(a, line, n, head->id);
    } else if (rpc_method_is(head, "resources/subscribe")) {
        if ((uri = uri_of(line, n)) != NULL)
            add(a, head->id, uri, NULL);
    } else if (rpc_method_is(head, "resources/unsubscribe")) {
        if ((uri = uri_of(line, n)) != NULL)
            forget_like(a, uri, a->count);
        free(uri);
    } else if (rpc_method_is(head, "logging/setLevel")) {
        struct rpc_span level = param(line, n, "level");
        if (level.n > 2 && level.n < 40 && *level.p == '"')
            add(a, head->id, NULL, keep(level));
    }
}

void again_initialized(struct again *a)
{
    a->initialized = true;
}

/* ---- from the supervisor ---- */

struct rpc_span again_initialize_id(const struct again *a)
{
    return (struct rpc_span){ buf_str(&a->initialize) + a->id_at, a->id_n };
}

static bool is_token(struct rpc_span id, const char *p, size_t n)
{
    return id.n == n && !memcmp(id.p, p, n);
}

/* The same was asked for before: now this counts. */
static void granted(struct again *a, size_t i)
{
    free(TAKE(a->wishes[i].id));
    AUTO_FREE char *uri = xstrdup(a->wishes[i].uri);
    forget_like(a, uri, i);
}

static void take_ours(struct again *a, const struct rpc_head *head)
{
    AUTO_FREE char *number = keep((struct rpc_span){ head->id.p + a->mark.len,
                                                     head->id.n - a->mark.len });
    unsigned said = (unsigned)strtoul(number, NULL, 10);

    for (size_t i = 0; i < a->count; i++) {
        if (a->wishes[i].said == said && said)
            a->wishes[i].refused = head->is_error;
    }
}

bool again_reply(struct again *a, const struct rpc_head *head)
{
    struct rpc_span id = again_initialize_id(a);

    if (a->mark.len && head->id.n > a->mark.len && !memcmp(head->id.p, a->mark.data, a->mark.len)) {
        take_ours(a, head);
        return true;
    }
    if (id.n && is_token(head->id, id.p, id.n))
        a->answered = true;
    for (size_t i = 0; i < a->count; i++) {
        struct wish *w = &a->wishes[i];
        if (!w->id || !is_token(head->id, w->id, w->id_n))
            continue;
        if (head->is_error)
            forget(a, i);
        else
            granted(a, i);
        break;
    }
    return false;
}

void again_lost(struct again *a)
{
    buf_clear(&a->mark);
    for (size_t i = 0; i < a->count;) {
        a->wishes[i].said = 0;
        a->wishes[i].refused = false;
        if (a->wishes[i].id)
            forget(a, i);
        else
            i++;
    }
}

/* ---- to the next one ---- */

static void say_id(struct again *a, struct buf *out)
{
    buf_add(out, a->mark.data, a->mark.len);
    buf_printf(out, "%u\"", a->said++);
}

static void say_wish(struct again *a, struct wish *w, struct buf *out)
{
    w->said = a->said;
    w->refused = false;
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    say_id(a, out);
    if (w->uri) {
        buf_add_str(out, ",\"method\":\"resources/subscribe\",\"params\":{\"uri\":");
        buf_add_json(out, w->uri, strlen(w->uri));
    } else {
        buf_printf(out, ",\"method\":\"logging/setLevel\",\"params\":{\"level\":%s", w->level);
    }
    buf_add_str(out, "}}\n");
}

void again_say(struct again *a, struct buf *out)
{
    size_t after = a->id_at + a->id_n;

    if (!a->initialize.len || !a->answered)
        return;
    a->said = 0;                /* of the initialize */
    buf_clear(&a->mark);
    buf_printf(&a->mark, "\"mcptop-again-%lld-", (long long)clock_mono_ns());
    buf_add(out, a->initialize.data, a->id_at);
    say_id(a, out);
    buf_add(out, a->initialize.data + after, a->initialize.len - after);
    buf_add_char(out, '\n');
    if (!a->initialized)
        return;
    buf_add_str(out, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
    for (size_t i = 0; i < a->count; i++) {
        if (!a->wishes[i].id)
            say_wish(a, &a->wishes[i], out);
    }
}

void again_changed(struct again *a, struct buf *out)
{
    for (size_t i = 0; i < a->count; i++) {
        if (a->wishes[i].refused)
            say_wish(a, &a->wishes[i], out);
    }
}

void again_fini(struct again *a)
{
    while (a->count)
        forget(a, a->count - 1);
    free(a->wishes);
    buf_fini(&a->initialize);
    buf_fini(&a->mark);
    *a = (struct again){ 0 };
}
