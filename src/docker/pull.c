/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pulls an image and makes one line of what the engine says about many layers. The engine answers
 * 200 before it knows whether it will succeed: a failure can come as a status or as a line.
 *
 * It knows no server; who wants the image and how long he waits is the supervisor's. */
#include "docker/pull.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "docker/engine_internal.h"

/* a layer that another pull fetches gives no sign of life */
enum { SILENCE_MS = 10 * 60 * 1000 };

struct pull_reading {
    struct pull_progress progress;
    engine_pull_fn fn;
    void *ctx;
};

/* ---- reading ---- */

static struct pull_layer *layer_find(struct pull_progress *p, const char *id, bool make)
{
    for (int i = 0; i < p->count; i++)
        if (!strcmp(p->layers[i].id, id))
            return &p->layers[i];
    if (!make || p->count == PULL_MAX_LAYERS)
        return NULL;
    struct pull_layer *layer = &p->layers[p->count++];
    *layer = (struct pull_layer){0};
    snprintf(layer->id, sizeof(layer->id), "%s", id);
    return layer;
}

static bool is_one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(s, *words))
            return true;
    return false;
}

/* Bounded, so that no sum over all layers overflows. */
static int64_t bytes_of(const json_t *detail, const char *key)
{
    const int64_t most = INT64_MAX / PULL_MAX_LAYERS;
    int64_t n = json_integer_value(json_object_get(detail, key));
    return n < 0 ? 0 : n < most ? n : most;
}

static bool layer_update(struct pull_progress *p, const char *id, const char *status,
                         const json_t *detail)
{
    static const char *const begins[] = {"Pulling fs layer", "Waiting", "Downloading",
                                         "Already exists", NULL};
    static const char *const complete[] = {"Pull complete", "Already exists", NULL};
    static const char *const fetched[] = {"Download complete", "Verifying Checksum", "Extracting",
                                          "Pull complete", NULL};
    struct pull_layer *layer = layer_find(p, id, is_one_of(status, begins));
    if (!layer)
        return false;
    if (!strcmp(status, "Downloading")) {
        layer->done = bytes_of(detail, "current");
        layer->total = bytes_of(detail, "total");
        if (layer->total < layer->done)
            layer->total = layer->done;
    }
    if (is_one_of(status, fetched))
        layer->done = layer->total;
    layer->complete |= is_one_of(status, complete);
    return true;
}

bool pull_progress_line(struct pull_progress *p, const char *line, size_t n)
{
    json_t *root = json_loadb(line, n, 0, NULL);
    const char *error = json_string_value(json_object_get(root, "error"));
    const char *id = json_string_value(json_object_get(root, "id"));
    const char *status = json_string_value(json_object_get(root, "status"));
    bool changed = false;
    if (!error)
        error = json_string_value(json_object_get(json_object_get(root, "errorDetail"), "message"));
    if (error)
        snprintf(p->error, sizeof(p->error), "%s", error);
    else if (id && status)
        changed = layer_update(p, id, status, json_object_get(root, "progressDetail"));
    json_decref(root);
    return changed;
}

int pull_progress_complete(const struct pull_progress *p)
{
    int complete = 0;
    for (int i = 0; i < p->count; i++)
        complete += p->layers[i].complete;
    return complete;
}

char *pull_progress_text(const struct pull_progress *p, char *out, size_t n, int64_t *ret_done,
                         int64_t *ret_total)
{
    int64_t done = 0, total = 0;
    int complete = pull_progress_complete(p);
    for (int i = 0; i < p->count; i++) {
        done += p->layers[i].done;
        total += p->layers[i].total;
    }
    *ret_done = done;
    *ret_total = total;
    if (p->count == 0)
        *out = '\0';
    else if (total > 0)
        snprintf(out, n, "layer %d/%d %d%%", complete, p->count,
                 (int)((double)done * 100. / (double)total));
    else
        snprintf(out, n, "layer %d/%d", complete, p->count);
    return out;
}

int pull_classify(const char *words)
{
    /* In this order. Docker Hub answers "denied" for what does not exist, and says so; that
     * sentence is about existence first. */
    static const struct {
        const char *words;
        int code;
    } known[] = {
        {"toomanyrequests", EBUSY}, {"rate limit", EBUSY}, {"429 Too Many Requests", EBUSY},
        {"no space left on device", ENOSPC}, {"disk quota exceeded", ENOSPC},
        {"x509:", ENETUNREACH}, {"no such host", ENETUNREACH},
        {"not found", FAULT_NOT_FOUND}, {"manifest unknown", FAULT_NOT_FOUND},
        {"does not exist", FAULT_NOT_FOUND}, {"no such image", FAULT_NOT_FOUND},
        {"unauthorized", FAULT_DENIED}, {"denied", FAULT_DENIED},
        {"authentication required", FAULT_DENIED}, {"no basic auth", FAULT_DENIED},
        {"incorrect username or password", FAULT_DENIED},
        {"dial tcp", ENETUNREACH}, {"i/o timeout", ENETUNREACH}, {"unreachable", ENETUNREACH},
        {"connection refused", ENETUNREACH}, {"connection reset", ENETUNREACH},
        {"TLS handshake", ENETUNREACH}, {"Client.Timeout", ENETUNREACH},
        {"unexpected EOF", ENETUNREACH}, {"request canceled", ENETUNREACH},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcasestr(words, known[i].words))
            return known[i].code;
    return FAULT_HTTP;
}

char *pull_split_reference(const char *image, const char **ret_tag)
{
    const char *slash = strrchr(image, '/');
    /* one before the last slash is a port */
    const char *colon = strchr(slash ? slash : image, ':');
    if (strchr(image, '@')) {
        *ret_tag = "";
        return xstrdup(image);
    }
    *ret_tag = colon && colon[1] ? colon + 1 : "latest";
    return colon ? xstrndup(image, (size_t)(colon - image)) : xstrdup(image);
}

/* ---- pulling ---- */

static void on_line(void *state, const char *line, size_t n)
{
    struct pull_reading *p = state;
    if (pull_progress_line(&p->progress, line, n) && p->fn)
        p->fn(p->ctx, &p->progress);
}

static void verdict(const void *state, struct fault *f)
{
    const struct pull_reading *p = state;
    if (*p->progress.error)
        fault_set(f, FAULT_HTTP, "%s", p->progress.error);
    if (f->code == FAULT_HTTP)
        f->code = pull_classify(f->text);
}

struct engine_request *engine_pull(struct engine *e, const char *image, const char *platform,
                                   const char *auth, engine_pull_fn progress, engine_reply_fn fn,
                                   void *ctx)
{
    static const struct engine_line_ops ops = {
        .line = on_line, .verdict = verdict, .free_state = free};
    AUTO_BUF struct buf path = BUF_INIT;
    const char *tag;
    AUTO_FREE char *name = pull_split_reference(image, &tag);
    AUTO_FREE char *header = xasprintf("X-Registry-Auth: %s", auth ? auth : "");
    struct pull_reading *p = xcalloc(1, sizeof(*p));
    p->fn = progress;
    p->ctx = ctx;
    engine_add_path(&path, "/images/create?fromImage=", name, "&tag=");
    engine_add_path(&path, "", tag, "");
    if (platform)
        engine_add_path(&path, "&platform=", platform, "");
    struct engine_call call = {
        .method = "POST", .path = buf_str(&path), .timeout_ms = SILENCE_MS,
        .headers = auth && *auth ? (const char *const[]){header, NULL} : NULL,
    };
    struct engine_request *r = engine_call_lines(e, &call, &ops, p, fn, ctx);
    explicit_bzero(header, strlen(header));
    return r;
}
