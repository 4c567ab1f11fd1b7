/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The server's tools: read page by page after initialize and again after list_changed, kept as the
 * JSON text they came in. It does not look into a tool. A server without the list, or with a broken
 * one, is usable all the same: the list is then unknown. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

enum { MAX_BYTES = 4 << 20, MAX_PAGES = 1000 };

/* gathers bursts, and bounds a server that changes its list at every reading */
static const double reread_delay_s = 0.25;

static void on_again(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct session *s = w->data;

    (void)loop;
    (void)revents;
    session_enter(s);
    catalogue_read(s);
    session_leave(s);
}

void catalogue_init(struct session *s)
{
    s->catalogue.count = s->catalogue.shown = -1;
    ev_timer_init(&s->catalogue.again, on_again, 0., 0.);
    s->catalogue.again.data = s;
}

static void forget_pages(struct catalogue *cat)
{
    buf_fini(&cat->pages);
    free(TAKE(cat->cursor));
    cat->busy = cat->too_big = false;
    cat->page = cat->reading = 0;
}

void catalogue_stop(struct session *s)
{
    ev_timer_stop(s->loop, &s->catalogue.again);
    forget_pages(&s->catalogue);
    s->catalogue.dirty = false;
}

void catalogue_fini(struct session *s)
{
    catalogue_stop(s);
    buf_fini(&s->catalogue.tools);
}

static void on_page(struct session *s, struct call *k, const struct envelope *e);

/* Gives up a page that a server owes for too long, or one lost answer would keep the old list for
 * good. (In a handshake the timer of that speaks first.) */
static void forget_overdue(struct session *s)
{
    struct catalogue *cat = &s->catalogue;

    if (!cat->busy || clock_mono_ms() - cat->asked_ms <= s->cfg.init_timeout_ms)
        return;
    for (struct call *k = s->own.head; k; k = k->next) {
        if (k->own == on_page) {
            call_drop(s, k);
            break;
        }
    }
    forget_pages(cat);
}

void catalogue_changed(struct session *s)
{
    struct catalogue *cat = &s->catalogue;

    forget_overdue(s);
    if (cat->busy)
        cat->dirty = true;
    else if (s->open && !ev_is_active(&cat->again)) {
        ev_timer_set(&cat->again, reread_delay_s, 0.);
        ev_timer_start(s->loop, &cat->again);
    }
}

/* The reading is over, one way or the other. */
static void finish(struct session *s)
{
    struct catalogue *cat = &s->catalogue;
    unsigned epoch = s->epoch;
    bool dirty = cat->dirty;

    cat->dirty = false;
    forget_pages(cat);
    if (dirty)
        catalogue_changed(s);
    s->events.catalogue(s->ctx);
    if (s->epoch == epoch && s->phase == SESSION_HANDSHAKE)
        handshake_done(s);
}

static void set_list(struct session *s, int count, const char *p, size_t n, bool known)
{
    struct catalogue *cat = &s->catalogue;

    bool other = s->listed_asleep && known &&
                 (cat->tools.len != n + 2 || memcmp(cat->tools.data + 1, p, n) != 0);
    s->listed_asleep = s->listed_asleep && !known;
    buf_fini(&cat->tools);
    cat->count = count;
    cat->serial++;
    if (known) {
        buf_reserve(&cat->tools, n + 2);
        buf_add_char(&cat->tools, '[');
        buf_add(&cat->tools, p, n);
        buf_add_char(&cat->tools, ']');
    }
    tools_listed(s);
    /* Who was given the list of its last run has another one now. */
    if (other)
        tools_tell_changed(s);
}

void catalogue_restore(struct session *s, int count, struct span elements)
{
    set_list(s, count, elements.p, elements.n, true);
}

/* Adds the elements of a page. -1 when `tools` is no array. */
static int add_page(struct catalogue *cat, struct span tools)
{
    if (tools.n < 2 || *tools.p != '[')
        return -1;
    const char *end = tools.p + tools.n - 1;
    const char *first = jscan_space(tools.p + 1, end);
    const char *p = first;
    while (p < end) {
        const char *after = jscan_value(p, end, NULL);
        if (!after)
            return -1;
        cat->reading++;
        p = jscan_space(after, end);
        if (p < end)
            p = jscan_space(p + 1, end);
    }
    cat->too_big |= cat->pages.len + (size_t)(end - first) > MAX_BYTES;
    if (cat->too_big) {
        buf_fini(&cat->pages);
    } else if (first < end) {
        if (cat->pages.len)
            buf_add_char(&cat->pages, ',');
        buf_add(&cat->pages, first, (size_t)(end - first));
    }
    return 0;
}

static int ask(struct session *s);

static void on_page(struct session *s, struct call *k, const struct envelope *e)
{
    struct catalogue *cat = &s->catalogue;

    (void)k;
    if (!e || !cat->busy)
        return;
    struct span tools = e->kind == ENVELOPE_RESULT ? span_member(e->result, "tools")
                                                   : (struct span){0};
    if (add_page(cat, tools)) {
        const char *why = e->kind == ENVELOPE_ERROR
                              ? "tools/list was answered by an error; the tools are unknown"
                              : "tools/list was answered without a list; the tools are unknown";
        session_note(s, e->body.p, e->body.n, why);
        set_list(s, -1, NULL, 0, false);
        finish(s);
        return;
    }
    struct span cursor = span_member(e->result, "nextCursor");
    bool more = cursor.n > 2 && *cursor.p == '"';
    bool circle = more && cat->cursor && span_equal(cursor, span_of(cat->cursor));
    if (more && !circle && ++cat->page < MAX_PAGES) {
        free(cat->cursor);
        cat->cursor = xstrndup(cursor.p, cursor.n);
        /* Unwritten: the server is ending, and session_down ends this reading. */
        ask(s);
        return;
    }
    set_list(s, cat->reading, buf_str(&cat->pages), cat->pages.len, !cat->too_big);
    finish(s);
}

static int ask(struct session *s)
{
    s->catalogue.asked_ms = clock_mono_ms();
    AUTO_FREE char *params = s->catalogue.cursor ? xasprintf("{\"cursor\":%s}", s->catalogue.cursor)
                                                 : NULL;

    return session_request(s, "tools/list", params, on_page, NULL);
}

void catalogue_read(struct session *s)
{
    struct catalogue *cat = &s->catalogue;
    struct span result = {s->init, s->init_n};

    if (cat->busy) {
        cat->dirty = true;
        return;
    }
    forget_pages(cat);
    if (!span_member(span_member(result, "capabilities"), "tools").n) {
        set_list(s, 0, "", 0, true);
        finish(s);
        return;
    }
    cat->busy = true;
    if (ask(s))
        cat->busy = false;
}

int session_get_tool_count(const struct session *s)
{
    return s->catalogue.count;
}

unsigned session_get_tools_serial(const struct session *s)
{
    return s->catalogue.serial;
}

const char *session_get_tools(const struct session *s, size_t *ret_n)
{
    *ret_n = s->catalogue.tools.len;
    return s->catalogue.tools.len ? s->catalogue.tools.data : NULL;
}

bool session_knows_tools(const struct session *s)
{
    return s->catalogue.tools.len && !s->catalogue.busy && !ev_is_active(&s->catalogue.again);
}
