/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /servers and /config: what stands around the array of servers is made when that is whole. */
#include "api/routes_list.h"

#include <stdlib.h>

#include "api/api_internal.h"
#include "api/json.h"
#include "api/listing.h"
#include "base/mem.h"

struct list_reply {
    struct api_server *api;
    struct request *request;
    struct listing *listing;     /* NULL: it was done at once */
    bool config;
    bool done;
};

static void add_member(struct buf *out, int depth, const char *key, json_t *value)
{
    buf_printf(out, "%*s\"%s\": ", 2 * depth, "", key);
    listing_add_json(out, depth, value);
    buf_add_str(out, ",\n");
}

static void add_head(struct buf *out, const struct list_reply *lr)
{
    const struct fleet *fl = lr->api->fleet;

    buf_add_str(out, "{\n  \"success\": true,\n  \"data\": {\n");
    if (!lr->config) {
        buf_add_str(out, "    \"servers\": ");
        return;
    }
    add_member(out, 2, "path", json_text(fleet_get_config_path(fl)));
    add_member(out, 2, "loaded_wall_ms", json_integer(fleet_get_loaded_wall_ms(fl)));
    add_member(out, 2, "problems", json_problems(fleet_get_problems(fl)));
    buf_add_str(out, "    \"config\": {\n      \"servers\": ");
}

static void add_tail(struct buf *out, const struct list_reply *lr)
{
    int depth = lr->config ? 3 : 2;

    buf_printf(out, ",\n%*s\"stats\": ", 2 * depth, "");
    listing_add_json(out, depth, json_counts(lr->api->fleet));
    buf_add_str(out, lr->config ? "\n    }\n  }\n}\n" : "\n  }\n}\n");
}

static void on_done(void *ctx, const struct buf *array)
{
    struct list_reply *lr = ctx;
    AUTO_BUF struct buf head = BUF_INIT, tail = BUF_INIT;

    add_head(&head, lr);
    add_tail(&tail, lr);
    const struct iovec body[] = {
        {head.data, head.len}, {array->data, array->len}, {tail.data, tail.len}};
    request_reply(lr->request, 200, "application/json", NULL, body, ARRAY_LEN(body));
    lr->done = true;
    if (lr->listing)
        free(lr);
}

static void on_gone(void *ctx, struct request *r)
{
    struct list_reply *lr = ctx;

    (void)r;
    listing_free(lr->listing);
    free(lr);
}

static void list(struct api_server *a, struct request *r, bool config)
{
    struct list_reply *lr = xcalloc(1, sizeof *lr);

    *lr = (struct list_reply){.api = a, .request = r, .config = config};
    lr->listing = listing_begin(a, config ? 3 : 2, on_done, lr);
    if (lr->done)
        free(lr);
    else
        request_set_gone(r, on_gone, lr);
}

void list_get_servers(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    list(a, r, false);
}

void list_get_config(struct api_server *a, struct request *r, const char *name)
{
    (void)name;
    list(a, r, true);
}
