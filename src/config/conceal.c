/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Finds the spans of a text that must not be shown, and copies it without them. Works on bytes, as
 * the file has them: what is escaped in one place is escaped alike in another. Of a long file only
 * the lines round the change are copied and compared: the rest is the same in both texts, and no
 * more is wanted of it than its secrets. */
#include "config/conceal.h"

#include <stdlib.h>
#include <string.h>
#include "base/diff.h"
#include "base/jscan.h"
#include "base/mem.h"
#include "base/secret.h"
#include "config/value_diff.h"

struct span { size_t start, end; char *shown; };     /* shown: owned, with its quotes */

struct window { size_t start, end; };                /* whole lines */

struct hidden {
    struct jscan_doc doc;
    struct window shown;          /* what is looked at */
    struct span *v;
    size_t n, cap;
    struct strvec values;         /* as the file writes them, without quotes */
    struct strvec pairs;          /* NAME=value of all variables, sorted; when asked for first */
    bool is_new;                  /* the later text: what differs in it is marked */
};

static void hide(struct hidden *h, const struct jscan_node *node, char *shown)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 16;
        h->v = xrealloc(h->v, h->cap * sizeof *h->v);
    }
    h->v[h->n++] = (struct span){ node->start, node->end, shown };
}

static void forget_spans(struct hidden *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->v[i].shown);
    h->n = 0;
}

static void hidden_fini(struct hidden *h)
{
    forget_spans(h);
    free(h->v);
    strvec_fini(&h->values);
    strvec_fini(&h->pairs);
    jscan_fini(&h->doc);
}

static bool key_is_any(const struct jscan_doc *d, int32_t node, const char *const *keys)
{
    for (; *keys; keys++)
        if (jscan_key_is(d, node, *keys))
            return true;
    return false;
}

static bool has_something_in_it(const struct jscan_node *n)
{
    return (n->type == JSCAN_OBJECT || n->type == JSCAN_ARRAY) && n->first_child >= 0;
}

/* What a node says as a word or a variable: of a string what it means, of anything else (and of a
 * string with a NUL in it, which means nothing) its text. NULL of no node. Caller frees. */
static char *value_of(const struct jscan_doc *d, int32_t node)
{
    if (node < 0)
        return NULL;
    const struct jscan_node *n = &d->nodes[node];
    char *text = jscan_str(d, node);
    return text ? text : xstrndup(d->text + n->start, n->end - n->start);
}

