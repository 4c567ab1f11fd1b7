/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The `usage` event: of every server's figures those that are not as they were told last. */
#include "api/event_usage.h"

#include <string.h>

#include "base/buf.h"
#include "supervisor/fleet.h"

static void usage_row(struct buf *b, const struct server *s)
{
    struct usage usage;
    const struct usage *u = &usage;
    struct session_stats st;

    server_get_usage(s, &usage);
    session_get_stats(s->session, &st);
    buf_add_char(b, '[');
    buf_add_json(b, s->name, strlen(s->name));
    if (u->known)
        buf_printf(b, ",%.1f,%lld,%lld,%lld,%d,%lld,%lld,%.1f,%lld", u->cpu_percent,
                   (long long)u->memory_bytes, (long long)u->memory_peak_bytes,
                   (long long)u->memory_limit_bytes, (int)u->pids, (long long)u->net_rx_bytes,
                   (long long)u->net_tx_bytes, u->throttled_percent, (long long)u->ooms);
    else
        buf_add_str(b, ",-1,-1,-1,-1,-1,-1,-1,-1,-1");
    buf_printf(b, ",%llu,%llu,%u,%lld,%lld", (unsigned long long)st.calls,
               (unsigned long long)st.errors, st.in_flight, (long long)st.p95_us,
               (long long)st.last_ping_us);
    if (u->known)
        buf_printf(b, ",%lld,%lld,%lld,%.0f,%.0f,%.0f", (long long)u->memory_high_bytes,
                   (long long)u->io_read_bytes, (long long)u->io_write_bytes, u->pressure_cpu,
                   u->pressure_memory, u->pressure_io);
    else
        buf_add_str(b, ",-1,-1,-1,-1,-1,-1");
    buf_printf(b, ",%lld,%lld,%llu]", (long long)st.p50_us, (long long)st.p99_us,
               (unsigned long long)st.tool_errors);
}

/* True when the row differs from the one sent last. */
static bool usage_is_news(json_t *last, const char *server, const char *row)
{
    const char *before = json_string_value(json_object_get(last, server));

    if (before && strcmp(before, row) == 0)
        return false;
    json_object_set_new(last, server, json_string(row));
    return true;
}

/* To one digit: what moves in it by chance is no news. */
static int64_t rounded(int64_t n)
{
    int64_t unit = 1;
    while (n / unit >= 10)
        unit *= 10;
    return (n + unit / 2) / unit * unit;
}

bool event_usage_write(const struct fleet *fl, json_t *last, struct buf *out)
{
    bool first = true;

    buf_add_str(out, "{\"servers\":[");
    for (size_t i = 0; i < fleet_count(fl); i++) {
        AUTO_BUF struct buf row = BUF_INIT;
        usage_row(&row, fleet_at(fl, i));
        if (!usage_is_news(last, fleet_at(fl, i)->name, buf_str(&row)))
            continue;
        if (!first)
            buf_add_char(out, ',');
        first = false;
        buf_add(out, row.data, row.len);
    }
    const struct host_usage *host = fleet_get_host_usage(fl);
    const struct self_usage *self = fleet_get_self_usage(fl);
    AUTO_BUF struct buf tail = BUF_INIT;
    buf_printf(
        &tail,
        "],\"host\":{\"cpu\":%.0f,\"memory_used\":%lld},"
        "\"self\":{\"cpu\":%.1f,\"rss_anon\":%lld,\"sampling_us\":%lld}}",
        host->cpu_percent, (long long)(host->memory_used >> 24 << 24), self->cpu_percent,
        (long long)self->rss_anon_bytes, (long long)rounded(self->sampling_us));
    if (first && !usage_is_news(last, "", buf_str(&tail)))
        return false;
    usage_is_news(last, "", buf_str(&tail));
    buf_add(out, tail.data, tail.len);
    return true;
}
