/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Puts members and elements into a text. A new one copies the form of its neighbours: its own line
 * or the same line, their indentation, their spacing round ":" and ",", the file's line ends. */
#include "config/edit_internal.h"

#include <string.h>
#include "base/mem.h"

/* ---- what lies between values ---- */

bool editor_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return editor_is_blank(c) || c == '\r' || c == '\n';
}

bool editor_all_space(const struct editor *e, size_t from, size_t to)
{
    while (from < to && is_space(e->text[from]))
        from++;
    return from >= to;
}

/* After a comment at pos, or pos where none starts. A line comment's newline is not part of it. */
static size_t after_comment(const struct editor *e, size_t pos)
{
    if (pos + 1 >= e->len || e->text[pos] != '/')
        return pos;
    if (e->text[pos + 1] == '/') {
        while (pos < e->len && e->text[pos] != '\n')
            pos++;
        return pos > 0 && e->text[pos - 1] == '\r' ? pos - 1 : pos;
    }
    for (pos += 2; pos + 1 < e->len && !(e->text[pos] == '*' && e->text[pos + 1] == '/'); pos++)
        ;
    return pos + 2 < e->len ? pos + 2 : e->len;
}

/* The next byte that is neither white space nor comment; with same_line, the end of the line stops
 * it too. */
size_t editor_skip_gap(const struct editor *e, size_t pos, bool same_line)
{
    while (pos < e->len) {
        size_t after = after_comment(e, pos);
        if (after > pos)
            pos = after;
        else if (same_line ? editor_is_blank(e->text[pos]) : is_space(e->text[pos]))
            pos++;
        else
            break;
    }
    return pos;
}

bool editor_at_line_end(const struct editor *e, size_t pos)
{
    return pos < e->len && (e->text[pos] == '\n' ||
                            (e->text[pos] == '\r' && pos + 1 < e->len && e->text[pos + 1] == '\n'));
}

size_t editor_line_start(const struct editor *e, size_t pos)
{
    while (pos > 0 && e->text[pos - 1] != '\n')
        pos--;
    return pos;
}

/* The white space that the line of pos begins with. */
static char *indent_of(const struct editor *e, size_t pos)
{
    size_t start = editor_line_start(e, pos), end = start;
    while (end < e->len && editor_is_blank(e->text[end]))
        end++;
    return xstrndup(e->text + start, end - start);
}

/* Does this member (or element) begin its line? */
bool editor_begins_line(const struct editor *e, int32_t node)
{
    size_t pos = jscan_from(&e->doc.nodes[node]);
    size_t start = editor_line_start(e, pos);
    while (start < pos && editor_is_blank(e->text[start]))
        start++;
    return start == pos;
}

/* ---- form ---- */

void form_fini(struct form *f)
{
    free(f->indent);
    free(f->unit);
    free(f->colon);
    free(f->comma);
}

/* What a container's members are indented by against its own line; NULL when they do not show
 * it. */
static char *unit_of(const struct editor *e, int32_t node)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    if (n->last_child < 0 || !editor_begins_line(e, n->last_child))
        return NULL;
    AUTO_FREE char *outer = indent_of(e, n->start);
    AUTO_FREE char *inner = indent_of(e, jscan_from(&e->doc.nodes[n->last_child]));
    size_t k = strlen(outer);
    return strncmp(inner, outer, k) == 0 ? xstrdup(inner + k) : NULL;
}

/* From the container itself, those round it, then anywhere in the file. */
static char *find_unit(const struct editor *e, int32_t node)
{
    char *unit = NULL;
    for (int32_t at = node; at >= 0 && !unit; at = e->doc.nodes[at].parent)
        unit = unit_of(e, at);
    for (size_t i = 0; i < e->doc.count && !unit; i++)
        unit = unit_of(e, (int32_t)i);
    return unit ? unit : xstrdup("  ");
}

/* text[from, to) when it is `mark` with nothing but blanks round it, else the default. */
static char *separator(const struct editor *e, size_t from, size_t to, char mark,
                       const char *otherwise)
{
    size_t marks = 0;
    for (size_t i = from; i < to; i++) {
        if (e->text[i] == mark)
            marks++;
        else if (!editor_is_blank(e->text[i]))
            return xstrdup(otherwise);
    }
    return marks == 1 ? xstrndup(e->text + from, to - from) : xstrdup(otherwise);
}

int32_t editor_sibling_before(const struct editor *e, int32_t node)
{
    int32_t before = -1;
    for (int32_t at = e->doc.nodes[e->doc.nodes[node].parent].first_child; at != node;
         at = e->doc.nodes[at].next)
        before = at;
    return before;
}

/* The separators of the nearest object round node that has members. */
static void find_separators(const struct editor *e, int32_t node, struct form *f)
{
    const struct jscan_node *nodes = e->doc.nodes;
    while (node >= 0 && (nodes[node].type != JSCAN_OBJECT || nodes[node].last_child < 0))
        node = nodes[node].parent;
    int32_t last = node >= 0 ? nodes[node].last_child : -1;
    int32_t before = last >= 0 ? editor_sibling_before(e, last) : -1;
    f->colon = last >= 0 ? separator(e, nodes[last].key_end, nodes[last].start, ':', ": ")
                         : xstrdup(": ");
    const char *comma = strcmp(f->colon, ":") == 0 ? "," : ", ";
    f->comma = before >= 0 ? separator(e, nodes[before].end, nodes[last].key_start, ',', comma)
                           : xstrdup(comma);
}

