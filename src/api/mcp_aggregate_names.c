/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SERVER__ in front of what a server has, on the endpoint of all: one table for all clients of it,
 * made anew when the list of servers changes, so that a call finds its server by a hash, however
 * many there are. Characters that no tool's name may have are '_' in it, and it is cut, because
 * clients take so long names only (Claude Code 128 with "mcp__mcptop__" before them); where that
 * makes two servers the same, or the same as a third one is called, the later one gets a number. */
#include <stdlib.h>
#include <string.h>

#include "api/mcp_aggregate_internal.h"
#include "base/mem.h"

enum { PREFIX_MAX = 48 };       /* without what makes it another one */
enum { HASH_START = 2166136261u, HASH_FACTOR = 16777619u };

struct row {
    char *prefix;               /* with the "__" */
    size_t n;
    uint32_t hash;              /* without it */
};

struct aggregate_names {
    struct fleet *fleet;
    struct presence *presence;
    uint64_t generation;        /* of the list of servers that it was made from; 0 = none */
    struct row *rows;           /* in the order of the list */
    size_t count;
    uint32_t *slots;            /* open addressing: a place in rows and 1; 0 = free */
    size_t cap;                 /* a power of two, more than twice the rows */
    size_t longest;             /* prefix */
    uint64_t looks;
};

static uint32_t hash_add(uint32_t h, char c)
{
    return (h ^ (unsigned char)c) * HASH_FACTOR;
}

uint32_t aggregate_hash(const char *name)
{
    uint32_t h = HASH_START;

    while (*name)
        h = hash_add(h, *name++);
    return h;
}

/* Where the row of this prefix (its first n bytes, then "__") is, or would be. */
static uint32_t *slot_of(struct aggregate_names *names, const char *p, size_t n, uint32_t hash)
{
    size_t i = hash & (names->cap - 1);

    for (; names->slots[i]; i = (i + 1) & (names->cap - 1)) {
        const struct row *row = &names->rows[names->slots[i] - 1];
        names->looks++;
        if (row->hash == hash && row->n == n + 2 && memcmp(row->prefix, p, n) == 0)
            break;
    }
    return &names->slots[i];
}

static void clear(struct aggregate_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->rows[i].prefix);
    free(TAKE(names->rows));
    free(TAKE(names->slots));
    names->count = names->longest = 0;
}

static void sanitize(const char *name, struct buf *out)
{
    for (const char *p = name; *p && out->len < PREFIX_MAX; p++) {
        bool fine = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '_' || *p == '-';
        buf_add_char(out, fine ? *p : '_');
    }
}

static void add(struct aggregate_names *names, const char *server)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    uint32_t *slot;
    unsigned same = 1;

    sanitize(server, &prefix);
    size_t n = prefix.len;
    while (*(slot = slot_of(names, buf_str(&prefix), prefix.len,
                            aggregate_hash(buf_str(&prefix))))) {
        prefix.len = n;
        buf_printf(&prefix, "_%u", ++same);
    }
    struct row *row = &names->rows[names->count++];
    row->hash = aggregate_hash(buf_str(&prefix));
    buf_add_str(&prefix, "__");
    row->n = prefix.len;
    row->prefix = xstrdup(buf_str(&prefix));
    *slot = (uint32_t)names->count;
    if (row->n > names->longest)
        names->longest = row->n;
}

static void look_again(struct aggregate_names *names)
{
    size_t n = fleet_count(names->fleet);

    if (names->slots && names->generation == fleet_get_generation(names->fleet))
        return;
    clear(names);
    for (names->cap = 16; names->cap <= 2 * n;)
        names->cap *= 2;
    names->rows = xcalloc(n + 1, sizeof *names->rows);
    names->slots = xcalloc(names->cap, sizeof *names->slots);
    for (size_t i = 0; i < n; i++)
        add(names, fleet_at(names->fleet, i)->name);
    names->generation = fleet_get_generation(names->fleet);
}

const char *aggregate_prefix(struct aggregate_names *names, size_t index)
{
    look_again(names);
    return names->rows[index].prefix;
}

/* The one whose name it is among those that could be called so: as add() found its prefix. 0: none,
 * else its place and 1. */
static uint32_t row_of(struct aggregate_names *names, const char *server)
{
    AUTO_BUF struct buf prefix = BUF_INIT;
    unsigned same = 1;
    uint32_t row;

    look_again(names);
    sanitize(server, &prefix);
    size_t n = prefix.len;
    while ((row = *slot_of(names, buf_str(&prefix), prefix.len,
                           aggregate_hash(buf_str(&prefix)))) != 0 &&
           strcmp(fleet_at(names->fleet, row - 1)->name, server) != 0) {
        prefix.len = n;
        buf_printf(&prefix, "_%u", ++same);
    }
    return row;
}

const char *aggregate_prefix_of(struct aggregate_names *names, const char *server)
{
    uint32_t row = row_of(names, server);

    return row ? names->rows[row - 1].prefix : NULL;
}

struct server *aggregate_server_named(struct aggregate_names *names, const char *server)
{
    uint32_t row = row_of(names, server);

    return row ? fleet_at(names->fleet, row - 1) : NULL;
}

struct server *aggregate_server_of(struct aggregate_names *names, struct span prefix)
{
    uint32_t hash = HASH_START;

    look_again(names);
    for (size_t i = 0; i < prefix.n; i++)
        hash = hash_add(hash, prefix.p[i]);
    uint32_t row = *slot_of(names, prefix.p, prefix.n, hash);
    return row ? fleet_at(names->fleet, row - 1) : NULL;
}

/* Each "__" may be the end of a prefix; names may have it in them, so the last one counts. */
struct server *aggregate_route(struct aggregate_names *names, struct span text, size_t *ret_prefix)
{
    struct server *found = NULL;
    uint32_t hash = HASH_START;

    look_again(names);
    for (size_t i = 0; i + 2 < text.n && i + 2 <= names->longest; i++) {
        if (text.p[i] == '_' && text.p[i + 1] == '_') {
            uint32_t row = *slot_of(names, text.p, i, hash);
            if (row) {
                found = fleet_at(names->fleet, row - 1);
                *ret_prefix = i + 2;
            }
        }
        hash = hash_add(hash, text.p[i]);
    }
    return found;
}

void aggregate_names_looked(struct aggregate_names *names)
{
    names->looks++;
}

uint64_t aggregate_names_get_looks(const struct aggregate_names *names)
{
    return names->looks;
}

struct fleet *aggregate_names_get_fleet(const struct aggregate_names *names)
{
    return names->fleet;
}

struct presence *aggregate_names_get_presence(const struct aggregate_names *names)
{
    return names->presence;
}

struct aggregate_names *aggregate_names_new(struct ev_loop *loop, struct fleet *fl)
{
    struct aggregate_names *names = xcalloc(1, sizeof *names);

    names->fleet = fl;
    names->presence = presence_new(loop, fl, names);
    return names;
}

void aggregate_names_free(struct aggregate_names *names)
{
    if (!names)
        return;
    presence_free(names->presence);
    clear(names);
    free(names);
}
