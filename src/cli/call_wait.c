/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One call with its line on stderr. What stdout gets is not this file's. */
#include "cli/call_wait.h"

#include <ev.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cli/doc.h"
#include "cli/show.h"
#include "client/api_client.h"

enum { DEFAULT_COLUMNS = 80 };
static const double LINE_EVERY_S = 1, PROGRESS_AFTER_S = .1;

struct call_wait {
    struct ev_loop *loop;
    struct api *api;
    ev_signal interrupt, terminate;
    ev_timer draw;              /* every second; soon after progress came */
    ev_tstamp begun;
    char *who;                  /* "TOOL of SERVER" */
    json_t *progress;           /* the last, owned; NULL = none yet */
    bool drawn, soon;
    json_t *data;               /* the answer, owned */
    struct fault f;
};

/* ---- the line ---- */

/* "3/10 building the index" */
static void add_progress(const struct call_wait *w, struct buf *out)
{
    json_t *total = doc_get(w->progress, "total");
    const char *message = doc_str(w->progress, "message");
    buf_printf(out, ": %.12g", json_number_value(doc_get(w->progress, "progress")));
    if (json_is_number(total))
        buf_printf(out, "/%.12g", json_number_value(total));
    if (*message)
        buf_printf(out, " %s", message);
}

static void draw(struct call_wait *w)
{
    AUTO_BUF struct buf line = BUF_INIT, clean = BUF_INIT;
    int columns = show_columns_of(STDERR_FILENO);
    buf_printf(&line, "waiting for %s, %.0f s", w->who, ev_now(w->loop) - w->begun);
    if (w->progress)
        add_progress(w, &line);
    else
        buf_add_str(&line, " (Ctrl-C cancels it)");
    text_clean_plain(&clean, buf_str(&line), line.len);
    size_t n = text_fit(buf_str(&clean), clean.len, (columns ? columns : DEFAULT_COLUMNS) - 1,
                        NULL);
    fprintf(stderr, "\r%.*s\033[K", (int)n, buf_str(&clean));
    fflush(stderr);
    w->drawn = true;
}

static void wipe(struct call_wait *w)
{
    if (!w->drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
}

static void draw_in(struct call_wait *w, double seconds)
{
    w->draw.repeat = seconds;
    ev_timer_again(w->loop, &w->draw);
}

static void on_draw(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct call_wait *w = timer->data;
    (void)loop, (void)revents;
    w->soon = false;
    draw(w);
    draw_in(w, LINE_EVERY_S);
}

/* However many there are, the line is written ten times a second at most. */
static void on_progress(void *ctx, json_t *params)
{
    struct call_wait *w = ctx;
    json_decref(w->progress);
    w->progress = json_incref(params);
    if (!w->drawn || w->soon)
        return;
    w->soon = true;
    draw_in(w, PROGRESS_AFTER_S);
}

/* ---- the end ---- */

static void on_reply(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct call_wait *w = ctx;
    (void)status;
    if (f)
        w->f = *f;
    w->data = f ? NULL : json_incref(data);
    ev_break(w->loop, EVBREAK_ALL);
}

/* The request goes with its connection, and the supervisor tells the server then. */
static void on_signal(struct ev_loop *loop, ev_signal *signal, int revents)
{
    struct call_wait *w = signal->data;
    (void)revents;
    fault_set(&w->f, FAULT_CANCELLED, "%s: cancelled; the server is told to stop it", w->who);
    ev_break(loop, EVBREAK_ALL);
}

static void catch(struct call_wait *w, ev_signal *signal, int number)
{
    ev_signal_init(signal, on_signal, number);
    signal->data = w;
    ev_signal_start(w->loop, signal);
}

int call_wait(const char *socket, json_t *body, int64_t timeout_ms, json_t **ret_data,
              struct fault *f)
{
    static const char path[] = "/api/v1/tools/call";
    struct call_wait w = { .loop = ev_default_loop(EVFLAG_AUTO) };
    w.who = xasprintf("%s of %s", doc_str(body, "tool"), doc_str(body, "server"));
    w.api = api_new(w.loop, socket);
    w.begun = ev_now(w.loop);
    w.draw.data = &w;
    ev_init(&w.draw, on_draw);
    api_set_timeout(w.api, timeout_ms);
    catch(&w, &w.interrupt, SIGINT);
    catch(&w, &w.terminate, SIGTERM);
    if (isatty(STDERR_FILENO)) {
        draw_in(&w, LINE_EVERY_S);
        api_send_watched(w.api, path, body, on_progress, on_reply, &w);
    } else {
        api_send(w.api, "POST", path, body, on_reply, &w);
    }
    ev_run(w.loop, 0);
    api_free(w.api);
    ev_timer_stop(w.loop, &w.draw);
    ev_signal_stop(w.loop, &w.interrupt);
    ev_signal_stop(w.loop, &w.terminate);
    wipe(&w);
    json_decref(w.progress);
    free(w.who);
    *ret_data = w.data;
    return w.f.code ? fault_copy(f, &w.f) : 0;
}
