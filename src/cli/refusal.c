/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/refusal.h"

#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/near.h"
#include "cli/doc.h"
#include "cli/verbs.h"

enum { NAMES_SHOWN = 20 };

/* Of these objects with a name, the one that was meant and the first of the others. */
static void add_names(struct buf *text, const char *word, json_t *list)
{
    AUTO_BUF struct buf names = BUF_INIT;
    size_t i, count = json_array_size(list);
    json_t *one;
    struct near near;
    near_init(&near, word);
    json_array_foreach(list, i, one) {
        const char *name = doc_str(one, "name");
        near_try(&near, name);
        if (i < NAMES_SHOWN)
            buf_printf(&names, "%s%s", i ? ", " : "", name);
    }
    if (near.best)
        buf_printf(text, ": did you mean \"%s\"?", near.best);
    if (count)
        buf_printf(text, "%s%s%s", near.best ? " There are: " : "; there are: ", buf_str(&names),
                   count > NAMES_SHOWN ? ", …" : "");
}

char *refusal_unknown(const char *socket, const char *server)
{
    struct buf text = BUF_INIT;
    json_t *data = NULL;
    buf_printf(&text, "mcptop has no server \"%s\"", server);
    api_ask(socket, "GET", "/api/v1/servers", NULL, &data, NULL, NULL);
    add_names(&text, server, doc_get(data, "servers"));
    if (!json_array_size(doc_get(data, "servers")))
        buf_add_str(&text, ": none is configured");
    json_decref(data);
    return buf_take(&text);
}

char *refusal_unknown_tool(const char *socket, const char *server, const char *tool)
{
    AUTO_FREE char *path = api_path("/api/v1/servers/%s/tools", server);
    struct buf text = BUF_INIT;
    json_t *data = NULL, *one;
    size_t i;
    bool known = api_ask(socket, "GET", path, NULL, &data, NULL, NULL) != 0;
    json_array_foreach(doc_get(data, "tools"), i, one)
        known |= !strcmp(doc_str(one, "name"), tool);
    if (!known) {
        buf_printf(&text, "\"%s\" has no tool \"%s\"", server, tool);
        add_names(&text, tool, doc_get(data, "tools"));
    }
    json_decref(data);
    return known ? NULL : buf_take(&text);
}

char *refusal_status(const char *server, long status, const char *body)
{
    json_t *envelope = json_loads(body, 0, NULL);
    const char *error = doc_str(envelope, "error");
    char *text = *error ? xasprintf("mcptop refused server %s: %s", server, error)
                        : xasprintf("mcptop refused server %s with HTTP status %ld", server,
                                    status);
    json_decref(envelope);
    return text;
}
