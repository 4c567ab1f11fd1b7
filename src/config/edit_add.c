/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Adds a server to the text of a configuration: its place by the form of mcpServers, then one
 * member after the other, so that each takes the form of those beside it. */
#include "config/edit.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"

struct adding {
    struct buf text;
    const char *server;          /* of an array: named by its value of "name"; else NULL */
    struct fault *f;
};

static void move(struct buf *to, struct buf *from)
{
    buf_fini(to);
    *to = *from;
    *from = BUF_INIT;
}

static int set(struct adding *a, const struct strvec *keys, const char *json)
{
    AUTO_BUF struct buf out = BUF_INIT;
    if (edit_text_keys(buf_str(&a->text), a->text.len, a->server, keys, json, &out, a->f))
        return -1;
    move(&a->text, &out);
    return 0;
}

/* Members of objects one by one; everything else as one value. */
static int set_members(struct adding *a, const struct strvec *at, json_t *value)
{
    const char *key;
    json_t *member;
    if (!json_is_object(value) || !json_object_size(value)) {
        AUTO_FREE char *json = json_dumps(value, JSON_ENCODE_ANY);
        return json ? set(a, at, json)
                    : fault_set(a->f, FAULT_INVALID, "\"%s\" has a value that is no JSON",
                                at->v[at->n - 1]);
    }
    json_object_foreach(value, key, member) {
        AUTO_STRVEC struct strvec below = {0};
        strvec_copy(&below, at);
        strvec_add(&below, key);
        if (set_members(a, &below, member))
            return -1;
    }
    return 0;
}

static int append(struct adding *a, const char *name)
{
    AUTO_BUF struct buf out = BUF_INIT, json = BUF_INIT;
    buf_add_json(&json, name, strlen(name));
    if (edit_text_append(buf_str(&a->text), a->text.len, "mcpServers", "name", buf_str(&json), &out,
                         a->f))
        return -1;
    move(&a->text, &out);
    a->server = name;
    return 0;
}

enum shape { SHAPE_NONE, SHAPE_OBJECT, SHAPE_ARRAY, SHAPE_WRONG };

static int find_shape(const struct buf *text, const char *name, enum shape *ret, struct fault *f)
{
    struct jscan_doc doc;
    if (jscan_parse(&doc, buf_str(text), text->len, JSCAN_LENIENT, NULL, f))
        return -1;
    int32_t servers = jscan_member(&doc, 0, "mcpServers");
    enum jscan_type type = servers < 0 ? JSCAN_NULL : doc.nodes[servers].type;
    *ret = type == JSCAN_ARRAY    ? SHAPE_ARRAY
           : type == JSCAN_OBJECT ? SHAPE_OBJECT
           : type == JSCAN_NULL   ? SHAPE_NONE
                                  : SHAPE_WRONG;
    int32_t there = *ret == SHAPE_OBJECT ? jscan_member(&doc, servers, name) : -1;
    int32_t at = *ret == SHAPE_ARRAY ? doc.nodes[servers].first_child : -1;
    for (; at >= 0; at = doc.nodes[at].next) {
        AUTO_FREE char *other = jscan_str(&doc, jscan_member(&doc, at, "name"));
        if (other && !strcmp(other, name))
            there = at;
    }
    int rc = 0;
    if (there >= 0)
        rc = fault_set(f, FAULT_CONFLICT, "there is a server \"%.200s\" already, on line %u", name,
                       doc.nodes[there].line);
    else if (*ret == SHAPE_WRONG)
        rc = fault_set(f, FAULT_CONFIG, "mcpServers on line %u is no list of servers",
                       doc.nodes[servers].line);
    jscan_fini(&doc);
    return rc;
}

int edit_add_server(const char *text, size_t len, const char *name, json_t *spec, struct buf *out,
                    struct fault *f)
{
    AUTO_STRVEC struct strvec keys = {0};
    struct adding a = {.f = f};
    enum shape shape = SHAPE_NONE;
    size_t blank = 0;
    while (blank < len && text[blank] && strchr(" \t\r\n", text[blank]))
        blank++;
    if (blank == len)
        buf_add_str(&a.text, "{\n}\n");
    else
        buf_add(&a.text, text, len);
    int rc = find_shape(&a.text, name, &shape, f);
    if (rc == 0 && shape == SHAPE_ARRAY) {
        const char *key;
        json_t *member;
        rc = append(&a, name);
        json_object_foreach(spec, key, member) {
            AUTO_STRVEC struct strvec one = {0};
            strvec_add(&one, key);
            if (rc == 0)
                rc = set_members(&a, &one, member);
        }
    } else if (rc == 0) {
        strvec_add(&keys, "mcpServers");
        strvec_add(&keys, name);
        rc = set_members(&a, &keys, spec);
    }
    if (rc == 0)
        move(out, &a.text);
    buf_fini(&a.text);
    return rc;
}
