/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One container engine, as a value: the Docker Engine API (v1.41, Docker 20.10 and Podman 4 on; the
 * version is negotiated down to what the engine offers) over its unix socket. Every call is
 * asynchronous: the callback comes exactly once, never before the call returned, unless the request
 * is cancelled by engine_cancel or engine_free.
 *
 * Faults: FAULT_ENGINE_DOWN when nobody answers (text names the socket and why: no such file,
 * permission denied, connection refused, and what to do), FAULT_NOT_FOUND for 404, FAULT_CONFLICT
 * for 409, FAULT_HTTP for other error statuses, with the engine's own sentence.
 *
 * Up or down: the engine keeps one /events stream open; while that cannot be opened it is tried
 * again with back-off (0.5 … 10 s), for ever; a change of the socket's file is followed at once. A
 * stream that ends is opened again from where it ended, so an engine that only closed the
 * connection is never seen as down and no event is lost or told twice. A request that finds nobody,
 * or no answer in time, makes the engine look at once.
 *
 * engine_free is allowed in every callback but `event` and the progress of a pull; the http_client
 * must outlive the engine and its streams. */
#ifndef MCPTOP_DOCKER_ENGINE_H
#define MCPTOP_DOCKER_ENGINE_H

#include <ev.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/fault.h"
#include "docker/context.h"
#include "docker/events.h"
#include "docker/pull.h"
#include "io/http_client.h"
#include "io/stream.h"

struct engine;
struct engine_request;

enum engine_state { ENGINE_UNKNOWN, ENGINE_UP, ENGINE_DOWN };

struct engine_events {
    /* it, or why it is down, changed */
    void (*state)(void *ctx, enum engine_state s, const struct fault *why);
    void (*event)(void *ctx, const struct engine_event *e);
};

/* Starts connecting at once. ctx_value is copied. */
struct engine *engine_new(struct ev_loop *loop, struct http_client *http,
                          const struct docker_context *context, const struct engine_events *events,
                          void *ctx);
void engine_free(struct engine *e);
enum engine_state engine_get_state(const struct engine *e);
const char *engine_get_version(const struct engine *e);       /* "20.10.24"; "" while unknown */
bool engine_is_podman(const struct engine *e);                /* false while unknown */
const char *engine_get_error(const struct engine *e);         /* why it is down; "" */
int64_t engine_get_state_since_ms(const struct engine *e);    /* wall clock */
const struct docker_context *engine_get_context(const struct engine *e);
void engine_retry_now(struct engine *e);
/* Whether it takes a new connection at this moment, found out without waiting: one that shuts down
 * takes none while it still ends its containers and tells of that. -1: f says why; and what the
 * state says is looked at again. */
int engine_look(struct engine *e, struct fault *f);
/* Asks whether it still answers, though nothing says that it does not: the state follows within
 * 5 s, or engine_get_answered_ms (monotonic; 0 = never) moves. */
void engine_check(struct engine *e);
int64_t engine_get_answered_ms(const struct engine *e);

/* reply: the parsed JSON body (borrowed; NULL when empty, or when there was nothing to do: starting
 * what runs, stopping what does not), or f. */
typedef void (*engine_reply_fn)(void *ctx, json_t *reply, const struct fault *f);
void engine_cancel(struct engine_request *r);                 /* NULL is fine */

/* Creating, starting and attaching take as long as the engine takes: who asks bounds that, by
 * engine_cancel. An engine may carry out what it was asked even then.
 * create: reply.Id; body is stolen. platform ("linux/arm64"): NULL = the engine's. */
struct engine_request *engine_create(struct engine *e, const char *name, const char *platform,
                                     json_t *body, engine_reply_fn fn, void *ctx);
struct engine_request *engine_start(struct engine *e, const char *id, engine_reply_fn fn,
                                    void *ctx);
struct engine_request *engine_inspect(struct engine *e, const char *id, engine_reply_fn fn,
                                      void *ctx);
/* SIGTERM (or the image's STOPSIGNAL), then SIGKILL by the engine after grace_s seconds. */
struct engine_request *engine_stop(struct engine *e, const char *id, int grace_s,
                                   engine_reply_fn fn, void *ctx);
struct engine_request *engine_kill(struct engine *e, const char *id, const char *signal,
                                   engine_reply_fn fn, void *ctx);
struct engine_request *engine_remove(struct engine *e, const char *id, bool force,
                                     engine_reply_fn fn, void *ctx);
/* body is stolen. Send memory and memory-swap together: the engine refuses a memory above the old
 * memory-swap. */
struct engine_request *engine_update(struct engine *e, const char *id, json_t *body,
                                     engine_reply_fn fn, void *ctx);
/* All containers, running or not, with label com.mcpproxy.managed=true (any instance). */
struct engine_request *engine_list(struct engine *e, engine_reply_fn fn, void *ctx);
/* Running ones of everybody. */
struct engine_request *engine_list_running(struct engine *e, engine_reply_fn fn, void *ctx);
struct engine_request *engine_image_inspect(struct engine *e, const char *image,
                                            engine_reply_fn fn, void *ctx);
/* All images that are here: an array of {RepoTags: ["python:3.11", …], …}. */
struct engine_request *engine_images(struct engine *e, engine_reply_fn fn, void *ctx);
/* Read the reply with engine_stats_read (stats.h). */
struct engine_request *engine_stats_once(struct engine *e, const char *id, engine_reply_fn fn,
                                         void *ctx);
struct engine_request *engine_info(struct engine *e, engine_reply_fn fn, void *ctx);
/* HEAD …/archive?path=: does this path exist in the (created, maybe never started) container? reply
 * NULL with f NULL = yes; FAULT_NOT_FOUND = no. */
struct engine_request *engine_path_exists(struct engine *e, const char *id, const char *path,
                                          engine_reply_fn fn, void *ctx);

/* Pull (POST /images/create); a name without tag or digest means :latest. auth: the value of
 * X-Registry-Auth (credentials.h); NULL or "" = none. progress (may be NULL): with every line
 * that changed it. The end comes through fn; the engine's refusal is f's text, and its
 * code is pull_classify's. A cancelled request ends the pull in the engine too. */
typedef void (*engine_pull_fn)(void *ctx, const struct pull_progress *p);
struct engine_request *engine_pull(struct engine *e, const char *image, const char *platform,
                                   const char *auth, engine_pull_fn progress, engine_reply_fn fn,
                                   void *ctx);

/* Attach (stdin, stdout, stderr) to a created container, before it is started. The stream is usable
 * when `open` came; a refusal comes as stream `end` with why. Never NULL. The stream's owner frees
 * it with stream_free, also inside `open`. A pause takes effect behind what was read already (at
 * most 64 KiB). Ends orderly when the container's outputs did. */
struct stream *engine_attach(struct engine *e, const char *id, const struct stream_events *events,
                             void (*open)(void *ctx), void *ctx);

#endif
