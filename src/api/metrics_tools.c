/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of each tool. A session has at most 65 rows of them (session_each_tool), so what a scrape
 * brings is bounded, however many names clients make up. */
#include "api/metrics_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "supervisor/fleet.h"

struct tool_row { struct tool_stats st; char *labels; };
struct tool_rows { struct tool_row *v; size_t n, cap; const struct server *server; };

static void add_row(void *ctx, const struct tool_stats *t)
{
    struct tool_rows *rows = ctx;
    struct buf labels = BUF_INIT;
    AUTO_FREE char *name = xstrndup(t->name.p, t->name.n);

    if (rows->n == rows->cap) {
        rows->cap = rows->cap ? rows->cap * 2 : 32;
        rows->v = xrealloc(rows->v, rows->cap * sizeof *rows->v);
    }
    buf_add_str(&labels, "server=");
    metrics_add_label(&labels, rows->server->name);
    /* A tool may be called "other": the row of all others has no name. */
    buf_add_str(&labels, ",tool=");
    metrics_add_label(&labels, t->other ? "" : name);
    rows->v[rows->n++] = (struct tool_row){*t, buf_take(&labels)};
}

static double calls(const struct tool_stats *t)
{
    return (double)t->calls;
}

static double errors(const struct tool_stats *t)
{
    return (double)t->errors;
}

static double tool_errors(const struct tool_stats *t)
{
    return (double)t->tool_errors;
}

static double in_flight(const struct tool_stats *t)
{
    return t->in_flight;
}

static double received(const struct tool_stats *t)
{
    return (double)t->bytes_in;
}

static double sent(const struct tool_stats *t)
{
    return (double)t->bytes_out;
}

static const struct {
    const char *name, *type, *help;
    double (*get)(const struct tool_stats *t);
} tool_metrics[] = {
    {"tool_calls_total", "counter",
     "Calls of the tool that were answered; without a name: of all tools after the first 64.",
     calls},
    {"tool_call_errors_total", "counter", "Calls of the tool that were answered by an error.",
     errors},
    {"tool_errors_total", "counter",
     "Calls of the tool whose result says that it failed (isError).", tool_errors},
    {"tool_calls_in_flight", "gauge", "Calls of the tool that are not answered yet.", in_flight},
    {"tool_received_bytes_total", "counter", "Bytes of the answers to the tool's calls.", received},
    {"tool_sent_bytes_total", "counter", "Bytes of the tool's calls.", sent},
};

static void write_durations(struct buf *out, const struct tool_rows *rows)
{
    metrics_add_head(out, "tool_call_duration_seconds", "summary",
                     "How long the tool took; quantiles of its last 128 calls.");
    for (size_t i = 0; i < rows->n; i++) {
        const struct tool_stats *t = &rows->v[i].st;
        const int64_t p[3] = {t->p50_us, t->p95_us, t->p99_us};
        metrics_add_summary(out, "tool_call_duration_seconds", rows->v[i].labels, p, t->timed,
                            t->timed_us);
    }
}

void metrics_write_tools(const struct fleet *fl, struct buf *out)
{
    struct tool_rows rows = {0};

    for (size_t i = 0; i < fleet_count(fl); i++) {
        rows.server = fleet_at(fl, i);
        session_each_tool(rows.server->session, add_row, &rows);
    }
    for (size_t m = 0; rows.n && m < ARRAY_LEN(tool_metrics); m++) {
        metrics_add_head(out, tool_metrics[m].name, tool_metrics[m].type, tool_metrics[m].help);
        for (size_t i = 0; i < rows.n; i++) {
            buf_printf(out, "mcptop_%s{%s}", tool_metrics[m].name, rows.v[i].labels);
            metrics_add_value(out, tool_metrics[m].get(&rows.v[i].st));
        }
    }
    if (rows.n)
        write_durations(out, &rows);
    for (size_t i = 0; i < rows.n; i++)
        free(rows.v[i].labels);
    free(rows.v);
}
