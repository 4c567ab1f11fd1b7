/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mcptop's entries in a client's JSON (by the careful editor of edit.h) and in Codex's TOML: its
 * own tables are appended, changed or cut out, by the spans that the reader tells. */
#include "config/foreign_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "config/edit.h"
#include "config/toml.h"

static void move(struct buf *to, struct buf *from)
{
    buf_fini(to);
    *to = *from;
    *from = BUF_INIT;
}

static void set_text(struct buf *to, const char *p, size_t n)
{
    AUTO_BUF struct buf text = BUF_INIT;
    buf_add(&text, p, n);
    move(to, &text);
}

static int taken(const char *name, int line, int *ret_line, struct fault *f)
{
    *ret_line = line;
    return fault_set(f, FAULT_CONFLICT,
                     "there is a server \"%.200s\" that is not mcptop's: rename or remove it first",
                     name);
}

/* ---- JSON ---- */

/* keys: up to a NULL */
static int set_json(struct buf *text, const char *const *keys, const char *value, struct fault *f)
{
    AUTO_STRVEC struct strvec path = {0};
    AUTO_BUF struct buf out = BUF_INIT;
    for (; *keys; keys++)
        strvec_add(&path, *keys);
    if (edit_text_keys(buf_str(text), text->len, NULL, &path, value, &out, f))
        return -1;
    move(text, &out);
    return 0;
}

/* The node of servers.NAME in the parsed text, or -1. */
static int32_t find_entry(const struct jscan_doc *doc, const char *key, const char *name)
{
    int32_t servers = jscan_member(doc, 0, key);
    return servers < 0 ? -1 : jscan_member(doc, servers, name);
}

static int check_free(const struct foreign_client *c, const struct buf *text, const char *name,
                      int *ret_line, struct fault *f)
{
    struct jscan_doc doc;
    if (jscan_parse(&doc, buf_str(text), text->len, JSCAN_LENIENT, ret_line, f))
        return -1;
    int rc = 0;
    int32_t servers = jscan_member(&doc, 0, c->key), entry = find_entry(&doc, c->key, name);
    if (servers >= 0 && doc.nodes[servers].type != JSCAN_OBJECT &&
        doc.nodes[servers].type != JSCAN_NULL) {
        *ret_line = (int)doc.nodes[servers].line;
        rc = fault_set(f, FAULT_CONFIG, "\"%s\" is no object, so no server can be added to it",
                       c->key);
    } else if (entry >= 0) {
        json_t *spec = foreign_json(&doc, entry);
        if (!foreign_is_mcptop(spec))
            rc = taken(name, (int)doc.nodes[entry].line, ret_line, f);
        json_decref(spec);
    }
    jscan_fini(&doc);
    return rc;
}

static void add_args(struct buf *out, const struct strvec *args,
                     void (*add)(struct buf *out, const char *word))
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < args->n; i++) {
        buf_add_str(out, i ? ", " : "");
        add(out, args->v[i]);
    }
    buf_add_char(out, ']');
}

static void add_json_word(struct buf *out, const char *word)
{
    buf_add_json(out, word, strlen(word));
}

static int connect_json(const struct foreign_client *c, struct buf *text,
                        const struct foreign_entry *e, int *ret_line, struct fault *f)
{
    AUTO_BUF struct buf command = BUF_INIT, args = BUF_INIT;
    if (foreign_is_empty(buf_str(text), text->len))
        set_text(text, "{}\n", 3);
    if (check_free(c, text, e->name, ret_line, f))
        return -1;
    add_json_word(&command, e->command);
    add_args(&args, e->args, add_json_word);
    const char *type[] = {c->key, e->name, "type", NULL};
    const char *cmd[] = {c->key, e->name, "command", NULL};
    const char *arg[] = {c->key, e->name, "args", NULL};
    if (c->typed && set_json(text, type, "\"stdio\"", f))
        return -1;
    return set_json(text, cmd, buf_str(&command), f) || set_json(text, arg, buf_str(&args), f) ? -1
                                                                                               : 0;
}

/* ---- TOML ---- */

static bool is_entry_path(const struct foreign_client *c, const struct strvec *path,
                          const char *name)
{
    return path->n >= 2 && !strcmp(path->v[0], c->key) && !strcmp(path->v[1], name);
}

static int line_at(const struct buf *text, size_t pos)
{
    int line = 1;
    for (size_t i = 0; i < pos && i < text->len; i++)
        line += text->data[i] == '\n';
    return line;
}

/* Its own table; NULL: it is written in another way. */
static const struct toml_table *own_table(const struct foreign_client *c,
                                          const struct toml_doc *doc, const char *name)
{
    for (size_t i = 0; i < doc->table_count; i++)
        if (doc->tables[i].path.n == 2 && is_entry_path(c, &doc->tables[i].path, name))
            return &doc->tables[i];
    return NULL;
}

static void replace(struct buf *text, size_t from, size_t to, const char *with)
{
    AUTO_BUF struct buf out = BUF_INIT;
    buf_add(&out, buf_str(text), from);
    buf_add_str(&out, with);
    buf_add(&out, buf_str(text) + to, text->len - to);
    move(text, &out);
}

