/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The view on a terminal: one libev loop joins the connection (client/api_client), the terminal
 * (screen.h) and the view.
 *
 *   stdin, signals ──keys──► view ──requests──► supervisor    main  /events: all, kept current
 *   terminal ◄──frames─── canvas ◄──events───── supervisor    log   lines of one server, or of all
 *
 * Frames: after a key at once; after a change within a tenth of a second; log lines as often as a
 * budget of bytes allows; figures once a second. An unchanged picture sends nothing. */
#include "app.h"

#include <errno.h>
#include <ev.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "screen.h"
#include "view.h"

enum {
    FRAME_MS = 100,            /* ten frames a second at most, but for keys */
    LOG_BYTES_PER_S = 2400,    /* what following a log may send, for 80x24 */
    LOG_DEBOUNCE_MS = 120,     /* a selection that runs through the list opens no stream a row */
    STALL_MS = 1000,           /* keys typed while a frame was stuck this long are thrown away */
    RETRY_MIN_MS = 250, RETRY_MAX_MS = 5000,
};

struct pending { struct app *app; struct view_call *call; struct pending *next, **link; };

struct app {
    struct ev_loop *loop;
    const struct view_options *options;
    struct view view;
    struct api *api;
    struct api_stream *main, *log;
    struct pending *pending;
    char *log_path;            /* what the log stream is, or is to be; NULL: none */
    int retry_ms;
    int64_t painted_ms, budget_ms;    /* last frame; when the log may send again */
    bool quit;
    ev_io keys;
    ev_signal winch, tstp;
    ev_timer frame, second, reconnect, log_due, resize;
};

/* ---- frames ---- */

static double seconds(int64_t ms)
{
    return ms > 0 ? (double)ms / 1000 : 0;
}

static void paint(struct app *a)
{
    int64_t before, rate;
    int cost;

    ev_timer_stop(a->loop, &a->frame);
    view_draw(&a->view);
    before = clock_mono_ms();
    cost = screen_paint(&a->view.canvas);
    a->painted_ms = clock_mono_ms();
    if (a->painted_ms - before > STALL_MS)
        screen_drop_keys();
    rate = LOG_BYTES_PER_S * (1 + (int64_t)a->view.canvas.w * a->view.canvas.h / (81 * 25));
    if (a->budget_ms < before)
        a->budget_ms = before;
    a->budget_ms += cost * 1000 / rate;
}

/* A frame at this moment, unless one comes earlier. */
static void paint_at(struct app *a, int64_t at_ms)
{
    int64_t now = clock_mono_ms();

    if (ev_is_active(&a->frame) && ev_timer_remaining(a->loop, &a->frame) <= seconds(at_ms - now))
        return;
    ev_timer_stop(a->loop, &a->frame);
    ev_timer_set(&a->frame, seconds(at_ms - now), 0);
    ev_timer_start(a->loop, &a->frame);
}

static void paint_soon(struct app *a)
{
    paint_at(a, a->painted_ms + FRAME_MS);
}

static void paint_log(struct app *a)
{
    int64_t at = a->painted_ms + FRAME_MS;

    /* a short burst is shown at once */
    paint_at(a, a->budget_ms - 400 > at ? a->budget_ms - 400 : at);
}

static void on_frame(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    paint(w->data);
}

static void on_second(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    paint(w->data);
}

/* ---- the log's stream ---- */

static void on_log_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct app *a = ctx;

    if (strcmp(name, "log") && strcmp(name, "gap"))
        return;     /* the rest comes on the main stream */
    if (view_event(&a->view, name, data, n) == FEED_LOG)
        paint_log(a);
}

static void on_log_end(void *ctx, const struct fault *why)
{
    struct app *a = ctx;

    (void)why;
    a->log = NULL;
    if (a->main && a->log_path) {
        ev_timer_set(&a->log_due, 2, 0);
        ev_timer_start(a->loop, &a->log_due);
    }
}

static void close_log(struct app *a)
{
    ev_timer_stop(a->loop, &a->log_due);
    if (a->log)
        api_stream_close(TAKE(a->log));
}

static void on_log_due(struct ev_loop *loop, ev_timer *w, int revents)
{
    static const struct api_stream_events events = {on_log_event, on_log_end};
    struct app *a = w->data;

    (void)loop;
    (void)revents;
    close_log(a);
    if (a->log_path && a->main)
        a->log = api_follow(a->api, a->log_path, &events, a);
}

static void io_follow(void *ctx, const char *server, bool all)
{
    struct app *a = ctx;

    close_log(a);
    free(a->log_path);
    a->log_path = NULL;
    if (all)
        a->log_path = xstrdup("/events?log=*&tail=100");
    else if (server)
        a->log_path = api_path("/api/v1/servers/%s/logs?follow=1&tail=500", server);
    ev_timer_set(&a->log_due, seconds(LOG_DEBOUNCE_MS), 0);
    ev_timer_start(a->loop, &a->log_due);
}

/* ---- the main stream ---- */

