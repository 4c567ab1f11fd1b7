/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The undos in a file of the data directory, so that a supervisor that starts again can take back
 * what the one before it changed:
 *
 *   {"config": PATH, "undos": [{"server": …, "text": …, "back_text": …, "made_isolation": BOOL,
 *    "single_keys": BOOL, "back": [[KEY, JSON before, JSON after], …]}, …]}
 *
 * Newest first; null: was not there. Those of another configuration file are none. */
#include "supervisor/fleet_edit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "config/file.h"

enum { FILE_MAX_BYTES = 1 << 20 };

static json_t *undo_to_json(const struct undo *u)
{
    json_t *back = json_array();
    for (size_t i = 0; i < u->back.n; i++)
        json_array_append_new(back, json_pack("[ss?s?]", u->back.v[i].path, u->back.v[i].json,
                                                   u->made.v[i].json));
    return json_pack("{s:s, s:s, s:s, s:b, s:b, s:o}", "server", u->server, "text", u->text,
                     "back_text", u->back_text, "made_isolation", u->made_isolation, "single_keys",
                     u->back.single_keys, "back", back);
}

void undo_store_save(const struct fleet *fl)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (!fl->undo_path)
        return;
    json_t *list = json_array();
    for (const struct undo *u = fl->undos; u; u = u->next)
        json_array_append_new(list, undo_to_json(u));
    json_t *all = json_pack("{s:s, s:o}", "config", fl->config_path, "undos", list);
    AUTO_FREE char *dumped = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    /* No text, where the path of the configuration is none. Better nothing than what was before: an
     * older change would be taken back past the newer ones. */
    if (dumped)
        buf_printf(&text, "%s\n", dumped);
    if (!dumped || file_put(fl->undo_path, &text, &f) < 0) {
        log_warn("config", "changes cannot be taken back after the next start%s%s",
                 *f.text ? ": " : "", f.text);
        unlink(fl->undo_path);
    }
}

/* NULL when it is no undo. */
static struct undo *undo_from_json(json_t *one)
{
    const char *server, *text, *back_text;
    int made_isolation, single_keys;
    json_t *back, *step;
    size_t i;
    if (json_unpack(one, "{s:s, s:s, s:s, s:b, s:b, s:o}", "server", &server, "text", &text,
                    "back_text", &back_text, "made_isolation", &made_isolation, "single_keys",
                    &single_keys, "back", &back) < 0 ||
        !json_is_array(back) || json_array_size(back) + 1 > CHANGE_KEYS_MAX)
        return NULL;            /* one more may come of made_isolation */
    struct undo *u = xcalloc(1, sizeof *u);
    *u = (struct undo){ .server = xstrdup(server), .text = xstrdup(text),
                        .back_text = xstrdup(back_text), .made_isolation = made_isolation };
    u->back.single_keys = single_keys;
    json_array_foreach(back, i, step) {
        const char *path = json_string_value(json_array_get(step, 0));
        if (!path) {
            undo_free(u);
            return NULL;
        }
        change_list_add(&u->back, path, json_string_value(json_array_get(step, 1)));
        change_list_add(&u->made, path, json_string_value(json_array_get(step, 2)));
    }
    return u;
}

static void take(struct fleet *fl, json_t *all)
{
    struct undo **last = &fl->undos;
    const char *config;
    json_t *list, *one;
    size_t i;
    if (json_unpack(all, "{s:s, s:o}", "config", &config, "undos", &list) < 0) {
        log_warn("config", "%s is broken: what was changed before this start cannot be taken back",
                 fl->undo_path);
        return;
    }
    if (strcmp(config, fl->config_path) != 0)
        return;
    json_array_foreach(list, i, one)
        if (i < UNDO_MAX && (*last = undo_from_json(one)))
            last = &(*last)->next;
}

void undo_store_restore(struct fleet *fl)
{
    AUTO_BUF struct buf text = BUF_INIT;
    struct fault f = FAULT_NONE;
    if (!fl->undo_path)
        return;
    if (file_read(fl->undo_path, &text, NULL, &f) < 0) {
        if (f.code != ENOENT && f.code != FAULT_NOT_FOUND)
            log_warn("config", "what was changed before this start cannot be taken back: %s",
                     f.text);
        return;
    }
    json_t *all = text.len <= FILE_MAX_BYTES ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    take(fl, all);
    json_decref(all);
}
