/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One line, one message. Each connection is a client of the server's session; replies and
 * notifications share its output queue. A client that does not read is not read from either once
 * QUEUE_HIGH is unsent, and cut at QUEUE_CAP: it can never hold up the server or the other clients.
 */
#include "api/mcp_stdio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "api/mcp_aggregate.h"
#include "api/reply.h"
#include "base/buf.h"
#include "base/large.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/outq.h"
#include "mcp/frame.h"
#include "mcp/session.h"

enum {
    QUEUE_HIGH = 1 << 20,
    QUEUE_CAP = 128 << 20,
    READ_CHUNK = 64 * 1024,
};

struct pending {                   /* one request of the connection */
    struct connection *c;
    struct call *call;
    bool begun, answered;
    bool subscription;             /* it has no end of its own */
    struct pending *next, *prev;
};

struct connection {
    struct mcp_stdio *m;
    char *server;
    struct upgraded *upgraded;
    ev_io readable;
    struct outq out;
    struct frame in;
    struct large *large;           /* what is known of the message that comes in */
    struct client *client;         /* or, of all servers: */
    struct aggregate *aggregate;
    struct pending *pendings;
    bool input_ended;
    bool dead; /* to be freed at the end of this turn, not inside its own callbacks */
    struct connection *next, *prev;
};

struct mcp_stdio {
    struct api_server *api;
    struct connection *first;
    ev_prepare sweep;              /* frees the dead */
    bool any_dead;
};

static void connection_free(struct connection *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        c->m->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    client_close(c->client);
    aggregate_close(c->aggregate);
    for (struct pending *p = c->pendings, *next; p; p = next) {
        next = p->next;
        free(p);
    }
    if (c->upgraded) {
        ev_io_stop(c->m->api->loop, &c->readable);
        outq_fini(&c->out);
        upgraded_close(c->upgraded);
    }
    frame_fini(&c->in);
    large_leave(&c->large);
    free(c->server);
    free(c);
}

static void connection_end(struct connection *c)
{
    if (c->dead)
        return;
    c->dead = c->m->any_dead = true;
    ev_io_stop(c->m->api->loop, &c->readable);
}

/* All that was asked is answered and written, and nothing more will be asked. */
static void end_if_done(struct connection *c)
{
    if (!c->input_ended || outq_queued(&c->out) > 0)
        return;
    for (const struct pending *p = c->pendings; p; p = p->next)
        if (!p->subscription)
            return;
    connection_end(c);
}

static void on_sweep(struct ev_loop *loop, ev_prepare *w, int revents)
{
    struct mcp_stdio *m = w->data;

    (void)loop, (void)revents;
    if (!m->any_dead)
        return;
    m->any_dead = false;
    for (struct connection *c = m->first, *next; c; c = next) {
        next = c->next;
        if (c->dead)
            connection_free(c);
    }
}

/* ---- to the client ---- */

static void pause_reading(struct connection *c, bool pause)
{
    if (pause || c->dead || c->input_ended)
        ev_io_stop(c->m->api->loop, &c->readable);
    else
        ev_io_start(c->m->api->loop, &c->readable);
}

static void send_line(struct connection *c, const struct iovec *iov, int count)
{
    struct iovec all[ENVELOPE_IOV + 1];
    struct fault f = FAULT_NONE;

    if (c->dead)
        return;
    memcpy(all, iov, (size_t)count * sizeof *iov);
    all[count] = (struct iovec){(char[]){"\n"}, 1};
    if (outq_writev(&c->out, all, count + 1, &f) < 0) {
        log_info("mcp", "client %s of %s is gone: %s",
                 c->client ? client_get_label(c->client) : "stdio", c->server ? c->server : "all",
                 f.text);
        connection_end(c);
    } else if (outq_queued(&c->out) > QUEUE_HIGH) {
        pause_reading(c, true);
    }
}

