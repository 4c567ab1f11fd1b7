/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Known tools as values. Touches no file and knows no server but by its name. */
#include "supervisor/tool_book.h"

#include <stdlib.h>
#include <string.h>
#include "base/jscan.h"
#include "base/mem.h"
#include "mcp/tool_filter.h"

/* As much again may be known as can be listed. */
enum { KNOWN_MAX = 2 * TOOL_LIST_MAX, KNOWN_MAX_BYTES = 2 * TOOL_LIST_MAX_BYTES };

static void known_fini(struct tool_known *k)
{
    free(k->name);
    free(k->text);
}

void tool_book_fini(struct tool_book *b)
{
    for (size_t i = 0; i < b->n; i++)
        known_fini(&b->v[i]);
    free(b->v);
    *b = (struct tool_book){0};
}

static struct tool_known *add(struct tool_book *b)
{
    if (b->n == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 16;
        b->v = xrealloc(b->v, b->cap * sizeof *b->v);
    }
    b->v[b->n] = (struct tool_known){0};
    return &b->v[b->n++];
}

static int compare(const void *one, const void *other)
{
    const struct tool_known *a = one, *b = other;
    int order = strcmp(a->name, b->name);

    return order ? order : memcmp(a->digest, b->digest, SHA256_BYTES);
}

static void sort(struct tool_book *b)
{
    if (b->n)
        qsort(b->v, b->n, sizeof *b->v, compare);
}

/* ---- the file ---- */

static void add_head(const char *server, struct buf *out)
{
    buf_add_str(out, "{\"tools_of\":");
    buf_add_json(out, server, strlen(server));
    buf_add_str(out, ",\"canonical\":1}\n");
}

/* One line: false when it is not what it says. */
static bool read_known(struct tool_book *b, struct span line, bool with_texts)
{
    char hex[SHA256_HEX];
    const char *end = line.p + line.n;

    if (line.n < 2 || *line.p != '{' || jscan_value(line.p, end, NULL) != end)
        return false;
    struct span name = span_member(line, "name"), hash = span_member(line, "sha256"),
                text = span_member(line, "definition");
    if (!name.n || !text.n || hash.n != SHA256_HEX + 1)
        return false;
    struct tool_known *k = add(b);
    k->name = span_decode(name, name.n);
    tool_digest(text, k->digest);
    if (with_texts)
        k->text = xstrndup(text.p, text.n);
    return strncmp(sha256_hex(k->digest, hex), hash.p + 1, SHA256_HEX - 1) == 0;
}

int tool_book_read(struct tool_book *b, const char *server, struct span file, bool with_texts)
{
    AUTO_BUF struct buf head = BUF_INIT;
    const char *end = file.p + file.n;

    tool_book_fini(b);
    add_head(server, &head);
    bool fine = file.n >= head.len && memcmp(file.p, head.data, head.len) == 0;
    for (const char *at = fine ? file.p + head.len : end; fine && at < end;) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        fine = nl && read_known(b, (struct span){at, (size_t)(nl - at)}, with_texts);
        at = fine ? nl + 1 : end;
    }
    if (!fine)
        tool_book_fini(b);
    sort(b);
    return fine ? 0 : -1;
}

void tool_book_write(const struct tool_book *b, const char *server, struct buf *out)
{
    char hex[SHA256_HEX];

    add_head(server, out);
    for (size_t i = 0; i < b->n; i++) {
        const struct tool_known *k = &b->v[i];
        buf_add_str(out, "{\"name\":");
        buf_add_json(out, k->name, strlen(k->name));
        buf_printf(out, ",\"sha256\":\"%s\",\"definition\":", sha256_hex(k->digest, hex));
        buf_add_str(out, k->text);
        buf_add_str(out, "}\n");
    }
}

/* ---- lists ---- */

/* The entries of an array one by one: *at is NULL before the first. */
static bool next(struct span list, const char **at, struct span *ret)
{
    if (!list.n)
        return false;
    if (!*at)
        *at = list.n >= 2 && *list.p == '[' ? list.p + 1 : list.p + list.n;
    return tool_next_entry(at, list.p + list.n, ret);
}

static char *name_of(struct span entry)
{
    struct span name = tool_entry_name(entry);

    return span_decode(name, name.n);
}

bool tool_list_fits(struct span list)
{
    const char *at = NULL;
    struct span entry;
    size_t n = 0;

    while (list.n <= TOOL_LIST_MAX_BYTES && n <= TOOL_LIST_MAX && next(list, &at, &entry))
        n++;
    return list.n <= TOOL_LIST_MAX_BYTES && n <= TOOL_LIST_MAX;
}

struct tool_indexed {
    uint8_t digest[SHA256_BYTES];
    struct span entry;
};

static int compare_indexed(const void *a, const void *b)
{
    return memcmp(((const struct tool_indexed *)a)->digest,
                  ((const struct tool_indexed *)b)->digest, SHA256_BYTES);
}

void tool_index_make(struct tool_index *x, struct span list)
{
    const char *at = NULL;
    struct span entry;

    *x = (struct tool_index){0};
    while (next(list, &at, &entry)) {
        if (x->n == x->cap) {
            x->cap = x->cap ? x->cap * 2 : 64;
            x->v = xrealloc(x->v, x->cap * sizeof *x->v);
        }
        tool_digest(entry, x->v[x->n].digest);
        x->v[x->n++].entry = entry;
    }
    if (x->n)
        qsort(x->v, x->n, sizeof *x->v, compare_indexed);
}

