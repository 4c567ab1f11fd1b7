/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Engine API's simple calls: a method, a path, maybe a body. One function each, so that the
 * paths stand in one place. It knows nothing of connections: engine.c carries them out. */
#include "docker/engine_internal.h"

#include <stdio.h>

#include "base/mem.h"

enum {
    SLOW_MS = 120 * 1000,       /* the engine mounts, makes networks, waits for its disk */
    NO_LIMIT = -1,
};

/* BEFORE id AFTER with no body: the shape of most calls. */
static struct engine_request *call_on(struct engine *e, const char *method, const char *before,
                                      const char *id, const char *after, int64_t timeout_ms,
                                      engine_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf path = BUF_INIT;
    engine_add_path(&path, before, id, after);
    struct engine_call call = {.method = method, .path = buf_str(&path), .timeout_ms = timeout_ms};
    return engine_call(e, &call, fn, ctx);
}

struct engine_request *engine_create(struct engine *e, const char *name, const char *platform,
                                     json_t *body, engine_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf path = BUF_INIT;
    engine_add_path(&path, "/containers/create?name=", name, "");
    if (platform)
        engine_add_path(&path, "&platform=", platform, "");
    struct engine_call call = {
        .method = "POST", .path = buf_str(&path), .body = body, .timeout_ms = NO_LIMIT,
    };
    return engine_call(e, &call, fn, ctx);
}

struct engine_request *engine_start(struct engine *e, const char *id, engine_reply_fn fn, void *ctx)
{
    return call_on(e, "POST", "/containers/", id, "/start", NO_LIMIT, fn, ctx);
}

struct engine_request *engine_inspect(struct engine *e, const char *id, engine_reply_fn fn,
                                      void *ctx)
{
    return call_on(e, "GET", "/containers/", id, "/json", 0, fn, ctx);
}

struct engine_request *engine_stop(struct engine *e, const char *id, int grace_s,
                                   engine_reply_fn fn, void *ctx)
{
    char after[32];
    snprintf(after, sizeof(after), "/stop?t=%d", grace_s);
    return call_on(e, "POST", "/containers/", id, after, SLOW_MS + grace_s * 1000LL, fn, ctx);
}

struct engine_request *engine_kill(struct engine *e, const char *id, const char *signal,
                                   engine_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf path = BUF_INIT;
    engine_add_path(&path, "/containers/", id, "/kill?signal=");
    engine_add_path(&path, "", signal, "");
    return engine_call(e, &(struct engine_call){.method = "POST", .path = buf_str(&path)}, fn, ctx);
}

/* v=true: the anonymous volumes that the image declares go with it. */
struct engine_request *engine_remove(struct engine *e, const char *id, bool force,
                                     engine_reply_fn fn, void *ctx)
{
    return call_on(e, "DELETE", "/containers/", id, force ? "?v=true&force=true" : "?v=true",
                   SLOW_MS, fn, ctx);
}

/* The Engine API's body of an update as Podman's own API has it: the resources of an OCI runtime
 * (Podman 4.3 on). */
static json_t *podman_resources(json_t *body)
{
    enum { PERIOD_US = 100000 };
    json_t *to = json_object(), *memory = json_object();
    json_t *limit = json_object_get(body, "Memory"), *swap = json_object_get(body, "MemorySwap");
    json_t *pids = json_object_get(body, "PidsLimit");
    json_int_t nano_cpus = json_integer_value(json_object_get(body, "NanoCpus"));
    if (limit)
        json_object_set(memory, "limit", limit);
    if (swap)
        json_object_set(memory, "swap", swap);
    json_object_set_new(to, "memory", memory);
    if (nano_cpus)
        json_object_set_new(to, "cpu",
                            json_pack("{s:I, s:I}", "quota", nano_cpus / 1000 * PERIOD_US / 1000000,
                                      "period", (json_int_t)PERIOD_US));
    if (pids)
        json_object_set_new(to, "pids", json_pack("{s:O}", "limit", pids));
    json_decref(body);
    return to;
}

/* Podman's copy of the Engine API has no update. */
struct engine_request *engine_update(struct engine *e, const char *id, json_t *body,
                                     engine_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf path = BUF_INIT;
    bool podman = engine_is_podman(e);
    engine_add_path(&path, podman ? "/v4.0.0/libpod/containers/" : "/containers/", id, "/update");
    struct engine_call call = {.method = "POST", .path = buf_str(&path), .libpod = podman,
                               .body = podman ? podman_resources(body) : body};
    return engine_call(e, &call, fn, ctx);
}

struct engine_request *engine_list(struct engine *e, engine_reply_fn fn, void *ctx)
{
    return call_on(e, "GET", "/containers/json?all=true&filters=",
                   "{\"label\":[\"com.mcpproxy.managed=true\"]}", "", 0, fn, ctx);
}

struct engine_request *engine_list_running(struct engine *e, engine_reply_fn fn, void *ctx)
{
    return engine_call(e, &(struct engine_call){.method = "GET", .path = "/containers/json"}, fn,
                       ctx);
}

struct engine_request *engine_image_inspect(struct engine *e, const char *image, engine_reply_fn fn,
                                            void *ctx)
{
    return call_on(e, "GET", "/images/", image, "/json", 0, fn, ctx);
}

struct engine_request *engine_images(struct engine *e, engine_reply_fn fn, void *ctx)
{
    return engine_call(e, &(struct engine_call){.method = "GET", .path = "/images/json"}, fn, ctx);
}

struct engine_request *engine_info(struct engine *e, engine_reply_fn fn, void *ctx)
{
    return engine_call(e, &(struct engine_call){.method = "GET", .path = "/info"}, fn, ctx);
}

struct engine_request *engine_path_exists(struct engine *e, const char *id, const char *path,
                                          engine_reply_fn fn, void *ctx)
{
    AUTO_BUF struct buf full = BUF_INIT;
    engine_add_path(&full, "/containers/", id, "/archive?path=");
    engine_add_path(&full, "", path, "");
    return engine_call(e, &(struct engine_call){.method = "HEAD", .path = buf_str(&full)}, fn, ctx);
}
