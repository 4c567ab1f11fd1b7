/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reads JSON objects into structs by table. Knows types, ${env:X}, repeated and misspelt keys; must
 * not know what any key means. Every problem carries the line and the path of its key. */
#include "config/reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/mem.h"

/* ---- problems ---- */

static int node_index(const struct jscan_doc *doc, int32_t node)
{
    int i = 0;
    for (int32_t at = doc->nodes[doc->nodes[node].parent].first_child; at != node;
         at = doc->nodes[at].next)
        i++;
    return i;
}

static void add_path(const struct jscan_doc *doc, int32_t node, struct buf *out)
{
    const struct jscan_node *n = &doc->nodes[node];
    if (n->parent < 0)
        return;
    add_path(doc, n->parent, out);
    if (n->key_end == n->key_start) {
        buf_printf(out, "[%d]", node_index(doc, node));
        return;
    }
    AUTO_FREE char *key = jscan_key(doc, node);
    buf_printf(out, "%s%s", out->len ? "." : "", key ? key : "?");
}

char *reader_path(const struct reader *r, int32_t node)
{
    struct buf out = BUF_INIT;
    add_path(r->doc, node, &out);
    return buf_take(&out);
}

struct problem *reader_problem(struct reader *r, enum problem_severity s, int32_t node,
                               const char *fmt, ...)
{
    AUTO_BUF struct buf text = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    AUTO_FREE char *path = reader_path(r, node);
    return problems_add(r->problems, s, (int)r->doc->nodes[node].line, path, "%s", buf_str(&text));
}

const char *reader_type_name(const struct reader *r, int32_t node)
{
    static const char *const names[] = {
        [JSCAN_NULL] = "null",        [JSCAN_FALSE] = "false",     [JSCAN_TRUE] = "true",
        [JSCAN_NUMBER] = "a number",  [JSCAN_STRING] = "a string", [JSCAN_ARRAY] = "an array",
        [JSCAN_OBJECT] = "an object",
    };
    return names[r->doc->nodes[node].type];
}

bool reader_expect(struct reader *r, int32_t node, enum jscan_type type, const char *what)
{
    if (r->doc->nodes[node].type == type)
        return true;
    reader_problem(r, PROBLEM_ERROR, node, "must be %s, but is %s", what,
                   reader_type_name(r, node));
    return false;
}

/* ---- what was probably meant ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '-' ? '_' : c;
}

enum { NEAR_MAX = 40 };

/* Edits (insert, delete, replace, swap of neighbours) between two short words, case and -/_
 * ignored. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    if (la >= NEAR_MAX || lb >= NEAR_MAX)
        return NEAR_MAX;
    size_t d[NEAR_MAX][NEAR_MAX];
    for (size_t i = 0; i <= la; i++) {
        for (size_t j = 0; j <= lb; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            bool same = lower(a[i - 1]) == lower(b[j - 1]);
            size_t best = d[i - 1][j - 1] + !same;
            best = d[i - 1][j] + 1 < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] + 1 < best ? d[i][j - 1] + 1 : best;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                best = d[i - 2][j - 2] + 1 < best ? d[i - 2][j - 2] + 1 : best;
            d[i][j] = best;
        }
    }
    return d[la][lb];
}

/* "memory" for "memory_limit", "servers" for "mcpServers": a whole word at either end. */
static bool is_end_of(const char *word, const char *key)
{
    size_t lw = strlen(word), lk = strlen(key);
    return lw >= 4 && lw < lk &&
           (strncasecmp(word, key, lw) == 0 || strcasecmp(word, key + lk - lw) == 0);
}

const char *reader_nearest(const char *word, const char *const *keys, size_t n)
{
    size_t len = strlen(word);
    size_t limit = len >= 6 ? 2 : len >= 3 ? 1 : 0;
    const char *best = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t d = edit_distance(word, keys[i]);
        if (d <= limit) {
            best = keys[i];
            limit = d ? d - 1 : 0;
            if (d == 0)
                return best;
        }
    }
    for (size_t i = 0; i < n && !best; i++)
        if (is_end_of(word, keys[i]))
            best = keys[i];
    return best;
}

/* ---- values ---- */

char *reader_plain_string(struct reader *r, int32_t node)
{
    if (!reader_expect(r, node, JSCAN_STRING, "a string in quotes"))
        return NULL;
    const struct jscan_node *n = &r->doc->nodes[node];
    AUTO_BUF struct buf out = BUF_INIT;
    if (jscan_decode(r->doc->text + n->start, n->end - n->start, &out) < 0 ||
        memchr(buf_str(&out), 0, out.len)) {
        reader_problem(r, PROBLEM_ERROR, node,
                       "contains a NUL character or an escape that is none");
        return NULL;
    }
    return buf_take(&out);
}

