/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What went wrong with an engine, in words for its user: nobody answers, or it answers an error. */
#include "docker/engine_internal.h"

#include <errno.h>
#include <string.h>

/* Which engine it would be is not known while it is down; Podman's socket has its name in its
 * path. */
static const char *what_to_start(const struct docker_context *c)
{
    return strstr(c->socket, "podman")
        ? "start Podman's (systemctl [--user] start podman.socket)" : "start Docker";
}

int engine_fault_connection(const struct docker_context *c, const struct fault *http,
                            struct fault *f)
{
    switch (http->code) {
    case ENOENT:
        return fault_set(f, FAULT_ENGINE_DOWN,
                         "no Docker engine at %s: %s or set DOCKER_HOST", c->host,
                         what_to_start(c));
    case EACCES:
    case EPERM:
        return fault_set(f, FAULT_ENGINE_DOWN,
                         "permission denied on %s: add yourself to group docker "
                         "(sudo usermod -aG docker \"$USER\") and log in again",
                         c->socket);
    case ECONNREFUSED:
        return fault_set(f, FAULT_ENGINE_DOWN,
                         "the Docker engine at %s is not running (its socket refuses connections): "
                         "%s",
                         c->host, what_to_start(c));
    case ECONNRESET:
        return fault_set(f, FAULT_ENGINE_DOWN,
                         "the Docker engine at %s closed the connection before it answered",
                         c->host);
    case FAULT_TIMEOUT:
        return fault_set(f, FAULT_TIMEOUT, "the Docker engine does not answer: %s", http->text);
    default:
        if (http->code < FAULT_INVALID)
            return fault_set(f, FAULT_ENGINE_DOWN, "cannot reach the Docker engine: %s",
                             http->text);
        return fault_copy(f, http);
    }
}

static int code_of_status(long status)
{
    switch (status) {
    case 404:
        return FAULT_NOT_FOUND;
    case 409:
        return FAULT_CONFLICT;
    case 401:
    case 403:
        return FAULT_DENIED;
    default:
        return FAULT_HTTP;
    }
}

int engine_fault_status(long status, const char *body, size_t len, struct fault *f)
{
    json_t *root = json_loadb(body, len, 0, NULL);
    const char *message = json_string_value(json_object_get(root, "message"));
    if (message)
        fault_set(f, code_of_status(status), "%s", message);
    else if (status == 404)
        fault_set(f, FAULT_NOT_FOUND, "not found");
    else
        fault_set(f, code_of_status(status), "the Docker engine answered HTTP status %ld", status);
    json_decref(root);
    return -1;
}
