/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `mcptop logs`: the latest lines, and with -f what follows.
 *
 * Following must not lose lines without a word. The stream says `gap` where this program was too
 * slow; the sequence numbers say it anyhow. Then lines of the stream are not printed but only
 * counted, and the missing ones are paged until the printed end meets the stream's end. A
 * supervisor that goes away is waited for; a new one counts from 1 again, which its pid tells. */
#include "cli/verb.h"

#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "cli/doc.h"
#include "cli/log_print.h"
#include "cli/show.h"

enum { DEFAULT_LINES = 100, MAX_LINES = 10000, PAGE_LINES = 1000, RETRY_MS = 500 };

struct follow {
    struct cli *cli;
    struct ev_loop *loop;
    struct api *api;
    struct api_stream *stream;
    ev_timer retry;
    struct log_print out;
    uint64_t announced;     /* the stream has told of lines up to here (exclusive) */
    bool paging, waiting;
    int64_t tail, since;    /* since -1 = by tail */
    int64_t supervisor_pid; /* 0 before the first */
    int exit_code;
};

static void follow_connect(struct follow *w);

static void fail(struct follow *w, const struct fault *f)
{
    w->exit_code = cli_fail(f);
    ev_break(w->loop, EVBREAK_ALL);
}

/* ---- gaps ---- */

static void page(struct follow *w);

static void on_page(void *ctx, long status, json_t *data, const struct fault *f)
{
    struct follow *w = ctx;
    w->paging = false;
    if (f) {
        if (status)
            fail(w, f);
        return;         /* no connection: the stream's end comes, too */
    }
    uint64_t before = w->out.next;
    log_print_lines(&w->out, doc_get(data, "lines"));
    /* Nothing came though the stream told of more: it fell out of the bounded ring meanwhile. */
    if (w->out.next == before)
        log_print_lost(&w->out, w->announced);
    fflush(stdout);
    if (w->out.next < w->announced)
        page(w);
}

static void page(struct follow *w)
{
    if (w->paging)
        return;
    w->paging = true;
    AUTO_FREE char *base = api_path("/api/v1/servers/%s/logs", w->cli->words[0]);
    AUTO_FREE char *path =
        xasprintf("%s?since=%llu&limit=%d", base, (unsigned long long)w->out.next - 1, PAGE_LINES);
    api_send(w->api, "GET", path, NULL, on_page, w);
}

/* ---- the stream ---- */

static void announce(struct follow *w, uint64_t end)
{
    if (end > w->announced)
        w->announced = end;
}

static void on_log(struct follow *w, json_t *doc)
{
    json_t *lines = doc_get(doc, "lines");
    size_t count = json_array_size(lines);
    if (!count)
        return;
    announce(w, (uint64_t)doc_int(json_array_get(lines, count - 1), "seq", 0) + 1);
    if (!w->paging && log_print_joins(&w->out, lines)) {
        log_print_lines(&w->out, lines);
        fflush(stdout);
    } else {
        page(w);
    }
}

static void on_gap(struct follow *w, json_t *doc)
{
    uint64_t from = (uint64_t)doc_int(doc, "from", 0);
    announce(w, (uint64_t)doc_int(doc, "to", 0) + 1);
    if (!w->out.next)
        w->out.next = from ? from : 1;
    if (w->out.next < w->announced)
        page(w);
}

static void on_event(void *ctx, const char *name, const char *data, size_t n)
{
    struct follow *w = ctx;
    json_t *doc = json_loadb(data, n, JSON_ALLOW_NUL, NULL);
    if (!strcmp(name, "log"))
        on_log(w, doc);
    else if (!strcmp(name, "gap"))
        on_gap(w, doc);
    json_decref(doc);
}

static void on_end(void *ctx, const struct fault *why)
{
    struct follow *w = ctx;
    w->stream = NULL;
    if (why->code == FAULT_NOT_FOUND || why->code == FAULT_INVALID || why->code == FAULT_DENIED) {
        fail(w, why);
        return;
    }
    ev_timer_again(w->loop, &w->retry);
}

/* ---- connecting, and again ---- */

static void on_status(void *ctx, long status, json_t *data, const struct fault *f)
{
    static const struct api_stream_events events = { on_event, on_end };
    struct follow *w = ctx;
    if (f && status) {
        fail(w, f);
        return;
    }
    if (f) {
        if (!w->waiting)
            show_error("the supervisor is gone; waiting for it");
        w->waiting = true;
        ev_timer_again(w->loop, &w->retry);
        return;
    }
    int64_t pid = doc_int(data, "pid", -1);
    AUTO_FREE char *base = api_path("/api/v1/servers/%s/logs", w->cli->words[0]);
    AUTO_FREE char *path = NULL;
    if (!w->supervisor_pid && w->since < 0) {
        path = xasprintf("%s?follow=1&tail=%lld", base, (long long)w->tail);
    } else {
        if (w->supervisor_pid && pid != w->supervisor_pid)
            w->out.next = w->announced = 0;
        uint64_t since = w->out.next ? w->out.next - 1 : w->supervisor_pid ? 0 : (uint64_t)w->since;
        path = xasprintf("%s?follow=1&since=%llu", base, (unsigned long long)since);
    }
    w->waiting = false;
    w->supervisor_pid = pid;
    w->stream = api_follow(w->api, path, &events, w);
}

static void follow_connect(struct follow *w)
{
    api_send(w->api, "GET", "/api/v1/status", NULL, on_status, w);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)revents;
    ev_timer_stop(loop, timer);
    follow_connect(timer->data);
}

static int follow(struct cli *c, int64_t tail, int64_t since)
{
    struct follow w = {
        .cli = c, .loop = ev_loop_new(EVFLAG_AUTO), .tail = tail, .since = since,
        .out = { .json = cli_has(c, OPT_JSON), .tty = isatty(STDOUT_FILENO) },
    };
    w.api = api_new(w.loop, c->paths.socket);
    ev_timer_init(&w.retry, on_retry, 0, RETRY_MS / 1000.0);
    w.retry.data = &w;
    follow_connect(&w);
    ev_run(w.loop, 0);
    ev_timer_stop(w.loop, &w.retry);
    api_free(w.api);
    ev_loop_destroy(w.loop);
    return w.exit_code;
}

int verb_logs(struct cli *c)
{
    struct fault f = FAULT_NONE;
    int64_t tail, since;
    if (args_number(&c->args, OPT_LINES, 0, MAX_LINES, DEFAULT_LINES, &tail, &f) ||
        args_number(&c->args, OPT_SINCE, 0, INT64_MAX - 1, -1, &since, &f))
        return cli_usage(c, "%s", f.text);
    if (cli_has(c, OPT_FOLLOW))
        return follow(c, tail, since);

    AUTO_FREE char *base = api_path("/api/v1/servers/%s/logs", c->words[0]);
    AUTO_FREE char *path =
        since < 0 ? xasprintf("%s?tail=%lld", base, (long long)tail)
                  : xasprintf("%s?since=%lld&limit=%lld", base, (long long)since, (long long)tail);
    json_t *data;
    int rc = cli_ask(c, "GET", path, NULL, &data);
    if (!rc && !cli_has(c, OPT_JSON)) {
        struct log_print out = { .next = since < 0 ? 0 : (uint64_t)since + 1,
                                 .tty = isatty(STDOUT_FILENO) };
        log_print_lines(&out, doc_get(data, "lines"));
        if (out.in_line)
            putchar('\n');
    }
    json_decref(data);
    return rc;
}
