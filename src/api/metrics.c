/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two tables, one of what is told of the supervisor and one of what is told of each server; a
 * metric is a row and, where it is no plain field, a function. What a server has is gathered once,
 * before the first line is written, because the format wants all samples of a metric together. */
#include "api/metrics.h"

#include <math.h>
#include <string.h>
#include "api/api_internal.h"
#include "api/metrics_internal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

void metrics_add_label(struct buf *out, const char *value)
{
    size_t n = strlen(value);

    buf_add_char(out, '"');
    for (size_t i = 0; i < n;) {
        size_t len = text_seq_len(value + i, n - i);
        if (!len) {
            uint32_t ignored;
            len = text_decode(value + i, n - i, &ignored);
            buf_add_str(out, "\xEF\xBF\xBD");
        } else if (value[i] == '\n') {
            buf_add_str(out, "\\n");
        } else {
            if (value[i] == '"' || value[i] == '\\')
                buf_add_char(out, '\\');
            buf_add(out, value + i, len);
        }
        i += len;
    }
    buf_add_char(out, '"');
}

/* NAN: not known, and left out. Whole numbers are written whole: %g would round what has been
 * counted. */
void metrics_add_value(struct buf *out, double v)
{
    static const double exact = 9007199254740992.; /* 2^53 */

    if (floor(v) == v && fabs(v) < exact)
        buf_printf(out, " %.0f\n", v);
    else
        buf_printf(out, " %.15g\n", v);
}

void metrics_add_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP mcptop_%s %s\n# TYPE mcptop_%s %s\n", name, help, name, type);
}

static double if_known(double v, double unit)
{
    return v < 0 ? NAN : v / unit;
}

/* ---- the supervisor ---- */

static double engine_up(const struct api_server *a)
{
    const struct engine *e = fleet_get_engine(a->fleet);
    return e && engine_get_state(e) == ENGINE_UP;
}

static double longest_turn(const struct api_server *a)
{
    return a->cfg.turn ? (double)a->cfg.turn->longest_ns / 1e9 : NAN;
}

static double turns(const struct api_server *a)
{
    return a->cfg.turn ? (double)a->cfg.turn->turns : NAN;
}

static double long_turns(const struct api_server *a)
{
    return a->cfg.turn ? (double)a->cfg.turn->long_turns : NAN;
}

static double start_time(const struct api_server *a)
{
    return (double)a->started_wall_ms / 1e3;
}

static double config_errors(const struct api_server *a)
{
    const struct problems *p = fleet_get_problems(a->fleet);
    return p ? (double)p->errors : 0;
}

static double config_warnings(const struct api_server *a)
{
    const struct problems *p = fleet_get_problems(a->fleet);
    return p ? (double)(p->n - p->errors) : 0;
}

static double config_missing(const struct api_server *a)
{
    return fleet_config_is_missing(a->fleet);
}

static double config_loaded(const struct api_server *a)
{
    int64_t at = fleet_get_loaded_wall_ms(a->fleet);
    return at ? (double)at / 1e3 : NAN;
}

static double self_cpu(const struct api_server *a)
{
    return if_known(fleet_get_self_usage(a->fleet)->cpu_percent, 100);
}

static double self_memory(const struct api_server *a)
{
    return if_known((double)fleet_get_self_usage(a->fleet)->rss_anon_bytes, 1);
}

static double log_lost(const struct api_server *a)
{
    (void)a;
    return (double)log_lost_lines();
}

static double listens(const struct api_server *a)
{
    return a->cfg.listen && !*a->listen_error;
}