static const char *lookup_env(struct reader *r, const char *name)
{
    return r->env ? r->env(r->env_ctx, name) : getenv(name);
}

/* Whether the value can be read on without it. */
static bool note_missing_env(struct reader *r, int32_t node, const char *name)
{
    if (!r->ret_missing_env) {
        reader_problem(r, PROBLEM_ERROR, node,
                       "the environment variable %s is not set: set it where mcptop starts", name);
        return false;
    }
    struct missing_env *m = r->ret_missing_env;
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->v[i].name, name) == 0)
            return true;
    m->v = xrealloc(m->v, (m->n + 1) * sizeof *m->v);
    m->v[m->n++] = (struct missing_variable){ xstrdup(name), (int)r->doc->nodes[node].line };
    reader_problem(r, PROBLEM_WARNING, node,
                   "the environment variable %s is not set: this server is not started; set it "
                   "where mcptop starts", name)->of_missing_env = true;
    return true;
}

/* One "${env:NAME}" at p; returns what follows it, or NULL when p does not start one. */
static const char *expand_one(struct reader *r, int32_t node, const char *p, struct buf *out,
                              bool *ok)
{
    static const char env[] = "${env:";
    const char *close = strchr(p, '}');
    if (!close)
        return NULL;
    if (strncmp(p, "${keyring:", 10) == 0) {
        reader_problem(r, PROBLEM_WARNING, node,
                       "${keyring:…} is not supported and stays as written: use ${env:NAME}");
        return NULL;
    }
    if (strncmp(p, env, sizeof(env) - 1) != 0)
        return NULL;
    p += sizeof(env) - 1;
    AUTO_FREE char *name = xstrndup(p, (size_t)(close - p));
    const char *value = *name ? lookup_env(r, name) : NULL;
    if (!value) {
        *ok = note_missing_env(r, node, *name ? name : "with the empty name");
        value = "";
    }
    buf_add_str(out, value);
    return close + 1;
}

char *reader_string(struct reader *r, int32_t node)
{
    AUTO_FREE char *raw = reader_plain_string(r, node);
    if (!raw || !strstr(raw, "${"))
        return TAKE(raw);
    AUTO_BUF struct buf out = BUF_INIT;
    bool ok = true;
    for (const char *p = raw; *p;) {
        const char *after = p[0] == '$' && p[1] == '{' ? expand_one(r, node, p, &out, &ok) : NULL;
        if (after) {
            p = after;
        } else {
            buf_add_char(&out, *p++);
        }
    }
    return ok ? buf_take(&out) : NULL;
}

static void read_string(struct reader *r, int32_t node, bool is_path, char **ret)
{
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return;
    free(*ret);
    const char *home = is_path && strncmp(s, "~/", 2) == 0 ? lookup_env(r, "HOME") : NULL;
    *ret = home ? xasprintf("%s%s", home, s + 1) : TAKE(s);
}

static void read_bool(struct reader *r, int32_t node, enum tri *ret)
{
    enum jscan_type type = r->doc->nodes[node].type;
    if (type == JSCAN_TRUE || type == JSCAN_FALSE)
        *ret = type == JSCAN_TRUE ? TRI_YES : TRI_NO;
    else
        reader_problem(r, PROBLEM_ERROR, node, "must be true or false%s, but is %s",
                       type == JSCAN_STRING ? " (without quotes)" : "", reader_type_name(r, node));
}

static void read_duration(struct reader *r, int32_t node, int64_t *ret_ms)
{
    if (r->doc->nodes[node].type == JSCAN_NUMBER) {
        const struct jscan_node *n = &r->doc->nodes[node];
        reader_problem(
            r, PROBLEM_ERROR, node, "a duration needs its unit: write \"%.*ss\" for seconds",
            (int)(n->end - n->start > 20 ? 20 : n->end - n->start), r->doc->text + n->start);
        return;
    }
    AUTO_FREE char *s = reader_string(r, node);
    if (!s || !*s)
        return;
    int64_t ms = clock_parse_duration_ms(s);
    if (ms < 0)
        reader_problem(r, PROBLEM_ERROR, node,
                       "\"%.40s\" is no duration: write it like \"30s\", \"2m\" or \"1h30m\"", s);
    else
        *ret_ms = ms;
}

