/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes the configuration's file (file.h) and never makes one that would not load. */
#include "config/edit.h"

#include <string.h>
#include "base/mem.h"
#include "config/file.h"
#include "config/mcp_config.h"

static int first_error(const struct problems *problems, const char *what, struct fault *f)
{
    for (size_t i = 0; i < problems->n; i++) {
        const struct problem *p = &problems->v[i];
        if (p->severity == PROBLEM_ERROR)
            return fault_set(f, FAULT_CONFIG, "%s, line %d%s%s: %s", what, p->line,
                             *p->key ? ", " : "", p->key, p->text);
    }
    return 0;
}

/* The first error of a text that does not load; 0 when it loads, and then ret is what it is.
 * before: what was loaded already. */
static int check_loads(const char *file, const struct buf *text, const struct config_before *before,
                       const char *what, struct config **ret, struct fault *f)
{
    struct problems problems = {0};
    *ret = config_parse_after(before, file, buf_str(text), text->len, &problems);
    int rc = *ret ? 0 : first_error(&problems, what, f);
    problems_fini(&problems);
    return rc;
}

static int apply_changes(const struct buf *old, const char *server,
                         const struct edit_change *changes, size_t n, struct buf *out,
                         struct fault *f)
{
    buf_clear(out);
    buf_add(out, old->data, old->len);
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF struct buf next = BUF_INIT;
        if (edit_text(buf_str(out), out->len, server, changes[i].path, changes[i].json_value, &next,
                      f) < 0)
            return -1;
        struct buf swap = *out;
        *out = next;
        next = swap;
    }
    return 0;
}

static bool same(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && !memcmp(buf_str(a), buf_str(b), a->len);
}

/* An empty file, or none, is no error of the user's. */
static int check_both(const char *file, const struct buf *old, const struct buf *new,
                      struct fault *f)
{
    struct config *was = NULL, *is = NULL;
    if (same(old, new))
        return 0;
    int rc = old->len ? check_loads(file, old, NULL, "the configuration has an error that must be "
                                    "mended first", &was, f) : 0;
    const struct config_before before = {was, buf_str(old), old->len};
    if (rc == 0)
        rc = check_loads(file, new, &before, "this would not load", &is, f);
    config_free(is);
    config_free(was);
    return rc;
}

struct editing {
    const char *file, *server;
    const struct edit_change *changes;
    size_t n;
    const struct buf *from, *to;  /* tried before; NULL = nothing was */
};

static int edit_values(void *ctx, const struct buf *old, struct buf *new, struct fault *f)
{
    const struct editing *e = ctx;
    if (e->from && same(old, e->from)) {
        buf_add(new, e->to->data, e->to->len);
        return 0;
    }
    if (apply_changes(old, e->server, e->changes, e->n, new, f) < 0)
        return -1;
    return check_both(e->file, old, new, f);
}

int edit_file(const char *file, const char *server, const struct edit_change *changes,
              size_t n_changes, struct buf *old_text, struct buf *new_text, struct fault *f)
{
    struct editing e = {.file = file, .server = server, .changes = changes, .n = n_changes};
    return file_edit(file, 0, edit_values, &e, old_text, new_text, f);
}

int edit_file_tried(const char *file, const char *server, const struct edit_change *changes,
                    size_t n_changes, struct buf *from, struct buf *to, struct fault *f)
{
    struct buf before = BUF_INIT, after = BUF_INIT;
    struct editing e = {.file = file, .server = server, .changes = changes, .n = n_changes,
                        .from = from, .to = to};
    if (file_edit(file, 0, edit_values, &e, &before, &after, f) < 0)
        return -1;
    buf_fini(from);
    buf_fini(to);
    *from = before;
    *to = after;
    return 0;
}

/* ---- servers ---- */

int edit_text_add(const char *file, const struct buf *text, json_t *servers, struct buf *out,
                  struct fault *f)
{
    const char *name;
    json_t *spec;
    buf_clear(out);
    buf_add(out, text->data, text->len);
    json_object_foreach(servers, name, spec) {
        AUTO_BUF struct buf next = BUF_INIT;
        if (edit_add_server(buf_str(out), out->len, name, spec, &next, f) < 0)
            return -1;
        struct buf swap = *out;
        *out = next;
        next = swap;
    }
    return check_both(file, text, out, f);
}

struct adding {
    const char *file;
    json_t *servers;
};

static int edit_servers(void *ctx, const struct buf *old, struct buf *new, struct fault *f)
{
    const struct adding *a = ctx;
    return edit_text_add(a->file, old, a->servers, new, f);
}

int edit_file_add(const char *file, json_t *servers, struct buf *old_text, struct buf *new_text,
                  struct fault *f)
{
    struct adding a = {.file = file, .servers = servers};
    return file_edit(file, 0600, edit_servers, &a, old_text, new_text, f);
}
