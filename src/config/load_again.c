/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A configuration of a thousand servers changes in one place. What both texts begin and end with is
 * not read again: a server in it is what it was, on a line as many further down as its object. */
#include "config/load_again.h"

#include "base/diff.h"

bool load_again_look(struct load_again *a, const struct config_before *before, const char *text,
                     size_t len)
{
    const struct config *c = before->config;
    size_t least = len < before->len ? len : before->len;
    if (!c || c->server_errors)
        return false;
    /* They may overlap: where a server came or went, its neighbours often begin alike. */
    *a = (struct load_again){
        .before = c, .before_len = before->len,
        .head = diff_common_head(text, before->text, least),
        .tail = diff_common_tail(text + len, before->text + before->len, least),
    };
    return true;
}

void load_again_begin(struct config *c, size_t len)
{
    const struct load_again *a = c->again;
    if (a && (c->servers_start != a->before->servers_start || a->head <= c->servers_start ||
              len - c->servers_end != a->before_len - a->before->servers_end ||
              a->tail <= len - c->servers_end))
        c->again = NULL;
}

/* The one before with these bytes: servers are asked for in the order in which they stand. That its
 * key stands in what both texts end with does not say that it was one before: it may have been in a
 * comment, or the end of a longer one. */
static const struct config_server *find_before(struct load_again *a, const struct jscan_doc *doc,
                                               const struct jscan_node *n)
{
    const struct config *c = a->before;
    size_t key_from = jscan_from(n);
    if (n->end > a->head && key_from < doc->len - a->tail)
        return NULL;
    size_t start = n->end <= a->head ? n->start : n->start + a->before_len - doc->len;
    while (a->next < c->server_count && c->servers[a->next].from < start)
        a->next++;
    if (a->next == c->server_count)
        return NULL;
    const struct config_server *s = &c->servers[a->next];
    bool alike = s->from == start && s->to - s->from == n->end - n->start &&
                 s->from - s->key_from == n->start - key_from;
    return alike ? s : NULL;
}

static void move_lines(struct config_server *s, int lines)
{
    s->line += lines;
    for (size_t i = 0; i < ISO_KEYS; i++)
        if (s->isolation.line[i])
            s->isolation.line[i] += lines;
}

bool load_again_take(struct config *c, const struct jscan_doc *doc, int32_t node)
{
    struct load_again *a = c->again;
    const struct jscan_node *n = &doc->nodes[node];
    const struct config_server *before = a ? find_before(a, doc, n) : NULL;
    if (!before || before->has_problems || before->missing_env.n)
        return false;
    /* Its key is "mcpServers[2]" where it has no name of its own. */
    size_t at = (size_t)(before - a->before->servers);
    if (n->key_start == n->key_end && at != c->server_count)
        return false;
    struct config_server *s = &c->servers[c->server_count];
    *s = *before;
    s->same_as = at + 1;
    s->key_from = jscan_from(n);
    s->from = n->start;
    s->to = n->end;
    move_lines(s, (int)n->line - before->line);
    c->server_count++;
    return true;
}