void tool_index_fini(struct tool_index *x)
{
    free(x->v);
    *x = (struct tool_index){0};
}

struct span tool_index_find(const struct tool_index *x, const uint8_t digest[SHA256_BYTES])
{
    struct tool_indexed wanted;

    memcpy(wanted.digest, digest, SHA256_BYTES);
    const struct tool_indexed *found =
        x->n ? bsearch(&wanted, x->v, x->n, sizeof *x->v, compare_indexed) : NULL;
    return found ? found->entry : (struct span){0};
}

/* The first that is known by the name; n when there is none. */
static size_t find_name(const struct tool_book *b, const char *name)
{
    size_t low = 0, high = b->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(b->v[mid].name, name) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < b->n && strcmp(b->v[low].name, name) == 0 ? low : b->n;
}

static bool is_known(const struct tool_book *b, const char *name,
                     const uint8_t digest[SHA256_BYTES], bool *ret_by_name)
{
    size_t i = find_name(b, name);

    *ret_by_name = i < b->n;
    for (; i < b->n && strcmp(b->v[i].name, name) == 0; i++)
        if (memcmp(b->v[i].digest, digest, SHA256_BYTES) == 0)
            return true;
    return false;
}

const struct tool_known *tool_book_find(const struct tool_book *b, const char *name,
                                        const struct tool_index *list)
{
    size_t first = find_name(b, name);

    for (size_t i = first; i < b->n && strcmp(b->v[i].name, name) == 0; i++)
        if (!tool_index_find(list, b->v[i].digest).n)
            return &b->v[i];
    return first < b->n ? &b->v[first] : NULL;
}

/* ---- changes ---- */

void tool_changes_fini(struct tool_changes *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i].name);
    free(c->v);
    *c = (struct tool_changes){0};
}

static void add_change(struct tool_changes *c, char *name, bool is_new,
                       const uint8_t digest[SHA256_BYTES])
{
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 4;
        c->v = xrealloc(c->v, c->cap * sizeof *c->v);
    }
    struct tool_change *one = &c->v[c->n++];
    *one = (struct tool_change){.name = name, .is_new = is_new};
    memcpy(one->digest, digest, SHA256_BYTES);
}

void tool_book_compare(const struct tool_book *b, struct span list, struct tool_changes *c)
{
    const char *at = NULL;
    struct span entry;
    uint8_t digest[SHA256_BYTES];
    bool by_name;

    tool_changes_fini(c);
    while (next(list, &at, &entry)) {
        AUTO_FREE char *name = name_of(entry);
        tool_digest(entry, digest);
        if (!is_known(b, name, digest, &by_name))
            add_change(c, TAKE(name), !by_name, digest);
    }
}

/* ---- taking over ---- */

static void list_digests(struct span list, struct tool_digests *ret)
{
    const char *at = NULL;
    struct span entry;
    uint8_t digest[SHA256_BYTES];

    while (next(list, &at, &entry)) {
        tool_digest(entry, digest);
        tool_digests_add(ret, digest);
    }
}

/* Keeps what is listed, and of the rest what does not have one of these names (NULL: nothing). */
static void forget(struct tool_book *b, const struct tool_digests *listed,
                   const struct tool_book *names)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->n; i++) {
        struct tool_known *k = &b->v[i];
        if (tool_digests_has(listed, k->digest) ||
            (names && find_name(names, k->name) == names->n))
            b->v[kept++] = *k;
        else
            known_fini(k);
    }
    b->n = kept;
}

static size_t bytes_of(const struct tool_book *b)
{
    size_t n = 0;

    for (size_t i = 0; i < b->n; i++)
        n += strlen(b->v[i].text);
    return n;
}

void tool_book_take(struct tool_book *b, struct span list, const struct tool_digests *which)
{
    struct tool_digests listed = {0}, taken = {0};
    AUTO_TOOL_BOOK struct tool_book fresh = {0};
    const char *at = NULL;
    struct span entry;
    uint8_t digest[SHA256_BYTES];

    while (next(list, &at, &entry)) {
        AUTO_FREE char *name = name_of(entry);
        AUTO_BUF struct buf text = BUF_INIT;
        bool by_name;
        tool_digest(entry, digest);
        if ((which && !tool_digests_has(which, digest)) || is_known(b, name, digest, &by_name) ||
            tool_digests_has(&taken, digest))
            continue;
        tool_digests_add(&taken, digest);
        tool_canon(entry, &text);
        *add(&fresh) = (struct tool_known){.name = TAKE(name), .text = buf_take(&text)};
        memcpy(fresh.v[fresh.n - 1].digest, digest, SHA256_BYTES);
    }
    sort(&fresh);
    list_digests(list, &listed);
    forget(b, &listed, &fresh);
    for (size_t i = 0; i < fresh.n; i++)
        *add(b) = fresh.v[i];
    fresh.n = 0;
    sort(b);
    if (b->n > KNOWN_MAX || bytes_of(b) > KNOWN_MAX_BYTES)
        forget(b, &listed, NULL);
    tool_digests_fini(&listed);
    tool_digests_fini(&taken);
}
