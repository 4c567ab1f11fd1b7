/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Calls in the view: the list, one opened, one sent again. Payloads come as text and are laid out
 * and compared here, so that neither costs the supervisor anything. */
#include "calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/diff.h"
#include "base/jpretty.h"
#include "base/mem.h"
#include "member.h"
#include "panes/pane.h"

enum { TEXT_MAX = 256 << 10, ASK_AGAIN_MS = 1000, CONTEXT_LINES = 3 };

/* ---- from JSON ---- */

static void row_free(struct call_row *r)
{
    free(r->key);
    free(r->server);
    free(r->client);
    free(r->what);
    free(r->method);
    free(r);
}

static struct call_row *row_new(json_t *o, bool open, size_t place)
{
    const char *id = json_string_value(json_object_get(o, "id"));
    struct call_row *r = xcalloc(1, sizeof(*r));

    r->open = open;
    r->key = open ? xasprintf("%zu", place) : xstrdup(id ? id : "");
    r->server = member_text(json_object_get(o, "server"));
    r->client = member_text(json_object_get(o, "client"));
    r->method = member_text(json_object_get(o, "method"));
    r->what = member_text(json_object_get(o, open ? "name" : "tool"));
    if (!*r->what) {
        free(r->what);
        r->what = xstrdup(r->method);
    }
    r->held = json_is_true(json_object_get(o, "held"));
    r->error = json_is_true(json_object_get(o, "error"));
    r->tool_error = json_is_true(json_object_get(o, "tool_error"));
    r->recorded = json_is_true(json_object_get(o, "recorded"));
    r->wall_ms = open ? clock_wall_ms() - member_int(o, "age_ms", 0) : member_int(o, "wall_ms", 0);
    r->took_us = member_int(o, "took_us", -1);
    r->bytes_out = member_int(o, "bytes_out", -1);
    r->bytes_in = member_int(o, "bytes_in", -1);
    return r;
}

static void forget_rows(struct calls *c)
{
    for (size_t i = 0; i < c->n; i++)
        row_free(c->rows[i]);
    c->n = 0;
    c->shown_count = 0;
}

static void take_list(struct view *v, json_t *data)
{
    struct calls *c = &v->calls;
    json_t *open = json_object_get(data, "open"), *past = json_object_get(data, "calls");
    size_t n = json_array_size(open) + json_array_size(past);

    forget_rows(c);
    c->rows = xrealloc(c->rows, (n + 1) * sizeof(*c->rows));
    for (size_t i = 0; i < json_array_size(open); i++)
        c->rows[c->n++] = row_new(json_array_get(open, i), true, i);
    for (size_t i = 0; i < json_array_size(past); i++)
        c->rows[c->n++] = row_new(json_array_get(past, i), false, i);
    c->known = true;
}

void calls_fini(struct calls *c)
{
    forget_rows(c);
    free(c->rows);
    free(c->shown);
    free(c->id);
    buf_fini(&c->text);
}

/* ---- the list ---- */

void calls_build(struct view *v)
{
    struct calls *c = &v->calls;
    const char *filter = v->call_list.filter;
    int kept = 0;

    c->shown = xrealloc(c->shown, (c->n + 1) * sizeof(struct call_row *));
    for (size_t i = 0; i < c->n; i++) {
        const struct call_row *r = c->rows[i];
        const char *const fields[] = {r->server, r->client, r->what, r->method};
        bool passes = !*filter;
        for (size_t k = 0; k < ARRAY_LEN(fields) && !passes; k++)
            passes = view_contains(fields[k], strlen(fields[k]), filter);
        if (passes)
            c->shown[kept++] = c->rows[i];
    }
    c->shown_count = kept;
}

const char *calls_key(const struct view *v, int i)
{
    return v->calls.shown[i]->key;
}

struct call_row *calls_selected(const struct view *v)
{
    return v->call_list.at < v->calls.shown_count ? v->calls.shown[v->call_list.at] : NULL;
}

void calls_ask(struct view *v)
{
    struct calls *c = &v->calls;
    int64_t seen = 0, now = clock_wall_ms();
    bool busy = false;

    if (v->top != TOP_CALLS || !view_is_live(v))
        return;
    for (size_t i = 0; i < v->feed.server_count; i++) {
        seen += v->feed.servers[i]->calls.total;
        busy |= v->feed.servers[i]->calls.in_flight > 0 || v->feed.servers[i]->calls.held > 0;
    }
    if (c->asked_ms && ((seen == c->seen && !busy) || now - c->asked_ms < ASK_AGAIN_MS))
        return;
    c->asked_ms = now;
    /* With one in flight there is one more to come. */
    c->seen = busy ? -1 : seen;
    view_send(v, REPLY_CALLS, "", NULL, "GET", "/api/v1/calls?limit=256%s", NULL);
}

/* ---- one ---- */

/* Lines made harmless; what is too long to be looked through is left out, and said. */
static void add_lines(struct buf *out, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        const char *nl = memchr(text + at, '\n', n - at);
        size_t len = nl ? (size_t)(nl - text) - at : n - at;
        if (out->len > TEXT_MAX) {
            buf_add_str(out, "… longer: `mcptop calls` with its id shows all\n");
            return;
        }
        text_clean_plain(out, text + at, len < TEXT_MAX ? len : TEXT_MAX);
        buf_add_char(out, '\n');
        at += len + 1;
    }
}