static void on_main_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct app *a = ctx;
    int changed = view_event(&a->view, name, data, n);

    if (changed <= 0)
        return;
    if (changed & FEED_HELLO) {
        a->retry_ms = RETRY_MIN_MS;
        view_connection(&a->view, CONN_UP, NULL);
        if (!a->log && a->log_path) {
            ev_timer_set(&a->log_due, 0, 0);
            ev_timer_start(a->loop, &a->log_due);
        }
    }
    if (changed & FEED_LISTS) {
        paint_soon(a);
    } else if (clock_mono_ms() - a->painted_ms > 900) {
        paint(a);       /* figures come once a second: the tick moves to when they do */
        ev_timer_again(a->loop, &a->second);
    }
}

static void on_main_end(void *ctx, const struct fault *why)
{
    struct app *a = ctx;
    bool gone = !why || why->code == ECONNREFUSED || why->code == ENOENT;

    a->main = NULL;
    close_log(a);
    view_connection(&a->view, CONN_LOST, gone ? NULL : why->text);
    ev_timer_set(&a->reconnect, seconds(a->retry_ms), 0);
    ev_timer_start(a->loop, &a->reconnect);
    a->retry_ms = a->retry_ms * 2 < RETRY_MAX_MS ? a->retry_ms * 2 : RETRY_MAX_MS;
    paint_soon(a);
}

static void connect_main(struct app *a)
{
    static const struct api_stream_events events = {on_main_event, on_main_end};

    a->main = api_follow(a->api, "/events", &events, a);
}

static void on_reconnect(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop;
    (void)revents;
    connect_main(w->data);
}

/* ---- requests ---- */

static void drop_pending(struct pending *p)
{
    *p->link = p->next;
    if (p->next)
        p->next->link = p->link;
    free(p);
}

static void on_reply(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct pending *p = ctx;
    struct app *a = p->app;
    struct view_call *call = p->call;

    call->status = status;
    drop_pending(p);
    view_reply(&a->view, call, data, f ? f->text : NULL);
    paint_soon(a);
}

static void io_send(void *ctx, const char *method, const char *path, json_t *body,
                    struct view_call *call)
{
    struct app *a = ctx;
    struct pending *p = xcalloc(1, sizeof(*p));

    p->app = a;
    p->call = call;
    p->next = a->pending;
    p->link = &a->pending;
    if (p->next)
        p->next->link = &p->next;
    a->pending = p;
    /* A call may take as long as its server is given, which the supervisor sees to. */
    api_set_timeout(a->api, call->kind == REPLY_REPLAY ? -1 : 0);
    api_send(a->api, method, path, body, on_reply, p);
    api_set_timeout(a->api, 0);
}

/* ---- what else the view wants ---- */

/* OSC 52: the terminal puts it into the clipboard of the user's machine, through ssh too. */
static void io_copy(void *ctx, const char *text, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    AUTO_BUF struct buf out = BUF_INIT;
    const unsigned char *p = (const unsigned char *)text;

    (void)ctx;
    if (n > 70000)
        n = 70000;      /* terminals cut longer ones */
    buf_add_str(&out, "\033]52;c;");
    for (size_t i = 0; i < n; i += 3) {
        unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
                     (i + 2 < n ? p[i + 2] : 0);
        buf_add_char(&out, digits[v >> 18]);
        buf_add_char(&out, digits[v >> 12 & 63]);
        buf_add_char(&out, i + 1 < n ? digits[v >> 6 & 63] : '=');
        buf_add_char(&out, i + 2 < n ? digits[v & 63] : '=');
    }
    buf_add_char(&out, '\a');
    screen_raw(buf_str(&out), out.len);
}

static void io_redraw(void *ctx)
{
    (void)ctx;
    screen_redraw();
}

static void io_set_theme(void *ctx, const struct theme *t)
{
    (void)ctx;
    screen_set_theme(t);
}

static void io_quit(void *ctx)
{
    struct app *a = ctx;

    a->quit = true;
    ev_break(a->loop, EVBREAK_ALL);
}

static const struct view_io view_io = {io_send,   io_follow,    io_copy,
                                       io_redraw, io_set_theme, io_quit};

/* ---- the terminal ---- */

