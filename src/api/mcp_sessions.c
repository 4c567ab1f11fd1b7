/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sessions of the legacy era: their ids, their table, their end. An id proves itself (mcp_http.h),
 * and says what a session has to know that is made again after a restart: what its client can be
 * asked for, and the version it was answered with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/api_internal.h"
#include "api/mcp_http_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "config/file.h"

enum { STREAM_KEPT_MS = 60000 };    /* of an answered call, and of one that nobody reads */

/* ---- session ids ---- */

static void id_check(const struct mcp_http *m, const char *id, char out[17])
{
    snprintf(out, 17, "%016llx", (unsigned long long)siphash24(m->key, id, ID_RANDOM));
}

/* said: of the client's initialize. */
static void id_make(const struct mcp_http *m, unsigned said, char out[ID_LEN + 1])
{
    unsigned char bytes[ID_RANDOM / 2];

    while (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        ;
    bytes[0] = (unsigned char)said;
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    id_check(m, out, out + ID_RANDOM);
}

static unsigned id_said(const char *id)
{
    char digits[3] = {id[0], id[1], '\0'};

    return (unsigned)strtoul(digits, NULL, 16);
}

static bool id_is_ended(const struct mcp_http *m, const char *id)
{
    for (size_t i = 0; i < REMEMBERED_ENDS; i++)
        if (strcmp(m->ended[i], id) == 0)
            return true;
    return false;
}

static bool id_is_ours(const struct mcp_http *m, const char *id)
{
    char check[17];

    if (strlen(id) != ID_LEN)
        return false;
    id_check(m, id, check);
    return memcmp(check, id + ID_RANDOM, 16) == 0 && !id_is_ended(m, id);
}

/* ---- ids that were ended ---- */

/* NULL: nothing is kept. Caller frees. */
static char *ended_path(const struct mcp_http *m)
{
    const char *dir = m->api->cfg.data_dir;

    return *dir ? xasprintf("%s/ended_sessions", dir) : NULL;
}

static void remember_end(struct mcp_http *m, const char *id)
{
    snprintf(m->ended[m->ended_next++ % REMEMBERED_ENDS], ID_LEN + 1, "%s", id);
}

/* For the next supervisor: an id proves itself to it, too. */
static void keep_ends(const struct mcp_http *m)
{
    AUTO_FREE char *path = ended_path(m);
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;

    for (size_t i = 0; i < REMEMBERED_ENDS; i++) {
        const char *id = m->ended[(m->ended_next + i) % REMEMBERED_ENDS];
        if (*id)
            buf_printf(&text, "%s\n", id);
    }
    if (path && file_put(path, &text, &f) < 0)
        log_warn("mcp", "sessions that were ended are forgotten at the next start: %s", f.text);
}

void http_sessions_restore(struct mcp_http *m)
{
    AUTO_FREE char *path = ended_path(m);
    AUTO_BUF struct buf text = BUF_INIT;

    if (!path || file_read(path, &text, NULL, NULL) < 0)
        return;
    for (size_t at = 0; at + ID_LEN < text.len; at += ID_LEN + 1) {
        AUTO_FREE char *id = xstrndup(text.data + at, ID_LEN);
        if (text.data[at + ID_LEN] != '\n' || strlen(id) != ID_LEN)
            return;
        remember_end(m, id);
    }
}

/* ---- the table ---- */

static struct http_session **slot(struct mcp_http *m, const char *id)
{
    enum { ENOUGH = 16 };       /* of what is random */
    unsigned h = 0;

    for (const char *p = id; *p && p < id + ENOUGH; p++)
        h = h * 31 + (unsigned char)*p;
    struct http_session **at = &m->bucket[h % SESSION_BUCKETS];
    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    return at;
}

static void take_out(struct http_session *hs)
{
    struct http_session **at = slot(hs->m, hs->id);

    if (!hs->id[0])
        return;
    *at = hs->next;
    hs->m->count--;
}

void http_session_close(struct http_session *hs)
{
    take_out(hs);
    hs->id[0] = 'x';        /* its last request must not close it again */
    while (hs->waits) {
        struct waiting *w = hs->waits;
        if (w->request)
            mcp_http_refuse(w->request, 404, -32001,
                            "this session was ended while the call was running");
        waiting_end(w);
    }
    while (hs->streams) {
        struct mcp_stream *st = hs->streams;
        hs->streams = st->next;
        mcp_stream_free(st);
    }
    client_close(hs->client);
    aggregate_close(hs->aggregate);
    free(hs->server);
    free(hs);
}

static void on_gone(void *ctx)
{
    struct http_session *hs = ctx;

    hs->client = NULL;      /* closed by the session that went */
    http_session_close(hs);
}

static bool in_use(const struct http_session *hs)
{
    return hs->waits || (hs->own && hs->own->http);
}

static void evict_oldest(struct mcp_http *m)
{
    struct http_session *oldest = NULL;

    for (size_t i = 0; i < SESSION_BUCKETS; i++)
        for (struct http_session *hs = m->bucket[i]; hs; hs = hs->next)
            if (!in_use(hs) && (!oldest || hs->used_ms < oldest->used_ms))
                oldest = hs;
    if (oldest)
        http_session_close(oldest);
}

static void put_in(struct http_session *hs)
{
    if (hs->m->count >= SESSIONS_MAX)
        evict_oldest(hs->m);
    *slot(hs->m, hs->id) = hs;
    hs->m->count++;
}

struct http_session *http_session_begin(struct mcp_http *m, struct server *s)
{
    static const struct client_events events = {.message = mcp_http_on_message, .gone = on_gone};
    struct http_session *hs = xcalloc(1, sizeof *hs);

    hs->m = m;
    hs->server = xstrdup(s ? s->name : "");
    hs->used_ms = clock_mono_ms();
    if (s)
        hs->client = client_open(server_seat(s, SEAT_UNTIL_IDLE), "http", &events, hs);
    else
        hs->aggregate = aggregate_open(m->api->names, SEAT_UNTIL_IDLE, &events, hs);
    return hs;
}

static unsigned version_of(const struct http_session *hs)
{
    return hs->aggregate ? aggregate_get_version(hs->aggregate) : client_get_version(hs->client);
}

void http_session_name(struct http_session *hs)
{
    if (hs->id[0])
        return;
    unsigned said = version_of(hs) << 4 | (hs->aggregate ? aggregate_get_features(hs->aggregate)
                                                         : client_get_features(hs->client));
    id_make(hs->m, said, hs->id);
    put_in(hs);
}

static struct http_session *open_again(struct mcp_http *m, struct server *s, const char *id)
{
    struct http_session *hs = http_session_begin(m, s);
    unsigned said = id_said(id);

    snprintf(hs->id, sizeof hs->id, "%s", id);
    if (s)
        client_restore(hs->client, said >> 4, said & 15);
    else
        aggregate_restore(hs->aggregate, said >> 4, said & 15);
    put_in(hs);
    return hs;
}

struct http_session *http_session_of(struct mcp_http *m, struct request *r, struct server *s)
{
    const char *id = request_get_header(r, "Mcp-Session-Id");

    if (!id) {
        mcp_http_refuse(
            r, 400, -32600,
            "no Mcp-Session-Id header: send initialize first and use the id its answer carries");
        return NULL;
    }
    /* An open session proves its id; the check and the list of ended ones are for those that are
     * made again. */
    struct http_session *hs = *slot(m, id);
    if (!hs && !id_is_ours(m, id)) {
        mcp_http_refuse(r, 404, -32001, "this session has ended: send initialize again");
        return NULL;
    }
    if (hs && strcmp(hs->server, s ? s->name : "") != 0) {
        mcp_http_refuse(r, 404, -32001, "this session belongs to /mcp%s%s: send initialize here",
                        *hs->server ? "/" : "", hs->server);
        return NULL;
    }
    if (!hs)
        hs = open_again(m, s, id);
    hs->used_ms = clock_coarse_ms();
    return hs;
}

void http_session_delete(struct mcp_http *m, struct request *r)
{
    const char *id = request_get_header(r, "Mcp-Session-Id");

    if (!id || !id_is_ours(m, id)) {
        mcp_http_refuse(r, id ? 404 : 400, id ? -32001 : -32600, "%s",
                        id ? "there is no such session" : "no Mcp-Session-Id header");
        return;
    }
    struct http_session *hs = *slot(m, id);
    remember_end(m, id);
    keep_ends(m);
    if (hs)
        http_session_close(hs);
    request_reply(r, 200, NULL, NULL, NULL, 0);
}

/* ---- streams ---- */

static void drop_stream(struct http_session *hs, struct mcp_stream **at)
{
    struct mcp_stream *st = *at;

    *at = st->next;
    if (hs->own == st)
        hs->own = NULL;
    mcp_stream_free(st);
}

/* Those of answered calls, the oldest first, are let go beyond a number. */
static void bound_streams(struct http_session *hs)
{
    unsigned n = 0;

    for (struct mcp_stream **at = &hs->streams; *at;) {
        if ((*at)->ended && ++n > SESSION_STREAMS_MAX)
            drop_stream(hs, at);
        else
            at = &(*at)->next;
    }
}

struct mcp_stream *http_session_stream(struct http_session *hs, struct span call)
{
    bool primes = version_of(hs) >= 3;     /* 2025-11-25 */
    struct mcp_stream *st = mcp_stream_new(hs->m->life, ++hs->stream_count, call, primes);

    bound_streams(hs);
    st->next = hs->streams;
    hs->streams = st;
    return st;
}

void http_session_sweep(struct http_session *hs, int64_t now_ms)
{
    for (struct mcp_stream **at = &hs->streams; *at;) {
        if ((*at)->ended && now_ms - (*at)->idle_ms > STREAM_KEPT_MS)
            drop_stream(hs, at);
        else
            at = &(*at)->next;
    }
}
