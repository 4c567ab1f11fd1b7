/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes values in the text of a configuration and nothing else. It works on spans: the scanner
 * says where values stand, what lies between them (white space, comments, commas) is looked at only
 * where a member goes in (edit_put.c) or out. Must not know what any key means. */
#include "config/edit_internal.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "base/strvec.h"

static void editor_fini(struct editor *e)
{
    jscan_fini(&e->doc);
}

/* ---- replacing ---- */

static bool same_value(const struct jscan_doc *a, int32_t na, const struct jscan_doc *b, int32_t nb)
{
    const struct jscan_node *x = &a->nodes[na], *y = &b->nodes[nb];
    if (x->type != y->type || x->children != y->children)
        return false;
    if (x->type == JSCAN_STRING) {
        AUTO_FREE char *s = jscan_str(a, na);
        AUTO_FREE char *t = jscan_str(b, nb);
        return s && t && strcmp(s, t) == 0;
    }
    if (x->type == JSCAN_NUMBER)
        return x->end - x->start == y->end - y->start &&
               memcmp(a->text + x->start, b->text + y->start, x->end - x->start) == 0;
    for (int32_t i = x->first_child, k = y->first_child; i >= 0;
         i = a->nodes[i].next, k = b->nodes[k].next) {
        AUTO_FREE char *key = x->type == JSCAN_OBJECT ? jscan_key(a, i) : NULL;
        if ((key && !jscan_key_is(b, k, key)) || !same_value(a, i, b, k))
            return false;
    }
    return true;
}

static void replace_value(const struct editor *e, int32_t node, const struct jscan_doc *value)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    if (same_value(&e->doc, node, value, 0)) {
        editor_copy(e, 0, e->len);
        return;
    }
    editor_copy(e, 0, n->start);
    editor_copy(&(struct editor){.text = value->text, .len = value->len, .out = e->out},
         value->nodes[0].start, value->nodes[0].end);
    editor_copy(e, n->end, e->len);
}

/* A null on the way ("isolation": null) becomes the object that is needed. */
static void replace_null(const struct editor *e, int32_t node, const struct strvec *path,
                         size_t from, const char *json_value)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    struct form f;
    AUTO_BUF struct buf member = BUF_INIT;
    form_find(e, n->parent, &f);
    form_add_member(e, &f, path, from - 1, json_value, &member);
    form_fini(&f);
    editor_copy(e, 0, n->key_start);
    buf_add(e->out, member.data, member.len);
    editor_copy(e, n->end, e->len);
}

/* ---- taking out ---- */

/* text without [from, to), and without its whole line where nothing else stands on it. */
static void cut(const struct editor *e, size_t from, size_t to, size_t copy_from)
{
    size_t start = editor_line_start(e, from), end = to;
    while (end < e->len && editor_is_blank(e->text[end]))
        end++;
    bool first_on_line = start >= copy_from && editor_all_space(e, start, from);
    if (first_on_line && editor_at_line_end(e, end)) {
        from = start;
        to = end + (e->text[end] == '\r' ? 2 : 1);
    } else if (first_on_line) {
        to = end;
    }
    editor_copy(e, copy_from, from);
    editor_copy(e, to, e->len);
}

static void remove_only(const struct editor *e, int32_t node, size_t end)
{
    const struct jscan_node *parent = &e->doc.nodes[e->doc.nodes[node].parent];
    size_t start = e->doc.nodes[node].key_start;
    if (!editor_all_space(e, parent->start + 1, start) ||
        !editor_all_space(e, end, parent->end - 1)) {
        cut(e, start, end, 0);
        return;
    }
    editor_copy(e, 0, parent->start + 1);
    editor_copy(e, parent->end - 1, e->len);
}

static void remove_member(const struct editor *e, int32_t node)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    int32_t before = editor_sibling_before(e, node);
    size_t start = n->key_start, comma = editor_skip_gap(e, n->end, false);
    bool has_comma = comma < e->len && e->text[comma] == ',';
    size_t end = has_comma ? comma + 1 : n->end;

    if (before < 0 && n->next < 0) {
        remove_only(e, node, end);
    } else if (n->next >= 0 && !editor_begins_line(e, node) &&
               editor_all_space(e, end, e->doc.nodes[n->next].key_start)) {
        editor_copy(e, 0, start);                                   /* {"a": 1, "b": 2} */
        editor_copy(e, e->doc.nodes[n->next].key_start, e->len);
    } else if (has_comma) {
        cut(e, start, end, 0);
    } else {
        /* The last one: the comma before it goes too. */
        size_t before_end = e->doc.nodes[before].end;
        size_t comma_before = editor_skip_gap(e, before_end, false);
        editor_copy(e, 0,
                    editor_all_space(e, before_end, comma_before) ? before_end : comma_before);
        if (editor_all_space(e, comma_before + 1, start))
            editor_copy(e, n->end, e->len);
        else
            cut(e, start, n->end, comma_before + 1);
    }
}