static bool is_variables(const struct jscan_doc *d, int32_t node)
{
    static const char *const keys[] = { "env", "headers", "http_headers", NULL };
    return d->nodes[node].type == JSCAN_OBJECT && key_is_any(d, node, keys);
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void list_pairs(struct hidden *h)
{
    strvec_add(&h->pairs, "");       /* known, and no pair */
    for (int32_t i = 1; i < (int32_t)h->doc.count; i++) {
        if (!is_variables(&h->doc, h->doc.nodes[i].parent))
            continue;
        AUTO_FREE char *key = jscan_key(&h->doc, i), *value = value_of(&h->doc, i);
        if (key)
            strvec_addf(&h->pairs, "%s=%s", key, value);
    }
    qsort(h->pairs.v, h->pairs.n, sizeof *h->pairs.v, compare_words);
}

/* Does this text have a variable of this name and value? */
static bool has_pair(struct hidden *h, const char *key, const char *value)
{
    AUTO_FREE char *pair = xasprintf("%s=%s", key, value);
    if (!h->pairs.n)
        list_pairs(h);
    return bsearch(&pair, h->pairs.v, h->pairs.n, sizeof *h->pairs.v, compare_words);
}

/* A value of env or headers: a number is one, too, and so is what should not stand there. shown: it
 * is in the part that is looked at. */
static void hide_variable(struct hidden *h, int32_t node, bool shown, struct hidden *other)
{
    AUTO_FREE char *key = jscan_key(&h->doc, node), *value = value_of(&h->doc, node);
    const struct jscan_node *n = &h->doc.nodes[node];
    size_t quote = n->type == JSCAN_STRING;
    if (!key || !value || !*value || strncmp(value, "${env:", 6) == 0)
        return;
    bool secret = secret_is_named(key, strlen(key), value);
    bool same = shown && has_pair(other, key, value);
    if (shown && (secret || same))
        hide(h, n,
             xstrdup(h->is_new && !same ? "\"" SECRET_MASK " (new)\"" : "\"" SECRET_MASK "\""));
    if (secret && secret_is_telling(value))
        strvec_give(&h->values, xstrndup(h->doc.text + n->start + quote,
                                         n->end - n->start - 2 * quote));
}

/* Words of a command; those that are shown as they are stay as they are written. A list among them
 * is none, and nobody can say what is in it. */
static void hide_words(struct hidden *h, int32_t array)
{
    const struct jscan_doc *d = &h->doc;
    AUTO_STRVEC struct strvec words = { 0 }, shown = { 0 };
    for (int32_t i = d->nodes[array].first_child; i >= 0; i = d->nodes[i].next) {
        AUTO_FREE char *word = value_of(d, i);
        strvec_add(&words, word);
    }
    secret_mask_args(words.v, words.n, &shown);
    size_t at = 0;
    for (int32_t i = d->nodes[array].first_child; i >= 0; i = d->nodes[i].next, at++) {
        struct buf json = BUF_INIT;
        const char *text = has_something_in_it(&d->nodes[i]) ? SECRET_MASK : shown.v[at];
        if (strcmp(words.v[at], text) == 0)
            continue;
        buf_add_json(&json, text, strlen(text));
        hide(h, &d->nodes[i], buf_take(&json));
    }
}

static void hide_value(struct hidden *h, int32_t node)
{
    AUTO_FREE char *value = jscan_str(&h->doc, node);
    AUTO_BUF struct buf shown = BUF_INIT;
    struct buf json = BUF_INIT;
    if (!value)
        return;
    secret_mask_value(value, &shown);
    if (strcmp(value, buf_str(&shown)) == 0)
        return;
    buf_add_json(&json, buf_str(&shown), shown.len);
    hide(h, &h->doc.nodes[node], buf_take(&json));
}

static int in_order(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static bool is_shown(const struct hidden *h, const struct jscan_node *n)
{
    return n->end > h->shown.start && n->start < h->shown.end;
}

/* Values of what is shown, and of what only the earlier text is asked for: there both are alike. */
static void find_hidden(struct hidden *h, struct hidden *other)
{
    static const char *const words[] = { "args", "extra_args", NULL };
    static const char *const secrets[] = { "api_key", "apiKey", NULL };
    static const char *const urls[] = { "url", "command", NULL };
    const struct jscan_doc *d = &h->doc;
    for (int32_t i = 0; i < (int32_t)d->count; i++) {
        const struct jscan_node *n = &d->nodes[i];
        bool shown = is_shown(h, n);
        if (!shown && h->is_new)
            continue;
        if (n->parent >= 0 && n->type != JSCAN_NULL && is_variables(d, n->parent))
            hide_variable(h, i, shown, other);
        else if (!shown)
            continue;
        else if (n->type == JSCAN_ARRAY && key_is_any(d, i, words))
            hide_words(h, i);
        else if (n->type == JSCAN_STRING && n->end - n->start > 2 && key_is_any(d, i, secrets))
            hide(h, n, xstrdup("\"" SECRET_MASK "\""));
        else if (n->type == JSCAN_STRING && key_is_any(d, i, urls))
            hide_value(h, i);
    }
    if (h->n)
        qsort(h->v, h->n, sizeof *h->v, in_order);
}

/* What is inside of something that is hidden is hidden with it; what is in no line that is shown
 * (the rest of a list of words) is passed over. */
static void copy_shown(const struct hidden *h, const struct buf *text, struct buf *out)
{
    size_t at = h->shown.start;
    for (size_t i = 0; i < h->n; i++) {
        if (h->v[i].start < at || h->v[i].end > h->shown.end)
            continue;
        buf_add(out, buf_str(text) + at, h->v[i].start - at);
        buf_add_str(out, h->v[i].shown);
        at = h->v[i].end;
    }
    buf_add(out, buf_str(text) + at, h->shown.end - at);
}

/* A hidden value that begins or ends in a line that is not shown. */
static bool is_cut(const struct hidden *h)
{
    for (size_t i = 0; i < h->n; i++)
        if ((h->v[i].start < h->shown.start && h->v[i].end > h->shown.start) ||
            (h->v[i].start < h->shown.end && h->v[i].end > h->shown.end))
            return true;
    return false;
}

/* ---- what is no JSON: TOML, or a file with an error ---- */

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

/* NAME = "value", "NAME": "value" and NAME = 12 at s: where the value is, without its quotes; 0 =
 * it is something else. */
static size_t assigned(const char *s, size_t name, size_t *ret_len)
{
    size_t at = name + (s[name] == '"');
    at += strspn(s + at, " \t");
    if (!name || (s[at] != '=' && s[at] != ':'))
        return 0;
    at += 1 + strspn(s + at + 1, " \t");
    *ret_len = strspn(s + at, "+-._0123456789");
    if (*ret_len)
        return at;
    if (s[at] != '"' && s[at] != '\'')
        return 0;
    *ret_len = strcspn(s + at + 1, s[at] == '"' ? "\"\n" : "'\n");
    return at + 1;
}

/* All of it: what is a secret is known at its end only. */
static void copy_loosely(const struct buf *text, struct strvec *values, struct buf *out)
{
    for (const char *s = buf_str(text); *s;) {
        size_t name = strspn(s, WORD), len = 0, at = assigned(s, name, &len);
        AUTO_FREE char *value = at ? xstrndup(s + at, len) : NULL;
        if (at && len && secret_is_named(s, name, value)) {
            buf_add(out, s, at);
            buf_add_str(out, SECRET_MASK);
            if (secret_is_telling(value))
                strvec_add(values, value);
            s += at + len;
        } else {
            size_t n = name ? name : 1;
            buf_add(out, s, n);
            s += n;
        }
    }
}

/* ---- both ---- */

static void read_doc(struct hidden *h, const struct buf *text)
{
    jscan_parse(&h->doc, buf_str(text), text->len, JSCAN_LENIENT, NULL, NULL);
}

static void conceal(struct hidden *h, const struct buf *text, struct buf *out)
{
    if (h->doc.count)
        copy_shown(h, text, out);
    else
        copy_loosely(text, &h->values, out);
}

static void mask_values(const struct strvec *values, struct buf *text)
{
    AUTO_BUF struct buf shown = BUF_INIT;
    if (!values->n)
        return;
    secret_mask_known(buf_str(text), text->len, values, &shown);
    buf_clear(text);
    buf_add(text, buf_str(&shown), shown.len);
}

static size_t lines_in(const char *p, size_t n)
{
    size_t lines = 0;
    for (const char *nl; (nl = memchr(p, '\n', n)); lines++) {
        n -= (size_t)(nl + 1 - p);
        p = nl + 1;
    }
    return lines;
}

/* The line that begins so many before the one at `at`. */
static size_t lines_back(const char *s, size_t at, int lines)
{
    while (at > 0 && (s[at - 1] != '\n' || lines-- > 0))
        at--;
    return at;
}

static size_t lines_on(const struct buf *text, size_t at, int lines)
{
    const char *s = buf_str(text), *nl = s + at;
    for (; lines > 0 && (nl = memchr(s + at, '\n', text->len - at)); lines--)
        at = (size_t)(nl + 1 - s);
    return lines > 0 ? text->len : at;
}

/* The lines that differ, and so many on both sides. */
static void find_windows(const struct buf *from, const struct buf *to, int context,
                         struct window *ret_from, struct window *ret_to)
{
    const char *a = buf_str(from), *b = buf_str(to);
    size_t least = from->len < to->len ? from->len : to->len;
    size_t head = diff_common_head(a, b, least);
    size_t tail = diff_common_tail(a + from->len, b + to->len, least - head);
    const char *nl = memchr(a + from->len - tail, '\n', tail);
    tail = nl ? (size_t)(a + from->len - nl) - 1 : 0;
    ret_from->start = ret_to->start = lines_back(a, lines_back(a, head, 0), context);
    ret_from->end = lines_on(from, from->len - tail, context);
    ret_to->end = lines_on(to, to->len - tail, context);
}

/* What is shown of both, without what must not be. The values of both are looked for at once: one
 * may begin with another, and what is longer must not be cut short. */
static void conceal_both(struct hidden *a, struct hidden *b, const struct buf *from,
                         const struct buf *to, struct buf *old, struct buf *new)
{
    buf_clear(old);
    buf_clear(new);
    conceal(a, from, old);
    conceal(b, to, new);
    AUTO_STRVEC struct strvec values = { 0 };
    strvec_copy(&values, &a->values);
    for (size_t i = 0; i < b->values.n; i++)
        strvec_add(&values, b->values.v[i]);
    mask_values(&values, old);
    mask_values(&values, new);
}

static void find_both(struct hidden *a, struct hidden *b)
{
    struct hidden *const both[] = { a, b };
    for (size_t i = 0; i < 2; i++) {
        forget_spans(both[i]);
        strvec_fini(&both[i]->values);
    }
    find_hidden(a, b);
    find_hidden(b, a);
}

static void show_all(struct hidden *a, struct hidden *b, const struct buf *from,
                     const struct buf *to)
{
    a->shown = (struct window){ 0, from->len };
    b->shown = (struct window){ 0, to->len };
    find_both(a, b);
}

void conceal_diff(const struct buf *from, const struct buf *to, int context, struct buf *out)
{
    struct hidden a = { 0 }, b = { .is_new = true };
    AUTO_BUF struct buf old = BUF_INIT, new = BUF_INIT, diff = BUF_INIT;
    read_doc(&a, from);
    read_doc(&b, to);
    find_windows(from, to, context, &a.shown, &b.shown);
    find_both(&a, &b);
    if (!a.doc.count || !b.doc.count || is_cut(&a) || is_cut(&b))
        show_all(&a, &b, from, to);
    conceal_both(&a, &b, from, to, &old, &new);
    diff_part(buf_str(&old), old.len, buf_str(&new), new.len,
              lines_in(buf_str(from), a.shown.start), context, &diff);
    if (value_diff_is_better(&diff)) {
        show_all(&a, &b, from, to);
        conceal_both(&a, &b, from, to, &old, &new);
    }
    if (!value_diff_is_better(&diff) || !value_diff(&old, &new, out))
        buf_add(out, buf_str(&diff), diff.len);
    hidden_fini(&a);
    hidden_fini(&b);
}
