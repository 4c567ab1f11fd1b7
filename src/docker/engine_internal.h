/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the files of docker/ share about one engine: engine.c (connection, requests), engine_calls.c
 * (the simple calls), attach.c, pull.c, stats.c. */
#ifndef MCPTOP_DOCKER_ENGINE_INTERNAL_H
#define MCPTOP_DOCKER_ENGINE_INTERNAL_H

#include "base/buf.h"
#include "docker/engine.h"

struct engine_call {
    const char *method;
    const char *path;           /* behind the version: "/containers/json?all=1" */
    /* Podman's own API: the version stands in the path, and an answer may be no JSON, which counts
     * as an empty one. */
    bool libpod;
    json_t *body;               /* stolen; NULL = none */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL = none */
    int64_t timeout_ms;         /* 0 = 30 s */
};
struct engine_request *engine_call(struct engine *e, const struct engine_call *call,
                                   engine_reply_fn fn, void *ctx);

/* A request whose reply comes as lines of JSON. line may engine_cancel the request. verdict sees
 * the fault of the connection or of the status (code 0 = none) and may set or refine it by what the
 * lines told. state is owned: free_state ends it. */
struct engine_line_ops {
    void (*line)(void *state, const char *p, size_t n);
    void (*verdict)(const void *state, struct fault *f);
    void (*free_state)(void *state);
};
/* call->timeout_ms is the longest silence here, not the longest time. */
struct engine_request *engine_call_lines(struct engine *e, const struct engine_call *call,
                                         const struct engine_line_ops *ops, void *state,
                                         engine_reply_fn fn, void *ctx);

struct http_client *engine_get_http(const struct engine *e);
/* "/v1.41", or "" while the version is unknown */
const char *engine_get_prefix(const struct engine *e);

/* Appends before + id, percent-encoded as one path segment or query value, + after. */
void engine_add_path(struct buf *out, const char *before, const char *id, const char *after);
/* What went wrong with the connection, for a user of this engine. Always -1. */
int engine_fault_connection(const struct docker_context *c, const struct fault *http,
                            struct fault *f);
/* An error status with the engine's own sentence from body. Always -1. */
int engine_fault_status(long status, const char *body, size_t len, struct fault *f);

#endif