/* ---- finding the place ---- */

static int find_server(const struct editor *e, const char *name, int32_t *ret, struct fault *f)
{
    int32_t servers = jscan_member(&e->doc, 0, "mcpServers");
    *ret = -1;
    if (servers >= 0 && e->doc.nodes[servers].type == JSCAN_OBJECT)
        *ret = jscan_member(&e->doc, servers, name);
    bool listed = servers >= 0 && e->doc.nodes[servers].type == JSCAN_ARRAY;
    int32_t first = listed ? e->doc.nodes[servers].first_child : -1;
    for (int32_t at = first; at >= 0; at = e->doc.nodes[at].next) {
        int32_t key = jscan_member(&e->doc, at, "name");
        AUTO_FREE char *value = key >= 0 ? jscan_str(&e->doc, key) : NULL;
        if (!value || strcmp(value, name) != 0)
            continue;
        if (*ret >= 0)
            return fault_set(f, FAULT_CONFLICT,
                             "the configuration has two servers \"%.200s\" (lines %u and %u)", name,
                             e->doc.nodes[*ret].line, e->doc.nodes[at].line);
        *ret = at;
    }
    if (*ret < 0 || e->doc.nodes[*ret].type != JSCAN_OBJECT)
        return fault_set(f, FAULT_NOT_FOUND, "the configuration has no server \"%.200s\"", name);
    return 0;
}

static int split_path(const char *path, struct strvec *out, struct fault *f)
{
    for (const char *p = path;; p++) {
        size_t n = strcspn(p, ".");
        if (n == 0)
            return fault_set(f, FAULT_INVALID, "\"%.100s\" is no path of a key", path);
        strvec_give(out, xstrndup(p, n));
        p += n;
        if (!*p)
            return 0;
    }
}

static int set_at(const struct editor *e, int32_t node, const struct strvec *path,
                  const struct jscan_doc *value, const char *json_value, struct fault *f)
{
    for (size_t i = 0; i < path->n; i++) {
        int32_t child = jscan_member(&e->doc, node, path->v[i]);
        if (child < 0) {
            editor_insert_member(e, node, path, i, json_value);
            return 0;
        }
        if (i + 1 == path->n) {
            replace_value(e, child, value);
            return 0;
        }
        if (e->doc.nodes[child].type == JSCAN_NULL) {
            replace_null(e, child, path, i + 1, json_value);
            return 0;
        }
        if (e->doc.nodes[child].type != JSCAN_OBJECT)
            return fault_set(f, FAULT_CONFIG,
                             "\"%s\" on line %u is no object, so it cannot hold \"%s\"", path->v[i],
                             e->doc.nodes[child].line, path->v[i + 1]);
        node = child;
    }
    return 0;
}

/* Takes out the last member of that path; *ret_again: there was one. */
static void remove_at(const struct editor *e, int32_t node, const struct strvec *path,
                      bool *ret_again)
{
    *ret_again = false;
    for (size_t i = 0; i < path->n; i++) {
        int32_t child = jscan_member(&e->doc, node, path->v[i]);
        if (child < 0)
            break;
        if (i + 1 == path->n) {
            remove_member(e, child);
            *ret_again = true;
            return;
        }
        node = child;
    }
    editor_copy(e, 0, e->len);
}

static int open_editor(struct editor *e, const char *text, size_t len, struct buf *out,
                       struct fault *f)
{
    *e = (struct editor){.text = text, .len = len, .out = out};
    if (out)
        buf_reserve(out, len + 256);     /* the text, and what a change adds to it */
    if (jscan_parse(&e->doc, text, len, JSCAN_LENIENT, NULL, f) < 0) {
        e->doc = (struct jscan_doc){0};
        return fault_wrap(f, "the configuration cannot be changed");
    }
    const char *newline = memchr(text, '\n', len);
    e->newline = newline && newline > text && newline[-1] == '\r' ? "\r\n" : "\n";
    if (e->doc.nodes[0].type != JSCAN_OBJECT)
        return fault_set(f, FAULT_CONFIG, "the configuration is no object ({ … })");
    return 0;
}