static void on_out_drained(void *ctx, struct outq *q)
{
    (void)q;
    pause_reading(ctx, false);
    end_if_done(ctx);
}

static void on_out_broken(void *ctx, struct outq *q)
{
    (void)q;
    connection_end(ctx);
}

static bool on_message(void *ctx, void *call_ctx, const char *msg, size_t n, bool asks)
{
    struct connection *c = ctx;

    (void)call_ctx, (void)asks;
    send_line(c, &(struct iovec){(void *)(uintptr_t)msg, n}, 1);
    return !c->dead;
}

static void on_gone(void *ctx)
{
    struct connection *c = ctx;

    c->client = NULL;
    connection_end(c);
}

static void pending_free(struct pending *p)
{
    if (p->next)
        p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        p->c->pendings = p->next;
    free(p);
}

static void on_reply(void *ctx, const struct iovec *iov, int count, bool is_error)
{
    struct pending *p = ctx;
    struct connection *c = p->c;

    (void)is_error;
    send_line(c, iov, count);
    p->answered = true;
    if (p->begun) {
        pending_free(p);
        end_if_done(c);
    }
}

/* ---- from the client ---- */

/* id: of the request, if it was found; without it the client would wait for ever. */
static void refuse(struct connection *c, struct span id, int code, const char *text)
{
    AUTO_BUF struct buf b = BUF_INIT;

    envelope_error(&b, id, code, text);
    send_line(c, &(struct iovec){b.data, b.len}, 1);
}

static void take_message(struct connection *c, const char *p, size_t n)
{
    struct envelope e;
    struct fault f = FAULT_NONE;

    if (envelope_scan(p, n, &e, &f) < 0) {
        refuse(c, e.id, -32700, f.text);
        return;
    }
    if (e.kind != ENVELOPE_REQUEST) {
        if (c->aggregate)
            aggregate_send(c->aggregate, &e, NULL, NULL);
        else
            client_send(c->client, &e, NULL, NULL);
        return;
    }
    struct pending *k = xcalloc(1, sizeof *k);
    k->c = c;
    k->subscription = span_is(e.method, "subscriptions/listen");
    k->next = c->pendings;
    if (k->next)
        k->next->prev = k;
    c->pendings = k;
    if (c->aggregate)
        aggregate_send(c->aggregate, &e, on_reply, k);
    else
        k->call = client_send(c->client, &e, on_reply, k);
    k->begun = true;
    if (k->answered)
        pending_free(k);
}

/* Its request fails, and the connection goes on. */
static void refuse_oversize(struct connection *c, const struct frame_item *item)
{
    bool has_method;
    struct span id = envelope_guess_id(item->p, item->n, item->tail, item->tail_n, &has_method);
    AUTO_FREE char *why = xasprintf("a message of %llu bytes, over the limit of %zu bytes "
                                    "(max_message_size)", (unsigned long long)item->total,
                                    c->in.max_bytes);

    refuse(c, id, -32600, why);
}

/* No message begins so. */
static void refuse_stray(struct connection *c, const struct frame_item *item)
{
    struct envelope e;
    struct fault f = FAULT_NONE;

    if (!(item->flags & LINE_CONT) && envelope_scan(item->p, item->n, &e, &f) < 0)
        refuse(c, (struct span){0}, -32700, f.text);
}

static void take_item(struct connection *c, const struct frame_item *item)
{
    bool listens = !c->dead && (c->client || c->aggregate);

    large_enter(item->kind == FRAME_MESSAGE ? c->large : NULL, &c->in.held);
    if (listens && item->kind == FRAME_MESSAGE)
        take_message(c, item->p, item->n);
    else if (listens && item->kind == FRAME_OVERSIZE)
        refuse_oversize(c, item);
    else if (listens && item->kind == FRAME_STRAY)
        refuse_stray(c, item);
    if (item->kind != FRAME_NONE)
        large_leave(&c->large);
}

