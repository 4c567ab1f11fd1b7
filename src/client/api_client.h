/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who uses the API: the view and the verbs. Finds the supervisor's socket, starts one in the
 * background where none answers, asks, and follows the event stream (docs/api.md). */
#ifndef MCPTOP_CLIENT_API_CLIENT_H
#define MCPTOP_CLIENT_API_CLIENT_H

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include "base/fault.h"
#include "io/http_client.h"

/* Where things are, from --socket/--data-dir/--config, MCPTOP_SOCKET and the defaults
 * (client/paths.c). */
struct paths {
    char *data_dir; /* ~/.mcpproxy */
    char *socket;   /* DATA_DIR/mcptop.sock */
    char *config;   /* ./mcp_config.json where there is one; NULL = DATA_DIR/mcp_config.json */
    char *log_dir;  /* NULL: default */
    char *listen;   /* NULL: default */
};
/* Fills what is NULL: data_dir and socket always, config where ./mcp_config.json exists. */
int paths_resolve(struct paths *p, struct fault *f);
void paths_fini(struct paths *p);
const char *paths_home(void);                            /* the user's; NULL: there is none */
bool paths_data_dir_is_default(const struct paths *p);   /* ~/.mcpproxy */

/* Is a supervisor there? 0 = it answers on the socket. Otherwise -1: FAULT_NOT_FOUND = none runs.
 * Blocking, for at most 2 s; for the time before a loop runs. */
int supervisor_probe(const char *socket, struct fault *f);
/* Starts `mcptop serve` (this very binary, /proc/self/exe) under its warden in the background: own
 * session, no terminal, stdio to /dev/null, and waits until it answers or ended (its own error text
 * then comes back in f) for at most 10 s. Two at once are fine: the lock lets one win. */
int supervisor_start(const struct paths *p, struct fault *f);

struct api;
struct api *api_new(struct ev_loop *loop, const char *socket);
/* Running calls and streams end without events. Not from a callback of theirs. */
void api_free(struct api *a);
/* Of the calls sent from now on; 0 = 30 s, -1 = none. */
void api_set_timeout(struct api *a, int64_t total_ms);
struct http_client *api_get_http(struct api *a);     /* borrowed: for an upgrade on the same loop */

struct api_call;
/* data: the envelope's data (borrowed), or f with the API's own sentence: FAULT_INVALID (400),
 * FAULT_DENIED (401, 403), FAULT_NOT_FOUND (404), FAULT_CONFLICT (409), FAULT_TOO_BIG (413), else
 * FAULT_HTTP. Without an HTTP reply status is 0; ECONNREFUSED/ENOENT = no supervisor. */
typedef void (*api_reply_fn)(void *ctx, long status, json_t *data, const struct fault *f);
/* path with query, percent-encoded by the caller (api_path). body is stolen, may be NULL. Never
 * calls back before it returned. */
struct api_call *api_send(struct api *a, const char *method, const char *path, json_t *body,
                          api_reply_fn fn, void *ctx);
/* The same by POST, where the route tells of its progress: `said` gets the params of each
 * notification before the reply. */
typedef void (*api_progress_fn)(void *ctx, json_t *params);
struct api_call *api_send_watched(struct api *a, const char *path, json_t *body,
                                  api_progress_fn said, api_reply_fn fn, void *ctx);
void api_cancel(struct api_call *c);                 /* NULL is fine; not from its own callback */
/* "/api/v1/servers/%s/logs?tail=5" with name percent-encoded in the place of the (one) %s; caller
 * frees. */
char *api_path(const char *path, const char *name);

struct api_stream;
struct api_stream_events {
    /* One server-sent event; data is NUL-terminated. May close the stream. */
    void (*event)(void *ctx, const char *name, const char *data, size_t n);
    void (*end)(void *ctx, const struct fault *why); /* once; then it is closed */
};
struct api_stream *api_follow(struct api *a, const char *path,
                              const struct api_stream_events *events, void *ctx);
void api_stream_close(struct api_stream *s);

/* Blocking form for verbs: runs its own loop until the answer. *ret_data is a new reference. */
int api_ask(const char *socket, const char *method, const char *path, json_t *body /* stolen */,
            json_t **ret_data, long *ret_status, struct fault *f);
int api_ask_within(const char *socket, const char *method, const char *path, json_t *body,
                   int64_t timeout_ms, json_t **ret_data, long *ret_status, struct fault *f);

#endif