static int get_one(struct editor *e, int32_t node, const char *path, struct edit_value *ret,
                   struct fault *f)
{
    AUTO_STRVEC struct strvec keys = {0};
    if (split_path(path, &keys, f) < 0)
        return -1;
    for (size_t i = 0; i < keys.n && node >= 0; i++)
        node = jscan_member(&e->doc, node, keys.v[i]);
    ret->is_there = node >= 0;
    if (node >= 0)
        buf_add(&ret->text, e->text + e->doc.nodes[node].start,
                e->doc.nodes[node].end - e->doc.nodes[node].start);
    return 0;
}

int edit_get_each(const char *text, size_t len, const char *server, const char *const *paths,
                  size_t n, struct edit_value *ret, struct fault *f)
{
    struct editor e = {0};
    int32_t node = 0;
    for (size_t i = 0; i < n; i++)
        ret[i] = (struct edit_value){.text = BUF_INIT};
    int rc = open_editor(&e, text, len, NULL, f);
    if (rc == 0 && server)
        rc = find_server(&e, server, &node, f);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = get_one(&e, node, paths[i], &ret[i], f);
    editor_fini(&e);
    return rc;
}

int edit_get(const char *text, size_t len, const char *server, const char *path, struct buf *out,
             struct fault *f)
{
    struct edit_value value;
    int rc = edit_get_each(text, len, server, &path, 1, &value, f);
    buf_fini(out);
    *out = value.text;
    return rc < 0 ? -1 : value.is_there;
}

/* ---- the whole change ---- */

static int change_once(const char *text, size_t len, const char *server, const struct strvec *path,
                       const struct jscan_doc *value, const char *json_value, struct buf *out,
                       bool *ret_again, struct fault *f)
{
    struct editor e;
    int32_t node = 0;
    *ret_again = false;
    int rc = open_editor(&e, text, len, out, f);
    if (rc == 0 && server)
        rc = find_server(&e, server, &node, f);
    if (rc == 0 && json_value)
        rc = set_at(&e, node, path, value, json_value, f);
    else if (rc == 0)
        remove_at(&e, node, path, ret_again);
    editor_fini(&e);
    return rc;
}

/* Whatever this file got wrong must not reach the user's. text is empty then. */
static int hand_out(struct buf *text, struct buf *out, struct fault *f)
{
    struct jscan_doc check;
    if (jscan_parse(&check, buf_str(text), text->len, JSCAN_LENIENT, NULL, f) < 0)
        return fault_wrap(f, "the change would break the configuration");
    jscan_fini(&check);
    buf_fini(out);
    *out = *text;
    *text = BUF_INIT;
    return 0;
}

static int change(const char *text, size_t len, const char *server, const struct strvec *path,
                  const struct jscan_doc *value, const char *json_value, struct buf *out,
                  struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT;
    bool again = true;
    while (again) {
        AUTO_BUF struct buf to = BUF_INIT;
        if (change_once(text, len, server, path, value, json_value, &to, &again, f))
            return -1;
        struct buf swap = from;
        from = to;
        to = swap;
        text = buf_str(&from);
        len = from.len;
    }
    return hand_out(&from, out, f);
}

static int set_value(const char *text, size_t len, const char *server, const struct strvec *keys,
                     const char *json_value, struct buf *out, struct fault *f)
{
    struct jscan_doc value = {0};
    if (json_value &&
        jscan_parse(&value, json_value, strlen(json_value), JSCAN_STRICT, NULL, f) < 0)
        return fault_wrap(f, "the new value of %s", keys->v[keys->n - 1]);
    int rc = change(text, len, server, keys, &value, json_value, out, f);
    jscan_fini(&value);
    return rc;
}

int edit_text(const char *text, size_t len, const char *server, const char *path,
              const char *json_value, struct buf *out, struct fault *f)
{
    AUTO_STRVEC struct strvec keys = {0};
    if (split_path(path, &keys, f) < 0)
        return -1;
    return set_value(text, len, server, &keys, json_value, out, f);
}

int edit_text_keys(const char *text, size_t len, const char *server, const struct strvec *keys,
                   const char *json_value, struct buf *out, struct fault *f)
{
    return set_value(text, len, server, keys, json_value, out, f);
}

int edit_text_append(const char *text, size_t len, const char *list, const char *key,
                     const char *json_value, struct buf *out, struct fault *f)
{
    AUTO_BUF struct buf to = BUF_INIT;
    struct editor e;
    int rc = open_editor(&e, text, len, &to, f);
    int32_t node = rc ? -1 : jscan_member(&e.doc, 0, list);
    if (rc == 0 && (node < 0 || e.doc.nodes[node].type != JSCAN_ARRAY))
        rc = fault_set(f, FAULT_CONFIG, "\"%s\" is no array", list);
    if (rc == 0)
        editor_insert_element(&e, node, key, json_value);
    editor_fini(&e);
    return rc ? -1 : hand_out(&to, out, f);
}
