/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mcp/tool_filter.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/jscan.h"
#include "base/mem.h"

/* ---- the rules ---- */

void tool_filter_copy(struct tool_filter *to, const struct tool_filter *from)
{
    to->quarantined = from->quarantined;
    strvec_copy(&to->enabled, &from->enabled);
    strvec_copy(&to->disabled, &from->disabled);
    to->hold = from->hold;
    to->hold_all = from->hold_all;
    tool_digests_copy(&to->approved, &from->approved);
    strvec_copy(&to->held, &from->held);
}

bool tool_filter_equal(const struct tool_filter *a, const struct tool_filter *b)
{
    return a->quarantined == b->quarantined && strvec_equal(&a->enabled, &b->enabled) &&
           strvec_equal(&a->disabled, &b->disabled) && a->hold == b->hold &&
           a->hold_all == b->hold_all && tool_digests_equal(&a->approved, &b->approved) &&
           strvec_equal(&a->held, &b->held);
}

void tool_filter_fini(struct tool_filter *t)
{
    strvec_fini(&t->enabled);
    strvec_fini(&t->disabled);
    tool_digests_fini(&t->approved);
    strvec_fini(&t->held);
    *t = (struct tool_filter){0};
}

bool tool_filter_is_set(const struct tool_filter *t)
{
    return t->quarantined || t->enabled.n || t->disabled.n || t->hold;
}

static bool names(const struct strvec *list, struct span inside)
{
    for (size_t i = 0; i < list->n; i++) {
        if (span_is(inside, list->v[i]))
            return true;
    }
    return false;
}

static int compare_name(const void *name, const void *item)
{
    return strcmp(name, *(char *const *)item);
}

/* A server that changes all of its tools has many that wait. */
static bool is_held(const struct tool_filter *t, struct span name)
{
    if (t->hold_all || !t->held.n)
        return t->hold_all;
    AUTO_FREE char *plain = span_decode(name, name.n);
    return bsearch(plain, t->held.v, t->held.n, sizeof *t->held.v, compare_name);
}

enum tool_hidden tool_filter_name(const struct tool_filter *t, struct span name)
{
    if (t->quarantined)
        return TOOL_QUARANTINED;
    if (name.n < 2 || *name.p != '"')
        return tool_filter_is_set(t) ? TOOL_AMBIGUOUS : TOOL_SHOWN;
    struct span inside = {name.p + 1, name.n - 2};
    if (names(&t->disabled, inside))
        return TOOL_DISABLED;
    if (t->enabled.n && !names(&t->enabled, inside))
        return TOOL_NOT_ENABLED;
    return is_held(t, name) ? TOOL_HELD : TOOL_SHOWN;
}

enum tool_hidden tool_filter_entry(const struct tool_filter *t, struct span entry)
{
    uint8_t digest[SHA256_BYTES];

    if (!tool_filter_is_set(t))
        return TOOL_SHOWN;
    enum tool_hidden why = tool_filter_name(t, tool_entry_name(entry));
    if (!t->hold || (why != TOOL_SHOWN && why != TOOL_HELD))
        return why;
    tool_digest(entry, digest);
    return t->hold_all || !tool_digests_has(&t->approved, digest) ? TOOL_HELD : TOOL_SHOWN;
}

const char *tool_hidden_by(enum tool_hidden why)
{
    static const char *const keys[] = {
        [TOOL_SHOWN] = "", [TOOL_QUARANTINED] = "quarantined", [TOOL_NOT_ENABLED] = "enabled_tools",
        [TOOL_DISABLED] = "disabled_tools", [TOOL_AMBIGUOUS] = "a name that is not clear",
        [TOOL_HELD] = "on_tool_change",
    };
    return keys[why];
}

/* ---- entries ---- */

bool tool_next_entry(const char **at, const char *end, struct span *ret)
{
    const char *p = jscan_space(*at, end);

    if (p < end && *p == ',')
        p = jscan_space(p + 1, end);
    const char *after = p < end && *p != ']' ? jscan_value(p, end, NULL) : NULL;
    if (!after)
        return false;
    *ret = (struct span){p, (size_t)(after - p)};
    *at = after;
    return true;
}

/* As the most careless reader of JSON would take it. */
static bool is_key(struct span key, const char *text)
{
    AUTO_FREE char *plain = span_decode(key, 16);

    return strcasecmp(plain, text) == 0;
}

struct span tool_entry_name(struct span entry)
{
    struct span name = {0};
    struct member m;

    if (entry.n < 2 || *entry.p != '{')
        return name;
    for (const char *at = entry.p + 1; span_next_member(&at, entry.p + entry.n, &m);) {
        if (!is_key(m.key, "name"))
            continue;
        if (name.n)
            return (struct span){0};
        name = m.value;
    }
    return name;
}

/* ---- lists ---- */

bool tool_filter_array(const struct tool_filter *t, struct span array, struct buf *out)
{
    const char *end = array.p + array.n, *at = array.p + 1;
    const char *comma = "";
    struct span entry;
    bool news = false;

    buf_add_char(out, '[');
    while (array.n >= 2 && *array.p == '[' && tool_next_entry(&at, end, &entry)) {
        enum tool_hidden why = tool_filter_entry(t, entry);
        news |= why == TOOL_HELD && !is_held(t, tool_entry_name(entry));
        if (why != TOOL_SHOWN)
            continue;
        buf_add_str(out, comma);
        buf_add(out, entry.p, entry.n);
        comma = ",";
    }
    buf_add_char(out, ']');
    return news;
}

bool tool_filter_message(const struct tool_filter *t, const struct envelope *e, struct buf *out)
{
    const char *from = e->body.p, *end = e->result.p + e->result.n;
    struct member m;
    bool news = false;

    for (const char *at = e->result.p + 1; *e->result.p == '{' && span_next_member(&at, end, &m);) {
        if (!is_key(m.key, "tools"))
            continue;
        buf_add(out, from, (size_t)(m.value.p - from));
        news |= tool_filter_array(t, m.value, out);
        from = m.value.p + m.value.n;
    }
    buf_add(out, from, (size_t)(e->body.p + e->body.n - from));
    return news;
}
