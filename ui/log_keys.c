/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the keys of the log do: search, follow, wrap, marks, and its text to the clipboard or a
 * file. */
#include <stdio.h>
#include "base/clock.h"
#include "base/mem.h"
#include "panes/pane.h"

static void mark_line(struct view *v)
{
    struct logline line = {.kind = LOGLINE_MARK, .t_ms = clock_wall_ms(), .text = (char *)""};

    loglines_append(&v->feed.log, &line);
}

static void copy_log(struct view *v)
{
    AUTO_BUF struct buf text = BUF_INIT;

    pane_log_visible(v, &text, false);
    v->io->copy(v->ctx, buf_str(&text), text.len);
    view_toast(v, false, "copied the visible log lines");
}

static void write_log(struct view *v)
{
    AUTO_BUF struct buf text = BUF_INIT;
    const struct feed_server *s = feed_find(&v->feed, v->feed.log_server);
    char path[160], safe[64];
    size_t n = 0;
    bool written;
    FILE *f;

    for (const char *p = s ? s->name : "all"; *p && n < sizeof(safe) - 1; p++)
        safe[n++] = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z')
                        ? *p
                        : '-';
    safe[n] = '\0';
    snprintf(path, sizeof(path), "mcptop-%s-%lld.log", safe, (long long)(clock_wall_ms() / 1000));
    pane_log_visible(v, &text, true);
    f = fopen(path, "wxe");
    written = f && fwrite(buf_str(&text), 1, text.len, f) == text.len;
    if (f && fclose(f) != 0)
        written = false;
    if (written)
        view_toast(v, false, "written to %s in the directory you came from", path);
    else
        view_toast(v, true, "cannot write %s: %m", path);
}

void log_request(struct view *v, enum request req)
{
    switch (req) {
    case REQ_NEXT_MATCH: pane_log_search(v, 1); break;
    case REQ_PREV_MATCH: pane_log_search(v, -1); break;
    case REQ_FOLLOW: pane_log_follow(v, !v->log.follow); break;
    case REQ_WRAP: v->log.wrap = !v->log.wrap; v->log.left = 0; break;
    case REQ_TIMES: v->log.times = !v->log.times; break;
    case REQ_MARK_LINE: mark_line(v); break;
    case REQ_ALL_LOGS: view_toggle_all_logs(v); break;
    case REQ_COPY: copy_log(v); break;
    default: write_log(v); break;
    }
}
