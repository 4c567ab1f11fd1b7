/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Changes values in the text of a configuration and nothing else. It works on spans: the scanner
 * says where values stand, what lies between them (white space, comments, commas) is looked at here
 * only where a member goes in or out. A new member copies the form of its neighbours: its own line
 * or the same line, their indentation, their spacing round ":" and ",", the file's line ends. Must
 * not know what any key means. */
#include "config/edit.h"

#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "base/strvec.h"

struct editor {
    struct jscan_doc doc;
    const char *text;
    size_t len;
    const char *newline;      /* "\n" or "\r\n" */
    struct buf *out;
};

static void editor_fini(struct editor *e)
{
    jscan_fini(&e->doc);
}

/* ---- what lies between values ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\r' || c == '\n';
}

static bool all_space(const struct editor *e, size_t from, size_t to)
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
static size_t skip_gap(const struct editor *e, size_t pos, bool same_line)
{
    while (pos < e->len) {
        size_t after = after_comment(e, pos);
        if (after > pos)
            pos = after;
        else if (same_line ? is_blank(e->text[pos]) : is_space(e->text[pos]))
            pos++;
        else
            break;
    }
    return pos;
}

static bool at_line_end(const struct editor *e, size_t pos)
{
    return pos < e->len && (e->text[pos] == '\n' ||
                            (e->text[pos] == '\r' && pos + 1 < e->len && e->text[pos + 1] == '\n'));
}

static size_t line_start(const struct editor *e, size_t pos)
{
    while (pos > 0 && e->text[pos - 1] != '\n')
        pos--;
    return pos;
}

/* The white space that the line of pos begins with. */
static char *indent_of(const struct editor *e, size_t pos)
{
    size_t start = line_start(e, pos), end = start;
    while (end < e->len && is_blank(e->text[end]))
        end++;
    return xstrndup(e->text + start, end - start);
}

static size_t member_start(const struct editor *e, int32_t node)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    return n->key_end > n->key_start ? n->key_start : n->start;
}

/* Does this member (or element) begin its line? */
static bool begins_line(const struct editor *e, int32_t node)
{
    size_t pos = member_start(e, node);
    size_t start = line_start(e, pos);
    while (start < pos && is_blank(e->text[start]))
        start++;
    return start == pos;
}

/* ---- form ---- */

struct form {
    bool own_lines;
    char *indent;        /* of the members */
    char *unit;          /* one level more */
    char *colon;         /* ": " */
    char *comma;         /* ", " between members of one line */
};

static void form_fini(struct form *f)
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
    if (n->last_child < 0 || !begins_line(e, n->last_child))
        return NULL;
    AUTO_FREE char *outer = indent_of(e, n->start);
    AUTO_FREE char *inner = indent_of(e, member_start(e, n->last_child));
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
        else if (!is_blank(e->text[i]))
            return xstrdup(otherwise);
    }
    return marks == 1 ? xstrndup(e->text + from, to - from) : xstrdup(otherwise);
}

static int32_t sibling_before(const struct editor *e, int32_t node)
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
    int32_t before = last >= 0 ? sibling_before(e, last) : -1;
    f->colon = last >= 0 ? separator(e, nodes[last].key_end, nodes[last].start, ':', ": ")
                         : xstrdup(": ");
    const char *comma = strcmp(f->colon, ":") == 0 ? "," : ", ";
    f->comma = before >= 0 ? separator(e, nodes[before].end, nodes[last].key_start, ',', comma)
                           : xstrdup(comma);
}

static void find_form(const struct editor *e, int32_t object, struct form *f)
{
    const struct jscan_node *n = &e->doc.nodes[object];
    find_separators(e, object, f);
    f->unit = find_unit(e, object);
    if (n->last_child >= 0) {
        f->own_lines = begins_line(e, n->last_child);
        f->indent = indent_of(e, member_start(e, n->last_child));
    } else {
        AUTO_FREE char *outer = indent_of(e, n->start);
        bool one_line = memchr(e->text + n->start, '\n', n->end - n->start) == NULL;
        f->own_lines = n->parent < 0 || begins_line(e, object) || !one_line;
        f->indent = xasprintf("%s%s", outer, f->unit);
    }
}

