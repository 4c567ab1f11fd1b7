/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which servers a client's file names. Values become jansson's: comments and trailing commas, which
 * it would refuse, are read by the scanner. */
#include "config/foreign_internal.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "config/toml.h"

/* ---- from spans to values ---- */

json_t *foreign_json(const struct jscan_doc *doc, int32_t node)
{
    const struct jscan_node *n = &doc->nodes[node];
    if (n->type == JSCAN_OBJECT || n->type == JSCAN_ARRAY) {
        json_t *out = n->type == JSCAN_OBJECT ? json_object() : json_array();
        for (int32_t at = n->first_child; at >= 0; at = doc->nodes[at].next) {
            json_t *value = foreign_json(doc, at);
            AUTO_FREE char *key = n->type == JSCAN_OBJECT ? jscan_key(doc, at) : NULL;
            if (n->type == JSCAN_ARRAY)
                json_array_append_new(out, value);
            else if (key)
                json_object_set_new_nocheck(out, key, value);
            else
                json_decref(value);
        }
        return out;
    }
    json_t *value = json_loadb(doc->text + n->start, n->end - n->start,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    return value ? value : json_null();     /* a number that has no value here: 1e400 */
}

/* ---- what a server is ---- */

static const char *text_of(json_t *spec, const char *key)
{
    json_t *value = json_object_get(spec, key);
    return json_is_string(value) ? json_string_value(value) : "";
}

bool foreign_is_mcptop(json_t *spec)
{
    const char *command = text_of(spec, "command"), *slash = strrchr(command, '/');
    json_t *first = json_array_get(json_object_get(spec, "args"), 0);
    return !strcmp(slash ? slash + 1 : command, "mcptop") && json_is_string(first) &&
           !strcmp(json_string_value(first), "stdio");
}

static bool is_remote(json_t *spec)
{
    static const char *const keys[] = {"url", "httpUrl", "serverUrl"};
    const char *type = *text_of(spec, "type") ? text_of(spec, "type") : text_of(spec, "protocol");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (*text_of(spec, keys[i]))
            return true;
    return *type && strcmp(type, "stdio") != 0 && strcmp(type, "auto") != 0;
}

static void add(struct foreign_servers *s, const char *name, const char *where, int line,
                json_t *spec)
{
    s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
    s->v[s->n++] = (struct foreign_server){
        .name = xstrdup(name), .where = xstrdup(where), .line = line, .spec = spec,
        .is_mcptop = foreign_is_mcptop(spec), .is_remote = is_remote(spec)};
}

void foreign_server_fini(struct foreign_server *s)
{
    free(s->name);
    free(s->where);
    json_decref(s->spec);
}

void foreign_servers_fini(struct foreign_servers *s)
{
    for (size_t i = 0; i < s->n; i++)
        foreign_server_fini(&s->v[i]);
    free(s->v);
    *s = (struct foreign_servers){0};
}

/* ---- JSON ---- */

/* An object keyed by name, or an array of objects with a name. What is no object is no server. */
static void add_all(const struct jscan_doc *doc, int32_t list, const char *where,
                    struct foreign_servers *ret)
{
    if (list < 0)
        return;
    bool keyed = doc->nodes[list].type == JSCAN_OBJECT;
    for (int32_t at = doc->nodes[list].first_child; at >= 0; at = doc->nodes[at].next) {
        AUTO_FREE char *name = keyed ? jscan_key(doc, at)
                                     : jscan_str(doc, jscan_member(doc, at, "name"));
        /* Of a key that is there twice the last one counts. */
        bool counts = name && (!keyed || jscan_member(doc, list, name) == at);
        if (counts && doc->nodes[at].type == JSCAN_OBJECT)
            add(ret, name, where, (int)doc->nodes[at].line, foreign_json(doc, at));
    }
}

/* Claude Code keeps the servers of a project under the project's path, beside much else. */
static void add_projects(const struct jscan_doc *doc, struct foreign_servers *ret)
{
    int32_t projects = jscan_member(doc, 0, "projects");
    int32_t at = projects >= 0 ? doc->nodes[projects].first_child : -1;
    for (; at >= 0; at = doc->nodes[at].next) {
        AUTO_FREE char *path = jscan_key(doc, at);
        if (path)
            add_all(doc, jscan_member(doc, at, "mcpServers"), path, ret);
    }
}

static int read_json(const char *text, size_t len, struct foreign_servers *ret, int *ret_line,
                     struct fault *f)
{
    struct jscan_doc doc;
    if (jscan_parse(&doc, text, len, JSCAN_LENIENT, ret_line, f))
        return -1;
    add_all(&doc, jscan_member(&doc, 0, "mcpServers"), "", ret);
    add_all(&doc, jscan_member(&doc, 0, "servers"), "", ret);
    int32_t mcp = jscan_member(&doc, 0, "mcp");      /* VS Code's settings.json */
    add_all(&doc, mcp < 0 ? -1 : jscan_member(&doc, mcp, "servers"), "", ret);
    add_projects(&doc, ret);
    jscan_fini(&doc);
    return 0;
}

/* ---- TOML ---- */

static int read_toml(const char *text, size_t len, struct foreign_servers *ret, int *ret_line,
                     struct fault *f)
{
    struct toml_doc doc;
    const char *name;
    json_t *spec;
    if (toml_parse(&doc, text, len, ret_line, f))
        return -1;
    json_object_foreach(json_object_get(doc.root, "mcp_servers"), name, spec)
        if (json_is_object(spec))
            add(ret, name, "", 0, json_incref(spec));
    toml_fini(&doc);
    return 0;
}

bool foreign_is_empty(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t\r\n", text[i]) || !text[i])
            return false;
    return true;
}

int foreign_read(enum foreign_format format, const char *text, size_t len,
                 struct foreign_servers *ret, int *ret_line, struct fault *f)
{
    *ret = (struct foreign_servers){0};
    *ret_line = 0;
    if (foreign_is_empty(text, len))
        return 0;
    return format == FOREIGN_TOML ? read_toml(text, len, ret, ret_line, f)
                                  : read_json(text, len, ret, ret_line, f);
}