static const struct {
    const char *name, *type, *help;
    double (*get)(const struct api_server *a);
} own_metrics[] = {
    {"start_time_seconds", "gauge", "When the supervisor started, in seconds since 1970.",
     start_time},
    {"engine_up", "gauge", "Whether the container engine answers.", engine_up},
    {"listening", "gauge", "Whether TCP is served.", listens},
    {"loop_longest_turn_seconds", "gauge", "The longest turn of the event loop since the start.",
     longest_turn},
    {"loop_turns_total", "counter", "Turns of the event loop.", turns},
    {"loop_long_turns_total", "counter", "Turns of the event loop that took over 10 ms.",
     long_turns},
    {"cpu_usage_ratio", "gauge", "CPU that the supervisor uses; 1 is a whole core.", self_cpu},
    {"memory_bytes", "gauge", "Memory of the supervisor's own (anonymous).", self_memory},
    {"log_lines_lost_total", "counter", "Lines that main.log did not take.", log_lost},
    {"config_errors", "gauge", "Errors in the configuration's file.", config_errors},
    {"config_warnings", "gauge", "Warnings about the configuration's file.", config_warnings},
    {"config_missing", "gauge", "Whether the configuration's file does not exist.", config_missing},
    {"config_loaded_timestamp_seconds", "gauge",
     "When the configuration in force was read, in seconds since 1970.", config_loaded},
};

static void write_own(const struct api_server *a, struct buf *out)
{
    metrics_add_head(out, "build_info", "gauge", "The version that runs.");
    buf_add_str(out, "mcptop_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    for (size_t i = 0; i < ARRAY_LEN(own_metrics); i++) {
        double v = own_metrics[i].get(a);
        if (isnan(v))
            continue;
        metrics_add_head(out, own_metrics[i].name, own_metrics[i].type, own_metrics[i].help);
        buf_printf(out, "mcptop_%s", own_metrics[i].name);
        metrics_add_value(out, v);
    }
}

static void write_states(const struct api_server *a, struct buf *out)
{
    int count[SERVER_STATES] = {0};

    for (size_t i = 0; i < fleet_count(a->fleet); i++)
        count[server_shown(fleet_at(a->fleet, i))->state]++;
    metrics_add_head(out, "servers", "gauge", "Servers of the configuration, by state.");
    for (int s = 0; s < SERVER_STATES; s++)
        buf_printf(out, "mcptop_servers{state=\"%s\"} %d\n",
                   server_state_name((enum server_state)s), count[s]);
}

/* ---- each server ---- */

struct row {
    const struct server *s;
    struct session_stats calls;
    struct usage usage;                  /* of all its processes */
    char *label;                         /* server="…" */
};

static double up(const struct row *r)
{
    return server_shown(r->s)->state == SERVER_READY;
}

static double wanted(const struct row *r)
{
    return r->s->wanted == WANTED_UP;
}

static double restarts(const struct row *r)
{
    return r->s->restarts;
}

static double tools(const struct row *r)
{
    return if_known(session_get_tool_count(r->s->session), 1);
}

static double calls(const struct row *r)
{
    return (double)r->calls.calls;
}

static double call_errors(const struct row *r)
{
    return (double)r->calls.errors;
}

static double tool_errors(const struct row *r)
{
    return (double)r->calls.tool_errors;
}

static double in_flight(const struct row *r)
{
    return r->calls.in_flight;
}

static double held(const struct row *r)
{
    return r->calls.held;
}

static double clients(const struct row *r)
{
    return r->calls.clients;
}

static double received(const struct row *r)
{
    return (double)r->calls.bytes_in;
}

static double sent(const struct row *r)
{
    return (double)r->calls.bytes_out;
}

static double stray(const struct row *r)
{
    return (double)r->calls.stray_lines;
}

static double oversize(const struct row *r)
{
    return (double)r->calls.oversize;
}

static double ping(const struct row *r)
{
    return if_known((double)r->calls.last_ping_us, 1e6);
}

static double unrecorded(const struct row *r)
{
    return r->s->recorder ? (double)recorder_get_lost(r->s->recorder) : NAN;
}

static double log_lines(const struct row *r)
{
    return (double)(ring_next_seq(logstore_get_ring(r->s->log)) - 1);
}

static double log_dropped(const struct row *r)
{
    return (double)(ring_first_seq(logstore_get_ring(r->s->log)) - 1);
}

static double log_unwritten(const struct row *r)
{
    return (double)logstore_get_lost(r->s->log);
}

static double used(const struct row *r, double v, double unit)
{
    return r->usage.known ? if_known(v, unit) : NAN;
}

static double cpu(const struct row *r)
{
    return used(r, r->usage.cpu_percent, 100);
}

static double memory(const struct row *r)
{
    return used(r, (double)r->usage.memory_bytes, 1);
}