/* "key": value, where the rest of the path makes objects round the value. */
static void add_member(const struct editor *e, const struct form *f, const struct strvec *path,
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

static void copy(const struct editor *e, size_t from, size_t to)
{
    if (to > from)
        buf_add(e->out, e->text + from, to - from);
}

static void insert_after_last(const struct editor *e, int32_t object, const struct form *f,
                              const char *member)
{
    size_t end = e->doc.nodes[e->doc.nodes[object].last_child].end;
    size_t comma = skip_gap(e, end, false);
    bool trailing = comma < e->len && e->text[comma] == ',';
    size_t base = trailing ? comma + 1 : end;
    size_t tail = skip_gap(e, base, true);
    /* A comment on the last member's line stays with it; a closing brace there does not. */
    size_t at = f->own_lines && at_line_end(e, tail) ? tail : base;
    copy(e, 0, base);
    if (f->own_lines) {
        if (!trailing)
            buf_add_char(e->out, ',');
        copy(e, base, at);
        buf_printf(e->out, "%s%s", e->newline, f->indent);
    } else {
        const char *after_comma = strchr(f->comma, ',') + 1;
        buf_add_str(e->out, trailing ? after_comma : f->comma);
    }
    buf_add_str(e->out, member);
    if (trailing)
        buf_add_char(e->out, ',');
    copy(e, at, e->len);
}

static void insert_first(const struct editor *e, int32_t object, const struct form *f,
                         const char *member)
{
    const struct jscan_node *n = &e->doc.nodes[object];
    size_t open = n->start + 1, close = n->end - 1, last = close;
    while (last > open && is_space(e->text[last - 1]))
        last--;
    copy(e, 0, last);          /* with the comments that the object may hold */
    if (f->own_lines) {
        AUTO_FREE char *outer = indent_of(e, n->start);
        buf_printf(e->out, "%s%s%s", e->newline, f->indent, member);
        if (memchr(e->text + last, '\n', close - last))
            copy(e, last, close);
        else
            buf_printf(e->out, "%s%s", e->newline, outer);
    } else {
        if (last < close || last > open)
            buf_add_char(e->out, ' ');
        buf_add_str(e->out, member);
        copy(e, last, close);
    }
    copy(e, close, e->len);
}

static void insert_member(const struct editor *e, int32_t object, const struct strvec *path,
                          size_t from, const char *json_value)
{
    struct form f;
    AUTO_BUF struct buf member = BUF_INIT;
    find_form(e, object, &f);
    add_member(e, &f, path, from, json_value, &member);
    if (e->doc.nodes[object].last_child >= 0)
        insert_after_last(e, object, &f, buf_str(&member));
    else
        insert_first(e, object, &f, buf_str(&member));
    form_fini(&f);
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
        copy(e, 0, e->len);
        return;
    }
    copy(e, 0, n->start);
    copy(&(struct editor){.text = value->text, .len = value->len, .out = e->out},
         value->nodes[0].start, value->nodes[0].end);
    copy(e, n->end, e->len);
}

/* A null on the way ("isolation": null) becomes the object that is needed. */
static void replace_null(const struct editor *e, int32_t node, const struct strvec *path,
                         size_t from, const char *json_value)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    struct form f;
    AUTO_BUF struct buf member = BUF_INIT;
    find_form(e, n->parent, &f);
    add_member(e, &f, path, from - 1, json_value, &member);
    form_fini(&f);
    copy(e, 0, n->key_start);
    buf_add(e->out, member.data, member.len);
    copy(e, n->end, e->len);
}

/* ---- taking out ---- */

/* text without [from, to), and without its whole line where nothing else stands on it. */
static void cut(const struct editor *e, size_t from, size_t to, size_t copy_from)
{
    size_t start = line_start(e, from), end = to;
    while (end < e->len && is_blank(e->text[end]))
        end++;
    bool first_on_line = start >= copy_from && all_space(e, start, from);
    if (first_on_line && at_line_end(e, end)) {
        from = start;
        to = end + (e->text[end] == '\r' ? 2 : 1);
    } else if (first_on_line) {
        to = end;
    }
    copy(e, copy_from, from);
    copy(e, to, e->len);
}

