/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/refusal.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "cli/doc.h"
#include "cli/verbs.h"

enum { NAMES_SHOWN = 20 };

char *refusal_unknown(const char *socket, const char *server)
{
    struct buf text = BUF_INIT;
    AUTO_BUF struct buf names = BUF_INIT;
    json_t *data = NULL, *one;
    size_t i, count = 0;
    struct near near;
    near_init(&near, server);
    if (!api_ask(socket, "GET", "/api/v1/servers", NULL, &data, NULL, NULL)) {
        json_array_foreach(doc_get(data, "servers"), i, one) {
            const char *name = doc_str(one, "name");
            near_try(&near, name);
            if (count++ < NAMES_SHOWN)
                buf_printf(&names, "%s%s", count > 1 ? ", " : "", name);
        }
    }
    buf_printf(&text, "mcptop has no server \"%s\"", server);
    if (near.best)
        buf_printf(&text, ": did you mean \"%s\"?", near.best);
    if (count)
        buf_printf(&text, "%s%s%s", near.best ? " There are: " : "; there are: ", buf_str(&names),
                   count > NAMES_SHOWN ? ", …" : "");
    else
        buf_add_str(&text, ": none is configured");
    json_decref(data);
    return buf_take(&text);
}

char *refusal_status(const char *server, long status, const char *body)
{
    json_t *envelope = json_loads(body, 0, NULL);
    const char *error = doc_str(envelope, "error");
    char *text = *error ? xasprintf("mcptop refused server %s: %s", server, error)
                        : xasprintf("mcptop refused server %s with HTTP status %ld", server, status);
    json_decref(envelope);
    return text;
}