static bool terminal_is_gone(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void on_keys(struct ev_loop *loop, ev_io *w, int revents)
{
    struct app *a = w->data;
    int key, count = 0;

    (void)loop;
    (void)revents;
    while (!a->quit && (key = screen_key()) >= 0) {
        view_key(&a->view, key);
        count++;
    }
    if (a->quit)
        return;
    if (count)
        paint(a);
    else if (terminal_is_gone())
        io_quit(a);
}

static void on_winch(struct ev_loop *loop, ev_signal *w, int revents)
{
    struct app *a = w->data;

    (void)revents;
    ev_timer_stop(loop, &a->resize);
    ev_timer_set(&a->resize, 0.05, 0);      /* dragging an edge gives dozens: the last one counts */
    ev_timer_start(loop, &a->resize);
}

static void on_resize(struct ev_loop *loop, ev_timer *w, int revents)
{
    struct app *a = w->data;
    int width, height;

    (void)loop;
    (void)revents;
    screen_size(&width, &height);
    view_resize(&a->view, width, height);
    screen_redraw();
    paint(a);
}

static void on_tstp(struct ev_loop *loop, ev_signal *w, int revents)
{
    struct app *a = w->data;

    (void)loop;
    (void)revents;
    screen_suspend();
    raise(SIGSTOP);
    screen_resume();
    on_resize(a->loop, &a->resize, 0);
}

/* ---- the whole ---- */

static void watch(struct app *a)
{
    ev_io_init(&a->keys, on_keys, STDIN_FILENO, EV_READ);
    ev_signal_init(&a->winch, on_winch, SIGWINCH);
    ev_signal_init(&a->tstp, on_tstp, SIGTSTP);
    ev_timer_init(&a->frame, on_frame, 0, 0);
    ev_timer_init(&a->second, on_second, 1, 1);
    ev_timer_init(&a->reconnect, on_reconnect, 0, 0);
    ev_timer_init(&a->log_due, on_log_due, 0, 0);
    ev_timer_init(&a->resize, on_resize, 0, 0);
    a->keys.data = a->winch.data = a->tstp.data = a->frame.data = a->second.data = a;
    a->reconnect.data = a->log_due.data = a->resize.data = a;
    ev_io_start(a->loop, &a->keys);
    ev_signal_start(a->loop, &a->winch);
    ev_signal_start(a->loop, &a->tstp);
    ev_timer_start(a->loop, &a->second);
}

static void unwatch(struct app *a)
{
    ev_io_stop(a->loop, &a->keys);
    ev_signal_stop(a->loop, &a->winch);
    ev_signal_stop(a->loop, &a->tstp);
    ev_timer_stop(a->loop, &a->frame);
    ev_timer_stop(a->loop, &a->second);
    ev_timer_stop(a->loop, &a->reconnect);
    ev_timer_stop(a->loop, &a->log_due);
    ev_timer_stop(a->loop, &a->resize);
}

static void app_init(struct app *a, const struct view_options *o)
{
    const struct theme *theme = o->theme ? theme_find(o->theme) : NULL;
    int w, h;

    *a = (struct app){.loop = ev_loop_new(EVFLAG_AUTO), .options = o, .retry_ms = RETRY_MIN_MS};
    view_init(&a->view, &view_io, a);
    a->view.readonly = o->readonly;
    a->view.canvas.ascii = o->ascii;
    if (theme)
        a->view.theme = theme;
    screen_size(&w, &h);
    view_resize(&a->view, w, h);
    a->api = api_new(a->loop, o->paths->socket);
}

static void app_fini(struct app *a)
{
    close_log(a);
    if (a->main)
        api_stream_close(a->main);
    unwatch(a);
    api_free(a->api);
    while (a->pending) {
        view_call_free(a->pending->call);
        drop_pending(a->pending);
    }
    view_fini(&a->view);
    free(a->log_path);
    ev_loop_destroy(a->loop);
}

static int ensure_supervisor(const struct view_options *o)
{
    struct fault f = FAULT_NONE;

    if (supervisor_probe(o->paths->socket, &f) == 0)
        return 0;
    if (f.code == FAULT_NOT_FOUND) {
        fprintf(stderr, "mcptop: starting the supervisor …\n");
        if (supervisor_start(o->paths, &f) == 0)
            return 0;
    }
    fprintf(stderr, "mcptop: %s\n", f.text);
    return -1;
}

int view_run(const struct view_options *o)
{
    struct fault f = FAULT_NONE;
    struct app a;
    const struct theme *theme;
    int stopped;
    bool ended;

    if (o->theme && !theme_find(o->theme)) {
        fprintf(stderr, "mcptop: no theme \"%s\"; there are:", o->theme);
        for (unsigned i = 0; theme_at(i); i++)
            fprintf(stderr, " %s", theme_at(i)->name);
        fprintf(stderr, "\n");
        return 2;
    }
    if (ensure_supervisor(o) < 0)
        return 3;
    theme = o->theme ? theme_find(o->theme) : theme_at(0);
    if (screen_open(o->color, theme, &f) < 0) {
        fprintf(stderr, "mcptop: %s\n", f.text);
        return 1;
    }
    app_init(&a, o);
    watch(&a);
    connect_main(&a);
    /* the first frame is the whole picture, or says that it is awaited */
    ev_timer_set(&a.frame, 0.15, 0);
    ev_timer_start(a.loop, &a.frame);
    ev_run(a.loop, 0);
    ended = a.view.leaving && a.view.connection == CONN_LOST;
    stopped = a.view.stopped;
    app_fini(&a);
    screen_close();
    if (ended)
        printf("stopped %d %s and the supervisor\n", stopped, stopped == 1 ? "server" : "servers");
    return 0;
}
