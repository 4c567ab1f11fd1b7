/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One pass over the text: members are written as they come, and put in order where they are not. */
#include "mcp/tool_digest.h"

#include <stdlib.h>
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"

struct walk {
    const char *p, *end;
    struct buf *out;
    unsigned depth;
};

/* A member in the output: "key":value. */
struct part { const char *text; size_t at, key_n, n, place; };
struct parts { struct part *v; size_t n, cap; bool unsorted; };

static bool take_value(struct walk *w);

static bool take_string(struct walk *w)
{
    AUTO_BUF struct buf plain = BUF_INIT;
    const char *after = jscan_string(w->p, w->end, NULL);

    if (!after)
        return false;
    size_t n = (size_t)(after - w->p);
    if (jscan_decode(w->p, n, &plain))
        buf_add(w->out, w->p, n);
    else
        buf_add_json(w->out, buf_str(&plain), plain.len);
    w->p = after;
    return true;
}

/* Steps over white space and a comma. False at the closing bracket, or the end. */
static bool more(struct walk *w, char closing)
{
    w->p = jscan_space(w->p, w->end);
    if (w->p < w->end && *w->p == ',')
        w->p = jscan_space(w->p + 1, w->end);
    return w->p < w->end && *w->p != closing;
}

static int compare(const void *one, const void *other)
{
    const struct part *a = one, *b = other;
    size_t n = a->key_n < b->key_n ? a->key_n : b->key_n;
    int order = memcmp(a->text + a->at, b->text + b->at, n);

    if (order)
        return order;
    if (a->key_n != b->key_n)
        return a->key_n < b->key_n ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

static bool take_member(struct walk *w, struct parts *parts)
{
    struct part part = {.at = w->out->len, .place = parts->n};

    if (*w->p != '"' || !take_string(w))
        return false;
    /* without its last quote: a prefix comes first */
    part.key_n = w->out->len - part.at - 1;
    w->p = jscan_space(w->p, w->end);
    if (w->p == w->end || *w->p != ':')
        return false;
    w->p = jscan_space(w->p + 1, w->end);
    buf_add_char(w->out, ':');
    if (!take_value(w))
        return false;
    part.n = w->out->len - part.at;
    part.text = w->out->data;
    if (parts->n) {
        parts->v[parts->n - 1].text = part.text;       /* it may have moved */
        parts->unsorted |= compare(&parts->v[parts->n - 1], &part) > 0;
    }
    if (parts->n == parts->cap) {
        parts->cap = parts->cap ? parts->cap * 2 : 8;
        parts->v = xrealloc(parts->v, parts->cap * sizeof *parts->v);
    }
    parts->v[parts->n++] = part;
    return true;
}

/* What was written from `start` on, again and in order. */
static void put_in_order(struct buf *out, size_t start, struct parts *parts)
{
    AUTO_BUF struct buf text = BUF_INIT;
    size_t len = out->len;

    for (size_t i = 0; i < parts->n; i++)
        parts->v[i].text = out->data;
    qsort(parts->v, parts->n, sizeof *parts->v, compare);
    for (size_t i = 0; i < parts->n; i++) {
        if (i)
            buf_add_char(&text, ',');
        buf_add(&text, out->data + parts->v[i].at, parts->v[i].n);
    }
    memcpy(out->data + start, text.data, len - start);
}

static bool take_object(struct walk *w)
{
    struct parts parts = {0};
    bool fine = true;

    buf_add_char(w->out, '{');
    size_t start = w->out->len;
    w->p++;
    while (fine && more(w, '}')) {
        if (parts.n)
            buf_add_char(w->out, ',');
        fine = take_member(w, &parts);
    }
    if (fine && parts.unsorted)
        put_in_order(w->out, start, &parts);
    free(parts.v);
    return fine;
}

static bool take_array(struct walk *w)
{
    bool first = true;

    buf_add_char(w->out, '[');
    w->p++;
    for (; more(w, ']'); first = false) {
        if (!first)
            buf_add_char(w->out, ',');
        if (!take_value(w))
            return false;
    }
    return true;
}

static bool take_container(struct walk *w)
{
    char closing = *w->p == '{' ? '}' : ']';

    if (w->depth++ == JSCAN_MAX_DEPTH)
        return false;
    if (!(closing == '}' ? take_object(w) : take_array(w)) || w->p == w->end)
        return false;
    w->depth--;
    w->p++;
    buf_add_char(w->out, closing);
    return true;
}

static bool take_value(struct walk *w)
{
    if (w->p == w->end)
        return false;
    if (*w->p == '{' || *w->p == '[')
        return take_container(w);
    if (*w->p == '"')
        return take_string(w);
    const char *after = jscan_scalar(w->p, w->end, NULL);
    if (!after)
        return false;
    buf_add(w->out, w->p, (size_t)(after - w->p));
    w->p = after;
    return true;
}

void tool_canon(struct span value, struct buf *out)
{
    struct walk w = {.p = value.p, .end = value.p + value.n, .out = out};

    /* It was scanned: what could not be read here never got so far. All the same nothing of it may
     * be left out of the hash. */
    if (!take_value(&w))
        buf_add(out, w.p, (size_t)(w.end - w.p));
}

void tool_digest(struct span value, uint8_t ret[SHA256_BYTES])
{
    AUTO_BUF struct buf text = BUF_INIT;

    tool_canon(value, &text);
    sha256(buf_str(&text), text.len, ret);
}

/* ---- sets ---- */

/* Where it stands, or would. */
static size_t find(const struct tool_digests *t, const uint8_t *digest, bool *ret_there)
{
    size_t low = 0, high = t->n;

    *ret_there = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = memcmp(t->v[mid], digest, SHA256_BYTES);
        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void tool_digests_add(struct tool_digests *t, const uint8_t digest[SHA256_BYTES])
{
    bool there;
    size_t at = find(t, digest, &there);

    if (there)
        return;
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 16;
        t->v = xrealloc(t->v, t->cap * sizeof *t->v);
    }
    memmove(t->v + at + 1, t->v + at, (t->n - at) * sizeof *t->v);
    memcpy(t->v[at], digest, SHA256_BYTES);
    t->n++;
}

bool tool_digests_has(const struct tool_digests *t, const uint8_t digest[SHA256_BYTES])
{
    bool there;

    find(t, digest, &there);
    return there;
}

void tool_digests_copy(struct tool_digests *to, const struct tool_digests *from)
{
    tool_digests_fini(to);
    if (!from->n)
        return;
    to->v = xmalloc(from->n * sizeof *to->v);
    memcpy(to->v, from->v, from->n * sizeof *to->v);
    to->n = to->cap = from->n;
}

bool tool_digests_equal(const struct tool_digests *a, const struct tool_digests *b)
{
    return a->n == b->n && (!a->n || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

void tool_digests_fini(struct tool_digests *t)
{
    free(t->v);
    *t = (struct tool_digests){0};
}
