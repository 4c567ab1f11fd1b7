/* SPDX-License-Identifier: GPL-3.0-or-later */
/* POST /api/v1/servers: new servers. On the socket only, because who names a command runs it. */
#include "api/routes_server.h"

#include "api/api_internal.h"
#include "api/json.h"
#include "api/reply.h"
#include "base/buf.h"

static json_t *names_of(json_t *servers)
{
    const char *name;
    json_t *spec, *names = json_array();

    json_object_foreach(servers, name, spec)
        json_array_append_new(names, json_text(name));
    return names;
}

void servers_post(struct api_server *a, struct request *r, const char *name)
{
    AUTO_BUF struct buf diff = BUF_INIT;
    struct fault f = FAULT_NONE;
    size_t n;
    const char *body = request_get_body(r, &n);
    json_t *servers = NULL, *doc = json_loadb(body, n, JSON_REJECT_DUPLICATES, NULL);
    int dry_run = 0;

    (void)name;
    if (json_unpack(doc, "{s:o, s?:b !}", "servers", &servers, "dry_run", &dry_run) < 0 ||
        !json_is_object(servers))
        reply_error(r, 400, "the body must be {\"servers\":{\"NAME\":{\"command\":\"…\"}}}, with "
                            "dry_run true or false");
    else if (fleet_add(a->fleet, servers, dry_run, &diff, &f) < 0)
        reply_fault(r, &f);
    else
        reply_data(r, json_pack("{s:o, s:o, s:o}", "servers", names_of(servers), "diff",
                                json_foreign(buf_str(&diff), diff.len), "file",
                                json_text(fleet_get_config_path(a->fleet))));
    json_decref(doc);
}
