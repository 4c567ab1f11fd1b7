/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the docker CLI would present to an image's registry: from config.json (DOCKER_CONFIG or
 * ~/.docker), its "auths" ("auth" in base64, "identitytoken"), "credHelpers" and "credsStore"
 * through the helper programs (`docker-credential-NAME get`, the registry on stdin, {"Username",
 * "Secret"} on stdout; docker/docker-credential-helpers). Read anew for every pull, kept nowhere,
 * and in no argv, environment or log. */
#ifndef MCPTOP_DOCKER_CREDENTIALS_H
#define MCPTOP_DOCKER_CREDENTIALS_H

#include <ev.h>
#include <jansson.h>
#include "base/fault.h"

/* The registry of an image as users name it: "ghcr.io", "127.0.0.1:5000", "docker.io". The
 * caller's. */
char *credentials_registry(const char *image);
/* How many bytes of image name its registry; 0: none does, and it is docker.io's. */
size_t credentials_registry_len(const char *image);

struct credentials;
/* auth: the value of X-Registry-Auth (Engine API 1.41: base64url of JSON), valid during the call;
 * "" when there are none for this registry. f (may come with ""): they could not be read, and why:
 * a broken file, a helper that failed. */
typedef void (*credentials_fn)(void *ctx, const char *auth, const struct fault *f);
/* fn comes exactly once, never before this returned. run_id marks the helper's process (io/child.h)
 * and is nobody else's, because the helper's end sweeps it; a helper has 30 s and 64 KiB. */
struct credentials *credentials_find(struct ev_loop *loop, const char *image, const char *run_id,
                                     credentials_fn fn, void *ctx);
void credentials_cancel(struct credentials *c);       /* NULL is fine; not from its own fn */

/* The parts, for tests. What config.json says about a registry: the value of X-Registry-Auth in
 * *ret_auth ("" = nothing), or the helper to be asked in *ret_helper (NULL = none) with the name it
 * knows the registry by in *ret_server. All are the caller's. */
int credentials_read(const json_t *config, const char *registry, char **ret_auth,
                     char **ret_helper, char **ret_server, struct fault *f);
/* What a helper said. */
int credentials_from_helper(const char *text, size_t n, const char *server, char **ret_auth,
                            struct fault *f);

#endif
