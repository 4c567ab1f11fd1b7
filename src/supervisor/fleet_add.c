/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Servers that are added through the API: tried on the text first, written to the user's file, then
 * applied as any other change of it is. */
#include "supervisor/fleet_private.h"

#include <errno.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "config/edit.h"
#include "config/file.h"
#include "supervisor/fleet_edit.h"

static int check_specs(json_t *servers, struct fault *f)
{
    const char *name;
    json_t *spec;
    json_object_foreach(servers, name, spec) {
        if (!json_is_object(spec))
            return fault_set(f, FAULT_INVALID, "the server \"%.200s\" must be an object", name);
        if (json_object_get(spec, "name"))
            return fault_set(f, FAULT_INVALID,
                             "the name of \"%.200s\" is its key, not a member of it", name);
    }
    return 0;
}

static bool is_missing(const struct fleet *fl)
{
    return access(fl->config_path, F_OK) < 0 && errno == ENOENT;
}

static int try_add(const struct fleet *fl, json_t *servers, struct buf *from, struct buf *to,
                   struct fault *f)
{
    if (!is_missing(fl) && file_read(fl->config_path, from, NULL, f) < 0)
        return -1;
    return edit_text_add(fl->config_path, from, servers, to, f);
}

int fleet_add(struct fleet *fl, json_t *servers, bool dry_run, struct buf *diff, struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT, to = BUF_INIT;
    const char *name;
    json_t *spec;
    if (!is_missing(fl) && fleet_edit_check_file(fl, f) < 0)
        return -1;
    if (check_specs(servers, f) < 0)
        return -1;
    int rc = dry_run ? try_add(fl, servers, &from, &to, f)
                     : edit_file_add(fl->config_path, servers, &from, &to, f);
    if (rc < 0)
        return -1;
    fleet_edit_diff(&from, &to, diff);
    if (dry_run)
        return 0;
    json_object_foreach(servers, name, spec) {
        log_info("config", "%s added through the API", name);
        fleet_add_event(fl, false, "config", "added", name, fl->config_path, "");
    }
    fleet_config_written(fl);
    return 0;
}
