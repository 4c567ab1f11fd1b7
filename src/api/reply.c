/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Turns data and faults into HTTP answers of one shape. */
#include "api/reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/urlpath.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/reader.h"
#include "supervisor/fleet.h"

static void reply_json(struct request *r, int status, json_t *doc)
{
    AUTO_FREE char *text =
        json_dumps(doc, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));

    if (!text) {     /* an object with what is no UTF-8: a fault of ours, and no reason to fall */
        status = 500;
        text = xstrdup("{\"success\":false,\"error\":\"the answer cannot be written as JSON\"}");
    }
    struct iovec body[2] = {{text, strlen(text)}, {(char[]){"\n"}, 1}};

    json_decref(doc);
    request_reply(r, status, "application/json", NULL, body, 2);
}

void reply_data(struct request *r, json_t *data)
{
    reply_json(r, 200, json_pack("{s:b, s:o}", "success", 1, "data", data));
}

/* Unique within a run and easy to find in main.log. */
static void next_request_id(char *out, size_t n)
{
    static uint64_t count;

    snprintf(out, n, "%llx-%llu", (unsigned long long)clock_wall_ms(), (unsigned long long)++count);
}

void reply_error(struct request *r, int status, const char *fmt, ...)
{
    char text[1024], id[48];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    next_request_id(id, sizeof id);
    if (status == 500)
        log_warn("api", "%s %s answered %d: %s (request %s)", request_get_method(r),
                 request_get_path(r), status, text, id);
    json_t *message = json_string(text);
    reply_json(r, status,
               json_pack("{s:b, s:o, s:s}", "success", 0, "error",
                         message ? message : json_string("(unprintable)"), "request_id", id));
}

void reply_fault(struct request *r, const struct fault *f)
{
    int status = 500;

    switch (f->code) {
    case FAULT_INVALID: case FAULT_CONFIG: status = 400; break;
    case FAULT_NOT_FOUND: case ENOENT: status = 404; break;
    case FAULT_CONFLICT: status = 409; break;
    case FAULT_DENIED: case EACCES: status = 403; break;
    case FAULT_TOO_BIG: status = 413; break;
    case FAULT_UNSUPPORTED: status = 400; break;
    case FAULT_ENGINE_DOWN: status = 503; break;
    case FAULT_TIMEOUT: status = 504; break;
    case FAULT_HTTP: status = 502; break;
    }
    reply_error(r, status, "%s", f->text);
}

void reply_no_server(struct request *r, const struct fleet *fl, const char *name)
{
    size_t n = fleet_count(fl);
    AUTO_FREE const char **names = xcalloc(n + 1, sizeof *names);

    for (size_t i = 0; i < n; i++)
        names[i] = fleet_at(fl, i)->name;
    const char *meant = reader_nearest(name, names, n);
    const char *path = fleet_get_config_path(fl);
    size_t errors = fleet_get_problems(fl)->errors;
    if (fleet_is_stopping(fl))
        reply_error(r, 503, "mcptop is stopping");
    else if (meant && errors)     /* it may be the one that was left out for its error */
        reply_error(r, 404, "no server \"%s\": did you mean \"%s\"? Or look at %s, it has "
                    "%s (`mcptop doctor` shows where)", name, meant, path,
                    errors == 1 ? "an error" : "errors");
    else if (meant)
        reply_error(r, 404, "no server \"%s\": did you mean \"%s\"?", name, meant);
    else if (fleet_config_is_missing(fl) && !fleet_get_config(fl))
        reply_error(r, 404, "no server \"%s\": no configuration yet, %s does not exist", name,
                    path);
    else if (errors)
        reply_error(r, 404, "no server \"%s\": %s has %s (`mcptop doctor` shows where)", name, path,
                    errors == 1 ? "an error" : "errors");
    else
        reply_error(r, 404, "no server \"%s\" in %s%s", name, path,
                    n ? ": `mcptop ls` lists them" : "");
}

void reply_error_text(char *out, size_t n, const char *message)
{
    AUTO_BUF struct buf b = BUF_INIT;

    buf_add_str(&b, "{\"success\":false,\"error\":");
    buf_add_json(&b, message, strlen(message));
    buf_add_str(&b, "}\n");
    snprintf(out, n, "%s", buf_str(&b));
}

bool query_text(const struct request *r, const char *name, char *out, size_t n)
{
    const char *v = request_get_query(r, name);

    return v && urlpath_decode(v, strlen(v), out, n);
}

bool query_flag(const struct request *r, const char *name)
{
    const char *v = request_get_query(r, name);

    return v && (*v == '\0' || strcmp(v, "1") == 0 || strcmp(v, "true") == 0);
}

int64_t query_int(const struct request *r, const char *name, int64_t def, int64_t max)
{
    const char *v = request_get_query(r, name);
    char *end;

    if (!v)
        return def;
    errno = 0;
    long long x = strtoll(v, &end, 10);
    if (end == v || *end || errno || x < 0)
        return -1;
    return x > max ? max : x;
}