static void pretty(struct buf *out, json_t *data, const char *key)
{
    const char *text = json_string_value(json_object_get(data, key));

    jpretty(out, text ? text : "", text ? strlen(text) : 0);
    buf_add_char(out, '\n');
}

static void add_message(struct buf *out, const char *title, json_t *data, const char *key)
{
    AUTO_BUF struct buf text = BUF_INIT;

    pretty(&text, data, key);
    buf_printf(out, "\n%s:\n", title);
    add_lines(out, buf_str(&text), text.len);
}

static void take_one(struct view *v, json_t *data)
{
    struct buf *out = &v->calls.text;
    struct call_row *r = row_new(data, false, 0);
    AUTO_FREE char *why = member_text(json_object_get(data, "why_not_recorded"));
    char when[16], took[16], sent[16], got[16];

    buf_clear(out);
    buf_printf(out, "%s to %s by %s\nat %s, took %s, %s out, %s in%s\n", r->what, r->server,
               r->client, pane_clock(r->wall_ms, when, sizeof(when)),
               pane_us(r->took_us, took, sizeof(took)), pane_size(r->bytes_out, sent, sizeof(sent)),
               pane_size(r->bytes_in, got, sizeof(got)), r->error ? ", an error"
               : r->tool_error ? ", the tool says that it failed" : "");
    if (json_object_get(data, "request")) {
        add_message(out, "call", data, "request");
        add_message(out, "answer", data, "result");
    } else {
        buf_printf(out, "%s\n", why);
    }
    row_free(r);
}

void calls_open(struct view *v)
{
    const struct call_row *r = calls_selected(v);

    if (!r || r->open) {
        view_toast(v, false, r ? "it is still in flight: there is no answer to show" : "no call");
        return;
    }
    free(v->calls.id);
    v->calls.id = xstrdup(r->key);
    buf_clear(&v->calls.text);
    view_show(v, TOP_CALL);
    view_send(v, REPLY_CALL, v->calls.id, NULL, "GET", "/api/v1/calls/%s", NULL);
}

/* ---- sent again ---- */

static void take_replay(struct view *v, json_t *data)
{
    AUTO_BUF struct buf before = BUF_INIT, after = BUF_INIT, diff = BUF_INIT;
    const char *where = json_string_value(json_object_get(data, "where"));
    struct buf *out = &v->calls.text;
    char took[16], first[16];

    pretty(&before, data, "before");
    pretty(&after, data, "after");
    diff_text(buf_str(&before), before.len, buf_str(&after), after.len, CONTEXT_LINES, &diff);
    buf_clear(out);
    buf_printf(out, "sent again to %s: took %s, and %s when it was recorded\n",
               where && !strcmp(where, "test") ? "a test start" : "the server",
               pane_us(member_int(data, "took_us", -1), took, sizeof(took)),
               pane_us(member_int(data, "before_us", -1), first, sizeof(first)));
    if (diff.len) {
        buf_add_str(out, "- the recorded answer, + the new one\n\n");
        add_lines(out, buf_str(&diff), diff.len);
    } else {
        buf_add_str(out, "the answer is the same\n");
        add_message(out, "answer", data, "after");
    }
}

void calls_replay(struct view *v, bool test)
{
    const struct call_row *r = v->top == TOP_CALLS ? calls_selected(v) : NULL;
    const char *id = v->top == TOP_CALL ? v->calls.id : r && !r->open ? r->key : NULL;

    if (!id)
        return;
    if (r && !r->recorded) {
        view_toast(v, true, "it is not recorded: set `record: true` on %s", r->server);
        return;
    }
    AUTO_FREE char *copy = xstrdup(id);
    ask_open(v, ASK_CONFIRM, REQ_REPLAY, test ? "send this call to a test start?"
                                              : "send this call again?", "send");
    strvec_add(&v->ask.targets, copy);
    v->ask.body = json_pack("{s:b}", "test", test);
    text_clean_plain(&v->ask.text, copy, strlen(copy));
    buf_add_str(&v->ask.text, "\nit does what it did before, once more\n");
}

void calls_commit(struct view *v)
{
    AUTO_FREE char *id = xstrdup(v->ask.targets.v[0]);

    free(v->calls.id);
    v->calls.id = xstrdup(id);
    buf_clear(&v->calls.text);
    buf_add_str(&v->calls.text, "sent; waiting for the answer …\n");
    if (v->top != TOP_CALL)
        view_show(v, TOP_CALL);
    v->detail_scroll = 0;
    view_send(v, REPLY_REPLAY, id, "replay", "POST", "/api/v1/calls/%s/replay",
              json_incref(v->ask.body));
}

void calls_reply(struct view *v, const struct view_call *call, json_t *data, const char *error)
{
    if (call->kind == REPLY_CALLS) {
        if (!error)
            take_list(v, data);
        return;
    }
    if (!v->calls.id || strcmp(v->calls.id, call->name) != 0)
        return;      /* another one was opened meanwhile */
    if (error) {
        buf_clear(&v->calls.text);
        add_lines(&v->calls.text, error, strlen(error));
    } else if (call->kind == REPLY_CALL) {
        take_one(v, data);
    } else {
        take_replay(v, data);
    }
}