static double memory_high(const struct row *r)
{
    return used(r, (double)r->usage.memory_high_bytes, 1);
}

/* No limit is no sample: a limit of 0 would read as none left. */
static double memory_limit(const struct row *r)
{
    return r->usage.memory_limit_bytes > 0
               ? used(r, (double)r->usage.memory_limit_bytes, 1)
               : NAN;
}

static bool in_docker(const struct row *r)
{
    return r->s->plan->mode == PLAN_DOCKER;
}

static double cpu_limit(const struct row *r)
{
    return in_docker(r) && r->s->plan->nano_cpus > 0 ? (double)r->s->plan->nano_cpus / 1e9 : NAN;
}

static double pids_limit(const struct row *r)
{
    return in_docker(r) && r->s->plan->pids_limit > 0 ? (double)r->s->plan->pids_limit : NAN;
}

static double pids(const struct row *r)
{
    return used(r, r->usage.pids, 1);
}

static double net_rx(const struct row *r)
{
    return used(r, (double)r->usage.net_rx_bytes, 1);
}

static double net_tx(const struct row *r)
{
    return used(r, (double)r->usage.net_tx_bytes, 1);
}

static double io_read(const struct row *r)
{
    return used(r, (double)r->usage.io_read_bytes, 1);
}

static double io_write(const struct row *r)
{
    return used(r, (double)r->usage.io_write_bytes, 1);
}

static double ooms(const struct row *r)
{
    return used(r, (double)r->usage.ooms, 1);
}

static double throttled(const struct row *r)
{
    return used(r, r->usage.throttled_percent, 100);
}

static const struct {
    const char *name, *type, *help;
    double (*get)(const struct row *r);
} server_metrics[] = {
    {"server_up", "gauge", "Whether the server is ready.", up},
    {"server_wanted", "gauge", "Whether the server is meant to run.", wanted},
    {"server_restarts_total", "counter", "Runs begun after the first.", restarts},
    {"server_tools", "gauge", "Tools that the server lists.", tools},
    {"server_calls_total", "counter", "Requests of clients that were answered.", calls},
    {"server_call_errors_total", "counter", "Requests of clients that were answered by an error.",
     call_errors},
    {"server_tool_errors_total", "counter",
     "Calls of tools whose result says that the tool failed (isError).", tool_errors},
    {"server_calls_in_flight", "gauge", "Requests that the server has and has not answered.",
     in_flight},
    {"server_calls_held", "gauge", "Requests that wait for the server to be ready.", held},
    {"server_clients", "gauge", "Clients that are connected to the server.", clients},
    {"server_received_bytes_total", "counter", "Bytes that the server wrote to its stdout.",
     received},
    {"server_sent_bytes_total", "counter", "Bytes that were written to the server's stdin.", sent},
    {"server_stray_lines_total", "counter", "Lines on the server's stdout that were no MCP.",
     stray},
    {"server_oversize_messages_total", "counter", "Messages that were over the size limit.",
     oversize},
    {"server_ping_seconds", "gauge", "How long the last ping took.", ping},
    {"server_calls_unrecorded_total", "counter",
     "Calls that should have been recorded and were not: too long, or too many at once.",
     unrecorded},
    {"server_log_lines_total", "counter", "Lines of the server's log.", log_lines},
    {"server_log_lines_dropped_total", "counter",
     "Lines of the server's log that fell out of memory; its file may still have them.",
     log_dropped},
    {"server_log_lines_lost_total", "counter", "Lines that the server's log file did not take.",
     log_unwritten},
    {"server_cpu_usage_ratio", "gauge", "CPU that the server uses; 1 is a whole core.", cpu},
    {"server_cpu_limit_ratio", "gauge", "CPU that the server may use; 1 is a whole core.",
     cpu_limit},
    {"server_cpu_throttled_ratio", "gauge",
     "Share of CPU periods in which the server had to wait for its limit.", throttled},
    {"server_memory_bytes", "gauge", "Memory that the server uses.", memory},
    {"server_memory_high_bytes", "gauge", "The most memory that this run was seen to use.",
     memory_high},
    {"server_memory_limit_bytes", "gauge", "Memory that the server may use.", memory_limit},
    {"server_ooms_total", "counter", "Processes of this run that were killed for want of memory.",
     ooms},
    {"server_pids", "gauge", "Processes and threads of the server.", pids},
    {"server_pids_limit", "gauge", "Processes and threads that the server may have.", pids_limit},
    {"server_network_receive_bytes_total", "counter", "Bytes that this run received.", net_rx},
    {"server_network_transmit_bytes_total", "counter", "Bytes that this run sent.", net_tx},
    {"server_disk_read_bytes_total", "counter", "Bytes that this run read from disks.", io_read},
    {"server_disk_written_bytes_total", "counter", "Bytes that this run wrote to disks.", io_write},
};

