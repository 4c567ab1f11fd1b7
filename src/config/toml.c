/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The grammar of TOML but for its values (toml_value.c): lines, keys, headers, and what may not be
 * said twice. */
#include "config/toml_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/text.h"

int toml_bad(struct toml_reader *r, const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    int line = 1;
    for (const char *p = r->text; p < r->p; p++)
        line += *p == '\n';
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    r->line = line;
    return fault_set(r->f, FAULT_INVALID, "line %d: %s", line, buf_str(&text));
}

/* ---- white space ---- */

void toml_blanks(struct toml_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t'))
        r->p++;
}

bool toml_at_newline(const struct toml_reader *r)
{
    return r->p < r->end &&
           (*r->p == '\n' || (*r->p == '\r' && r->p + 1 < r->end && r->p[1] == '\n'));
}

/* A comment may hold tabs, but no other control character. */
static int skip_comment(struct toml_reader *r)
{
    if (r->p == r->end || *r->p != '#')
        return 0;
    for (; r->p < r->end && !toml_at_newline(r); r->p++)
        if (((unsigned char)*r->p < ' ' && *r->p != '\t') || *r->p == 0x7f)
            return toml_bad(r, "a control character in a comment");
    return 0;
}

static void skip_newline(struct toml_reader *r)
{
    if (toml_at_newline(r))
        r->p += *r->p == '\r' ? 2 : 1;
}

int toml_gap(struct toml_reader *r)
{
    for (const char *was = NULL; was != r->p;) {
        was = r->p;
        toml_blanks(r);
        if (skip_comment(r))
            return -1;
        skip_newline(r);
    }
    return 0;
}

/* What may still stand on a line after a value or a header. */
static int end_of_line(struct toml_reader *r)
{
    toml_blanks(r);
    if (skip_comment(r))
        return -1;
    if (r->p < r->end && !toml_at_newline(r))
        return toml_bad(r, "expected the end of the line");
    skip_newline(r);
    return 0;
}

/* ---- keys ---- */

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static int simple_key(struct toml_reader *r, struct buf *out)
{
    if (r->p < r->end && (*r->p == '"' || *r->p == '\'')) {
        if (toml_string(r, false, out))
            return -1;
        return memchr(buf_str(out), '\0', out->len) ? toml_bad(r, "a key with a NUL inside") : 0;
    }
    const char *start = r->p;
    while (r->p < r->end && is_bare(*r->p))
        r->p++;
    if (r->p == start)
        return toml_bad(r, "expected a key");
    buf_add(out, start, (size_t)(r->p - start));
    return 0;
}

int toml_key(struct toml_reader *r, struct strvec *path)
{
    for (;;) {
        AUTO_BUF struct buf part = BUF_INIT;
        toml_blanks(r);
        if (simple_key(r, &part))
            return -1;
        if (path->n == TOML_MAX_DEPTH)
            return toml_bad(r, "too many parts in a key");
        strvec_add(path, buf_str(&part));
        toml_blanks(r);
        if (r->p == r->end || *r->p != '.')
            return 0;
        r->p++;
    }
}

/* ---- what there is already ---- */

void json_list_add(struct json_list *l, json_t *value)
{
    l->v = xrealloc(l->v, (l->n + 1) * sizeof(json_t *));
    l->v[l->n++] = value;
}

bool json_list_has(const struct json_list *l, const json_t *value)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i] == value)
            return true;
    return false;
}

/* The table `key` of `table`, made where there is none; of an array of tables its last one. */
static json_t *step(struct toml_reader *r, json_t *table, const char *key)
{
    json_t *next = json_object_get(table, key);
    if (!next) {
        next = json_object();
        json_object_set_new_nocheck(table, key, next);
        return next;
    }
    bool open = !json_list_has(&r->sealed, next);
    if (open && json_is_array(next))
        return json_array_get(next, json_array_size(next) - 1);
    if (open && json_is_object(next))
        return next;
    toml_bad(r, "\"%s\" has a value already, so it cannot be a table", key);
    return NULL;
}

int toml_put(struct toml_reader *r, json_t *table, const struct strvec *path, json_t *value)
{
    const char *key = path->v[path->n - 1];
    for (size_t i = 0; i + 1 < path->n && table; i++)
        table = step(r, table, path->v[i]);
    if (table && !json_object_get(table, key))
        return json_object_set_new_nocheck(table, key, value);
    if (table)
        toml_bad(r, "\"%s\" is there twice", key);
    json_decref(value);
    return -1;
}

/* ---- headers ---- */

/* [[a]]: one more element. */
static json_t *next_element(struct toml_reader *r, json_t *table, const char *key)
{
    json_t *array = json_object_get(table, key), *element = json_object();
    if (!array) {
        array = json_array();
        json_object_set_new_nocheck(table, key, array);
    }
    if (json_is_array(array) && !json_list_has(&r->sealed, array) &&
        json_array_append_new(array, element) == 0)
        return element;
    json_decref(element);
    toml_bad(r, "\"%s\" is no array of tables", key);
    return NULL;
}