void form_find(const struct editor *e, int32_t object, struct form *f)
{
    const struct jscan_node *n = &e->doc.nodes[object];
    find_separators(e, object, f);
    f->unit = find_unit(e, object);
    if (n->last_child >= 0) {
        f->own_lines = editor_begins_line(e, n->last_child);
        f->indent = indent_of(e, jscan_from(&e->doc.nodes[n->last_child]));
    } else {
        AUTO_FREE char *outer = indent_of(e, n->start);
        bool one_line = memchr(e->text + n->start, '\n', n->end - n->start) == NULL;
        f->own_lines = n->parent < 0 || editor_begins_line(e, object) || !one_line;
        f->indent = xasprintf("%s%s", outer, f->unit);
    }
}

/* "key": value, where the rest of the path makes objects round the value. */
void form_add_member(const struct editor *e, const struct form *f, const struct strvec *path,
                       size_t from, const char *json_value, struct buf *out)
{
    AUTO_BUF struct buf indent = BUF_INIT;
    buf_add_str(&indent, f->indent);
    for (size_t i = from; i < path->n; i++) {
        buf_add_json(out, path->v[i], strlen(path->v[i]));
        buf_add_str(out, f->colon);
        if (i + 1 == path->n)
            break;
        buf_add_char(out, '{');
        if (f->own_lines) {
            buf_add_str(&indent, f->unit);
            buf_printf(out, "%s%s", e->newline, buf_str(&indent));
        }
    }
    buf_add_str(out, json_value);
    size_t unit = strlen(f->unit);
    for (size_t i = from; i + 1 < path->n; i++) {
        if (f->own_lines) {
            indent.len -= unit;
            indent.data[indent.len] = '\0';
            buf_printf(out, "%s%s", e->newline, buf_str(&indent));
        }
        buf_add_char(out, '}');
    }
}

/* ---- putting in ---- */

void editor_copy(const struct editor *e, size_t from, size_t to)
{
    if (to > from)
        buf_add(e->out, e->text + from, to - from);
}

static void insert_after_last(const struct editor *e, int32_t object, const struct form *f,
                              const char *member)
{
    size_t end = e->doc.nodes[e->doc.nodes[object].last_child].end;
    size_t comma = editor_skip_gap(e, end, false);
    bool trailing = comma < e->len && e->text[comma] == ',';
    size_t base = trailing ? comma + 1 : end;
    size_t tail = editor_skip_gap(e, base, true);
    /* A comment on the last member's line stays with it; a closing brace there does not. */
    size_t at = f->own_lines && editor_at_line_end(e, tail) ? tail : base;
    editor_copy(e, 0, base);
    if (f->own_lines) {
        if (!trailing)
            buf_add_char(e->out, ',');
        editor_copy(e, base, at);
        buf_printf(e->out, "%s%s", e->newline, f->indent);
    } else {
        const char *after_comma = strchr(f->comma, ',') + 1;
        buf_add_str(e->out, trailing ? after_comma : f->comma);
    }
    buf_add_str(e->out, member);
    if (trailing)
        buf_add_char(e->out, ',');
    editor_copy(e, at, e->len);
}

static void insert_first(const struct editor *e, int32_t object, const struct form *f,
                         const char *member)
{
    const struct jscan_node *n = &e->doc.nodes[object];
    size_t open = n->start + 1, close = n->end - 1, last = close;
    while (last > open && is_space(e->text[last - 1]))
        last--;
    editor_copy(e, 0, last);          /* with the comments that the object may hold */
    if (f->own_lines) {
        AUTO_FREE char *outer = indent_of(e, n->start);
        buf_printf(e->out, "%s%s%s", e->newline, f->indent, member);
        if (memchr(e->text + last, '\n', close - last))
            editor_copy(e, last, close);
        else
            buf_printf(e->out, "%s%s", e->newline, outer);
    } else {
        if (last < close || last > open)
            buf_add_char(e->out, ' ');
        buf_add_str(e->out, member);
        editor_copy(e, last, close);
    }
    editor_copy(e, close, e->len);
}

void editor_insert_member(const struct editor *e, int32_t object, const struct strvec *path,
                          size_t from, const char *json_value)
{
    struct form f;
    AUTO_BUF struct buf member = BUF_INIT;
    form_find(e, object, &f);
    form_add_member(e, &f, path, from, json_value, &member);
    if (e->doc.nodes[object].last_child >= 0)
        insert_after_last(e, object, &f, buf_str(&member));
    else
        insert_first(e, object, &f, buf_str(&member));
    form_fini(&f);
}

/* Over lines, in the form of the array's neighbours; on one line with the last one's spacing. */
static void add_element(const struct editor *e, int32_t array, const struct form *f,
                        const char *key, const char *json_value, struct buf *out)
{
    int32_t last = e->doc.nodes[array].last_child;
    const struct jscan_node *n = last < 0 ? NULL : &e->doc.nodes[last];
    bool lines = f->own_lines && (!n || memchr(e->text + n->start, '\n', n->end - n->start));
    bool tight = n && !editor_is_blank(e->text[n->start + 1]);
    buf_add_char(out, '{');
    if (lines)
        buf_printf(out, "%s%s%s", e->newline, f->indent, f->unit);
    else if (!tight)
        buf_add_char(out, ' ');
    buf_add_json(out, key, strlen(key));
    buf_printf(out, "%s%s", f->colon, json_value);
    if (lines)
        buf_printf(out, "%s%s", e->newline, f->indent);
    else if (!tight)
        buf_add_char(out, ' ');
    buf_add_char(out, '}');
}

void editor_insert_element(const struct editor *e, int32_t array, const char *key,
                           const char *json_value)
{
    struct form f;
    AUTO_BUF struct buf element = BUF_INIT;
    form_find(e, array, &f);
    add_element(e, array, &f, key, json_value, &element);
    if (e->doc.nodes[array].last_child >= 0)
        insert_after_last(e, array, &f, buf_str(&element));
    else
        insert_first(e, array, &f, buf_str(&element));
    form_fini(&f);
}
