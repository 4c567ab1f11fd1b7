/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes of single keys and of items of arrays, worked out on a copy of the text: what each key
 * will be. Items that stay keep the bytes they have in the file (`${env:X}` among them). */
#include "supervisor/fleet_private.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "config/edit.h"

static void add_item(struct buf *out, bool *first, const char *p, size_t n)
{
    buf_add_str(out, *first ? "" : ", ");
    buf_add(out, p, n);
    *first = false;
}

static int new_array(const char *raw, const struct fleet_key *k, struct buf *out, struct fault *f)
{
    struct jscan_doc doc;
    if (jscan_parse(&doc, raw, strlen(raw), JSCAN_LENIENT, NULL, f) < 0)
        return -1;
    int rc = doc.nodes[0].type == JSCAN_ARRAY ? 0
        : fault_set(f, FAULT_CONFLICT, "%s is no list", k->path);
    bool first = true;
    size_t i = 0;
    buf_clear(out);
    buf_add_char(out, '[');
    if (k->op == FLEET_KEY_PREPEND)
        add_item(out, &first, k->json, strlen(k->json));
    for (int32_t at = rc ? -1 : doc.nodes[0].first_child; at >= 0; at = doc.nodes[at].next, i++) {
        if (k->op == FLEET_KEY_ITEM && i == k->index)
            add_item(out, &first, k->json, strlen(k->json));
        else
            add_item(out, &first, raw + doc.nodes[at].start,
                     doc.nodes[at].end - doc.nodes[at].start);
    }
    if (k->op == FLEET_KEY_APPEND)
        add_item(out, &first, k->json, strlen(k->json));
    buf_add_char(out, ']');
    if (rc == 0 && k->op == FLEET_KEY_ITEM && k->index >= i)
        rc = fault_set(f, FAULT_CONFLICT, "%s has no item %zu", k->path, k->index);
    jscan_fini(&doc);
    return rc;
}

static int resolve_one(struct buf *text, const char *server, const struct fleet_key *k,
                       struct kvvec *out, struct fault *f)
{
    AUTO_BUF struct buf raw = BUF_INIT, json = BUF_INIT, next = BUF_INIT;
    if (k->op == FLEET_KEY_SET) {
        buf_add_str(&json, k->json);
    } else {
        int there = edit_get(buf_str(text), text->len, server, k->path, &raw, f);
        if (there < 0 || new_array(there ? buf_str(&raw) : "[]", k, &json, f) < 0)
            return -1;
    }
    if (edit_text(buf_str(text), text->len, server, k->path, buf_str(&json), &next, f) < 0)
        return -1;
    kvvec_set(out, k->path, buf_str(&json));
    struct buf swap = *text;
    *text = next;
    next = swap;
    return 0;
}

int fleet_keys_resolve(const char *text, size_t len, const char *server,
                       const struct fleet_key *keys, size_t n, struct kvvec *out,
                       struct fault *f)
{
    AUTO_BUF struct buf work = BUF_INIT;
    buf_add(&work, text, len);
    for (size_t i = 0; i < n; i++)
        if (resolve_one(&work, server, &keys[i], out, f) < 0)
            return -1;
    return 0;
}