static const char *newline_of(const struct buf *text)
{
    const char *newline = text->len ? memchr(text->data, '\n', text->len) : NULL;
    return newline && newline > text->data && newline[-1] == '\r' ? "\r\n" : "\n";
}

static void append_table(const struct foreign_client *c, struct buf *text,
                         const struct foreign_entry *e)
{
    const char *newline = newline_of(text);
    if (text->len && text->data[text->len - 1] != '\n')
        buf_add_str(text, newline);
    if (!foreign_is_empty(buf_str(text), text->len))
        buf_add_str(text, newline);
    buf_printf(text, "[%s.", c->key);
    toml_add_key(text, e->name);
    buf_printf(text, "]%scommand = ", newline);
    toml_add_string(text, e->command);
    buf_printf(text, "%sargs = ", newline);
    add_args(text, e->args, toml_add_string);
    buf_add_str(text, newline);
}

/* Sets a key of a table that is there: in the place of its value, or below the header. */
static int set_toml(const struct foreign_client *c, struct buf *text, const char *name,
                    const char *key, const char *value, struct fault *f)
{
    struct toml_doc doc;
    if (toml_parse(&doc, buf_str(text), text->len, NULL, f))
        return -1;
    const struct toml_table *t = own_table(c, &doc, name);
    const struct toml_pair *found = NULL;
    for (size_t i = 0; i < doc.pair_count && t; i++)
        if (doc.pairs[i].table == (size_t)(t - doc.tables) + 1 && doc.pairs[i].key.n == 1 &&
            !strcmp(doc.pairs[i].key.v[0], key))
            found = &doc.pairs[i];
    if (found) {
        replace(text, found->start, found->end, value);
    } else if (t) {
        AUTO_FREE char *line = xasprintf("%s = %s%s", key, value, newline_of(text));
        replace(text, t->head_end, t->head_end, line);
    }
    toml_fini(&doc);
    return 0;
}

static bool says_already(json_t *spec, const struct foreign_entry *e)
{
    json_t *command = json_object_get(spec, "command"), *args = json_object_get(spec, "args"), *arg;
    size_t i;
    if (!json_is_string(command) || strcmp(json_string_value(command), e->command) != 0 ||
        json_array_size(args) != e->args->n)
        return false;
    json_array_foreach(args, i, arg)
        if (!json_is_string(arg) || strcmp(json_string_value(arg), e->args->v[i]) != 0)
            return false;
    return true;
}

static int change_table(const struct foreign_client *c, struct buf *text, json_t *spec,
                        const struct foreign_entry *e, struct fault *f)
{
    AUTO_BUF struct buf command = BUF_INIT, args = BUF_INIT;
    if (says_already(spec, e))
        return 0;
    toml_add_string(&command, e->command);
    add_args(&args, e->args, toml_add_string);
    return set_toml(c, text, e->name, "command", buf_str(&command), f) ||
                   set_toml(c, text, e->name, "args", buf_str(&args), f)
               ? -1
               : 0;
}

static int connect_toml(const struct foreign_client *c, struct buf *text,
                        const struct foreign_entry *e, int *ret_line, struct fault *f)
{
    struct toml_doc doc;
    if (toml_parse(&doc, buf_str(text), text->len, ret_line, f))
        return -1;
    int rc = 0;
    json_t *spec = json_object_get(json_object_get(doc.root, c->key), e->name);
    const struct toml_table *t = own_table(c, &doc, e->name);
    if (!spec)
        append_table(c, text, e);
    else if (!foreign_is_mcptop(spec))
        rc = taken(e->name, t ? line_at(text, t->start) : 0, ret_line, f);
    else if (t)
        rc = change_table(c, text, spec, e, f);
    else if (!says_already(spec, e))
        rc = fault_set(f, FAULT_CONFLICT, "\"%s.%s\" is not a table of its own: change it by hand",
                       c->key, e->name);
    toml_fini(&doc);
    if (rc)
        return -1;
    /* Where the table has no place ("mcp_servers = {…}") the reader says so. */
    if (toml_parse(&doc, buf_str(text), text->len, ret_line, f))
        return fault_wrap(f, "mcptop cannot be added");
    toml_fini(&doc);
    return 0;
}

int foreign_connect(const struct foreign_client *c, const char *text, size_t len,
                    const struct foreign_entry *entries, size_t n, struct buf *out, int *ret_line,
                    struct fault *f)
{
    AUTO_BUF struct buf now = BUF_INIT;
    *ret_line = 0;
    buf_add(&now, text, len);
    for (size_t i = 0; i < n; i++) {
        int rc = c->format == FOREIGN_TOML ? connect_toml(c, &now, &entries[i], ret_line, f)
                                           : connect_json(c, &now, &entries[i], ret_line, f);
        if (rc)
            return -1;
    }
    move(out, &now);
    return 0;
}

/* ---- getting out ---- */