static void write_metric(struct buf *out, size_t metric, const struct row *rows, size_t n)
{
    const char *name = server_metrics[metric].name;
    bool begun = false;

    for (size_t i = 0; i < n; i++) {
        double v = server_metrics[metric].get(&rows[i]);
        if (isnan(v))
            continue;
        if (!begun)
            metrics_add_head(out, name, server_metrics[metric].type, server_metrics[metric].help);
        begun = true;
        buf_printf(out, "mcptop_%s{%s}", name, rows[i].label);
        metrics_add_value(out, v);
    }
}

void metrics_add_summary(struct buf *out, const char *name, const char *labels,
                         const int64_t p50_95_99_us[3], uint64_t count, uint64_t sum_us)
{
    static const char *const quantiles[] = {"0.5", "0.95", "0.99"};

    for (size_t k = 0; k < ARRAY_LEN(quantiles) && p50_95_99_us[k] >= 0; k++) {
        buf_printf(out, "mcptop_%s{%s,quantile=\"%s\"}", name, labels, quantiles[k]);
        metrics_add_value(out, (double)p50_95_99_us[k] / 1e6);
    }
    buf_printf(out, "mcptop_%s_sum{%s}", name, labels);
    metrics_add_value(out, (double)sum_us / 1e6);
    buf_printf(out, "mcptop_%s_count{%s}", name, labels);
    metrics_add_value(out, (double)count);
}

static void write_durations(struct buf *out, const struct row *rows, size_t n)
{
    metrics_add_head(out, "server_call_duration_seconds", "summary",
                     "How long the server took to answer a request; quantiles of the last 512.");
    for (size_t i = 0; i < n; i++) {
        const struct session_stats *c = &rows[i].calls;
        const int64_t p[3] = {c->p50_us, c->p95_us, c->p99_us};
        metrics_add_summary(out, "server_call_duration_seconds", rows[i].label, p, c->timed,
                            c->timed_us);
    }
}

static void write_info(struct buf *out, const struct row *rows, size_t n)
{
    metrics_add_head(out, "server_info", "gauge", "Where the server runs and in what state it is.");
    for (size_t i = 0; i < n; i++) {
        const struct plan *p = rows[i].s->plan;
        buf_printf(out, "mcptop_server_info{%s,state=\"%s\",mode=\"%s\",image=", rows[i].label,
                   server_state_name(server_shown(rows[i].s)->state), plan_mode_name(p->mode));
        metrics_add_label(out, p->mode == PLAN_DOCKER && p->image ? p->image : "");
        buf_add_str(out, "} 1\n");
    }
}

void metrics_write(const struct api_server *a, struct buf *out)
{
    size_t n = fleet_count(a->fleet);
    struct row *rows = xcalloc(n + 1, sizeof *rows);

    for (size_t i = 0; i < n; i++) {
        struct buf label = BUF_INIT;
        rows[i].s = fleet_at(a->fleet, i);
        session_get_stats(rows[i].s->session, &rows[i].calls);
        server_get_usage(rows[i].s, &rows[i].usage);
        buf_add_str(&label, "server=");
        metrics_add_label(&label, rows[i].s->name);
        rows[i].label = buf_take(&label);
    }
    write_own(a, out);
    write_states(a, out);
    if (n) {
        write_info(out, rows, n);
        write_durations(out, rows, n);
    }
    for (size_t m = 0; m < ARRAY_LEN(server_metrics); m++)
        write_metric(out, m, rows, n);
    metrics_write_tools(a->fleet, out);
    for (size_t i = 0; i < n; i++)
        free(rows[i].label);
    free(rows);
}