static void read_strings(struct reader *r, int32_t node, struct strvec *ret)
{
    if (!reader_expect(r, node, JSCAN_ARRAY, "an array of strings"))
        return;
    for (int32_t at = r->doc->nodes[node].first_child; at >= 0; at = r->doc->nodes[at].next) {
        char *s = reader_string(r, at);
        if (s)
            strvec_give(ret, s);
    }
}

/* The key of a member; NULL after a problem. Caller frees. */
static char *member_key(struct reader *r, int32_t node)
{
    char *key = jscan_key(r->doc, node);
    if (!key)
        reader_problem(r, PROBLEM_ERROR, node, "this name contains a NUL character");
    return key;
}

/* Environment variables and images: a key is a word that must be usable as one. */
static bool map_key_ok(struct reader *r, int32_t node, const char *key)
{
    if (*key && !strchr(key, '='))
        return true;
    reader_problem(r, PROBLEM_ERROR, node, "this name is empty or contains \"=\"");
    return false;
}

static void read_map(struct reader *r, int32_t node, struct kvvec *ret)
{
    if (!reader_expect(r, node, JSCAN_OBJECT, "an object of strings"))
        return;
    for (int32_t at = r->doc->nodes[node].first_child; at >= 0; at = r->doc->nodes[at].next) {
        AUTO_FREE char *key = member_key(r, at);
        if (!key)
            continue;
        int32_t last = jscan_member(r->doc, node, key);
        if (last >= 0 && last != at) {
            reader_problem(r, PROBLEM_WARNING, at, "is repeated: the one on line %u counts",
                           r->doc->nodes[last].line);
            continue;
        }
        if (r->doc->nodes[at].type == JSCAN_NULL || !map_key_ok(r, at, key))
            continue;
        AUTO_FREE char *value = reader_string(r, at);
        if (value)
            kvvec_set(ret, key, value);
    }
}

/* ---- objects ---- */

static void read_field(struct reader *r, int32_t node, const struct field *field, void *object)
{
    void *at = (char *)object + field->offset;
    switch (field->kind) {
    case FIELD_IGNORED:
        break;
    case FIELD_STRING:
    case FIELD_PATH:
        read_string(r, node, field->kind == FIELD_PATH, at);
        break;
    case FIELD_BOOL:
        read_bool(r, node, at);
        break;
    case FIELD_DURATION:
        read_duration(r, node, at);
        break;
    case FIELD_STRINGS:
        read_strings(r, node, at);
        break;
    case FIELD_MAP:
        read_map(r, node, at);
        break;
    case FIELD_CALL:
        field->call(r, node, object);
        break;
    }
}

static void warn_unknown(struct reader *r, int32_t node, const char *key,
                         const struct field *fields, size_t n)
{
    const char **keys = xcalloc(n, sizeof(*keys));
    for (size_t i = 0; i < n; i++)
        keys[i] = fields[i].key;
    const char *meant = reader_nearest(key, keys, n);
    if (meant)
        reader_problem(r, PROBLEM_WARNING, node,
                       "unknown key, it has no effect: did you mean \"%s\"?", meant);
    else
        reader_problem(r, PROBLEM_WARNING, node, "unknown key, it has no effect");
    free(keys);
}

static const struct field *find_field(const char *key, const struct field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return &fields[i];
    return NULL;
}

static bool is_given(const struct reader *r, int32_t node, const char *key)
{
    int32_t at = jscan_member(r->doc, node, key);
    return at >= 0 && r->doc->nodes[at].type != JSCAN_NULL;
}

void reader_object(struct reader *r, int32_t node, const struct field *fields, size_t n,
                   void *object)
{
    const struct jscan_node *nodes = r->doc->nodes;
    for (int32_t at = nodes[node].first_child; at >= 0; at = nodes[at].next) {
        AUTO_FREE char *key = member_key(r, at);
        if (!key)
            continue;
        int32_t last = jscan_member(r->doc, node, key);
        const struct field *field = find_field(key, fields, n);
        if (last >= 0 && last != at)
            reader_problem(r, PROBLEM_WARNING, at, "is repeated: the one on line %u counts",
                           nodes[last].line);
        else if (!field)
            warn_unknown(r, at, key, fields, n);
        else if (nodes[at].type == JSCAN_NULL)
            continue;
        else if (field->no_effect)
            reader_problem(r, PROBLEM_WARNING, at, "%s", field->no_effect);
        else if (field->other_name_of && is_given(r, node, field->other_name_of))
            reader_problem(r, PROBLEM_WARNING, at, "is another name of \"%s\", which counts",
                           field->other_name_of);
        else
            read_field(r, at, field, object);
    }
}