static void remove_only(const struct editor *e, int32_t node, size_t end)
{
    const struct jscan_node *parent = &e->doc.nodes[e->doc.nodes[node].parent];
    size_t start = e->doc.nodes[node].key_start;
    if (!all_space(e, parent->start + 1, start) || !all_space(e, end, parent->end - 1)) {
        cut(e, start, end, 0);
        return;
    }
    copy(e, 0, parent->start + 1);
    copy(e, parent->end - 1, e->len);
}

static void remove_member(const struct editor *e, int32_t node)
{
    const struct jscan_node *n = &e->doc.nodes[node];
    int32_t before = sibling_before(e, node);
    size_t start = n->key_start, comma = skip_gap(e, n->end, false);
    bool has_comma = comma < e->len && e->text[comma] == ',';
    size_t end = has_comma ? comma + 1 : n->end;

    if (before < 0 && n->next < 0) {
        remove_only(e, node, end);
    } else if (n->next >= 0 && !begins_line(e, node) &&
               all_space(e, end, e->doc.nodes[n->next].key_start)) {
        copy(e, 0, start);                                   /* {"a": 1, "b": 2} */
        copy(e, e->doc.nodes[n->next].key_start, e->len);
    } else if (has_comma) {
        cut(e, start, end, 0);
    } else {
        /* The last one: the comma before it goes too. */
        size_t before_end = e->doc.nodes[before].end, comma_before = skip_gap(e, before_end, false);
        copy(e, 0, all_space(e, before_end, comma_before) ? before_end : comma_before);
        if (all_space(e, comma_before + 1, start))
            copy(e, n->end, e->len);
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
            insert_member(e, node, path, i, json_value);
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
    copy(e, 0, e->len);
}

static int open_editor(struct editor *e, const char *text, size_t len, struct buf *out,
                       struct fault *f)
{
    *e = (struct editor){.text = text, .len = len, .out = out};
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

int edit_get(const char *text, size_t len, const char *server, const char *path, struct buf *out,
             struct fault *f)
{
    AUTO_STRVEC struct strvec keys = {0};
    struct editor e = {0};
    int32_t node = 0;
    buf_clear(out);
    int rc = split_path(path, &keys, f);
    if (rc == 0)
        rc = open_editor(&e, text, len, out, f);
    if (rc == 0 && server)
        rc = find_server(&e, server, &node, f);
    for (size_t i = 0; rc == 0 && i < keys.n && node >= 0; i++)
        node = jscan_member(&e.doc, node, keys.v[i]);
    if (rc == 0 && node >= 0)
        copy(&e, e.doc.nodes[node].start, e.doc.nodes[node].end);
    editor_fini(&e);
    return rc < 0 ? -1 : node >= 0;
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

static int change(const char *text, size_t len, const char *server, const struct strvec *path,
                  const struct jscan_doc *value, const char *json_value, struct buf *out,
                  struct fault *f)
{
    AUTO_BUF struct buf from = BUF_INIT;
    bool again = true;
    buf_add(&from, text, len);
    while (again) {
        AUTO_BUF struct buf to = BUF_INIT;
        if (change_once(buf_str(&from), from.len, server, path, value, json_value, &to, &again, f))
            return -1;
        struct buf swap = from;
        from = to;
        to = swap;
    }
    /* Whatever this file got wrong must not reach the user's. */
    struct jscan_doc check;
    if (jscan_parse(&check, buf_str(&from), from.len, JSCAN_LENIENT, NULL, f) < 0)
        return fault_wrap(f, "the change would break the configuration");
    jscan_fini(&check);
    buf_clear(out);
    buf_add(out, from.data, from.len);
    return 0;
}

int edit_text(const char *text, size_t len, const char *server, const char *path,
              const char *json_value, struct buf *out, struct fault *f)
{
    AUTO_STRVEC struct strvec keys = {0};
    struct jscan_doc value = {0};
    if (split_path(path, &keys, f) < 0)
        return -1;
    if (json_value &&
        jscan_parse(&value, json_value, strlen(json_value), JSCAN_STRICT, NULL, f) < 0)
        return fault_wrap(f, "the new value of %s", path);
    int rc = change(text, len, server, &keys, &value, json_value, out, f);
    jscan_fini(&value);
    return rc;
}
