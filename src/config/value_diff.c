/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each text becomes a list of its values with their paths, a line each, and these are compared as
 * lines are. */
#include "config/value_diff.h"

#include <string.h>
#include "base/diff.h"
#include "base/jscan.h"

/* A text of which a line is longer has no lines that people wrote. */
enum { LONG_LINE = 200 };

bool value_diff_is_better(const struct buf *diff)
{
    for (const char *p = buf_str(diff); *p;) {
        size_t n = strcspn(p, "\n");
        if ((*p == '+' || *p == '-') && n > LONG_LINE)
            return true;
        p += n + (p[n] == '\n');
    }
    return false;
}

/* path: of the node; as it was when this returns. At most JSCAN_MAX_DEPTH deep. */
static void list_values(const struct jscan_doc *d, int32_t node, struct buf *path, struct buf *out)
{
    const struct jscan_node *n = &d->nodes[node];
    size_t len = path->len, index = 0;
    if (n->first_child < 0)
        buf_printf(out, "%s: %.*s\n", buf_str(path), (int)(n->end - n->start), d->text + n->start);
    for (int32_t i = n->first_child; i >= 0; i = d->nodes[i].next) {
        const struct jscan_node *c = &d->nodes[i];
        if (n->type == JSCAN_ARRAY)
            buf_printf(path, "[%zu]", index++);
        else
            buf_printf(path, "%s%.*s", len ? "." : "", (int)(c->key_end - c->key_start - 2),
                       d->text + c->key_start + 1);
        list_values(d, i, path, out);
        path->len = len;
        path->data[len] = '\0';
    }
}

static bool list_all(const struct buf *text, struct buf *out)
{
    struct jscan_doc d = { 0 };
    AUTO_BUF struct buf path = BUF_INIT;
    bool good = jscan_parse(&d, buf_str(text), text->len, JSCAN_LENIENT, NULL, NULL) == 0;
    if (good)
        list_values(&d, 0, &path, out);
    jscan_fini(&d);
    return good;
}

bool value_diff(const struct buf *from, const struct buf *to, struct buf *out)
{
    AUTO_BUF struct buf old = BUF_INIT, new = BUF_INIT, diff = BUF_INIT;
    if (!list_all(from, &old) || !list_all(to, &new))
        return false;
    diff_text(buf_str(&old), old.len, buf_str(&new), new.len, 0, &diff);
    if (diff.len)
        buf_add_str(out, "@@ by value, for the file's lines are too long to show @@\n");
    for (const char *p = buf_str(&diff); *p;) {
        size_t n = strcspn(p, "\n");
        if (*p == '+' || *p == '-')
            buf_printf(out, "%.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
    return true;
}