/* The servers under the client's own key that are mcptop's. */
static void only_ours(struct foreign_servers *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->v[i].is_mcptop && !*s->v[i].where)
            s->v[kept++] = s->v[i];
        else
            foreign_server_fini(&s->v[i]);
    }
    s->n = kept;
}

static bool has_key(const struct foreign_client *c, const struct buf *text)
{
    struct jscan_doc doc;
    if (!text || jscan_parse(&doc, buf_str(text), text->len, JSCAN_LENIENT, NULL, NULL))
        return false;
    bool has = jscan_member(&doc, 0, c->key) >= 0;
    jscan_fini(&doc);
    return has;
}

static bool is_empty_list(const struct foreign_client *c, const struct buf *text)
{
    struct jscan_doc doc;
    if (jscan_parse(&doc, buf_str(text), text->len, JSCAN_LENIENT, NULL, NULL))
        return false;
    int32_t servers = jscan_member(&doc, 0, c->key);
    bool empty = servers >= 0 && doc.nodes[servers].type == JSCAN_OBJECT &&
                 !doc.nodes[servers].children;
    jscan_fini(&doc);
    return empty;
}

static int cut_json(const struct foreign_client *c, struct buf *text, const char *name,
                    struct fault *f)
{
    const char *keys[] = {c->key, name, NULL};
    return set_json(text, keys, NULL, f);
}

/* Its tables, with the blank line before them. */
static int cut_toml(const struct foreign_client *c, struct buf *text, const char *name,
                    struct fault *f)
{
    struct toml_doc doc;
    if (toml_parse(&doc, buf_str(text), text->len, NULL, f))
        return -1;
    bool found = false;
    const char *newline = newline_of(text);
    size_t n = strlen(newline);
    for (size_t i = doc.table_count; i-- > 0;) {
        const struct toml_table *t = &doc.tables[i];
        if (!is_entry_path(c, &t->path, name))
            continue;
        size_t start = t->start;
        bool blank = start >= 2 * n && !memcmp(text->data + start - n, newline, n) &&
                     !memcmp(text->data + start - 2 * n, newline, n);
        replace(text, blank ? start - n : start, t->end, "");
        found = true;
    }
    toml_fini(&doc);
    if (found)
        return 0;
    return fault_set(f, FAULT_CONFLICT, "\"%s.%s\" is not a table of its own: remove it by hand",
                     c->key, name);
}

static bool only_connected(const struct foreign_client *c, const struct buf *before,
                           const struct buf *now, const struct foreign_servers *ours)
{
    AUTO_BUF struct buf again = BUF_INIT;
    struct foreign_entry *entries = xcalloc(ours->n + 1, sizeof(*entries));
    struct strvec *args = xcalloc(ours->n + 1, sizeof(*args));
    int line;
    for (size_t i = 0; i < ours->n; i++) {
        json_t *arg;
        size_t k;
        json_array_foreach(json_object_get(ours->v[i].spec, "args"), k, arg)
            strvec_add(&args[i], json_is_string(arg) ? json_string_value(arg) : "");
        entries[i] = (struct foreign_entry){
            ours->v[i].name, json_string_value(json_object_get(ours->v[i].spec, "command")),
            &args[i]};
    }
    bool same = foreign_connect(c, buf_str(before), before->len, entries, ours->n, &again, &line,
                                NULL) == 0 &&
                again.len == now->len && !memcmp(buf_str(&again), buf_str(now), now->len);
    for (size_t i = 0; i < ours->n; i++)
        strvec_fini(&args[i]);
    free(args);
    free(entries);
    return same;
}

int foreign_disconnect(const struct foreign_client *c, const struct buf *text,
                       const struct buf *before, struct buf *out, struct foreign_undone *ret,
                       int *ret_line, struct fault *f)
{
    AUTO_BUF struct buf now = BUF_INIT;
    struct foreign_servers ours;
    const struct buf nothing = BUF_INIT;
    *ret = (struct foreign_undone){0};
    if (foreign_read(c->format, buf_str(text), text->len, &ours, ret_line, f))
        return -1;
    only_ours(&ours);
    ret->removed = ours.n;
    ret->exact = ours.n && only_connected(c, before ? before : &nothing, text, &ours);
    int rc = 0;
    buf_add(&now, buf_str(text), text->len);
    if (ret->exact)
        set_text(&now, buf_str(before ? before : &nothing), before ? before->len : 0);
    for (size_t i = 0; i < ours.n && !ret->exact && !rc; i++)
        rc = c->format == FOREIGN_TOML ? cut_toml(c, &now, ours.v[i].name, f)
                                       : cut_json(c, &now, ours.v[i].name, f);
    if (!rc && !ret->exact && ours.n && c->format == FOREIGN_JSON && is_empty_list(c, &now) &&
        !has_key(c, before)) {
        const char *keys[] = {c->key, NULL};
        rc = set_json(&now, keys, NULL, f);
    }
    foreign_servers_fini(&ours);
    if (!rc)
        move(out, &now);
    return rc;
}
