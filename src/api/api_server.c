/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Wires the HTTP server to routes, event hub and MCP endpoints, and keeps trying for a TCP port
 * that is taken. */
#include "api/api_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_internal.h"
#include "api/event_hub.h"
#include "api/mcp_aggregate.h"
#include "api/mcp_http.h"
#include "api/mcp_stdio.h"
#include "api/routes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "diagnose/doctor.h"
#include "io/port_holder.h"

static const double LISTEN_RETRY_S = 10;

static int on_admit(void *ctx, const struct request *r, char *scratch, size_t n,
                    const char **ret_text)
{
    struct api_server *a = ctx;

    httpd_set_max_body(a->httpd, fleet_get_max_message(a->fleet));
    return routes_admit(a, r, scratch, n, ret_text);
}

static void on_handle(void *ctx, struct request *r)
{
    routes_handle(ctx, r);
}

/* Port 0 means any: from then on it is the one we got. */
static void note_port(struct api_server *a)
{
    const char *colon = strrchr(a->cfg.listen, ':');
    char *actual = xasprintf("%.*s:%d", (int)(colon - a->cfg.listen), a->cfg.listen,
                             httpd_get_tcp_port(a->httpd));

    free((char *)(uintptr_t)a->cfg.listen);
    a->cfg.listen = actual;
}

/* Who has the port is asked once: he is likely to keep it. */
static void set_listen_error(struct api_server *a, const struct fault *f, bool first)
{
    char holder[128] = "another program (a running MCPProxy?)";
    const char *colon = strrchr(a->cfg.listen, ':');

    if (f->code == EADDRINUSE && !first)
        return;
    free(a->listen_error);
    if (f->code != EADDRINUSE) {
        a->listen_error = xstrdup(f->text);
        return;
    }
    port_holder(atoi(colon + 1), holder, sizeof holder);
    a->listen_error =
        xasprintf("%s is in use by %s: stop it, or change \"listen\" or --listen; meanwhile the "
                  "socket works: %s",
                  a->cfg.listen, holder, a->cfg.socket);
}

/* The first failure is worth a line; the retries are silent until it works. */
static void try_listen(struct api_server *a)
{
    struct fault f = FAULT_NONE;
    bool first = a->listen_error[0] == '\0';

    if (httpd_listen_tcp(a->httpd, a->cfg.listen, &f) == 0) {
        note_port(a);
        log_info("api", "listening on %s", a->cfg.listen);
        ev_timer_stop(a->loop, &a->listen_retry);
        free(a->listen_error);
        a->listen_error = xstrdup("");
        event_hub_status_changed(a->hub);
        return;
    }
    set_listen_error(a, &f, first);
    if (first)
        log_warn("api", "%s", a->listen_error);
}

static void on_listen_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
    (void)loop, (void)revents;
    try_listen(w->data);
}

static void config_copy(struct api_config *to, const struct api_config *from)
{
    *to = *from;
    to->socket = xstrdup(from->socket);
    to->data_dir = xstrdup(from->data_dir ? from->data_dir : "");
    to->listen = xstrdup(from->listen);
    to->api_key = xstrdup(from->api_key ? from->api_key : "");
}

struct api_server *api_server_new(struct ev_loop *loop, struct fleet *fleet,
                                  const struct api_config *cfg, struct fault *f)
{
    const struct httpd_events events = {.admit = on_admit, .handle = on_handle};
    struct api_server *a = xcalloc(1, sizeof *a);

    a->loop = loop;
    a->fleet = fleet;
    config_copy(&a->cfg, cfg);
    a->listen_error = xstrdup("");
    a->started_wall_ms = clock_wall_ms();
    a->started_mono_ms = clock_mono_ms();
    a->hub = event_hub_new(a);
    a->doctor = doctor_new(fleet);
    a->names = aggregate_names_new(loop, fleet);
    a->mcp_http = mcp_http_new(a);
    a->mcp_stdio = mcp_stdio_new(a);
    a->httpd = httpd_new(loop, fleet_get_max_message(fleet), &events, a);
    ev_timer_init(&a->listen_retry, on_listen_retry, LISTEN_RETRY_S, LISTEN_RETRY_S);
    a->listen_retry.data = a;
    if (httpd_listen_unix(a->httpd, a->cfg.socket, f) < 0) {
        api_server_free(a);
        return NULL;
    }
    if (a->cfg.listen) {
        ev_timer_start(loop, &a->listen_retry);
        try_listen(a);
    }
    return a;
}

void api_server_free(struct api_server *a)
{
    if (!a)
        return;
    ev_timer_stop(a->loop, &a->listen_retry);
    doctor_free(a->doctor);
    event_hub_free(a->hub);
    mcp_stdio_end(a->mcp_stdio);
    httpd_free(a->httpd);
    mcp_http_free(a->mcp_http);
    mcp_stdio_free(a->mcp_stdio);
    aggregate_names_free(a->names);
    free(a->listen_error);
    free((char *)(uintptr_t)a->cfg.socket);
    free((char *)(uintptr_t)a->cfg.data_dir);
    free((char *)(uintptr_t)a->cfg.listen);
    free((char *)(uintptr_t)a->cfg.api_key);
    free(a);
}