/* [a]: once. */
static json_t *head_table(struct toml_reader *r, json_t *table, const char *key)
{
    json_t *array = json_object_get(table, key);
    if (json_is_array(array)) {
        toml_bad(r, "\"%s\" is an array, so it cannot be a table", key);
        return NULL;
    }
    json_t *own = step(r, table, key);
    if (own && json_list_has(&r->headed, own)) {
        toml_bad(r, "the table \"%s\" is there twice", key);
        return NULL;
    }
    if (own)
        json_list_add(&r->headed, own);
    return own;
}

static struct toml_table *add_table(struct toml_doc *doc)
{
    doc->tables = xrealloc(doc->tables, (doc->table_count + 1) * sizeof(*doc->tables));
    doc->tables[doc->table_count] = (struct toml_table){0};
    return &doc->tables[doc->table_count++];
}

/* At "[". *ret_table: where the keys that follow go. */
static int read_header(struct toml_reader *r, struct toml_doc *doc, size_t line_start,
                       json_t **ret_table)
{
    if (doc->table_count == TOML_MAX_TABLES)
        return toml_bad(r, "more than %d tables", TOML_MAX_TABLES);
    struct toml_table *t = add_table(doc);
    r->p++;
    t->array = r->p < r->end && *r->p == '[';
    r->p += t->array;
    if (toml_key(r, &t->path))
        return -1;
    for (int i = 0; i < 1 + t->array; i++, r->p++)
        if (r->p == r->end || *r->p != ']')
            return toml_bad(r, "expected \"%s\" after the name of the table",
                            t->array ? "]]" : "]");
    json_t *table = doc->root;
    const char *last = t->path.v[t->path.n - 1];
    for (size_t i = 0; i + 1 < t->path.n && table; i++)
        table = step(r, table, t->path.v[i]);
    if (table)
        table = t->array ? next_element(r, table, last) : head_table(r, table, last);
    *ret_table = table;
    if (!table || end_of_line(r))
        return -1;
    t->start = line_start;
    t->head_end = t->end = (size_t)(r->p - r->text);
    return 0;
}

/* ---- keys and values ---- */

static int read_pair(struct toml_reader *r, struct toml_doc *doc, json_t *table)
{
    doc->pairs = xrealloc(doc->pairs, (doc->pair_count + 1) * sizeof(*doc->pairs));
    struct toml_pair *pair = &doc->pairs[doc->pair_count++];
    *pair = (struct toml_pair){.table = doc->table_count};
    if (toml_key(r, &pair->key))
        return -1;
    if (r->p == r->end || *r->p != '=')
        return toml_bad(r, "expected \"=\" after the key \"%s\"", pair->key.v[pair->key.n - 1]);
    r->p++;
    toml_blanks(r);
    json_t *value;
    pair->start = (size_t)(r->p - r->text);
    if (toml_value(r, &value))
        return -1;
    pair->end = (size_t)(r->p - r->text);
    if (toml_put(r, table, &pair->key, value) || end_of_line(r))
        return -1;
    if (doc->table_count)
        doc->tables[doc->table_count - 1].end = (size_t)(r->p - r->text);
    return 0;
}

static int read_all(struct toml_reader *r, struct toml_doc *doc)
{
    json_t *table = doc->root;
    if (!text_is_utf8(r->text, (size_t)(r->end - r->text)))
        return toml_bad(r, "the file is no valid UTF-8");
    if (r->end - r->p >= 3 && memcmp(r->p, "\xEF\xBB\xBF", 3) == 0)
        r->p += 3;
    for (;;) {
        if (toml_gap(r))
            return -1;
        if (r->p == r->end)
            return 0;
        const char *start = r->p;
        while (start > r->text && (start[-1] == ' ' || start[-1] == '\t'))
            start--;
        int rc = *r->p == '[' ? read_header(r, doc, (size_t)(start - r->text), &table)
                              : read_pair(r, doc, table);
        if (rc)
            return -1;
    }
}

int toml_parse(struct toml_doc *doc, const char *text, size_t len, int *ret_line, struct fault *f)
{
    struct toml_reader r = {.text = text, .p = text, .end = text + len, .f = f};
    *doc = (struct toml_doc){.root = json_object()};
    int rc = read_all(&r, doc);
    free(r.sealed.v);
    free(r.headed.v);
    if (rc)
        toml_fini(doc);
    if (rc && ret_line)
        *ret_line = r.line;
    return rc;
}

void toml_fini(struct toml_doc *doc)
{
    for (size_t i = 0; i < doc->table_count; i++)
        strvec_fini(&doc->tables[i].path);
    for (size_t i = 0; i < doc->pair_count; i++)
        strvec_fini(&doc->pairs[i].key);
    free(doc->tables);
    free(doc->pairs);
    json_decref(doc->root);
    *doc = (struct toml_doc){0};
}

/* ---- writing ---- */

void toml_add_key(struct buf *out, const char *key)
{
    const char *p = key;
    while (is_bare(*p))
        p++;
    if (*p || p == key)
        toml_add_string(out, key);
    else
        buf_add_str(out, key);
}

/* JSON's escapes are TOML's too; DEL is the one character that only TOML wants escaped. */
void toml_add_string(struct buf *out, const char *value)
{
    AUTO_BUF struct buf json = BUF_INIT;
    buf_add_json(&json, value, strlen(value));
    for (const char *p = buf_str(&json); *p; p++) {
        if (*p == 0x7f)
            buf_add_str(out, "\\u007F");
        else
            buf_add_char(out, *p);
    }
}