static void take_bytes(struct connection *c, const char *p, size_t n)
{
    struct frame_item item;

    c->in.max_bytes = fleet_get_max_message(c->m->api->fleet);
    while (n > 0) {
        size_t used = frame_next(&c->in, p, n, &item);
        p += used;
        n -= used;
        take_item(c, &item);
        if (c->in.state == FRAME_IN_MESSAGE)
            large_look(&c->large, c->in.held.data, c->in.held.len);
    }
    frame_relax(&c->in);
}

static void take_end(struct connection *c)
{
    struct frame_item item;

    frame_end(&c->in, &item);
    take_item(c, &item);
    frame_relax(&c->in);
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
    struct connection *c = w->data;
    char chunk[READ_CHUNK];
    ssize_t n = read(w->fd, chunk, sizeof chunk);

    (void)loop, (void)revents;
    if (n > 0) {
        take_bytes(c, chunk, (size_t)n);
    } else if (n == 0) {
        take_end(c);
        c->input_ended = true;
        pause_reading(c, true);
        end_if_done(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        connection_end(c);
    }
}

static void on_open(void *ctx, struct upgraded *u, int fd, const char *extra, size_t n)
{
    struct connection *c = ctx;
    struct server *s = c->server ? fleet_find(c->m->api->fleet, c->server) : NULL;
    static const struct client_events events = {.message = on_message, .gone = on_gone};

    if (!u || (c->server && !s)) { /* the client, or the server's entry, went in between */
        if (u)
            upgraded_close(u);
        connection_free(c);
        return;
    }
    c->upgraded = u;
    outq_init(&c->out, c->m->api->loop, fd, QUEUE_CAP, on_out_drained, on_out_broken, c);
    ev_io_init(&c->readable, on_readable, fd, EV_READ);
    c->readable.data = c;
    ev_io_start(c->m->api->loop, &c->readable);
    if (s)
        c->client = client_open(server_seat(s, SEAT_UNTIL_CLOSED), "stdio", &events, c);
    else
        c->aggregate = aggregate_open(c->m->api->names, SEAT_UNTIL_CLOSED, &events, c);
    take_bytes(c, extra, n);
}

void mcp_stdio_handle(struct mcp_stdio *m, struct request *r, const char *server)
{
    const char *upgrade = request_get_header(r, "Upgrade");

    if (request_get_via(r) != VIA_UNIX) {
        reply_error(r, 403, "the stdio stream is served on the unix socket only: use POST /mcp/%s",
                    server ? server : "");
        return;
    }
    if (server && !fleet_find(m->api->fleet, server)) {
        reply_no_server(r, m->api->fleet, server);
        return;
    }
    if (!upgrade || strcmp(upgrade, "mcp-stdio") != 0) {
        reply_error(r, 400, "this path needs the header Upgrade: mcp-stdio");
        return;
    }
    struct connection *c = xcalloc(1, sizeof *c);
    c->m = m;
    c->server = xstrdup(server);      /* NULL: all */
    frame_init(&c->in, 0);
    c->next = m->first;
    if (c->next)
        c->next->prev = c;
    m->first = c;
    request_upgrade(r, "mcp-stdio", on_open, c);
}

struct mcp_stdio *mcp_stdio_new(struct api_server *a)
{
    struct mcp_stdio *m = xcalloc(1, sizeof *m);

    m->api = a;
    ev_prepare_init(&m->sweep, on_sweep);
    m->sweep.data = m;
    ev_prepare_start(a->loop, &m->sweep);
    return m;
}

void mcp_stdio_end(struct mcp_stdio *m)
{
    for (struct connection *c = m->first, *next; c; c = next) {
        next = c->next;
        if (c->upgraded)
            connection_free(c);
    }
}

void mcp_stdio_free(struct mcp_stdio *m)
{
    if (!m)
        return;
    while (m->first)
        connection_free(m->first);
    ev_prepare_stop(m->api->loop, &m->sweep);
    free(m);
}
