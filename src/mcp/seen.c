/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is known of past calls: figures of each tool and client. Told of every call's end (call.c);
 * it looks at no payload and keeps no message. What a tool says of itself (isError) the envelope
 * tells.
 *
 * A tool has a row from its first call on, for as long as the session lives, because who reads
 * counters expects them to go up only. So the rows are bounded: what comes after SEEN_TOOLS names
 * is counted in one row more. In flight is counted when it is asked for, not per call. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "mcp/session_internal.h"

enum { SEEN_TOOLS = 64, SLOTS = 4 * SEEN_TOOLS, TOOL_SAMPLES = 128 };

struct tool {
    struct span name;                    /* behind this struct */
    bool other;
    uint64_t calls, errors, tool_errors, bytes_in, bytes_out, timed, timed_us;
    uint32_t in_flight;                  /* while being told */
    uint32_t count, computed;
    int64_t p[3];
    uint32_t us[TOOL_SAMPLES];
};

struct seen {
    struct tool *slots[SLOTS];           /* open addressing */
    struct tool *rows[SEEN_TOOLS + 1];   /* in order of their first call */
    struct tool *other;                  /* one of rows, or NULL */
    uint32_t n;
};

/* ---- percentiles ---- */

static int compare_us(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void seen_percentiles(const uint32_t *us, uint32_t n, int64_t ret_p[3])
{
    static const uint32_t percent[] = {50, 95, 99};
    uint32_t sorted[SESSION_SAMPLES];

    memcpy(sorted, us, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_us);
    for (size_t i = 0; i < ARRAY_LEN(percent); i++)
        ret_p[i] = sorted[(n * percent[i] + 99) / 100 - 1];
}

/* ---- tools ---- */

static uint32_t hash(struct span name)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (unsigned char)name.p[i]) * 16777619u;
    return h;
}

static struct tool *row_new(struct seen *seen, struct span name)
{
    struct tool *t = xcalloc(1, sizeof(*t) + name.n);

    t->name = (struct span){memcpy(t + 1, name.p, name.n), name.n};
    seen->rows[seen->n++] = t;
    return t;
}

static struct tool *row_of(const struct session *s, struct span name)
{
    struct seen *seen = s->ledger->seen;
    uint32_t i = hash(name) % SLOTS;

    if (!seen)
        seen = s->ledger->seen = xcalloc(1, sizeof(*seen));
    for (; seen->slots[i]; i = (i + 1) % SLOTS)
        if (span_equal(seen->slots[i]->name, name))
            return seen->slots[i];
    if (seen->n < SEEN_TOOLS)
        return seen->slots[i] = row_new(seen, name);
    if (!seen->other) {
        seen->other = row_new(seen, span_of("other"));
        seen->other->other = true;
    }
    return seen->other;
}

bool seen_is_tool_call(const struct call *k)
{
    return k->name.n && span_is(k->method, "tools/call");
}

static void count_tool(struct session *s, const struct call_ended *c)
{
    struct tool *t = row_of(s, c->name);

    t->calls++;
    t->errors += c->is_error;
    t->bytes_in += c->bytes_in;
    t->bytes_out += c->bytes_out;
    if (c->answered_us < 0)
        return;
    t->timed++;
    t->timed_us += (uint64_t)c->answered_us;
    t->us[t->count++ % TOOL_SAMPLES] =
        c->answered_us < UINT32_MAX ? (uint32_t)c->answered_us : UINT32_MAX;
}

void seen_tool_failed(struct session *s, struct client *c, struct span tool)
{
    s->ledger->stats.tool_errors++;
    row_of(s, tool)->tool_errors++;
    if (c)
        c->failed_tools++;
}

void seen_ended(struct session *s, struct call *k, const struct iovec *iov, int count,
                bool is_error, int64_t answered_us)
{
    struct call_ended c = {
        .method = k->method, .name = k->name, .client = k->client->label,
        .answered_us = answered_us, .bytes_out = k->request_bytes, .is_error = is_error,
        .tool_error = k->failed_tool, .iov = iov, .iov_count = count,
    };

    for (int i = 0; i < count; i++)
        c.bytes_in += iov[i].iov_len;
    /* Waited first: since it came; that is known in milliseconds. */
    c.took_us = k->held_ms || answered_us < 0 ? (clock_mono_ms() - k->begun_ms) * 1000
                                              : answered_us;
    if (k->copy)
        c.request = (struct span){k->copy, k->copy_n};
    k->client->ended++;
    k->client->failed += is_error;
    if (seen_is_tool_call(k)) {
        count_tool(s, &c);
        if (k->failed_tool)
            seen_tool_failed(s, k->client, k->name);
    }
    if (s->events.ended)
        s->events.ended(s->ctx, &c);
}

void seen_fini(struct session *s)
{
    for (uint32_t i = 0; s->seen && i < s->seen->n; i++)
        free(s->seen->rows[i]);
    free(s->seen);
}

/* ---- for people ---- */

static void tell_tool(struct tool *t, tool_stats_fn fn, void *ctx)
{
    uint32_t n = t->count < TOOL_SAMPLES ? t->count : TOOL_SAMPLES;

    if (t->computed != t->count)
        seen_percentiles(t->us, n, t->p);
    t->computed = t->count;
    struct tool_stats st = {
        .name = t->name, .other = t->other, .calls = t->calls, .errors = t->errors,
        .tool_errors = t->tool_errors, .in_flight = t->in_flight,
        .bytes_in = t->bytes_in, .bytes_out = t->bytes_out,
        .timed = t->timed, .timed_us = t->timed_us,
        .p50_us = n ? t->p[0] : -1, .p95_us = n ? t->p[1] : -1, .p99_us = n ? t->p[2] : -1,
    };
    fn(ctx, &st);
}

static void count_in_flight(const struct session *s)
{
    for (const struct call *k = s->flight.head; k; k = k->next)
        if (k->client && seen_is_tool_call(k))
            row_of(s, k->name)->in_flight++;
}

void session_each_tool(struct session *s, tool_stats_fn fn, void *ctx)
{
    for (uint32_t i = 0; s->seen && i < s->seen->n; i++)
        s->seen->rows[i]->in_flight = 0;
    count_in_flight(s);
    for (const struct session *m = s->sharers; m; m = m->next_sharer)
        count_in_flight(m);
    for (uint32_t i = 0; s->seen && i < s->seen->n; i++)
        tell_tool(s->seen->rows[i], fn, ctx);
}

void session_each_own_client(const struct session *s, client_info_fn fn, void *ctx)
{
    for (const struct client *c = s->clients; c; c = c->next) {
        struct client_info info = {
            .label = c->label, .protocol = c->protocol, .calls = c->ended, .errors = c->failed,
            .tool_errors = c->failed_tools,
        };
        for (const struct call *k = c->calls; k; k = k->sibling_next)
            info.open++;
        fn(ctx, &info);
    }
}

void session_each_client(const struct session *s, client_info_fn fn, void *ctx)
{
    session_each_own_client(s, fn, ctx);
    for (const struct session *m = s->sharers; m; m = m->next_sharer)
        session_each_own_client(m, fn, ctx);
}
